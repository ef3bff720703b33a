"""Path weights of a directed acyclic graph, S^T (I - Lt)^-1 T, by one substitution that runs either way.

``Lt[i, j]`` is the weight of the edge i -> j. In topological order I - Lt is unit upper triangular, so the
inverse is a substitution: from the sources along the edges (forward), or from the sinks against them
(backward), which is the forward one on the transposed graph. `path_weights` goes the cheaper way.

Structure comes before values: only edges that lie on a path from a source to a sink are kept, and which
node hears of which source is known before a single weight is multiplied.
"""

from collections.abc import Hashable, Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from fastbs.arguments import is_sparse
from fastbs.errors import DtypeError, ShapeError, StructureError

__all__ = ["operation_counts", "path_weights"]

_ENTRIES = 2**24  # of a temporary array: more sources or sinks than that allows go in blocks
_BITS = 1024  # starts in one set while counting


def path_weights(
    edges: Any, sources: Any, sinks: Any, order: str = "auto", *, nodes: Iterable[Hashable] | None = None
) -> Any:
    """S^T (I - Lt)^-1 T: over all paths from each source to each sink, the sum of the products of weights.

    ``Lt[i, j]`` is the weight of the edge i -> j; S and T are the indicator columns of the sources and
    sinks. A node reaches itself by the empty path, of weight 1.

    Parameters
    ----------
    edges : sparse matrix, graph, array or iterable
        A directed acyclic graph with its nodes in any order, as one of

        - a SciPy sparse matrix or array (n, n): what is stored is an edge, also a stored zero (among them
          the zeros that fill a BSR block; SciPy itself drops those of a DIA array),
        - a networkx ``DiGraph`` or ``MultiDiGraph``: the attribute ``weight``, 1 where there is none,
        - a NumPy array (n, n): what is not 0 is an edge, and in an object array neither 0 nor ``None``,
        - an iterable of triples ``(i, j, weight)``; nodes are any hashables.

        Parallel edges add. Weights are numbers of any kind: of a NumPy dtype, `~fractions.Fraction`, SymPy
        expressions, any class with ``*`` and a ``+`` that also takes 0. Nothing is kept by reference.
    sources, sinks : a node, or an iterable of nodes
        A single node drops its axis, as an integer index does. A tuple that is a node is that node. The
        nodes of a matrix are 0 to n - 1; they do not count from the end.
    order : {"auto", "forward", "backward"}
        The parenthesization: from the left, from the right, or whichever needs fewer multiplications
        (`operation_counts`). Products keep the order of the path, so weights need not commute.
    nodes : iterable of hashables, optional
        All nodes: the names of the rows and columns of a matrix in their order; for triples, where some
        node has no edge.

    Returns
    -------
    array (sources, sinks)
        Of the dtype of the weights: integers stay integers (and wrap as NumPy's do; use an array of
        objects for exact ones), Booleans say whether there is a path. Where there is no path it is exactly
        0, also beside edges of weight infinity or NaN. A scalar if both axes are dropped.

    Raises
    ------
    StructureError
        The graph has a cycle (the message names one), is undirected, or lacks one of the nodes.
    ShapeError
        A matrix is not square, or `nodes` does not fit it.
    DtypeError
        Weights are not numbers, edges are of no known kind, or a mask is given for nodes.
    ValueError
        Unknown `order`.

    Notes
    -----
    For e edges on paths from the s sources to the t sinks, forward costs about 2 e s flops, backward 2 e t,
    after a topological order in time linear in nodes and edges. Scratch is n s or n t numbers for n nodes,
    in blocks of sources or sinks when there are many. A level of the graph is one vectorized step.

    Weights that are objects or not finite are multiplied only where there is a path. The others also meet
    structural zeros, which changes nothing but the time.

    Source: A. Edelman, E. Akyurek, Y. Wang, "Backpropagation through Back Substitution with a Backslash",
    SIAM J. Matrix Anal. Appl. 45(1), 2024, arXiv:2303.15449.

    Examples
    --------
    Edges 1 -> 3 (a), 2 -> 3 (b), 3 -> 4 (c), 4 -> 5 (d); the answer is a c d and b c d:

    >>> from fractions import Fraction
    >>> from fastbs.graph import operation_counts, path_weights
    >>> a, b, c, d = Fraction(1, 2), Fraction(1, 3), Fraction(5), Fraction(7)
    >>> edges = [(1, 3, a), (2, 3, b), (3, 4, c), (4, 5, d)]
    >>> path_weights(edges, [1, 2], 5)
    array([Fraction(35, 2), Fraction(35, 3)], dtype=object)
    >>> operation_counts(edges, [1, 2], 5)
    (4, 3)
    """
    if order not in ("auto", "forward", "backward"):
        raise ValueError(f"path_weights: order must be 'auto', 'forward' or 'backward'; got {order!r}")
    graph, sources, sinks, shape = _problem(edges, sources, sinks, nodes)
    if order == "auto":
        order = _cheaper(graph, sources, sinks)
    if order == "forward":  # X (I - Lt) = S^T, then X T
        weights = _paths(graph, sources, sinks, np.multiply)
    else:  # (I - Lt) Y = T, then S^T Y: the transposed graph, with factors in the order of the path
        weights = _paths(graph.transposed(), sinks, sources, _multiply_left).T
    return np.ascontiguousarray(weights).reshape(shape)[()]


