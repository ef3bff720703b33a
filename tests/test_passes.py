"""Passes over programs: each can be left out, and each changes something."""

import numpy as np
import pytest

import fastbs as fb
from compiled_programs import PROGRAMS, WITHOUT, A, B, agree, loss, network, x
from fastbs.compiler.assemble import PASSES

rng = np.random.default_rng(1)


@pytest.mark.parametrize("without", WITHOUT)
@pytest.mark.parametrize("name", ["network", "Rosenbrock", "softmax", "hessian", "powers", "random-like chain"])
def test_passes_can_be_left_out(name, without):
    f, *arguments = PROGRAMS[name]
    agree(f, *arguments, passes=WITHOUT[without])


@pytest.mark.slow
@pytest.mark.parametrize("without", WITHOUT)
@pytest.mark.parametrize("name", PROGRAMS)
def test_passes_can_be_left_out_of_all_programs(name, without):
    f, *arguments = PROGRAMS[name]
    agree(f, *arguments, passes=WITHOUT[without])


def loop_of_numbers(w):
    return fb.grad(lambda w: fb.scan(lambda s, x: (s * w, np.sin(x)), w, np.arange(5.0))[0])(w)


def two_loops(w):
    return fb.scan(lambda state, _: ((w @ state[0], np.tanh(w @ state[1])), None), (w[0], w[1]), length=5)[0]


@pytest.mark.parametrize(
    ("without", "f", "arguments"),
    [
        ("simplify", lambda x: 1.0 * x + 0.0 * np.sin(3.0), (x,)),
        ("common_subexpressions", lambda x: np.tanh(x) + np.tanh(x) ** 2, (x,)),
        ("pruned", lambda w: fb.cond(w[0, 0] > 0, lambda w: (w, np.sin(w)), lambda w: (-w, np.tanh(w)), w)[0], (A,)),
        ("known_states", fb.grad(lambda w: np.sum(two_loops(w)[1])), (rng.normal(size=(20, 20)) / 20,)),
        ("scalars", two_loops, (rng.normal(size=(3, 3)) / 3,)),
        ("distributed", loop_of_numbers, (0.7,)),
        ("fused", fb.value_and_grad(loss), network((3, 5, 4), 7)),
        ("sums", lambda a, b: a @ b + b @ a, (A, B)),
        ("functions", lambda a, b: np.tanh(a @ b), (A, B)),
        ("reused", fb.value_and_grad(loss), network((3, 5, 4), 7)),
        ("layers", fb.value_and_grad(loss), network((8, 9, 8), 1)),
        ("chunks", fb.value_and_grad(loss), network((3, 5, 4), 90_000)),
    ],
)
def test_a_pass_changes_something(without, f, arguments):
    work = [
        (report.instructions, report.flops, report.traffic, report.arena)
        for report in (agree(f, *arguments, passes=passes).plan.tape.report for passes in (PASSES, WITHOUT[without]))
    ]
    assert work[0] != work[1]
    assert without == "scalars" or any(some < more for some, more in zip(*work, strict=True))
