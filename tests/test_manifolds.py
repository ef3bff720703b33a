"""Tangent projections beyond the laws: they project, gradients along manifolds, retractions, wrong points."""

import pickle

import numpy as np
import pytest

import fastbs as fb
from fastbs.manifolds import Stiefel, Symmetric, Triangular
from fastbs.testing import check_adjoint

RNG = np.random.default_rng(0)
X = {
    "symmetric": np.cov(RNG.normal(size=(4, 9))),
    "lower": np.tril(RNG.normal(size=(4, 4))),
    "upper": np.triu(RNG.normal(size=(3, 4))),
    "stiefel": np.linalg.qr(RNG.normal(size=(5, 3)))[0],
    "sphere": np.linalg.qr(RNG.normal(size=(4, 1)))[0],
    "orthogonal": np.linalg.qr(RNG.normal(size=(3, 3)))[0],
}
AT = {
    "symmetric": Symmetric,
    "lower": Triangular,
    "upper": lambda X: Triangular(X, uplo="U"),
    "stiefel": Stiefel,
    "sphere": Stiefel,
    "orthogonal": Stiefel,
}
ON = {  # zero on the manifold
    "symmetric": lambda X: X - X.T,
    "lower": lambda X: np.triu(X, 1),
    "upper": lambda X: np.tril(X, -1),
}
ON |= dict.fromkeys(("stiefel", "sphere", "orthogonal"), lambda X: X.T @ X - np.eye(X.shape[1]))
every = pytest.mark.parametrize("name", X)


def f(X):
    M = np.arange(X.shape[0] * X.shape[1]).reshape(X.shape) / 10.0
    return np.sum(np.sin(M * X) @ np.cos(X.T))


@every
def test_is_an_orthogonal_projection(name):
    T = AT[name](X[name])
    check_adjoint(T)
    P = T.to_dense()
    np.testing.assert_allclose(P @ P, P, atol=1e-14)
    assert T.H is T


@every
def test_tangents_are_the_directions_that_stay(name):
    T = AT[name](X[name])
    V = T @ RNG.normal(size=X[name].shape)
    _, dF = fb.jvp(ON[name], (X[name],), (V,))
    assert np.abs(dF).max() < 1e-12
    kernel = fb.jacobian(ON[name])(X[name]).reshape(-1, V.size)
    assert np.linalg.matrix_rank(T.to_dense()) == V.size - np.linalg.matrix_rank(kernel)


@every
def test_retraction_stays_and_is_right_to_first_order(name):
    T = AT[name](X[name])
    V = T @ RNG.normal(size=X[name].shape)
    assert np.abs(ON[name](T.retract(V))).max() < 1e-14
    assert T.retract(np.zeros_like(V)) == pytest.approx(X[name], abs=1e-14)
    _, dX = fb.jvp(T.retract, (np.zeros_like(V),), (V,))
    assert dX == pytest.approx(V, abs=1e-13)


@every
def test_gradient_along_the_manifold(name):
    """f(retract(t V)) changes by <T g, V> t."""
    T = AT[name](X[name])
    g = T @ fb.grad(f)(X[name])
    V = T @ RNG.normal(size=X[name].shape)
    assert fb.grad(lambda t: f(T.retract(t * V)))(0.0) == pytest.approx(np.sum(g * V), rel=1e-10)


@every
def test_derivatives_go_through_point_and_direction(name):
    V = RNG.normal(size=X[name].shape)

    def g(X, V):
        T = AT[name](X)
        return np.sum(T.retract(T @ V) ** 3)

    tangents = RNG.normal(size=(2, *V.shape))
    _, dg = fb.jvp(g, (X[name], V), tuple(tangents))
    numeric = (g_of(name, X[name], V, tangents, 1e-6) - g_of(name, X[name], V, tangents, -1e-6)) / 2e-6
    assert dg == pytest.approx(numeric, rel=1e-6)
    gradients = fb.grad(g, argnums=(0, 1))(X[name], V)
    assert sum(np.vdot(a, b) for a, b in zip(gradients, tangents, strict=True)) == pytest.approx(dg, rel=1e-10)


def g_of(name, X, V, tangents, h):
    """The same function of points near the manifold, by its definition."""
    X, V = X + h * tangents[0], V + h * tangents[1]
    if AT[name] is Stiefel:
        S = X.T @ V
        Q, R = np.linalg.qr(X + V - X @ (S + S.T) / 2)
        return np.sum((Q * np.sign(np.diagonal(R))) ** 3)
    T = AT[name](X)
    return np.sum((X + T @ V) ** 3)


@every
def test_pickles(name):
    T = pickle.loads(pickle.dumps(AT[name](X[name])))
    V = RNG.normal(size=X[name].shape)
    np.testing.assert_array_equal(T @ V, AT[name](X[name]) @ V)
    np.testing.assert_array_equal(T.retract(V), AT[name](X[name]).retract(V))


def test_float32_stays():
    for name, x in X.items():
        x = x.astype(np.float32)
        T = AT[name](x)
        assert (T @ x).dtype == T.retract(x).dtype == np.float32


def test_a_tape_of_one_size_does_not_take_another():
    for make in (Symmetric, Triangular, Stiefel):
        for _ in range(3):
            assert (make(np.eye(3)) @ np.ones((3, 3))).shape == (3, 3)
        with pytest.raises(fb.ShapeError, match=r"X must be \(4, 4\) because X is \(4, 4\); got \(3, 3\)"):
            make(np.eye(4)) @ np.ones((3, 3))


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: Symmetric(np.ones((2, 3))), fb.ShapeError, r"X must be square because it is symmetric; got \(2, 3\)"),
        (lambda: Triangular(np.eye(2), uplo="left"), ValueError, 'uplo must be "L" or "U"; got \'left\''),
        (lambda: Stiefel(np.ones((2, 3))), fb.ShapeError, r"at least as many rows as columns .* got \(2, 3\)"),
        (lambda: Stiefel(2 * np.eye(2)), fb.StructureError, r"orthonormal columns .* got X\^T X 3.0e\+00 from I"),
        (lambda: Stiefel(np.full((2, 1), np.nan)), fb.StructureError, r"got X\^T X nan from I"),
        (lambda: Stiefel(np.eye(2) + 0j), fb.DtypeError, "real floating point; got complex128"),
        (lambda: Stiefel(np.ones(3)), fb.ShapeError, r"X must be a matrix .* got shape \(3,\)"),
    ],
)
def test_wrong_points(make, error, match):
    with pytest.raises(error, match=match):
        make()
