"""Random programs: compiled equals uncompiled, on first and second inputs, with every pass on and with some off."""

import numpy as np
import optree
import pytest

import fastbs as fb
from compiled_programs import CHOICES
from fastbs.compiled import Compiled
from fastbs.compiler import chunks
from fastbs.compiler.assemble import PASSES
from random_programs import COMPILED, Program


def close(found, expected, largest):
    found, expected = optree.tree_leaves(found), optree.tree_leaves(expected)
    for y, z in zip(found, expected, strict=True):
        assert np.shape(y) == np.shape(z)
        np.testing.assert_allclose(y, z, rtol=1e-9, atol=1e-9 * largest)


def second_inputs(arrays, seed):
    """Arrays of another order, sign and size."""
    rng = np.random.default_rng(seed)
    return [
        [np.array(-1.3 * rng.permutation(x.ravel()).reshape(x.shape)) for x in arrays],
        [np.array(x - 2 * np.mean(x) + 0.5 * rng.normal(size=x.shape)) for x in arrays],
    ]


def derived(f, seed):
    """The gradient of a program, its derivative along a direction, or that of the gradient."""
    gradient = fb.value_and_grad(f.__call__, argnums=(0, 1, 2))
    kind = seed % 4
    if kind == 2:
        return lambda *x: fb.jvp(f.__call__, x, tuple([np.cos(a) for a in x]))
    if kind == 3:
        return lambda *x: fb.jvp(gradient, x, tuple([np.cos(a) for a in x]))
    return gradient


def check(seed, choices, threads=1):
    """Whether there was a program to compare."""
    f = Program(seed, COMPILED)
    inputs = [f.arguments, *second_inputs(f.arguments, seed + 1)]
    rng = np.random.default_rng(seed + 2)
    g = derived(f, seed // 7)
    with np.errstate(all="ignore"):
        expected = [(given, g(*given)) for given in inputs if f.is_steady(given, rng)]
        expected = [
            (given, y) for given, y in expected if all(np.all(np.isfinite(part)) for part in optree.tree_leaves(y))
        ]
        if len(expected) < 2:
            return False
        for passes in choices:
            compiled = Compiled(g, passes=passes, threads=threads)
            for given, y in (*expected, expected[0]):
                sizes = [np.max(np.abs(part), initial=0) for part in (*optree.tree_leaves(y), *f.values(*given))]
                close(compiled(*given), y, max(1.0, *sizes))
    return True


@pytest.mark.parametrize("seed", range(60))
def test_random_programs(seed):
    check(seed, [CHOICES[seed % len(CHOICES)]])


@pytest.mark.parametrize("seed", range(60))
def test_random_programs_in_chunks(seed, tiny_chunks):
    check(seed, [PASSES], threads=1 + seed % 2)


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 512, 2048])
def test_hundreds_of_random_programs_in_chunks(size, tiny_chunks, monkeypatch):
    monkeypatch.setattr(chunks, "CACHE", size)
    assert sum(check(seed, [PASSES], threads=1 + seed % 3) for seed in range(3000, 3400)) > 320


@pytest.mark.slow
def test_thousands_of_random_programs():
    assert sum(check(seed, [PASSES, CHOICES[1 + seed % (len(CHOICES) - 1)]]) for seed in range(1000, 3000)) > 1600
