"""Path weights S^T (I - Lt)^-1 T of graphs of every kind, and how many multiplications they take."""

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from . import levels
from ._graph import all_finite
from .edges import in_order, index_of, positions, read_edges
from .errors import DtypeError, StructureError
from .graph import Graph, check_order, real_weights, result
from .semirings import SEMIRINGS, semiring_of

__all__ = ["operation_counts", "path_weights"]


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
    >>> from fastbs import operation_counts, path_weights
    >>> a, b, c, d = Fraction(1, 2), Fraction(1, 3), Fraction(5), Fraction(7)
    >>> edges = [(1, 3, a), (2, 3, b), (3, 4, c), (4, 5, d)]
    >>> path_weights(edges, [1, 2], 5)
    array([Fraction(35, 2), Fraction(35, 3)], dtype=object)
    >>> operation_counts(edges, [1, 2], 5)
    (4, 3)
    """
    check_order(order)
    kind = semiring_of(semiring, "path_weights")
    if isinstance(edges, Graph):
        if nodes is not None:
            raise StructureError("path_weights: nodes must be None because the graph names its own; got nodes")
        return edges.path_weights(sources, sinks, order, semiring=semiring, out=out, weights=weights)
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
        found = graph.swept_paths(starts, ends, order, kind)
    else:
        found = levels.path_weights(indptr, indices, values, topological, starts, ends, order, kind)
    return result(found, rows + columns, out)


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
    >>> from fastbs import operation_counts
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
