"""fb.cond: the branch it takes, and the one step it is in a compiled program."""

import numpy as np
import optree
import pytest

import fastbs as fb
from compiled_programs import agree
from test_scan import A, S


def test_cond_takes_one_branch():
    f = lambda x: fb.cond(x > 0, np.sin, lambda x: 3 * x, x)  # noqa: E731
    assert fb.grad(f)(0.5) == pytest.approx(np.cos(0.5))
    assert fb.grad(f)(-0.5) == 3.0


def branched(x, w):
    return fb.cond(x[0] > 0, lambda x: np.sum(np.sqrt(x * x + w @ x)), lambda x: np.sum(w * np.exp(x)), x)


def closed_over(x, w):
    """The root and its derivative are no numbers where the other branch is taken."""
    return fb.cond(x[0] > 0, lambda: np.sqrt(x[0]) * w[0, 0], lambda: x[1] * 0.5)


def several(x, w):
    return fb.cond(
        np.sum(x), lambda x: {"a": x[::-1], "b": (np.float64(1), x @ w)}, lambda x: {"a": 2 * w[0], "b": (x[0], x)}, x
    )


def in_loop(x, w):
    def step(s, row):
        s = fb.cond(s[0] > row[0], lambda s: np.sqrt(s * s + row**2), lambda s: np.sin(w @ s) - 1, s)
        return s, s[1]

    return fb.scan(step, x, w)


def of_loops(x, w):
    return fb.cond(x[0] > 0, lambda x: fb.scan(lambda s, r: (s * r, s), x, w)[0], lambda x: w @ x, x)


CHOICES = [branched, closed_over, several, in_loop, of_loops]


@pytest.mark.parametrize("choice", CHOICES)
def test_compiled_choices(choice):
    given = np.abs(S) + 0.1, np.abs(A)

    def loss(x, w):
        return sum(np.sum(y**2) for y in optree.tree_leaves(choice(x, w)))

    agree(choice, *given)
    agree(fb.value_and_grad(loss, (0, 1)), *given)
    agree(lambda x, w: fb.jvp(choice, (x, w), (np.cos(x), w.T)), *given)
    agree(lambda x, w: fb.hvp(lambda w: loss(x, w))(w, w.T), *given)
    agree(lambda x, w: fb.jacobian(loss)(x, w), *given)


def test_one_branch_runs():
    seen = []

    def note(name):
        @fb.rule(operators=lambda y, x: [fb.Identity()])
        def noted(x):
            seen.append(name)
            return x + 1

        return noted

    f, g = note("f"), note("g")
    compiled = fb.compile(lambda x: fb.cond(x > 0, f, g, x))
    assert (compiled(1.0), compiled(-1.0)) == (2.0, 0.0)
    seen.clear()
    assert (compiled(1.0), compiled(-1.0)) == (2.0, 0.0)
    assert seen == ["f", "g"]
    assert "if the flag" in compiled.report()


def test_results_of_other_kinds_are_selected():
    f = fb.compile(lambda x: fb.cond(x[0] > 0, lambda x: x, lambda x: 0.0, x))
    np.testing.assert_array_equal(f(np.ones(3)), np.ones(3))
    np.testing.assert_array_equal(f(-np.ones(3)), np.zeros(3))


def test_a_flag_is_one_truth_value():
    with pytest.raises(ValueError, match=r"cond: flag must be one truth value .*got shape \(3,\)"):
        fb.compile(lambda x: fb.cond(x > 0, np.sin, np.cos, x))(S)
