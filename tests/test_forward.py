"""Jacobians and Hessians by forward substitution, block by block, against reverse order and against JAX."""

import itertools

import numpy as np
import optree
import pytest

import fastbs as fb
from dense import seconds
from fastbs import forward
from fastbs.testing import check_gradient

rng = np.random.default_rng(1)
X, Y = rng.normal(size=(3, 7)), rng.normal(size=(2, 7))
SIZES = (3, 4, 2)


def layers(p, order=1):
    """W and b of each layer out of one vector, the last layer first for order -1."""
    found, start = [], 0
    for n, m in list(itertools.pairwise(SIZES))[::order]:
        found.append((p[start : start + m * n].reshape(m, n), p[start + m * n : start + m * n + m]))
        start += m * n + m
    return found[::order]


def columns(p, order=1):
    Z = X
    for W, b in layers(p, order):
        Z = np.tanh(W @ Z + b[:, None])
    return 0.5 * np.sum((Z - Y) ** 2)


def rows(p):
    Z = X.T
    for W, b in layers(p):
        Z = np.tanh(Z @ W.T + b)
    return np.sum(np.log1p(np.exp(Z))) / 7


def softmax(p):
    Z = rows_of(p)
    return -np.mean(np.sum(Y.T * (Z - np.log(np.sum(np.exp(Z), axis=1, keepdims=True))), axis=1))


def rows_of(p):
    (W, b), (V, c) = layers(p)
    return np.maximum(X.T @ W.T + b, 0) @ V.T + c


def one_sample(p):
    (W, b), (V, c) = layers(p)
    return np.sum(np.sin(V @ np.tanh(W @ X[:, 0] + b) + c) ** 2)


def shared(p):
    W = p[:9].reshape(3, 3)
    return np.sum(np.tanh(W @ np.tanh(W @ X)) * p[6:9, None]) + np.sum(p) ** 3


def recurrent(p):
    W, V = p[:16].reshape(4, 4), p[16:28].reshape(4, 3)
    h = np.zeros((4, 1))
    for t in range(7):
        h = np.tanh(W @ h + V @ X[:, t : t + 1])
    return np.sum(h**2)


FUNCTIONS = {
    "columns": (columns, 26), "last layer first": (lambda p: columns(p, -1), 26), "rows": (rows, 26),
    "softmax": (softmax, 26), "one sample": (one_sample, 26), "shared": (shared, 9), "recurrent": (recurrent, 28),
    "separable": (lambda p: np.sum(p**4), 5), "Rosenbrock": (lambda p: np.sum((p[1:] - p[:-1] ** 2) ** 2), 6),
    "linear": (lambda p: np.sum(p[1:3]), 4), "nothing": (lambda p: 1.0 + 0 * p[0], 3),
    "solve": (lambda p: np.sum(np.linalg.solve(p.reshape(3, 3) + 4 * np.eye(3), X) ** 2), 9),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("compiled", [False, True])
def test_hessians_equal_the_jacobian_in_reverse(name, compiled):
    f, n = FUNCTIONS[name]
    H = fb.compile(fb.hessian(f)) if compiled else fb.hessian(f)
    for _ in range(2):
        p = rng.normal(size=n) / 2
        expected = fb.jacobian(fb.grad(f), order="reverse")(p)
        np.testing.assert_allclose(H(p), expected, rtol=0, atol=1e-12 * max(np.abs(expected).max(), 1))
        found = fb.jacobian(fb.grad(f), order="forward")(p)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * max(np.abs(expected).max(), 1))


@pytest.mark.slow
def test_hessians_equal_those_of_jax():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    p = rng.normal(size=26) / 2

    def theirs(p):
        Z = X
        for W, b in layers(p):
            Z = jax.numpy.tanh(W @ Z + b[:, None])
        return 0.5 * jax.numpy.sum((Z - Y) ** 2)

    np.testing.assert_allclose(fb.hessian(columns)(p), jax.hessian(theirs)(p), rtol=1e-10, atol=1e-12)


