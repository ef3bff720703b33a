"""Sweeps of `Graph` against the dense inverse, the level-by-level specification, and networkx."""

import pickle
import re
import signal

import networkx as nx
import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

import fastbs as fb
from dense import check_in_50_digits
from fastbs import _graph, levels
from fastbs.errors import DtypeError, ShapeError, StructureError
from fastbs.semirings import SEMIRINGS
from memory import failing_allocations, peak

KINDS = tuple(SEMIRINGS)


def random_csr(rng, n, edges, dtype=float, shuffled=True):
    """Lt with parallel edges; node numbers are in topological order unless shuffled."""
    tails = rng.integers(0, max(n - 1, 1), edges)
    heads = tails + 1 + rng.integers(0, n, edges) % np.maximum(n - 1 - tails, 1)
    place = rng.permutation(n) if shuffled else np.arange(n)
    return compressed(place[tails], place[heads], (rng.random(edges) - 0.4).astype(dtype), n)


def compressed(tails, heads, weights, n):
    """CSR with parallel edges side by side, which SciPy would add up."""
    by_tail = np.argsort(tails, kind="stable")
    Lt = scipy.sparse.csr_array((n, n), dtype=weights.dtype)
    Lt.indptr = np.concatenate(([0], np.cumsum(np.bincount(tails, minlength=n)))).astype(np.int32)
    Lt.indices, Lt.data = heads[by_tail].astype(np.int32), weights[by_tail]
    return Lt


def by_definition(Lt, b, kind):
    """x_i = b_i plus the sum over the edges of w times x_j, node by node against the edges."""
    kind, n = SEMIRINGS[kind], Lt.shape[0]
    graph = nx.DiGraph(zip(np.repeat(np.arange(n), np.diff(Lt.indptr)).tolist(), Lt.indices.tolist(), strict=True))
    graph.add_nodes_from(range(n))
    order = list(nx.topological_sort(graph))
    x = b.astype(float)
    for i in reversed(order):
        for e in range(Lt.indptr[i], Lt.indptr[i + 1]):
            x[i] = kind.plus(x[i], kind.times(Lt.data[e], x[Lt.indices[e]]))
    assert len(order) == n
    return x


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("planned", [False, True])
@pytest.mark.parametrize("shuffled", [False, True])
def test_solves_by_definition(kind, dtype, index, planned, shuffled):
    rng = np.random.default_rng(0)
    for n, edges, columns in [(1, 0, ()), (2, 3, (1,)), (40, 150, ()), (40, 99, (2,)), (40, 500, (3,)), (9, 20, (4,)),
                              (9, 20, (5,)), (60, 90, (17,))]:  # fmt: skip
        Lt = random_csr(rng, n, edges, dtype, shuffled=shuffled)
        graph = fb.Graph(Lt)
        graph = type(graph)._of(*(part.astype(index) for part in graph._parts[:2]), *graph._parts[2:3],
                                None if graph._parts[3] is None else graph._parts[3].astype(index),
                                *graph._parts[4:])  # fmt: skip
        graph = fb.factorize(graph) if planned else graph
        b = rng.standard_normal((n, *columns)).astype(dtype)
        kept = b.copy()
        tolerance = {"rtol": 2e-4, "atol": 2e-4} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-11}
        np.testing.assert_allclose(graph.solve(b, kind), by_definition(Lt, b, kind), **tolerance)
        turned = compressed(*graph.T.edges, Lt.data, n)
        np.testing.assert_allclose(graph.T.solve(b, kind), by_definition(turned, b, kind), **tolerance)
        np.testing.assert_array_equal(b, kept)
        out = np.empty_like(b)
        assert graph.solve(b, kind, out=out) is out
        np.testing.assert_array_equal(out, graph.solve(b, kind))
        assert graph.solve(kept, kind, out=kept) is kept
        np.testing.assert_array_equal(out, kept)


