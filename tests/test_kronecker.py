"""X -> B X A^T and its kin, beyond the laws."""

from itertools import permutations

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose

import fastbs as fb
from dense import check_in_50_digits
from fastbs import _kronecker
from fastbs.errors import DtypeError, ShapeError, SingularError
from fastbs.testing import check_adjoint
from memory import failing_allocations

rng = np.random.default_rng(0)
A, B, C = rng.normal(size=(5, 4)), rng.normal(size=(2, 3)), rng.normal(size=(3, 2))


def test_agrees_with_kron():
    assert_allclose(fb.Kronecker(A, B).to_dense(), np.kron(A, B))
    assert_allclose(fb.Kronecker(A).to_dense(), A)
    assert_allclose(fb.Kronecker(A, B, C).to_dense(), np.kron(np.kron(A, B), C))
    assert_allclose(fb.Kronecker(A, B, C, B).to_dense(), np.kron(np.kron(np.kron(A, B), C), B))


def test_two_factors_are_a_product_from_both_sides():
    X = rng.normal(size=(3, 4)) + 1j
    op = fb.Kronecker(A, B * 1j)
    for _ in range(3):
        assert_allclose(op @ X, 1j * B @ X @ A.T)
        assert_allclose(op.H @ (op @ X), -1j * B.T @ (op @ X) @ A)


@pytest.mark.parametrize("stack", [(), (2,), (0,), (2, 3)])
@pytest.mark.parametrize("factors", [(A,), (A, B), (A, B, C), (C, C, B, A)])
def test_stacks(factors, stack):
    op = fb.Kronecker(*factors)
    X = rng.normal(size=(*stack, *op.shape_in))
    D = op.to_dense()
    members = X.reshape(-1, *op.shape_in) if X.size else ()
    expected = np.array([fb.unvec(D @ fb.vec(x), op.shape_out) for x in members]).reshape(*stack, *op.shape_out)
    for _ in range(3):
        assert_allclose(op @ X, expected, atol=1e-12)


def test_shapes_and_names():
    op = fb.Kronecker(A, B)
    assert (op.shape_in, op.shape_out) == ((3, 4), (2, 5))
    assert str(op) == "A⊗B"
    assert str(fb.Kronecker(A, B, C)) == "A⊗B⊗C"
    assert str(fb.Kronecker(A, B, symbol="K")) == "K"
    assert repr(op) == "<Kronecker A⊗B: (3, 4) -> (2, 5), float64>"
    assert op.factors[0] is A
    assert str(op.T) != str(op)


def test_factors_must_be_matrices():
    with pytest.raises(TypeError, match=r"Kronecker: at least one factor must be given .*; got none"):
        fb.Kronecker()
    with pytest.raises(ShapeError, match=r"Kronecker: factor 1 must be a matrix .*; got shape \(3,\)"):
        fb.Kronecker(A, np.ones(3))
    with pytest.raises(DtypeError, match=r"Kronecker: factor 0 must be numeric .*; got dtype <U1"):
        fb.Kronecker([["a"]], B)


def test_wrong_shapes_name_the_factors():
    message = r"Kronecker.apply: X must be \(3, 4\) because the factors are \(5, 4\), \(2, 3\); got \(4, 3\)"
    with pytest.raises(ShapeError, match=message):
        fb.Kronecker(A, B) @ np.ones((4, 3))


def flops(order, shapes):
    """2 p n times the other axes, factor by factor."""
    sizes, total = [n for _, n in shapes], 0
    for i in order:
        p = shapes[i][0]
        total += 2 * p * np.prod(sizes, dtype=float)
        sizes[i] = p
    return total


@pytest.mark.parametrize("seed", range(30))
def test_takes_the_cheapest_order(seed):
    rng = np.random.default_rng(seed)
    shapes = rng.integers(1, 9, (rng.integers(1, 5), 2)).tolist()
    op = fb.Kronecker(*(np.ones(shape) for shape in shapes))
    best = min(flops(order, shapes) for order in permutations(range(len(shapes))))
    assert flops(op._order(), shapes) == best


def test_collapses_unless_that_is_larger():
    D, E = rng.normal(size=(4, 5)), rng.normal(size=(3, 2))
    op = fb.Kronecker(A, B) @ fb.Kronecker(D, E)
    assert isinstance(op, fb.Kronecker)
    assert_allclose(op.to_dense(), np.kron(A @ D, B @ E))
    column, row = np.ones((50, 1)), np.ones((1, 50))
    op = fb.Kronecker(column, column) @ fb.Kronecker(row, row)
    assert not isinstance(op, fb.Kronecker)
    assert_allclose(op @ np.eye(50), np.full((50, 50), 50.0))


def test_other_numbers_of_factors_do_not_collapse():
    with pytest.raises(ShapeError, match=r"Kronecker must give \(3, 4\) .*; got \(12,\)"):
        fb.Kronecker(A, B) @ fb.Kronecker(np.ones((12, 2)))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128", "int64"])
