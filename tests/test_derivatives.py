"""grad and friends against closed forms and complex step, their containers, nesting, dtypes and errors."""

import numpy as np
import optree
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import fastbs as fb
from fastbs.errors import DtypeError, ShapeError, TraceError
from fastbs.testing import check_adjoint

rng = np.random.default_rng(0)
x, y = rng.normal(size=(2, 3))
A, B = rng.normal(size=(2, 3, 3))
W = {"layers": [(A, x), (B, y)], "scale": 0.5}
ORDERS = ("auto", "forward", "reverse")


def network(p, z):
    """A number of nested parameters and an input."""
    for matrix, bias in p["layers"]:
        z = np.tanh(matrix @ z + bias)
    return p["scale"] * np.sum(z**2)


def complex_step(f, at):
    """The gradient of a number, one leaf after the other, to rounding."""
    leaves, structure = optree.tree_flatten(at)
    found = []
    for k, leaf in enumerate(leaves):
        g = np.empty(np.shape(leaf))
        for index in np.ndindex(g.shape):
            moved = np.array(leaf, complex)
            moved[index] += 1e-30j
            g[index] = f(optree.tree_unflatten(structure, [*leaves[:k], moved[()], *leaves[k + 1 :]])).imag / 1e-30
        found.append(g[()])
    return optree.tree_unflatten(structure, found)


def same(found, expected, rtol=1e-12):
    """Equal in nesting, shapes and numbers."""
    assert optree.tree_structure(found) == optree.tree_structure(expected)
    for a, b in zip(optree.tree_leaves(found), optree.tree_leaves(expected), strict=True):
        assert np.shape(a) == np.shape(b)
        assert_allclose(a, b, rtol=rtol, atol=1e-13)


# --- grad and value_and_grad -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "at", "expected"),
    [
        (lambda x: np.sum(x**3), x, 3 * x**2),
        (lambda x: x @ A @ x, x, (A + A.T) @ x),
        (lambda X: np.trace(A @ X @ B), A, (B @ A).T),
        (lambda X: np.linalg.slogdet(X)[1], A, np.linalg.inv(A).T),
        (lambda X: np.sum(np.linalg.inv(X)), A, -(np.linalg.inv(A) @ np.ones((3, 3)) @ np.linalg.inv(A)).T),
        (lambda x: np.log(np.sum(np.exp(x))), x, np.exp(x) / np.sum(np.exp(x))),
        (np.sin, 0.3, np.cos(0.3)),
        (lambda x: 2.0, x, np.zeros(3)),
        (lambda x: np.sum(x), np.ones((0, 2)), np.zeros((0, 2))),
        (lambda x: x, 2.0, 1.0),
        (lambda x: np.argmax(x), x, np.zeros(3)),
    ],
    ids=[
        "cubes",
        "quadratic",
        "trace",
        "logdet",
        "inverse",
        "softmax",
        "number",
        "constant",
        "empty",
        "itself",
        "argmax",
    ],
)
def test_closed_forms(f, at, expected):
    value, g = fb.value_and_grad(f)(at)
    same(g, expected)
    same(fb.grad(f)(at), expected)
    assert_allclose(value, f(at))


def test_nested_parameters_against_complex_step():
    value, g = fb.value_and_grad(network)(W, x)
    assert_allclose(value, network(W, x))
    same(g, complex_step(lambda p: network(p, x), W))
    assert isinstance(g["layers"][0], tuple)


@pytest.mark.parametrize(
    "at",
    [[x, [y]], (x, {"b": y, "a": 2.0}), {"only": x}, [], {"a": x, "b": None}, [(), (x,)]],
    ids=lambda t: str(optree.tree_structure(t)),
)
def test_gradients_come_in_the_nesting_of_the_parameters(at):
    same(
        fb.grad(lambda p: sum([np.sum(z**2) for z in optree.tree_leaves(p)], 0.0))(at),
        optree.tree_map(lambda z: 2 * z, at),
    )


def test_keywords_and_other_arguments_pass_through():
    def f(x, power, *, scale=1.0, name):
        assert name == "f"
        return scale * np.sum(x**power)

    same(fb.grad(f)(x, 3, scale=2.0, name="f"), 6 * x**2)
    same(fb.value_and_grad(f)(x, 2, name="f"), (x @ x, 2 * x))
    same(fb.jacobian(f)(x, 2, name="f"), 2 * x)
    same(fb.hessian(f)(x, 2, name="f"), 2 * np.eye(3))