@pytest.mark.parametrize("turned", [False, True])
def test_no_columns_are_written_nowhere(turned):
    graph = fb.factorize(fb.Graph(random_csr(np.random.default_rng(0), 9, 27, shuffled=False)))
    sweeper = (graph.T if turned else graph)._sweeper
    memory = np.full((9, 4), 7.0)
    for push in (False, True):
        assert sweeper.run(memory[:, :0].reshape(9, 0), push, 0, memory[:, :0].reshape(9, 0)).shape == (9, 0)
        np.testing.assert_array_equal(memory, 7.0)
    assert graph.solve(np.zeros((9, 0))).shape == (9, 0)


@pytest.mark.parametrize("n", [1, 7, 5000])
def test_is_the_inverse_of_I_minus_Lt(n):
    rng = np.random.default_rng(1)
    Lt = random_csr(rng, n, 3 * n if n > 1 else 0)
    graph = fb.Graph(Lt)
    b = rng.standard_normal((n, 2))
    for solver in (graph, fb.factorize(graph)):
        for x, matrix in ((solver.solve(b), Lt), (solver.H.solve(b), Lt.T)):
            residual = x - matrix @ x - b
            scale = abs(x) + abs(matrix) @ abs(x) + abs(b)
            assert (abs(residual) <= 10 * np.finfo(float).eps * scale * max(1, Lt.nnz / n)).all()
    np.testing.assert_allclose(fb.backslash(graph, b), graph.solve(b))


@pytest.mark.parametrize(("n", "edges"), [(250_000, 400_000), (1500, 1_100_000)])
def test_plans_of_many_windows_and_of_many_edges(n, edges):
    rng = np.random.default_rng(15)
    Lt = random_csr(rng, n, edges)
    Lt.data *= 2 * n / edges
    graph, b = fb.Graph(Lt), rng.standard_normal(n)
    planned = fb.factorize(graph)
    np.testing.assert_allclose(planned.solve(b), graph.solve(b), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(planned.T.solve(b), graph.T.solve(b), rtol=1e-10, atol=1e-10)
    assert planned.T.solve(b, "max-plus").max() == graph.T.solve(b, "max-plus").max()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["forward", "backward", "auto"])
