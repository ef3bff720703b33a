"""New arrays: like another one, and in equal steps between traced ends."""

import math
import operator

import numpy as np

from .several import as_array
from .table import composite, record

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
