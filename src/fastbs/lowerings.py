"""Lowerings of this package's own steps: indexing, assignment, joining and conversion.

They stand above the rules, where these functions are, and complete the table of `fastbs.compiler.table`.
"""

import numpy as np

from .compiler.elementwise import ELEMENTWISE, micro
from .compiler.instructions import NotLowerable, Scatter
from .compiler.lowering import Lowering
from .compiler.program import Step
from .compiler.scalars import EXPANSIONS, NOTHING, NotExpandable, as_objects, placed, plain
from .compiler.simplify import IDENTITIES
from .compiler.table import PARTS, PLACES, SCATTERS, TABLE, VIEW_CONDITIONS, VIEWS
from .rules.assignment import clear, put
from .rules.elementwise import cast
from .rules.indexing import add_at, get
from .rules.joining import joined, stacked
from .rules.methods import duplicate

__all__ = []

ALL = slice(None)


def has_basic_index(step):
    """Whether all index arrays are gone: integers, slices, None and Ellipsis only."""
    return len(step.arguments) == (2 if step.function is put else 1) and type(step.arguments[0]) is Step


# x[index]


def stacked_index(x, index, ndim):
    return (ALL,) * (len(x.shape) - ndim) + tuple(index)


def view_get(to, step):
    x = to.view(step.arguments[0])
    return x.indexed(stacked_index(x, step.keywords["index"], step.keywords["ndim"]))


def elements_got(expansion, step):
    """What an index takes out of the elements of an array."""
    if not has_basic_index(step):
        raise NotExpandable
    x = expansion.of(step.arguments[0])
    return as_objects(x[stacked_index(x, step.keywords["index"], step.keywords["ndim"])])


VIEWS[get] = view_get
VIEW_CONDITIONS[get] = has_basic_index
EXPANSIONS[get] = elements_got
PARTS["get"] = get


def out_of_stack(step):
    """A part of one of the arrays that a stack consists of, taken from that array; other steps as they are."""
    x = step.arguments[0]
    if x.function is not stacked:
        return step
    at, index = x.ndim + x.keywords["axis"], stacked_index(x, step.keywords["index"], step.keywords["ndim"])
    if len(index) <= at or isinstance(index[at], slice) or any(i is None or i is Ellipsis for i in index):
        return step
    y = x.arguments[index[at]]
    if type(y) is not Step or y.dtype != x.dtype or y.weak:
        return step
    rest = {"index": (*index[:at], *index[at + 1 :]), "ndim": y.ndim}
    return out_of_stack(Step(get, (y,), rest, step.shape, step.dtype, step.where))


def get_identity(step):
    """x[:] is x, and a part of a stack is that part."""
    if not has_basic_index(step):
        return step
    step = out_of_stack(step)
    x = step.arguments[0]
    if (
        x.shape == step.shape
        and x.dtype == step.dtype
        and all(
            isinstance(i, slice) and i.indices(n) == (0, n, 1)
            for i, n in zip(step.keywords["index"], x.shape[x.ndim - step.keywords["ndim"] :], strict=False)
        )
    ):
        return x
    return step


IDENTITIES[get] = get_identity


# Zeros with something added at an index


def lower_add_at(to, step):
    if not has_basic_index(step):
        raise NotLowerable("index arrays")
    y = to.operand(step.arguments[0], step.dtype)
    index = (ALL,) * (len(y.shape) - step.keywords["ndim"]) + tuple(step.keywords["index"])
    if id(step) in to.sums.waiting:
        return Scatter(y, index, step.shape)
    out = to.destination(step)
    to.fill(out)
    place = out.indexed(index)
    to.copy(y.broadcast(place.shape), place)
    return out


def elements_added_at(expansion, step):
    """Nothing but the elements at an index."""
    if not has_basic_index(step):
        raise NotExpandable
    y = expansion.of(step.arguments[0])
    result = np.full(step.shape, NOTHING, object)
    result[(ALL,) * (y.ndim - step.keywords["ndim"]) + tuple(step.keywords["index"])] = plain(y)
    return result


TABLE[add_at] = lower_add_at
SCATTERS[add_at] = has_basic_index
EXPANSIONS[add_at] = elements_added_at


# Arrays of one number


def lower_number(x):
    def emit(to, step):
        out = to.destination(step)
        to.copy(to.constant(np.full((), x, step.dtype)).broadcast(step.shape), out)
        return out

    return emit


TABLE[np.zeros_like] = lower_number(0)
TABLE[np.ones_like] = lower_number(1)


# x[index] = v, by value


def lower_put(to, step):
    if not has_basic_index(step):
        raise NotLowerable("index arrays")
    x, v = step.arguments
    out = to.destination(step)
    place = out.indexed(tuple(step.keywords["index"]))
    v = to.view(v)
    if v.ndim > place.ndim:
        raise NotLowerable("an assignment that drops axes")
    to.copy(to.view(x), out)
    to.copy(v.broadcast(place.shape), place)
    return out


def lower_clear(to, step):
    if not has_basic_index(step):
        raise NotLowerable("index arrays")
    x = to.view(step.arguments[0])
    out = to.destination(step)
    to.copy(x, out)
    to.fill(out.indexed(stacked_index(x, step.keywords["index"], step.keywords["ndim"])))
    return out


def elements_put(expansion, step):
    """The elements with others at an index; with nothing there if no others are given."""
    if not has_basic_index(step):
        raise NotExpandable
    x, *v = step.arguments
    x, v = np.array(expansion.of(x)), plain(expansion.of(v[0])) if v else NOTHING
    x[stacked_index(x, step.keywords["index"], step.keywords.get("ndim", x.ndim))] = v
    return x


TABLE[put] = lower_put
TABLE[clear] = lower_clear
EXPANSIONS |= dict.fromkeys((put, clear), elements_put)


# Joining


def places_joined(step):
    axis, ends = step.keywords["axis"], step.keywords["ends"]
    starts = (0, *ends)
    return [
        (a, (*(ALL,) * (step.ndim + axis), slice(start, end)))
        for a, start, end in zip(step.arguments, starts, ends, strict=False)
        if end > start
    ]


def places_stacked(step):
    axis = step.keywords["axis"]
    return [(a, (*(ALL,) * (step.ndim + axis), k)) for k, a in enumerate(step.arguments)]


def lower_places(to, step):
    out = to.destination(step)
    for a, index in PLACES[step.function](step):
        view, place = to.view(a), out.indexed(index)
        if view != place:
            to.copy(view, place)
    return out


def only_part(step):
    x = step.arguments[0]
    same = len(step.arguments) == 1 and type(x) is Step and x.shape == step.shape and x.dtype == step.dtype
    return x if same else step


PLACES |= {joined: places_joined, stacked: places_stacked}
TABLE |= dict.fromkeys(PLACES, lower_places)
EXPANSIONS |= dict.fromkeys(PLACES, placed)
PARTS["stacked"] = stacked
IDENTITIES[joined] = only_part


# The same numbers: steps never change, so a copy is the thing itself

for function in (np.copy, duplicate):
    IDENTITIES[function] = lambda step: step.arguments[0] if type(step.arguments[0]) is Step else step


def cast_identity(step):
    x = step.arguments[0]
    return x if type(x) is Step and x.dtype == step.dtype and not x.weak else step


IDENTITIES[cast] = cast_identity
ELEMENTWISE[cast] = micro("move")
EXPANSIONS[cast] = lambda expansion, step: expansion.elementwise(step)
Lowering.first_only.add(cast)