def test_path_weights_equal_the_level_by_level_specification(kind, order):
    rng = np.random.default_rng(2)
    Lt = random_csr(rng, 50, 160)
    sources, sinks = rng.integers(0, 50, 7), rng.integers(0, 50, 5)
    graph = fb.Graph(Lt)
    structure = levels.between(*graph._parts[:4], list(sources), list(sinks), SEMIRINGS[kind])
    expected = levels.paths(structure, list(sources), list(sinks), SEMIRINGS[kind])
    for edges in (Lt, graph, fb.factorize(graph)):
        found = fb.path_weights(edges, sources, sinks, order, semiring=kind)
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)
        out = np.empty((7, 5))
        assert fb.path_weights(edges, sources, sinks, order, semiring=kind, out=out) is out
        np.testing.assert_array_equal(out, found)
    np.testing.assert_allclose(fb.path_weights(graph.T, sinks, sources, order, semiring=kind), expected.T, rtol=1e-11)
    np.testing.assert_allclose(graph.path_weights(sources, sinks, semiring=kind), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("kind", ["max-plus", "min-plus", "log-sum-exp"])
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_no_path_is_the_zero_of_the_semiring_beside_bad_weights(kind, bad):
    edges = [(0, 1, bad), (1, 2, 1.0), (3, 2, 2.0), (2, 4, 5.0)]
    for given in (edges, fb.Graph(edges), fb.Graph([(j, i, w) for i, j, w in edges]).T):
        with np.errstate(invalid="ignore"):  # numpy.logaddexp of NaN
            found = fb.path_weights(given, [3, 0, 4], [4, 1, 0], semiring=kind)
        zero = SEMIRINGS[kind].zero
        np.testing.assert_array_equal(found[0], [7, zero, zero])
        assert found[1, 1] == bad or np.isnan(bad)
        np.testing.assert_array_equal(found[2], [0, zero, zero])


def test_many_sources_go_in_blocks(monkeypatch):
    Lt = random_csr(np.random.default_rng(3), 30, 90)
    whole = fb.path_weights(Lt, range(30), range(30))
    monkeypatch.setattr("fastbs.graph.COLUMNS", 7)
    np.testing.assert_array_equal(fb.path_weights(Lt, range(30), range(30)), whole)


def test_parallel_edges_join_in_the_semiring():
    edges = [(0, 1, 2.0), (0, 1, 5.0)]
    assert fb.path_weights(edges, 0, 1, semiring="max-plus") == 5
    assert fb.path_weights(edges, 0, 1, semiring="min-plus") == 2
    assert fb.path_weights(edges, 0, 1, semiring="log-sum-exp") == pytest.approx(np.logaddexp(2, 5))
    assert fb.path_weights([(0, 1, 2), (1, 2, 3)], 0, 2, semiring="max-plus") == 5


# --- critical paths ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_critical_paths_are_those_of_networkx(seed):
    rng = np.random.default_rng(seed)
    graph = nx.gn_graph(30, seed=seed)
    graph.add_edges_from((i, j) for i, j in rng.integers(0, 30, (40, 2)).tolist() if i > j)
    for i, j in graph.edges:
        graph[i][j]["weight"] = float(rng.integers(1, 50))
    mine = fb.Graph(graph)
    weight, path = mine.critical_path(graph.nodes, graph.nodes)
    assert weight == nx.dag_longest_path_length(graph) == nx.path_weight(graph, path, "weight")
    weight, path = mine.critical_path(29, 0, "min-plus")
    assert weight == nx.shortest_path_length(graph, 29, 0, "weight") == nx.path_weight(graph, path, "weight")
    turned, back = mine.T.critical_path(0, 29, "min-plus")
    assert turned == weight == nx.path_weight(graph, back[::-1], "weight")
    assert (back[0], back[-1]) == (0, 29)


def test_critical_paths_may_be_empty_or_missing():
    graph = fb.Graph([("a", "b", -1.0), ("c", "b", 2.0)])
    assert graph.critical_path("a", "a") == (0, ["a"])
    assert graph.critical_path("a", ["a", "b"]) == (0, ["a"])
    assert graph.critical_path(["a", "c"], "b") == (2, ["c", "b"])
    assert graph.critical_path("a", "c") == (-np.inf, [])
    assert graph.critical_path("a", "c", "min-plus") == (np.inf, [])
    assert graph.critical_path([], "c") == (-np.inf, [])


# --- derivatives -------------------------------------------------------------------------------------


def finite_difference(f, w, h=1e-6):
    each = np.eye(len(w))
    return np.array([(f(w + h * e) - f(w - h * e)) / (2 * h) for e in each])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["forward", "backward"])
