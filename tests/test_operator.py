"""The operator: vec, a user's own maps, applying, dense and SciPy forms."""

import copy
import functools
import pickle
from fractions import Fraction

import numpy as np
import pytest
import sympy
from numpy.testing import assert_allclose, assert_array_equal

import fastbs as fb
from fastbs.errors import ShapeError, StructureError
from fastbs.testing import check_adjoint, dense

rng = np.random.default_rng(0)
B, C = rng.normal(size=(2, 3, 3))
X = rng.normal(size=(3, 4))


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


@pytest.mark.parametrize("count", [3, 5])
def test_unvec_needs_all_elements(count):
    with pytest.raises(
        fb.ShapeError, match=rf"unvec: x must have 4 elements because the shape is \(2, 2\); got {count}"
    ):
        fb.unvec(np.ones(count), (2, 2))


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
