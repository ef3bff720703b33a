"""Control flow written as functions: a loop and a choice, which a compiled program runs as such.

Inside of `compile` a loop is one step of the program, whatever its length. Its transpose is a back substitution
over the stored states: a loop from the last step to the first that pulls back through one step at a time.
"""

import functools
import math

import numpy as np
import optree

from ._trace import Node, Traced, is_replayed, node_of, steps, steps_made, trace
from .compiler.loops import Branches, Loop, run_branches, run_loop
from .compiler.lowering import CALLED, SEVERAL, TABLE, VIEWS
from .compiler.program import INPUT, Program, Step, evaluate, example, from_nodes, is_weak, same_programs
from .compiler.repeat import lower_branches, lower_loop, view_result
from .errors import TraceError
from .rules.several import Joint, Results, is_differentiable, item, record_several
from .rules.table import RULES
from .system import pull_back, push_forward

__all__ = ["cond", "scan"]

MOST_TRIES = 3  # steps after which the kind of a state should have settled


def scan(step, state, xs=None, length=None):
    """A loop as a function: ``state, y_i = step(state, xs[i])``; returns the last state and the stacked y.

    Parameters
    ----------
    step : callable, ``(state, x) -> (state, y)``
        Under `compile` it is traced instead of run, and must do the same each time.
    state : array, number, or nested lists, tuples and dicts of them
        Under `compile` the loop is unrolled if shapes or dtypes do not settle within three steps.
    xs : arrays with the steps on their first axis, or nested containers of them; None with `length`
    length : int, optional
        The number of steps.

    Notes
    -----
    Derivatives of a compiled loop store the states of all steps.

    Raises
    ------
    ValueError
        If the arrays and `length` do not say the same number of steps, or none says one.
    TraceError
        Under `compile`, if two traces of a step differ, as with a counter of its own.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.scan(lambda s, x: (s + x, s * x), 0.0, np.array([1.0, 2.0, 3.0]))
    (np.float64(6.0), array([0., 2., 9.]))
    >>> fb.scan(lambda s, x: (s / 2, None), 1.0, length=10)
    (0.0009765625, None)
    """
    leaves, structure = optree.tree_flatten(xs)
    lengths = {len(x) for x in leaves} | ({length} if length is not None else set())
    if len(lengths) != 1:
        raise ValueError(
            f"scan: all arrays of xs, and length, must have one length because they are stepped through; got "
            f"{lengths or 'none'}"
        )
    n, ys, rest = lengths.pop(), [], None
    for i in range(n):
        if i < MOST_TRIES and i < n - 1 and is_compiled((state, leaves, ys[-1:])):
            rows = [x[i:] if i else x for x in leaves]
            rest = one_step(step, state, rows, structure, n - i)
            if rest is not None:
                state, rest = rest
                break
        state, y = step(state, optree.tree_unflatten(structure, [x[i] for x in leaves]))
        ys.append(y)
    else:
        return state, optree.tree_map(lambda *parts: np.stack(parts), *ys) if ys else None
    if ys:
        rest = optree.tree_map(lambda y, *parts: np.concatenate([np.stack(parts), y]), rest, *ys)
    return state, rest


def is_compiled(tree):
    return any(type(x) is Traced and is_replayed(x) for x in optree.tree_leaves(tree))


def one_step(step, state, rows, structure, n):
    """A loop as one step of the trace: the last state and the stacked y; None if it is none."""
    state, state_structure = optree.tree_flatten(state)
    examples = [*map(example, state), *[example(x)[0] for x in rows]]
    if not all(map(is_numeric, examples)):
        return None
    structures = []

    def body(*leaves):
        x = optree.tree_unflatten(structure, leaves[len(state) :])
        new, y = step(optree.tree_unflatten(state_structure, leaves[: len(state)]), x)
        new, new_structure = optree.tree_flatten(new)
        y, y_structure = optree.tree_flatten(y)
        structures.append((len(new), new_structure, y_structure))
        return [*new, *y]

    program, free, outputs = closed(body, examples)
    again, free_again, _ = closed(body, examples)
    (count, new_structure, y_structure), other = structures
    if (
        (count, new_structure, y_structure) != other
        or not same_programs(program, again)
        or not same_values(free, free_again)
    ):
        raise TraceError(
            "scan: step must do the same each time under compile because it is traced instead of run; got two "
            "different programs from the same state: pass counters, random numbers and what else changes in xs"
        )
    if (
        new_structure != state_structure
        or not all(map(is_numeric, outputs))
        or not all(same_kind(a, b) for a, b in zip(examples[:count], outputs[:count], strict=True))
    ):
        return None
    found = repeat(program, [*state], rows, free, n, False, ([*examples, *map(example, free)], outputs))
    return (
        optree.tree_unflatten(state_structure, found[:count]),
        optree.tree_unflatten(y_structure, found[2 * count :]),
    )


