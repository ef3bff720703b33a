"""Block maps on flat vectors: dense, and as SciPy's LinearOperator."""

import numpy as np
import pytest
import scipy.sparse
from scipy.sparse.linalg import aslinearoperator, cg, eigsh, gmres, lsmr

import fastbs as fb

rng = np.random.default_rng(0)


def network():
    """(I - L, D) of a network whose rows of D are pairs (dW, db)."""
    W = [rng.normal(size=(3, 3)) for _ in range(3)]
    X = [rng.normal(size=(3, 2)) for _ in range(3)]
    D = fb.Diagonal([[fb.Right(x), fb.Right(np.ones((1, 2)))] for x in X])
    return fb.Bidiagonal([1] * 3, [-fb.Left(w) for w in W[1:]]), D


def test_lazy_products_with_rows_of_tuples_are_dense_matrices():
    I_L, D = network()
    J = fb.backslash(I_L, D)
    shapes = [((3, 3), (3, 1))] * 3
    dense = J.to_dense(shapes)
    assert dense.shape == (18, 36)
    v = [(rng.normal(size=(3, 3)), rng.normal(size=(3, 1))) for _ in range(3)]
    flat = np.concatenate([fb.vec(part) for entry in v for part in entry])
    np.testing.assert_allclose(dense @ flat, np.concatenate([fb.vec(y) for y in J @ v]), atol=1e-12)
    np.testing.assert_allclose(J.H.to_dense([(3, 2)] * 3), dense.T, atol=1e-12)


@pytest.mark.parametrize("wrap", [lambda A: A, fb.factorize, lambda A: fb.backslash(A, A.H)])
def test_as_scipy(wrap):
    A = fb.Triangular([3 * np.eye(2)] * 3, {(1, 0): rng.normal(size=(2, 2)), (2, 0): rng.normal(size=(2, 2))})
    op, shapes = wrap(A), [(2, 2)] * 3
    S, dense = op.as_scipy(shapes), op.to_dense(shapes)
    x = rng.normal(size=12)
    np.testing.assert_allclose(S @ x, dense @ x)
    np.testing.assert_allclose(S.H @ x, dense.T @ x)
    np.testing.assert_allclose(S.T @ x, dense.T @ x)
    np.testing.assert_allclose(S @ np.eye(12), dense)
    np.testing.assert_allclose(lsmr(S, dense @ x, atol=1e-12, btol=1e-12)[0], x, atol=1e-6)
    np.testing.assert_allclose(gmres(S, dense @ x, rtol=1e-12)[0], x, atol=1e-6)


def test_iterative_solvers_take_symmetric_products():
    A = fb.Bidiagonal([3 * np.eye(2)] * 4, [rng.normal(size=(2, 2)) for _ in range(3)])
    gram = A.H @ A
    S, dense = gram.as_scipy([(2,)] * 4), gram.to_dense([(2,)] * 4)
    b = rng.normal(size=8)
    np.testing.assert_allclose(cg(S, b, rtol=1e-12)[0], np.linalg.solve(dense, b), atol=1e-8)
    np.testing.assert_allclose(eigsh(S, k=2)[0], np.linalg.eigvalsh(dense)[-2:])


def test_shapes_come_from_blocks_where_they_tell():
    A = fb.Diagonal([fb.Hadamard(np.ones((2, 3))), fb.Hadamard(np.ones(4))])
    assert A.as_scipy().shape == (10, 10)


def arrays(n=5, m=2):
    off = rng.normal(size=(n - 1, m, m))
    return 4 * np.eye(m) + rng.normal(size=(n, m, m)) / 2, off


STACKED = {
    "bidiagonal": lambda: fb.Bidiagonal.from_arrays(*arrays()),
    "inverse": lambda: fb.factorize(fb.Bidiagonal.from_arrays(*arrays(), "U")),
    "many sizes": lambda: fb.Bidiagonal.from_arrays([np.eye(1), 2 * np.eye(2)], [np.ones((2, 1))]),
    "triangle": lambda: fb.Triangular.from_arrays(np.eye(6) + np.tri(6), 2),
    "sparse triangle": lambda: fb.Triangular.from_scipy(scipy.sparse.csr_array(np.eye(6) + np.tri(6)), block=3),
    "complex": lambda: fb.Bidiagonal.from_arrays(arrays()[0] + 1j, arrays()[1]),
    "tridiagonal": lambda: fb.Tridiagonal(*arrays(), arrays()[1]),
    "inverse tridiagonal": lambda: fb.factorize(fb.Tridiagonal(*arrays(), arrays()[1])),
}


