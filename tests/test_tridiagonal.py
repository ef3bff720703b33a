"""Block-tridiagonal systems against dense LAPACK: solves, determinants, blocks of the inverse, derivatives."""

import itertools
import pickle

import numpy as np
import pytest
import scipy.sparse

import fastbs as fb
from dense import DTYPES, backward_error, check_in_50_digits, check_logdet, random_array
from fastbs import _blocks
from fastbs.errors import ShapeError, SingularError, StructureError
from fastbs.tridiagonal_stack import TridiagonalStack, inverse_blocks, substituted_factors, substituted_inverse
from gradients import check
from memory import failing_allocations, peak


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
        factors += ((kept.T, dense.T), (inverted.T, dense.T))
        tolerance = 10 * max(n * m, 1) * np.finfo(dtype).eps
        for view, D in ((A, dense), (A.T, dense.T), (A.H, dense.conj().T), *factors):
            check_logdet(view, D)
            for form in ((n * m,), (n, m), (n, m, 3)):
                b = random_array(rng, form, dtype)
                x = view.solve(b)
                assert x.shape == b.shape
                assert x.dtype == dtype
                flat = (n * m, 3 if len(form) == 3 else 1)
                assert backward_error(D, x.reshape(flat), b.reshape(flat)) <= tolerance
                if isinstance(view, fb.Tridiagonal):
                    np.testing.assert_allclose((view @ b).reshape(flat), D @ b.reshape(flat), atol=100 * tolerance)
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
@pytest.mark.parametrize("dtype", DTYPES)
def test_kernels_are_the_definition(dtype, spd):
    """Factors and the blocks of the inverse, for batches, any size of blocks and any strides."""
    rng = np.random.default_rng(6)
    tolerance = {"rtol": 0, "atol": 300 * np.finfo(dtype).eps}
    for n, m, batch in ((1, 3, ()), (4, 1, (2,)), (3, 5, (2, 2)), (3, 8, ()), (2, 19, ())):
        system = random_system(rng, n, m, dtype, spd, batch)
        turned = [None if x is None else np.repeat(x, 2, -1)[..., ::2].mT.copy().mT[..., ::-1, :, :] for x in system]
        for arrays in (system, turned):
            P, M = substituted_factors(*arrays, "")
            kept = TridiagonalStack.of_arrays(*arrays, "")
            if spd:
                np.testing.assert_allclose(kept.first.diag, P, **tolerance)
            np.testing.assert_allclose(kept.first.off if spd else kept.second.off, M, **tolerance)
            found = inverse_blocks(*arrays, "")
            for x, y in zip(found, substituted_inverse(*arrays, ""), strict=True):
                np.testing.assert_allclose(x, y, **tolerance)
            if spd:
                np.testing.assert_array_equal(found[0], found[0].conj().mT)


@pytest.mark.parametrize("spd", [False, True])
def test_promotes_as_numpy(spd):
    rng = np.random.default_rng(7)
    for own, given in itertools.product(DTYPES, (*DTYPES, "int32", "float16")):
        system, b = random_system(rng, 3, 2, own, spd), (9 * rng.standard_normal((3, 2))).astype(given)
        A, expected = fb.Tridiagonal(*system), np.result_type(own, given)
        for x in (A.solve(b), np.stack(A.solve(list(b)))):
            assert x.dtype == expected
            assert backward_error(dense_of(*system), x.ravel(), b.ravel()) < 60 * np.finfo(expected).eps
        assert fb.factorize(A).solve(b).dtype == (A @ b).dtype == expected
    mixed = fb.Tridiagonal(np.full((2, 1, 1), 4, "f4"), np.ones((1, 1, 1)), np.ones((1, 1, 1), "c8"))
    assert mixed.solve(np.ones(2, "f4")).dtype == mixed.inverse_blocks()[1].dtype == np.complex128


@pytest.mark.parametrize("spd", [False, True])
def test_where_results_go(spd):
    rng = np.random.default_rng(8)
    system, b = random_system(rng, 4, 3, "float64", spd), rng.standard_normal((4, 3, 2))
    for A in (fb.Tridiagonal(*system), fb.factorize(fb.Tridiagonal(*system))):
        expected, out, own = A.solve(b), np.empty_like(b), b.copy()
        assert A.solve(b, out=out, threads=2) is out
        assert A.solve(own, overwrite_b=True) is own
        for x in (out, own, pickle.loads(pickle.dumps(A)).solve(b)):
            np.testing.assert_allclose(x, expected, rtol=1e-13, atol=1e-15)
    again = pickle.loads(pickle.dumps(A))
    for x, y in zip(again.H.inverse_blocks(), A.matrix.H.inverse_blocks(), strict=True):
        np.testing.assert_array_equal(x, y)


