"""Blocks in arrays against dense LAPACK: all dtypes, kinds, memory orders, shapes of right sides, and errors."""

import itertools
import pickle
import re

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse

import fastbs as fb
from dense import DTYPES, backward_error, check_in_50_digits, check_logdet, random_array
from fastbs.errors import DtypeError, ShapeError, SingularError, StructureError

KINDS = (None, "general", "lower", "upper", "spd")
SIZES = {"f": (*range(1, 18), 33), "c": (1, 3, 9, 16)}  # those of kernels for one size, and others


def random_blocks(rng, n, m, dtype, kind, batch=(), order="C"):
    """(diag, off), well conditioned; for triangles the other side holds what must not be read."""
    off = random_array(rng, (*batch, max(n - 1, 0), m, m), dtype) / np.asarray(m or 1, dtype)
    diag = None
    if kind:
        diag = random_array(rng, (*batch, n, m, m), dtype) / np.asarray(m or 1, dtype) + 2 * np.eye(m, dtype=dtype)
        if kind == "spd":
            diag = diag @ diag.conj().mT
    if order == "F":
        diag, off = (None if x is None else np.ascontiguousarray(x.mT).mT for x in (diag, off))
    return diag, off


def dense_of(diag, off, uplo, kind, n, m):
    """The matrix by definition."""
    A = np.zeros((n * m, n * m), (off if diag is None else diag).dtype)
    own = {"lower": np.tril, "upper": np.triu}.get(kind, np.asarray)
    for i in range(n):
        rows = slice(i * m, (i + 1) * m)
        A[rows, rows] = np.eye(m) if diag is None else own(diag[i])
        if i and off is not None:
            before = slice((i - 1) * m, i * m)
            A[(rows, before) if uplo == "L" else (before, rows)] = off[i - 1]
    return A


def matrix_of(diag, off, uplo, kind):
    return fb.Bidiagonal.from_arrays(diag, off, uplo, kind or "general")


def forms(n, m):
    return (n * m,), (n, m), (n * m, 3), (n, m, 17)