def is_numeric(x):
    return isinstance(x, (bool, int, float, complex, np.generic, np.ndarray)) and np.result_type(x).kind in "biufc"


def same_kind(a, b):
    return np.shape(a) == np.shape(b) and np.result_type(a) == np.result_type(b) and is_weak(a) == is_weak(b)


def closed(function, values, inline=False):
    """The program of a function of these values, the values around it that it uses, and plain values of its outputs.

    What is used from outside becomes further inputs; what is computed of such values alone is computed outside, or also
    inside.
    """
    since = steps_made() if inline else math.inf
    inputs, leaves, level = trace(function, [*map(example, values)], replayed=True)
    outputs = [node_of(y) if type(y) is Traced and y.level == level else y for y in leaves]
    free = []
    program = from_nodes(inputs, outputs, steps([y for y in outputs if type(y) is Node]), free, since)
    return program, free, [example(y.value if type(y) is Node else y) for y in outputs]


def same_values(values, others):
    """Whether the values around two traces of one function are the same, or were made the same way."""
    return len(values) == len(others) and all(
        same_node(node_of(a), node_of(b)) for a, b in zip(values, others, strict=True)
    )


def same_node(a, b):
    if a is b:
        return True
    return (
        a.function is not None
        and a.function is b.function
        and len(a.arguments) == len(b.arguments)
        and all(same_argument(x, y) for x, y in zip(a.arguments, b.arguments, strict=True))
        and same_programs(a.keywords, b.keywords)
    )


def same_argument(a, b):
    a, b = (node_of(x) if type(x) is Traced else x for x in (a, b))
    return same_node(a, b) if type(a) is type(b) is Node else same_programs(a, b)


# The step of a whole loop


def repeated(*values, loop):
    """The results of a loop: a step of traced values; of plain ones, which a compiled program never sees, examples."""
    if any(type(x) is Traced for x in values):
        return Results(record_several(repeated, values, {"loop": loop}))
    inputs, outputs = loop.examples
    found = {"last": outputs, "states": inputs, "ys": outputs[loop.carries :]}
    return Results(
        found[kind][j] if kind == "last" else np.broadcast_to(found[kind][j], (loop.length, *np.shape(found[kind][j])))
        for kind, j in loop.results
    )


def repeat(body, state, rows, free, n, backward, examples):
    """Record a loop with all its results: last states, stacked states, rows of results."""
    c, q = len(state), len(body.outputs) - len(state)
    results = [(kind, j) for kind, count in (("last", c), ("states", c), ("ys", q)) for j in range(count)]
    loop = Loop(body, c, len(rows), n, backward, tuple(results), examples)
    return repeated(*state, *rows, *free, loop=loop)


def parts(values, loop):
    """The states, rows and free values among the arguments of a loop, or of its body."""
    c, k = loop.carries, loop.rows
    return values[:c], values[c : c + k], values[c + k :]


def stack_of(values, given):
    """The leading axes of directions: what the first of the given ones has more than its value."""
    return next(np.shape(g)[: np.ndim(g) - np.ndim(y)] for y, g in zip(values, given, strict=True) if g is not None)


def rows_first(g, lead):
    """(*stack, n, ...) -> (n, *stack, ...)"""
    return np.transpose(g, (lead, *range(lead), *range(lead + 1, np.ndim(g)))) if lead else g


