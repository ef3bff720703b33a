"""Joining and splitting, and arrays of nested lists: a part goes into its place, and is taken out again.

Concatenate and stack are primitives. All others are written with these and with indexing, and need no rule.
"""

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .._trace import Traced
from ..errors import ShapeError
from .indexing import ALL, add_at, axis_index, get, read, stretched
from .several import Variadic, as_array
from .table import RULES, Linear, composite, functions, record

__all__ = ["array"]


# Joining


def joined(*arrays, axis, ends):
    """np.concatenate with the arrays as arguments; `ends` is where each ends along the axis."""
    return np.concatenate(arrays, axis=axis)


def part(axis, ends, k):
    return axis_index(axis, slice(ends[k - 1] if k else 0, ends[k]))


def joined_rule(k, y, *arrays, axis, ends):
    return block_rule(y, arrays[k], part(axis, ends, k))


def stacked(*arrays, axis):
    """np.stack with the arrays as arguments."""
    return np.stack(arrays, axis=axis)


def stacked_rule(k, y, *arrays, axis):
    ndim = np.ndim(y)
    return block_rule(y, arrays[k], (*(ALL,) * (ndim + axis), k))


def block_rule(y, a, index):
    """The derivative with respect to the array that is the result's block at an index without arrays."""
    return Linear(into_block, out_of_block, (y, a), {"index": index}) if y.dtype.kind in "fc" else None


def into_block(X, y, a, index):
    # parts of other dtypes are converted
    X = X if X.dtype == y.dtype else X.astype(y.dtype)
    return add_at(X, index=index, ndim=np.ndim(a), shape=np.shape(y))


def out_of_block(Y, y, a, index):
    X = get(Y, index=index, ndim=np.ndim(y))
    return X if a.dtype == y.dtype else (np.real(X) if a.dtype.kind != "c" else X).astype(a.dtype)


def as_arrays(arrays, name):
    """What is to be joined: a list of arrays, lists and numbers, or an array of them."""
    if not np.iterable(arrays):
        raise TypeError(f"{name}: arrays must be a sequence because they are joined; got {type(arrays).__name__}")
    return [as_array(a) for a in arrays]


def in_dtype(arrays, dtype, casting):
    if dtype is None:
        return arrays
    for a in arrays:
        if not np.can_cast(a.dtype, dtype, casting):
            raise TypeError(f"dtype: must take {a.dtype} because an array has it; got {np.dtype(dtype)} by {casting!r}")
    return [a.astype(dtype) for a in arrays]


