"""Weighted directed acyclic graphs: solves with I - Lt, and what is read from them: path weights, critical paths.

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
from .errors import DtypeError, ShapeError
from .semirings import SEMIRINGS, semiring_of

__all__ = ["Graph", "check_order", "real_weights", "result", "swept"]

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
        if weights is not None:
            weights = self._in_place_of_own(weights, "Graph.solve")
        if np.dtype(b.dtype).kind not in "biufc":
            raise DtypeError(f"Graph.solve: b must be real because kernels sweep floats; got {b.dtype}")
        if type(b) is Traced or type(weights) is Traced:
            if out is not None:
                raise DtypeError("Graph.solve: out must be None because b or weights are traced; got an array")
            return self._traced_solve(b, self.weights if weights is None else weights, semiring)
        w = self.weights if weights is None else weights
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

    def path_weights(
        self,
        sources: Any,
        sinks: Any,
        order: str = "auto",
        *,
        semiring: str = "sum-product",
        out: Any = None,
        weights: Any = None,
    ) -> Any:
        """`fastbs.path_weights` of this graph.

        Examples
        --------
        >>> import fastbs as fb
        >>> fb.Graph([("a", "b", 2.0), ("b", "c", 3.0), ("a", "c", 4.0)]).path_weights("a", "c")
        np.float64(10.0)
        """
        check_order(order)
        kind = semiring_of(semiring, "path_weights")
        starts, rows = self._positions("sources", sources, "path_weights")
        ends, columns = self._positions("sinks", sinks, "path_weights")
        graph = self
        if weights is not None:
            weights = self._in_place_of_own(weights, "path_weights")
            if type(weights) is Traced:
                if out is not None:
                    raise DtypeError("path_weights: out must be None because weights are traced; got an array")
                return self._traced_paths(weights, starts, ends, rows + columns, order, semiring)
            graph = _turned((*self._parts[:2], weights.copy(), *self._parts[3:5]), self._push)
        if all_finite(graph.weights):
            found = graph.swept_paths(starts, ends, order, kind)
        elif graph._push:  # the levels know one direction only
            order = {"forward": "backward", "backward": "forward", "auto": "auto"}[order]
            found = levels.path_weights(*graph._parts[:4], ends, starts, order, kind).T
        else:
            found = levels.path_weights(*graph._parts[:4], starts, ends, order, kind)
        return result(found, rows + columns, out)

    def swept_paths(self, starts: list[int], ends: list[int], order: str, kind: Any) -> Any:
        """Path weights (starts, ends): X (I - Lt) = S^T, then X T; or (I - Lt) Y = T, then S^T Y."""
        if not is_forward(order, starts, ends):
            return self.T.swept_paths(ends, starts, "forward", kind).T
        n = len(self.nodes)
        found = np.empty((len(starts), len(ends)), self.dtype)
        width = max(1, min(COLUMNS, levels.ENTRIES // max(n, 1)))
        for low in range(0, len(starts), width):
            x = indicator(n, starts[low : low + width], kind, self.dtype)
            self._sweeper.run(x, not self._push, kind.number, x)
            found[low : low + width] = x[ends].T
        return found

    def _traced_paths(
        self, weights: Any, starts: list[int], ends: list[int], shape: Any, order: str, semiring: str
    ) -> Any:
        forward = is_forward(order, starts, ends)
        against, starts, ends = (self.T, starts, ends) if forward else (self, ends, starts)
        b = indicator(len(self.nodes), starts, SEMIRINGS[semiring], weights.dtype)
        found = against.solve(b, semiring, weights=weights)[np.array(ends, np.intp)]
        return np.reshape(found.T if forward else found, shape)

    def _in_place_of_own(self, weights: Any, where: str) -> Any:
        """Weights as floats of kernels; traced ones as they are."""
        if np.shape(weights) != self.weights.shape:
            raise ShapeError(
                f"{where}: weights must be {self.weights.shape} because the graph has as many edges; "
                f"got {np.shape(weights)}"
            )
        return weights if type(weights) is Traced else real_weights(np.asarray(weights), where)

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


def is_forward(order: str, starts: list[int], ends: list[int]) -> bool:
    """Whether sweeps start from the sources: as asked for, else where fewer are needed."""
    return order == "forward" or (order == "auto" and len(starts) <= len(ends))


def check_order(order: str) -> None:
    if order not in ("auto", "forward", "backward"):
        raise ValueError(f"path_weights: order must be 'auto', 'forward' or 'backward'; got {order!r}")


def indicator(n: int, places: list[int], kind: Any, dtype: Any) -> Any:
    """The columns of the identity at these places, in the semiring."""
    b = np.full((n, len(places)), kind.zero, dtype)
    b[places, np.arange(len(places))] = kind.one
    return b


def real_weights(weights: Any, where: str) -> Any:
    """An array of weights as contiguous float32 or float64."""
    if weights.dtype.kind not in "biuf" or weights.dtype.char == "g":
        raise DtypeError(
            f"{where}: weights must be real and at most double precision because kernels sweep floats; "
            f"got {weights.dtype}"
        )
    return np.ascontiguousarray(weights, np.float32 if weights.dtype.char in "ef" else np.float64)


def written(x: Any, out: Any) -> Any:
    check_out(out, x.shape, x.dtype, "Graph.solve")
    out[...] = x
    return out


def result(found: Any, shape: tuple[int, ...], out: Any) -> Any:
    if out is None:
        return np.ascontiguousarray(found).reshape(shape)[()]
    check_out(out, shape, found.dtype, "path_weights")
    out[...] = found.reshape(shape)
    return out
