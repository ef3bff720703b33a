"""What depends on the order of elements: sorting, quantiles, interpolation in a table."""

import numpy as np

from .._trace import Traced
from ..errors import TraceError
from .elementwise import nonzero
from .indexing import take
from .reductions import checked_axes, count, flat, keywords_of, reduction, tied
from .several import as_array
from .table import composite, into, record

# Order statistics


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
    q = np.asarray(q, x.dtype if type(q) in (int, float) else None)
    place = q * (n - 1)
    floor = np.clip(np.floor(place), 0, max(n - 1, 0))
    part, low = place - floor, floor.astype(int)
    below, above = np.take(x, low, axis=-1), np.take(x, np.minimum(low + 1, n - 1), axis=-1)
    y = between(below, above, part)
    y = np.transpose(y, (*range(y.ndim - q.ndim, y.ndim), *range(y.ndim - q.ndim)))
    if keepdims:
        y = y.reshape((*q.shape, *[1 if i - a.ndim in axes else length for i, length in enumerate(a.shape)]))
    return into(out, y)


def between(below, above, part):
    step = above - below
    return np.where(part < 0.5, below + step * part, above - step * (1 - part))


@composite(np.percentile)
def percentile(a, q, *arguments, **keywords):
    return quantile(a, q / 100 if type(q) in (int, float) else np.true_divide(q, 100), *arguments, **keywords)


def along_rows(a, q, axes):
    """The quantile q of every row of numbers, NaN left out: these are sorted to the end."""
    x = np.sort(flat(a, axes), axis=-1)
    count = np.sum(~np.isnan(x), axis=-1, keepdims=True)
    place = q * np.maximum(count - 1, 0).astype(q.dtype)
    floor = np.floor(place)
    below, above = (np.take_along_axis(x, i.astype(int), axis=-1) for i in (floor, np.ceil(place)))
    return np.take(between(below, above, place - floor), 0, axis=-1)


@composite(np.nanquantile)
def nanquantile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, *, weights=None):
    if method != "linear" or weights is not None or type(q) is Traced:
        raise TraceError(
            "nanquantile: method must be 'linear', weights None and q plain because only these are recorded; "
            f"got method={method!r}, write the others with np.sort and indexing"
        )
    axes = checked_axes(axis, a.ndim)
    kept = [1 if i - a.ndim in axes else length for i, length in enumerate(a.shape)]
    q = np.asarray(q, a.dtype if type(q) in (int, float) else None)
    rows = [along_rows(a, p, axes) for p in q.ravel()]
    rows = [row.reshape(kept) for row in rows] if keepdims else rows
    return into(out, rows[0] if q.ndim == 0 else np.stack(rows).reshape((*q.shape, *rows[0].shape)))


@composite(np.nanpercentile)
def nanpercentile(a, q, *arguments, **keywords):
    return nanquantile(a, q / 100 if type(q) in (int, float) else np.true_divide(q, 100), *arguments, **keywords)


@composite(np.nanmedian)
def nanmedian(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    return nanquantile(a, 0.5, axis, out, keepdims=keepdims)


# Interpolation


@composite(np.interp)
def interp(x, xp, fp, left=None, right=None, period=None):
    x, xp, fp = as_array(x), as_array(xp), as_array(fp)
    if period is not None:
        x, xp = np.remainder(x, abs(period)), np.remainder(xp, abs(period))
        order = np.argsort(xp)
        xp, fp = take(xp, order), take(fp, order)
        xp = np.concatenate((xp[-1:] - period, xp, xp[:1] + period))
        fp = np.concatenate((fp[-1:], fp, fp[:1]))
    n = np.shape(xp)[0]
    i = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, max(n - 2, 0))
    j = np.minimum(i + 1, n - 1)
    x0, y0 = take(xp, i), take(fp, i)
    slope = (take(fp, j) - y0) / nonzero(take(xp, j) - x0)
    y = slope * (x - x0) + y0
    y = np.where(x == xp[-1], fp[-1] + slope * (x - xp[-1]), y)
    y = np.where(x > xp[-1], fp[-1] if right is None else right, y)
    return np.where(x < xp[0], fp[0] if left is None else left, y)
