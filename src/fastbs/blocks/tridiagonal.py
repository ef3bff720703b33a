"""Block-tridiagonal matrices in arrays: block LU or Cholesky into two bidiagonal factors."""

import functools

import numpy as np

from .._trace import Traced
from ..arguments import check_threads
from ..errors import ShapeError, StructureError
from ..operator import Operator
from ..operators import Left
from ..stack import Stack, hermitian, kernel_array, shifted
from ..tridiagonal_stack import TracedTridiagonal, TridiagonalStack, adjoint, inverse_blocks, substituted_factors
from .bidiagonal import Bidiagonal
from .lazy import BlockMap
from .matrix import BlockMatrix

__all__ = ["Tridiagonal"]


class Tridiagonal(BlockMatrix):
    """A square block matrix with a diagonal and both neighbours of it, in arrays.

    Parameters
    ----------
    diag : (..., N, m, m) array
        Leading axes are a batch of systems. All arrays are kept by reference; they may be traced.
    lower : (..., N - 1, m, m) array
        ``lower[i]`` is block (i + 1, i).
    upper : (..., N - 1, m, m) array, optional
        ``upper[i]`` is block (i, i + 1). Without it the matrix is Hermitian and positive definite: block (i, i + 1)
        is the adjoint of ``lower[i]``, and solves and `to_scipy` read the lower triangles of the diagonal blocks only,
        products all of them.

    Solve     one factorization, A = L U with the pivot blocks S_i = D_i - B_{i-1} S_{i-1}^-1 C_{i-1} on the diagonal of
              L and the identity on that of U, or A = L L^H, and two bidiagonal solves. No blocks are exchanged: without
              `upper` that is backward stable, with it for block diagonally dominant matrices
    Cost      5 N m^3 flops, and 6 N m^2 a column; the factors are 2 N blocks
    Raises    ShapeError of the arguments; SingularError if a pivot block is singular or not positive definite, which is
              named
    Source    Golub and Van Loan, Matrix Computations, section 4.5; N. J. Higham, Accuracy and Stability of Numerical
              Algorithms, chapter 13; the blocks of the inverse after Takahashi, Fagan and Chin (1973)

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> A = fb.Tridiagonal(np.full((3, 1, 1), 2.0), np.full((2, 1, 1), -1.0))
    >>> A.solve(np.array([1.0, 0.0, 1.0])).round(12)
    array([1., 1., 1.])
    >>> sign, log = A.logdet()
    >>> np.exp(log).round(12)
    np.float64(4.0)
    >>> A.inverse_blocks()[0].ravel()  # the diagonal of the inverse, as variances
    array([0.75, 1.  , 0.75])
    """

    def __init__(self, diag, lower, upper=None):
        given = (("diag", diag), ("lower", lower), ("upper", upper))
        diag, lower, upper = (
            None if x is None and name == "upper" else kernel_array(x, f"Tridiagonal: {name}") for name, x in given
        )
        if diag.ndim < 3 or diag.shape[-1] != diag.shape[-2]:
            raise ShapeError(f"Tridiagonal: diag must be (..., N, m, m), square blocks; got {diag.shape}")
        *batch, n, m, _ = diag.shape
        expected = (*batch, max(n - 1, 0), m, m)
        for name, blocks in (("lower", lower), ("upper", upper)):
            if blocks is not None and blocks.shape != expected:
                raise ShapeError(
                    f"Tridiagonal: {name} must be {expected} because diag is {diag.shape}; got {blocks.shape}"
                )
        self._set(diag=diag, lower=lower, upper=upper, shape=(n, n))

    @functools.cached_property
    def rows(self):
        n = self.shape[0]
        upper = adjoint(self.lower) if self.upper is None else self.upper
        arrays = {-1: self.lower, 0: self.diag, 1: upper}
        return [
            [(j, Left(arrays[j - i][i - 1 if j < i else i])) for j in (i - 1, i, i + 1) if 0 <= j < n] for i in range(n)
        ]

    @property
    def flat_form(self):
        *batch, n, m, _ = self.diag.shape
        return batch, n * m, self.dtype

    @property
    def dtype(self):
        return np.result_type(*(x.dtype for x in (self.diag, self.lower, self.upper) if x is not None))

    @classmethod
    def from_scipy(cls, A, block=None, hermitian=False):
        """A block-tridiagonal matrix from a SciPy sparse array of any format, its blocks copied into arrays.

        Parameters
        ----------
        A : (N m, N m) sparse array or matrix
        block : int, optional
            m; without it that of a BSR array, or what SciPy guesses.
        hermitian : bool
            Whether A is Hermitian and positive definite: blocks above the diagonal are not read.

        Raises
        ------
        StructureError
            If blocks stand beside the three diagonals; ShapeError if A is not square, or not of whole blocks.

        Examples
        --------
        >>> import numpy as np, scipy.sparse, fastbs as fb
        >>> A = scipy.sparse.diags_array([-np.ones(2), 2 * np.ones(3), -np.ones(2)], offsets=[-1, 0, 1])
        >>> fb.Tridiagonal.from_scipy(A, block=1, hermitian=True).solve(np.ones(3))
        array([1.5, 2. , 1.5])
        """
        from ..interop.bsr import block_diagonals, blocks_of  # a bridge: SciPy's sparse package is slow

        where = "Tridiagonal.from_scipy"
        diag, lower, upper = block_diagonals(blocks_of(A, block, where), (0, -1, 1), where, "both neighbours")
        return cls(diag, lower, None if hermitian else upper)

    def to_scipy(self):
        """A copy as a SciPy BSR array."""
        from ..interop.bsr import from_block_diagonals  # a bridge: SciPy's sparse package is slow

        if self.diag.ndim > 3:
            raise StructureError(
                f"Tridiagonal.to_scipy: systems must be taken one by one because a sparse array is one matrix; got a "
                f"batch of shape {self.diag.shape[:-3]}"
            )
        diag, upper = self.diag, self.upper
        if upper is None:  # the lower triangles decide
            diag, upper = hermitian(diag), adjoint(self.lower)
        return from_block_diagonals({-1: self.lower, 0: diag, 1: upper})

    def adjoint(self):
        if self.upper is None:
            return self
        return Tridiagonal(adjoint(self.diag), adjoint(self.upper), adjoint(self.lower))

    def transposed(self):
        if self.upper is None:  # its lower triangles are those of the conjugate
            return Tridiagonal(np.conjugate(self.diag), np.conjugate(self.lower)) if self.dtype.kind == "c" else self
        return Tridiagonal(*(np.swapaxes(x, -1, -2) for x in (self.diag, self.upper, self.lower)))

    def _matmul(self, X):
        if isinstance(X, (Operator, list, tuple)):
            return super()._matmul(X)
        stack = Stack(self.diag, self.lower, False, "general", "Tridiagonal")
        Y = stack.multiply(X)  # also checks X
        if self.shape[0] < 2:
            return Y
        upper = adjoint(self.lower) if self.upper is None else self.upper
        rows = np.reshape(X, stack.core_shape(X.shape))
        return Y + np.reshape(shifted(upper @ rows[..., 1:, :, :], -1), X.shape)

    def inverse(self):
        return TridiagonalFactorization(self)

    def solve(self, b, out=None, overwrite_b=False, threads=1):
        """The x with A x = b; see `BlockMatrix.solve`. `factorize` keeps the factors for more.

        Factors are computed in the dtype of the result, those of `factorize` in that of the blocks.
        """
        if isinstance(b, Operator):
            return self.inverse() @ b
        if self.is_traced:
            return TracedTridiagonal(self.diag, self.lower, self.upper, "Tridiagonal").solve(b, out, False, threads)
        check_threads(threads, "Tridiagonal.solve")
        return self._factors(dtype_of_result(self.dtype, b), threads).solve(b, out, overwrite_b, threads)

    @property
    def is_traced(self):
        return any(type(x) is Traced for x in (self.diag, self.lower, self.upper))

    def _factors(self, dtype=None, threads=1):
        return TridiagonalStack.of_arrays(self.diag, self.lower, self.upper, "Tridiagonal", dtype, threads)

    def logdet(self):
        """(sign, log|det|), as `numpy.linalg.slogdet`, of each system of a batch."""
        if self.is_traced:
            return TracedTridiagonal(self.diag, self.lower, self.upper, "Tridiagonal").logdet()
        return self._factors().logdet()

    def inverse_blocks(self):
        """(diag, lower, upper) of A^-1 where A has blocks: marginal covariances, for about three factorizations."""
        return inverse_blocks(self.diag, self.lower, self.upper, "Tridiagonal")

    def __repr__(self):
        *batch, n, m, _ = self.diag.shape
        batch = "".join(f"{k} x " for k in batch)
        return f"<Tridiagonal in arrays: {batch}{n} blocks of {m} x {m}, {self.dtype}>"


