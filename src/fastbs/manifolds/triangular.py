"""Triangular matrices: V -> tril(V) or triu(V)."""

import numpy as np

from ..arguments import as_matrix
from ..operator import Operator

__all__ = ["Triangular"]


class Triangular(Operator):
    """V -> tril(V), the orthogonal projection onto lower triangular matrices, the tangents at each; or V -> triu(V).

    Parameters
    ----------
    X : (m, n) array, kept by reference
        The point; the projection is the same at all.
    uplo : {"L", "U"}
    symbol : str, optional
        How pictures name the projection.

    Maps      (m, n) -> (m, n)
    Adjoint   itself
    Cost      one copy
    Raises    ValueError if `uplo` is neither
    Source    none: elementary

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> X = np.eye(2)
    >>> fb.manifolds.Triangular(X) @ fb.grad(lambda X: np.sum(X @ X))(X)
    array([[2., 0.],
           [2., 2.]])
    """

    fields = ()
    options = ("shape_in", "uplo")

    def __init__(self, X, uplo="L", symbol=None):
        X = as_matrix(X, "Triangular: X")
        if uplo not in ("L", "U"):
            raise ValueError(f'Triangular: uplo must be "L" or "U"; got {uplo!r}')
        name = symbol or ("tril" if uplo == "L" else "triu")
        self._set(X=X, uplo=uplo, name=name, shape_in=tuple(X.shape), shape_out=tuple(X.shape))

    def apply(self, V):
        return np.tril(V) if self.uplo == "L" else np.triu(V)

    def adjoint(self):
        return self

    transposed = adjoint

    def retract(self, V):
        """X + V, triangular as X and V are."""
        return self.X + V

    def _because(self):
        return f"X is {tuple(self.X.shape)}"
