"""Block matrices against the dense block matrix that their definition says."""

import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

import fastbs as fb
from dense import DTYPES, agree, block, flat, random_array, vec, well_conditioned

COLUMNS = 3  # every entry of a block vector has this many columns


def random_block(rng, kind, p, m, dtype="float64"):
    """A block from (m, COLUMNS) to (p, COLUMNS) and its matrix on vec(X); None where the kind cannot."""
    B, A = random_array(rng, (p, m), dtype), random_array(rng, (COLUMNS, COLUMNS), dtype)
    M, s = random_array(rng, (p, COLUMNS), dtype), random_array(rng, (), dtype).item()
    eye = np.eye(COLUMNS, dtype=dtype)
    same = p == m
    return {
        "none": lambda: None,
        "array": lambda: (B, np.kron(eye, B)),
        "sparse": lambda: (scipy.sparse.csr_array(B), np.kron(eye, B)),
        "left": lambda: (fb.Left(B), np.kron(eye, B)),
        "right": lambda: (fb.Right(A), np.kron(A.T, np.eye(p, dtype=dtype))) if same else None,
        "kronecker": lambda: (fb.Kronecker(A, B), np.kron(A, B)),
        "hadamard": lambda: (fb.Hadamard(M), np.diag(vec(M))) if same else None,
        "number": lambda: (s, s * np.eye(p * COLUMNS, dtype=dtype)) if same else None,
        "one": lambda: (1, np.eye(p * COLUMNS, dtype=dtype)) if same else None,
        "identity": lambda: (fb.Identity(), np.eye(p * COLUMNS, dtype=dtype)) if same else None,
        "zero": lambda: (
            fb.Zero((m, COLUMNS), (p, COLUMNS)),
            np.zeros((p * COLUMNS, m * COLUMNS), dtype),
        ),
        "chain": lambda: (fb.Hadamard(M) @ fb.Left(B) @ fb.Right(A), np.diag(vec(M)) @ np.kron(A.T, B)),
        "scaled": lambda: (s * fb.Left(B), s * np.kron(eye, B)),
        "divided": lambda: (fb.Left(B) / 2, np.kron(eye, B) / 2),
        "sum": lambda: (fb.Kronecker(A, B) - fb.Left(B), np.kron(A, B) - np.kron(eye, B)),
        "negative": lambda: (-fb.Left(B), -np.kron(eye, B)),
    }[kind]()


KINDS = [
    "none",
    "array",
    "sparse",
    "left",
    "right",
    "kronecker",
    "hadamard",
    "number",
    "one",
    "identity",
    "zero",
    "chain",
    "scaled",
    "divided",
    "sum",
    "negative",
]


def random_matrix(rng, heights, widths, kinds=KINDS, dtype="float64"):
    """A block matrix of random kinds of blocks, and its dense form."""
    blocks, dense = [[None] * len(widths) for _ in heights], {}
    for i, p in enumerate(heights):
        for j, m in enumerate(widths):
            made = random_block(rng, kinds[rng.integers(len(kinds))], p, m, dtype)
            if made is not None:
                blocks[i][j], dense[i, j] = made
    if not heights or not widths:
        return None
    return fb.BlockMatrix(blocks), block(dense, [p * COLUMNS for p in heights], [m * COLUMNS for m in widths])


def random_vector(rng, sizes, dtype="float64", zeros=0.3):
    return [None if rng.random() < zeros else random_array(rng, (m, COLUMNS), dtype) for m in sizes]


def shapes(sizes):
    return [(m, COLUMNS) for m in sizes]


sizes = st.lists(st.integers(1, 4), min_size=1, max_size=4)
seeds = st.integers(0, 2**32 - 1)
some = settings(max_examples=40, deadline=None)


# --- the laws over random structures -----------------------------------------------------------------


@some
@given(seed=seeds, heights=sizes, widths=sizes, dtype=st.sampled_from(DTYPES))
def test_action_adjoint_and_transpose(seed, heights, widths, dtype):
    rng = np.random.default_rng(seed)
    A, dense = random_matrix(rng, heights, widths, dtype=dtype)
    v, w = random_vector(rng, widths, dtype), random_vector(rng, heights, dtype)
    tolerance = 100 * np.finfo(dtype).eps
    for _ in range(3):  # NumPy, lowering, tape
        agree(A @ v, dense, shapes(widths), v, shapes(heights), tolerance)
        agree(A.H @ w, dense.conj().T, shapes(heights), w, shapes(widths), tolerance)
        agree(A.T @ w, dense.T, shapes(heights), w, shapes(widths), tolerance)
    for y in (*(A @ v), *(A.H @ w)):
        assert y is None or y.dtype == dtype


@some
@given(seed=seeds, heights=sizes, inner=sizes, widths=sizes, dtype=st.sampled_from(("float64", "complex128")))
def test_products(seed, heights, inner, widths, dtype):
    rng = np.random.default_rng(seed)
    A, a = random_matrix(rng, heights, inner, dtype=dtype)
    B, b = random_matrix(rng, inner, widths, dtype=dtype)
    v, w = random_vector(rng, widths, dtype), random_vector(rng, heights, dtype)
    AB = A @ B
    assert isinstance(AB, fb.BlockMatrix)
    assert AB.shape == (len(heights), len(widths))
    agree(AB @ v, a @ b, shapes(widths), v, shapes(heights))
    agree(AB.H @ w, (a @ b).conj().T, shapes(heights), w, shapes(widths))
    agree((B.H @ A.H) @ w, (a @ b).conj().T, shapes(heights), w, shapes(widths))


