"""Block vectors: lists with one entry a block row, None for zero, or arrays of entries of one shape."""

import numpy as np

from ..arguments import is_array
from ..errors import DtypeError, ShapeError

__all__ = ["block_vector", "like"]


def block_vector(v, n, where):
    """The entries of a block vector: a list, a tuple, or an array with one entry a block row in front."""
    if not isinstance(v, (list, tuple)) and not (is_array(v) and v.ndim):
        raise TypeError(
            f"{where} must be a block vector, a list with one entry a block row, because blocks act on its "
            f"entries; got {type(v).__name__}"
        )
    if isinstance(v, np.ma.MaskedArray):
        raise DtypeError(f"{where} must be plain because masks are not propagated; got a masked array")
    if len(v) != n:
        raise ShapeError(f"{where} must have {n} entries because there are as many block rows; got {len(v)}")
    v = list(v)
    for i, entry in enumerate(v):
        if type(entry) is not np.ndarray and entry is not None:
            check_entry(entry, f"{where}: entry {i}")
    return v


def like(v, entries):
    """The entries of a result as the block vector v came: in an array for an array, if they all have one shape.

    None is zero there, of the shape of the others, or of the entries of v if there are none.
    """
    if not is_array(v):
        return entries
    if v.dtype == object and v.ndim == 1:  # whatever these are
        result = np.empty(len(entries), dtype=object)
        for i, entry in enumerate(entries):
            result[i] = entry
        return result
    shapes = {np.shape(entry) for entry in entries if entry is not None and not isinstance(entry, (list, tuple))}
    shape = shapes.pop() if shapes else tuple(v.shape[1:])
    if shapes or any(isinstance(entry, (list, tuple)) for entry in entries):
        return entries
    if not entries:
        return np.zeros((0, *shape), v.dtype)
    return np.stack([np.zeros(shape, v.dtype) if entry is None else entry for entry in entries])


def check_entry(entry, where):
    """Entries are arrays, numbers, tuples of parameters, or block vectors; what else they are, blocks will say."""
    if isinstance(entry, np.ma.MaskedArray):
        raise DtypeError(f"{where} must be plain because masks are not propagated; got a masked array")
    if isinstance(entry, (list, tuple)):
        for k, part in enumerate(entry):
            check_entry(part, f"{where}[{k}]")