def test_aux_is_handed_out_as_plain_values():
    def f(x):
        z = x**2
        return np.sum(z), {"z": z, "text": "as it is", "n": 3}

    g, aux = fb.grad(f, has_aux=True)(x)
    same(g, 2 * x)
    assert type(aux["z"]) is np.ndarray
    assert_array_equal(aux["z"], x**2)
    assert (aux["text"], aux["n"]) == ("as it is", 3)
    (value, aux), g = fb.value_and_grad(f, has_aux=True)(x)
    assert_allclose(value, x @ x)
    same(g, 2 * x)


def test_names_are_kept():
    assert fb.grad(network).__name__ == fb.jacobian(network).__name__ == "network"
    assert fb.value_and_grad(network).__doc__ == network.__doc__


def test_arguments_stay_as_they_are():
    at, before = x.copy(), x.copy()
    g = fb.grad(lambda x: x @ x)(at)
    assert_array_equal(at, before)
    assert not np.shares_memory(g, at)
    (first, second) = fb.grad(lambda a, b: np.sum(a + b), (0, 1))(x, y)
    assert not np.shares_memory(first, second)
    assert first.flags.writeable


# --- vjp, jvp, linearize ---------------------------------------------------------------------------------


def several(a, b):
    return {"product": a * b, "both": [a @ b, (a, 3.0)]}


def test_vjp_pulls_back_every_output():
    value, pullback = fb.vjp(several, x, y)
    same(value, several(x, y))
    g = {"product": A[0], "both": [2.0, (A[1], 5.0)]}
    expected = (A[0] * y + 2.0 * y + A[1], A[0] * x + 2.0 * x)
    same(pullback(g), expected)
    same(pullback(g), expected)  # as often as wanted
    assert not np.shares_memory(value["both"][1][0], x)


def test_jvp_pushes_forward_every_input():
    value, t = fb.jvp(several, (x, y), (A[0], A[1]))
    same(value, several(x, y))
    same(t, {"product": A[0] * y + x * A[1], "both": [A[0] @ y + x @ A[1], (A[0], 0.0)]})
    same(fb.jvp(network, (W, x), (W, y))[1], sum(
        np.sum(a * b) for a, b in zip(*map(optree.tree_leaves, (fb.grad(network, (0, 1))(W, x), (W, y))), strict=True)
    ), rtol=1e-10)  # fmt: skip


def test_a_pullback_does_not_see_later_changes():
    at = x.copy()
    value, pullback = fb.vjp(lambda x: x**2, at)
    at[:] = 0
    same(value, x**2)
    same(pullback(np.ones(3)), (2 * x,))
    value[:] = 7
    same(pullback(np.ones(3)), (2 * x,))


def test_linearize_is_an_operator():
    value, J = fb.linearize(lambda x: np.sin(A @ x), x)
    dense = np.cos(A @ x)[:, None] * A
    same(value, np.sin(A @ x))
    assert (J.shape_in, J.shape_out) == ((3,), (3,))
    same(J @ y, dense @ y)
    same(J.H @ y, dense.T @ y)
    same(J.to_dense(), dense)
    same(J.as_scipy().rmatmat(B), dense.T @ B)
    check_adjoint(J)


def test_linearize_of_several_arguments_acts_on_tuples():
    value, J = fb.linearize(several, x, y)
    same(value, several(x, y))
    same(J @ (A[0], A[1]), fb.jvp(several, (x, y), (A[0], A[1]))[1])
    g = {"product": A[0], "both": [2.0, (A[1], 5.0)]}
    same(J.H @ g, fb.vjp(several, x, y)[1](g))


@pytest.mark.parametrize("at", [{"a": x, "b": y}, [x, y], {"a": x}], ids=["dict", "list", "one array"])
def test_linearize_of_nested_parameters(at):
    def f(p):
        return [z**2 for z in optree.tree_leaves(p)]

    _, J = fb.linearize(f, at)
    expected = optree.tree_map(lambda z: 2 * z**2, at)
    same(J @ at, optree.tree_leaves(expected))
    same(J.H @ optree.tree_leaves(at), expected)
    same(fb.gauss_newton(f)(at) @ at, optree.tree_map(lambda z: 4 * z**3, at))


# --- Jacobians and second derivatives --------------------------------------------------------------------


