"""Descent over structured matrices, on the handwritten digits that fastbs ships.

Orthonormal, symmetric and triangular parameters need only their operator: T projects onto the tangents at a point,
``T @ gradient`` is the gradient along the manifold, ``T.retract`` the way back onto it. The first problem has no closed
form; the others have one, which the descent must find.

Usage: python examples/manifolds.py
"""

import numpy as np

import fastbs as fb
from fastbs.data import load_digits
from fastbs.scipy.linalg import expm


def descend(f, X, at, steps=500, tolerance=1e-7):
    """Minimize f over a manifold: gradient steps of Barzilai and Borwein's length, halved until f falls.

    Parameters
    ----------
    f : callable, array -> scalar
    X : the first point
    at : callable, point -> its tangent projection, such as `fb.manifolds.Stiefel`
    """
    value_and_grad = fb.value_and_grad(f)
    T = at(X)
    value, gradient = value_and_grad(X)
    gradient = T @ gradient
    t, recent = 1 / np.linalg.norm(gradient), [value]
    for _ in range(steps):
        slope = np.sum(gradient**2)
        if np.sqrt(slope) <= tolerance * (1 + abs(value)):
            break
        while not (new := f(X_new := T.retract(-t * gradient))) <= max(recent[-10:]) - 1e-4 * t * slope:
            t /= 2
        T = at(X_new)
        value, gradient_new = value_and_grad(X_new)
        gradient_new = T @ gradient_new
        s, y = X_new - X, gradient_new - gradient
        t = np.clip(np.sum(s * s) / abs(np.sum(s * y)), 1e-10, 1e10)
        X, gradient = X_new, gradient_new
        recent.append(new)
    return X, value, len(recent) - 1


def robust_subspace(images, p=8, steps=500):
    """The p-dimensional subspace next to most images: distances count linearly beyond one typical distance.

    Principal components minimize the sum of the squared distances, so they follow the few images that are far away.
    """
    A = images - images.mean(axis=0)
    components = np.linalg.svd(A, full_matrices=False)[2][:p].T
    squares = np.sum(A**2, axis=1)
    typical = np.median(squares - np.sum((A @ components) ** 2, axis=1))

    def loss(X):
        distance = squares - np.sum((A @ X) ** 2, axis=1)
        return np.mean(np.sqrt(1 + distance / typical))

    X, value, count = descend(loss, components, fb.manifolds.Stiefel, steps, tolerance=1e-6)
    overlap = np.linalg.svd(components.T @ X, compute_uv=False)  # cosines of the angles between the subspaces
    print(f"orthonormal, {X.shape}: loss {value:.6f} after {count} steps, {loss(components):.6f} of the components")
    print(f"    largest angle between the two subspaces {np.degrees(np.arccos(min(overlap.min(), 1))):.1f} degrees")
    print(f"    |X^T X - I| = {np.abs(X.T @ X - np.eye(p)).max():.1e}")
    return loss, X


def log_covariance(C, steps=500):
    """The most probable covariance exp(S) of data with sample covariance C, S symmetric: S = log C."""

    def loss(S):
        return (np.trace(S) + np.sum(C * expm(-S))) / 2

    S, _, count = descend(loss, np.zeros_like(C), fb.manifolds.Symmetric, steps)
    error = np.abs(expm(S) - C).max()
    print(f"symmetric, {S.shape}: exp(S) is the sample covariance within {error:.1e} after {count} steps")
    return loss, S


def whitening(C, steps=500):
    """The most probable lower triangular W with W x ~ N(0, I), the inverse Cholesky factor of C."""

    def loss(W):
        return np.sum((W @ C) * W) / 2 - np.sum(np.log(np.abs(np.diagonal(W))))

    W, _, count = descend(loss, np.eye(len(C)), fb.manifolds.Triangular, steps)
    error = np.abs(W @ np.linalg.cholesky(C) - np.eye(len(C))).max()
    print(f"triangular, {W.shape}: W is the inverse of the Cholesky factor within {error:.1e} after {count} steps")
    return loss, W


def blocks(images, size):
    """The mean ink of (8 / size)^2 blocks of pixels, standardized."""
    n = 8 // size
    features = images.reshape(-1, n, size, n, size).mean(axis=(2, 4)).reshape(len(images), -1)
    return (features - features.mean(axis=0)) / features.std(axis=0)


def main(count=None):
    images = load_digits().images[:count].astype(float)
    C = np.cov(blocks(images, 2).T) + 0.05 * np.eye(16)
    return {
        "stiefel": robust_subspace(images.reshape(len(images), -1)),
        "symmetric": log_covariance(C),
        "triangular": whitening(C),
    }


if __name__ == "__main__":
    main()
