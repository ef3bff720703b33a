"""X -> B X + X A^T, and its inverse, which solves Sylvester and Lyapunov equations."""

import numpy as np
from scipy.linalg import get_lapack_funcs, schur

from ..arguments import as_matrix
from ..errors import DtypeError, ShapeError, SingularError
from ..operator import Operator
from .arrayoperator import ArrayOperator
from .matrix import left_product, right_product, solve_dtype, transposed_name

__all__ = ["KroneckerSum"]


class KroneckerSum(ArrayOperator):
    """X -> B X + X A^T; its matrix on ``vec(X)`` is kron(A, I) + kron(I, B).

    ``KroneckerSum(A, B).solve(Y)`` solves the Sylvester equation B X + X A^T = Y, and ``KroneckerSum(A, A)`` the
    Lyapunov equation A X + X A^T = Y.

    Parameters
    ----------
    A : (n, n) array, kept by reference
    B : (m, m) array, kept by reference

    Maps      (m, n) -> (m, n)
    Adjoint   Y -> B^H Y + Y conj(A), again a KroneckerSum
    Inverse   Bartels-Stewart: Schur forms of A and B, kept, and one triangular solve each time
    Cost      2 m n (m + n) flops; the inverse 25 (m^3 + n^3) once, then about 5 m n (m + n)
    Raises    ShapeError if A or B is not square or X not (m, n); SingularError, from the inverse, if an
              eigenvalue of B is minus one of A
    Source    R. H. Bartels, G. W. Stewart, Algorithm 432, Commun. ACM 15(9), 1972

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> A, B = np.array([[1.0, 1.0], [0.0, 2.0]]), np.array([[3.0]])
    >>> op = fb.KroneckerSum(A, B)
    >>> op @ np.array([[1.0, 1.0]])
    array([[5., 5.]])
    >>> op.solve(np.array([[5.0, 5.0]]))
    array([[1., 1.]])
    """

    fields = ("A", "B")

    def __init__(self, A, B):
        A, B = as_matrix(A, "KroneckerSum: A"), as_matrix(B, "KroneckerSum: B")
        for name, matrix in (("A", A), ("B", B)):
            if matrix.shape[0] != matrix.shape[1]:
                raise ShapeError(
                    f"KroneckerSum: {name} must be square because the sum adds the identity on the other side; "
                    f"got {tuple(matrix.shape)}"
                )
        self._hold(A, B, "A⊕B")

    def _hold(self, A, B, name):
        shape = (B.shape[0], A.shape[0])
        self._set(A=A, B=B, name=name, shape_in=shape, shape_out=shape)
        return self

    def apply(self, X):
        return left_product(self.held(self.B), X) + right_product(X, self.held(self.A).T)

    def transposed(self):
        name = "⊕".join(transposed_name(part) for part in self.name.split("⊕"))
        return self.replace()._hold(self.A.T, self.B.T, name)

    def inverse(self):
        return SylvesterInverse.of(self)

    def logdet(self):
        """(sign, log|det|), as `numpy.linalg.slogdet`: the product of all sums of eigenvalues.

        Examples
        --------
        >>> import numpy as np, fastbs as fb
        >>> sign, log = fb.KroneckerSum(np.diag([1.0, 2.0]), np.diag([3.0])).logdet()
        >>> sign, np.exp(log).round(12)
        (np.float64(1.0), np.float64(20.0))
        """
        A, B = dense_array(self.held(self.A)), dense_array(self.held(self.B))
        sums = np.add.outer(np.linalg.eigvals(B), np.linalg.eigvals(A))
        size = np.abs(sums)
        with np.errstate(divide="ignore"):
            log = np.log(size).sum()
        sign = np.prod(np.divide(sums, size, out=np.zeros_like(sums), where=size > 0))
        return (sign, log) if A.dtype.kind == "c" or B.dtype.kind == "c" else (np.sign(sign.real), log)

    def _because(self):
        return f"A is {tuple(self.A.shape)} and B {tuple(self.B.shape)}"

    @property
    def symbol(self):
        return "⊕".join(f"conj({part})" if self.conj else part for part in self.name.split("⊕"))


class SylvesterInverse(Operator):
    """Y -> the X with B X + X A^T = Y, from the Schur forms B = U R U^H and A^T = V S V^H.

    R X' + X' S = U^H Y V is solved by LAPACK's trsyl, and X = U X' V^H.
    """

    def __init__(self, original, factors, trans):
        shape = original.shape_in
        self._set(original=original, factors=factors, trans=trans, shape_in=shape, shape_out=shape)

    @classmethod
    def of(cls, op):
        A, B = dense_array(op.held(op.A)), dense_array(op.held(op.B))
        dtype = np.result_type(solve_dtype(A), solve_dtype(B))
        if dtype.char not in "fdFD":
            raise DtypeError(
                f"KroneckerSum.inv: A and B must be at most double precision because LAPACK is; got {dtype}"
            )
        output = "complex" if dtype.kind == "c" else "real"
        (S, V), (R, U) = (schur_form(M.astype(dtype), output) for M in (A.T, B))
        return cls(op, (R, U, S, V), False)

    def apply(self, Y):
        Y = np.asarray(Y)
        if Y.dtype.kind == "c" and self.factors[0].dtype.kind != "c":
            return self.apply(Y.real) + 1j * self.apply(Y.imag)
        if not Y.size:
            return np.zeros(Y.shape, np.result_type(self.factors[0], Y))
        return np.reshape([self._solve(y) for y in Y.reshape(-1, *self.shape_in)], Y.shape)

    def _solve(self, Y):
        R, U, S, V = self.factors
        dtype = np.result_type(R, Y)
        if dtype.char not in "fdFD":
            raise DtypeError(f"KroneckerSum.solve: Y must be at most double precision because LAPACK is; got {Y.dtype}")
        trsyl = get_lapack_funcs("trsyl", (R, np.empty(0, dtype)))
        trans = "N" if not self.trans else "C" if R.dtype.kind == "c" else "T"
        X, scale, info = trsyl(R, S, U.conj().T @ Y @ V, trana=trans, tranb=trans)
        if info:
            raise SingularError(
                "KroneckerSum.solve: no eigenvalue of B may be minus one of A because the equation is then singular; "
                "got two that agree to rounding"
            )
        return (U @ X @ V.conj().T / scale).astype(dtype, copy=False)

    def adjoint(self):
        return SylvesterInverse(self.original.H, self.factors, not self.trans)

    def transposed(self):
        return SylvesterInverse.of(self.original.T)

    def inverse(self):
        return self.original

    @property
    def dtype(self):
        return self.factors[0].dtype

    @property
    def symbol(self):
        return f"({self.original.symbol})⁻¹"


def schur_form(M, output):
    return schur(M, output) if M.size else (M, M)


def dense_array(M):
    return M.toarray() if hasattr(M, "toarray") else np.asarray(M)
