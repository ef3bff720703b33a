"""Gradients of loops of 1,000 steps: a Runge-Kutta solution of the Lotka-Volterra equations, and a recurrent network.

Both are written once for `fb.scan` and `jax.lax.scan`, which take the same step; a rival is a function without
arguments that returns the value and the gradient.
"""

import functools
import importlib.util

import numpy as np

import fastbs as fb

from .paired import compare
from .tables import Ratios

__all__ = ["BOUND", "CASES", "GROWTH", "compilers", "report", "rivals"]

LENGTH = 1000
BOUND = 0.9  # the most that ours may take of jax.jit's time
GROWTH = 1.5  # the most that compiling 1,000 steps may take of the time of 10


def predator_prey(np, scan):
    """Four stages of the classical Runge-Kutta method a step; the parameters are rates and start."""
    h = 0.01

    def slope(u, p):
        x, y = u[0], u[1]
        return np.stack([p[0] * x - p[1] * x * y, p[3] * x * y - p[2] * y])

    def step(u, p):
        a = slope(u, p)
        b = slope(u + h / 2 * a, p)
        c = slope(u + h / 2 * b, p)
        d = slope(u + h * c, p)
        return u + h / 6 * (a + 2 * b + 2 * c + d)

    def loss(parameters, data):
        rates, start = parameters

        def body(u, _):
            u = step(u, rates)
            return u, u

        _, us = scan(body, start, None, length=LENGTH)
        return 0.5 * np.sum((us - data) ** 2)

    return loss


def predator_prey_data(rng):
    return (np.array([1.5, 1.0, 3.0, 1.0]), np.array([1.0, 1.0])), rng.random((LENGTH, 2))


def recurrent(np, scan):
    """h_i = tanh(W h_{i-1} + U x_i + b), width 32."""

    def loss(parameters, data):
        W, U, b = parameters
        X, Y = data

        def body(h, x):
            h = np.tanh(W @ h + U @ x + b)
            return h, h

        _, hs = scan(body, np.zeros_like(b), X)
        return 0.5 * np.sum((hs - Y) ** 2)

    return loss


def recurrent_data(rng, n=32):
    W, U = rng.normal(size=(2, n, n)) / np.sqrt(n)
    return (W, U, rng.normal(size=n)), (rng.normal(size=(LENGTH, n)), rng.normal(size=(LENGTH, n)))


CASES = {
    "Runge-Kutta, 2": (predator_prey, predator_prey_data),
    "recurrent, 32": (recurrent, recurrent_data),
}


def rivals(case, dtype=np.float64, peers=True):
    """``{name: function}`` of all that can run here, or of ours alone."""
    loss, data = CASES[case]
    arguments = in_dtype(data(np.random.default_rng(0)), dtype)
    compiled = fb.compile(fb.value_and_grad(loss(np, fb.scan)))
    made = {"fastbs": lambda: compiled(*arguments)}
    if peers and importlib.util.find_spec("jax"):
        made["jax"] = jax_rival(loss, arguments)
    return made


def compilers(case):
    """Making the plan for 10 steps and for 1,000."""
    loss, data = CASES[case]
    parameters, rows = data(np.random.default_rng(0))
    made = {}
    for length in (10, LENGTH):
        cut = tuple(x[:length] for x in rows) if isinstance(rows, tuple) else rows[:length]
        f = loss(np, functools.partial(cut_scan, length))
        made[f"{length} steps"] = functools.partial(compiled, f, parameters, cut)
    return made


def cut_scan(count, step, state, xs, length=None):
    return fb.scan(step, state, xs, length if length is None else count)


def compiled(f, *arguments):
    return fb.compile(fb.value_and_grad(f)).bind(*arguments)


def in_dtype(tree, dtype):
    return tuple(in_dtype(x, dtype) for x in tree) if isinstance(tree, tuple) else tree.astype(dtype)


def jax_rival(loss, arguments):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    gradient = jax.jit(jax.value_and_grad(loss(jnp, jax.lax.scan)))
    arguments = jax.tree.map(jnp.asarray, arguments)
    return lambda: jax.block_until_ready(gradient(*arguments))


def report(sizes, rounds):
    """Print one row per loop and dtype, and one for the time to compile it; return how many bounds are missed."""
    table = Ratios("{:<16}{:<9}", "loop", "dtype", against=15)
    for case in CASES:
        for dtype in (np.float64, np.float32):
            ours, *peers = found = rivals(case, dtype)
            result = compare(found, ours, rounds, target=1e-2)
            for peer in peers:
                table.add(result, ours, peer, BOUND, case, dtype.__name__)
        result = compare(compilers(case), "10 steps", rounds, target=5e-2)
        table.add(result, f"{LENGTH} steps", "10 steps", GROWTH, case, "compile")
    return table.missed
