"""Bidiagonal block matrices: chains."""

from ..errors import ShapeError
from .matrix import BlockMatrix
from .triangular import Triangular, check_uplo

__all__ = ["Bidiagonal"]


class Bidiagonal(Triangular, structure=True):
    """A square block matrix with a diagonal and one neighbour of it.

    Parameters
    ----------
    diag : sequence of n blocks
        Of None alone for a strictly triangular matrix, such as L of a chain.
    off : sequence of n - 1 blocks
        ``off[i]`` is block (i + 1, i) if lower, (i, i + 1) if upper.
    uplo : {"L", "U"}

    Solve     one product and one solve a row
    Raises    ShapeError if the lengths do not fit

    Examples
    --------
    >>> import fastbs as fb
    >>> fb.Bidiagonal([1, 1, 1], [-2, -3], uplo="L").solve([1.0, 0.0, 0.0])
    [1.0, 2.0, 6.0]
    """

    def __init__(self, diag, off, uplo="L"):
        check_uplo(uplo, "Bidiagonal")
        diag, off = list(diag), list(off)
        if len(off) != max(len(diag) - 1, 0):
            raise ShapeError(
                f"Bidiagonal: off must have {max(len(diag) - 1, 0)} blocks because diag has {len(diag)}; got {len(off)}"
            )
        blocks = {(i, i): block for i, block in enumerate(diag)}
        for i, block in enumerate(off):
            blocks[(i + 1, i) if uplo == "L" else (i, i + 1)] = block
        BlockMatrix._fill(self, (len(diag), len(diag)), blocks)

    @classmethod
    def holds(cls, positions):
        return all(i - j in (0, 1) for i, j in positions) or all(j - i in (0, 1) for i, j in positions)
