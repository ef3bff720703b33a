"""Compositions, sums, multiples and their inverses: what they simplify to, and ten thousand of them."""

import copy
import functools
import operator
import pickle
from fractions import Fraction

import numpy as np
import pytest
import sympy
from numpy.testing import assert_allclose, assert_array_equal

import fastbs as fb
from dense import seconds
from fastbs.composites import Composition, Scaled, Sum
from fastbs.errors import ShapeError, SingularError
from fastbs.operator import explicit
from fastbs.testing import check_adjoint

rng = np.random.default_rng(0)
B, C = rng.normal(size=(2, 3, 3))
X = rng.normal(size=(3, 4))
LONG = 10_000


def double(X):
    return 2 * X


# --- composition -----------------------------------------------------------------------------------------


def test_compositions_are_flat():
    a, b, c, d = (fb.Left(B) for _ in range(4))
    for op in ((a @ b) @ (c @ d), a @ (b @ (c @ d)), ((a @ b) @ c) @ d):
        assert isinstance(op, Composition)
        assert op.operators == (a, b, c, d)
    assert op.H.operators == (d.H, c.H, b.H, a.H)
    assert op.T.operators == (d.T, c.T, b.T, a.T)


def test_composition_refuses_what_does_not_fit():
    with pytest.raises(
        ShapeError,
        match=r"the right factor Left must give \(4, n\) because the left factor Left takes that; got \(3, n\)",
    ):
        fb.Left(np.ones((2, 4))) @ fb.Left(B)
    with pytest.raises(ShapeError, match=r"Hadamard must give \(3, n\) .* Left .*; got \(4, 3\)"):
        fb.Left(B) @ fb.Hadamard(np.ones((4, 3)))
    with pytest.raises(ShapeError, match=r"Inner must give \(3, n\) .* Left .*; got \(\)"):
        fb.Left(B) @ fb.Inner(B)


def test_free_axes_are_filled_from_the_neighbours():
    M = np.ones((3, 4))
    assert (fb.Hadamard(M) @ fb.Left(B)).shape_in == (3, 4)
    assert (fb.Right(np.ones((4, 5))) @ fb.Left(B)).shape_in == (3, 4)
    assert (fb.Right(np.ones((4, 5))) @ fb.Left(B)).shape_out == (3, 5)
    assert (fb.Left(B) + fb.Right(np.ones((4, 4)))).shape_in == (3, 4)


def test_errors_of_compositions_hold_the_shape_that_was_given():
    op = fb.Hadamard(np.ones((3, 5))) @ fb.Left(B) @ fb.Right(np.ones((4, 5)))
    for _ in range(3):
        with pytest.raises(ShapeError, match=r"\(7, 4\)"):
            op @ np.ones((7, 4))


def test_vectors_in_compositions():
    d, x = rng.normal(size=3), rng.normal(size=3)
    op = fb.Hadamard(d) @ fb.Left(B)
    for _ in range(3):
        assert_allclose(op @ x, d * (B @ x))
        assert_allclose(op.H @ x, B.T @ (d * x))
    assert_allclose(op.to_dense(), d[:, None] * B)
    assert_allclose((fb.Left(B) @ fb.Hadamard(d)).to_dense(), B * d)
    op = fb.Left(B) + fb.Hadamard(d)
    for _ in range(3):
        assert_allclose(op @ x, B @ x + d * x)


def test_vectors_in_sums_of_compositions_with_numbers():
    B, x = fb.Left(np.arange(9.0).reshape(3, 3)), np.arange(3.0)
    doubled = B @ (2 * fb.Identity())
    for op, expected in ((-doubled, -2), (doubled - B, 1), (-(B @ (2 * fb.Identity()) @ (3 * fb.Identity())), -6)):
        np.testing.assert_array_equal(op @ x, expected * (B @ x))
        np.testing.assert_array_equal(op.H @ x, expected * (B.H @ x))


@pytest.mark.parametrize("tall", [False, True])
def test_left_of_a_vector_in_dense_and_scipy_form(tall):
    A = rng.normal(size=(5 if tall else 3, 3))
    for op, matrix in ((fb.Left(A), A), (fb.Right(A.T), A), (2 * fb.Left(A), 2 * A), (fb.Left(A) @ fb.Left(B), A @ B)):
        assert_allclose(op.to_dense((3,)), matrix)
        scipy_op = op.as_scipy((3,))
        assert scipy_op.shape == matrix.shape
        assert_allclose(scipy_op @ C, matrix @ C)
        assert_allclose(scipy_op @ C[0], matrix @ C[0])
        assert_allclose(scipy_op.H @ matrix, matrix.T @ matrix)


