"""X -> X A, beyond the laws."""

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose

import fastbs as fb
from fastbs.errors import DtypeError, ShapeError
from fastbs.testing import check_adjoint

rng = np.random.default_rng(0)
A = rng.normal(size=(3, 4))


def test_the_matrix_is_kron_of_A_transposed_and_identity():
    assert_allclose(fb.Right(A).to_dense((2, 3)), np.kron(A.T, np.eye(2)))


@pytest.mark.parametrize("shape", [(3,), (1, 3), (5, 3), (2, 5, 3), (0, 5, 3), (2, 2, 1, 3)])
def test_follows_matmul(shape):
    X = rng.normal(size=shape)
    for _ in range(3):
        assert_allclose(fb.Right(A) @ X, np.matmul(X, A))


def test_shapes_and_names():
    op = fb.Right(A, symbol="x₀")
    assert (op.shape_in, op.shape_out) == ((None, 3), (None, 4))
    assert op.shape_of((3,)) == (4,)
    assert op.shape_of((2, 5, 3)) == (2, 5, 4)
    assert op.symbol == "x₀ᵣ"
    assert op.T.symbol == "x₀ᵀᵣ"
    assert fb.Right(A).symbol == "Aᵣ"
    assert op.A is A
    assert fb.Right(A + 0j).H.symbol != fb.Right(A + 0j).T.symbol
    assert repr(fb.Right(A)) == "<Right Aᵣ: (m, 3) -> (m, 4), float64>"


@pytest.mark.parametrize("wrong", [np.ones(3), np.ones((2, 2, 2)), 2.0])
def test_A_must_be_a_matrix(wrong):
    shape = str(np.shape(wrong)).replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ShapeError, match=rf"Right: A must be a matrix because it multiplies one; got shape {shape}"):
        fb.Right(wrong)


def test_A_must_be_numbers():
    with pytest.raises(DtypeError, match=r"Right: A must be numeric .*; got dtype datetime64"):
        fb.Right(np.zeros((2, 2), "datetime64[s]"))


def test_wrong_columns():
    with pytest.raises(ShapeError, match=r"Right.apply: X must be \(m, 3\) because A is \(3, 4\); got \(3, 4\)"):
        fb.Right(A) @ A


@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.csc_array, scipy.sparse.coo_matrix])
@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 5, 3), (0, 5, 3), (2, 0, 3)])
def test_sparse(kind, shape):
    M = np.where(rng.random((3, 4)) < 0.5, A, 0) * (1 + 2j)
    op, X = fb.Right(kind(M)), rng.normal(size=shape)
    for _ in range(3):
        assert_allclose(op @ X, X @ M)
        assert type(op @ X) is np.ndarray
        assert_allclose(op.H @ (op @ X), X @ M @ M.conj().T)
        assert_allclose(op.T @ (op @ X), X @ M @ M.T)
    if len(shape) > 1:
        check_adjoint(op, shape[-2:])
