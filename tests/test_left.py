"""X -> B X, beyond the laws."""

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose

import fastbs as fb
from fastbs.errors import DtypeError, ShapeError
from fastbs.testing import check_adjoint

rng = np.random.default_rng(0)
B = rng.normal(size=(4, 3))


def test_the_matrix_is_kron_of_identity_and_B():
    assert_allclose(fb.Left(B).to_dense((3, 2)), np.kron(np.eye(2), B))


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 5), (2, 3, 5), (0, 3, 5), (2, 2, 3, 1)])
def test_follows_matmul(shape):
    X = rng.normal(size=shape)
    for _ in range(3):
        assert_allclose(fb.Left(B) @ X, np.matmul(B, X))


def test_shapes_and_names():
    op = fb.Left(B, symbol="W₁")
    assert (op.shape_in, op.shape_out) == ((3, None), (4, None))
    assert op.shape_of((3,)) == (4,)
    assert op.shape_of((2, 3, 5)) == (2, 4, 5)
    assert op.symbol == "W₁ₗ"
    assert op.T.symbol == "W₁ᵀₗ"
    assert fb.Left(B).symbol == "Bₗ"
    assert op.B is B
    assert fb.Left(B + 0j).H.symbol != fb.Left(B + 0j).T.symbol
    assert repr(fb.Left(B)) == "<Left Bₗ: (3, n) -> (4, n), float64>"


@pytest.mark.parametrize("wrong", [np.ones(3), np.ones((2, 2, 2)), 2.0, np.float64(2)])
def test_B_must_be_a_matrix(wrong):
    shape = str(np.shape(wrong)).replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ShapeError, match=rf"Left: B must be a matrix because it multiplies one; got shape {shape}"):
        fb.Left(wrong)


def test_B_must_be_numbers_and_unmasked():
    with pytest.raises(DtypeError, match=r"Left: B must be numeric .*; got dtype <U1"):
        fb.Left([["a"]])
    with pytest.raises(DtypeError, match=r"Left: B must be a plain array .*; got a masked array, pass"):
        fb.Left(np.ma.masked_array(B))


def test_lists_become_arrays():
    for _ in range(3):
        assert_allclose(fb.Left([[1.0, 2.0]]) @ np.eye(2), [[1.0, 2.0]])


@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.coo_array, scipy.sparse.csc_matrix])
@pytest.mark.parametrize("shape", [(3,), (3, 5), (2, 3, 5), (0, 3, 5), (2, 3, 3, 0), (2, 3, 0)])
def test_sparse(kind, shape):
    A = np.where(rng.random((4, 3)) < 0.5, B, 0) * (1 + 2j)
    op, X = fb.Left(kind(A)), rng.normal(size=shape)
    for _ in range(3):
        assert_allclose(op @ X, A @ X)
        assert type(op @ X) is np.ndarray
        assert_allclose(op.H @ (op @ X), A.conj().T @ (A @ X))
        assert_allclose(op.T @ (op @ X), A.T @ (A @ X))
    if len(shape) > 1:
        check_adjoint(op, shape[-2:])


@pytest.mark.parametrize("dtype", ["int8", "int64", "bool", "uint16", "float16", "longdouble"])
def test_other_dtypes_as_numpy(dtype):
    A, X = (B > 0).astype(dtype), (rng.normal(size=(3, 2)) > 0).astype(dtype)
    for _ in range(3):
        Y = fb.Left(A) @ X
        assert Y.dtype == (A @ X).dtype
        assert_allclose(Y.astype(float), (A @ X).astype(float))
    assert fb.Left(A).dtype == dtype


def test_size_is_the_only_thing_a_tape_depends_on():
    # a transposed view, a slice, and a broadcast row
    for A in (B.T, B[::2, ::-1], np.broadcast_to(B[:1], (5, 3)), np.lib.stride_tricks.sliding_window_view(B[0], 2)):
        X = rng.normal(size=(A.shape[1], 6))
        for _ in range(3):
            assert_allclose(fb.Left(A) @ X, A @ X)
            assert_allclose(fb.Left(A).H @ (A @ X), A.T @ (A @ X))
