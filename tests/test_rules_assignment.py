"""Assignment by value and what is written with it, in all laws of derivatives."""

import numpy as np
import pytest

from fastbs.derivatives import grad, jacobian, jvp, vjp
from gradients import check, near
from index_cases import INDICES
from shaped_cases import check_case, of_squares, uncalled, values


def both(x, v):
    """A copy of x to write v to, traced if x or v is."""
    return x * 1 if isinstance(v, float) else x + np.zeros_like(v, shape=np.shape(x))


def changed(index, v=None, add=False):
    """x with x[index] = v, or x[index] += v, as a function."""

    def f(x, v=v):
        y = both(x, v)
        if add:
            y[index] += v
        else:
            y[index] = v
        return y * x

    return f


@pytest.mark.parametrize("name", INDICES)
def test_put(name):
    index, shape = INDICES[name]
    x, v = values([shape, np.shape(np.zeros(shape)[index])])
    if shape == ():
        with pytest.raises(TypeError, match="numbers are immutable"):
            jvp(changed(index, 1.0), (x,), (x,))
        return
    check(of_squares(changed(index)), x, v)
    check(of_squares(changed(index, 2.0)), x)
    check(of_squares(changed(index, add=True)), x, v[()] if v.ndim == 0 else v)


@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 1), (1, 1, 4)])
def test_put_broadcasts_the_value(shape):
    check(of_squares(changed((slice(None, None, 2), slice(None)))), *values([(3, 4), shape]))


def test_put_into_a_plain_looking_buffer():
    def f(x):
        y = np.zeros_like(x)
        for i in range(len(x)):
            y[i] = x[i] ** 2 + (y[i - 1] if i else 0.0)
        return y

    check(f, *values([(4,)]))


def test_the_last_of_repeated_places_wins():
    x, v = np.zeros(3), np.array([1.0, 2.0, 3.0, 4.0])
    index = np.array([0, 1, 0, 1])
    expected = np.zeros((3, 4))
    expected[0, 2] = expected[1, 3] = 1
    for order in ("forward", "reverse"):
        J = jacobian(lambda v: put(x * v[0], index, v), order=order)(v)
        np.testing.assert_array_equal(J[:2], expected[:2])


def put(y, index, v):
    y[index] = v
    return y


CASES = {
    "put_along_axis": (lambda x, v: put_along(both(x, v), np.array([[0], [2]]), v, 1), (2, 3), (2, 1)),
    "put_along_axis flat": (lambda x, v: put_along(both(x, v), np.array([0, 4]), v, None), (2, 3), (2,)),
    "put": (lambda x, v: written(np.put, x, [0, 3, 0], v), (2, 3), (2,)),
    "put method": (lambda x, v: written(lambda y, v: y.put([1, 8], v, "wrap"), x, v), (2, 3), (2,)),
    "place": (lambda x, v: written(np.place, x, np.array([[True, False, True], [True, True, True]]), v), (2, 3), (2,)),
    "putmask": (lambda x, v: written(np.putmask, x, np.array([[True, False, True]] * 2), v), (2, 3), (4,)),
    "copyto": (lambda x, v: written(np.copyto, x, v), (2, 3), (3,)),
    "copyto with a mask": (lambda x, v: written(np.copyto, x, v, where=np.array([True, False, True])), (2, 3), (2, 1)),
    "fill_diagonal": (lambda x, v: written(np.fill_diagonal, x, v), (3, 3), ()),
    "fill_diagonal by a list": (lambda x, v: written(np.fill_diagonal, x, v), (4, 3), (3,)),
    "fill_diagonal around": (lambda x: written(np.fill_diagonal, x, 2.0, wrap=True), (5, 2)),
    "fill": (lambda x: written(lambda y: y.fill(2.0), x), (2, 3)),
    "mask of itself in place": (lambda x: written(lambda y: put(y, y > 1, y[y > 1] ** 2), x), (2, 3)),
    "masked sum in place": (lambda x: written(add_where, x), (2, 3)),
    "copy of more axes": (lambda x: written(lambda y: np.copyto(y, x[None] * 2, where=[True, False]), x), (4, 2)),
    "in place": (lambda x, v: in_place(both(x, v), v), (2, 3), (3,)),
}  # fmt: skip


def written(function, x, *arguments, **keywords):
    y = both(x, arguments[-1]) if arguments and np.result_type(arguments[-1]).kind == "f" else x * 1
    function(y, *arguments, **keywords)
    return y * x


def put_along(y, indices, v, axis):
    np.put_along_axis(y, indices, v, axis)
    return y


def add_where(y):
    y[y > 1] += 3.0
    y[y < 0.5] *= y[0, 0]


def in_place(y, v):
    y += v
    y *= v
    y -= 2 * v
    y /= v
    y **= 2
    np.multiply(y, v, out=y)
    return y


@pytest.mark.parametrize("name", CASES)
def test_rule(name):
    check_case(CASES[name])


def test_every_entry_has_a_case():
    traced_places = {"winners": (lambda x, v: put(x + 0 * v[0], np.argsort(v), v), (3,), (3,))}
    assert not uncalled("fastbs.rules.assignment", CASES | traced_places)


@pytest.mark.parametrize("order", ["C", "F"])
def test_directions_in_any_memory_order(order):
    """What is assigned by a mask is cleared in tangents and cotangents of any order."""

    def f(x):
        y = x * 1
        y[y > 1] = y[y > 1] ** 2
        y[[0, 1], [2, 0]] = 0.0
        return y

    x = np.array([[2.0, 0.5, 3.0], [1.5, 0.2, 0.1]])
    v = np.asarray(np.ones((2, 3)), order=order)
    expected = [[4, 1, 0], [0, 1, 1]]
    np.testing.assert_array_equal(jvp(f, (x,), (v,))[1], expected)
    np.testing.assert_array_equal(vjp(f, x)[1](v)[0], expected)


def test_assigned_arrays_are_copied():
    def f(x):
        y = x * x
        v = np.array([1.0, 2.0])
        y[:2] = v
        v[:] = 0
        return np.sum(y * x)

    np.testing.assert_array_equal(grad(f)(np.ones(3)), [1.0, 2.0, 3.0])


def test_integer_arrays_cut_derivatives():
    def f(x):
        n = np.zeros_like(x, dtype=int)
        n[0] = 2
        n[1] = x[1]
        return np.sum(n * x)

    near(grad(f)(np.array([3.5, 1.5])), np.array([2.0, 1.0]), 1e-15, "gradient")


def test_float32_buffers_stay_float32():
    def f(x):
        y = np.zeros_like(x, dtype=np.float32)
        y[:] = x
        return y

    x = np.array([1.0, 2.0])
    value, tangent = jvp(f, (x,), (x,))
    assert value.dtype == tangent.dtype == np.float32
    assert vjp(f, x)[1](value)[0].dtype == np.float64


@pytest.mark.parametrize(
    ("f", "kind", "message"),
    [
        (lambda x: put(x, 0, np.ones(7)), ValueError, "broadcast"),
        (lambda x: put(x, 0, x[:, 0]), ValueError, "broadcast"),
        (lambda x: put(x[0, 0], (), 1.0), TypeError, "numbers are immutable"),
        (lambda x: x.__delitem__(0), ValueError, "cannot delete"),
        (lambda x: np.copyto(x, 1j), TypeError, "castable to float64.*got complex128"),
    ],
)  # fmt: skip
def test_error(f, kind, message):
    with pytest.raises(kind, match=message):
        vjp(f, np.ones((2, 3)))
