"""Loops over numbers, distributed: what is left in the loop, and that it gives the same."""

import numpy as np
import pytest

import fastbs as fb
from compiled_programs import WITHOUT, agree
from fastbs.compiled import Compiled
from fastbs.compiler.assemble import PASSES
from random_programs import LINES, Program

rng = np.random.default_rng(5)
XS = rng.normal(size=(9, 2))
S = np.array([0.3, -0.8])


def steps_left(compiled):
    """The elementwise steps inside of each loop, those left out that run where states are infinite."""
    lines = compiled.report().splitlines()
    assert not any(line.strip().startswith("loop") for line in lines)
    return [line.split(": ")[1].split(", ") for line in lines if line.startswith("  recurrence")]


def test_a_sum_is_no_loop():
    def f(xs, w):
        total, _ = fb.scan(lambda s, x: ((s[0] + x[0] * w - x[1], s[1] - np.exp(x[1]) + 2.0), None), (w, 0.5), xs)
        return total

    for g in (f, fb.grad(lambda xs, w: f(xs, w)[0] * f(xs, w)[1], (0, 1))):
        assert steps_left(agree(g, XS, 0.7)) == []


def test_running_sums_stay():
    f = lambda xs: fb.scan(lambda s, x: (s + x[0], s), 1.0, xs)  # noqa: E731
    assert steps_left(agree(f, XS)) == [["add"]]


def test_rows_are_computed_in_front_of_the_loop_and_results_behind():
    def f(s, xs, w):
        return fb.scan(lambda s, x: (np.sin(s * np.exp(x[0]) + w * w), np.cos(s) * x[1]), s, xs)

    compiled = agree(f, 0.3, XS, 1.5)
    assert sorted(steps_left(compiled)[0]) == ["add", "multiply", "sin"]
    # back: x' = a_i x'_{i+1} + b_i, where a_i is known at all steps
    compiled = agree(fb.grad(lambda *x: np.sum(f(*x)[1] ** 2), (0, 1, 2)), 0.3, XS, 1.5)
    assert sorted(steps_left(compiled)[1]) in (["add", "multiply"], ["multiply", "subtract"])


def test_cotangents_are_multiplied_by_matrices():
    def step(s, x):
        for _ in range(3):
            s = np.stack([np.sin(s[0]) * s[1] + x[0], s[0] / (1 + s[1] ** 2)])
        return s, s

    def f(s, xs):
        s, ys = fb.scan(step, s, xs)
        return np.sum(s) + np.sum(ys**2)

    back = steps_left(agree(fb.grad(f, (0, 1)), S, XS))[1]
    assert len(back) <= 8
    assert set(back) == {"multiply", "add"}


def test_states_of_all_kinds():
    def step(state, x):
        a, b, c, d, e, f = state
        # nonlinear, linear, a row, the same, exchanged, a truth value
        new = (np.sin(a) + b, 0.5 * b - x[1] * c, x[0], d, a, a > x[0])
        return new, (a * c, d * c, np.where(f, b, e), x[0] > 0, 1.5, c)

    def run(s, d, xs):
        return fb.scan(step, (s[0], s[1], np.float64(0.1), d, np.float64(2.0), np.array(False)), xs)

    agree(run, S, np.float64(1.3), XS)
    agree(
        fb.grad(lambda *x: sum(np.sum(y**2) for y in run(*x)[1][:3]) + run(*x)[0][1], (0, 1, 2)), S, np.float64(1.3), XS
    )
    agree(fb.hessian(lambda s, xs: np.sum(run(s, 1.3, xs)[1][2] ** 2)), S, XS)


def test_infinities_of_branches_that_are_not_taken():
    def f(xs, w):
        step = lambda s, x: (np.where(x[0] > 0, s * np.sqrt(np.maximum(x[0], 0)), s - w), s)  # noqa: E731
        s, ys = fb.scan(step, w, xs)
        return s + np.sum(ys)

    for domain in (np.abs, np.negative):
        xs = domain(XS) - 1.0 * (domain is np.negative)
        agree(fb.value_and_grad(f, (0, 1)), xs, 0.7)


HUGE = np.where(np.arange(18).reshape(9, 2) % 3 == 1, -1.0, 1.0) * 1e200


