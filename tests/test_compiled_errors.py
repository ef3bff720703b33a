"""What compile refuses, and how the message names the line."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import fastbs as fb
from compiled_programs import S, x, y


def test_branches_are_refused_and_named():
    with pytest.raises(
        fb.TraceError, match=r"bool: a branch must not depend .* got one at .*test_compiled_errors.py:\d+"
    ):
        fb.compile(lambda x: x if x[0] > 0 else -x)(x)
    with pytest.raises(fb.TraceError, match=r"fb.cond or fb.scan"):
        fb.compile(fb.grad(lambda x: np.sum(x) if np.sum(x) > 0 else -np.sum(x)))(x)
    assert fb.grad(lambda x: x * x if x > 0 else x)(2.0) == 4.0


def a_flag_from_another_line(x):
    flag = np.any(x > 0)
    return x if flag else -x  # this line


NUMBERS = {
    "float": lambda x: float(x[0]) * x,
    "int": lambda x: int(x[0]) * x,
    "complex": lambda x: complex(x[0]) * x,
    "int, of math.trunc": lambda x: math.trunc(x[0]) * x,
    "float, of math.sqrt": lambda x: math.sqrt(x[0]) * x,
    "round": lambda x: round(x[0]) * x,
    "Traced.item": lambda x: x[0].item() * x,
    "Traced.tolist": lambda x: np.array(x.tolist()),
    "format": lambda x: float(f"{x[0]:.3f}") * x,
    "Traced.__index__, of range": lambda x: sum(x[i] for i in range(np.argmax(x))),
    "Traced.__index__, of a list": lambda x: [1.0, 2.0, 3.0, 4.0, 5.0][np.argmax(x)] * x,
    "Traced.__index__, of a slice": lambda x: x[: np.argmax(x)],
    "Traced.__index__, of a loop": lambda x: fb.scan(lambda s, _: (s / 2, None), x, length=np.argmax(x)),
    "Traced.__array__": lambda x: np.arange(x[0]),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_values_are_refused_and_named(name):
    f = NUMBERS[name]
    line = rf"{name.partition(',')[0]}: .*test_compiled_errors.py:{f.__code__.co_firstlineno}: .*"
    for compiled in (fb.compile(f), fb.compile(fb.grad(lambda x: np.sum(f(x))))):
        with pytest.raises(fb.TraceError, match=line + r"np.where, fb.cond or fb.scan .*leave compile away"):
            compiled(x)


def test_the_line_of_a_branch_is_where_it_branches():
    line = a_flag_from_another_line.__code__.co_firstlineno + 2
    with pytest.raises(fb.TraceError, match=rf"bool: .* got one at .*test_compiled_errors.py:{line}:"):
        fb.compile(a_flag_from_another_line)(x)


def test_values_can_be_looked_at():
    seen = []

    def f(x):
        seen.append(f"{x[0]} {x[1]!s}")
        return x

    fb.compile(f)(x)
    assert seen[0].startswith("Traced(np.float64(")
    assert "Traced" not in repr(fb.grad(lambda x: np.sum(x) * float(f"{np.sum(fb.stop_gradient(x)):.2f}"))(x))


def masked_assignment(x):
    z = x * 2
    z[x > 0] = 0.0
    return z


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x[x > 0],
        lambda x: np.sum(x[x > 0]),
        masked_assignment,
        lambda x: np.nonzero(x)[0],
        lambda x: np.flatnonzero(x),
    ],
)
def test_shapes_that_depend_on_values_are_refused(f):
    with pytest.raises(fb.TraceError, match=r"shapes must not depend on values"):
        fb.compile(f)(x)


def test_chance_is_refused():
    generator = np.random.default_rng(0)
    with pytest.raises(fb.TraceError, match=r"must do the same each time"):
        fb.compile(lambda x: x + generator.normal(size=5))(x)
    with pytest.raises(fb.TraceError, match=r"must do the same each time"):
        fb.compile(lambda x: x * generator.normal())(x)
    f = fb.compile(lambda x: x + np.random.default_rng(1).normal(size=5))  # the same numbers each time
    assert_allclose(f(y), y + np.random.default_rng(1).normal(size=5))


def test_errors_of_the_function_come_through():
    with pytest.raises(ZeroDivisionError):
        fb.compile(lambda x: 1 / 0)(x)
    f = fb.compile(np.linalg.inv)
    assert_allclose(f(S), np.linalg.inv(S))
    with pytest.raises(np.linalg.LinAlgError):
        f(np.zeros((4, 4)))
    assert_allclose(f(S), np.linalg.inv(S))  # the plan is whole