def rows_last(g, lead):
    """(n, *stack, ...) -> (*stack, n, ...)"""
    return np.transpose(g, (*range(1, lead + 1), 0, *range(lead + 1, np.ndim(g)))) if lead else g


def zeros_of(x, stack):
    return np.zeros((*stack, *np.shape(x)), np.result_type(example(x)))


def in_dtype(g, x):
    dtype = np.result_type(example(x))
    return g if np.result_type(example(g)) == dtype else np.astype(g, dtype)


def recorded(program, values):
    """A program as steps of the innermost trace: its inputs, and the outputs that depend on them (else None)."""
    inputs, outputs, level = trace(lambda *x: evaluate(program, x), values)
    return inputs, [node_of(y) if type(y) is Traced and y.level == level else None for y in outputs]


def selected(nodes, given):
    """The nodes with what is given for them, where there are both."""
    pairs = [(y, g) for y, g in zip(nodes, given, strict=True) if y is not None and g is not None]
    return [y for y, _ in pairs], [g for _, g in pairs]


def grown(key, derived, active, make):
    """What ``make(active)`` makes once the active states are all that it reaches; kept by its key."""
    if key not in derived:
        while True:
            made, reached = make(active)
            if reached <= set(active):
                break
            active = sorted({*active, *reached})
        derived[key] = made, active
    return derived[key]


def pull_loop(results, arguments, cotangents, loop):
    """Back substitution: a loop from the last step to the first, whose states are cotangents of states and free values.

    ``(x', w') = pull back (x'_{i+1}, y'_i) through step i``, at the stored states x_i.
    """
    c = loop.carries
    last, states, ys = cotangents[:c], cotangents[c : 2 * c], cotangents[2 * c :]
    stack = stack_of(results, cotangents)
    lead = len(stack)
    given = tuple([g is not None for g in cotangents])
    start = [j for j in range(c) if (given[j] or given[c + j]) and is_differentiable(arguments[j])]
    make = functools.partial(pulled_body, loop, stack, given[c : 2 * c], given[2 * c :])
    (body, examples, rows_reached, free_reached), active = grown(("pull", given, stack), loop.derived, start, make)
    _, rows, free = parts(arguments, loop)
    carried = [
        in_dtype(last[j], arguments[j]) if last[j] is not None else zeros_of(arguments[j], stack) for j in active
    ]
    carried += [zeros_of(free[j], stack) for j in free_reached]
    given_rows = [rows_first(g, lead) for g in (*states, *ys) if g is not None]
    back = repeat(
        body, carried, [*results[c : 2 * c], *rows, *given_rows], free, loop.length, not loop.backward, examples
    )
    found = [None] * len(arguments)
    for i, j in enumerate(active):
        found[j] = back[i]
    for i, j in enumerate(free_reached):
        found[c + loop.rows + j] = back[len(active) + i]
    for i, j in enumerate(rows_reached):
        found[c + j] = rows_last(back[2 * len(carried) + i], lead)
    return found


def pulled_body(loop, stack, has_states, has_ys, active):
    """The body of `pull_loop` with these active states, and the states it reaches."""
    c, k = loop.carries, loop.rows
    values, outputs = loop.examples
    free = [j for j, x in enumerate(values[c + k :]) if is_differentiable(x)]
    state_examples = [zeros_of(values[j], stack) for j in active] + [zeros_of(values[c + k + j], stack) for j in free]
    row_examples = [zeros_of(values[j], stack) for j in range(c) if has_states[j]]
    row_examples += [zeros_of(y, stack) for y, has in zip(outputs[c:], has_ys, strict=True) if has]
    examples = [*state_examples, *values[: c + k], *row_examples, *values[c + k :]]
    reached = {}

    def body(*x):
        x = iter(x)

        def take(names):
            return {name: next(x) for name in names}

        g, sums = take(active), take(free)
        here = [next(x) for _ in range(c + k)]
        g_states = take([j for j in range(c) if has_states[j]])
        g_ys = take([j for j, has in enumerate(has_ys) if has])
        inputs, nodes = recorded(loop.body, [*here, *x])
        nodes, given = selected(nodes, [g.get(j) for j in range(c)] + [g_ys.get(j) for j in range(loop.ys)])
        found = pull_back(inputs, nodes, given)
        for j, known in g_states.items():
            found[j] = known if found[j] is None else found[j] + known
        reached["states"] = [j for j in range(c) if found[j] is not None and is_differentiable(values[j])]
        reached["rows"] = [j for j in range(k) if found[c + j] is not None]
        reached["free"] = [j for j in free if found[c + k + j] is not None]
        new = [zeros_of(values[j], stack) if found[j] is None else in_dtype(found[j], values[j]) for j in active]
        new += [
            sums[j] if found[c + k + j] is None else sums[j] + in_dtype(found[c + k + j], values[c + k + j])
            for j in free
        ]
        return [*new, *[found[c + j] for j in reached["rows"]]]

    program, _, outputs = closed(body, examples)
    return (program, (examples, outputs), reached["rows"], free), set(reached["states"])


