"""Block matrices of operators: structure, with the generic substitution for their solves."""

from .bidiagonal import Bidiagonal
from .diagonal import Diagonal
from .matrix import BlockMatrix
from .triangular import Triangular
from .tridiagonal import Tridiagonal

__all__ = ["Bidiagonal", "BlockMatrix", "Diagonal", "Triangular", "Tridiagonal"]
