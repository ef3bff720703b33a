"""Block triangles in one array against dense LAPACK."""

import itertools
import pickle

import numpy as np
import pytest

import fastbs as fb
from dense import DTYPES, backward_error, check_in_50_digits, check_logdet, random_array
from fastbs import _blocks
from fastbs.errors import ShapeError, SingularError, StructureError
from gradients import check
from memory import failing_allocations, peak

KINDS = ("unit", "general", "lower", "upper", "spd")


def random_triangle(rng, n, m, dtype, uplo, kind):
    """(an array whose other side must not be read, the dense matrix it stands for)."""
    A = random_array(rng, (n * m, n * m), dtype) / np.asarray(n * m or 1, dtype)
    dense = np.zeros_like(A)
    for i in range(n):
        at = slice(i * m, (i + 1) * m)
        D = A[at, at] + 2 * np.eye(m, dtype=dtype)
        A[at, at] = D = D @ D.conj().T if kind == "spd" else D
        beside = slice(0, i * m) if uplo == "L" else slice((i + 1) * m, None)
        dense[at, beside] = A[at, beside]
        dense[at, at] = np.eye(m) if kind == "unit" else {"lower": np.tril, "upper": np.triu}.get(kind, np.asarray)(D)
    return A, dense


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("uplo", ["L", "U"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_as_dense(dtype, uplo, kind):
    rng = np.random.default_rng(0)
    for (n, m), order in itertools.product(((1, 3), (5, 1), (4, 5)), "CF"):
        array, dense = random_triangle(rng, n, m, dtype, uplo, kind)
        A = fb.Triangular.from_arrays(np.asarray(array, order=order), m, uplo, kind)
        for form in ((n * m,), (n, m), (n * m, 9), (n, m, 2)):
            b = random_array(rng, form, dtype)
            flat = (n * m, -1)
            for solver in (A, fb.factorize(A), fb.factorize(A, invert=True)):
                views = (solver, dense), (solver.T, dense.T), (solver.H, dense.conj().T), (solver.H.T, dense.conj())
                for view, D in views:
                    check_logdet(view, D)
                    x = view.solve(b)
                    assert x.shape == b.shape
                    error = backward_error(D, x.reshape(flat), b.reshape(flat))
                    assert error <= 10 * n * m * np.finfo(dtype).eps
            out = np.empty_like(b)
            assert A.solve(b, out=out) is out
            np.testing.assert_allclose(out, A.solve(b))
            np.testing.assert_allclose((A @ b).reshape(flat), dense @ b.reshape(flat), atol=1e3 * np.finfo(dtype).eps)
        np.testing.assert_allclose(A.to_dense(), dense)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(A)).solve(b), A.solve(b))
    with pytest.raises(ShapeError, match=r"b must be \(20,\), \(4, 5\), \(20, r\) or \(4, 5, r\)"):
        A.solve(np.ones(19))


@pytest.mark.parametrize("kind", KINDS)
def test_against_mpmath(kind):
    rng = np.random.default_rng(5)
    array, dense = random_triangle(rng, 3, 2, "float64", "U", kind)
    b = rng.standard_normal(6)
    check_in_50_digits(dense, fb.Triangular.from_arrays(array, 2, "U", kind).solve(b), b)


@pytest.mark.parametrize("uplo", ["L", "U"])
def test_blocks_of_one_row_are_one_triangle(uplo):
    array, dense = random_triangle(np.random.default_rng(6), 40, 1, "float64", uplo, "general")
    A, b = fb.Triangular.from_arrays(array, 1, uplo), np.ones(40)
    assert backward_error(dense, A.solve(b), b) <= 400 * np.finfo(float).eps
    np.testing.assert_array_equal(A.solve(b), A.stack.whole.solve(b))
    array[7, 7] = 0
    with pytest.raises(SingularError, match=r"block \(7, 7\) must be nonsingular"):
        fb.factorize(A).solve(b)