@pytest.mark.parametrize("order", ORDERS)
def test_jacobian_closed_forms(order):
    def jacobian(f, at, argnums=0):
        return fb.jacobian(f, argnums, order=order)(*at)

    same(jacobian(lambda x: A @ x, [x]), A)
    same(jacobian(lambda x: x**2, [x]), np.diag(2 * x))
    same(jacobian(lambda X: A @ X, [B]), np.einsum("ik,jl->ijkl", A, np.eye(3)))
    same(
        jacobian(lambda x: (B @ np.tanh(A @ x)).sum(keepdims=True), [x]),
        (B.sum(0) * (1 - np.tanh(A @ x) ** 2) @ A)[None],
    )
    same(jacobian(lambda a, b: np.outer(a, b), [x, y], (0, 1)), (
        np.einsum("ik,j->ijk", np.eye(3), y), np.einsum("i,jk->ijk", x, np.eye(3)),
    ))  # fmt: skip
    same(jacobian(np.sin, [0.5]), np.cos(0.5))
    same(jacobian(lambda x: x, [x]), np.eye(3))
    same(jacobian(lambda x: np.ones(2), [x]), np.zeros((2, 3)))
    same(jacobian(lambda x: np.tanh(x.sum(axis=0)), [np.ones((0, 2))]), np.zeros((2, 0, 2)))
    same(jacobian(lambda x: x[:0], [x]), np.zeros((0, 3)))


@pytest.mark.parametrize("order", ORDERS)
def test_jacobian_of_nests_has_a_block_for_every_pair(order):
    found = fb.jacobian(several, (0, 1), order=order)(x, y)
    O = np.zeros((3, 3))
    same(found, {
        "product": (np.diag(y), np.diag(x)),
        "both": [(y, x), ((np.eye(3), O), (np.zeros(3), np.zeros(3)))],
    })  # fmt: skip


@pytest.mark.parametrize("order", ORDERS)
def test_jacobian_with_bottlenecks_and_skips(order):
    P, Q = rng.normal(size=(2, 5)), rng.normal(size=(5, 2))

    def f(x):
        z = np.tanh(P @ x)  # two numbers: cut here
        u = np.sin(Q @ z)
        return np.exp(u) * u + np.cos(u)

    at = rng.normal(size=5)
    columns = [f(at + 1e-30j * e).imag / 1e-30 for e in np.eye(5)]
    same(fb.jacobian(f, order=order)(at), np.stack(columns, axis=1))


def test_hessian_hvp_and_gauss_newton():
    f = lambda x: np.sum(np.exp(A @ x))  # noqa: E731
    H = A.T @ np.diag(np.exp(A @ x)) @ A
    same(fb.hessian(f)(x), H)
    same(fb.hvp(f)(x, y), H @ y)
    J = np.exp(A @ x)[:, None] * A
    G = fb.gauss_newton(lambda x: np.exp(A @ x))(x)
    same(G @ y, J.T @ J @ y)
    same(G.to_dense(), J.T @ J)
    same(fb.hessian(lambda x: x**3)(2.0), 12.0)
    same(fb.hessian(lambda X: np.sum(X**2))(A), 2 * np.eye(9).reshape(3, 3, 3, 3))
    same(fb.hessian(lambda a, b: a @ b, (0, 1))(x, y), ((0 * A, np.eye(3)), (np.eye(3), 0 * A)))
    same(fb.hvp(lambda p: p["a"] @ p["b"])({"a": x, "b": y}, {"a": A[0], "b": A[1]}), {"a": A[1], "b": A[0]})


def test_hessian_of_a_dict_has_a_block_for_every_pair():
    found = fb.hessian(lambda p: p["a"] ** 2 * p["b"])({"a": 3.0, "b": 5.0})
    same(found, {"a": {"a": 10.0, "b": 6.0}, "b": {"a": 6.0, "b": 0.0}})


# --- Nesting ---------------------------------------------------------------------------------------------


def test_transforms_nest():
    f = lambda x: np.sum(np.sin(x) * np.exp(x @ y))  # noqa: E731
    H = fb.hessian(f)(x)
    same(H, H.T, rtol=1e-10)
    for order in ORDERS:
        same(fb.jacobian(fb.grad(f), order=order)(x), H, rtol=1e-10)
        same(fb.jacobian(fb.jacobian(f, order=order), order=order)(x), H, rtol=1e-10)
    same(fb.grad(lambda x: fb.grad(f)(x) @ y)(x), H @ y, rtol=1e-10)
    same(fb.grad(lambda x: fb.jvp(f, (x,), (y,))[1])(x), H @ y, rtol=1e-10)
    same(fb.jvp(lambda x: fb.vjp(f, x)[1](1.0)[0], (x,), (y,))[1], H @ y, rtol=1e-10)
    same(fb.grad(lambda x: fb.linearize(f, x)[1] @ y)(x), H @ y, rtol=1e-10)


