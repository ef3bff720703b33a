"""Gradients of programs that are not networks, compiled, against jax.jit of the same functions.

Each is written once for `numpy` and `jax.numpy`; what NumPy itself does not have, the program takes from ``tools``. A
rival is a function without arguments that returns the value and the gradient.
"""

import importlib.util

import numpy as np

import fastbs as fb
from fastbs.scipy.linalg import solve_triangular
from fastbs.scipy.special import logsumexp, ndtr

from .tables import against_peers

__all__ = ["BOUND", "CASES", "report", "rivals"]

BOUND = 0.9  # the most that ours may take of jax.jit's time


class Mixture:
    """Log-likelihood of a Gaussian mixture, 10,000 samples in 8 dimensions, 16 components, by precision factors."""

    @staticmethod
    def data(rng, samples=10_000, d=8, components=16):
        factors = 0.3 * rng.normal(size=(components, d, d)) + np.eye(d)
        parameters = rng.normal(size=components), rng.normal(size=(components, d)), factors
        return parameters, rng.normal(size=(samples, d))

    @staticmethod
    def loss(np, tools):
        def log_likelihood(parameters, X):
            logits, means, factors = parameters
            z = np.einsum("kij,nkj->nki", factors, X[:, None, :] - means)
            log_det = np.sum(np.log(np.abs(np.diagonal(factors, axis1=1, axis2=2))), axis=1)
            log_p = logits - tools.logsumexp(logits) + log_det - 0.5 * np.sum(z**2, axis=2)
            return np.sum(tools.logsumexp(log_p, axis=1))

        return log_likelihood


class Logistic:
    """Logistic regression, 20,000 samples with 50 features."""

    @staticmethod
    def data(rng, samples=20_000, features=50):
        X = rng.normal(size=(samples, features))
        return rng.normal(size=features) / 10, (X, np.where(rng.random(samples) < 0.5, -1.0, 1.0))

    @staticmethod
    def loss(np, tools):
        def loss(w, data):
            X, y = data
            return np.sum(np.logaddexp(0, -y * (X @ w))) + 0.5 * np.sum(w**2)

        return loss


class BlackScholes:
    """The greeks of 100,000 European calls: derivatives by spot, volatility, rate and time."""

    @staticmethod
    def data(rng, options=100_000):
        spot, strike = rng.uniform(80, 120, options), rng.uniform(80, 120, options)
        volatility, rate = rng.uniform(0.1, 0.5, options), rng.uniform(0, 0.05, options)
        return (spot, volatility, rate, rng.uniform(0.1, 2, options)), strike

    @staticmethod
    def loss(np, tools):
        def total(parameters, strike):
            spot, volatility, rate, time = parameters
            spread = volatility * np.sqrt(time)
            d1 = (np.log(spot / strike) + (rate + 0.5 * volatility**2) * time) / spread
            return np.sum(spot * tools.ndtr(d1) - strike * np.exp(-rate * time) * tools.ndtr(d1 - spread))

        return total


class Rosenbrock:
    """Rosenbrock's function of 1,000 variables."""

    @staticmethod
    def data(rng, n=1000):
        return rng.normal(size=n), None

    @staticmethod
    def loss(np, tools):
        return lambda x, _: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


class GaussianProcess:
    """Marginal likelihood of a Gaussian process with 500 samples by amplitude, length and noise."""

    @staticmethod
    def data(rng, n=500):
        x = np.sort(rng.uniform(0, 10, n))
        return np.array([0.1, -0.2, -1.0]), (x, np.sin(x) + 0.1 * rng.normal(size=n))

    @staticmethod
    def loss(np, tools):
        def loss(logs, data):
            x, y = data
            amplitude, length, noise = np.exp(logs[0]), np.exp(logs[1]), np.exp(logs[2])
            K = amplitude * np.exp(-0.5 * ((x[:, None] - x) / length) ** 2) + noise * np.eye(len(x))
            factor = np.linalg.cholesky(K)
            z = tools.solve_triangular(factor, y, lower=True)
            return 0.5 * np.sum(z**2) + np.sum(np.log(np.diagonal(factor)))

        return loss


CASES = {
    "mixture": Mixture,
    "logistic": Logistic,
    "Black-Scholes": BlackScholes,
    "Rosenbrock": Rosenbrock,
    "Gaussian process": GaussianProcess,
}


class Tools:
    """What NumPy itself does not have."""

    logsumexp = staticmethod(logsumexp)
    ndtr = staticmethod(ndtr)
    solve_triangular = staticmethod(solve_triangular)


def rivals(case, peers=True):
    """Ours, and JAX's where it is installed, if peers are asked for: ``{name: function}``."""
    program = CASES[case]
    arguments = program.data(np.random.default_rng(0))
    compiled = fb.compile(fb.value_and_grad(program.loss(np, Tools)))
    made = {"fastbs": lambda: compiled(*arguments)}
    if peers and importlib.util.find_spec("jax"):
        made["jax"] = jax_rival(program, arguments)
    return made


def jax_rival(program, arguments):
    import jax
    import jax.numpy as jnp
    from jax.scipy import linalg, special

    class tools:
        logsumexp, ndtr, solve_triangular = special.logsumexp, special.ndtr, linalg.solve_triangular

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    gradient = jax.jit(jax.value_and_grad(program.loss(jnp, tools)))
    arguments = jax.tree.map(jnp.asarray, arguments)
    return lambda: jax.block_until_ready(gradient(*arguments))


def report(sizes, rounds):
    """Print one row per program against JAX; return how many bounds are missed."""
    return against_peers("program", ((case, rivals(case), BOUND) for case in CASES), rounds)
