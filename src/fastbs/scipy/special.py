"""`scipy.special` for traced programs.

SciPy's ufuncs take traced values themselves. These are the functions that do not; plain arrays pass through to
SciPy, and so does every other name.
"""

import math

import numpy as np
import scipy.special

from .._trace import Traced
from ..rules.reductions import log_sum_exp, top
from ..rules.special import polygamma as traced_polygamma
from ..rules.special import spherical_jn as traced_spherical_jn

__all__ = ["log_softmax", "logsumexp", "multigammaln", "polygamma", "sinc", "softmax", "softplus", "spherical_jn"]


def __getattr__(name):
    return getattr(scipy.special, name)


def is_traced(*values):
    return any(type(x) is Traced for x in values)


def logsumexp(a, axis=None, b=None, keepdims=False, return_sign=False):
    """log(sum(b * exp(a))), as `scipy.special.logsumexp`.

    Parameters
    ----------
    a : array, traced or plain
    axis : int, tuple of int or None
    b : array that broadcasts with a, optional
    keepdims : bool
    return_sign : bool
        Return the logarithm of the absolute value, and the sign, which has derivative 0.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.derivatives import grad
    >>> from fastbs.scipy.special import logsumexp
    >>> grad(logsumexp)(np.zeros(4))
    array([0.25, 0.25, 0.25, 0.25])
    """
    if not is_traced(a, b):
        return scipy.special.logsumexp(a, axis=axis, b=b, keepdims=keepdims, return_sign=return_sign)
    if b is None:
        y = log_sum_exp(a, axis=axis, keepdims=keepdims)
        return (y, np.sign(np.exp(y))) if return_sign else y
    a = np.where(b == 0, -np.inf, a)
    m = top(a, axis)
    s = np.sum(b * np.exp(a - m), axis=axis, keepdims=keepdims)
    m = m if keepdims else np.squeeze(m, axis)
    return (np.log(np.abs(s)) + m, np.sign(s)) if return_sign else np.log(s) + m


def softmax(x, axis=None):
    """exp(x) / sum(exp(x)), as `scipy.special.softmax`.

    Parameters
    ----------
    x : array, traced or plain
    axis : int, tuple of int or None

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.scipy.special import softmax
    >>> softmax(np.zeros(2))
    array([0.5, 0.5])
    """
    if not is_traced(x):
        return scipy.special.softmax(x, axis=axis)
    e = np.exp(x - top(x, axis))
    return e / np.sum(e, axis=axis, keepdims=True)


def log_softmax(x, axis=None):
    """x - log(sum(exp(x))), as `scipy.special.log_softmax`.

    Parameters
    ----------
    x : array, traced or plain
    axis : int, tuple of int or None

    Examples
    --------
    >>> import numpy as np
    >>> from fastbs.scipy.special import log_softmax
    >>> log_softmax(np.zeros(2)).round(3)
    array([-0.693, -0.693])
    """
    if not is_traced(x):
        return scipy.special.log_softmax(x, axis=axis)
    x = x - top(x, axis)
    return x - log_sum_exp(x, axis=axis, keepdims=True)


def softplus(x):
    """log(1 + exp(x)).

    Examples
    --------
    >>> from fastbs.scipy.special import softplus
    >>> softplus(0.0).round(3)
    np.float64(0.693)
    """
    return np.logaddexp(0, x)


def polygamma(n, x):
    """The n-th derivative of the digamma function, as `scipy.special.polygamma`; n is a plain integer.

    Examples
    --------
    >>> from fastbs.scipy.special import polygamma
    >>> polygamma(1, 1.0).round(3)
    np.float64(1.645)
    """
    return traced_polygamma(n, x.astype(float)) if is_traced(x) else scipy.special.polygamma(n, x)[()]


def multigammaln(a, d):
    """The logarithm of the multivariate gamma function, as `scipy.special.multigammaln`; d is a plain integer."""
    if not is_traced(a):
        return scipy.special.multigammaln(a, d)
    a = a.astype(float)  # as SciPy does
    return d * (d - 1) / 4 * math.log(math.pi) + sum(scipy.special.gammaln(a - j / 2) for j in range(d))


def spherical_jn(n, z, derivative=False):
    """The spherical Bessel function of the first kind, as `scipy.special.spherical_jn`; n is a plain integer."""
    if not is_traced(z):
        return scipy.special.spherical_jn(n, z, derivative)
    if derivative:
        before = n * traced_spherical_jn(n - 1, z) if n else 0.0
        return (before - (n + 1) * traced_spherical_jn(n + 1, z)) / (2 * n + 1)
    return traced_spherical_jn(n, z)


def sinc(x):
    """sin(pi x) / (pi x), as `numpy.sinc`."""
    return np.sinc(x)
