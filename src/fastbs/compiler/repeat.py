"""Loops and branches -> instructions that run several times, on slots whose pointers move.

A step writes its states where the next step reads them: in the stacked states if these are wanted, else in two
buffers in turn. Rows are read and written in place. What a body takes from outside are the buffers around it.
"""

import math
from dataclasses import replace

import numpy as np

from .lowering import (
    BY_PARITY,
    BY_STEP,
    LOOP,
    BodyCode,
    Instruction,
    LoopCode,
    Lowering,
    Move,
    NotLowerable,
)
from .program import Step
from .views import Buffer, View, contiguous

__all__ = ["lower_branches", "lower_loop", "view_result"]


def lower_loop(to, step):
    """The views of the results of a loop."""
    loop = step.keywords["loop"]
    results = destinations(to, step, loop.results, lambda result: shape_of_result(loop, result))
    if loop.length == 0:
        raise NotLowerable("a loop without steps")
    moves, inputs, outputs = [], [], []
    c, k, n = loop.carries, loop.rows, loop.length
    by_kind = dict(zip(loop.results, results, strict=True))
    for j, (x, first) in enumerate(zip(loop.body.inputs[:c], step.arguments[:c], strict=True)):
        source, target = moving(to, x), moving(to, x)
        moves += state_moves(
            to, to.operand(first, x.dtype), source, target, n, loop.backward, by_kind.get(("states", j)),
            by_kind.get(("last", j)),
        )  # fmt: skip
        inputs.append(source)
        outputs.append(target)
    for rows in step.arguments[c : c + k]:
        view = to.view(rows)
        row = replace(view, shape=view.shape[1:], strides=view.strides[1:], buffer=new_slot(to, view.dtype), offset=0)
        moves.append(row_move(row, view, n, loop.backward))
        inputs.append(row)
    inputs += [to.view(w) for w in step.arguments[c + k :]]
    for j in range(loop.ys):
        out = by_kind.get(("ys", j))
        if out is None:
            out = to.temporary(*shape_of_result(loop, ("ys", j)))
        row = replace(out, shape=out.shape[1:], strides=out.strides[1:], buffer=new_slot(to, out.dtype), offset=0)
        moves.append(row_move(row, out, n, loop.backward))
        outputs.append(row)
    mark = len(to.buffers["temporary"])
    code = inner_code(to, loop.body, inputs, outputs)
    emit(to, LoopCode([BodyCode(n, moves, code)], temporaries=mark))
    return tuple(results)


def destinations(to, step, results, shape_of):
    """Where the results of a step go: what its users say, or temporaries; rows must follow each other."""
    places = {}
    for user in to.users[id(step)]:
        places.setdefault(user.arguments[1], user)
    found = []
    for i, result in enumerate(results):
        shape, dtype = shape_of(result)
        view = to.destination(places[i]) if i in places else to.temporary(shape, dtype)
        found.append(view if view.is_contiguous else to.temporary(shape, dtype))
    return found


def shape_of_result(loop, result):
    kind, j = result
    shape, dtype = kind_of(loop.body.outputs[loop.carries + j] if kind == "ys" else loop.body.inputs[j])
    return (shape if kind == "last" else (loop.length, *shape)), dtype


def kind_of(y):
    return (y.shape, y.dtype) if type(y) is Step else (np.shape(y), np.result_type(y))


def state_moves(to, first, source, target, n, backward, states, last):
    """The moves of a state: from where a step reads it, and to where it writes it."""
    size = math.prod(source.shape) * source.dtype.itemsize
    if states is not None:
        start, sign = (n - 1, -1) if backward else (0, 1)
        row = contiguous_view(states, start, source.shape)
        to.copy_or_call(first, row)
        base, by, step = row, BY_STEP, sign * size
        following = contiguous_view(states, start + sign, source.shape)
        if last is None:  # the last step has no row to write to
            last = to.temporary(source.shape, source.dtype)
        return [Move(source.buffer, by, step, base), Move(target.buffer, by, step, following, last=last)]
    if not first.is_contiguous or first.conj:
        copy = to.temporary(source.shape, source.dtype)
        to.copy_or_call(first, copy)
        first = copy
    pair = to.temporary((2, *source.shape), source.dtype)
    one, two = (contiguous_view(pair, i, source.shape) for i in range(2))
    return [
        Move(source.buffer, BY_PARITY, -size, two, first=first),
        Move(target.buffer, BY_PARITY, size, one, last=last),
    ]


def contiguous_view(stack, i, shape):
    """Row i of a contiguous stack, which may lie outside of it."""
    return View(stack.buffer, shape, contiguous(shape), stack.offset + i * math.prod(shape))


def row_move(row, whole, n, backward):
    """The move through the first axis of an array."""
    step = whole.strides[0]
    start = replace(row, buffer=whole.buffer, offset=whole.offset + (n - 1) * step * backward)
    return Move(row.buffer, BY_STEP, (-step if backward else step) * whole.dtype.itemsize, start)


def new_slot(to, dtype):
    buffer = Buffer("moving", len(to.buffers["moving"]), np.dtype(dtype), 1)
    to.buffers["moving"].append(buffer)
    return buffer


def moving(to, x):
    """A contiguous value in a slot of its own."""
    return View(new_slot(to, x.dtype), x.shape, contiguous(x.shape))


def inner_code(to, program, inputs, outputs):
    """The instructions of a program inside of another one."""
    mark = {name: len(kept) for name, kept in to.buffers.items()}
    for sums in (to.accumulates, False):
        inner = Lowering(program, inputs, outputs, to.calls, sums, to)
        try:
            inner.run()
            break
        except NotLowerable:
            if not sums:
                raise
            for name in ("temporary", "moving", "object"):
                del to.buffers[name][mark[name] :]
    return inner.code


def emit(to, code):
    cost = sum(body.length * (10.0 + sum(line.cost for line in body.code)) for body in code.bodies)
    to.code.append(Instruction(LOOP, 1, detail=code, cost=cost))


def lower_branches(to, step):
    """The views of the results of a choice: two pieces of code, one of which runs."""
    branches = step.keywords["branches"]
    results = destinations(to, step, branches.results, lambda result: kind_of(branches.first.outputs[result[1]]))
    flag = to.view(step.arguments[0])
    inputs = [to.view(x) for x in step.arguments[1:]]
    for program, wanted in zip(branches.programs, (True, False), strict=True):
        mark = len(to.buffers["temporary"])
        code = inner_code(to, program, inputs, results)
        emit(to, LoopCode([BodyCode(1, [], code)], flag=flag, wanted=wanted, temporaries=mark))
    return tuple(results)


def view_result(to, step):
    """The view of one of several results."""
    holder, i = step.arguments
    values = to.values[id(holder)]
    return values[i] if type(values) is tuple else to.call(step)