def test_inverse(dtype):
    F, G = (rng.normal(size=(n, n)) * 10 for n in (3, 2))
    F, G = (F + 1j * F.T, G - 1j * G.T) if "complex" in dtype else (F, G)
    F, G = F.astype(dtype), (np.triu(G) + 99 * np.eye(2)).astype(dtype)
    op, X = fb.Kronecker(F, G), rng.normal(size=(2, 3))
    inverse = op.inv
    tolerance = 1e-3 if dtype in ("float32", "complex64") else 1e-11
    for _ in range(3):
        assert_allclose(inverse @ (op @ X), X, atol=tolerance)
        assert_allclose(inverse.H @ (op.H @ X), X, atol=tolerance)
        assert_allclose(inverse.T @ (op.T @ X), X, atol=tolerance)
        assert_allclose(inverse.inv @ X, op @ X, atol=tolerance)
    assert_allclose(inverse.to_dense(), np.linalg.inv(np.kron(F, G)), atol=tolerance)
    check_adjoint(inverse, dtype="complex128", tolerance=tolerance)
    F[...] = 0
    assert_allclose(inverse.inv @ (inverse @ X), X, atol=tolerance)


def test_inverse_names_the_factor():
    with pytest.raises(ShapeError, match=r"Kronecker.inv: factor 1 must be square .*; got \(2, 3\)"):
        fb.Kronecker(np.eye(2), B).inv  # noqa: B018
    with pytest.raises(SingularError, match=r"Kronecker.inv: factor 0 must be nonsingular .*; got .* pivot 1"):
        fb.Kronecker(np.diag([1.0, 0.0]), np.eye(2)).inv  # noqa: B018


@pytest.mark.parametrize("which", [(0,), (1,), (0, 1), (0, 1, 2)])
def test_sparse_factors(which):
    factors = [A, B, C]
    mixed = [scipy.sparse.csr_array(F) if i in which else F for i, F in enumerate(factors)]
    op, expected = fb.Kronecker(*mixed), fb.Kronecker(*factors)
    for stack in ((), (2,), (0,), (2, 1)):
        X = rng.normal(size=(*stack, *op.shape_in))
        for _ in range(3):
            assert_allclose(op @ X, expected @ X)
            assert_allclose(op.H @ (op @ X), expected.H @ (expected @ X))


def test_zero_sizes():
    for factors in ((np.ones((0, 2)), B), (A, np.ones((2, 0))), (np.ones((0, 0)), np.ones((0, 3)))):
        op = fb.Kronecker(*factors)
        X = np.ones(op.shape_in)
        for _ in range(3):
            Y = op @ X
            assert Y.shape == op.shape_out
            assert not Y.any()


# --- chains in the kernel ------------------------------------------------------------------------------


def mode_by_mode(factors, X):
    """The definition: factor i, counted from the last axis, on its axis."""
    X = X.astype(np.result_type(X, float))
    for i, F in enumerate(factors):
        axis = X.ndim - 1 - i
        X = np.moveaxis(np.tensordot(F, X, axes=(1, axis)), 0, axis)
    return X


def numbers(rng, shape, dtype):
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if dtype.kind == "c" else x).astype(dtype)


def check_random_chains(count, seed):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        k = int(rng.integers(3, 7))
        dtype = np.dtype(rng.choice(list("fdFD")))
        sides = rng.integers(1, {3: 70, 4: 14, 5: 9, 6: 5}[k], (k, 2)) if rng.random() < 0.8 else np.full((k, 2), 4)
        factors = [numbers(rng, side, dtype) for side in sides]
        factors = [[F, np.asfortranarray(F), np.repeat(F, 2, axis=1)[:, ::2]][rng.integers(3)] for F in factors]
        op = fb.Kronecker(*factors)
        stack = tuple(rng.integers(1, 4, rng.integers(0, 3)))
        X = numbers(rng, (*stack, *op.shape_in), dtype)
        turned = [*range(len(stack)), *range(X.ndim - 1, len(stack) - 1, -1)]
        X = [X, np.ascontiguousarray(X.transpose(turned)).transpose(turned), np.repeat(X, 2, axis=-1)[..., ::2]][
            rng.integers(3)
        ]
        kept = X.copy()
        Y = op @ X
        assert Y.dtype == dtype
        expected = mode_by_mode([F.astype(np.result_type(F, float)) for F in factors], X)
        assert_allclose(Y, expected, rtol=0, atol=(1e-4 if dtype.char in "fF" else 1e-13) * (1 + abs(expected).max()))
        assert_allclose(X, kept, rtol=0, atol=0)
        expected = mode_by_mode([F.conj().T.astype(np.result_type(F, float)) for F in factors], Y)
        assert_allclose(op.H @ Y, expected, rtol=1e-3 if dtype.char in "fF" else 1e-10,
                        atol=(1e-4 if dtype.char in "fF" else 1e-13) * (1 + abs(expected).max()))  # fmt: skip


