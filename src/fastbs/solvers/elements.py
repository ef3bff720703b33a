"""Systems whose elements are numbers, symbols or a user's own objects: the four functions."""

import operator

from ..arguments import is_array, is_scalar
from ..backslash import Arithmetic, substitute
from ..blocks.vector import block_vector, like
from ..errors import ShapeError, SingularError, StructureError
from ..operator import Operator
from ..values import subtract

__all__ = ["are_plain", "elements_of", "solve_elements"]


def elements_of(A):
    """The rows of a nested list or object array."""
    if not all(isinstance(row, (list, tuple)) or (is_array(row) and row.ndim) for row in A):
        raise TypeError(f"backslash: A must be a list of lists because it has rows and columns; got {A!r:.60}")
    return [list(row) for row in A]


def are_plain(rows):
    """Whether no element needs to become an operator: all are numbers and symbols, or all a user's own."""
    elements = [a for row in rows for a in row if not is_zero(a)]
    if any(isinstance(a, (Operator, list, tuple)) or (is_array(a) and a.ndim) for a in elements):
        return False
    return len({is_scalar(a) for a in elements}) <= 1


def solve_elements(rows, b):
    """Solve with plain elements by the generic substitution; see `fastbs.backslash`."""
    n = len(rows)
    if any(len(row) != n for row in rows):
        raise ShapeError(f"backslash: A must be square because it is solved with; got {n} rows of {len(rows[0])}")
    entries = block_vector(b, n, "backslash: b")
    kept = [[(j, a) for j, a in enumerate(row) if not is_zero(a)] for row in rows]
    above = next(((i, j) for i, row in enumerate(kept) for j, _ in row if j > i), None)
    below = next(((i, j) for i, row in enumerate(kept) for j, _ in row if j < i), None)
    if above and below:
        raise StructureError(
            f"backslash: A must be triangular because it is solved by substitution; got blocks {below} and {above}"
        )
    for i, row in enumerate(rows):
        if is_zero(row[i]):
            raise SingularError(
                f"backslash: block ({i}, {i}) must be nonsingular because it is solved with; got {row[i]}"
            )
    if not n:
        return b
    off = [[(j, a) for j, a in row if j != i] for i, row in enumerate(kept)]
    diagonal = [row[i] for i, row in enumerate(rows)]
    x = substitute(off, diagonal, entries, arithmetic_of(diagonal[0]), upper=above is not None)
    return like(b, x)


def is_zero(a):
    return a is None or (is_scalar(a) and bool(a == 0))


def arithmetic_of(element):
    """The four functions, chosen by one element."""
    scalar = is_scalar(element)
    if hasattr(element, "H"):
        adjoint = operator.attrgetter("H")
    else:
        adjoint = operator.methodcaller("conjugate") if scalar else conjugate_transpose
    return Arithmetic(
        operator.mul if scalar else operator.matmul,
        subtract,
        solve_by_method if hasattr(element, "solve") else divide,
        adjoint,
    )


def divide(a, r):
    return r / a


def solve_by_method(a, r):
    return a.solve(r)


def conjugate_transpose(a):
    return a.conj().T
