"""Joining, splitting and arrays of nested lists, in all laws of derivatives."""

import numpy as np
import pytest

import fastbs as fb
from fastbs.derivatives import grad, jvp, vjp
from fastbs.rules.joining import array
from gradients import same_value
from shaped_cases import check_case, uncalled

CASES = {
    "concatenate": (lambda x, y: np.concatenate((x, y, x, np.ones((2, 1), x.dtype)), axis=1), (2, 3), (2, 1)),
    "concatenate flat": (lambda x, y: np.concatenate((x, y), axis=None), (2, 3), (2,)),
    "concatenate nothing": (lambda x, y: np.concatenate([x, y]), (0, 3), (2, 3)),
    "concatenate one array": (lambda x: np.concatenate(x), (2, 3)),
    "concatenate in a dtype": (lambda x: np.concatenate([x, [1, 2]], dtype=x.dtype), (3,)),
    "stack": (lambda x, y: np.stack([x, y, x * y], axis=1), (2, 3), (2, 3)),
    "stack last": (lambda x, y: np.stack((x, y), axis=-1), (2,), (2,)),
    "stack scalars": (lambda x, y: np.stack([x, y, 2 * x]), (), ()),
    "stack an array": (lambda x: np.stack(x, axis=1), (2, 3)),
    "vstack": (lambda x, y: np.vstack([x, y]), (3,), (2, 3)),
    "hstack": (lambda x, y: np.hstack([x, y]), (3,), (2,)),
    "hstack of matrices": (lambda x, y: np.hstack([x, y]), (2, 3), (2, 1)),
    "dstack": (lambda x, y: np.dstack([x, y]), (3,), (1, 3)),
    "column_stack": (lambda x, y: np.column_stack([x, y]), (3,), (3, 2)),
    "block": (lambda x, y, z: np.block([[x, np.ones((2, 2), x.dtype)], [y, z]]), (2, 3), (3,), (2,)),
    "append": (lambda x, y: np.append(x, y, axis=0), (2, 3), (1, 3)),
    "append flat": (lambda x, y: np.append(x, y), (2, 3), (2,)),
    "insert": (lambda x, y: np.insert(x, 1, y, axis=1), (2, 3), (2,)),
    "insert several": (lambda x, y: np.insert(x, [0, 2], y, axis=0), (2, 3), (2, 3)),
    "insert one of more axes": (lambda x, y: np.insert(x, 3, y), (4,), (1, 1)),
    "insert flat": (lambda x, y: np.insert(x, 3, y), (2, 3), ()),
    "insert a block": (lambda x, y: np.insert(x, 1, y), (4,), (2,)),
    "delete": (lambda x: np.delete(x, 1, axis=1), (2, 3)),
    "delete flat": (lambda x: np.delete(x, [0, -1]), (2, 3)),
    "array": (lambda x, y: array([[x, y, 1.0], [x * y, 0, y]]), (), ()),
    "array of rows": (lambda x, y: array([x, y, [1.0, 2.0, 3.0]]), (3,), (3,)),
    "array of an array": (array, (2, 3)),
    "split": (lambda x: np.split(x, 2, axis=1), (2, 4)),
    "split at": (lambda x: np.split(x, [1, 3]), (4, 2)),
    "split outside": (lambda x: np.split(x, [3, 1, 9]), (4,)),
    "array_split": (lambda x: np.array_split(x, 3), (5, 2)),
    "hsplit": (lambda x: np.hsplit(x, 2), (2, 4)),
    "hsplit a vector": (lambda x: np.hsplit(x, [1]), (4,)),
    "vsplit": (lambda x: np.vsplit(x, 2), (4, 2)),
    "dsplit": (lambda x: np.dsplit(x, [1]), (2, 2, 3)),
}  # fmt: skip
if hasattr(np, "unstack"):
    CASES["unstack"] = (lambda x: np.unstack(x, axis=1), (2, 3))


@pytest.mark.parametrize("name", CASES)
def test_rule(name):
    check_case(CASES[name], complex_step=True)


def test_every_entry_has_a_case():
    assert not uncalled("fastbs.rules.joining", CASES)


@pytest.mark.parametrize(
    ("nested", "dtype"),
    [
        ([1, 2.0], np.float64), ([[1, 2], [3, 4]], np.int64), ([np.float32(1), 2.0], np.float64), ([], np.float64),
        ((1.0, [2.0][0]), np.float64),
    ],
)  # fmt: skip
def test_array_of_plain_values_is_numpys(nested, dtype):
    same_value(array(nested), np.array(nested))
    assert array(nested).dtype == dtype


def test_array_takes_the_dtype_numpy_takes():
    x = np.float32(2)
    for nested in (lambda t: [t, 1.0], lambda t: [t, t], lambda t: [t, np.float32(1)], lambda t: [[t, 1], [2, t]]):
        same_value(jvp(lambda t, nested=nested: array(nested(t)), (x,), (x,))[0], np.array(nested(x)))
    assert jvp(lambda t: array([t, 1.0], np.float32), (x,), (x,))[0].dtype == np.float32


def test_array_is_a_new_array():
    def f(x):
        y = array(x)
        y += 1
        return np.sum(x * y)

    np.testing.assert_array_equal(grad(f)(np.array([1.0, 2.0])), [3.0, 5.0])


def test_array_of_unequal_rows():
    with pytest.raises(fb.ShapeError, match=r"array: nested must have equal shapes .* got .*\(2,\)"):
        grad(lambda x: array([x[:2], x[0]]))(np.ones(3))


def test_scalar_stack_is_linear_in_time():
    x = np.arange(300.0)
    np.testing.assert_array_equal(grad(lambda x: np.sum(array([t * t for t in x])))(x), 2 * x)


ERRORS = {
    "concatenate": (lambda x: np.concatenate([x, x[0]]), ValueError, "same number of dimensions"),
    "concatenate scalars": (lambda x: np.concatenate([x[0, 0], 1.0]), ValueError, "np.stack"),
    "concatenate dtype": (lambda x: np.concatenate([x, x], dtype=int), TypeError, "must take float64.*int64"),
    "stack": (lambda x: np.stack([x, x[0]]), ValueError, "same shape"),
    "split": (lambda x: np.split(x, 2, axis=1), ValueError, "equal division"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_error(name):
    f, kind, message = ERRORS[name]
    with pytest.raises(kind, match=message):
        vjp(f, np.ones((2, 3)))