@pytest.mark.parametrize("name", STACKED)
def test_blocks_in_arrays_take_flat_vectors(name):
    op = STACKED[name]()
    S = op.as_scipy()
    dense = S @ np.eye(S.shape[1])
    assert S.dtype == ("complex128" if name == "complex" else "float64")
    expected = (
        op.solve(np.eye(S.shape[1]))
        if "inverse" in name
        else op.to_dense([(2,)] * 5 if name == "tridiagonal" else None)
    )
    np.testing.assert_allclose(dense, expected, atol=1e-12)
    x, X = rng.normal(size=len(dense)), rng.normal(size=(len(dense), 3))
    for found, M in ((S, dense), (S.H, dense.conj().T), (S.T, dense.T), (2 * S.H @ S, 2 * dense.conj().T @ dense)):
        np.testing.assert_allclose(found @ x, M @ x, atol=1e-10)
        np.testing.assert_allclose(found @ X, M @ X, atol=1e-10)
    np.testing.assert_allclose(lsmr(S, dense @ x, atol=1e-13, btol=1e-13)[0], x, rtol=1e-6)


def test_solvers_of_scipy_with_inverses():
    n, m = 30, 2
    lower = rng.normal(size=(n - 1, m, m)) / 4
    A = fb.Tridiagonal(np.tile(2 * np.eye(m), (n, 1, 1)), lower)
    S, inverse, b = A.as_scipy(), fb.factorize(A).as_scipy(), rng.normal(size=n * m)
    expected = np.linalg.solve(A.to_dense([(m,)] * n), b)
    assert_allclose = np.testing.assert_allclose
    assert_allclose(cg(S, b, rtol=1e-12)[0], expected, rtol=1e-8)
    steps = []
    assert_allclose(cg(S, b, rtol=1e-12, M=inverse, callback=steps.append)[0], expected, rtol=1e-8)
    assert len(steps) <= 2
    least = np.linalg.eigvalsh(S @ np.eye(n * m))[:3]
    assert_allclose(eigsh(S, k=3, sigma=0, OPinv=inverse)[0], least)
    assert_allclose(eigsh(A.to_scipy(), k=3, sigma=0, OPinv=inverse)[0], least)


def test_linear_operators_of_scipy_are_blocks():
    M = rng.normal(size=(2, 2)) + 1j
    A, dense = fb.Bidiagonal([3 * np.eye(2)] * 2, [aslinearoperator(M)]), fb.Bidiagonal([3 * np.eye(2)] * 2, [M])
    b = [np.ones(2), np.ones(2)]
    for own, other in ((A, dense), (A.H, dense.H), (A.T, dense.T)):
        np.testing.assert_allclose(own.solve(b), other.solve(b))
        np.testing.assert_allclose(own @ b, other @ b)
    back = fb.Left(fb.Left(M).as_scipy((2,)))
    for own, other in ((back, M), (back.H, M.conj().T), (back.T, M.T), (fb.Left(M) @ back, M @ M)):
        np.testing.assert_allclose(own @ np.ones(2), other @ np.ones(2))
        np.testing.assert_allclose(own @ np.ones((2, 3)), other @ np.ones((2, 3)))
    right = fb.Right(aslinearoperator(M))
    np.testing.assert_allclose(right.H @ np.ones((3, 2)), np.ones((3, 2)) @ M.conj().T)


def test_batches_have_no_matrix():
    with pytest.raises(
        fb.StructureError, match=r"as_scipy: systems must be taken one by one.*got a batch of shape \(3,\)"
    ):
        fb.Diagonal.from_arrays(np.ones((3, 2, 1, 1))).as_scipy()


def test_rows_without_blocks():
    J = fb.backslash(
        fb.Identity() - fb.Bidiagonal([None] * 3, [2, 3]), fb.BlockMatrix([[1, None], [None, None], [None, 1]])
    )
    with pytest.raises(fb.ShapeError, match="row 1") if (J @ [1.0, 1.0])[1] is None else np.errstate():
        assert J.to_dense([(), ()]).tolist() == [[1, 0], [2, 0], [6, 1]]


def test_shapes_that_do_not_fit():
    I_L, D = network()
    J = fb.backslash(I_L, D)
    with pytest.raises(fb.ShapeError, match="must have 3 shapes"):
        J.as_scipy([(3, 3)])
    with pytest.raises(fb.ShapeError, match="shape_in must be given"):
        J.to_dense()
