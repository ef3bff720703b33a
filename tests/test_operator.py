"""A user's own operators and the closure of all: compositions, sums, scalings, adjoints, inverses."""

import copy
import functools
import gc
import operator
import pickle
import time
from fractions import Fraction

import numpy as np
import pytest
import sympy
from numpy.testing import assert_allclose, assert_array_equal

import fastbs as fb
from fastbs.composites import Composition, Scaled, Sum
from fastbs.errors import ShapeError, SingularError, StructureError
from fastbs.operator import explicit
from fastbs.testing import check_adjoint, dense

rng = np.random.default_rng(0)
B, C = rng.normal(size=(2, 3, 3))
X = rng.normal(size=(3, 4))
LONG = 10_000


def double(X):
    return 2 * X


def repeat(X):
    """(..., m, n) -> (..., 2 m, n)"""
    return np.concatenate([X, X], axis=-2)


def fold(Y):
    m = Y.shape[-2] // 2
    return Y[..., :m, :] + Y[..., m:, :]


# --- vec and unvec ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (3, 1), (2, 3, 4), (0, 3), (3, 0)])
def test_vec_stacks_columns_and_unvec_takes_it_back(shape):
    Z = np.arange(np.prod(shape)).reshape(shape)
    x = fb.vec(Z)
    assert x.shape == (Z.size,)
    steps = np.cumprod([1, *shape])[:-1]
    for index in np.ndindex(*shape):
        assert x[np.dot(index, steps).astype(int)] == Z[index]
    assert_array_equal(fb.unvec(x, shape), Z)
    assert_array_equal(fb.vec(fb.unvec(x, list(shape))), x)


# --- a user's own ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("argument", ["forward", "adjoint"])
def test_functions_must_be_callable(argument):
    functions = {"forward": double, "adjoint": double, argument: np.ones(3)}
    with pytest.raises(TypeError, match=f"Operator: {argument} must be callable .*; got ndarray"):
        fb.Operator(**functions)


def test_names_of_users():
    assert str(fb.Operator(double, double)) == "double"
    assert str(fb.Operator(lambda X: X, lambda X: X)) == "A"
    assert str(fb.Operator(functools.partial(np.add, 0), double)) == "A"
    named = fb.Operator(double, double, "D")
    assert (str(named), str(named.H), str(named.T)) == ("D", "Dᴴ", "Dᵀ")
    assert repr(fb.Operator(double, double, "D", (3, None), (3, None))) == "<Operator D: (3, n) -> (3, n)>"
    assert repr(named) == "<Operator D: any shape -> any shape>"


def test_shape_of_users_is_known_or_trusted():
    known = fb.Operator(double, double, shape_in=[3, None], shape_out=[3, None])
    assert known.shape_of((3, 5)) == (3, 5)
    assert known.shape_of((2, 3, 5)) == (2, 3, 5)
    with pytest.raises(ShapeError, match=r"Operator.apply: X must be \(3, n\) .*; got \(4, 5\)"):
        known @ np.ones((4, 5))
    assert_array_equal(fb.Operator(double, double) @ np.ones((2, 2, 2)), np.full((2, 2, 2), 2.0))


def test_users_that_change_the_shape_compose_without_declaring_it():
    op = fb.Operator(repeat, fold)
    outer = fb.Left(rng.normal(size=(2, 6)))
    for _ in range(3):
        assert_allclose(op @ X, repeat(X))
        assert_allclose((outer @ op) @ X, outer.B @ repeat(X))
        assert_allclose((outer @ op).H @ np.ones((2, 4)), fold(outer.B.T @ np.ones((2, 4))))
        assert_allclose((op @ fb.Left(B)) @ X, repeat(B @ X))
        assert_allclose((op + op) @ X, 2 * repeat(X))
    assert_allclose(op.to_dense((3, 2)), dense(op, (3, 2)))
    assert op.as_scipy((3, 2)).shape == (12, 6)
    check_adjoint(outer @ op, (3, 2))


def test_users_without_shapes_get_no_stacks():
    # without shape_in nothing says that leading axes are a stack: matrices are applied one by one
    op = fb.Operator(lambda x: B @ x, lambda y: B.T @ y)
    assert_allclose(op.to_dense((3,)), B)
    scipy_op = op.as_scipy((3,))
    x = rng.normal(size=3)
    assert_allclose(scipy_op @ x, B @ x)
    assert_allclose(scipy_op @ C, B @ C)
    assert_allclose(scipy_op.T @ C, B.T @ C)


def test_transpose_of_a_complex_user_conjugates_nothing():
    Z = B + 1j * C
    op = fb.Operator(lambda X: Z @ X, lambda Y: Z.conj().T @ Y)
    for _ in range(3):
        assert_allclose(op.T @ X, Z.T @ X)
        assert_allclose(op.T.H @ X, Z.conj() @ X)
        assert_allclose(op.H.T @ X, Z.conj() @ X)


def test_no_inverse_is_known_of_users():
    with pytest.raises(StructureError, match=r"Operator.inv: no inverse is known of double"):
        fb.Operator(double, double).inv  # noqa: B018
    with pytest.raises(StructureError, match=r"Sum.inv: no inverse is known of "):
        (fb.Left(B) + fb.Left(C)).inv  # noqa: B018


