"""compile(threads=n): the same results, on workers that are only started for long instructions."""

import os
import threading

import numpy as np
import pytest

import fastbs as fb
from fastbs._tape import workers

rng = np.random.default_rng(0)


def loss(W, b, X, Y):
    for w, c in zip(W, b, strict=True):
        X = np.tanh(w @ X + c)
    return np.mean((X - Y) ** 2) + 1e-3 * sum(np.sum(w * w) for w in W)


def network(n, batch, dtype=float, order="C"):
    def array(*shape):
        return np.asarray(rng.normal(size=shape), dtype, order=order)

    return [array(n, n) for _ in range(2)], [array(n, 1) for _ in range(2)], array(n, batch), array(n, batch)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("n", "batch"), [(130, 201), (97, 400), (256, 64), (17, 5000)])
@pytest.mark.parametrize("threads", [2, 3])
def test_networks(dtype, order, n, batch, threads):
    arguments = network(n, batch, dtype, order)
    f = fb.value_and_grad(loss, argnums=(0, 1))
    alone, several = fb.compile(f), fb.compile(f, threads=threads)
    tolerance = 1e-4 if dtype == np.float32 else 1e-12
    for _ in range(2):
        value, (W, b) = alone(*arguments)
        value_, (W_, b_) = several(*arguments)
        np.testing.assert_allclose(value_, value, rtol=tolerance)
        for x, y in zip([*W, *b], [*W_, *b_], strict=True):
            np.testing.assert_allclose(y, x, rtol=0, atol=tolerance * np.abs(x).max())
        for y, z in zip(W_, several(*arguments)[1][0], strict=True):
            np.testing.assert_array_equal(y, z)
        arguments = network(n, batch, dtype, order)
    assert "at the same time" in several.report()
    assert "at the same time" not in alone.report()


PROGRAMS = {
    "rows": lambda A, x: np.exp(A) * x + np.sin(A),
    "reduced rows": lambda A, x: np.sum(np.exp(A) * x, axis=0),
    "reduced columns": lambda A, x: np.max(np.exp(A) * x, axis=1),
    "reduced": lambda A, x: np.sum(np.exp(A) * np.sin(A * x)),
    "masks": lambda A, x: np.where(A > 0, np.log1p(np.abs(A)), np.expm1(A)) > 0.1,
    "stacks": lambda A, x: np.reshape(A, (4, 250, -1)) @ np.reshape(A, (4, -1, 250)),
    "transposed": lambda A, x: np.exp(A.T) + np.reshape(x, (-1, 1)),
    "slices": lambda A, x: np.tanh(A[::2, 5:] * 3) + A[1::2, :-5],
    "several": lambda A, x: (np.exp(A), A.T @ A, np.sum(A, axis=0)),
    "copies": lambda A, x: np.concatenate([A, A[::-1], A]),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    A, x = rng.normal(size=(1000, 300)), rng.normal(size=300)
    found, expected = fb.compile(PROGRAMS[name], threads=2)(A, x), fb.compile(PROGRAMS[name])(A, x)
    for y, z in zip(*(v if isinstance(v, tuple) else (v,) for v in (found, expected)), strict=True):
        np.testing.assert_allclose(y, z, rtol=1e-12, atol=1e-12)


def test_small_plans_stay_on_the_calling_thread():
    started = workers()
    small = fb.compile(fb.grad(loss), threads=64)
    small(*network(16, 8))
    assert "at the same time" not in small.report()
    assert workers() == started


def test_several_callers_at_once():
    arguments = network(200, 200)
    several = fb.compile(fb.value_and_grad(loss), threads=2)
    expected, failures = several(*arguments), []

    def work():
        for _ in range(20):
            value, W = several(*arguments)
            failures.extend([1] * (value != expected[0] or not np.array_equal(W[0], expected[1][0])))

    callers = [threading.Thread(target=work) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not failures


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
def test_after_fork():
    arguments = network(200, 200)
    several = fb.compile(loss, threads=2)
    expected = several(*arguments)
    child = os.fork()
    if child == 0:
        os._exit(0 if several(*arguments) == expected else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("threads", [0, -1, 1.5, None])
def test_bad_numbers(threads):
    with pytest.raises(ValueError, match="threads must be a positive int"):
        fb.compile(loss, threads=threads)


@pytest.mark.parametrize("threads", [0, -1, 1.5, None])
def test_bad_numbers_for_systems(threads):
    stack = fb.Bidiagonal.from_arrays(None, np.zeros((1, 2, 2)))
    triangle = fb.Triangular.from_arrays(np.eye(4), block=2)
    for system in (stack, triangle, fb.factorize(stack)):
        with pytest.raises(ValueError, match="threads must be a positive int"):
            system.solve(np.ones(4), threads=threads)
