"""Indexing and what is written with it, in all laws of derivatives."""

import numpy as np
import pytest

import fastbs as fb
import test_rules_assignment
import test_rules_rearranging
import test_rules_shapes
from fastbs._trace import Node, functions, node_of, trace
from fastbs.derivatives import grad, vjp
from fastbs.rules.indexing import scatter_add
from fastbs.rules.joining import array
from gradients import check
from index_cases import INDICES, I
from shaped_cases import check_case, of_squares, uncalled, values


@pytest.mark.parametrize("name", INDICES)
def test_get(name):
    index, shape = INDICES[name]
    check(of_squares(lambda x: x[index]), *values([shape]), complex_step=True)


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
    "index that is a list of traced values": (lambda x: x[[np.argmax(x), np.argmin(x)]], (4,)),
    "index by a traced number": (lambda x: x[np.argmax(x)] * x[np.argmin(x), None], (4,)),
}  # fmt: skip


def unpacked(a, b, c):
    return a * b + c


@pytest.mark.parametrize("name", CASES)
def test_rule(name):
    check_case(CASES[name])


def test_every_entry_has_a_case():
    with_methods = test_rules_shapes.CASES | test_rules_rearranging.CASES | test_rules_assignment.CASES
    assert not uncalled("fastbs.rules.indexing", CASES | with_methods)


# Traced indices


def test_index_arrays_are_arguments_of_the_step():
    _, result, _ = trace(lambda x: x[x > 1.0], [np.array([1.0, 2.0])])
    node = node_of(result)
    assert [type(a) for a in node.arguments] == [Node, Node]
    assert node.arguments[1].function is np.greater


def test_index_arrays_are_copied():
    i = np.array([0])

    def f(x):
        y = x[i] * x[i]
        i[0] = 1
        return np.sum(y)

    np.testing.assert_array_equal(grad(f)(np.array([3.0, 5.0])), [6.0, 0.0])


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
        (lambda x: np.take(x, [0], mode="no"), ValueError, "got 'no'"),
        (lambda x: np.take_along_axis(x, np.array([0]), 0), ValueError, "must have 2 axes.*got 1"),
        (lambda x: np.take_along_axis(x, x, 0), IndexError, "must be integers.*got float64"),
        (lambda x: np.diagonal(x[0]), ValueError, "two axes.*got 1"),
        (lambda x: np.diag(np.zeros_like(x, shape=(1, 1, 1))), ValueError, "one or two axes.*got 3"),
    ],
)  # fmt: skip
def test_error(f, kind, message):
    with pytest.raises(kind, match=message):
        vjp(f, np.ones((2, 3)))


def test_array_is_the_entry_of_nested_indices():
    assert functions["array"] is array


def test_piecewise_counts_its_functions():
    with pytest.raises(ValueError, match=r"must have 1 or 2 entries because condlist has 1; got 3"):
        grad(lambda x: np.sum(np.piecewise(x, [x > 0], [1, 2, 3])))(np.ones(3))
