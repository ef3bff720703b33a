"""SciPy's special functions. Its ufuncs take traced values themselves; the others live in `fastbs.scipy.special`.

Derivatives are those of the NIST Handbook of Mathematical Functions (dlmf.nist.gov), by chapter: 5 gamma, 6 and 7
exponential integrals and error functions, 8 incomplete gamma and beta, 10 Bessel, 19 elliptic integrals.
"""

import math

import numpy as np
import scipy.special as sp

from ..errors import TraceError
from ..operators.elementwise import Elementwise
from .elementwise import cast
from .several import dispatched
from .table import composite, constant, elementwise, functions, primitive, record

SQRT_PI, SQRT_2PI = math.sqrt(math.pi), math.sqrt(2 * math.pi)


def unknown(argument):
    """The line of an argument whose derivative has no closed form."""

    def derivative(y, *x):
        raise TraceError(
            f"scipy.special: {argument} must be plain because no derivative with respect to it is known; got a traced "
            "value, pass fb.stop_gradient(x) or give the function a rule with fb.rule"
        )

    return derivative


# Sigmoids and the normal distribution

elementwise(sp.expit, lambda y, x: y * sp.expit(-x))
elementwise(sp.log_expit, lambda y, x: sp.expit(-x))
elementwise(sp.logit, lambda y, x: 1 / (x * (1 - x)))
elementwise(sp.ndtr, lambda y, x: np.exp(-0.5 * x * x) / SQRT_2PI)
elementwise(sp.log_ndtr, lambda y, x: np.exp(-0.5 * x * x - y) / SQRT_2PI)
elementwise(sp.ndtri, lambda y, x: SQRT_2PI * np.exp(0.5 * y * y))
elementwise(sp.ndtri_exp, lambda y, x: SQRT_2PI * np.exp(0.5 * y * y + x))

# Error functions and exponential integrals

elementwise(sp.erf, lambda y, x: 2 / SQRT_PI * np.exp(-x * x))
elementwise(sp.erfc, lambda y, x: -2 / SQRT_PI * np.exp(-x * x))
elementwise(sp.erfcx, lambda y, x: 2 * x * y - 2 / SQRT_PI)
elementwise(sp.erfi, lambda y, x: 2 / SQRT_PI * np.exp(x * x))
elementwise(sp.erfinv, lambda y, x: SQRT_PI / 2 * np.exp(y * y))
elementwise(sp.erfcinv, lambda y, x: -SQRT_PI / 2 * np.exp(y * y))
elementwise(sp.dawsn, lambda y, x: 1 - 2 * x * y)
elementwise(sp.expi, lambda y, x: np.exp(x) / x)
elementwise(sp.exp1, lambda y, x: -np.exp(-x) / x)
elementwise(sp.expn, unknown("n"), lambda y, n, x: -sp.expn(n - 1, x))
elementwise(sp.spence, lambda y, x: np.log(x) / (1 - x))
elementwise(sp.wrightomega, lambda y, x: y / (1 + y))

# Gamma and beta functions


@dispatched
def polygamma(n, x):
    """The derivative of order n of the digamma function, n a plain integer."""
    return np.asarray(sp.polygamma(n, x)).astype(np.result_type(x, np.float32))[()]


primitive(polygamma, None, lambda y, n, x: Elementwise(polygamma(n + 1, x), x.shape, y.shape))
elementwise(sp.gammaln, lambda y, x: sp.psi(x))
elementwise(sp.loggamma, lambda y, x: sp.psi(x))
elementwise(sp.psi, lambda y, x: polygamma(1, x))
elementwise(sp.gamma, lambda y, x: y * sp.psi(x))
elementwise(sp.rgamma, lambda y, x: -y * sp.psi(x))
elementwise(sp.beta, lambda y, a, b: y * (sp.psi(a) - sp.psi(a + b)), lambda y, a, b: y * (sp.psi(b) - sp.psi(a + b)))
elementwise(sp.betaln, lambda y, a, b: sp.psi(a) - sp.psi(a + b), lambda y, a, b: sp.psi(b) - sp.psi(a + b))
elementwise(
    sp.binom,
    lambda y, n, k: y * (sp.psi(n + 1) - sp.psi(n - k + 1)),
    lambda y, n, k: y * (sp.psi(n - k + 1) - sp.psi(k + 1)),
)


def gamma_density(y, a, x):
    """x^(a-1) e^-x / Gamma(a); SciPy computes in float64 where a is a number."""
    return cast(np.exp(sp.xlogy(a - 1, x) - x - sp.gammaln(a)), y.dtype)


def beta_density(y, a, b, x):
    """x^(a-1) (1-x)^(b-1) / B(a, b)"""
    return cast(np.exp(sp.xlogy(a - 1, x) + sp.xlog1py(b - 1, -x) - sp.betaln(a, b)), y.dtype)


elementwise(sp.gammainc, unknown("a"), gamma_density)
elementwise(sp.gammaincc, unknown("a"), lambda y, a, x: -gamma_density(y, a, x))
elementwise(sp.betainc, unknown("a"), unknown("b"), beta_density)

# Entropies and losses; 0 log 0 = 0


def ratio(x, y):
    """x / y, and 0 / 0 = 0."""
    return x / np.where(x == 0, 1, y)


