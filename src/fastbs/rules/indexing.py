"""Indexing: a step takes elements out, its adjoint adds them back where they came from.

``x[index]`` is recorded as ``get(x, *arrays, index=template)``. The template is the index with `ARRAY` in place of its
index arrays, which are arguments of the step: a traced mask or sort order stays traced, and is computed anew wherever
the step is. For given arrays both `get` and `add_at` are linear, and each is the adjoint of the other.
"""

import functools
import math
import operator

import numpy as np

from .._trace import Traced
from .several import as_array, dispatched, variadic
from .table import RULES, Linear, composite, functions, record

__all__ = [
    "ALL", "add_at", "along_axis", "axis_index", "fill", "flat_or_along", "get", "in_bounds", "innermost",
    "linear_in_first", "method", "nested_array", "parse", "positions", "read", "scatter_add", "selected_shape",
    "stretched",
]  # fmt: skip


class IndexArray:
    """Stands for the next index array in a template."""

    def __repr__(self):
        return "ARRAY"

    def __reduce__(self):
        return "ARRAY"


ARRAY = IndexArray()
ALL = slice(None)


def parse(index):
    """The template of an index and its arrays."""
    kind = type(index)
    if kind is int:
        return (index,), ()
    template, arrays = [], []
    for i in index if isinstance(index, tuple) else (index,):
        if i is None or i is Ellipsis or type(i) is int:
            template.append(i)
        elif isinstance(i, slice):
            template.append(slice(*(None if n is None else operator.index(n) for n in (i.start, i.stop, i.step))))
        elif isinstance(i, np.integer):
            template.append(int(i))
        else:
            template.append(ARRAY)
            arrays.append(index_array(i))
    return tuple(template), tuple(arrays)


def index_array(i):
    """An index as an array: traced as it is, plain as a copy, which the program may not change any more."""
    if type(i) is not Traced:
        i = nested_array(i)
    if i.size == 0 and i.dtype.kind == "f":
        return i.astype(int)
    if i.dtype.kind not in "iub":
        raise IndexError(f"index: arrays must be of integer or boolean type because they are indices; got {i.dtype}")
    return i


def nested_array(nested):
    """A new array of an array, or of nested lists, some of whose elements may be traced."""
    return functions["array"](nested)


def fill(template, arrays):
    """The index of a template."""
    arrays = iter(arrays)
    return tuple([next(arrays) if i is ARRAY else i for i in template])


def axis_index(axis, i):
    """The template of ``x[..., i, :, :]`` for a negative axis."""
    return (Ellipsis, i, *(ALL,) * (-axis - 1))


def positions(template, arrays, shape):
    """Where the elements of ``x[index]`` stand in the flat x of this shape."""
    return np.reshape(np.arange(math.prod(shape)), shape)[fill(template, arrays)]


# The two primitives


@dispatched
def get(x, *arrays, index, ndim):
    """x[..., index]: the index counts on the last `ndim` axes, all others are a stack."""
    k = np.ndim(x) - ndim
    if not arrays:
        return x[(ALL,) * k + index] if k else x[index]
    if k == 0:
        return x[fill(index, arrays)]
    stack, shape = np.shape(x)[:k], np.shape(x)[k:]
    # an index with arrays moves axes by rules of its own; a flat one does not
    return np.reshape(x, (*stack, math.prod(shape)))[..., positions(index, arrays, shape)]


@dispatched
def add_at(y, *arrays, index, ndim, shape):
    """Zeros of this shape with y added at [..., index]; all axes of y but the last `ndim` are a stack."""
    y = np.asarray(y)
    stack = y.shape[: y.ndim - ndim]
    x = np.zeros((*stack, *shape), y.dtype)
    k = len(stack)
    if not arrays:
        x[(ALL,) * k + index] = y
        return x
    once = all(a.dtype.kind == "b" or a.size == 1 for a in arrays)
    if once and k == 0:
        x[fill(index, arrays)] = y
        return x
    size = math.prod(shape)
    flat = np.ravel(positions(index, arrays, shape))
    if once:
        np.reshape(x, (*stack, size))[..., flat] = np.reshape(y, (*stack, flat.size))
        return x
    # NumPy adds fast at one-dimensional indices
    flat = np.ravel(np.arange(math.prod(stack))[:, None] * size + flat) if k else flat
    np.add.at(np.reshape(x, -1), flat, np.ravel(y))
    return x


def shape_of_one(x, ndim):
    """The shape of x without its stack."""
    return np.shape(x)[np.ndim(x) - ndim :]


def get_forward(X, y, x, *arrays, index, ndim):
    return get(X, *arrays, index=index, ndim=ndim)


