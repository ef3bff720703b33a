"""What may stand for the edges and nodes of a graph, and the arrays it becomes: checked here and nowhere else."""

import operator
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from ._graph import index_dtype, structure, topological_order
from .arguments import is_sparse
from .errors import DtypeError, ShapeError, StructureError

__all__ = ["in_order", "index_of", "positions", "read_edges", "tails_of"]


def read_edges(edges: Any, nodes: Iterable[Hashable] | None, where: str) -> tuple[Any, Any, Any, Any]:
    """The graph as CSR ``indptr``, ``indices`` and weights, and the names of the nodes in their order.

    The arrays of a CSR matrix are passed on as they are; parallel edges stand side by side.

    Parameters
    ----------
    edges, nodes
        As in `fastbs.path_weights`.
    where : str
        What messages begin with.
    """
    named = None if nodes is None else list(nodes)
    if is_sparse(edges) or isinstance(edges, np.ndarray):
        indptr, indices, weights, labels = _matrix_edges(edges, named, where)
    else:
        indptr, indices, weights, labels = _listed_edges(edges, named, where)
    if weights.ndim != 1 or weights.dtype.kind not in "biufcO":
        raise DtypeError(
            f"{where}: weights must be numbers because paths multiply and add them; "
            f"got {weights.dtype} of shape {weights.shape} for {len(indices)} edges"
        )
    if not isinstance(labels, range) and len(set(labels)) < len(labels):
        raise StructureError(f"{where}: nodes must be distinct; got {len(labels)} nodes with {len(set(labels))} names")
    found = structure(indptr, indices)
    if found in ("indptr", "indices"):
        raise StructureError(
            f"{where}: edges must be a valid CSR matrix because kernels follow its indices; got wrong {found}"
        )
    return indptr, indices, weights, labels


def index_of(labels: Any) -> Any:
    """What `positions` looks nodes up in: the range itself where nodes are numbers from 0."""
    return labels if isinstance(labels, range) else {label: k for k, label in enumerate(labels)}


def tails_of(indptr: Any) -> Any:
    """The tail of every edge."""
    return np.repeat(np.arange(len(indptr) - 1, dtype=indptr.dtype), np.diff(indptr))


def name_cycle(indptr: Any, indices: Any, ordered: Any, labels: Any) -> str:
    """A cycle as 'i -> j -> i', found among the nodes that have no place in the order."""
    stuck = np.ones(len(indptr) - 1, bool)
    stuck[ordered] = False
    tails = tails_of(indptr)
    among = stuck[tails] & stuck[indices]
    before = dict(zip(indices[among].tolist(), tails[among].tolist(), strict=True))  # each has one before it
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


def in_order(indptr: Any, indices: Any, labels: Any, where: str) -> Any:
    """A topological order of the nodes, None for 0, 1, 2, ...; linear in nodes and edges."""
    if structure(indptr, indices) == "in order":
        return None
    order = topological_order(indptr, indices)
    if len(order) < len(indptr) - 1:
        raise StructureError(
            f"{where}: edges must have no cycle because I - Lt is then not triangular; "
            f"got {name_cycle(indptr, indices, order, labels)}"
        )
    return order


def _compressed(tails: Any, heads: Any, weights: Any, n: int) -> tuple[Any, Any, Any]:
    index = index_dtype(n, len(tails))
    by_tail = np.argsort(tails, kind="stable")
    indptr = np.zeros(n + 1, index)
    np.cumsum(np.bincount(tails, minlength=n), out=indptr[1:])
    return indptr, heads[by_tail].astype(index), weights[by_tail]


