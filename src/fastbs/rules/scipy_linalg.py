"""The functions of `fastbs.scipy.linalg`: plain arrays go to SciPy, traced ones to the functions and rules below.

They have SciPy's names and keywords; those that only save time or memory, such as ``overwrite_a`` and
``check_finite``, mean nothing for traced values. Which triangle a function reads is SciPy's choice: `cholesky` reads
the upper one, where NumPy's reads the lower one. The gradient is zero in the other, see `fastbs.rules.factorizations`.
"""

import functools
import math

import numpy as np
import scipy.linalg as sl

from .._trace import Traced
from ..errors import ShapeError
from ..operators.product import Map
from .factorizations import cholesky_rule, eigh_rule, eigvalsh_rule, qr_rule, svd_rule
from .indexing import read
from .linalg import det_rule, inv_rule
from .several import as_array, dispatched, holomorphic, record_several
from .solves import (
    full_shape,
    lower_part,
    real,
    solve_first,
    solve_second,
    symmetric,
    triangle,
    triangular_solve,
    upper_part,
)  # fmt: skip
from .table import RULES, record

__all__ = [
    "block_diag", "cho_factor", "cho_solve", "cholesky", "det", "eigh", "eigvalsh", "expm", "inv", "logm", "lu",
    "lu_factor", "lu_solve", "norm", "pinv", "qr", "solve", "solve_continuous_lyapunov", "solve_discrete_lyapunov",
    "solve_lyapunov", "solve_sylvester", "solve_triangular", "sqrtm", "svd", "svdvals", "toeplitz",
]  # fmt: skip

IGNORED = {"check_finite", "overwrite_a", "overwrite_b", "lapack_driver", "lwork"}


def instead_of(function):
    """A decorator: traced arguments go to what is decorated, others to SciPy's function of that name."""

    def decorate(traced):
        @functools.wraps(traced)
        def either(*arguments, **keywords):
            if not any(map(is_traced, (*arguments, *keywords.values()))):
                return function(*arguments, **keywords)
            return traced(*arguments, **{name: value for name, value in keywords.items() if name not in IGNORED})

        return either

    return decorate


def is_traced(x):
    """Whether an argument is traced, or a factorization with a traced array."""
    return type(x) is Traced or (isinstance(x, tuple) and any(type(part) is Traced for part in x))


def stacked(function):
    """A SciPy function of matrices, one by one over the stacks that they are in."""

    @functools.wraps(function)
    def over_stacks(*arrays, **keywords):
        batch = np.broadcast_shapes(*(x.shape[:-2] for x in arrays))
        if not batch:
            return function(*arrays, **keywords)
        arrays = [np.broadcast_to(x, batch + x.shape[-2:]) for x in arrays]
        results = [function(*(x[i] for x in arrays), **keywords) for i in np.ndindex(*batch)]
        return np.reshape(np.stack(results), batch + results[0].shape) if results else np.zeros_like(arrays[-1])

    return over_stacks


def only(name, **keywords):
    """Refuse keywords with a value that has no rule."""
    for key, value in keywords.items():
        if value:
            raise TypeError(f"{name}: {key} must be left away because traced values have no rule for it; got {value!r}")


# Solves


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


@instead_of(sl.cho_factor)
def cho_factor(a, lower=False):
    """The Cholesky factor for `cho_solve`, as `scipy.linalg.cho_factor`; zero where SciPy's has arbitrary numbers.

    Parameters
    ----------
    a : (n, n) array, symmetric and positive definite, of which one triangle is read
    lower : bool

    Returns
    -------
    (c, lower)

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import cho_factor, cho_solve
    >>> b = np.array([1.0, 2.0])
    >>> grad(lambda a: b @ cho_solve(cho_factor(a), b))(np.eye(2))
    array([[-1., -4.],
           [ 0., -4.]])
    """
    return cholesky(a, lower=lower), lower


@instead_of(sl.cho_solve)
def cho_solve(c_and_lower, b):
    """The x with a x = b, a given by `cho_factor`, as `scipy.linalg.cho_solve`: two triangular solves.

    Parameters
    ----------
    c_and_lower : (c, lower)
    b : (n,) or (n, k) array

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import cho_factor, cho_solve
    >>> grad(lambda b: b @ cho_solve(cho_factor(4 * np.eye(2)), b))(np.array([1.0, 2.0]))
    array([0.5, 1. ])
    """
    c, lower = c_and_lower
    b = as_array(b)
    c = as_array(c)
    x = triangular_solve(c, as_columns(c, b, "cho_solve"), lower=bool(lower), trans=not lower)
    x = triangular_solve(c, x, lower=bool(lower), trans=bool(lower))
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


# Inverses, determinants, norms


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


