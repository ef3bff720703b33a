"""Functions that move elements: their adjoints move them back.

A few are primitives: reshape, transpose, broadcast_to, concatenate, stack and the triangles. All others are written
with these and with indexing, and need no rule.
"""

import math
import operator

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from .._trace import Traced
from ..errors import ShapeError
from ..operators.elementwise import unbroadcast
from .indexing import ALL, add_at, axis_index, flat_or_along, get, method, nested_array, read, stretched
from .several import Variadic
from .table import RULES, Linear, composite, functions, linear, record, stack_shape

__all__ = ["array"]


def shape_after(function, a, *arguments, **keywords):
    """The shape of ``function(a, ...)``, with NumPy's own checks of the arguments."""
    return np.shape(function(np.broadcast_to(False, np.shape(a)), *arguments, **keywords))


def as_array(a):
    """A list as an array; elements of the list may be traced."""
    return a if hasattr(a, "dtype") else nested_array(a)


# Reshaping


@composite(np.reshape)
def reshape(a, shape, order="C", copy=None):
    shape = tuple(shape) if np.iterable(shape) else (shape,)
    shape = tuple([operator.index(n) for n in shape])
    if copy:
        a = np.copy(a)
    if order == "F":
        return np.transpose(np.reshape(np.transpose(a), shape[::-1]))
    return record(np.reshape, (a, c_order(order, shape)))


def c_order(order, result):
    if order not in ("C", None):
        raise TypeError(f"order: must be 'C' or 'F' because traced arrays have no memory order; got {order!r}")
    return result


linear(
    np.reshape,
    lambda X, y, a, shape: np.reshape(X, stack_shape(X, np.ndim(a)) + np.shape(y)),
    lambda Y, y, a, shape: np.reshape(Y, stack_shape(Y, np.ndim(y)) + np.shape(a)),
    recorder=reshape,
)


@composite(np.ravel)
def ravel(a, order="C"):
    return np.reshape(a, (-1,), order=order)


@composite(np.squeeze)
def squeeze(a, axis=None):
    return np.reshape(a, shape_after(np.squeeze, a, axis))


@composite(np.expand_dims)
def expand_dims(a, axis):
    return np.reshape(a, shape_after(np.expand_dims, a, axis))


def at_least(ndim, widen):
    """np.atleast_1d and its like: an array with enough axes is returned as it is."""

    def recorder(*arrays):
        arrays = [as_array(a) for a in arrays]
        results = tuple([a if a.ndim >= ndim else np.reshape(a, widen(a.shape)) for a in arrays])
        return results[0] if len(results) == 1 else results

    return recorder


functions[np.atleast_1d] = at_least(1, lambda shape: (1,))
functions[np.atleast_2d] = at_least(2, lambda shape: (1, *shape, *(1,) * (1 - len(shape))))
functions[np.atleast_3d] = at_least(3, lambda shape: (*shape, 1) if len(shape) == 2 else (1, *(shape or (1,)), 1))


# Order of the axes


@composite(np.transpose)
def transpose(a, axes=None):
    return record(np.transpose, (a,) if axes is None else (a, normalize_axes(axes, np.ndim(a))))


def normalize_axes(axes, ndim):
    if len(axes) != ndim:
        raise ValueError(f"transpose: axes must be {ndim} because the array has as many; got {axes}")
    return normalize_axis_tuple(axes, ndim)


def permute(X, y, a, axes=None):
    n = np.ndim(y)
    axes = range(n - 1, -1, -1) if axes is None else axes
    k = np.ndim(X) - n
    return np.transpose(X, (*range(k), *(k + axis for axis in axes)))


def permute_back(Y, y, a, axes=None):
    n = np.ndim(y)
    axes = range(n - 1, -1, -1) if axes is None else axes
    return permute(Y, y, a, [list(axes).index(i) for i in range(n)])


linear(np.transpose, permute, permute_back, recorder=transpose)


@composite(np.swapaxes)
def swapaxes(a, axis1, axis2):
    axes = list(range(np.ndim(a)))
    i, j = (normalize_axis_index(axis, len(axes)) for axis in (axis1, axis2))
    axes[i], axes[j] = axes[j], axes[i]
    return np.transpose(a, axes)


@composite(np.matrix_transpose)
def matrix_transpose(x, /):
    if np.ndim(x) < 2:
        raise ValueError(f"matrix_transpose: x must have two axes because it holds matrices; got {np.ndim(x)}")
    return np.swapaxes(x, -1, -2)


