"""X -> B X + X A^T: its dense form, its adjoints, and the equations of Sylvester and Lyapunov."""

import functools
import pickle

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
from numpy.testing import assert_allclose

import fastbs as fb
from fastbs.errors import DtypeError, ShapeError, SingularError, StructureError
from fastbs.testing import check_adjoint

rng = np.random.default_rng(0)


def pair(n, m, dtype):
    A, B = rng.normal(size=(n, n)), rng.normal(size=(m, m))
    if np.dtype(dtype).kind == "c":
        A, B = A + 1j * rng.normal(size=(n, n)), B + 1j * rng.normal(size=(m, m))
    return (A + 3 * np.eye(n)).astype(dtype), (B + 3 * np.eye(m)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("sizes", [(1, 1), (3, 5), (6, 2), (0, 3)])
def test_is_the_dense_matrix_and_its_inverse(sizes, dtype):
    A, B = pair(*sizes, dtype)
    op = fb.KroneckerSum(A, B)
    tolerance = 1e-3 if np.finfo(dtype).bits == 32 else 1e-10
    X = rng.normal(size=op.shape_in).astype(dtype)
    stack = rng.normal(size=(2, 3, *op.shape_in)).astype(dtype)
    for found, a, b in ((op, A, B), (op.T, A.T, B.T), (op.H, A.conj().T, B.conj().T)):
        dense = np.kron(a, np.eye(len(b))) + np.kron(np.eye(len(a)), b)
        assert_allclose(found.to_dense(), dense, rtol=tolerance)
        assert_allclose(found @ X, b @ X + X @ a.T, rtol=tolerance, atol=tolerance)
        assert_allclose(found.solve(found @ X), X, rtol=tolerance, atol=tolerance)
        assert (found.inv @ X).dtype == dtype
        assert_allclose(found.inv @ (found @ stack), stack, rtol=tolerance, atol=tolerance)
        if dense.size:
            assert_allclose(found.inv.to_dense(), np.linalg.inv(dense), rtol=tolerance, atol=tolerance)
            assert_allclose(found.logdet(), np.linalg.slogdet(dense), rtol=tolerance, atol=tolerance)
    check_adjoint(op)
    check_adjoint(op.inv)
    assert op.H.H is op
    assert_allclose(op.inv.H @ X, op.H.inv @ X, rtol=tolerance, atol=tolerance)
    assert_allclose(op.inv.T @ X, op.T.inv @ X, rtol=tolerance, atol=tolerance)
    assert op.inv.inv is op
    assert_allclose(pickle.loads(pickle.dumps(op.inv)) @ X, op.inv @ X)


def test_lyapunov_and_sylvester_are_scipy_s():
    A, B = pair(5, 4, float)
    Q, Y = rng.normal(size=(5, 5)), rng.normal(size=(4, 5))
    assert_allclose(fb.KroneckerSum(A, A).solve(Q), scipy.linalg.solve_continuous_lyapunov(A, Q), atol=1e-12)
    solver = fb.factorize(fb.KroneckerSum(A, B))
    assert_allclose(solver.solve(Y), scipy.linalg.solve_sylvester(B, A.T, Y), atol=1e-12)
    assert_allclose(solver.H.solve(Y), scipy.linalg.solve_sylvester(B.T, A, Y), atol=1e-12)
    assert_allclose(solver.solve(Y + 1j * Y), (1 + 1j) * solver.solve(Y), atol=1e-12)


def several(sizes, dtype, hermitian=False):
    factors = [M for n in sizes for M in pair(n, 0, dtype)[:1]]
    return [M + M.conj().T for M in factors] if hermitian else factors


@pytest.mark.parametrize("hermitian", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("sizes", [(3, 2, 4), (1, 1, 1), (2, 3, 2, 2), (2, 0, 3)])
def test_three_and_more_terms(sizes, dtype, hermitian):
    factors = several(sizes, dtype, hermitian)
    op = fb.KroneckerSum(*factors)
    tolerance = 1e-3 if np.finfo(dtype).bits == 32 else 1e-10
    for found, parts in (
        (op, factors), (op.T, [A.T for A in factors]), (op.H, [A.conj().T for A in factors])
    ):  # fmt: skip
        dense = sum(
            functools.reduce(np.kron, [A if i == k else np.eye(n) for k, n in enumerate(sizes)])
            for i, A in enumerate(parts)
        )
        Y = rng.normal(size=(2, *op.shape_in)).astype(dtype)
        assert_allclose(found.to_dense(), dense, rtol=tolerance, atol=tolerance)
        X = found.inv @ Y
        assert X.dtype == dtype
        assert_allclose(found @ X, Y, rtol=tolerance, atol=tolerance)
        assert_allclose(found.solve(Y[0] + 1j * Y[1]), X[0] + 1j * X[1], rtol=tolerance, atol=tolerance)
        if dense.size:
            assert_allclose(found.inv.to_dense(), np.linalg.inv(dense), rtol=tolerance, atol=tolerance)
            assert_allclose(found.logdet(), np.linalg.slogdet(dense), rtol=tolerance, atol=tolerance)
    check_adjoint(op)
    check_adjoint(op.inv)
    for left, right in (
        (op.inv.H, op.H.inv),
        (op.inv.T, op.T.inv),
        (op.inv.inv, op),
        (pickle.loads(pickle.dumps(op.inv)), op.inv),
    ):
        assert_allclose(left @ Y[0], right @ Y[0], rtol=tolerance, atol=tolerance)


def test_the_laplacian_of_a_box():
    """Kept by factorize, and its backward error."""
    D = [
        scipy.sparse.diags_array([-np.ones(n - 1), 2 * np.ones(n), -np.ones(n - 1)], offsets=[-1, 0, 1])
        for n in (5, 6, 7)
    ]
    op, Y = fb.KroneckerSum(*D), rng.normal(size=(7, 6, 5))
    X = fb.factorize(op).solve(Y)
    assert np.linalg.norm(op @ X - Y) <= 1e-13 * np.linalg.norm(Y)


def test_other_sums_have_no_inverse():
    A = fb.Kronecker(np.eye(2), np.eye(3))
    with pytest.raises(
        StructureError, match=r"Sum.inv: no inverse is known of .* because its 3 terms share no factors"
    ):
        (A + 2 * A + fb.Left(np.eye(3))).solve(np.ones((3, 2)))


def test_takes_sparse_matrices_and_derivatives():
    A, B = pair(3, 4, float)
    sparse = fb.KroneckerSum(scipy.sparse.csr_array(A), scipy.sparse.csr_array(B))
    X = rng.normal(size=(4, 3))
    assert_allclose(sparse @ X, B @ X + X @ A.T)
    assert_allclose(sparse.solve(X), fb.KroneckerSum(A, B).solve(X))
    gradient = fb.grad(lambda A: np.sum((fb.KroneckerSum(A, B) @ X) ** 2))(A)
    assert_allclose(gradient, 2 * (B @ X + X @ A.T).T @ X, rtol=1e-12)


def test_errors():
    with pytest.raises(ShapeError, match=r"KroneckerSum: A must be square because .*; got \(2, 3\)"):
        fb.KroneckerSum(np.ones((2, 3)), np.eye(2))
    with pytest.raises(ShapeError, match=r"KroneckerSum: B must be square because .*; got \(3, 2\)"):
        fb.KroneckerSum(np.eye(2), np.ones((3, 2)))
    with pytest.raises(ShapeError, match=r"A is \(2, 2\) and B \(3, 3\)"):
        fb.KroneckerSum(np.eye(2), np.eye(3)) @ np.ones((2, 2))
    with pytest.raises(TypeError, match="at least two matrices must be given because they are added; got 1"):
        fb.KroneckerSum(np.eye(2))
    with pytest.raises(SingularError, match="eigenvalues, one of each factor, must not add up to zero"):
        fb.KroneckerSum(np.eye(2), np.eye(3), -2 * np.eye(2)).inverse()
    with pytest.raises(DtypeError, match="Y must be at most double precision because LAPACK is"):
        fb.KroneckerSum(*[np.eye(2)] * 3).solve(np.ones((2, 2, 2), "g"))
    with pytest.raises(SingularError, match="no eigenvalue of B may be minus one of A"):
        fb.KroneckerSum(np.eye(2), -np.eye(3)).solve(np.ones((3, 2)))
    with pytest.raises(DtypeError, match="A and B must be at most double precision because LAPACK is"):
        fb.KroneckerSum(np.eye(2, dtype="g"), np.eye(2)).inverse()
    with pytest.raises(DtypeError, match="Y must be at most double precision because LAPACK is"):
        fb.KroneckerSum(np.eye(2), np.eye(2)).solve(np.eye(2, dtype="g"))
    assert fb.KroneckerSum(np.eye(2), -np.eye(3)).logdet() == (0, -np.inf)


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1.0, 1e200, 1e300])
def test_scaled_sums_have_scaled_inverses(count, scale):
    A, Y = np.array([[1.0, 2.0], [0.0, 3.0]]), np.random.default_rng(0).normal(size=(2,) * count)
    for turn in (lambda op: op, lambda op: op.H):
        expected = turn(fb.KroneckerSum(*[A] * count)).solve(Y)
        found = turn(fb.KroneckerSum(*[A * scale] * count)).solve(Y * scale)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_factors_that_have_no_eigenvalues():
    A = np.eye(2)
    for bad, text in ((A * np.nan, "B must be finite .* got NaN or infinity"), (A.astype(np.longdouble), "precision")):
        for more in ((), (A,)):
            op = fb.KroneckerSum(A, bad, *more)
            for call in (lambda: op.inv, op.logdet):  # noqa: B023
                with pytest.raises((ValueError, TypeError), match=text):
                    call()