def operation_counts(
    edges: Any, sources: Any, sinks: Any, *, nodes: Iterable[Hashable] | None = None
) -> tuple[int, int]:
    """(sum over edges i -> j of #{sources s that reach i, s != i}, the same backward from the sinks).

    These are the multiplications of `path_weights`, forward and backward, found from the structure alone.
    Only edges on a path from a source to a sink count, parallel edges as one; multiplying by the 1 of the
    empty path or by a structural zero is free.

    Parameters
    ----------
    edges, sources, sinks, nodes
        As in `path_weights`, with the same errors.

    Returns
    -------
    forward, backward : int

    Notes
    -----
    Costs O(n + e) for e edges, and the bits of n s and n t Booleans, in blocks when there are many.

    Source: as `path_weights`.

    Examples
    --------
    >>> from fastbs.graph import operation_counts
    >>> operation_counts([(1, 3, 0.5), (2, 3, 0.25), (3, 4, 5.0), (4, 5, 7.0)], [1, 2], [5])
    (4, 3)
    """
    graph, sources, sinks, _ = _problem(edges, sources, sinks, nodes)
    return _count(graph, sources), _count(graph.transposed(), sinks)


# ---------------------------------------------------------------------------------------------------
# The substitution. Behind the door a node is its position, and every edge goes up a level.


class _Graph(NamedTuple):
    tails: np.ndarray  # (e,) the edges tails[k] -> heads[k], by the level of the head, then by head
    heads: np.ndarray  # (e,)
    weights: np.ndarray  # (e,)
    level: np.ndarray  # (n,) level[tails] < level[heads]

    def transposed(self) -> "_Graph":
        return _by_level(self.heads, self.tails, self.weights, self.level.max(initial=0) - self.level)


def _by_level(tails: np.ndarray, heads: np.ndarray, weights: np.ndarray, level: np.ndarray) -> _Graph:
    upward = np.lexsort((heads, level[heads]))
    return _Graph(tails[upward], heads[upward], weights[upward], level)


