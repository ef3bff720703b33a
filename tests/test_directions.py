"""Stacks of directions with structure against the same step applied to the dense stack."""

import numpy as np
import pytest

import fastbs as fb
from fastbs.directions import Dense, Outer, Unit, collect, push
from fastbs.jacobian import edges_of
from fastbs.recording import Recording

rng = np.random.default_rng(0)
A, B, C = rng.normal(size=(4, 3)), rng.normal(size=(5, 6)), rng.normal(size=(4, 6))
u, v = rng.normal(size=4), rng.normal(size=5)

# A name, the shape of the argument, a function of one step, and what becomes of the unit directions
FIRST = {
    "slice": ((9,), lambda x: x[2:7], Unit),
    "reshape": ((8,), lambda x: x.reshape(2, 4), Unit),
    "new axis": ((4,), lambda x: x[:, None], Unit),
    "copy": ((4, 5), lambda x: x + np.zeros((4, 5)), Unit),
    "columns of a slice": ((4, 5), lambda x: x[:, 1:3], Dense),
    "picked": ((9,), lambda x: x[[1, 1, 2]], Dense),
    "rows": ((4, 5), lambda x: x[1:3], Unit),
    "transpose": ((4, 5), lambda x: x.T, Dense),
    "X B": ((4, 5), lambda x: x @ B, Outer),
    "x B": ((5,), lambda x: x @ B, Dense),
    "A X": ((3, 5), lambda x: A @ x, Outer),
    "A x": ((3,), lambda x: A @ x, Dense),
    "X b": ((4, 5), lambda x: x @ v, Outer),
    "x b": ((5,), lambda x: x @ v, Dense),
    "a X": ((4, 5), lambda x: u @ x, Outer),
    "stack": ((2, 4, 5), lambda x: x @ B, Dense),
    "column": ((4, 1), lambda x: x + C, Outer),
    "row": ((6,), lambda x: x + C, Outer),
    "scaled row": ((6,), lambda x: x * C, Outer),
    "one for all": ((1,), lambda x: x + C, Dense),
    "diagonal": ((5,), lambda x: np.tanh(x), Outer),
    "diagonal of a matrix": ((4, 5), lambda x: np.tanh(x), Dense),
    "one row": ((1, 5), lambda x: x @ B, Outer),
    "one column": ((4, 1), lambda x: x @ np.ones((1, 1)), Outer),
    "nothing": ((0, 5), lambda x: x @ B, None),
}
# For arrays of shape (4, 6), which come of the directions of matrices with structure on either axis, and of others
THEN = {
    "scaled": lambda y: y * C,
    "tanh": lambda y: np.tanh(y),
    "chosen": lambda y: np.where(C > 0, y, 0),
    "largest": lambda y: np.maximum(y, C),
    "copied": lambda y: y + C,
    "in more axes": lambda y: y + np.ones((2, 1, 1)),
    "times a matrix": lambda y: y @ B.T,
    "times a vector": lambda y: y @ B[0],
    "behind a matrix": lambda y: A.T @ y,
    "behind a vector": lambda y: u @ y,
    "transposed": lambda y: y.T,
    "sum": lambda y: np.sum(y),
    "sum of columns": lambda y: np.sum(y, axis=0),
    "sum of rows": lambda y: np.sum(y, axis=1),
    "mean of rows": lambda y: np.mean(y, axis=1, keepdims=True),
    "mean of columns": lambda y: np.mean(y, axis=0, keepdims=True),
    "largest of columns": lambda y: np.max(y, axis=0),
    "flat": lambda y: np.reshape(y, 24),
    "part": lambda y: y[1:3, ::2],
    "running": lambda y: np.cumsum(y, axis=1),
    "with itself": lambda y: y + y.reshape(6, 4).T,
}
SEED = {
    "X B": ((4, 5), lambda x: x @ B),
    "A X": ((3, 6), lambda x: A @ x),
    "column": ((4, 1), lambda x: x + C),
    "row": ((6,), lambda x: x + C),
    "cores": ((4, 5), lambda x: C @ (C.T @ (x @ B))),
    "swapped cores": ((3, 6), lambda x: (A @ x) @ (C.T @ C)),
    "columns of cores": ((4, 1), lambda x: C @ C.T @ (x + C)),
    "rows of cores": ((6,), lambda x: (x + C) @ C.T @ C),
    "transposed": ((5, 4), lambda x: (B.T @ x).T),
    "any": ((24,), lambda x: np.reshape(x, (4, 6))),
}


