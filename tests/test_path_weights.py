"""Path weights against path enumeration, the dense inverse, and themselves in another spelling."""

import re
from fractions import Fraction
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
import scipy.sparse
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import fastbs.levels
from fastbs import operation_counts, path_weights
from fastbs.errors import DtypeError, ShapeError, StructureError

ORDERS = ("forward", "backward", "auto")
FIVE_NODES = [(1, 3, "a"), (2, 3, "b"), (3, 4, "c"), (4, 5, "d")]


def enumerate_paths(edges, source, sink):
    """The definition: the sum over all paths of the product of their weights; () has the product 1."""
    total, paths = 0, [(source, 1)]
    while paths:
        node, product = paths.pop()
        if node == sink:
            total += product
        paths += [(j, product * weight) for i, j, weight in edges if i == node]
    return total


def random_dag(rng, n, density=0.4, dtype=float):
    """A dense Lt with its nodes in a random order."""
    weights = rng.integers(-3, 4, (n, n)) + (1j * rng.integers(-3, 4, (n, n)) if np.dtype(dtype).kind == "c" else 0)
    weights = np.triu(weights * (rng.random((n, n)) < density), 1)
    order = rng.permutation(n)
    return weights[np.ix_(order, order)].astype(dtype)


def dense(Lt, sources, sinks):
    """S^T (I - Lt)^-1 T."""
    return np.linalg.inv(np.eye(len(Lt)) - Lt)[np.ix_(sources, sinks)]


# --- the five-node example ---------------------------------------------------------------------------


@pytest.mark.parametrize("order", ORDERS)
def test_five_nodes_symbolically(order):
    a, b, c, d = sympy.symbols("a b c d")
    edges = [(1, 3, a), (2, 3, b), (3, 4, c), (4, 5, d)]
    found = path_weights(edges, [1, 2], [5], order)
    assert found.shape == (2, 1)
    assert found.dtype == object
    assert found.tolist() == [[a * c * d], [b * c * d]]


def test_five_nodes_take_four_multiplications_forward_and_three_backward():
    edges = [(i, j, sympy.Symbol(name)) for i, j, name in FIVE_NODES]
    assert operation_counts(edges, [1, 2], [5]) == (4, 3)
    assert operation_counts(edges, [1, 2], 5) == (4, 3)


@pytest.mark.parametrize("order", ORDERS)
def test_factors_keep_the_order_of_the_path(order):
    a, b, c, d = sympy.symbols("a b c d", commutative=False)
    edges = [(1, 3, a), (2, 3, b), (3, 4, c), (4, 5, d)]
    assert path_weights(edges, [1, 2], 5, order).tolist() == [a * c * d, b * c * d]


# --- the definition ----------------------------------------------------------------------------------


class Counted:
    """An integer that counts its multiplications, all by others of its kind: there is none by 0 or 1."""

    made = 0

    def __init__(self, value):
        self.value = value

    def __mul__(self, other):
        Counted.made += 1
        return Counted(self.value * other.value)

    def __add__(self, other):
        return Counted(self.value + getattr(other, "value", other))

    __radd__ = __add__


@st.composite
def problems(draw, weights):
    """A random multigraph without cycles, its nodes named in a random order, with sources and sinks."""
    n = draw(st.integers(1, 7))
    names = draw(st.permutations(range(n)))
    pairs = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1), weights).filter(lambda e: e[0] < e[1])
    edges = draw(st.lists(pairs, max_size=14)) if n > 1 else []
    chosen = st.lists(st.integers(0, n - 1), max_size=4)
    return n, [(names[i], names[j], w) for i, j, w in edges], draw(chosen), draw(chosen)


@settings(deadline=None)
@given(problems(st.fractions(-3, 3, max_denominator=4)), st.sampled_from(ORDERS))
def test_equals_the_enumeration_of_all_paths(problem, order):
    n, edges, sources, sinks = problem
    found = path_weights(edges, sources, sinks, order, nodes=range(n))
    assert found.tolist() == [[enumerate_paths(edges, s, t) for t in sinks] for s in sources]


