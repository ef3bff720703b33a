"""Blocks of many sizes in lists of arrays against dense LAPACK."""

import itertools
import pickle
import re

import numpy as np
import pytest
import scipy.linalg

import fastbs as fb
from dense import DTYPES, backward_error, check_in_50_digits, check_logdet, random_array
from fastbs import _blocks
from fastbs.errors import DtypeError, ShapeError, SingularError, StructureError
from gradients import check
from memory import failing_allocations, peak

SIZES = (2, 1, 5, 0, 3, 3)


def random_lists(rng, sizes, dtype, uplo, kind):
    """(diag or None, off, the dense matrix); of triangles the other side must not be read."""
    diag, starts = [], np.concatenate([[0], np.cumsum(sizes)]).astype(int)
    at = [slice(*ends) for ends in itertools.pairwise(starts)]
    dense = np.zeros((starts[-1],) * 2, dtype)
    for rows, m in zip(at, sizes, strict=True):
        D = random_array(rng, (m, m), dtype) / np.asarray(m or 1, dtype) + 2 * np.eye(m, dtype=dtype)
        diag.append(D @ D.conj().T if kind == "spd" else D)
        dense[rows, rows] = {"lower": np.tril, "upper": np.triu, "unit": lambda D: np.eye(len(D))}.get(
            kind, np.asarray
        )(diag[-1])
    off = []
    for i, (p, q) in enumerate(itertools.pairwise(sizes)):
        off.append(random_array(rng, (q, p) if uplo == "L" else (p, q), dtype) / np.asarray(3, dtype))
        dense[(at[i + 1], at[i]) if uplo == "L" else (at[i], at[i + 1])] = off[-1]
    return None if kind == "unit" else diag, off, dense


def turned(A, dense):
    return (A, dense), (A.T, dense.T), (A.H, dense.conj().T), (A.H.T, dense.conj())


