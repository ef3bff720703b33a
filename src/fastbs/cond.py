"""A choice written as a function, of which a compiled program runs one branch.

Inside of `compile` both branches are traced, and the choice is one step of the program. Its derivatives are choices
among the derivatives of the branches.
"""

import functools

import numpy as np
import optree

from ._trace import Traced, is_replayed
from .bodies import closed, in_dtype, is_numeric, recorded, selected, stack_of, zeros_of
from .compiler.loops import Branches, run_branches
from .compiler.program import INPUT, Program, Step, example
from .compiler.repeat import lower_branches
from .compiler.table import CALLED, SEVERAL, TABLE
from .rules.several import Joint, Results, is_differentiable, record_several
from .rules.table import RULES
from .system import pull_back, push_forward

__all__ = ["cond"]


def cond(flag, f, g, *arguments):
    """``f(*arguments)`` if the flag is true, else ``g(*arguments)``.

    Parameters
    ----------
    flag : one truth value or number, not zero for true
    f, g : callable
        Under `compile` both are traced, and one of them runs; they must return the same nesting. Where shapes or dtypes
        of their results differ, both run, and the flag selects among results as `numpy.where` does.
    *arguments : arrays, numbers, or nested containers of them

    Raises
    ------
    ValueError
        If the flag has several elements.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.grad(lambda x: fb.cond(x > 0, np.sin, np.cos, x))(0.0).round(3)
    np.float64(-0.0)
    """
    if type(flag) is not Traced or not is_replayed(flag):
        return f(*arguments) if flag else g(*arguments)
    if flag.size != 1:
        raise ValueError(
            f"cond: flag must be one truth value because it chooses among two functions; got shape {flag.shape}"
        )
    flag = np.reshape(flag if flag.dtype == bool else flag != 0, ())
    return one_choice(flag, f, g, arguments)


def one_choice(flag, f, g, arguments):
    """A choice as one step of the trace."""
    leaves, structure = optree.tree_flatten(arguments)
    places = [i for i, x in enumerate(leaves) if type(x) is Traced]
    values = [leaves[i] for i in places]
    structures = []

    def branch(function, *traced):
        given = dict(zip(places, traced, strict=True))
        arguments = optree.tree_unflatten(structure, [given.get(i, x) for i, x in enumerate(leaves)])
        results, result_structure = optree.tree_flatten(function(*arguments))
        structures.append(result_structure)
        return results

    first, second = (closed(functools.partial(branch, function), values, inline=True) for function in (f, g))
    same = structures[0] == structures[1] and all(map(is_numeric, (*first[2], *second[2])))
    if not same or not all(np.shape(a) == np.shape(b) for a, b in zip(first[2], second[2], strict=True)):
        return optree.tree_map(functools.partial(np.where, flag), f(*arguments), g(*arguments))
    if not all(np.result_type(a) == np.result_type(b) for a, b in zip(first[2], second[2], strict=True)):
        return optree.tree_map(functools.partial(np.where, flag), f(*arguments), g(*arguments))
    free = [*first[1], *second[1]]
    programs = (with_unused(first[0], len(values), 0, second[0]), with_unused(second[0], len(values), 1, first[0]))
    values += free
    found = choose(programs, flag, values, ([*map(example, values)], first[2]))
    return optree.tree_unflatten(structures[0], found)


def with_unused(program, count, position, other):
    """The program with the further inputs of another one in front of its own, or behind."""
    shared, own, others = program.inputs[:count], program.inputs[count:], other.inputs[count:]
    others = [Step(INPUT, x.arguments, {}, x.shape, x.dtype, None, x.weak) for x in others]
    further = [*others, *own] if position else [*own, *others]
    return Program([*shared, *further], program.outputs, program.steps)


def either(flag, *values, branches):
    """The results of a choice: a step of traced values; of plain ones, which a program never sees, examples."""
    if any(type(x) is Traced for x in (flag, *values)):
        return Results(record_several(either, (flag, *values), {"branches": branches}))
    return Results([branches.examples[1][j] for _, j in branches.results])


def choose(programs, flag, values, examples):
    """Record a choice with all its results."""
    results = tuple([("ys", j) for j in range(len(programs[0].outputs))])
    return either(flag, *values, branches=Branches(tuple(programs), results, examples))


def pull_either(results, arguments, cotangents, branches):
    """The choice of what is pulled back through the branch that ran."""
    flag, *values = arguments
    stack = stack_of(results, cotangents)
    examples, outputs = branches.examples
    given = [j for j, g in enumerate(cotangents) if g is not None]

    def body(program, reached, *x):
        inputs, nodes = recorded(program, x[: len(values)])
        nodes, g = selected([nodes[j] for j in given], x[len(values) :])
        return through(pull_back(inputs, nodes, g), examples, reached, stack)

    directions = [zeros_of(outputs[j], stack) for j in given]
    key = "pull", tuple(given), stack
    programs, reached, kept = both(branches, key, body, directions)
    found = choose(programs, flag, [*values, *[cotangents[j] for j in given]], kept)
    return [None, *spread(found, reached, len(values))]


def push_either(results, arguments, tangents, branches):
    """The choice of what is pushed forward through the branch that ran."""
    flag, *values = arguments
    stack = stack_of(arguments, tangents)
    examples, outputs = branches.examples
    given = [j for j, t in enumerate(tangents[1:]) if t is not None]

    def body(program, reached, *x):
        inputs, nodes = recorded(program, x[: len(values)])
        tangents = dict(zip(given, x[len(values) :], strict=True))
        pushed = iter(
            push_forward(inputs, [y for y in nodes if y is not None], [*map(tangents.get, range(len(values)))])
        )
        return through([None if y is None else next(pushed) for y in nodes], outputs, reached, stack)

    directions = [zeros_of(examples[j], stack) for j in given]
    key = "push", tuple(given), stack
    programs, reached, kept = both(branches, key, body, directions)
    found = choose(programs, flag, [*values, *[tangents[1 + j] for j in given]], kept)
    return spread(found, reached, len(results))


def through(found, like, reached, stack):
    """What was found, in the dtypes of what it belongs to; zeros for what only the other branch reaches."""
    reached.update(j for j, x in enumerate(found) if x is not None and is_differentiable(like[j]))
    return [zeros_of(like[j], stack) if found[j] is None else in_dtype(found[j], like[j]) for j in sorted(reached)]


def both(branches, key, body, directions):
    """The programs of a derivative of both branches, which results they reach, and examples; kept by the key."""
    if key not in branches.derived:
        examples, reached = [*branches.examples[0], *directions], set()
        for _ in range(2):  # what either of them reaches is a result of both
            made = [closed(functools.partial(body, program, reached), examples) for program in branches.programs]
        branches.derived[key] = [program for program, _, _ in made], sorted(reached), (examples, made[0][2])
    return branches.derived[key]


def spread(found, places, count):
    """A tuple of so many entries with what was found at its places, None elsewhere."""
    at = dict(zip(places, found, strict=True))
    return tuple(map(at.get, range(count)))


RULES[either] = Joint(pull_either, push_either)
TABLE[either] = lower_branches
SEVERAL.add(either)
CALLED[either] = run_branches