@settings(deadline=None)
@given(problems(st.integers(1, 3)))
def test_counts_are_the_multiplications_that_are_made(problem):
    n, edges, sources, sinks = problem
    edges = [(i, j, Counted(w)) for i, j, w in edges]
    counts = operation_counts(edges, sources, sinks, nodes=range(n))
    for order, expected in zip(ORDERS, (*counts, min(counts)), strict=True):
        Counted.made = 0
        path_weights(edges, sources, sinks, order, nodes=range(n))
        assert Counted.made == expected


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", "bhilefdgFDG")
def test_equals_the_dense_inverse(rng_seed, dtype, order):
    rng = np.random.default_rng(rng_seed)
    Lt = random_dag(rng, 9, 0.3, dtype)
    sources, sinks = rng.integers(0, 9, 4), rng.integers(0, 9, 3)
    exact = dense(Lt.astype(np.result_type(dtype, "F").char.upper().replace("G", "D")), sources, sinks)
    for edges in (Lt, scipy.sparse.coo_array(Lt)) if dtype != "e" else (Lt,):
        found = path_weights(edges, sources, sinks, order)
        assert found.dtype == np.dtype(dtype)
        assert found.flags.c_contiguous
        if found.dtype.kind == "i":  # as NumPy, integers wrap
            exact_integers = np.rint(exact.real).astype(np.int64).astype(dtype)
            np.testing.assert_array_equal(found, exact_integers)
        else:
            np.testing.assert_allclose(found, exact, rtol=1e-2 if dtype == "e" else 2e-5, atol=1e-3)


@pytest.fixture(params=range(3))
def rng_seed(request):
    return request.param


def test_double_precision_is_double():
    rng = np.random.default_rng(0)
    Lt = random_dag(rng, 40, 0.2) * 0.1
    everything = np.arange(40)
    np.testing.assert_allclose(
        path_weights(Lt, everything, everything), dense(Lt, everything, everything), rtol=1e-12, atol=1e-14
    )


def test_booleans_say_whether_there_is_a_path():
    Lt = random_dag(np.random.default_rng(1), 8) != 0
    found = path_weights(Lt, range(8), range(8))
    assert found.dtype == bool
    np.testing.assert_array_equal(found, path_weights(Lt.astype(int), range(8), range(8)) > 0)


@pytest.mark.parametrize("order", ORDERS)
def test_blocks_of_sources_and_sinks(monkeypatch, order):
    Lt = random_dag(np.random.default_rng(2), 12)
    args = (Lt, range(12), range(12))
    whole, counts = path_weights(*args, order), operation_counts(*args)
    monkeypatch.setattr(fastbs.levels, "ENTRIES", 5 * 12)
    monkeypatch.setattr(fastbs.levels, "BITS", 5)
    np.testing.assert_array_equal(path_weights(*args, order), whole)
    assert operation_counts(*args) == counts


@pytest.mark.parametrize("bits", [1, 1024])
def test_auto_takes_the_cheaper_order(monkeypatch, bits):
    taken = []
    paths = fastbs.levels.paths
    monkeypatch.setattr(fastbs.levels, "paths", lambda *args: taken.append(args[1]) or paths(*args))
    monkeypatch.setattr(fastbs.levels, "BITS", bits)
    fan = [(i, 4, 2) for i in range(4)] + [(4, 5, 3), (5, 6, 5)]
    split = [("s", k, 2) for k in range(5)] + [(k, "p", 3) for k in range(5)] + [("r", "p", 5), ("p", "t", 7)]
    for edges, sources, sinks, counts in [
        (fan, [0, 1, 2, 3], [6], (8, 5)),
        (fan, [3], [5, 6], (2, 3)),
        (split, ["s", "r"], ["t"], (7, 11)),
    ]:
        for graph, ins, outs, (forward, backward) in [
            (edges, sources, sinks, counts),
            ([(j, i, weight) for i, j, weight in edges], sinks, sources, counts[::-1]),
        ]:
            assert operation_counts(graph, ins, outs) == (forward, backward)
            taken.clear()
            path_weights(graph, ins, outs)
            assert len(taken[0]) == len(ins if forward <= backward else outs)


