"""Block vectors as flat arrays: the ``vec`` of all entries under each other."""

import math

import numpy as np

from ..errors import ShapeError, StructureError
from ..operator import unvec, vec
from ..shapes import text

__all__ = ["FlatVector", "as_scipy", "to_dense"]


class FlatVector:
    """The shapes of the entries of a block vector.

    Parameters
    ----------
    shapes : list of shapes; of a tuple entry, the tuple of the shapes of its parts
    """

    def __init__(self, shapes):
        self.shapes = [tuple(shape) for shape in shapes]
        self.size = sum(map(size, self.shapes))

    def entries(self, x):
        """The block vector of a flat one."""
        parts, start = [], 0
        for shape in self.shapes:
            stop = start + size(shape)
            parts.append(unflattened(x[start:stop], shape))
            start = stop
        return parts

    def flat(self, v):
        """The flat vector of a block vector; None is zero."""
        parts = [flattened(x, shape) for x, shape in zip(v, self.shapes, strict=True)]
        return np.concatenate(parts) if parts else np.zeros(0)


def is_nested(shape):
    return any(not isinstance(n, (int, np.integer)) for n in shape)


def size(shape):
    return sum(map(size, shape)) if is_nested(shape) else math.prod(shape)


def unflattened(x, shape):
    return tuple(FlatVector(shape).entries(x)) if is_nested(shape) else unvec(x, shape)


def flattened(x, shape):
    if x is None:
        return np.zeros(size(shape))
    return FlatVector(shape).flat(x) if is_nested(shape) else vec(x)


def entry_shape(x):
    return tuple(map(entry_shape, x)) if isinstance(x, (list, tuple)) else np.shape(x)


def shapes_in(op, shapes, where):
    """The shape of every entry that a map of block vectors takes, from its blocks where none are given."""
    n = op.shape[1]
    if shapes is None:
        shapes = [op.column_shape(j) if hasattr(op, "column_shape") else None for j in range(n or 0)]
    shapes = list(shapes)
    if n not in (None, len(shapes)):
        raise ShapeError(
            f"{type(op).__name__}.{where}: shape_in must have {n} shapes because there are as many block columns; got "
            f"{len(shapes)}"
        )
    if (not shapes and n is None) or any(shape is None or None in tuple(shape) for shape in shapes):
        missing = next((text(shape) for shape in shapes if shape is None or None in tuple(shape)), "none")
        raise ShapeError(
            f"{type(op).__name__}.{where}: shape_in must be given, a shape for each block column, because the blocks "
            f"leave axes free; got {missing}"
        )
    return FlatVector(shapes)


def shapes_out(op, domain, where):
    """The shapes of the entries of a result; a row without blocks is as its column in a square system."""
    result = op @ domain.entries(np.ones(domain.size))
    shapes = [None if y is None else entry_shape(y) for y in result]
    for i, shape in enumerate(shapes):
        if shape is None:
            known = op.row_shape(i) if hasattr(op, "row_shape") else None
            if known is not None and None not in known:
                shapes[i] = tuple(known)
            elif len(shapes) == len(domain.shapes):
                shapes[i] = domain.shapes[i]
            else:
                raise ShapeError(
                    f"{type(op).__name__}.{where}: every block row must have a block because its shape is taken from "
                    f"there; got none in row {i}"
                )
    return FlatVector(shapes)


def as_scipy(self, shape_in=None):
    """This map on flat vectors, the ``vec`` of all entries under each other, as SciPy's `LinearOperator`.

    Parameters
    ----------
    shape_in : list of shapes, optional
        One a block column, for a tuple entry the tuple of its parts' shapes; needed where blocks leave axes free,
        but not where they stand in arrays: these take flat vectors, and many at once.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> from scipy.sparse.linalg import gmres
    >>> A = fb.Bidiagonal([2 * np.eye(2)] * 2, [np.ones((2, 2))])
    >>> gmres(A.as_scipy([(2,), (2,)]), np.array([2.0, 2.0, 4.0, 4.0]))[0].round(3)
    array([1., 1., 1., 1.])
    """
    from ..interop.scipy import BlockVecOperator, FlatOperator  # a bridge: SciPy's sparse package is slow to import

    if shape_in is None and getattr(self, "flat_form", None) is not None:
        batch, size, dtype = self.flat_form
        if batch:
            raise StructureError(
                f"{type(self).__name__}.as_scipy: systems must be taken one by one because a LinearOperator is one "
                f"matrix; got a batch of shape {tuple(batch)}"
            )
        return FlatOperator(self.__matmul__, self.H.__matmul__, size, dtype)

    domain = shapes_in(self, shape_in, "as_scipy")
    return BlockVecOperator(self, domain, shapes_out(self, domain, "as_scipy"))


def to_dense(self, shape_in=None):
    """The matrix on the ``vec`` of all entries under each other, by one application a column.

    Parameters
    ----------
    shape_in : list of shapes, optional
        As in `as_scipy`.
    """
    domain = shapes_in(self, shape_in, "to_dense")
    image = shapes_out(self, domain, "to_dense")
    columns = [image.flat(self @ domain.entries(x)) for x in np.eye(domain.size)]
    return np.stack(columns, axis=1) if columns else np.zeros((image.size, 0))
