"""The solves of `fastbs.scipy.linalg`: of systems, and of Sylvester's and Lyapunov's equations."""

import numpy as np
import scipy.linalg as sl

from ..errors import ShapeError
from ..operators.product import Map
from .scipy_door import instead_of, stacked
from .several import as_array
from .solves import (
    full_shape,
    solve_first,
    solve_second,
    symmetric,
    triangle,
    triangular_solve,
)  # fmt: skip
from .table import RULES, record

__all__ = [
    "as_columns",
    "solve",
    "solve_continuous_lyapunov",
    "solve_discrete_lyapunov",
    "solve_lyapunov",
    "solve_sylvester",
    "solve_triangular",
    "sylvester",
]


READS_TRIANGLE = {"pos", "positive definite", "sym", "symmetric", "her", "hermitian"}


@instead_of(sl.solve)
def solve(a, b, lower=False, *, assume_a=None, transposed=False):
    """The x with a x = b, as `scipy.linalg.solve`.

    Parameters
    ----------
    a : (..., n, n) array
    b : (n,) or (..., n, k) array
    lower : bool
        Which triangle is read where `assume_a` says that one is enough.
    assume_a : {None, "gen", "sym", "her", "pos"}, optional
    transposed : bool
        Solve a^T x = b.

    Derivative: solves with a and a^T.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import solve
    >>> grad(lambda b: solve(2 * np.eye(2), b).sum())(np.ones(2))
    array([0.5, 0.5])
    """
    a, b = np.atleast_2d(as_array(a)), np.atleast_1d(as_array(b))  # SciPy takes numbers
    if assume_a not in {None, "gen", "general"} | READS_TRIANGLE:
        raise TypeError(
            "solve: assume_a must be None, 'gen', 'sym', 'her' or 'pos' because traced values have no rule for others; "
            f"got {assume_a!r}"
        )
    if a.shape == (1, 1):
        return b / a[0]  # SciPy takes b of any length then
    if transposed:
        a, lower = a.mT, not lower
    return record(solve, (a, b), {} if assume_a is None else {"assume_a": assume_a, "lower": bool(lower)})


def solve_first_read(y, a, b, assume_a=None, lower=False):
    """dA -> -A^-1 dA y, of the entries that are read"""
    if assume_a not in READS_TRIANGLE:
        return solve_first(y, a, b)
    uplo = "L" if lower else "U"
    inner = solve_first(y, symmetric(a, uplo), b)
    return Map(
        lambda X: inner.apply(symmetric(X, uplo)),
        lambda Y: triangle(inner.apply_adjoint(Y), uplo),
        a.shape, y.shape, symbol="A⁻¹·y",
    )  # fmt: skip


def solve_second_read(y, a, b, assume_a=None, lower=False):
    """dB -> A^-1 dB"""
    return solve_second(y, symmetric(a, "L" if lower else "U") if assume_a in READS_TRIANGLE else a, b)


RULES[solve] = (solve_first_read, solve_second_read)


def as_columns(a, b, where):
    """What stands on the right of solves with matrices a, a vector as one column."""
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ShapeError(f"{where}: a must be (..., n, n) because it is solved with; got {a.shape}")
    n = a.shape[-1]
    if b.ndim == 0 or b.shape[max(b.ndim - 2, 0)] != n:
        raise ShapeError(f"{where}: b must be ({n},) or (..., {n}, k) because a is {a.shape}; got {b.shape}")
    return b[:, None] if b.ndim == 1 else b


@instead_of(sl.solve_triangular)
def solve_triangular(a, b, trans=0, lower=False, unit_diagonal=False):
    """The x with a x = b for a triangular matrix, as `scipy.linalg.solve_triangular`.

    Parameters
    ----------
    a : (n, n) array, of which one triangle is read
    b : (n,) or (n, k) array
    trans : {0, 1, 2, "N", "T", "C"}
        Solve with a, or its transpose.
    lower, unit_diagonal : bool

    Derivative: triangular solves; costs n^2 flops a column.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import solve_triangular
    >>> grad(lambda a: solve_triangular(a, np.array([1.0, 2.0])).sum())(np.eye(2))
    array([[-1., -2.],
           [ 0., -2.]])
    """
    a, b = as_array(a), as_array(b)
    columns = as_columns(a, b, "solve_triangular")
    x = triangular_solve(a, columns, bool(lower), trans not in (0, "N"), bool(unit_diagonal))
    return np.reshape(x, x.shape[:-1]) if b.ndim == 1 else x


