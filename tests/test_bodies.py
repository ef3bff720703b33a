"""Functions inside of a program: what they take from around them, and what is computed where."""

import numpy as np

import fastbs as fb
from fastbs._trace import trace
from fastbs.bodies import closed, recorded, selected, stack_of

X = np.arange(3.0)


def programs(inline):
    """The program of a function that uses exp(w) from outside, made inside of it, and how many values it is given."""
    found = []

    def outside(w):
        program, free, outputs = closed(lambda x: [x * np.exp(w)], [X], inline)
        found.append((len(program.steps), len(program.inputs), len(free)))
        np.testing.assert_array_equal(outputs[0], X * np.exp(2.0))
        return w

    trace(outside, [2.0])
    return found


def test_what_comes_from_outside_is_a_further_input():
    assert programs(inline=False) == [(1, 2, 1)]


def test_what_is_computed_of_outside_values_alone_may_stay_inside():
    assert programs(inline=True) == [(2, 2, 1)]


def test_plain_results_and_inputs_as_results():
    program, free, outputs = closed(lambda x: [x, 2.0], [X])
    assert (program.steps, free, outputs[1]) == ([], [], 2.0)
    inputs, nodes = recorded(program, [X])
    assert nodes == [inputs[0], None]


def test_directions_of_what_is_there():
    given = [None, np.ones((4, 5, 3))]
    assert stack_of([2.0, X], given) == (4, 5)
    assert selected(["y", None], [1, 2]) == (["y"], [1])
    assert selected(["y", "z"], [None, 2]) == (["z"], [2])


def test_a_choice_in_a_loop_in_a_choice():
    def f(x):
        return fb.cond(x[0] > 0, lambda x: fb.scan(step, x, np.ones(4))[0], np.negative, x)

    def step(s, r):
        return fb.cond(s[1] > r, np.sin, np.cos, s), None

    compiled = fb.compile(f)
    for x in (X + 1, X - 1):
        np.testing.assert_allclose(compiled(x), f(x), rtol=1e-14)