def _paths(graph: _Graph, starts: list[int], ends: list[int], multiply: Any) -> np.ndarray:
    """Path weights (starts, ends) by forward substitution, for as many starts at once as memory allows."""
    weights, nodes = graph.weights, len(graph.level)
    arrows = graph._replace(weights=np.ones(len(weights), bool))
    structural = weights.dtype == object or not np.isfinite(weights).all()
    found = np.zeros((len(starts), len(ends)), weights.dtype)
    widest = np.bincount(graph.level[graph.heads]).max(initial=1)  # edges into one level
    width = max(1, _ENTRIES // max(nodes, int(widest)))
    for low in range(0, len(starts), width):
        block = starts[low : low + width]
        x = np.zeros((nodes, len(block)), weights.dtype)
        x[block, np.arange(len(block))] = 1
        if structural:  # who hears of whom is the same substitution in Boolean arithmetic
            empty = x.astype(bool)
            reach = empty.copy()
            _substitute(arrows, reach, np.multiply)
            _substitute(graph, x, multiply, empty, reach ^ empty)
        else:
            _substitute(graph, x, multiply)
        found[low : low + width] = x[ends].T
    return found


def _substitute(graph: _Graph, x: np.ndarray, multiply: Any, empty: Any = None, longer: Any = None) -> None:
    """x[j] += sum over the edges i -> j of x[i] w, for x (nodes, starts) in place, level by level.

    With `empty` and `longer` (nodes, starts), the term is w where x[i] is the 1 of the empty path, x[i] w
    where there is a longer one, and 0 elsewhere. NumPy makes NaN of 0 times infinity, and of complex 1 too.
    """
    first = _runs(graph.heads)  # edges first[k] to first[k + 1] meet in the node joints[k]
    joints = graph.heads[first[:-1]]
    for a, b in pairwise(_runs(graph.level[joints]).tolist()):
        low, high = first[a], first[b]
        i, w = graph.tails[low:high], graph.weights[low:high, None]
        if longer is None:
            terms = multiply(x[i], w)
        else:
            terms = np.where(empty[i], w, np.zeros((), x.dtype))
            multiply(x[i], w, out=terms, where=longer[i])
        x[joints[a:b]] += np.add.reduceat(terms, first[a:b] - low, axis=0, dtype=x.dtype)


def _multiply_left(x: np.ndarray, w: np.ndarray, **options: Any) -> np.ndarray:
    return np.multiply(w, x, **options)


def _cheaper(graph: _Graph, sources: list[int], sinks: list[int]) -> str:
    """The order with fewer multiplications; the side with more nodes is counted only until it has lost."""
    if len(sources) <= len(sinks):
        forward = _count(graph, sources)
        return "forward" if forward <= _count(graph.transposed(), sinks, forward) else "backward"
    backward = _count(graph.transposed(), sinks)
    return "forward" if _count(graph, sources, backward) <= backward else "backward"


def _count(graph: _Graph, starts: list[int], most: float = np.inf) -> int:
    """Multiplications of `_paths`: over the edges i -> j, the starts that reach i by at least one edge.

    A count that has passed `most` may stop there.
    """
    tails, total = graph.tails.tolist(), 0
    for low in range(0, len(starts), _BITS):
        own: dict[int, int] = {}
        for k, start in enumerate(starts[low : low + _BITS]):
            own[start] = own.get(start, 0) | 1 << k
        reached = _reach(graph, own)
        total += sum((reached[i] ^ own.get(i, 0)).bit_count() for i in tails)
        if total > most:
            break
    return total


def _reach(graph: _Graph, own: dict[int, int]) -> list[int]:
    """The substitution on sets of starts, each the bits of an integer; a node reaches itself."""
    reached = [own.get(j, 0) for j in range(len(graph.level))]
    for i, j in zip(graph.tails.tolist(), graph.heads.tolist(), strict=True):
        reached[j] |= reached[i]
    return reached


def _levels(tails: np.ndarray, heads: np.ndarray, labels: list[Hashable] | range) -> np.ndarray:
    """For each node the edges of the longest path that ends there (Kahn); edges come sorted by tail."""
    n = len(labels)
    first = np.searchsorted(tails, np.arange(n + 1)).tolist()
    waiting = np.bincount(heads, minlength=n).tolist()
    targets = heads.tolist()
    level = [0] * n
    ready = [j for j in range(n) if not waiting[j]]
    for i in ready:  # it grows meanwhile, by level: the last tail to arrive is the highest
        for j in targets[first[i] : first[i + 1]]:
            waiting[j] -= 1
            if not waiting[j]:
                level[j] = level[i] + 1
                ready.append(j)
    if len(ready) < n:
        before = {j: i for i, j in zip(tails.tolist(), targets, strict=True) if waiting[i] and waiting[j]}
        raise StructureError(
            "path_weights: edges must have no cycle because I - Lt is then not triangular; "
            f"got {_cycle(before, labels)}"
        )
    return np.array(level, np.intp)


def _cycle(before: dict[int, int], labels: list[Hashable] | range) -> str:
    """A cycle as 'i -> j -> i', where each node of `before` has one that comes before it."""
    met = dict.fromkeys([node := next(iter(before))])
    while (node := before[node]) not in met:
        met[node] = None
    against = list(met)
    cycle = against[against.index(node) :][::-1]
    turn = cycle.index(min(cycle))
    names = [str(labels[k]) for k in (*cycle[turn:], *cycle[: turn + 1])]
    if len(names) > 20:
        names[10:-9] = [f"... ({len(names) - 19} more) ..."]
    return " -> ".join(names)


def _runs(x: np.ndarray) -> np.ndarray:
    """The bounds of the runs of equal entries, from 0 to len(x); x is not negative."""
    return np.flatnonzero(np.diff(x, prepend=-1, append=-1))


# ---------------------------------------------------------------------------------------------------
# The door: everything is checked here.


def _problem(
    edges: Any, sources: Any, sinks: Any, nodes: Iterable[Hashable] | None
) -> tuple[_Graph, list[int], list[int], tuple[int, ...]]:
    """The edges between sources and sinks, the positions of these, and the shape of the answer."""
    named = None if nodes is None else list(nodes)
    if is_sparse(edges) or isinstance(edges, np.ndarray):
        tails, heads, weights, labels = _matrix_edges(edges, named)
    else:
        tails, heads, weights, labels = _listed_edges(edges, named)
    if weights.ndim != 1 or weights.dtype.kind not in "biufcO":
        raise DtypeError(
            "path_weights: weights must be numbers because paths multiply and add them; "
            f"got {weights.dtype} of shape {weights.shape} for {len(tails)} edges"
        )
    index = {label: k for k, label in enumerate(labels)}
    if len(index) < len(labels):
        raise StructureError(f"path_weights: nodes must be distinct; got {len(labels)} nodes with {len(index)} names")
    sources, rows = _positions("sources", sources, index)
    sinks, columns = _positions("sinks", sinks, index)

    by_tail = np.lexsort((heads, tails))
    tails, heads, weights = tails[by_tail], heads[by_tail], weights[by_tail]
    parallel = _runs(tails * len(labels) + heads)[:-1]
    if len(parallel) < len(tails):
        tails, heads = tails[parallel], heads[parallel]
        weights = np.add.reduceat(weights, parallel, dtype=weights.dtype)
    level = _levels(tails, heads, labels)

    graph = _by_level(tails, heads, weights, level)
    after = np.array(_reach(graph, dict.fromkeys(sources, 1)), bool)
    before = np.array(_reach(graph.transposed(), dict.fromkeys(sinks, 1)), bool)
    between = after[graph.tails] & before[graph.heads]
    return _Graph(*(part[between] for part in graph[:3]), level), sources, sinks, rows + columns  # pyright: ignore[reportCallIssue]


def _matrix_edges(matrix: Any, labels: list[Hashable] | None) -> tuple[Any, Any, Any, Any]:
    if isinstance(matrix, np.ma.MaskedArray):
        raise DtypeError("path_weights: edges must be a plain array; got a masked one, pass edges.filled(0)")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ShapeError(
            "path_weights: edges must be (n, n) because entry (i, j) is the weight of i -> j; "
            f"got {matrix.shape} (triples (i, j, weight) come as a list)"
        )
    n = matrix.shape[0]
    if labels is not None and len(labels) != n:
        raise ShapeError(f"path_weights: nodes must be {n} because edges are ({n}, {n}); got {len(labels)}")
    if is_sparse(matrix):
        stored = matrix.tocoo()
        tails, heads, weights = stored.row, stored.col, stored.data
    else:
        matrix = np.asarray(matrix)  # np.matrix indexes otherwise
        tails, heads = np.nonzero((matrix != 0) & np.not_equal(matrix, None))  # pyright: ignore
        weights = matrix[tails, heads]
    return tails.astype(np.intp), heads.astype(np.intp), weights, range(n) if labels is None else labels


def _listed_edges(edges: Any, labels: list[Hashable] | None) -> tuple[Any, Any, Any, Any]:
    index = {label: k for k, label in enumerate(labels or ())}
    if hasattr(edges, "is_directed"):  # networkx
        if not edges.is_directed():
            raise StructureError(
                "path_weights: edges must be directed because a path follows them one way; "
                f"got an undirected {type(edges).__name__}"
            )
        if labels is None:
            index = {label: k for k, label in enumerate(edges)}
        edges = edges.edges(data="weight", default=1)
    if not isinstance(edges, Iterable):
        raise DtypeError(
            "path_weights: edges must be a matrix, a directed graph or triples (i, j, weight); "
            f"got {type(edges).__name__}"
        )
    tails, heads, weights = [], [], []
    for edge in edges:
        try:
            i, j, weight = edge
        except (TypeError, ValueError):
            raise DtypeError(f"path_weights: an edge must be a triple (i, j, weight); got {edge!r}") from None
        if weight is None:
            raise DtypeError(f"path_weights: weights must be numbers; got None for the edge {i} -> {j}")
        tails.append(index.setdefault(i, len(index)))
        heads.append(index.setdefault(j, len(index)))
        weights.append(weight)
    if labels is not None and len(index) > len(labels):
        raise StructureError(
            f"path_weights: edges must join the {len(labels)} nodes given because these are all; "
            f"got {list(index)[len(labels)]!r}"
        )
    numbers = np.asarray(weights)
    if numbers.dtype.kind == "f" and all(isinstance(weight, int) for weight in weights) and weights:
        numbers = np.array(weights, object)  # NumPy would round integers of mixed sign past 64 bits
    return np.array(tails, np.intp), np.array(heads, np.intp), numbers, labels or list(index)


def _positions(name: str, chosen: Any, index: dict[Hashable, int]) -> tuple[list[int], tuple[int, ...]]:
    """Positions of the chosen nodes, and their part of the answer's shape: () for a single node."""
    if getattr(chosen, "ndim", None) == 0:
        chosen = chosen[()]
    elif isinstance(chosen, np.ndarray) and chosen.dtype.kind == "b":
        raise DtypeError(f"path_weights: {name} must be nodes; got a Boolean mask, pass numpy.flatnonzero({name})")
    single = _position(chosen, index)
    if single is not None:
        return [single], ()
    labels = [chosen] if isinstance(chosen, str | bytes) or not isinstance(chosen, Iterable) else list(chosen)
    positions = [_position(label, index) for label in labels]
    if None in positions:
        raise StructureError(
            f"path_weights: {name} must be among the {len(index)} nodes of the graph; "
            f"got {labels[positions.index(None)]!r}"
        )
    return positions, (len(positions),)  # pyright: ignore[reportReturnType]


def _position(label: Any, index: dict[Hashable, int]) -> int | None:
    try:
        return index.get(label)
    except TypeError:  # not hashable, so not a node
        return None
