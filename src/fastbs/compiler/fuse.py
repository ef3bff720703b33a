"""Clusters: elementwise steps and reductions of one index space, which run as one loop.

Steps are placed as late as their users allow: what is computed next to its only use never goes to memory. Walking
backwards, every user of a step has its place already, and the step either joins the cluster of the earliest user or
opens a unit in front of everything placed so far; both orders are correct without looking further.
"""

import math

import numpy as np

from .elementwise import is_elementwise
from .program import INPUT, Step

__all__ = ["Cluster", "apart", "fused", "real_of"]

READABLE = {np.dtype(t) for t in (np.float32, np.float64, np.bool_, np.int32, np.int64)}
REDUCTIONS = {np.sum: "sum", np.mean: "mean", np.max: "max", np.min: "min"}
MOST_MEMBERS = 120  # of a cluster of arrays: its registers must fit
MOST_SCALARS = 800  # of a cluster of one element
FURTHEST = 64  # units that a cluster may move up


class Cluster:
    """Steps that run as one loop over an index space.

    Attributes
    ----------
    space : tuple of int
        The index space: a shape without its axes of length 1.
    real : dtype or None
        In which everything is computed; None while all is truth values.
    members : list of Step
        In execution order.
    """

    def __init__(self, space, real):
        self.space, self.real = space, real
        self.members = []

    def takes(self, space, real, count=1):
        room = MOST_MEMBERS if math.prod(self.space) != 1 else MOST_SCALARS
        return (
            self.space == space
            and (real is None or self.real is None or self.real == real)
            and len(self.members) + count <= room
        )

    def add(self, step, real):
        self.members.append(step)
        self.real = self.real or real


def squeezed(shape):
    return tuple([n for n in shape if n != 1])


def real_of(step):
    """The dtype in which a step computes; None for logic of truth values."""
    if step.dtype.char in "fd":
        return step.dtype
    dtypes = [a.dtype if type(a) is Step else a for a in step.arguments if type(a) is Step or np.ndim(a)]
    real = [d for d in (np.result_type(d) for d in dtypes) if d.char in "fd"]
    return np.result_type(*real) if real else None


def is_readable(value):
    """Whether a cluster can read an argument: an array of a known dtype, or a number."""
    if type(value) is Step:
        return value.dtype in READABLE
    if isinstance(value, np.ndarray):
        return value.dtype in READABLE
    return isinstance(value, (bool, int, float, np.bool_, np.floating, np.integer)) and not isinstance(
        value, np.longdouble
    )


def reads_truth_or_reals(step):
    """Integers are converted where a real number is computed of them, and compared nowhere."""
    if step.dtype.char in "fd":
        return True
    return all(
        (a.dtype if type(a) is Step else np.result_type(a)).kind in "bf"
        for a in step.arguments
        if np.ndim(a) or type(a) is Step
    )


def space_of(step):
    """The index space that a step is computed in, None for a step that belongs to no cluster."""
    if step.shape is None or 0 in step.shape:
        return None
    if step.function in REDUCTIONS:
        (x,) = step.arguments
        if type(x) is Step and x.dtype == step.dtype and x.dtype.char in "fd" and 0 not in x.shape:
            return squeezed(x.shape)
        return None
    if is_elementwise(step) and all(map(is_readable, step.arguments)) and reads_truth_or_reals(step):
        return squeezed(step.shape)
    if is_alias(step) and step.dtype in READABLE and step.dtype.kind in "fb":
        return squeezed(step.shape)
    return None


def is_alias(step):
    """The same elements in the same index space: only axes of length 1 are added, dropped or moved."""
    x = step.arguments[0]
    if step.function not in (np.reshape, np.transpose, np.broadcast_to) or type(x) is not Step or step.keywords:
        return False
    space = squeezed(step.shape)
    return squeezed(x.shape) == space and (step.function is not np.transpose or len(space) <= 1)


