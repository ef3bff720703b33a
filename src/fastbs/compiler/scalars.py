"""Loops over small arrays as loops over numbers: every element of a state, a row and a free value is one of its own.

Indexing, joining and small products of such arrays are then no code at all, or a few multiplications, and a step
of the loop is one elementwise program of numbers.
"""

import itertools
import math
from dataclasses import replace

import numpy as np

from .elementwise import COST, is_elementwise
from .fuse import fused, is_readable, reads_truth_or_reals
from .loops import pruned, with_loops_replaced
from .program import INPUT, Program, Step
from .simplify import common_subexpressions, key_of, simplify
from .table import PARTS, PLACES, is_view

__all__ = ["EXPANSIONS", "NotExpandable", "scalars"]

MOST_ELEMENTS = 16  # of an array
MOST_STEPS = 600  # of numbers in a body
MOST_TERMS = 32  # products of numbers in a matrix product

# Functions -> how they make the elements of their result: (expansion, step) -> array of objects
EXPANSIONS = {}

# Measured nanoseconds of a step of a loop: of the loop, of an instruction, of an operation on numbers in the loop, and
# outside of it on arrays, of a function of a number, and of a number that is read or written.
STEP, INSTRUCTION, INSIDE, OUTSIDE, FUNCTION, MOVED = 36.0, 16.0, 1.2, 0.3, 6.0, 1.2

NOTHING = float(0)  # the zeros around what is added at an index, by identity: adding them changes nothing


class NotExpandable(Exception):
    """A body that stays one of arrays."""


class Expansion:
    """The elements of the values of a program, each a step of shape () or a number."""

    def __init__(self):
        self.elements = {}  # id(step) -> array of objects
        self.count = 0

    def of(self, value):
        """The elements of an argument."""
        if type(value) is Step:
            return self.elements[id(value)]
        return elements_of(np.asarray(value))

    def make(self, function, arguments, like, keywords=None):
        """A step of shape () with the dtype of another one."""
        self.count += 1
        if self.count > MOST_STEPS:
            raise NotExpandable
        return Step(function, tuple(arguments), keywords or {}, (), like.dtype, like.where, like.weak)

    def expand(self, step):
        if step.shape is None or step.dtype.char not in "fd?" or math.prod(step.shape) > MOST_ELEMENTS:
            raise NotExpandable
        line = EXPANSIONS.get(step.function)
        if line is not None:
            self.elements[id(step)] = line(self, step)
        elif is_elementwise(step) and all(map(is_readable, step.arguments)) and reads_truth_or_reals(step):
            self.elements[id(step)] = self.elementwise(step)
        else:
            raise NotExpandable

    def elementwise(self, step):
        operands = [np.broadcast_to(self.of(a), step.shape) for a in step.arguments]
        result = np.empty(step.shape, object)
        for i in np.ndindex(step.shape):
            result[i] = self.apply(step, [x[i] for x in operands])
        return result

    def apply(self, step, arguments):
        if step.function in (np.add, np.subtract):
            a, b = arguments
            if b is NOTHING and is_like(a, step):
                return a
            if a is NOTHING and is_like(b, step):
                return b if step.function is np.add else self.make(np.negative, (b,), step)
            if a is b is NOTHING:
                return NOTHING
        return self.make(step.function, arguments, step, step.keywords)

    def total(self, function, terms, like):
        """The terms joined by a function of two arguments."""
        terms = [x for x in terms if x is not NOTHING]
        if not terms:
            return NOTHING
        result = terms[0]
        for x in terms[1:]:
            result = self.make(function, (result, x), like)
        return result


def is_like(x, step):
    return type(x) is Step and x.dtype == step.dtype and x.weak == step.weak


def elements_of(array):
    if array.dtype.char not in "fd?il" or array.size > MOST_ELEMENTS:
        raise NotExpandable
    result = np.empty(array.shape, object)
    for i in np.ndindex(array.shape):
        result[i] = array[i].item()
    return result


def rearranged(expansion, step):
    x, *rest = step.arguments
    if step.keywords:
        raise NotExpandable
    return step.function(expansion.of(x), *rest)


def placed(expansion, step):
    result = np.empty(step.shape, object)
    for a, index in PLACES[step.function](step):
        result[index] = plain(expansion.of(a))
    return result


def plain(x):
    """An array of objects to be assigned: a single one is that object."""
    return x if x.shape else x[()]


def same_number(x):
    return lambda expansion, step: np.full(step.shape, x, object)


