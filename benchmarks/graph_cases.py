"""Sweeps over random graphs with three edges a node, and the peer that solves with the same matrix."""

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import splu

import fastbs as fb
from fastbs import _graph

from .paired import compare
from .tables import Ratios, Table

NODES = (10**3, 10**5, 10**6)
COLUMNS = (1, 2, 4, 8)

# At most this much of the peer's time.
BOUNDS = {"given order": 0.45, "factorized": 0.2}
STREAM = 2.5  # factorized: of the time the same bytes take as one stream
ORDER = 6  # the topological order, of one sweep


def random_graph(n, shuffled=False, seed=0):
    """Lt with about three edges a node, each to a random later node; positions are an order unless shuffled."""
    rng = np.random.default_rng(seed)
    tails = rng.integers(0, n - 1, 3 * n)
    heads = tails + 1 + rng.integers(0, n, 3 * n) % (n - 1 - tails)
    place = rng.permutation(n) if shuffled else np.arange(n)
    weights = rng.uniform(-0.5, 0.5, 3 * n)
    return scipy.sparse.csr_array((weights, (place[tails], place[heads])), shape=(n, n))


def solvers(n):
    """What to time: our sweeps, and SuperLU with the factors of the same matrix kept."""
    Lt = random_graph(n)
    graph = fb.Graph(Lt)
    planned = fb.factorize(graph)
    b = np.random.default_rng(1).standard_normal(n)
    # without reordering and pivoting the factors are the matrix itself
    lu = splu((scipy.sparse.eye_array(n) - Lt).tocsc(), permc_spec="NATURAL", diag_pivot_thresh=0)
    out = np.empty(n)
    return {
        "splu": lambda: lu.solve(b),
        "given order": lambda: graph.solve(b, out=out),
        "factorized": lambda: planned.solve(b, out=out),
    }


def planned(n, columns, shuffled, transposed):
    """A sweep of several columns after `factorize`, and the same before it."""
    graph = fb.Graph(random_graph(n, shuffled))
    after = fb.factorize(graph)
    graph, after = (graph.T, after.T) if transposed else (graph, after)
    b = np.random.default_rng(1).standard_normal((n, columns))
    out = np.empty_like(b)
    return {"unplanned": lambda: graph.solve(b, out=out), "planned": lambda: after.solve(b, out=out)}


def stream(n):
    """Reading as many bytes as a sweep reads and writes: 12 an edge, 20 a node."""
    numbers = np.ones((12 * 3 * n + 20 * n) // 8)
    return lambda: numbers.sum()


def ordering(n):
    """The topological order of a shuffled graph, and one sweep in it."""
    Lt = random_graph(n, shuffled=True)
    graph, b, out = fb.Graph(Lt), np.ones(n), np.empty(n)
    return {
        "sweep": lambda: graph.solve(b, out=out),
        "order": lambda: _graph.topological_order(Lt.indptr, Lt.indices),
    }


def report(sizes, rounds):
    """Print one row per number of nodes and way to sweep, and few columns; return how many bounds are missed."""
    table = Ratios("{:<10}{:<13}", "nodes", "")
    for n in sizes or NODES:
        rivals = solvers(n)
        result = compare(rivals, "splu", rounds, check=1e-9)
        for name, bound in BOUNDS.items():
            table.add(result, name, "splu", bound, n, name)
        result = compare({"factorized": rivals["factorized"], "stream": stream(n)}, "stream", rounds)
        table.add(result, "factorized", "stream", STREAM, n, "factorized")
    result = compare(ordering(NODES[-1]), "sweep", rounds)
    table.add(result, "order", "sweep", ORDER, NODES[-1], "order")
    report_columns(sizes, rounds)
    return table.missed


def report_columns(sizes, rounds):
    """Print what `factorize` gains for few columns, a row per number of nodes and of columns."""
    kinds = [(shuffled, transposed) for shuffled in (False, True) for transposed in (False, True)]
    header = ("in order", "transposed", "shuffled", "transposed")
    table = Table("{:<10}{:>8}" + "{:>12}" * len(kinds), "nodes", "columns", *header)
    for n in sizes or NODES:
        for columns in COLUMNS:
            ratios = [compare(planned(n, columns, *kind), "unplanned", rounds).ratio("planned") for kind in kinds]
            table(n, columns, *[f"{ratio.median:.2f}" for ratio in ratios])
