"""Diagonal block matrices."""

from ..list_stack import ListStack, is_listed
from ..stack import Stack
from .bidiagonal import Bidiagonal

__all__ = ["Diagonal"]


class Diagonal(Bidiagonal, structure=True):
    """A square block matrix with blocks on its diagonal alone, such as D of a network.

    Parameters
    ----------
    blocks : sequence of n blocks
        A list as a block is a row of operators on a tuple of parameters.

    Solve     one solve a row

    Examples
    --------
    >>> import fastbs as fb
    >>> D = fb.Diagonal([[2, 1], [3, 1]])
    >>> D @ [(1.0, 0.0), (0.0, 5.0)]
    [2.0, 5.0]
    >>> D.H @ [1.0, 10.0]
    [(2.0, 1.0), (30.0, 10.0)]
    """

    def __init__(self, blocks):
        blocks = list(blocks)
        self._fill((len(blocks), len(blocks)), {(i, i): block for i, block in enumerate(blocks)})

    @classmethod
    def from_arrays(cls, diag, diagonal="general"):
        """A block diagonal matrix in one array (..., N, m, m), or a list of square ones; as `Bidiagonal.from_arrays`.

        Examples
        --------
        >>> import numpy as np, fastbs as fb
        >>> D = fb.Diagonal.from_arrays(np.array([[[2.0]], [[4.0]]]))
        >>> D.solve(np.array([1.0, 1.0])), D @ np.array([1.0, 1.0])
        (array([0.5 , 0.25]), array([2., 4.]))
        """
        if is_listed(diag):
            return cls.from_stack(ListStack.of_lists(diag, None, False, diagonal, "Diagonal"))
        return cls.from_stack(Stack.of_arrays(diag, None, False, diagonal, "Diagonal"))

    @classmethod
    def from_scipy(cls, A, diagonal="general", block=None):
        """A block diagonal matrix from a SciPy sparse array; as `Bidiagonal.from_scipy`."""
        from ..interop.bsr import block_diagonals, blocks_of  # a bridge: SciPy's sparse package is slow

        A = blocks_of(A, block, "Diagonal.from_scipy")
        return cls.from_arrays(*block_diagonals(A, (0,), "Diagonal.from_scipy", "nothing else"), diagonal)

    @classmethod
    def holds(cls, positions):
        return all(i == j for i, j in positions)