@pytest.mark.parametrize("make", [lambda op: op, lambda op: op.H, lambda op: op.T, lambda op: fb.Left(B) @ op - op])
def test_users_pickle_with_their_functions(make):
    op = make(fb.Operator(double, double, "D", (3, None), (3, None)))
    for twin in (pickle.loads(pickle.dumps(op)), copy.copy(op), copy.deepcopy(op)):
        assert_allclose(twin @ X, op @ X)
        assert_allclose(twin.H @ X, op.H @ X)
        assert repr(twin) == repr(op)


def test_users_subclass():
    class Reverse(fb.Operator):
        fields = ("weights",)
        shape_in = shape_out = (3, None)

        def __init__(self, weights):
            self._set(weights=weights, name="R")

        def apply(self, X):
            return (self.weights * X)[..., ::-1, :]  # no kernel: indexing is not lowered

        def adjoint(self):
            return fb.Operator(lambda Y: self.weights * Y[..., ::-1, :], self.apply)

    w = rng.normal(size=(3, 1))
    op = Reverse(w)
    for _ in range(3):
        assert_allclose(op @ X, (w * X)[::-1])
        assert_allclose((fb.Left(B) @ op) @ X, B @ (w * X)[::-1])
    check_adjoint(op)


@pytest.mark.parametrize("function", [np.linalg.norm, np.asarray, lambda X: float(X.sum()), lambda X: X[0], np.sort])
def test_what_cannot_be_lowered_runs_in_numpy(function):
    class Odd(fb.Operator):
        fields = ()

        def __init__(self):
            self._set(name="odd")

        def apply(self, X):
            return np.asarray(function(X)) + 0 * X

    op, x = Odd(), np.ones(1)
    first = op @ x
    for _ in range(3):
        assert_allclose(op @ x, first)


# --- apply -----------------------------------------------------------------------------------------------


def test_numbers_are_zero_dimensional():
    for op in (fb.Identity(), 2 * fb.Identity(), fb.Hadamard(np.array(1.0)), fb.Zero()):
        results = [op @ x for _ in range(3) for x in (3.0, np.float64(3), np.array(3.0))]
        assert all(np.shape(y) == () for y in results)
        assert {type(op @ np.array(3.0)) for _ in range(3)} <= {np.float64, np.ndarray}
        assert len({type(op @ np.array(3.0)) for _ in range(4)}) == 1


@pytest.mark.parametrize("x", [2, 2.5, Fraction(1, 3), sympy.Symbol("x"), np.float32(2), 1j])
def test_plain_numbers_stay_what_they_are(x):
    assert fb.Identity() @ x == x
    assert (3 * fb.Identity()) @ x == 3 * x
    assert (fb.Identity() - 3 * fb.Identity()) @ x == x - 3 * x
    assert (-fb.Identity()) @ x == -x
    assert fb.Identity().solve(x) == x


def test_a_matrix_is_no_place_for_a_number():
    with pytest.raises(ShapeError, match=r"Left.apply: X must be \(3, n\) because B is \(3, 3\); got \(\)"):
        fb.Left(B) @ 2.0


@pytest.mark.parametrize("left", [np.ones(3), np.float64(2), 2, [1.0], None, "A"])
def test_what_stands_on_the_left_must_be_an_operator(left):
    hint = f"Left.__rmatmul__: .*; got {type(left).__name__}, write fb\\.Left\\(A\\) @ op"
    with pytest.raises(TypeError, match=hint):
        left @ fb.Left(B)


def test_in_place_operators_make_new_ones():
    op = first = fb.Left(B)
    op += fb.Left(C)
    op @= fb.Left(C)
    op *= 2
    op /= 4
    assert_allclose(op @ X, (B + C) @ C @ X / 2)
    assert_allclose(first @ X, B @ X)
    place = X.copy()
    with pytest.raises(TypeError):
        place @= first
    with pytest.raises(TypeError):
        place += first


def test_positive_is_the_operator():
    op = fb.Left(B)
    assert +op is op


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


# --- other forms -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["to_dense", "as_scipy"])
def test_free_axes_must_be_given(method):
    with pytest.raises(ShapeError, match=rf"Left.{method}: shape_in must be given .*; got \(3, n\)"):
        getattr(fb.Left(B), method)()
    with pytest.raises(ShapeError, match=rf"Left.{method}: shape_in must be given .*; got \(3, n\)"):
        getattr(fb.Left(B), method)((3, None))
    with pytest.raises(ShapeError, match=rf"Identity.{method}: shape_in must be given .*; got any shape"):
        getattr(fb.Identity(), method)()
    with pytest.raises(ShapeError, match=r"Left.apply: X must be \(3, n\) .*; got \(4, 2\)"):
        getattr(fb.Left(B), method)((4, 2))
    with pytest.raises(ShapeError, match=r"Hadamard.apply: X must be \(3, 3\) .*; got \(3, 4\)"):
        getattr(fb.Hadamard(B), method)((3, 4))


def test_dense_form_of_exact_numbers():
    A = np.array([[Fraction(1, 3), Fraction(2)]])
    assert fb.Left(A).to_dense((2, 1)).tolist() == A.tolist()
    assert fb.Left(np.array([[1, 2]])).to_dense((2, 1)).dtype.kind == "i"


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


def seconds(function):
    """The least processor time of three runs."""
    times = []
    for _ in range(3):
        gc.collect()
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


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


@pytest.mark.parametrize("count", [3, 5])
def test_unvec_needs_all_elements(count):
    with pytest.raises(
        fb.ShapeError, match=rf"unvec: x must have 4 elements because the shape is \(2, 2\); got {count}"
    ):
        fb.unvec(np.ones(count), (2, 2))
