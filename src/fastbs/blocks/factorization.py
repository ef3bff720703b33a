"""A triangular block matrix ready to be solved with."""

import functools

import numpy as np

from ..arguments import check_out, is_array, overlaps_itself
from ..backslash import Arithmetic, substitute
from ..compiler.instructions import KERNEL_DTYPES
from ..errors import ShapeError, SingularError, StructureError
from ..operator import Operator, explicit
from ..operators import Identity
from ..tapes import leaves_of, structure_of
from ..values import fresh, subtract
from .entry import adjoint_of, transpose_of
from .lazy import BlockMap
from .taped import Solves
from .vector import block_vector, like

__all__ = ["Factorization", "StackFactorization"]


class Factorization(BlockMap):
    """b -> A^-1 b for a square triangular block matrix A: its diagonal blocks are inverted once.

    Parameters
    ----------
    A : BlockMatrix, kept by reference except its diagonal blocks, of which the inverses are a snapshot

    Adjoint   b -> A^-H b, by back substitution with the same inverses
    Cost      a solve: one product a block off the diagonal, one a diagonal block that is not the identity; where all
              of them have kernels, solves of a signature that comes again run as one tape, without Python in between
    Raises    StructureError if A is not triangular, SingularError if a diagonal block is singular; both name
              the block
    """

    def __init__(self, A, inverses=None):
        where = f"{type(A).__name__}.solve"
        if A.shape[0] != A.shape[1]:
            raise ShapeError(
                f"{where}: A must be square because it is inverted; got {A.shape[0]} x {A.shape[1]} blocks"
            )
        if A.uplo is None:
            below = next((i, j) for (i, j), _ in A.items() if i > j)
            above = next((i, j) for (i, j), _ in A.items() if i < j)
            raise StructureError(
                f"{where}: A must be triangular because it is solved by substitution; got blocks {below} and {above}"
            )
        off = [[(j, (i, j, block)) for j, block in row if j != i] for i, row in enumerate(A.rows)]
        if inverses is None:
            inverses = [inverse_of(A, i) for i in range(A.shape[0])]
        self._set(matrix=A, off=off, inverses=inverses, shape=A.shape, is_upper=A.uplo == "U", _solves=Solves())

    def solve(self, b, out=None):
        """The block vector x with A x = b; a block matrix or operator b gives a lazy product.

        Parameters
        ----------
        b : list with one entry a block row, None for zero; or an array ``(N, *shape)``; or a block matrix
            An array gives an array, if the entries of x have one shape.
        out : array of the shape and dtype of x, optional
            Where to write it, if b is an array; may be b, but no array that A holds.

        Raises
        ------
        StructureError
            If `out` is given and b is no array; ShapeError and DtypeError of `out`, ValueError if it is read-only or
            overlaps itself.

        Notes
        -----
        The dtype is that of b and the blocks together, as NumPy promotes. Solves that run as a tape write to an `out`
        in C order that is apart from b; others copy their result there.
        """
        if out is None:
            return self @ b
        if isinstance(b, Operator) or not is_array(b):
            raise StructureError(
                f"{self.where}: out must be None because only an array b gives an array; got {type(b).__name__} b"
            )
        is_apart = type(out) is np.ndarray and not np.may_share_memory(out, b) and not overlaps_itself(out)
        x = self._solved(b, out if is_apart else None)
        if x is not out:
            check_out(out, np.shape(x), x.dtype if is_array(x) else None, self.where)
            np.copyto(out, x)
        return out

    def _matmul(self, X):
        return super()._matmul(X) if isinstance(X, Operator) else self._solved(X)

    def _solved(self, b, out=None):
        """The solution, by a tape if there is one; it takes only what it knows, and may write to `out`."""
        if type(b) is list or type(b) is np.ndarray:
            x = self._solves.run(b, out)
            if x is not None:
                return x
        if type(b) is np.ndarray and b.dtype != self._held:
            x = self._promoted(b)
            if x is not None:
                return x
        entries = block_vector(b, self.shape[1], f"{self.where}: b")
        x = self.apply(entries)
        if type(b) is list or type(b) is np.ndarray:
            self._solves.saw(self, b, entries, x)
        return like(b, x)

    @functools.cached_property
    def _held(self):
        """The dtype of the arrays in the blocks, None where one of these has no kernels."""
        blocks = [block for _, block in self.matrix.items()]
        if not all(isinstance(block, Operator) and structure_of(block) is not None for block in blocks):
            return None
        leaves = [leaf for block in blocks for leaf in leaves_of(block)]
        dtypes = {leaf.dtype for leaf in leaves if is_array(leaf)}
        if not dtypes or (any(isinstance(leaf, complex) for leaf in leaves) and np.result_type(*dtypes).kind != "c"):
            return None
        return np.result_type(*dtypes)

    def _promoted(self, b):
        """The solution for an array of another dtype than that of the blocks, which tapes do not mix; None for others.

        A complex array is two real ones where the blocks are real.
        """
        held = self._held
        if held is None or b.dtype.kind not in "biufc":
            return None
        dtype = np.result_type(held, b.dtype)
        if held.kind == "f" and dtype in KERNEL_DTYPES and dtype.kind == "c":
            real, imaginary = self._solved(b.real), self._solved(b.imag)
            x = np.empty(real.shape, dtype)
            x.real, x.imag = real, imaginary
            return x
        return self._solved(b.astype(dtype)) if dtype == held else None

    def apply(self, b):
        at = None  # the block that is being used, for messages

        def multiply(located, x):
            nonlocal at
            *at, block = located
            return block @ x

        def solve(located, r):
            nonlocal at
            i, inverse = located
            at = [i, i]
            return fresh(r, b[i]) if inverse is None else inverse @ r

        arithmetic = Arithmetic(multiply, subtract, solve, adjoint_of)
        try:
            return substitute(self.off, list(enumerate(self.inverses)), b, arithmetic, self.is_upper)
        except (TypeError, ValueError) as error:
            i, j = at or (0, 0)
            kind = TypeError if isinstance(error, TypeError) else ShapeError
            raise kind(f"{type(self.matrix).__name__}.solve: block ({i}, {j}) and entry {j}: {error}") from error

    def with_explicit_inverses(self):
        """The same with arrays in place of the factors of the diagonal blocks."""
        inverses = [explicit(inverse) if isinstance(inverse, Operator) else inverse for inverse in self.inverses]
        return Factorization(self.matrix, inverses)

    def adjoint(self):
        return Factorization(self.matrix.H, [x if x is None else adjoint_of(x) for x in self.inverses])

    def transposed(self):
        return Factorization(self.matrix.T, [x if x is None else transpose_of(x) for x in self.inverses])

    def inverse(self):
        return self.matrix

    def row_shape(self, i):
        """The shape of entry i of a solution as far as blocks tell it."""
        return self.matrix.column_shape(i)

    @property
    def where(self):
        return f"{type(self.matrix).__name__}.solve"

    @property
    def symbol(self):
        return f"{self.matrix.symbol}⁻¹"


