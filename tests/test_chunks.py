"""Chunks of an axis: what they compute is the same, and what they need is shorter."""

import itertools

import numpy as np
import optree
import pytest

import fastbs as fb
from compiled_programs import agree
from fastbs.compiled import Compiled
from fastbs.compiler import chunks
from fastbs.compiler.assemble import PASSES

WHOLE = tuple(name for name in PASSES if name != "chunks")
rng = np.random.default_rng(0)
N = 23


@pytest.fixture(autouse=True)
def small_caches(tiny_chunks):
    """Chunks of a few elements."""


def network(order, dtype=float, widths=(3, 5, 4, 2)):
    """Parameters and data; samples are rows, or columns for another order."""
    layers = [(rng.normal(size=(n, m)), rng.normal(size=m)) for n, m in itertools.pairwise(widths)]
    X, Y = rng.normal(size=(N, widths[0])), rng.normal(size=(N, widths[-1]))
    if order == "columns":
        layers = [(np.ascontiguousarray(W.T), b[:, None]) for W, b in layers]
        X, Y = np.ascontiguousarray(X.T), np.ascontiguousarray(Y.T)
    return [(W.astype(dtype), b.astype(dtype)) for W, b in layers], X.astype(dtype), Y.astype(dtype)


def rows(layers, X, Y):
    for W, b in layers:
        X = np.tanh(X @ W + b)
    return np.mean((X - Y) ** 2)


def columns(layers, X, Y):
    for W, b in layers:
        X = np.tanh(W @ X + b)
    return np.mean((X - Y) ** 2)


def cross_entropy(layers, X, labels):
    for W, b in layers:
        X = np.maximum(X @ W + b, 0.1 * X[:, :1])
    X = X - np.max(X, axis=1, keepdims=True)
    return np.mean(np.log(np.sum(np.exp(X), axis=1)) - np.sum(X * labels, axis=1))


def normalized(W, X):
    """Sums over the samples come back to each of them."""
    H = np.tanh(X @ W)
    H = H - np.mean(H, axis=0)
    H = H / np.sqrt(np.mean(H**2, axis=0) + 1e-3)
    return np.sum(np.tanh(np.sin(H @ W.T) @ W) ** 2)


def looped(X, A):
    """Of which the samples are the steps."""
    states = fb.scan(lambda s, x: (np.tanh(s + x @ A), s), A[0], np.sin(X))[1]
    return np.sum(np.sin(np.exp(states) @ A.T))


def loops(compiled):
    return compiled.report().count("loop, ")


@pytest.mark.parametrize("dtype", [float, np.float32])
@pytest.mark.parametrize(("loss", "order"), [(rows, "rows"), (columns, "columns")])
def test_networks(loss, order, dtype):
    compiled = agree(fb.value_and_grad(loss), *network(order, dtype))
    assert loops(compiled) == 1
    whole = agree(fb.value_and_grad(loss), *network(order, dtype), passes=WHOLE)
    assert compiled.plan.tape.report.arena < whole.plan.tape.report.arena
    assert not loops(whole)


X, Z = rng.normal(size=(N, 3)), rng.normal(size=(N, 4)) + 1j * rng.normal(size=(N, 4))
A, V, LABELS = rng.normal(size=(3, 4)), rng.normal(size=(N, 6)), np.eye(2)[rng.integers(2, size=N)]
PROGRAMS = {
    "cross entropy": (fb.value_and_grad(cross_entropy), network("rows")[0], X, LABELS),
    "normalized": (fb.value_and_grad(normalized, (0, 1)), A, X),
    "greatest": (lambda A, X: (np.max(np.tanh(X @ A), axis=0), np.min(np.sin(X @ A), axis=0)), A, X),
    "result of each sample": (lambda A, X: np.exp(-((np.tanh(X @ A) @ A.T) ** 2)), A, X),
    "gradients of samples": (fb.grad(lambda X, A: np.sum(np.cos(np.sin(X @ A) @ A.T)), (0, 1)), X, A),
    "joined": (fb.grad(lambda X, A: np.sum(np.sin(np.concatenate([X @ A, X], axis=1)) ** 2), (0, 1)), X, A),
    "one behind the other": (fb.grad(lambda X, A: np.sum(np.sin(np.concatenate([X @ A, -X @ A])) ** 2)), X, A),
    "flat": (lambda A, X: np.concatenate([g.ravel() for g in fb.grad(normalized, (0, 1))(A, X)]), A, X),
    "Gram matrices": (lambda X, A: (np.sin(X @ A) @ np.sin(X @ A).T, np.sin(X @ A).T @ np.cos(X @ A)), X, A),
    "moments": (lambda X: (np.sin(X).T @ np.cos(X) + X.T @ np.exp(X), np.sum(np.sin(X) * X)), X),
    "slices": (fb.grad(lambda V: np.sum(np.sin(V[:, :3] * V[:, 3:]) @ V[0, :3])), V),
    "neighbours": (fb.grad(lambda V: np.sum(np.sin(np.sin(V[1:]) - np.cos(V[:-1])) ** 2)), V),
    "backwards": (lambda V: np.sum(np.sin(np.sin(V[::-1]) * V), axis=0), V),
    "masks": (fb.value_and_grad(lambda X, A: np.sum(np.where(np.sin(X @ A) > 0, X @ A, 0.1))), X, A),
    "complex": (lambda Z, A: (np.exp(Z) * Z).T @ (Z * Z), Z, A),
    "einsum": (fb.grad(lambda X, V: np.sum(np.sin(np.einsum("ni,nj->nij", X, V)) ** 2), (0, 1)), X, V),
    "stacks": (fb.grad(lambda V, A: np.sum(np.tanh(np.tanh(V.reshape(-1, 2, 3) @ A) @ A.T)), (0, 1)), V, A),
    "called": (fb.value_and_grad(lambda X, A: np.sum(np.sort(np.sin(X @ A), axis=0)[3:] ** 2)), X, A),
    "loop": (fb.grad(looped, (0, 1)), X, A),
    "of numbers": (lambda X: (np.sum(np.sin(X)) * np.cos(X), np.prod(np.cos(X), axis=1)), X),
    "Fortran": (fb.value_and_grad(normalized, (0, 1)), np.asfortranarray(A), np.asfortranarray(X)),
    "strided": (fb.value_and_grad(normalized, (0, 1)), A, np.repeat(X, 4, axis=1)[::-1, ::4]),
    "Hessian": (fb.hessian(lambda A, X: np.sum(np.sin(np.tanh(X @ A)))), A, X),
    "direction": (lambda A, X: fb.jvp(fb.grad(lambda A: np.mean(np.exp(np.tanh(X @ A)))), (A,), (np.cos(A),)), A, X),
}  # fmt: skip


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("length", [1, 2, 5])
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name, length, threads, monkeypatch):
    monkeypatch.setattr(chunks, "UNIT", length)
    f, *arguments = PROGRAMS[name]
    agree(f, *arguments, threads=threads)


