"""Weighted directed acyclic graphs: path weights S^T (I - Lt)^-1 T, solves with I - Lt, and critical paths.

``Lt[i, j]`` is the weight of the edge i -> j. A `Graph` is checked and put in topological order once; each solve is
one sweep over its edges, forward or backward. Weights that are not real floats go level by level (`levels`).
"""

import weakref
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from . import levels
from ._graph import PlannedSweeper, Sweeper, all_finite
from ._trace import Traced, record
from .arguments import check_out, is_array
from .edges import in_order, index_of, positions, read_edges, tails_of
from .errors import DtypeError, ShapeError, StructureError
from .semirings import SEMIRINGS, semiring_of

__all__ = ["Graph", "operation_counts", "path_weights", "swept"]

COLUMNS = 64  # sources or sinks of one sweep


class Graph:
    """A directed acyclic graph in topological order: ``graph.solve(b)`` is (I - Lt)^-1 b in one sweep.

    Parameters
    ----------
    edges, nodes
        As in `path_weights`, with real weights: integers become float64. A snapshot is kept.

    Attributes
    ----------
    weights : (e,) array, float32 or float64
        Of the edges, by tail, in the order given.
    edges : pair of (e,) arrays
        The positions of their tails and heads.
    nodes : sequence
        The names of the nodes; positions count in it.
    order : (n,) array
        The positions in topological order.
    T, H : Graph
        With all edges turned around.

    Notes
    -----
    Making it costs one pass where every edge goes from a smaller to a larger position, else Kahn's algorithm, both
    linear in nodes and edges. `factorize` sorts it further for many solves. Source: A. B. Kahn, "Topological sorting
    of large networks", Commun. ACM 5(11), 1962.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> graph = fb.Graph([("a", "b", 2.0), ("b", "c", 3.0), ("a", "c", 4.0)])
    >>> graph.solve(np.array([0.0, 0.0, 1.0]))  # the path weights from every node to c
    array([10.,  3.,  1.])
    >>> graph.T.solve(np.array([1.0, 0.0, 0.0]))  # from a to every node
    array([ 1.,  2., 10.])
    """

    def __init__(self, edges: Any, nodes: Iterable[Hashable] | None = None):
        indptr, indices, weights, labels = read_edges(edges, nodes, "Graph")
        weights = real_weights(weights, "Graph")
        order = in_order(indptr, indices, labels, "Graph")
        self._hold(np.array(indptr), np.array(indices), np.array(weights), order, labels)

    @classmethod
    def _of(cls, *parts: Any) -> "Graph":
        graph = cls.__new__(cls)
        graph._hold(*parts)
        return graph

    def _hold(self, indptr: Any, indices: Any, weights: Any, order: Any, labels: Any, planned: bool = False) -> None:
        for part in (indptr, indices, weights, order):
            if part is not None:
                part.flags.writeable = False
        self._parts = indptr, indices, weights, order, labels, planned
        self._sweeper = (PlannedSweeper if planned else Sweeper)(indptr, indices, weights, order)
        self._push, self._other, self._index = False, None, None

    def __reduce__(self):
        return (_turned, (self._parts, self._push))

    def __repr__(self):
        n, e = len(self.nodes), len(self.weights)
        return f"<{'planned ' * self._parts[5]}Graph of {n} nodes and {e} edges, {self.dtype}>"

    @property
    def weights(self) -> Any:
        return self._parts[2]

    @property
    def edges(self) -> tuple[Any, Any]:
        ends = tails_of(self._parts[0]), self._parts[1]
        return ends[::-1] if self._push else ends

    @property
    def nodes(self) -> Any:
        return self._parts[4]

    @property
    def order(self) -> Any:
        order = np.arange(len(self.nodes)) if self._parts[3] is None else self._parts[3]
        return order[::-1] if self._push else order

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.nodes), len(self.nodes)

    @property
    def dtype(self) -> Any:
        return self.weights.dtype

    @property
    def T(self) -> "Graph":
        other = None if self._other is None else self._other()
        if other is None:
            other = self.__class__.__new__(self.__class__)
            other.__dict__.update(self.__dict__, _push=not self._push, _other=lambda: self)
            self._other = weakref.ref(other)  # no cycle: large graphs go as soon as nobody needs them
        return other

    H = T

    def planned(self) -> "Graph":
        """The same with edges sorted by windows of nodes and level, which `factorize` makes for many solves."""
        return _turned((*self._parts[:5], True), self._push)

    def to_scipy(self) -> Any:
        """Lt as a SciPy CSR array."""
        import scipy.sparse  # a bridge, slow to import

        indptr, indices, weights = self._parts[:3]
        Lt = scipy.sparse.csr_array((weights.copy(), indices.copy(), indptr.copy()), shape=self.shape)
        return Lt.T.tocsr() if self._push else Lt

    def as_scipy(self) -> Any:
        """(I - Lt)^-1 as a `scipy.sparse.linalg.LinearOperator` of the graph's shape and dtype: one sweep a product.

        Examples
        --------
        >>> import numpy as np, fastbs as fb
        >>> fb.Graph([(0, 1, 2.0), (1, 2, 3.0)]).as_scipy() @ np.array([0.0, 0.0, 1.0])
        array([6., 3., 1.])
        """
        from .interop.scipy import FlatOperator  # a bridge, slow to import

        return FlatOperator(self.solve, self.T.solve, len(self.nodes), self.dtype)

    def solve(self, b: Any, semiring: str = "sum-product", out: Any = None, weights: Any = None) -> Any:
        """The x with ``x_i = b_i + sum over the edges i -> j of w x_j``: one sweep against the edges.

        Parameters
        ----------
        b : (n,) or (n, r) array, not changed
        semiring : {"sum-product", "max-plus", "min-plus", "log-sum-exp"}
            What stands for ``+`` and ``*``, as in `path_weights`.
        out : array of the shape and dtype of the result, optional
            May be `b`.
        weights : (e,) array, optional
            To solve with in place of the graph's own, in their order. It may be traced, as b may be: derivatives
            are one more sweep.

        Returns
        -------
        array of the shape of b and the promoted dtype

        Raises
        ------
        ShapeError, DtypeError
            Of b, out or weights.

        Notes
        -----
        2 e r flops; nothing is allocated but the result. Infinities and NaN propagate as in NumPy.
        """
        kind = semiring_of(semiring, "Graph.solve")
        if weights is None and self._sweeper.takes(b, out):
            return self._sweeper.run(b, self._push, kind.number, out)
        return self._checked_solve(b, kind, semiring, out, weights)

    def _checked_solve(self, b: Any, kind: Any, semiring: str, out: Any, weights: Any) -> Any:
        n = len(self.nodes)
        b = b if is_array(b) else np.asarray(b)
        if b.ndim == 0 or b.shape[0] != n:
            raise ShapeError(f"Graph.solve: b must have {n} rows because the graph has as many nodes; got {b.shape}")
        if weights is not None and np.shape(weights) != self.weights.shape:
            raise ShapeError(
                f"Graph.solve: weights must be {self.weights.shape} because the graph has as many edges; "
                f"got {np.shape(weights)}"
            )
        for name, value in (("b", b), ("weights", weights)):
            if value is not None and (np.dtype(value.dtype).kind not in "biufc"[: 5 - (name == "weights")]):
                raise DtypeError(f"Graph.solve: {name} must be real because kernels sweep floats; got {value.dtype}")
        if type(b) is Traced or type(weights) is Traced:
            if out is not None:
                raise DtypeError("Graph.solve: out must be None because b or weights are traced; got an array")
            return self._traced_solve(b, self.weights if weights is None else weights, semiring)
        w = self.weights if weights is None else real_weights(weights, "Graph.solve")
        if b.dtype.kind == "c":
            if semiring != "sum-product":
                raise DtypeError(f"Graph.solve: b must be real because {semiring} orders numbers; got {b.dtype}")
            x = self.solve(b.real, weights=weights) + 1j * self.solve(b.imag, weights=weights)
            return x if out is None else written(x, out)
        dtype = np.result_type(w, np.float16 if b.dtype.kind in "biu" else b)
        if dtype.char not in "fd":
            raise DtypeError(f"Graph.solve: b must be at most double precision because kernels are; got {b.dtype}")
        own = weights is None and dtype == self.dtype
        sweeper = self._sweeper if own else Sweeper(*self._parts[:2], np.ascontiguousarray(w, dtype), self._parts[3])
        rows = np.ascontiguousarray(b, dtype)
        rows = rows if rows.flags.aligned else rows.copy()
        if out is None:
            return sweeper.run(rows, self._push, kind.number)
        check_out(out, b.shape, dtype, "Graph.solve")
        if sweeper.takes(rows, out):
            return sweeper.run(rows, self._push, kind.number, out)
        return written(sweeper.run(rows, self._push, kind.number), out)

    def _traced_solve(self, b: Any, weights: Any, semiring: str) -> Any:
        if b.ndim > 1 and semiring != "sum-product":  # every column has edges of its own that matter
            columns = np.reshape(b, (b.shape[0], -1))
            each = [self._traced_solve(columns[:, k], weights, semiring) for k in range(columns.shape[1])]
            return np.reshape(np.stack(each, axis=-1), b.shape)
        return record(swept, (weights, b), {"graph": self, "semiring": semiring})

    def critical_path(self, sources: Any, sinks: Any, semiring: str = "max-plus") -> tuple[Any, list[Hashable]]:
        """The longest path from a source to a sink, with min-plus the shortest: its weight and its nodes.

        Parameters
        ----------
        sources, sinks : a node, or an iterable of nodes
        semiring : {"max-plus", "min-plus"}

        Returns
        -------
        weight, nodes
            The sum of the weights, and the names along the path; -inf or inf and [] where there is no path.

        Examples
        --------
        >>> import fastbs as fb
        >>> plan = fb.Graph([("start", "walls", 3.0), ("walls", "roof", 2.0), ("start", "roof", 4.0)])
        >>> plan.critical_path("start", "roof")
        (np.float64(5.0), ['start', 'walls', 'roof'])
        """
        if semiring not in ("max-plus", "min-plus"):
            raise ValueError(
                f"Graph.critical_path: semiring must be 'max-plus' or 'min-plus' because only these choose; "
                f"got {semiring!r}"
            )
        starts, _ = self._positions("sources", sources, "Graph.critical_path")
        ends, _ = self._positions("sinks", sinks, "Graph.critical_path")
        if self._push:
            weight, path = self.T.critical_path(
                [self.nodes[k] for k in ends], [self.nodes[k] for k in starts], semiring
            )
            return weight, path[::-1]
        zero = SEMIRINGS[semiring].zero
        best = np.argmax if semiring == "max-plus" else np.argmin
        b = np.full(len(self.nodes), zero, self.dtype)
        b[ends] = 0
        x = self.solve(b, semiring)
        if not starts or not ends or (x[starts] == zero).all():
            return self.dtype.type(zero), []
        at, (indptr, indices, weights) = starts[best(x[starts])], self._parts[:3]
        weight, path = x[at], [at]
        while True:
            row = slice(indptr[at], indptr[at + 1])
            onward = weights[row] + x[indices[row]]
            if not len(onward) or (b[at] == 0 and best([0, onward[best(onward)]]) == 0):
                break
            at = int(indices[row][best(onward)])
            path.append(at)
        return weight, [self.nodes[k] for k in path]

    def path_weights(self, sources: Any, sinks: Any, order: str = "auto", **options: Any) -> Any:
        """`fastbs.path_weights` of this graph."""
        return path_weights(self, sources, sinks, order, **options)

    def _positions(self, name: str, chosen: Any, where: str) -> Any:
        if self._index is None:
            self._index = index_of(self.nodes)
        return positions(name, chosen, self._index, where)


