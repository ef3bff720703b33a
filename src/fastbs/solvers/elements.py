"""Systems whose elements are numbers, symbols, matrices or a user's own objects: the four functions."""

import operator

import numpy as np

from ..arguments import is_scalar, is_sparse
from ..backslash import Arithmetic, substitute
from ..errors import ShapeError, SingularError, StructureError

__all__ = ["elements_of", "solve_elements"]


def elements_of(A):
    """The rows of a nested list or object array."""
    return [list(row) for row in A]


def solve_elements(A, b):
    """Solve a nested list of elements by the generic substitution; see `fastbs.backslash`."""
    rows = elements_of(A)
    n = len(rows)
    if any(len(row) != n for row in rows):
        raise ShapeError(f"backslash: A must be square because it is solved with; got {n} rows of {len(rows[0])}")
    if len(b) != n:
        raise ShapeError(f"backslash: b must have {n} entries because A has as many rows; got {len(b)}")
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
    arithmetic = arithmetic_of(rows[0][0]) if n else None
    off = [[(j, a) for j, a in row if j != i] for i, row in enumerate(kept)]
    x = substitute(off, [row[i] for i, row in enumerate(rows)], list(b), arithmetic, upper=above is not None)
    if isinstance(b, np.ndarray):
        result = np.empty(n, dtype=object)
        result[:] = x
        return result
    return x


def is_zero(a):
    return a is None or (is_scalar(a) and bool(a == 0))


def arithmetic_of(element):
    """The four functions, chosen by one element."""
    multiply = operator.mul if is_scalar(element) else operator.matmul
    if is_scalar(element):
        solve = divide
    elif hasattr(element, "solve"):
        solve = solve_by_method
    else:
        solve = solve_sparse if is_sparse(element) else np.linalg.solve
    if hasattr(element, "H"):
        adjoint = operator.attrgetter("H")
    elif is_scalar(element):
        adjoint = operator.methodcaller("conjugate")
    else:
        adjoint = conjugate_transpose
    return Arithmetic(multiply, subtract, solve, adjoint)


def subtract(x, y):
    return -y if x is None else x - y


def divide(a, r):
    return r / a


def solve_by_method(a, r):
    return a.solve(r)


def solve_sparse(a, r):
    from scipy.sparse.linalg import spsolve  # a bridge: SciPy's sparse package is slow to import

    return spsolve(a.tocsc(), r)


def conjugate_transpose(a):
    return a.conj().T
