"""Steps out of the ordinary: several results, any number of arguments, functions that NumPy does not dispatch.

A function with several results is one step whose value is the tuple of them, and one more step a result, `item`,
that selects it. So the rules of such a function map tuples of tangents and cotangents, with None for zero.
"""

import functools

import numpy as np

from .._trace import Traced, call, record
from ..operator import Operator
from .table import RULES, functions

__all__ = [
    "Joint", "Results", "as_array", "dispatched", "holomorphic", "is_differentiable", "item", "record_several",
    "variadic",
]  # fmt: skip


def as_array(a):
    """An array as it is; a number or a list, whose elements may be traced, as an array."""
    return a if hasattr(a, "dtype") else functions["array"](a)


def record_several(function, arguments, keywords=None):
    """Record a function that returns a tuple; the tuple of its results, each traced, a namedtuple if it is one."""
    step = record(function, arguments, keywords)
    results = [record(item, (step, i)) for i in range(len(step.value))]
    kind = type(step.value)
    return kind(*results) if hasattr(kind, "_fields") else tuple(results)


def item(results, i):
    """The result i of several."""
    return results[i]


class Item(Operator):
    """(X_0, ..., X_n) -> X_i; adjoint Y -> (0, ..., Y, ..., 0)."""

    def __init__(self, n, i, shape_out):
        self.__dict__.update(n=n, i=i, shape_in=None, shape_out=shape_out, name=f"[{i}]")

    def apply(self, X):
        return X[self.i]

    def apply_adjoint(self, Y):
        return (*(None,) * self.i, Y, *(None,) * (self.n - self.i - 1))

    def adjoint(self):
        return Operator(self.apply_adjoint, self.apply, self.name + "ᴴ", self.shape_out, self.shape_in)

    transposed = adjoint

    def takes(self, X):
        return isinstance(X, tuple)


RULES[item] = (lambda y, results, i: Item(len(results), i, y.shape) if y.dtype.kind in "fc" else None, None)


class Variadic:
    """The rules of a function of any number of arguments: rule k is ``rule(k, result, *arguments, **keywords)``."""

    def __init__(self, rule):
        self.rule = rule

    def __getitem__(self, k):
        return functools.partial(self.rule, k)


def variadic(function, rule, recorder=True):
    """A function of any number of arguments, with one rule for all of them."""
    functions[function] = recorder
    RULES[function] = Variadic(rule)


def dispatched(function):
    """A decorator: plain arguments go to this function, traced ones to its line of the table, as NumPy's own do."""

    @functools.wraps(function)
    def dispatch(*arguments, **keywords):
        if any(type(x) is Traced for x in arguments) or any(type(x) is Traced for x in keywords.values()):
            return call(dispatch, arguments, keywords)
        return function(*arguments, **keywords)

    functions[dispatch] = True
    return dispatch


class Holomorphic(Operator):
    """A complex-linear operator whose adjoint was written as its transpose: A^H Y = conj(A^T conj(Y)).

    Parameters
    ----------
    op : Operator
    real : bool
        Whether X is real: then the adjoint is the real part.
    """

    def __init__(self, op, real):
        self.__dict__.update(op=op, real=real, shape_in=op.shape_in, shape_out=op.shape_out)

    def apply(self, X):
        return self.op.apply(X)

    def apply_adjoint(self, Y):
        X = np.conjugate(self.op.apply_adjoint(np.conjugate(Y)))
        return np.real(X) if self.real else X

    def adjoint(self):
        return Operator(self.apply_adjoint, self.apply, self.symbol + "ᴴ", self.shape_out, self.shape_in)

    @property
    def symbol(self):
        return self.op.symbol


def holomorphic(rule, k):
    """A rule for argument k, written for real arrays and true of complex ones."""

    @functools.wraps(rule)
    def complex_rule(y, *arguments, **keywords):
        op = rule(y, *arguments, **keywords)
        if y.dtype.kind == "c" and op is not None:
            return Holomorphic(op, arguments[k].dtype.kind != "c")
        return op

    return complex_rule


class Results(tuple):
    """The results of a step, which remembers what was pulled back last."""

    pulled = None, None  # a cotangent, and those of the arguments


class Joint:
    """The rules of all arguments of a function with several results, which are cheaper together.

    Parameters
    ----------
    pull : callable, ``(results, arguments, cotangents, **keywords) -> list``
        One cotangent an argument, None for zero.
    push : callable, ``(results, arguments, tangents, **keywords) -> tuple``
        One tangent a result, None for zero.
    """

    def __init__(self, pull, push):
        self.pull, self.push = pull, push

    def __getitem__(self, k):
        def rule(y, *x, **keywords):
            return JointTerm(self, k, y, x, keywords) if is_differentiable(x[k]) else None

        return rule


class JointTerm(Operator):
    """The derivative with respect to one argument; all terms share what is pulled back."""

    def __init__(self, rules, k, results, arguments, keywords):
        self.__dict__.update(
            rules=rules, k=k, results=results, arguments=arguments, keywords=keywords,
            shape_in=np.shape(arguments[k]), shape_out=None, name=f"J[{k}]",
        )  # fmt: skip

    def apply(self, X):
        tangents = [X if i == self.k else None for i in range(len(self.arguments))]
        return self.rules.push(self.results, self.arguments, tangents, **self.keywords)

    def apply_adjoint(self, Y):
        known, terms = self.results.pulled
        if known is not Y:
            terms = self.rules.pull(self.results, self.arguments, Y, **self.keywords)
            self.results.pulled = Y, terms
        return terms[self.k]

    def adjoint(self):
        return Operator(self.apply_adjoint, self.apply, self.name + "ᴴ", self.shape_out, self.shape_in)

    transposed = adjoint


def is_differentiable(x):
    return (x.dtype if hasattr(x, "dtype") else np.result_type(x)).kind in "fc"
