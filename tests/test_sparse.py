"""Sparse Jacobians equal the dense ones, have as few entries as the program, and make nothing dense."""

import tracemalloc

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse

import fastbs as fb
from fastbs import sparse
from fastbs.errors import DtypeError, TraceError
from gradients import leaves
from rule_cases import CASES


@pytest.mark.parametrize("name", CASES)
def test_every_rule(name):
    f, arrays = CASES[name]
    argnums = tuple(range(len(arrays)))
    with np.errstate(all="ignore"):
        dense = leaves(fb.jacobian(f, argnums)(*arrays))
        for order in ("forward", "reverse"):
            for A, J in zip(leaves(fb.jacobian(f, argnums, order, sparse=True)(*arrays)), dense, strict=True):
                assert (A.format, A.dtype) == ("csr", J.dtype)
                np.testing.assert_allclose(A.toarray(), J.reshape(A.shape), 1e-11, 1e-11)


def test_nests_and_dtypes():
    def f(p, t):
        return {"a": p["x"] * t, "b": (t[:2] + 1, np.zeros(3))}

    p, t = {"x": np.ones(3, np.float32)}, np.arange(3, dtype=np.float32)
    J = fb.jacobian(f, (0, 1), sparse=True)(p, t)
    assert J["a"][0]["x"].dtype == np.float32
    np.testing.assert_array_equal(J["a"][0]["x"].toarray(), np.diag(t))
    np.testing.assert_array_equal(J["b"][0][1].toarray(), np.eye(2, 3))
    assert J["b"][0][0]["x"].nnz == 0
    assert J["b"][1][1].shape == (3, 3)
    np.testing.assert_array_equal(fb.trace(f, p, t).jacobian(sparse=True)["a"][1].toarray(), np.eye(3))


def test_outputs_that_are_inputs_or_one_another():
    def f(x, y):
        z = x * y
        return x, z, z, y

    x, y = np.arange(1.0, 4), np.ones(3)
    for order in ("forward", "reverse"):
        J = fb.jacobian(f, (0, 1), order, sparse=True)(x, y)
        np.testing.assert_array_equal(J[0][0].toarray(), np.eye(3))
        np.testing.assert_array_equal(J[2][1].toarray(), np.diag(x))
        np.testing.assert_array_equal(J[3][1].toarray(), np.eye(3))
        assert J[0][1].nnz == J[3][0].nnz == 0


def test_hessian_of_a_sum_of_local_terms_is_banded():
    x = np.linspace(0, 1, 50)

    def energy(x):
        return np.sum((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2)

    H = fb.jacobian(fb.grad(energy), sparse=True)(x)
    np.testing.assert_allclose(H.toarray(), fb.hessian(energy)(x))
    np.testing.assert_allclose(H.toarray(), scipy.optimize.rosen_hess(x))
    assert H.nnz <= 3 * 50


def test_a_user_s_operators():
    double = fb.rule(lambda x: 2 * x, lambda y, x: [fb.Hadamard(np.full(3, 2.0))])
    flip = fb.rule(lambda x: x[::-1].copy(), lambda y, x: [fb.Operator(lambda X: X[..., ::-1], lambda Y: Y[..., ::-1])])
    J = fb.jacobian(lambda x: flip(double(x)), sparse=True)(np.ones(3))
    np.testing.assert_array_equal(J.toarray(), 2 * np.eye(3)[::-1])


def test_steps_that_mix_everything_are_probed_some_directions_at_a_time(monkeypatch):
    monkeypatch.setattr(sparse, "CHUNK", 12)
    x = np.random.default_rng(0).normal(size=(3, 3)) + 3 * np.eye(3)

    def f(x):
        U, s, Vh = np.linalg.svd(x)
        return np.cumsum(s), U @ Vh

    for order in ("forward", "reverse"):
        for A, J in zip(fb.jacobian(f, order=order, sparse=True)(x), fb.jacobian(f)(x), strict=True):
            np.testing.assert_allclose(A.toarray(), J.reshape(A.shape), atol=1e-12)


def projections(cameras, points, observed, which_camera, which_point):
    """Residuals of points seen by cameras (rotation vector, translation): a few parameters each."""
    r, t = cameras[which_camera, :3], cameras[which_camera, 3:]
    x = points[which_point]
    angle = np.linalg.norm(r, axis=1, keepdims=True)
    axis = r / angle
    x = x * np.cos(angle) + np.cross(axis, x) * np.sin(angle)
    x = x + axis * np.sum(axis * points[which_point], axis=1, keepdims=True) * (1 - np.cos(angle)) + t
    return np.ravel(x[:, :2] / x[:, 2:] - observed)


def test_nothing_dense_is_made():
    rng = np.random.default_rng(0)
    m, n, k = 300, 6000, 24_000  # dense, this Jacobian would take 7.6 GB
    cameras, points = rng.normal(size=(m, 6)), rng.normal([0, 0, 9], size=(n, 3))
    where = rng.integers(m, size=k), rng.integers(n, size=k)
    observed = np.zeros((k, 2))
    tracemalloc.start()
    dense = 8 * 2 * k * (6 * m + 3 * n)
    try:
        J = fb.jacobian(projections, (0, 1), sparse=True)(cameras, points, observed, *where)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < dense / 50
    assert J[0].nnz <= 6 * 2 * k
    assert J[1].nnz <= 3 * 2 * k
    few = slice(0, 200)
    part = [x[few] for x in where]
    J = fb.jacobian(projections, (0, 1), sparse=True)(cameras, points[:5], observed[few], part[0], part[1] % 5)
    dense = fb.jacobian(projections, (0, 1))(cameras, points[:5], observed[few], part[0], part[1] % 5)
    for A, B in zip(J, dense, strict=True):
        np.testing.assert_allclose(A.toarray(), B.reshape(A.shape), atol=1e-12)


def test_errors():
    x = np.ones(2)
    with pytest.raises(TraceError, match=r"sparse=True arguments must be plain because SciPy.*got a traced value"):
        fb.grad(lambda x: np.sum(fb.jacobian(np.sin, sparse=True)(x)))(x)
    with pytest.raises(TraceError, match="sparse=True arguments must be plain"):
        fb.compile(fb.jacobian(np.sin, sparse=True))(x)
    with pytest.raises(DtypeError, match=r"sparse=True all steps must be real.*got complex128 from (exp|multiply)"):
        fb.jacobian(lambda x: np.real(np.exp(1j * x)), sparse=True)(x)