@some
@given(seed=seeds, heights=sizes, widths=sizes, dtype=st.sampled_from(("float64", "complex128")))
def test_sums_and_scaling(seed, heights, widths, dtype):
    rng = np.random.default_rng(seed)
    (A, a), (B, b) = (random_matrix(rng, heights, widths, dtype=dtype) for _ in range(2))
    v, w = random_vector(rng, widths, dtype), random_vector(rng, heights, dtype)
    s = random_array(rng, (), dtype).item()
    for C, c in (
        (A + B, a + b),
        (A - B, a - b),
        (-A, -a),
        (+A, a),
        (s * A, s * a),
        (A * s, s * a),
        (A / s, a / s),
        (np.float64(2) * A - B / np.array(4.0), 2 * a - b / 4),
        (2 * (A - B) + A, 3 * a - 2 * b),
        (-(A - B), b - a),
    ):
        assert isinstance(C, fb.BlockMatrix)
        agree(C @ v, c, shapes(widths), v, shapes(heights))
        agree(C.H @ w, c.conj().T, shapes(heights), w, shapes(widths))


@some
@given(seed=seeds, n=sizes)
def test_identity_plus_and_minus(seed, n):
    rng = np.random.default_rng(seed)
    A, a = random_matrix(rng, n, n)
    v = random_vector(rng, n)
    eye = np.eye(len(a))
    I = fb.Identity()
    for C, c in (
        (I - A, eye - a),
        (I + A, eye + a),
        (A - I, a - eye),
        (A + I, a + eye),
        (3 * I - A, 3 * eye - a),
        (A - I / 4, a - eye / 4),
        (-I + A, a - eye),
        (A + fb.Zero(), a),
        (fb.Zero() - A, -a),
    ):
        assert isinstance(C, fb.BlockMatrix)
        agree(C @ v, c, shapes(n), v, shapes(n))


@some
@given(seed=seeds, heights=sizes, widths=sizes)
def test_to_dense(seed, heights, widths):
    rng = np.random.default_rng(seed)
    A, dense = random_matrix(rng, heights, widths, [k for k in KINDS if k != "none"])
    for matrix, sizes_in, expected in ((A, widths, dense), (A.H, heights, dense.T)):
        if all(matrix.rows):  # the height of a row without blocks is not known
            found = matrix.to_dense(shapes(sizes_in))
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@some
@given(seed=seeds, n=sizes, upper=st.booleans(), dtype=st.sampled_from(DTYPES))
def test_solve_of_random_triangles(seed, n, upper, dtype):
    """Diagonal blocks of every invertible kind against numpy.linalg.solve."""
    rng = np.random.default_rng(seed)
    blocks, dense = {}, {}
    for i, p in enumerate(n):
        for j, m in enumerate(n):
            made = None
            if i == j:
                made = invertible_block(rng, INVERTIBLE[rng.integers(len(INVERTIBLE))], p, dtype)
            elif (j > i) is upper:
                made = random_block(rng, KINDS[rng.integers(len(KINDS))], p, m, dtype)
            if made is not None:
                blocks[i, j], dense[i, j] = made
    A = fb.BlockMatrix([[blocks.get((i, j)) for j in range(len(n))] for i in range(len(n))])
    a = block(dense, [p * COLUMNS for p in n], [p * COLUMNS for p in n])
    b = random_vector(rng, n, dtype)
    eps = np.finfo(dtype).eps
    for matrix, reference in ((A, a), (A.H, a.conj().T), (A.T, a.T)):
        for _ in range(3):
            x = fb.backslash(matrix, b)
        assert all(y is None or y.dtype == dtype for y in x)
        exact = np.linalg.solve(reference, flat(b, shapes(n)))
        # forward error: the condition of a random triangle grows quickly
        bound = 100 * len(a) * eps * np.linalg.cond(reference.astype(complex)) * np.abs(exact).max(initial=0)
        assert np.abs(flat(x, shapes(n)) - exact).max(initial=0) <= bound


def invertible_block(rng, kind, m, dtype):
    B, A = well_conditioned(rng, m, dtype), well_conditioned(rng, COLUMNS, dtype)
    M = (1.5 + np.abs(random_array(rng, (m, COLUMNS), dtype))).astype(dtype)
    eye = np.eye(COLUMNS, dtype=dtype)
    one = np.eye(m * COLUMNS, dtype=dtype)
    return {
        "array": lambda: (B, np.kron(eye, B)),
        "triangle": lambda: (np.tril(B), np.kron(eye, np.tril(B))),
        "sparse": lambda: (scipy.sparse.csr_array(B), np.kron(eye, B)),
        "sparse triangle": lambda: (scipy.sparse.csc_array(np.triu(B)), np.kron(eye, np.triu(B))),
        "left": lambda: (fb.Left(B), np.kron(eye, B)),
        "right": lambda: (fb.Right(A), np.kron(A.T, np.eye(m, dtype=dtype))),
        "kronecker": lambda: (fb.Kronecker(A, B), np.kron(A, B)),
        "hadamard": lambda: (fb.Hadamard(M), np.diag(vec(M))),
        "number": lambda: (2.5, 2.5 * one),
        "one": lambda: (1, one),
        "chain": lambda: (fb.Hadamard(M) @ fb.Left(B) @ fb.Right(A), np.diag(vec(M)) @ np.kron(A.T, B)),
        "scaled": lambda: (-3 * fb.Left(B), -3 * np.kron(eye, B)),
        "divided": lambda: (fb.Kronecker(A, B) / 2, np.kron(A, B) / 2),
        "negative": lambda: (-fb.Hadamard(M), -np.diag(vec(M))),
        "minus one": lambda: (-fb.Identity(), -one),
    }[kind]()


