"""Operators on vec(X) as SciPy's LinearOperator, and SciPy's solvers on top."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse.linalg import LinearOperator, aslinearoperator, gmres, lsqr, svds

import fastbs as fb
from fastbs.errors import ShapeError

rng = np.random.default_rng(0)


def matrix(*shape, dtype=float):
    A = rng.normal(size=shape)
    return A + 1j * rng.normal(size=shape) if dtype is complex else A


def stretch(X):
    """(..., 2, 3) -> (..., 4, 3), with stacks"""
    return np.concatenate([X, 2 * X], axis=-2)


def fold(Y):
    return Y[..., :2, :] + 2 * Y[..., 2:, :]


CASES = {
    "left": lambda t: (fb.Left(matrix(3, 2, dtype=t)), (2, 4)),
    "left of vectors": lambda t: (fb.Left(matrix(3, 2, dtype=t)), (2,)),
    "right": lambda t: (fb.Right(matrix(3, 2, dtype=t)), (2, 3)),
    "right of vectors": lambda t: (fb.Right(matrix(3, 2, dtype=t)), (3,)),
    "kronecker": lambda t: (fb.Kronecker(matrix(3, 2, dtype=t), matrix(4, 5, dtype=t)), None),
    "three factors": lambda t: (fb.Kronecker(*(matrix(2, 3, dtype=t) for _ in range(3))), None),
    "hadamard": lambda t: (fb.Hadamard(matrix(3, 4, dtype=t)), None),
    "inner": lambda t: (fb.Inner(matrix(3, 4, dtype=t)), None),
    "adjoint of inner": lambda t: (fb.Inner(matrix(3, 4, dtype=t)).H, None),
    "composition": lambda t: (fb.Hadamard(matrix(3, 4, dtype=t)) @ fb.Left(matrix(3, 2, dtype=t)), None),
    "on vectors": lambda t: (fb.Left(matrix(3, 2, dtype=t)) @ fb.Hadamard(matrix(2, dtype=t)), None),
    "identity": lambda t: (fb.Identity(), (2, 3)),
    "zero": lambda t: (fb.Zero((2, 3), (4,)), None),
    "own": lambda t: (fb.Operator(stretch, fold, shape_in=(2, 3), shape_out=(4, 3)), None),
    "own without shapes": lambda t: (fb.Operator(stretch, fold), (2, 3)),
    "no rows": lambda t: (fb.Left(matrix(0, 2, dtype=t)), (2, 4)),
    "no columns": lambda t: (fb.Left(matrix(3, 2, dtype=t)), (2, 0)),
}


@pytest.mark.parametrize("dtype", [float, complex], ids=["real", "complex"])
@pytest.mark.parametrize("name", CASES)
def test_all_products_are_those_of_the_dense_matrix(name, dtype):
    op, shape = CASES[name](dtype)
    A, dense = op.as_scipy(shape), op.to_dense(shape)
    assert isinstance(A, LinearOperator)
    assert A.shape == dense.shape
    assert A.dtype == (op.dtype or float)
    x, y = matrix(A.shape[1], dtype=dtype), matrix(A.shape[0], dtype=dtype)
    X, Y = matrix(A.shape[1], 5, dtype=dtype), matrix(A.shape[0], 5, dtype=dtype)
    for _ in range(3):
        for found, expected in (
            (A.matvec(x), dense @ x), (A @ x, dense @ x), (A.matmat(x[:, None]), dense @ x[:, None]),
            (A.matmat(X), dense @ X), (A @ X, dense @ X), (A.matmat(X[:, :0]), dense @ X[:, :0]),
            (A.matmat(np.asfortranarray(X)), dense @ X), (A.matvec(X[:, 1]), dense @ X[:, 1]),
            (A.rmatvec(y), dense.conj().T @ y), (A.rmatmat(Y), dense.conj().T @ Y),
            (A.H @ y, dense.conj().T @ y), (A.H @ Y, dense.conj().T @ Y), (A.H.H @ x, dense @ x),
            (A.T @ y, dense.T @ y), (A.T @ Y, dense.T @ Y), (A.T.H @ x, dense.conj() @ x),
            (A.H.rmatvec(x), dense @ x), ((A.H @ A) @ x, dense.conj().T @ dense @ x), ((2 * A - A) @ x, dense @ x),
        ):  # fmt: skip
            assert found.shape == expected.shape
            assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_many_columns_are_one_application():
    calls = []

    def forward(X):
        calls.append(X.shape)
        return 2 * X

    A = fb.Operator(forward, forward, shape_in=(2, 3), shape_out=(2, 3)).as_scipy()
    A @ np.ones((6, 7))
    assert calls == [(7, 2, 3)]


@pytest.mark.parametrize("dtype", [float, complex], ids=["real", "complex"])
def test_lsqr(dtype):
    op = fb.Kronecker(matrix(5, 3, dtype=dtype), matrix(4, 2, dtype=dtype))
    X = matrix(2, 3, dtype=dtype)
    assert_allclose(lsqr(op.as_scipy(), fb.vec(op @ X), atol=1e-13, btol=1e-13)[0], fb.vec(X), rtol=1e-9)


@pytest.mark.parametrize("dtype", [float, complex], ids=["real", "complex"])
def test_gmres(dtype):
    op = fb.Hadamard(10 + matrix(4, 4, dtype=dtype)) + fb.Left(matrix(4, 4, dtype=dtype)) @ fb.Right(np.eye(4) / 4)
    X = matrix(4, 4, dtype=dtype)
    x, failed = gmres(op.as_scipy(), fb.vec(op @ X), rtol=1e-13)
    assert failed == 0
    assert_allclose(fb.unvec(x, (4, 4)), X, rtol=1e-9)


@pytest.mark.parametrize("dtype", [float, complex], ids=["real", "complex"])
def test_svds(dtype):
    op = fb.Left(matrix(5, 4, dtype=dtype)) @ fb.Hadamard(matrix(4, 3, dtype=dtype))
    found = svds(op.as_scipy(), k=3, v0=np.ones(12, dtype), return_singular_vectors=False)
    assert_allclose(sorted(found), np.linalg.svd(op.to_dense(), compute_uv=False)[2::-1], rtol=1e-9)


def test_one_of_scipys_operators_composes_with_it():
    A = fb.Left(matrix(3, 3)).as_scipy((3, 2))
    both = aslinearoperator(np.eye(6)) @ A
    assert_allclose(both @ np.ones(6), A @ np.ones(6))


def test_free_axes_must_be_given():
    message = r"Left\.as_scipy: shape_in must be given because the operator leaves axes free; got \(2, n\)"
    with pytest.raises(ShapeError, match=message):
        fb.Left(np.ones((3, 2))).as_scipy()
    with pytest.raises(ShapeError, match=r"X must be \(2, n\) because B is \(3, 2\); got \(4, 2\)"):
        fb.Left(np.ones((3, 2))).as_scipy((4, 2))
    with pytest.raises(ValueError, match=r"(?i)dimension mismatch"):
        fb.Left(np.ones((3, 2))).as_scipy((2, 4)) @ np.ones(7)