def fused(program, is_view, is_summed):
    """The units of a program in execution order: clusters and single steps.

    Parameters
    ----------
    program : Program
    is_view : callable, step -> bool
        Steps that are no code: they are there whenever their argument is.
    is_summed : callable, step -> bool
        Steps that another one than a cluster adds up.
    """
    users = program.users()
    place, units = {}, {}  # id(step) -> number of its unit; number -> unit; earlier units have smaller numbers
    front = 0
    for step in reversed(program.steps):
        front, number, unit = placed(step, users[id(step)], place, units, front, is_view, is_summed)
        place[id(step)] = number
        if unit is not None:
            units[number] = unit
    order = []
    for number in sorted(units):
        unit = units[number]
        if type(unit) is Cluster:
            unit.members.reverse()
        order.append(unit)
    return merged(order, is_view)


def apart(program, is_view, is_summed):
    """The units of a program without any fusion: every elementwise step and reduction is a cluster."""
    units = []
    for step in program.steps:
        space = None if is_summed(step) else space_of(step)
        if is_view(step):
            continue
        unit = step
        if space is not None:
            unit = Cluster(space, real_of(step))
            unit.add(step, None)
        units.append(unit)
    return units


def joins_as_alias(step, users, place, units):
    """Whether a view is only read by one cluster of its own index space, and so is a name for a register there."""
    if not is_alias(step) or space_of(step) is None or None in users or not users:
        return False
    places = {place[id(user)] for user in users}
    unit = units.get(min(places))
    return (
        len(places) == 1
        and type(unit) is Cluster
        and unit.takes(space_of(step), real_of(step))
        and all(map(reads_elementwise, users))
    )


def placed(step, users, place, units, front, is_view, is_summed):
    """Where a step goes: the new front, the number of its unit, and its unit if it is a new one."""
    if is_view(step) and not joins_as_alias(step, users, place, units):
        # available as soon as its argument is, so needed before its earliest user
        return (
            front,
            min(
                (
                    place[id(user)] - 0.5 if user is None or not is_view(user) else place[id(user)]
                    for user in users
                    if user is not None
                ),
                default=math.inf,
            ),
            None,
        )
    space = None if is_summed(step) else space_of(step)
    if space is not None:
        real = real_of(step)
        earliest = min((place[id(user)] for user in users if user is not None), default=None)
        unit = None if step.function in REDUCTIONS else units.get(earliest)  # a result is there when the loop is over
        if (
            type(unit) is Cluster
            and unit.takes(space, real)
            and all(reads_elementwise(user) for user in users if user is not None and place[id(user)] == earliest)
        ):
            unit.add(step, real)
            return front, earliest, None
        front -= 1
        unit = Cluster(space, real)
        unit.add(step, real)
        return front, front, unit
    front -= 1
    return front, front, step


def merged(units, is_view):
    """The units with clusters joined to earlier ones of their index space that share an argument with them.

    A cluster may move up to another one if all that it reads is there by then: it comes from units before that one, or
    from its elementwise members.
    """
    at, result = {}, []  # id(step) -> the position of its unit

    for unit in units:
        steps = unit.members if type(unit) is Cluster else [unit]
        if type(unit) is Cluster:
            inside = {id(step) for step in steps}
            outside = [
                root(a, is_view) for step in steps for a in step.arguments if type(a) is Step and id(a) not in inside
            ]
            ready = max(
                (at.get(id(x), -1) + (is_late or x.function in REDUCTIONS) for x, is_late in outside), default=0
            )
            names = {id(x) for x, _ in outside}
            for i in range(len(result) - 1, max(ready, len(result) - FURTHEST, 0) - 1, -1):
                other = result[i]
                if type(other) is not Cluster or not other.takes(unit.space, unit.real, len(steps)):
                    continue
                if math.prod(unit.space) == 1 or not names.isdisjoint(other.names):
                    break
            else:
                i = len(result)
            if i < len(result):
                other.members += steps
                other.real = other.real or unit.real
                other.names |= names | inside
                at.update(dict.fromkeys(inside, i))
                continue
            unit.names = names | inside
        at.update({id(step): len(result) for step in steps})
        result.append(unit)
    return result


def root(step, is_view):
    """What a step looks at, and whether it is another look at it that only memory can give."""
    is_late = False
    while type(step) is Step and step.function is not INPUT and is_view(step):
        is_late = True
        step = step.arguments[0]
    return step, is_late


def reads_elementwise(user):
    return space_of(user) is not None
