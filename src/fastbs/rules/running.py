"""What runs along an axis: partial sums, products and extremes, differences, integrals and slopes."""

import numpy as np

from ..operators.elementwise import Elementwise
from ..operators.recurrence import Recurrence, recurrence, recurrence_rules
from .elementwise import cast, finite
from .reductions import before, one_axis, without_nan
from .table import composite, functions, into, linear, primitive, record

# Running sums, products and extremes


def running(function):
    def recorder(a, axis=None, dtype=None, out=None):
        a = a if dtype is None else cast(a, dtype)
        if axis is None or a.ndim == 0:
            a, axis = a.reshape((-1,)), -1
        return into(out, record(function, (a,), {"axis": one_axis(axis, a.ndim)}))

    return recorder


def sum_from_the_end(Y, y, a, axis):
    return np.flip(np.cumsum(np.flip(Y, axis), axis=axis), axis)


linear(np.cumsum, lambda X, y, a, axis: np.cumsum(X, axis=axis), sum_from_the_end, recorder=running(np.cumsum))


def running_product_rule(y, a, axis):
    """dy_i = a_i dy_{i-1} + y_{i-1} da_i"""
    last = np.swapaxes(before(np.swapaxes(y, axis, -1), 1), axis, -1)
    return Recurrence(np.swapaxes(a, axis, -1), Elementwise(last, a.shape, y.shape), axis)


def running_logarithm_rule(y, a, axis):
    """dy_i = exp(y_{i-1} - y_i) dy_{i-1} + exp(a_i - y_i) da_i"""
    y = finite(y)
    z = np.swapaxes(y, axis, -1)
    return Recurrence(np.exp(before(z, 0) - z), Elementwise(np.exp(a - y), a.shape, y.shape), axis)


def running_extreme_rule(y, a, axis):
    """The mean over the elements so far that are the extreme."""
    ties = (a == y) * y.dtype.type(1)
    z = np.swapaxes(y, axis, -1)
    same = (z == before(z, 0)) * y.dtype.type(1)
    number = np.swapaxes(recurrence(same, np.swapaxes(ties, axis, -1)), axis, -1)
    return Recurrence(same, Elementwise(ties, a.shape, y.shape), axis, 1 / np.maximum(number, 1))


primitive(np.cumprod, running_product_rule, recorder=running(np.cumprod))
primitive(np.logaddexp.accumulate, running_logarithm_rule, recorder=running(np.logaddexp.accumulate))
primitive(np.maximum.accumulate, running_extreme_rule, recorder=running(np.maximum.accumulate))
primitive(np.minimum.accumulate, running_extreme_rule, recorder=running(np.minimum.accumulate))
primitive(recurrence, *recurrence_rules)


functions[np.nancumsum], functions[np.nancumprod] = without_nan(np.cumsum, 0), without_nan(np.cumprod, 1)


