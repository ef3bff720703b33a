"""Rows of operators on tuples of parameters, and columns, their adjoints."""

import pickle

import numpy as np
import pytest

import fastbs as fb
from fastbs.blocks.row import Column, Row

rng = np.random.default_rng(0)
A, B = rng.standard_normal((2, 3)), rng.standard_normal((4, 5))
X, b = rng.standard_normal((3, 5)), rng.standard_normal((2, 1))
ones = np.ones((1, 5))


def layer():
    return Row([fb.Left(A), fb.Right(ones)])


@pytest.mark.parametrize("repetition", range(3))
def test_action(repetition):
    row = layer()
    for _ in range(repetition + 1):
        Y = row @ (X, b)
    np.testing.assert_allclose(Y, A @ X + b @ ones, rtol=1e-15)


@pytest.mark.parametrize("kind", [tuple, list])
def test_takes_tuples_and_lists(kind):
    np.testing.assert_allclose(layer() @ kind([X, b]), A @ X + b @ ones, rtol=1e-15)


def test_adjoint_is_a_column():
    G = rng.standard_normal((2, 5))
    row = layer()
    assert isinstance(row.H, Column)
    assert row.H.H is row
    assert row.T.T is row
    dX, db = row.H @ G
    np.testing.assert_allclose(dX, A.T @ G, rtol=1e-15)
    np.testing.assert_allclose(db, G @ ones.T, rtol=1e-15)


def test_complex_adjoint_and_transpose():
    C = A + 1j * rng.standard_normal(A.shape)
    row = Row([fb.Left(C), 2j * fb.Identity()])
    y, x = rng.standard_normal((2, 2, 3)) + 1j * rng.standard_normal((2, 2, 3)), None
    x = (rng.standard_normal((3, 3)) + 0j, rng.standard_normal((2, 3)) + 0j)
    dx = row.H @ y[0]
    left = np.vdot(y[0], row @ x)
    np.testing.assert_allclose(left, sum(np.vdot(d, p) for d, p in zip(dx, x, strict=True)), rtol=1e-13)
    for conjugated, plain in zip(row.T @ y[0].conj(), dx, strict=True):
        np.testing.assert_allclose(conjugated, plain.conj(), rtol=1e-13)


def test_missing_parameters_and_entries():
    row = Row([None, fb.Left(A), None])
    np.testing.assert_allclose(row @ (X, X, "anything"), A @ X, rtol=1e-15)
    assert row @ (X, None, X) is None
    first, second, third = row.H @ np.ones((2, 5))
    assert first is None
    assert third is None
    np.testing.assert_allclose(second, A.T @ np.ones((2, 5)), rtol=1e-15)
    assert Row([]) @ () is None
    assert Row([None]) @ (X,) is None


def test_symbols():
    assert str(Row([fb.Left(A, "W"), None])) == "[Wₗ, ·]"
    assert str(Row([fb.Left(A, "W"), None]).H) == "[Wᵀₗ; ·]"
    assert repr(layer())
    assert repr(layer().H)


def test_operators_must_agree():
    with pytest.raises(fb.ShapeError, match=r"operator 1 must give \(2, n\).*got \(4, n\)"):
        Row([fb.Left(A), fb.Left(B)])


def test_operators_must_agree_names_the_block():
    with pytest.raises(fb.ShapeError, match=r"block \(1, 1\).*operator 1 must give \(2, n\).*got \(4, n\)"):
        fb.Diagonal([1, [fb.Left(A), fb.Left(B)]])


def test_vectors_beside_matrices():
    """Left also takes vectors, so it stands beside what takes only vectors."""
    d = np.array([2.0, 3.0])
    row = Row([fb.Left(A), fb.Hadamard(d)])
    np.testing.assert_allclose(row @ (X[:, 0], d), A @ X[:, 0] + d * d, rtol=1e-15)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_wrong_number_of_parameters(n):
    with pytest.raises(fb.ShapeError, match=rf"must have 2 parameters.*got {n}"):
        layer() @ ((X,) * n)


def test_wrong_shapes():
    with pytest.raises(fb.ShapeError, match=r"X must be \(3, n\).*got \(4, 5\)"):
        layer() @ (np.ones((4, 5)), b)
    with pytest.raises(fb.ShapeError, match=r"\(2, 5\) and \(2, 3\)"):
        Row([fb.Identity(), fb.Identity()]) @ (np.ones((2, 5)), np.ones((2, 3)))


@pytest.mark.parametrize("wrong", [3.0, np.ones((2, 5)), "ab", None])
def test_wrong_types(wrong):
    with pytest.raises((TypeError, ValueError), match=r"Row|tuple"):
        layer() @ wrong


def test_rows_under_rows():
    """Column after Row and Row after Column: D^H D of Gauss-Newton, D D^H of its dual."""
    row = layer()
    gram = row.H @ row
    dX, db = gram @ (X, b)
    Y = A @ X + b @ ones
    np.testing.assert_allclose(dX, A.T @ Y, rtol=1e-14)
    np.testing.assert_allclose(db, Y @ ones.T, rtol=1e-14)
    np.testing.assert_allclose((row @ row.H) @ Y, A @ A.T @ Y + Y @ ones.T @ ones, rtol=1e-13)


@pytest.mark.parametrize("scalar", [2, 0.5, 1j, np.float32(2)])
def test_scaled_sums_and_compositions(scalar):
    row = layer()
    Y = A @ X + b @ ones
    np.testing.assert_allclose((scalar * row) @ (X, b), scalar * Y, rtol=1e-14)
    np.testing.assert_allclose((-row) @ (X, b), -Y, rtol=1e-14)
    np.testing.assert_allclose((row + row) @ (X, b), 2 * Y, rtol=1e-14)
    M = rng.standard_normal((2, 5))
    chain = fb.Hadamard(M) @ row
    np.testing.assert_allclose(chain @ (X, b), M * Y, rtol=1e-14)
    np.testing.assert_allclose((chain.H @ Y)[1], (M * Y) @ ones.T, rtol=1e-14)
    np.testing.assert_allclose(((scalar * row).H @ Y)[0], np.conj(scalar) * (A.T @ Y), rtol=1e-14)
    np.testing.assert_allclose(((row - 2 * row).H @ Y)[0], -(A.T @ Y), rtol=1e-13, atol=1e-15)


def test_representations_of_composites_with_rows():
    for op in (2 * layer(), -layer(), layer() + layer(), fb.Hadamard(np.ones((2, 5))) @ layer(), layer().H @ layer()):
        assert str(op)
        assert repr(op)
        assert op.dtype in (None, np.float64)


def test_pickle():
    row = pickle.loads(pickle.dumps(layer()))
    np.testing.assert_array_equal(row @ (X, b), layer() @ (X, b))


def test_inputs_are_not_modified():
    before = X.copy(), b.copy()
    row = Row([fb.Identity(), fb.Identity()])
    Y = row @ (X, X)
    row @ (X, None)
    assert not np.shares_memory(Y, X)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(b, before[1])


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_dtype_is_kept(dtype):
    row = Row([fb.Left(A.astype(dtype)), fb.Right(ones.astype(dtype))])
    for _ in range(3):
        assert (row @ (X.astype(dtype), b.astype(dtype))).dtype == dtype
        assert [g.dtype for g in row.H @ np.ones((2, 5), dtype)] == [dtype] * 2