INVERTIBLE = [
    "array",
    "triangle",
    "left",
    "right",
    "kronecker",
    "hadamard",
    "number",
    "one",
    "chain",
    "scaled",
    "divided",
    "negative",
    "sparse",
    "minus one",
    "sparse triangle",
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", INVERTIBLE)
@pytest.mark.parametrize("uplo", ["L", "U"])
def test_backward_error_of_every_kind_of_diagonal_block(kind, uplo, dtype):
    rng = np.random.default_rng(1)
    N, m = 4, 3
    made = [invertible_block(rng, kind, m, dtype) for _ in range(N)]
    off = [random_block(rng, "left", m, m, dtype) for _ in range(N - 1)]
    A = fb.Bidiagonal([a for a, _ in made], [a for a, _ in off], uplo)
    place = (lambda i: (i + 1, i)) if uplo == "L" else (lambda i: (i, i + 1))
    dense = block(
        {(i, i): a for i, (_, a) in enumerate(made)} | {place(i): a for i, (_, a) in enumerate(off)},
        [m * COLUMNS] * N,
        [m * COLUMNS] * N,
    )
    b = random_vector(rng, [m] * N, dtype, zeros=0)
    bound = 10 * N * m * np.finfo(dtype).eps
    for matrix, reference in ((A, dense), (A.H, dense.conj().T), (A.T, dense.T)):
        for _ in range(3):
            x = matrix.solve(b)
        assert all(y.dtype == dtype for y in x)
        scale = (
            np.abs(reference).sum(axis=1).max() * np.abs(flat(x, shapes([m] * N))).max()
            + np.abs(flat(b, shapes([m] * N))).max()
        )
        assert np.abs(reference @ flat(x, shapes([m] * N)) - flat(b, shapes([m] * N))).max() <= bound * scale


# --- views -------------------------------------------------------------------------------------------


def complex_pair():
    rng = np.random.default_rng(2)
    return random_array(rng, (2, 3), "complex128"), random_array(rng, (4, 2), "complex128")


def test_H_and_T_are_views():
    B, C = complex_pair()
    A = fb.BlockMatrix([[fb.Left(B), None], [None, fb.Left(C)], [None, None]])
    assert A.H.H is A
    assert A.T.T is A
    assert A.H is A.H
    assert A.H.shape == (2, 3)
    assert A.H[0, 0] is A[0, 0].H
    assert A.T[1, 1] is A[1, 1].T
    assert A.H[0, 2] is None
    before = (A.H @ [np.ones((2, 1)), None, None])[0].copy()
    B[:] *= 2  # by reference: no copy was made
    np.testing.assert_allclose((A.H @ [np.ones((2, 1)), None, None])[0], 2 * before)
    np.testing.assert_allclose((A.H @ [np.ones((2, 1)), None, None])[0], B.conj().T @ np.ones((2, 1)))


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: fb.Diagonal([2, 3]), fb.Diagonal),
        (lambda: fb.Bidiagonal([2, 3], [4]), fb.Bidiagonal),
        (lambda: fb.Triangular([2, 3, 4], {(2, 0): 1}), fb.Triangular),
        (lambda: fb.BlockMatrix([[1, 2]]), fb.BlockMatrix),
    ],
)
def test_views_keep_their_class(make, kind):
    A = make()
    assert type(A.H) is type(A.T) is kind


# --- reading blocks ----------------------------------------------------------------------------------


def three_by_four():
    ops = [[fb.Left(np.full((2, 2), 4.0 * i + j)) for j in range(4)] for i in range(3)]
    ops[1][2] = None
    return fb.BlockMatrix(ops), ops


def test_indexing_returns_what_was_stored():
    A, ops = three_by_four()
    assert A.shape == (3, 4)
    for i in range(-3, 3):
        for j in range(-4, 4):
            assert A[i, j] is ops[i][j]
            assert A[np.int64(i), np.int64(j)] is ops[i][j]


@pytest.mark.parametrize(
    "index",
    [
        np.s_[:, :],
        np.s_[1:, 2],
        np.s_[0, 1:3],
        np.s_[::-1, ::2],
        np.s_[-2:, -1],
        np.s_[5:, :],
        np.s_[1, 0:0],
        np.s_[::2, 3:0:-1],
    ],
    ids=str,
)
def test_slices_are_block_matrices(index):
    A, ops = three_by_four()
    part = A[index]
    expected = np.empty((3, 4), dtype=object)
    for i in range(3):
        expected[i] = ops[i]
    rows, columns = (k if isinstance(k, slice) else slice(k, k + 1 if k != -1 else None) for k in index)
    expected = expected[rows, columns]
    assert isinstance(part, fb.BlockMatrix)
    assert part.shape == expected.shape
    for i, j in np.ndindex(expected.shape):
        assert part[i, j] is expected[i, j]


def test_parts_of_triangles_keep_their_structure():
    A = fb.Triangular([1, 2, 3, 4], {(1, 0): 5, (3, 0): 6})
    assert type(A[1:3, 1:3]) is fb.Diagonal
    assert type(A[:2, :2]) is fb.Bidiagonal
    assert type(A[:, :]) is fb.Triangular
    assert A[1:3, 1:3].solve([2.0, 3.0]) == [1.0, 1.0]


@pytest.mark.parametrize("index", [(3, 0), (0, 4), (-4, 0), (0, -5), (100, slice(None)), (slice(None), -5)], ids=str)
def test_index_out_of_range(index):
    A, _ = three_by_four()
    number = next(k for k in index if not isinstance(k, slice) and k not in (0, 1, 2))
    with pytest.raises(IndexError, match=rf"{number} is out of range for [34] blocks"):
        A[index]


@pytest.mark.parametrize(
    "index", [0, slice(None), (1,), (0, 0, 0), "ab", ("a", "b"), (0.5, 0), (None, 0), ...], ids=str
)
def test_wrong_indices(index):
    A, _ = three_by_four()
    with pytest.raises((IndexError, TypeError), match=r"BlockMatrix"):
        A[index]


def test_iteration_is_over_rows_or_refused_but_never_empty():
    A, _ = three_by_four()
    assert len(A) == 3
    try:
        rows = list(A)
    except TypeError:
        return
    assert len(rows) == 3


# --- structural zeros --------------------------------------------------------------------------------


class Counter:
    """A user's own operator that counts its uses."""

    def __init__(self):
        self.count = 0

    def operator(self):
        def use(X):
            self.count += 1
            return 2 * X

        return fb.Operator(use, use)


