"""Solves of a recorded program: what they keep in memory."""

import gc
import tracemalloc

import numpy as np
import pytest

from fastbs._trace import steps
from fastbs.derivatives import grad
from fastbs.recording import Recording

SIZE = 12_500  # elements of a value: 100 KB


def elementwise(x, N):
    for _ in range(N):
        x = 1.01 * np.sin(x) + 0.1
    return np.sum(x)


def recurrent(p, N):
    W, x = p
    for _ in range(N):
        x = np.tanh(W @ x)
    return np.sum(x)


def accumulated(x, N):
    total = 0.0
    for i in range(N):
        total = total + np.sum(np.exp(-i * x))
    return total


def in_place(x, N):
    A = x * 1
    for i in range(N):
        A += np.cos(A)
        A[i] = 0.5 * A[i - 1] ** 2
    return np.sum(A)


PROGRAMS = {
    "elementwise": (elementwise, np.ones(SIZE)),
    "recurrent": (recurrent, (0.5 * np.eye(125), np.ones((125, SIZE // 125)))),
    "accumulated": (accumulated, np.ones(SIZE)),
    "in place": (in_place, np.ones((125, SIZE // 125))),
}


def stored(f, x, N):
    """Bytes of the values that the trace of ``f(x, N)`` holds, views counted once."""
    recording = Recording(f, (x, N), {}, 0, "grad")
    arrays = {}
    for node in steps(recording.outputs):
        owner = node.value
        while isinstance(getattr(owner, "base", None), np.ndarray):
            owner = owner.base
        if isinstance(owner, np.ndarray):
            arrays[id(owner)] = owner
    return sum(array.nbytes for array in arrays.values())


def peak(f, x, N):
    """The most bytes at one time during a gradient."""
    derivative = grad(f)
    for _ in range(3):
        derivative(x, N)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        derivative(x, N)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", PROGRAMS)
def test_reverse_solve_needs_little_more_than_the_values(name):
    """At most 1.3 of the stored values' size, and as much for every step: linear in their number."""
    f, x = PROGRAMS[name]
    peaks = {N: peak(f, x, N) for N in (20, 40, 80)}
    for N, found in peaks.items():
        assert found <= 1.3 * stored(f, x, N), N
    assert peaks[80] - peaks[40] == pytest.approx(2 * (peaks[40] - peaks[20]), rel=0.05)