@pytest.fixture(params=[0, 1, 2], ids=["base", "avx2", "avx512"])
def instructions(request):
    _kronecker.limit_instructions(request.param)
    yield request.param
    _kronecker.limit_instructions(2)


def test_chains_equal_the_definition(instructions):
    check_random_chains(60, 1 + instructions)


@pytest.mark.slow
def test_many_chains_equal_the_definition(instructions):
    check_random_chains(700, 4 + instructions)


@pytest.mark.parametrize("dtype", "fdFD")
@pytest.mark.parametrize(
    "shapes",
    [
        [(8, 8)] * 5,  # slabs of three axes, then strips of two, in place
        [(6, 5), (5, 6), (8, 8), (8, 8), (4, 8)],  # strips in place between buffers
        [(7, 7), (3, 5), (33, 34), (2, 3), (1, 9)],
        [(20, 20), (24, 16), (24, 32)],
    ],
)
def test_passes_of_several_modes(shapes, dtype, instructions):
    factors = [numbers(rng, shape, np.dtype(dtype)) for shape in shapes]
    op = fb.Kronecker(*factors)
    X = numbers(rng, (2, *op.shape_in), np.dtype(dtype))
    back = (0, *range(len(shapes), 0, -1))
    turned = np.ascontiguousarray(X.transpose(back)).transpose(back)
    expected = mode_by_mode(factors, X)
    for x in (X, turned):
        assert_allclose(op @ x, expected, rtol=0, atol=(1e-5 if dtype in "fF" else 1e-14) * abs(expected).max())


@pytest.mark.parametrize("dtype", "dD")
@pytest.mark.parametrize("side", [48, 66, 80])
def test_chains_of_large_factors_go_through_blas(side, dtype):
    factors = [numbers(rng, s, np.dtype(dtype)) for s in ((side, 70), (3, 4), (70, side))]
    factors[2] = np.asfortranarray(factors[2])
    op = fb.Kronecker(*factors)
    X = numbers(rng, op.shape_in, np.dtype(dtype))
    assert_allclose(op @ X, mode_by_mode(factors, X), rtol=1e-12, atol=1e-10)


def test_chains_see_factors_that_change():
    factors = [rng.normal(size=(3, 3)) for _ in range(3)]
    op, X = fb.Kronecker(*factors), rng.normal(size=(3, 3, 3))
    before = op @ X
    factors[1] *= 2
    assert_allclose(op @ X, 2 * before)


def test_nan_stays_in_its_fibre():
    factors = [rng.normal(size=(3, 5)) for _ in range(4)]
    X = rng.normal(size=(2, 5, 5, 5, 5))
    X[0, 0, 0, 0, 0] = np.nan
    Y = fb.Kronecker(*factors) @ X
    assert np.isnan(Y[0]).all()
    assert_allclose(Y[1], mode_by_mode(factors, X[1]))


def test_a_chain_without_memory_raises():
    op, X = fb.Kronecker(*[np.eye(4)] * 3), rng.normal(size=(4, 4, 4))
    assert failing_allocations(_kronecker, lambda: op @ X) >= 2
    assert_allclose(op @ X, X)


@pytest.mark.parametrize("rows", [2**16, 2**20])
def test_sizes_past_memory_are_refused(rows):
    ones = np.broadcast_to(1.0, (rows, 1))
    with pytest.raises((MemoryError, ValueError), match=r"Unable to allocate|array is too big"):
        fb.Kronecker(ones, ones, ones) @ np.ones((1, 1, 1))


def test_solves_against_mpmath():
    factors = [rng.normal(size=(n, n)) + n * np.eye(n) for n in (2, 3)]
    op, Y = fb.Kronecker(*factors), rng.normal(size=(3, 2))
    check_in_50_digits(op.to_dense(), fb.vec(op.solve(Y)), fb.vec(Y))
    both = fb.KroneckerSum(*factors)
    check_in_50_digits(both.to_dense(), fb.vec(both.solve(Y)), fb.vec(Y))


# --- determinants --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0, 1j])
def test_logdet(shift):
    factors = [rng.normal(size=(n, n)) + shift for n in (3, 2, 4)]
    op = fb.Kronecker(*factors)
    for found in (op, op.T, op.H, op.inv):
        expected = np.linalg.slogdet(found.to_dense())
        assert_allclose(found.logdet(), expected, rtol=1e-8, atol=1e-10)
    assert fb.Kronecker(np.zeros((2, 2)), np.eye(3)).logdet() == (0, -np.inf)
    assert_allclose(fb.Kronecker(scipy.sparse.csr_array(factors[0].real), factors[1]).logdet()[1],
                    np.linalg.slogdet(np.kron(factors[0].real, factors[1]))[1])  # fmt: skip


def test_logdet_of_rectangular_factors():
    with pytest.raises(ShapeError, match=r"Kronecker.logdet: factor 1 must be square .*; got \(2, 3\)"):
        fb.Kronecker(np.eye(2), B).logdet()
