"""Bidiagonal and diagonal matrices of blocks of many sizes, in lists of arrays, each read in place."""

import numpy as np

from ._trace import Traced
from .arguments import is_array
from .block_rows import BlockRows
from .errors import ShapeError
from .stack import Stack, check_kind, kernel_array

__all__ = ["ListStack", "is_listed"]


def is_listed(*given):
    """Whether blocks come as lists of matrices of several shapes, or one of the lists is empty."""
    lists = [x for x in given if x is not None]
    if not lists or not all(isinstance(x, (list, tuple)) for x in lists):
        return False
    try:
        shapes = {tuple(block.shape) if is_array(block) else np.shape(block) for x in lists for block in x}
    except ValueError:  # one is ragged, and will be refused by its name
        return True
    if shapes and not all(lists):  # one block, and none beside it
        return True
    return len(shapes) > 1 or any(len(set(shape)) > 1 for shape in shapes)


class ListStack(BlockRows):
    """A diagonal and, if at all, one neighbour of it.

    Parameters
    ----------
    on : list of Stack
        The diagonal blocks, each a Stack of one; None for the identity.
    off : list of arrays, or None for a diagonal matrix
        ``off[i]`` is block (i + 1, i), or (i, i + 1) if upper.
    sizes : list of int
    upper, kind, where, conj
        As in `BlockRows`.
    """

    def __init__(self, on, off, sizes, upper, kind, where, conj=False):
        self.on, self.off, self.upper, self.kind, self.where, self.conj = on, off, upper, kind, where, conj
        self._size(sizes)
        arrays = [D.diag for D in on if D is not None] + list(off or ())
        self.dtype = np.result_type(*(x.dtype for x in arrays))
        self.is_traced = any(type(x) is Traced for x in arrays)

    @classmethod
    def of_lists(cls, diag, off, upper, kind, where):
        check_kind(kind, where)
        beside = None if off is None else [kernel_array(x, f"{where}: off[{i}]") for i, x in enumerate(off)]
        on = None if diag is None else [kernel_array(x, f"{where}: diag[{i}]") for i, x in enumerate(diag)]
        for name, blocks in (("diag", on), ("off", beside)):
            for i, X in enumerate(blocks or ()):
                if X.ndim != 2 or (name == "diag" and X.shape[0] != X.shape[1]):
                    needed = "a square matrix" if name == "diag" else "a matrix"
                    raise ShapeError(f"{where}: {name}[{i}] must be {needed} because it is a block; got {X.shape}")
        if on is None:
            first = [X.shape[0] if upper else X.shape[1] for X in beside]
            sizes = [*first, beside[-1].shape[1] if upper else beside[-1].shape[0]]
        else:
            sizes = [X.shape[0] for X in on]
        if beside is not None and len(beside) != len(sizes) - 1:
            raise ShapeError(
                f"{where}: off must have {len(sizes) - 1} blocks because diag has {len(sizes)}; got {len(beside)}"
            )
        for i, X in enumerate(beside or ()):
            expected = (sizes[i], sizes[i + 1]) if upper else (sizes[i + 1], sizes[i])
            if X.shape != expected:
                raise ShapeError(
                    f"{where}: off[{i}] must be {expected} because its neighbours on the diagonal have {sizes[i]} and "
                    f"{sizes[i + 1]} rows; got {X.shape}"
                )
        dtype = np.result_type(*(x.dtype for x in (*(on or ()), *(beside or ()))))
        on, beside = (None if x is None else [as_type(X, dtype) for X in x] for x in (on, beside))
        stacks = [None] * len(sizes) if on is None else [Stack(X[None], None, False, kind, where) for X in on]
        return cls(stacks, beside, sizes, upper, "unit" if on is None else kind, where)

    def __reduce__(self):
        return ListStack, (self.on, self.off, self.sizes, self.upper, self.kind, self.where, self.conj)

    @property
    def elements(self):
        return sum(m * m for m in self.sizes) + sum(X.size for X in self.off or ())

    def conjugated(self):
        if self.dtype.kind != "c":
            return self
        return ListStack(self.on, self.off, self.sizes, self.upper, self.kind, self.where, not self.conj)

    @property
    def T(self):
        on = [None if D is None else D.T for D in self.on]
        off = None if self.off is None else [X.T for X in self.off]
        return ListStack(on, off, self.sizes, not self.upper, self.kind, self.where, self.conj)

    @property
    def H(self):
        return self.T.conjugated()

    def blocks(self):
        """``{(i, j): array}`` of all blocks; None stands for the identity."""
        held = np.conjugate if self.conj else np.asarray
        found = {(i, i): None if D is None else held(D.blocks()[0, 0]) for i, D in enumerate(self.on)}
        for i, X in enumerate(self.off or ()):
            found[(i, i + 1) if self.upper else (i + 1, i)] = held(X)
        return found

    def couplings(self, i):
        j, at = (i + 1, i) if self.upper else (i - 1, i - 1)
        if self.off is not None and 0 <= j < self.n:
            yield j, j + 1, self.off[at]

    def diagonal_block(self, i):
        return self.on[i]

    def _block_product(self, i, D, x):
        return D.multiply(x)

    def as_dtype(self, dtype):
        if self.dtype == dtype:
            return self
        on = [None if D is None else D.as_dtype(dtype) for D in self.on]
        off = None if self.off is None else [as_type(X, dtype) for X in self.off]
        return ListStack(on, off, self.sizes, self.upper, self.kind, self.where, self.conj)

    def factorized(self):
        return ListStack(self._kept("factorized"), self.off, self.sizes, self.upper, self.kind, self.where, self.conj)

    def inverted(self):
        return ListStack(self._kept("inverted"), self.off, self.sizes, self.upper, self.kind, self.where, self.conj)


def as_type(X, dtype):
    return X if X.dtype == dtype else X.astype(dtype)
