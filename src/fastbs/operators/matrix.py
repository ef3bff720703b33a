"""What Left, Right and Kronecker do with a matrix that may be dense, sparse, traced, or an inverse."""

import functools
import math
import warnings

import numpy as np
from scipy.linalg import lu_factor, lu_solve, solve_triangular

from .._trace import Traced
from ..arguments import is_array, is_sparse
from ..errors import DtypeError, ShapeError, SingularError

__all__ = [
    "FactoredInverse",
    "along_axis",
    "factored",
    "inverse_name",
    "left_product",
    "right_product",
    "transposed_name",
]


def transposed_name(name):
    """``B`` and ``Bᵀ`` name each other, ``B⁻¹`` and ``B⁻ᵀ`` too."""
    if name.endswith("⁻ᵀ"):
        return name[:-1] + "¹"
    if name.endswith("⁻¹"):
        return name[:-1] + "ᵀ"
    return name[:-1] if name.endswith("ᵀ") else name + "ᵀ"


def inverse_name(name):
    """``B`` and ``B⁻¹`` name each other, ``Bᵀ`` and ``B⁻ᵀ`` too."""
    if name.endswith("⁻ᵀ"):
        return name[:-2] + "ᵀ"
    if name.endswith("⁻¹"):
        return name[:-2]
    return name[:-1] + "⁻ᵀ" if name.endswith("ᵀ") else name + "⁻¹"


def left_product(B, X):
    """B X for X of any number of leading stack axes."""
    if type(X) is Traced and is_sparse(B):
        # SciPy's matrices convert what is to their right; to their left, NumPy's protocol comes first
        return np.matrix_transpose(right_product(np.matrix_transpose(X), B.T)) if X.ndim > 1 else X @ B.T
    if X.ndim <= 2 or not takes_matrices_only(B):
        return B @ X
    # stack of (m, n) -> (m, stack n): one product for all directions
    rows = np.moveaxis(X, -2, 0)
    product = B @ np.reshape(rows, (rows.shape[0], math.prod(rows.shape[1:])))
    return np.moveaxis(np.reshape(product, (B.shape[0], *rows.shape[1:])), 0, -2)


def right_product(X, A):
    """X A for X of any number of leading stack axes."""
    if X.ndim <= 2 or not takes_matrices_only(A):
        return X @ A
    product = np.reshape(X, (math.prod(X.shape[:-1]), X.shape[-1])) @ A
    return np.reshape(product, (*X.shape[:-1], A.shape[1]))


def takes_matrices_only(A):
    return is_sparse(A) or isinstance(A, FactoredInverse)


def factored(A, where):
    """The inverse of a square matrix, as something that multiplies; LU or triangular, from a snapshot.

    Raises
    ------
    ShapeError
        If A is not square.
    SingularError
        If a pivot is exactly zero.
    """
    m, n = A.shape
    if m != n:
        raise ShapeError(f"{where} must be square because it is inverted; got {(m, n)}")
    if isinstance(A, FactoredInverse):
        return A.original
    if np.dtype(A.dtype).char in "gGO":
        raise DtypeError(f"{where} must be at most double precision because LAPACK is; got {A.dtype}")
    if is_sparse(A):
        solver = SparseSolver(A, where)
        return FactoredInverse(solver.A, solver)
    if not isinstance(A, np.ndarray):
        return FactoredInverse(A, functools.partial(solve_traced, A))
    A = np.array(A, dtype=solve_dtype(A))
    for lower in (True, False):
        if not (np.triu(A, 1) if lower else np.tril(A, -1)).any():
            check_pivots(np.diagonal(A), where)
            return FactoredInverse(A, TriangularSolver(A, lower))
    return FactoredInverse(A, LUSolver(A, where))


def solve_traced(A, b, trans):
    return np.linalg.solve((A, A.T, A.conj().T)[trans], b)


def solve_dtype(A):
    """The dtype of solutions: integers are solved in float64, as numpy.linalg does it, float16 in float32."""
    if A.dtype.kind in "biu":
        return np.dtype(float)
    return np.dtype(np.float32) if A.dtype.char == "e" else A.dtype


def check_pivots(pivots, where):
    zeros = np.flatnonzero(pivots == 0)
    if zeros.size:
        raise SingularError(f"{where} must be nonsingular because it is inverted; got an exactly zero pivot {zeros[0]}")