def push_loop(results, arguments, tangents, loop):
    """Forward substitution: a loop whose states are the tangents of states, at the stored states."""
    c, k = loop.carries, loop.rows
    stack = stack_of(arguments, tangents)
    lead = len(stack)
    given = tuple([t is not None for t in tangents])
    start = [j for j in range(c) if given[j]]
    make = functools.partial(pushed_body, loop, stack, given[c : c + k], given[c + k :])
    (body, examples, ys_reached), active = grown(("push", given, stack), loop.derived, start, make)
    states, rows, free = parts(tangents, loop)
    carried = [
        zeros_of(arguments[j], stack) if states[j] is None else in_dtype(states[j], arguments[j]) for j in active
    ]
    given_rows = [rows_first(t, lead) for t in rows if t is not None]
    _, here, around = parts(arguments, loop)
    forth = repeat(
        body, carried, [*results[c : 2 * c], *here, *given_rows], [*around, *[t for t in free if t is not None]],
        loop.length, loop.backward, examples,
    )  # fmt: skip
    found = [None] * len(results)
    for i, j in enumerate(active):
        found[j] = forth[i]
        found[c + j] = rows_last(forth[len(active) + i], lead)
    for i, j in enumerate(ys_reached):
        found[2 * c + j] = rows_last(forth[2 * len(active) + i], lead)
    return tuple(found)


def pushed_body(loop, stack, has_rows, has_free, active):
    """The body of `push_loop` with these active states, and the states it reaches."""
    c, k = loop.carries, loop.rows
    values, _ = loop.examples
    tangent_rows = [j for j in range(k) if has_rows[j]]
    tangent_free = [j for j, has in enumerate(has_free) if has]
    examples = [
        *[zeros_of(values[j], stack) for j in active], *values[: c + k],
        *[zeros_of(values[c + j], stack) for j in tangent_rows], *values[c + k :],
        *[zeros_of(values[c + k + j], stack) for j in tangent_free],
    ]  # fmt: skip
    reached = {}

    def body(*x):
        x = iter(x)

        def take(names):
            return {name: next(x) for name in names}

        dx = take(active)
        here = [next(x) for _ in range(c + k)]
        dz = take(tangent_rows)
        free = [next(x) for _ in values[c + k :]]
        dw = take(tangent_free)
        inputs, nodes = recorded(loop.body, [*here, *free])
        given = [dx.get(j) for j in range(c)] + [dz.get(j) for j in range(k)] + [dw.get(j) for j in range(len(free))]
        known = [y for y in nodes if y is not None]
        pushed = iter(push_forward(inputs, known, given))
        found = [None if y is None else next(pushed) for y in nodes]
        reached["states"] = [j for j in range(c) if found[j] is not None]
        reached["ys"] = [j for j in range(loop.ys) if found[c + j] is not None]
        new = [zeros_of(values[j], stack) if found[j] is None else in_dtype(found[j], values[j]) for j in active]
        return [*new, *[found[c + j] for j in reached["ys"]]]

    program, _, outputs = closed(body, examples)
    return (program, (examples, outputs), reached["ys"]), set(reached["states"])


RULES[repeated] = Joint(pull_loop, push_loop)
TABLE[repeated] = lower_loop
SEVERAL.add(repeated)
CALLED[repeated] = run_loop
VIEWS[item] = view_result


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