@composite(np.moveaxis)
def moveaxis(a, source, destination):
    ndim = np.ndim(a)
    source, destination = (normalize_axis_tuple(axes, ndim) for axes in (source, destination))
    if len(source) != len(destination):
        raise ValueError(f"moveaxis: source and destination must be as many; got {len(source)} and {len(destination)}")
    axes = [i for i in range(ndim) if i not in source]
    for target, axis in sorted(zip(destination, source, strict=True)):
        axes.insert(target, axis)
    return np.transpose(a, axes)


@composite(np.rollaxis)
def rollaxis(a, axis, start=0):
    ndim = np.ndim(a)
    axis = normalize_axis_index(axis, ndim)
    start = normalize_axis_index(start, ndim + 1)
    return np.moveaxis(a, axis, start - 1 if axis < start else start)


# Broadcasting and repetition


@composite(np.broadcast_to)
def broadcast_to(array, shape, subok=False):
    shape = tuple(shape) if np.iterable(shape) else (shape,)
    return record(np.broadcast_to, (array, tuple([operator.index(n) for n in shape])))


def stretch(X, y, a, shape):
    stack, added = stack_shape(X, np.ndim(a)), np.ndim(y) - np.ndim(a)
    return np.broadcast_to(np.reshape(X, (*stack, *(1,) * added, *np.shape(a))), (*stack, *np.shape(y)))


linear(
    np.broadcast_to,
    stretch,
    lambda Y, y, a, shape: unbroadcast(Y, np.shape(a), np.ndim(y)),
    recorder=broadcast_to,
)


@composite(np.broadcast_arrays)
def broadcast_arrays(*arrays, subok=False):
    shape = np.broadcast_shapes(*map(np.shape, arrays))
    return tuple([a if np.shape(a) == shape else np.broadcast_to(a, shape) for a in arrays])


@composite(np.tile)
def tile(A, reps):
    reps = tuple(reps) if np.iterable(reps) else (reps,)
    ndim = max(len(reps), np.ndim(A))
    reps = (1,) * (ndim - len(reps)) + reps
    shape = (1,) * (ndim - np.ndim(A)) + np.shape(A)
    if all(n == 1 for n in reps):
        return np.reshape(np.copy(A), shape)
    paired = np.reshape(A, [k for n in shape for k in (1, n)])
    paired = np.broadcast_to(paired, [k for r, n in zip(reps, shape, strict=True) for k in (r, n)])
    return np.copy(np.reshape(paired, [r * n for r, n in zip(reps, shape, strict=True)]))


@composite(np.repeat)
def repeat(a, repeats, axis=None):
    a, axis = flat_or_along(a, axis)
    axis = normalize_axis_index(axis, np.ndim(a))
    n = np.shape(a)[axis]
    if np.ndim(repeats) == 0:
        shape = np.shape(a)
        columns = np.broadcast_to(
            np.expand_dims(a, axis + 1), (*shape[: axis + 1], operator.index(repeats), *shape[axis + 1 :])
        )
        return np.copy(np.reshape(columns, (*shape[:axis], n * operator.index(repeats), *shape[axis + 1 :])))
    return np.take(a, np.repeat(np.arange(n), repeats), axis=axis)


@composite(np.resize)
def resize(a, new_shape):
    new_shape = tuple(new_shape) if np.iterable(new_shape) else (new_shape,)
    size = math.prod(new_shape)
    a = np.ravel(a)
    if np.size(a) == 0:
        return np.zeros_like(a, shape=new_shape)
    return np.reshape(np.take(a, np.arange(size) % np.size(a)), new_shape)


@composite(np.meshgrid)
def meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing must be 'xy' or 'ij' because these are NumPy's; got {indexing!r}")
    n = len(xi)
    order = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else list(range(n))
    grid = [np.reshape(x, [-1 if axis == order[i] else 1 for axis in range(n)]) for i, x in enumerate(xi)]
    grid = tuple(grid) if sparse else np.broadcast_arrays(*grid)
    return tuple([np.copy(x) for x in grid]) if copy else grid


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
    >>> from fastbs.rules.shapes import array
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


# Flipping, rolling, padding


@composite(np.flip)
def flip(m, axis=None):
    ndim = np.ndim(m)
    axes = range(ndim) if axis is None else normalize_axis_tuple(axis, ndim)
    return read(m, tuple([slice(None, None, -1) if i in axes else ALL for i in range(ndim)]))


@composite(np.flipud)
def flipud(m):
    return np.flip(m, 0)


@composite(np.fliplr)
def fliplr(m):
    return np.flip(m, 1)


