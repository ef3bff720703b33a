"""Convolutions and correlations of vectors.

The full convolution, y[i] = sum of a[i - j] v[j], and the valid correlation, c[j] = sum of y[j + i] v[i], are each the
adjoint of the other with respect to one factor. Both take stacks here.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .products import broadcasting
from .several import as_array, dispatched
from .table import composite, primitive


@dispatched
def convolution(a, v):
    """The full convolution of last axes; those in front broadcast."""
    if a.ndim == v.ndim == 1:
        return np.convolve(a, v)
    if v.shape[-1] > a.shape[-1]:
        a, v = v, a
    margin = np.zeros((*a.shape[:-1], v.shape[-1] - 1), a.dtype)
    return windows_product(np.concatenate([margin, a, margin], axis=-1), v[..., ::-1])


@dispatched
def correlation(y, v):
    """The valid correlation of last axes, y not shorter than v; those in front broadcast."""
    return windows_product(y, v)


def windows_product(y, v):
    return np.einsum("...ij,...j->...i", sliding_window_view(y, v.shape[-1], axis=-1), v)


primitive(
    convolution,
    broadcasting(1, 1, 0, lambda X, v: convolution(X, v), lambda Y, v: correlation(Y, v), "v∗"),
    broadcasting(1, 1, 1, lambda X, a: convolution(a, X), lambda Y, a: correlation(Y, a), "a∗"),
)
primitive(
    correlation,
    broadcasting(1, 1, 0, lambda X, v: correlation(X, v), lambda Z, v: convolution(Z, v), "⋆v"),
    broadcasting(1, 1, 1, lambda X, y: correlation(y, X), lambda Z, y: correlation(y, Z), "y⋆"),
)


@composite(np.convolve)
def convolve(a, v, mode="full"):
    a, v = (np.reshape(as_array(x), (-1,)) if np.ndim(x) == 0 else as_array(x) for x in (a, v))
    return middle(convolution(a, v), a.size, v.size, mode)


@composite(np.correlate)
def correlate(a, v, mode="valid"):
    a, v = as_array(a), as_array(v)
    v = np.conjugate(v) if v.dtype.kind == "c" else v
    if a.size >= v.size:
        return middle(convolution(a, v[::-1]), a.size, v.size, mode)
    # NumPy exchanges the arrays if the second is longer, and reverses the result
    return middle(convolution(v, a[::-1]), v.size, a.size, mode)[::-1]


def middle(full, n, m, mode):
    """The part of a full convolution of lengths n and m that NumPy's mode names."""
    shorter, longer = sorted((n, m))
    start, length = {
        "full": (0, n + m - 1),
        "same": ((shorter - 1) // 2, longer),
        "valid": (shorter - 1, longer - shorter + 1),
    }[mode]
    return full[start : start + length]