elementwise(sp.xlogy, lambda z, x, y: np.log(y), lambda z, x, y: ratio(x, y))
elementwise(sp.xlog1py, lambda z, x, y: np.log1p(y), lambda z, x, y: ratio(x, 1 + y))
elementwise(sp.entr, lambda y, x: -np.log(x) - 1)
elementwise(sp.rel_entr, lambda z, x, y: np.log(x / y) + 1, lambda z, x, y: -ratio(x, y))
elementwise(sp.kl_div, lambda z, x, y: np.log(x / y), lambda z, x, y: 1 - ratio(x, y))
elementwise(
    sp.huber, lambda y, d, r: np.maximum(np.absolute(r) - d, 0), lambda y, d, r: np.minimum(np.maximum(r, -d), d)
)
elementwise(
    sp.pseudo_huber,
    lambda y, d, r: 2 * y / d - r * r / np.hypot(d, r),
    lambda y, d, r: r * d / np.hypot(d, r),
)
elementwise(sp.boxcox, lambda y, x, p: x ** (p - 1), unknown("lmbda"))
elementwise(sp.inv_boxcox, lambda x, y, p: x ** (1 - p), unknown("lmbda"))

# Bessel functions

elementwise(sp.j0, lambda y, x: -sp.j1(x))
elementwise(sp.j1, lambda y, x: 0.5 * (sp.j0(x) - sp.jv(2, x)))
elementwise(sp.y0, lambda y, x: -sp.y1(x))
elementwise(sp.y1, lambda y, x: 0.5 * (sp.y0(x) - sp.yv(2, x)))
elementwise(sp.i0, lambda y, x: sp.i1(x))
elementwise(sp.i1, lambda y, x: 0.5 * (sp.i0(x) + sp.iv(2, x)))
elementwise(sp.i0e, lambda y, x: sp.i1e(x) - np.sign(x) * y)
elementwise(sp.i1e, lambda y, x: 0.5 * (sp.i0e(x) + sp.ive(2, x)) - np.sign(x) * y)
elementwise(sp.k0, lambda y, x: -sp.k1(x))
elementwise(sp.k1, lambda y, x: -0.5 * (sp.k0(x) + sp.kv(2, x)))
elementwise(sp.k0e, lambda y, x: y - sp.k1e(x))
elementwise(sp.k1e, lambda y, x: y - 0.5 * (sp.k0e(x) + sp.kve(2, x)))
elementwise(sp.jv, unknown("v"), lambda y, v, x: 0.5 * (sp.jv(v - 1, x) - sp.jv(v + 1, x)))
elementwise(sp.yv, unknown("v"), lambda y, v, x: 0.5 * (sp.yv(v - 1, x) - sp.yv(v + 1, x)))
elementwise(sp.iv, unknown("v"), lambda y, v, x: 0.5 * (sp.iv(v - 1, x) + sp.iv(v + 1, x)))
elementwise(sp.kv, unknown("v"), lambda y, v, x: -0.5 * (sp.kv(v - 1, x) + sp.kv(v + 1, x)))
elementwise(sp.ive, unknown("v"), lambda y, v, x: 0.5 * (sp.ive(v - 1, x) + sp.ive(v + 1, x)) - np.sign(x) * y)
elementwise(sp.kve, unknown("v"), lambda y, v, x: y - 0.5 * (sp.kve(v - 1, x) + sp.kve(v + 1, x)))
functions[np.i0] = lambda x: sp.i0(x)


@dispatched
def spherical_jn(n, z):
    """The spherical Bessel function of order n, a plain integer."""
    return np.asarray(sp.spherical_jn(n, z)).astype(np.result_type(z, np.float32))[()]


# without a singularity at 0: j_n' = (n j_{n-1} - (n + 1) j_{n+1}) / (2 n + 1)
primitive(
    spherical_jn,
    None,
    lambda y, n, z: Elementwise(
        ((n * spherical_jn(n - 1, z) if n else 0.0) - (n + 1) * spherical_jn(n + 1, z)) * (1 / (2 * n + 1)),
        z.shape,
        y.shape,
    ),
)


@composite(np.sinc)
def sinc(x):
    return record(np.sinc, (x,))


# sinc(x) = j_0(pi x)
primitive(np.sinc, lambda y, x: Elementwise(-math.pi * spherical_jn(1, math.pi * x), x.shape, y.shape), recorder=sinc)

# Elliptic integrals

elementwise(sp.ellipk, lambda y, m: (sp.ellipe(m) - (1 - m) * y) / (2 * m * (1 - m)))
elementwise(sp.ellipe, lambda y, m: (y - sp.ellipk(m)) / (2 * m))

# SciPy's own versions of NumPy's functions

elementwise(sp.cbrt, lambda y, x: 1 / (3 * y * y))
elementwise(sp.exp2, lambda y, x: math.log(2) * y)
elementwise(sp.exp10, lambda y, x: math.log(10) * y)
elementwise(sp.expm1, lambda y, x: y + 1)
elementwise(sp.log1p, lambda y, x: 1 / (1 + x))
elementwise(sp.cosm1, lambda y, x: -np.sin(x))
elementwise(sp.sindg, lambda y, x: math.pi / 180 * sp.cosdg(x))
elementwise(sp.cosdg, lambda y, x: -math.pi / 180 * sp.sindg(x))
elementwise(sp.tandg, lambda y, x: math.pi / 180 * (1 + y * y))
constant(sp.round, sp.gammasgn)
