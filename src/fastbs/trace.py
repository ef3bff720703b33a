"""What happened: traced values remember the NumPy function that made them and its arguments.

A `Traced` value carries the result of NumPy's own computation, so tracing a program runs it. There is no
global state: the recording hangs on the values, and `record` reads it back in execution order. This module
knows no derivatives and no kernels.
"""

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from .errors import TraceError

__all__ = ["Traced", "record"]


class Traced(NDArrayOperatorsMixin):
    """A value and how it came about: ``value = function(*arguments, **keywords)``.

    Parameters
    ----------
    value : array or number
        What NumPy computed.
    function : callable, optional
        The NumPy function; None for an input of the recording.
    arguments, keywords
        Its arguments, traced or plain, kept by reference.
    """

    __slots__ = ("arguments", "function", "keywords", "value")

    def __init__(self, value, function=None, arguments=(), keywords=None):
        self.value = value
        self.function = function
        self.arguments = arguments
        self.keywords = keywords or {}

    @property
    def shape(self):
        return np.shape(self.value)

    @property
    def ndim(self):
        return np.ndim(self.value)

    @property
    def size(self):
        return np.size(self.value)

    @property
    def dtype(self):
        return np.result_type(self.value)

    @property
    def T(self):
        return apply(np.transpose, (self,))

    @property
    def mT(self):
        return apply(np.matrix_transpose, (self,))

    def conj(self):
        return apply(np.conjugate, (self,))

    def conjugate(self):
        return apply(np.conjugate, (self,))

    def reshape(self, *shape):
        return apply(np.reshape, (self, shape[0] if len(shape) == 1 else shape))

    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        if method != "__call__" or "out" in keywords:
            return NotImplemented
        return apply(ufunc, inputs, keywords)

    def __array_function__(self, function, types, arguments, keywords):
        return apply(function, arguments, keywords)

    def __array__(self, dtype=None, copy=None):
        raise TraceError(
            "Traced.__array__: a traced value must stay traced because a plain array would forget where it "
            "came from; got a conversion to ndarray, use a NumPy function of the value itself"
        )

    def __repr__(self):
        name = getattr(self.function, "__name__", "input")
        return f"Traced({name}, shape={self.shape}, dtype={self.dtype})"


def plain(argument):
    """The value of a traced argument, any other as it is."""
    return argument.value if isinstance(argument, Traced) else argument


def apply(function, arguments, keywords=None):
    """Run a NumPy function on the values and remember that."""
    keywords = keywords or {}
    value = function(*map(plain, arguments), **{name: plain(k) for name, k in keywords.items()})
    return Traced(value, function, arguments, keywords)


def record(function, values):
    """Trace ``function(*values)``; return its inputs, results and all values in execution order.

    Parameters
    ----------
    function : callable of as many traced values, returning a value or a tuple of them
    values : sequence of arrays and numbers

    Returns
    -------
    inputs, results : lists
    order : list of Traced
        Every value that a result depends on, after the values it is made of.
    """
    inputs = [Traced(value) for value in values]
    results = function(*inputs)
    results = list(results) if isinstance(results, tuple) else [results]
    order, seen, stack = [], set(), [(r, False) for r in reversed(results) if isinstance(r, Traced)]
    while stack:
        value, complete = stack.pop()
        if complete:
            order.append(value)
        elif id(value) not in seen:
            seen.add(id(value))
            stack.append((value, True))
            stack.extend((a, False) for a in reversed(value.arguments) if isinstance(a, Traced))
    return inputs, results, order
