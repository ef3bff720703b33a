"""Solves of block systems as tapes: what fits runs there, everything else as before, with the same results."""

import copy
import pickle
from itertools import pairwise

import numpy as np
import pytest

import fastbs as fb
from dense import random_array, well_conditioned
from fastbs.blocks.taped import RENT

N = 40


def chain(dtype="float64", n=4, seed=0, diagonal=None):
    """X_i = B_i - A_i X_{i-1} C_i^T, with an edge further back in every third row."""
    rng = np.random.default_rng(seed)
    pairs = {
        (i, j): fb.Kronecker(*(random_array(rng, (n, n), dtype) / n for _ in "CA"))
        for i in range(N)
        for j in (i - 1, *[i - 5] * (i % 3 == 0))
        if j >= 0
    }
    return fb.Triangular(diagonal or [fb.Identity()] * N, pairs)


def factorized(A, side):
    """The factorization of A, its adjoint or its transpose, and that matrix."""
    F = fb.factorize(A)
    return (F, A) if side == "A" else (getattr(F, side), getattr(A, side))


def right_side(dtype="float64", shape=(4, 4), seed=1, none=()):
    rng = np.random.default_rng(seed)
    return [None if i in none else random_array(rng, shape, dtype) for i in range(N)]


def tape_of(F):
    """The tape that ran last."""
    return F._solves.plan


