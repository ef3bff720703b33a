"""Covariances, correlations, and weights in bins."""

import numpy as np
import pytest

from fastbs.derivatives import grad
from fastbs.errors import TraceError
from gradients import check

rng = np.random.default_rng(22)
A, B, W = rng.normal(size=(3, 5)), rng.normal(size=(2, 5)), rng.uniform(0.5, 2, 5)
F = np.array([1, 2, 1, 3, 2])
BINS = np.array([0, 2, 2, 5, 0])


CASES = {
    "cov": (np.cov, A),
    "cov of two": (np.cov, A, B),
    "cov of a vector": (np.cov, W),
    "cov of columns": (lambda a: np.cov(a, rowvar=False, ddof=0), A),
    "cov with weights": (lambda a, w: np.cov(a, aweights=w), A, W),
    "cov with weights, biased": (lambda a, w: np.cov(a, aweights=w, bias=True), A, W),
    "cov with counts": (lambda a: np.cov(a, fweights=F), A),
    "cov with both": (lambda a, w: np.cov(a, fweights=F, aweights=w), A, W),
    "cov of dtype": (lambda a: np.cov(a, dtype=np.float64), A),
    "corrcoef": (lambda a: np.corrcoef(a)[0, 1:], A),
    "corrcoef of two": (lambda a, b: np.corrcoef(a, b)[3:, :3], A, B),
    "corrcoef of a vector": (lambda a: np.corrcoef(a) * a, W),
    "bincount": (lambda w: np.bincount(BINS, w) ** 2, W),
    "bincount of more": (lambda w: np.bincount(BINS, weights=w, minlength=9), W),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_rule(name):
    f, *arrays = CASES[name]
    check(f, *arrays, exact=False, float32_tolerance=1e-2)


def test_bins_are_plain():
    with pytest.raises(TraceError, match=r"x must be plain .*fb.stop_gradient"):
        grad(lambda a: np.sum(np.bincount(np.argsort(a), a)))(W)