# Factorizations


@instead_of(sl.cholesky)
def cholesky(a, lower=False):
    """The factor R with a = R^T R, or L with a = L L^T if `lower`, as `scipy.linalg.cholesky`.

    Parameters
    ----------
    a : (..., n, n) array, symmetric and positive definite, of which one triangle is read
    lower : bool
        Which one is read and returned.

    Derivative: triangular solves, n^3 flops.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import cholesky
    >>> grad(lambda a: np.log(np.diagonal(cholesky(a))).sum())(np.diag([1.0, 4.0]))
    array([[0.5  , 0.   ],
           [0.   , 0.125]])
    """
    return record(cholesky, (real("cholesky", a),), {"lower": bool(lower)})


RULES[cholesky] = (lambda y, a, lower: cholesky_rule(y, a, upper=not lower),)


@instead_of(sl.lu_factor)
def lu_factor(a):
    """L and U in one matrix and the pivots, for `lu_solve`, as `scipy.linalg.lu_factor`, of an (n, n) array.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import lu_factor
    >>> grad(lambda a: np.log(np.diagonal(lu_factor(a)[0])).sum())(np.diag([1.0, 4.0]))
    array([[1.  , 0.  ],
           [0.  , 0.25]])
    """
    a = real("lu_factor", a)
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ValueError(
            f"lu_factor: a must be a square matrix because its rule solves with L and U; got shape {a.shape}"
        )
    return record_several(lu_factor, (a,))


@dispatched
def rows_of(pivots):
    """The rows of a in the order that the pivoting chose."""
    rows = np.arange(len(pivots))
    for i, j in enumerate(pivots):
        rows[i], rows[j] = rows[j], rows[i]
    return rows


def take_rows(X, rows):
    """X[..., rows, :]; the rows may be traced where X is not."""
    return read(X, (Ellipsis, rows, slice(None)))


def lu_factor_rule(results, a):
    """With M = L^-1 P dA U^-1:  dL = L tril(M, -1),  dU = triu(M) U."""
    factors, pivots = results
    rows = rows_of(pivots)
    back = np.argsort(rows)

    def over_U(X):
        return triangular_solve(factors, X.mT, lower=False, trans=True).mT

    def forward(X):
        M = over_U(triangular_solve(factors, take_rows(X, rows), unit_diagonal=True))
        half = lower_part(M, -1)
        return half + lower_part(factors, -1) @ half + upper_part(M) @ upper_part(factors), None

    def backward(Y):
        Y, _ = Y
        if Y is None:
            return None
        G = lower_part(Y, -1)
        M = lower_part(G + lower_part(factors, -1).mT @ G, -1) + upper_part(upper_part(Y) @ upper_part(factors).mT)
        X = triangular_solve(factors, triangular_solve(factors, M.mT, lower=False).mT, trans=True, unit_diagonal=True)
        return take_rows(X, back)

    return Map(forward, backward, a.shape, None, symbol="lu")


RULES[lu_factor] = (lu_factor_rule,)


@instead_of(sl.lu_solve)
def lu_solve(lu_and_piv, b, trans=0):
    """The x with a x = b, a given by `lu_factor`, as `scipy.linalg.lu_solve`: two triangular solves.

    Parameters
    ----------
    lu_and_piv : (lu, pivots)
    b : (n,) or (n, k) array
    trans : {0, 1, 2}
        Solve with a, or its transpose.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import lu_factor, lu_solve
    >>> grad(lambda b: lu_solve(lu_factor(2 * np.eye(2)), b).sum())(np.ones(2))
    array([0.5, 0.5])
    """
    factors, pivots = lu_and_piv
    factors, b = as_array(factors), as_array(b)
    x = as_columns(factors, b, "lu_solve")
    rows = rows_of(pivots)
    if trans:
        x = triangular_solve(factors, x, lower=False, trans=True)
        x = take_rows(triangular_solve(factors, x, trans=True, unit_diagonal=True), np.argsort(rows))
    else:
        x = triangular_solve(factors, triangular_solve(factors, take_rows(x, rows), unit_diagonal=True), lower=False)
    return np.reshape(x, x.shape[:-1]) if b.ndim == 1 else x


@instead_of(sl.lu)
def lu(a, permute_l=False):
    """P, L and U with a = P L U, or P L and U, as `scipy.linalg.lu`, of an (n, n) array.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import lu
    >>> grad(lambda t: lu(t * np.eye(2))[2].sum())(1.0)
    np.float64(2.0)
    """
    factors, pivots = lu_factor(a)
    n = a.shape[0]
    P = (np.arange(n)[:, None] == rows_of(pivots)).astype(a.dtype)
    L, U = lower_part(factors, -1) + np.eye(n, dtype=a.dtype), upper_part(factors)
    return (P @ L, U) if permute_l else (P, L, U)