# --- algebra ---------------------------------------------------------------------------------------------


def test_identity_absorbs():
    op, one = fb.Left(B), fb.Identity()
    assert one @ op is op
    assert op @ one is op
    assert one @ one @ one is not None
    assert isinstance(one @ one, fb.Identity)


def test_zero_annihilates_and_keeps_its_shapes():
    zero = fb.Zero((3, None), (2, None))
    for op, shape_in, shape_out in (
        (zero @ fb.Left(np.ones((3, 5))), (5, None), (2, None)),
        (fb.Left(np.ones((7, 2))) @ zero, (3, None), (7, None)),
        (fb.Zero() @ fb.Left(np.ones((3, 5))), (5, None), (3, None)),
        (fb.Left(np.ones((3, 5))) @ fb.Zero(), (5, None), (3, None)),
        (fb.Inner(B) @ fb.Zero(), (3, 3), ()),
        (fb.Left(np.ones((7, 2))) @ zero @ fb.Left(B), (3, None), (7, None)),
    ):
        assert isinstance(op, fb.Zero)
        assert (op.shape_in, op.shape_out) == (shape_in, shape_out)
        X = np.ones([4 if n is None else n for n in shape_in])
        expected = np.zeros([4 if n is None else n for n in shape_out])
        for _ in range(3):
            assert_array_equal(op @ X, expected)
            assert_array_equal(op.H @ expected, 0 * X)


def test_zero_is_dropped_from_sums():
    op = fb.Left(B)
    assert op + fb.Zero() is op
    assert fb.Zero() + op is op
    assert isinstance(fb.Zero() - op, Sum)
    assert isinstance(fb.Zero() - fb.Zero((3, None), (3, None)), fb.Zero)
    assert (fb.Zero() + fb.Zero((3, None), (3, None))).shape_in == (3, None)
    assert isinstance(2 * fb.Zero(), fb.Zero)
    assert isinstance(fb.Zero() / 2, fb.Zero)
    assert isinstance(-fb.Zero(), fb.Zero)


@pytest.mark.parametrize("make", [lambda zero: fb.Left(B) + zero, lambda zero: fb.Left(B) - fb.Left(C) + zero])
def test_zero_keeps_its_shapes_in_sums(make):
    op = make(fb.Zero((3, 4), (3, 4)))
    assert_allclose(op.shape_of((3, 4)), (3, 4))
    with pytest.raises(ShapeError, match=r"\(3, 5\)"):
        op @ np.ones((3, 5))


def test_numbers_in_front_of_numbers_are_multiplied():
    op = 2 * (3 * fb.Left(B))
    assert isinstance(op, Scaled)
    assert op.scalar == 6
    assert isinstance(op.operator, fb.Left)
    assert_allclose((op / 2 / 3) @ X, B @ X)


def test_sums_are_flat_and_carry_signs():
    a, b, c = fb.Left(B), fb.Left(C), fb.Identity()
    op = a - (b - (c + a))
    assert isinstance(op, Sum)
    assert op.operators == (a, b, c, a)
    assert op.signs == (1, -1, 1, 1)
    assert (-op).signs == (-1, 1, -1, -1)
    assert operator.neg(-a) is a
    assert_allclose(op @ X, B @ X - (C @ X - (X + B @ X)))


def test_sums_refuse_what_does_not_fit():
    with pytest.raises(ShapeError, match=r"Operator.__add__: Left must map like .*; got \(3, n\) and \(4, n\)"):
        fb.Left(B) + fb.Left(np.ones((4, 4)))
    with pytest.raises(ShapeError, match=r"Operator.__add__: Left must map like .*; got \(3, n\) and \(2, n\)"):
        fb.Left(B) - fb.Left(np.ones((2, 3)))
    with pytest.raises(ShapeError, match=r"Operator.__add__: Identity must map .*; got \(3, n\) and \(2, n\)"):
        fb.Identity() + fb.Left(np.ones((2, 3)))


