"""Block-tridiagonal systems against dense LAPACK: solves, determinants, blocks of the inverse, derivatives."""

import numpy as np
import pytest
import scipy.sparse

import fastbs as fb
from dense import DTYPES, backward_error, check_in_50_digits, random_array
from fastbs.errors import ShapeError, SingularError, StructureError
from gradients import check


def random_system(rng, n, m, dtype, spd, batch=()):
    """(diag, lower, upper or None), block diagonally dominant."""
    lower = random_array(rng, (*batch, max(n - 1, 0), m, m), dtype) / np.asarray(3 * m or 1, dtype)
    diag = random_array(rng, (*batch, n, m, m), dtype) / np.asarray(3 * m or 1, dtype) + 3 * np.eye(m, dtype=dtype)
    if spd:
        return diag + np.conjugate(diag.mT), lower, None
    return diag, lower, random_array(rng, lower.shape, dtype) / np.asarray(3 * m or 1, dtype)


def dense_of(diag, lower, upper):
    n, m = diag.shape[:2]
    A = np.zeros((n * m, n * m), diag.dtype)
    for i in range(n):
        at = slice(i * m, (i + 1) * m)
        A[at, at] = diag[i]
        if i:
            before = slice((i - 1) * m, i * m)
            A[at, before] = lower[i - 1]
            A[before, at] = lower[i - 1].conj().T if upper is None else upper[i - 1]
    return A