@pytest.mark.parametrize("kind", ["unit", "general", "lower", "upper", "spd"])
@pytest.mark.parametrize("uplo", ["L", "U"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_as_dense(dtype, uplo, kind):
    rng = np.random.default_rng(0)
    diag, off, dense = random_lists(rng, SIZES, dtype, uplo, kind)
    A = fb.Bidiagonal.from_arrays(diag, off, uplo, "general" if kind == "unit" else kind)
    n, eps = len(dense), np.finfo(dtype).eps
    for solver in (A, fb.factorize(A), fb.factorize(A, invert=True)):
        for view, D in turned(solver, dense):
            check_logdet(view, D)
            for shape in ((n,), (n, 3), (n, 17)):
                b = random_array(rng, shape, dtype)
                kept, x = b.copy(), view.solve(b)
                assert x.dtype == dtype
                np.testing.assert_array_equal(b, kept)
                assert backward_error(D, x, b) <= 10 * n * eps
    for view, D in turned(A, dense):
        X = random_array(rng, (n, 2), dtype)
        np.testing.assert_allclose(view @ X, D @ X, rtol=0, atol=1e3 * eps)
        np.testing.assert_allclose(view.to_dense(), D, rtol=0, atol=100 * eps)
        np.testing.assert_allclose(view.to_scipy().toarray(), D, rtol=0, atol=100 * eps)
        ab, (l, u) = view.to_banded()
        x = scipy.linalg.solve_banded((l, u), ab, X)
        np.testing.assert_allclose(x, np.linalg.solve(D, X), rtol=0, atol=1e4 * eps)


@pytest.mark.parametrize("kind", ["unit", "general", "spd"])
def test_against_mpmath(kind):
    rng = np.random.default_rng(6)
    diag, off, dense = random_lists(rng, (2, 1, 3), "complex128", "L", kind)
    A = fb.Bidiagonal.from_arrays(diag, off, diagonal="general" if kind == "unit" else kind)
    b = random_array(rng, (6,), "complex128")
    check_in_50_digits(dense, A.solve(b), b)
    check_in_50_digits(dense.conj().T, A.H.solve(b), b)


def test_where_results_go():
    rng = np.random.default_rng(1)
    diag, off, dense = random_lists(rng, SIZES, "float64", "L", "general")
    A, b = fb.Bidiagonal.from_arrays(diag, off), rng.standard_normal((len(dense), 3))
    expected = np.linalg.solve(dense, b)
    for order in "CF":
        own = np.array(b, order=order)
        assert A.solve(own, overwrite_b=True) is own
        np.testing.assert_allclose(own, expected)
        out = np.empty(b.shape, order=order)
        assert A.solve(b, out=out) is out
        np.testing.assert_allclose(out, expected)
    memory = np.empty(b.nbytes + 1, "b")[1:].view("f8").reshape(b.shape)  # not aligned
    assert A.solve(b, out=memory) is memory
    np.testing.assert_allclose(memory, expected)
    x = A.solve(b.astype("f4") + 1j * b[::-1])
    np.testing.assert_allclose(x, np.linalg.solve(dense, b + 1j * b[::-1]), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(A @ (b + 1j), dense @ (b + 1j))


@pytest.mark.parametrize("uplo", ["L", "U"])
def test_block_vectors(uplo):
    rng = np.random.default_rng(2)
    diag, off, _ = random_lists(rng, SIZES, "float64", uplo, "general")
    A, generic = fb.Bidiagonal.from_arrays(diag, off, uplo), fb.Bidiagonal(diag, off, uplo)
    for b in ([None] * 6, [None, np.ones(1), None, None, None, None], [np.ones((m, 2)) for m in SIZES]):
        for found, expected in ((A.solve(b), generic.solve(b)), (A.H.solve(b), generic.H.solve(b))):
            for x, y in zip(found, expected, strict=True):
                assert (x is None) == (y is None)
                assert x is None or np.allclose(x, y)
    lazy = fb.backslash(A, fb.Diagonal([2.0] * 6))
    np.testing.assert_allclose(lazy[2, 2] @ np.ones(5), 2 * np.linalg.solve(diag[2], np.ones(5)))
    assert repr(A) == "<Bidiagonal in arrays: 6 blocks of many sizes, float64>"
    b = rng.standard_normal(sum(SIZES))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(A)).solve(b), A.solve(b))
    np.testing.assert_allclose(fb.factorize(A).inverse() @ A.solve(b), b)


def test_diagonal_and_triangles_of_many_sizes():
    rng = np.random.default_rng(3)
    diag, _, _ = random_lists(rng, (2, 3), "float64", "L", "spd")
    b = rng.standard_normal(5)
    D = fb.Diagonal.from_arrays(diag, diagonal="spd")
    np.testing.assert_allclose(D.solve(b), np.linalg.solve(scipy.linalg.block_diag(*diag), b))
    A = rng.standard_normal((6, 6)) + 6 * np.eye(6)
    dense = scipy.linalg.block_diag(np.ones((2, 2)), np.ones((1, 1)), np.ones((3, 3))) + np.tri(6) > 0
    b = rng.standard_normal(6)
    T = fb.Triangular.from_arrays(A, [2, 1, 3])
    for view, M in turned(T, np.where(dense, A, 0)):
        np.testing.assert_allclose(view.solve(b), np.linalg.solve(M, b))
        np.testing.assert_allclose(np.concatenate(view.solve([b[:2], b[2:3], b[3:]])), np.linalg.solve(M, b))


@pytest.mark.parametrize("kind", ["unit", "general", "lower", "spd"])
def test_memory_is_the_result_and_a_block(kind):
    sizes = [30, 40] * 8
    diag, off, _ = random_lists(np.random.default_rng(7), sizes, "float64", "L", kind)
    A = fb.Bidiagonal.from_arrays(diag, off, diagonal="general" if kind == "unit" else kind)
    b = np.ones((sum(sizes), 20))
    block = 2 * 40 * max(40, 20) * b.itemsize + 8000
    for view in (A, fb.factorize(A), fb.factorize(A).H):
        view.solve(b)
        assert peak(lambda: view.solve(b), 2) <= b.nbytes + block  # noqa: B023
        assert peak(lambda: view.solve(b, overwrite_b=True), 2) <= block  # noqa: B023


@pytest.mark.parametrize("kind", ["general", "lower", "spd"])
def test_failing_allocations(kind):
    diag, off, _ = random_lists(np.random.default_rng(8), (20, 18), "float64", "L", kind)
    A, b = fb.Bidiagonal.from_arrays(diag, off, diagonal=kind), np.ones((38, 3))
    for function in (lambda: A.solve(b), lambda: fb.factorize(A).solve(b)):
        assert failing_allocations(_blocks, function) >= 1


def test_derivatives():
    rng = np.random.default_rng(4)
    (D, E), (O,), _ = random_lists(rng, (1, 2), "float64", "L", "general")

    def solve(D, E, O, b):
        A = fb.Bidiagonal.from_arrays([D, E], [O])
        return A.solve(b) + A.H @ A.solve(b)

    check(solve, D, E, O, rng.standard_normal(3), exact=False, float32=False)


@pytest.mark.parametrize("kind", ["general", "lower", "upper", "spd"])
def test_a_singular_block_is_named(kind):
    diag, off, _ = random_lists(np.random.default_rng(5), (2, 3, 1), "float64", "L", kind)
    diag[1][:] = 0
    A = fb.Bidiagonal.from_arrays(diag, off, diagonal=kind)
    for solve in (A.solve, A.H.solve, lambda b: fb.factorize(A, invert=True).solve(b)):
        with pytest.raises(SingularError, match=r"block \(1, 1\) must be"):
            solve(np.ones(6))


ONE, TWO = np.ones((1, 1)), np.eye(2)


def test_a_list_of_one_block():
    A = fb.Bidiagonal.from_arrays([2 * np.eye(2)], [])
    np.testing.assert_array_equal(A.solve(np.ones(2)), [0.5, 0.5])
    assert A.shape == (1, 1)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: fb.Bidiagonal.from_arrays([ONE, TWO], [TWO]), ShapeError, "off[0] must be (2, 1)"),
        (lambda: fb.Bidiagonal.from_arrays([ONE, TWO], [TWO], "U"), ShapeError, "off[0] must be (1, 2)"),
        (lambda: fb.Bidiagonal.from_arrays([ONE, TWO], []), ShapeError, "off must have 1 blocks"),
        (lambda: fb.Bidiagonal.from_arrays([ONE, [[1], [2, 3]]], [TWO]), ShapeError, "diag[1] must be rectangular"),
        (lambda: fb.Diagonal.from_arrays([ONE, [[1], [2, 3]]]), ShapeError, "diag[1] must be rectangular"),
        (lambda: fb.Diagonal.from_arrays([ONE, np.ones((2, 3))]), ShapeError, "diag[1] must be a square matrix"),
        (lambda: fb.Bidiagonal.from_arrays([ONE, TWO], [np.ones(2)]), ShapeError, "off[0] must be a matrix"),
        (lambda: fb.Diagonal.from_arrays([ONE, TWO], "x"), StructureError, "got 'x'"),
        (lambda: fb.Diagonal.from_arrays([ONE, TWO]).solve(np.ones(4)), ShapeError, "b must be (3,) or (3, r)"),
        (lambda: fb.Diagonal.from_arrays([ONE, TWO]).solve([ONE, ONE]), ShapeError, "block (1, 1) and entry 1"),
        (lambda: fb.Diagonal.from_arrays([ONE, TWO]).solve([ONE]), ShapeError, "b must have 2 entries"),
        (lambda: fb.Diagonal.from_arrays([ONE, TWO]).solve(np.ones(3, "g")), DtypeError, "double precision"),
        (lambda: fb.Diagonal.from_arrays([ONE, TWO]).solve([ONE, None], out=ONE), DtypeError, "the result is a list"),
        (
            lambda: fb.grad(lambda b: fb.Diagonal.from_arrays([ONE, TWO]).solve(b, out=np.ones(3)).sum())(np.ones(3)),
            DtypeError, "traced values are not overwritten",
        ),
        (lambda: fb.Triangular.from_arrays(np.eye(3), [1, 1]), ShapeError, "got 2 in all, the least 1"),
        (lambda: fb.Triangular.from_arrays(np.eye(3), [4, -1]), ShapeError, "got 3 in all, the least -1"),
    ],
)  # fmt: skip
def test_errors(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()
