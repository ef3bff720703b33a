"""Matrix products, register-blocked and by BLAS, against NumPy: every size, dtype, memory order and conjugate."""

import functools
import itertools
from itertools import product

import numpy as np
import pytest

import fastbs as fb
from fastbs._tape import Tape, TapedOperator, use_wide_kernels
from fastbs.compiler.assemble import lower
from fastbs.compiler.instructions import GEMM, GEMV, MUL, PRODUCT
from market import DTYPES, ORDERS, ordered, random_array

SMALL = range(19)
LARGE = [(97, 98, 99), (130, 3, 5), (3, 130, 5), (3, 5, 130), (1, 130, 97), (97, 130, 1), (1, 1, 130), (64, 64, 64)]
# Few columns in several panels, more rows than a block, outer products longer than a panel.
LARGE += [(9, 130, 2), (130, 600, 3), (150, 270, 30), (100, 1, 900), (900, 5, 1), (900, 300, 1)]
# Lines that fill vectors of 64 bytes, whole and with an end.
LARGE += [(8, 5, 16), (33, 40, 61), (20, 9, 30), (61, 300, 29)]
STACKS = [
    ((2,), ()),
    ((), (2,)),
    ((3,), (3,)),
    ((2, 1), (3,)),
    ((1,), (4,)),
    ((2, 3), (2, 1)),
    ((0,), ()),
    ((2, 3), ()),
]

every_dtype = pytest.mark.parametrize("dtype", DTYPES)


@pytest.fixture(params=[True, False], ids=["wide", "narrow"])
def vectors(request):
    """Both widths of vectors of a CPU that has two."""
    if not use_wide_kernels(True) and request.param:
        pytest.skip("no vectors of 64 bytes")
    use_wide_kernels(request.param)
    yield
    use_wide_kernels(True)


class Bound(TapedOperator):
    """One tape, run into given memory; falling back to NumPy is an error."""

    def __init__(self, tape, leaves):
        self._bind(tape, leaves, True)


def run(function, arrays, order="C"):
    """``function(*arrays)`` by its tape, into an array of this memory order that holds NaN before."""
    place = ordered(np.full(function(*arrays).shape, np.nan, arrays[0].dtype), order)
    tape = lower(function, arrays, [place])
    assert tape is not None
    assert Bound(tape, arrays[1:]).apply_into(arrays[0], place) is place
    return place


def assert_product(found, a, b, where, added=0.0):
    """Equal to the product in double precision up to the rounding of k partial sums."""
    wide = complex if a.dtype.kind == "c" else float
    error = np.abs(found - np.matmul(a.astype(wide), b.astype(wide))).max(initial=0)
    k, largest = a.shape[-1], float(np.abs(a).max(initial=0)) * float(np.abs(b).max(initial=0))
    bound = 4 * (k + 1) ** 1.5 * np.finfo(a.dtype).eps * (largest + added)
    assert error <= bound, f"{where}: off by {error:.1e}, bound {bound:.1e}"


def conjugate(flags):
    """The product with one, both or none of its factors conjugated."""

    def function(a, b):
        return np.matmul(a.conj() if flags & 1 else a, b.conj() if flags & 2 else b)

    return function


def flags_of(dtype):
    return range(4) if np.dtype(dtype).kind == "c" else (0,)