class StackFactorization(BlockMap):
    """b -> A^-1 b for blocks in arrays, with factors or inverses of the diagonal blocks kept.

    Parameters
    ----------
    matrix : BlockMatrix, kept by reference
    stack : Stack of its factors, a snapshot of the diagonal

    Adjoint   b -> A^-H b, with the same factors
    Cost      a solve: 4 N m^2 r flops
    """

    def __init__(self, matrix, stack):
        self._set(matrix=matrix, stack=stack, shape=matrix.shape)

    def solve(self, b, out=None, overwrite_b=False, threads=1):
        """The x with A x = b: a list for a list, an array for an array; see `BlockMatrix.solve`."""
        return self @ b if isinstance(b, Operator) else self.stack.solve(b, out, overwrite_b, threads)

    def _matmul(self, X):
        return super()._matmul(X) if isinstance(X, Operator) else self.stack.solve(X)

    def apply(self, b):
        return self.stack.solve(b)

    def with_explicit_inverses(self):
        """The same with inverses in place of the factors."""
        return StackFactorization(self.matrix, self.stack.inverted())

    def adjoint(self):
        return StackFactorization(self.matrix.H, self.stack.H)

    def transposed(self):
        return StackFactorization(self.matrix.T, self.stack.T)

    def inverse(self):
        return self.matrix

    def logdet(self):
        """(sign, log|det A|), as `numpy.linalg.slogdet`, from the kept factors; of each system of a batch.

        Examples
        --------
        >>> import numpy as np, fastbs as fb
        >>> fb.factorize(fb.Diagonal.from_arrays(np.full((3, 1, 1), -np.e))).logdet()
        (np.float64(-1.0), np.float64(3.0))
        """
        return self.stack.logdet()

    def row_shape(self, i):
        """The shape of entry i of a solution as far as blocks tell it."""
        return (self.stack.height(i), None)

    @property
    def flat_form(self):
        return self.stack.flat_form

    @property
    def where(self):
        return self.stack.where

    @property
    def symbol(self):
        return f"{self.matrix.symbol}⁻¹"


def inverse_of(A, i):
    """The inverse of diagonal block i, None for the identity; errors name the block."""
    block = A[i, i]
    where = f"{type(A).__name__}.solve: block ({i}, {i})"
    if block is None or getattr(block, "is_zero", False) is True:
        raise SingularError(f"{where} must be nonsingular because it is solved with; got a zero block")
    if isinstance(block, Identity):
        return None
    if not isinstance(block, Operator):
        return SolvedWith(block)
    try:
        return block.inverse()
    except (ShapeError, SingularError, StructureError) as error:
        raise type(error)(f"{where}: {error}") from error


class SolvedWith:
    """The inverse of a user's own element that has `solve`."""

    def __init__(self, element):
        self.element = element

    def __matmul__(self, r):
        return self.element.solve(r)

    @property
    def H(self):
        return SolvedWith(adjoint_of(self.element))

    @property
    def T(self):
        return SolvedWith(transpose_of(self.element))
