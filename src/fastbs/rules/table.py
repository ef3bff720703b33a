"""The table and the ways to write a line of it.

A line gives one rule an argument. A rule is called with the result and the arguments of a step and returns the
derivative with respect to its argument as an operator: forward mode applies it, reverse mode applies its
adjoint. Rules and operators are written in NumPy functions that have rules themselves, so derivatives nest.
"""

import inspect
import sys
from importlib import import_module

import numpy as np

from .._trace import Traced, constant_error, functions, methods, record
from ..errors import TraceError
from ..operator import Operator
from ..operators.elementwise import ComplexElementwise, Elementwise

__all__ = [
    "RULES", "ZERO", "composite", "constant", "elementwise", "functions", "into", "linear", "methods", "primitive",
    "record", "stack_shape",
]  # fmt: skip

RULES = {}  # function -> one rule an argument: rule(result, *arguments, **keywords) -> Operator or None for zero


def elementwise(ufunc, *derivatives, recorder=True):
    """A ufunc; each derivative(result, *arguments) is the factor M of its argument, None for 1, or ZERO."""
    functions[ufunc] = recorder
    RULES[ufunc] = (
        tuple(None if d is ZERO else elementwise_rule(d, i) for i, d in enumerate(derivatives))
        if len(derivatives) > 1
        else (unary_rule(*derivatives),)
    )


ZERO = "zero derivative"


def unary_rule(derivative):
    """The rule of a function of one argument, whose shape is that of the result."""

    def rule(y, x):
        shape = y.shape
        M = None if derivative is None else derivative(y, x)
        if y.dtype.kind == "c":
            return ComplexElementwise(M, shape, shape, x.dtype.kind != "c")
        return Elementwise(M, shape, shape)

    return rule


def elementwise_rule(derivative, i):
    """The rule of one of several arguments."""

    def rule(y, *x):
        M = None if derivative is None else derivative(y, *x)
        if M is ZERO:
            return None
        if y.dtype.kind == "c":
            return ComplexElementwise(M, x[i].shape, y.shape, x[i].dtype.kind != "c")
        return Elementwise(M, x[i].shape, y.shape)

    return rule


def constant(*names):
    """Functions whose results have zero derivative: comparisons, rounding, indices."""
    for function in names:
        functions[function] = True if isinstance(function, np.ufunc) else positional(function)


def positional(function):
    """Record an array function with its traced arguments where the recording looks for them: by position."""

    def recorder(*arguments, **keywords):
        out = keywords.pop("out", None)
        if any(type(value) is Traced for value in keywords.values()):
            bound = inspect.signature(function).bind(*arguments, **keywords)
            bound.apply_defaults()
            arguments, keywords = bound.args, bound.kwargs
            for name, value in keywords.items():
                if type(value) is Traced:
                    raise TraceError(
                        f"{function.__name__}: {name} must be plain because only arguments by position are recorded; "
                        "got a traced value, pass fb.stop_gradient(x)"
                    )
        return into(out, record(function, arguments, keywords))

    return recorder


def into(out, result):
    """What a function with ``out=`` returns: the destination, if it is traced."""
    if out is None:
        return result
    if type(out) is not Traced:
        raise constant_error(
            "out=",
            f"a plain {type(out).__name__} as destination",
            "leave out= away, or make it with np.zeros_like(x)",
        )
    return out.replace(result)


def primitive(function, *rules, recorder=True):
    """A function with one rule an argument; `recorder` normalizes the program's call, if it must."""
    functions[function] = recorder
    RULES[function] = rules


def linear(function, forward, adjoint, recorder=True):
    """A function that is linear in its first argument: a rule whose maps take the step's other arguments.

    ``forward(X, result, *arguments, **keywords)`` and ``adjoint(Y, ...)`` take stacks on leading axes.
    """

    def linear_rule(y, x, *rest, **keywords):
        return Linear(forward, adjoint, (y, x, *rest), keywords)

    primitive(function, linear_rule, recorder=recorder)


class Linear(Operator):
    """X -> forward(X, *data), with its adjoint."""

    def __init__(self, forward, adjoint, data, keywords):
        self.__dict__.update(
            forward=forward, backward=adjoint, data=data, keywords=keywords,
            shape_in=np.shape(data[1]), shape_out=np.shape(data[0]), name=getattr(forward, "__name__", "F"),
        )  # fmt: skip

    def apply(self, X):
        return self.forward(X, *self.data, **self.keywords)

    def apply_adjoint(self, Y):
        return self.backward(Y, *self.data, **self.keywords)

    def adjoint(self):
        return Operator(self.apply_adjoint, self.apply, self.name + "ᴴ", self.shape_out, self.shape_in)

    transposed = adjoint


def composite(*names):
    """A decorator: these NumPy functions are traced by running this one, written in functions with rules."""

    def register(function):
        for name in names:
            functions[name] = function
        return function

    return register


def stack_shape(X, ndim):
    """The leading axes of X before its last `ndim`."""
    return np.shape(X)[: np.ndim(X) - ndim]


def missing(function):
    """What records a function that is met for the first time: SciPy's ufuncs are registered when one is used.

    Their module is slow to import, and whoever has such a ufunc has imported it. Two of NumPy's functions need it, too.
    """
    if function in (np.sinc, np.i0) or (isinstance(function, np.ufunc) and "scipy.special" in sys.modules):
        import_module("fastbs.rules.special")
    return functions.get(function)


functions["missing"] = missing
