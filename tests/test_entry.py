"""Every block goes through `as_operator`."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
import sympy

import fastbs as fb
from fastbs.blocks.entry import adjoint_of, as_operator, transpose_of
from fastbs.blocks.row import Row

OPERATORS = [
    fb.Left(np.ones((2, 3))),
    fb.Identity(),
    fb.Zero(),
    fb.Left(np.ones((2, 2))) @ fb.Hadamard(np.ones((2, 2))),
    fb.Operator(lambda X: X, lambda Y: Y),
    fb.Diagonal([1, 2]),
]


@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: type(op).__name__)
def test_operators_stay_as_they_are(op):
    assert as_operator(op, "here") is op
    assert fb.BlockMatrix([[op]])[0, 0] is op


def test_none_is_no_block():
    assert as_operator(None, "here") is None


@pytest.mark.parametrize("one", [1, 1.0, True], ids=repr)
def test_one_is_identity(one):
    assert isinstance(as_operator(one, "here"), fb.Identity)


@pytest.mark.parametrize(
    "s",
    [2, -0.5, 3 - 1j, Fraction(2, 3), Decimal("0.25"), np.float32(2), np.int64(3), np.array(1.5), sympy.Symbol("s")],
    ids=lambda s: type(s).__name__,
)
def test_numbers_scale(s):
    op = as_operator(s, "here")
    x = sympy.Symbol("x") if isinstance(s, sympy.Symbol) else type(s)(2) if isinstance(s, Decimal) else 2
    assert op @ x == s * x
    assert op.inv @ (op @ x) == x
    assert adjoint_of(op) @ x == s.conjugate() * x
    assert transpose_of(op) @ x == s * x
    assert str(op)
    assert repr(op)


def test_fractions_stay_fractions():
    op = as_operator(Fraction(2, 3), "here")
    assert type(op @ Fraction(3, 2)) is Fraction
    assert type(op.inv @ Fraction(3, 2)) is Fraction


@pytest.mark.parametrize(
    "wrap", [np.asarray, scipy.sparse.csr_array, scipy.sparse.csc_matrix], ids=lambda w: w.__name__
)
def test_matrices_multiply_from_the_left(wrap):
    A = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 5.0]])
    op = as_operator(wrap(A), "here")
    assert isinstance(op, fb.Left)
    np.testing.assert_array_equal(op @ np.eye(3), A)
    np.testing.assert_array_equal(adjoint_of(op) @ np.eye(2), A.T)


def test_matrices_are_kept_by_reference():
    A = np.eye(2)
    op = as_operator(A, "here")
    A[0, 0] = 5
    np.testing.assert_array_equal(op @ np.ones(2), [5, 1])


@pytest.mark.parametrize("kind", [list, tuple])
def test_lists_are_rows(kind):
    op = as_operator(kind([2, np.eye(2), None]), "here")
    assert isinstance(op, Row)
    np.testing.assert_array_equal(op @ (np.ones(2), np.ones(2), np.ones(2)), [3, 3])


class Own:
    """An element with ``@`` alone, whose adjoint is ``conj().T``."""

    def __init__(self, name="A"):
        self.name = name

    def __matmul__(self, x):
        return f"{self.name}{x}"

    def conj(self):
        return Own(self.name + "*")

    @property
    def T(self):
        return Own(self.name + "'")


def test_a_users_own_object_stays_as_it_is():
    own = Own()
    assert as_operator(own, "here") is own
    assert adjoint_of(own).name == "A*'"
    assert transpose_of(own).name == "A'"
    A = fb.BlockMatrix([[own, None]])
    assert A @ ["x", None] == ["Ax"]
    assert A.H @ ["y"] == ["A*'y", None]
    assert A.T @ ["y"] == ["A'y", None]


@pytest.mark.parametrize("value", ["text", b"bytes", {"a": 1}, object(), {1, 2}], ids=lambda v: type(v).__name__)
def test_what_is_not_a_block(value):
    with pytest.raises(TypeError, match=rf"block \(1, 0\) must be an operator.*got {type(value).__name__}"):
        fb.BlockMatrix([[1, None], [value, 1]])


def test_the_place_in_a_row_is_named():
    with pytest.raises(TypeError, match=r"Diagonal: block \(1, 1\)\[2\] must be an operator.*got str"):
        fb.Diagonal([1, [1, 2, "text"]])


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4)])
def test_arrays_that_are_not_matrices_name_the_block(shape):
    with pytest.raises(fb.ShapeError, match=r"block \(0, 1\).*matrix.*\(" + str(shape[0])):
        fb.BlockMatrix([[1, np.ones(shape)]])


def test_masked_and_text_arrays_name_the_block():
    for array in (np.ma.masked_array(np.eye(2), mask=np.eye(2)), np.full((2, 2), "a")):
        with pytest.raises(fb.DtypeError, match=r"block \(0, 0\)"):
            fb.Diagonal([array])
