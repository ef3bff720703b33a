"""Triangular block matrices."""

from ..dense_stack import DenseStack
from ..errors import ShapeError, StructureError
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
    def holds(cls, positions):
        return all(i >= j for i, j in positions) or all(i <= j for i, j in positions)