class TriangularSolver:
    """b -> T^-1 b; trans 0, 1, 2: T, T^T, T^H."""

    def __init__(self, T, lower):
        self.T, self.lower = T, lower

    def __call__(self, b, trans):
        b = b.astype(self.T.dtype) if b.dtype.kind == "b" else b  # SciPy takes no boolean arrays
        return solve_triangular(self.T, b, trans=trans, lower=self.lower, check_finite=False)


class LUSolver:
    """b -> A^-1 b by P A = L U; trans 0, 1, 2: A, A^T, A^H."""

    def __init__(self, A, where):
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SciPy warns of the zero pivot that is looked for below
            self.factors = lu_factor(A, check_finite=False)
        check_pivots(np.diagonal(self.factors[0]), where)

    def __call__(self, b, trans):
        # SciPy's getrs counts the pivots from 1 in place while it runs without the GIL: every call needs its own.
        factors, pivots = self.factors
        return lu_solve((factors, pivots.copy()), b, trans=trans, check_finite=False)


class FactoredInverse:
    """A^-1 as a matrix that multiplies from both sides; `solver(b, trans)` solves with A, A^T or A^H.

    Parameters
    ----------
    original : the matrix A
    solver : callable
    trans, conj : bool
        Whether this is the transpose or conjugate of A^-1.
    """

    __array_ufunc__ = None
    ndim = 2

    def __init__(self, original, solver, trans=False, conj=False):
        self.original, self.solver, self.trans, self.conj_ = original, solver, trans, conj
        self.shape = original.shape
        self.dtype = solve_dtype(original)
        self.is_complex = np.dtype(original.dtype).kind == "c"

    @property
    def T(self):
        return FactoredInverse(self.original.T, self.solver, not self.trans, self.conj_)

    def conj(self):
        return FactoredInverse(self.original.conj(), self.solver, self.trans, not self.conj_)

    def __matmul__(self, X):
        if is_array(X) and X.dtype.char in "gG":
            raise DtypeError(
                f"FactoredInverse.__matmul__: X must be at most double precision because LAPACK is; got {X.dtype}"
            )
        if is_array(X) and X.dtype.char == "e":
            X = X.astype(np.float32)  # the least that LAPACK has
        # conj(A)^-1 X = conj(A^-1 conj(X)); A^-H has a solver of its own
        if not (self.conj_ and self.is_complex):
            return self.solver(X, 1 if self.trans else 0)
        if self.trans:
            return self.solver(X, 2)
        return np.conjugate(self.solver(np.conjugate(X), 0))

    def __len__(self):
        return self.shape[0]

    def __rmatmul__(self, X):
        return (self.T @ X.T).T


class SparseSolver:
    """b -> A^-1 b by SuperLU in double precision, for b of any dtype; trans 0, 1, 2: A, A^T, A^H."""

    def __init__(self, A, where):
        self.A = A.tocsc(copy=True)
        self.where = where
        self.lu = self._factors()

    def _factors(self):
        from scipy.sparse.linalg import splu  # a bridge: SciPy's sparse package is slow to import

        i, j = self.A.nonzero()
        # a triangular matrix is its own factor: without reordering and pivoting there is no fill
        own = {"permc_spec": "NATURAL", "diag_pivot_thresh": 0.0} if (i >= j).all() or (i <= j).all() else {}
        try:
            return splu(self.A.astype(complex if self.A.dtype.kind == "c" else float), **own)
        except RuntimeError:
            raise SingularError(
                f"{self.where} must be nonsingular because it is inverted; got an exactly zero pivot"
            ) from None

    def __call__(self, b, trans):
        if np.iscomplexobj(b) and self.A.dtype.kind != "c":
            return self(b.real, trans) + 1j * self(b.imag, trans)
        wide = np.ascontiguousarray(b, complex if self.A.dtype.kind == "c" else float)
        return self.lu.solve(wide, "NTH"[trans]).astype(np.result_type(solve_dtype(self.A), b), copy=False)

    def __getstate__(self):
        return self.A, self.where  # SuperLU's factors do not pickle

    def __setstate__(self, state):
        self.A, self.where = state
        self.lu = self._factors()


def along_axis(A, X, i, n_stack):
    """Factor i, counted from the last axis of X, applied to that axis."""
    if i == 0:
        return right_product(X, A.T)
    axis = X.ndim - 1 - i
    if i == 1:
        return left_product(A, X)
    # (stack, d, rest) with the axes behind d as columns
    folded = np.reshape(X, (*X.shape[: axis + 1], math.prod(X.shape[axis + 1 :])))
    return np.reshape(left_product(A, folded), (*X.shape[:axis], A.shape[0], *X.shape[axis + 1 :]))