def check_solve(solver, dense, b, n, m):
    kept = b.copy()
    x = solver.solve(b)
    assert x.shape == b.shape
    assert x.dtype == np.result_type(dense, b)
    np.testing.assert_array_equal(b, kept)
    rows = (n * m, -1) if b.size else (n * m, 0)
    error = backward_error(dense, x.reshape(rows), b.reshape(rows))
    assert error <= 10 * n * m * np.finfo(x.dtype).eps


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("uplo", ["L", "U"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_solves_as_dense(dtype, uplo, kind):
    rng = np.random.default_rng(0)
    n = 4
    for m, order in itertools.product(SIZES[np.dtype(dtype).kind], "CF"):
        diag, off = random_blocks(rng, n, m, dtype, kind, order=order)
        A, dense = matrix_of(diag, off, uplo, kind), dense_of(diag, off, uplo, kind, n, m)
        kept = fb.factorize(A)
        inverse = fb.factorize(A, invert=True)
        for solver in (A, kept, inverse):
            for view, D in turned(solver, dense):
                check_logdet(view, D)
                for shape in forms(n, m):
                    check_solve(view, D, random_array(rng, shape, dtype), n, m)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_number_of_columns(dtype, kind):
    """Tiles of every width, whole and in part, in both memory orders."""
    rng = np.random.default_rng(5)
    n = 3
    for m, order in itertools.product((1, 5, 12), "CF"):
        diag, off = random_blocks(rng, n, m, dtype, kind)
        A, dense = matrix_of(diag, off, "L", kind), dense_of(diag, off, "L", kind, n, m)
        for r in (2, 8, 9, 16, 20, 33, 45, 1500):  # the last one a few blocks at a time
            b = np.asarray(random_array(rng, (n * m, r), dtype), order=order)
            check_solve(A, dense, b, n, m)
            tolerance = 100 * np.finfo(dtype).eps * np.abs(dense).sum(1).max() * np.abs(b).max()
            np.testing.assert_allclose(A @ b, dense @ b, rtol=0, atol=tolerance)


def turned(solver, dense):
    """Itself, its transpose, its adjoint and its conjugate, each with the dense matrix."""
    return (solver, dense), (solver.T, dense.T), (solver.H, dense.conj().T), (solver.H.T, dense.conj())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_multiplies_as_dense(dtype, kind):
    rng = np.random.default_rng(1)
    n = 4
    for m, uplo in itertools.product((1, 3, 8, 18), "LU"):
        diag, off = random_blocks(rng, n, m, dtype, kind)
        A, dense = matrix_of(diag, off, uplo, kind), dense_of(diag, off, uplo, kind, n, m)
        for op, D in ((A, dense), (A.T, dense.T), (A.H, dense.conj().T)):
            for shape in forms(n, m):
                X = random_array(rng, shape, dtype)
                expected = D @ X.reshape(n * m, -1)
                tolerance = 100 * np.finfo(dtype).eps * np.abs(D).sum(1).max() * np.abs(X).max()
                np.testing.assert_allclose((op @ X).reshape(n * m, -1), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (3, 0), (0, 0), (1, 1)])
def test_zero_and_one_sizes(shape):
    n, m = shape
    diag, off = random_blocks(np.random.default_rng(2), n, m, "float64", "general")
    A, dense = matrix_of(diag, off, "L", "general"), dense_of(diag, off, "L", "general", n, m)
    for form in (*forms(n, m), (n, m, 0), (n, m, 1)):
        check_solve(A, dense, np.ones(form), n, m)
        check_solve(fb.factorize(A).H, dense.T, np.ones(form), n, m)


@pytest.mark.parametrize("step", [(1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1)])
def test_any_strides(step):
    rng = np.random.default_rng(3)
    n, m = 6, 3
    diag, off = (
        np.repeat(np.repeat(np.repeat(x, 2, 0), 2, 1), 2, 2)[:: 2 * step[0], :: 2 * step[1], :: 2 * step[2]]
        for x in random_blocks(rng, n, m, "float64", "general")
    )
    A, dense = matrix_of(diag, off, "U", "general"), dense_of(diag, off, "U", "general", n, m)
    b = rng.standard_normal((2 * n, 2 * m, 6))[:: step[0] * 2, ::2, ::-3]
    check_solve(A, dense, b, n, m)
    check_solve(A, dense, np.asfortranarray(rng.standard_normal((n * m, 5))), n, m)
    assert A.solve(np.ones((n * m, 5), order="F")).flags.f_contiguous


@pytest.mark.parametrize("kind", ["general", "lower", "upper", "spd"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_column_and_blocks_of_two_memory_orders(dtype, kind):
    rng = np.random.default_rng(14)
    n = 4
    for m, order, uplo in itertools.product((5, 9, 11, 16, 130), "CF", "LU"):
        diag, off = random_blocks(rng, n, m, dtype, kind, order=order)
        A, dense = matrix_of(diag, off.mT.copy().mT, uplo, kind), dense_of(diag, off, uplo, kind, n, m)
        for view, D in turned(A, dense)[:2]:
            check_solve(view, D, random_array(rng, (n, 2 * m), dtype)[:, ::-2], n, m)
            check_solve(view, D, random_array(rng, (m, n), dtype).T, n, m)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_general_blocks_are_pivoted(dtype, order):
    """Permutations, zeros on the diagonal, multipliers close to 1, ties; a column of zeros is refused."""
    rng = np.random.default_rng(15)
    for m in (4, 8, 9, 10, 11, 12, 13, 16, 17, 24, 31, 32, 33):
        diag = random_array(rng, (5, m, m), dtype)
        diag[1] = np.eye(m)[rng.permutation(m)]
        diag[2, range(m), range(m)] = 0
        diag[3] = np.tri(m) + np.eye(m) * 1e-3
        diag[4] = np.triu(np.ones(m))[rng.permutation(m)]
        diag = diag if order == "C" else diag.mT.copy().mT
        for solver in (fb.Diagonal.from_arrays(diag), fb.factorize(fb.Diagonal.from_arrays(diag))):
            b = random_array(rng, (5, m), dtype)
            for x, A in ((solver.solve(b), diag), (solver.H.solve(b), diag.conj().mT)):
                for i in range(5):
                    assert backward_error(A[i], x[i], b[i]) <= 10 * m * np.finfo(dtype).eps
        diag = diag.copy()
        diag[3, :, m // 2] = 0
        with pytest.raises(SingularError, match=r"block \(3, 3\)"):
            fb.factorize(fb.Diagonal.from_arrays(diag))


@pytest.mark.parametrize("order", ["C", "F"])
def test_infinity_passes(order):
    """What does not meet it stays finite; sums of it are infinite, not NaN."""
    for m in (5, 9, 10, 11, 12):
        off = np.ones((3, m, m))
        A = fb.Bidiagonal.from_arrays(None, off if order == "C" else off.mT.copy().mT)
        b = np.ones((4, m))
        b[1, -1] = np.inf
        x = A.solve(b)
        assert np.isfinite(x[0]).all()
        np.testing.assert_array_equal(x[1], np.where(np.arange(m) == m - 1, np.inf, 1 - m))
        np.testing.assert_array_equal(x[2:], [[-np.inf] * m, [np.inf] * m])


@pytest.mark.parametrize("kind", ["lower", "upper", None, "general"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_batches(dtype, kind):
    rng = np.random.default_rng(4)
    n = 4
    for m, batch, order in itertools.product((1, 3, 4, 6), ((2, 9),), "CF"):
        diag, off = random_blocks(rng, n, m, dtype, kind, batch, order)
        for uplo in "LU":
            A = matrix_of(diag, off, uplo, kind)
            for form, threads in (((n * m,), 1), ((n, m), 2), ((n, m, 3), 1)):
                b = random_array(rng, (*batch, *form), dtype)
                x, y = A.solve(b, threads=threads), A @ b
                z = fb.factorize(A).H.solve(b)
                logs = [fb.factorize(A, invert=invert).logdet() for invert in (False, True)]
                for s in np.ndindex(*batch):
                    D = dense_of(None if diag is None else diag[s], off[s], uplo, kind, n, m)
                    tolerance = 10 * n * m * np.finfo(dtype).eps
                    flat = (n * m, -1)
                    for signs, sizes in logs:
                        np.testing.assert_allclose((signs[s], sizes[s]), np.linalg.slogdet(D), rtol=1e-4, atol=1e-4)
                    assert backward_error(D, x[s].reshape(flat), b[s].reshape(flat)) <= tolerance
                    assert backward_error(D.conj().T, z[s].reshape(flat), b[s].reshape(flat)) <= tolerance
                    np.testing.assert_allclose(y[s].reshape(flat), D @ b[s].reshape(flat), atol=1e3 * tolerance)


def test_out_and_overwrite():
    rng = np.random.default_rng(5)
    n, m = 7, 3
    for kind in KINDS:
        A = matrix_of(*random_blocks(rng, n, m, "float64", kind), "L", kind)
        for form in forms(n, m):
            b = rng.standard_normal(form)
            expected, out = A.solve(b), np.full(form, np.nan)
            assert A.solve(b, out=out) is out
            np.testing.assert_allclose(out, expected, rtol=1e-13)
            own = b.copy()
            assert A.solve(own, overwrite_b=True) is own
            np.testing.assert_array_equal(own, out)
            own = b.copy()
            assert A.solve(own, out=own, threads=2) is own
            np.testing.assert_allclose(own, out, rtol=1e-12)
    same = np.lib.stride_tricks.as_strided(np.ones(1), (n * m,), (0,))
    np.testing.assert_array_equal(A.solve(same, overwrite_b=True), A.solve(np.ones(n * m)))
    assert same[0] == 1  # not written to
    memory = rng.standard_normal(n * m + 1)
    expected = A.solve(memory[1:].copy())
    assert np.shares_memory(A.solve(memory[1:], out=memory[:-1]), memory)
    np.testing.assert_allclose(memory[:-1], expected)


# --- accuracy ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_against_mpmath(dtype, kind):
    rng, n = np.random.default_rng(15), 3
    for m, uplo in ((1, "L"), (2, "U"), (4, "L")):
        diag, off = random_blocks(rng, n, m, dtype, kind)
        dense, b = dense_of(diag, off, uplo, kind, n, m), random_array(rng, (n * m,), dtype)
        A = matrix_of(diag, off, uplo, kind)
        check_in_50_digits(dense, A.solve(b), b)
        check_in_50_digits(dense.conj().T, fb.factorize(A).H.solve(b), b)


def test_promotes_as_numpy():
    rng = np.random.default_rng(8)
    n, m = 3, 2
    for own, given in itertools.product(DTYPES, (*DTYPES, "int32", "float16")):
        diag, off = random_blocks(rng, n, m, own, "general")
        b = (100 * rng.standard_normal((n, m))).astype(given)
        A = matrix_of(diag, off, "L", "general")
        x = A.solve(b)
        assert x.dtype == np.result_type(own, given)
        dense = dense_of(diag, off, "L", "general", n, m)
        assert backward_error(dense, x.ravel(), b.ravel()) < 60 * np.finfo(own).eps
        np.testing.assert_allclose(A @ x, b, rtol=1e-3, atol=1e-3)
    integers = fb.Bidiagonal.from_arrays(np.full((2, 1, 1), 2), np.full((1, 1, 1), 2))
    assert integers.solve([np.array([2]), np.array([4])])[1].dtype == np.float64
    nothing = np.ones((2, 0), "complex128")
    nothing.flags.writeable = False
    assert integers.solve(nothing).dtype == np.complex128


def test_block_vectors_are_lists():
    rng = np.random.default_rng(9)
    for uplo in "LU":
        diag, off = random_blocks(rng, 4, 2, "float64", "general")
        A = matrix_of(diag, off, uplo, "general")
        generic = fb.Bidiagonal(list(diag), list(off), uplo=uplo)
        for b in ([None, np.ones(2), None, None], [np.ones((2, 3))] * 4, [None] * 4):
            for found, expected in ((A.solve(b), generic.solve(b)), (A.H.solve(b), generic.H.solve(b))):
                for x, y in zip(found, expected, strict=True):
                    assert (x is None) == (y is None)
                    assert x is None or np.allclose(x, y)
        assert np.allclose(A[1, 1].to_dense((2,)), diag[1])
        lazy = fb.backslash(A, fb.Diagonal([2.0] * 4))
        np.testing.assert_allclose(lazy[1, 1] @ np.ones(2), generic.solve([None, 2 * np.ones(2), None, None])[1])


def test_door_and_closure():
    rng = np.random.default_rng(10)
    diag, off = random_blocks(rng, 4, 2, "complex128", "general")
    A, b = matrix_of(diag, off, "L", "general"), rng.standard_normal((4, 2))
    dense = dense_of(diag, off, "L", "general", 4, 2)
    np.testing.assert_allclose(fb.backslash(A, b).ravel(), np.linalg.solve(dense, b.ravel()))
    np.testing.assert_allclose((A.inv @ b).ravel(), np.linalg.solve(dense, b.ravel()))
    assert A.H.H is A
    assert isinstance(A + A, fb.Bidiagonal)
    np.testing.assert_allclose((A + 2 * A).to_dense([(2,)] * 4), 3 * dense)
    np.testing.assert_allclose(A.to_dense(), dense)
    np.testing.assert_allclose((A @ A).to_dense([(2,)] * 4), dense @ dense)
    copy = pickle.loads(pickle.dumps(A))
    np.testing.assert_array_equal(copy.solve(b), A.solve(b))
    assert repr(A) == "<Bidiagonal in arrays: 4 blocks of 2 x 2, complex128>"
    solver = pickle.loads(pickle.dumps(fb.factorize(A)))
    np.testing.assert_allclose(solver.solve(b), A.solve(b))
    assert solver.inverse().shape == (4, 4)
    sign, log = np.linalg.slogdet(dense)
    np.testing.assert_allclose(A.logdet(), (sign, log))
    D = fb.Diagonal.from_arrays(diag)
    np.testing.assert_allclose(D.solve(b), np.linalg.solve(diag, b[..., None])[..., 0])
    np.testing.assert_allclose(D @ b, (diag @ b[..., None])[..., 0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("uplo", ["L", "U"])
def test_to_and_from_scipy(uplo, kind):
    rng = np.random.default_rng(13)
    for n, m in ((1, 2), (4, 3), (3, 1)):
        diag, off = random_blocks(rng, n, m, "complex128", kind)
        A, dense = matrix_of(diag, off, uplo, kind), dense_of(diag, off, uplo, kind, n, m)
        for view, D in turned(A, dense):
            np.testing.assert_allclose(view.to_scipy().toarray(), D, rtol=1e-13, atol=1e-13)
            ab, (l, u) = view.to_banded()
            b = random_array(rng, (n * m,), "complex128")
            x = scipy.linalg.solve_banded((l, u), ab, b)
            np.testing.assert_allclose(x, np.linalg.solve(D, b))
            if m > 1:
                back = fb.Bidiagonal.from_scipy(view.to_scipy())
                np.testing.assert_allclose(back.to_dense(), D, rtol=1e-13, atol=1e-13)
    with pytest.raises(StructureError, match=r"block \(2, 0\) must be zero"):
        fb.Bidiagonal.from_scipy(scipy.sparse.bsr_array(np.tri(6), blocksize=(2, 2)))
    with pytest.raises(ShapeError, match=r"A must be square because.*got \(6, 3\)"):
        fb.Bidiagonal.from_scipy(scipy.sparse.bsr_array(np.ones((6, 3)), blocksize=(2, 1)))
    with pytest.raises(StructureError, match="blocks must stand in arrays because numbers are copied"):
        fb.Bidiagonal([1], []).to_scipy()


@pytest.mark.parametrize("kind", ["general", "lower", "upper", "spd"])
@pytest.mark.parametrize("m", [1, 2, 5, 8, 11])
def test_a_singular_block_is_named(kind, m):
    rng = np.random.default_rng(11)
    for uplo, i, dtype in itertools.product("LU", (0, 3), ("float64", "complex64")):
        diag, off = random_blocks(rng, 5, m, dtype, kind)
        diag[i] = np.where(np.arange(m) == m - 1, 0, diag[i])
        diag[i, -1] = 0
        A = matrix_of(diag, off, uplo, kind)
        positive = kind == "spd"
        for solve in (A.solve, A.T.solve, lambda b, A=A: fb.factorize(A).solve(b)):
            for b in (np.ones((5, m), dtype), np.ones((5, m, 4), dtype)):
                message = rf"block \({i}, {i}\) must be {'positive definite' if positive else 'nonsingular'}"
                with pytest.raises(SingularError, match=message):
                    solve(b)
    diag, off = random_blocks(rng, 3, m, "float64", kind, (18,))
    diag[17, 1] = 0
    A = matrix_of(diag, off, "L", kind)
    with pytest.raises(SingularError, match=r"block \(1, 1\) of system 17"):
        A.solve(np.ones((18, 3 * m)))


def test_tiny_pivots_and_nan():
    for m in (1, 2, 9):
        diag = np.tile(np.eye(m) * 1e-310, (3, 1, 1))
        A = fb.Bidiagonal.from_arrays(diag, np.zeros((2, m, m)), diagonal="lower")
        np.testing.assert_allclose(A.solve(np.full((3, m), 1e-312)), 1e-2, rtol=1e-2)
        diag = np.tile(np.eye(m), (3, 1, 1))
        diag[1] = np.nan
        for kind in ("lower", "general", "spd"):
            x = fb.Bidiagonal.from_arrays(diag, np.ones((2, m, m)), diagonal=kind).solve(np.ones((3, m)))
            assert np.isfinite(x[0]).all()
            assert np.isnan(x[1:]).all()


def test_against_band_and_triangular_lapack():
    rng = np.random.default_rng(12)
    diag, off = random_blocks(rng, 200, 4, "float64", "lower")
    A, b = matrix_of(diag, off, "L", "lower"), rng.standard_normal(800)
    dense = dense_of(diag, off, "L", "lower", 200, 4)
    np.testing.assert_allclose(A.solve(b), scipy.linalg.solve_triangular(dense, b, lower=True), rtol=1e-10)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: fb.Bidiagonal.from_arrays(None, None), ShapeError, "got None twice"),
        (lambda: fb.Bidiagonal.from_arrays(np.ones((3, 2)), None), ShapeError, "diag must be (..., N, m, m)"),
        (lambda: fb.Bidiagonal.from_arrays(np.ones((3, 2, 2)), np.ones((3, 2, 2))), ShapeError, "(2, 2, 2)"),
        (lambda: fb.Bidiagonal.from_arrays(np.ones((3, 2, 2)), np.ones((2, 2, 2)), "X"), StructureError, "'X'"),
        (
            lambda: fb.Bidiagonal.from_arrays(np.ones((3, 2, 2)), np.ones((2, 2, 2)), diagonal="x"),
            StructureError, "'general', 'lower', 'upper', 'spd'",
        ),
        (lambda: fb.Diagonal.from_arrays(np.ones((3, 2, 2), np.longdouble)), DtypeError, "double precision"),
        (lambda: eye().solve(np.ones(5)), ShapeError, "b must be (6,), (3, 2), (6, r) or (3, 2, r)"),
        (lambda: eye().solve(np.ones(6, np.longdouble)), DtypeError, "double precision"),
        (lambda: eye().solve(np.ones(6), out=np.ones(5)), ShapeError, "out must be (6,)"),
        (lambda: eye().solve(np.ones(6), out=np.ones(6, "f4")), DtypeError, "out must be float64"),
        (lambda: eye().solve(np.ones(6), out=[1]), DtypeError, "got list"),
        (lambda: eye().solve(np.ones(6), out=read_only()), ValueError, "out must be writeable"),
        (lambda: eye().solve([np.ones(2)] * 3, out=read_only()), DtypeError, "the result is a list"),
        (lambda: eye().solve(np.ones(6), out=overlapping((6,), (0,))), ValueError, "itself, with strides (0,)"),
        (lambda: eye().solve(np.ones((3, 2)), out=overlapping((3, 2), (8, 8))), ValueError, "with strides (8, 8)"),
        (
            lambda: fb.grad(lambda b: eye().solve(b, out=np.ones(6)).sum())(np.ones(6)),
            DtypeError, "traced values are not overwritten",
        ),
        (lambda: eye().solve([np.ones(2)] * 2), ShapeError, "3 entries"),
        (lambda: eye().solve([np.ones(2), np.ones(3), None]), ShapeError, "block (1, 1) and entry 1"),
        (lambda: fb.Diagonal.from_arrays(np.ones((2, 3, 1, 1)))[0, 0], StructureError, "a batch of shape (2,)"),
        (lambda: fb.Bidiagonal([1, 1], [1]).solve([1.0, 1.0], out=read_only()), StructureError, "out must be None"),
    ],
)  # fmt: skip
def test_errors(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()


def eye():
    return fb.Diagonal.from_arrays(np.tile(np.eye(2), (3, 1, 1)))


def overlapping(shape, strides):
    return np.lib.stride_tricks.as_strided(np.zeros(6), shape, strides)


def read_only():
    out = np.ones(6)
    out.flags.writeable = False
    return out


@pytest.mark.parametrize("kind", ["general", "lower", "upper"])
def test_determinants_of_singular_blocks(kind):
    A = fb.Diagonal.from_arrays(np.array([np.eye(2), np.zeros((2, 2))]), kind)
    assert A.logdet() == (0, -np.inf)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_determinants_of_positive_definite_blocks_read_what_solves_read(dtype):
    rng = np.random.default_rng(0)
    diag = rng.normal(size=(3, 4, 4)).astype(dtype)
    if dtype == np.complex128:
        diag += 1j * rng.normal(size=(3, 4, 4))
    diag = diag @ np.conjugate(np.swapaxes(diag, -1, -2)) + np.eye(4)
    lower = diag + np.triu(np.full((4, 4), np.nan), 1)
    expected = np.sum(np.linalg.slogdet(diag)[1])
    for A in (fb.Diagonal.from_arrays(lower, "spd"), fb.Triangular.from_bsr(lower, np.arange(3), np.arange(4), "spd")):
        for view in (A, A.T, A.H):
            np.testing.assert_allclose(view.logdet(), (1.0, expected), atol=1e-12)
