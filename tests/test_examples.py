"""The scripts in examples/ run, and their gradients are right. They run in full with ``python examples/NAME.py``."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import fastbs as fb

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

pytestmark = pytest.mark.skipif(not EXAMPLES.exists(), reason="the tests run away from the checkout")


def example(name):
    """The module examples/<name>.py."""
    specification = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


def slope(f, x, v, h):
    """The derivative of f at x along v by central differences of fourth order."""
    return (8 * (f(x + h * v) - f(x - h * v)) - f(x + 2 * h * v) + f(x - 2 * h * v)) / (12 * h)


def complex_slope(f, x, v):
    """The derivative of f at x along v by the complex step, exact to rounding."""
    return np.imag(f(x + 1e-30j * v)) / 1e-30


def test_every_example_is_tested():
    source = Path(__file__).read_text(encoding="utf-8")
    assert [path.stem for path in sorted(EXAMPLES.glob("*.py")) if f'example("{path.stem}")' not in source] == []


def test_manifolds(capsys):
    found = example("manifolds").main(count=200)
    assert capsys.readouterr().out.count(" steps") == 3
    at = {"stiefel": fb.manifolds.Stiefel, "symmetric": fb.manifolds.Symmetric, "triangular": fb.manifolds.Triangular}
    for name, (loss, X) in found.items():
        gradient = fb.grad(loss)(X)
        v = np.random.default_rng(0).normal(size=X.shape)
        assert np.vdot(gradient, v) == pytest.approx(slope(loss, X, v, 1e-3), rel=1e-7, abs=1e-7)
        T = at[name](X)
        assert np.linalg.norm(T @ gradient) < 1e-4
        assert loss(T.retract(T @ (1e-3 * v))) > loss(X)
    assert found["stiefel"][1].T @ found["stiefel"][1] == pytest.approx(np.eye(8), abs=1e-13)
