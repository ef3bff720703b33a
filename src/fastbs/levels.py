"""Path weights level by level, in NumPy: for weights of every kind, and the specification of the kernels.

In topological order I - Lt is unit upper triangular, so its inverse is a substitution: from the sources along the
edges (forward), or from the sinks against them (backward), which is the forward one on the transposed graph.

Structure comes before values: only edges that lie on a path from a source to a sink are kept, and which node hears
of which source is known before a single weight is multiplied.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ._graph import Sweeper
from .edges import tails_of
from .semirings import SEMIRINGS, Semiring

__all__ = ["between", "count", "path_weights", "paths"]

ENTRIES = 2**24  # of a temporary array: more sources or sinks than that allows go in blocks
BITS = 1024  # starts in one set while counting


class Levels(NamedTuple):
    tails: np.ndarray  # (e,) the edges tails[k] -> heads[k], by the level of the head, then by head
    heads: np.ndarray  # (e,)
    weights: np.ndarray  # (e,)
    level: np.ndarray  # (n,) level[tails] < level[heads]

    def transposed(self) -> "Levels":
        return _by_level(self.heads, self.tails, self.weights, self.level.max(initial=0) - self.level)


def between(
    indptr: Any, indices: Any, weights: Any, order: Any, sources: list[int], sinks: list[int], semiring: Semiring
) -> Levels:
    """The edges on paths from a source to a sink, parallel ones joined; in CSR with a topological order."""
    longest = Sweeper(indptr, indices, np.ones(len(indices)), order)
    n = len(indptr) - 1
    level = longest.run(np.zeros(n), True, SEMIRINGS["max-plus"].number).astype(np.intp)
    tails, heads = tails_of(indptr).astype(np.intp), indices.astype(np.intp)
    by_tail = np.lexsort((heads, tails))
    tails, heads, weights = tails[by_tail], heads[by_tail], weights[by_tail]
    parallel = _runs(tails * n + heads)[:-1]
    if len(parallel) < len(tails):
        tails, heads = tails[parallel], heads[parallel]
        weights = semiring.plus.reduceat(weights, parallel, dtype=weights.dtype)
    graph = _by_level(tails, heads, weights, level)
    after = np.array(_reach(graph, dict.fromkeys(sources, 1)), bool)
    before = np.array(_reach(graph.transposed(), dict.fromkeys(sinks, 1)), bool)
    kept = after[graph.tails] & before[graph.heads]
    return Levels(graph.tails[kept], graph.heads[kept], graph.weights[kept], level)


def path_weights(
    indptr: Any, indices: Any, weights: Any, topological: Any, starts: Any, ends: Any, order: str, semiring: Semiring
) -> np.ndarray:
    """Path weights (starts, ends) of a graph in CSR, in the order asked for or the cheaper one."""
    graph = between(indptr, indices, weights, topological, starts, ends, semiring)
    if order == "auto":
        order = cheaper(graph, starts, ends)
    if order == "forward":
        return paths(graph, starts, ends, semiring)
    return paths(graph.transposed(), ends, starts, semiring, True).T


def paths(graph: Levels, starts: list[int], ends: list[int], semiring: Semiring, left: bool = False) -> np.ndarray:
    """Path weights (starts, ends) by forward substitution, for as many starts at once as memory allows.

    With `left` factors stand in the order of the path of the transposed graph.
    """
    weights, nodes = graph.weights, len(graph.level)
    arrows = graph._replace(weights=np.ones(len(weights), bool))
    # NumPy makes NaN of 0 times infinity, and of opposite infinities
    structural = weights.dtype == object or semiring.zero or not np.isfinite(weights).all()
    found = np.full((len(starts), len(ends)), semiring.zero, weights.dtype)
    widest = np.bincount(graph.level[graph.heads]).max(initial=1)  # edges into one level
    width = max(1, ENTRIES // max(nodes, int(widest)))
    for low in range(0, len(starts), width):
        block = starts[low : low + width]
        x = np.full((nodes, len(block)), semiring.zero, weights.dtype)
        x[block, np.arange(len(block))] = semiring.one
        if structural:  # who hears of whom is the same substitution in Boolean arithmetic
            empty = np.zeros(x.shape, bool)
            empty[block, np.arange(len(block))] = True
            reach = empty.copy()
            _substitute(arrows, reach, SEMIRINGS["sum-product"])
            _substitute(graph, x, semiring, left, empty, reach ^ empty)
        else:
            _substitute(graph, x, semiring, left)
        found[low : low + width] = x[ends].T
    return found


def _substitute(
    graph: Levels, x: np.ndarray, semiring: Semiring, left: bool = False, empty: Any = None, longer: Any = None
) -> None:
    """x[j] += sum over the edges i -> j of x[i] w, for x (nodes, starts) in place, level by level.

    With `empty` and `longer` (nodes, starts), the term is w where x[i] is the 1 of the empty path, x[i] w
    where there is a longer one, and 0 elsewhere.
    """
    first = _runs(graph.heads)  # edges first[k] to first[k + 1] meet in the node joints[k]
    joints = graph.heads[first[:-1]]
    for a, b in pairwise(_runs(graph.level[joints]).tolist()):
        low, high = first[a], first[b]
        i, w = graph.tails[low:high], graph.weights[low:high, None]
        factors = (w, x[i]) if left else (x[i], w)
        if longer is None:
            terms = semiring.times(*factors)
        else:
            terms = np.where(empty[i], w, np.full((), semiring.zero, x.dtype))
            semiring.times(*factors, out=terms, where=longer[i])
        joined = semiring.plus.reduceat(terms, first[a:b] - low, axis=0, dtype=x.dtype)
        x[joints[a:b]] = semiring.plus(x[joints[a:b]], joined)


def cheaper(graph: Levels, sources: list[int], sinks: list[int]) -> str:
    """The order with fewer multiplications; the side with more nodes is counted only until it has lost."""
    if len(sources) <= len(sinks):
        forward = count(graph, sources)
        return "forward" if forward <= count(graph.transposed(), sinks, forward) else "backward"
    backward = count(graph.transposed(), sinks)
    return "forward" if count(graph, sources, backward) <= backward else "backward"


def count(graph: Levels, starts: list[int], most: float = np.inf) -> int:
    """Multiplications of `paths`: over the edges i -> j, the starts that reach i by at least one edge.

    A count that has passed `most` may stop there.
    """
    tails, total = graph.tails.tolist(), 0
    for low in range(0, len(starts), BITS):
        own: dict[int, int] = {}
        for k, start in enumerate(starts[low : low + BITS]):
            own[start] = own.get(start, 0) | 1 << k
        reached = _reach(graph, own)
        total += sum((reached[i] ^ own.get(i, 0)).bit_count() for i in tails)
        if total > most:
            break
    return total


def _reach(graph: Levels, own: dict[int, int]) -> list[int]:
    """The substitution on sets of starts, each the bits of an integer; a node reaches itself."""
    reached = [own.get(j, 0) for j in range(len(graph.level))]
    for i, j in zip(graph.tails.tolist(), graph.heads.tolist(), strict=True):
        reached[j] |= reached[i]
    return reached


def _by_level(tails: np.ndarray, heads: np.ndarray, weights: np.ndarray, level: np.ndarray) -> Levels:
    upward = np.lexsort((heads, level[heads]))
    return Levels(tails[upward], heads[upward], weights[upward], level)


def _runs(x: np.ndarray) -> np.ndarray:
    """The bounds of the runs of equal entries, from 0 to len(x); x is not negative."""
    return np.flatnonzero(np.diff(x, prepend=-1, append=-1))
