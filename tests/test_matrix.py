"""Inverses of matrices, dense, triangular and sparse, as Left and Right use them."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose

import fastbs as fb
from fastbs.errors import DtypeError, ShapeError, SingularError
from fastbs.operators.matrix import FactoredInverse, factored
from fastbs.testing import check_adjoint

DTYPES = ("float32", "float64", "complex64", "complex128")
SHAPES = {
    "full": lambda A: A,
    "lower": np.tril,
    "upper": np.triu,
    "diagonal": lambda A: np.diag(np.diag(A)),
    "permuted": lambda A: np.triu(A)[::-1],
}
KINDS = {"dense": np.asarray, "csr": scipy.sparse.csr_array, "coo_matrix": scipy.sparse.coo_matrix}


def matrix(shape, dtype="float64", n=4):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(n, n)) + 3 * np.eye(n)
    if np.dtype(dtype).kind == "c":
        A = A + 1j * rng.normal(size=(n, n))
    return SHAPES[shape](A).astype(dtype)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_inverse_from_both_sides(shape, dtype, kind):
    A = matrix(shape, dtype)
    rng = np.random.default_rng(1)
    tolerance = 1e-12 if dtype in ("float64", "complex128") else 1e-4
    for dtype_of_X in (dtype, "float64", "complex64", "int64"):
        X = (10 * rng.normal(size=(2, 4, 4))).astype(dtype_of_X)
        left, right = fb.Left(KINDS[kind](A)).inv, fb.Right(KINDS[kind](A)).inv
        bound = max(tolerance, 1e-3 if dtype_of_X == "complex64" else 0)
        for Z in (X, X[0].T, X[..., ::-1, :]):
            for name in ("H.H", "H", "T", "T.H"):
                op, co, M = left, right, np.linalg.inv(A.astype("complex128"))
                for step in name.split("."):
                    op, co = getattr(op, step), getattr(co, step)
                    M = {"H": M.conj().T, "T": M.T, "inv": np.linalg.inv(M)}[step]
                for found, expected in ((op @ Z, M @ Z), (co @ Z, Z @ M)):
                    assert_allclose(found, expected, atol=bound * 100)
                    assert found.dtype == np.result_type(dtype, dtype_of_X), name
        assert_allclose(left @ X[0, 0], np.linalg.solve(A, X[0, 0]), atol=bound * 100)
    check_adjoint(left, (4, 2), dtype="complex128", tolerance=tolerance)


@pytest.mark.parametrize("dtype", ["int8", "int64", "bool", "float16"])
def test_other_dtypes(dtype):
    A = np.array([[2, 1], [1, 1]]).astype(dtype)
    A = np.array([[1, 1], [1, 0]], bool) if dtype == "bool" else A
    op = fb.Left(A).inv
    assert_allclose(op @ np.eye(2), np.linalg.inv(A.astype(float)), atol=1e-6)
    assert np.dtype(op.dtype).kind == "f"


def test_dtypes_without_a_factorization_are_refused_not_narrowed():
    for A in (np.eye(2, dtype=object), np.array([[2, 1], [1, 1]], "longdouble")):
        try:
            op = fb.Left(A).inv
        except (DtypeError, TypeError) as error:
            assert str(A.dtype) in str(error)  # noqa: PT017
        else:
            assert (op @ np.eye(2, dtype=A.dtype)).dtype == A.dtype


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(2, 3), (0, 2), (3, 1)])
def test_inverse_of_what_is_not_square(shape, kind):
    with pytest.raises(ShapeError, match=rf"Left.inv: B must be square .*; got \({shape[0]}, {shape[1]}\)"):
        fb.Left(KINDS[kind](np.ones(shape))).inv  # noqa: B018
    with pytest.raises(ShapeError, match=rf"Right.inv: A must be square .*; got \({shape[0]}, {shape[1]}\)"):
        fb.Right(KINDS[kind](np.ones(shape))).inv  # noqa: B018


@pytest.mark.parametrize("A", [np.ones((2, 2)), np.array([[1.0, 2], [2, 4]]), np.zeros((3, 3)) + np.diag([1, 0], 1)])
@pytest.mark.parametrize("kind", KINDS)
def test_exactly_singular(A, kind):
    with pytest.raises(SingularError, match=r"Left.inv: B must be nonsingular .*; got an exact"):
        fb.Left(KINDS[kind](A)).inv  # noqa: B018


def test_zero_on_diagonal_names_the_pivot():
    for A in (np.diag([1.0, 2, 0]), np.diag([1.0, 2, 0]) + np.tri(3, k=-1), np.diag([1.0, 2, 0]) + np.tri(3, k=-1).T):
        with pytest.raises(SingularError, match="got an exactly zero pivot 2"):
            fb.Left(A).inv  # noqa: B018
    with pytest.raises(np.linalg.LinAlgError):
        fb.Right(np.zeros((1, 1))).inv  # noqa: B018


@pytest.mark.parametrize("kind", ["dense"])
def test_nan_and_infinity_pass(kind):
    for value in (np.nan, np.inf):
        A = matrix("full")
        A[0, 0] = value
        with np.errstate(all="ignore"):
            Y = fb.Left(A).inv @ np.ones((4, 1))
        assert np.isnan(Y).any() or value == np.inf
    assert np.isnan(fb.Left(np.eye(2)).inv @ np.array([np.nan, 1.0]))[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", ["full", "upper"])
def test_is_a_snapshot(shape, kind):
    A = matrix(shape)
    held = KINDS[kind](A.copy())
    inverse = fb.Left(held).inv
    data = held if isinstance(held, np.ndarray) else held.data
    data[...] = 0
    X = np.eye(4)
    assert_allclose(inverse @ X, np.linalg.inv(A), atol=1e-12)
    assert_allclose(inverse.H @ X, np.linalg.inv(A).T, atol=1e-12)
    assert_allclose(inverse.inv @ X, A, atol=1e-12)
    assert_allclose(inverse.T.inv @ X, A.T, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_pickles(kind):
    op = fb.Left(KINDS[kind](matrix("full"))).inv
    twin = pickle.loads(pickle.dumps(op))
    assert_allclose(twin @ np.eye(4), op @ np.eye(4))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0, 3), (0, 0, 3)])
def test_zero_sizes(shape, kind):
    op = fb.Left(KINDS[kind](np.zeros((0, 0)))) if kind == "dense" else None
    if op is None:
        pytest.skip("SciPy has no empty sparse factorization")
    for _ in range(3):
        assert (op.inv @ np.ones(shape)).shape == shape
        assert (fb.Right(np.zeros((0, 0))).inv @ np.ones((*shape[:-1], 0))).shape == (*shape[:-1], 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(4, 0), (0, 4, 2), (2, 4, 0)])
def test_empty_right_sides(shape, kind):
    for structure in SHAPES:
        op = fb.Left(KINDS[kind](matrix(structure))).inv
        assert (op @ np.ones(shape)).shape == shape
        assert (op.H @ np.ones(shape)).shape == shape
    other = shape[:-2] + shape[:-3:-1]
    assert (fb.Right(KINDS[kind](matrix("full"))).inv @ np.ones(other)).shape == other


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", ["full", "lower"])
def test_one_inverse_in_many_threads(structure, kind):
    rng = np.random.default_rng(1)
    # large enough for LAPACK to run without the GIL while other threads come in
    op = fb.Left(KINDS[kind](SHAPES[structure](rng.normal(size=(60, 60)) + 20 * np.eye(60))))
    inverse, X = op.inv, rng.normal(size=(60, 20))
    expected = inverse @ X

    def worst(_):
        return max(np.abs(inverse @ X - expected).max() for _ in range(100))

    with ThreadPoolExecutor(8) as pool:
        assert max(pool.map(worst, range(8))) <= 1e-12 * np.abs(expected).max()


def test_names():
    op = fb.Left(matrix("full"))
    assert "⁻" in op.inv.symbol
    assert op.inv.symbol != op.inv.T.symbol
    assert op.inv.inv.symbol == op.symbol
    assert repr(op.inv).startswith("<Left ")


def test_factored_inverse_is_a_matrix():
    A = matrix("full", "complex64")
    inverse = factored(A, "here")
    assert isinstance(inverse, FactoredInverse)
    assert inverse.shape == (4, 4)
    assert len(inverse) == 4
    assert inverse.dtype == "complex64"
    assert_allclose(inverse @ np.eye(4), np.linalg.inv(A), atol=1e-5)
    assert_allclose(np.eye(4) @ inverse, np.linalg.inv(A), atol=1e-5)
    assert factored(inverse, "here") is inverse.original


def test_sparse_matrices_multiply_traced_values():
    S = scipy.sparse.random_array((3, 4), density=0.5, rng=np.random.default_rng(0), format="csr")
    for shape in ((4,), (4, 2)):
        x = np.random.default_rng(1).normal(size=shape)

        def f(x, B):
            return np.sum(np.sin(fb.Left(B) @ x)) + np.sum((fb.Right(B.T) @ x.T) ** 2)

        H, G = (fb.hessian(lambda x, B=B: f(x, B))(x) for B in (S, S.toarray()))
        np.testing.assert_allclose(H, G, atol=1e-14)
        np.testing.assert_allclose(fb.grad(f)(x, S), fb.grad(f)(x, S.toarray()))
