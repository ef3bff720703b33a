"""Indexing, assignment by value and what is written with them, in all laws of derivatives."""

import numpy as np
import pytest

import fastbs as fb
import test_rules_rearranging
import test_rules_shapes
from fastbs._trace import functions
from fastbs.derivatives import grad, jacobian, jvp, vjp
from fastbs.rules.indexing import scatter_add
from fastbs.rules.joining import array
from gradients import check, near
from shaped_cases import check_case, of_squares, uncalled, values

MASK = np.array([True, False, True])
I = np.array([2, 0, -1, 0])

INDICES = {
    "integer": (1, (3, 4)),
    "negative integer": (-1, (3,)),
    "NumPy integer": (np.int64(1), (3, 4)),
    "two integers": ((1, 2), (3, 4)),
    "slice": (slice(1, 3), (4, 2)),
    "negative step": (slice(None, None, -2), (5, 2)),
    "slice that is empty": (slice(2, 1), (3, 2)),
    "slices": ((slice(None), slice(0, 3, 2)), (2, 4)),
    "NumPy slice": (slice(np.int64(1), None), (3, 4)),
    "ellipsis": ((Ellipsis, 0), (2, 3)),
    "ellipsis alone": (Ellipsis, (2, 3)),
    "ellipsis of a vector": ((Ellipsis, 0), (3,)),
    "ellipsis of a scalar": (Ellipsis, ()),
    "empty tuple": ((), (2, 3)),
    "empty tuple of a scalar": ((), ()),
    "new axis": ((None, slice(1, None), None), (3, 2)),
    "new axis of a scalar": (None, ()),
    "integer array": (I, (3, 2)),
    "list": ([2, 0, 0], (3, 2)),
    "empty list": ([], (3, 2)),
    "integer array of two axes": (I.reshape(2, 2), (3, 2)),
    "integer array of no axes": (np.array(1), (3, 2)),
    "integer array of one element": ([1], (3, 2)),
    "integer array behind": ((slice(None), I), (2, 3)),
    "integer arrays": ((I, I), (3, 3)),
    "integer arrays that broadcast": ((I[:, None], [0, 1]), (3, 2)),
    "integer arrays apart": ((I, slice(None), I), (3, 2, 3)),
    "integer arrays between": ((slice(None), I, I, slice(1)), (2, 3, 3, 2)),
    "integer and array": ((0, slice(None), I), (2, 2, 3)),
    "array and new axis": ((I, None, 0), (3, 2)),
    "ellipsis and array": ((Ellipsis, I), (2, 2, 3)),
    "mask": (MASK, (3, 2)),
    "mask of all axes": (np.array([[True, False], [True, True]]), (2, 2)),
    "mask behind": ((Ellipsis, MASK), (2, 3)),
    "mask and integer": ((MASK, 1), (3, 2)),
    "mask and array": ((MASK, [0, 1]), (3, 2)),
    "masks apart": ((MASK, slice(None), MASK), (3, 2, 3)),
    "mask of nothing": (np.zeros(3, bool), (3, 2)),
    "mask of no axes": (True, (3,)),
    "mask that is false": (np.False_, (3,)),
    "nothing": (np.zeros((0, 2), int), (0, 3)),
}  # fmt: skip


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
def test_get(name):
    index, shape = INDICES[name]
    check(of_squares(lambda x: x[index]), *values([shape]), complex_step=True)