@pytest.mark.parametrize("spd", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_as_dense(dtype, spd):
    rng = np.random.default_rng(0)
    for n, m in ((1, 2), (2, 1), (5, 3), (0, 2), (4, 9)):
        system = random_system(rng, n, m, dtype, spd)
        A, dense = fb.Tridiagonal(*system), dense_of(*system)
        kept, inverted = fb.factorize(A), fb.factorize(A, invert=True)
        factors = ((kept, dense), (kept.H, dense.conj().T), (inverted, dense), (inverted.H, dense.conj().T))
        tolerance = 10 * max(n * m, 1) * np.finfo(dtype).eps
        for view, D in ((A, dense), (A.T, dense.T), (A.H, dense.conj().T), *factors):
            for form in ((n * m,), (n, m), (n, m, 3)):
                b = random_array(rng, form, dtype)
                x = view.solve(b)
                assert x.shape == b.shape
                assert x.dtype == dtype
                flat = (n * m, 3 if len(form) == 3 else 1)
                assert backward_error(D, x.reshape(flat), b.reshape(flat)) <= tolerance
                if isinstance(view, fb.Tridiagonal):
                    np.testing.assert_allclose((view @ b).reshape(flat), D @ b.reshape(flat), atol=100 * tolerance)
        np.testing.assert_allclose(A.logdet(), np.linalg.slogdet(dense), rtol=1e-4, atol=1e-5)
        inverse = np.linalg.inv(dense)
        expected = [inverse.reshape(n, m, n, m)[i, :, i] for i in range(n)]
        diag, lower, upper = A.inverse_blocks()
        for i in range(n):
            np.testing.assert_allclose(diag[i], expected[i], atol=100 * tolerance)
        for i in range(n - 1):
            np.testing.assert_allclose(lower[i], inverse.reshape(n, m, n, m)[i + 1, :, i], atol=100 * tolerance)
            np.testing.assert_allclose(upper[i], inverse.reshape(n, m, n, m)[i, :, i + 1], atol=100 * tolerance)
        if n:
            np.testing.assert_allclose(A.to_dense([(m,)] * n), dense)
    assert repr(A) == f"<Tridiagonal in arrays: 4 blocks of 9 x 9, {dtype}>"


@pytest.mark.parametrize("spd", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_against_mpmath(dtype, spd):
    rng = np.random.default_rng(5)
    system, b = random_system(rng, 3, 2, dtype, spd), random_array(rng, (6,), dtype)
    check_in_50_digits(dense_of(*system), fb.Tridiagonal(*system).solve(b), b)


@pytest.mark.parametrize("spd", [False, True])
def test_batches(spd):
    rng = np.random.default_rng(1)
    system = random_system(rng, 4, 2, "float64", spd, (3,))
    A, b = fb.Tridiagonal(*system), rng.standard_normal((3, 4, 2))
    x, diag = A.solve(b), A.inverse_blocks()[0]
    for s in range(3):
        dense = dense_of(*(None if part is None else part[s] for part in system))
        np.testing.assert_allclose(x[s].ravel(), np.linalg.solve(dense, b[s].ravel()))
        np.testing.assert_allclose(diag[s, 1], np.linalg.inv(dense)[2:4, 2:4])


def test_block_vectors_and_lazy_products():
    rng = np.random.default_rng(2)
    system = random_system(rng, 3, 2, "float64", False)
    A = fb.Tridiagonal(*system)
    b = [np.ones(2)] * 3
    expected = np.linalg.solve(dense_of(*system), np.ones(6))
    np.testing.assert_allclose(np.concatenate(A.solve(b)), expected)
    np.testing.assert_allclose(np.concatenate(A.inv @ b), expected)
    np.testing.assert_allclose(np.concatenate(A @ A.solve(b)), np.ones(6))
    lazy = fb.backslash(A, fb.Diagonal([2.0] * 3))
    np.testing.assert_allclose(np.concatenate(lazy @ b), 2 * expected)


@pytest.mark.parametrize("spd", [False, True])
def test_derivatives(spd):
    rng = np.random.default_rng(3)
    diag, lower, upper = random_system(rng, 3, 2, "float64", spd)
    b = rng.standard_normal((3, 2))

    def loss(diag, lower, b):
        A = fb.factorize(fb.Tridiagonal(diag, lower, upper))
        return np.sum(A.solve(b) ** 2) + A.logdet()[1] + np.sum(A.inverse_blocks()[0] ** 2)

    check(loss, diag, lower, b, exact=False, float32=False, second=spd)


@pytest.mark.parametrize("spd", [False, True])
def test_to_and_from_scipy(spd):
    system = random_system(np.random.default_rng(4), 4, 2, "complex128", spd)
    A = fb.Tridiagonal(*system)
    sparse, dense = A.to_scipy(), dense_of(*system)
    np.testing.assert_allclose(sparse.toarray(), dense)
    for form in (sparse, sparse.tocsr(), sparse.todia()):
        back = fb.Tridiagonal.from_scipy(form, block=2, hermitian=spd)
        np.testing.assert_allclose(back.solve(np.ones(8)), np.linalg.solve(dense, np.ones(8)))
    with pytest.raises(StructureError, match=r"block \(0, 2\) must be zero because the diagonal and both neighbours"):
        fb.Tridiagonal.from_scipy(scipy.sparse.csr_array(np.eye(3)[::-1]), block=1)
    with pytest.raises(
        StructureError, match=r"to_scipy: systems must be taken one by one.*got a batch of shape \(2,\)"
    ):
        fb.Tridiagonal(np.ones((2, 3, 1, 1)), np.ones((2, 2, 1, 1))).to_scipy()


def test_errors():
    with pytest.raises(ShapeError, match=r"diag must be \(..., N, m, m\), square blocks; got \(3, 2\)"):
        fb.Tridiagonal(np.ones((3, 2)), np.ones((2, 2)))
    with pytest.raises(ShapeError, match=r"upper must be \(2, 1, 1\) because diag is \(3, 1, 1\); got \(3, 1, 1\)"):
        fb.Tridiagonal(np.ones((3, 1, 1)), np.ones((2, 1, 1)), np.ones((3, 1, 1)))
    with pytest.raises(SingularError, match=r"pivot block \(1, 1\) must be positive definite"):
        fb.Tridiagonal(np.ones((3, 1, 1)), 2 * np.ones((2, 1, 1))).solve(np.ones(3))
    with pytest.raises(SingularError, match=r"block \(1, 1\) must be nonsingular"):
        fb.Tridiagonal(np.ones((3, 1, 1)), np.ones((2, 1, 1)), np.ones((2, 1, 1))).solve(np.ones(3))
