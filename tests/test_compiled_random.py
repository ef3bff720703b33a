"""Random programs: compiled equals uncompiled, on first and second inputs, with every pass on and each one off."""

import numpy as np
import pytest

import fastbs as fb
from fastbs.compiled import Compiled
from fastbs.compiler.assemble import PASSES
from random_programs import LINES, Program


def close(found, expected, scale):
    for y, z in zip(found, expected, strict=True):
        assert np.shape(y) == np.shape(z)
        np.testing.assert_allclose(y, z, rtol=1e-9, atol=1e-9 * scale)


def check(seed):
    f = Program(seed, LINES)
    first = f.arguments
    rng = np.random.default_rng(seed + 1)
    second = [np.array(-1.3 * rng.permutation(x.ravel()).reshape(x.shape)) for x in first]
    passes = [PASSES, (), *(tuple(p for p in PASSES if p != without) for without in PASSES)]
    gradient = fb.value_and_grad(f.__call__, argnums=(0, 1, 2))
    with np.errstate(all="ignore"):
        expected = [gradient(*given) for given in (first, second)]
        if not all(np.all(np.isfinite(g)) for _, gs in expected for g in gs):
            return
        if not all(f.is_steady(given, rng) for given in (first, second)):
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