# --- memory ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spd", [False, True])
def test_memory_is_factors_and_the_result(spd):
    n, m = 2000, 4
    A, b = fb.Tridiagonal(*random_system(np.random.default_rng(9), n, m, "float64", spd)), np.ones((n, m))
    kept, factors = fb.factorize(A), 2 * A.diag.nbytes + 4 * n * m  # and pivots
    assert peak(lambda: fb.factorize(A), 2) <= factors + 8000
    assert peak(lambda: A.solve(b), 2) <= factors + b.nbytes + 8000
    assert peak(A.inverse_blocks, 2) <= factors + 3 * A.diag.nbytes + 8000
    assert peak(lambda: A @ b, 2) <= 4 * b.nbytes + 8000
    for view in (kept, kept.H):
        assert peak(lambda: view.solve(b), 2) <= b.nbytes + 8000  # noqa: B023
        assert peak(lambda: view.solve(b, overwrite_b=True), 2) <= 8000  # noqa: B023


@pytest.mark.parametrize("spd", [False, True])
def test_every_allocation_may_fail(spd):
    failed = 0
    for m in (3, 20):
        A, b = fb.Tridiagonal(*random_system(np.random.default_rng(10), 5, m, "float64", spd)), np.ones((5, m, 3))
        for function in (lambda: A.solve(b), A.logdet, A.inverse_blocks, lambda: fb.factorize(A, invert=True).solve(b)):  # noqa: B023
            failed += failing_allocations(_blocks, function)
    assert failed >= 10


def test_sizes_past_memory_are_refused():
    blocks = np.broadcast_to(np.eye(1), (2**45, 1, 1))
    with pytest.raises(MemoryError, match="Unable to allocate"):
        fb.Tridiagonal(blocks, blocks[1:]).logdet()


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
def test_a_solve_and_a_determinant_are_a_step_each(spd):
    rng = np.random.default_rng(11)
    for batch, form in (((), (8,)), ((), (4, 2, 3)), ((2,), (4, 2))):
        diag, lower, upper = random_system(rng, 4, 2, "float64", spd, batch)
        b = rng.standard_normal((*batch, *form))

        def solve(diag, lower, b, upper=upper):
            x = fb.Tridiagonal(diag, lower, upper).solve(b)
            return x + fb.Tridiagonal(diag, lower, upper).logdet()[1].sum()

        check(solve, diag, lower, b, exact=False, float32=False, second=not batch)
        if not spd:
            check(lambda upper: fb.Tridiagonal(diag, lower, upper).solve(b), upper, exact=False, float32=False)  # noqa: B023
    system = fb.trace(lambda d: fb.Tridiagonal(d, lower, upper).solve(b), diag)
    assert len(system.L.rows) <= 4
    sign = fb.grad(lambda d: fb.Tridiagonal(d, lower, upper).logdet()[0].sum())(diag)
    np.testing.assert_array_equal(sign, 0)
    with pytest.raises(TypeError, match="must be real because the rule is for real arrays; got complex128"):
        fb.grad(lambda d: np.abs(fb.Tridiagonal(d + 1j, lower, lower).solve(b)).sum())(diag)


@pytest.mark.parametrize("spd", [False, True])
def test_sign_and_logarithm_are_one_step(spd, monkeypatch):
    blocks, calls = random_system(np.random.default_rng(14), 4, 2, "float64", spd), []
    of_arrays = TridiagonalStack.of_arrays
    monkeypatch.setattr(TridiagonalStack, "of_arrays", lambda *arguments: calls.append(0) or of_arrays(*arguments))
    for A in (fb.Tridiagonal, lambda *arrays: fb.factorize(fb.Tridiagonal(*arrays))):
        calls.clear()
        fb.trace(lambda d: np.multiply(*A(d, *blocks[1:]).logdet()), blocks[0])  # noqa: B023
        assert len(calls) == 2  # one for the sign and the logarithm, one for the derivative


