"""A user's own functions with their derivatives, and control flow written as functions."""

import functools

import numpy as np
import optree

from .._trace import Traced, is_replayed
from .table import RULES, record

__all__ = ["cond", "rule", "scan"]


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


def scan(step, state, xs):
    """A loop as a function: ``state, y_i = step(state, xs[i])``; returns the last state and the stacked y.

    Parameters
    ----------
    step : callable, ``(state, x) -> (state, y)``
    state : array, number, or nested lists, tuples and dicts of them
    xs : arrays with the steps on their first axis, or nested containers of them

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.scan(lambda s, x: (s + x, s * x), 0.0, np.array([1.0, 2.0, 3.0]))
    (np.float64(6.0), array([0., 2., 9.]))
    """
    leaves, structure = optree.tree_flatten(xs)
    lengths = {len(x) for x in leaves}
    if len(lengths) != 1:
        raise ValueError(f"scan: all arrays of xs must have one length because they are stepped through; got {lengths}")
    ys = []
    for i in range(lengths.pop()):
        state, y = step(state, optree.tree_unflatten(structure, [x[i] for x in leaves]))
        ys.append(y)
    return state, optree.tree_map(lambda *parts: np.stack(parts), *ys) if ys else None


def cond(flag, f, g, *arguments):
    """``f(*arguments)`` if the flag is true, else ``g(*arguments)``.

    Under `compile` both are computed, and the flag selects among the results.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.grad(lambda x: fb.cond(x > 0, np.sin, np.cos, x))(0.0).round(3)
    np.float64(-0.0)
    """
    if type(flag) is Traced and is_replayed(flag):
        # a tape computes both, and takes one of them each time it runs
        return optree.tree_map(functools.partial(np.where, flag), f(*arguments), g(*arguments))
    return f(*arguments) if flag else g(*arguments)