def test_terms_are_never_broadcast():
    # (1, n) and (m, 1) would broadcast to (m, n)
    op = fb.Operator(lambda X: X[:1], lambda Y: Y) + fb.Operator(lambda X: X[:, :1], lambda Y: Y)
    with pytest.raises(ShapeError, match=r"terms must have one shape .*; got \(1, 4\) and \(3, 1\)"):
        op @ X
    op = fb.Left(np.ones((1, 3))) + fb.Right(np.ones((4, 1)))
    with pytest.raises(ShapeError, match=r"got \(1, 4\) and \(3, 1\)"):
        op @ X


@pytest.mark.parametrize(
    "scalar", [0, 2, -1.5, 1j, True, np.True_, np.float32(3), np.array(2.0), np.array(2j), Fraction(1, 2)]
)
def test_scalars(scalar):
    Z = X.astype(object) if isinstance(scalar, Fraction) else X
    for op in (scalar * fb.Left(B), fb.Left(B) * scalar):
        for _ in range(3):
            assert_allclose((op @ Z).astype(complex), (scalar * (B @ Z)).astype(complex))
            assert_allclose((op.H @ Z).astype(complex), (scalar.conjugate() * (B.T @ Z)).astype(complex))
            assert_allclose((op.T @ Z).astype(complex), (scalar * (B.T @ Z)).astype(complex))
        assert repr(op)
        assert op.dtype is not None
        assert op.H.H is op


def test_symbolic_scalars():
    s = sympy.Symbol("s")
    op = s * fb.Left(np.array([[1, 2], [3, 4]], object)) + fb.Identity() / s
    Y = op @ np.array([[1, 0], [0, 1]], object)
    assert Y.tolist() == [[s + 1 / s, 2 * s], [3 * s, 4 * s + 1 / s]]
    assert str(op)
    assert repr(op)


@pytest.mark.parametrize("huge", [10**30, 10**400, -(10**400)])
def test_huge_integers_as_numpy(huge):
    op = huge * fb.Left(B)
    for _ in range(3):
        try:
            expected = huge * X
        except OverflowError:
            with pytest.raises(OverflowError):
                op @ X
        else:
            assert_allclose(op @ X, B @ expected)


@pytest.mark.parametrize("scalar", [1e300, 10**300, np.float32(3e38)])
def test_overflow_to_infinity(scalar):
    op = scalar * fb.Left(10 * np.eye(3, dtype=np.float32))
    for _ in range(3):
        with np.errstate(over="ignore"):
            Y = op @ np.ones((3, 1), np.float32)
        assert Y.dtype == np.float32
        assert np.isinf(Y).all()


def test_zero_dimensional_arrays_are_numbers():
    s = np.array(2.0)
    op = s * fb.Left(B)
    s[...] = 3.0
    for _ in range(3):
        assert_allclose(op @ X, 2.0 * (B @ X))
        assert_allclose(op.H @ X, 2.0 * (B.T @ X))


def test_dtypes_of_composites():
    Z = B.astype(np.complex64)
    single = fb.Left(B.astype(np.float32))
    assert (single @ single).dtype == np.float32
    assert (single @ fb.Left(B)).dtype == np.float64
    assert (single + fb.Left(Z)).dtype == np.complex64
    assert (2 * single).dtype == np.float32
    assert (2j * single).dtype == np.complex64
    assert (np.float64(2) * single).dtype == np.float64
    assert (2j * fb.Identity()).dtype == np.complex128
    assert (2j * single + single).dtype == np.complex64
    assert (single @ (2j * single)).dtype == np.complex64
    assert (2j * fb.Identity() @ fb.Left(B)).dtype == np.complex128
    assert (fb.Operator(double, double) @ fb.Left(B)).dtype == np.float64
    assert (fb.Operator(double, double) @ fb.Operator(double, double)).dtype is None
    assert fb.Operator(double, double).dtype is None


# --- inverses --------------------------------------------------------------------------------------------


def test_inverses_of_composites():
    M = rng.normal(size=(3, 4)) + 3
    for op in (
        fb.Left(B) @ fb.Hadamard(M) @ fb.Right(np.triu(rng.normal(size=(4, 4))) + np.eye(4)),
        -fb.Left(B),
        2 * fb.Left(B),
        fb.Left(B) / 4,
        -(2 * fb.Left(B)) / 3,
        fb.Identity(),
    ):
        for _ in range(3):
            assert_allclose(op.inv @ (op @ X), X, atol=1e-12)
            assert_allclose(op @ (op.inv @ X), X, atol=1e-12)
            assert_allclose(op.solve(op @ X), X, atol=1e-12)
            assert_allclose(op.inv.H @ (op.H @ X), X, atol=1e-12)
            assert_allclose(op.H.inv @ X, op.inv.H @ X, atol=1e-12)
            assert_allclose(op.inv.inv @ X, op @ X, atol=1e-12)
        check_adjoint(op.inv, (3, 4), tolerance=1e-12)


