"""Signatures: what two calls must have in common to share a plan, and which arguments and results have none."""

import functools
from collections import OrderedDict, defaultdict
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import fastbs as fb
from compiled_programs import A, B, x, y


def test_a_plan_for_every_signature():
    calls = []

    def f(x, n=2, power=1.0):
        calls.append(n)
        return n * x**power

    compiled = fb.compile(f)
    assert_allclose(compiled(x, 3), 3 * x)
    made = len(calls)
    assert_allclose(compiled(y, 3), 3 * y)
    assert_allclose(compiled(np.tile(y, 2)[::2], 3), 3 * np.tile(y, 2)[::2])
    assert_allclose(compiled(x, 3, power=2.0), 3 * x**2)
    made_again = len(calls)
    assert_allclose(compiled(x, 3, power=3.0), 3 * x**3)
    assert len(calls) == made_again > made
    for given in ((x, 4), (x, True), (x.astype("f4"), 3), (x[:3], 3), (x[None], 3), (np.asfortranarray(A), 3), (A, 3)):
        assert_allclose(compiled(*given), given[1] * given[0])
    assert compiled(x, True).dtype == float
    assert len(compiled.plans) == 9


def test_strided_and_foreign_arrays_are_copied():
    compiled = fb.compile(lambda x: 2 * x)
    wide = np.arange(10.0)
    assert_array_equal(compiled(wide[::2]), 2 * wide[::2])
    assert_array_equal(compiled(wide[::-2]), 2 * wide[::-2])
    assert_array_equal(compiled(wide[:5].astype(">f8")), 2 * wide[:5])
    raw = np.zeros(41, "u1")[1:].view(float)
    raw[...] = wide[:5]
    assert_array_equal(compiled(raw), 2 * wide[:5])
    assert len(compiled.plans) == 1


class Pair(NamedTuple):
    a: np.ndarray
    b: float


def test_nesting_is_kept():
    f = fb.compile(lambda p, *, q: (Pair(p.a * p.b, q["s"][0]), [q, None], ()))
    (first, rest, empty) = f(Pair(x, 2.0), q={"s": (y,), "n": None})
    assert_allclose(first.a, 2 * x)
    assert isinstance(first, Pair)
    assert empty == ()
    assert_allclose(rest[0]["s"][0], y)
    assert rest[1] is rest[0]["n"] is None
    again = f(Pair(y, 3.0), q={"n": None, "s": (x,)})
    assert_allclose(again[0].a, 3 * y)


DICTS = {
    "dict": dict,
    "ordered dict": OrderedDict,
    "default dict": lambda parts: defaultdict(list, parts),
    "inside of a named tuple": lambda parts: Pair(dict(parts), 1.0),
}


@pytest.mark.parametrize("make", DICTS.values(), ids=DICTS.keys())
def test_the_order_of_keys_counts(make):
    def f(p, X):
        for W in (p.a if isinstance(p, Pair) else p).values():
            X = np.tanh(W @ X)
        return X

    compiled = fb.compile(f)
    for keys in ("ab", "ba", "ab"):
        p = make([(key, A if key == "a" else B) for key in keys])
        assert_allclose(compiled(p, A), f(p, A), rtol=1e-13)
    assert len(compiled.plans) == 2


def test_keys_that_are_numbers():
    compiled = fb.compile(lambda p: sum(k * v for k, v in p.items()))
    for p in ({2: x}, {2: x, 3: y, 4: x}, {2: x, 3: y, 5: x}, {1: x}, {True: y}, {1.0: x}):
        assert_allclose(compiled(p), sum(k * v for k, v in p.items()))
    assert len(compiled.plans) == 6


class Holder:
    def __init__(self, a):
        self.a = a


class CallableHolder(Holder):
    def __call__(self, x):
        return self.a * x


@pytest.mark.parametrize(
    "value",
    [Holder(x), CallableHolder(x), slice(Holder(x)), fb.Left(A), np.random.default_rng(0)],
    ids=["object", "callable", "slice", "operator", "generator"],
)
def test_what_may_change_unseen_is_no_argument(value):
    with pytest.raises(fb.DtypeError, match=f"may change unseen; got {type(value).__name__}: pass its arrays"):
        fb.compile(lambda value, x: x)(value, x)


def test_code_and_constants_are_arguments():
    f = fb.compile(lambda g, x: g(x) if callable(g) else g.exp(x) if g is np else x * float(g))
    for g in (np.sin, np.cos, len, np, Fraction(1, 2), functools.partial(np.add, 1.0), lambda x: 2 * x):
        expected = g(x) if callable(g) else np.exp(x) if g is np else x / 2
        assert_allclose(f(g, x), expected)


@pytest.mark.parametrize("result", [Holder, lambda x: iter([x]), lambda x: slice(x[0])])
def test_results_that_may_hold_traced_values_are_refused(result):
    with pytest.raises(
        fb.TraceError, match=r"results must be arrays, numbers, strings or containers .* return a tuple"
    ):
        fb.compile(result)(x)


def test_what_has_no_signature():
    with pytest.raises(TypeError, match="compile: f must be callable"):
        fb.compile(3)
    with pytest.raises(fb.DtypeError, match="masks are not propagated"):
        fb.compile(np.sum)(np.ma.array([1.0]))
    with pytest.raises(fb.DtypeError, match="plain arrays of numbers"):
        fb.compile(np.sum)(np.array([object()]))
    with pytest.raises(fb.DtypeError, match="at most double precision"):
        fb.compile(np.negative)(np.longdouble(1))
    with pytest.raises(fb.DtypeError, match=r"arrays, numbers, strings or containers"):
        fb.compile(lambda s: s)({1, 2})
