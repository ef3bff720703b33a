"""Reductions: a sum is the adjoint of a broadcast."""

import numpy as np

from .table import composite, linear, record, stack_shape


def axes_of(axis, ndim):
    """The reduced axes as negative numbers, which leading stack axes do not move."""
    if axis is None:
        return tuple(range(-ndim, 0))
    return tuple(sorted((i % ndim) - ndim for i in (axis if isinstance(axis, tuple) else (axis,))))


@composite(np.sum)
def sum_(a, axis=None, dtype=None, out=None, keepdims=False):
    return record(np.sum, (a,), {"axis": axes_of(axis, np.ndim(a)), "keepdims": bool(keepdims)})


def spread(Y, y, a, axis, keepdims):
    """The adjoint of a sum: every element gets the cotangent of its sum."""
    stack = stack_shape(Y, np.ndim(y))
    kept = tuple(1 if i - np.ndim(a) in axis else n for i, n in enumerate(np.shape(a)))
    return np.broadcast_to(np.reshape(Y, stack + kept), stack + np.shape(a))


linear(np.sum, lambda X, y, a, axis, keepdims: np.sum(X, axis=axis, keepdims=keepdims), spread, recorder=sum_)
