"""Methods of ufuncs, such as `np.add.reduce`, and of arrays."""

import functools

import numpy as np

from .._trace import Traced, constant_error
from ..errors import TraceError
from ..operators.elementwise import Elementwise
from .elementwise import cast
from .indexing import scatter_add
from .reductions import axes_of, flat, logaddexp_reduce, mean, one_axis, prod, standard_deviation, sum_, variance
from .running import running
from .table import functions, linear, methods, primitive, record

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
    methods[ufunc, "accumulate"] = accumulate_by(running(function))


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
    a = a if dtype is None else cast(a, dtype)
    if a.ndim == 0 and axis in (0, -1):
        return +a
    axis = one_axis(0 if axis is None else axis, a.ndim)
    if a.shape[axis] == 0 and ufunc.identity is not None:
        return np.add.reduce(a, axis=axis, keepdims=keepdims) + ufunc.identity
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
        raise constant_error("add.reduceat", "traced indices", "pass fb.stop_gradient(indices)")
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


def add_at(ufunc, a, indices, b):
    if type(a) is not Traced:
        raise constant_error(f"{ufunc.__name__}.at", "a plain array to add to", "make it with np.zeros_like(x)")
    a.replace(ufunc(a, scatter_add(b, indices, a.shape)))


methods[np.add, "at"] = methods[np.subtract, "at"] = add_at

for ufunc, function in ((np.logical_and, np.all), (np.logical_or, np.any)):
    methods[ufunc, "reduce"] = lambda ufunc, a, axis=0, *, of=function, **keywords: of(a, axis=axis, **keywords)

# Methods of arrays


def method(name, function):
    functions["method", name] = lambda a: functools.partial(function, a)


for name, function in (
    ("sum", sum_), ("prod", prod), ("mean", mean), ("var", variance), ("std", standard_deviation),
    ("max", functions[np.max]), ("min", functions[np.min]), ("cumsum", running(np.cumsum)),
    ("cumprod", running(np.cumprod)), ("clip", np.clip), ("argmax", np.argmax), ("argmin", np.argmin),
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