def test_zero_blocks_and_zero_entries_cost_nothing():
    counter = Counter()
    op = counter.operator()
    n = 50
    A = fb.BlockMatrix([[op if j == (7 * i) % n else None for j in range(n)] for i in range(n)])
    assert sum(1 for _ in A.items()) == n
    A @ ([1.0] * n)
    assert counter.count == n
    counter.count = 0
    result = A @ ([1.0] + [None] * (n - 1))
    assert counter.count == 1
    assert result == [2.0] + [None] * (n - 1)
    counter.count = 0
    assert A @ ([None] * n) == [None] * n
    assert counter.count == 0


def test_the_solve_costs_one_product_a_block():
    counter = Counter()
    op = counter.operator()
    A = fb.Triangular([1] * 30, {(i, j): op for i in range(30) for j in (i - 1, i - 2) if j >= 0})
    A.solve([1.0] * 30)
    assert counter.count == 57
    counter.count = 0
    A.solve([None] * 29 + [1.0])
    assert counter.count == 0
    A.H.solve([None] * 29 + [1.0])
    assert counter.count == 57


def test_a_zero_block_matrix():
    Z = fb.BlockMatrix([[None, None], [None, None], [None, None]])
    assert Z @ [1.0, 2.0] == [None] * 3
    assert Z.H @ [1.0, 1.0, 1.0] == [None, None]
    assert Z.dtype is None
    assert repr(Z)


@pytest.mark.parametrize("op", [fb.Left(np.ones((5, 4))), fb.Right(np.ones((3, 7)))], ids=str)
def test_products_with_zero_operators_keep_their_shapes(op):
    Z = fb.Zero((2, 3), (4, 3))
    expected = op @ np.zeros((4, 3))
    assert ((fb.Diagonal([op]) @ fb.Diagonal([Z])) @ [np.ones((2, 3))])[0].shape == expected.shape
    assert ((fb.Diagonal([op]) @ fb.Diagonal([Z])).H @ [expected])[0].shape == (2, 3)


# --- sizes -------------------------------------------------------------------------------------------


def test_no_blocks():
    for A in (fb.BlockMatrix([]), fb.Diagonal([]), fb.Bidiagonal([], []), fb.Triangular([])):
        assert A.shape == (0, 0)
        assert A @ [] == []
        assert A.H @ [] == []
        assert A.solve([]) == []
        assert (fb.Identity() - A).shape == (0, 0)
        assert (A @ A).shape == (0, 0)
        assert A.to_dense([]).shape == (0, 0)
        assert fb.backslash(A, A) @ [] == []
        assert repr(A)


def test_rows_without_columns():
    A = fb.BlockMatrix([[], []])
    assert A.shape == (2, 0)
    assert A @ [] == [None, None]
    assert A.H.shape == (0, 2)
    assert A.H @ [1.0, 2.0] == []


@pytest.mark.parametrize("kind", ["array", "hadamard", "right", "kronecker", "one"])
def test_one_block(kind):
    rng = np.random.default_rng(4)
    a, dense = invertible_block(rng, kind, 3, "float64")
    A = fb.BlockMatrix([[a]])
    x = A.solve([np.ones((3, COLUMNS))])
    np.testing.assert_allclose(dense @ vec(x[0]), np.ones(3 * COLUMNS), rtol=1e-12)


@pytest.mark.parametrize("columns", [0, 2])
@pytest.mark.parametrize("m", [0, 3])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wrap", [np.asarray, fb.Left, scipy.sparse.csr_array], ids=lambda w: w.__name__)
def test_arrays_without_elements(wrap, dtype, m, columns):
    W = np.eye(m, dtype=dtype)
    A = fb.Bidiagonal([wrap(2 * W), wrap(2 * W)], [wrap(W)])
    b = [np.ones((m, columns), dtype)] * 2
    for _ in range(3):
        for found, value in ((A.solve(b), 0.25), (A @ b, 3), (A.H.solve(b), 0.5)):
            assert [x.shape for x in found] == [(m, columns)] * 2
            assert [x.dtype for x in found] == [dtype] * 2
            assert np.all(found[1] == value)


def test_widths_of_zero_between_blocks():
    """(3 -> 0 -> 2): the chain breaks, and nothing arrives."""
    L = fb.Bidiagonal([None] * 3, [np.ones((0, 3)), np.ones((2, 0))])
    x = (fb.Identity() - L).solve([np.ones((3, 1)), None, None])
    assert [y.shape for y in x] == [(3, 1), (0, 1), (2, 1)]
    assert np.all(x[2] == 0)


# --- nested and tuples -------------------------------------------------------------------------------


def test_nested_block_matrices():
    rng = np.random.default_rng(6)
    P, Q, R = (well_conditioned(rng, 2) for _ in range(3))
    inner, other = fb.Bidiagonal([P, Q], [R]), fb.BlockMatrix([[R, None], [None, P]])
    A = fb.Bidiagonal([inner, inner], [other])
    Z = np.zeros((2, 2))
    a = np.block([[P, Z, Z, Z], [R, Q, Z, Z], [R, Z, P, Z], [Z, P, R, Q]])
    v = [[rng.standard_normal(2), None], [rng.standard_normal(2), rng.standard_normal(2)]]
    dense_v = np.concatenate([v[0][0], np.zeros(2), v[1][0], v[1][1]])

    def joined(x):
        return np.concatenate([np.zeros(2) if y is None else y for part in x for y in part])

    for _ in range(3):
        np.testing.assert_allclose(joined(A @ v), a @ dense_v, rtol=1e-13)
        np.testing.assert_allclose(joined(A.H @ v), a.T @ dense_v, rtol=1e-13)
        np.testing.assert_allclose(joined(A.solve(v)), np.linalg.solve(a, dense_v), rtol=1e-12)
        np.testing.assert_allclose(joined(A.H.solve(v)), np.linalg.solve(a.T, dense_v), rtol=1e-12)
    np.testing.assert_allclose(joined((A @ A) @ v), a @ a @ dense_v, rtol=1e-12)
    np.testing.assert_allclose(joined((2 * A - A) @ v), a @ dense_v, rtol=1e-12)
    np.testing.assert_allclose(joined((A + fb.Identity()) @ v), a @ dense_v + dense_v, rtol=1e-12)
    for invert in (False, True):
        solver = fb.factorize(A, invert=invert)
        np.testing.assert_allclose(joined(solver.solve(v)), np.linalg.solve(a, dense_v), rtol=1e-12)


