"""Matrices of orthonormal columns: V -> V - X (X^T V + V^T X) / 2."""

import numpy as np

from ..arguments import as_matrix
from ..errors import DtypeError, ShapeError, StructureError
from ..operator import Operator

__all__ = ["Stiefel"]


class Stiefel(Operator):
    """V -> V - X (X^T V + V^T X) / 2, the orthogonal projection onto the tangents of X^T X = I at X.

    With one column the manifold is the sphere, with n columns the orthogonal group.

    Parameters
    ----------
    X : (n, p) real array of orthonormal columns, kept by reference
        The point.
    symbol : str, optional
        How pictures name the projection.

    Maps      (n, p) -> (n, p)
    Adjoint   itself
    Cost      4 n p^2 flops; two (p, p) scratch blocks
    Raises    ShapeError if X has more columns than rows, StructureError if they are not orthonormal to half of the
              digits, DtypeError if X is not real floating point
    Source    Edelman, Arias, Smith, SIAM J. Matrix Anal. Appl. 20(2), 1998, equation 2.4

    Examples
    --------
    The gradient of the Rayleigh quotient on the sphere is zero at an eigenvector:

    >>> import numpy as np, fastbs as fb
    >>> A, X = np.diag([1.0, 2.0]), np.array([[0.0], [1.0]])
    >>> T = fb.manifolds.Stiefel(X)
    >>> T @ fb.grad(lambda X: np.trace(X.T @ A @ X))(X)
    array([[0.],
           [0.]])
    >>> T.retract(np.array([[0.75], [0.0]]))
    array([[0.6],
           [0.8]])
    """

    fields = ("X",)

    def __init__(self, X, symbol="P"):
        X = as_matrix(X, "Stiefel: X")
        if X.shape[0] < X.shape[1]:
            raise ShapeError(
                f"Stiefel: X must have at least as many rows as columns because these are orthonormal; "
                f"got {tuple(X.shape)}"
            )
        if np.dtype(X.dtype).kind != "f":
            raise DtypeError(f"Stiefel: X must be real floating point; got {X.dtype}")
        if isinstance(X, np.ndarray):
            error = np.abs(X.T @ X - np.eye(X.shape[1], dtype=X.dtype)).max(initial=0)
            if not error <= np.sqrt(np.finfo(X.dtype).eps):
                raise StructureError(
                    f"Stiefel: X must have orthonormal columns because the projection is made of them; got X^T X "
                    f"{error:.1e} from I, pass np.linalg.qr(X)[0]"
                )
        self._set(X=X, name=symbol, shape_in=tuple(X.shape), shape_out=tuple(X.shape))

    def apply(self, V):
        S = np.matrix_transpose(self.X) @ V
        return V - self.X @ (0.5 * (S + np.matrix_transpose(S)))

    def adjoint(self):
        return self

    transposed = adjoint

    def retract(self, V):
        """The Q of ``X + V = Q R`` with R's diagonal positive: to first order X + V for a tangent V."""
        Q, R = np.linalg.qr(self.X + V)
        return Q * np.where(np.diagonal(R) < 0, -1, 1).astype(Q.dtype)

    def _because(self):
        return f"X is {tuple(self.X.shape)}"
