"""Random programs of the whole table: gradients are those of complex step, and all derivatives agree."""

import functools

import numpy as np
import pytest
import scipy.linalg
import scipy.special

import fastbs as fb
from gradients import inner
from random_programs import SQUARE_TOO, Program, floats, lines_of_the_table
from rule_cases import exchanged

# Cases that conjugate, are not analytic, or have options that the continuations below lack. What NumPy refuses to do
# with complex numbers is left out by itself.
NOT_ANALYTIC = (
    "vdot", "vecdot", "vecmat", "linalg.vecdot", "matmul axes", "correlate", "chol", "cho_", "eig", "svd", "qr", "lu",
    "pinv", "lstsq", "cond", "norm", "matrix_norm", "vector_norm", "slogdet", "solve pos", "solve sym", "solve_disc",
    "solve_cont", "logm", "sqrtm", "toeplitz", "methods", "conj", "real", "imag", "angle", "nan", "var ", "std",
    "matrix_rank", "triangular_solve", "astype", "dtype", "special.", "interp", "trapezoid along", "recurrence", "fill",
    "put method", "cov", "corrcoef", "bincount", "piecewise", "polyfit",
)  # fmt: skip


def centered(x, axis=None):
    return np.mean((x - np.mean(x, axis=axis, keepdims=True)) ** 2, axis=axis)


class Analytic:
    """NumPy as analytic continuations of its real functions: |x| is x sign(x), and so on."""

    class np:
        def __getattr__(self, name):
            return getattr(np, name)

        sign = staticmethod(lambda x: np.sign(np.real(x)) + 0j)
        floor = staticmethod(lambda x: np.floor(np.real(x)) + 0j)
        abs = absolute = fabs = staticmethod(lambda x: x * np.sign(np.real(x)))
        hypot = staticmethod(lambda x, y: np.sqrt(x * x + y * y))
        arctan2 = staticmethod(lambda y, x: 2 * np.arctan(y / (np.sqrt(x * x + y * y) + x)))
        var = staticmethod(centered)

        @staticmethod
        def logaddexp(x, y):
            return np.maximum(x, y) + np.log1p(np.exp(-Analytic.np.abs(x - y)))

    np, linalg, special = np(), scipy.linalg, scipy.special


@functools.cache
def continued(function):
    """The function of complex arrays, with complex results."""
    theirs = exchanged(function, Analytic)
    return lambda *x: [z + 0j for z in floats(theirs(*x))]


TABLE = lines_of_the_table(NOT_ANALYTIC)
STEP = 1e-30


def check(seed):
    rng = np.random.default_rng(seed + 1)
    f = Program(seed, TABLE, SQUARE_TOO, also=continued)
    x, argnums = f.arguments, (0, 1, 2)
    v = [rng.normal(size=a.shape) for a in x]
    with np.errstate(all="ignore"):
        values = f.values(*x)
        if not f.is_steady(x, rng):
            return False
        value, gradient = fb.value_and_grad(f.__call__, argnums)(*x)
        moved = f(*[a + STEP * 1j * b for a, b in zip(x, v, strict=True)], exchanged=continued)
        # a tie that complex numbers break, or an infinite derivative
        if not np.isclose(np.real(moved), value, 1e-9) or not np.isfinite(moved + inner(gradient, v)):
            return False
        size = max(1.0, *(np.max(np.abs(z)) for z in values))
        tolerance = 1e-9 * max(size, sum(np.sum(np.abs(g * b)) for g, b in zip(gradient, v, strict=True)))
        assert abs(value - f(*x)) <= 1e-9 * size
        assert abs(inner(gradient, v) - np.imag(moved) / STEP) <= tolerance, "gradient against complex step"
        assert abs(fb.jvp(f, x, v)[1] - inner(gradient, v)) <= tolerance, "jvp against gradient"

        def last(*x):
            return np.concatenate([np.ravel(z) for z in f.values(*x)[-3:]])

        y, pullback = fb.vjp(last, *x)
        g = rng.normal(size=y.shape)
        Jv, JTg = fb.jvp(last, x, v)[1], pullback(g)
        jacobians = [fb.jacobian(last, argnums, order)(*x) for order in ("forward", "reverse", "auto")]
        jacobians.append([J.toarray() for J in fb.jacobian(last, argnums, sparse=True)(*x)])
        largest = max(size, *(np.max(np.abs(J), initial=0) for J in jacobians[0]))
        for J in jacobians:
            J = [np.reshape(part, (y.size, a.size)) for part, a in zip(J, x, strict=True)]
            J_v = sum(part @ np.ravel(b) for part, b in zip(J, v, strict=True))
            np.testing.assert_allclose(J_v, Jv, rtol=1e-9, atol=1e-9 * largest * y.size)
            for part, a in zip(J, JTg, strict=True):
                np.testing.assert_allclose(g @ part, np.ravel(a), rtol=1e-9, atol=1e-9 * largest * y.size)
    return True


@pytest.mark.parametrize("seed", range(60))
def test_random_programs(seed):
    check(seed)


@pytest.mark.slow
def test_thousands_of_random_programs():
    assert sum(check(seed) for seed in range(1000, 3000)) > 1800
