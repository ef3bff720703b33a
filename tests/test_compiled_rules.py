"""Every case of the tests of rules: compiled equals uncompiled, on first and second inputs, with passes left out."""

import zlib

import numpy as np
import optree
import pytest

import fastbs as fb
from compiled_programs import CHOICES
from fastbs.compiled import Compiled
from fastbs.compiler.assemble import PASSES
from random_programs import floats
from rule_cases import CASES

SHAPED = {
    "extract", "piecewise", "piecewise with a rest", "piecewise of one condition", "mask of itself",
    "mask of itself in place", "masked sum in place",
}  # fmt: skip


def others(arrays, k):
    """Second inputs: in another order, of the other sign, elsewhere."""
    rng = np.random.default_rng(k)
    change = [
        lambda x: rng.permutation(x.ravel()).reshape(x.shape),
        lambda x: -x,
        lambda x: x * (1 + 0.3 * rng.normal(size=x.shape)),
    ][k]
    return [change(np.asarray(x))[()] for x in arrays]


def attempt(f, arrays):
    try:
        with np.errstate(all="ignore"):
            return f(*arrays)
    except (ArithmeticError, ValueError, TypeError) as error:
        return type(error)


def check(name, passes):
    f, arrays = CASES[name]
    arrays = [np.asarray(x, float) if np.ndim(x) else float(x) for x in arrays]

    def scalar(*x):
        result = f(*x)
        return sum(np.sum(np.tanh(0.1 * np.real(y))) for y in floats(result)) + 0.0 * np.sum(x[0]), result

    law = fb.value_and_grad(scalar, tuple(range(len(arrays))), has_aux=True)
    compiled = Compiled(law, passes=passes)
    for given in (arrays, *(others(arrays, k) for k in range(3)), arrays):
        expected, found = attempt(law, given), attempt(compiled, given)
        if type(expected) is type:
            assert found is expected
            continue
        for y, z in zip(optree.tree_leaves(found), optree.tree_leaves(expected), strict=True):
            y, z = np.asarray(y), np.asarray(z)
            assert (y.shape, y.dtype) == (z.shape, z.dtype)
            if z.dtype.kind in "fc":
                scale = max(np.max(np.abs(z[np.isfinite(z)]), initial=0), 1.0)
                np.testing.assert_allclose(y, z, rtol=1e-9, atol=1e-9 * scale)
            else:
                np.testing.assert_array_equal(y, z)


NAMES = [name for name, (_, arrays) in CASES.items() if arrays and name not in SHAPED]


@pytest.mark.parametrize("name", NAMES)
def test_cases_of_rules(name):
    check(name, CHOICES[zlib.crc32(name.encode()) % len(CHOICES)])


@pytest.mark.parametrize("name", NAMES)
def test_cases_of_rules_in_chunks(name, tiny_chunks):
    check(name, PASSES)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_cases_of_rules_with_all_choices_of_passes(name):
    for passes in CHOICES:
        check(name, passes)


@pytest.mark.parametrize("name", sorted(SHAPED))
def test_cases_whose_shapes_depend_on_values(name):
    f, arrays = CASES[name]
    with pytest.raises(fb.TraceError, match="shapes must not depend on values under compile"):
        fb.compile(f)(*arrays)


def test_a_result_that_becomes_complex_is_an_error():
    root, A = fb.compile(lambda A: fb.scipy.linalg.sqrtm(A)), np.diag([1.0, 4.0])
    np.testing.assert_allclose(root(A), np.diag([1.0, 2.0]))
    with pytest.raises(TypeError, match=r"sqrtm: the result must be float64 .*got complex128, at .*test_compiled"):
        root(-A)
