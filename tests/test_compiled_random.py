"""Random programs: compiled equals uncompiled, on first and second inputs, with every pass on and each one off."""

import numpy as np
import pytest

import fastbs as fb
from fastbs.compiled import Compiled
from fastbs.compiler.assemble import PASSES

SHAPES = ((3, 4), (4, 3), (1, 4), (3, 1), (4,), ())


def put(x, y):
    """x with a part taken from y."""
    z = x * 1.0
    z[..., :2] = 0.5 * y[..., 1:3]
    z[0] += 1.0
    return z


UNARY = (
    np.tanh, np.sin, np.exp, lambda x: x * x, lambda x: -x, np.abs, lambda x: np.maximum(x, 0.1), lambda x: 2 * x - 1,
    lambda x: 1 / (1 + x * x), lambda x: np.sqrt(1 + x * x), lambda x: np.where(x > 0, x, 0.5 * x), np.sign, np.floor,
    lambda x: np.log1p(x * x), lambda x: np.clip(x, -0.5, 0.5), lambda x: x**3, lambda x: np.logaddexp(0, x),
)  # fmt: skip
BINARY = (
    np.add, np.subtract, np.multiply, lambda x, y: x / (2 + y * y), np.maximum, np.minimum, np.hypot, np.logaddexp,
    lambda x, y: np.where(x < y, x, y * y), lambda x, y: (x > y) * x, np.arctan2,
)  # fmt: skip
SHAPED = (
    lambda x: x.T, lambda x: x[::-1], lambda x: x[..., ::2], lambda x: np.reshape(x, (-1,)), lambda x: x[1:],
    lambda x: np.sum(x, axis=0), lambda x: np.sum(x, axis=-1, keepdims=True), np.mean, lambda x: np.max(x, axis=-1),
    lambda x: np.concatenate([x, x[:1]]), lambda x: np.sort(x, axis=-1), lambda x: np.cumsum(x, axis=0),
    lambda x: x - np.mean(x, axis=0), lambda x: x[np.argsort(np.reshape(x, (len(x), -1))[:, 0])],
    lambda x: x[None], lambda x: np.stack([x, -x]), lambda x: np.min(x), lambda x: np.var(x, axis=0),
)  # fmt: skip


def program(seed):
    """A random function of three arrays, and arrays for it."""
    rng = np.random.default_rng(seed)
    arguments = [rng.normal(size=SHAPES[i]) for i in rng.integers(len(SHAPES), size=3)]
    plan = [(rng.random(), *rng.integers(1 << 30, size=4)) for _ in range(rng.integers(3, 16))]

    def f(*inputs):
        values = list(inputs)
        for kind, i, j, k, _ in plan:
            x, y = values[i % len(values)], values[j % len(values)]
            try:
                if kind < 0.3:
                    z = UNARY[k % len(UNARY)](x)
                elif kind < 0.55:
                    z = BINARY[k % len(BINARY)](x, y)
                elif kind < 0.7 and np.ndim(x) and np.ndim(y):
                    z = x @ y
                elif kind < 0.75 and np.ndim(x) and np.shape(x) == np.shape(y) and np.shape(x)[-1] >= 3:
                    z = put(x, y)
                elif np.ndim(x):
                    z = SHAPED[k % len(SHAPED)](x)
                else:
                    continue
            except (ValueError, IndexError):  # shapes that do not fit
                continue
            if np.size(z) and np.size(z) <= 300:
                values.append(z)
        return sum(np.sum(np.tanh(0.1 * v)) for v in values)

    return f, arguments


def close(found, expected, scale):
    for y, z in zip(found, expected, strict=True):
        assert np.shape(y) == np.shape(z)
        np.testing.assert_allclose(y, z, rtol=1e-9, atol=1e-9 * scale)


def is_steady(f, arguments, rng):
    """Whether rounding decides nothing: a sign or an order of numbers that are equal but for rounding is chance."""
    value = f(*arguments)
    near = [f(*[x * (1 + 1e-12 * rng.normal(size=x.shape)) for x in arguments]) for _ in range(4)]
    return all(abs(y - value) < 1e-7 for y in near)


def check(seed):
    f, first = program(seed)
    rng = np.random.default_rng(seed + 1)
    second = [np.array(-1.3 * rng.permutation(x.ravel()).reshape(x.shape)) for x in first]
    passes = [tuple(PASSES), *(tuple(p for p in PASSES if p != without) for without in PASSES)]
    gradient = fb.value_and_grad(f, argnums=(0, 1, 2))
    with np.errstate(all="ignore"):
        expected = [gradient(*given) for given in (first, second)]
        if not all(np.all(np.isfinite(g)) for _, gs in expected for g in gs):
            return
        if not all(is_steady(f, given, rng) for given in (first, second)):
            return
        for some in passes[seed % len(passes) :][:1]:
            compiled = Compiled(gradient, passes=some)
            for given, (value, gs) in zip((first, second, first), (*expected, expected[0]), strict=True):
                got, found = compiled(*given)
                scale = max(1.0, *(np.max(np.abs(g)) for g in gs))
                close((got, *found), (value, *gs), scale)


@pytest.mark.parametrize("seed", range(60))
def test_random_programs(seed):
    check(seed)


@pytest.mark.slow
def test_thousands_of_random_programs():
    for seed in range(1000, 3000):
        check(seed)
