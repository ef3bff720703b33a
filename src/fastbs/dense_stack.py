"""Block triangles of one array (N, N), read in place: what `Triangular.from_arrays` holds and solves with.

If the diagonal blocks are triangles of the same side, the array is an ordinary triangle and one kernel solves with it;
else block rows go one by one, ``x_i = D_i \\ (b_i - A[i, :i] x[:i])``.
"""

import operator

import numpy as np

from ._trace import Traced
from .block_rows import BlockRows
from .errors import ShapeError, SingularError
from .stack import DIAGONALS, TRANSPOSED, TRIANGLES, Stack, check_kind, kernel_array

__all__ = ["DenseStack"]


class DenseStack(BlockRows):
    """The block triangle of an array.

    Parameters
    ----------
    A : (N, N) array, kept by reference; may be traced
    sizes : list of int, of the blocks
    upper : bool
    kind : {"unit", "general", "lower", "upper", "spd", "inverse"}
        What the diagonal blocks are; of "unit" ones nothing is read.
    where : str
    conj : bool
        Whether A acts conjugated.
    kept : list of Stack, optional
        Factors of the diagonal blocks.
    """

    def __init__(self, A, sizes, upper, kind, where, conj=False, kept=None):
        self.A, self.upper, self.kind, self.where, self.conj = A, upper, kind, where, conj
        self._size(sizes)
        self.dtype = np.dtype(A.dtype)
        self.kept = kept
        self.is_traced = type(A) is Traced
        self.whole = None
        if kind == ("upper" if upper else "lower") and not self.is_traced:
            self.whole = Stack(A[None], None, upper, kind, where)

    @classmethod
    def of_array(cls, A, block, upper, kind, where):
        A = kernel_array(A, f"{where}: A")
        sizes = sizes_of(A, block, where)
        check_kind(kind, where, ("unit", *DIAGONALS))
        if kind == "general" and max(sizes, default=0) <= 1:
            kind = "upper" if upper else "lower"  # a number is its own factor
        return cls(A, sizes, upper, kind, where)

    def __reduce__(self):
        return DenseStack, (self.A, self.sizes, self.upper, self.kind, self.where, self.conj, self.kept)

    @property
    def elements(self):
        return self.A.size // 2

    def conjugated(self):
        if self.dtype.kind != "c":
            return self
        return DenseStack(self.A, self.sizes, self.upper, self.kind, self.where, not self.conj, self.kept)

    @property
    def T(self):
        kept = None
        if self.kept is not None or self.kind == "spd":
            kept = [self.diagonal_block(i).T for i in range(self.n)]
        # the lower triangle of the transpose of a positive definite block is the upper one, which nobody promised
        kind = TRANSPOSED.get(self.kind, self.kind)
        return DenseStack(self.A.T, self.sizes, not self.upper, kind, self.where, self.conj, kept)

    @property
    def H(self):
        return self.T.conjugated()

    def block(self, i, j):
        return self.A[self.rows(i), self.rows(j)]

    def blocks(self):
        """``{(i, j): array}`` of all blocks; None stands for the identity."""
        held = np.conjugate if self.conj else np.asarray
        own = TRIANGLES.get(self.kind, np.asarray)
        found = {(i, i): None if self.kind == "unit" else held(own(self.block(i, i))) for i in range(self.n)}
        for i in range(self.n):
            for j in range(i + 1, self.n) if self.upper else range(i):
                found[i, j] = held(self.block(i, j))
        return found

    def couplings(self, i):
        j, k = (i + 1, self.n) if self.upper else (0, i)
        if j < k:
            yield j, k, self.A[self.rows(i), self.starts[j] : self.starts[k]]

    def diagonal_block(self, i):
        if self.kind == "unit":
            return None
        return Stack(self.block(i, i)[None], None, False, self.kind, self.where) if self.kept is None else self.kept[i]

    def run(self, b, out=None, multiply=False):
        """The solution where the array is one triangle and kernels take b as it is; else None."""
        if self.whole is None or self.conj or multiply or b.ndim > 2 or len(b) != len(self.A):
            return None
        try:
            return self.whole.run(b, out)
        except SingularError:
            at = int(np.flatnonzero(np.diagonal(self.A) == 0)[0])
            i = next(i for i in range(self.n) if at < self.starts[i + 1])
            raise SingularError(
                f"{self.where}.solve: block ({i}, {i}) must be nonsingular because it is solved with; got a zero pivot"
            ) from None

    def as_dtype(self, dtype):
        if self.dtype == dtype:
            return self
        kept = None if self.kept is None else [D.as_dtype(dtype) for D in self.kept]
        return DenseStack(self.A.astype(dtype), self.sizes, self.upper, self.kind, self.where, self.conj, kept)

    def logdet(self):
        return super().logdet() if self.whole is None or self.conj else self.whole.logdet()

    def factorized(self):
        if self.whole is not None or self.kind == "unit":
            return self
        return DenseStack(self.A, self.sizes, self.upper, self.kind, self.where, self.conj, self._kept("factorized"))

    def inverted(self):
        if self.kind == "unit":
            return self
        return DenseStack(self.A, self.sizes, self.upper, "inverse", self.where, self.conj, self._kept("inverted"))


def sizes_of(A, block, where):
    """The sizes of the blocks of an array: all the same, or listed."""
    if A.ndim != 2 or A.shape[0] != A.shape[1]:
        raise ShapeError(f"{where}: A must be (N m, N m) because it is solved with; got {A.shape}")
    n = A.shape[0]
    if isinstance(block, (list, tuple, np.ndarray)):
        sizes = [operator.index(m) for m in block]
        if min(sizes, default=0) < 0 or sum(sizes) != n:
            raise ShapeError(
                f"{where}: block must be sizes from 0 on that add up to {n} because A is {A.shape}; got "
                f"{sum(sizes)} in all, the least {min(sizes, default=0)}"
            )
        return sizes
    m = operator.index(block)
    if m < 1 or n % m:
        raise ShapeError(f"{where}: A must be (N m, N m) because blocks are {m} x {m}; got {A.shape}")
    return [m] * (n // m)
