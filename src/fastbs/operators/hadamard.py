"""X -> M * X, elementwise."""

import numpy as np

from ..arguments import as_array
from ..errors import SingularError
from .arrayoperator import ArrayOperator

__all__ = ["Hadamard"]


class Hadamard(ArrayOperator):
    """X -> M * X, elementwise; its matrix on ``vec(X)`` is diag(vec M).

    Parameters
    ----------
    M : array of the shape of X, kept by reference
    symbol : str, optional
        How pictures name M.

    Maps      the shape of M to itself
    Adjoint   Y -> conj(M) * Y, again a Hadamard
    Inverse   Y -> Y / M, from a copy of M
    Cost      one flop an element, no scratch
    Raises    ShapeError if X does not have the shape of M
    Source    paper, section 2: the operator M_H

    ``Hadamard(M) @ Hadamard(N)`` is ``Hadamard(M * N)``, formed at once.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.Hadamard(np.array([1.0, 2.0])) @ np.array([3.0, 4.0])
    array([3., 8.])
    """

    fields = ("M",)
    options = ("conj", "inverted")
    inverted = False

    def __init__(self, M, symbol="M"):
        M = as_array(M, "Hadamard: M")
        self._set(M=M, name=symbol, shape_in=tuple(M.shape), shape_out=tuple(M.shape))

    def apply(self, X):
        M = self.held(self.M)
        return X / M if self.inverted else M * X

    def transposed(self):
        return self

    def inverse(self):
        if self.inverted:
            return self.replace(inverted=False)
        zeros = np.argwhere(self.M == 0) if isinstance(self.M, np.ndarray) else ()
        if len(zeros):
            raise SingularError(
                f"Hadamard.inv: M must be nonzero because it is divided by; got M{zeros[0].tolist()} = 0"
            )
        M = self.M.copy() if isinstance(self.M, np.ndarray) else self.M
        return self.replace(M=M, inverted=True)

    def joined(self, inner):
        if isinstance(inner, Hadamard) and not self.inverted and not inner.inverted:
            return Hadamard(self.held(self.M) * inner.held(inner.M), self.name)
        return None

    def _because(self):
        return f"M is {tuple(self.M.shape)}"

    @property
    def symbol(self):
        return self.held_name + ("ₕ⁻¹" if self.inverted else "ₕ")