def test_parameters_in_lists_and_several_dtypes():
    def f(layers, scale):
        Z = X.astype(np.float32)
        for W, b in layers:
            Z = np.tanh(W @ Z + b[:, None])
        return scale * np.sum(Z**2)

    parameters = [(W.astype(np.float32), b.astype(np.float32)) for W, b in layers(rng.normal(size=26) / 2)]
    H = fb.hessian(f, (0, 1))(parameters, 2.0)
    again = fb.compile(fb.hessian(f, (0, 1)))(parameters, 2.0)
    expected = fb.jacobian(fb.grad(f, (0, 1)), (0, 1), order="reverse")(parameters, 2.0)
    for found, same, there in zip(*map(optree.tree_leaves, (H, again, expected)), strict=True):
        assert (found.dtype, found.shape) == (there.dtype, there.shape)
        np.testing.assert_allclose(found, there, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(same, there, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_rule_of_a_user_need_not_have_a_symmetric_hessian(compiled):
    @fb.rule(operators=lambda z, x, y: [fb.Hadamard(y), fb.Hadamard(-x)])
    def reversing(x, y):  # turns the gradient with respect to y
        return x * y

    def f(p):
        return np.sum(reversing(p[:2], p[2:]))

    H = fb.compile(fb.hessian(f)) if compiled else fb.hessian(f)
    one = np.eye(2)
    np.testing.assert_array_equal(H(np.array([0.7, 1.2, 0.3, 0.4])), np.block([[0 * one, one], [-one, 0 * one]]))


def test_half_of_the_blocks_are_the_transposes_of_the_others():
    H = fb.hessian(columns)(rng.normal(size=26))
    np.testing.assert_array_equal(H[:16, 16:], H[16:, :16].T)
    report = fb.compile(fb.hessian(columns))
    report(rng.normal(size=26))
    whole = fb.compile(fb.jacobian(fb.grad(columns), order="forward"))
    whole(rng.normal(size=26))
    assert report.plan.tape.report.flops < whole.plan.tape.report.flops


def test_very_many_slices_lose_their_structure(monkeypatch):
    p = rng.normal(size=26)
    expected = fb.hessian(columns)(p)
    monkeypatch.setattr(forward, "MOST", 10)
    np.testing.assert_allclose(fb.hessian(columns)(p), expected, rtol=1e-12, atol=1e-12)


def test_zeros_between_blocks_are_one_block():
    def f(p):
        return sum(np.sin(p[i]) for i in range(30))

    compiled = fb.compile(fb.hessian(f))
    np.testing.assert_allclose(compiled(np.arange(32.0)), np.diag([*-np.sin(np.arange(30.0)), 0, 0]), atol=1e-15)
    assert len(compiled.plan.tape) < 200  # not an instruction for each of a thousand zeros


def test_elements_one_by_one():
    def f(p):
        return sum(100 * (p[i + 1] - p[i] ** 2) ** 2 + (1 - p[i]) ** 2 for i in range(len(p) - 1))

    p = rng.normal(size=20)
    expected = fb.jacobian(fb.grad(f), order="reverse")(p)
    np.testing.assert_allclose(fb.hessian(f)(p), expected, rtol=1e-12, atol=1e-12)


def test_blocks_are_cut_at_the_cuts_inside_of_them_only():
    cuts, one = list(range(401)), np.ones((1, 1))
    blocks = [(i, i, one) for i in range(400)]
    assert seconds(lambda: forward.cells_of(blocks, cuts, cuts, None), 1) < 0.5  # the cube of 400 takes ten seconds


def test_outputs_in_places_overlap_and_share():
    def f(p):
        q = np.zeros(6) * p[0]
        q[1:3] += p[:2]
        q[2:5] += np.tanh(p[1:4])
        return q, q[::2], p

    p = rng.normal(size=5)
    for found, expected in zip(fb.jacobian(f, order="forward")(p), fb.jacobian(f, order="reverse")(p), strict=True):
        np.testing.assert_allclose(found, expected)


def test_gradients_of_what_uses_hessians():
    check_gradient(lambda p: np.sum(fb.hessian(one_sample)(p) ** 2), rng.normal(size=26) / 2)