@pytest.mark.parametrize("scalar", [1, 2, -0.5, fb.Identity(), -fb.Identity()], ids=str)
def test_numbers_beside_nested_block_matrices(scalar):
    """A number, or Identity, acts on whatever an entry is: an array, a tuple, a nested block vector."""
    s = scalar if isinstance(scalar, (int, float)) else (scalar @ np.ones(1)).item()
    A = fb.BlockMatrix([[fb.Diagonal([2, 3]), scalar]])
    assert [[2 + 10 * s, 3.0]] == A @ [[1.0, 1.0], [10.0, None]]
    B = fb.Bidiagonal([1, scalar], [scalar])
    assert B.solve([(1.0, 2.0), (s, 0.0)]) == [(1.0, 2.0), (0.0, -2.0)]


def test_tuples_of_parameters():
    D = fb.Diagonal([[2, 3], [None, 5, 7]])
    assert D @ [(1.0, 10.0), (100.0, 1.0, None)] == [32.0, 5.0]
    assert D @ [None, (1.0, 1.0, 1.0)] == [None, 12.0]
    assert D.H @ [1.0, 2.0] == [(2.0, 3.0), (None, 10.0, 14.0)]
    assert D.H @ [None, None] == [None, None]
    assert (D.H @ D) @ [(1.0, 0.0), None] == [(4.0, 6.0), None]
    assert (D @ D.H) @ [1.0, 1.0] == [13.0, 74.0]
    assert (2 * D - D / 2) @ [(1.0, 0.0), None] == [3.0, None]
    assert repr(fb.Bidiagonal([1, 1], [2]) @ D)


# --- errors ------------------------------------------------------------------------------------------


def test_ragged_rows():
    with pytest.raises(fb.ShapeError, match=r"one length.*\[1, 2\]"):
        fb.BlockMatrix([[1, 2], [3]])


@pytest.mark.parametrize("rows", [5, None, [1, 2], np.ones(3)], ids=str)
def test_what_is_not_a_nested_list(rows):
    with pytest.raises((TypeError, ValueError), match="BlockMatrix"):
        fb.BlockMatrix(rows)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_wrong_number_of_entries(n):
    A = fb.BlockMatrix([[1, None], [None, 1]])
    for use in (lambda v: A @ v, lambda v: A.H @ v, A.solve, A.H.solve, fb.factorize(A).solve):
        with pytest.raises(fb.ShapeError, match=rf"must have 2 entries.*got {n}"):
            use([1.0] * n)


def test_wrong_shapes_name_the_block_and_both_shapes():
    A = fb.Bidiagonal([1, np.eye(2)], [np.ones((2, 3))])
    with pytest.raises(fb.ShapeError, match=r"block \(1, 0\) and entry 0.*\(3,\).*\(2, 3\).*\(4,\)"):
        A @ [np.ones(4), np.ones(2)]
    with pytest.raises(fb.ShapeError, match=r"block \(1, 1\) and entry 1.*\(2, n\).*\(2, 2\).*\(5, 6\)"):
        A @ [np.ones((3, 6)), np.ones((5, 6))]
    with pytest.raises(fb.ShapeError, match=r"block \(1, 1\).*\(2, 6\).*\(2, 5\)"):
        A @ [np.ones((3, 6)), np.ones((2, 5))]
    with pytest.raises(fb.ShapeError, match=r"block \(1, 0\).*\(3,\).*\(2, 3\).*\(4,\)"):
        A.solve([np.ones(4), np.ones(2)])
    with pytest.raises(fb.ShapeError, match=r"block \(1, 0\).*\(7,\).*\(2,\)"):
        A.solve([np.ones(3), np.ones(7)])
    with pytest.raises(fb.ShapeError, match=r"block \(1, 1\).*\(5,\)|block \(1, 1\).*\(2,\)"):
        fb.Diagonal([1, np.eye(2)]).solve([None, np.ones(5)])


def test_no_broadcasting_of_entries():
    """(2, 1) + (1, 2) would broadcast to (2, 2), and a gradient would have a wrong shape."""
    A = fb.BlockMatrix([[1, 1]])
    with pytest.raises(fb.ShapeError, match=r"\(2, 1\) and \(1, 2\)"):
        A @ [np.ones((2, 1)), np.ones((1, 2))]
    with pytest.raises(fb.ShapeError, match=r"\(2,\) and \(1,\)|\(1,\) and \(2,\)"):
        fb.Bidiagonal([1, 1], [1]).solve([np.ones(2), np.ones(1)])
    with pytest.raises(fb.ShapeError, match=r"\(2,\) and \(\)|\(\) and \(2,\)"):
        fb.Bidiagonal([1, 1], [1]).solve([np.ones(2), 1.0])


def test_wrong_types_name_the_block():
    A = fb.Bidiagonal([1, np.eye(2)], [np.eye(2)])
    for use in (lambda v: A @ v, A.solve):
        with pytest.raises(TypeError, match=r"block \(1, [01]\).*str"):
            use([None, "text"])
        with pytest.raises(TypeError, match=r"block \([01], 0\).*dict"):
            use([{}, None])


def test_products_and_sums_name_the_blocks():
    A, B = fb.Diagonal([1, np.ones((2, 3))]), fb.Diagonal([1, np.ones((4, 3))])
    with pytest.raises(fb.ShapeError, match=r"blocks \(1, 1\) and \(1, 1\).*\(3, n\).*\(4, n\)"):
        A @ B
    for combine in (lambda: A + B, lambda: A - B):
        with pytest.raises(fb.ShapeError, match=r"block \(1, 1\).*(\(2, n\).*\(4, n\)|\(4, n\).*\(2, n\))"):
            combine()
    with pytest.raises(fb.ShapeError, match=r"2 block rows.*got 3"):
        A @ fb.Diagonal([1, 2, 3])
    with pytest.raises(fb.ShapeError, match=r"\(2, 2\) and \(3, 3\)"):
        A + fb.Diagonal([1, 2, 3])
    with pytest.raises(fb.StructureError, match=r"square.*2 x 1"):
        fb.Identity() - fb.BlockMatrix([[1], [2]])


