"""X -> A X and X -> X B as NumPy multiplies: the derivative of a product with respect to one factor."""

import math

import numpy as np

from ..operator import Operator
from .elementwise import unbroadcast

__all__ = [
    "Factor",
    "LeftFactor",
    "LeftVector",
    "Map",
    "RightFactor",
    "RightVector",
    "folded_product",
    "stacked_labels",
]


class Map(Operator):
    """X -> forward(X) with its adjoint, between arrays or tuples of arrays, unchecked: what rules return.

    Parameters
    ----------
    forward, backward : callables
        The map and its adjoint. They take arrays with leading stack axes, or tuples of them with None for zero.
    shape_in, shape_out : tuples of int, or None for a tuple of arrays
    full_in, full_out : tuples of int, optional
        The shapes that `forward` and `backward` see after the stack, with as many axes for broadcasting in the one as
        in the other: vectors are columns there, and missing axes have length 1.
    symbol : str
    work : number, optional
        Flops of one application.
    labels : pair of sequences, optional
        A name for every axis of `full_in` and `full_out`, or of `shape_in` and `shape_out`. Along an axis that both
        have the map works on each place by itself, as along the stack of a product of stacks of matrices.

    Adjoint   the two exchanged; axes that broadcasting stretched are summed
    Cost      that of `forward`
    """

    full_in = full_out = None

    def __init__(
        self, forward, backward, shape_in, shape_out, full_in=None, full_out=None, symbol="F", work=None, labels=None
    ):
        self.__dict__.update(
            forward=forward, backward=backward, shape_in=shape_in, shape_out=shape_out,
            full_in=full_in, full_out=full_out, name=symbol, work=work, labels=labels,
        )  # fmt: skip

    def apply(self, X):
        if self.full_in is None:
            return self.forward(X)
        stack = X.shape[: X.ndim - len(self.shape_in)]
        Y = self.forward(np.reshape(X, stack + self.full_in))
        return np.reshape(Y, stack + self.shape_out)

    def apply_adjoint(self, Y):
        if self.full_in is None:
            return self.backward(Y)
        stack = Y.shape[: Y.ndim - len(self.shape_out)]
        X = self.backward(np.reshape(Y, stack + self.full_out))
        return np.reshape(unbroadcast(X, self.full_in, len(self.full_in)), stack + self.shape_in)

    def adjoint(self):
        return Operator(self.apply_adjoint, self.apply, self.name + "ᴴ", self.shape_out, self.shape_in)

    transposed = adjoint

    @property
    def flops(self):
        return super().flops if self.work is None else float(self.work)

    def takes(self, X):
        return isinstance(X, tuple)


def stacked_labels(count, core_in, core_out):
    """The labels of a `Map` of stacks, with that many axes in front of its core axes."""
    return (*range(count), *core_in), (*range(count), *core_out)


def folded_product(X, B):
    """X B for a matrix B: the axes of X before the last are the rows of one product."""
    shape = X.shape
    return np.reshape(np.reshape(X, (math.prod(shape[:-1]), shape[-1])) @ B, (*shape[:-1], B.shape[1]))


class Factor(Operator):
    """The base of the four below: real, made once a step, so as light as can be."""

    def __init__(self, F, shape_in, shape_out):
        held = self.__dict__
        held["F"] = F
        held["shape_in"] = shape_in
        held["shape_out"] = shape_out

    def adjoint(self):
        return Operator(self.apply_adjoint, self.apply, self.symbol + "ᴴ", self.shape_out, self.shape_in)

    transposed = adjoint

    @property
    def flops(self):
        # a multiplication and an addition for each element of X and each column of a factor that is a matrix
        return 2.0 * math.prod(self.shape_in) * (self.F.shape[self.kept] if self.F.ndim == 2 else 1)


class RightFactor(Factor):
    """X -> X B for a matrix B and rows X, a vector or any stack of matrices; adjoint Y -> Y B^T."""

    name = "Bᵣ"
    kept = 1  # the axis of F that the result has

    def apply(self, X):
        return X @ self.F if X.ndim <= 2 else folded_product(X, self.F)

    def apply_adjoint(self, Y):
        return Y @ self.F.T if Y.ndim <= 2 else folded_product(Y, self.F.T)


class LeftFactor(Factor):
    """X -> A X for matrices A and X; adjoint Y -> A^T Y."""

    name = "Aₗ"
    kept = 0

    def apply(self, X):
        return self.F @ X if X.ndim == 2 else columns_product(self.F, X)

    def apply_adjoint(self, Y):
        return self.F.T @ Y if Y.ndim == 2 else columns_product(self.F.T, Y)


def columns_product(A, X):
    # a stack of single columns, as a Jacobian of columns has it, is one matrix of rows
    if X.shape[-1] != 1:
        return A @ X
    shape = X.shape
    return np.reshape(folded_product(np.reshape(X, shape[:-1]), A.T), (*shape[:-2], A.shape[0], 1))


class RightVector(Factor):
    """X -> X b for a vector b and rows X, a vector or any stack of matrices; adjoint Y -> Y b^T."""

    name = "bᵣ"

    def apply(self, X):
        return X @ self.F

    def apply_adjoint(self, Y):
        return (Y if Y.ndim == 0 else Y[..., None]) * self.F


class LeftVector(Factor):
    """X -> a^T X for a vector a and a matrix X; adjoint Y -> a Y^T."""

    name = "aₗ"

    def apply(self, X):
        return self.F @ X

    def apply_adjoint(self, Y):
        return self.F[:, None] * Y[..., None, :]