@pytest.mark.parametrize("uplo", ["L", "U"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_large_triangles(dtype, uplo):
    """Longer than the panels of the kernels."""
    rng = np.random.default_rng(4)
    array, dense = random_triangle(rng, 53, 5, dtype, uplo, "lower" if uplo == "L" else "upper")
    for order, r in itertools.product("CF", (1, 16, 37)):
        A = fb.Triangular.from_arrays(np.asarray(array, order=order), 5, uplo, "lower" if uplo == "L" else "upper")
        b = random_array(rng, (265, r), dtype)
        assert backward_error(dense, A.solve(b), b) <= 10 * 265 * np.finfo(dtype).eps
        assert backward_error(dense.T, A.T.solve(b), b) <= 10 * 265 * np.finfo(dtype).eps


def test_lists_promotion_and_overwriting():
    rng = np.random.default_rng(1)
    array, dense = random_triangle(rng, 3, 2, "float32", "L", "general")
    A, b = fb.Triangular.from_arrays(array, 2), rng.standard_normal((3, 2)) + 1j
    np.testing.assert_allclose(A.solve(b).ravel(), np.linalg.solve(dense, b.ravel()), rtol=1e-5)
    np.testing.assert_allclose(np.concatenate(A.solve(list(b.real))), np.linalg.solve(dense, b.real.ravel()), rtol=1e-5)
    own = b.real.astype("f4")
    assert A.solve(own, overwrite_b=True) is own
    np.testing.assert_allclose(own.ravel(), np.linalg.solve(dense, b.real.ravel()), rtol=1e-4)


@pytest.mark.parametrize("kind", ["lower", "general"])
def test_a_singular_block_is_named(kind):
    A = np.eye(6)
    A[3, 3] = 0
    with pytest.raises(SingularError, match=r"block \(1, 1\) must be nonsingular"):
        fb.Triangular.from_arrays(A, 2, diagonal=kind).solve(np.ones(6))


@pytest.mark.parametrize("kind", KINDS)
def test_a_solve_holds_its_result_and_in_place_a_block(kind):
    n, m, r = 40, 10, 64
    A, _ = random_triangle(np.random.default_rng(3), n, m, "float64", "L", kind)
    for view in (fb.Triangular.from_arrays(A, m, "L", kind), fb.Triangular.from_arrays(A, m, "L", kind).T):
        b = np.ones((n * m, r))
        spare = 3 * m * r * 8 + 40_000  # a product and what stands for the diagonal blocks
        assert peak(lambda: view.solve(b), 3) <= b.nbytes + spare  # noqa: B023
        assert peak(lambda: view.solve(b, overwrite_b=True), 3) <= spare  # noqa: B023
    assert A.nbytes > 10 * spare


@pytest.mark.parametrize("kind", ["general", "spd"])
def test_every_allocation_may_fail(kind):
    A, _ = random_triangle(np.random.default_rng(4), 2, 20, "float64", "L", kind)
    A, b = fb.Triangular.from_arrays(A, 20, "L", kind), np.ones(40)
    for function, count in ((lambda: A.solve(b), 4), (lambda: fb.factorize(A), 2)):
        assert failing_allocations(_blocks, function) >= count


def test_sizes_past_memory_are_refused():
    with pytest.raises(MemoryError, match="Unable to allocate"):
        fb.Triangular.from_arrays(np.eye(4), 2).solve(np.broadcast_to(1.0, (4, 2**45)))


def test_derivatives():
    rng = np.random.default_rng(2)
    array, _ = random_triangle(rng, 3, 2, "float64", "L", "general")
    check(
        lambda A, b: fb.Triangular.from_arrays(A, 2).solve(b) + fb.Triangular.from_arrays(A, 2) @ b,
        array, rng.standard_normal(6), exact=False, float32=False,
    )  # fmt: skip


def test_errors():
    with pytest.raises(ShapeError, match=r"A must be \(N m, N m\) because blocks are 2 x 2; got \(3, 3\)"):
        fb.Triangular.from_arrays(np.eye(3), 2)
    with pytest.raises(StructureError, match=r"diagonal must be one of 'unit', 'general'.*got 'x'"):
        fb.Triangular.from_arrays(np.eye(2), 2, diagonal="x")
    with pytest.raises(ShapeError, match="b must have 2 entries"):
        fb.Triangular.from_arrays(np.eye(4), 2).solve([np.ones(2)])