def reduced(function, scale=False):
    """A reduction by a function of two arguments."""

    def expand(expansion, step):
        (x,) = step.arguments
        if type(x) is not Step or x.dtype != step.dtype or not x.shape or 0 in x.shape:
            raise NotExpandable
        x = expansion.of(x)
        axes = step.keywords.get("axis", tuple(range(x.ndim)))
        axes = tuple([i % x.ndim for i in ((axes,) if isinstance(axes, int) else axes)])
        rest = tuple([i for i in range(x.ndim) if i not in axes])
        lines = np.transpose(x, (*rest, *axes)).reshape(*[x.shape[i] for i in rest], -1)
        result = np.empty(lines.shape[:-1], object)
        for i in np.ndindex(result.shape):
            result[i] = expansion.total(function, lines[i], step)
            if scale:
                result[i] = expansion.make(np.multiply, (1 / lines.shape[-1], result[i]), step)
        return result.reshape(step.shape)

    return expand


def product(expansion, step):
    """Sums of products along the last axis of a, and the last but one of b."""
    a, b = (expansion.of(x) for x in step.arguments)
    a, b = (a[None] if a.ndim == 1 else a), (b[:, None] if b.ndim == 1 else b)
    if not a.ndim == b.ndim == 2 or a.shape[0] * b.size > MOST_TERMS:
        raise NotExpandable
    result = np.empty((a.shape[0], b.shape[1]), object)
    for i, j in np.ndindex(result.shape):
        result[i, j] = inner(expansion, step, a[i], b[:, j])
    return result.reshape(step.shape)


def vecdot(expansion, step):
    a, b = (expansion.of(x) for x in step.arguments)
    a, b = np.broadcast_arrays(a, b)
    if a.size > MOST_TERMS:
        raise NotExpandable
    result = np.empty(step.shape, object)
    for i in np.ndindex(step.shape):
        result[i] = inner(expansion, step, a[i], b[i])
    return result


def inner(expansion, step, a, b):
    terms = [
        expansion.make(np.multiply, (x, y), step)
        for x, y in zip(a, b, strict=True)
        if x is not NOTHING and y is not NOTHING
    ]
    return expansion.total(np.add, terms, step)


EXPANSIONS |= {
    np.reshape: rearranged,
    np.transpose: rearranged,
    np.broadcast_to: rearranged,
    np.zeros_like: same_number(NOTHING),
    np.ones_like: same_number(1.0),
    np.sum: reduced(np.add),
    np.mean: reduced(np.add, scale=True),
    np.max: reduced(np.maximum),
    np.min: reduced(np.minimum),
    np.matmul: product,
    np.vecdot: vecdot,
}


def scalars(program, optimize):
    """The program whose loops over small arrays are loops over numbers."""
    found = with_loops_replaced(program, expanded)
    return program if found is program else pruned(simplify(found), lambda body: body)


def expanded(step):
    """The results of a loop as one over numbers, None if it stays as it is."""
    loop = step.keywords["loop"]
    if loop.schedule is not None or loop.length == 0:
        return None
    c, k = loop.carries, loop.rows
    try:
        body, counts = body_of_numbers(loop.body)
    except NotExpandable:
        return None
    if not pays(loop, body, counts):
        return None
    starts = np.cumsum([0, *counts])
    first = [y for x in step.arguments[:c] for y in parts_of(x)]
    rows = [y for x in step.arguments[c : c + k] for y in parts_of(x, 1)]
    free = [y for x in step.arguments[c + k :] for y in parts_of(x)]
    body, rows, free = with_distinct_inputs(body, len(first), rows, free)
    starts_of_ys = np.cumsum([0, *[math.prod(np.shape(y)) for y in loop.body.outputs[c:]]])
    names, shapes = [], []
    for kind, j in loop.results:
        y = loop.body.outputs[c + j] if kind == "ys" else loop.body.inputs[j]
        start = starts_of_ys[j] if kind == "ys" else starts[j]
        names.append([(kind, int(start) + i) for i in range(math.prod(np.shape(y)))])
        shapes.append(np.shape(y))
    flat = [name for group in names for name in group]
    inner = replace(
        loop, body=body, carries=len(first), rows=len(rows), results=tuple(flat), examples=((), ()), derived={}
    )
    made = Step(step.function, (*first, *rows, *free), {"loop": inner}, None, None, step.where)
    found, at = [], 0
    for (kind, j), group, shape in zip(loop.results, names, shapes, strict=True):
        y = loop.body.outputs[c + j] if kind == "ys" else loop.body.inputs[j]
        lead = () if kind == "last" else (loop.length,)
        dtype = y.dtype if type(y) is Step else np.result_type(y)
        columns = np.empty(len(group), object)
        for i in range(len(group)):
            columns[i] = Step(PARTS["item"], (made, at + i), {}, lead, dtype, step.where)
        at += len(group)
        found.append(put_together(columns.reshape(shape), lead, dtype, step.where))
    return found


