"""Maps of block vectors that are applied, never expanded: products with inverses."""

import operator
from itertools import pairwise

import numpy as np

from ..arguments import is_array
from ..errors import ShapeError
from ..operator import Operator
from ..operators import Identity
from ..values import scale
from .entry import is_multiple_of_identity
from .flat import as_scipy, to_dense
from .vector import block_vector, like

__all__ = ["BlockMap", "LazyProduct", "block_index"]


def block_index(k, n, where):
    """An index of one of n blocks, negative ones counted from the end."""
    try:
        k = operator.index(k)
    except TypeError:
        raise IndexError(f"{where}: a block index must be an integer; got {k!r}") from None
    if n is not None and not -n <= k < n:
        raise IndexError(f"{where}: block index {k} is out of range for {n} blocks")
    return k if n is None else k % n


class BlockMap(Operator):
    """The base of what maps block vectors and has no blocks to look at: its entries are operators all the same.

    ``A[i, j]`` maps entry j of a block vector to entry i of the result, at the cost of applying A.
    """

    precedence = 2
    as_scipy = as_scipy
    to_dense = to_dense

    def takes(self, X):
        return isinstance(X, (list, tuple))

    def _matmul(self, X):
        if isinstance(X, Identity):
            return self
        if isinstance(X, Operator):
            return LazyProduct((*factors_of(self), *factors_of(X)))
        return like(X, self.apply(block_vector(X, self.shape[1], f"{self.where}: b")))

    def __rmatmul__(self, other):
        if isinstance(other, Identity):
            return self
        if isinstance(other, Operator):
            return LazyProduct((*factors_of(other), *factors_of(self)))
        return super().__rmatmul__(other)

    def _find_tape(self, X, out):
        return None

    def __getitem__(self, index):
        if not isinstance(index, tuple) or len(index) != 2:
            raise IndexError(f"{type(self).__name__}: two indices are needed, A[i, j]; got {index!r}")
        return Entry(self, *(block_index(k, n, type(self).__name__) for k, n in zip(index, self.shape, strict=True)))

    @property
    def where(self):
        """How messages name the call."""
        return f"{type(self).__name__}.__matmul__"


def factors_of(op):
    return op.factors if isinstance(op, LazyProduct) else (op,)


def shape_of(op):
    """Block rows and columns, None where unknown, as for a user's own operator on block vectors."""
    return getattr(op, "shape", (None, None))


class LazyProduct(BlockMap):
    """A product of block matrices and inverses that is applied factor by factor.

    Expanded, ``(I - L)^-1 D`` would hold a sum over all paths, which grows like Fibonacci numbers with skip
    edges; applying it costs one product and one solve.

    Parameters
    ----------
    factors : sequence of block matrices, factorizations, and operators on block vectors

    Adjoint   the product of the adjoints in reverse order
    Cost      the factors' costs

    Examples
    --------
    >>> import fastbs as fb
    >>> L = fb.Bidiagonal([None] * 3, [2, 3])
    >>> J = fb.backslash(fb.Identity() - L, fb.Diagonal([1, 1, 1]))
    >>> J @ [1.0, 0.0, 0.0]
    [1.0, 2.0, 6.0]
    >>> J.H @ [0.0, 0.0, 1.0]
    [6.0, 3.0, 1.0]
    >>> J[2, 0] @ 1.0
    6.0
    """

    def __init__(self, factors):
        rows, columns = shape_of(factors[0])
        for left, right in pairwise(factors):
            n, (m, last) = columns, shape_of(right)
            if None not in (n, m) and n != m:
                raise ShapeError(
                    f"LazyProduct: the right factor must have {n} block rows because the left one, a "
                    f"{type(left).__name__}, has as many block columns; got {m}"
                )
            # a multiple of the identity passes the number on
            columns = n if is_multiple_of_identity(right) else last
            rows = m if rows is None and is_multiple_of_identity(left) else rows
        self._set(factors=tuple(factors), shape=(rows, columns))

    def _matmul(self, X):
        if self.shape[1] is None and not isinstance(X, Operator):
            return self.apply(X)
        return super()._matmul(X)

    def apply(self, v):
        for factor in reversed(self.factors):
            v = factor @ v
        return v

    def adjoint(self):
        return LazyProduct(tuple(factor.H for factor in reversed(self.factors)))

    def transposed(self):
        return LazyProduct(tuple(factor.T for factor in reversed(self.factors)))

    def inverse(self):
        return LazyProduct(tuple(factor.inverse() for factor in reversed(self.factors)))

    def row_shape(self, i):
        """The shape of entry i of a result as far as blocks tell it."""
        return self.factors[0].row_shape(i) if hasattr(self.factors[0], "row_shape") else None

    @property
    def symbol(self):
        return " ".join(factor.symbol for factor in self.factors)


class Entry(Operator):
    """One block of a map of block vectors: x -> (A (e_j x))_i, at the cost of applying it once."""

    def __init__(self, product, i, j):
        self._set(product=product, i=i, j=j)

    def takes(self, X):
        return True

    def apply(self, x):
        v = [None] * self.product.shape[1]
        v[self.j] = x
        y = (self.product @ v)[self.i]
        return self._zero(x) if y is None else y

    def _zero(self, x):
        # no path leads from j to i
        shape = self.product.row_shape(self.i)
        if shape is None or not is_array(x):
            return scale(0, x[0] if isinstance(x, (list, tuple)) and x else x)
        free = np.shape(x)[-len(shape) :] if shape else ()
        return np.zeros([n if n is not None else free[k] for k, n in enumerate(shape)], x.dtype)

    def adjoint(self):
        return Entry(self.product.H, self.j, self.i)

    def transposed(self):
        return Entry(self.product.T, self.j, self.i)

    @property
    def symbol(self):
        return f"({self.product.symbol})[{self.i}, {self.j}]"