W = np.eye(2)


@pytest.mark.parametrize("left", [W, [1, 2], (1, 2), W.tolist(), 3, "a", None, W[0]], ids=str)
def test_what_stands_on_the_left_must_be_a_block_matrix(left):
    A = fb.Diagonal([1, 2])
    with pytest.raises(TypeError, match=r"__rmatmul__.*left.*got"):
        left @ A


@pytest.mark.parametrize(
    "op",
    [fb.Left(W), fb.Right(W), fb.Hadamard(W), fb.Kronecker(W, W), fb.Left(W) @ fb.Hadamard(W), fb.Inner(W)],
    ids=str,
)
def test_plain_operators_do_not_compose_with_block_matrices(op):
    A = fb.Diagonal([1, 2])
    with pytest.raises(TypeError, match=f"left side must be a block matrix.*{type(op).__name__}"):
        op @ A
    with pytest.raises(TypeError, match=f"right side must be a block matrix.*{type(op).__name__}"):
        A @ op
    for combine in (lambda: A + op, lambda: A - op, lambda: op + A, lambda: op - A):
        with pytest.raises(fb.StructureError, match=type(op).__name__):
            combine()


def test_the_hint_leads_to_a_program_that_runs():
    """``W @ A`` is wrong; what the message says to write must not be wrong again."""
    A = fb.Diagonal([1, 2])
    with pytest.raises(TypeError, match="__rmatmul__") as caught:
        W @ A
    assert "fb.Left(A) @ op" not in str(caught.value)


def test_identity_and_its_multiples_compose():
    A = fb.BlockMatrix([[1, 2], [3, None]])
    I = fb.Identity()
    for C, s in ((A @ I, 1), (I @ A, 1), (A @ (2 * I), 2), ((2 * I) @ A, 2), (A @ -I, -1), (-I @ A, -1)):
        assert [21.0 * s, 3.0 * s] == C @ [1.0, 10.0]


@pytest.mark.parametrize("wrong", [W, [1, 2], "a", None, {}], ids=str)
def test_what_is_not_a_scalar(wrong):
    A = fb.Diagonal([1, 2])
    for use in (lambda: A * wrong, lambda: wrong * A, lambda: A / wrong, lambda: A + wrong, lambda: wrong - A):
        with pytest.raises(TypeError):
            use()


def test_block_matrices_are_no_scalars():
    A = fb.Diagonal([1, 2])
    for use in (lambda: A * A, lambda: A / A, lambda: fb.Left(W) * A, lambda: 1 / A, lambda: A**2):
        with pytest.raises(TypeError):
            use()


def test_not_triangular_names_both_blocks():
    A = fb.BlockMatrix([[1, None, 5], [None, 1, None], [6, None, 1]])
    for use in (A.solve, lambda b: fb.backslash(A, b), lambda b: fb.factorize(A).solve(b)):
        with pytest.raises(fb.StructureError, match=r"triangular.*\(2, 0\) and \(0, 2\)"):
            use([1.0, 1.0, 1.0])


def test_not_square():
    with pytest.raises(fb.ShapeError, match=r"square.*1 x 2 blocks"):
        fb.BlockMatrix([[1, 2]]).solve([1.0])


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (None, "zero"),
        (0, "0"),
        (0.0, "0"),
        (np.array(0.0), "0"),
        (np.float32(0), "0"),
        (0j, "0"),
        (Fraction(0), "0"),
        (np.zeros((2, 2)), "pivot"),
        (np.ones((2, 2)), "pivot"),
        (np.array([[1.0, 1.0], [0.0, 0.0]]), "pivot"),
        (np.array([[1, 2], [2, 4]]), "pivot"),
        (fb.Left(np.zeros((2, 2), "complex64")), "pivot"),
        (fb.Right(np.ones((2, 2))), "pivot"),
        (fb.Kronecker(np.eye(2), np.zeros((2, 2))), "pivot"),
        (fb.Hadamard(np.array([[1.0, 0.0]])), "M"),
        (fb.Left(np.eye(2)) @ fb.Left(np.ones((2, 2))), "pivot"),
        (0 * fb.Left(np.eye(2)), "0"),
        (-fb.Left(np.zeros((2, 2))), "pivot"),
        (scipy.sparse.csr_array(np.ones((2, 2))), "pivot"),
        (scipy.sparse.csr_array((2, 2)), "pivot"),
        (fb.Zero((2, None), (2, None)), "zero|O"),
        (fb.Diagonal([1, None]), "zero"),
    ],
    ids=str,
)  # fmt: skip
def test_singular_diagonal_blocks_are_named(bad, what):
    A = fb.Bidiagonal([1, 1, bad], [1, 1])
    for use in (A.solve, A.H.solve, lambda b: fb.backslash(A, b), lambda b: fb.factorize(A).solve(b)):
        with pytest.raises(fb.SingularError, match=rf"block \(2, 2\).*({what})"):
            use([np.ones((2, 2))] * 3)


@pytest.mark.parametrize(
    "bad",
    [
        np.ones((2, 3)),
        fb.Right(np.ones((2, 3))),
        fb.Kronecker(np.eye(2), np.ones((2, 3))),
        scipy.sparse.csr_array((2, 3)),
    ],
    ids=str,
)
def test_diagonal_blocks_must_be_square(bad):
    with pytest.raises(fb.ShapeError, match=r"block \(1, 1\).*square.*\(2, 3\)"):
        fb.Diagonal([1, bad]).solve([np.ones((2, 2))] * 2)


