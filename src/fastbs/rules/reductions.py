"""Reductions and what runs along an axis: dy = sum(M * dx), and a sum is the adjoint of a broadcast."""

import functools
import math

import numpy as np

from .._trace import Traced, constant_error
from ..errors import TraceError
from ..operators.elementwise import Elementwise
from ..operators.recurrence import Recurrence, recurrence, recurrence_rules
from ..operators.reduction import Reduction, count
from .elementwise import cast, finite, nonzero
from .table import composite, functions, into, linear, methods, primitive, record


def axes_of(axis, ndim):
    """The reduced axes as negative numbers, which leading stack axes do not move."""
    if axis is None:
        return tuple(range(-ndim, 0))
    return tuple(sorted([(i % ndim) - ndim for i in (axis if type(axis) is tuple else (axis,))]))


def keywords_of(a, axis, keepdims):
    """What a reduction is recorded with: nothing if it is over everything."""
    if axis is None and not keepdims:
        return {}
    return {"axis": checked_axes(axis, a.ndim), "keepdims": bool(keepdims)}


def checked_axes(axis, ndim):
    if axis is None:
        return axes_of(None, ndim)
    axes = axis if type(axis) is tuple else (axis,)
    for i in axes:
        if not -ndim <= i < ndim:
            raise np.exceptions.AxisError(i, ndim)
    if len({i % ndim for i in axes}) < len(axes):
        raise ValueError("duplicate value in 'axis'")
    return axes_of(axis, ndim)


def reduction(function, derivative, recorder):
    """A reduction; derivative(y, a, axes, ...) is the factor M of the argument, None for 1; y keeps the axes."""

    def rule(y, a, axis=None, keepdims=False, **keywords):
        axes = axes_of(axis, a.ndim)
        if derivative is None:
            return Reduction(None, a.shape, axes, keepdims)
        if not keepdims and len(axes) < a.ndim:
            n = a.ndim
            y = y.reshape([1 if i - n in axes else length for i, length in enumerate(a.shape)])
        return Reduction(derivative(y, a, axes, **keywords), a.shape, axes, keepdims)

    primitive(function, rule, recorder=recorder)


# Sums and means


def sum_(a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=True):
    a = a if dtype is None else cast(a, dtype)
    a = a if where is True else np.where(where, a, 0)
    y = record(np.sum, (a,), keywords_of(a, axis, keepdims))
    return into(out, y if initial is None else y + initial)


def mean(a, axis=None, dtype=None, out=None, keepdims=False, *, where=True):
    a = a if dtype is None else cast(a, dtype)
    if where is not True:
        return into(out, sum_(a, axis, keepdims=keepdims, where=where) / number(a, axis, keepdims, where))
    return into(out, record(np.mean, (a,), keywords_of(a, axis, keepdims)))


def number(a, axis, keepdims, where):
    """How many elements of a reduction are chosen."""
    dtype = a.dtype if a.dtype.kind in "fc" else float
    return np.sum(np.where(where, np.ones(a.shape, dtype), 0), axis=axis, keepdims=keepdims)


def variance(
    a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True, mean=None, correction=None, of=np.var
):
    a = a if dtype is None else cast(a, dtype)
    ddof = ddof if correction is None else correction
    if where is True and mean is None:
        return into(out, record(of, (a,), {**keywords_of(a, axis, keepdims), "ddof": ddof}))
    n = number(a, axis, True, where)
    center = np.sum(np.where(where, a, 0), axis=axis, keepdims=True) / n if mean is None else mean
    squares = np.sum(np.where(where, (a - center) ** 2, 0), axis=axis, keepdims=keepdims)
    y = squares / np.maximum((n if keepdims else n.reshape(squares.shape)) - ddof, 0)
    return into(out, y if of is np.var else np.sqrt(y))


def deviation(y, a, axes, ddof):
    """2 (a - mean) / (n - ddof)"""
    n = count(a.shape, axes)
    return (a - np.mean(a, axis=axes, keepdims=True)) * (2 / max(n - ddof, 0) if n > ddof else math.nan)


