"""`check_gradient`: right derivatives pass, wrong ones fail with both sides; see test_laws for operators."""

import numpy as np
import pytest

import fastbs as fb
from fastbs.testing import check_gradient

RNG = np.random.default_rng(0)
W, X = RNG.normal(size=(3, 4)), RNG.normal(size=(4, 2))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_right_derivatives_pass(dtype):
    w, x = W.astype(dtype), X.astype(dtype)
    check_gradient(lambda w, x: np.sum(np.tanh(w @ x)), w, x)
    check_gradient(lambda w, x: np.tanh(w @ x), w, x, argnums=1)
    check_gradient(lambda p, n, name: {"a": p["w"] ** n, name: np.exp(p["s"])}, {"w": w, "s": dtype(0.3)}, 3, "b")
    check_gradient(fb.compile(fb.grad(lambda w, x: np.sum((w @ x) ** 3))), w, x)


def test_large_and_tiny_values_pass():
    check_gradient(lambda x: 1e8 * np.sum(np.sin(x)), X)
    check_gradient(lambda x: 1e8 + 1e-3 * np.sum(np.sin(x)), X)
    check_gradient(lambda x: np.zeros(3), X)
    check_gradient(lambda x: 2 * x, np.zeros((0, 3)))


def wrong(adjoint):
    """Twice x, with another adjoint."""
    return fb.rule(lambda x: 2 * x, lambda y, x: [fb.Operator(lambda t: 2 * t, adjoint)])


def test_wrong_derivatives_fail_with_both_sides():
    with pytest.raises(AssertionError, match=r"J v must be the difference quotient of result 1 within 1.5e-08; got "):
        check_gradient(lambda x: (x, x * fb.stop_gradient(x)), X)
    with pytest.raises(AssertionError, match=r"result 0 within 1.0e-03; got 0\.56\d+ and 1\.12\d+"):
        check_gradient(lambda x: np.sum(x * fb.stop_gradient(x)), X, tolerance=1e-3)
    with pytest.raises(AssertionError, match=r"<g, J v> must be <J\^T g, v>; got -?\d+\.\d+ and -?\d+\.\d+"):
        check_gradient(wrong(lambda g: 3 * g), X)
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(AssertionError, match=r"J v must be .* got an array of norm nan"),
    ):
        check_gradient(lambda x: np.sqrt(x - 100), X)


def test_some_argument_must_hold_floats():
    with pytest.raises(fb.DtypeError, match=r"some argument must hold floats .* got int, list"):
        check_gradient(lambda n, x: n, 3, [1, 2])
    with pytest.raises(fb.DtypeError, match=r"got no arguments"):
        check_gradient(lambda: 1.0)