@pytest.mark.parametrize(
    "step",
    [
        lambda s, x: (
            np.where(x[0] < 0, 1.0, (s * x[0] * 3 - x[0]) * 2 + s * x[1])[()],
            s,
        ),  # begins anew where it was inf
        lambda s, x: (s * x[0] * x[1] - s * 0.5 * x[1] + s, s),  # zero times an infinite coefficient
        lambda s, x: ((s * x[0]) * 1e-300 * x[1] * 1e-100 + 0.5 * s - s / 4, np.cos(s)),
        lambda s, x: (np.where(x[0] < 0, s * 1e-170, s * x[0] * x[1] * 1e-300 + s)[()], np.minimum(s, x[1])),
    ],
)
@pytest.mark.parametrize("s", [0.0, 1.0, 1e-300, np.inf])
def test_products_that_overflow_alone(step, s):
    """Compiled loops are as finite as they were."""
    f = lambda s, xs: fb.scan(lambda s, x: step(s, x), s, xs)  # noqa: E731
    g = lambda s, xs: fb.value_and_grad(lambda *x: f(*x)[0], (0, 1))(s, xs)  # noqa: E731
    with np.errstate(all="ignore"):
        compiled = agree(f, s, HUGE)
        assert "if not the flag" in compiled.report()
        agree(g, s, XS)


def test_states_that_only_wait_are_not_multiplied_out():
    def f(a, b, xs, w):  # what b was is forgotten: nobody would see that 0 inf was NaN there
        step = lambda s, x: ((x[0], w * (s[0] * x[0] * x[1] * x[1] * 2) * 3 + s[0]), s[1])  # noqa: E731
        return fb.scan(step, (a, b), xs)

    with np.errstate(all="ignore"):
        agree(f, 0.0, 1.0, HUGE, 0.0)
        agree(f, 0.0, 1.0, XS, 0.5)


def test_terms_of_sums_cancel_in_each_step():
    f = lambda s, xs, w: fb.scan(lambda s, x: ((s[0] + w - w, s[1] - x[0] - 0.5 + x[1]), None), (s, s), xs)[0]  # noqa: E731
    agree(f, np.float64(0), np.full((9, 2), 1e308), np.float64(1e308))
    agree(f, np.float64(1), XS, 0.3)


def test_long_loops():
    f = lambda s, w: fb.scan(lambda s, _: (w * s * (1 - s), s), s, length=100_000)[1][-1]  # noqa: E731
    compiled = fb.compile(fb.value_and_grad(f, (0, 1)))
    (value, (ds, dw)), expected = compiled(0.4, 2.5), 1 - 1 / 2.5
    assert value == pytest.approx(expected, rel=1e-14)
    assert (ds, dw) == (pytest.approx(0, abs=1e-12), pytest.approx(1 / 2.5**2, rel=1e-12))


# Random bodies


def check(seed):
    body = Program(seed, LINES, shapes=((2,), (), (3,), (2, 2), (1, 2)), length=(3, 10))
    s, x, w = body.arguments
    rng = np.random.default_rng(seed)
    xs = rng.normal(size=(5, *np.shape(x)))

    def step(s, x, w):
        values = body.values(s, x, w)
        fits = [v for v in values[3:] if np.shape(v) == np.shape(s)]
        ys = [v for v in values[3:] if np.size(v) < 5][-2:]
        return np.sin(s * np.mean(w) + (fits[-1] if fits else np.sum(values[-1]))), ys

    def f(s, xs, w):
        s, ys = fb.scan(lambda s, x: step(s, x, w), s, xs)
        return np.sum(s) + sum(np.sum(np.tanh(0.1 * y)) for y in ys)

    gradient = fb.value_and_grad(f, (0, 1, 2))
    choices = [
        PASSES,
        WITHOUT["scalars"],
        WITHOUT["distributed"],
    ]
    compiled = Compiled(gradient, passes=choices[seed % 3 if seed % 2 else 0])
    second = [np.array(-1.3 * np.flip(x)) for x in (s, xs, w)]
    with np.errstate(all="ignore"):
        for given in ((s, xs, w), second, (s, xs, w)):
            value, gs = gradient(*given)
            near = [f(*[y * (1 + 1e-13 * rng.normal(size=np.shape(y))) for y in given]) for _ in range(4)]
            if not all(np.all(np.isfinite(g)) for g in gs) or not all(abs(y - value) < 1e-8 for y in near):
                continue
            got, found = compiled(*given)
            scale = max(1.0, *(np.max(np.abs(g)) for g in gs))
            for y, z in zip((got, *found), (value, *gs), strict=True):
                np.testing.assert_allclose(y, z, rtol=1e-9, atol=1e-9 * scale)


@pytest.mark.parametrize("seed", range(40))
def test_random_bodies(seed):
    check(seed)


@pytest.mark.slow
def test_a_thousand_random_bodies():
    for seed in range(1000, 2000):
        check(seed)
