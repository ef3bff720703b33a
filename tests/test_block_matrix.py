"""Block matrices: views, reading blocks, structural zeros, sizes, nesting, construction, dense form."""

import pickle

import numpy as np
import pytest
import scipy.sparse

import fastbs as fb
from block_kinds import COLUMNS, invertible_block
from dense import DTYPES, flat, random_array, vec, well_conditioned

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


def test_iteration_is_over_rows():
    A, ops = three_by_four()
    assert len(A) == 3
    assert [list(map(id, row)) for row in A] == [list(map(id, row)) for row in ops]


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


# --- construction ------------------------------------------------------------------------------------


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


# --- dense form --------------------------------------------------------------------------------------


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


# --- large -------------------------------------------------------------------------------------------


def test_ten_thousand_blocks():
    n = 10_000
    A = fb.Bidiagonal([1] * n, [fb.Hadamard(np.array([0.5]))] * (n - 1))
    v = [np.ones(1)] * n
    assert (A @ v)[-1] == 1.5
    assert (A.H @ v)[0] == 1.5
    assert ((fb.Identity() - A) @ v)[-1] == -0.5
    assert pickle.loads(pickle.dumps(A))[n - 1, n - 2] @ np.ones(1) == 0.5
    assert flat(A @ v, [(1,)] * n).shape == (n,)