def pays(loop, body, counts):
    """Whether a body of numbers takes less time than the instructions of arrays whose place it takes."""
    if all(np.shape(x) == () for x in (*loop.body.inputs, *loop.body.steps)):
        return True
    c, first = loop.carries, sum(counts[: loop.carries])
    inside, cost = {id(x) for x in body.inputs[:first]}, 0.0
    for x in body.steps:
        if not inside.isdisjoint([id(a) for a in x.arguments if type(a) is Step]):
            inside.add(id(x))
            cost += FUNCTION if COST.get(getattr(x.function, "__name__", ""), 1.0) > 1.0 else INSIDE
        else:
            cost += OUTSIDE
    stacked = [
        loop.body.outputs[c + j] if kind == "ys" else loop.body.inputs[j] for kind, j in loop.results if kind != "last"
    ]
    moved = sum(counts[c : c + loop.rows]) + sum(math.prod(np.shape(y)) for y in stacked)
    units = len(fused(loop.body, is_view, lambda step: False))
    return cost + MOVED * moved < STEP + INSTRUCTION * units


def body_of_numbers(body):
    """A program of numbers, and how many numbers each input is."""
    expansion = Expansion()
    inputs = []
    for x in body.inputs:
        if x.dtype.char not in "fd?" or math.prod(x.shape) > MOST_ELEMENTS:
            raise NotExpandable
        numbers = np.empty(x.shape, object)
        for i in np.ndindex(x.shape):
            numbers[i] = Step(INPUT, (len(inputs),), {}, (), x.dtype, None, x.weak)
            inputs.append(numbers[i])
        expansion.elements[id(x)] = numbers
    for step in body.steps:
        expansion.expand(step)
    outputs = [y for z in body.outputs for y in expansion.of(z).flat]
    return Program(inputs, outputs), [math.prod(x.shape) for x in body.inputs]


def with_distinct_inputs(body, carries, rows, free):
    """A body that takes each row and each free value once, and numbers as they are; and these rows and free values."""
    inputs, new, known, kept = body.inputs[:carries], {}, {}, ([], [])
    for i, (x, value) in enumerate(zip(body.inputs[carries:], [*rows, *free], strict=True)):
        if i >= len(rows) and type(value) is not Step:
            new[id(x)] = value.item() if isinstance(value, (np.ndarray, np.generic)) else value
            continue
        key = (i < len(rows), (key_of(value) or id(value)) if type(value) is Step else id(value))
        if key not in known:
            known[key] = Step(INPUT, (len(inputs),), {}, (), x.dtype, None, x.weak)
            inputs.append(known[key])
            kept[i >= len(rows)].append(value)
        new[id(x)] = known[key]
    for step in body.steps:
        arguments = tuple([new.get(id(a), a) if type(a) is Step else a for a in step.arguments])
        new[id(step)] = step.with_arguments(arguments)
    outputs = [new.get(id(y), y) if type(y) is Step else y for y in body.outputs]
    return common_subexpressions(simplify(Program(inputs, outputs))), *kept


def parts_of(x, lead=0):
    """The numbers of a value around a loop, or the columns of its rows."""
    shape = np.shape(x)[lead:]
    if not shape:
        return [x]
    indices = itertools.product(*map(range, shape))
    if type(x) is not Step:
        return [np.ascontiguousarray(x[(slice(None),) * lead + i]) if lead else x[i] for i in indices]
    return [
        Step(PARTS["get"], (x,), {"index": (slice(None),) * lead + i, "ndim": x.ndim}, x.shape[:lead], x.dtype, x.where)
        for i in indices
    ]


def put_together(columns, lead, dtype, where):
    """The array of these elements, each of the shape `lead`."""
    if not columns.shape:
        return columns[()]
    if columns.size == 0:
        return np.zeros((*lead, *columns.shape), dtype)
    parts = [put_together(part, lead, dtype, where) for part in map(as_objects, columns)]
    return Step(PARTS["stacked"], tuple(parts), {"axis": -columns.ndim}, (*lead, *columns.shape), dtype, where)


def as_objects(x):
    return x if isinstance(x, np.ndarray) else np.array(x, object)
