"""X -> B X."""

from ..arguments import as_matrix
from .arrayoperator import ArrayOperator
from .matrix import factored, inverse_name, left_product, transposed_name

__all__ = ["Left"]


class Left(ArrayOperator):
    """X -> B X; its matrix on ``vec(X)`` is kron(I, B).

    Parameters
    ----------
    B : (p, m) array or SciPy sparse array, kept by reference
    symbol : str, optional
        How pictures name B.

    Maps      (m, n) -> (p, n), also vectors (m,) -> (p,) without a stack
    Adjoint   Y -> B^H Y, again a Left
    Inverse   by LU, or triangular solves where B is triangular
    Cost      2 p m n flops, no scratch
    Raises    ShapeError if X does not have m rows
    Source    paper, section 2: the operator B_L

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.Left(np.array([[1.0, 2.0]])) @ np.eye(2)
    array([[1., 2.]])
    """

    fields = ("B",)

    def __init__(self, B, symbol="B"):
        self._hold(as_matrix(B, "Left: B"), symbol)

    def _hold(self, B, name):
        p, m = B.shape
        self._set(B=B, name=name, shape_in=(m, None), shape_out=(p, None))
        return self

    @classmethod
    def of_inverse(cls, inverse):
        """Left of something that multiplies like a matrix."""
        return cls.__new__(cls)._hold(inverse, "B⁻¹")

    def apply(self, X):
        return left_product(self.held(self.B), X)

    def transposed(self):
        return self.replace()._hold(self.B.T, transposed_name(self.name))

    def inverse(self):
        return self.replace()._hold(factored(self.B, "Left.inv: B"), inverse_name(self.name))

    def shapes_at(self, rank):
        p, m = self.B.shape
        return ((m,), (p,)) if rank == 1 else (self.shape_in, self.shape_out)

    def _because(self):
        return f"B is {tuple(self.B.shape)}"

    @property
    def symbol(self):
        return self.held_name + "ₗ"