# --- what an edge is ---------------------------------------------------------------------------------


def all_kinds(triples, n):
    """The same graph, nodes 0 to n - 1, in every spelling; no parallel edges, no zeros."""
    tails, heads, weights = map(list, zip(*triples, strict=True))
    coo = scipy.sparse.coo_array((weights, (tails, heads)), shape=(n, n))
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    graph.add_weighted_edges_from(triples)
    objects = np.full((n, n), None, object)
    objects[tails, heads] = weights
    yield from (coo, scipy.sparse.coo_matrix(coo), coo.tocsr(), coo.tocsc(), coo.tolil(), coo.todok())
    yield from (coo.todia(), coo.tobsr((1, 1)), coo.toarray(), np.asfortranarray(coo.toarray()), objects)
    yield from (np.asmatrix(coo.toarray()), graph, nx.MultiDiGraph(graph), triples, iter(triples))


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("order", ORDERS)
def test_all_kinds_of_edges_agree(order):
    Lt = random_dag(np.random.default_rng(3), 8)
    triples = [(int(i), int(j), float(Lt[i, j])) for i, j in zip(*np.nonzero(Lt), strict=True)]
    sources, sinks = sorted({i for i, _, _ in triples}), sorted({j for _, j, _ in triples})
    expected = dense(Lt, sources, sinks)
    for edges in all_kinds(triples, 8):
        found = path_weights(edges, sources, sinks, order)
        assert isinstance(found, np.ndarray)
        assert not isinstance(found, np.matrix)
        np.testing.assert_allclose(found.astype(float), expected, rtol=1e-12, atol=1e-12)
    for edges in all_kinds(triples, 8):
        assert operation_counts(edges, sources, sinks) == operation_counts(triples, sources, sinks)


def test_the_names_and_the_order_of_nodes_do_not_matter():
    rng = np.random.default_rng(4)
    Lt = random_dag(rng, 10)
    names = [f"node {k}" for k in range(8)] + [("a", 1), frozenset({2})]
    triples = [(names[i], names[j], Lt[i, j]) for i, j in zip(*np.nonzero(Lt), strict=True)]
    expected = dense(Lt, [0, 8, 9], [3, 9])
    for _ in range(3):
        rng.shuffle(triples)
        found = path_weights(triples, [names[0], names[8], names[9]], [names[3], names[9]], nodes=names)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
        assert path_weights(Lt, names[8], names[9], nodes=names) == pytest.approx(expected[1, 1])


@pytest.mark.parametrize("order", ORDERS)
def test_parallel_edges_add(order):
    triples = [("s", "m", 2), ("m", "t", 5), ("s", "m", 3), ("m", "t", -1)]
    assert path_weights(triples, "s", "t", order) == 20
    assert operation_counts(triples, "s", "t") == (1, 1)
    graph = nx.MultiDiGraph()
    graph.add_weighted_edges_from(triples)
    assert path_weights(graph, "s", "t", order) == 20
    coo = scipy.sparse.coo_array(([2, 5, 3, -1], ([0, 1, 0, 1], [1, 2, 1, 2])), shape=(3, 3))
    assert path_weights(coo, 0, 2, order) == 20


def test_an_edge_of_a_graph_without_weight_has_weight_1():
    graph = nx.DiGraph([(0, 1), (0, 2), (1, 3), (2, 3)])
    graph.add_edge(1, 2, weight=10)
    found = path_weights(graph, 0, 3)
    assert found == 12
    assert found.dtype.kind == "i"


def test_stored_zeros_are_edges():
    zero = scipy.sparse.csr_array(([0.0, 2.0, 3.0], ([0, 1, 2], [1, 2, 3])), shape=(4, 4))
    assert zero.nnz == 3
    assert path_weights(zero, 0, 3) == 0
    assert operation_counts(zero, 0, 3) == (2, 2)
    assert operation_counts(zero.toarray(), 0, 3) == (0, 0)
    assert operation_counts([(0, 1, 0.0), (1, 2, 2.0), (2, 3, 3.0)], 0, 3) == (2, 2)
    with pytest.raises(StructureError, match=r"got 1 -> 1$"):
        path_weights(scipy.sparse.csr_array(([0.0], ([1], [1])), shape=(2, 2)), 0, 1)


