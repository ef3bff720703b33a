"""The door of all solves: `backslash` and `factorize` of operators."""

import numpy as np
import pytest
import scipy.sparse

import fastbs as fb
from dense import random_array, well_conditioned
from doors import both_doors


def test_half_precision_is_solved_in_single():
    (x,) = fb.Diagonal([np.array([[2, 1], [1, 3]], "float16")]).solve([np.ones(2, "float16")])
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, [0.4, 0.2], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["longdouble", "O"])
def test_dtypes_without_kernels_say_so(dtype):
    name = np.dtype(dtype).name
    if name == "float64":
        pytest.skip("long double is double here")
    A = fb.Diagonal([np.array([[2, 1], [1, 3]]).astype(dtype)])
    with pytest.raises(fb.DtypeError, match=rf"must be at most double precision because LAPACK is; got {name}"):
        A.solve([np.ones(2).astype(dtype)])


def invertible_operators():
    rng = np.random.default_rng(7)
    P, Q, M = well_conditioned(rng, 3, "complex128"), well_conditioned(rng, 3, "complex128"), 2 + rng.random((3, 3))
    return [
        fb.Identity(),
        fb.Left(P),
        fb.Left(np.tril(P)),
        fb.Right(Q),
        fb.Kronecker(P, Q),
        fb.Hadamard(M),
        fb.Left(P) @ fb.Hadamard(M) @ fb.Right(Q),
        2j * fb.Left(P),
        fb.Left(P) / 2,
        -fb.Left(P),
        fb.Left(scipy.sparse.csr_array(P)),
        3 * fb.Identity(),
    ]


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("op", invertible_operators(), ids=str)
def test_operators(op, invert):
    rng = np.random.default_rng(8)
    B = random_array(rng, (3, 3), "complex128")
    dense = op.to_dense((3, 3))
    solver = fb.factorize(op, invert=invert)
    b = fb.vec(B)
    for _ in range(3):
        for found, reference in (
            (fb.backslash(op, B), dense),
            (solver.solve(B), dense),
            (solver.H.solve(B), dense.conj().T),
            (solver.T.solve(B), dense.T),
            (solver.H.H.solve(B), dense),
        ):
            np.testing.assert_allclose(fb.vec(found), np.linalg.solve(reference, b), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("make", [fb.factorize, lambda A: fb.factorize(A, invert=True)], ids=["factors", "inverse"])
@pytest.mark.parametrize("wrap", [np.asarray, scipy.sparse.csr_array, fb.Left], ids=["array", "sparse", "operator"])
def test_factorize_any_square_matrix(wrap, make):
    """Arrays need not be triangular here: LU is kept, and it is a snapshot."""
    rng = np.random.default_rng(9)
    A = well_conditioned(rng, 4)
    solver = make(wrap(A))
    dense, b = A.copy(), rng.standard_normal((4, 2))
    A[:] = 0
    for _ in range(3):
        np.testing.assert_allclose(solver.solve(b), np.linalg.solve(dense, b), rtol=1e-12)
        np.testing.assert_allclose(solver.H.solve(b), np.linalg.solve(dense.T, b), rtol=1e-12)
        np.testing.assert_allclose(solver.T.solve(b[:, 0]), np.linalg.solve(dense.T, b[:, 0]), rtol=1e-12)


def test_operators_with_operators():
    P, Q = np.array([[2.0, 1.0], [0.0, 1.0]]), np.ones((2, 3))
    J = fb.backslash(fb.Left(P), fb.Left(Q))
    np.testing.assert_allclose(J @ np.eye(3), np.linalg.solve(P, Q), rtol=1e-15)


def test_operators_without_inverse():
    for op in (fb.Inner(np.ones(2)), fb.Operator(lambda X: X, lambda Y: Y), fb.Left(np.eye(2)) + fb.Right(np.eye(2))):
        for solve in both_doors(op):
            with pytest.raises(fb.StructureError, match="inverse"):
                solve(np.ones((2, 2)))


def test_singular_operators():
    for op in (fb.Left(np.ones((2, 2))), fb.Hadamard(np.zeros(2)), 0 * fb.Identity()):
        for solve in both_doors(op):
            with pytest.raises(fb.SingularError):
                solve(np.ones(2))
    with pytest.raises(fb.ShapeError, match=r"square.*\(2, 3\)"):
        fb.factorize(np.ones((2, 3)))


def test_repeated_solves_are_equal():
    A = fb.Bidiagonal([np.eye(2) * 2, fb.Hadamard(np.full(2, 4.0))], [np.ones((2, 2))])
    solver = fb.factorize(A)
    b = [np.ones(2), np.ones(2)]
    first = solver.solve(b)
    for _ in range(5):
        for x, y in zip(solver.solve(b), first, strict=True):
            np.testing.assert_array_equal(x, y)
    other = solver.solve([2 * x for x in b])  # the same tape on second inputs
    for x, y in zip(other, first, strict=True):
        np.testing.assert_allclose(x, 2 * y)
