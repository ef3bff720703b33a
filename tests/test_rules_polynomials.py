"""NumPy's polynomials of traced coefficients and points."""

import numpy as np
import pytest

from fastbs.derivatives import grad
from gradients import check

rng = np.random.default_rng(21)
P, Q, X = rng.normal(size=4), rng.normal(size=2), rng.uniform(0.5, 1.5, (2, 3))
POINTS, VALUES = np.array([0.1, 0.4, 1.0, 1.3, 2.0]), rng.normal(size=5)

CASES = {
    "polyval": (np.polyval, P, X),
    "polyval of a number": (lambda p: np.polyval(p, 2.0), P),
    "polyval of numbers": (lambda x: np.polyval([1.0, -2.0, 0.5], x), X),
    "vander": (np.vander, Q),
    "vander increasing": (lambda x: np.vander(x, 4, increasing=True), P),
    "vander of no column": (lambda x: np.vander(x, 0) @ np.ones(0, x.dtype), Q),
    "polyadd": (np.polyadd, P, Q),
    "polyadd of a list": (lambda q: np.polyadd([1.0, 2.0, 3.0], q), Q),
    "polysub": (np.polysub, Q, P),
    "polymul": (np.polymul, P, Q),
    "polysub of an array": (lambda a: np.polysub(a, np.ones((3, 3))), np.arange(3.0)),
    "polyder": (np.polyder, P),
    "polyder twice": (lambda p: np.polyder(p, 2), P),
    "polyder of a matrix": (lambda x: np.polyder(x.T), X),
    "polyint": (np.polyint, P),
    "polyint twice": (lambda p: np.polyint(p, 2, [0.5, 2.0]), P),
    "polyint with one constant": (lambda p: np.polyint(p, 1, 3.0), P),
    "polyfit": (lambda x, y: np.polyfit(x, y, 2), POINTS, VALUES),
    "polyfit with weights": (lambda x, y, w: np.polyfit(x, y, 1, w=w), POINTS, VALUES, np.exp(VALUES)),
    "polyfit of columns": (lambda x, y: np.polyfit(x, np.stack([y, y**2], axis=1), 1), POINTS, VALUES),
    "polyfit with weighted columns": (
        lambda x, y: np.polyfit(x, np.stack([y, x], axis=1), 1, w=np.array([1, 2, 3, 2, 1], x.dtype)), POINTS, VALUES,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_rule(name):
    f, *arrays = CASES[name]
    check(f, *arrays, exact=False, float32_tolerance=1e-2)


def test_polyfit_gives_coefficients_only():
    with pytest.raises(TypeError, match=r"full and cov must be False .* got True"):
        grad(lambda y: np.sum(np.polyfit(POINTS, y, 1, cov=True)[0]))(VALUES)
