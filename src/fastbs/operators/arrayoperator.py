"""Operators that hold arrays, which conjugation leaves as they are until they act."""

import numpy as np

from ..arguments import is_array
from ..operator import Operator

__all__ = ["ArrayOperator"]


class ArrayOperator(Operator):
    """The base of operators that hold arrays; the option `conj` says that they act conjugated."""

    options = ("conj",)
    conj = False

    def adjoint(self):
        op = self.transposed()
        return op.replace(conj=not op.conj) if op.is_complex else op

    @property
    def is_complex(self):
        """Whether conjugation changes anything."""
        for name in self.fields or ():
            field = getattr(self, name)
            for held in field if type(field) is tuple else (field,):
                if is_array(held) and np.dtype(held.dtype).kind in "cO":
                    return True
        return False

    def held(self, array):
        """A field as it acts: conjugated or not."""
        if not self.conj:
            return array
        return array.conj() if hasattr(array, "conj") else Conjugate(array)

    @property
    def held_name(self):
        """The name of a field as it acts: Bᵀ conjugated is Bᴴ, B is conj(B)."""
        if not self.conj:
            return self.name
        names = self.name.split("⊗")
        return "⊗".join(name[:-1] + "ᴴ" if name.endswith("ᵀ") else f"conj({name})" for name in names)


class Conjugate:
    """The conjugate of what multiplies like a matrix and has none, such as SciPy's `LinearOperator`."""

    __array_ufunc__ = None
    ndim = 2

    def __init__(self, original):
        self.original, self.shape, self.dtype = original, original.shape, original.dtype

    def __matmul__(self, X):
        return np.conjugate(self.original @ np.conjugate(X))

    def __rmatmul__(self, X):
        return np.conjugate(np.conjugate(X) @ self.original)

    @property
    def T(self):
        return Conjugate(self.original.T)

    def conj(self):
        return self.original