def test_objects_that_are_neither_none_nor_zero_are_edges():
    x = sympy.Symbol("x")
    Lt = np.array([[None, x, 0], [0.0, None, Fraction(1, 2)], [sympy.Integer(0), 0, None]], object)
    assert path_weights(Lt, 0, 2) == x / 2
    assert operation_counts(Lt, [0, 1, 2], [0, 1, 2]) == (1, 1)


def test_the_input_stays_as_it_is():
    Lt = random_dag(np.random.default_rng(5), 6)
    csr = scipy.sparse.csr_array(Lt)
    csr.data.flags.writeable = Lt.flags.writeable = False
    kept = Lt.copy()
    for edges in (Lt, csr):
        path_weights(edges, [0, 1], [4, 5])
        np.testing.assert_array_equal(edges if edges is Lt else edges.toarray(), kept)


# --- numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("kind", [float, np.complex64, object])
def test_where_there_is_no_path_the_weight_is_exactly_zero(bad, kind, order):
    # 1 passes the bad edge, 0 does not, and both reach 3 and 4
    weights = np.array([bad, 2, 3, 5]).astype(kind)
    triples = list(zip((1, 2, 0, 3), (2, 3, 3, 4), weights, strict=True))
    with np.errstate(invalid="ignore"):  # complex infinities
        found = path_weights(triples, [0, 1, 4], [4, 2, 0], order)
    assert found[0].tolist() == [15, 0, 1]
    assert found[2].tolist() == [1, 0, 0]
    assert not np.isfinite(found[1, :2].astype(complex)).any()
    assert found[1, 1] == bad or np.isnan(bad)
    assert found[1, 2] == 0


def test_a_bad_edge_off_every_path_does_no_harm():
    assert path_weights([(0, 1, 2.0), (1, 2, 3.0), (0, 3, np.nan), (3, 4, np.inf), (3, 5, 0.0)], 0, 2) == 6


def test_nan_and_infinity_propagate_as_in_numpy():
    zero_times_infinity = scipy.sparse.csr_array(([0.0, np.inf], ([0, 1], [1, 2])), shape=(3, 3))
    with pytest.warns(RuntimeWarning, match="invalid value"):
        assert np.isnan(path_weights(zero_times_infinity, 0, 2))


def test_integers_past_64_bits_are_exact():
    assert path_weights([(0, 1, 2**63), (1, 2, -1)], 0, 2) == -(2**63)
    assert path_weights([(0, 1, 2**70), (1, 2, 3)], 0, 2) == 3 * 2**70


# --- shapes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ORDERS)
def test_a_single_node_drops_its_axis(order):
    edges = np.array([[0, 2.0, 7.0], [0, 0, 5.0], [0, 0, 0]])
    assert path_weights(edges, [0, 1], [1, 2], order).tolist() == [[2, 17], [1, 5]]
    assert path_weights(edges, 0, (1, 2), order).tolist() == [2, 17]
    assert path_weights(edges, np.array([0, 1]), np.int32(2), order).tolist() == [17, 5]
    assert path_weights(edges, np.array(0), 2, order) == 17
    assert isinstance(path_weights(edges, 0, 2, order), np.float64)
    assert path_weights([("ab", "a", Fraction(1, 3))], "ab", "a", order) == Fraction(1, 3)


def test_a_tuple_that_is_a_node_is_that_node():
    grid = nx.grid_2d_graph(3, 3, create_using=nx.DiGraph)
    grid.remove_edges_from([(i, j) for i, j in grid.edges if i > j])
    assert path_weights(grid, (0, 0), (2, 2)) == 6
    assert path_weights(grid, (0, 0), ((2, 2), (1, 1))).tolist() == [6, 2]


