"""What a user waits for before the first gradient: importing the package, tracing and compiling."""

import importlib.util
import os
import subprocess
import sys
import tempfile

import numpy as np

import fastbs as fb

from .network_cases import Network, loss
from .paired import format_seconds, median_interval
from .tables import Table, against_peers

__all__ = ["BOUND", "CASE", "IMPORT", "import_seconds", "report", "rivals"]

CASE = "16 x 4, 1"
BOUND = 1 / 40  # of the time of jax.jit, in a process that has compiled something else before
IMPORT = 0.06  # seconds, beyond NumPy and scipy.linalg

SCRIPT = """
import time, numpy, scipy.linalg
start = time.perf_counter()
import fastbs
print(time.perf_counter() - start)
"""


def rivals(peers=True):
    """``{name: function}``, or ours alone; a call compiles a function that was never seen before, and runs it once."""
    network = Network((16,) * 5, 1)

    def ours():
        gradient = fb.compile(fb.value_and_grad(lambda parameters, X, Y: loss(parameters, X, Y)))
        return gradient(network.parameters, network.X, network.Y)

    made = {"fastbs": ours}
    if peers and importlib.util.find_spec("jax"):
        made["jax"] = jax_rival(network)
    return made


def jax_rival(network):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def loss(parameters, X, Y):
        for W, b in parameters:
            X = jnp.tanh(W @ X + b)
        return 0.5 * jnp.sum((X - Y) ** 2)

    arguments = network.as_tensors(jnp.asarray)

    def first():
        gradient = jax.jit(jax.value_and_grad(lambda parameters, X, Y: loss(parameters, X, Y)))
        return jax.block_until_ready(gradient(*arguments))

    return first


def import_seconds(rounds):
    """The median of ``import fastbs`` in fresh processes that have NumPy and scipy.linalg, and its interval."""
    command = [sys.executable, "-c", SCRIPT]
    with tempfile.TemporaryDirectory() as cache:  # as installed packages have bytecode
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def run():
            return float(subprocess.run(command, check=True, capture_output=True, env=environment).stdout)

        run()
        times = [run() for _ in range(rounds)]
    return float(np.median(times)), *median_interval(times)


def report(sizes, rounds):
    """Print the times to the first gradient and to import; return how many bounds are missed."""
    missed = against_peers("first gradient", [(CASE, rivals(), BOUND)], min(rounds, 11), None)
    table = Table("{:<21}{:>9}  {:>8}  {:<22}  {}", "", "time", "required", "", "")
    seconds, *ends = import_seconds(rounds)
    low, high = map(format_seconds, ends)
    verdict = table.verdict(ends[0] <= IMPORT)
    table("import fastbs", format_seconds(seconds), format_seconds(IMPORT), f"[{low}, {high}]", verdict)
    return missed + table.missed