@pytest.mark.parametrize("name", INDICES)
def test_put(name):
    index, shape = INDICES[name]
    if shape == () and not isinstance(index, tuple):
        return
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
    "take": (lambda x: np.take(x, [0, 2, 2, -1]), (2, 3)),
    "take an axis": (lambda x: np.take(x, [[0, 2], [1, 1]], axis=1), (2, 3)),
    "take one": (lambda x: np.take(x, 1, axis=-1) * x.take(0, axis=1), (2, 3)),
    "take around": (lambda x: np.take(x, [4, -5], axis=0, mode="wrap") + np.take(x, [4, -5], 0, mode="clip"), (3, 2)),
    "take by a traced index": (lambda x: np.take(x, np.argsort(x)), (4,)),
    "take_along_axis of a plain array": (
        lambda x: np.take_along_axis(np.arange(3.0).astype(x.dtype), np.argsort(x), 0) * x, (3,),
    ),
    "choose of plain numbers": (lambda x: np.choose(np.argmax(x), np.arange(3.0).astype(x.dtype)) * x, (3,)),
    "take_along_axis": (lambda x: np.take_along_axis(x, np.argsort(x, axis=0), axis=0), (3, 2)),
    "take_along_axis of the last": (lambda x: np.take_along_axis(x, np.array([[0, 0], [2, 1]]), axis=-1), (2, 3)),
    "take_along_axis flat": (lambda x: np.take_along_axis(x, np.array([0, 5]), axis=None), (2, 3)),
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
    "take from a number": (lambda x: np.take(x, [0, 0], axis=0) * np.repeat(x, 2, axis=0), ()),
    "compress a number": (lambda x: np.compress([True], x, axis=-1), ()),
    "compress": (lambda x: np.compress([True, False], x, axis=0), (2, 3)),
    "compress flat": (lambda x: x.compress([False, True, True]), (2, 3)),
    "extract": (lambda x: np.extract(x > 1, x), (2, 3)),
    "choose": (lambda x, y: np.choose([1, 0, 1], (x, y)), (3,), (2, 3)),
    "choose method": (lambda x: (np.argsort(x) % 2).choose((x, x * x)), (3,)),
    "choose around": (lambda x, y: np.choose(np.array([5, 0, -1]), (x, y), mode="wrap"), (3,), (3,)),
    "piecewise": (lambda x: np.piecewise(x, [x < 0.7, x > 1.2], [np.exp, lambda t: t**2]), (2, 3)),
    "piecewise with a rest": (lambda x: np.piecewise(x, [x < 1.0], [np.sin, 2.0]), (2, 3)),
    "piecewise of one condition": (
        lambda x: np.piecewise(x, x > 1.0, [lambda t, c: t**c, lambda t, c: c * t], 3.0), (4,),
    ),
    "select": (lambda x, y: np.select([x < 0.7, x < 1.2], [y, x * y], default=1.5), (2, 3), (3,)),
    "diagonal": (lambda x: np.diagonal(x) * x.diagonal(), (3, 4)),
    "diagonal of a stack": (lambda x: np.diagonal(x, 1, 0, 2), (3, 2, 4)),
    "diagonal below": (lambda x: np.diagonal(x, -1, axis1=-1, axis2=-2), (2, 3, 4)),
    "diagonal outside": (lambda x: np.diagonal(x, 5), (3, 4)),
    "diag": (lambda x: np.diag(x, 1), (3, 4)),
    "diag of a vector": (lambda x: [np.diag(x), np.diag(x, -2), np.diag(x, k=1)], (3,)),
    "diagflat": (lambda x: np.diagflat(x, 1), (2, 2)),
    "flat": (lambda x: x.flat[2] * np.stack(list(x.flat)), (2, 2)),
    "indices of a shape": (
        lambda x: x[np.diag_indices_from(x)] * x[np.tril_indices_from(x, -1)] * x[np.triu_indices_from(x, 1)], (3, 3),
    ),
    "scatter_add": (lambda v: scatter_add(v, I, (3, 2)), (4, 2)),
    "scatter_add that broadcasts": (lambda v: scatter_add(v, (I, [0, 1, 0, 1]), (3, 2)), ()),
    "scatter_add of slices": (lambda v: scatter_add(v, (slice(None), 1), (3, 2)), (3,)),
    "iteration": (lambda x: sum(row * row[0] for row in x), (3, 2)),
    "unpacking": (lambda x: unpacked(*x), (3,)),
    "negative zero step": (lambda x: x[::-1][1:, ::-1][:, 0], (3, 2)),
    "mask of itself": (lambda x: x[x > 1], (2, 3)),
    "mask of itself in place": (lambda x: written(lambda y: put(y, y > 1, y[y > 1] ** 2), x), (2, 3)),
    "masked sum in place": (lambda x: written(add_where, x), (2, 3)),
    "index that is a list of traced values": (lambda x: x[[np.argmax(x), np.argmin(x)]], (4,)),
    "index by a traced number": (lambda x: x[np.argmax(x)] * x[np.argmin(x), None], (4,)),
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


