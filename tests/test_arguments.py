"""The door: what is an array, a number, a matrix; nothing is converted that has a shape and a dtype."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
import sympy
from numpy.testing import assert_array_equal

import fastbs as fb
from fastbs.arguments import as_array, as_matrix, check_out, is_array, is_scalar, is_sparse
from fastbs.errors import DtypeError, ShapeError

SPARSE = scipy.sparse.csr_array(np.eye(2))


class Duck:
    """As a traced array: shape and dtype, no memory."""

    ndim, shape, dtype = 2, (2, 3), np.dtype(float)

    def __array__(self, *args, **kwargs):
        raise AssertionError("converted")


@pytest.mark.parametrize(
    "value", [np.ones(2), np.ones(()), np.float32(1), SPARSE, Duck()], ids=lambda v: type(v).__name__
)
def test_arrays_have_a_shape_and_a_dtype(value):
    assert is_array(value)


@pytest.mark.parametrize(
    "value", [1.0, [1.0], None, "a", fb.Identity(), sympy.Symbol("x")], ids=lambda v: type(v).__name__
)
def test_other_things_are_no_arrays(value):
    assert not is_array(value)


@pytest.mark.parametrize(
    "value",
    [
        1,
        2.0,
        1j,
        True,
        Fraction(1, 2),
        Decimal(1),
        np.float32(1),
        np.int8(1),
        np.array(2.0),
        sympy.Symbol("x"),
        sympy.pi,
    ],
    ids=lambda v: type(v).__name__,
)
def test_numbers(value):
    assert is_scalar(value)


@pytest.mark.parametrize(
    "value",
    [np.ones(1), [1.0], (1,), "2", b"2", {}, None, SPARSE, fb.Identity(), sympy.eye(2), Duck()],
    ids=lambda v: type(v).__name__,
)
def test_no_numbers(value):
    assert not is_scalar(value)


def test_sparse_is_known_by_its_methods():
    assert is_sparse(SPARSE)
    assert is_sparse(scipy.sparse.coo_matrix((2, 2)))
    assert not is_sparse(np.ones(2))


@pytest.mark.parametrize(
    "value", [np.ones(2), np.ones((2, 3), int), np.array([Fraction(1)]), Duck()], ids=lambda v: type(v).__name__
)
def test_arrays_pass_as_they_are(value):
    assert as_array(value, "f: x") is value


@pytest.mark.parametrize(
    "value", [[1.0, 2.0], 3, [[1, 2], [3, 4]], (1j, 2), np.matrix("1 2; 3 4"), [Fraction(1, 2)]], ids=str
)
def test_numbers_and_lists_become_arrays(value):
    found = as_array(value, "f: x")
    assert type(found) is np.ndarray
    assert_array_equal(found, np.asarray(value))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.ma.ones(2), r"must be a plain array because masks are not propagated; got a masked array, pass \.filled"),
        (SPARSE, r"must be dense because it is used element by element; got a sparse array, pass \.toarray\(\)"),
        (["a"], r"must be numeric because it is multiplied; got dtype <U1"),
        (np.zeros(2, "M8[s]"), r"must be numeric because it is multiplied; got dtype datetime64\[s\]"),
        (np.zeros(2, [("a", float)]), r"must be numeric because .*; got dtype \[\('a', '<f8'\)\]"),
    ],
    ids=["masked", "sparse", "text", "dates", "records"],
)
def test_what_is_refused(value, message):
    with pytest.raises(DtypeError, match=rf"^Left: B {message}"):
        as_array(value, "Left: B")


def test_matrices_have_two_axes():
    for value in (np.ones((2, 0)), SPARSE, Duck()):
        assert as_matrix(value, "Left: B") is value
    assert as_matrix([[1, 2]], "Left: B").shape == (1, 2)
    for value, shape in ((3.0, r"\(\)"), (np.ones(3), r"\(3,\)"), (np.ones((1, 2, 3)), r"\(1, 2, 3\)")):
        with pytest.raises(ShapeError, match=rf"Left: B must be a matrix because it multiplies one; got shape {shape}"):
            as_matrix(value, "Left: B")


def test_ragged_lists_are_refused():
    with pytest.raises(
        ShapeError, match=r"Left: B must be rectangular because it is an array; got \[\[1, 2\], \[3\]\]"
    ):
        fb.Left([[1, 2], [3]])


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        ([0.0, 0.0], TypeError, "f: out must be an array because .*; got list"),
        (np.zeros(3), ValueError, r"f: out must be \(2,\) because the result is; got \(3,\)"),
        (np.zeros(2, "f4"), TypeError, "f: out must be float64 because the result is; got float32"),
        (np.broadcast_to(0.0, 2), ValueError, "f: out must be writeable because .*; got a read-only array"),
    ],
    ids=["no array", "shape", "dtype", "read-only"],
)
def test_where_results_are_written(out, error, message):
    check_out(np.zeros(2), (2,), np.dtype(float), "f")
    with pytest.raises(error, match=message):
        check_out(out, (2,), np.dtype(float), "f")
