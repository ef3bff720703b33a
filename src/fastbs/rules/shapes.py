"""Other shapes, the axes in another order, broadcasting: their adjoints go back.

Reshape, transpose and broadcast_to are primitives. All others are written with these and with indexing, and need no
rule.
"""

import math
import operator

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..operators.elementwise import unbroadcast
from .indexing import method, read
from .several import as_array
from .table import composite, functions, linear, record, stack_shape


def shape_after(function, a, *arguments, **keywords):
    """The shape of ``function(a, ...)``, with NumPy's own checks of the arguments."""
    return np.shape(function(np.broadcast_to(False, np.shape(a)), *arguments, **keywords))


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


# Broadcasting


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


@composite(np.meshgrid)
def meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing must be 'xy' or 'ij' because these are NumPy's; got {indexing!r}")
    n = len(xi)
    order = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else list(range(n))
    grid = [np.reshape(x, [-1 if axis == order[i] else 1 for axis in range(n)]) for i, x in enumerate(xi)]
    grid = tuple(grid) if sparse else np.broadcast_arrays(*grid)
    return tuple([np.copy(x) for x in grid]) if copy else grid


# Windows


@composite(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(x, window_shape, axis=None, *, subok=False, writeable=False):
    positions = np.reshape(np.arange(np.size(x)), np.shape(x))
    windows = np.lib.stride_tricks.sliding_window_view(positions, window_shape, axis)
    return read(np.ravel(x), windows).view_of(x)


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


# Methods


def shape_arguments(shape):
    return shape[0] if len(shape) == 1 else shape


functions["method", "T"] = transpose
functions["method", "mT"] = matrix_transpose
functions["method", "reshape"] = lambda a: lambda *shape, **keywords: reshape(a, shape_arguments(shape), **keywords)
functions["method", "transpose"] = lambda a: lambda *axes: transpose(a, shape_arguments(axes) if axes else None)
for name, function in (("ravel", ravel), ("swapaxes", swapaxes), ("squeeze", squeeze)):
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