@pytest.mark.parametrize("order", ORDERS)
def test_nothing(order):
    Lt = np.diag([2.0, 3.0], 1)
    assert path_weights(Lt, [], [0, 1], order).shape == (0, 2)
    assert path_weights(Lt, [0, 1], [], order).shape == (2, 0)
    assert path_weights(Lt, [], 0, order).shape == (0,)
    assert path_weights([], [], [], order).shape == (0, 0)
    assert path_weights(np.zeros((0, 0), np.float32), [], [], order).dtype == np.float32
    assert path_weights(np.zeros((3, 3)), [0, 1], [1, 0, 2], order).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert path_weights(nx.DiGraph(), [], [], order).shape == (0, 0)
    assert path_weights([], ["a"], ["a", "b"], order, nodes="ab").tolist() == [[1, 0]]
    assert path_weights(nx.DiGraph([("a", "b")]), "a", ["b", "c"], order, nodes="abc").tolist() == [1, 0]
    assert path_weights(scipy.sparse.csr_array((2, 2)), 0, 1, order) == 0
    assert operation_counts([], [], []) == (0, 0)


def test_repeated_sources_and_sinks():
    found = path_weights([(0, 1, 2.0)], [0, 1, 0], [1, 1])
    assert found.tolist() == [[2, 2], [1, 1], [2, 2]]


# --- size --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["forward", "backward"])
def test_a_long_chain(order):
    n = 100_000
    weights = np.ones(n - 1)
    weights[[5, 500, 5000, 50_000]] = 2, 3, 5, 7
    place = np.random.default_rng(6).permutation(n)
    chain = scipy.sparse.coo_array((weights, (place[:-1], place[1:])), shape=(n, n))
    assert path_weights(chain, place[0], place[-1], order) == 210


def test_a_large_graph():
    rng = np.random.default_rng(7)
    n = 100_000
    tails = rng.integers(0, n - 1, 3 * n)
    heads = tails + 1 + rng.integers(0, n, 3 * n) % (n - 1 - tails)
    place = rng.permutation(n)
    Lt = scipy.sparse.csr_array((rng.random(3 * n) - 0.5, (place[tails], place[heads])), shape=(n, n))
    sources, sinks = place[:3], place[-2:]
    forward, backward = (path_weights(Lt, sources, sinks, order) for order in ("forward", "backward"))
    np.testing.assert_allclose(forward, backward, rtol=1e-9, atol=1e-12)
    ordered = Lt[place][:, place]
    eye = scipy.sparse.eye_array(n, format="csr")
    right = np.zeros((n, 2))
    right[[n - 2, n - 1], [0, 1]] = 1
    solved = scipy.sparse.linalg.spsolve_triangular((eye - ordered).tocsr(), right, lower=False)
    np.testing.assert_allclose(forward, solved[:3], rtol=1e-9, atol=1e-12)


# --- errors ------------------------------------------------------------------------------------------


def cycle_in(message):
    return re.search(r"got (.*)$", message).group(1).split(" -> ")


def test_a_cycle_is_named():
    edges = [(1, 3, 1.0), (3, 5, 1.0), (5, 3, 1.0), (5, 6, 1.0), (6, 7, 1.0)]
    with pytest.raises(StructureError, match=r"no cycle because I - Lt is then not triangular; got 3 -> 5 -> 3$"):
        path_weights(edges, 1, 7)
    with pytest.raises(StructureError, match=r"got 3 -> 5 -> 3$"):
        operation_counts(edges, [], [])


@pytest.mark.parametrize("edges", [[("x", "x", 1)], [("a", "x", 1), ("x", "x", 0), ("x", "b", 1)]])
def test_a_self_loop_is_a_cycle(edges):
    with pytest.raises(StructureError, match=r"got x -> x$"):
        path_weights(edges, "x", "x")


@settings(deadline=None)
@given(st.integers(2, 9).flatmap(lambda n: st.lists(st.tuples(*[st.integers(0, n - 1)] * 2), max_size=20)))
def test_a_named_cycle_is_one(pairs):
    graph = nx.DiGraph(pairs)
    if nx.is_directed_acyclic_graph(graph):
        path_weights(graph, [], [])
        return
    with pytest.raises(StructureError) as caught:
        path_weights(graph, [], [])
    cycle = [int(name) for name in cycle_in(str(caught.value))]
    assert cycle[0] == cycle[-1]
    assert len(set(cycle)) == len(cycle) - 1
    assert all(graph.has_edge(i, j) for i, j in pairwise(cycle))


