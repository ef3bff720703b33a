"""A recorded program as a list of steps that passes can rewrite.

A `Step` is one function call: its arguments are other steps, or plain values (numbers, arrays, and what says how: axes,
shapes). Passes make new steps and leave old ones alone; what nothing refers to any more is gone.
"""

import functools
import math

import numpy as np

from .._trace import Node, Traced, node_of, traced

__all__ = ["INPUT", "Program", "Step", "evaluate", "example", "from_nodes", "is_weak", "same_programs"]

INPUT = "input"  # the function of a step that is an argument of the program; its arguments are (number,)


class Step:
    """One call, its result not computed yet.

    Parameters
    ----------
    function : callable, or INPUT
    arguments : tuple of Step and plain values
    keywords : dict of plain values
    shape, dtype : of the result; None for a result that is no array
    where : str or None
        ``file:line`` of the program that asked for it.
    weak : bool
        Whether the result is a Python number, which takes the dtype of what it meets.
    """

    __slots__ = ("arguments", "dtype", "function", "keywords", "shape", "weak", "where")

    def __init__(self, function, arguments, keywords, shape, dtype, where=None, weak=False):
        self.function = function
        self.arguments = arguments
        self.keywords = keywords
        self.shape = shape
        self.dtype = dtype
        self.where = where
        self.weak = weak

    @property
    def ndim(self):
        return len(self.shape)

    def with_arguments(self, arguments):
        """The same call of other arguments."""
        return Step(self.function, arguments, self.keywords, self.shape, self.dtype, self.where, self.weak)

    def like(self, function, *arguments, **keywords):
        """Another call with a result of this shape and dtype."""
        return Step(function, arguments, keywords, self.shape, self.dtype, self.where)

    def __repr__(self):
        name = getattr(self.function, "__name__", self.function)
        return f"<Step {name} {self.dtype} {self.shape}>"


class Program:
    """Steps in the order in which they run.

    Parameters
    ----------
    inputs : list of Step
    outputs : list of Step and of plain values
    steps : list of Step
        In execution order, inputs left out; found from the outputs if they are not given.
    """

    def __init__(self, inputs, outputs, steps=None):
        self.inputs, self.outputs = inputs, outputs
        self.steps = behind(outputs) if steps is None else steps

    def users(self):
        """``id(step) -> the steps that take it``, in execution order; an output has None among them."""
        users = {id(step): [] for step in self.inputs}
        for step in self.steps:
            users[id(step)] = []
            for argument in step.arguments:
                if type(argument) is Step:
                    users[id(argument)].append(step)
        for y in self.outputs:
            if type(y) is Step:
                users[id(y)].append(None)
        return users

    def rewritten(self, rewrite):
        """A new program: ``rewrite(step)`` of every step, whose arguments are rewritten already.

        A result may be a plain value, which then stands for the step everywhere. Steps without users are dropped.
        """
        new = {id(step): step for step in self.inputs}
        for step in self.steps:
            arguments = tuple([new[id(a)] if type(a) is Step else a for a in step.arguments])
            same = all(a is b for a, b in zip(arguments, step.arguments, strict=True))
            new[id(step)] = rewrite(step if same else step.with_arguments(arguments))
        outputs = [new[id(y)] if type(y) is Step else y for y in self.outputs]
        needed = {id(step) for step in behind(outputs)}
        order = [new[id(step)] for step in self.steps]
        return Program(self.inputs, outputs, behind([y for y in order if id(y) in needed]))


def behind(steps):
    """The steps and all that they need, each behind its arguments, else in the order given; no recursion."""
    found, done, opened = [], set(), set()
    stack = [y for y in reversed(steps) if type(y) is Step]
    while stack:
        step = stack[-1]
        if id(step) in done or step.function is INPUT:
            stack.pop()
        elif id(step) in opened:
            stack.pop()
            done.add(id(step))
            found.append(step)
        else:
            opened.add(id(step))
            stack.extend([a for a in reversed(step.arguments) if type(a) is Step and id(a) not in done])
    return found