def get_adjoint(Y, y, x, *arrays, index, ndim):
    count = np.ndim(y) - (np.ndim(x) - ndim)
    return add_at(Y, *arrays, index=index, ndim=count, shape=shape_of_one(x, ndim))


def add_forward(X, x, y, *arrays, index, ndim, shape):
    return add_at(X, *arrays, index=index, ndim=ndim, shape=shape)


def add_adjoint(Y, x, y, *arrays, index, ndim, shape):
    return get(Y, *arrays, index=index, ndim=len(shape))


def linear_in_first(forward, adjoint):
    """The rule of a function that is linear in its first argument; the others are index arrays."""

    def rule(k, y, *arguments, **keywords):
        if k or y.dtype.kind not in "fc":
            return None
        return Linear(forward, adjoint, (y, *arguments), keywords)

    return rule


variadic(get, linear_in_first(get_forward, get_adjoint))
variadic(add_at, linear_in_first(add_forward, add_adjoint))


# x[index]


def read(x, index):
    """x[index] for a traced x or a traced index."""
    template, arrays = parse(index)
    if not arrays and type(x) is Traced:
        return record(get, (x,), {"index": template, "ndim": x.ndim})
    return get(x, *arrays, index=template, ndim=np.ndim(x))


functions["get"] = read
functions["get step"] = get


def scatter_add(values, index, shape):
    """Zeros of a shape with values added at an index, once for every time an element is named.

    Parameters
    ----------
    values : array that broadcasts to the shape of ``x[index]``
    index : what an array of this shape is indexed with; its arrays may be traced
    shape : tuple of int
    """
    template, arrays = parse(index)
    selected = selected_shape(template, arrays, shape)
    return add_at(stretched(values, selected), *arrays, index=template, ndim=len(selected), shape=tuple(shape))


def selected_shape(template, arrays, shape):
    """The shape of ``x[index]``."""
    if not arrays and len(template) <= len(shape) and all(type(i) is int for i in template):
        return shape[len(template) :]
    return np.shape(np.broadcast_to(False, shape)[fill(template, [innermost(a) for a in arrays])])


def innermost(x):
    """The plain array below all traces."""
    while type(x) is Traced:
        x = x.value
    return x


def stretched(v, shape):
    """v broadcast to a shape, where extra leading axes of length 1 are dropped as NumPy's assignment does."""
    given = np.shape(v)
    if given == shape:
        return v
    if len(given) > len(shape) and all(n == 1 for n in given[: len(given) - len(shape)]):
        v = np.reshape(v, given[len(given) - len(shape) :])
    return np.broadcast_to(v, shape) if np.shape(v) != shape else v


# Functions that index


def in_bounds(indices, n, mode):
    """Indices of an axis of length n, with those out of bounds treated as `mode` says."""
    indices = index_array(indices)
    if mode == "raise":
        return indices
    if mode == "wrap":
        return np.remainder(indices, n)
    if mode == "clip":
        return np.clip(indices, 0, n - 1)
    raise ValueError(f"mode must be raise, wrap or clip because these are NumPy's; got {mode!r}")


def flat_or_along(a, axis):
    """The array and axis that elements are taken along; a number is an array of one element, as in NumPy."""
    if axis is None or (np.ndim(a) == 0 and axis in (0, -1)):
        return np.ravel(a), 0
    return a, axis


@composite(np.take)
def take(a, indices, axis=None, out=None, mode="raise"):
    a, axis = flat_or_along(a, axis)
    axis = np.lib.array_utils.normalize_axis_index(axis, np.ndim(a))
    indices = in_bounds(indices, np.shape(a)[axis], mode)
    if indices.dtype.kind == "b":
        indices = indices.astype(int)
    return read(a, (*(ALL,) * axis, indices))


def along_axis(a, indices, axis):
    """The index with ``a[index] = take_along_axis(a, indices, axis)``."""
    if type(indices) is not Traced:
        indices = np.array(indices)
    if indices.dtype.kind not in "iu":
        raise IndexError(f"take_along_axis: indices must be integers because they are positions; got {indices.dtype}")
    ndim = np.ndim(a)
    if indices.ndim != ndim:
        raise ValueError(f"take_along_axis: indices must have {ndim} axes because the array has; got {indices.ndim}")
    axis = np.lib.array_utils.normalize_axis_index(axis, ndim)
    grid = [np.reshape(np.arange(n), (n, *(1,) * (ndim - i - 1))) for i, n in enumerate(np.shape(a))]
    return (*grid[:axis], indices, *grid[axis + 1 :])