@pytest.mark.parametrize("dtype", [float, np.float32])
@pytest.mark.parametrize(("loss", "order"), [(rows, "rows"), (columns, "columns")])
def test_threads_share_the_chunks(loss, order, dtype):
    f, arguments = fb.value_and_grad(loss), network(order, dtype)
    compiled = agree(f, *arguments, threads=3)
    assert "at the same time, the next 3" in compiled.report()
    first, second = compiled(*arguments), compiled(*arguments)
    for y, z in zip(optree.tree_leaves(first), optree.tree_leaves(second), strict=True):
        np.testing.assert_array_equal(y, z)


def test_greatest_elements_stay_on_one_thread(monkeypatch):
    monkeypatch.setattr(chunks, "LEAST", 3)  # an axis of 4 is too short
    compiled = agree(PROGRAMS["greatest"][0], A, X, threads=3)
    assert "at the same time" not in compiled.report()


def test_what_is_summed_over_the_samples_and_comes_back_makes_more_loops(monkeypatch):
    monkeypatch.setattr(chunks, "LEAST", 3)  # an axis of 4 is too short
    assert loops(agree(fb.value_and_grad(normalized, (0, 1)), A, X)) > 1


def extremes(X, Y):
    H = X + np.sin(Y)
    return np.max(H, axis=0), np.min(H, axis=0), np.sum(H, axis=0), np.max(X + np.cos(Y))


@pytest.mark.parametrize("at", [0, 11, N - 1])
def test_reductions_go_on_from_the_first_chunk(at):
    big = np.full((N, 3), -2.0)
    big[at] = 50.0, -70.0, 60.0
    agree(extremes, big, big)
    big[at] = np.nan
    assert all(np.isnan(y).all() for y in Compiled(extremes)(big, big))


def test_memory_does_not_grow_with_the_samples():
    sizes = []
    for n in (400, 40_000):
        X = rng.normal(size=(n, 3))
        compiled = Compiled(fb.value_and_grad(lambda A, X: np.sum(np.sin(np.tanh(X @ A) @ A.T) ** 2)))
        compiled(A, X)
        sizes.append(compiled.plan.tape.report.arena)
    assert sizes[0] == sizes[1]


def test_results_in_memory_of_the_caller():
    layers, X, Y = network("rows")
    compiled = fb.compile(fb.value_and_grad(rows))
    expected = fb.value_and_grad(rows)(layers, X, Y)
    out = np.full(sum(W.size + b.size for W, b in layers), np.nan)
    bound = compiled.bind(layers, X, Y, out=out)
    for _ in range(2):
        value, _ = bound()
        np.testing.assert_allclose(value, expected[0], rtol=1e-12)
        np.testing.assert_allclose(out, np.concatenate([g.ravel() for pair in expected[1] for g in pair]), atol=1e-12)


def test_wide_products_are_left_to_blas(monkeypatch):
    monkeypatch.setattr(chunks, "CACHE", 1 << 20)
    layers, *_ = network("rows", widths=(3, 400, 400))
    wide = layers, rng.normal(size=(500, 3)), rng.normal(size=(500, 400))
    assert "gemm 500 x 400 x 400" in agree(fb.value_and_grad(rows), *wide).report()
    assert "gemm 500 x 400 x 400" not in agree(fb.value_and_grad(rows), *wide, threads=2).report()


def test_short_programs_stay_whole(monkeypatch):
    monkeypatch.undo()
    assert not loops(agree(fb.value_and_grad(rows), *network("rows")))


def test_of_many_axes_the_longest_are_looked_at(monkeypatch):
    looks = []

    class Counted(chunks.Run):
        def __init__(self, code, *others):
            looks.append(len(code))
            super().__init__(code, *others)

    monkeypatch.setattr(chunks, "Run", Counted)
    monkeypatch.setattr(chunks, "MOST_LOOKS", 1000)
    monkeypatch.setattr(chunks, "CACHE", 4096)  # a sample takes more than 512 bytes
    compiled = agree(fb.value_and_grad(rows), *network("rows", widths=[3] * 40))
    assert loops(compiled) == 1
    assert sum(looks) < 4000
