"""Solves with blocks in arrays: what they allocate, what they do without memory, and sizes past 32 bits."""

import os
import sys

import numpy as np
import pytest
import scipy.sparse

import fastbs as fb
from fastbs import _blocks
from memory import failing_allocations, peak
from test_stack import KINDS, eye, matrix_of, random_blocks


def views_of(n, m, kind, uplo="L", order="C"):
    A = matrix_of(*random_blocks(np.random.default_rng(6), n, m, "float64", kind, order=order), uplo, kind)
    return A, A.T, fb.factorize(A), fb.factorize(A).H, fb.factorize(A, invert=True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_solve_holds_its_result_and_in_place_nothing(kind):
    n, m = 3000, 4
    for uplo, order in (("L", "C"), ("U", "F")):
        for A in views_of(n, m, kind, uplo, order):
            for shape in ((n * m,), (n, m, 2)):
                b = np.ones(shape, order=order)
                out = np.empty_like(b)
                assert peak(lambda: A.solve(b), 3) <= b.nbytes + 4000  # noqa: B023
                assert peak(lambda: A.solve(b, out=out), 3) <= 4000  # noqa: B023
                assert peak(lambda: A.solve(b, overwrite_b=True), 3) <= 4000  # noqa: B023


def holders(n, m):
    """Real matrices of all kinds in arrays, with what each may allocate for a row or a thread."""
    diag, off = random_blocks(np.random.default_rng(7), n, m, "float64", "general")
    array = np.kron(np.eye(n), diag[0]) + np.kron(np.eye(n, k=-1), off[0])
    yield fb.Bidiagonal.from_arrays(diag, off)
    yield fb.Bidiagonal.from_arrays(np.stack([diag] * 2), np.stack([off] * 2))
    yield fb.factorize(fb.Tridiagonal(diag, off / 4, off / 4))
    yield fb.Triangular.from_arrays(array, m)
    yield fb.Triangular.from_arrays(array, n * m, diagonal="lower")
    yield fb.Triangular.from_scipy(scipy.sparse.bsr_array(array, blocksize=(m, m)))
    yield fb.Bidiagonal.from_arrays([*diag, np.eye(1)], [*off, np.ones((1, m))])


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("threads", [1, 2])
def test_in_place_nothing_is_copied(dtype, threads):
    """Also complex right sides of real systems, and parts on threads; a row at most is on its way."""
    for A in holders(40, 4):
        batch, rows, _ = A.flat_form
        b = np.ones((*batch, rows, 300), dtype)
        expected, row = A.solve(b), 4 * b[..., :1, :].nbytes
        for solve in (
            lambda b: A.solve(b, overwrite_b=True, threads=threads),  # noqa: B023
            lambda b: A.solve(b, out=b, threads=threads),  # noqa: B023
        ):
            own = b.copy()
            assert solve(own) is own
            np.testing.assert_allclose(own, expected, rtol=1e-12)
            assert peak(lambda: solve(own), 2) <= 2 * threads * row + 12000  # noqa: B023
        assert peak(lambda: A.solve(b, threads=threads), 2) <= b.nbytes + 2 * threads * row + 12000  # noqa: B023


def test_nothing_is_allocated_in_place():
    A = matrix_of(*random_blocks(np.random.default_rng(6), 10, 3, "float64", "lower"), "L", "lower")
    b = np.ones(30)
    _blocks.fail_allocation(0)
    try:
        A.solve(b, overwrite_b=True)
    finally:
        _blocks.fail_allocation(None)


@pytest.mark.parametrize("kind", KINDS)
def test_every_allocation_may_fail(kind):
    failed = 0
    for m in (3, 20):
        A, b = views_of(10, m, kind)[0], np.ones((10, m, 3))
        for function in (
            lambda: A.solve(b),  # noqa: B023
            lambda: A @ b,  # noqa: B023
            lambda: fb.factorize(A).solve(b),  # noqa: B023
            lambda: fb.factorize(A, invert=True).H.solve(b),  # noqa: B023
        ):
            failed += failing_allocations(_blocks, function)
    assert failed >= 4


HUGE = 2**45


@pytest.mark.parametrize(
    "call",
    [
        lambda: huge().solve(np.broadcast_to(1.0, HUGE)),
        lambda: huge() @ np.broadcast_to(1.0, (HUGE, 1)),
        lambda: huge(2, "general").inverse(),
        lambda: eye().solve(np.broadcast_to(1.0, (6, HUGE))),
        lambda: fb.Diagonal.from_arrays(np.broadcast_to(1.0, (1, 2**24, 2**24)), "spd").solve(np.ones((1, 2**24))),
    ],
)
def test_sizes_past_memory_are_refused(call):
    with pytest.raises(MemoryError, match=r"Unable to allocate|no memory for a workspace of \d+ bytes"):
        call()


def huge(m=1, kind="lower"):
    return fb.Diagonal.from_arrays(np.broadcast_to(np.eye(m), (HUGE, m, m)), kind)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file of 16 GB that takes no room")
@pytest.mark.parametrize("kind", ["general", "lower"])
def test_steps_past_32_bits(tmp_path, kind):
    memory = np.memmap(tmp_path / "sparse", np.float32, "w+", shape=2**32 + 64)
    step, rng = 2**30, np.random.default_rng(14)
    for n, m, r in ((5, 1, 1), (2, 2, 1), (1, 2, 5), (1, 5, 17)):
        small = np.lib.stride_tricks.as_strided
        if n > 1:  # from block to block
            diag = small(memory, (n, m, m), (4 * step, 4 * m, 4))
            b = small(memory[8:], (n, m, r), (4 * step, 4, 4))
        elif m == 2:  # from column to column
            diag = memory[:4].reshape(1, 2, 2)
            b = small(memory[8:], (n, m, r), (8, 4, 4 * step))
        else:  # from row to row
            diag = memory[:25].reshape(1, 5, 5)
            b = small(memory[32:], (n, m, r), (4, 4 * step, 4))
        diag[:] = rng.standard_normal(diag.shape) + 3 * np.eye(m)
        b[:] = rng.standard_normal(b.shape)
        expected = np.linalg.solve(np.tril(diag) if kind == "lower" else diag, b)
        A = fb.Diagonal.from_arrays(diag, kind)
        np.testing.assert_allclose(A.solve(b), expected, rtol=1e-4, atol=1e-5)
        A.solve(b, overwrite_b=True)
        np.testing.assert_allclose(b, expected, rtol=1e-4, atol=1e-5)


def memory_available():
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if sys.platform == "linux" else 0


@pytest.mark.slow
@pytest.mark.skipif(memory_available() < 12e9, reason="needs 9 GB of memory")
def test_more_rows_than_32_bits_count():
    n = 2**31 + 8
    A = fb.Bidiagonal.from_arrays(
        np.broadcast_to(np.float32(2), (n, 1, 1)), np.broadcast_to(np.float32(1), (n - 1, 1, 1))
    )
    x = A.solve(np.broadcast_to(np.float32(3), n))
    assert x[0] == 1.5
    assert (x[-8:] == 1).all()  # x = (3 - x) / 2 again and again