def _turned(parts: tuple[Any, ...], push: bool) -> Graph:
    graph = Graph._of(*parts)
    return graph.T if push else graph


def swept(weights: Any, b: Any, graph: Graph, semiring: str) -> Any:
    """``graph.solve(b, semiring, weights=weights)``, the step that traces record."""
    return graph.solve(b, semiring, weights=weights)


def path_weights(
    edges: Any,
    sources: Any,
    sinks: Any,
    order: str = "auto",
    *,
    nodes: Iterable[Hashable] | None = None,
    semiring: str = "sum-product",
    out: Any = None,
    weights: Any = None,
) -> Any:
    """S^T (I - Lt)^-1 T: over all paths from each source to each sink, the sum of the products of weights.

    ``Lt[i, j]`` is the weight of the edge i -> j; S and T are the indicator columns of the sources and
    sinks. A node reaches itself by the empty path, of weight 1.

    Parameters
    ----------
    edges : Graph, sparse matrix, networkx graph, array or iterable
        A directed acyclic graph with its nodes in any order, as one of

        - a SciPy sparse matrix or array (n, n): what is stored is an edge, also a stored zero (among them
          the zeros that fill a BSR block; SciPy itself drops those of a DIA array),
        - a networkx ``DiGraph`` or ``MultiDiGraph``: the attribute ``weight``, 1 where there is none,
        - a NumPy array (n, n): what is not 0 is an edge, and in an object array neither 0 nor ``None``,
        - an iterable of triples ``(i, j, weight)``; nodes are any hashables.

        A `Graph` is checked already. Parallel edges add. Weights are numbers of any kind: of a NumPy dtype,
        `~fractions.Fraction`, SymPy expressions, any class with ``*`` and a ``+`` that also takes 0. Nothing is
        kept by reference.
    sources, sinks : a node, or an iterable of nodes
        A single node drops its axis, as an integer index does. A tuple that is a node is that node. The
        nodes of a matrix are 0 to n - 1; they do not count from the end.
    order : {"auto", "forward", "backward"}
        The parenthesization: from the left, from the right, or whichever needs fewer multiplications
        (`operation_counts`). Products keep the order of the path, so weights need not commute.
    nodes : iterable of hashables, optional
        All nodes: the names of the rows and columns of a matrix in their order; for triples, where some
        node has no edge.
    semiring : {"sum-product", "max-plus", "min-plus", "log-sum-exp"}
        What stands for ``+`` and ``*``: with max-plus the weight of the longest path, with min-plus of the shortest,
        with log-sum-exp the logarithm of the sum of the exponentials of all lengths. Where there is no path the result
        is -inf (min-plus: inf). Weights are real, integers become float64.
    out : array, optional
        Where to write the result, of its shape and dtype.
    weights : (e,) array, optional
        Of a `Graph`, in place of its own; may be traced, so that derivatives with respect to all of them are one
        backward sweep.

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
    Finite float32 and float64 weights go through kernels: one sweep over the e edges of all n nodes, of 2 (e + n)
    flops for each source forward or each sink backward, for up to 64 of them at once; "auto" takes the side with
    fewer nodes. Other weights go level by level in NumPy: for e edges on paths from the s sources to the t sinks,
    forward costs about 2 e s flops, backward 2 e t. The topological order takes time linear in nodes and edges.
    Scratch is n s or n t numbers, in blocks of sources or sinks when there are many.

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
    kind = semiring_of(semiring, "path_weights")
    if isinstance(edges, Graph):
        if nodes is not None:
            raise StructureError("path_weights: nodes must be None because the graph names its own; got nodes")
        graph = edges
        (starts, rows), (ends, columns) = (
            graph._positions(name, chosen, "path_weights") for name, chosen in (("sources", sources), ("sinks", sinks))
        )
        if weights is not None:
            if type(weights) is Traced:
                return _traced_paths(graph, weights, starts, ends, rows + columns, order, semiring)
            new = real_weights(np.asarray(weights), "path_weights").copy()
            if new.shape != graph.weights.shape:
                raise ShapeError(
                    f"path_weights: weights must be {graph.weights.shape} because the graph has as many edges; "
                    f"got {new.shape}"
                )
            graph = _turned((*graph._parts[:2], new, *graph._parts[3:5]), graph._push)
        if all_finite(graph.weights):
            return _result(_swept_paths(graph, starts, ends, order, kind), rows + columns, out)
        if graph._push:  # the levels know one direction only
            swap = {"forward": "backward", "backward": "forward", "auto": "auto"}[order]
            found = _level_paths(*graph._parts[:4], ends, starts, swap, kind).T
        else:
            found = _level_paths(*graph._parts[:4], starts, ends, order, kind)
        return _result(found, rows + columns, out)
    if weights is not None:
        raise DtypeError(
            "path_weights: edges must be a Graph because weights are given in its order; "
            f"got {type(edges).__name__}, pass fb.Graph(edges)"
        )
    indptr, indices, values, labels = read_edges(edges, nodes, "path_weights")
    if semiring != "sum-product":
        values = real_weights(values, "path_weights")
    index = index_of(labels)
    starts, rows = positions("sources", sources, index, "path_weights")
    ends, columns = positions("sinks", sinks, index, "path_weights")
    topological = in_order(indptr, indices, labels, "path_weights")
    values = np.ascontiguousarray(values)
    if values.dtype in (np.float32, np.float64) and values.dtype.isnative and all_finite(values):
        graph = Graph._of(indptr.view(), indices.view(), values.view(), topological, labels)
        found = _swept_paths(graph, starts, ends, order, kind)
    else:
        found = _level_paths(indptr, indices, values, topological, starts, ends, order, kind)
    return _result(found, rows + columns, out)


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
    indptr, indices, weights, labels = read_edges(edges, nodes, "path_weights")
    index = index_of(labels)
    sources, _ = positions("sources", sources, index, "path_weights")
    sinks, _ = positions("sinks", sinks, index, "path_weights")
    order = in_order(indptr, indices, labels, "path_weights")
    graph = levels.between(
        indptr, indices, np.ones(len(weights), bool), order, sources, sinks, SEMIRINGS["sum-product"]
    )
    return levels.count(graph, sources), levels.count(graph.transposed(), sinks)


def _swept_paths(graph: Graph, starts: list[int], ends: list[int], order: str, kind: Any) -> Any:
    """Path weights (starts, ends): X (I - Lt) = S^T, then X T; or (I - Lt) Y = T, then S^T Y."""
    forward = order == "forward" or (order == "auto" and len(starts) <= len(ends))
    if not forward:
        return _swept_paths(graph.T, ends, starts, "forward", kind).T
    n = len(graph.nodes)
    found = np.empty((len(starts), len(ends)), graph.dtype)
    width = max(1, min(COLUMNS, levels.ENTRIES // max(n, 1)))
    for low in range(0, len(starts), width):
        x = indicator(n, starts[low : low + width], kind, graph.dtype)
        graph._sweeper.run(x, not graph._push, kind.number, x)
        found[low : low + width] = x[ends].T
    return found


def _traced_paths(
    graph: Graph, weights: Any, starts: list[int], ends: list[int], shape: Any, order: str, semiring: str
) -> Any:
    forward = order == "forward" or (order == "auto" and len(starts) <= len(ends))
    if not forward:
        graph, starts, ends = graph.T, ends, starts
    b = indicator(len(graph.nodes), starts, SEMIRINGS[semiring], weights.dtype)
    found = graph.T.solve(b, semiring, weights=weights)[np.array(ends, np.intp)]
    return np.reshape(found.T if forward else found, shape)


def _level_paths(
    indptr: Any, indices: Any, values: Any, topological: Any, starts: Any, ends: Any, order: str, kind: Any
) -> Any:
    graph = levels.between(indptr, indices, values, topological, starts, ends, kind)
    if order == "auto":
        order = levels.cheaper(graph, starts, ends)
    if order == "forward":
        return levels.paths(graph, starts, ends, kind)
    return levels.paths(graph.transposed(), ends, starts, kind, True).T


def indicator(n: int, places: list[int], kind: Any, dtype: Any) -> Any:
    """The columns of the identity at these places, in the semiring."""
    b = np.full((n, len(places)), kind.zero, dtype)
    b[places, np.arange(len(places))] = kind.one
    return b


def real_weights(weights: Any, where: str) -> Any:
    """Weights as contiguous float32 or float64."""
    kind = weights.dtype.kind if is_array(weights) else np.asarray(weights).dtype.kind
    if kind not in "biuf" or np.dtype(weights.dtype).char == "g":
        raise DtypeError(
            f"{where}: weights must be real and at most double precision because kernels sweep floats; "
            f"got {weights.dtype}"
        )
    return np.ascontiguousarray(weights, np.float32 if weights.dtype.char in "ef" else np.float64)


def written(x: Any, out: Any) -> Any:
    check_out(out, x.shape, x.dtype, "Graph.solve")
    out[...] = x
    return out


def _result(found: Any, shape: tuple[int, ...], out: Any) -> Any:
    if out is None:
        return np.ascontiguousarray(found).reshape(shape)[()]
    check_out(out, shape, found.dtype, "path_weights")
    out[...] = found.reshape(shape)
    return out
