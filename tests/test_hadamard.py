"""X -> M * X, beyond the laws."""

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal

import fastbs as fb
from fastbs.errors import DtypeError, ShapeError, SingularError

rng = np.random.default_rng(0)
M, N, X = rng.normal(size=(3, 2, 4)) + 3


def test_the_matrix_is_diagonal():
    assert_allclose(fb.Hadamard(M).to_dense(), np.diag(fb.vec(M)))


def test_shapes_and_names():
    op = fb.Hadamard(M, symbol="Δ")
    assert op.shape_in == op.shape_out == (2, 4)
    assert op.symbol == "Δₕ"
    assert fb.Hadamard(M).symbol == "Mₕ"
    assert op.M is M
    assert op.T is op
    assert op.H is op
    assert fb.Hadamard(M + 0j).H is not fb.Hadamard(M + 0j)
    assert fb.Hadamard(M + 0j).H.symbol != fb.Hadamard(M + 0j).symbol
    assert op.inv.symbol != op.symbol
    assert repr(op) == "<Hadamard Δₕ: (2, 4) -> (2, 4), float64>"


def test_never_broadcasts():
    for shape in ((1, 4), (2, 1), (4,), ()):
        with pytest.raises(ShapeError, match=r"Hadamard.apply: X must be \(2, 4\) because M is \(2, 4\); got"):
            fb.Hadamard(M) @ np.ones(shape)
    with pytest.raises(ShapeError, match=r"Hadamard.apply: X must be \(1, 4\) because M is \(1, 4\); got \(2, 4\)"):
        fb.Hadamard(M[:1]) @ X


def test_M_must_be_numbers():
    with pytest.raises(DtypeError, match=r"Hadamard: M must be numeric .*; got dtype <U1"):
        fb.Hadamard("a")
    with pytest.raises(DtypeError, match=r"Hadamard: M must be a plain array .*; got a masked array"):
        fb.Hadamard(np.ma.masked_array(M))


def test_collapses():
    op = fb.Hadamard(M) @ fb.Hadamard(N)
    assert isinstance(op, fb.Hadamard)
    assert_allclose(op.M, M * N)
    complex_op = fb.Hadamard(M + 1j * N).H @ fb.Hadamard(N + 1j * M)
    assert isinstance(complex_op, fb.Hadamard)
    for _ in range(3):
        assert_allclose(complex_op @ X, (M - 1j * N) * (N + 1j * M) * X)
    inverse = fb.Hadamard(M).inv
    for pair, expected in (
        (inverse @ fb.Hadamard(N), N / M * X),
        (fb.Hadamard(N) @ inverse, N / M * X),
        (inverse @ inverse, X / M / M),
    ):
        for _ in range(3):
            assert_allclose(pair @ X, expected)


@pytest.mark.parametrize("dtype", ["float32", "complex128", "int64", "longdouble", "float16"])
def test_inverse(dtype):
    A = np.asarray(10 * M).astype(dtype)
    op = fb.Hadamard(A)
    inverse = op.inv
    for _ in range(3):
        Y = inverse @ X.astype(dtype)
        assert Y.dtype == (X.astype(dtype) / A).dtype
        assert_allclose(Y, X.astype(dtype) / A)
        assert_allclose(inverse.H @ X, X / A.conj(), rtol=1e-3)
        assert_allclose(op.H.inv @ X, X / A.conj(), rtol=1e-3)
        assert_allclose(inverse.inv @ X, A * X)
        assert_allclose(op.solve(X), X / A)
    A[...] = 1
    assert_allclose(inverse @ X.astype(dtype), Y)


def test_inverse_of_integers_is_no_integer_division():
    for _ in range(3):
        assert_array_equal(fb.Hadamard(np.array([2, 4])).inv @ np.array([1, 1]), [0.5, 0.25])


def test_zeros_have_no_inverse():
    A = M.copy()
    A[1, 2] = 0
    with pytest.raises(SingularError, match=r"Hadamard.inv: M must be nonzero .*; got M\[1, 2\] = 0"):
        fb.Hadamard(A).inv  # noqa: B018
    with pytest.raises(np.linalg.LinAlgError, match=r"got M\[\] = 0"):
        fb.Hadamard(np.array(0.0)).inv  # noqa: B018
    A[1, 2] = np.nan
    assert np.isnan((fb.Hadamard(A).inv @ X)[1, 2])


@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.csr_matrix])
def test_sparse_M_multiplies_elementwise_or_is_refused(kind):
    A = np.triu(rng.normal(size=(3, 3)))
    try:
        op = fb.Hadamard(kind(A))
    except TypeError as error:
        assert "must be" in str(error)  # noqa: PT017
        return
    for _ in range(3):
        Y = op @ np.ones((3, 3))
        assert_allclose(Y.toarray() if scipy.sparse.issparse(Y) else Y, A)


def test_complex_division_as_numpy():
    values = np.array([1 + 1j, 1e300 + 1e300j, 1e-300j, np.inf, complex(0, np.inf), complex(np.nan, 0), -2.5])
    Y, A = np.meshgrid(values, values)
    for _ in range(3):
        with np.errstate(all="ignore"):
            assert_array_equal(fb.Hadamard(A).inv @ Y, Y / A)
