"""Which sums are accumulated by their terms, and where."""

import numpy as np
import pytest

from fastbs._trace import steps
from fastbs.compiler.assemble import recorded
from fastbs.compiler.program import from_nodes
from fastbs.compiler.sums import Sums

A, B, C = np.random.default_rng(0).normal(size=(3, 4, 4))


def sums_of(function, *values):
    """How many sums are accumulated, how many terms wait for one, and how many sums go on in the memory of another."""
    nodes, results = recorded(function, values)
    program = from_nodes(nodes, results, steps(results))
    found = Sums(program.steps, program.users())
    assert all(found.covers(step) == (id(step) in found.accumulated | found.waiting) for step in program.steps)
    return len(found.accumulated), len(found.waiting), len(found.outermost)


def shared(A, B):
    P = A @ B
    return P + A, P


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda A, B, C: A @ B + B @ C, (1, 2, 0)),
        (lambda A, B, C: A @ B + B @ C + C @ A, (2, 3, 1)),
        (lambda A, B, C: A @ B - B @ C + C @ A - A @ C, (3, 4, 2)),
        (lambda A, B, C: C + A @ B, (1, 1, 0)),
        (lambda A, B, C: -(A @ B), (1, 1, 0)),
        (lambda A, B, C: A @ B + C[0], (1, 1, 0)),
        (lambda A, B, C: A + B, (0, 0, 0)),
        (lambda A, B, C: A @ B * C, (0, 0, 0)),
        (lambda A, B, C: shared(A, B), (0, 0, 0)),
    ],
)
def test_sums(function, expected):
    assert sums_of(function, A, B, C) == expected