reduction(np.sum, None, sum_)
reduction(np.mean, lambda y, a, axes: 1 / count(a.shape, axes) if a.size else math.nan, mean)
reduction(np.var, deviation, variance)
standard_deviation = functools.partial(variance, of=np.std)
reduction(np.std, lambda y, a, axes, ddof: deviation(y, a, axes, ddof) / (2 * nonzero(y)), standard_deviation)

# Extremes: ties share equally


def tied(y, a, axes):
    ties = a == y
    return ties / np.maximum(np.sum(ties, axis=axes, keepdims=True, dtype=y.dtype), y.dtype.type(1))


def extreme(function, binary, a, axis=None, out=None, keepdims=False, initial=None, where=True):
    if where is not True:
        if initial is None:
            raise ValueError(f"{function.__name__}: initial must be given with where= because maxima have no identity")
        a = np.where(where, a, initial)
    y = record(function, (a,), keywords_of(a, axis, keepdims))
    return into(out, y if initial is None else binary(y, initial))


for function, binary in (
    (np.max, np.maximum), (np.min, np.minimum), (np.nanmax, np.fmax), (np.nanmin, np.fmin),
    (np.fmax.reduce, np.fmax), (np.fmin.reduce, np.fmin),
):  # fmt: skip
    reduction(function, tied, functools.partial(extreme, function, binary))
functions[np.amax], functions[np.amin] = functions[np.max], functions[np.min]


@composite(np.ptp)
def ptp(a, axis=None, out=None, keepdims=False):
    return into(out, np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims))


# Products


def flat(a, axes):
    """The reduced axes as one, the last."""
    n = a.ndim
    kept = [i for i in range(-n, 0) if i not in axes]
    b = np.transpose(a, (*kept, *axes))
    return b.reshape((*b.shape[: len(kept)], count(a.shape, axes)))


def unflat(b, shape, axes):
    """Back from `flat` to an array of this shape."""
    n = len(shape)
    order = (*[i for i in range(-n, 0) if i not in axes], *axes)
    b = b.reshape([shape[i] for i in order])
    return np.transpose(b, [order.index(i) for i in range(-n, 0)])


def before(y, first):
    """The elements one place earlier along the last axis, after a `first` one."""
    return np.concatenate((np.full((*y.shape[:-1], 1), first, y.dtype), y[..., :-1]), axis=-1)


def other_factors(y, a, axes):
    """The product of all elements but one, for every one; dividing by it would fail at zeros."""
    x = flat(a, axes)
    left = before(np.cumprod(x, axis=-1), 1)
    right = before(np.cumprod(x[..., ::-1], axis=-1), 1)[..., ::-1]
    return unflat(left * right, a.shape, axes)


def prod(a, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=True):
    a = a if dtype is None else cast(a, dtype)
    a = a if where is True else np.where(where, a, 1)
    y = record(np.prod, (a,), keywords_of(a, axis, keepdims))
    return into(out, y if initial is None else y * initial)


reduction(np.prod, other_factors, prod)


def logaddexp_reduce(a, axis=0, keepdims=False):
    return record(np.logaddexp.reduce, (a,), {"axis": one_axis(axis, a.ndim), "keepdims": bool(keepdims)})


reduction(np.logaddexp.reduce, lambda y, a, axes: np.exp(a - finite(y)), logaddexp_reduce)

# Running sums, products and extremes


def one_axis(axis, ndim):
    """One axis as a negative number."""
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    return axis % ndim - ndim


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
    ends = [None if end is None else np.ravel(end) for end in (to_begin, to_end)]
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


# Averages and order statistics


