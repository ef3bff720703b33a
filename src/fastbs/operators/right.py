"""X -> X A."""

from ..arguments import as_matrix
from .arrayoperator import ArrayOperator
from .matrix import factored, inverse_name, right_product, transposed_name

__all__ = ["Right"]


class Right(ArrayOperator):
    """X -> X A; its matrix on ``vec(X)`` is kron(A^T, I).

    Parameters
    ----------
    A : (n, q) array or SciPy sparse array, kept by reference
    symbol : str, optional
        How pictures name A.

    Maps      (m, n) -> (m, q), also vectors (n,) -> (q,) without a stack
    Adjoint   Y -> Y A^H, again a Right
    Inverse   by LU, or triangular solves where A is triangular
    Cost      2 m n q flops, no scratch
    Raises    ShapeError if X does not have n columns
    Source    paper, section 2: the operator A_R

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.Right(np.array([[1.0], [2.0]])) @ np.eye(2)
    array([[1.],
           [2.]])
    """

    fields = ("A",)

    def __init__(self, A, symbol="A"):
        self._hold(as_matrix(A, "Right: A"), symbol)

    def _hold(self, A, name):
        n, q = A.shape
        self._set(A=A, name=name, shape_in=(None, n), shape_out=(None, q))
        return self

    def apply(self, X):
        return right_product(X, self.held(self.A))

    def transposed(self):
        return self.replace()._hold(self.A.T, transposed_name(self.name))

    def inverse(self):
        return self.replace()._hold(factored(self.A, "Right.inv: A"), inverse_name(self.name))

    def shapes_at(self, rank):
        n, q = self.A.shape
        return ((n,), (q,)) if rank == 1 else (self.shape_in, self.shape_out)

    def _because(self):
        return f"A is {tuple(self.A.shape)}"

    @property
    def symbol(self):
        return self.held_name + "ᵣ"
