"""The solve of a structure that came often runs as a tape.

A recording that looks like earlier ones, in all but its numbers, has the same back substitution and the same Jacobian:
the solve is compiled once for the structure, as a function of the values of the steps, and replayed.
"""

import threading
from collections import OrderedDict

import numpy as np

from ._tape import MISS
from ._trace import Structure, Traced, node_of, steps, trace, with_leaves
from .compiled import make_plan
from .rules.own import OneCall
from .rules.table import RULES
from .signatures import Signature

__all__ = ["replayed"]

MOST_STRUCTURES = 256
MOST_CONSTANTS = 1 << 22  # bytes that a tape may hold
RENT = 30  # solves of a structure that cost about as much as its tape: no program pays more than twice its best

structures = (
    OrderedDict()
)  # (solver, settings, key of the structure) -> how often it came, the Tape, or None where there can be none
lock = threading.Lock()


def replayed(solver, inputs, outputs, cotangents, *settings):
    """``solver(inputs, outputs, cotangents, *settings)`` by a tape; None where there is none.

    Parameters
    ----------
    solver : callable
        Returns a list of arrays, or None for zeros.
    inputs, outputs : lists of Node
    cotangents : list of arrays
    settings : hashable
    """
    structure = Structure(inputs, outputs, cotangents)
    if structure.key is None:
        return None
    key = solver, settings, structure.key
    known = structures.get(key, 0)
    if type(known) is int:
        with lock:
            structures[key] = known + 1
            if len(structures) > MOST_STRUCTURES:
                structures.popitem(last=False)
        if known < RENT:
            return None
        known = structures[key] = tape_of(structure, inputs, cotangents, solver, settings)
    return None if known is None else known(structure.leaves)


class Tape:
    """The solve of one structure.

    Parameters
    ----------
    plan : Plan of a function of one list
    used : list of int, the leaves in that list
    """

    def __init__(self, plan, used):
        self.run, self.used = plan.run, used

    def __call__(self, leaves):
        result = self.run(([leaves[i] for i in self.used],), {})
        return None if result is MISS else result


def tape_of(structure, inputs, cotangents, solver, settings):
    """The tape of a structure; None where it depends on values, or needs Python."""
    if any(type(RULES.get(node.function)) is OneCall for node in structure.order):
        return None  # rules of users may depend on more than their arguments
    number = {node: i for i, node in enumerate(structure.order)}

    def solve(leaves):
        nodes, known = with_leaves(structure.order, cotangents, leaves)
        # an input that no result depends on stays as it is
        starts = [nodes[number[x]] if x in number else x for x in inputs]
        return solver(starts, [nodes[number[y]] for y in structure.results], known, *settings)

    try:
        used = leaves_behind(solve, structure.leaves)
        # what nothing depends on was looked at for its shape at most
        rest = [blank(leaf) for leaf in structure.leaves]

        def pruned(leaves):
            full = list(rest)
            for i, leaf in zip(used, leaves, strict=True):
                full[i] = leaf
            return solve(full)

        plan = make_plan(pruned, Signature(([structure.leaves[i] for i in used],), {}))
    except Exception:  # whatever a rule does with values that it cannot do with traced ones
        return None
    report = plan.tape.report
    return None if report.calls or report.constants > MOST_CONSTANTS else Tape(plan, used)


def leaves_behind(solve, leaves):
    """The numbers of the leaves that the solution depends on."""
    with np.errstate(all="ignore"):
        inputs, found, _ = trace(lambda *traced: solve(traced), leaves, replayed=True)
    needed = set(steps([node_of(g) for g in found if type(g) is Traced]))
    return [i for i, node in enumerate(inputs) if node in needed]


def blank(leaf):
    """A leaf of this shape and dtype that takes no memory."""
    return np.broadcast_to(leaf.dtype.type(0), leaf.shape) if type(leaf) is np.ndarray else type(leaf)(0)
