"""Loops and branches -> instructions that run several times, on slots whose pointers move.

A step writes its states where the next step reads them: in the stacked states if these are wanted, else in two
buffers in turn. Rows are read and written in place. What a body takes from outside are the buffers around it.
"""

import math
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from .instructions import (
    BY_PARITY,
    BY_SOURCE,
    BY_STEP,
    BY_TARGET,
    LOOP,
    BodyCode,
    Instruction,
    LoopCode,
    Move,
    NotLowerable,
)
from .lowering import Lowering
from .program import INPUT, Program, Step
from .recurrences import lower_recurrence
from .table import PARTS
from .views import Buffer, View, contiguous

__all__ = ["emit", "inner_code", "lower_branches", "lower_loop", "new_slot", "view_result"]


def lower_loop(to, step):
    """The views of the results of a loop."""
    loop = step.keywords["loop"]
    if loop.instead is not None:
        return lower_guarded(to, step)
    found = lower_recurrence(to, step)
    if found is not None:
        return found
    made = {} if loop.schedule is not None else shared_stacks(to, loop)
    results = destinations(to, step, loop.results, lambda result: shape_of_result(loop, result), made)
    by_kind = made | dict(zip(loop.results, results, strict=True))
    c, k, n = loop.carries, loop.rows, loop.length
    first, rows, free = step.arguments[:c], step.arguments[c : c + k], step.arguments[c + k :]
    states = []
    for j, (x, start) in enumerate(zip(loop.body.inputs, first, strict=False)):
        start, last = to.operand(start, x.dtype), by_kind.get(("last", j))
        if loop.schedule is not None and loop.advance is None:
            kept = by_kind["kept", j]
            to.copy_or_call(start, contiguous_view(kept, 0, x.shape))
            states.append(kept_state(to, x, kept))
        elif not by_kind.keys() & {("states", j), ("next", j)} and is_sum(loop.body, j):
            total = to.temporary(x.shape, x.dtype) if last is None else last
            to.copy_or_call(start, total)
            states.append((total, total, []))
        else:
            states.append(moving_state(to, x, start, n, loop.backward, by_kind.get(("states", j)), last))
    inputs = [moving_row(to, to.view(z), n, loop.backward) for z in rows]
    ys = []
    for j in range(loop.ys):
        out = by_kind.get(("ys", j))
        out = to.temporary(*shape_of_result(loop, ("ys", j))) if out is None else out
        ys.append(moving_row(to, out, n, loop.backward))
    if loop.advance is None:
        mark = len(to.buffers["temporary"])
        code = LoopCode([body_code(to, loop, states, inputs, free, ys)], temporaries=mark)
        code.entries = None if loop.schedule is None else loop.schedule.forward
    else:
        code = loop_back(to, loop, step.arguments, states, inputs, ys)
    emit(to, code)
    if loop.schedule is not None and loop.advance is None:
        for j, x in enumerate(loop.body.inputs[:c]):
            if ("last", j) in by_kind:
                end = contiguous_view(by_kind["kept", j], int(loop.schedule.forward[-1, 3]), x.shape)
                to.copy_or_call(end, by_kind["last", j])
    return tuple(results)


def lower_guarded(to, step):
    """The views of the results of a loop, made anew by another loop where the last states are not finite."""
    loop = step.keywords["loop"]
    own = len(loop.body.inputs)
    first = Step(step.function, step.arguments[:own], {"loop": replace(loop, instead=None)}, None, None, step.where)
    to.users[id(first)] = to.users[id(step)]
    results = lower_loop(to, first)
    last = [
        (view, loop.body.inputs[j]) for (kind, j), view in zip(loop.results, results, strict=True) if kind == "last"
    ]
    states = [Step(INPUT, (i,), {}, (), x.dtype) for i, (_, x) in enumerate(last)]
    flag = to.temporary((), np.dtype(bool))
    to.code += inner_code(to, Program(states, [all_finite(states)]), [view for view, _ in last], [flag])
    values = list({id(x): x for x in step.arguments[own:] if type(x) is Step}.values())
    inputs = [Step(INPUT, (i,), {}, x.shape, x.dtype, None, x.weak) for i, x in enumerate(values)]
    inner = {id(x): y for x, y in zip(values, inputs, strict=True)}
    again = Step(
        step.function, tuple([inner.get(id(x), x) for x in step.arguments[own:]]), {"loop": loop.instead}, None, None
    )
    outputs = [Step(PARTS["item"], (again, i), {}, view.shape, view.dtype) for i, view in enumerate(results)]
    views = [to.view(x) for x in values]
    mark = len(to.buffers["temporary"])
    code = LoopCode([BodyCode(1, [], inner_code(to, Program(inputs, outputs), views, results))], flag=flag)
    code.wanted, code.temporaries = False, mark
    to.code.append(Instruction(LOOP, 1, detail=code, cost=10.0))  # it hardly ever runs
    return results