def solved(F, b):
    """A solution after as many solves as a tape costs at most."""
    for _ in range(RENT * 8 // N + 3):
        x = F.solve(b)
    return x


def agree(found, expected):
    assert type(found) is list
    for x, y in zip(found, expected, strict=True):
        if y is None:
            assert x is None
            continue
        assert (type(x), x.dtype, x.shape) == (type(y), y.dtype, y.shape)
        assert x.flags.c_contiguous
        assert x.flags.writeable
        scale = np.finfo(np.result_type(x, np.float32)).eps * np.abs(y).max(initial=1)
        np.testing.assert_allclose(x, y, rtol=0, atol=100 * scale)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("side", ["A", "H", "T"])
def test_equals_the_solve_row_by_row(dtype, side):
    F, A = factorized(chain(dtype), side)
    for seed in (1, 2):
        b = right_side(dtype, seed=seed)
        kept = [x.copy() for x in b]
        agree(solved(F, b), fb.backslash(A, b))
        assert tape_of(F) is not None
        for x, y in zip(b, kept, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("none", [(), (0,), (0, 1, 2, 20), range(1, N), range(N - 1)])
def test_zero_entries(none):
    A = chain()
    F, b = fb.factorize(A), right_side(none=none)
    agree(solved(F, b), fb.backslash(A, b))
    agree(solved(F.H, b), fb.backslash(A.H, b))
    assert tape_of(F) is not None
    agree(F.solve(right_side(none=(3,))), fb.backslash(A, right_side(none=(3,))))


def test_diagonal_blocks_and_multiples_of_identity():
    rng = np.random.default_rng(3)
    diagonal = [[fb.Hadamard(2 + rng.random((4, 4))), 2.0 * fb.Identity(), fb.Identity()][i % 3] for i in range(N)]
    A, b = chain(diagonal=diagonal), right_side()
    F = fb.factorize(A)
    agree(solved(F, b), fb.backslash(A, b))
    agree(solved(F.H, b), fb.backslash(A.H, b))
    assert tape_of(F) is not None


def test_explicit_inverses():
    rng = np.random.default_rng(4)
    A = chain(diagonal=[fb.Left(well_conditioned(rng, 4, "float64")) for _ in range(N)])
    F, b = fb.factorize(A, invert=True), right_side()
    agree(solved(F, b), fb.backslash(A, b))
    assert tape_of(F) is not None


def test_stacks_of_directions_and_memory_orders():
    A = chain()
    F = fb.factorize(A)
    stacks = right_side(shape=(3, 4, 4))
    agree(solved(F, stacks), fb.backslash(A, stacks))
    for b in ([np.asfortranarray(x) for x in right_side()], [x[::-1] for x in right_side()], [*right_side()]):
        agree(solved(F, b), fb.backslash(A, b))


def in_arrays(b):
    """One array of entries in many kinds of memory."""
    yield b
    yield np.asfortranarray(b)
    yield b[::-1][::-1]
    yield np.repeat(b, 2, axis=0)[::2]
    yield np.swapaxes(np.ascontiguousarray(np.swapaxes(b, 1, 2)), 1, 2)
    yield np.broadcast_to(b[:1], b.shape)
    shifted = np.empty(b.nbytes + 1, "b")[1:].view(b.dtype).reshape(b.shape)
    shifted[...] = b
    yield shifted


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("side", ["A", "H", "T"])
def test_an_array_for_an_array(dtype, side):
    F, A = factorized(chain(dtype), side)
    for b in in_arrays(np.array(right_side(dtype))):
        expected, kept = fb.backslash(A, list(b)), b.copy()
        x = solved(F, b)
        assert type(x) is np.ndarray
        agree(list(x), expected)
        agree(list(fb.backslash(A, b)), expected)
        np.testing.assert_array_equal(b, kept)
    assert tape_of(F) is not None


@pytest.mark.parametrize("warm", [False, True])
def test_an_array_is_written_to_out(warm):
    A, b = chain(), np.array(right_side())
    F = fb.factorize(A)
    expected = (solved(F, b) if warm else fb.backslash(A, b)).copy()
    spread = np.zeros((2 * N, 4, 4))
    for out in (np.empty_like(b), spread[::2], np.empty_like(b, order="F"), np.empty_like(b)[::-1], b.copy()):
        assert F.solve(b, out=out) is out
        # the first solves run operator by operator, others as a tape
        np.testing.assert_allclose(out, expected, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(spread[1::2], 0)
    both = np.concatenate([b, b])
    for given, out in ((b, b), (both[:N], both[1 : N + 1])):  # overlapping
        expected = F.solve(given.copy())
        assert F.solve(given, out=out) is out
        np.testing.assert_allclose(out, expected, rtol=0, atol=1e-13)


def test_what_out_cannot_be():
    F, b = fb.factorize(chain()), np.array(right_side())
    for _ in range(2):
        with pytest.raises(fb.errors.ShapeError, match=r"out must be \(40, 4, 4\).*got \(40, 4\)"):
            F.solve(b, out=np.empty((40, 4)))
        with pytest.raises(fb.errors.DtypeError, match=r"out must be float64.*got float32"):
            F.solve(b, out=np.empty(b.shape, np.float32))
        with pytest.raises(fb.errors.StructureError, match=r"only an array b gives an array; got list b"):
            F.solve(list(b), out=np.empty_like(b))
        with pytest.raises(fb.errors.DtypeError, match=r"out must be .*got list"):
            F.solve(b, out=list(b))
        same = np.lib.stride_tricks.as_strided(np.empty((4, 4)), b.shape, (0, 32, 8))
        with pytest.raises(ValueError, match=r"overlaps itself, with strides \(0, 32, 8\)"):
            F.solve(b, out=same)
        frozen = np.empty_like(b)
        frozen.flags.writeable = False
        with pytest.raises(ValueError, match="read-only"):
            F.solve(b, out=frozen)
        solved(F, b)
    assert tape_of(F) is not None


def test_nan_and_infinity_stay_in_their_rows():
    F, b = fb.factorize(chain()), np.array(right_side())
    solved(F, b)
    b[20, 1, 2] = np.nan
    x = F.solve(b)
    assert tape_of(F) is not None
    assert np.isfinite(x[:20]).all()
    np.testing.assert_array_equal(np.isnan(x), np.isnan(np.array(F.solve(list(b)))))
    assert np.isnan(x[20, 1, 2])
    b[20, 1, 2] = np.inf
    assert F.solve(b)[20, 1, 2] == np.inf


def test_an_array_of_numbers():
    rng = np.random.default_rng(6)
    w = rng.random(N - 1)
    A = fb.Bidiagonal([2.0] * N, [-float(x) for x in w])
    F, b = fb.factorize(A), rng.random(N)
    x = solved(F, b)
    assert tape_of(F) is not None
    np.testing.assert_allclose(x, fb.backslash(A, list(b)), rtol=1e-14)
    np.testing.assert_allclose(F.solve(list(b)), x, rtol=1e-14)
    np.testing.assert_allclose(A @ x, b, rtol=1e-13)


@pytest.mark.parametrize("held", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("given", ["int64", "float32", "float64", "complex64", "complex128"])
def test_an_array_of_another_dtype(held, given):
    A = chain(held)
    F, b = fb.factorize(A), (10 * np.array(right_side(given if given != "int64" else "float64"))).astype(given)
    expected = np.array(fb.backslash(A, list(b)))
    x = solved(F, b)
    assert x.dtype == expected.dtype == np.result_type(held, given)
    eps = np.finfo(x.dtype).eps
    np.testing.assert_allclose(x, expected, rtol=0, atol=100 * eps * np.abs(expected).max())
    np.testing.assert_allclose(F.H.solve(x), fb.backslash(A.H, list(x)), rtol=0, atol=1e3 * eps * np.abs(x).max())
    if np.result_type(held, given) == held or np.dtype(held) == float:
        assert tape_of(F) is not None


def test_complex_numbers_in_real_blocks():
    A = fb.Bidiagonal([2j * fb.Identity()] * N, [fb.Left(np.eye(4))] * (N - 1))
    b = np.array(right_side("complex128"))
    np.testing.assert_allclose(solved(fb.factorize(A), b), np.array(fb.backslash(A, list(b))), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_stacks_of_directions_in_an_array(dtype):
    A, b = chain(dtype), np.array(right_side(dtype, shape=(3, 4, 4)))
    F = fb.factorize(A)
    agree(list(solved(F, b)), fb.backslash(A, list(b)))
    assert tape_of(F) is not None


def test_an_array_and_a_list_share_a_tape():
    F, b = fb.factorize(chain()), right_side()
    x = solved(F, b)
    plan = tape_of(F)
    np.testing.assert_array_equal(F.solve(np.array(b)), np.array(x))
    assert tape_of(F) is plan


def test_entries_of_several_shapes_are_a_list():
    D = fb.Diagonal([[fb.Left(np.eye(2)), fb.Right(np.ones((1, 3)))], [fb.Left(np.eye(2)), fb.Right(np.ones((1, 3)))]])
    assert [type(x) for x in D.H @ np.ones((2, 2, 3))] == [tuple, tuple]
    A = fb.BlockMatrix([[np.eye(2), None], [None, np.ones((1, 2))], [None, None]])
    assert [np.shape(x) for x in A @ np.ones((2, 2))] == [(2,), (1,), ()]
    A = fb.BlockMatrix([[np.eye(2), None], [None, None]])
    np.testing.assert_array_equal(A @ np.ones((2, 2)), [[1, 1], [0, 0]])


def test_memory_that_is_not_aligned():
    A, b = chain(), right_side()
    F = fb.factorize(A)
    solved(F, b)
    shifted = [np.empty(x.nbytes + 1, "b")[1:].view(x.dtype).reshape(x.shape) for x in b]
    for x, y in zip(shifted, b, strict=True):
        x[...] = y
    agree(solved(F, shifted), fb.backslash(A, b))
    agree(F.solve(b), fb.backslash(A, b))
    assert tape_of(F) is not None


def test_empty_blocks():
    A = fb.Bidiagonal([fb.Identity()] * N, [fb.Left(np.zeros((0, 0)))] * (N - 1))
    agree(solved(fb.factorize(A), right_side(shape=(0, 3))), fb.backslash(A, right_side(shape=(0, 3))))


def test_contents_of_blocks_may_change():
    A = chain()
    F, b = fb.factorize(A), right_side()
    before = solved(F, b)
    for row in A:
        for block in row:
            if isinstance(block, fb.Kronecker):
                block.factors[0][...] *= 2
    agree(F.solve(b), fb.backslash(A, b))
    assert not np.allclose(F.solve(b)[-1], before[-1])


def test_results_are_new():
    """Entries that are passed on, too."""
    A = fb.Bidiagonal([fb.Identity()] * N, [None] * (N - 1))
    F, b = fb.factorize(A), right_side()
    x, y = solved(F, b), F.solve(b)
    assert tape_of(F) is not None
    assert not any(np.shares_memory(p, q) for p, q in zip(x, b, strict=True))
    assert not any(np.shares_memory(p, q) for p, q in zip(x, y, strict=True))


@pytest.mark.parametrize(
    "block", [fb.Operator(lambda X: X[::-1] * 1.0, lambda Y: Y[::-1] * 1.0), fb.Left(np.eye(4, dtype=int))]
)
def test_what_no_kernel_knows_runs_as_before(block):
    A = fb.Bidiagonal([fb.Identity()] * N, [block] * (N - 1))
    F, b = fb.factorize(A), right_side()
    agree(solved(F, b), fb.backslash(A, b))
    assert tape_of(F) is None


@pytest.mark.parametrize("other", ["float32", "complex128", "int64"])
def test_dtypes_are_promoted(other):
    A = chain()
    F, b = fb.factorize(A), [x.astype(other) for x in right_side()]
    agree(solved(F, b), fb.backslash(A, b))
    agree(solved(F, right_side()), fb.backslash(A, right_side()))


def test_numbers_and_tuples_as_entries():
    A = fb.Bidiagonal([1.0] * N, [2.0] * (N - 1))
    b = [1.0] * N
    F = fb.factorize(A)
    assert solved(F, b) == fb.backslash(A, b)
    pairs = [(x, x[:1]) for x in right_side()]
    for x, y in zip(solved(F, pairs), fb.backslash(A, pairs), strict=True):
        np.testing.assert_array_equal(x[0], y[0])
        np.testing.assert_array_equal(x[1], y[1])


def test_errors_stay_the_same():
    F, b = fb.factorize(chain()), right_side()
    solved(F, b)
    with pytest.raises(fb.errors.ShapeError, match=r"b must have 40 entries .* got 39"):
        F.solve(b[1:])
    b[3] = np.ones((3, 4))
    with pytest.raises(fb.errors.ShapeError, match=r"block \(3, 2\) and entry 2"):
        F.solve(b)


def test_many_kinds_of_rows_wait_until_they_pay():
    rng = np.random.default_rng(5)
    widths = rng.permutation(np.arange(1, 11))
    off = [fb.Left(rng.random((m, n))) for n, m in pairwise(widths)]
    A = fb.Bidiagonal([fb.Identity()] * 10, off)
    F, b = fb.factorize(A), [rng.random((n, 2)) for n in widths]
    for _ in range(RENT // 2):
        F.solve(b)
    assert tape_of(F) is None
    for _ in range(RENT):
        F.solve(b)
    assert tape_of(F) is not None
    agree(F.solve(b), fb.backslash(A, b))


def test_copies_and_pickles():
    F, b = fb.factorize(chain()), right_side()
    x = solved(F, b)
    for other in (copy.copy(F), pickle.loads(pickle.dumps(F))):
        agree(other.solve(b), x)


def test_differentiates_through_a_factorization_of_an_array():
    F, b = fb.factorize(chain()), np.array(right_side())
    solved(F, b)
    c = np.array(right_side(seed=7))
    gradient = fb.grad(lambda b: np.sum(F.solve(b) * c))(b)
    np.testing.assert_allclose(gradient, F.H.solve(c), rtol=1e-12, atol=1e-12)


def test_differentiates_through_a_factorization():
    F, b = fb.factorize(chain()), right_side()
    solved(F, b)
    c = right_side(seed=7)

    def loss(b):
        return sum(np.sum(x * y) for x, y in zip(F.solve(b), c, strict=True))

    for x, y in zip(fb.grad(loss)(b), F.H.solve(c), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12)