@composite(np.concatenate)
def concatenate(arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind"):
    arrays = in_dtype(as_arrays(arrays, "concatenate"), dtype, casting)
    if axis is None:
        arrays, axis = [np.ravel(a) for a in arrays], 0
    ndim = arrays[0].ndim
    if ndim == 0:
        raise ValueError("concatenate: arrays must have axes because they are joined along one; got 0-d, use np.stack")
    axis = normalize_axis_index(axis, ndim) - ndim
    ends, end = [], 0
    for a in arrays:
        end += a.shape[axis] if a.ndim == ndim else 0
        ends.append(end)
    return record(joined, arrays, {"axis": axis, "ends": tuple(ends)})


RULES[joined] = Variadic(joined_rule)


@composite(np.stack)
def stack(arrays, axis=0, out=None, *, dtype=None, casting="same_kind"):
    arrays = in_dtype(as_arrays(arrays, "stack"), dtype, casting)
    ndim = arrays[0].ndim + 1
    return record(stacked, arrays, {"axis": normalize_axis_index(axis, ndim) - ndim})


RULES[stacked] = Variadic(stacked_rule)


def several(function, arrays):
    return [function(a) for a in as_arrays(arrays, function.__name__)]


@composite(np.vstack)
def vstack(tup, *, dtype=None, casting="same_kind"):
    return np.concatenate(several(np.atleast_2d, tup), axis=0, dtype=dtype, casting=casting)


@composite(np.hstack)
def hstack(tup, *, dtype=None, casting="same_kind"):
    arrays = several(np.atleast_1d, tup)
    return np.concatenate(arrays, axis=0 if arrays[0].ndim == 1 else 1, dtype=dtype, casting=casting)


@composite(np.dstack)
def dstack(tup):
    return np.concatenate(several(np.atleast_3d, tup), axis=2)


@composite(np.column_stack)
def column_stack(tup):
    return np.concatenate([a if a.ndim > 1 else np.reshape(a, (-1, 1)) for a in as_arrays(tup, "column_stack")], axis=1)


@composite(np.block)
def block(arrays):
    ndim = max(depth(arrays), deepest(arrays))

    def join(nested, axis):
        if isinstance(nested, list):
            return np.concatenate([join(a, axis + 1) for a in nested], axis=axis)
        a = as_array(nested)
        return np.reshape(a, (1,) * (ndim - a.ndim) + a.shape)

    return join(arrays, -depth(arrays)) if isinstance(arrays, list) else np.copy(arrays)


def depth(nested):
    return 1 + max(map(depth, nested)) if isinstance(nested, list) else 0


def deepest(nested):
    return max(map(deepest, nested)) if isinstance(nested, list) else np.ndim(nested)


@composite(np.append)
def append(arr, values, axis=None):
    if axis is None:
        arr, values, axis = np.ravel(arr), np.ravel(values), 0
    return np.concatenate((arr, values), axis=axis)


@composite(np.insert)
def insert(arr, obj, values, axis=None):
    arr, axis = (np.ravel(arr), 0) if axis is None else (arr, normalize_axis_index(axis, np.ndim(arr)))
    arr, values = as_array(arr), as_array(values)
    n, values = arr.shape[axis], values.astype(arr.dtype) if values.dtype != arr.dtype else values
    if np.ndim(obj) == 0 and not isinstance(obj, slice):
        # one place takes a block of values, whose first axis is that of the block
        values = np.moveaxis(np.reshape(values, (1,) * (arr.ndim - values.ndim) + values.shape), 0, axis)
        m = values.shape[axis]
    else:
        m = len(np.arange(n)[obj]) if isinstance(obj, slice) or np.asarray(obj).dtype.kind == "b" else np.size(obj)
    values = stretched(values, (*arr.shape[:axis], m, *arr.shape[axis + 1 :]))
    order = np.insert(np.arange(n), obj, np.arange(n, n + m))
    return np.take(np.concatenate((arr, values), axis=axis), order, axis=axis)


@composite(np.delete)
def delete(arr, obj, axis=None):
    arr, axis = (np.ravel(arr), 0) if axis is None else (arr, axis)
    return np.take(arr, np.delete(np.arange(np.shape(arr)[axis]), obj), axis=axis)


def array(nested, dtype=None):
    """An array of nested lists of numbers and arrays, which may be traced: `numpy.array` for traced programs.

    Parameters
    ----------
    nested : number, array, or nested lists or tuples of them, of equal shapes on each level
    dtype : dtype, optional
        Of the result; by default the one that numpy.array chooses.

    Returns
    -------
    array
        A new one; traced if an element is. The derivative with respect to an element is the unit map into its place,
        the adjoint takes it out again.

    Raises
    ------
    ShapeError
        If the shapes on one level differ.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs import array
    >>> def f(t):
    ...     R = array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
    ...     return np.sum(R @ np.array([1.0, 2.0]))
    >>> grad(f)(0.0)
    np.float64(-1.0)
    """
    if not any_traced(nested):
        return np.array(nested, dtype)
    result = np.copy(nested) if type(nested) is Traced else assemble(nested)
    return result if dtype is None or result.dtype == np.dtype(dtype) else result.astype(dtype)


def any_traced(nested):
    if isinstance(nested, (list, tuple)):
        return any(map(any_traced, nested))
    return type(nested) is Traced


def assemble(nested):
    if type(nested) is Traced:
        return nested
    if not any_traced(nested):
        return np.array(nested)
    parts = [assemble(part) for part in nested]
    shapes = {np.shape(part) for part in parts}
    if len(shapes) > 1:
        raise ShapeError(f"array: nested must have equal shapes on each level as arrays have; got {shapes}")
    return record(stacked, parts, {"axis": -1 - np.ndim(parts[0])})


functions["array"] = array


# Splitting


@composite(np.array_split)
def array_split(ary, indices_or_sections, axis=0):
    axis = normalize_axis_index(axis, np.ndim(ary))
    n = np.shape(ary)[axis]
    if np.iterable(indices_or_sections):
        cuts = [*indices_or_sections]
        starts, stops = [0, *cuts], [*cuts, n]
    else:
        ends = np.cumsum([len(piece) for piece in np.array_split(np.arange(n), indices_or_sections)]).tolist()
        starts, stops = [0, *ends[:-1]], ends
    return [read(ary, (*(ALL,) * axis, slice(i, j))) for i, j in zip(starts, stops, strict=True)]


@composite(np.split)
def split(ary, indices_or_sections, axis=0):
    if not np.iterable(indices_or_sections) and np.shape(ary)[axis] % indices_or_sections:
        raise ValueError("array split does not result in an equal division")
    return np.array_split(ary, indices_or_sections, axis)


@composite(np.hsplit)
def hsplit(ary, indices_or_sections):
    return np.split(ary, indices_or_sections, axis=1 if np.ndim(ary) > 1 else 0)


@composite(np.vsplit)
def vsplit(ary, indices_or_sections):
    return np.split(ary, indices_or_sections, axis=0)


@composite(np.dsplit)
def dsplit(ary, indices_or_sections):
    return np.split(ary, indices_or_sections, axis=2)


if hasattr(np, "unstack"):

    @composite(np.unstack)
    def unstack(x, /, *, axis=0):
        return tuple(np.moveaxis(x, axis, 0))
