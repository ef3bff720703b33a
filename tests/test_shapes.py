"""Shapes with free axes."""

import numpy as np
import pytest

import fastbs as fb
from fastbs.errors import ShapeError
from fastbs.shapes import fill, link, text, unify

A, I = fb.Left(np.ones((2, 3))), fb.Identity()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (None, "any shape"), ((), "()"), ((3,), "(3,)"), ((None,), "(m,)"), ((3, None), "(3, n)"),
        ((0, 2, 1), "(0, 2, 1)"), ((None, None, None), "(m, n, k)"), ((None,) * 7, "(m, n, k, l, p, q, m)"),
    ],
    ids=str,
)  # fmt: skip
def test_free_axes_are_letters(shape, expected):
    assert text(shape) == expected


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((), (), ()), ((3,), (3,), (3,)), ((None,), (3,), (3,)), ((3, None), (None, 4), (3, 4)),
        ((None, 0), (None, 0), (None, 0)), ((None,), (None,), (None,)),
    ],
    ids=str,
)  # fmt: skip
def test_unify_takes_the_known_length(a, b, expected):
    assert unify(a, b) == unify(b, a) == expected


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ((3,), (4,), r"\(3,\) is not \(4,\)"), ((3, None), (3,), r"\(3, n\) is not \(3,\)"),
        ((0, 2), (1, 2), r"\(0, 2\) is not \(1, 2\)"), ((), (None,), r"\(\) is not \(m,\)"),
    ],
    ids=str,
)  # fmt: skip
def test_unify_says_what_contradicts(a, b, message):
    with pytest.raises(ShapeError, match=rf"^{message}$"):
        unify(a, b)


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        (fb.Left(np.ones((4, 2))), A, ((3, None), (4, None), False)),
        (fb.Right(np.ones((5, 6))), A, ((3, 5), (2, 6), False)),
        (A, fb.Right(np.ones((5, 6))), ((3, 5), (2, 6), False)),
        (fb.Hadamard(np.ones((2, 7))), A, ((3, 7), (2, 7), False)),
        (fb.Hadamard(np.ones(2)), A, ((3,), (2,), True)),
        (A, fb.Hadamard(np.ones(3)), ((3,), (2,), True)),
        (fb.Inner(np.ones((2, 4))), A, ((3, 4), (), False)),
        (I, A, ((3, None), (2, None), False)),
        (A, I, ((3, None), (2, None), False)),
        (fb.Zero((2, 4), (9,)), A, ((3, 4), (9,), False)),
        (fb.Operator(np.negative, np.negative), A, ((3, None), None, False)),
    ],
    ids=["left", "right after left", "left after right", "hadamard", "vectors", "on vectors", "inner", "identity",
         "of identity", "zero", "unknown"],
)  # fmt: skip
def test_link_passes_lengths_on_to_both_sides(outer, inner, expected):
    assert link(outer, inner) == expected


@pytest.mark.parametrize(
    ("outer", "inner", "message"),
    [
        (A, A, r"the right factor Left must give \(3, n\) because the left factor Left takes that; got \(2, n\)"),
        (fb.Inner(np.ones((3, 3))), A, r"factor Left must give \(3, 3\) because .* Inner takes that; got \(2, n\)"),
        (A, fb.Inner(np.ones(3)), r"the right factor Inner must give \(3, n\) because .* Left takes that; got \(\)"),
    ],
    ids=["left", "inner", "of inner"],
)  # fmt: skip
def test_link_says_what_does_not_fit(outer, inner, message):
    with pytest.raises(ShapeError, match=rf"Operator\.__matmul__: .*{message}"):
        link(outer, inner)


@pytest.mark.parametrize(
    ("shape", "between", "expected"),
    [(None, (2,), None), ((3, None), (2, 7), (3, 7)), ((3,), (2, 7), (3,)), ((), (), ())],
    ids=str,
)
def test_fill_takes_lengths_at_the_same_place(shape, between, expected):
    assert fill(shape, between) == expected
