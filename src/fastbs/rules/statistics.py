"""Covariances, correlations, and weights counted in bins."""

import numpy as np

from .._trace import Traced
from ..errors import TraceError
from .several import as_array
from .table import composite


@composite(np.cov)
def cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None):
    X = variables(m, rowvar)
    if y is not None:
        X = np.concatenate((X, variables(y, rowvar)), axis=0)
    X = X.astype(np.result_type(X.dtype, np.float64) if dtype is None else dtype)
    ddof = (0 if bias else 1) if ddof is None else ddof
    if fweights is None and aweights is None:
        w, number = None, np.shape(X)[1] - ddof
    else:
        aweights = None if aweights is None else as_array(aweights).astype(float)
        w = 1 if fweights is None else fweights
        w = w if aweights is None else w * aweights
        total = np.sum(w)
        number = total - (ddof if aweights is None else ddof * np.sum(w * aweights) / total if ddof else 0)
    X = X - np.average(X, axis=1, weights=w)[:, None]
    return np.squeeze(X @ np.conjugate(X if w is None else X * w).T / number)


def variables(m, rowvar):
    """The array with a variable in each row."""
    X = np.atleast_2d(as_array(m))
    return X if rowvar or (np.shape(X)[0] == 1 and np.ndim(m) < 2) else X.T


@composite(np.corrcoef)
def corrcoef(x, y=None, rowvar=True, *, dtype=None):
    c = cov(x, y, rowvar, dtype=dtype)
    if np.ndim(c) == 0:
        return c / c
    deviation = np.sqrt(np.diagonal(c))
    return np.clip(c / deviation[:, None] / deviation[None, :], -1, 1)


@composite(np.bincount)
def bincount(x, weights=None, minlength=0):
    if type(x) is Traced:
        raise TraceError(
            "bincount: x must be plain because the length of the result depends on it; got a traced value, pass "
            "fb.stop_gradient(x), or add up with np.add.at(np.zeros_like(w, shape=n), x, w)"
        )
    y = np.zeros_like(weights, float, shape=max(np.max(x, initial=-1) + 1, minlength))
    np.add.at(y, x, weights)
    return y
