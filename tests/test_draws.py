"""Draws: generators that a function can reach, wherever they are."""

import functools
import random
import threading

import numpy as np
import pytest

import fastbs as fb
from fastbs.draws import Draws

rng = np.random.default_rng(0)
old = np.random.RandomState(0)


class Model:
    def __init__(self):
        self.rng = np.random.default_rng(0)

    def loss(self, x):
        return np.sum(x) + 0 * self.rng.integers(0, 5)


def through_a_default(x, rng=rng):
    return np.sum(x) + 0 * rng.integers(0, 5)


# The numbers do not come into the result, so that any two runs are the same.
DRAWING = {
    "global of NumPy": lambda x: np.sum(x) + 0 * np.random.randint(0, 5),  # noqa: NPY002
    "global of Python": lambda x: np.sum(x) * random.choice([1.0]),
    "of the module": lambda x: np.sum(x) + 0 * rng.integers(0, 5),
    "of the old kind": lambda x: np.sum(x) + 0 * old.randint(0, 5),
    "in a closure": (lambda g: lambda x: np.sum(x) + 0 * g.integers(0, 5))(np.random.default_rng(1)),
    "of a function inside": lambda x: (lambda: np.sum(x) + 0 * rng.integers(0, 5))(),
    "of a method": Model().loss,
    "of a partial function": functools.partial(lambda g, x: np.sum(x) + 0 * g.integers(0, 5), np.random.default_rng(1)),
    "by default": through_a_default,
    "in a list": (lambda gs: lambda x: np.sum(x) + 0 * gs[0].integers(0, 5))([np.random.default_rng(1)]),
    "in a dict": (lambda gs: lambda x: np.sum(x) + 0 * gs["g"].integers(0, 5))({"g": np.random.default_rng(1)}),
    "through another function": lambda x: through_a_default(x),
}


@pytest.mark.parametrize("f", DRAWING.values(), ids=DRAWING.keys())
def test_generators_inside_are_refused(f):
    for compiled in (fb.compile(f), fb.compile(fb.value_and_grad(f))):
        with pytest.raises(fb.TraceError, match=r"do the same each time .* got random numbers drawn .* as arguments"):
            compiled(np.ones(3))


def test_generators_without_a_seed_are_refused():
    """A branch on chance is taken alike in two traces half of the time."""
    for f in (
        lambda x: x if np.random.default_rng().random() > 0.5 else -x,
        lambda x: x if random.Random().random() > 0.5 else -x,
        lambda x: x * random.SystemRandom().choice([1.0, 2.0]),
    ):
        for _ in range(5):
            with pytest.raises(fb.TraceError, match=r"do the same each time"):
                fb.compile(f)(np.ones(3))


def test_generators_that_start_again_are_no_chance():
    def f(x):
        random.seed(1)
        return np.sum(x * np.random.default_rng(0).normal(size=3)) * random.random()

    assert fb.compile(f)(np.ones(3)) == f(np.ones(3))


def test_draws_of_other_threads_are_theirs():
    ended = threading.Event()

    def draw():
        while not ended.is_set():
            random.random()

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        for n in range(1, 10):
            assert fb.compile(np.sum)(np.ones(n)) == n
    finally:
        ended.set()
        thread.join()


def test_draws_are_seen_once():
    draws = Draws(DRAWING["of the module"])
    assert not draws.seen()
    rng.random()
    assert draws.seen() == "own"
    assert not draws.seen()
    random.random()
    assert draws.seen() == "shared"
