"""Recurrences: when states, rows and results meet memory."""

import numpy as np
import pytest

import fastbs as fb
from compiled_programs import WITHOUT, agree
from fastbs.compiler import recurrences

rng = np.random.default_rng(2)
XS = rng.normal(size=(8, 3))


def is_recurrence(compiled):
    return "recurrence" in compiled.report() and "  loop" not in compiled.report()


STEPS = {
    "exchanged": lambda s, x, w: ((s[1], s[0] * x[0], s[2]), (s[0], s[1])),
    "rotated": lambda s, x, w: ((s[1], s[2], s[0] + x[1]), s),
    "the same twice": lambda s, x, w: ((s[0] * w, s[0] * w, s[0] * w), x[2] + s[2]),
    "a row, a number, a free value": lambda s, x, w: ((np.sin(s[0]) + s[1] * s[2], x[0], w), (2.0, x[1], w)),
    "in place": lambda s, x, w: ((0.1 * s[0] * s[1] + x[0], 0.1 * s[1] * s[1] - s[0] / 2, s[2] - s[0] / 4), s),
    "needed later": lambda s, x, w: ((s[0] * w, s[0] * s[1], s[0] - np.cos(s[2])), s[0] / (2 + np.cos(x[0]))),
    "chained": lambda s, x, w: (
        (x[0] - (w - s[0] * x[1]) / 3, 2 / (3 + (s[1] * s[1] - x[0])), -(x[2] * s[2] - (s[0] - w))), s[0] - (s[1] - 1)
    ),
    "functions": lambda s, x, w: ((np.tanh(s[0]), np.exp(-(s[1] ** 2)) + s[0], np.maximum(s[2], x[0])), np.floor(s[0])),
    "nothing computed": lambda s, x, w: ((s[1], s[0], s[2]), s[0]),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_steps(name, dtype):
    def f(s, xs, w):
        return fb.scan(lambda s, x: STEPS[name](s, x, w), tuple(s), xs)

    s, xs, w = np.array([0.3, -0.7, 1.1], dtype), XS.astype(dtype), dtype(0.7)
    compiled = agree(f, s, xs, w)
    assert is_recurrence(compiled) == (name != "nothing computed")
    agree(f, s, np.asfortranarray(xs), w)
    g = lambda *x: sum(np.sum(np.sin(y)) for y in f(*x)[0])  # noqa: E731
    agree(fb.grad(g, (0, 1, 2)), s, xs, w)
    agree(fb.hessian(g), s, xs, w)


def test_states_of_truth_values_and_rows_of_other_types():
    def f(s, xs, flags, counts):
        def step(state, x):
            s, flag = state
            new = np.where(flag & x[1], s * x[0], s - x[2])
            return (new, new > 0.5 * x[0]), (flag, s)

        return fb.scan(step, (s, np.array(True)), (xs, flags, counts))[1]

    flags = np.arange(8) % 3 > 0
    assert is_recurrence(agree(f, np.float64(0.4), XS[:, 0].copy(), flags, XS[:, 1].astype(np.float32)))


def test_steps_backwards_write_where_results_lie():
    def f(s, xs):
        _, (a, b) = fb.scan(lambda s, x: (np.sin(s) * x, (s, s * x)), s, xs)
        return np.stack([b, a], axis=1)

    agree(f, 0.3, XS[:, 0].copy())
    agree(fb.jacobian(f, (0, 1), order="reverse"), 0.3, XS[:, 0].copy())


def test_very_long_recurrences_are_cut(monkeypatch):
    def f(a, b, xs):
        return fb.scan(lambda s, x: ((s[1] * x, np.sin(s[0])), s[0] - s[1]), (a, b), xs)

    monkeypatch.setattr(recurrences, "LONGEST", 100.0)
    a, b = np.float64(0.4), np.float64(-2.0)
    assert agree(f, a, b, XS[:, 0].copy()).report().count("recurrence") > 2
    agree(fb.grad(lambda *x: np.sum(f(*x)[1]) + f(*x)[0][1], (0, 1, 2)), a, b, XS[:, 0].copy())


def test_too_many_accesses_stay_a_loop():
    def f(s, xs):
        return fb.scan(lambda s, x: (s * 0.5, [s + i for i in range(70)]), s, xs)

    passes = WITHOUT["distributed"]  # which computes results behind the loop
    compiled = agree(lambda s, xs: sum(np.sum(y) for y in f(s, xs)[1]), 0.3, XS[:, 0].copy(), passes=passes)
    assert not is_recurrence(compiled)
    assert "  loop, 8 times" in compiled.report()
