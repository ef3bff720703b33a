"""Heights between survey points: a Gaussian process whose likelihood goes through a Cholesky factor.

The data are real: the elevation model of the Jacksboro fault (USGS) that matplotlib ships with its examples. Heights at
random points are given; amplitude, two length scales and noise are those of the highest likelihood, by SciPy's L-BFGS
with the exact gradient, and the map between the points follows.

Usage: python examples/gaussian_process.py
"""

import numpy as np
from matplotlib import cbook
from scipy.optimize import minimize
from scipy.spatial import cKDTree

import fastbs as fb
from fastbs.scipy.linalg import solve_triangular


def covariance(theta, P, Q):
    """Matern 3/2 between points (p, 2) and (q, 2), with a length scale an axis."""
    amplitude, scales = np.exp(theta[0]), np.exp(theta[1:3])
    d = (P[:, None, :] - Q[None, :, :]) / scales
    r = np.sqrt(3 * np.sum(d**2, axis=-1) + 1e-12)
    return amplitude**2 * (1 + r) * np.exp(-r)


def factor(theta, P):
    return np.linalg.cholesky(covariance(theta, P, P) + np.exp(2 * theta[3]) * np.eye(len(P)))


def negative_log_likelihood(theta, P, z):
    """-log N(z; 0, K) = 1/2 z^T K^-1 z + 1/2 log det K + const, by K = C C^T."""
    C = factor(theta, P)
    w = solve_triangular(C, z, lower=True)
    return np.sum(w**2) / 2 + np.sum(np.log(np.diagonal(C))) + len(z) / 2 * np.log(2 * np.pi)


def predict(theta, P, z, Q):
    C = factor(theta, P)
    w = solve_triangular(C, z, lower=True)
    return covariance(theta, Q, P) @ solve_triangular(C.T, w, lower=False)


def survey(points, seed=0):
    """Places in kilometres, and heights in metres, at random points of the map."""
    with cbook.get_sample_data("jacksboro_fault_dem.npz") as data:
        heights = data["elevation"].astype(float)
    rows, columns = np.indices(heights.shape).reshape(2, -1)
    chosen = np.random.default_rng(seed).choice(heights.size, points, replace=False)
    # cells of 3 arc seconds at 36.5 degrees north: 92 m to the north, 74 m to the east
    return np.stack([rows * 0.0926, columns * 0.0744], axis=1)[chosen], heights.ravel()[chosen]


def main(points=300, held_out=300, iterations=50):
    places, heights = survey(points + held_out)
    P, Q, mean = places[:points], places[points:], heights[:points].mean()
    z = (heights[:points] - mean) / 100
    theta = np.array([0.0, 0.0, 0.0, -1.0])

    value_and_grad = fb.value_and_grad(negative_log_likelihood)
    found = minimize(
        value_and_grad, theta, args=(P, z), jac=True, method="L-BFGS-B", options={"maxiter": iterations},
        bounds=[(-5, 5)] * 4,
    )  # fmt: skip
    amplitude, north, east, noise = np.exp(found.x)
    before = negative_log_likelihood(theta, P, z)
    print(f"-log likelihood {before:.2f} -> {found.fun:.2f} by {found.nfev} evaluations")
    print(f"amplitude {100 * amplitude:.0f} m, noise {100 * noise:.0f} m, {north:.2f} km north, {east:.2f} km east")
    error = np.sqrt(np.mean((100 * predict(found.x, P, z, Q) + mean - heights[points:]) ** 2))
    nearest = heights[cKDTree(P).query(Q)[1]]
    baseline = np.sqrt(np.mean((nearest - heights[points:]) ** 2))
    print(f"root mean square error at {held_out} held-out points: {error:.1f} m; of the nearest point {baseline:.1f} m")
    return found.x, P, z, error, baseline


if __name__ == "__main__":
    main()
