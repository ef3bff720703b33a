"""A recorded program as a list of steps that passes can rewrite.

A `Step` is one function call: its arguments are other steps, or plain values (numbers, arrays, and what says how: axes,
shapes). Passes make new steps and leave old ones alone; what nothing refers to any more is gone.
"""

import numpy as np

from .._trace import Node, Traced, node_of

__all__ = ["INPUT", "Program", "Step", "from_nodes"]

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


def from_nodes(inputs, results, order):
    """The program of recorded nodes.

    Parameters
    ----------
    inputs : list of Node
    results : list of Node, and of plain values for results that depend on no input
    order : list of Node
        All steps in execution order, as `fastbs._trace.steps` gives them.
    """
    new = {}
    for i, node in enumerate(inputs):
        new[id(node)] = Step(INPUT, (i,), {}, np.shape(node.value), dtype_of(node.value), None, is_weak(node.value))
    for node in order:
        if node.function is None:
            continue
        arguments = tuple([new[id(a)] if type(a) is Node else plain(a) for a in node.arguments])
        shape, dtype = (None, None) if isinstance(node.value, tuple) else (np.shape(node.value), dtype_of(node.value))
        new[id(node)] = Step(node.function, arguments, node.keywords, shape, dtype, node.where, is_weak(node.value))
    return Program(
        [new[id(node)] for node in inputs],
        [new[id(y)] if type(y) is Node else y for y in results],
        [new[id(node)] for node in order if node.function is not None],
    )


def plain(value):
    """An argument that is no step of this trace: traced values of outer ones have no place in a program."""
    if type(value) is Traced:
        raise TypeError(f"a value of an outer trace, {node_of(value)!r}")
    return value


def dtype_of(value):
    return value.dtype if hasattr(value, "dtype") else np.result_type(value)


def is_weak(value):
    return type(value) in (float, int, complex, bool)
