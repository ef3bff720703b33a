"""What becomes of a NumPy program: how many instructions, what emits none, and what is left to NumPy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import fastbs as fb
from fastbs import tapes
from fastbs.compiler import assemble, lowering
from fastbs.compiler.assemble import lower
from market import DTYPES, random_array

rng = np.random.default_rng(0)
A, B, C, D = rng.normal(size=(4, 5, 5))
b, c = rng.normal(size=(2, 5))


def count(function, *values, outs=None):
    """How many instructions the program becomes; its numbers are right, on second inputs of the signature too."""
    tape = lower(function, values, outs)
    assert tape is not None
    if outs is None:
        second = tuple(rng.normal(size=np.shape(x)).astype(np.result_type(x)) for x in values)
        second = tuple(x if np.ndim(v) else type(v)(x) for x, v in zip(second, values, strict=True))
        second = tuple(same_memory(x, v) if np.ndim(v) else x for x, v in zip(second, values, strict=True))
        for inputs in (values, second):
            expected = function(*inputs)
            expected = expected if isinstance(expected, tuple) else (expected,)
            for found, y in zip(tape(*inputs), expected, strict=True):
                assert (found.shape, found.dtype) == (y.shape, y.dtype)
                assert_allclose(found, y, rtol=1e-12, atol=1e-12)
    return len(tape)


def same_memory(x, like):
    """The numbers of x in memory of the same strides."""
    base = np.zeros(like.base.shape if like.base is not None else like.shape, like.dtype)
    place = np.lib.stride_tricks.as_strided(base, like.shape, like.strides)
    place[...] = x
    return place


def instructions(op, X):
    """How many instructions ``op @ X`` runs."""
    op @ X
    op @ X
    tape = tapes.find_tape(op, X, None)
    return None if tape is None else len(tape)


# --- Counts ----------------------------------------------------------------------------------------------

PROGRAMS = {
    "product": (lambda A, B: A @ B, (A, B), 1),
    "product of transposes": (lambda A, B: A.T @ B.T, (A, B), 1),
    "product, transposed": (lambda A, B: (A @ B).T, (A, B), 2),
    "sum of two products": (lambda A, B, C, D: A @ B + C @ D, (A, B, C, D), 2),
    "difference of two products": (lambda A, B, C, D: A @ B - C @ D, (A, B, C, D), 2),
    "sum and product": (lambda A, B, C: C + A @ B, (A, B, C), 1),
    "minus a product": (lambda A, B: -(A @ B), (A, B), 1),
    "a product used twice": (lambda A, B: (A @ B) * (A @ B), (A, B), 2),
    "one product, two sums": (lambda A, B: (lambda P: (P + A) * (P - A))(A @ B), (A, B), 2),
    "sum": (lambda A, B: A + B, (A, B), 1),
    "sum of three": (lambda A, B, C: A + B - C, (A, B, C), 1),
    "functions": (lambda A: np.exp(np.sin(A)) * np.maximum(A, 0.5), (A,), 1),
    "function and its sum": (lambda A: np.sum(np.tanh(A)), (A,), 1),
    "sum over an axis": (lambda A: np.sum(A * A, axis=0), (A,), 1),
    "sums over both axes": (lambda A: (np.sum(A, axis=0), np.sum(A, axis=1, keepdims=True)), (A,), 1),
    "a sum used again": (lambda A: A - np.max(A, axis=-1, keepdims=True), (A,), 2),
    "outer product": (lambda x, y: np.reshape(x, (5, 1)) @ np.reshape(y, (1, 5)), (b, c), 1),
    "constants": (lambda A: 2 * A + np.eye(5), (A,), 1),
    "comparison": (lambda A, B: np.where(A > B, A, -B), (A, B), 1),
    "negative": (np.negative, (A,), 1),
    "quotient": (np.divide, (A, B), 1),
    "matrix times vector": (lambda A, x: A @ x, (A, b), 1),
    "vector times matrix": (lambda x, A: x @ A, (b, A), 1),
    "inner product": (lambda x, y: x @ y, (b, c), 1),
    "vecdot": (np.vecdot, (A, B), 1),
    "outer product by broadcasting": (lambda x, y: np.reshape(x, (5, 1)) * y, (b, c), 1),
    "scaled by a number": (lambda A, s: s * A, (A, 2.0), 1),
    "row broadcast": (lambda A, x: A * x, (A, b), 1),
    "column broadcast": (lambda A, x: A + np.reshape(x, (5, 1)), (A, b), 1),
    "identity": (lambda A: A, (A,), 1),
    "transpose": (lambda A: A.T, (A,), 1),
    "reshape": (lambda A: A.reshape(25) * A.reshape(25), (A,), 1),
    "reshape of a transpose": (lambda A: A.T.reshape(25), (A,), 2),
    "stack from the left": (lambda A, X: A @ X, (A, rng.normal(size=(3, 5, 4))), 1),
    "stack from the right": (lambda X, A: X @ A, (rng.normal(size=(3, 4, 5)), A), 1),
    "two results": (lambda A, B: (A @ B, A + B), (A, B), 2),
    "one result twice": (lambda A, B: (lambda P: (P, P))(A @ B), (A, B), 2),
    "an empty sum": (lambda x: x + x, (np.ones((0, 3)),), 0),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_instructions_of_programs(name):
    function, values, expected = PROGRAMS[name]
    assert count(function, *values) == expected


@pytest.mark.parametrize("size", [5, 140])
def test_instructions_of_operators(size):
    M, A, B, C, X = rng.normal(size=(5, size, size))
    for op, expected in (
        (fb.Left(A), 1),
        (fb.Left(A).H, 1),
        (fb.Right(A).H, 1),
        (fb.Hadamard(M), 1),
        (fb.Hadamard(M) @ fb.Left(A), 2),
        ((fb.Hadamard(M) @ fb.Left(A)).H, 2),
        (fb.Kronecker(A, B), 2),
        (fb.Kronecker(A, B).H, 2),
        (fb.Left(A) + fb.Right(B), 2),
        (fb.Left(A) - fb.Right(B), 2),
        (fb.Left(A) + fb.Hadamard(M), 2),
        (fb.Left(A) @ fb.Right(B) + fb.Right(C) @ fb.Left(B), 4),
        (-fb.Left(A), 1),
        (2.0 * fb.Left(A), 2),
        (fb.Inner(M), 1),
    ):
        assert instructions(op, X) == expected, op


@pytest.mark.parametrize("dtype", DTYPES)
def test_conjugates_are_flags(dtype):
    A, X = random_array(rng, (5, 5), dtype), random_array(rng, (5, 3), dtype)
    assert instructions(fb.Left(A).H, X) == 1
    assert instructions(fb.Hadamard(X).H, X) == 1
    assert len(lower(lambda A, X: np.conjugate(A).T @ np.conjugate(X), (A, X))) == 1
    assert len(lower(lambda A: np.conjugate(np.conjugate(A)) + np.conjugate(A), (A,))) == 1


def test_a_sum_of_products_needs_no_scratch(monkeypatch):
    found = []
    original = assemble.place
    monkeypatch.setattr(assemble, "place", lambda uses, sizes: found.append(list(sizes)) or original(uses, sizes))
    lower(lambda A, B, C, D: A @ B + C @ D - D @ A, (A, B, C, D))
    lower(lambda A, B, C: A @ B @ C, (A, B, C))
    assert found == [[], [200]]  # the inner product


def test_a_result_is_written_where_it_is_wanted():
    for out in (np.empty((5, 5)), np.empty((5, 5), order="F"), np.empty((10, 10))[::2, ::2]):
        assert count(lambda A, B: A @ B, A, B, outs=[out]) == 1
        assert count(lambda A: A.T, A, outs=[out]) == 1
    P, Q = rng.normal(size=(2, 810, 810))  # BLAS's on every CPU
    assert count(lambda P, Q: P @ Q, P, Q, outs=[np.empty((810, 810), order="F")]) == 1
    assert count(lambda P, Q: P @ Q, P, Q, outs=[np.empty((1620, 1620))[::2, ::2]]) == 2  # BLAS cannot write there


def test_parts_are_written_where_they_are_joined():
    x = np.linspace(1, 2, 3)
    program = lambda x: np.concatenate([np.stack([np.sin(x), x * x]), np.stack([x], 0)])  # noqa: E731
    tape = lower(program, (x,))
    assert_allclose(tape(x)[0], program(x), rtol=1e-15)
    assert len(tape) == 2  # all functions in one loop, and the copy of x
    twice = lower(lambda x: np.stack([x * x, x * x, -x], 1), (x,))
    assert_allclose(twice(x)[0], np.stack([x * x, x * x, -x], 1))


def test_operands_that_blas_cannot_read_are_copied():
    wide = rng.normal(size=(1620, 1620))[::2, ::2]
    X = rng.normal(size=(810, 810))
    assert len(lower(np.matmul, (wide, X))) == 2
    assert len(lower(np.matmul, (wide, wide))) == 3
    assert len(lower(np.matmul, (wide[:5, :5], X[:5, :5]))) == 1


def test_elementwise_over_many_axes_is_peeled():
    x = rng.normal(size=(2, 3, 2, 3, 2))
    y = np.transpose(rng.normal(size=(2, 3, 2, 3, 2)), (4, 3, 2, 1, 0))
    assert count(np.add, x, y) == 6  # the loops do three axes of the five
    assert lower(np.add, (np.ones((1,) * 9), np.ones((1,) * 9))) is None


# --- What is left to NumPy -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "values"),
    [
        (np.cumsum, (A,)), (np.linalg.inv, (A,)), (lambda A: A[[0, 1]], (A,)), (np.prod, (A,)),
        (lambda A, B: A + B, (A, B.astype("float32"))), (lambda A, B: A @ B, (A, B + 0j)),
        (lambda A, s: A * s, (A, 2j)), (lambda A, s: A * s, (A.astype("float32"), np.float64(2))),
        (lambda A: A + A, (np.ones((2, 2), int),)), (lambda A: A << A, (np.ones(2, int),)),
        (lambda A: A * A, (np.ones(2, "float16"),)), (lambda A: A * A, (np.ones(2, np.longdouble),)),
        (lambda A: 3.0, (A,)),
        (lambda A: np.add(A, A, where=np.eye(5, dtype=bool), out=np.zeros((5, 5))), (A,)),
        (lambda A: 1 / 0, (A,)), (lambda A: float(A), (A,)),
        (lambda A: A * A, (np.lib.stride_tricks.as_strided(np.zeros(9, "complex128"), (3,), (24,)),)),
        (lambda A: (), (A,)),
    ],
    ids=[
        "cumsum", "inverse", "index", "prod", "float32 and float64", "real and complex", "complex number",
        "wider number", "integers", "shifts", "float16", "longdouble", "constant result",
        "where", "exception", "conversion", "part of an element", "no result",
    ],
)  # fmt: skip
def test_no_tape(function, values):
    assert lower(function, values) is None


def test_products_beyond_blas_integers_are_left_to_numpy(monkeypatch):
    monkeypatch.setattr(lowering, "LARGEST", 4)
    assert lower(np.matmul, (A, B)) is None


def test_warnings_of_the_example_values_are_not_shown():
    tape = lower(np.true_divide, (np.ones(2), np.zeros(2)))
    assert_allclose(tape(np.ones(2), np.full(2, 4.0))[0], [0.25, 0.25])
