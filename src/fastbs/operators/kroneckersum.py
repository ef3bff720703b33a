"""X -> B X + X A^T, and its inverse, which solves Sylvester and Lyapunov equations; and sums of more terms."""

import functools
import math

import numpy as np
from scipy.linalg import get_lapack_funcs, schur

from ..arguments import as_matrix
from ..errors import DtypeError, ShapeError, SingularError
from ..operator import Operator
from .arrayoperator import ArrayOperator
from .matrix import along_axis, solve_dtype, transposed_name

__all__ = ["KroneckerSum"]


class KroneckerSum(ArrayOperator):
    """X -> B X + X A^T; its matrix on ``vec(X)`` is kron(A, I) + kron(I, B).

    ``KroneckerSum(A, B).solve(Y)`` solves the Sylvester equation B X + X A^T = Y, and ``KroneckerSum(A, A)`` the
    Lyapunov equation A X + X A^T = Y.

    Parameters
    ----------
    A : (n, n) array, kept by reference
    B : (m, m) array, kept by reference
    *more : square matrices
        ``KroneckerSum(A, B, C)`` is A ⊗ I ⊗ I + I ⊗ B ⊗ I + I ⊗ I ⊗ C; it acts on arrays with as many axes as there are
        factors, in the reverse order of these, as `Kronecker`.

    Maps      (m, n) -> (m, n)
    Adjoint   Y -> B^H Y + Y conj(A), again a KroneckerSum
    Inverse   Bartels-Stewart: Schur forms of A and B, kept, and one triangular solve each time; of three and more
              factors complex Schur forms, where one is not Hermitian, and such a solve for each place along the other
              axes; of Hermitian ones their eigenvectors and a division
    Cost      2 m n (m + n) flops; the inverse 25 (m^3 + n^3) once, then about 5 m n (m + n); N elements and k factors
              likewise
    Raises    ShapeError if a factor is not square or X not (m, n); SingularError, from the inverse, if eigenvalues, one
              of each factor, add up to zero
    Source    R. H. Bartels, G. W. Stewart, Algorithm 432, Commun. ACM 15(9), 1972; more factors after M. Chen and D.
              Kressner, Recursive blocked algorithms for linear systems with Kronecker product structure, Numer.
              Algorithms 84, 2020

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> A, B = np.array([[1.0, 1.0], [0.0, 2.0]]), np.array([[3.0]])
    >>> op = fb.KroneckerSum(A, B)
    >>> op @ np.array([[1.0, 1.0]])
    array([[5., 5.]])
    >>> op.solve(np.array([[5.0, 5.0]]))
    array([[1., 1.]])
    >>> fb.KroneckerSum(A, B, np.eye(1)).solve(np.array([[[6.0, 6.0]]])).round(12)
    array([[[1., 1.]]])
    """

    fields = ("factors",)

    def __init__(self, *factors):
        if len(factors) < 2:
            raise TypeError(
                f"KroneckerSum: at least two matrices must be given because they are added; got {len(factors)}"
            )
        names = ["ABCDEFGH"[i % 8] for i in range(len(factors))]
        factors = tuple(as_matrix(A, f"KroneckerSum: {name}") for name, A in zip(names, factors, strict=True))
        for name, matrix in zip(names, factors, strict=True):
            if matrix.shape[0] != matrix.shape[1]:
                raise ShapeError(
                    f"KroneckerSum: {name} must be square because the sum adds the identity on the other side; "
                    f"got {tuple(matrix.shape)}"
                )
        self._hold(factors, "⊕".join(names))

    def _hold(self, factors, name):
        shape = tuple(A.shape[0] for A in reversed(factors))
        self._set(factors=factors, name=name, shape_in=shape, shape_out=shape)
        return self

    def apply(self, X):
        stack = X.ndim - len(self.factors)
        return sum(along_axis(self.held(A), X, i, stack) for i, A in reversed(list(enumerate(self.factors))))

    def transposed(self):
        name = "⊕".join(transposed_name(part) for part in self.name.split("⊕"))
        return self.replace()._hold(tuple(A.T for A in self.factors), name)

    def inverse(self):
        return (SylvesterInverse if len(self.factors) == 2 else KroneckerSumInverse).of(self)

    def logdet(self):
        """(sign, log|det|), as `numpy.linalg.slogdet`: the product of all sums of eigenvalues.

        Examples
        --------
        >>> import numpy as np, fastbs as fb
        >>> sign, log = fb.KroneckerSum(np.diag([1.0, 2.0]), np.diag([3.0])).logdet()
        >>> sign, np.exp(log).round(12)
        (np.float64(1.0), np.float64(20.0))
        """
        factors = kernel_factors(self, "KroneckerSum.logdet")
        sums = functools.reduce(np.add.outer, map(np.linalg.eigvals, factors))
        size = np.abs(sums)
        with np.errstate(divide="ignore"):
            log = np.log(size).sum()
        sign = np.prod(np.divide(sums, size, out=np.zeros_like(sums), where=size > 0))
        return (sign, log) if any(A.dtype.kind == "c" for A in factors) else (np.sign(sign.real), log)

    def _because(self):
        names = [f"{name} {tuple(A.shape)}" for name, A in zip(self.name.split("⊕"), self.factors, strict=True)]
        return f"{names[0].replace(' ', ' is ', 1)} and {', '.join(names[1:])}"

    @property
    def symbol(self):
        return "⊕".join(f"conj({part})" if self.conj else part for part in self.name.split("⊕"))