@instead_of(sl.solve_sylvester)
def solve_sylvester(a, b, q):
    """The x with a x + x b = q, as `scipy.linalg.solve_sylvester`; derivative: solves with the transposes.

    Parameters
    ----------
    a : (m, m) array
    b : (n, n) array
    q : (m, n) array

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import solve_sylvester
    >>> grad(lambda q: solve_sylvester(np.eye(2), np.eye(2), q).sum())(np.ones((2, 2)))
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    return record(sylvester, tuple(map(as_array, (a, b, q))))


@instead_of(stacked(sl.solve_sylvester))
def sylvester(a, b, q):
    """`solve_sylvester` of stacks."""
    return record(sylvester, (a, b, q))


def sylvester_rule(k):
    """dx = S(dq - da x - x db), where S solves; its adjoint solves with a^T and b^T"""

    def rule(x, *arguments):
        a, b, _ = arguments
        inside = (lambda X: -(X @ x), lambda X: -(x @ X), lambda X: X)[k]
        back = (lambda Z: -(Z @ x.mT), lambda Z: -(x.mT @ Z), lambda Z: Z)[k]
        shape = arguments[k].shape
        return Map(
            lambda X: sylvester(a, b, inside(X)),
            lambda Y: back(sylvester(a.mT, b.mT, Y)),
            shape, x.shape, full_shape(shape, x.ndim), x.shape, "S",
        )  # fmt: skip

    return rule


RULES[sylvester] = (sylvester_rule(0), sylvester_rule(1), sylvester_rule(2))


@instead_of(sl.solve_continuous_lyapunov)
def solve_continuous_lyapunov(a, q):
    """The x with a x + x a^T = q, as `scipy.linalg.solve_continuous_lyapunov`, for (n, n) arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import solve_continuous_lyapunov
    >>> grad(lambda q: solve_continuous_lyapunov(np.eye(2), q).sum())(np.ones((2, 2)))
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    return record(lyapunov, (as_array(a), as_array(q)))


solve_lyapunov = solve_continuous_lyapunov


@instead_of(stacked(sl.solve_continuous_lyapunov))
def lyapunov(a, q):
    """`solve_continuous_lyapunov` of stacks."""
    return record(lyapunov, (a, q))


@instead_of(sl.solve_discrete_lyapunov)
def solve_discrete_lyapunov(a, q, method=None):
    """The x with a x a^T - x + q = 0, as `scipy.linalg.solve_discrete_lyapunov`, for (n, n) arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import solve_discrete_lyapunov
    >>> grad(lambda q: solve_discrete_lyapunov(np.zeros((2, 2)), q).sum())(np.ones((2, 2)))
    array([[1., 1.],
           [1., 1.]])
    """
    return record(discrete_lyapunov, (as_array(a), as_array(q)), {"method": method} if method else {})


@instead_of(stacked(sl.solve_discrete_lyapunov))
def discrete_lyapunov(a, q, method=None):
    """`solve_discrete_lyapunov` of stacks."""
    return record(discrete_lyapunov, (a, q), {"method": method} if method else {})


def lyapunov_rules(solve, of_change, adjoint_of_change):
    """dx = S(change of da) + S(dq), where S solves with a, and its adjoint with a^T."""

    def first(x, a, q, **keywords):
        return Map(
            lambda X: solve(a, of_change(X, a, x), **keywords),
            lambda Y: adjoint_of_change(solve(a.mT, Y, **keywords), a, x),
            a.shape, x.shape, full_shape(a.shape, x.ndim), x.shape, "S",
        )  # fmt: skip

    def second(x, a, q, **keywords):
        return Map(
            lambda X: solve(a, X, **keywords),
            lambda Y: solve(a.mT, Y, **keywords),
            q.shape, x.shape, full_shape(q.shape, x.ndim), x.shape, "S",
        )  # fmt: skip

    return first, second


RULES[lyapunov] = lyapunov_rules(
    lyapunov, lambda X, a, x: -(X @ x + x @ X.mT), lambda Z, a, x: -(Z @ x.mT + Z.mT @ x)
)  # fmt: skip
RULES[discrete_lyapunov] = lyapunov_rules(
    discrete_lyapunov, lambda X, a, x: X @ x @ a.mT + a @ x @ X.mT, lambda Z, a, x: Z @ a @ x.mT + Z.mT @ a @ x
)  # fmt: skip
