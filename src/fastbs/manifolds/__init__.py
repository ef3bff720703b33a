"""Sets of structured matrices: the projection onto their tangents as an operator, and the way back onto them.

The gradient of f along a manifold is the projection of its gradient, ``T @ fb.grad(f)(X)`` with ``T = Stiefel(X)``,
and ``T.retract(-t * (T @ g))`` is the next point of a descent.
"""

from .stiefel import Stiefel
from .symmetric import Symmetric
from .triangular import Triangular

__all__ = ["Stiefel", "Symmetric", "Triangular"]
