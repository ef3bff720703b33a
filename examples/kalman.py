"""The level of the Nile: Kalman filter and smoother as the two substitutions with one block-tridiagonal matrix.

    y_t = level_t + noise,  level_{t+1} = level_t + step

Given the flows y, the levels are normal with the precision matrix A = I / noise + D^T D / step, D the differences, and
the mean A^-1 y / noise. With A = L L^T the forward substitution is the filter, the backward one the smoother, and the
diagonal of A^-1 holds the variances. The likelihood is differentiated through all of it. Data: the annual flow at Aswan
in 10^8 m^3, 1871 to 1970 (Cobb, Biometrika 65, 1978). Durbin and Koopman, Time Series Analysis by State Space Methods,
find the variances 15,099 and 1,469 and the largest log likelihood -632.54.

Usage: python examples/kalman.py
"""

import numpy as np
from scipy.optimize import minimize

import fastbs as fb

NILE = np.array([
    1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020, 960, 1180, 799, 958, 1140,
    1100, 1210, 1150, 1250, 1260, 1220, 1030, 1100, 774, 840, 874, 694, 940, 833, 701, 916, 692, 1020, 1050, 969,
    831, 726, 456, 824, 702, 1120, 1100, 832, 764, 821, 768, 845, 864, 862, 698, 845, 744, 796, 1040, 759, 781, 865,
    845, 944, 984, 897, 822, 1010, 771, 676, 649, 846, 812, 742, 801, 1040, 860, 874, 848, 890, 744, 749, 838, 1050,
    918, 986, 797, 923, 975, 815, 1020, 906, 901, 1170, 912, 746, 919, 718, 714, 740,
], float)  # fmt: skip
NEIGHBOURS = np.r_[1.0, np.full(len(NILE) - 2, 2.0), 1.0]


def precision(noise, step):
    """A, as a block-tridiagonal matrix of 1 x 1 blocks."""
    diag = 1 / noise + NEIGHBOURS / step
    return fb.Tridiagonal(np.reshape(diag, (-1, 1, 1)), -np.ones((len(NILE) - 1, 1, 1)) / step)


def log_likelihood(p):
    """Of the logarithms of both variances, with nothing known of the first level."""
    noise, step = np.exp(p)
    A, n = fb.factorize(precision(noise, step)), len(NILE)
    squares = (NILE @ NILE - NILE @ A.solve(NILE) / noise) / noise
    return -((n - 1) * np.log(2 * np.pi) + n * p[0] + (n - 1) * p[1] + A.logdet()[1] + squares) / 2


def smooth(noise, step):
    """(filtered levels, smoothed levels, their variances)."""
    A = fb.factorize(precision(noise, step))
    forward, root = A.L.solve(NILE / noise), A.pivots[:, 0, 0]
    onward = np.r_[np.full(len(NILE) - 1, 1 / step), 0.0]  # what the step to the next level adds to the precision
    filtered = root * forward / (root**2 - onward)
    return filtered, A.L.H.solve(forward), A.inverse_blocks()[0].ravel()


def main():
    descent = fb.value_and_grad(lambda p: -log_likelihood(p))
    found = minimize(descent, np.log([1e4, 1e3]), jac=True, method="BFGS", options={"gtol": 1e-6})
    noise, step = np.exp(found.x)
    print(f"variances: noise {noise:.0f}, step {step:.0f}; log likelihood {-found.fun:.3f}")
    filtered, smoothed, variances = smooth(noise, step)
    for year in (1871, 1898, 1899, 1970):
        k = year - 1871
        spread = np.sqrt(variances[k])
        print(f"{year}: flow {NILE[k]:.0f}, filtered {filtered[k]:.0f}, smoothed {smoothed[k]:.0f} ± {spread:.0f}")
    return found.x


if __name__ == "__main__":
    main()
