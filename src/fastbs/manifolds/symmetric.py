"""Symmetric matrices: V -> (V + V^T) / 2."""

import numpy as np

from ..arguments import as_matrix
from ..errors import ShapeError
from ..operator import Operator

__all__ = ["Symmetric"]


class Symmetric(Operator):
    """V -> (V + V^T) / 2, the orthogonal projection onto symmetric matrices, the tangents at each of them.

    Parameters
    ----------
    X : (n, n) array, kept by reference
        The point; the projection is the same at all.
    symbol : str, optional
        How pictures name the projection.

    Maps      (n, n) -> (n, n)
    Adjoint   itself
    Cost      3 n^2 flops
    Raises    ShapeError if X is not square
    Source    Absil, Mahony, Sepulchre, Optimization Algorithms on Matrix Manifolds, section 3.6

    Examples
    --------
    The gradient of a^T X b among symmetric matrices:

    >>> import numpy as np, fastbs as fb
    >>> a, b, X = np.array([1.0, 0.0]), np.array([0.0, 2.0]), np.eye(2)
    >>> T = fb.manifolds.Symmetric(X)
    >>> T @ fb.grad(lambda X: a @ X @ b)(X)
    array([[0., 1.],
           [1., 0.]])
    """

    fields = ()
    options = ("shape_in",)

    def __init__(self, X, symbol="sym"):
        X = as_matrix(X, "Symmetric: X")
        if X.shape[0] != X.shape[1]:
            raise ShapeError(f"Symmetric: X must be square because it is symmetric; got {tuple(X.shape)}")
        self._set(X=X, name=symbol, shape_in=tuple(X.shape), shape_out=tuple(X.shape))

    def apply(self, V):
        return 0.5 * V + 0.5 * np.matrix_transpose(V)

    def adjoint(self):
        return self

    transposed = adjoint

    def retract(self, V):
        """X + V, symmetric as X and V are."""
        return self.X + V

    def _because(self):
        return f"X is {tuple(self.X.shape)}"
