"""Bundle adjustment: cameras and points from pictures, by Gauss-Newton with a sparse Jacobian.

The data are synthetic: points in a cube, seen by cameras on a circle around it, with noise of half a pixel. Each
residual depends on one camera (six numbers) and one point (three), so the Jacobian has at most nine entries a row.

Usage: python examples/bundle_adjustment.py
"""

import numpy as np
from scipy.sparse import diags_array, hstack
from scipy.sparse.linalg import spsolve

import fastbs as fb

FOCAL = 800.0  # pixels


def rotated(w, X):
    """Rodrigues' formula: the points X (n, 3) turned about w (n, 3) by the angle |w|."""
    angle = np.sqrt(np.sum(w**2, axis=1, keepdims=True))
    k = w / angle
    cross = np.stack(
        [k[:, 1] * X[:, 2] - k[:, 2] * X[:, 1], k[:, 2] * X[:, 0] - k[:, 0] * X[:, 2],
         k[:, 0] * X[:, 1] - k[:, 1] * X[:, 0]], axis=1
    )  # fmt: skip
    return X * np.cos(angle) + cross * np.sin(angle) + k * np.sum(k * X, axis=1, keepdims=True) * (1 - np.cos(angle))


def projected(cameras, points, seen):
    """Where camera seen[0][k] sees point seen[1][k], in pixels; a camera is a rotation vector and a translation."""
    camera, point = cameras[seen[0]], points[seen[1]]
    X = rotated(camera[:, :3], point) + camera[:, 3:]
    return FOCAL * X[:, :2] / X[:, 2:]


def residual(cameras, points, seen, pixels):
    return np.ravel(projected(cameras, points, seen) - pixels)


def scene(n_cameras, n_points, rng):
    """True cameras and points, which camera sees which point, and the pictures."""
    points = rng.uniform(-1, 1, (n_points, 3))
    turns = np.linspace(0.1, 2 * np.pi - 0.1, n_cameras)
    cameras = np.stack([0.1 * np.sin(3 * turns), turns, np.zeros(n_cameras), *np.zeros((2, n_cameras)),
                        np.full(n_cameras, 5.0)], axis=1)  # fmt: skip
    seen = np.nonzero((np.arange(n_points) + 2 * np.arange(n_cameras)[:, None]) % 5 < 2)  # two fifths of all
    pixels = projected(cameras, points, seen)
    return cameras, points, seen, pixels + rng.normal(size=pixels.shape) / 2


def main(n_cameras=20, n_points=1000, iterations=12):
    rng = np.random.default_rng(0)
    cameras, points, seen, pixels = scene(n_cameras, n_points, rng)
    cameras = cameras + rng.normal(size=cameras.shape) * 0.02
    points = points + rng.normal(size=points.shape) * 0.05
    jacobian = fb.jacobian(residual, argnums=(0, 1), sparse=True)
    damping, history = 1e-3, []
    for _ in range(iterations):
        r = residual(cameras, points, seen, pixels)
        history.append(float(np.sqrt(np.mean(r**2))))
        J_cameras, J_points = jacobian(cameras, points, seen, pixels)
        J = hstack([J_cameras, J_points])
        H, g = J.T @ J, J.T @ r
        while True:  # Levenberg and Marquardt: more damping until the residual falls
            step = spsolve((H + damping * diags_array(H.diagonal())).tocsc(), -g)
            moved = cameras + step[: cameras.size].reshape(cameras.shape)
            shifted = points + step[cameras.size :].reshape(points.shape)
            if np.sum(residual(moved, shifted, seen, pixels) ** 2) <= np.sum(r**2) or damping > 1e6:
                break
            damping *= 10
        cameras, points, damping = moved, shifted, damping / 10
        if np.linalg.norm(step) < 1e-8:
            break
    print(f"{n_cameras} cameras, {n_points} points, {len(seen[0])} sights; J is {J.shape} with {J.nnz} entries")
    print("root mean square of the residual, in pixels: " + ", ".join(f"{x:.3f}" for x in history))
    return history, J


if __name__ == "__main__":
    main()