@pytest.mark.parametrize("spd", [False, True])
def test_zero_entries_of_a_system_with_traced_blocks(spd):
    diag, lower, upper = random_system(np.random.default_rng(13), 4, 2, "float64", spd)
    b = np.zeros((4, 2))
    b[1] = 1

    def entries(d):
        return np.stack(fb.factorize(fb.Tridiagonal(d, lower, upper)).solve([None, b[1], None, None]))

    found, expected = (
        fb.jvp(f, (diag,), (diag**2,)) for f in (entries, lambda d: fb.Tridiagonal(d, lower, upper).solve(b))
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.all(found)  # nothing is zero above the given entry


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
    A = fb.Tridiagonal(np.ones((3, 1, 1)), np.ones((2, 1, 1)), np.ones((2, 1, 1)))
    for solve in (A.solve, fb.factorize, lambda b: substituted_inverse(A.diag, A.lower, A.upper, "Tridiagonal")):
        with pytest.raises(SingularError, match=r"Tridiagonal.solve: pivot block \(1, 1\) must be nonsingular"):
            solve(np.ones(3) if solve == A.solve else A)
    many = np.ones((2, 3, 1, 1))
    many[1, 2] = 0
    with pytest.raises(SingularError, match=r"pivot block \(2, 2\) of system 1 must be nonsingular"):
        fb.Tridiagonal(many, np.zeros((2, 2, 1, 1)), np.zeros((2, 2, 1, 1))).logdet()
    with pytest.raises(SingularError, match=r"pivot block \(2, 2\) of system 1 must be positive definite"):
        fb.Tridiagonal(many, np.zeros((2, 2, 1, 1))).inverse_blocks()
    with pytest.raises(ShapeError, match=r"b must be \(3,\), \(3, 1\), \(3, r\) or \(3, 1, r\)"):
        fb.Tridiagonal(2 * np.ones((3, 1, 1)), np.ones((2, 1, 1))).solve(np.ones(4))
    with pytest.raises(StructureError, match="L is kept of positive definite matrices alone"):
        fb.factorize(fb.Tridiagonal(4 * np.ones((3, 1, 1)), np.ones((2, 1, 1)), np.ones((2, 1, 1)))).L  # noqa: B018


def test_cholesky_factor():
    diag, lower, _ = random_system(np.random.default_rng(12), 4, 2, "complex128", True)
    A = fb.Tridiagonal(diag, lower)
    for view, dense in ((A, dense_of(diag, lower, None)), (A.T, dense_of(diag, lower, None).T)):
        kept = fb.factorize(view)
        L = np.linalg.cholesky(dense)
        np.testing.assert_allclose(kept.L.to_dense(), L, atol=1e-14)
        np.testing.assert_allclose(kept.pivots[3], L[-2:, -2:], atol=1e-14)
    np.testing.assert_allclose(fb.factorize(A).T.L.to_dense(), L, atol=1e-14)
    traced = fb.jvp(lambda d: fb.factorize(fb.Tridiagonal(d, lower.real)).pivots, (diag.real,), (0 * diag.real,))[0]
    np.testing.assert_allclose(traced, fb.factorize(fb.Tridiagonal(diag.real, lower.real)).pivots)


@pytest.mark.parametrize("dtype", DTYPES)
def test_transposes_read_the_lower_triangles_too(dtype):
    rng = np.random.default_rng(3)
    diag = random_array(rng, (4, 3, 3), dtype)
    diag = diag @ np.conjugate(np.swapaxes(diag, -1, -2)) + 9 * np.eye(3, dtype=dtype)
    lower, b = random_array(rng, (3, 3, 3), dtype), random_array(rng, (12, 2), dtype)
    given = diag + np.triu(np.full((3, 3), np.nan), 1).astype(dtype)
    for take in (lambda A: A.T, lambda A: A.H, lambda A: A.T.H, lambda A: A.T.T):
        A, known = take(fb.Tridiagonal(given, lower)), take(fb.Tridiagonal(diag, lower))
        for system in (A, fb.factorize(A), take(fb.factorize(fb.Tridiagonal(given, lower)))):
            np.testing.assert_allclose(system.solve(b), known.solve(b), rtol=1e-4)
            np.testing.assert_allclose(system.logdet()[1], known.logdet()[1], rtol=1e-5)
            for part, expected in zip(system.inverse_blocks(), known.inverse_blocks(), strict=True):
                np.testing.assert_allclose(part, expected, rtol=1e-3, atol=1e-6)