@composite(np.rot90)
def rot90(m, k=1, axes=(0, 1)):
    i, j = normalize_axis_tuple(axes, np.ndim(m))
    k %= 4
    if k == 0:
        return read(m, ALL)
    if k == 2:
        return np.flip(m, (i, j))
    return np.swapaxes(np.flip(m, j), i, j) if k == 1 else np.flip(np.swapaxes(m, i, j), j)


@composite(np.roll)
def roll(a, shift, axis=None):
    if axis is None:
        return np.reshape(np.roll(np.ravel(a), shift, 0), np.shape(a))
    shifts = {}
    for amount, i in np.broadcast(shift, axis):
        i = normalize_axis_index(int(i), np.ndim(a))
        shifts[i] = shifts.get(i, 0) + int(amount)
    result = a
    for i, amount in shifts.items():
        n = np.shape(a)[i]
        if n and amount % n:
            cut = n - amount % n
            pieces = [read(result, (*(ALL,) * i, piece)) for piece in (slice(cut, None), slice(None, cut))]
            result = np.concatenate(pieces, axis=i)
    return np.copy(a) if result is a else result


GATHERED = ("edge", "reflect", "symmetric", "wrap")
STATISTICS = {"maximum": np.max, "minimum": np.min, "mean": np.mean, "median": np.median}


@composite(np.pad)
def pad(array, pad_width, mode="constant", **keywords):
    ndim, shape = np.ndim(array), np.shape(array)
    check = np.pad(np.broadcast_to(np.zeros((), array.dtype), shape), pad_width, mode, **keywords)  # NumPy's own checks
    if mode == "constant" or mode == "empty":
        widths = widths_of(pad_width, ndim)
        index = tuple([slice(before, before + n) for (before, _), n in zip(widths, shape, strict=True)])
        result = np.zeros_like(array, shape=np.shape(check))
        if np.any(keywords.get("constant_values", 0)):
            result = result + check
        result[index] = array
        return result
    widths = widths_of(pad_width, ndim)
    result = array
    for axis, width in enumerate(widths):
        if any(width):
            result = pad_axis(result, axis, width, mode, keywords, ndim)
    return np.copy(array) if result is array else result


def pad_axis(a, axis, width, mode, keywords, ndim):
    """One axis of an array, padded with what the array holds."""
    n = np.shape(a)[axis]
    if mode in GATHERED and keywords.get("reflect_type", "even") == "even":
        return np.take(a, np.pad(np.arange(n), width, mode), axis=axis)
    if mode == "linear_ramp":
        ends = np.broadcast_to(keywords.get("end_values", 0), (ndim, 2))[axis].tolist()
        edges = (np.take(a, 0, axis=axis), np.take(a, n - 1, axis=axis))
        ramps = [
            np.linspace(end, edge, count, endpoint=False, dtype=a.dtype, axis=axis)
            for end, edge, count in zip(ends, edges, width, strict=True)
        ]
        return np.concatenate((ramps[0], a, np.flip(ramps[1], axis)), axis=axis)
    if mode in STATISTICS:
        lengths = keywords.get("stat_length")
        lengths = (n, n) if lengths is None else np.minimum(np.broadcast_to(lengths, (ndim, 2))[axis], n)
        ends = (slice(0, lengths[0]), slice(n - lengths[1], n))
        values = [STATISTICS[mode](read(a, (*(ALL,) * axis, end)), axis=axis, keepdims=True) for end in ends]
        shape = np.shape(a)
        sides = [
            np.broadcast_to(v, (*shape[:axis], count, *shape[axis + 1 :]))
            for v, count in zip(values, width, strict=True)
        ]
        return np.concatenate((sides[0], a, sides[1]), axis=axis)
    if mode in GATHERED:
        raise TypeError("pad: reflect_type must be 'even' because only that moves elements; got 'odd'")
    raise TypeError(f"pad: mode must be a name because functions write in place; got {mode!r}")


def widths_of(pad_width, ndim):
    """(before, after) of each axis."""
    if isinstance(pad_width, dict):
        full = dict.fromkeys(range(ndim), (0, 0))
        for axis, width in pad_width.items():
            full[normalize_axis_index(axis, ndim)] = (width, width) if np.ndim(width) == 0 else tuple(width)
        return list(full.values())
    return [tuple(width) for width in np.broadcast_to(pad_width, (ndim, 2)).tolist()]


# Triangles


def triangle(function):
    def recorder(m, k=0):
        m = m if np.ndim(m) > 1 else np.broadcast_to(m, (np.shape(m)[0], np.shape(m)[0]))
        return record(function, (m,), {"k": k})

    linear(function, lambda X, y, m, k: function(X, k), lambda Y, y, m, k: function(Y, k), recorder=recorder)


triangle(np.tril)
triangle(np.triu)

