"""What block matrices do with values: whose arrays they are, dtypes, NaN, exact numbers, copies."""

import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse

import fastbs as fb
from block_kinds import COLUMNS, invertible_block
from dense import DTYPES, vec, well_conditioned

W = np.eye(2)


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
    assert fb.Diagonal([fb.Operator(lambda X: X, lambda Y: Y) @ fb.Left(W)]).dtype == np.float64


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
    X = np.ones((2, 3))
    for matrix, v in ((A, [X, X, (X, X), None, [1.0]]), (A.H, [X, X, X, None, [1.0]]), (2 * A[:2, :2], [X, X])):
        twin = round_trip(matrix)
        assert type(twin) is type(matrix)
        assert twin.shape == matrix.shape
        assert twin.H.H is twin
        for x, y in zip(twin @ v, matrix @ v, strict=True):
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
