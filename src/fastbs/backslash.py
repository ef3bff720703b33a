"""Substitution, written once: the specification of every solve in this package.

It imports nothing: four functions say what the elements are. So it solves systems of numbers, fractions,
symbols, arrays, sparse matrices and operators alike, and every kernel is compared with it.

Source: paper, section 3; Golub and Van Loan, Matrix Computations, algorithms 3.1.1 and 3.1.2, by blocks.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Arithmetic", "adjoint_rows", "substitute"]


class Arithmetic(NamedTuple):
    """What a solve needs to know about the elements of a system; None is a zero entry of a vector."""

    multiply: Callable[[Any, Any], Any]  # (a, x) -> a x
    subtract: Callable[[Any, Any], Any]  # (x, y) -> x - y, where x may be None
    solve: Callable[[Any, Any], Any]  # (a, r) -> the x with a x = r
    adjoint: Callable[[Any], Any]  # a -> a^H


def substitute(rows, diagonal, b, arithmetic, upper=False):
    """Solve A x = b: ``x_i = A_ii \\ (b_i - sum over j of A_ij x_j)``, forward, or backward if A is upper.

    Parameters
    ----------
    rows : list of lists of (j, element)
        The elements of A off the diagonal, row by row.
    diagonal : list
        One element a row, as `arithmetic.solve` takes it.
    b : list
        One entry a row, None for zero.
    arithmetic : Arithmetic
    upper : bool

    Returns
    -------
    list
        One entry a row, None where nothing nonzero arrives. Costs one product an element off the diagonal
        and one solve a row.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from operator import mul, sub
    >>> numbers = Arithmetic(mul, sub, lambda a, r: r / a, lambda a: a)
    >>> substitute([[], [(0, 3)]], [2, 4], [Fraction(1), Fraction(2)], numbers)
    [Fraction(1, 2), Fraction(1, 8)]
    """
    x = [None] * len(rows)
    order = range(len(rows))
    for i in reversed(order) if upper else order:
        r = b[i]
        for j, a in rows[i]:
            if x[j] is not None:
                r = arithmetic.subtract(r, arithmetic.multiply(a, x[j]))
        if r is not None:
            x[i] = arithmetic.solve(diagonal[i], r)
    return x


def adjoint_rows(rows, n_columns, adjoint):
    """The rows of A^H: ``(A^H)_ji = (A_ij)^H``. With them, reverse mode is back substitution.

    Examples
    --------
    >>> adjoint_rows([[], [(0, 1 + 2j)]], 2, lambda a: a.conjugate())
    [[(1, (1-2j))], []]
    """
    columns = [[] for _ in range(n_columns)]
    for i, row in enumerate(rows):
        for j, a in row:
            columns[j].append((i, adjoint(a)))
    return columns