# Like another array, with zero derivative: what is assigned into them is traced by value


@composite(np.zeros_like, np.empty_like)
def zeros_like(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
    return record(np.zeros_like, (a,), {"dtype": dtype, "shape": shape})


@composite(np.ones_like)
def ones_like(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
    return record(np.ones_like, (a,), {"dtype": dtype, "shape": shape})


@composite(np.full_like)
def full_like(a, fill_value, dtype=None, order="K", subok=True, shape=None, *, device=None):
    result = np.zeros_like(a, dtype=dtype, shape=np.shape(a) if shape is None else shape)
    result[...] = fill_value
    return result


# Equal steps


@composite(np.linspace)
def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0, *, device=None):
    num = operator.index(num)
    if num < 0:
        raise ValueError(f"linspace: num must not be negative because it is a length; got {num}")
    div = num - 1 if endpoint else num
    kept = np.result_type(*[getattr(end, "dtype", end) for end in (start, stop)], 0.0)
    start, stop = (as_array(end).astype(kept) for end in (start, stop))
    delta = stop - start
    i = np.reshape(np.arange(num, dtype=kept), (-1,) + (1,) * np.ndim(delta))
    step = delta / div if div > 0 else math.nan
    y = i * (step if div > 0 else delta) + start
    if endpoint and num > 1:
        y[-1, ...] = stop
    y = np.moveaxis(y, 0, axis) if axis else y
    if dtype is not None and y.dtype != dtype:
        y = (np.floor(y) if np.dtype(dtype).kind in "iu" else y).astype(dtype)
    return (y, step) if retstep else y


@composite(np.logspace)
def logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0):
    y = np.power(base, np.linspace(start, stop, num=num, endpoint=endpoint, axis=axis))
    return y if dtype is None else y.astype(dtype)


@composite(np.geomspace)
def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    start, stop = as_array(start).astype(float), as_array(stop).astype(float)
    sign = np.where(np.sign(start) == np.sign(stop), np.sign(start), math.nan)  # there is no way through zero
    y = sign * np.logspace(np.log10(np.abs(start)), np.log10(np.abs(stop)), num=num, endpoint=endpoint)
    if num > 0:
        y[0, ...] = start
    if num > 1 and endpoint:
        y[-1, ...] = stop
    y = y if dtype is None else y.astype(dtype)
    return np.moveaxis(y, 0, axis) if axis else y


# Along an axis


@composite(np.apply_along_axis)
def apply_along_axis(func1d, axis, arr, *arguments, **keywords):
    axis = normalize_axis_index(axis, np.ndim(arr))
    rows = np.moveaxis(arr, axis, -1)
    shape = np.shape(rows)[:-1]
    results = [func1d(rows[i], *arguments, **keywords) for i in np.ndindex(shape)]
    y = np.reshape(np.stack(results), (*shape, *np.shape(results[0])))
    last = np.ndim(results[0])
    return np.moveaxis(y, range(len(shape), len(shape) + last), range(axis, axis + last))


# Windows


@composite(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(x, window_shape, axis=None, *, subok=False, writeable=False):
    positions = np.reshape(np.arange(np.size(x)), np.shape(x))
    windows = np.lib.stride_tricks.sliding_window_view(positions, window_shape, axis)
    return read(np.ravel(x), windows).view_of(x)


# Methods


def shape_arguments(shape):
    return shape[0] if len(shape) == 1 else shape


functions["method", "T"] = transpose
functions["method", "mT"] = matrix_transpose
functions["method", "reshape"] = lambda a: lambda *shape, **keywords: reshape(a, shape_arguments(shape), **keywords)
functions["method", "transpose"] = lambda a: lambda *axes: transpose(a, shape_arguments(axes) if axes else None)
for name, function in (
    ("ravel", ravel), ("swapaxes", swapaxes), ("squeeze", squeeze), ("repeat", repeat),
):  # fmt: skip
    method(name, function)
method("flatten", lambda a, order="C": np.copy(np.ravel(a, order)))

# What is known without computing
functions[np.shape] = lambda a: a.shape
functions[np.ndim] = lambda a: a.ndim
functions[np.size] = lambda a, axis=None: (
    a.size if axis is None else math.prod([a.shape[i] for i in normalize_axis_tuple(axis, a.ndim)])
)
functions[np.iscomplexobj] = lambda x: x.dtype.kind == "c"
functions[np.isrealobj] = lambda x: x.dtype.kind != "c"
functions[np.result_type] = lambda *values: np.result_type(*(getattr(v, "dtype", v) for v in values))
functions[np.can_cast] = lambda from_, to, casting="safe": np.can_cast(from_.dtype, to, casting)
