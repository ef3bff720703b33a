"""X -> trace(G^H X), the only operator of the table that leaves matrices, and its adjoint s -> s G."""

import numpy as np

from ..arguments import as_array
from .arrayoperator import ArrayOperator

__all__ = ["Inner", "Multiple"]


class Inner(ArrayOperator):
    """X -> trace(G^H X) = sum(conj(G) * X), of shape (); its matrix is the row vec(G)^H.

    Parameters
    ----------
    G : array of the shape of X, kept by reference
    symbol : str, optional
        How pictures name G.

    Maps      the shape of G -> ()
    Adjoint   s -> s G
    Cost      two flops an element, no scratch
    Raises    ShapeError if X does not have the shape of G
    Source    paper, section 2: the "transpose dot" operator

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.Inner(np.array([1.0, 2.0])) @ np.array([3.0, 4.0])
    np.float64(11.0)
    """

    fields = ("G",)

    def __init__(self, G, symbol="G"):
        G = as_array(G, "Inner: G")
        self._set(G=G, name=symbol, shape_in=tuple(G.shape), shape_out=())

    def apply(self, X):
        stack = X.shape[: X.ndim - self.G.ndim]
        g, x = np.reshape(self.held(self.G), (-1,)), np.reshape(X, (*stack, self.G.size))
        if self.is_complex:
            return np.reshape(np.expand_dims(np.conjugate(g), 0) @ np.expand_dims(x, -1), stack)
        return np.vecdot(g, x)

    def transposed(self):
        return Multiple(self.G, self.name).replace(conj=self.is_complex and not self.conj)

    def _because(self):
        return f"G is {tuple(self.G.shape)}"

    @property
    def symbol(self):
        return self.name + ("ᴴ•" if self.is_complex and not self.conj else "ᵀ•")


class Multiple(ArrayOperator):
    """s -> s G, the adjoint of `Inner`; its matrix is the column vec(G).

    Parameters
    ----------
    G : array, kept by reference

    Maps      () -> the shape of G
    Adjoint   X -> sum(conj(G) * X)
    Cost      one flop an element, no scratch
    """

    fields = ("G",)

    def __init__(self, G, symbol="G"):
        self._set(G=G, name=symbol, shape_in=(), shape_out=tuple(G.shape))

    def apply(self, s):
        G = self.held(self.G)
        if np.ndim(s) and G.ndim:
            s = np.expand_dims(s, tuple(range(-G.ndim, 0)))
        return s * G

    def transposed(self):
        return Inner(self.G, self.name).replace(conj=self.is_complex and not self.conj)

    @property
    def symbol(self):
        return self.held_name
