"""What a function is recorded with: positions, arguments, and the directions that are pushed and pulled."""

import numpy as np
import pytest

import fastbs as fb
from fastbs.errors import DtypeError, ShapeError
from test_derivatives import same, several, x, y


@pytest.mark.parametrize(
    ("argnums", "expected"),
    [(0, y), (1, x), (-1, x), ((0,), (y,)), ((1, 0), (x, y)), ((0, -1), (y, x)), ((), ())],
    ids=str,
)
def test_argnums(argnums, expected):
    f = lambda a, b: a @ b  # noqa: E731
    same(fb.grad(f, argnums)(x, y), expected)
    same(fb.jacobian(f, argnums)(x, y), expected)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.arange(3), r"real floating point .*; got int64, pass x.astype\(float\)"),
        (np.ones(2, bool), r"real floating point .*; got bool, pass x.astype\(float\)"),
        (3, r"real floating point .*; got int, pass x.astype\(float\)"),
        (x + 0j, r"real floating point because it is differentiated; got complex128$"),
        (np.ma.ones(2), r"a plain array because masks are not propagated; got a masked array"),
        ("text", r"a float array or number because it is differentiated; got str"),
        (fb.Identity(), r"a float array or number because it is differentiated; got Identity"),
    ],
    ids=["integers", "booleans", "integer", "complex", "masked", "text", "operator"],
)
@pytest.mark.parametrize(
    ("transform", "name"),
    [
        (lambda x: fb.grad(np.sum)(x), "grad"), (lambda x: fb.value_and_grad(np.sum)(x), "grad"),
        (lambda x: fb.jacobian(np.sum)(x), "jacobian"), (lambda x: fb.hessian(np.sum)(x), "jacobian"),
        (lambda x: fb.vjp(np.sum, x), "vjp"), (lambda x: fb.jvp(np.sum, (x,), (x,)), "jvp"),
        (lambda x: fb.linearize(np.sum, x), "linearize"),
    ],
    ids=["grad", "value_and_grad", "jacobian", "hessian", "vjp", "jvp", "linearize"],
)  # fmt: skip
def test_what_cannot_be_differentiated(transform, name, value, message):
    with pytest.raises(DtypeError, match=rf"^{name}: argument 0 must be {message}"):
        transform(value)


@pytest.mark.parametrize("argnums", [2, -3, (0, 0), (0, -2), [0], "x", 1.0, None], ids=repr)
def test_argnums_must_be_positions(argnums):
    for transform, name in ((fb.grad, "grad"), (fb.jacobian, "jacobian")):
        with pytest.raises(
            ValueError, match=rf"{name}: argnums must be distinct positions .* 2 positional arguments; got"
        ):
            transform(lambda a, b: a @ b, argnums)(x, y)
    with pytest.raises(ValueError, match=r"one of the 0 positional arguments; got 0"):
        fb.grad(lambda x: x)(x=2.0)


def test_cotangents_are_checked():
    _, pullback = fb.vjp(several, x, y)
    good = several(x, y)
    with pytest.raises(ShapeError, match=r"vjp: the cotangent must have 4 arrays because the value has; got 1"):
        pullback(x)
    with pytest.raises(ShapeError, match=r"vjp: cotangent 3 must be \(3,\) because what it belongs to is; got \(2,\)"):
        pullback(good | {"product": np.ones(2)})
    with pytest.raises(DtypeError, match=r"vjp: cotangent 3 must be real because the value is; got complex128"):
        pullback(good | {"product": 1j * x})
    with pytest.raises(DtypeError, match=r"vjp: cotangent 3 must be a plain array because masks are not propagated"):
        pullback(good | {"product": np.ma.array(x)})


def test_tangents_are_checked():
    J = fb.linearize(lambda a, b: a * b, x, y)[1]
    for push, name in ((lambda *t: fb.jvp(lambda a, b: a * b, (x, y), t), "jvp"), (lambda *t: J @ t, "linearize")):
        with pytest.raises(ShapeError, match=rf"{name}: tangents must have 2 arrays because primals have; got 1"):
            push(x)
        with pytest.raises(ShapeError, match=rf"{name}: tangent 1 must be \(3,\) because .*; got \(1,\)"):
            push(x, np.ones(1))
        with pytest.raises(DtypeError, match=rf"{name}: tangent 0 must be real because the value is; got complex128"):
            push(1j * x, y)
    with pytest.raises(TypeError, match=r"jvp: primals must be a tuple because f takes one argument each; got ndarray"):
        fb.jvp(np.sum, x, (x,))
    with pytest.raises(
        TypeError, match=r"jvp: tangents must be a tuple because f takes one argument each; got ndarray"
    ):
        fb.jvp(np.sum, (x,), x)
