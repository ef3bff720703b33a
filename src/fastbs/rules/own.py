"""A user's own functions with their derivatives."""

import functools

from .._trace import Traced
from .table import RULES, record

__all__ = ["rule"]


def rule(function=None, operators=None):
    """Give a function its derivative: ``dy = sum over k of A_k dx_k`` with operators A_k.

    Parameters
    ----------
    function : callable of arrays and numbers, returning an array or number
        Need not be written in NumPy: it may call a solver or compiled code. It is called with plain values only.
    operators : callable, ``(y, *x) -> sequence of Operator``
        One operator an argument, None for zero: the derivative at the arguments x with the result y. Written in
        functions that have rules, it can be differentiated again.

    Returns
    -------
    callable
        The function for plain and traced arguments; without `function` a decorator.

    Examples
    --------
    The root of ``x^3 + p x = 1``, found by whatever means, has ``(3 x^2 + p) dx + x dp = 0``:

    >>> import numpy as np, fastbs as fb
    >>> from scipy.optimize import brentq
    >>> @fb.rule(operators=lambda x, p: [fb.Hadamard(-x / (3 * x**2 + p))])
    ... def root(p):
    ...     return np.float64(brentq(lambda x: x**3 + p * x - 1, 0, 1))
    >>> fb.grad(root)(1.0).round(6)
    np.float64(-0.284693)
    """
    if function is None:
        return functools.partial(rule, operators=operators)
    for name, given in (("function", function), ("operators", operators)):
        if not callable(given):
            raise TypeError(f"rule: {name} must be callable because it is called; got {type(given).__name__}")

    @functools.wraps(function)
    def ruled(*arguments):
        if any(type(argument) is Traced for argument in arguments):
            return record(ruled, arguments)
        return function(*arguments)

    RULES[ruled] = OneCall(operators)
    return ruled


class OneCall:
    """The rules of all arguments as one function that returns their operators."""

    def __init__(self, operators):
        self.operators = operators

    def __getitem__(self, k):
        return lambda y, *x: self.operators(y, *x)[k]

    def __len__(self):
        return 2**31 - 1  # as many arguments as the function has