def test_five_derivatives_of_a_number():
    f = np.sin
    for expected in (np.cos, lambda t: -np.sin(t), lambda t: -np.cos(t), np.sin, np.cos):
        f = fb.grad(f)
        assert_allclose(f(0.7), expected(0.7), rtol=1e-12)


def test_inner_constants_are_not_confused_with_outer_variables():
    # d/dx (x d/dy (x + y)) at 1 is 1; mixing up the levels gives 2
    assert fb.grad(lambda x: x * fb.grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert fb.grad(lambda x: x * fb.jvp(lambda y: x * y, (1.0,), (1.0,))[1])(3.0) == 6.0
    same(fb.grad(lambda x: np.sum(fb.grad(lambda z: np.sum(x * z**2))(x)))(x), 4 * x)


def test_stop_gradient_is_a_constant_at_every_level():
    assert fb.grad(lambda x: x * fb.stop_gradient(x))(3.0) == 3.0
    assert fb.grad(fb.grad(lambda x: x * fb.stop_gradient(x) ** 2))(3.0) == 0.0
    assert fb.stop_gradient(2.0) == 2.0


# --- dtypes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_of_the_arguments_is_kept(dtype):
    at = x.astype(dtype)
    f = lambda x: np.sum(np.sin(x) ** 2)  # noqa: E731
    value, g = fb.value_and_grad(f)(at)
    assert value.dtype == g.dtype == dtype
    for found in (
        fb.jvp(f, (at,), (y,))[1], fb.vjp(np.sin, at)[1](y)[0], fb.jacobian(np.sin)(at), fb.hessian(f)(at),
        fb.hvp(f)(at, y), fb.linearize(np.sin, at)[1] @ at, fb.gauss_newton(np.sin)(at) @ at,
        fb.grad(lambda x: 3.0)(at), fb.grad(lambda s: s**2)(at[0]),
    ):  # fmt: skip
        assert found.dtype == dtype


def test_each_gradient_has_the_dtype_of_its_argument():
    narrow, wide = fb.grad(lambda a, b: np.sum(a * b), (0, 1))(x.astype("float32"), y)
    assert (narrow.dtype, wide.dtype) == ("float32", "float64")
    assert type(fb.grad(lambda s: s * 2)(1.0)) is np.float64


# --- Errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda x: x, r"shape \(3,\), use jacobian"), (lambda x: (x.sum(), x.sum()), "tuple, use jacobian"),
        (lambda x: {"a": x.sum()}, "dict, use jacobian"), (lambda x: None, "NoneType, use jacobian"),
    ],
    ids=["array", "tuple", "dict", "nothing"],
)  # fmt: skip
def test_the_result_must_be_a_number(result, message):
    with pytest.raises(
        ShapeError, match=rf"grad: f must return a scalar because its gradient is asked for; got {message}"
    ):
        fb.grad(result)(x)


def test_the_result_must_be_real():
    with pytest.raises(DtypeError, match=r"grad: f must return a real number .*; got complex128"):
        fb.grad(lambda x: np.sum(x * 1j))(x)
    with pytest.raises(DtypeError, match=r"grad: f must return a real number .*; got <U4"):
        fb.grad(lambda x: "text")(x)
    with pytest.raises(DtypeError, match=r"jacobian: f must return real arrays .*; got complex128"):
        fb.jacobian(lambda x: x * 1j)(x)


@pytest.mark.parametrize("order", ["backward", None, "Forward"])
def test_the_order_is_checked_before_f_runs(order):
    with pytest.raises(ValueError, match=r'jacobian: order must be "auto", "forward" or "reverse"; got'):
        fb.jacobian(np.sin, order=order)


def test_an_operator_of_one_array_checks_its_shape():
    _, J = fb.linearize(np.sin, x)
    with pytest.raises(ShapeError, match=r"X must be \(3,\) because .*; got \(4,\)"):
        J @ np.ones(4)


def test_a_traced_value_that_is_left_behind_is_an_error():
    kept = []
    fb.grad(lambda x: kept.append(x) or np.sum(x))(x)
    with pytest.raises(TraceError, match=r".+"):
        fb.grad(lambda x: np.sum(x * kept[0]))(x)


def test_errors_of_f_are_not_changed():
    with pytest.raises(ZeroDivisionError, match="division"):
        fb.grad(lambda x: 1 / 0)(x)
