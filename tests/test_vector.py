"""What counts as a block vector."""

import numpy as np
import pytest

from fastbs import ShapeError
from fastbs.blocks.vector import block_vector


@pytest.mark.parametrize(
    "v",
    [[1.0, None], (1.0, None), [np.ones(2), np.ones(3)], [(1, 2), (3,)], [[1.0], [None]]],
    ids=["list", "tuple", "arrays", "tuples", "nested"],
)
def test_lists_and_tuples(v):
    found = block_vector(v, 2, "v")
    assert type(found) is list
    assert all(x is y for x, y in zip(found, v, strict=True))


@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 2, 2)])
def test_the_first_axis_of_an_array_counts_the_entries(shape):
    v = np.arange(np.prod(shape), dtype=float).reshape(shape)
    found = block_vector(v, 3, "v")
    assert [np.shape(x) for x in found] == [shape[1:]] * 3
    np.testing.assert_array_equal(np.array(found), v)


def test_object_arrays():
    v = np.empty(2, dtype=object)
    v[:] = [np.ones(2), None]
    assert block_vector(v, 2, "v")[1] is None


def test_empty():
    assert block_vector([], 0, "v") == []
    assert block_vector(np.zeros((0, 3)), 0, "v") == []


def test_a_copy_of_the_list():
    v = [1.0, 2.0]
    block_vector(v, 2, "v").append(3.0)
    assert v == [1.0, 2.0]


@pytest.mark.parametrize("n", [0, 1, 3])
def test_wrong_length(n):
    with pytest.raises(ShapeError, match=rf"Here: v must have {n} entries .* got 2"):
        block_vector([1.0, 2.0], n, "Here: v")


@pytest.mark.parametrize(
    "v", ["ab", b"ab", {0: 1, 1: 2}, 3, 3.0, None, np.array(3.0), np.float64(3), object(), iter([1, 2])]
)
def test_what_is_not_a_block_vector(v):
    with pytest.raises(TypeError, match=rf"Here: v must be a block vector.*got {type(v).__name__}"):
        block_vector(v, 2, "Here: v")


def test_sets_have_no_order():
    with pytest.raises(TypeError, match="block vector"):
        block_vector({1.0, 2.0}, 2, "v")
