"""Triangular block matrices."""

import numpy as np

from .._trace import Traced
from ..dense_stack import DenseStack
from ..errors import ShapeError, SingularError, StructureError
from ..sparse_stack import Pattern, TracedSparse
from ..stack import DIAGONALS, check_kind, kernel_array
from .matrix import BlockMatrix

__all__ = ["Triangular", "check_uplo"]


def check_uplo(uplo, where):
    if uplo not in ("L", "U"):
        raise StructureError(f'{where}: uplo must be "L" or "U" because the triangle is lower or upper; got {uplo!r}')
    return uplo


class Triangular(BlockMatrix, structure=True):
    """A square block matrix with all blocks on one side of the diagonal.

    Parameters
    ----------
    diag : sequence of n blocks
    off : dict {(i, j): block}
        The blocks off the diagonal; others are zero.
    uplo : {"L", "U"}

    Solve     substitution: one product a block off the diagonal, one solve a row
    Raises    StructureError if a block lies on the other side, with its (i, j)

    Examples
    --------
    >>> import fastbs as fb
    >>> fb.Triangular([1, 1, 2], {(2, 0): 3}, uplo="L").solve([1.0, 2.0, 5.0])
    [1.0, 2.0, 1.0]
    """

    def __init__(self, diag, off=None, uplo="L"):
        check_uplo(uplo, "Triangular")
        diag = list(diag)
        n = len(diag)
        blocks = {(i, i): block for i, block in enumerate(diag)}
        for (i, j), block in dict(off or {}).items():
            if not (0 <= i < n and 0 <= j < n):
                raise ShapeError(f"Triangular: block ({i}, {j}) must lie in the {n} x {n} blocks because diag has {n}")
            if not (i > j if uplo == "L" else i < j):
                raise StructureError(
                    f"Triangular: block ({i}, {j}) must lie {'below' if uplo == 'L' else 'above'} the diagonal "
                    f"because uplo is {uplo!r}"
                )
            blocks[i, j] = block
        self._fill((n, n), blocks)

    @classmethod
    def from_arrays(cls, A, block, uplo="L", diagonal="general"):
        """The block triangle of one array, which is read in place.

        Parameters
        ----------
        A : (N m, N m) array, kept by reference
        block : int or list of int
            m, the rows of a block, or those of each. Blocks on the other side of the diagonal are not read.
        uplo : {"L", "U"}
        diagonal : {"general", "lower", "upper", "spd", "unit"}
            What the diagonal blocks are, as in `Bidiagonal.from_arrays`; "unit" for the identity. Where it is "lower"
            for uplo "L", or "upper" for "U", A is an ordinary triangular matrix and solved with as one.

        Returns
        -------
        Triangular
            Arrays (N m,), (N, m), (N m, r) and (N, m, r) may stand on its right, and lists of N entries.

        Notes
        -----
        A solve costs (N m)^2 r flops, and factors of the diagonal blocks, which `factorize` keeps.

        Examples
        --------
        >>> import numpy as np, fastbs as fb
        >>> A = np.array([[2.0, 9.0], [1.0, 4.0]])
        >>> fb.Triangular.from_arrays(A, block=1).solve(np.array([2.0, 9.0]))
        array([1., 2.])
        """
        check_uplo(uplo, "Triangular.from_arrays")
        return cls.from_stack(DenseStack.of_array(A, block, uplo == "U", diagonal, "Triangular"))

    @classmethod
    def from_scipy(cls, A, diagonal="general", block=None):
        """A block-sparse triangle from a SciPy sparse array.

        Parameters
        ----------
        A : (N m, N m) sparse array or matrix of any format
            The blocks off the diagonal of a BSR array are read in place; the diagonal ones are copied.
        diagonal : {"general", "lower", "upper", "spd", "unit"}
            What the diagonal blocks are, as in `Triangular.from_arrays`.
        block : int, optional
            m; without it that of a BSR array, or what SciPy guesses.

        Raises
        ------
        StructureError
            If blocks stand on both sides of the diagonal; ShapeError if A is not square, or not of whole blocks.

        Notes
        -----
        A solve costs 2 m^2 r flops a block; its result alone is allocated, and one block.

        Examples
        --------
        >>> import numpy as np, scipy.sparse, fastbs as fb
        >>> A = scipy.sparse.bsr_array(np.array([[2.0, 0, 0], [0, 1, 0], [4, 0, 1]]), blocksize=(1, 1))
        >>> fb.Triangular.from_scipy(A).solve(np.array([2.0, 1.0, 5.0]))
        array([1., 1., 1.])
        """
        from ..interop.bsr import blocks_of, uplo_of  # a bridge: SciPy's sparse package is slow

        where = "Triangular.from_scipy"
        check_kind(diagonal, where, ("unit", *DIAGONALS))
        A = blocks_of(A, block, where)
        pattern = Pattern(A.indptr, A.indices, uplo_of(A, where) == "U", diagonal, "Triangular")
        return cls.from_stack(pattern.stack(kernel_array(A.data, f"{where}: A")))

    @classmethod
    def from_bsr(cls, data, indices, indptr, diagonal="general"):
        """A block-sparse triangle from the arrays of SciPy's BSR format, whose blocks may be differentiated by.

        Parameters
        ----------
        data : (nnz, m, m) array, the blocks; may be traced
        indices : (nnz,) array of int
            Of block columns, ascending in each row.
        indptr : (N + 1,) array of int
            The blocks of row i are those from indptr[i] to indptr[i + 1].
        diagonal
            As in `from_scipy`.

        Raises
        ------
        StructureError
            If blocks stand on both sides of the diagonal, or twice; ShapeError of the arrays; SingularError if a
            diagonal block is not given, and is not "unit".

        Notes
        -----
        Costs as in `from_scipy`; the derivative by the blocks is one solve with A^T, and 2 m^2 r flops a block.

        Examples
        --------
        >>> import numpy as np, fastbs as fb
        >>> blocks = np.array([2.0, 4.0, 1.0]).reshape(3, 1, 1)
        >>> def solution(blocks):
        ...     return fb.Triangular.from_bsr(blocks, [0, 0, 1], [0, 1, 3]).solve(np.array([2.0, 5.0]))
        >>> solution(blocks)
        array([1., 1.])
        >>> fb.grad(lambda blocks: solution(blocks)[1])(blocks).ravel()
        array([ 2., -1., -1.])
        """
        from ..interop.bsr import pattern_of, uplo_of  # a bridge: SciPy's sparse package is slow

        where = "Triangular.from_bsr"
        check_kind(diagonal, where, ("unit", *DIAGONALS))
        data, indices, indptr = kernel_array(data, f"{where}: data"), np.asarray(indices), np.asarray(indptr)
        if data.ndim != 3 or data.shape[1] != data.shape[2] or indices.shape != data.shape[:1]:
            raise ShapeError(
                f"{where}: data must be (nnz, m, m), a block for each of {indices.size} indices; got {data.shape}"
            )
        A = pattern_of(indices, indptr, where)
        pattern = Pattern(indptr, indices, uplo_of(A, where) == "U", diagonal, "Triangular")
        if diagonal != "unit" and pattern.on.sum() < pattern.n:
            i = int(np.flatnonzero(A.diagonal() == 0)[0])
            raise SingularError(f"{where}: block ({i}, {i}) must be given because it is solved with; got none")
        return cls.from_stack(TracedSparse(data, pattern) if type(data) is Traced else pattern.stack(data))

    @classmethod
    def from_banded(cls, ab, widths, block, diagonal="general"):
        """The matrix of ``ab[u + i - j, j] = A[i, j]`` and widths (l, u), as `scipy.linalg.solve_banded` takes it.

        Parameters
        ----------
        ab : (l + u + 1, N m) array, which is copied
        widths : (l, u), the number of diagonals below and above the main one
        block : int, m
        diagonal
            As in `from_arrays`.

        Raises
        ------
        ShapeError
            If ab is not (l + u + 1, N m); StructureError if blocks stand where the matrix has none.

        Examples
        --------
        >>> import numpy as np, fastbs as fb
        >>> ab = np.array([[2.0, 2.0, 2.0], [-1.0, -1.0, 0.0]])
        >>> fb.Bidiagonal.from_banded(ab, (1, 0), block=1).solve(np.array([2.0, 0.0, 0.0]))
        array([1.  , 0.5 , 0.25])
        """
        from ..interop.bsr import from_band  # a bridge: SciPy's sparse package is slow

        return cls.from_scipy(from_band(ab, widths, f"{cls.__name__}.from_banded"), diagonal, block)

    def to_scipy(self):
        """A copy as a SciPy BSR array, CSR where block sizes vary, if the blocks stand in arrays."""
        return self._arrays("to_scipy").to_scipy()

    def to_banded(self):
        """(ab, (l, u)) as `scipy.linalg.solve_banded` takes it, if the blocks stand in arrays."""
        return self._arrays("to_banded").to_banded()

    def _arrays(self, where):
        if self.stack is None:
            raise StructureError(
                f"{type(self).__name__}.{where}: the blocks must stand in arrays because numbers are copied; "
                f"got {self!r}"
            )
        return self.stack

    @classmethod
    def holds(cls, positions):
        return all(i >= j for i, j in positions) or all(i <= j for i, j in positions)