def _matrix_edges(matrix: Any, labels: list[Hashable] | None, where: str) -> tuple[Any, Any, Any, Any]:
    if isinstance(matrix, np.ma.MaskedArray):
        raise DtypeError(f"{where}: edges must be a plain array; got a masked one, pass edges.filled(0)")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ShapeError(
            f"{where}: edges must be (n, n) because entry (i, j) is the weight of i -> j; "
            f"got {matrix.shape} (triples (i, j, weight) come as a list)"
        )
    n = matrix.shape[0]
    if labels is not None and len(labels) != n:
        raise ShapeError(f"{where}: nodes must be {n} because edges are ({n}, {n}); got {len(labels)}")
    names = range(n) if labels is None else labels
    if is_sparse(matrix) and matrix.format == "csr":
        index = index_dtype(n, len(matrix.data))
        indptr, indices = (np.ascontiguousarray(part, index) for part in (matrix.indptr, matrix.indices))
        count = int(indptr[-1])  # SciPy's arrays may be longer than what is used
        return indptr, indices[:count], matrix.data[:count], names
    if is_sparse(matrix):
        stored = matrix.tocoo()
        tails, heads, weights = stored.row, stored.col, stored.data
    else:
        matrix = np.asarray(matrix)  # np.matrix indexes otherwise
        tails, heads = np.nonzero((matrix != 0) & np.not_equal(matrix, None))  # pyright: ignore
        weights = matrix[tails, heads]
    return *_compressed(tails, heads, weights, n), names


def _listed_edges(edges: Any, labels: list[Hashable] | None, where: str) -> tuple[Any, Any, Any, Any]:
    index = {label: k for k, label in enumerate(labels or ())}
    if hasattr(edges, "is_directed"):  # networkx
        if not edges.is_directed():
            raise StructureError(
                f"{where}: edges must be directed because a path follows them one way; "
                f"got an undirected {type(edges).__name__}"
            )
        if labels is None:
            index = {label: k for k, label in enumerate(edges)}
        edges = edges.edges(data="weight", default=1)
    if not isinstance(edges, Iterable):
        raise DtypeError(
            f"{where}: edges must be a matrix, a directed graph or triples (i, j, weight); got {type(edges).__name__}"
        )
    tails, heads, weights = [], [], []
    for edge in edges:
        try:
            i, j, weight = edge
        except (TypeError, ValueError):
            raise DtypeError(f"{where}: an edge must be a triple (i, j, weight); got {edge!r}") from None
        if weight is None:
            raise DtypeError(f"{where}: weights must be numbers; got None for the edge {i} -> {j}")
        tails.append(index.setdefault(i, len(index)))
        heads.append(index.setdefault(j, len(index)))
        weights.append(weight)
    if labels is not None and len(index) > len(labels):
        raise StructureError(
            f"{where}: edges must join the {len(labels)} nodes given because these are all; "
            f"got {list(index)[len(labels)]!r}"
        )
    numbers = np.asarray(weights)
    if numbers.dtype.kind == "f" and all(isinstance(weight, int) for weight in weights) and weights:
        numbers = np.array(weights, object)  # NumPy would round integers of mixed sign past 64 bits
    labels = labels or list(index)
    return *_compressed(np.array(tails, np.intp), np.array(heads, np.intp), numbers, len(labels)), labels


def positions(name: str, chosen: Any, index: Any, where: str) -> tuple[list[int], tuple[int, ...]]:
    """Positions of the chosen nodes, and their part of the answer's shape: () for a single node."""
    if getattr(chosen, "ndim", None) == 0:
        chosen = chosen[()]
    elif isinstance(chosen, np.ndarray) and chosen.dtype.kind == "b":
        raise DtypeError(f"{where}: {name} must be nodes; got a Boolean mask, pass numpy.flatnonzero({name})")
    single = _position(chosen, index)
    if single is not None:
        return [single], ()
    labels = [chosen] if isinstance(chosen, str | bytes) or not isinstance(chosen, Iterable) else list(chosen)
    found = [_position(label, index) for label in labels]
    if None in found:
        raise StructureError(
            f"{where}: {name} must be among the {len(index)} nodes of the graph; got {labels[found.index(None)]!r}"
        )
    return found, (len(found),)  # pyright: ignore[reportReturnType]


def _position(label: Any, index: Any) -> int | None:
    if isinstance(index, range):
        try:
            k = operator.index(label)
        except TypeError:
            k = label if isinstance(label, float) and label.is_integer() else -1
        return int(k) if 0 <= k < len(index) else None
    try:
        return index.get(label)
    except TypeError:  # not hashable, so not a node
        return None
