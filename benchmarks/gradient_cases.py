"""Uncompiled gradients against autograd and PyTorch, and what recording adds to a step of NumPy's own."""

import importlib.util
import timeit

import numpy as np

import fastbs as fb
from fastbs._trace import trace

from .network_cases import PEERS, Network, loss
from .paired import compare, format_seconds
from .tables import Ratios

__all__ = ["BOUNDS", "RECORDING", "STEPS", "WARM", "extra", "network", "recurrence", "report"]

# the most that the gradient may take of each peer's time
BOUNDS = {"network": {"autograd": 1 / 12, "torch": 0.5}, "recurrence": {"autograd": 1 / 15}}
WARM = 40  # calls, after which a structure that repeats runs as a tape
RECORDING = 1e-6  # seconds that recording may add to a step

STEPS = {
    "w @ x": lambda w, x: w @ x,
    "x + x": lambda w, x: x + x,
    "x - plain": lambda w, x: x - PLAIN,
    "x / 2": lambda w, x: x / 2,
    "x**2": lambda w, x: x**2,
    "np.tanh(x)": lambda w, x: np.tanh(x),
    "np.sum(x)": lambda w, x: np.sum(x),
    "np.maximum(x, 0)": lambda w, x: np.maximum(x, 0),
    "x[0]": lambda w, x: x[0],
}
PLAIN = np.ones((16, 1))


def network():
    """The gradient of a network of 4 layers of width 16 at batch 1, ``{name: function}``."""
    case = Network((16,) * 5, 1)
    gradient = fb.value_and_grad(loss)
    rivals = {"fastbs": lambda: gradient(case.parameters, case.X, case.Y)}
    peers = [name for name in BOUNDS["network"] if importlib.util.find_spec(name)]
    return rivals | {name: PEERS[name](case) for name in peers}


def recurrence():
    """The derivative of 1,000 steps of a scalar recurrence, ``{name: function}``."""

    def last(a):
        x = 0.5
        for _ in range(1000):
            x = a * x + 0.1
        return x

    gradient = fb.grad(last)
    rivals = {"fastbs": lambda: gradient(0.9)}
    if importlib.util.find_spec("autograd"):
        import autograd

        theirs = autograd.grad(last)
        rivals["autograd"] = lambda: theirs(0.9)
    return rivals


def extra(name, count=50, number=40, repeat=15):
    """``(NumPy's own, added)``: seconds of one step, and how much longer it takes under a trace."""
    step = STEPS[name]
    w, x = np.ones((16, 16)), np.ones((16, 1))

    def program(w, x):
        for _ in range(count):
            step(w, x)

    def best(run):
        return min(timeit.repeat(run, number=number, repeat=repeat)) / number / count

    plain = best(lambda: program(w, x))
    return plain, best(lambda: trace(program, [w, x])) - plain


def report(sizes, rounds):
    """Print one row per program and peer, and one per recorded step; return how many bounds are missed."""
    table = Ratios("{:<18}", "uncompiled", against=9)
    for program in (network, recurrence):
        rivals, bounds = program(), BOUNDS[program.__name__]
        for _ in range(WARM):
            rivals["fastbs"]()
        result = compare(rivals, "fastbs", rounds)
        for peer in bounds:
            if peer in rivals:
                table.add(result, "fastbs", peer, bounds[peer], program.__name__)
    for step in STEPS:
        plain, added = extra(step)
        times = [format_seconds(seconds) for seconds in (plain + added, plain, RECORDING, added)]
        table(step, times[0], "NumPy", times[1], times[2], "+" + times[3], table.verdict(added <= RECORDING))
    return table.missed
