"""Instructions of a layer that run together: which they are, and that they give what they give one by one."""

import numpy as np
import pytest

import fastbs as fb
from compiled_programs import agree, loss, network
from fastbs.compiler.assemble import PASSES

APART = tuple(name for name in PASSES if name != "layers")


def joined(compiled):
    return sum("together" in line for line in compiled.plan.tape.report.lines)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [7, 8, 9, 15, 16, 17, 31, 33, 50, 64, 71])
@pytest.mark.parametrize("m", [2, 5, 8, 17])
def test_all_sizes(m, n, dtype):
    parameters, *data = network((n, m, n, 3), 1, dtype)
    arguments = [(W / dtype(n), b) for W, b in parameters], *data  # far from where tanh is flat and 1 - tanh^2 noise
    compiled = agree(fb.value_and_grad(loss), *arguments)
    assert joined(compiled) == (3 if n >= 8 and m >= 8 else 2 if n >= 8 else 1 if m >= 8 else 0)
    apart = agree(fb.value_and_grad(loss), *arguments, passes=APART)
    assert joined(apart) == 0


def test_the_product_of_a_first_layer_is_nobody_s():
    compiled = agree(fb.value_and_grad(loss), *network((16, 16, 16), 1))
    assert [line.rsplit("next ")[-1] for line in compiled.plan.tape.report.lines if "together" in line] == ["1", "1"]


@pytest.mark.parametrize(
    "f",
    [
        lambda w, d, x: (np.outer(d, x), w.T @ d),
        lambda w, d, x: (np.outer(d * (1 - x * x), x), w.T @ (d * (1 - x * x))),
        lambda w, d, x: (np.outer(w @ d, x), w.T @ (w @ d) + x),
        lambda w, d, x: (w.T @ d, np.outer(x, d)),
        lambda w, d, x: np.outer(d - x * d, w.T @ (d - x * d)),
        lambda w, d, x: w.T @ (w.T @ (d * (x - d * x))) + np.outer(d * (x - d * x), x)[3],
    ],
)
def test_other_programs(f):
    rng = np.random.default_rng(0)
    arguments = rng.normal(size=(12, 12)), rng.normal(size=12), rng.normal(size=12)
    for passes in (PASSES, APART):
        agree(f, *arguments, passes=passes)


def test_inside_of_a_loop():
    rng = np.random.default_rng(0)

    def f(w, x):
        return np.sum(fb.scan(lambda x, _: (np.tanh(w @ x), None), x, length=4)[0] ** 2)

    agree(fb.grad(f, (0, 1)), rng.normal(size=(12, 12)), rng.normal(size=12))
