"""X -> M * X with NumPy's broadcasting: the derivative of every elementwise function."""

import math

import numpy as np

from .._trace import Traced
from ..operator import Operator

__all__ = ["ComplexElementwise", "Elementwise", "RealProduct", "Selection", "stretch", "unbroadcast"]


class Elementwise(Operator):
    """X -> M * X, broadcast from `shape_in` to `shape_out`; real.

    Parameters
    ----------
    M : array or number that broadcasts to `shape_out`, or None for 1
    shape_in, shape_out : tuples of int

    Adjoint   Y -> the sum of M * Y over the broadcast axes
    Cost      one flop an element of the result
    Source    the chain rule, entry by entry
    """

    def __init__(self, M, shape_in, shape_out):
        # made at every step of every solve: three assignments are three times faster than an update
        fields = self.__dict__
        fields["M"] = M
        fields["shape_in"] = shape_in
        fields["shape_out"] = shape_out

    def apply(self, X):
        shape_in, shape_out = self.shape_in, self.shape_out
        if shape_in == shape_out:
            return X if self.M is None else self.M * X
        return self.broadcast(X, None if self.M is None else np.multiply)

    def broadcast(self, X, product):
        """The product with M of X, whose axes start further right than those of the result."""
        stack = X.shape[: X.ndim - len(self.shape_in)]
        X = X.reshape((*stack, *(1,) * (len(self.shape_out) - len(self.shape_in)), *self.shape_in))
        if product is not None:
            X = product(self.M, X)
        full = (*stack, *self.shape_out)
        return X if X.shape == full else stretch(X, full)

    def apply_adjoint(self, Y):
        if self.shape_in == self.shape_out:
            return Y if self.M is None else self.M * Y
        return unbroadcast(Y if self.M is None else self.M * Y, self.shape_in, len(self.shape_out))

    def adjoint(self):
        return Operator(self.apply_adjoint, self.apply, self.symbol + "ᴴ", self.shape_out, self.shape_in)

    transposed = adjoint

    @property
    def symbol(self):
        return "I" if self.M is None else "Mₕ"


class Selection(Elementwise):
    """X where M is true, else 0: as M * X, but what is not selected may be infinite or NaN."""

    def apply(self, X):
        return self.broadcast(X, chosen)

    def apply_adjoint(self, Y):
        Z = chosen(self.M, Y)
        return Z if self.shape_in == self.shape_out else unbroadcast(Z, self.shape_in, len(self.shape_out))


def chosen(M, X):
    return np.where(M, X, 0)


class ComplexElementwise(Elementwise):
    """X -> M * X for a complex result; a real argument keeps the real part of the adjoint, Re(conj(M) * Y).

    Parameters
    ----------
    M, shape_in, shape_out : as in `Elementwise`
    real : bool
        Whether X is real.
    """

    def __init__(self, M, shape_in, shape_out, real):
        self.__dict__.update(M=M, shape_in=shape_in, shape_out=shape_out, real=real)

    def apply_adjoint(self, Y):
        Z = Y if self.M is None else np.conjugate(self.M) * Y
        Z = np.real(Z) if self.real else Z
        return Z if self.shape_in == self.shape_out else unbroadcast(Z, self.shape_in, len(self.shape_out))


def stretch(Y, shape):
    """Y repeated to `shape`, into which it broadcasts."""
    if type(Y) is Traced or Y.size * 64 < math.prod(shape):
        return np.broadcast_to(Y, shape)
    # numpy.broadcast_to takes as long as copying some thousand elements
    result = np.empty(shape, Y.dtype)
    result[...] = Y
    return result


def unbroadcast(Y, shape, ndim):
    """The sum of Y over the axes that broadcasting added to `shape` or stretched; the last `ndim` axes count."""
    n = len(shape)
    stretched = tuple([i - n for i in range(n) if shape[i] == 1 and Y.shape[i - n] != 1])
    if stretched:
        Y = np.add.reduce(Y, axis=stretched, keepdims=True)
    return np.add.reduce(Y, axis=tuple(range(-ndim, -n))) if ndim > n else Y


class RealProduct(Operator):
    """X -> Re(conj(S) * X), the derivative of a real function of complex numbers, elementwise.

    Parameters
    ----------
    S : complex array or number
    shape : tuple of int, of X

    Adjoint   Y -> S * Y
    """

    def __init__(self, S, shape):
        self.__dict__.update(S=S, shape_in=shape, shape_out=shape)

    def apply(self, X):
        return np.real(np.conjugate(self.S) * X)

    def apply_adjoint(self, Y):
        return self.S * Y

    def adjoint(self):
        return Operator(self.apply_adjoint, self.apply, self.symbol + "ᴴ", self.shape_out, self.shape_in)

    transposed = adjoint
    name = "Re Sₕ"
