"""Elements in other places, several times, or not at all: repeating, flipping, rolling, padding, triangles.

The triangles are primitives. All others are written with indexing and joining, and need no rule.
"""

import math
import operator

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from .indexing import ALL, flat_or_along, method, read
from .table import composite, linear, record

# Repetition


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


method("repeat", repeat)