def all_finite(states):
    """A truth value: x - x is zero or NaN, and sums of these are."""
    total = None
    for x in states:
        zero = Step(np.subtract, (x, x), {}, (), x.dtype)
        total = zero if total is None else Step(np.add, (total, zero), {}, (), np.result_type(total.dtype, x.dtype))
    return Step(np.equal, (total, 0.0), {}, (), np.dtype(bool))


def is_sum(body, j):
    """Whether a state is only ever added to, so that a step may do this in its memory."""
    users, x, step = body.users(), body.inputs[j], body.inputs[j]
    while step is not body.outputs[j]:
        if len(users[id(step)]) != 1 or users[id(step)][0] is None:
            return False
        (user,) = users[id(step)]
        if user.function not in (np.add, np.subtract) or (user.shape, user.dtype) != (x.shape, x.dtype):
            return False
        a, b = user.arguments
        if (a is b) or (b is step and user.function is np.subtract):
            return False
        step = user
    return step is not x


def shared_stacks(to, loop):
    """The states in front of each step, behind each step, and the last one, as views of one stack; if the second are
    wanted."""
    made = {}
    for kind, j in loop.results:
        if kind == "next":
            x, n = loop.body.inputs[j], loop.length
            stack = to.temporary((n + 1, *x.shape), x.dtype)
            ends = stack.indexed((slice(n),)), stack.indexed((slice(1, None),))
            made["states", j], made["next", j] = ends[::-1] if loop.backward else ends
            made["last", j] = stack.indexed((0 if loop.backward else n,))
    return made


def body_code(to, loop, states, rows, free, ys):
    """The code of a step; states are ``(source, target, moves)``, rows and results ``(row, moves)``."""
    inputs = [*[source for source, _, _ in states], *[row for row, _ in rows], *[to.view(w) for w in free]]
    outputs = [*[target for _, target, _ in states], *[row for row, _ in ys]]
    moves = [move for *_, moves in (*states, *rows, *ys) for move in moves]
    return BodyCode(loop.length, moves, inner_code(to, loop.body, inputs, outputs))


def loop_back(to, loop, arguments, states, rows, ys):
    """A loop back over states of which some are kept: steps run again, and steps back."""
    forth = loop.advance
    own = len(loop.body.inputs)
    kept = [to.view(x) for x in arguments[own : own + forth.carries]]
    further = arguments[own + forth.carries :]
    again = [kept_state(to, x, view) for x, view in zip(forth.body.inputs, kept, strict=False)]
    again_rows = [moving_row(to, to.view(z), forth.length, forth.backward) for z in further[: forth.rows]]
    nowhere = [(to.temporary(*kind_of(y)), []) for y in forth.body.outputs[forth.carries :]]
    for row, j, is_next in loop.kept:
        rows[row] = again[j][is_next], [again[j][2][is_next]]  # the place that the schedule names
    mark = len(to.buffers["temporary"])
    bodies = [
        body_code(to, forth, again, again_rows, further[forth.rows :], nowhere),
        body_code(to, loop, states, rows, arguments[loop.carries + loop.rows : own], ys),
    ]
    return LoopCode(bodies, loop.schedule.back, temporaries=mark)


