"""Hessians of the loss of a tanh network by all parameters in one vector, compiled, against jit(jax.hessian)."""

import importlib.util
import itertools

import numpy as np

import fastbs as fb

from .tables import against_peers

__all__ = ["BOUNDS", "CASES", "report", "rivals"]

# name -> widths, samples
CASES = {
    "224 parameters, 20": ((6, 12, 8, 4), 20),
    "224 parameters, 200": ((6, 12, 8, 4), 200),
    "972 parameters, 20": ((20, 24, 16, 4), 20),
}
BOUNDS = dict(zip(CASES, (0.5, 0.25, 0.25), strict=True))  # the most that ours may take of jit(jax.hessian)'s time


def loss(np, widths):
    """Half the sum of squares, as a function of one vector with every W_i and b_i."""

    def f(p, X, Y):
        start = 0
        for n, m in itertools.pairwise(widths):
            W, b = p[start : start + m * n].reshape(m, n), p[start + m * n : start + m * n + m]
            X = np.tanh(W @ X + b[:, None])
            start += m * n + m
        return 0.5 * np.sum((X - Y) ** 2)

    return f


def rivals(case, peers=True):
    """``{name: function}`` of all that can run here, or of ours alone."""
    widths, samples = CASES[case]
    rng = np.random.default_rng(0)
    p = rng.normal(size=sum(m * n + m for n, m in itertools.pairwise(widths))) / 3
    arguments = p, rng.normal(size=(widths[0], samples)), rng.normal(size=(widths[-1], samples))
    compiled = fb.compile(fb.hessian(loss(np, widths)))
    made = {"fastbs": lambda: compiled(*arguments)}
    if peers and importlib.util.find_spec("jax"):
        import jax
        import jax.numpy as jnp

        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_cpu_enable_async_dispatch", False)
        hessian = jax.jit(jax.hessian(loss(jnp, widths)))
        theirs = jax.tree.map(jnp.asarray, arguments)
        made["jax"] = lambda: jax.block_until_ready(hessian(*theirs))
    return made


def report(sizes, rounds):
    """Print one row per network against JAX; return how many bounds are missed."""
    return against_peers("Hessian", ((case, rivals(case), BOUNDS[case]) for case in CASES), rounds)
