"""A solve by a tape gives what the steps give one by one, for every structure and its neighbours."""

import threading

import numpy as np
import optree
import pytest

import fastbs as fb
from fastbs import replay
from fastbs._trace import Structure, node_of, trace
from fastbs.system import pull_back

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Tapes are made at the second call, and none is left from other tests."""
    monkeypatch.setattr(replay, "RENT", 1)
    monkeypatch.setattr(replay, "structures", type(replay.structures)())


def tapes():
    return [tape for tape in replay.structures.values() if type(tape) is replay.Tape]


def stepwise(f, *arguments):
    inputs, y, _ = trace(f, [np.asarray(a) if np.ndim(a) else np.float64(a) for a in arguments])
    return pull_back(inputs, [node_of(y)], [np.float64(1)])


PROGRAMS = {
    "network": lambda W, x: np.sum(np.tanh(W @ x) ** 2),
    "reused": lambda W, x: np.sum(x * np.exp(x) + np.sum(W) * x),
    "in place": lambda W, x: np.sum(filled(W) * np.sin(x)),
    "masks": lambda W, x: np.sum(np.where(x > 0, x**2, np.maximum(x, -1)) + np.max(W, axis=1)),
    "constants": lambda W, x: np.sum(x / np.float32(3) + 2.5 * x - np.arange(3.0) ** 2 * x),
    "memory orders": lambda W, x: np.sum((W.T @ W) * np.arange(9.0).reshape(3, 3, order="F")) + x[0],
    "one argument only": lambda W, x: np.sum(x[1:] * 2),
    "mixed dtypes": lambda W, x: np.sum(W.astype(np.float32) * 2) + np.sum(x),
}


def filled(W):
    A = np.zeros_like(W)
    A[0] = W[1]
    A[1:] += 2 * W[1:]
    return A


@pytest.mark.parametrize("name", PROGRAMS)
def test_equals_steps(name):
    f, gradient = PROGRAMS[name], fb.grad(PROGRAMS[name], argnums=(0, 1))
    for _ in range(5):
        W, x = rng.normal(size=(3, 3)), rng.normal(size=3)
        for found, expected, argument in zip(gradient(W, x), stepwise(f, W, x), (W, x), strict=True):
            assert (found.dtype, found.flags.writeable) == (argument.dtype, True)
            expected = np.zeros(argument.shape) if expected is None else expected
            np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)
    assert len(tapes()) == 1


JACOBIANS = {
    "bottleneck": lambda W, x: np.tanh(np.tanh(W[:1] @ x) * np.ones(4)) * x[0],
    "several outputs": lambda W, x: (np.exp(W @ x), np.sum(x), x[0] * 2),
    "one argument only": lambda W, x: np.sin(x),
    "constant": lambda W, x: (np.ones(2), x),
}


@pytest.mark.parametrize("name", JACOBIANS)
@pytest.mark.parametrize("order", ["auto", "forward", "reverse"])
def test_jacobians(name, order):
    f = JACOBIANS[name]
    jacobian = fb.jacobian(f, argnums=(0, 1), order=order)
    compiled = fb.compile(fb.jacobian(f, argnums=(0, 1), order=order))
    for _ in range(4):
        W, x = rng.normal(size=(3, 3)), rng.normal(size=3)
        for found, expected in zip(optree.tree_leaves(jacobian(W, x)), optree.tree_leaves(compiled(W, x)), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    assert len(tapes()) == 1


def test_large_constants_are_not_kept(monkeypatch):
    monkeypatch.setattr(replay, "MOST_CONSTANTS", 100)
    jacobian = fb.jacobian(lambda x: np.sin(x) * x[0])
    for _ in range(4):
        assert jacobian(np.ones(9)).shape == (9, 9)
    assert not tapes()


def test_value_dependent_branches_are_structures_of_their_own():
    gradient = fb.grad(lambda x: x * x if x > 0 else -3 * x)
    for x in (2.0, 2.0, 3.0, -1.0, -1.0, -2.0, 4.0):
        assert gradient(x) == (2 * x if x > 0 else -3)
    assert len(tapes()) == 2


def test_rules_that_need_values_or_python_stay_stepwise():
    gradient = fb.grad(lambda A: np.linalg.slogdet(np.linalg.inv(A))[1])
    A = np.eye(3) + 0.1 * rng.normal(size=(3, 3))
    for _ in range(4):
        np.testing.assert_allclose(gradient(A), -np.linalg.inv(A).T)
    assert not tapes()


def test_rules_of_users_stay_stepwise():
    scale = [2.0]

    @fb.rule(operators=lambda y, x: [fb.Hadamard(np.full(x.shape, scale[0]))])
    def doubled(x):
        return scale[0] * x

    gradient = fb.grad(lambda x: np.sum(doubled(x)))
    for scale[0] in (2.0, 2.0, 2.0, 3.0):
        assert gradient(np.ones(2)).tolist() == [scale[0]] * 2
    assert not tapes()


@pytest.mark.parametrize(
    "settings", [(1, True), (1, 1.0), (1.0, np.float64(1)), (1.0, np.float32(1)), (2, 3), (0.0, -0.0)]
)
def test_numbers_of_other_kinds_do_not_share_a_tape_wrongly(settings):
    for _ in range(3):
        for c in settings:
            x = np.array([0.5, -2.0], np.float32)
            found = fb.grad(lambda x, c=c: np.sum(np.arctan2(x * c, x + c)))(x)
            inputs, y, _ = trace(lambda x, c=c: np.sum(np.arctan2(x * c, x + c)), [x])
            (expected,) = pull_back(inputs, [node_of(y)], [np.float32(1)])
            np.testing.assert_allclose(found, expected, rtol=1e-6)


def key(f, *values):
    inputs, y, _ = trace(f, list(values))
    return Structure(inputs, [node_of(y)], [np.float64(1)]).key


def test_what_belongs_to_a_structure():
    x, A = np.arange(4.0), np.arange(6.0).reshape(2, 3)
    assert key(np.sum, x) == key(np.sum, x + 1)
    assert key(np.sum, x) != key(np.sum, x[:3])
    assert key(np.sum, x) != key(np.sum, x.astype(np.float32))
    assert key(np.sum, A) != key(np.sum, np.asfortranarray(A))
    assert key(np.sum, A) != key(np.sum, np.repeat(A, 2, axis=1)[:, ::2])
    assert key(lambda x: x[1], x) != key(lambda x: x[2], x)
    assert key(lambda x: x[1:], x) != key(lambda x: x[:3], x)
    assert key(lambda x: np.sum(x * 2), x) != key(lambda x: np.sum(x * 3), x)
    assert key(lambda x: np.sum(x * 2.0), x) == key(lambda x: np.sum(x * 3.0), x)
    assert key(lambda x, y: np.sum(x), x, x) != key(lambda x, y: np.sum(y), x, x)
    assert key(lambda x: np.clip(x, None, 1.0).sum(), x) != key(lambda x: np.clip(x, 1.0, None).sum(), x)


def test_nested_and_long_recordings_have_none():
    keys = []

    def inner(x):
        inputs, y, _ = trace(np.sum, [x])
        keys.append(Structure(inputs, [node_of(y)], [1.0]).key)
        return np.sum(x)

    fb.grad(inner)(np.ones(2))
    assert keys == [None]

    def long(x):
        for _ in range(6000):
            x = x * 0.5
        return x

    assert key(long, np.float64(1)) is None


def test_threads_share_tapes():
    gradient = fb.grad(PROGRAMS["network"])
    W = [rng.normal(size=(3, 3)) for _ in range(4)]
    x = rng.normal(size=3)
    expected = [stepwise(PROGRAMS["network"], w, x)[0] for w in W]
    failures = []

    def work(w, e):
        for _ in range(50):
            failures.extend([w] if not np.allclose(gradient(w, x), e, rtol=1e-12) else [])

    threads = [threading.Thread(target=work, args=pair) for pair in zip(W, expected, strict=True)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failures
    assert len(tapes()) == 1


def test_few_structures_are_kept():
    for n in range(1, replay.MOST_STRUCTURES + 20):
        fb.grad(np.sum)(np.ones(n))
    assert len(replay.structures) == replay.MOST_STRUCTURES


def test_results_are_the_callers_own():
    gradient = fb.grad(lambda x, y: np.sum(x) + np.sum(y), argnums=(0, 1))
    for _ in range(3):
        a, b = gradient(np.ones(3), np.ones(3))
        a += 1
        assert (a.tolist(), b.tolist()) == ([2, 2, 2], [1, 1, 1])
