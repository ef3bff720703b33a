"""X -> 0."""

import numpy as np

from ..arguments import is_array
from ..errors import ShapeError
from ..operator import Operator
from ..shapes import text
from ..values import scale

__all__ = ["Zero"]


class Zero(Operator):
    """X -> 0 of shape `shape_out`; its matrix is zero.

    Parameters
    ----------
    shape_in, shape_out : tuples, optional
        Shapes of X and of the result, None for a free axis; `shape_in` alone is both; without them the result has
        the shape of X.

    Adjoint   the zero with the shapes exchanged
    Cost      the new array

    In block matrices write None for a zero block: it costs nothing.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.Zero((2, None), (3, None)) @ np.ones((2, 1))
    array([[0.],
           [0.],
           [0.]])
    """

    name = "O"
    is_zero = True

    def __init__(self, shape_in=None, shape_out=None):
        shape_in = None if shape_in is None else tuple(shape_in)
        shape_out = shape_in if shape_out is None else tuple(shape_out)
        free = [] if shape_out is None else [i for i, n in enumerate(shape_out) if n is None]
        if shape_in is not None and free and free[-1] >= len(shape_in):
            raise ShapeError(
                f"Zero: shape_out must have its free axes where shape_in has axes because they take their lengths; got "
                f"{text(shape_in)} and {text(shape_out)}"
            )
        self._set(shape_in=shape_in, shape_out=shape_out)

    def apply(self, X):
        if not is_array(X):
            return scale(0, X)
        return np.zeros(self.shape_of(X.shape), X.dtype)

    def adjoint(self):
        return self.replace(shape_in=self.shape_out, shape_out=self.shape_in)

    transposed = adjoint

    def takes(self, X):
        return self.shape_in is None and isinstance(X, (list, tuple))

    def shapes_at(self, rank):
        # with one free axis it may stand for a Left or Right, and takes vectors as they do
        shapes = self.shape_in, self.shape_out
        if rank == 1 and self.shape_in is not None and len(self.shape_in) == 2 and self.shape_in.count(None) == 1:
            free = self.shape_in.index(None)
            if len(self.shape_out) == 2 and self.shape_out[free] is None:
                return tuple((shape[1 - free],) for shape in shapes)
        return shapes

    def _because(self):
        return f"Zero maps {text(self.shape_in)} to {text(self.shape_out)}"