@composite(np.average)
def average(a, axis=None, weights=None, returned=False, *, keepdims=False):
    if weights is None:
        y = np.mean(a, axis=axis, keepdims=keepdims)
        total = np.full(y.shape, np.size(a) / max(np.size(y), 1), y.dtype)
        return (y, total) if returned else y
    if np.shape(weights) != np.shape(a):
        if axis is None:
            raise TypeError("Axis must be specified when shapes of a and weights differ.")
        axes = [i % np.ndim(a) for i in (axis if type(axis) is tuple else (axis,))]
        if np.shape(weights) != tuple(np.shape(a)[i] for i in axes):
            raise ValueError("Shape of weights must be consistent with shape of a along specified axis.")
        weights = np.transpose(weights, sorted(range(len(axes)), key=axes.__getitem__))
        weights = np.reshape(weights, [length if i in axes else 1 for i, length in enumerate(np.shape(a))])
        weights = np.broadcast_to(weights, np.shape(a))
    total = np.sum(weights, axis=axis, keepdims=keepdims)
    y = np.sum(a * weights, axis=axis, keepdims=keepdims) / total
    return (y, total) if returned else y


@composite(np.sort)
def sort(a, axis=-1, kind=None, order=None, *, stable=None):
    if axis is None:
        a, axis = a.reshape((-1,)), -1
    return np.take_along_axis(a, np.argsort(a, axis=axis, kind=kind, stable=stable), axis=axis)


@composite(np.partition)
def partition(a, kth, axis=-1, kind="introselect", order=None):
    if axis is None:
        a, axis = a.reshape((-1,)), -1
    return np.take_along_axis(a, np.argpartition(a, kth, axis=axis, kind=kind), axis=axis)


