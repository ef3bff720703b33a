"""Reductions: dy = sum(M * dx), and a sum is the adjoint of a broadcast."""

import functools
import math

import numpy as np

from ..operators.reduction import Reduction, count
from .elementwise import cast, finite, nonzero
from .several import dispatched
from .table import composite, functions, into, primitive, record


def axes_of(axis, ndim):
    """The reduced axes as negative numbers, which leading stack axes do not move."""
    if axis is None:
        return tuple(range(-ndim, 0))
    return tuple(sorted([(i % ndim) - ndim for i in (axis if type(axis) is tuple else (axis,))]))


def one_axis(axis, ndim):
    """One axis as a negative number."""
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    return axis % ndim - ndim


def keywords_of(a, axis, keepdims):
    """What a reduction is recorded with: nothing if it is over everything."""
    if axis is None and not keepdims:
        return {}
    return {"axis": checked_axes(axis, a.ndim), "keepdims": bool(keepdims)}


def ufunc_keywords_of(a, axis, keepdims):
    """`keywords_of` a reduction by a ufunc, which takes the axes 0 and -1 of a number as well."""
    return keywords_of(a, None if a.ndim == 0 and axis in (0, -1) else axis, keepdims)


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
    y = record(np.sum, (a,), ufunc_keywords_of(a, axis, keepdims))
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
    distance = np.where(where, a - center, 0)
    squares = np.sum(distance * distance, axis=axis, keepdims=keepdims)
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
    y = record(function, (a,), ufunc_keywords_of(a, axis, keepdims))
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
    if y.shape[-1] == 0:
        return y
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
    y = record(np.prod, (a,), ufunc_keywords_of(a, axis, keepdims))
    return into(out, y if initial is None else y * initial)


reduction(np.prod, other_factors, prod)


def logaddexp_reduce(a, axis=0, keepdims=False):
    return record(np.logaddexp.reduce, (a,), {"axis": one_axis(axis, a.ndim), "keepdims": bool(keepdims)})


reduction(np.logaddexp.reduce, lambda y, a, axes: np.exp(a - finite(y)), logaddexp_reduce)

# Averages


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
    (np.nanmean, only_numbers(mean)), (np.nanvar, only_numbers(variance)),
    (np.nanstd, only_numbers(standard_deviation)),
):  # fmt: skip
    functions[function] = recorder


# The sum of exponentials, which has no name in NumPy


@dispatched
def top(a, axis):
    """The finite maximum, as a constant: what it is subtracted from does not depend on it."""
    y = np.max(a, axis=axis, keepdims=True, initial=-np.inf)
    return np.where(np.isfinite(y), y, 0)


@dispatched
def log_sum_exp(a, axis=None, keepdims=False):
    """log(sum(exp(a)))"""
    m = top(a, axis)
    with np.errstate(divide="ignore"):
        y = np.log(np.sum(np.exp(a - m), axis=axis, keepdims=True)) + m
    return y if keepdims else np.squeeze(y, axis)[()]


reduction(
    log_sum_exp,
    lambda y, a, axes: np.exp(a - finite(y)),
    lambda a, axis=None, keepdims=False: record(log_sum_exp, (a,), keywords_of(a, axis, keepdims)),
)
