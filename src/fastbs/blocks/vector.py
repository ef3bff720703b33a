"""Block vectors: lists with one entry a block row, None for zero."""

from ..arguments import is_array
from ..errors import ShapeError

__all__ = ["block_vector"]


def block_vector(v, n, where):
    """The entries of a block vector: a list, a tuple, or an array with one entry a block row in front."""
    if isinstance(v, (str, bytes, dict, set)) or not hasattr(v, "__len__") or (is_array(v) and v.ndim == 0):
        raise TypeError(
            f"{where} must be a block vector, a list with one entry a block row, because blocks act on its "
            f"entries; got {type(v).__name__}"
        )
    if len(v) != n:
        raise ShapeError(f"{where} must have {n} entries because there are as many block rows; got {len(v)}")
    return list(v)
