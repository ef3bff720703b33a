"""compile(f, checkpoint=K): bit for bit the numbers of all states stored, in less memory."""

import sys

import numpy as np
import optree
import pytest

import fastbs as fb
from compiled_programs import WITHOUT
from fastbs.compiled import Compiled
from fastbs.compiler.checkpoints import ADVANCE, schedule_of
from test_scan import XS, A, S, all_results, elementwise, in_place, last_state, nested, recurrent

LENGTH = 40
rng = np.random.default_rng(3)
ROWS = rng.normal(size=(LENGTH, 3))


@pytest.mark.parametrize("snapshots", [1, 2, 3, 7, 30])
@pytest.mark.parametrize("n", [2, 3, 8, 41])
def test_schedules_are_run_by_hand(n, snapshots):
    schedule = schedule_of(n, snapshots)
    places = dict.fromkeys(range(schedule.places))
    places[0] = 0  # the state in front of step 0

    def run(entries):
        for body, step, source, target in entries.tolist():
            if body == ADVANCE:
                assert places[source] == step
                assert target != source
                places[target] = step + 1
            else:
                assert (places[source], places[target]) == (n - 1 - step, n - step)
                yield step

    assert schedule.places <= min(snapshots, n - 1) + 4
    assert [*run(schedule.forward)] == []
    assert places[schedule.forward[-1][3]] == n
    assert [*run(schedule.back)] == [*range(n)]


def arena(compiled):
    return int(compiled.report().splitlines()[1].split()[1])


def same_bits(f, *arguments, snapshots=(1, 3, 11)):
    """Compiled with few states, a function gives the same bits, on other arguments too; returns the plans' arenas."""
    stored, sizes = Compiled(f, passes=WITHOUT["distributed"]), []
    expected = [optree.tree_leaves(stored(*given)) for given in (arguments, [-x for x in arguments])]
    for count in snapshots:
        compiled = fb.compile(f, checkpoint=count)
        for given, values in zip((arguments, [-x for x in arguments]), expected, strict=True):
            for y, z in zip(optree.tree_leaves(compiled(*given)), values, strict=True):
                np.testing.assert_array_equal(y, z)
        sizes.append(arena(compiled))
    return [*sizes, arena(stored)]


@pytest.mark.parametrize("body", [recurrent, elementwise, in_place, nested])
def test_the_same_bits(body):
    for loss in (last_state, all_results):
        same_bits(fb.value_and_grad(loss(body), (0, 1, 2)), S, ROWS, A)


def test_less_memory():
    f = fb.grad(lambda s, w: np.sum(fb.scan(lambda s, _: (np.tanh(w @ s), None), s, length=1000)[0]), (0, 1))
    sizes = same_bits(f, rng.normal(size=50), rng.normal(size=(50, 50)))
    states, report = 50 * 8, fb.compile(f, checkpoint=3)
    report(rng.normal(size=50), rng.normal(size=(50, 50)))
    schedules = schedule_of(999, 3)
    assert report.plan.tape.report.constants >= schedules.forward.nbytes + schedules.back.nbytes
    assert sizes[-1] > 1000 * states
    assert sizes[0] < sizes[1] < sizes[2] < sizes[-1] - 980 * states


def test_loops_in_loops_and_backwards():
    def f(s, w):
        def outer(s, row):
            s, _ = fb.scan(lambda s, _: (np.sin(w @ s) + row, None), s, length=9)
            return s, s[0]

        s, ys = fb.scan(outer, s, ROWS[::-1])
        return np.sum(s) + np.sum(ys)

    sizes = same_bits(fb.value_and_grad(f, (0, 1)), S, A)
    assert sizes[0] < sizes[-1]


def test_states_of_several_dtypes():
    def f(a, b, w):
        def step(state, _):
            a, b = state
            return (np.sin(a) * np.float32(0.9), np.cos(b + w @ b) + np.sum(a)), None

        a, b = fb.scan(step, (a, b), length=LENGTH)[0]
        return np.sum(a) + np.sum(b)

    same_bits(fb.value_and_grad(f, (0, 1, 2)), np.ones(5, np.float32), S, A)


def test_states_that_are_needed_otherwise_are_stored():
    f = lambda s, xs, w: fb.hvp(lambda w: all_results(recurrent)(s, xs, w))(w, w.T)  # noqa: E731
    same_bits(f, S, XS, A)
    same_bits(lambda s, xs, w: fb.scan(lambda s, x: recurrent(s, x, w), s, xs), S, XS, A)


def test_what_checkpoint_must_be(monkeypatch):
    assert fb.compile(np.sin, checkpoint=np.int64(3)).checkpoint == 3
    for given in (0, -1, 2.0, True, "all"):
        with pytest.raises(ValueError, match=rf"checkpoint must be a positive int .*got {given!r}"):
            fb.compile(np.sin, checkpoint=given)
    monkeypatch.setitem(sys.modules, "checkpoint_schedules", None)
    with pytest.raises(ImportError, match=r"pip install fastbs\[checkpoint\]"):
        fb.compile(fb.grad(last_state(recurrent)), checkpoint=2)(S, ROWS, A)
