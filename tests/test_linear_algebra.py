"""Compiled Cholesky factors and solves: no calls into Python, the same numbers, the same errors."""

import numpy as np
import pytest

import fastbs as fb
from fastbs.rules.solves import triangular_solve
from fastbs.scipy.linalg import cholesky

SIZES = (1, 2, 5, 30)


def matrix(n, dtype, seed=0):
    return (np.random.default_rng(seed).standard_normal((n, n)) / max(n, 1) + 2 * np.eye(n)).astype(dtype)


def same(f, *arrays):
    compiled = fb.compile(f)
    kept = [x.copy() for x in arrays]
    found, expected = compiled(*arrays), f(*arrays)
    assert "0 calls into Python" in compiled.report()
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    tolerance = 500 * np.finfo(found.dtype).eps * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
    for x, y in zip(arrays, kept, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("n", SIZES)
def test_factors(n, order, dtype):
    A = matrix(n, dtype)
    S = np.asarray(A @ A.T + np.triu(A, 1), order=order)  # the other triangle is not read
    same(np.linalg.cholesky, S)
    same(lambda a: cholesky(a, lower=True), S)
    same(cholesky, np.asarray(S.T, order=order))
    same(lambda a: np.linalg.cholesky(a).T @ a, S)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("shape", [(), (1,), (7,)])
def test_solves(n, shape, order, dtype):
    A = np.asarray(matrix(n, dtype), order=order)
    b = np.asarray(np.random.default_rng(1).standard_normal((n, *shape)).astype(dtype), order=order)
    same(np.linalg.solve, A, b)
    same(lambda a, b: np.linalg.solve(a.T, 2 * b), A, b)
    for flags in np.ndindex(2, 2, 2) if shape else ():
        same(lambda t, b, flags=flags: triangular_solve(t, b, *map(bool, flags)), A, b)


@pytest.mark.parametrize(
    ("f", "good", "bad"),
    [
        (np.linalg.cholesky, np.eye(3), -np.eye(3)),
        (lambda a: np.linalg.solve(a, np.ones(3)), np.eye(3), np.zeros((3, 3))),
        (lambda a: triangular_solve(a, np.ones((3, 2))), np.eye(3), np.diag([1.0, 0, 1])),
    ],
)
def test_errors_are_those_of_numpy(f, good, bad):
    compiled = fb.compile(f)
    compiled(good)
    with pytest.raises(np.linalg.LinAlgError) as expected:
        f(bad)
    with pytest.raises(np.linalg.LinAlgError) as found:
        compiled(bad)
    assert str(found.value) == str(expected.value)
    np.testing.assert_array_equal(compiled(good), f(good))


def test_exchanges_the_rows_that_numpy_exchanges():
    solve = fb.compile(np.linalg.solve)
    for A in ([[2.5, -0.1], [np.inf, 2.4]], [[2.5, np.inf], [-0.1, 2.4]], [[1e-200, 1.0], [1.0, 1e100]]):
        A, b = np.array(A), np.array([1.2, -0.6])
        for given in (A, A.T):
            np.testing.assert_array_equal(solve(given, b), np.linalg.solve(given, b))


def test_errors_inside_of_loops():
    def filtered(S, x):
        return fb.scan(lambda x, s: (np.linalg.solve(s, x), x), x, S)[0]

    compiled, S, x = fb.compile(filtered), np.array([matrix(3, float, i) for i in range(6)]), np.ones(3)
    np.testing.assert_allclose(compiled(S, x), filtered(S, x), rtol=1e-12)
    assert "0 calls into Python" in compiled.report()
    S[4] = 0
    with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
        compiled(S, x)


def test_stacks_and_other_dtypes_are_called():
    for f, a in (
        (np.linalg.cholesky, np.stack([np.eye(2)] * 3)),
        (lambda a: np.linalg.solve(a, np.ones(2)), np.eye(2, dtype=complex)),
        (np.linalg.cholesky, np.zeros((0, 0))),
    ):
        np.testing.assert_array_equal(fb.compile(f)(a), f(a))


@pytest.mark.parametrize("n", [499, 500])
def test_a_run_that_looks_for_signals_in_front_of_a_solve_goes_on_with_it(n):
    """It looks about every 1e9 flops; copies of 500 x 500 elements, which the solve begins with, count 5e5 each."""
    rng = np.random.default_rng(0)
    X, Y, A = rng.standard_normal((1000, n + 1)), rng.standard_normal((n + 1, 999)), matrix(500, "float64")

    def f(X, Y, A):
        return X @ Y, np.linalg.solve(A, A + 1)

    found, expected = fb.compile(f)(X, Y, A), f(X, Y, A)
    for y, z in zip(found, expected, strict=True):
        np.testing.assert_allclose(y, z, rtol=0, atol=1e-11 * np.abs(z).max())