@pytest.mark.parametrize("turned", [False, True])
def test_derivatives_of_path_weights_with_respect_to_all_weights(kind, order, turned):
    rng = np.random.default_rng(5)
    graph = fb.Graph(random_csr(rng, 9, 22))
    graph = graph.T if turned else graph
    sources, sinks = list(graph.order[:3]), list(graph.order[-2:])

    def loss(w):
        x = fb.path_weights(graph, sources, sinks, order, semiring=kind, weights=w)
        return np.sum(np.where(np.isfinite(x), np.sin(np.where(np.isfinite(x), x, 0.0)), 0.0))

    gradient = fb.grad(loss)(graph.weights)
    np.testing.assert_allclose(gradient, finite_difference(loss, graph.weights), rtol=1e-6, atol=1e-8)
    _, tangent = fb.jvp(loss, [graph.weights], [np.ones(22)])
    np.testing.assert_allclose(tangent, gradient.sum(), rtol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_derivatives_of_solves(kind):
    rng = np.random.default_rng(6)
    graph = fb.Graph(random_csr(rng, 8, 15))
    b = rng.standard_normal(8)

    def f(w, b):
        return graph.solve(b, kind, weights=w)

    for k, x in enumerate((graph.weights, b)):
        jacobian = fb.jacobian(f, argnums=k)(graph.weights, b)
        expected = finite_difference(lambda x, k=k: f(*(x, b) if k == 0 else (graph.weights, x)), x).T
        np.testing.assert_allclose(jacobian, expected, rtol=1e-6, atol=1e-8)


def test_second_derivatives():
    graph = fb.Graph(random_csr(np.random.default_rng(7), 7, 14))
    for kind in ("sum-product", "log-sum-exp"):

        def loss(w, kind=kind):
            return np.sum(graph.solve(np.ones((7, 2)), kind, weights=w) ** 2)

        hessian = fb.hessian(loss)(graph.weights)
        np.testing.assert_allclose(hessian, finite_difference(fb.grad(loss), graph.weights), rtol=1e-5, atol=1e-6)


def test_ties_share_the_derivative():
    graph = fb.Graph([(0, 1, 1.0), (0, 2, 1.0), (1, 3, 1.0), (2, 3, 1.0)])
    gradient = fb.grad(lambda w: fb.path_weights(graph, 0, 3, semiring="max-plus", weights=w))(graph.weights)
    np.testing.assert_array_equal(gradient, [0.5, 0.5, 0.5, 0.5])


def test_weights_in_place_of_the_graph_s_own():
    graph = fb.Graph([(0, 1, 2.0), (1, 2, 3.0)])
    assert fb.path_weights(graph, 0, 2, weights=np.array([5.0, 7.0])) == 35
    assert fb.path_weights(graph, 0, 2) == 6
    assert fb.path_weights(graph.T, 2, 0, weights=[5, 7]) == 35
    np.testing.assert_array_equal(graph.solve(np.array([0.0, 0.0, 1.0]), weights=[5, 7]), [35, 7, 1])


# --- dtypes, copies, bridges -------------------------------------------------------------------------


def test_dtypes_are_promoted():
    Lt = random_csr(np.random.default_rng(8), 20, 50, np.float32)
    graph = fb.Graph(Lt)
    assert graph.solve(np.ones(20)).dtype == np.float64
    assert graph.solve(np.ones(20, np.float32)).dtype == np.float32
    assert graph.solve(np.ones(20, int)).dtype == np.float32
    assert fb.Graph(Lt.astype(np.float64)).solve(np.ones(20, np.float32)).dtype == np.float64
    exact = np.linalg.inv(np.eye(20) - Lt.toarray().astype(float))
    b = np.arange(20) + 1j
    np.testing.assert_allclose(graph.solve(b), exact @ b, rtol=1e-5)
    np.testing.assert_allclose(graph.solve(list(range(20))), exact @ np.arange(20), rtol=1e-4, atol=1e-5)
    out = np.empty(20, complex)
    assert graph.solve(b, out=out) is out


def test_any_memory_order():
    rng = np.random.default_rng(9)
    graph = fb.Graph(random_csr(rng, 20, 50))
    b = rng.standard_normal((20, 6))
    expected = graph.solve(b)
    for view in (np.asfortranarray(b), b[::-1][::-1], np.repeat(b, 2, axis=1)[:, ::2]):
        np.testing.assert_array_equal(graph.solve(view), expected)
    out = np.empty((20, 12))[:, ::2]
    assert graph.solve(b, out=out) is out
    np.testing.assert_array_equal(out, expected)
    shared = np.zeros((21, 6))
    shared[1:] = b
    graph.solve(shared[1:], out=shared[:-1])
    np.testing.assert_array_equal(shared[:-1], expected)


def test_a_graph_is_a_snapshot():
    Lt = random_csr(np.random.default_rng(10), 20, 50)
    graph = fb.Graph(Lt)
    expected = graph.solve(np.ones(20))
    Lt.data[:] = np.nan
    Lt.indices[:] = 10**6
    np.testing.assert_array_equal(graph.solve(np.ones(20)), expected)
    with pytest.raises(ValueError, match="read-only"):
        graph.weights[0] = 1
    for copied in (pickle.loads(pickle.dumps(graph)), pickle.loads(pickle.dumps(fb.factorize(graph.T).T))):
        np.testing.assert_allclose(copied.solve(np.ones(20)), expected, rtol=1e-14)
    assert repr(graph) == "<Graph of 20 nodes and 50 edges, float64>"
    assert repr(fb.factorize(graph)).startswith("<planned Graph")


def test_to_scipy():
    Lt = random_csr(np.random.default_rng(11), 20, 50)
    graph = fb.Graph(Lt)
    np.testing.assert_array_equal(graph.to_scipy().toarray(), Lt.toarray())
    np.testing.assert_array_equal(graph.T.to_scipy().toarray(), Lt.toarray().T)
    tails, heads = graph.T.edges
    expected = scipy.sparse.coo_array((graph.weights, (tails, heads)), shape=(20, 20))
    np.testing.assert_allclose(expected.toarray(), Lt.toarray().T)
    assert graph.H is graph.T
    assert graph.T.T is graph


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_against_mpmath(dtype):
    rng = np.random.default_rng(14)
    Lt = random_csr(rng, 12, 24, dtype)
    graph, dense, b = fb.Graph(Lt), np.eye(12, dtype=dtype) - Lt.toarray(), rng.standard_normal(12).astype(dtype)
    check_in_50_digits(dense, graph.solve(b), b)
    check_in_50_digits(dense.T, fb.factorize(graph).T.solve(b), b)


def test_as_scipy():
    Lt = random_csr(np.random.default_rng(11), 20, 40, shuffled=True)
    inverse = np.linalg.inv(np.eye(20) - Lt.toarray())
    S, X = fb.Graph(Lt).as_scipy(), np.random.default_rng(12).standard_normal((20, 3))
    np.testing.assert_allclose(S @ X, inverse @ X)
    np.testing.assert_allclose(S.H @ X[:, 0], inverse.T @ X[:, 0])
    # the largest singular value of all path weights, matrix-free
    np.testing.assert_allclose(
        scipy.sparse.linalg.svds(S, k=1, v0=np.ones(20), return_singular_vectors=False), np.linalg.norm(inverse, 2)
    )


@pytest.mark.parametrize("shuffled", [False, True])
def test_the_order_is_topological(shuffled):
    graph = fb.Graph(random_csr(np.random.default_rng(12), 3000, 9000, shuffled=shuffled))
    for turned in (graph, graph.T):
        place = np.empty(3000, int)
        place[turned.order] = np.arange(3000)
        tails, heads = turned.edges
        assert (place[tails] < place[heads]).all()


# --- memory ------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer of the system")
@pytest.mark.parametrize(("planned", "columns"), [(False, 64), (True, 4)])
def test_long_sweeps_can_be_interrupted(planned, columns):
    def interrupt(*_):
        raise KeyboardInterrupt

    rng = np.random.default_rng(16)
    n = 40_000 if columns == 64 else 250_000
    graph = fb.Graph(random_csr(rng, n, 3 * n, shuffled=False))
    graph = fb.factorize(graph) if planned else graph
    b, out = np.zeros((n, columns)), np.zeros((n, columns))
    out[0] = np.nan  # a sweep gets there last
    handler = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012
            signal.setitimer(signal.ITIMER_REAL, 0.005)
            graph.solve(b, "log-sum-exp", out=out)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert np.isnan(out[0]).all()


def test_every_allocation_may_fail():
    Lt = random_csr(np.random.default_rng(13), 5000, 15_000)

    def solve():
        graph = fb.factorize(fb.Graph(Lt))
        graph.solve(np.ones(5000))
        graph.T.solve(np.ones((5000, 3)))

    assert failing_allocations(_graph, solve) > 10


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_solve_holds_its_result_and_in_place_nothing(shuffled):
    graph, b = fb.Graph(random_csr(np.random.default_rng(13), 5000, 15_000, shuffled=shuffled)), np.ones((5000, 2))
    out = np.empty_like(b)
    for solver in (graph, graph.T, fb.factorize(graph), fb.factorize(graph).T):
        assert peak(lambda: solver.solve(b), 3) <= b.nbytes + 4000  # noqa: B023
        assert peak(lambda: solver.solve(b, out=out), 3) <= 4000  # noqa: B023
        assert peak(lambda: solver.solve(b, "max-plus", out=b), 3) <= 4000  # noqa: B023


def test_columns_past_memory_are_refused():
    with pytest.raises(MemoryError, match="Unable to allocate"):
        GRAPH.solve(np.broadcast_to(1.0, (3, 2**45)))


def test_indices_past_32_bits_are_64():
    assert _graph.index_dtype(10, 2**31 - 1) == np.int32
    assert _graph.index_dtype(10, 2**31) == np.int64
    assert _graph.index_dtype(2**31, 10) == np.int64


# --- errors ------------------------------------------------------------------------------------------

GRAPH = fb.Graph([(0, 1, 2.0), (1, 2, 3.0)])
READ_ONLY = np.empty(3)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: GRAPH.solve(np.ones(4)), ShapeError, "b must have 3 rows because the graph has"),
        (lambda: GRAPH.solve(1.0), ShapeError, "got ()"),
        (lambda: GRAPH.solve(np.ones(3), "sum"), ValueError, "semiring must be one of sum-product, max-plus"),
        (lambda: GRAPH.solve(np.ones(3), ["sum"]), ValueError, "got ['sum']"),
        (lambda: GRAPH.solve(np.ones(3), weights=np.ones(3)), ShapeError, "weights must be (2,) because"),
        (lambda: GRAPH.solve(np.array(["a"] * 3)), DtypeError, "b must be real because"),
        (lambda: GRAPH.solve(np.ones(3), weights=np.ones(2) * 1j), DtypeError, "weights must be real and at most"),
        (lambda: GRAPH.solve(np.ones(3) * 1j, "max-plus"), DtypeError, "b must be real because max-plus orders"),
        (lambda: GRAPH.solve(np.ones(3, "g")), DtypeError, "at most double precision"),
        (lambda: GRAPH.solve(np.ones(3), out=np.ones(4)), ShapeError, "out must be (3,) because the result is"),
        (lambda: GRAPH.solve(np.ones(3), out=np.ones(3, int)), DtypeError, "out must be float64 because"),
        (lambda: GRAPH.solve(np.ones(3), out=READ_ONLY), ValueError, "out must be writeable because"),
        (lambda: GRAPH.solve(np.ones(3), out=[0, 0, 0]), DtypeError, "out must be an array because"),
        (lambda: fb.grad(lambda b: GRAPH.solve(b, out=np.ones(3)).sum())(np.ones(3)), DtypeError, "out must be None"),
        (lambda: GRAPH.critical_path(0, 2, "sum-product"), ValueError, "semiring must be 'max-plus' or 'min-plus'"),
        (lambda: GRAPH.critical_path(0, 5), StructureError, "sinks must be among the 3 nodes of the graph; got 5"),
        (lambda: fb.Graph([(0, 1, 1j)]), DtypeError, "weights must be real and at most double precision"),
        (lambda: fb.Graph([(0, 1, 1.0), (1, 0, 1.0)]), StructureError, "got 0 -> 1 -> 0"),
        (lambda: fb.path_weights(GRAPH, 0, 2, nodes=range(3)), StructureError, "nodes must be None because"),
        (lambda: fb.path_weights(GRAPH, 0, 2, weights=np.ones(3)), ShapeError, "weights must be (2,) because"),
        (lambda: GRAPH.path_weights(0, 2, "left"), ValueError, "or 'backward'; got 'left'"),
        (
            lambda: fb.grad(lambda w: GRAPH.path_weights(0, 2, weights=w, out=np.zeros(())))(np.ones(2)),
            DtypeError, "out must be None because weights are traced",
        ),
        (lambda: fb.path_weights([(0, 1, 2.0)], 0, 1, weights=[1.0]), DtypeError, "edges must be a Graph because"),
        (lambda: fb.path_weights([(0, 1, 2.0)], 0, 1, semiring="plus"), ValueError, "semiring must be one of"),
        (lambda: fb.path_weights([(0, 1, 2j)], 0, 1, semiring="max-plus"), DtypeError, "weights must be real"),
        (lambda: fb.path_weights(GRAPH, [0], [2], out=np.ones(1)), ShapeError, "out must be (1, 1) because"),
    ],
)  # fmt: skip
def test_errors(call, error, text):
    with pytest.raises(error, match=re.escape(text)):
        call()


def test_a_broken_csr_matrix_is_refused():
    for change in ({"indices": [5, 1]}, {"indices": [-1, 1]}, {"indptr": [0, 3, 1, 2]}):
        Lt = scipy.sparse.csr_array((np.ones(2), ([0, 1], [1, 2])), shape=(3, 3))
        for name, value in change.items():
            setattr(Lt, name, np.array(value, np.int32))
        with pytest.raises(StructureError, match="a valid CSR matrix because kernels follow its indices"):
            fb.Graph(Lt)
