"""X -> X, beyond the laws."""

import pickle

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_array_equal

import fastbs as fb

one = fb.Identity()


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 3, 4), (1,) * 9, (2,) * 12])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128", "int64", "bool", "O", ">f8"])
def test_copies(shape, dtype):
    X = np.asarray(np.arange(np.prod(shape)).reshape(shape)).astype(dtype)
    for Z in (X, X.T, X[..., ::-1] if shape else X):
        for _ in range(3):
            Y = one @ Z
            assert_array_equal(Y, Z)
            assert np.ndim(Z) == 0 or Y.dtype == Z.dtype  # of 0-d arrays NumPy makes numbers
            assert not np.shares_memory(Y, Z)


def test_is_its_own_adjoint_and_inverse():
    assert one.H is one
    assert one.T is one
    assert one.inv is one
    X = np.ones(3)
    assert one.solve(X) is X


def test_names_and_shapes():
    assert str(one) == "I"
    assert repr(one) == "<Identity I: any shape -> any shape>"
    assert one.dtype is None
    assert one.shape_in is None
    assert one.shape_of((2, 3)) == (2, 3)
    assert str(pickle.loads(pickle.dumps(one))) == "I"


def test_dense_form():
    assert_array_equal(one.to_dense((2, 2)), np.eye(4))
    assert_array_equal(one.to_dense(()), [[1.0]])
    assert one.to_dense((0,)).shape == (0, 0)


def test_sparse_right_side():
    with pytest.raises(fb.DtypeError, match=r"must be dense .*pass \.toarray\(\)"):
        one @ scipy.sparse.csr_array(np.eye(3))


def test_numbers_times_identity():
    assert_array_equal((2 * one).to_dense((2,)), 2 * np.eye(2))
    assert str(2.5 * one) == "2.5"
    assert_array_equal((2 * one).inv @ np.ones(2), [0.5, 0.5])
