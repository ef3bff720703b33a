"""Functions that move elements: their adjoints move them back."""

import numpy as np

from .table import composite, functions, linear, record, stack_shape


@composite(np.reshape)
def reshape(a, shape, order="C", copy=None):
    if order not in ("C", None):
        raise TypeError(f"reshape: order must be 'C' because traced arrays have no memory order; got {order!r}")
    return record(np.reshape, (a, tuple(shape) if np.iterable(shape) else (shape,)))


linear(
    np.reshape,
    lambda X, y, a, shape: np.reshape(X, stack_shape(X, np.ndim(a)) + np.shape(y)),
    lambda Y, y, a, shape: np.reshape(Y, stack_shape(Y, np.ndim(y)) + np.shape(a)),
    recorder=reshape,
)


@composite(np.transpose)
def transpose(a, axes=None):
    return record(np.transpose, (a,) if axes is None else (a, tuple(axis % a.ndim for axis in axes)))


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


@composite(np.expand_dims)
def expand_dims(a, axis):
    axes = axis if isinstance(axis, tuple) else (axis,)
    ndim = np.ndim(a) + len(axes)
    new = {i % ndim for i in axes}
    lengths = iter(np.shape(a))
    return np.reshape(a, tuple(1 if i in new else next(lengths) for i in range(ndim)))


@composite(np.swapaxes)
def swapaxes(a, axis1, axis2):
    axes = list(range(np.ndim(a)))
    axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
    return np.transpose(a, axes)


@composite(np.matrix_transpose)
def matrix_transpose(a):
    return np.swapaxes(a, -1, -2)


@composite(np.broadcast_to)
def broadcast_to(a, shape):
    return a + np.zeros(shape, np.result_type(a))


functions["method", "T"] = np.transpose
functions["method", "mT"] = np.matrix_transpose
for name in ("reshape", "conj", "conjugate", "transpose", "sum", "ravel"):
    pass


def reshape_method(a):
    return lambda *shape: np.reshape(a, shape[0] if len(shape) == 1 else shape)


functions["method", "reshape"] = reshape_method
functions["method", "conj"] = lambda a: lambda: np.conjugate(a)
functions["method", "sum"] = lambda a: lambda *args, **keywords: np.sum(a, *args, **keywords)

# What is known without computing
functions[np.shape] = lambda a: a.shape
functions[np.ndim] = lambda a: a.ndim
functions[np.size] = lambda a, axis=None: a.size if axis is None else a.shape[axis]
functions[np.iscomplexobj] = lambda x: x.dtype.kind == "c"
functions[np.isrealobj] = lambda x: x.dtype.kind != "c"
functions[np.result_type] = lambda *values: np.result_type(*(getattr(v, "dtype", v) for v in values))