@composite(np.median)
def median(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    return into(out, record(np.median, (a,), keywords_of(a, axis, keepdims)))


def middle(y, a, axes):
    """The share of every element in the middle one, or in the two middle ones."""
    n = count(a.shape, axes)
    ordered = np.sort(flat(a, axes), axis=-1)
    kept = [1 if i - a.ndim in axes else length for i, length in enumerate(a.shape)]
    low, high = (tied(ordered[..., k].reshape(kept), a, axes) for k in ((n - 1) // 2, n // 2))
    return 0.5 * (low + high)


reduction(np.median, middle, median)


@composite(np.quantile)
def quantile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, *, weights=None):
    if method != "linear" or weights is not None or type(q) is Traced:
        raise TraceError(
            "quantile: method must be 'linear', weights None and q plain because only these are recorded; "
            f"got method={method!r}, write the others with np.sort and indexing"
        )
    axes = checked_axes(axis, a.ndim)
    x = np.sort(flat(a, axes), axis=-1)
    n = x.shape[-1]
    q = np.asarray(q)
    place = q.astype(x.dtype) * (n - 1)
    low = np.clip(np.floor(place).astype(int), 0, n - 1)
    part = (place - low).astype(x.dtype)
    below, above = np.take(x, low, axis=-1), np.take(x, np.minimum(low + 1, n - 1), axis=-1)
    y = below + (above - below) * part
    y = np.transpose(y, (*range(y.ndim - q.ndim, y.ndim), *range(y.ndim - q.ndim)))
    if keepdims:
        y = y.reshape((*q.shape, *[1 if i - a.ndim in axes else length for i, length in enumerate(a.shape)]))
    return into(out, y)


@composite(np.percentile)
def percentile(a, q, *arguments, **keywords):
    return quantile(a, np.true_divide(q, 100), *arguments, **keywords)


# NaN left out


def without_nan(reducer, value):
    def recorder(a, *arguments, **keywords):
        return reducer(np.where(np.isnan(a), value, a), *arguments, **keywords)

    return recorder


def only_numbers(reducer):
    def recorder(a, *arguments, **keywords):
        return reducer(a, *arguments, **keywords, where=~np.isnan(a))

    return recorder


for function, recorder in (
    (np.nansum, without_nan(np.sum, 0)), (np.nanprod, without_nan(np.prod, 1)),
    (np.nancumsum, without_nan(np.cumsum, 0)), (np.nancumprod, without_nan(np.cumprod, 1)),
    (np.nanmean, only_numbers(mean)), (np.nanvar, only_numbers(variance)),
    (np.nanstd, only_numbers(standard_deviation)),
):  # fmt: skip
    functions[function] = recorder

# Interpolation


@composite(np.interp)
def interp(x, xp, fp, left=None, right=None, period=None):
    if period is not None:
        x, xp = np.remainder(x, abs(period)), np.remainder(xp, abs(period))
        order = np.argsort(xp)
        xp, fp = np.take(xp, order), np.take(fp, order)
        xp = np.concatenate((xp[-1:] - period, xp, xp[:1] + period))
        fp = np.concatenate((fp[-1:], fp, fp[:1]))
    n = np.shape(xp)[0]
    i = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, max(n - 2, 0))
    j = np.minimum(i + 1, n - 1)
    x0, y0 = np.take(xp, i), np.take(fp, i)
    slope = (np.take(fp, j) - y0) / nonzero(np.take(xp, j) - x0)
    y = slope * (x - x0) + y0
    y = np.where(x == xp[-1], fp[-1] + slope * (x - xp[-1]), y)
    y = np.where(x > xp[-1], fp[-1] if right is None else right, y)
    return np.where(x < xp[0], fp[0] if left is None else left, y)


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
        raise ValueError(
            f"gradient: axis {axis} must have at least edge_order + 1 = {edge_order + 1} elements; got {n}"
        )

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


# Methods of ufuncs


def ufunc_method(key):
    """A decorator: (ufunc, method) or a method of every ufunc is traced by running this function."""

    def register(function):
        methods[key] = function
        return function

    return register


@ufunc_method("outer")
def outer(ufunc, a, b, **keywords):
    return ufunc(np.reshape(a, (*np.shape(a), *(1,) * np.ndim(b))), b, **keywords)


def reduce_by(reducer):
    def recorder(ufunc, a, axis=0, dtype=None, out=None, keepdims=False, initial=None, where=True):
        a = a if dtype is None else cast(a, dtype)
        return reducer(a, axis=axis, keepdims=keepdims, initial=initial, where=where)

    return recorder


def accumulate_by(recorder):
    return lambda ufunc, a, axis=0, dtype=None, out=None: recorder(a, axis, dtype)


for ufunc, function in (
    (np.add, np.sum), (np.multiply, np.prod), (np.maximum, np.max), (np.minimum, np.min),
    (np.fmax, np.fmax.reduce), (np.fmin, np.fmin.reduce),
):  # fmt: skip
    methods[ufunc, "reduce"] = reduce_by(functions[function])
for ufunc, function in (
    (np.add, np.cumsum), (np.multiply, np.cumprod), (np.maximum, np.maximum.accumulate),
    (np.minimum, np.minimum.accumulate), (np.logaddexp, np.logaddexp.accumulate),
):  # fmt: skip
    methods[ufunc, "accumulate"] = accumulate_by(functions[function])


@ufunc_method((np.logaddexp, "reduce"))
def reduce_logarithms(ufunc, a, axis=0, dtype=None, out=None, keepdims=False, initial=None, where=True):
    a = a if dtype is None else cast(a, dtype)
    a = a if where is True else np.where(where, a, -np.inf)
    if axis is None or type(axis) is tuple:
        axes = axes_of(axis, a.ndim)
        y = logaddexp_reduce(flat(a, axes), -1)
        y = y.reshape([1 if i - a.ndim in axes else length for i, length in enumerate(a.shape)]) if keepdims else y
    else:
        y = logaddexp_reduce(a, axis, keepdims)
    return y if initial is None else np.logaddexp(initial, y)


def fold(ufunc, a, axis):
    """All partial results of a ufunc along an axis, one after the other."""
    if ufunc.nin != 2 or ufunc.nout != 1:
        raise ValueError("reduce only supported for binary functions")
    place = [slice(None)] * a.ndim
    found = []
    for i in range(a.shape[axis]):
        place[axis] = i
        x = a[tuple(place)]
        found.append(ufunc(found[-1], x) if found else x)
    return found


@ufunc_method("reduce")
def reduce(ufunc, a, axis=0, dtype=None, out=None, keepdims=False, initial=None, where=True):
    if where is not True or initial is not None or type(axis) is tuple or (axis is None and a.ndim != 1):
        raise TraceError(
            f"{ufunc.__name__}.reduce: axis must be one axis, without where and initial, because the steps are "
            f"recorded one by one; got axis={axis}"
        )
    axis = one_axis(0 if axis is None else axis, a.ndim)
    a = a if dtype is None else cast(a, dtype)
    if a.shape[axis] == 0:
        raise ValueError(f"{ufunc.__name__}.reduce: axis {axis} must have elements because there is no initial; got 0")
    y = fold(ufunc, a, axis)[-1]
    return np.expand_dims(y, axis) if keepdims else y


@ufunc_method("accumulate")
def accumulate(ufunc, a, axis=0, dtype=None, out=None):
    axis = one_axis(axis, a.ndim)
    a = a if dtype is None else cast(a, dtype)
    return np.stack(fold(ufunc, a, axis), axis=axis) if a.shape[axis] else +a


@ufunc_method((np.add, "reduceat"))
def add_reduceat(ufunc, a, indices, axis=0, dtype=None, out=None):
    a = a if dtype is None else cast(a, dtype)
    if type(indices) is Traced:
        raise constant_error("add.reduceat", "got traced indices: pass fb.stop_gradient(indices)")
    return record(np.add.reduceat, (a, np.asarray(indices)), {"axis": one_axis(axis, a.ndim)})


def sections(indices, n):
    """The 0-1 matrix of which elements np.add.reduceat adds."""
    S = np.zeros((len(indices), n))
    for k, start in enumerate(indices):
        stop = indices[k + 1] if k + 1 < len(indices) else n
        S[k, start : max(stop, start + 1)] = 1
    return S


def reduceat_back(Y, y, a, indices, axis):
    S = sections(indices, a.shape[axis]).astype(y.dtype)
    return np.swapaxes(np.swapaxes(Y, axis, -1) @ S, axis, -1)


linear(
    np.add.reduceat,
    lambda X, y, a, indices, axis: np.add.reduceat(X, indices, axis=axis),
    reduceat_back,
    recorder=functools.partial(add_reduceat, np.add),
)

for ufunc, function in ((np.logical_and, np.all), (np.logical_or, np.any)):
    methods[ufunc, "reduce"] = lambda ufunc, a, axis=0, *, of=function, **keywords: of(a, axis=axis, **keywords)

# Methods of arrays


def method(name, function):
    functions["method", name] = lambda a: functools.partial(function, a)


for name, function in (
    ("sum", sum_), ("prod", prod), ("mean", mean), ("var", variance), ("std", standard_deviation),
    ("max", functions[np.max]), ("min", functions[np.min]), ("cumsum", functions[np.cumsum]),
    ("cumprod", functions[np.cumprod]), ("clip", np.clip), ("argmax", np.argmax), ("argmin", np.argmin),
    ("argsort", np.argsort), ("argpartition", np.argpartition), ("searchsorted", np.searchsorted), ("round", np.round),
    ("any", np.any), ("all", np.all), ("nonzero", np.nonzero), ("conj", np.conjugate), ("conjugate", np.conjugate),
):  # fmt: skip
    method(name, function)
functions["method", "real"] = np.real
functions["method", "imag"] = np.imag
method("copy", lambda a, order="C": record(duplicate, (a,)))
method("astype", lambda a, dtype, order="K", casting="unsafe", subok=True, copy=True: np.astype(a, dtype))
method("sort", lambda a, *arguments, **keywords: in_place(a, np.sort(a, *arguments, **keywords)))
method("partition", lambda a, *arguments, **keywords: in_place(a, np.partition(a, *arguments, **keywords)))


def duplicate(x):
    return x.copy()


def in_place(a, new):
    a.replace(new)


primitive(duplicate, lambda y, x: Elementwise(None, y.shape, y.shape))
