"""Sweeps over graphs: x_i = b_i + sum over the edges i -> j of w x_j, in any semiring.

The derivative is a sweep in ordinary numbers, over the same edges with weights p, the part of each edge in its node:

    dx_i = q_i db_i + sum over the edges i -> j of (p dx_j + c dw)

with p = w, c = x_j, q = 1 for sums of products; p = c = exp(w + x_j - x_i), q = exp(b_i - x_i) for log-sum-exp; and
for maxima and minima 1 where the edge, or b_i, attains them, in equal parts where several do.
"""

import numpy as np

from .._trace import Traced, record
from ..graph import swept
from ..operator import Operator
from ..semirings import SEMIRINGS
from .table import RULES, Linear

__all__ = ["collect"]


def collect(v, ends, n):
    """The sums of v over the edges with the same end: (..., e) -> (..., n)."""
    if type(v) is Traced:
        return record(collect, (v,), {"ends": ends, "n": n})
    x = np.zeros((n, *v.shape[:-1]), v.dtype)
    np.add.at(x, ends, np.moveaxis(v, -1, 0))
    return np.moveaxis(x, 0, -1)


RULES[collect] = (
    lambda x, v, **keywords: Linear(
        lambda X, x, v, ends, n: collect(X, ends, n), lambda Y, x, v, ends, n: Y[..., ends], (x, v), keywords
    ),
)


def parts(x, weights, b, graph, semiring):
    """(p, c, q) of every edge and node; see above. c is (e,) or (e, columns), p (e,), q (n,) or None for 1."""
    near, far = graph.edges
    if semiring == "sum-product":
        return weights, x[far], None
    reached = np.not_equal(x, SEMIRINGS[semiring].zero)
    level = np.where(reached, x, 0.0)  # no path: not infinity minus itself
    if semiring == "log-sum-exp":
        p = np.exp(weights + x[far] - level[near])
        return p, p, np.exp(b - level)
    attained = np.equal(weights + x[far], x[near]) & reached[near]
    own = np.equal(b, x) & reached
    shares = collect(np.where(attained, 1.0, 0.0), near, len(x)) + np.where(own, 1.0, 0.0)
    share = 1.0 / np.where(shares > 0, shares, 1.0)
    p = np.where(attained, share[near], 0.0)
    return p, p, np.where(own, share, 0.0)


class Swept(Operator):
    """The derivative of a sweep with respect to its weights, or to b: (..., e) or (..., n, ...) -> (..., n, ...).

    Parameters
    ----------
    of_weights : bool
    x, p, c, q : arrays
        The result, and what `parts` gives.
    shape_in : tuple
    """

    name = "(I − L)⁻¹"

    def __init__(self, of_weights, x, graph, p, c, q, shape_in):
        self.__dict__.update(of_weights=of_weights, graph=graph, p=p, c=c, q=q, shape_in=shape_in, shape_out=x.shape)

    def _sweep(self, X, graph):
        """The sweep of a stack (..., n) or (..., n, r), whose node axis goes first for the kernel."""
        axis = -len(self.shape_out)
        rows = np.moveaxis(X, axis, 0)
        return np.moveaxis(swept_any(self.p, rows, graph), 0, axis)

    def apply(self, X):
        near, _ = self.graph.edges
        columns = len(self.shape_out) == 2
        if not self.of_weights:
            B = X if self.q is None else self.q * X
        elif columns:  # (..., e) -> (..., r, e) -> (..., n, r)
            B = np.swapaxes(collect(X[..., None, :] * self.c.T, near, self.shape_out[0]), -1, -2)
        else:
            B = collect(X * self.c, near, self.shape_out[0])
        return self._sweep(B, self.graph)

    def apply_adjoint(self, Y):
        near, _ = self.graph.edges
        Z = self._sweep(Y, self.graph.T)
        if not self.of_weights:
            return Z if self.q is None else self.q * Z
        if len(self.shape_out) == 2:
            return np.sum(Z[..., near, :] * self.c, axis=-1)
        return Z[..., near] * self.c

    def adjoint(self):
        return Operator(self.apply_adjoint, self.apply, self.name + "ᴴ", self.shape_out, self.shape_in)

    transposed = adjoint


def swept_any(p, rows, graph):
    """A sweep of sums of products, recorded where p or the rows are traced."""
    if type(p) is Traced or type(rows) is Traced:
        return record(swept, (p, rows), {"graph": graph, "semiring": "sum-product"})
    return graph.solve(rows, weights=p)


def weights_rule(x, weights, b, graph, semiring):
    return Swept(True, x, graph, *parts(x, weights, b, graph, semiring), weights.shape)


def rows_rule(x, weights, b, graph, semiring):
    return Swept(False, x, graph, *parts(x, weights, b, graph, semiring), b.shape)


RULES[swept] = weights_rule, rows_rule
