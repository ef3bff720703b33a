"""What may stand in a block, and what it becomes."""

import numbers

from ..arguments import is_array, is_scalar
from ..composites import Scaled, Sum, scale
from ..operator import Operator
from ..operators import Identity, Left
from .row import Row

__all__ = ["adjoint_of", "as_operator", "is_multiple_of_identity", "is_zero_number", "transpose_of"]


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
        one = isinstance(value, (int, float)) and value == 1
        return Identity() if one else scale(value, Identity())
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


def is_zero_number(value):
    """Whether a block is the number 0."""
    return (isinstance(value, numbers.Number) or (is_array(value) and value.ndim == 0)) and bool(value == 0)


def is_multiple_of_identity(op):
    """Whether an operator is a number times Identity, so that it can stand in every diagonal block."""
    if isinstance(op, Scaled):
        return is_multiple_of_identity(op.operator)
    return isinstance(op, Identity) or (isinstance(op, Sum) and all(map(is_multiple_of_identity, op.operators)))