class TridiagonalFactorization(BlockMap):
    """b -> A^-1 b with kept factors, A = L U or A = L L^H; see `Tridiagonal`.

    Parameters
    ----------
    matrix : Tridiagonal, of which the diagonal is a snapshot
    stack : TridiagonalStack, optional
        Of its factors. With traced blocks each call is a step of its own, and there are none.

    Attributes
    ----------
    L : Bidiagonal
        Of positive definite systems.
    pivots : (..., N, m, m) array
        The Cholesky factors on its diagonal.
    """

    def __init__(self, matrix, stack=None):
        if stack is None and not matrix.is_traced:
            stack = matrix._factors()
        self._set(matrix=matrix, stack=stack, shape=matrix.shape)

    def solve(self, b, out=None, overwrite_b=False, threads=1):
        """The x with A x = b; see `BlockMatrix.solve`."""
        if isinstance(b, Operator):
            return self @ b
        return (self.matrix if self.stack is None else self.stack).solve(b, out, overwrite_b, threads)

    def _matmul(self, X):
        return super()._matmul(X) if isinstance(X, Operator) else self.solve(X)

    def apply(self, b):
        return self.solve(b)

    def with_explicit_inverses(self):
        """The same with inverses of the pivot blocks in place of their factors."""
        return self if self.stack is None else TridiagonalFactorization(self.matrix, self.stack.inverted())

    def adjoint(self):
        return TridiagonalFactorization(self.matrix.H, None if self.stack is None else self.stack.H)

    def transposed(self):
        return TridiagonalFactorization(self.matrix.T, None if self.stack is None else self.stack.T)

    def inverse(self):
        return self.matrix

    @property
    def L(self):
        if self.matrix.upper is not None:
            raise StructureError(
                "Tridiagonal: L is kept of positive definite matrices alone because of others the factors of the pivot "
                "blocks are; got a matrix with an upper array"
            )
        if self.stack is not None:
            return Bidiagonal.from_stack(self.stack.first)
        A = self.matrix
        return Bidiagonal.from_arrays(*substituted_factors(A.diag, A.lower, A.upper, "Tridiagonal"), diagonal="lower")

    @property
    def pivots(self):
        stack = self.L.stack
        return np.conjugate(stack.diag) if stack.conj[0] else stack.diag

    def logdet(self):
        """(sign, log|det A|) of each system."""
        return (self.matrix if self.stack is None else self.stack).logdet()

    def inverse_blocks(self):
        """(diag, lower, upper) of A^-1 where A has blocks."""
        kept = self.stack is not None and self.stack.sweep is not None
        return (self.stack if kept else self.matrix).inverse_blocks()

    def row_shape(self, i):
        """The shape of entry i of a solution as far as blocks tell it."""
        return (self.matrix.diag.shape[-1], None)

    @property
    def flat_form(self):
        return self.matrix.flat_form

    @property
    def where(self):
        return "Tridiagonal.solve"

    @property
    def symbol(self):
        return f"{self.matrix.symbol}⁻¹"


def dtype_of_result(dtype, b):
    """That of a solution, if it is one of the kernels' and wider than the blocks'."""
    given = [x for x in b if x is not None] if isinstance(b, (list, tuple)) else [b]
    found = np.result_type(dtype, *(x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype for x in given))
    if found.char not in "fdFD":  # refused later
        return dtype
    return np.dtype(found.char.lower()) if dtype.kind != "c" else found