def kernel_factors(op, where="KroneckerSum.inv"):
    """The factors as arrays of the dtype in which LAPACK computes."""
    factors, names = [dense_array(op.held(A)) for A in op.factors], op.name.split("⊕")
    dtype = np.result_type(*map(solve_dtype, factors))
    if dtype.char not in "fdFD":
        raise DtypeError(
            f"{where}: {' and '.join(names)} must be at most double precision because LAPACK is; got {dtype}"
        )
    for name, A in zip(names, factors, strict=True):
        if not np.all(np.isfinite(A)):
            raise ValueError(
                f"{where}: {name} must be finite because its eigenvalues are computed; got NaN or infinity"
            )
    return [A.astype(dtype) for A in factors]


class SolvedSum(Operator):
    """The inverse of a Kronecker sum, from factors that a subclass makes in ``of(sum)``."""

    def adjoint(self):
        return self.of(self.original.H)

    def transposed(self):
        return self.of(self.original.T)

    def inverse(self):
        return self.original

    @property
    def symbol(self):
        return f"({self.original.symbol})⁻¹"


class SylvesterInverse(SolvedSum):
    """Y -> the X with B X + X A^T = Y, from the Schur forms B = U R U^H and A^T = V S V^H.

    R X' + X' S = U^H Y V is solved by LAPACK's trsyl, and X = U X' V^H.
    """

    def __init__(self, original, factors, trans):
        shape = original.shape_in
        self._set(original=original, factors=factors, trans=trans, shape_in=shape, shape_out=shape)

    @classmethod
    def of(cls, op):
        A, B = kernel_factors(op)
        output = "complex" if A.dtype.kind == "c" else "real"
        (S, V), (R, U) = (schur_form(M, output) for M in (A.T, B))
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
        trans = "N" if not self.trans else "C" if R.dtype.kind == "c" else "T"
        X, is_singular = sylvester(R, S, U.conj().T @ Y @ V, trans)
        if is_singular:
            raise SingularError(
                "KroneckerSum.solve: no eigenvalue of B may be minus one of A because the equation is then singular; "
                "got two that agree to rounding"
            )
        return (U @ X @ V.conj().T).astype(dtype, copy=False)

    def adjoint(self):
        return SylvesterInverse(self.original.H, self.factors, not self.trans)

    @property
    def dtype(self):
        return self.factors[0].dtype


