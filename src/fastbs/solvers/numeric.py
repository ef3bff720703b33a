"""Triangular systems of numbers in one array, dense or sparse, through SciPy."""

import numpy as np

from ..arguments import as_matrix, is_sparse
from ..errors import ShapeError, SingularError, StructureError
from ..operators.matrix import factored

__all__ = ["triangular_inverse"]


def triangular_inverse(A, where):
    """The inverse of a triangular array as a matrix that multiplies, from a snapshot.

    Raises
    ------
    ShapeError, StructureError, SingularError
        If A is not square, not triangular, or has an exactly zero diagonal element, which is named.
    """
    A = as_matrix(A, where)
    if A.shape[0] != A.shape[1]:
        raise ShapeError(f"{where} must be square because it is solved with; got {tuple(A.shape)}")
    i, j = A.tocsr().nonzero() if is_sparse(A) else np.nonzero(A)
    below, above = (np.flatnonzero(side) for side in (i > j, i < j))
    if below.size and above.size:
        (p, q), (r, s) = ((int(i[k]), int(j[k])) for k in (below[0], above[0]))
        raise StructureError(
            f"{where} must be triangular because it is solved by substitution; got elements {(p, q)} and {(r, s)}"
        )
    zeros = np.flatnonzero(A.diagonal() == 0)
    if zeros.size:
        k = int(zeros[0])
        raise SingularError(f"{where} must be nonsingular because it is solved with; got block ({k}, {k}) = 0")
    return factored(A, where)
