"""X -> the sum of M * X over axes: the derivative of every reduction."""

import math

import numpy as np

from ..operator import Operator
from .elementwise import stretch

__all__ = ["Reduction", "count"]


class Reduction(Operator):
    """X -> sum(M * X, axis=axes); real.

    Parameters
    ----------
    M : array that broadcasts to `shape_in`, number, or None for 1
    shape_in : tuple of int
    axes : tuple of negative int, ascending
    keepdims : bool
        Whether the result keeps the summed axes with length 1.

    Adjoint   Y -> M * Y, with Y repeated along the summed axes
    Cost      two flops an element of X
    """

    def __init__(self, M, shape_in, axes, keepdims):
        fields = self.__dict__
        fields["M"] = M
        fields["shape_in"] = shape_in
        fields["axes"] = axes
        fields["keepdims"] = keepdims

    @property
    def kept_shape(self):
        """The shape of the result with the summed axes kept."""
        n = len(self.shape_in)
        return tuple([1 if i - n in self.axes else length for i, length in enumerate(self.shape_in)])

    @property
    def shape_out(self):
        if self.keepdims:
            return self.kept_shape
        n = len(self.shape_in)
        return tuple([length for i, length in enumerate(self.shape_in) if i - n not in self.axes])

    def apply(self, X):
        return np.add.reduce(X if self.M is None else self.M * X, axis=self.axes, keepdims=self.keepdims)

    def apply_adjoint(self, Y):
        if Y.ndim or self.keepdims:
            stack = Y.shape[: Y.ndim - (len(self.shape_in) if self.keepdims else len(self.shape_in) - len(self.axes))]
            Y = Y if self.keepdims else Y.reshape((*stack, *self.kept_shape))
            full = (*stack, *self.shape_in)
        else:
            full = self.shape_in
        if self.M is not None:
            Y = self.M * Y
        return Y if Y.shape == full else stretch(Y, full)

    def adjoint(self):
        return Operator(self.apply_adjoint, self.apply, self.symbol + "ᴴ", self.shape_out, self.shape_in)

    transposed = adjoint

    @property
    def symbol(self):
        return "Σ" if self.M is None else "ΣMₕ"


def count(shape, axes):
    """How many elements are reduced to one."""
    return math.prod([shape[i] for i in axes])
