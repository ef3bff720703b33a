"""`backslash` and `factorize` for everything that can stand on their left."""

import numpy as np

from ..arguments import as_array, is_array, is_sparse
from ..blocks import BlockMatrix
from ..errors import DtypeError, ShapeError, StructureError
from ..graph import Graph
from ..operator import Operator, explicit
from ..operators import Left
from .elements import are_plain, elements_of, solve_elements
from .numeric import triangular_inverse

__all__ = ["backslash", "factorize"]


def backslash(A, b):
    """Solve A x = b; MATLAB's ``A \\ b``.

    Gradients are one backslash: ``D.H @ backslash((I - L).H, g)``.

    Parameters
    ----------
    A : block matrix, operator, nested list, or array
        Diagonal, bidiagonal, lower or upper triangular. A nested list or object array holds elements of any
        kind: numbers, fractions, symbols, matrices, operators, or objects of your own with ``@`` (or ``*``),
        ``solve`` (or ``/``) and ``H`` (or ``conj().T``); None and the number 0 are zero. A numeric array or
        SciPy sparse array is a system of numbers. A `Graph` stands for I - Lt.
    b : block vector, block matrix, operator, or array
        A block vector is a list with one entry a block row, None for zero, or an array with the entries along its
        first axis. With a block matrix or operator the result is lazy: applying it costs one product and one solve.

    Returns
    -------
    x
        As `b`: a list for a block vector, an array for an array, otherwise a lazy product.

    Raises
    ------
    StructureError
        If A is not triangular; SingularError if a pivot or diagonal block is exactly singular; ShapeError if
        shapes do not fit. All name the block.

    Notes
    -----
    Costs one product an element off the diagonal and one solve a row. Diagonal blocks that are not the
    identity are factorized at each call; `factorize` keeps the factors. Source: paper, section 3.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> W = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> I_L = fb.Bidiagonal([fb.Identity()] * 2, [-fb.Left(W)])
    >>> fb.backslash(I_L, [np.array([1.0, 2.0]), None])
    [array([1., 2.]), array([2., 1.])]
    >>> from fractions import Fraction
    >>> fb.backslash([[2, 0], [1, Fraction(1, 3)]], [1, 1])
    [0.5, 1.5]
    """
    if isinstance(A, (Operator, Graph)):
        return A.solve(b)
    if isinstance(A, (list, tuple)) or (isinstance(A, np.ndarray) and A.dtype == object):
        rows = elements_of(A)
        if are_plain(rows) and not isinstance(b, Operator):
            return solve_elements(rows, b)
        return BlockMatrix(rows).solve(b)
    if is_sparse(A) or is_array(A):
        if isinstance(b, Operator) and b.precedence:  # blocks on the right: A's elements are blocks too
            return BlockMatrix((A.toarray() if is_sparse(A) else A).tolist()).solve(b)
        inverse = triangular_inverse(A, "backslash: A")
        return Left.of_inverse(inverse) @ b if isinstance(b, Operator) else inverse @ numeric_vector(b, A.shape[0])
    raise TypeError(
        f"backslash: A must be a block matrix, an operator, a nested list or an array because its elements are "
        f"solved with; got {type(A).__name__}"
    )


def numeric_vector(b, n):
    """The right side of a system of numbers as an array with n rows."""
    b = as_array(b, "backslash: b")
    if b.ndim == 0 or len(b) != n:
        raise ShapeError(f"backslash: b must have {n} rows because A has; got shape {b.shape}")
    if b.dtype == object and any(entry is None for entry in b.flat):
        raise DtypeError("backslash: b must be numeric because A is an array of numbers; got None, write 0")
    return b


def factorize(A, invert=False):
    """Prepare A for many solves: structure and diagonal blocks are dealt with once.

    Parameters
    ----------
    A : block matrix, operator, array, as for `backslash`, or Graph, whose edges are sorted for near caches
    invert : bool
        Keep explicit inverses of matrix blocks instead of their factors: faster to apply, and accurate only
        for well-conditioned blocks (the backward error grows with their condition number).

    Returns
    -------
    object with ``solve(b)`` and ``H`` (and ``T``), whose ``solve`` solves with the adjoint
        A snapshot of the diagonal blocks; other blocks are kept by reference.

    Notes
    -----
    A solve costs the flops of the blocks, one product each: 4 n^3 for ``Kronecker(A, C)`` of n x n on n x n. Solves
    that come again, with entries of the same dtype, shapes and memory order, run as one tape without Python between
    the blocks, if the built-in operators are all there is. For long systems of small blocks give ``solve`` an array
    ``(N, *shape)`` and get one back, new or in `out`: 1,000 new arrays take longer than 1,000 products of 4 x 4
    matrices.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> solver = fb.factorize(fb.Left(np.array([[2.0, 0.0], [1.0, 1.0]])))
    >>> solver.solve(np.array([2.0, 3.0]))
    array([1., 2.])
    >>> solver.H.solve(np.array([2.0, 3.0]))
    array([-0.5,  3. ])
    """
    if isinstance(A, (list, tuple)) or (isinstance(A, np.ndarray) and A.dtype == object):
        A = BlockMatrix(elements_of(A))
    elif not isinstance(A, Operator) and (is_sparse(A) or is_array(A)):
        A = Left(A)
    if isinstance(A, Graph):
        return A.planned()
    if isinstance(A, BlockMatrix):
        inverse = A.inverse()
        return inverse.with_explicit_inverses() if invert else inverse
    if not isinstance(A, Operator):
        raise StructureError(
            f"factorize: A must be a block matrix, an operator or an array because it is solved with; got "
            f"{type(A).__name__}"
        )
    inverse = A.inverse()
    return Solver(explicit(inverse) if invert else inverse)


class Solver:
    """``solve(b) = A^-1 b`` with a kept inverse; ``H`` and ``T`` solve with the adjoint and the transpose."""

    def __init__(self, inverse):
        self.inverse = inverse

    def solve(self, b):
        if isinstance(b, (list, tuple)) and not self.inverse.takes(b):
            b = np.asarray(b)
        return self.inverse @ b

    @property
    def H(self):
        return Solver(self.inverse.H)

    @property
    def T(self):
        return Solver(self.inverse.T)
