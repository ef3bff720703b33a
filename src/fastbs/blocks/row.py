"""A row of operators, which acts on a tuple of parameters, and its adjoint, a column."""

from ..arguments import is_array
from ..errors import ShapeError
from ..operator import Operator
from ..shapes import text, unify
from ..values import add

__all__ = ["Column", "Row"]


class Row(Operator):
    """(p_1, ..., p_k) -> A_1 p_1 + ... + A_k p_k: what a list becomes as a block.

    Parameters
    ----------
    operators : sequence of Operator, None for a parameter without influence

    Adjoint   `Column`: Y -> (A_1^H Y, ..., A_k^H Y)
    Cost      the operators' costs and one pass each

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> D = fb.Diagonal([[fb.Left(np.eye(2)), fb.Right(np.ones((1, 3)))]])
    >>> D @ [(np.zeros((2, 3)), np.array([[1.0], [2.0]]))]
    [array([[1., 1., 1.],
           [2., 2., 2.]])]
    """

    def __init__(self, operators):
        shape = None
        known = [op.shape_out for op in operators if op is not None and op.shape_out is not None]
        rank = min(map(len, known), default=None)
        for i, op in enumerate(operators):
            if op is None or op.shape_out is None:
                continue
            shape_out = op.shapes_at(rank)[1]
            try:
                shape = shape_out if shape is None else unify(shape, shape_out)
            except ShapeError:
                raise ShapeError(
                    f"Row: operator {i} must give {text(shape)} because results are added; got {text(op.shape_out)}"
                ) from None
        self._set(operators=tuple(operators), shape_out=shape)

    def takes(self, X):
        return isinstance(X, (tuple, list))

    def apply(self, X):
        total = None
        for op, x in zip(self.operators, X, strict=True):
            if op is not None and x is not None:
                total = add(total, op @ x)
        return total

    def adjoint(self):
        return Column(tuple(None if op is None else op.H for op in self.operators), self.shape_out)

    def transposed(self):
        return Column(tuple(None if op is None else op.T for op in self.operators), self.shape_out)

    def shape_of(self, shape):
        return super().shape_of(None)

    def check(self, X):
        if not isinstance(X, (tuple, list)):
            raise TypeError(
                f"Row.apply: the right side must be a tuple of {len(self.operators)} parameters because the row has as "
                f"many operators; got {type(X).__name__}"
            )
        if len(X) != len(self.operators):
            raise ShapeError(
                f"Row.apply: the tuple must have {len(self.operators)} parameters because the row has as many "
                f"operators; got {len(X)}"
            )
        shapes = [
            op.shape_of(x.shape) if is_array(x) else op.shape_of(())
            for op, x in zip(self.operators, X, strict=True)
            if op is not None and x is not None
        ]
        if any(shape != shapes[0] for shape in shapes):
            raise ShapeError(
                f"Row.apply: all terms must give one shape because they are added; got "
                f"{' and '.join(map(text, shapes))}"
            )
        return shapes[0] if shapes else self.shape_out

    @property
    def symbol(self):
        return "[" + ", ".join("·" if op is None else op.symbol for op in self.operators) + "]"


class Column(Operator):
    """Y -> (A_1 Y, ..., A_k Y), the adjoint of `Row`; None where an operator is missing."""

    def __init__(self, operators, shape_in):
        self._set(operators=tuple(operators), shape_in=shape_in)

    def apply(self, Y):
        return tuple(None if op is None else op @ Y for op in self.operators)

    def adjoint(self):
        return Row([None if op is None else op.H for op in self.operators])

    def transposed(self):
        return Row([None if op is None else op.T for op in self.operators])

    def shape_of(self, shape):
        for op in self.operators:
            if op is not None:
                op.shape_of(shape)
        return  # a tuple

    @property
    def symbol(self):
        return "[" + "; ".join("·" if op is None else op.symbol for op in self.operators) + "]"
