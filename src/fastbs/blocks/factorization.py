"""A triangular block matrix ready to be solved with, and lazy products with it."""

from itertools import pairwise

from ..backslash import Arithmetic, substitute
from ..errors import ShapeError, SingularError, StructureError
from ..operator import Operator, explicit
from ..operators import Identity
from ..values import subtract
from .entry import adjoint_of
from .vector import block_vector

__all__ = ["Factorization", "LazyProduct"]


class Factorization(Operator):
    """b -> A^-1 b for a square triangular block matrix A: its diagonal blocks are inverted once.

    Parameters
    ----------
    A : BlockMatrix, kept by reference except its diagonal blocks, of which the inverses are a snapshot

    Adjoint   b -> A^-H b, by back substitution with the same inverses
    Cost      a solve: one product a block off the diagonal, one a diagonal block that is not the identity
    Raises    StructureError if A is not triangular, SingularError if a diagonal block is singular; both name
              the block
    """

    precedence = 2

    def __init__(self, A, inverses=None):
        if A.shape[0] != A.shape[1]:
            raise ShapeError(
                f"{type(A).__name__}.solve: A must be square because it is inverted; got {A.shape[0]} x "
                f"{A.shape[1]} blocks"
            )
        if A.uplo is None:
            lower, upper = (
                next(at for at, _ in A.items() if (at[0] > at[1]) is side and at[0] != at[1]) for side in (True, False)
            )
            raise StructureError(
                f"{type(A).__name__}.solve: A must be triangular because it is solved by substitution; got blocks "
                f"{lower} and {upper}"
            )
        off = [[(j, (i, j, block)) for j, block in row if j != i] for i, row in enumerate(A.rows)]
        if inverses is None:
            inverses = [inverse_of(A, i) for i in range(A.shape[0])]
        self._set(matrix=A, off=off, inverses=inverses, shape=A.shape, is_upper=A.uplo == "U")

    def solve(self, b):
        """The block vector x with A x = b; a block matrix b gives a lazy one.

        Parameters
        ----------
        b : list with one entry a block row, None for zero; or a block matrix
        """
        return self @ b

    def takes(self, X):
        return isinstance(X, (list, tuple))

    def _matmul(self, b):
        if isinstance(b, Operator):
            return NotImplemented if b.precedence > self.precedence else LazyProduct((self, b))
        return self.apply(block_vector(b, self.shape[0], f"{type(self.matrix).__name__}.solve: b"))

    def _find_tape(self, X, out):
        return None

    def apply(self, b):
        at = None  # the block that is being used, for messages

        def multiply(located, x):
            nonlocal at
            *at, block = located
            return block @ x

        def solve(located, r):
            nonlocal at
            i, inverse = located
            at = [i, i]
            return r if inverse is None else inverse @ r

        arithmetic = Arithmetic(multiply, subtract, solve, adjoint_of)
        try:
            return substitute(self.off, list(enumerate(self.inverses)), b, arithmetic, self.is_upper)
        except ShapeError as error:
            i, j = at
            raise ShapeError(f"{type(self.matrix).__name__}.solve: block ({i}, {j}) and entry {j}: {error}") from error

    def with_explicit_inverses(self):
        """The same with arrays in place of the factors of the diagonal blocks."""
        inverses = [explicit(inverse) if isinstance(inverse, Operator) else inverse for inverse in self.inverses]
        return Factorization(self.matrix, inverses)

    def adjoint(self):
        inverses = [None if inverse is None else adjoint_of(inverse) for inverse in self.inverses]
        return Factorization(self.matrix.H, inverses)

    def transposed(self):
        inverses = [None if inverse is None else inverse.T for inverse in self.inverses]
        return Factorization(self.matrix.T, inverses)

    def inverse(self):
        return self.matrix

    @property
    def symbol(self):
        return f"{self.matrix.symbol}⁻¹"


def inverse_of(A, i):
    """The inverse of diagonal block i, None for the identity; errors name the block."""
    block = A[i, i]
    where = f"{type(A).__name__}.solve: block ({i}, {i})"
    if block is None:
        raise SingularError(f"{where} must be nonsingular because it is solved with; got a zero block")
    if isinstance(block, Identity):
        return None
    if not isinstance(block, Operator):
        return SolvedWith(block)
    try:
        return block.inverse()
    except (ShapeError, SingularError, StructureError) as error:
        raise type(error)(f"{where}: {error}") from error


class SolvedWith:
    """The inverse of a user's own element that has `solve`."""

    def __init__(self, element):
        self.element = element

    def __matmul__(self, r):
        return self.element.solve(r)

    @property
    def H(self):
        return SolvedWith(adjoint_of(self.element))


class LazyProduct(Operator):
    """A product of block matrices and inverses that is applied factor by factor, never expanded.

    Expanded, ``(I - L)^-1 D`` would hold a sum over all paths, which grows like Fibonacci numbers with skip
    edges; applying it costs one product and one solve.

    Parameters
    ----------
    factors : sequence of block matrices, factorizations, and operators on block vectors

    Adjoint   the product of the adjoints in reverse order
    Cost      the factors' costs; an entry ``[i, j]`` costs the same

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

    precedence = 3

    def __init__(self, factors):
        for left, right in pairwise(factors):
            if None not in (left.shape[1], shape(right)[0]) and left.shape[1] != right.shape[0]:
                raise ShapeError(
                    f"LazyProduct: the right factor must have {left.shape[1]} block rows because the left one has "
                    f"as many block columns; got {right.shape[0]}"
                )
        self._set(factors=tuple(factors), shape=(shape(factors[0])[0], shape(factors[-1])[1]))

    def takes(self, X):
        return isinstance(X, (list, tuple))

    def _matmul(self, X):
        if isinstance(X, Identity):
            return self
        if isinstance(X, Operator):
            return LazyProduct((*self.factors, *(X.factors if isinstance(X, LazyProduct) else (X,))))
        return self.apply(X)

    def __rmatmul__(self, other):
        if isinstance(other, Identity):
            return self
        return LazyProduct((other, *self.factors)) if isinstance(other, Operator) else super().__rmatmul__(other)

    def _find_tape(self, X, out):
        return None

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

    def __getitem__(self, index):
        i, j = index
        for k, n in zip(index, self.shape, strict=True):
            if n is not None and not -n <= k < n:
                raise IndexError(f"LazyProduct: block index {k} is out of range for {n} blocks")
        return Entry(self, i, j)

    @property
    def symbol(self):
        return " ".join(factor.symbol for factor in self.factors)


def shape(factor):
    return getattr(factor, "shape", (None, None))


class Entry(Operator):
    """One block of a lazy product: x -> (A (e_j x))_i, at the cost of applying it once."""

    def __init__(self, product, i, j):
        self._set(product=product, i=i, j=j)

    def takes(self, X):
        return True

    def apply(self, x):
        v = [None] * self.product.shape[1]
        v[self.j] = x
        y = (self.product @ v)[self.i]
        return 0 * x if y is None else y

    def adjoint(self):
        return Entry(self.product.H, self.j, self.i)

    def transposed(self):
        return Entry(self.product.T, self.j, self.i)

    @property
    def symbol(self):
        return f"({self.product.symbol})[{self.i}, {self.j}]"
