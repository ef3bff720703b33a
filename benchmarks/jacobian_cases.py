"""Jacobians of chains of tanh layers against JAX in forward and in reverse, compiled there and here, and uncompiled.

A rival is a function without arguments that returns the Jacobian of ``x -> tanh(W_N ... tanh(W_1 x))``. Where a layer
is narrow the order of the product matters: a chain that is thin in the middle is split there, by fastbs without being
asked; in JAX by hand (``split``).
"""

import importlib.util
import itertools

import numpy as np

import fastbs as fb

from .gradient_cases import WARM
from .paired import compare
from .tables import Ratios

__all__ = ["BOUNDS", "CASES", "PEERS", "report", "rivals"]

CASES = {
    "300 5 300": (300, 300, 300, 5, 300, 300, 300),
    "100 10 3": (100, 50, 50, 10, 50, 50, 3),
    "3 10 100": (3, 50, 50, 10, 50, 50, 100),
    "8^7": (8,) * 8,
    "64^7": (64,) * 8,
}
PEERS = ("jacrev", "jacfwd")
SPLIT = {"300 5 300": 3}  # layers in front of the narrow one

# the most that each of ours may take of the time of the better one of JAX's two, and of JAX's with the split by hand
BOUNDS = {
    ("300 5 300", "fastbs"): 1 / 8,
    ("300 5 300", "compiled"): 1 / 12,
    ("100 10 3", "fastbs"): 4.0,
    ("100 10 3", "compiled"): 1 / 5,
    ("3 10 100", "fastbs"): 4.0,
    ("3 10 100", "compiled"): 1 / 5,
    ("8^7", "compiled"): 1 / 5,
    ("64^7", "compiled"): 0.75,
}
BOUND_SPLIT = 1.0


def chain(np):
    def f(x, weights):
        for W in weights:
            x = np.tanh(W @ x)
        return x

    return f


def rivals(case, peers=True):
    """``{name: function}`` of all that can run here, or of ours alone."""
    widths, rng = CASES[case], np.random.default_rng(0)
    weights = [rng.normal(size=(m, n)) / np.sqrt(n) for n, m in itertools.pairwise(widths)]
    x = rng.normal(size=widths[0])
    jacobian = fb.jacobian(chain(np))
    compiled = fb.compile(jacobian)
    made = {"fastbs": lambda: jacobian(x, weights), "compiled": lambda: compiled(x, weights)}
    if peers and importlib.util.find_spec("jax"):
        made |= jax_rivals(x, weights, SPLIT.get(case))
    return made


def jax_rivals(x, weights, layers):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    x, weights = jax.tree.map(jnp.asarray, (x, weights))

    f = chain(jnp)

    def split(x, weights):
        first, last = weights[:layers], weights[layers:]
        return jax.jacfwd(f)(f(x, first), last) @ jax.jacrev(f)(x, first)

    def rival(jacobian):
        jacobian = jax.jit(jacobian)
        return lambda: jax.block_until_ready(jacobian(x, weights))

    made = {name: rival(getattr(jax, name)(f)) for name in PEERS}
    if layers:
        made["split"] = rival(split)
    return made


def report(sizes, rounds):
    """Print a row per chain of ours, against JAX's better one and its split; return how many bounds are missed."""
    table = Ratios("{:<11}{:<10}", "chain", "")
    for case in CASES:
        found = rivals(case)
        for _ in range(WARM):
            found["fastbs"]()
        result = compare(found, "fastbs", rounds, check=1e-10)
        peer = result.fastest(found.keys() & PEERS)
        for name in ("fastbs", "compiled"):
            if peer and (case, name) in BOUNDS:
                table.add(result, name, peer, BOUNDS[case, name], case, name)
        if "split" in found:
            table.add(result, "compiled", "split", BOUND_SPLIT, case, "compiled")
    return table.missed
