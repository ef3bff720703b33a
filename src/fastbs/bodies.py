"""Functions inside of a program, each a program of its own: what loops and choices, and their derivatives, share."""

import math

import numpy as np

from ._trace import Node, Traced, node_of, steps, steps_made, trace
from .compiler.program import evaluate, example, from_nodes
from .compiler.repeat import view_result
from .compiler.table import PARTS, VIEWS
from .rules.several import item

__all__ = ["closed", "in_dtype", "is_numeric", "recorded", "selected", "stack_of", "zeros_of"]


def closed(function, values, inline=False):
    """The program of a function of these values, the values around it that it uses, and plain values of its outputs.

    The function returns a list. What is used from outside becomes further inputs; what is computed of such values alone
    is computed outside, or also inside.
    """
    since = steps_made() if inline else math.inf
    inputs, leaves, level = trace(function, [*map(example, values)], replayed=True)
    outputs = [node_of(y) if type(y) is Traced and y.level == level else y for y in leaves]
    free = []
    program = from_nodes(inputs, outputs, steps([y for y in outputs if type(y) is Node]), free, since)
    return program, free, [example(y.value if type(y) is Node else y) for y in outputs]


def recorded(program, values):
    """A program as steps of the innermost trace: its inputs, and the outputs that depend on them (else None)."""
    inputs, outputs, level = trace(lambda *x: evaluate(program, x), values)
    return inputs, [node_of(y) if type(y) is Traced and y.level == level else None for y in outputs]


def selected(nodes, given):
    """The nodes with what is given for them, where there are both."""
    pairs = [(y, g) for y, g in zip(nodes, given, strict=True) if y is not None and g is not None]
    return [y for y, _ in pairs], [g for _, g in pairs]


def is_numeric(x):
    return isinstance(x, (bool, int, float, complex, np.generic, np.ndarray)) and np.result_type(x).kind in "biufc"


def stack_of(values, given):
    """The leading axes of directions: what the first of the given ones has more than its value."""
    return next(np.shape(g)[: np.ndim(g) - np.ndim(y)] for y, g in zip(values, given, strict=True) if g is not None)


def zeros_of(x, stack):
    return np.zeros((*stack, *np.shape(x)), np.result_type(example(x)))


def in_dtype(g, x):
    dtype = np.result_type(example(x))
    return g if np.result_type(example(g)) == dtype else np.astype(g, dtype)


VIEWS[item] = view_result
PARTS["item"] = item
