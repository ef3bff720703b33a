"""NumPy's polynomials: coefficients, the highest power first."""

import numpy as np

from .several import as_array
from .table import composite


@composite(np.polyval)
def polyval(p, x):
    p, x = as_array(p), as_array(x)
    y = np.zeros_like(x)
    for coefficient in p:
        y = y * x + coefficient
    return y


@composite(np.vander)
def vander(x, N=None, increasing=False):
    x = x.astype(np.promote_types(x.dtype, int))  # as NumPy does it: float32 becomes float64
    n = np.shape(x)[0] if N is None else N
    if n == 0:
        return np.zeros_like(x, shape=(np.shape(x)[0], 0))
    powers = [np.ones_like(x)]
    for _ in range(n - 1):
        powers.append(powers[-1] * x)
    return np.stack(powers if increasing else powers[::-1], axis=1)


def aligned(a, b):
    """Two vectors of coefficients as long as the longer one."""
    a, b = np.atleast_1d(as_array(a)), np.atleast_1d(as_array(b))
    n = max(len(a), len(b))
    return (c if len(c) == n else np.concatenate([np.zeros(n - len(c), c.dtype), c]) for c in (a, b))


@composite(np.polyadd)
def polyadd(a1, a2):
    a, b = aligned(a1, a2)
    return a + b


@composite(np.polysub)
def polysub(a1, a2):
    a, b = aligned(a1, a2)
    return a - b


@composite(np.polymul)
def polymul(a1, a2):
    return np.convolve(a1, a2)


@composite(np.polyder)
def polyder(p, m=1):
    p = as_array(p)
    for _ in range(m):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1)  # of a matrix, too, what NumPy makes
    return p


@composite(np.polyint)
def polyint(p, m=1, k=None):
    constants = np.broadcast_to(0 if k is None else k, (m,)) if np.size(k) == 1 or k is None else k
    for i in range(m):
        p = np.concatenate((p / np.arange(np.size(p), 0, -1), constants[i : i + 1]))
    return p


@composite(np.polyfit)
def polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False):
    if full or cov:
        raise TypeError("polyfit: full and cov must be False because only the coefficients are recorded; got True")
    x, y = as_array(x), as_array(y)
    A = np.vander(x, deg + 1)
    if w is not None:
        A, y = A * w[:, None], y * (w if y.ndim == 1 else w[:, None])
    scale = np.sqrt(np.sum(A * A, axis=0))
    rcond = np.shape(x)[0] * np.finfo(x.dtype).eps if rcond is None else rcond
    c = np.linalg.lstsq(A / scale, y, rcond)[0]
    return c / (scale if c.ndim == 1 else scale[:, None])