def destinations(to, step, results, shape_of, made=MappingProxyType({})):
    """Where the results of a step go: what is made, what its users say, or temporaries; rows must follow each other."""
    places = {}
    for user in to.users[id(step)]:
        places.setdefault(user.arguments[1], user)
    found = []
    for i, result in enumerate(results):
        if result in made:
            found.append(made[result])
            continue
        shape, dtype = shape_of(result)
        view = to.destination(places[i]) if i in places else to.temporary(shape, dtype)
        found.append(view if view.is_contiguous else to.temporary(shape, dtype))
    return found


def shape_of_result(loop, result):
    kind, j = result
    shape, dtype = kind_of(loop.body.outputs[loop.carries + j] if kind == "ys" else loop.body.inputs[j])
    count = {"last": (), "kept": (loop.schedule.places,) if loop.schedule else ()}.get(kind, (loop.length,))
    return (*count, *shape), dtype


def kind_of(y):
    return (y.shape, y.dtype) if type(y) is Step else (np.shape(y), np.result_type(y))


def moving_state(to, x, first, n, backward, states, last):
    """A state in front of and behind a step, and how the two move."""
    source, target = moving(to, x), moving(to, x)
    size = math.prod(x.shape) * x.dtype.itemsize
    if states is not None:
        start, sign = (n - 1, -1) if backward else (0, 1)
        row = contiguous_view(states, start, x.shape)
        to.copy_or_call(first, row)
        following = contiguous_view(states, start + sign, x.shape)
        if last is None:  # the last step has no row to write to
            last = to.temporary(x.shape, x.dtype)
        return (
            source,
            target,
            [
                Move(source.buffer, BY_STEP, sign * size, row),
                Move(target.buffer, BY_STEP, sign * size, following, last=last),
            ],
        )
    if not first.is_contiguous or first.conj:
        copy = to.temporary(x.shape, x.dtype)
        to.copy_or_call(first, copy)
        first = copy
    pair = to.temporary((2, *x.shape), x.dtype)
    one, two = (contiguous_view(pair, i, x.shape) for i in range(2))
    return (
        source,
        target,
        [
            Move(source.buffer, BY_PARITY, -size, two, first=first),
            Move(target.buffer, BY_PARITY, size, one, last=last),
        ],
    )


def kept_state(to, x, kept):
    """A state in the places that a schedule names."""
    source, target = moving(to, x), moving(to, x)
    size, start = math.prod(x.shape) * x.dtype.itemsize, contiguous_view(kept, 0, x.shape)
    return (
        source,
        target,
        [
            Move(source.buffer, BY_SOURCE, size, start),
            Move(target.buffer, BY_TARGET, size, start),
        ],
    )


def contiguous_view(stack, i, shape):
    """Row i of a contiguous stack, which may lie outside of it."""
    return View(stack.buffer, shape, contiguous(shape), stack.offset + i * math.prod(shape))


def moving_row(to, whole, n, backward):
    """A row of an array, and how it moves."""
    row = replace(whole, shape=whole.shape[1:], strides=whole.strides[1:], buffer=new_slot(to, whole.dtype), offset=0)
    step = whole.strides[0]
    start = replace(row, buffer=whole.buffer, offset=whole.offset + (n - 1) * step * backward)
    return row, [Move(row.buffer, BY_STEP, (-step if backward else step) * whole.dtype.itemsize, start)]


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
    for without in (to.without, to.without | {"sums"}):
        inner = Lowering(program, inputs, outputs, to.calls, without, to)
        try:
            inner.run()
            break
        except NotLowerable:
            if "sums" in without:
                raise
            for name in ("temporary", "moving", "object"):
                del to.buffers[name][mark[name] :]
    return inner.code


def emit(to, code):
    cost = 0.0
    for i, body in enumerate(code.bodies):
        times = body.length if code.entries is None else np.count_nonzero(code.entries[:, 0] == i)
        cost += times * (10.0 + sum(line.cost for line in body.code))
    to.code.append(Instruction(LOOP, 1, detail=code, cost=float(cost)))


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