def from_nodes(inputs, results, order, outer=None, since=math.inf):
    """The program of recorded nodes.

    Parameters
    ----------
    inputs : list of Node
    results : list of Node, and of plain values for results that depend on no input
    order : list of Node
        All steps in execution order, as `fastbs._trace.steps` gives them.
    outer : list, optional
        Takes the values of outer traces that are used; they become further inputs. Without it they are an error.
    since : int
        Steps of outer traces with larger serial numbers belong to this program.
    """
    reader = Reader(len(inputs), outer, since)
    firsts = [reader.take_input(node, i) for i, node in enumerate(inputs)]
    for node in order:
        if node.function is not None and id(node) not in reader.new:
            reader.take_step(node)
    outputs = list(map(reader.argument, results))
    return Program([*firsts, *reader.further], outputs, reader.made)


class Reader:
    """Reads nodes as steps, each once; see `from_nodes`."""

    def __init__(self, count, outer, since):
        self.count, self.outer, self.since = count, outer, since
        self.new, self.made, self.further = {}, [], []

    def take_input(self, node, number):
        x = example(node.value)
        step = Step(INPUT, (number,), {}, np.shape(x), dtype_of(x), None, is_weak(x))
        self.new[id(node)] = step
        return step

    def take_step(self, node):
        x = example(node.value)
        shape, dtype = (None, None) if isinstance(x, tuple) else (np.shape(x), dtype_of(x))
        arguments = tuple(map(self.argument, node.arguments))
        step = Step(node.function, arguments, node.keywords, shape, dtype, node.where, is_weak(x))
        self.new[id(node)] = step
        self.made.append(step)

    def argument(self, value):
        node = node_of(value) if type(value) is Traced else value
        if type(node) is not Node:
            return value
        if id(node) not in self.new:
            if node.function is not None and node.serial > self.since:
                self.take_step(node)
            elif self.outer is None:
                raise TypeError(f"a value of an outer trace, {node!r}")
            else:
                self.further.append(self.take_input(node, self.count + len(self.outer)))
                self.outer.append(traced(node))
        return self.new[id(node)]


def example(value):
    """The plain value at the bottom of a traced one."""
    while type(value) is Traced:
        value = value.value
    return value


def evaluate(program, values):
    """The outputs of a program for these inputs, in NumPy; the values may be traced."""
    known = {id(step): value for step, value in zip(program.inputs, values, strict=True)}
    for step in program.steps:
        arguments = [known[id(a)] if type(a) is Step else a for a in step.arguments]
        known[id(step)] = step.function(*arguments, **step.keywords)
    return [known[id(y)] if type(y) is Step else y for y in program.outputs]


def dtype_of(value):
    return value.dtype if hasattr(value, "dtype") else np.result_type(value)


def is_weak(value):
    return type(value) in (float, int, complex, bool)


def same_programs(a, b, number=None, number_again=None):
    """Whether two programs make the same steps of the same values; also of what programs consist of.

    Values that nothing is known of are the same if their types are.
    """
    if type(a) is not type(b):
        return False
    if type(a) is Step:
        return number[id(a)] == number_again[id(b)]
    if type(a) is Program:
        number, number_again = ({id(x): i for i, x in enumerate([*p.inputs, *p.steps])} for p in (a, b))
        same = functools.partial(same_programs, number=number, number_again=number_again)
        return (
            len(a.steps) == len(b.steps)
            and all(
                x.function == y.function and same(x.arguments, y.arguments) and same(x.keywords, y.keywords)
                for x, y in zip(a.steps, b.steps, strict=True)
            )
            and same(a.outputs, b.outputs)
        )
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(same_programs(x, y, number, number_again) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_programs(x, b[key], number, number_again) for key, x in a.items())
    if isinstance(a, slice):
        return same_programs((a.start, a.stop, a.step), (b.start, b.stop, b.step), number, number_again)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    if isinstance(a, (bool, int, float, complex, str, np.generic)):
        return a == b or (a != a and b != b)
    programs = [getattr(x, "programs", None) for x in (a, b)]  # of a loop or a choice
    return same_programs(*programs) if programs[0] is not None else True
