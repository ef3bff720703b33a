"""Loops over the states of another loop read the next state there, instead of making it again.

The derivative of ``x_{i+1} = body(x_i)`` needs what the body computes at x_i, often the next state itself, as
in the derivative 1 - tanh(z)^2 of tanh(z).
"""

from dataclasses import replace

from .loops import inner_programs, pruned
from .program import INPUT, Program, Step
from .simplify import key_of, key_of_value

__all__ = ["known_states"]


def known_states(program, optimize):
    """The program whose loops take the states that they would compute again as rows."""
    wanted = {}  # id(loop over states) -> [(step of its body, loop that makes the state, number of the state)]
    following = {}  # id(loop) -> numbers of the states that are wanted behind each step
    for step in program.steps:
        for first in dict.fromkeys(makers(step)):
            found = [(x, first, j) for x, j in made_again(step, first)]
            wanted.setdefault(id(step), []).extend(found)
            following.setdefault(id(first), set()).update(j for _, _, j in found)
    if not any(wanted.values()):
        return program
    made, order, rows = {id(x): x for x in program.inputs}, [], {}
    for step in program.steps:
        arguments = tuple([made[id(a)] if type(a) is Step else a for a in step.arguments])
        keywords = step.keywords
        if wanted.get(id(step)):
            loop = keywords["loop"]
            own = loop.carries + loop.rows
            further = [rows[id(first), j] for _, first, j in wanted[id(step)]]
            keywords = {"loop": with_rows(loop, [x for x, _, _ in wanted[id(step)]])}
            arguments = (*arguments[:own], *further, *arguments[own:])
        states = sorted(following.get(id(step), ()))
        if states:
            loop = keywords["loop"]
            keywords = {"loop": replace(loop, results=(*loop.results, *[("next", j) for j in states]))}
        made[id(step)] = new = Step(step.function, arguments, keywords, step.shape, step.dtype, step.where, step.weak)
        order.append(new)
        for i, j in enumerate(states):
            x = loop.body.inputs[j]
            item = users_of(program, step)[0].function
            place = len(loop.results) + i
            rows[id(step), j] = Step(item, (new, place), {}, (loop.length, *x.shape), x.dtype, step.where)
            order.append(rows[id(step), j])
    outputs = [made[id(y)] if type(y) is Step else y for y in program.outputs]
    return pruned(Program(program.inputs, outputs, order), lambda body: body)


def users_of(program, step):
    return [user for user in program.steps if any(a is step for a in user.arguments)]


def state_of(a, length):
    """The loop whose states an argument stacks, and their number; None for other arguments."""
    if type(a) is Step and a.arguments and type(a.arguments[0]) is Step and "loop" in a.arguments[0].keywords:
        loop = a.arguments[0].keywords["loop"]
        kind, j = loop.results[a.arguments[1]]
        if kind == "states" and loop.length == length:
            return a.arguments[0], j
    return None


def rows_of(step):
    loop = step.keywords["loop"]
    return step.arguments[loop.carries : loop.carries + loop.rows]


def makers(step):
    """The loops through whose states a loop goes."""
    if "loop" not in step.keywords:
        return []
    found = [state_of(a, step.keywords["loop"].length) for a in rows_of(step)]
    return [pair[0] for pair in found if pair is not None]


def made_again(step, first):
    """The steps of the body that make the next states of another loop, and which ones."""
    loop, other = step.keywords["loop"], first.keywords["loop"]
    known, named = {}, {}

    def name(*key):
        return named.setdefault(key, Step(INPUT, (len(named),), {}, None, None))

    def outside(a, kind):
        return name(kind, key_of_value(a))

    inputs = [name("state", j) for j in range(other.carries)]
    inputs += [outside(a, "row") for a in rows_of(first)]
    inputs += [outside(a, "free") for a in first.arguments[other.carries + other.rows :]]
    canonical = numbered(other.body, inputs, known)
    goals = {}
    for j, y in enumerate(other.body.outputs[: other.carries]):
        if type(y) is Step and y.function is not INPUT:
            goals.setdefault(id(canonical[id(y)]), j)
    inputs = [name("own", j) for j in range(loop.carries)]
    for a in rows_of(step):
        pair = state_of(a, loop.length)
        inputs.append(name("state", pair[1]) if pair is not None and pair[0] is first else outside(a, "row"))
    inputs += [outside(a, "free") for a in step.arguments[loop.carries + loop.rows :]]
    canonical = numbered(loop.body, inputs, known)
    return [(x, goals[id(canonical[id(x)])]) for x in loop.body.steps if id(canonical[id(x)]) in goals]


def numbered(body, inputs, known):
    """One step for all equal ones: ``id(step) -> step``."""
    canonical = {id(x): y for x, y in zip(body.inputs, inputs, strict=True)}
    for step in body.steps:
        arguments = tuple([canonical[id(a)] if type(a) is Step else a for a in step.arguments])
        new = step.with_arguments(arguments)
        key = None if inner_programs(step) else key_of(new)
        canonical[id(step)] = new if key is None else known.setdefault(key, new)
    return canonical


def with_rows(loop, steps):
    """A loop with these steps of its body taken as further rows."""
    rows = [Step(INPUT, (i,), {}, x.shape, x.dtype, None, x.weak) for i, x in enumerate(steps)]
    own = loop.carries + loop.rows
    new = {id(x): row for x, row in zip(steps, rows, strict=True)} | {id(x): x for x in loop.body.inputs}
    for step in loop.body.steps:
        if id(step) not in new:
            arguments = tuple([new[id(a)] if type(a) is Step else a for a in step.arguments])
            new[id(step)] = step.with_arguments(arguments)
    inputs = [*loop.body.inputs[:own], *rows, *loop.body.inputs[own:]]
    outputs = [new[id(y)] if type(y) is Step else y for y in loop.body.outputs]
    return replace(loop, body=Program(inputs, outputs), rows=loop.rows + len(rows))