@composite(np.take_along_axis)
def take_along_axis(arr, indices, axis=-1):
    if axis is None:
        return read(np.ravel(arr), indices)
    return read(arr, along_axis(arr, indices, axis))


@composite(np.compress)
def compress(condition, a, axis=None, out=None):
    a, axis = flat_or_along(a, axis)
    return np.take(a, np.flatnonzero(condition), axis=axis)


@composite(np.extract)
def extract(condition, arr):
    return np.take(np.ravel(arr), np.flatnonzero(condition))


@composite(np.choose)
def choose(a, choices, out=None, mode="raise"):
    n = len(choices)
    a, *choices = np.broadcast_arrays(a, *choices)
    index = in_bounds(a, n, mode)
    return take_along_axis(np.stack(choices), np.expand_dims(index, 0), 0)[0]


@composite(np.select)
def select(condlist, choicelist, default=0):
    result = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        result = np.where(condition, choice, result)
    return result


@composite(np.piecewise)
def piecewise(x, condlist, funclist, *arguments, **keywords):
    # as NumPy does it: every function sees the elements that it is for
    single = hasattr(condlist, "ndim") and condlist.ndim == np.ndim(x)
    conditions = [condlist] if single else list(condlist)
    if len(conditions) == len(funclist) - 1:
        conditions.append(~functools.reduce(np.logical_or, conditions))
    if len(conditions) != len(funclist):
        raise ValueError(
            f"piecewise: funclist must have {len(conditions)} or {len(conditions) + 1} entries because condlist has "
            f"{len(conditions)}; got {len(funclist)}"
        )
    y = np.zeros_like(x)
    for condition, function in zip(conditions, funclist, strict=True):
        condition = np.astype(as_array(condition), bool)
        if not callable(function):
            y[condition] = function
            continue
        chosen = x[condition]
        if np.size(chosen):
            y[condition] = function(chosen, *arguments, **keywords)
    return y


# The diagonal


def diagonal_forward(X, y, a, offset, axis1, axis2):
    return np.diagonal(X, offset, axis1, axis2)


def diagonal_adjoint(Y, y, a, offset, axis1, axis2):
    shape = np.shape(a)
    rest = [n for i, n in enumerate(shape) if i - len(shape) not in (axis1, axis2)]
    i = np.arange(np.shape(y)[-1])
    index = (Ellipsis, i + max(-offset, 0), i + max(offset, 0))
    template, arrays = parse(index)
    X = add_at(Y, *arrays, index=template, ndim=np.ndim(y), shape=(*rest, shape[axis1], shape[axis2]))
    return np.moveaxis(X, (-2, -1), (axis1, axis2))


@composite(np.diagonal)
def diagonal(a, offset=0, axis1=0, axis2=1):
    ndim = np.ndim(a)
    if ndim < 2:
        raise ValueError(f"diagonal: a must have two axes because its diagonal is asked for; got {ndim}")
    axis1, axis2 = (np.lib.array_utils.normalize_axis_index(i, ndim) - ndim for i in (axis1, axis2))
    return record(np.diagonal, (a,), {"offset": operator.index(offset), "axis1": axis1, "axis2": axis2})


def diagonal_rule(y, a, **keywords):
    return Linear(diagonal_forward, diagonal_adjoint, (y, a), keywords) if y.dtype.kind in "fc" else None


RULES[np.diagonal] = (diagonal_rule,)


@composite(np.diag)
def diag(v, k=0):
    if np.ndim(v) == 2:
        return np.diagonal(v, k)
    if np.ndim(v) != 1:
        raise ValueError(f"diag: v must have one or two axes because it is a diagonal or has one; got {np.ndim(v)}")
    n = np.shape(v)[0] + abs(k)
    i = np.arange(np.shape(v)[0])
    return scatter_add(v, (i + max(-k, 0), i + max(k, 0)), (n, n))


@composite(np.diagflat)
def diagflat(v, k=0):
    return np.diag(np.ravel(v), k)


# Known from the shape alone
functions[np.diag_indices_from] = lambda arr: np.diag_indices_from(np.empty(arr.shape, bool))
functions[np.tril_indices_from] = lambda arr, k=0: np.tril_indices(arr.shape[-2], k, arr.shape[-1])
functions[np.triu_indices_from] = lambda arr, k=0: np.triu_indices(arr.shape[-2], k, arr.shape[-1])


# Methods


def method(name, function):
    functions["method", name] = lambda a: functools.partial(function, a)


for name, function in (("take", np.take), ("diagonal", np.diagonal), ("choose", np.choose)):
    method(name, function)
method("compress", lambda a, condition, axis=None, out=None: np.compress(condition, a, axis))
functions["method", "flat"] = lambda a: np.ravel(a).view_of(a)