@pytest.mark.parametrize("zero", [0, 0.0, 0j, np.float64(0), np.array(0.0), Fraction(0)])
def test_zero_times_an_operator_has_no_inverse(zero):
    with pytest.raises(SingularError, match=r"Scaled.inv: the scalar must be nonzero .*; got 0"):
        (zero * fb.Left(B)).inv  # noqa: B018


def test_the_inverse_is_a_snapshot():
    A = B.copy()
    op = fb.Left(A) @ fb.Left(A)
    inverse = op.inv
    expected = inverse @ X
    A[...] = 0
    assert_allclose(inverse @ X, expected)
    assert_allclose(inverse.H.H @ X, expected)
    assert_allclose(inverse.inv @ X, B @ B @ X)


def test_explicit_has_arrays_in_place_of_factors():
    op = explicit(2 * fb.Left(B).inv @ fb.Left(C))
    assert_allclose(op @ X, 2 * np.linalg.solve(B, C @ X))
    assert_allclose(explicit(fb.Operator(double, double)) @ X, 2 * X)


# --- ten thousand ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("combine", [operator.matmul, operator.add, operator.sub], ids=["@", "+", "-"])
@pytest.mark.parametrize("backwards", [False, True], ids=["from the left", "from the right"])
def test_ten_thousand(combine, backwards):
    def fold(terms):
        return functools.reduce((lambda x, y: combine(y, x)) if backwards else combine, terms)

    rotation = np.array([[0.0, -1.0], [1.0, 0.0]])
    op = fold([fb.Left(rotation) for _ in range(LONG)])
    expected = fold([rotation] * LONG)
    for _ in range(3):
        assert_allclose(op @ np.eye(2), expected)
    assert_allclose(op.H @ np.eye(2), expected.T)
    assert_allclose(op.T @ np.eye(2), expected.T)
    assert_allclose((op @ op) @ np.eye(2), expected @ expected)
    assert_allclose((-op + op) @ np.eye(2), 0 * expected)
    assert op.dtype == np.float64
    assert len(str(op)) >= LONG
    assert repr(op)
    assert_allclose(pickle.loads(pickle.dumps(op)) @ np.eye(2), expected)
    assert_allclose(copy.deepcopy(op) @ np.eye(2), expected)
    out = np.empty((2, 2))
    assert_allclose(op.apply_into(np.eye(2), out), expected)
    if combine is operator.matmul:
        assert_allclose(op.inv @ np.eye(2), np.linalg.inv(expected))


@pytest.mark.parametrize("combine", [operator.matmul, operator.add], ids=["@", "+"])
@pytest.mark.parametrize("step", ["build", "adjoint", "apply"])
def test_time_is_linear_in_the_number_of_operators(combine, step):
    def work(n):
        ops = [fb.Left(B) for _ in range(n)]
        op = functools.reduce(combine, ops)
        return {
            "build": lambda: functools.reduce(combine, ops),
            "adjoint": lambda: op.replace().H,
            "apply": lambda: op.apply(X),
        }[step]

    with np.errstate(all="ignore"):
        few, many = seconds(work(1_000)), seconds(work(8_000))
    assert many < 24 * few  # 8 if linear, 64 if quadratic


@pytest.mark.parametrize("twin", ["H", "T"])
def test_adjoints_of_nested_composites_take_linear_time(twin):
    def work(n):  # from new parts each time, since parts keep their adjoints
        op = fb.Identity()
        for _ in range(n):
            op = (op + fb.Left(B)) @ fb.Left(C)
        return getattr(op, twin)

    few, many = seconds(lambda: work(200)), seconds(lambda: work(1_600))
    assert many < 24 * few  # 8 if linear, 64 if quadratic


def test_lazily_nested_sums_and_products():
    # Horner's rule: the composite is as deep as the polynomial is long
    op = fb.Identity()
    for _ in range(200):
        op = fb.Identity() + fb.Left(B / 10) @ op
    expected = np.linalg.solve(np.eye(3) - B / 10, X)
    for _ in range(3):
        assert_allclose(op @ X, expected)
    assert_allclose(op.H @ X, np.linalg.solve(np.eye(3) - B.T / 10, X))
    assert str(op) == "…"