def test_a_long_cycle_is_named_in_short():
    n = 10_000
    ring = scipy.sparse.csr_array((np.ones(n), (np.arange(n), np.roll(np.arange(n), -1))), shape=(n, n))
    with pytest.raises(StructureError) as caught:
        path_weights(ring, 0, 1)
    names = cycle_in(str(caught.value))
    assert names[:10] == [str(k) for k in range(10)]
    assert names[10] == "... (9982 more) ..."
    assert names[11:] == [str(k) for k in range(n - 8, n)] + ["0"]


EDGE = [(0, 1, 2.0)]


@pytest.mark.parametrize(
    ("edges", "sources", "sinks", "options", "error", "text"),
    [
        (EDGE, [0, 7], [1], {}, StructureError, "sources must be among the 2 nodes of the graph; got 7"),
        (EDGE, [0], "one", {}, StructureError, "sinks must be among the 2 nodes of the graph; got 'one'"),
        (EDGE, 0, -1, {}, StructureError, "sinks must be among the 2 nodes of the graph; got -1"),
        (EDGE, 0, [[1]], {}, StructureError, "sinks must be among the 2 nodes of the graph; got [1]"),
        (
            np.eye(3, k=1),
            [0, 3],
            2,
            {},
            StructureError,
            "sources must be among the 3 nodes of the graph; got 3",
        ),
        (EDGE, np.array([True, False]), 1, {}, DtypeError, "pass numpy.flatnonzero(sources)"),
        (np.ones((2, 3)), 0, 1, {}, ShapeError, "edges must be (n, n) because"),
        (np.ones((2, 3)), 0, 1, {}, ShapeError, "got (2, 3)"),
        (np.ones(4), 0, 1, {}, ShapeError, "got (4,)"),
        (scipy.sparse.csr_array((2, 5)), 0, 1, {}, ShapeError, "got (2, 5)"),
        (
            np.eye(3, k=1),
            0,
            1,
            {"nodes": "ab"},
            ShapeError,
            "nodes must be 3 because edges are (3, 3); got 2",
        ),
        (np.eye(3, k=1), 0, 1, {"nodes": "aba"}, StructureError, "distinct; got 3 nodes with 2 names"),
        (
            EDGE,
            0,
            1,
            {"nodes": [0, 2]},
            StructureError,
            "must join the 2 nodes given because these are all; got 1",
        ),
        (nx.Graph([(0, 1)]), 0, 1, {}, StructureError, "edges must be directed because"),
        (nx.MultiGraph([(0, 1)]), 0, 1, {}, StructureError, "got an undirected MultiGraph"),
        ([(0, 1)], 0, 1, {}, DtypeError, "an edge must be a triple (i, j, weight); got (0, 1)"),
        (None, 0, 1, {}, DtypeError, "a directed graph or triples (i, j, weight); got NoneType"),
        ([5], 0, 1, {}, DtypeError, "an edge must be a triple (i, j, weight); got 5"),
        ([(0, 1, None)], 0, 1, {}, DtypeError, "weights must be numbers; got None for the edge 0 -> 1"),
        (
            [(0, 1, "x")],
            0,
            1,
            {},
            DtypeError,
            "weights must be numbers because paths multiply and add them; got <U1",
        ),
        ([(0, 1, np.eye(2))], 0, 1, {}, DtypeError, "got float64 of shape (1, 2, 2) for 1 edges"),
        (np.array([["a"]]), 0, 0, {}, DtypeError, "got <U1 of shape (1,)"),
        (np.ma.masked_array(np.eye(2, k=1)), 0, 1, {}, DtypeError, "pass edges.filled(0)"),
        (EDGE, 0, 1, {"order": "sideways"}, ValueError, "'auto', 'forward' or 'backward'; got 'sideways'"),
    ],
)
def test_errors_say_what_was_expected_and_what_came(edges, sources, sinks, options, error, text):
    with pytest.raises(error, match=re.escape(text)) as caught:
        path_weights(edges, sources, sinks, **options)
    assert str(caught.value).startswith("path_weights: ")
