"""What may stand in a block, and what it becomes."""

from ..arguments import is_array, is_scalar
from ..operator import Operator, Scaled
from ..operators import Identity, Left
from .row import Row

__all__ = ["adjoint_of", "as_operator", "transpose_of"]


def as_operator(value, where):
    """The operator of a block.

    ===================================  ===========================================
    an operator or block matrix          as it is
    a number s, or a symbol              s times Identity (Identity itself for 1)
    a matrix, dense or sparse            Left of it
    a list or tuple                      a Row, which acts on a tuple of parameters
    None                                 None, a zero that costs nothing
    any other object that has ``@``      as it is
    ===================================  ===========================================
    """
    if value is None or isinstance(value, Operator):
        return value
    if isinstance(value, (list, tuple)):
        return Row([as_operator(v, f"{where}[{i}]") for i, v in enumerate(value)])
    if is_scalar(value):
        return Identity() if isinstance(value, (int, float)) and value == 1 else Scaled(value, Identity())
    if is_array(value):
        return Left(value)
    if hasattr(type(value), "__matmul__"):
        return value
    raise TypeError(
        f"{where} must be an operator, a matrix, a number, a list or None because blocks act on block "
        f"vectors; got {type(value).__name__}"
    )


def adjoint_of(block):
    """``block.H``, or ``block.conj().T`` where there is no ``H``."""
    return block.H if hasattr(block, "H") else block.conj().T


def transpose_of(block):
    """``block.T``"""
    return block.T
