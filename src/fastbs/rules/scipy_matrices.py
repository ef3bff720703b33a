"""Functions of matrices in `fastbs.scipy.linalg`, and matrices of other arrays."""

import math

import numpy as np
import scipy.linalg as sl

from ..operators.product import Map
from .linalg import det_rule, inv_rule
from .scipy_door import instead_of, only, stacked
from .scipy_solves import sylvester
from .several import as_array, holomorphic
from .table import RULES, record

__all__ = ["block_diag", "det", "expm", "inv", "logm", "norm", "pinv", "sqrtm", "toeplitz"]


@instead_of(sl.inv)
def inv(a):
    """The inverse of (..., n, n) matrices, as `scipy.linalg.inv`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import inv
    >>> grad(lambda t: inv(t * np.eye(2))[0, 0])(2.0)
    np.float64(-0.25)
    """
    return record(inv, (a,))


@instead_of(sl.det)
def det(a):
    """The determinant of (..., n, n) matrices, as `scipy.linalg.det`; its gradient are the cofactors.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import det
    >>> grad(det)(np.diag([2.0, 3.0]))
    array([[3., 0.],
           [0., 2.]])
    """
    return record(det, (a,))


RULES[inv] = (holomorphic(inv_rule, 0),)
RULES[det] = (holomorphic(det_rule, 0),)


@instead_of(sl.pinv)
def pinv(a, *, atol=None, rtol=None, return_rank=False):
    """The pseudoinverse, as `scipy.linalg.pinv`, where the rank does not change.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import pinv
    >>> grad(lambda a: pinv(a).sum())(np.array([[2.0], [0.0]])).round(3)
    array([[-0.25],
           [ 0.25]])
    """
    only("pinv", atol=atol, return_rank=return_rank)
    rtol = max(a.shape[-2:]) * np.finfo(a.dtype).eps if rtol is None else rtol
    return np.linalg.pinv(a, rcond=rtol)


@instead_of(sl.norm)
def norm(a, ord=None, axis=None, keepdims=False):
    """The norm of vectors or matrices, as `scipy.linalg.norm`; where it is 0 the derivative is the subgradient 0.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import norm
    >>> grad(norm)(np.array([3.0, 4.0]))
    array([0.6, 0.8])
    """
    return np.linalg.norm(a, ord, axis, keepdims)


def frechet(function, A, X):
    """The derivative of a function of matrices along X: f([[A, X], [0, A]]) = [[f(A), df], [0, f(A)]]."""
    n = A.shape[-1]
    A = np.broadcast_to(A, X.shape)
    top = np.concatenate([A, X], axis=-1)
    return function(np.concatenate([top, np.concatenate([0 * A, A], axis=-1)], axis=-2))[..., :n, n:]


def frechet_rule(function):
    """Its adjoint is the derivative at A^T."""
    return lambda y, A: Map(
        lambda X: frechet(function, A, X), lambda Y: frechet(function, A.mT, Y), A.shape, y.shape,
        symbol=function.__name__,
    )  # fmt: skip


@instead_of(sl.expm)
def expm(A):
    """exp(A) of (..., n, n) matrices, as `scipy.linalg.expm`.

    Derivative: an exponential of twice the size, exp([[A, X], [0, A]]), 8 times the cost (Higham, Functions of
    Matrices, section 3.2).

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import expm
    >>> grad(lambda t: expm(t * np.array([[0.0, 1.0], [0.0, 0.0]]))[0, 1])(2.0)
    np.float64(1.0)
    """
    return record(expm, (np.atleast_2d(A),))  # SciPy takes a number


RULES[expm] = (holomorphic(frechet_rule(expm), 0),)


def logarithm(A):
    """scipy.linalg.logm, which estimates norms with random vectors, without a trace in the global generator."""
    state = np.random.get_state(legacy=False)  # noqa: NPY002
    try:
        return sl.logm(A)
    finally:
        np.random.set_state(state)  # noqa: NPY002


@instead_of(stacked(logarithm))
def logm(A):
    """The principal logarithm of a matrix, as `scipy.linalg.logm`, where it is real; derivative as `expm`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import logm
    >>> grad(lambda t: logm(t * np.eye(2))[0, 0])(2.0).round(6)
    np.float64(0.5)
    """
    return with_real_result("logm", record(logm, (A,)))


RULES[logm] = (frechet_rule(logm),)


@instead_of(stacked(sl.sqrtm))
def sqrtm(A):
    """The principal square root, as `scipy.linalg.sqrtm`, where it is real; derivative: a Sylvester solve.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import sqrtm
    >>> grad(lambda t: sqrtm(t * np.eye(2))[0, 0])(4.0).round(6)
    np.float64(0.25)
    """
    return with_real_result("sqrtm", record(sqrtm, (A,)))


# S S = A:  S dS + dS S = dA
RULES[sqrtm] = (
    lambda S, A: Map(lambda X: sylvester(S, S, X), lambda Y: sylvester(S.mT, S.mT, Y), A.shape, S.shape, symbol="√"),
)


def with_real_result(name, y):
    if y.dtype.kind == "c":
        raise TypeError(f"{name}: the result must be real because the rule is for real arrays; got {y.dtype}")
    return y


@instead_of(sl.block_diag)
def block_diag(*arrs):
    """The matrix with these blocks on its diagonal, as `scipy.linalg.block_diag`; vectors are rows.

    Examples
    --------
    >>> from fastbs.derivatives import jvp
    >>> from fastbs.scipy.linalg import block_diag
    >>> jvp(lambda x: block_diag(x, 2 * x), (1.0,), (1.0,))[1]
    array([[1., 0.],
           [0., 2.]])
    """
    blocks = [np.reshape(x, (1, math.prod(x.shape))) if x.ndim < 2 else x for x in map(as_array, arrs)]
    n = sum(x.shape[1] for x in blocks)
    rows, before = [], 0
    for x in blocks:
        margins = [np.zeros((x.shape[0], k), x.dtype) for k in (before, n - before - x.shape[1])]
        rows.append(np.concatenate([margins[0], x, margins[1]], axis=1))
        before += x.shape[1]
    return np.concatenate(rows, axis=0)


@instead_of(sl.toeplitz)
def toeplitz(c, r=None):
    """The matrix with first column c and first row r (c again, if None), as `scipy.linalg.toeplitz`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import toeplitz
    >>> grad(lambda c: toeplitz(c).sum())(np.ones(3))
    array([3., 4., 2.])
    """
    c = as_array(c)
    r = c if r is None else as_array(r)
    for name, x in (("c", c), ("r", r)):
        if x.ndim > 1:
            raise ValueError(
                f"toeplitz: {name} must be a vector because versions of SciPy differ in what they make of more axes; "
                f"got shape {x.shape}"
            )
    c, r = np.reshape(c, (-1,)), np.reshape(r, (-1,))
    m, n = c.shape[0], r.shape[0]
    diagonals = np.concatenate([r[1:][::-1], c])  # from the last one above to the last one below
    return diagonals[np.arange(m)[:, None] - np.arange(n) + n - 1]
