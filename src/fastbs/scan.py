"""A loop written as a function, which a compiled program runs as such.

Inside of `compile` a loop is one step of the program, whatever its length. Its transpose is a back substitution
over the stored states: a loop from the last step to the first that pulls back through one step at a time.
"""

import functools
import operator

import numpy as np
import optree

from ._trace import Node, Traced, is_replayed, node_of
from .bodies import closed, in_dtype, is_numeric, recorded, selected, stack_of, zeros_of
from .compiler.loops import Loop, run_loop
from .compiler.program import example, is_weak, same_programs
from .compiler.repeat import lower_loop
from .compiler.table import CALLED, SEVERAL, TABLE
from .errors import TraceError
from .rules.several import Joint, Results, is_differentiable, record_several
from .rules.table import RULES
from .system import pull_back, push_forward

__all__ = ["scan"]

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
    lengths = {len(x) for x in leaves} | ({operator.index(length)} if length is not None else set())
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


def same_kind(a, b):
    return np.shape(a) == np.shape(b) and np.result_type(a) == np.result_type(b) and is_weak(a) == is_weak(b)


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
        and a.function == b.function  # methods of ufuncs are made anew
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


def rows_first(g, lead):
    """(*stack, n, ...) -> (n, *stack, ...)"""
    return np.transpose(g, (lead, *range(lead), *range(lead + 1, np.ndim(g)))) if lead else g


def rows_last(g, lead):
    """(n, *stack, ...) -> (*stack, n, ...)"""
    return np.transpose(g, (*range(1, lead + 1), 0, *range(lead + 1, np.ndim(g)))) if lead else g


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
