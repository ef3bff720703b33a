"""Reports: what a plan does, and how much of it."""

import numpy as np
import pytest

import fastbs as fb

rng = np.random.default_rng(0)
A, B, v = rng.normal(size=(6, 4)), rng.normal(size=(4, 5)), rng.normal(size=4)
W, s = rng.normal(size=(20, 20)), rng.normal(size=20)


def report(f, *arrays):
    compiled = fb.compile(f)
    compiled(*arrays)
    return compiled.report()


def test_a_report_names_what_is_done():
    f = fb.compile(lambda x: np.sum(np.tanh(x) * np.cumsum(x)))
    assert f.report() == "not compiled yet: call it first"
    f(s)
    assert "1 calls into Python" in f.report()
    assert "cluster 20 (float64): tanh, multiply, sum" in f.report()
    assert "call cumsum at" in f.report()
    assert "product 6 x 5 x 4, then tanh" in report(lambda a, b: np.tanh(a @ b), A, B)


@pytest.mark.parametrize(
    ("f", "arrays", "elements"),
    [
        (lambda a, b: a @ b, (A, B), 24 + 20 + 30),
        (lambda a, v: a @ v, (A, v), 24 + 4 + 6),
        (lambda v, a: v @ a.T, (v, A), 24 + 4 + 6),
        (lambda a, b, c: a @ b + c, (A, B, A @ B), 24 + 20 + 30 + 30),
        (lambda a, v: a + v, (A, v), 24 + 4 + 24),
        (lambda a: np.zeros_like(a), (A,), 1 + 24),
        (np.sum, (A,), 24 + 1),
        (lambda a: np.sum(a * a, axis=0), (A,), 24 + 4),
        (lambda a, b: np.tanh(a @ b) + 1, (A, B), 24 + 20 + 30 + 30 + 30),
        (lambda a: np.cumsum(a, axis=0), (A,), 24 + 24),  # by a call
        (np.linalg.cholesky, (A.T @ A,), 16 + 16 + 16 + 16),  # a copy first
        (lambda a: np.float32(1) * a, (W.astype(np.float32),), (400 + 400) / 2),
        (lambda a: fb.cond(a[0, 0] > 0, np.sin, np.cos, a), (A,), 1 + 1 / 8 + 2 * (24 + 24)),
        (lambda a: fb.scan(lambda s, _: (a @ s, None), s, length=10)[0], (W,), 10 * (400 + 20 + 20)),
        (lambda s: fb.scan(lambda t, x: (np.sin(t) * x, None), s[3], s)[0], (s,), 1 + 20 + 1),  # a recurrence
    ],
)
def test_bytes_are_what_instructions_read_and_write(f, arrays, elements):
    assert f"flops, {8 * elements:.0f} bytes read and written" in report(f, *arrays)


def flops(f, *arrays):
    return float(report(f, *arrays).split("about ")[1].split()[0])


def test_flops_count_reductions_and_the_steps_of_loops():
    def times(n):
        return flops(lambda w: fb.scan(lambda s, _: (w @ s, None), s, length=n)[0], W)

    assert "about 0 flops, 0 bytes" in report(lambda n: None, s)
    assert flops(np.sum, W) == 400
    assert 9 < times(100) / times(10) < 11


def test_parts_on_threads_move_what_the_whole_does():
    X = np.ones((300, 1000))
    one, two = (fb.compile(np.tanh, threads=threads) for threads in (1, 2))
    one(X), two(X)
    assert "at the same time, the next 2" in two.report()
    assert f"{16 * X.size} bytes" in one.report()
    assert f"{16 * X.size} bytes" in two.report()
