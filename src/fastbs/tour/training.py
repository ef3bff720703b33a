"""From a Problem to a trained network: the gradient checked by complex step, then SciPy's L-BFGS-B."""

from contextlib import contextmanager
from time import perf_counter
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from tqdm import tqdm

from .network import subscript

__all__ = ["BlockCheck", "Clock", "Training", "check_gradient", "train"]

# Its square is far below rounding and nothing is subtracted: the complex step has no error of its own.
STEP = 1e-30
COORDINATES = 10


class Clock:
    """Seconds and calls of named stages, in the order in which they first ran."""

    def __init__(self):
        self.seconds, self.calls = {}, {}

    @contextmanager
    def stage(self, name):
        """Add the time spent in the ``with`` block, and one call, to ``name``; also if the block raises."""
        start = perf_counter()
        try:
            yield
        finally:
            self.add(name, perf_counter() - start)

    def add(self, name, seconds):
        """Add ``seconds`` and one call to ``name``."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        self.calls[name] = self.calls.get(name, 0) + 1


class BlockCheck(NamedTuple):
    """How far the gradient of one parameter block is from complex step, relative to the block."""

    name: str
    shape: tuple
    largest: float  # max |G|, G the gradient of this block
    coordinates: float  # max over some entries of |G_ij - complex step| / max |G|
    direction: float  # |<G, V> - complex step along V| / (||G||_F ||V||_F), V random


def check_gradient(objective, flat, rng):
    """[BlockCheck for W_1, b_1, ..., W_N, b_N] of an Objective at ``flat``.

    df(p)[v] = Im f(p + i h v)/h up to h^2, computed without a difference, with f in plain NumPy: nothing of
    fastbs is in it. Ten entries of each block (all, if it has fewer) and one random direction in it.
    """
    gradient = objective.network.unflatten(objective.value_and_gradient(flat)[1])
    checks, start = [], 0

    def derivative(v):
        p = flat + 1j * STEP * v
        return (objective.loss(p) + objective.penalty(p)).imag / STEP

    for layer, blocks in enumerate(gradient, start=1):
        for letter, G in zip("Wb", blocks, strict=True):
            G, scale = G.ravel(), np.abs(G).max()
            V = rng.normal(size=G.size)
            along = np.zeros_like(flat)
            along[start : start + G.size] = V
            entries = rng.choice(G.size, size=min(COORDINATES, G.size), replace=False)
            steps = [derivative(unit_vector(flat.size, start + entry)) for entry in entries]
            checks.append(
                BlockCheck(
                    f"{letter}{subscript(layer)}",
                    objective.network.shapes[len(checks)],
                    scale,
                    relative(np.abs(G[entries] - steps).max(), scale),
                    relative(abs(G @ V - derivative(along)), np.linalg.norm(G) * np.linalg.norm(V)),
                )
            )
            start += G.size
    return checks


def unit_vector(size, index):
    """e_index of length ``size``."""
    e = np.zeros(size)
    e[index] = 1
    return e


def relative(deviation, scale):
    """deviation/scale, and 0 for 0/0: a block that f does not depend on, agreed by both."""
    return deviation / scale if deviation else 0.0


class Training(NamedTuple):
    """What L-BFGS-B did."""

    flat: np.ndarray  # (size,) the parameters found
    losses: list  # [(training, held out), ...] at the start and after each iteration
    iterations: int
    evaluations: int
    reason: str  # why it stopped, in SciPy's words


def train(objective, held_out, flat, max_iterations, quiet):
    """minimize(f, p, jac=True, method="L-BFGS-B") behind a progress bar on stderr.

    Parameters
    ----------
    objective : Objective
        What is minimized; its clock gets the stages of every evaluation and the rest of SciPy's time.
    held_out : Objective
        The same on the held-out part: watched, never used.
    flat : (size,) array
        Where to begin.
    max_iterations : int
    quiet : bool
        True for no progress bar; it also hides itself when stderr is not a terminal.
    """
    clock = objective.clock

    losses = [(objective.loss(flat), held_out.loss(flat))]
    before = sum(clock.seconds.values())
    start = perf_counter()
    with tqdm(
        total=max_iterations,
        desc="L-BFGS-B",
        unit="it",
        disable=True if quiet else None,
        leave=False,
        ncols=80,
    ) as bar:

        def watch(intermediate_result):
            with clock.stage("held-out loss, for the curve"):
                p = intermediate_result.x
                losses.append((intermediate_result.fun - objective.penalty(p), held_out.loss(p)))
            bar.set_postfix(loss=f"{losses[-1][0]:.4f}", refresh=False)
            bar.update()

        result = minimize(
            objective.value_and_gradient,
            flat,
            jac=True,
            method="L-BFGS-B",
            callback=watch,
            options={"maxiter": max_iterations},
        )
    inside = sum(clock.seconds.values()) - before
    clock.add("L-BFGS-B itself (SciPy)", perf_counter() - start - inside)
    return Training(result.x, losses, result.nit, result.nfev, result.message)
