"""compile: the same numbers as without it; arguments, results and plans."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal

import fastbs as fb
from compiled_programs import PROGRAMS, A, B, agree, x
from fastbs.compiled import MANY_PLANS, MOST_PLANS
from fastbs.compiler import lowering

rng = np.random.default_rng(1)


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    f, *arguments = PROGRAMS[name]
    agree(f, *arguments)


def test_values_that_are_not_finite():
    z = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-310, 1e308])
    agree(
        lambda z: (np.maximum(z, 0.0), np.fmax(z, 0.0), np.where(z > 0, z, -z), np.sign(z), np.tanh(z), z * 2, z - z), z
    )
    compiled = agree(lambda z: (np.signbit(-1 * z[1:-1]), np.isfinite(z), z**2, 1 * z, z + 0.0), z)
    assert "Python" in compiled.report()


def test_what_kernels_cannot_do_is_called(monkeypatch):
    monkeypatch.setattr(lowering, "LARGEST", 2)
    compiled = agree(lambda A: (A @ B + B @ A, A.T, A @ x[:4]), A)
    assert "0 calls" not in compiled.report()
    monkeypatch.undo()
    many = rng.normal(size=(2,) * 8)
    agree(
        lambda T: np.transpose(T, (7, 1, 5, 3, 4, 2, 6, 0)) * T[::-1] + np.transpose(T, (1, 0, 3, 2, 5, 4, 7, 6)), many
    )


# Arguments, results, and plans


def test_arguments_may_be_replaced_while_a_plan_runs():
    big, is_made = [np.full(300_000, 1.0)], False

    def replacing(x):
        if is_made:
            big[0] = None
        return x

    replacing = fb.rule(replacing, lambda y, x: [fb.Identity()])
    compiled = fb.compile(lambda big, x: (replacing(x), np.sum(np.tanh(big[0]))))
    compiled(big, x)
    is_made = True
    for _ in range(3):
        big[0] = np.full(300_000, 1.0)
        assert_allclose(compiled(big, x)[1], 300_000 * np.tanh(1.0))


def test_what_calls_take_is_captured_by_value():
    many, M = np.ones(10_000), scipy.sparse.csr_array(np.eye(5))
    kernel = np.ones(3)
    compiled = fb.compile(lambda x: (np.interp(x, np.arange(10_000.0), many), fb.Left(M) @ x, np.convolve(x, kernel)))
    first = compiled(x)
    assert_array_equal(first[1], x)
    many[:], M.data[:], kernel[:] = 7.0, 7.0, 7.0
    for p, q in zip(first, compiled(x), strict=True):
        assert_array_equal(p, q)


def test_numbers_that_are_arrays_are_captured_by_value():
    s = np.array(2.0)
    compiled = fb.compile(lambda x: (s, s * x))
    compiled(x)
    s[...] = 3.0
    assert compiled(x)[0] == 2.0
    assert_allclose(compiled(x)[1], 2 * x)


def test_results_are_new_each_time():
    f = fb.compile(lambda x: (x, np.ones(2), x[1:]))
    first, second = f(x), f(x)
    for p, q in zip(first, second, strict=True):
        assert p.flags.owndata
        assert p.flags.writeable
        assert not np.shares_memory(p, q)
        assert not np.shares_memory(p, x)


def test_many_plans_warn_and_are_forgotten():
    f = fb.compile(lambda x, n: x * n)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in range(MANY_PLANS):
            f(x, n)
    with pytest.warns(RuntimeWarning, match=r"compiled for more than 16 signatures") as warned:
        f(x, 100)
    assert warned[0].filename == __file__
    for n in range(200, 200 + MOST_PLANS):
        f(x, n)
    assert len(f.plans) == MOST_PLANS


def test_closed_over_arrays_are_captured_by_value():
    w = np.ones(5)
    f = fb.compile(lambda x: w * x)
    f(x)
    w[:] = 2.0
    assert_array_equal(f(x), x)


def test_inside_another_trace_its_steps_are_steps_there():
    inner = fb.compile(lambda x: np.sum(x**2))
    assert_allclose(fb.grad(inner)(x), 2 * x)
    assert_allclose(fb.compile(fb.grad(inner))(x), 2 * x)


def test_pickles_and_copies():
    f = fb.compile(np.tanh)
    f(x)
    for g in (pickle.loads(pickle.dumps(f)), copy.copy(f), copy.deepcopy(f)):
        assert_allclose(g(x), np.tanh(x), rtol=1e-14)


@pytest.mark.parametrize("make", [float, np.float64, np.float32, complex, np.complex64, np.complex128])
def test_numbers_come_as_they_are(make):
    f = fb.compile(lambda x: np.concatenate([np.stack([x]), np.stack([x])]))
    parts = (-0.0, 0.0, np.inf, -np.inf, np.nan, 1.5)
    is_complex = np.dtype(make).kind == "c"
    for number in [complex(p, q) for p in parts for q in parts] if is_complex else parts:
        x = make(number)
        for found in f(x):
            for part in ("real", "imag"):
                a, b = getattr(found, part), getattr(x, part)
                np.testing.assert_equal(a, b)
                assert np.isnan(b) or np.signbit(a) == np.signbit(b)
