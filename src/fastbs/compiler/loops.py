"""Steps that hold programs: a loop over its body, and the choice between two branches.

A loop is one step of many results, ``x_{i+1}, y_i = body(x_i, z_i, w)`` with carried states x, rows z_i of arrays and
free values w. Results nobody needs, and what only they need inside, are dropped here, before the body is optimized
like any other program.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from .elementwise import is_elementwise
from .program import INPUT, Program, Step, evaluate

__all__ = [
    "Branches", "Loop", "inner_programs", "is_of_numbers", "prune_loop", "pruned", "run_branches", "run_loop",
    "with_inputs", "with_loops_replaced",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Loop:
    """What a loop step does; its arguments are the first states, the arrays of rows, and the free values.

    Attributes
    ----------
    body : Program
        Inputs: states, rows, free values; outputs: the next states, and the rows of results.
    carries, rows : int
        How many of the inputs are states, and rows.
    length : int
    backward : bool
        Whether the steps go from the last row to the first.
    results : tuple of (kind, number)
        ``("last", j)`` is the state j behind the last step, ``("states", j)`` the states j in front of each step,
        stacked, ``("next", j)`` those behind each step, ``("kept", j)`` some of them in the places of a schedule, and
        ``("ys", k)`` the rows of result k.
    examples : pair of lists
        Plain values of the inputs and outputs of the body.
    derived : dict
        The loops that its derivatives are, as they are made.
    schedule : Schedule or None
        Of a loop that keeps some of its states, and of the loop back over them.
    advance : Loop or None
        Of a loop back: the loop whose steps it runs again. Its arguments come last: what it kept, rows, free values.
    kept : tuple of (row, state, bool)
        Of a loop back: which of its rows are states, and whether those behind the step.
    instead : Loop or None
        Of a loop whose products were multiplied out: the one that runs where its last states are not finite, with the
        same results. Its arguments come last.
    """

    body: Program
    carries: int
    rows: int
    length: int
    backward: bool
    results: tuple
    examples: tuple = ((), ())
    derived: dict = field(default_factory=dict)
    schedule: object = None
    advance: object = None
    kept: tuple = ()
    instead: object = None

    @property
    def programs(self):
        return (self.body,)

    @property
    def ys(self):
        return len(self.body.outputs) - self.carries


@dataclass(frozen=True, eq=False)
class Branches:
    """What a choice does: the program for true and the one for false; its arguments are the flag and their inputs."""

    programs: tuple
    results: tuple
    examples: tuple = ((), ())
    derived: dict = field(default_factory=dict)

    @property
    def first(self):
        return self.programs[0]


def run_loop(*values, loop):
    """The results of a loop, step by step in NumPy."""
    if loop.instead is not None:
        values, loop = values[len(loop.body.inputs) :], loop.instead
    c, k = loop.carries, loop.rows
    state, rows, free = list(values[:c]), values[c : c + k], values[c + k :]
    states, following = ([[None] * loop.length for _ in range(c)] for _ in range(2))
    ys = [[None] * loop.length for _ in range(loop.ys)]
    for i in range(loop.length)[:: -1 if loop.backward else 1]:
        for j in range(c):
            states[j][i] = state[j]
        outputs = evaluate(loop.body, [*state, *[z[i] for z in rows], *free])
        state = outputs[:c]
        for j in range(c):
            following[j][i] = state[j]
        for j in range(loop.ys):
            ys[j][i] = outputs[c + j]
    found = {"last": state, "states": states, "next": following, "ys": ys}
    return tuple([np.asarray(found[kind][j])[()] for kind, j in loop.results])


def run_branches(flag, *values, branches):
    """The results of one branch, in NumPy."""
    outputs = evaluate(branches.programs[0 if flag else 1], values)
    return tuple([outputs[j] for _, j in branches.results])


def is_of_numbers(loop):
    """Whether all states are kept, and the body is one elementwise program of numbers."""
    return (
        loop.schedule is None
        and loop.advance is None
        and all(x.shape == () and x.dtype.char in "fd?" for x in loop.body.inputs)
        and all(step.shape == () and is_elementwise(step) for step in loop.body.steps)
    )


def inner_programs(step):
    """The programs that a step holds."""
    holder = step.keywords.get("loop") or step.keywords.get("branches")
    return () if holder is None else holder.programs


class Results(tuple):
    """What stands for a loop that is gone: its results, one by one."""


def with_loops_replaced(program, replacement):
    """The program with other steps in the place of loops.

    Parameters
    ----------
    program : Program
    replacement : callable
        Takes the step of a loop and returns its results, one by one, or None if it stays.
    """

    def rewrite(step):
        if "loop" in step.keywords:
            found = replacement(step)
            return step if found is None else Results(found)
        first = step.arguments[0] if step.arguments else None
        return first[step.arguments[1]] if type(first) is Results else step

    if not any("loop" in step.keywords for step in program.steps):
        return program
    outputs = program.rewritten(rewrite).outputs
    return Program(program.inputs, outputs)  # in the order of their use: what is new stands where it is needed


def pruned(program, optimize):
    """The program with only those results of its loops and branches, and those states, that something needs.

    Parameters
    ----------
    program : Program
    optimize : callable, Program -> Program
        What is done with inner programs.
    """
    if not any(map(inner_programs, program.steps)):
        return program
    needed = {id(y) for y in program.outputs if type(y) is Step}
    selected = {}  # id(step with inner programs) -> the needed numbers among its results
    new = {}  # id(step) -> its arguments and keywords
    for step in reversed(program.steps):
        if id(step) not in needed:
            continue
        arguments, keywords = step.arguments, step.keywords
        if "loop" in keywords and keywords["loop"].instead is not None:  # whole, as both loops have the same results
            selected[id(step)] = set(range(len(keywords["loop"].results)))
        elif "loop" in keywords:
            arguments, keywords = prune_loop(step, sorted(selected[id(step)]), optimize)
        elif "branches" in keywords:
            arguments, keywords = prune_branches(step, sorted(selected[id(step)]), optimize)
        elif arguments and type(arguments[0]) is Step and inner_programs(arguments[0]):
            selected.setdefault(id(arguments[0]), set()).add(arguments[1])
        new[id(step)] = arguments, keywords
        needed.update(id(a) for a in arguments if type(a) is Step)
    made = {id(step): step for step in program.inputs}
    order = []
    for step in program.steps:
        if id(step) not in needed:
            continue
        arguments, keywords = new[id(step)]
        if arguments and type(arguments[0]) is Step and inner_programs(arguments[0]):
            holder, i = arguments
            arguments = holder, sorted(selected[id(holder)]).index(i)
        arguments = tuple([made[id(a)] if type(a) is Step else a for a in arguments])
        made[id(step)] = Step(step.function, arguments, keywords, step.shape, step.dtype, step.where, step.weak)
        order.append(made[id(step)])
    return Program(program.inputs, [made[id(y)] if type(y) is Step else y for y in program.outputs], order)


def prune_loop(step, chosen, optimize):
    """The arguments and keywords of a loop with only these of its results."""
    loop = step.keywords["loop"]
    results = [loop.results[i] for i in chosen]
    body = optimize(loop.body)
    c, k = loop.carries, loop.rows
    states = {j for kind, j in results if kind != "ys"}
    ys = sorted({j for kind, j in results if kind == "ys"})
    while True:
        used = used_inputs([body.outputs[j] for j in (*sorted(states), *[c + j for j in ys])])
        more = {j for j in range(c) if id(body.inputs[j]) in used} - states
        if not more:
            break
        states |= more
    states = sorted(states)
    rows = [j for j in range(k) if id(body.inputs[c + j]) in used]
    free = [j for j in range(c + k, len(body.inputs)) if id(body.inputs[j]) in used]
    kept = [*states, *[c + j for j in rows], *free]
    outputs = [body.outputs[j] for j in (*states, *[c + j for j in ys])]
    number = dict.fromkeys(("last", "states", "next"), states) | {"ys": ys}
    results = tuple([(kind, number[kind].index(j)) for kind, j in results])
    loop = replace(loop, body=with_inputs(body, kept, outputs), carries=len(states), rows=len(rows), results=results)
    return tuple([step.arguments[j] for j in kept]), {"loop": loop}


def prune_branches(step, chosen, optimize):
    """The arguments and keywords of a choice with only these of its results."""
    branches = step.keywords["branches"]
    numbers = [branches.results[i][1] for i in chosen]
    programs = [optimize(program) for program in branches.programs]
    outputs = [[program.outputs[j] for j in numbers] for program in programs]
    used = [used_inputs(ys) for ys in outputs]
    kept = [
        j
        for j in range(len(branches.first.inputs))
        if any(id(program.inputs[j]) in ids for program, ids in zip(programs, used, strict=True))
    ]
    programs = tuple([with_inputs(program, kept, ys) for program, ys in zip(programs, outputs, strict=True)])
    branches = Branches(programs, tuple([("ys", j) for j in range(len(numbers))]))
    return (step.arguments[0], *[step.arguments[1 + j] for j in kept]), {"branches": branches}


def used_inputs(outputs):
    """The ids of the steps behind some outputs, inputs included."""
    seen, stack = set(), [y for y in outputs if type(y) is Step]
    while stack:
        step = stack.pop()
        if id(step) not in seen:
            seen.add(id(step))
            stack.extend([a for a in step.arguments if type(a) is Step])
    return seen


def with_inputs(program, kept, outputs):
    """The program of these outputs with some of the inputs, numbered anew."""
    inputs = [program.inputs[j] for j in kept]
    renumbered = [Step(INPUT, (i,), {}, x.shape, x.dtype, None, x.weak) for i, x in enumerate(inputs)]
    new = {id(x): y for x, y in zip(inputs, renumbered, strict=True)}
    for step in Program(inputs, outputs).steps:
        arguments = tuple([new[id(a)] if type(a) is Step else a for a in step.arguments])
        new[id(step)] = step.with_arguments(arguments)
    return Program(renumbered, [new[id(y)] if type(y) is Step else y for y in outputs])
