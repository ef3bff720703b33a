"""X -> 0, beyond the laws."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastbs as fb
from fastbs.errors import ShapeError, StructureError


@pytest.mark.parametrize("dtype", ["float32", "complex128", "int64"])
def test_gives_zeros(dtype):
    op = fb.Zero((2, None), (3, None))
    for X, shape in ((np.ones((2, 5), dtype), (3, 5)), (np.ones((4, 2, 5), dtype), (4, 3, 5))):
        Y = op @ X
        assert_array_equal(Y, np.zeros(shape))
        assert Y.dtype == dtype
        assert op.H @ Y is not Y
        assert (op.H @ Y).shape == X.shape


def test_without_shapes_the_result_is_like_X():
    assert_array_equal(fb.Zero() @ np.ones((2, 3)), np.zeros((2, 3)))
    assert fb.Zero() @ 3.0 == 0
    assert fb.Zero() @ 3 == 0


def test_one_shape_is_both():
    # a shape that is not given is that of X
    op = fb.Zero((2, 3))
    assert_array_equal(op @ np.ones((2, 3)), np.zeros((2, 3)))
    assert_array_equal(op.H @ np.ones((2, 3)), np.zeros((2, 3)))
    with pytest.raises(ShapeError, match=r"\(2, 3\).*got \(3, 2\)"):
        op @ np.ones((3, 2))


def test_more_axes_out_than_in():
    op = fb.Zero((), (2, 3))
    assert_array_equal(op @ 1.0, np.zeros((2, 3)))
    assert_array_equal(op @ np.ones(4), np.zeros((4, 2, 3)))
    assert_array_equal(op.H @ np.ones((2, 3)), 0)
    with pytest.raises(ShapeError):
        fb.Zero((2,), (2, None)) @ np.ones(2)


def test_wrong_shapes():
    with pytest.raises(ShapeError, match=r"Zero.apply: X must be \(2, n\) because Zero maps \(2, n\) to \(3, n\); got"):
        fb.Zero((2, None), (3, None)) @ np.ones((3, 3))


def test_names_and_forms():
    op = fb.Zero((2, None), (3, None))
    assert str(op) == "O"
    assert repr(op) == "<Zero O: (2, n) -> (3, n)>"
    assert (op.H.shape_in, op.H.shape_out) == ((3, None), (2, None))
    assert op.dtype is None
    assert op.is_zero
    assert_array_equal(op.to_dense((2, 1)), np.zeros((3, 2)))
    with pytest.raises(StructureError, match=r"Zero.inv: no inverse is known of O"):
        op.inv  # noqa: B018