@pytest.mark.parametrize(
    "bad",
    [
        fb.Inner(np.ones((2, 2))),
        fb.Operator(lambda X: X, lambda Y: Y),
        fb.Left(W) + fb.Right(W),
        [1, 2],
        fb.BlockMatrix([[1, 1], [1, 1]]),
    ],
    ids=lambda op: type(op).__name__,
)
def test_diagonal_blocks_without_an_inverse_are_named(bad):
    with pytest.raises(fb.StructureError, match=r"block \(1, 1\)"):
        fb.Diagonal([1, bad]).solve([np.ones((2, 2))] * 2)


# --- values ------------------------------------------------------------------------------------------


def test_inputs_are_never_modified():
    rng = np.random.default_rng(7)
    P, Q, R = (well_conditioned(rng, 3) for _ in range(3))
    A = fb.Bidiagonal([P, 1], [R])
    v = [rng.standard_normal((3, 2)), Q[:, :2].copy()]
    kept = [x.copy() for x in (P, R, *v)]
    entries = list(v)
    for _ in range(3):
        for result in (
            A @ v,
            A.H @ v,
            A.solve(v),
            A.H.solve(v),
            (A @ A) @ v,
            (A + A) @ v,
            fb.factorize(A, True).solve(v),
        ):
            for y in result:
                y += 1  # results are the caller's own
    for x, before in zip((P, R, *v), kept, strict=True):
        np.testing.assert_array_equal(x, before)
    assert all(x is y for x, y in zip(v, entries, strict=True))


def test_operators_of_one_structure_share_tapes_but_not_numbers():
    """Alternating between systems of one structure: each keeps its own fields, and results stay as they were."""
    rng = np.random.default_rng(12)
    systems, expected = [], []
    for _ in range(3):
        P, s, M = well_conditioned(rng, 3), float(rng.standard_normal()), rng.standard_normal((3, 2))
        A = fb.Bidiagonal([fb.Left(P), s * fb.Identity()], [fb.Hadamard(M) @ (s * fb.Left(P))])
        v = [rng.standard_normal((3, 2)), rng.standard_normal((3, 2))]
        systems.append((A, v))
        expected.append([P @ v[0], M * (s * (P @ v[0])) + s * v[1]])
    results = [[A @ v for A, v in systems] for _ in range(4)]
    for result in results:
        for found, exact in zip(result, expected, strict=True):
            for x, y in zip(found, exact, strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-13, atol=1e-14)


