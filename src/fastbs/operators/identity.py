"""X -> X."""

from ..operator import Operator

__all__ = ["Identity"]


class Identity(Operator):
    """X -> X; its matrix is I.

    Maps      any shape to itself
    Adjoint   itself
    Cost      one copy where a new array is asked for, none inside a composition

    ``Identity() - L`` is the block matrix I - L for a square block matrix L.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.Identity() @ np.array([1.0, 2.0])
    array([1., 2.])
    >>> fb.Identity() @ fb.Left(np.ones((2, 3)))
    <Left Bₗ: (3, n) -> (2, n), float64>
    """

    fields = ()
    name = "I"
    is_identity = True

    def __init__(self):
        pass

    def apply(self, X):
        return X

    def adjoint(self):
        return self

    transposed = inverse = adjoint

    def solve(self, b):
        return b

    def takes(self, X):
        return isinstance(X, (list, tuple))