@composite(np.cumulative_sum)
def cumulative_sum(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
    return cumulative(np.cumsum, 0, x, axis, dtype, out, include_initial)


@composite(np.cumulative_prod)
def cumulative_prod(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
    return cumulative(np.cumprod, 1, x, axis, dtype, out, include_initial)


def cumulative(function, start, x, axis, dtype, out, include_initial):
    if axis is None:
        if x.ndim > 1:
            raise ValueError("For arrays which have more than one dimension ``axis`` argument is required.")
        axis = 0
    y = function(x, axis=axis, dtype=dtype)
    if include_initial:
        first = np.take(y, [0], axis=axis) if y.shape[axis] else y
        y = np.concatenate((np.full(first.shape, start, y.dtype), y), axis=axis)
    return into(out, y)


# Differences


@composite(np.diff)
def diff(a, n=1, axis=-1, prepend=None, append=None):
    parts = [side for side in (prepend, a, append) if side is not None]
    if len(parts) > 1:
        edge = [1 if i == axis % a.ndim else length for i, length in enumerate(a.shape)]
        parts = [part if np.ndim(part) else np.broadcast_to(part, edge) for part in parts]
        a = np.concatenate(parts, axis=axis)
    return record(np.diff, (a,), {"n": n, "axis": one_axis(axis, a.ndim)}) if n else a


def differences_back(Y, y, a, n, axis):
    """(-1)^n times the differences of Y between zeros"""
    if y.shape[axis] == 0:
        return np.zeros(Y.shape[: Y.ndim - y.ndim] + a.shape, y.dtype)
    edge = list(Y.shape)
    edge[axis] = n
    zeros = np.zeros(edge, y.dtype)
    Z = np.diff(np.concatenate((zeros, Y, zeros), axis=axis), n=n, axis=axis)
    return -Z if n % 2 else Z


linear(np.diff, lambda X, y, a, n, axis: np.diff(X, n=n, axis=axis), differences_back, recorder=diff)


@composite(np.ediff1d)
def ediff1d(ary, to_end=None, to_begin=None):
    ends = [None if end is None else cast(np.ravel(end), ary.dtype) for end in (to_begin, to_end)]
    parts = [part for part in (ends[0], np.diff(np.ravel(ary)), ends[1]) if part is not None]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


@composite(np.trapezoid)
def trapezoid(y, x=None, dx=1.0, axis=-1):
    if x is not None:
        dx = np.diff(x, axis=axis if np.ndim(x) > 1 else -1)
        if np.ndim(x) == 1:
            dx = np.reshape(dx, [-1 if i == axis % np.ndim(y) else 1 for i in range(np.ndim(y))])
    y = np.swapaxes(y, axis, -1)
    dx = np.swapaxes(dx, axis, -1) if np.ndim(dx) else dx
    return np.sum(dx * (y[..., 1:] + y[..., :-1]) / 2.0, axis=-1)


@composite(np.gradient)
def gradient(f, *varargs, axis=None, edge_order=1):
    axes = range(f.ndim) if axis is None else [i % f.ndim for i in (axis if type(axis) is tuple else (axis,))]
    steps = varargs if varargs else (1.0,)
    steps = steps * len(axes) if len(steps) == 1 else steps
    if len(steps) != len(axes):
        raise TypeError("invalid number of arguments")
    found = [gradient_along(f, h, i, edge_order) for h, i in zip(steps, axes, strict=True)]
    return found[0] if len(found) == 1 else tuple(found)


def gradient_along(f, h, axis, edge_order):
    """Second-order differences inside, of the given order at the ends."""
    n = f.shape[axis]
    if n < edge_order + 1:
        raise ValueError(f"gradient: axis {axis} must have more than edge_order = {edge_order} elements; got {n}")

    def at(start, stop):
        return f[tuple(slice(start, stop) if i == axis else slice(None) for i in range(f.ndim))]

    def spread(d):
        return np.reshape(d, [-1 if i == axis else 1 for i in range(f.ndim)])

    if np.ndim(h) == 0:
        inside = (at(2, None) - at(None, -2)) / (2.0 * h)
        first = last = h
        d = None
    else:
        d = np.diff(h)
        left, right = spread(d[:-1]), spread(d[1:])
        inside = (
            -right / (left * (left + right)) * at(None, -2)
            + (right - left) / (left * right) * at(1, -1)
            + left / (right * (left + right)) * at(2, None)
        )
        first, last = d[0], d[-1]
    if edge_order == 1:
        ends = (at(1, 2) - at(0, 1)) / first, (at(n - 1, n) - at(n - 2, n - 1)) / last
    elif d is None:
        ends = (
            (-1.5 * at(0, 1) + 2.0 * at(1, 2) - 0.5 * at(2, 3)) / h,
            (0.5 * at(n - 3, n - 2) - 2.0 * at(n - 2, n - 1) + 1.5 * at(n - 1, n)) / h,
        )
    else:
        p, q = d[0], d[1]
        start = -(2 * p + q) / (p * (p + q)) * at(0, 1) + (p + q) / (p * q) * at(1, 2) - p / (q * (p + q)) * at(2, 3)
        p, q = d[-2], d[-1]
        stop = (
            q / (p * (p + q)) * at(n - 3, n - 2)
            - (q + p) / (p * q) * at(n - 2, n - 1)
            + (2.0 * q + p) / (q * (p + q)) * at(n - 1, n)
        )
        ends = start, stop
    return np.concatenate((ends[0], inside, ends[1]), axis=axis)