class KroneckerSumInverse(SolvedSum):
    """Y -> the X that a sum of three and more terms maps to it.

    With the forms A_i = U_i T_i U_i^H it is triangular in the coordinates of the U_i: entries along the first axis are
    solved for from the last up, ``(T[j, j] + the other terms) X_j = Y_j - sum over l > j of T[j, l] X_l``, where two
    terms are a Sylvester equation of triangles.
    """

    def __init__(self, original, triangles, bases, is_real):
        shape = original.shape_in
        self._set(original=original, triangles=triangles, bases=bases, is_real=is_real, shape_in=shape, shape_out=shape)

    @classmethod
    def of(cls, op):
        factors = kernel_factors(op)
        dtype = factors[0].dtype
        if all(np.array_equal(A, A.conj().T) for A in factors):
            triangles, bases = zip(*map(np.linalg.eigh, factors), strict=True)
            spectra = triangles
        else:  # that of A^T stands on the right of a matrix
            triangles, bases = zip(*(schur_form(M, "complex") for M in (factors[0].T, *factors[1:])), strict=True)
            bases = (bases[0].conj(), *bases[1:])
            spectra = [np.diagonal(T) for T in triangles]
        if math.prod(op.shape_in):
            sums = np.abs(functools.reduce(np.add.outer, spectra))
            if sums.min() <= np.finfo(dtype).eps * max(np.abs(spectrum).max() for spectrum in spectra):
                raise SingularError(
                    f"KroneckerSum.inv: eigenvalues, one of each factor, must not add up to zero because the sum "
                    f"is singular then; got a sum of {sums.min():.3g}"
                )
        return cls(op, triangles, bases, dtype.kind != "c")

    def apply(self, Y):
        Y, k = np.asarray(Y), len(self.triangles)
        dtype = np.result_type(self.dtype, Y)
        if dtype.char not in "fdFD":
            raise DtypeError(f"KroneckerSum.solve: Y must be at most double precision because LAPACK is; got {Y.dtype}")
        if not Y.size:
            return np.zeros(Y.shape, dtype)
        X, stack = Y, Y.ndim - k
        for i, U in enumerate(self.bases):
            X = along_axis(U.conj().T, X, i, stack)
        if self.triangles[0].ndim == 1:
            X = X / functools.reduce(np.add.outer, reversed(self.triangles))
        else:
            shape = X.shape
            X = np.reshape([substituted(self.triangles[::-1], part) for part in X.reshape(-1, *self.shape_in)], shape)
        for i, U in enumerate(self.bases):
            X = along_axis(U, X, i, stack)
        return (X.real if self.is_real and Y.dtype.kind != "c" else X).astype(dtype, copy=False)

    @property
    def dtype(self):
        dtype = np.result_type(*self.bases)
        return np.dtype(dtype.char.lower()) if self.is_real else dtype


def substituted(triangles, Y):
    """X with T_1 X + ... = Y, each along one axis of X, the last from the right."""
    T, rest = triangles[0], triangles[1:]
    if len(rest) == 1:
        return sylvester(T, rest[0], Y)[0]
    X = np.empty_like(Y)
    for j in reversed(range(len(T))):
        own = rest[0] + T[j, j] * np.eye(len(rest[0]), dtype=T.dtype)
        X[j] = substituted((own, *rest[1:]), Y[j] - np.tensordot(T[j, j + 1 :], X[j + 1 :], 1))
    return X


def sylvester(R, S, Y, trans="N"):
    """The X with R X + X S = Y for triangles, and whether LAPACK had to move eigenvalues.

    It moves all below a number, so the triangles are scaled, by a power of two.
    """
    trsyl = get_lapack_funcs("trsyl", (R, Y))
    exponent = int(np.frexp(max(np.abs(R).max(), np.abs(S).max()))[1])
    least = np.finfo(trsyl.dtype).minexp
    factor = R.real.dtype.type(2.0 ** min(max(-exponent, least), -least))
    X, scale, is_singular = trsyl(R * factor, S * factor, Y, trana=trans, tranb=trans)
    return X / scale * factor, is_singular


def schur_form(M, output):
    return schur(M, output) if M.size else (M, M)


def dense_array(M):
    return M.toarray() if hasattr(M, "toarray") else np.asarray(M)