@instead_of(sl.qr)
def qr(a, *, mode="full", pivoting=False):
    """Q and R with a = Q R, as `scipy.linalg.qr`, for ``mode="economic"`` or ``"r"``; full if a is square or wide.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import qr
    >>> grad(lambda t: abs(qr(t * np.eye(2))[1][0, 0]))(3.0).round(6)
    np.float64(1.0)
    """
    only("qr", pivoting=pivoting)
    a = real("qr", a)
    m, n = a.shape[-2:]
    if mode not in ("economic", "full", "r") or (mode != "economic" and m > n):
        raise TypeError(
            f"qr: mode must be 'economic' because other factors of a {m} x {n} matrix have no derivative; got {mode!r}"
        )
    results = record_several(qr, (a,), {"mode": "economic"})
    return results[1:] if mode == "r" else results


RULES[qr] = (lambda results, a, mode: qr_rule(results, a),)


@instead_of(sl.svd)
def svd(a, full_matrices=True, compute_uv=True):
    """U, s and V^T with a = U diag(s) V^T, as `scipy.linalg.svd`; not full unless a is square.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import svd
    >>> grad(lambda t: svd(t * np.diag([1.0, 2.0]))[1].sum())(1.0).round(6)
    np.float64(3.0)
    """
    a = real("svd", a)
    if not compute_uv:
        return record(svd, (a,), {"compute_uv": False})
    m, n = a.shape[-2:]
    if full_matrices and m != n:
        raise TypeError(
            f"svd: full_matrices must be False because the further singular vectors of a {m} x {n} matrix have no "
            "derivative; got True, its default"
        )
    return record_several(svd, (a,), {"full_matrices": bool(full_matrices)})


@instead_of(sl.svdvals)
def svdvals(a):
    """The singular values, as `scipy.linalg.svdvals`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import svdvals
    >>> grad(lambda t: svdvals(t * np.diag([1.0, 2.0]))[0])(1.0).round(6)
    np.float64(2.0)
    """
    return record(svdvals, (real("svdvals", a),))


RULES[svd] = RULES[svdvals] = (svd_rule,)


@instead_of(sl.eigh)
def eigh(a, b=None, *, lower=True, eigvals_only=False, type=1, subset_by_index=None, subset_by_value=None, driver=None):
    """Eigenvalues w and vectors v of a symmetric matrix, a v = v w, or a v = b v w, as `scipy.linalg.eigh`.

    Parameters
    ----------
    a : (n, n) array, of which one triangle is read
    b : (n, n) array, positive definite, of which the same triangle is read, optional
    lower, eigvals_only : bool
    driver : str, for plain arrays

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import eigh
    >>> grad(lambda t: eigh(t * np.diag([1.0, 2.0]))[0][1])(1.0).round(6)
    np.float64(2.0)
    """
    only("eigh", subset_by_index=subset_by_index, subset_by_value=subset_by_value, type=type != 1)
    if b is not None:
        return eigh_with(a, b, lower, eigvals_only)
    a = real("eigh", a)
    if eigvals_only:
        return record(eigvalsh, (a,), {"lower": bool(lower)})
    return record_several(eigh, (a,), {"lower": bool(lower)})


def eigh_with(a, b, lower, eigvals_only):
    # b = L L^T and v = L^-T z:  (L^-1 a L^-T) z = z w
    uplo = "L" if lower else "U"
    L = cholesky(b, lower=True) if lower else cholesky(b).mT
    half = triangular_solve(L, symmetric(real("eigh", as_array(a)), uplo))
    w, z = np.linalg.eigh(triangular_solve(L, half.mT))
    return w if eigvals_only else (w, triangular_solve(L, z, trans=True))


@instead_of(sl.eigvalsh)
def eigvalsh(a, b=None, *, lower=True, type=1, subset_by_index=None, subset_by_value=None, driver=None):
    """The eigenvalues of a symmetric matrix, as `scipy.linalg.eigvalsh`; see `eigh`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.linalg import eigvalsh
    >>> grad(lambda t: eigvalsh(t * np.diag([1.0, 2.0]))[0])(1.0).round(6)
    np.float64(1.0)
    """
    only("eigvalsh", subset_by_index=subset_by_index, subset_by_value=subset_by_value)
    return eigh(a, b, lower=lower, eigvals_only=True, type=type)


RULES[eigh] = (lambda results, a, lower: eigh_rule(results, a, "L" if lower else "U"),)
RULES[eigvalsh] = (lambda w, a, lower: eigvalsh_rule(w, a, "L" if lower else "U"),)


# Functions of matrices


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


# Matrices of other arrays


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