def operand(slot, array):
    rs, cs = (stride // array.itemsize for stride in array.strides)
    return (slot, 0, rs, cs, 0)


def layout(array):
    return array.dtype, array.shape, array.strides


@pytest.mark.usefixtures("vectors")
@every_dtype
def test_every_small_size(dtype):
    flags = flags_of(dtype)
    cases = itertools.cycle(product(ORDERS, ORDERS, ORDERS, flags, ((1.0, 0.0), (-1.0, 1.0), (0.5, -2.0))))

    @functools.cache
    def matrix(side, rows, columns, order):
        return random_array(np.random.default_rng(side), (rows, columns), dtype, order)

    i = DTYPES.index(dtype)
    addends = itertools.cycle(("itself", "other", "column", "row", "other F", "number", "itself"))
    for m, k, n in product(SMALL, repeat=3):
        p, q, r, flag, (alpha, beta) = next(cases)  # c = alpha a b + beta d
        addend = next(addends)
        a, b, old = matrix(0, m, k, p), matrix(1, k, n, q), matrix(2, m, n, "F" if addend == "other F" else "C")
        if addend in ("column", "row", "number"):
            old = np.broadcast_to(old[: m if addend == "column" else 1, : n if addend == "row" else 1], (m, n))
        c = ordered(old.copy() if addend == "itself" and beta else np.full((m, n), np.nan, dtype), r)
        d = operand(2, c) if addend == "itself" else operand(2, old)
        ends = [layout(c)] if addend == "itself" else [layout(old), layout(c)]
        operands = operand(0, a), operand(1, b), operand(len(ends) + 1, c), d
        code = [(PRODUCT, i, flag, -1, 1, m, n, k, alpha, beta, 1.0, *operands, None)]
        tape = Tape([layout(a), layout(b), *ends[:-1]], ends[-1:], [], code, 0)
        Bound(tape, (b,) if addend == "itself" else (b, old)).apply_into(a, c)
        found = c if beta == 0 else c - np.dtype(dtype).type(beta) * old
        factors = a.conj() if flag & 1 else a, alpha * (b.conj() if flag & 2 else b)
        assert_product(found, *factors, (m, k, n, p, q, r, flag, alpha, beta, addend), abs(beta) * 4)


@pytest.mark.usefixtures("vectors")
@every_dtype
@pytest.mark.parametrize(("m", "k", "n"), [*LARGE, (5, 6, 7)], ids=str)
def test_every_order_and_conjugate(m, k, n, dtype):
    rng = np.random.default_rng(0)
    flags = flags_of(dtype)
    for case, (p, q, r) in enumerate(product(ORDERS, repeat=3)):
        a, b = random_array(rng, (m, k), dtype, p), random_array(rng, (k, n), dtype, q)
        for flag in {flags[case % len(flags)], flags[case // 4 % len(flags)]}:
            factors = (x.conj() if flag & bit else x for x, bit in ((a, 1), (b, 2)))
            assert_product(run(conjugate(flag), (a, b), r), *factors, (p, q, r, flag))


@every_dtype
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [3, 17, 97])
def test_left_and_right_with_their_adjoints(size, order, dtype):
    rng = np.random.default_rng(0)
    X, B = random_array(rng, (size, size + 1), dtype, order), random_array(rng, (size, size), dtype, order)
    A = random_array(rng, (size + 1, size + 1), dtype, order)
    for op, factors in (
        (fb.Left(B), (B, X)), (fb.Left(B).H, (B.conj().T, X)), (fb.Left(B).T, (B.T, X)),
        (fb.Right(A), (X, A)), (fb.Right(A).H, (X, A.conj().T)), (fb.Right(A).T, (X, A.T)),
    ):  # fmt: skip
        for r in ORDERS:
            out = ordered(np.full(X.shape, np.nan, dtype), r)
            assert_product(op.apply_into(X, out), *factors, (op.symbol, r))
        for _ in range(3):  # in NumPy, then by a tape
            assert_product(op @ X, *factors, op.symbol)


@pytest.mark.usefixtures("vectors")
@every_dtype
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [0, 1, 4, 9, 100], ids=str)
def test_sums_of_products_accumulate(size, order, dtype):
    rng = np.random.default_rng(0)
    a, b, c, d, e = (random_array(rng, (size, size), dtype, "CF"[i % 2]) for i in range(5))
    for function in (
        lambda a, b, c, d, e: a @ b + c @ d,
        lambda a, b, c, d, e: a @ b - c.conj() @ d,
        lambda a, b, c, d, e: e - a @ b + c.T @ d,
        lambda a, b, c, d, e: -(a @ b) + (e + c) - d @ e.conj().T,
    ):
        found, expected = run(function, (a, b, c, d, e), order), function(a, b, c, d, e)
        scale = np.finfo(dtype).eps * (1 + np.abs(expected).max(initial=0))
        np.testing.assert_allclose(found, expected, rtol=0, atol=20 * np.sqrt(size + 1) * scale)


@every_dtype
@pytest.mark.parametrize("stacks", STACKS, ids=str)
@pytest.mark.parametrize(("m", "k", "n"), [(3, 4, 5), (1, 4, 1), (4, 0, 3), (20, 21, 22)], ids=str)
def test_batches_broadcast_as_matmul(m, k, n, stacks, dtype):
    rng = np.random.default_rng(0)
    flags = flags_of(dtype)
    for case, (p, q) in enumerate(product(ORDERS, repeat=2)):
        r = ORDERS[(case + case // 4) % 4]
        a, b = random_array(rng, (*stacks[0], m, k), dtype, p), random_array(rng, (*stacks[1], k, n), dtype, q)
        flag = flags[case % len(flags)]
        found = run(conjugate(flag), (a, b), r)
        assert_product(found, *(x.conj() if flag & bit else x for x, bit in ((a, 1), (b, 2))), (p, q, r, flag))


@every_dtype
@pytest.mark.parametrize("shapes", [((5,), (5, 3)), ((3, 5), (5,)), ((5,), (5,)), ((2, 3, 5), (5,)), ((5,), (2, 5, 3))])
@pytest.mark.parametrize("scale", [1, 40])
def test_vectors_as_matmul(shapes, scale, dtype):
    rng = np.random.default_rng(0)
    shapes = [tuple(n * scale if n == 5 else n for n in shape) for shape in shapes]
    for p, q, flag in product(ORDERS, ORDERS, flags_of(dtype)):
        a, b = (random_array(rng, shape, dtype, order) for shape, order in zip(shapes, (p, q), strict=True))
        found = run(conjugate(flag), (a, b))
        assert_product(found, *(x.conj() if flag & bit else x for x, bit in ((a, 1), (b, 2))), (p, q, flag))


@pytest.mark.usefixtures("vectors")
@every_dtype
@pytest.mark.parametrize("size", [1, 2, 3, 8, 17, 31, 100])
def test_nan_and_infinity_as_numpy(size, dtype):
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-2, 3, size=(size, size)).astype(dtype) for _ in range(2))
    a[rng.integers(size, size=2), rng.integers(size, size=2)] = np.nan, -np.inf
    b[rng.integers(size), rng.integers(size)] = np.inf
    with np.errstate(invalid="ignore"):
        for order in ORDERS:
            found, expected = run(np.matmul, (a, b), order), a @ b
            np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
            if np.dtype(dtype).kind == "f":
                np.testing.assert_array_equal(found, expected)


@every_dtype
def test_a_zero_factor_does_not_hide_a_nan(dtype):
    a, b = np.zeros((3, 4), dtype), np.full((4, 2), np.nan, dtype)
    assert np.isnan(run(np.matmul, (a, b))).all()
    assert np.isnan(run(lambda a, b: b.T @ a.T, (a, b), "F")).all()


@every_dtype
@pytest.mark.parametrize("size", [7, 120])
def test_stretched_operands_are_read_once_an_element(size, dtype):
    rng = np.random.default_rng(0)
    row, column = random_array(rng, (1, size), dtype), random_array(rng, (size, 1), dtype)
    for a, b in product((np.broadcast_to(row, (size, size)), np.broadcast_to(column, (size, size))), repeat=2):
        for flag in flags_of(dtype):
            found = run(conjugate(flag), (a, b), "F")
            assert_product(found, *(x.conj() if flag & bit else x for x, bit in ((a, 1), (b, 2))), flag)


@pytest.mark.parametrize("function", [np.add, np.subtract, np.multiply, np.true_divide], ids=lambda f: f.__name__)
@every_dtype
def test_elementwise_kernels_broadcast_as_numpy(function, dtype):
    rng = np.random.default_rng(0)
    shapes = [((), (3,)), ((3,), (2, 3)), ((2, 1), (1, 5)), ((2, 3, 1, 5), (4, 1)), ((0, 3), (1, 3)), ((9,), (9,))]
    for (left, right), p, r in product(shapes, ORDERS, ORDERS[::2]):
        a, b = random_array(rng, left, dtype, p), random_array(rng, right, dtype, r)
        for flag in flags_of(dtype):

            def conjugated(a, b, flag=flag):
                return function(a.conj() if flag & 1 else a, b.conj() if flag & 2 else b)

            expected = conjugated(a, b)
            if expected.ndim:
                bound = 4 * np.finfo(dtype).eps * np.abs(expected).max(initial=0)
                np.testing.assert_allclose(run(conjugated, (a, b), r), expected, rtol=0, atol=bound)


@every_dtype
@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (1, 33), (5, 18)], ids=str)
def test_a_column_times_a_row_into_one_of_them(shape, dtype):
    rng = np.random.default_rng(0)
    m, n = shape
    column, row = random_array(rng, (m, 1), dtype), random_array(rng, (1, n), dtype)
    for inner in {m == 1, False}:  # a result of one row may lie in the row itself
        c = row.copy() if inner else np.full(shape, np.nan, dtype)
        place = operand(2, c)
        b = place if inner else (1, 0, 0, 1, 0)
        code = [(MUL, DTYPES.index(dtype), 0, -1, 1, m, n, 1, 1.0, 0.0, 1.0, (0, 0, 1, 0, 0), b, place, place, None)]
        tape = Tape([layout(column), layout(row)], [layout(c)], [], code, 0)
        Bound(tape, (row,)).apply_into(column, c)
        np.testing.assert_allclose(c, column * row, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_division_by_zero_as_numpy(dtype):
    a, b = np.array([1, -1, 0, np.inf, np.nan], dtype), np.array([0, 0, 0, np.inf, 1], dtype)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(run(np.true_divide, (a, b)), a / b)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_division_does_not_overflow(dtype):
    huge = np.finfo(dtype).max / 4
    y = np.array([huge + 1j * huge, huge, 1j * huge, 1 / huge], dtype)
    np.testing.assert_allclose(run(np.true_divide, (y, y)), np.ones(4), rtol=1e-6)


@every_dtype
def test_inner_products(dtype):
    rng = np.random.default_rng(0)
    for n, p, q in product([*SMALL, 33, 130], ORDERS, ORDERS):
        a, b = random_array(rng, (n,), dtype, p), random_array(rng, (n,), dtype, q)
        for _ in range(3):
            assert_product(fb.Inner(a) @ b, a.conj(), b, (n, p, q))
        if np.dtype(dtype).kind == "f":
            assert_product(lower(np.vecdot, (a, b))(a, b)[0], a, b, (n, p, q))


def test_instructions_are_numbered_as_the_executor_does():
    assert (GEMM, GEMV, PRODUCT) == (4, 5, 6)
