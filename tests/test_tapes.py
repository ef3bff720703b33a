"""Which tape an operator runs: one for each structure, not for each operator."""

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose

import fastbs as fb
from fastbs import tapes
from fastbs.errors import DtypeError, ShapeError
from fastbs.tapes import DEEPEST, find_tape, leaves_of, structure_of, with_leaves

rng = np.random.default_rng(0)
A, B, M, X = rng.normal(size=(4, 3, 3))


@pytest.fixture(autouse=True)
def no_tapes(monkeypatch):
    monkeypatch.setattr(tapes, "tapes", {})
    monkeypatch.setattr(tapes, "structures", {})


def tape_of(op, X=X, out=None):
    for _ in range(2):
        tape = find_tape(op, X, out)
    return tape


MAKERS = {
    "left": lambda A: fb.Left(A),
    "right": lambda A: fb.Right(A),
    "hadamard": lambda A: fb.Hadamard(A),
    "kronecker": lambda A: fb.Kronecker(A, A.T),
    "inner": lambda A: fb.Inner(A),
    "composition": lambda A: fb.Hadamard(A) @ fb.Left(A),
    "sum": lambda A: fb.Left(A) - fb.Right(A.T),
    "scaled": lambda A: 2.5 * fb.Left(A),
}


@pytest.mark.parametrize("name", MAKERS)
def test_operators_of_one_structure_share_a_tape(name):
    one, other = MAKERS[name](A), MAKERS[name](B)
    assert structure_of(one) == structure_of(other)
    tape = tape_of(one)
    assert tape is not None
    assert tape_of(other) is tape
    assert len(tapes.tapes) == 1
    assert_allclose(one @ X, one.apply(X), rtol=1e-12)
    assert_allclose(other @ X, other.apply(X), rtol=1e-12)


def test_structures_tell_what_differs():
    Z = A + 1j * B
    ops = [
        fb.Left(A), fb.Right(A), fb.Hadamard(A), fb.Left(A.T), fb.Left(A.astype("float32")), fb.Left(A[:2]), fb.Left(Z),
        fb.Left(Z).H, fb.Left(Z).T, fb.Hadamard(A).inv, 2 * fb.Left(A), 2.0 * fb.Left(A), fb.Left(A) / 2.0,
        fb.Left(A) + fb.Right(B), fb.Left(A) - fb.Right(B), fb.Left(A) @ fb.Right(B),
    ]  # fmt: skip
    assert len({structure_of(op) for op in ops}) == len(ops)


@pytest.mark.parametrize(
    "op",
    [
        fb.Operator(lambda X: 2 * X, lambda X: 2 * X), fb.Left(scipy.sparse.eye_array(3).tocsr()), fb.Left(A).inv,
        fb.Left(A.astype(int)), fb.Left(A) @ fb.Left(A).inv, np.longdouble(2) * fb.Left(A),
    ],
    ids=["own", "sparse", "factors", "integers", "part without structure", "longdouble number"],
)  # fmt: skip
def test_without_structure_no_tape(op):
    assert structure_of(op) is None
    assert tape_of(op) is None
    assert_allclose(op @ X, op.apply(X))


def test_the_first_application_runs_in_numpy():
    op = fb.Left(A)
    assert find_tape(op, X, None) is None
    assert list(tapes.tapes.values()) == [tapes.SEEN]
    assert find_tape(op, X, None) is not None
    assert find_tape(fb.Right(A), X, np.empty((3, 3), order="F")) is not None  # with out at once


@pytest.mark.parametrize("X", [X.astype(int), X.astype("float32"), X + 0j, X.astype("float16")], ids=lambda X: X.dtype)
def test_no_tape_for_other_dtypes(X):
    assert tape_of(fb.Left(A), X) is None


def test_the_dtype_of_out_is_that_of_the_result():
    assert tape_of(fb.Left(A), X, np.empty((3, 3), "float32")) is None
    with pytest.raises(DtypeError, match=r"out must be float64 because X is float64 .*; got float32"):
        fb.Left(A).apply_into(X, np.empty((3, 3), "float32"))
    with pytest.raises(ShapeError, match=r"Left.apply_into: out must be \(3, 3\) because X is \(3, 3\); got \(3, 4\)"):
        fb.Left(A).apply_into(X, np.empty((3, 4)))


def test_wrong_shapes_leave_no_tape_behind():
    with pytest.raises(ShapeError, match=r"X must be \(3, n\) because B is \(3, 3\); got \(4, 2\)"):
        find_tape(fb.Left(A), np.ones((4, 2)), None)
    assert not tapes.tapes


def test_the_number_of_tapes_is_bounded(monkeypatch):
    monkeypatch.setattr(tapes, "MOST_TAPES", 7)
    for n in range(1, 40):
        B, X = np.ones((2, n)), np.ones((n, 2))
        for _ in range(3):
            assert_allclose(fb.Left(B) @ X, np.full((2, 2), n))
            fb.Left(B).apply_into(X, np.empty((2, 2), order="F"))
        assert len(tapes.tapes) <= 7
        assert len(tapes.structures) <= 7


def test_operators_keep_their_tape_when_the_others_are_dropped():
    op = fb.Left(A)
    for _ in range(3):
        op @ X
    tapes.tapes.clear()
    tapes.structures.clear()
    assert_allclose(op @ X, A @ X)
    assert structure_of(fb.Left(A)) != structure_of(op)  # a new number, never one of another structure
    assert_allclose(fb.Left(B) @ X, B @ X)


def test_contents_may_change():
    held = A.copy()
    op = fb.Hadamard(M) @ fb.Left(held)
    for _ in range(3):
        op @ X
    held[:] = B
    assert_allclose(op @ X, M * (B @ X))


def nested(depth):
    op = fb.Left(A / 10)
    for _ in range(depth):
        op = fb.Hadamard(M / 10) @ (fb.Left(A / 10) + op)
    return op


@pytest.mark.parametrize("depth", [1, DEEPEST // 2 - 1, DEEPEST, 3000])
def test_deep_composites_run_in_numpy(depth):
    op = nested(depth)
    expected = A @ X / 10
    for _ in range(depth):
        expected = M / 10 * (A @ X / 10 + expected)
    for _ in range(3):
        assert_allclose(op @ X, expected, rtol=1e-12, atol=1e-12)
    assert (tape_of(op) is None) == (depth >= DEEPEST)


def test_leaves_come_back_in_their_places():
    op = 2.0 * (fb.Hadamard(M) @ fb.Left(A)) - fb.Kronecker(A, B)
    leaves = leaves_of(op)
    assert [id(x) for x in leaves if isinstance(x, np.ndarray)] == [id(x) for x in (M, A, A, B)]
    doubled = with_leaves(op, iter([2 * x for x in leaves]))
    assert_allclose(doubled @ X, 4.0 * (2 * M * (2 * A @ X)) - 2 * B @ X @ (2 * A).T)
