"""Loops over numbers as recurrences: one program of numbers that runs once a step, the states in registers."""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from .clusters import CONSTANT, LOAD, STORE, TYPES, Access, Writer, numbered, with_products
from .fuse import is_readable, reads_truth_or_reals, real_of
from .instructions import KERNEL_DTYPES, RECURRENCE, Instruction
from .loops import is_of_numbers
from .numbers import NUMBERS, lines_of_numbers, with_more_products
from .program import Step

__all__ = ["AFTER", "BEFORE", "ROW", "TIMES", "lower_recurrence", "time_of"]

# When an access meets memory: once in front of the loop, in each step as a load, as a store before anything is computed
# or behind all, once behind the loop.
FIRST, ROW, BEFORE, AFTER, LAST = TIMES = range(5)
MOVING = 64  # accesses in each step, as in recurrence.h
LONGEST = 1e8  # flops in one instruction: between two of them signals are looked for


@dataclass
class RecurrenceCode:
    """One recurrence, all but the slots of its buffers; the place of an access is when it meets memory."""

    real: np.dtype
    length: int
    accesses: list
    operations: list
    carried: list  # (state, next state) where these have two registers
    names: list = field(default_factory=list)


def time_of(code, access):
    """When an access meets memory: those of a cluster of one element are in front of it or behind it."""
    if isinstance(code, RecurrenceCode) and access.kind != CONSTANT:
        return access.place
    return FIRST if access.kind <= LOAD else LAST


def lower_recurrence(to, step):
    """The views of the results of a loop, None for a loop that is no recurrence."""
    loop = step.keywords["loop"]
    body = loop.body
    real = dtype_of(loop)
    if real is None or loop.length == 0:
        return None
    c, k = loop.carries, loop.rows
    writer = Writer(to, None)
    accesses = []

    def moving(view):
        return view.indexed((slice(None, None, -1),)) if loop.backward else view

    def read(x, view, time):
        access = Access(LOAD, writer.new(), view, view.strides, place=time)
        writer.register_of[id(x)] = access.register
        accesses.append(access)
        return access.register

    def write(register, view, time):
        accesses.append(Access(STORE, register, view, view.strides, place=time))

    states = [
        read(x, to.operand(first, x.dtype), FIRST) for x, first in zip(body.inputs, step.arguments[:c], strict=False)
    ]
    for i, (x, value) in enumerate(zip(body.inputs[c:], step.arguments[c:], strict=True)):
        if i < k:
            read(x, moving(to.view(value)), ROW)
        else:
            read(x, to.view(value), FIRST)
    for x in body.steps:
        writer.write(x)
    given = [writer.operand(y, ()) for y in body.outputs]
    made = {register for _, register, _ in writer.operations}
    following = {}  # state -> the next one, where it is another one
    for state, register in zip(states, given, strict=False):
        if register != state:
            following[state] = register if register in made else writer("move", register)
    places = {user.arguments[1]: user for user in to.users[id(step)]}
    results = []
    for i, (kind, j) in enumerate(loop.results):
        y = body.outputs[c + j] if kind == "ys" else body.inputs[j]
        shape = () if kind == "last" else (loop.length,)
        dtype = y.dtype if type(y) is Step else np.result_type(y)
        out = to.destination(places[i]) if i in places else to.temporary(shape, dtype)
        register = (
            states[j] if kind == "states" else given[c + j] if kind == "ys" else following.get(states[j], states[j])
        )
        is_before = kind == "states" or register in following
        if kind == "last":
            write(register, out, LAST)
        else:
            write(register, moving(out), BEFORE if is_before else AFTER)
        results.append(out)
    if sum(a.place in (ROW, BEFORE, AFTER) for a in accesses) > MOVING:
        return None
    kept = {*following.values(), *[a.register for a in accesses]}
    operations = with_more_products(with_products(writer.operations, kept), kept)
    code = RecurrenceCode(real, loop.length, [*accesses, *writer.constants.values()], operations, [])
    physical = assign(code, following)
    if physical is None:
        return None
    code.names = [getattr(x.function, "__name__", str(x.function)) for x in body.steps]
    cost = writer.cost + 10.0 * len(operations)
    ends = [physical[following.get(state, state)] for state in states]
    count = max(math.ceil(cost * loop.length / LONGEST), 1)
    for part in in_parts(to, code, accesses[:c], ends, count) if count > 1 else [code]:
        to.code.append(Instruction(RECURRENCE, KERNEL_DTYPES[real], detail=part, cost=cost * part.length))
    return tuple(results)


def dtype_of(loop):
    """The one dtype in which a loop over numbers computes; None if there are several, or it is none."""
    if not is_of_numbers(loop) or not loop.body.steps:
        return None
    steps = loop.body.steps
    if not all(all(map(is_readable, x.arguments)) and reads_truth_or_reals(x) for x in steps):
        return None
    real = {real_of(x) for x in steps} - {None}
    states = {x.dtype for x in loop.body.inputs[: loop.carries]} - {np.dtype(bool)}
    inputs = {x.dtype for x in loop.body.inputs}
    if len(real | states) != 1 or not inputs <= TYPES.keys():
        return None
    return (real | states).pop()


def assign(code, following):
    """Physical registers, None if there are too few. The next state takes the register of the state if it can."""
    last = {a: at for at, (_, _, arguments) in enumerate(code.operations) for a in arguments}
    end = len(code.operations)
    kept = {a.register for a in code.accesses if a.kind == STORE} | set(following.values())
    last |= dict.fromkeys(kept - set(following), end)
    into = {}
    for state, register in following.items():
        into.setdefault(register, state)
    read = [a.register for a in code.accesses if a.kind != STORE]
    physical = numbered(code.operations, read, last, kept, into)
    if max(physical.values(), default=0) >= NUMBERS:
        return None
    code.operations = lines_of_numbers(code.operations, physical)
    code.carried = [(physical[s], physical[r]) for s, r in following.items() if physical[s] != physical[r]]
    for access in code.accesses:
        access.register = physical[access.register]
    return physical


def in_parts(to, code, states, ends, count):
    """The recurrence as so many, one after the other: the states are in memory between two of them.

    Parameters
    ----------
    states : list of Access, which load the first states
    ends : the registers of the states behind a step
    """
    between = [to.temporary((), access.view.dtype) for access in states]
    length = -(-code.length // count)
    for start in range(0, code.length, length):
        is_last = start + length >= code.length
        accesses = []
        for a in code.accesses:
            if a.place == LAST and not is_last:
                continue
            view = between[states.index(a)] if start and a in states else a.view
            if a.place in (ROW, BEFORE, AFTER):
                view = view.indexed((slice(start, None),))
            accesses.append(replace(a, view=view))
        if not is_last:
            accesses += [Access(STORE, end, view, place=LAST) for end, view in zip(ends, between, strict=True)]
        yield replace(code, length=min(length, code.length - start), accesses=accesses)
