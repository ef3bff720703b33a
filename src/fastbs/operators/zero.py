"""X -> 0."""

import numpy as np

from ..arguments import is_array
from ..operator import Operator
from ..shapes import text
from ..values import scale

__all__ = ["Zero"]


class Zero(Operator):
    """X -> 0 of shape `shape_out`; its matrix is zero.

    Parameters
    ----------
    shape_in, shape_out : tuples, optional
        Shapes of X and of the result, None for a free axis; without them the result has the shape of X.

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

    symbol = "O"
    is_zero = True

    def __init__(self, shape_in=None, shape_out=None):
        self._set(
            shape_in=None if shape_in is None else tuple(shape_in),
            shape_out=None if shape_out is None else tuple(shape_out),
        )

    def apply(self, X):
        if not is_array(X):
            return scale(0, X)
        return np.zeros(self.shape_of(X.shape), X.dtype)

    def adjoint(self):
        return Zero(self.shape_out, self.shape_in)

    transposed = adjoint

    def takes(self, X):
        return isinstance(X, (list, tuple))

    def _because(self):
        return f"Zero maps {text(self.shape_in)} to {text(self.shape_out)}"
