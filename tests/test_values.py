"""Entries of block vectors: None is zero, tuples and lists go entry by entry, nothing broadcasts."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastbs.errors import ShapeError
from fastbs.values import add, divide, fresh, negate, scale, subtract

x, y = np.array([1.0, 2.0]), np.array([10.0, 20.0])
NEST = (x, [y, None], 2.0)
OTHER = (y, [None, x], Fraction(1, 2))


def same(found, expected):
    """Equal arrays in equal tuples and lists."""
    assert type(found) is type(expected)
    if isinstance(expected, (tuple, list)):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            same(a, b)
    else:
        assert_array_equal(found, expected)


def test_none_is_zero():
    assert add(None, None) is None
    assert subtract(None, None) is None
    assert negate(None) is scale(2, None) is divide(2, None) is fresh(None, x) is None
    assert add(None, x) is add(x, None) is subtract(x, None) is x
    same(subtract(None, x), -x)
    same(subtract(None, (x, None)), (-x, None))


def test_nested_entries_go_entry_by_entry():
    same(add(NEST, OTHER), (x + y, [y, x], 2.5))
    same(subtract(NEST, OTHER), (x - y, [y, -x], 1.5))
    same(negate(NEST), (-x, [-y, None], -2.0))
    same(scale(3, NEST), (3 * x, [3 * y, None], 6.0))
    same(divide(2, NEST), (x / 2, [y / 2, None], 1.0))


def test_operands_stay_as_they_are():
    before = x.copy(), y.copy()
    for function in (add, subtract):
        function(NEST, OTHER)
    for function in (scale, divide):
        function(3, NEST)
    assert_array_equal(x, before[0])
    assert_array_equal(y, before[1])


@pytest.mark.parametrize("combine", [add, subtract])
@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (x, np.ones(3), r"must have one shape because they are added; got \(2,\) and \(3,\)"),
        (x, np.ones((1, 2)), r"must have one shape because they are added; got \(2,\) and \(1, 2\)"),
        (x, 1.0, r"must have one shape because they are added; got \(2,\) and \(\)"),
        ((x, y), (x,), r"must have as many entries because they are added; got 2 and 1"),
        ((x, y), x, r"must have as many entries because they are added; got 2 and ndarray"),
        ([x, (y, y)], [x, (y, np.ones(1))], r"must have one shape because they are added; got \(2,\) and \(1,\)"),
    ],
    ids=["length", "axes", "number", "entries", "array", "nested"],
)
def test_nothing_broadcasts(combine, a, b, message):
    with pytest.raises(ShapeError, match=rf"^terms {message}$"):
        combine(a, b)


def test_fresh_copies_what_was_given():
    copy = fresh(x, x)
    assert copy is not x
    assert_array_equal(copy, x)
    assert fresh(x, y) is x
    assert fresh(2.0, 2.0) == 2.0
    nest = fresh(NEST, NEST)
    same(nest, NEST)
    assert not np.shares_memory(nest[0], x)
    assert not np.shares_memory(nest[1][0], y)
