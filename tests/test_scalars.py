"""Loops over small arrays as loops over numbers."""

import numpy as np
import pytest

import fastbs as fb
from compiled_programs import WITHOUT, agree
from fastbs.compiler.assemble import PASSES

rng = np.random.default_rng(11)
W = rng.normal(size=(2, 3)) / 2
S = rng.normal(size=2)
XS = rng.normal(size=(7, 3))
KEPT = WITHOUT["distributed"]


def assigned(s, x, w):
    t = s + x[:2]
    t[1] = s[0] * np.cos(x[2])
    t[0] += w[0, 0]
    return t / 3, t[::-1]


BODIES = {
    "product": lambda s, x, w: (np.tanh(w @ x - s), w.T @ s),
    "rows and columns": lambda s, x, w: (np.sum(w * x, axis=1) - s, np.mean(w, axis=0, keepdims=True) * s[0]),
    "largest and least": lambda s, x, w: (s * np.max(x) + np.min(w, axis=1), np.max(x * s[1])),
    "stacked": lambda s, x, w: (np.stack([s[1] * x[0], -s[0]]), np.stack([w, -w], axis=1)),
    "joined": lambda s, x, w: (np.concatenate([s[1:], x[:1] * s[0]]), np.concatenate([w[0], s])),
    "shapes": lambda s, x, w: (np.reshape(w.T, (2, 3))[:, 1] * s, s[:, None] * x),
    "assigned": assigned,
    "inner": lambda s, x, w: (s / (1 + np.vecdot(x, x)), np.vecdot(w, x)),
    "choice": lambda s, x, w: (np.where(s > x[:2], s * x[1], w[:, 0] - s), (x > 0) & (x < s[0])),
    "equal numbers": lambda s, x, w: (s + np.ones_like(s) * x[0] - np.zeros_like(s), np.zeros_like(x) + s[0]),
    "constants": lambda s, x, w: (s * [0.5, -0.25], np.array([1.0, 2.0])),
    "outer": lambda s, x, w: (np.outer(s, x)[:, 1] - s, np.outer(x, s)),
}


def results(body):
    return lambda s, xs, w: fb.scan(lambda s, x: body(s, x, w), s, xs)


def loss(body):
    def f(s, xs, w):
        s, ys = fb.scan(lambda s, x: body(s, x, w), s, xs)
        return np.sum(np.sin(s)) + np.sum(np.cos(ys))

    return f


@pytest.mark.parametrize("passes", [PASSES, KEPT], ids=["distributed", "kept"])
@pytest.mark.parametrize("name", BODIES)
def test_bodies(name, passes):
    for f in (results(BODIES[name]), fb.value_and_grad(loss(BODIES[name]), (0, 1, 2))):
        assert no_array_in_a_loop(agree(f, S, XS, W, passes=tuple(passes)))
        agree(f, *[np.asarray(x, np.float32) for x in (S, XS, W)], passes=tuple(passes))


def test_several_dtypes():
    f = results(lambda s, x, w: (s * x[:2].astype(np.float32) + 0.1, w.astype(np.float32) * np.float32(3)))
    agree(f, S, XS, W)
    agree(f, *[np.asarray(x, np.float32) for x in (S, XS, W)])


def no_array_in_a_loop(compiled):
    inside = [line for line in compiled.report().splitlines() if line.startswith("    ")]
    return all("cluster 1 (" in line or "recurrence" in line or line.endswith(" 1 x 1") for line in inside)


def test_larger_arrays_stay():
    w, s, xs = rng.normal(size=(6, 6)) / 3, rng.normal(size=6), rng.normal(size=(5, 6))
    compiled = agree(fb.grad(loss(lambda s, x, w: (np.tanh(w @ s + x), s)), (0, 1, 2)), s, xs, w)
    assert "product 6 x 1 x 6" in compiled.report()
    compiled = agree(results(lambda s, x, w: (s, np.cumsum(x))), S, XS, W)
    assert not no_array_in_a_loop(compiled)


def test_numbers_of_several_arrays_and_kinds():
    def f(p, q, xs, scale):
        def step(state, x):
            (a, b), flag = state
            return ((b * x[0] - a, np.cos(a) * scale), a[0] > b[0]), (a, flag)

        return fb.scan(step, ((p, q), np.array(True)), xs)

    agree(f, S, S[::-1].copy(), XS, 0.5)
    agree(fb.jacobian(lambda *x: f(*x)[1][0], (0, 1, 2)), S, S[::-1].copy(), XS, 0.5)


def test_equal_rows_and_free_values_are_taken_once():
    f = lambda s, xs, w: fb.scan(lambda s, x: (s * w[0, 0] + w[0, 0] * x[0] * x[0], s), s, xs)  # noqa: E731
    compiled = agree(fb.grad(lambda *x: np.sum(f(*x)[1] ** 2), (0, 1, 2)), S, XS, W)
    assert no_array_in_a_loop(compiled)