def pushed(f, x):
    """The stacks at the end of f, and the Jacobian of f made of them."""
    recording = Recording(f, (x,), {}, 0, "test")
    (start,), (end,) = recording.inputs, recording.outputs
    stacks = {start: [Unit(0, x.shape, x.dtype)]}
    for node, terms in edges_of([start], [end]).items():
        stacks[node] = found = []
        for argument, op in terms:
            for stack in stacks[argument]:
                term = push(stack, node.function, op)
                if term is not None:
                    collect(found, term)
    J = np.zeros((x.size, np.size(end.value)))
    for stack in stacks[end]:
        J[stack.start : stack.start + stack.count] += np.reshape(stack.dense().flat().array, (stack.count, -1))
    return stacks[end], J.T


def check(f, x):
    stacks, J = pushed(f, x)
    value, pullback = fb.vjp(f, x)
    for row, unit in zip(J, np.eye(np.size(value)), strict=True):
        (expected,) = pullback(np.reshape(unit, np.shape(value)))
        np.testing.assert_allclose(row, np.ravel(expected), rtol=1e-12, atol=1e-12)
    for order in ("forward", "reverse"):
        np.testing.assert_allclose(np.reshape(fb.jacobian(f, order=order)(x), J.shape), J, rtol=1e-12, atol=1e-12)
    return stacks


@pytest.mark.parametrize("name", FIRST)
def test_first_steps(name):
    shape, f, kind = FIRST[name]
    stacks = check(f, rng.normal(size=shape))
    assert [type(stack) for stack in stacks] == [kind] * (kind is not None)


@pytest.mark.parametrize("seed", SEED)
@pytest.mark.parametrize("then", THEN)
def test_second_steps(seed, then):
    (shape, first), second = SEED[seed], THEN[then]
    check(lambda x: second(first(x)), rng.normal(size=shape))


VECTORS = {
    "rows summed": lambda x: np.sum(A.T @ (x.reshape(4, 3) @ u[:3, None]), axis=0),
    "a vector": lambda x: A.T @ (x.reshape(4, 3) @ u[:3]),
    "scaled": lambda x: np.tanh(x.reshape(4, 3) @ u[:3]) @ A,
    "running": lambda x: np.cumsum(u @ x.reshape(4, 3)),
    "a matrix": lambda x: (A.T @ np.tanh(x.reshape(4, 3) @ A.T)) @ u,
    "from the left": lambda x: u @ np.tanh(x.reshape(4, 3) @ A.T),
}


@pytest.mark.parametrize("name", VECTORS)
def test_matrices_that_meet_vectors(name):
    check(VECTORS[name], rng.normal(size=12))


def test_a_layer_has_one_direction_a_row_until_columns_are_summed():
    X = rng.normal(size=(5, 7))
    (stack,) = check(lambda W: C.T @ np.tanh(W @ X), rng.normal(size=(4, 5)))
    assert type(stack) is Outer
    assert (stack.core.shape, stack.factor.shape) == ((4, 6, 7), (5, 7))
    (stack,) = check(lambda W: np.tanh(W @ X) @ X.T, rng.normal(size=(4, 5)))
    assert type(stack) is Dense
    assert stack.array.shape == (4, 5, 4, 5)


def test_stacks_of_other_directions_stay_apart():
    stacks = check(lambda p: p[:20].reshape(4, 5) @ B + p[20:, None], rng.normal(size=24))
    assert [(stack.start, stack.count) for stack in stacks] == [(0, 20), (20, 4)]


def test_wide_stacks_are_one_product():
    X, Y = rng.normal(size=(65, 3)), rng.normal(size=(3, 2))
    check(lambda W: (W @ X) @ Y, rng.normal(size=(66, 65)))
    check(lambda W: Y.T @ (X.T @ W), rng.normal(size=(65, 66)))
