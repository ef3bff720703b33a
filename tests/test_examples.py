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


def test_digits(capsys):
    module = example("digits")
    difference, right = module.main(hidden=(8,), iterations=20)
    assert difference < 1e-13
    assert right > 0.6
    assert "by hand" in capsys.readouterr().out


def test_gaussian_process(capsys):
    module = example("gaussian_process")
    theta, P, z, *errors = module.main(points=60, held_out=20, iterations=10)
    assert np.isfinite(errors).all()
    assert "km north" in capsys.readouterr().out
    v = np.array([0.3, -0.2, 0.5, 0.4])

    def f(theta):
        return module.negative_log_likelihood(theta, P, z)

    assert fb.grad(f)(theta + v) @ v == pytest.approx(slope(f, theta + v, v, 1e-3), rel=1e-8)


@pytest.mark.parametrize("steps", [16, pytest.param(1000, marks=pytest.mark.slow)])
def test_rnn(steps, capsys):
    module = example("rnn")
    first, last = module.main(steps=steps, batch=4, width=6, iterations=20)
    assert last < first
    assert f"{steps} steps" in capsys.readouterr().out


def test_rnn_of_1000_steps():
    module, rng = example("rnn"), np.random.default_rng(0)
    data = module.sequences(1000, 2)
    p = module.initial(5, rng)
    v = [rng.normal(size=x.shape) for x in p]
    value, gradient = fb.value_and_grad(module.loss)(p, *data)

    def along(t):
        return module.loss([x + t * dx for x, dx in zip(p, v, strict=True)], *data)

    assert value == along(0)
    assert sum(map(np.vdot, gradient, v)) == pytest.approx(slope(along, 0.0, 1.0, 1e-4), rel=1e-7)


def test_lotka_volterra(capsys):
    module = example("lotka_volterra")
    p = module.main(steps=40)
    assert np.exp(p[:4]) == pytest.approx([0.55, 0.028, 0.80, 0.024], rel=0.05)
    assert "RK4" in capsys.readouterr().out
    v = np.array([0.1, -0.2, 0.1, 0.3, -0.1, 0.2])
    gradient = fb.grad(module.loss)(module.START, 1000)
    assert gradient @ v == pytest.approx(slope(lambda x: module.loss(x, 1000), module.START, v, 1e-3), rel=1e-8)


def test_bundle_adjustment(capsys):
    module = example("bundle_adjustment")
    history, J = module.main(n_cameras=6, n_points=40, iterations=6)
    assert history[-1] < 0.5 < history[0]
    assert J.nnz == 8 * J.shape[0]
    assert "sights" in capsys.readouterr().out
    cameras, points, seen, pixels = module.scene(4, 10, np.random.default_rng(1))
    rows = fb.jacobian(module.residual, argnums=(0, 1), sparse=True)(cameras, points, seen, pixels)
    for k, x in enumerate((cameras, points)):
        v = np.random.default_rng(2).normal(size=x.shape)

        def f(x, k=k):
            return module.residual(*((x, points) if k == 0 else (cameras, x)), seen, pixels)

        np.testing.assert_allclose(rows[k] @ v.ravel(), complex_slope(f, x, v), rtol=1e-9, atol=1e-9)


def test_kalman(capsys):
    module = example("kalman")
    p = module.main()
    np.testing.assert_allclose(np.exp(p), [15099, 1469], rtol=1e-3)
    assert "log likelihood -632.5" in capsys.readouterr().out
    noise, step = np.exp(p)
    # the filter by its recursions, from a first level that is the first flow
    level, variance, filtered, log = module.NILE[0], noise, [module.NILE[0]], 0.0
    for y in module.NILE[1:]:
        variance += step
        log -= (np.log(2 * np.pi * (variance + noise)) + (y - level) ** 2 / (variance + noise)) / 2
        gain = variance / (variance + noise)
        level, variance = level + gain * (y - level), variance * (1 - gain)
        filtered.append(level)
    found, smoothed, variances = module.smooth(noise, step)
    np.testing.assert_allclose(found, filtered)
    np.testing.assert_allclose([smoothed[-1], variances[-1]], [level, variance])
    np.testing.assert_allclose(module.log_likelihood(p), log)
    point, v = p + 0.1, np.array([0.3, -0.7])
    np.testing.assert_allclose(
        fb.grad(module.log_likelihood)(point) @ v, slope(module.log_likelihood, point, v, 1e-3), rtol=1e-7
    )


def test_regulator(capsys):
    module = example("regulator")
    value, gradient = module.main()
    assert "cost" in capsys.readouterr().out
    _, A, B = module.multipliers(2.0, 0.5)
    P = module.Q
    for _ in range(module.STEPS - 1):  # Riccati's recursion
        K = np.linalg.solve(module.R + B.T @ P @ B, B.T @ P @ A)
        P = module.Q + A.T @ P @ (A - B @ K)
    np.testing.assert_allclose(value, module.START @ P @ module.START / 2)
    x, u = module.control(2.0)
    np.testing.assert_allclose(x[0], module.START, atol=1e-12)
    np.testing.assert_allclose(x[1:], x[:-1] @ A.T + u @ B.T, atol=1e-12)
    np.testing.assert_allclose(gradient, slope(module.cost, 2.0, 1.0, 1e-3), rtol=1e-8)
