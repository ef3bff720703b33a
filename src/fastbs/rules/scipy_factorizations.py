"""The factorizations of `fastbs.scipy.linalg`, and solves with them.

Which triangle a function reads is SciPy's choice: `cholesky` reads the upper one, where NumPy's reads the lower one.
The gradient is zero in the other, see `fastbs.rules.factorizations`.
"""

import numpy as np
import scipy.linalg as sl

from ..operators.product import Map
from .factorizations import cholesky_rule, eigh_rule, eigvalsh_rule, qr_rule, svd_rule
from .indexing import read
from .scipy_door import instead_of, only
from .scipy_solves import as_columns
from .several import as_array, dispatched, record_several
from .solves import (
    lower_part,
    real,
    symmetric,
    triangular_solve,
    upper_part,
)  # fmt: skip
from .table import RULES, record

__all__ = [
    "cho_factor",
    "cho_solve",
    "cholesky",
    "eigh",
    "eigvalsh",
    "lu",
    "lu_factor",
    "lu_solve",
    "qr",
    "svd",
    "svdvals",
]


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