def unpacked(a, b, c):
    return a * b + c


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


def test_every_entry_has_a_case():
    traced_places = {"winners": (lambda x, v: put(x + 0 * v[0], np.argsort(v), v), (3,), (3,))}
    with_methods = test_rules_shapes.CASES | test_rules_rearranging.CASES
    assert not uncalled("fastbs.rules.indexing", CASES | with_methods | traced_places)


# Traced indices


def test_index_arrays_are_arguments_of_the_step():
    from fastbs._trace import Node, trace

    _, result, _ = trace(lambda x: x[x > 1.0], [np.array([1.0, 2.0])])
    node = trace_node(result)
    assert [type(a) for a in node.arguments] == [Node, Node]
    assert node.arguments[1].function is np.greater


def trace_node(traced):
    from fastbs._trace import node_of

    return node_of(traced)


def test_index_arrays_are_copied():
    i = np.array([0])

    def f(x):
        y = x[i] * x[i]
        i[0] = 1
        return np.sum(y)

    np.testing.assert_array_equal(grad(f)(np.array([3.0, 5.0])), [6.0, 0.0])


def test_assigned_arrays_are_copied():
    def f(x):
        y = x * x
        v = np.array([1.0, 2.0])
        y[:2] = v
        v[:] = 0
        return np.sum(y * x)

    np.testing.assert_array_equal(grad(f)(np.ones(3)), [1.0, 2.0, 3.0])


def test_index_of_an_outer_trace():
    def f(x):
        i = np.argsort(x)
        return np.sum(grad(lambda z: np.sum(z[i] * x * z))(x * 2))

    x = np.array([3.0, 1.0, 2.0])
    check(f, x, second=False)


def test_masks_of_numbers():
    x = np.array([3.0, -1.0])
    np.testing.assert_array_equal(grad(lambda x: np.sum(x[x > 0] ** 2))(x), [6.0, 0.0])
    np.testing.assert_array_equal(grad(lambda x: np.sum(x[np.argsort(x)] * np.array([1.0, 10.0])))(x), [10.0, 1.0])


@pytest.mark.parametrize(
    ("f", "kind", "message"),
    [
        (lambda x: x[3], IndexError, "out of bounds"),
        (lambda x: x[0, 0, 0], IndexError, "too many indices"),
        (lambda x: x[1.0], IndexError, "integer or boolean.*got float64"),
        (lambda x: x[x], IndexError, "integer or boolean.*got float64"),
        (lambda x: x[: np.argmax(x)], fb.TraceError, "__index__"),
        (lambda x: x[np.array([True])], IndexError, "boolean index did not match"),
        (lambda x: put(x, 0, np.ones(7)), ValueError, "broadcast"),
        (lambda x: put(x, 0, x[:, 0]), ValueError, "broadcast"),
        (lambda x: put(x[0, 0], (), 1.0), TypeError, "numbers are immutable"),
        (lambda x: x.__delitem__(0), ValueError, "cannot delete"),
        (lambda x: np.take(x, [0], mode="no"), ValueError, "got 'no'"),
        (lambda x: np.take_along_axis(x, np.array([0]), 0), ValueError, "must have 2 axes.*got 1"),
        (lambda x: np.take_along_axis(x, x, 0), IndexError, "must be integers.*got float64"),
        (lambda x: np.diagonal(x[0]), ValueError, "two axes.*got 1"),
        (lambda x: np.diag(np.zeros_like(x, shape=(1, 1, 1))), ValueError, "one or two axes.*got 3"),
        (lambda x: np.copyto(x, 1j), TypeError, "castable to float64.*got complex128"),
    ],
)  # fmt: skip
def test_error(f, kind, message):
    with pytest.raises(kind, match=message):
        vjp(f, np.ones((2, 3)))


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


def test_array_is_the_entry_of_nested_indices():
    assert functions["array"] is array


def test_piecewise_counts_its_functions():
    with pytest.raises(ValueError, match=r"must have 1 or 2 entries because condlist has 1; got 3"):
        grad(lambda x: np.sum(np.piecewise(x, [x > 0], [1, 2, 3])))(np.ones(3))