def test_results_do_not_alias_the_right_hand_side():
    b = [np.ones(2), np.ones(2)]
    x = fb.Diagonal([1, 1]).solve(b)
    y = fb.Diagonal([1, 1]) @ b
    assert not any(np.shares_memory(found, given) for found, given in zip((*x, *y), (*b, *b), strict=True))


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("float32", "float64", "float64"),
        ("float32", "complex64", "complex64"),
        ("float64", "complex64", "complex128"),
        ("complex64", "float64", "complex128"),
        ("int64", "float32", "float64"),
    ],
)
@pytest.mark.parametrize(
    "wrap",
    [np.asarray, scipy.sparse.csr_array, fb.Right, lambda B: fb.Kronecker(B, B)],
    ids=["left", "sparse", "right", "kronecker"],
)
def test_dtypes_promote_as_in_numpy(wrap, left, right, expected):
    A = fb.Bidiagonal([wrap(2 * np.eye(2, dtype=left))] * 2, [wrap(np.eye(2, dtype=left))])
    b = [np.ones((2, 2), right) / 3] * 2
    for _ in range(3):
        assert [x.dtype for x in A.solve(b)] == [expected] * 2
        assert [x.dtype for x in A @ b] == [expected] * 2
    exact = A.to_dense([(2, 2)] * 2)
    x = np.concatenate([vec(y) for y in A.solve(b)])
    np.testing.assert_allclose(
        x, np.linalg.solve(exact, np.concatenate([vec(y) for y in b])), rtol=1e-6 if expected == "complex64" else 1e-14
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_python_numbers_do_not_promote(dtype):
    A = fb.Bidiagonal([2.0, 3], [0.5])
    assert [x.dtype for x in A @ ([np.ones(2, dtype)] * 2)] == [dtype] * 2
    assert [x.dtype for x in A.solve([np.ones(2, dtype)] * 2)] == [dtype] * 2
    B = fb.Bidiagonal([2.0, np.eye(2, dtype=dtype)], [0.5])
    assert B.dtype == dtype


def test_dtype():
    assert fb.Diagonal([np.eye(2, dtype="f"), np.eye(2)]).dtype == np.float64
    assert fb.Diagonal([1, None]).dtype is None
    assert fb.Diagonal([fb.Operator(lambda X: X, lambda Y: Y) @ fb.Left(W)]).dtype in (None, np.float64)


def test_fractions_are_exact():
    A = fb.Triangular([2, Fraction(3, 5), 1], {(1, 0): Fraction(1, 7), (2, 0): -1, (2, 1): Fraction(9)})
    x = [Fraction(1, 3), Fraction(-2, 7), Fraction(5)]
    b = A @ x
    assert all(type(y) is Fraction for y in b)
    assert A.solve(b) == x
    assert A.H.solve(A.H @ x) == x
    assert all(type(y) is Fraction for y in A.solve(b))
    assert (A @ A) @ x == A @ b
    assert repr(A)
    assert repr(2 * A)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_pass_as_numpy_passes_them(value):
    P = np.array([[2.0, 0.0], [1.0, 2.0]])
    A = fb.Bidiagonal([P, P, 1], [np.eye(2), np.eye(2)])
    b = [np.array([1.0, value]), None, np.ones(2)]
    for _ in range(3):
        x = A.solve(b)
        assert x[0][0] == 0.5
        assert not np.isfinite(x[0][1])
        assert not np.isfinite(x[1]).all()
        y = fb.Diagonal([1, 1, 1]) @ b
        np.testing.assert_array_equal(y[0], b[0])
    for matrix in (np.array([[value, 0.0], [1.0, 2.0]]), np.array([[1.0, 1.0], [1.0, value]])):
        x = fb.Diagonal([matrix]).solve([np.ones(2)])
        assert np.isnan(x[0]).any() == np.isnan(value)


@pytest.mark.parametrize(
    "round_trip",
    [copy.copy, copy.deepcopy, lambda A: pickle.loads(pickle.dumps(A))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_pickle_and_copy(round_trip):
    rng = np.random.default_rng(8)
    P = well_conditioned(rng, 2, "complex128")
    A = fb.Triangular(
        [P, fb.Hadamard(np.ones((2, 3)) * 2), [1, 2], None, fb.Diagonal([1])],
        {(2, 0): 2, (1, 0): scipy.sparse.csr_array(P)},
    )
    v = [np.ones((2, 3)), np.ones((2, 3)), (1.0, 2.0), None, [1.0]]
    for matrix in (A, A.H, 2 * A[:2, :2]):
        twin = round_trip(matrix)
        assert type(twin) is type(matrix)
        assert twin.shape == matrix.shape
        assert twin.H.H is twin
        w = (
            v[: matrix.shape[1]]
            if matrix is not A.H
            else [np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3)), None, [1.0]]
        )
        if matrix is A:
            continue
        for x, y in zip(twin @ w, matrix @ w, strict=True):
            for a, b in zip(*((x, y) if isinstance(x, (tuple, list)) else ([x], [y])), strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "round_trip",
    [copy.copy, copy.deepcopy, lambda A: pickle.loads(pickle.dumps(A))],
    ids=["copy", "deepcopy", "pickle"],
)
@pytest.mark.parametrize("kind", ["array", "triangle", "sparse", "sparse triangle", "hadamard", "kronecker"])
def test_inverses_pickle_and_copy(kind, round_trip):
    rng = np.random.default_rng(9)
    A = fb.Bidiagonal([invertible_block(rng, kind, 3, "float64")[0], 1], [2])
    b = [np.ones((3, COLUMNS))] * 2
    twin = round_trip(fb.factorize(A))
    for x, y in zip(twin.solve(b), A.solve(b), strict=True):
        np.testing.assert_array_equal(x, y)


def test_matrices_are_immutable():
    A = fb.Diagonal([1, 2])
    with pytest.raises(AttributeError, match="immutable"):
        A.shape = (3, 3)
    with pytest.raises(TypeError):
        A[0, 0] = 1


def test_a_users_subclass_stays_the_users():
    """Defining a subclass must not change what sums and products return."""
    before = list(fb.BlockMatrix.narrower)
    try:

        class Mine(fb.Diagonal):
            pass

        assert type(fb.Identity() - fb.Diagonal([1, 2])) is fb.Diagonal
        assert type(Mine([1, 2]).H) is Mine
    finally:
        fb.BlockMatrix.narrower[:] = before


def test_object_arrays_and_nested_arrays_of_blocks():
    rng = np.random.default_rng(10)
    blocks = rng.standard_normal((2, 3, 4, 5))  # 2 x 3 blocks of 4 x 5
    A = fb.BlockMatrix(blocks)
    assert A.shape == (2, 3)
    np.testing.assert_allclose(A.to_dense([(5, 1)] * 3), np.block([[blocks[i, j] for j in range(3)] for i in range(2)]))
    objects = np.empty((2, 2), dtype=object)
    objects[0, 0], objects[1, 0], objects[1, 1] = 2, fb.Identity(), 4.0
    assert fb.BlockMatrix(objects).solve([2.0, 1.0]) == [1.0, 0.0]


@pytest.mark.parametrize("zero", [0, 0.0, np.float64(0)], ids=repr)
def test_the_number_zero_is_a_structural_zero(zero):
    """People write matrices with zeros in them."""
    A = fb.BlockMatrix([[1, zero], [2, 1]])
    assert A.solve([1.0, 2.0]) == [1.0, 0.0]
    assert A.H.solve([1.0, 0.0]) == [1.0, 0.0]


def test_to_dense_of_vectors():
    A = fb.BlockMatrix([[np.arange(6.0).reshape(2, 3), 2]])
    np.testing.assert_array_equal(A.to_dense([(3,), (2,)]), [[0, 1, 2, 2, 0], [3, 4, 5, 0, 2]])


def test_to_dense_of_a_strictly_lower_chain_is_square():
    """Row 0 has no block, but in a square block matrix of a system its height is the width of column 0."""
    L = fb.Bidiagonal([None] * 2, [np.ones((2, 3))])
    dense = L.to_dense([(3, 1), (2, 1)])
    expected = np.zeros((5, 5))
    expected[3:, :3] = 1
    np.testing.assert_array_equal(dense, expected)


def test_to_dense_asks_for_shapes_and_names_the_block():
    with pytest.raises(fb.ShapeError, match=r"shape_in"):
        fb.Diagonal([np.eye(2)]).to_dense()
    with pytest.raises(fb.ShapeError, match=r"\(0, 1\)"):
        fb.BlockMatrix([[np.ones((2, 3)), np.ones((3, 3))]]).to_dense([(3, 1), (3, 1)])
    with pytest.raises(fb.ShapeError, match=r"2.*got 1|1.*2"):
        fb.Diagonal([1, 2]).to_dense([(3, 1)])


def test_to_dense_keeps_the_dtype():
    A = fb.Diagonal([np.eye(2, dtype="f"), 2.0])
    assert A.to_dense([(2, 1), (2, 1)]).dtype == np.float32


def test_ten_thousand_blocks():
    n = 10_000
    A = fb.Bidiagonal([1] * n, [fb.Hadamard(np.array([0.5]))] * (n - 1))
    v = [np.ones(1)] * n
    assert (A @ v)[-1] == 1.5
    assert (A.H @ v)[0] == 1.5
    assert ((fb.Identity() - A) @ v)[-1] == -0.5
    assert pickle.loads(pickle.dumps(A))[n - 1, n - 2] @ np.ones(1) == 0.5
    assert flat(A @ v, [(1,)] * n).shape == (n,)
