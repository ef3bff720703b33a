"""X -> the z with z_i = a_i z_{i-1} + (M * X)_i along an axis: the derivative of running products and maxima.

This is (I - L)^-1 with the numbers a under the diagonal, and its adjoint runs backwards.
"""

import math

import numpy as np
from scipy.linalg.blas import dtbsv, stbsv  # pyright: ignore[reportAttributeAccessIssue]

from .._trace import Traced, record
from ..operator import Operator
from .elementwise import Elementwise

__all__ = ["Recurrence", "recurrence", "recurrence_rules", "reversed_recurrence"]


def recurrence(a, b):
    """z_0 = b_0 and z_i = a_i z_{i-1} + b_i along the last axis; `a` broadcasts to the shape of b.

    Parameters
    ----------
    a : (..., n) array
        Its first element is not used.
    b : (..., n) array

    Returns
    -------
    (..., n) array
    """
    if type(a) is Traced or type(b) is Traced:
        return record(recurrence, (a, b))
    n = b.shape[-1]
    rows = math.prod(b.shape[:-1])
    dtype = np.result_type(a, b)
    a = np.broadcast_to(a, b.shape).astype(dtype)
    z = b.astype(dtype)
    if n < 2 or rows == 0:
        return z
    if dtype.char in "fd" and n > rows:
        # (I - L) z = b, with -a below a diagonal of ones
        solve = dtbsv if dtype.char == "d" else stbsv
        lines = z.reshape(rows, n)
        band = np.ones((2, n), dtype, order="F")
        for i, factors in enumerate(a.reshape(rows, n)):
            band[1, :-1] = -factors[1:]
            lines[i] = solve(1, band, lines[i], lower=1, diag=1)
        return lines.reshape(z.shape)
    for i in range(1, n):
        z[..., i] += a[..., i] * z[..., i - 1]
    return z


def reversed_recurrence(a, g):
    """w_i = g_i + a_{i+1} w_{i+1}, the adjoint in b."""
    backwards = np.concatenate((a[..., :1], a[..., :0:-1]), axis=-1)
    return recurrence(backwards, g[..., ::-1])[..., ::-1]


class Recurrence(Operator):
    """X -> scale * recurrence(a, E X) along `axis`, E an elementwise map to the shape of the result.

    Parameters
    ----------
    a : array of the shape of the result, `axis` last
    E : Elementwise
    axis : negative int
    scale : array of the shape of the result, or None for 1
    """

    def __init__(self, a, E, axis=-1, scale=None):
        self.__dict__.update(a=a, E=E, axis=axis, scale=scale, shape_in=E.shape_in, shape_out=E.shape_out)

    def apply(self, X):
        z = recurrence(self.a, np.swapaxes(self.E.apply(X), self.axis, -1))
        z = np.swapaxes(z, self.axis, -1)
        return z if self.scale is None else self.scale * z

    def apply_adjoint(self, Y):
        Y = Y if self.scale is None else self.scale * Y
        w = reversed_recurrence(self.a, np.swapaxes(Y, self.axis, -1))
        return self.E.apply_adjoint(np.swapaxes(w, self.axis, -1))

    def adjoint(self):
        return Operator(self.apply_adjoint, self.apply, self.symbol + "ᴴ", self.shape_out, self.shape_in)

    transposed = adjoint
    name = "(I − L)⁻¹"


def factors_rule(z, a, b):
    # da_i meets z_{i-1}
    previous = np.concatenate((np.zeros_like(z[..., :1]), z[..., :-1]), axis=-1)
    return Recurrence(a, Elementwise(previous, a.shape, z.shape))


def terms_rule(z, a, b):
    return Recurrence(a, Elementwise(None, b.shape, z.shape))


recurrence_rules = (factors_rule, terms_rule)
