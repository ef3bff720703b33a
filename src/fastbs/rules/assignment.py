"""Assignment by value: ``x[index] = v`` is a step whose result is a changed copy, and traced arrays stand for it then.

``put(x, v, *arrays, index=template)`` is linear in both: zeros go where v was written, and v where zeros went.
"""

import math

import numpy as np

from .._trace import Traced, constant_error
from .indexing import (
    ALL,
    add_at,
    along_axis,
    fill,
    get,
    in_bounds,
    innermost,
    linear_in_first,
    method,
    nested_array,
    parse,
    positions,
    selected_shape,
    stretched,
)
from .several import dispatched, variadic
from .table import Linear, composite, functions

__all__ = ["assign", "clear", "put"]


@dispatched
def put(x, v, *arrays, index):
    """A copy of x with ``x[index] = v``."""
    y = np.copy(x)
    y[fill(index, arrays) if arrays else index] = v
    return y


@dispatched
def clear(x, *arrays, index, ndim):
    """A copy of x with ``x[..., index] = 0``; its own adjoint."""
    y = np.array(x, order="C")  # in another order the reshaped array below would be a copy
    k = y.ndim - ndim
    if not arrays:
        y[(ALL,) * k + index] = 0
        return y
    stack, shape = y.shape[:k], y.shape[k:]
    np.reshape(y, (*stack, math.prod(shape)))[..., positions(index, arrays, shape)] = 0
    return y


@dispatched
def winners(*arrays, index, shape):
    """Which elements of v remain after ``x[index] = v``: of those at the same place the last one."""
    place = positions(index, arrays, shape)
    number = np.arange(place.size)
    last = np.zeros(math.prod(shape), int)
    last[np.ravel(place)] = number
    return np.reshape(last[np.ravel(place)] == number, place.shape)


def clear_forward(X, y, x, *arrays, index, ndim):
    return clear(X, *arrays, index=index, ndim=ndim)


variadic(clear, linear_in_first(clear_forward, clear_forward))
functions[winners] = True


def put_rule(k, y, x, v, *arrays, index):
    if k > 1 or y.dtype.kind not in "fc":
        return None
    ndim, shape = np.ndim(x), np.shape(x)
    if k == 0:
        return Linear(clear_forward, clear_forward, (y, x, *arrays), {"index": index, "ndim": ndim})
    mask = None
    if any(a.dtype.kind != "b" and a.size != 1 for a in arrays):
        mask = winners(*arrays, index=index, shape=shape)
    return Linear(place, place_adjoint, (y, v, mask, *arrays), {"index": index, "shape": shape})


def place(V, y, v, mask, *arrays, index, shape):
    V = V if mask is None else V * mask
    return add_at(V, *arrays, index=index, ndim=np.ndim(v), shape=shape)


def place_adjoint(Y, y, v, mask, *arrays, index, shape):
    V = get(Y, *arrays, index=index, ndim=len(shape))
    return V if mask is None else V * mask


variadic(put, put_rule)


def assign(x, index, v):
    """The traced value of x after ``x[index] = v``."""
    if np.ndim(innermost(x)) == 0 and not isinstance(innermost(x), np.ndarray):
        raise TypeError("Traced: item assignment must be to an array because numbers are immutable; got a number")
    if isinstance(v, np.ma.MaskedArray):
        raise TypeError(
            "Traced: a value to assign must be a plain array because masks are not traced; got a masked one"
        )
    template, arrays = parse(index)
    if type(v) is not Traced and not isinstance(v, (int, float)):
        v = nested_array(v)  # a copy: the program may change its own
    if type(v) is Traced:
        v = stretched(v, selected_shape(template, arrays, np.shape(x)))
        if x.dtype.kind in "fc" and v.dtype != x.dtype:
            v = v.astype(x.dtype)
    return put(x, v, *arrays, index=template)


functions["put"] = assign
functions["put step"] = put


def destination(a, name, argument="its first argument"):
    """Refuse a plain array that a traced value would be written to."""
    if type(a) is not Traced:
        raise constant_error(
            f"{name}: {argument}",
            f"a plain {type(a).__name__} as destination, which NumPy would leave unchanged,",
            "make it with np.zeros_like(x), or copy it into one",
        )


@composite(np.copyto)
def copyto(dst, src, casting="same_kind", where=True):
    destination(dst, "copyto")
    given = src.dtype if type(src) is Traced else np.result_type(src)
    if type(src) is not Traced and np.ndim(src) == 0 and not hasattr(src, "dtype"):
        given = dst.dtype if np.can_cast(np.min_scalar_type(src), dst.dtype, casting) else given
    if not np.can_cast(given, dst.dtype, casting):
        raise TypeError(f"copyto: src must be castable to {dst.dtype} because the destination is; got {given}")
    if where is True:
        dst[...] = src
    else:
        mask = np.broadcast_to(where, dst.shape)
        extra = np.ndim(src) - len(dst.shape)
        if extra > 0 and np.shape(src)[:extra] == (1,) * extra:  # assignments drop leading axes of length 1
            src = np.reshape(src, np.shape(src)[extra:])
        dst[mask] = np.broadcast_to(src, dst.shape)[mask]


@composite(np.put)
def put_flat(a, ind, v, mode="raise"):
    destination(a, "put")
    ind = np.ravel(in_bounds(ind, a.size, mode))
    v = np.ravel(v)
    if v.size and ind.size:
        set_flat(a, ind, v if v.size == ind.size else v[np.arange(ind.size) % v.size])


def set_flat(a, ind, v):
    """a.flat[ind] = v"""
    flat = np.copy(np.ravel(a))
    flat[ind] = v
    a[...] = np.reshape(flat, a.shape)


@composite(np.place)
def place_masked(arr, mask, vals):
    destination(arr, "place")
    ind = np.flatnonzero(mask)
    vals = np.ravel(vals)
    if ind.size:
        set_flat(arr, ind, vals[np.arange(ind.size) % vals.size])


@composite(np.putmask)
def putmask(a, mask, values):
    destination(a, "putmask")
    ind = np.flatnonzero(mask)
    values = np.ravel(values)
    set_flat(a, ind, values[ind % values.size])


@composite(np.fill_diagonal)
def fill_diagonal(a, val, wrap=False):
    destination(a, "fill_diagonal")
    place = np.zeros(a.shape, bool)
    np.fill_diagonal(place, True, wrap)
    ind = np.flatnonzero(place)
    val = np.ravel(val)
    set_flat(a, ind, val[np.arange(ind.size) % val.size])


@composite(np.put_along_axis)
def put_along_axis(arr, indices, values, axis):
    destination(arr, "put_along_axis")
    if axis is None:
        set_flat(arr, indices, values)
    else:
        arr[along_axis(arr, indices, axis)] = values


def fill_method(a, value):
    a[...] = value


method("put", np.put)
method("fill", fill_method)
