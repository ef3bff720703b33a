"""Block maps on flat vectors: dense, and as SciPy's LinearOperator."""

import numpy as np
import pytest
from scipy.sparse.linalg import cg, eigsh, gmres, lsmr

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
