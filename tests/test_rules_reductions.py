"""Reductions, what runs along an axis, order statistics, and the methods of ufuncs and arrays."""

import pathlib

import numpy as np
import pytest

from fastbs._trace import functions, methods
from fastbs.derivatives import grad, hessian, jacobian, value_and_grad
from fastbs.errors import TraceError
from fastbs.operators.recurrence import recurrence
from fastbs.rules import methods as methods_module
from fastbs.rules import orders, reductions, running
from gradients import check

rng = np.random.default_rng(11)
A = rng.normal(size=(3, 4))
T = rng.normal(size=(2, 3, 2))
V = rng.normal(size=5)
W = rng.uniform(0.5, 2, (3, 4))
MASK = np.array([[True, False, True, True], [True, True, True, False], [False, True, True, True]])
ZEROS = np.array([[0.0, 2.0, 0.0], [1.5, 0.0, -2.0], [1.0, 2.0, 3.0]])
NAN = np.where(MASK, A, np.nan)

# Every reduction along every kind of axis

REDUCTIONS = {
    np.sum: {}, np.mean: {}, np.prod: {}, np.var: {}, np.std: {}, np.max: {}, np.min: {}, np.amax: {}, np.amin: {},
    np.nanmax: {}, np.nanmin: {}, np.ptp: {}, np.median: {}, np.nansum: {}, np.nanprod: {}, np.nanmean: {},
    np.nanvar: {}, np.nanstd: {}, np.average: {},
}  # fmt: skip
AXES = [
    {}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, 2)}, {"axis": (2, 1), "keepdims": True},
    {"keepdims": True}, {"axis": ()},
]  # fmt: skip


@pytest.mark.parametrize("function", REDUCTIONS, ids=lambda f: f.__name__)
def test_reduction(function):
    for keywords in AXES:
        if keywords != {"axis": ()} or function in (np.sum, np.prod):
            check(lambda a, keywords=keywords: function(a, **keywords), T, second="axis" in keywords)
    check(function, V)
    if function is not np.average:
        check(lambda a: function(a, axis=1), np.zeros((0, 3)), float32=False)


CASES = {
    "log_sum_exp": lambda x: reductions.log_sum_exp(x, axis=(0,)),
    "sum of dtype": lambda a: np.sum(a, dtype=np.float64),
    "sum where": lambda a: np.sum(a, axis=0, where=MASK),
    "sum initial": lambda a: np.sum(a, axis=1, initial=2.0),
    "sum of out": lambda a: into(np.sum, a),
    "prod where": lambda a: np.prod(a, axis=1, where=MASK, initial=3.0),
    "mean where": lambda a: np.mean(a, axis=0, where=MASK),
    "var ddof": lambda a: np.var(a, axis=1, ddof=1),
    "var where": lambda a: np.var(a, axis=1, ddof=1, where=MASK, keepdims=True),
    "var about a mean": lambda a: np.var(a, axis=0, mean=np.mean(a, axis=0, keepdims=True)),
    "std correction": lambda a: np.std(a, axis=1, correction=1),
    "std where": lambda a: np.std(a, where=MASK),
    "max where": lambda a: np.max(a, axis=1, where=MASK, initial=-9.0),
    "max initial": lambda a: np.max(a, axis=1, initial=0.3),
    "min initial": lambda a: np.min(a, initial=0.3),
    "nanmean": lambda a: np.nanmean(a + np.where(MASK, 0, np.nan), axis=0),
    "nanvar": lambda a: np.nanvar(np.where(MASK, a, np.nan), axis=0),
    "nanstd": lambda a: np.nanstd(np.where(MASK, a, np.nan), axis=1, ddof=1),
    "nansum": lambda a: np.nansum(np.where(MASK, a, np.nan), axis=1),
    "nanprod": lambda a: np.nanprod(np.where(MASK, a, np.nan), axis=1),
    "nanmax": lambda a: np.nanmax(np.where(MASK, a, np.nan), axis=1),
    "nanmin": lambda a: np.nanmin(np.where(MASK, a, np.nan)),
    "nancumsum": lambda a: np.nancumsum(np.where(MASK, a, np.nan), axis=1),
    "nancumprod": lambda a: np.nancumprod(np.where(MASK, a, np.nan), axis=0),
    "average": lambda a: np.average(a, weights=W, axis=0),
    "average over all": lambda a: np.average(a, weights=W),
    "average by vector": lambda a: np.average(a, weights=W[0], axis=1, keepdims=True),
    "average returned": lambda a: np.average(a, axis=1, weights=W, returned=True),
    "mean returned": lambda a: np.average(a, axis=1, returned=True),
    "cumsum": lambda a: np.cumsum(a),
    "cumsum axis": lambda a: np.cumsum(a, axis=0),
    "cumprod": lambda a: np.cumprod(a),
    "cumprod axis": lambda a: np.cumprod(a, axis=1),
    "cumulative_sum": lambda a: np.cumulative_sum(a, axis=1, include_initial=True),
    "cumulative_prod": lambda a: np.cumulative_prod(a, axis=0, include_initial=True),
    "cumulative_prod of a vector": lambda a: np.cumulative_prod(a[0]),
    "diff": lambda a: np.diff(a),
    "diff twice": lambda a: np.diff(a, n=2, axis=1),
    "diff thrice": lambda a: np.diff(a, n=3, axis=0),
    "diff of none": lambda a: np.diff(a, n=0),
    "diff extended": lambda a: np.diff(a, axis=0, prepend=0.0, append=a[:1]),
    "ediff1d": lambda a: np.ediff1d(a, to_begin=1.0, to_end=a[0, :2]),
    "ediff1d plain": lambda a: np.ediff1d(a),
    "trapezoid": lambda a: np.trapezoid(a, dx=0.5, axis=0),
    "trapezoid at": lambda a: np.trapezoid(a, np.array([0, 1, 3, 4], a.dtype)),
    "sort": lambda a: np.sort(a),
    "sort axis": lambda a: np.sort(a, axis=0, kind="stable"),
    "sort flat": lambda a: np.sort(a, axis=None),
    "partition": lambda a: np.sort(np.partition(a, 2, axis=1)[:, :2], axis=1),
    "partition flat": lambda a: np.partition(a, 0, axis=None)[0],
    "median of two": lambda a: np.median(a, axis=1),
    "quantile": lambda a: np.quantile(a, 0.3),
    "quantiles": lambda a: np.quantile(a, [0.0, 0.25, 1.0], axis=0),
    "quantile kept": lambda a: np.quantile(a, 0.7, axis=1, keepdims=True),
    "percentile": lambda a: np.percentile(a, 40.0, axis=(0, 1)),
    "interp": lambda a: np.interp(a, np.array([-2.0, -0.51, 0.23, 2.0]), np.array([1.0, 3.0, -1.0, 2.0])),
    "nanmedian": lambda a: np.nanmedian(np.where(MASK, a, np.nan), axis=1),
    "nanmedian of all": lambda a: np.nanmedian(np.where(MASK, a, np.nan)),
    "nanmedian kept": lambda a: np.nanmedian(np.where(MASK, a, np.nan), axis=0, keepdims=True),
    "nanquantile": lambda a: np.nanquantile(np.where(MASK, a, np.nan), 0.3, axis=0),
    "nanquantiles": lambda a: np.nanquantile(np.where(MASK, a, np.nan), [0.0, 0.6, 1.0], axis=1),
    "nanpercentile": lambda a: np.nanpercentile(np.where(MASK, a, np.nan), 35.0, axis=(0, 1)),
    "interp in lists": lambda a: np.interp([0.5, 1.7], [0.0, 1.0, 2.0], a[0, :3]),
    "interp of a period": lambda a: np.interp(a, np.array([0.1, 0.5, 1.3]), np.array([1.0, 3.0, -1.0]), period=2.0),
    "gradient": lambda a: np.gradient(a),
    "gradient order 2": lambda a: np.gradient(a, 0.5, axis=1, edge_order=2),
    "gradient uneven": lambda a: np.gradient(a, np.array([0.0, 1, 3, 4], a.dtype), axis=1, edge_order=2),
    "gradient steps": lambda a: np.gradient(a, 0.5, np.array([0.0, 1, 3, 4], a.dtype)),
    # methods of ufuncs
    "add.reduce": lambda a: np.add.reduce(a),
    "add.reduce flat": lambda a: np.add.reduce(a, axis=None, keepdims=True),
    "multiply.reduce": lambda a: np.multiply.reduce(a, axis=1),
    "maximum.reduce": lambda a: np.maximum.reduce(a, axis=(0, 1)),
    "minimum.reduce": lambda a: np.minimum.reduce(a, axis=0, initial=0.1),
    "fmax.reduce": lambda a: np.fmax.reduce(np.where(MASK, a, np.nan), axis=0),
    "fmin.reduce": lambda a: np.fmin.reduce(a, axis=-1, keepdims=True),
    "logaddexp.reduce": lambda a: np.logaddexp.reduce(a, axis=1),
    "logaddexp.reduce kept": lambda a: np.logaddexp.reduce(a, axis=0, keepdims=True, initial=0.2),
    "logaddexp.reduce flat": lambda a: np.logaddexp.reduce(a, axis=(0, 1), where=MASK),
    "hypot.reduce": lambda a: np.hypot.reduce(a, axis=1),
    "subtract.reduce": lambda a: np.subtract.reduce(a, axis=0, keepdims=True),
    "divide.accumulate": lambda a: np.divide.accumulate(a, axis=1),
    "add.accumulate": lambda a: np.add.accumulate(a, axis=1),
    "multiply.accumulate": lambda a: np.multiply.accumulate(a),
    "maximum.accumulate": lambda a: np.maximum.accumulate(a, axis=1),
    "minimum.accumulate": lambda a: np.minimum.accumulate(a, axis=0),
    "logaddexp.accumulate": lambda a: np.logaddexp.accumulate(a, axis=1),
    "add.outer": lambda a: np.add.outer(a[0], a),
    "power.outer": lambda a: np.power.outer(np.exp(a[:, 0]), a[1]),
    "add.reduceat": lambda a: np.add.reduceat(a, [0, 2, 3], axis=1),
    "add.reduceat uneven": lambda a: np.add.reduceat(a, [1, 0, 2, 2]),
    # methods of arrays
    "methods": lambda a: a.sum(0) * a.mean(axis=0) + a.prod(axis=0) - a.var(0) / a.std(0),
    "extremes": lambda a: a.max() * a.min(axis=1) + a.cumsum(1)[:, 1] + a.cumprod(axis=0)[:, 2],
    "conj": lambda a: a.conj() * a.conjugate() + a.real - a.imag,
    "sorted in place": lambda a: in_place(a * 1, "sort"),
    "partitioned in place": lambda a: in_place(a * 1, "partition", 1)[:, 1],
}


ROUNDED = {
    "prod where", "mean where", "var where", "std where", "nanmean", "nanvar", "nanstd", "quantile", "quantiles",
    "quantile kept", "percentile", "interp", "interp of a period", "logaddexp.reduce kept", "logaddexp.reduce flat",
    "gradient uneven", "gradient steps", "nanmedian", "nanmedian of all", "nanmedian kept", "nanquantile",
    "nanquantiles", "nanpercentile",
}  # fmt: skip


def into(function, a):
    y = 0 * a[0]
    assert function(a, 0, None, y) is y
    return y


def in_place(a, name, *arguments):
    assert getattr(a, name)(*arguments) is None
    return a


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_case(name):
    check(CASES[name], A, exact=name not in ROUNDED, float32="interp" not in name, float32_tolerance=1e-2)


TWO = {
    "average": (lambda a, w: np.average(a, weights=w, axis=1), A, W),
    "trapezoid": (lambda y, x: np.trapezoid(y, x), A, np.cumsum(W, axis=1)),
    "trapezoid along a vector": (lambda y, x: np.trapezoid(y, x, axis=0), A, np.array([0.0, 1.2, 3.1])),
    "outer": (lambda a, b: np.multiply.outer(a, b), A[0], V),
    "outer of a number": (lambda a, b: np.divide.outer(a, b), 2.5, W[0]),
    "interp": (lambda x, y: np.interp(x, np.array([-2.0, -0.51, 0.23, 2.0]), y), A, A[0]),
    "interp between": (lambda x, xp: np.interp(x, xp, np.array([1.0, 3.0, -1.0])), A, np.array([-0.41, 0.02, 0.93])),
    "interp outside": (lambda x, y: np.interp(x, np.array([-0.51, 0.23]), y, left=y[0] ** 2, right=3.0), A, A[0, :2]),
    "recurrence": (lambda a, b: recurrence(a, b), A, W),
    "recurrence of long rows": (lambda a, b: recurrence(a, b), A[:1], W),
    "recurrence of a vector": (lambda a, b: recurrence(a, b), V, V[::-1]),
}


@pytest.mark.parametrize("name", TWO)
def test_two_arguments(name):
    f, a, b = TWO[name]
    check(f, a, b, exact="interp" not in name, float32="interp" not in name, float32_tolerance=1e-2)


EMPTY = [
    lambda a: np.sum(a, axis=0), lambda a: np.prod(a, axis=1), lambda a: np.cumsum(a, axis=1),
    lambda a: np.cumprod(a, axis=0), lambda a: np.diff(a, axis=0), lambda a: np.diff(a, axis=1), lambda a: np.sort(a),
    lambda a: np.max(a, axis=1), lambda a: np.median(a, axis=1), lambda a: np.multiply.accumulate(a),
    lambda a: np.maximum.accumulate(a, axis=1), lambda a: np.logaddexp.reduce(a, axis=1),
    lambda a: np.add.outer(a, a), lambda a: np.sum(a), lambda a: np.prod(a), lambda a: a.cumsum(),
]  # fmt: skip


@pytest.mark.parametrize("k", range(len(EMPTY)))
def test_empty(k):
    check(EMPTY[k], np.zeros((0, 3)))


@pytest.mark.parametrize("reduce", [np.sum, np.prod, np.max, np.min, np.mean])
def test_axes_of_a_number(reduce):
    x = np.float64(2)
    for axis in (0, -1, 1, (0,)):
        try:
            expected = reduce(x, axis=axis)
        except np.exceptions.AxisError:
            with pytest.raises(np.exceptions.AxisError):
                grad(lambda x, axis=axis: reduce(x, axis=axis))(x)
        else:
            assert value_and_grad(lambda x, axis=axis: reduce(x, axis=axis))(x) == (expected, 1.0)


def test_reduce_of_a_number():
    assert grad(lambda x: np.subtract.reduce(x * x, axis=-1))(3.0) == 6.0


def test_products_with_zeros():
    for axis in (0, 1, None, (0, 1)):
        check(lambda a, axis=axis: np.prod(a, axis=axis), ZEROS)
    check(lambda a: np.cumprod(a, axis=1), ZEROS)
    np.testing.assert_array_equal(grad(np.prod)(np.array([0.0, 2.0, 3.0])), [6, 0, 0])
    np.testing.assert_array_equal(hessian(np.prod)(np.array([0.0, 0.0, 3.0])), [[0, 3, 0], [3, 0, 0], [0, 0, 0]])


def test_long_running_product():
    x = 1 + 0.01 * rng.normal(size=400)
    g = grad(lambda x: np.cumprod(x)[-1])(x)
    np.testing.assert_allclose(g, np.prod(x) / x, rtol=1e-12)


# Ties share equally, in all functions


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (np.max, [1.0, 3.0, 3.0, 3.0], [0, 1 / 3, 1 / 3, 1 / 3]),
        (np.min, [1.0, 1.0, 3.0], [0.5, 0.5, 0]),
        (np.nanmax, [np.nan, 2.0, 2.0], [0, 0.5, 0.5]),
        (np.maximum.reduce, [2.0, 2.0], [0.5, 0.5]),
        (lambda x: np.maximum(x[0], x[1]), [2.0, 2.0], [0.5, 0.5]),
        (lambda x: np.maximum.accumulate(x)[-1], [1.0, 3.0, 2.0, 3.0, 3.0], [0, 1 / 3, 0, 1 / 3, 1 / 3]),
        (lambda x: np.minimum.accumulate(x)[1], [1.0, 1.0, 0.0], [0.5, 0.5, 0]),
        (np.median, [1.0, 2.0, 2.0, 3.0], [0, 0.5, 0.5, 0]),
        (np.median, [1.0, 1.0, 1.0], [1 / 3, 1 / 3, 1 / 3]),
        (np.ptp, [1.0, 1.0], [0, 0]),
        (np.std, [2.0, 2.0, 2.0], [0, 0, 0]),
        (lambda x: np.hypot.reduce(x), [0.0, 0.0], [0, 0]),
        (np.max, [np.nan, 1.0], [0, 0]),
        (np.logaddexp.reduce, [-np.inf, -np.inf], [0, 0]),
        (np.logaddexp.reduce, [-np.inf, 1.0], [0, 1]),
    ],
)
def test_ties(f, x, expected):
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(grad(f)(np.array(x)), expected)


# Traced values


def test_add_at():
    def f(x, y):
        z = x + 0 * y[0]
        np.add.at(z, [0, 0, 2], y)
        np.subtract.at(z, 1, y[0])
        return z

    check(f, V, V[:3] ** 2)


def test_errors():
    with pytest.raises(ValueError, match="axis 2"):
        grad(lambda x: np.sum(x, axis=2))(A)
    with pytest.raises(ValueError, match=r"duplicate value in 'axis'"):
        grad(lambda x: np.sum(x, axis=(0, 0)))(A)
    with pytest.raises(TraceError, match=r"plain ndarray as destination.*zeros_like"):
        grad(lambda x: np.sum(np.sum(x, axis=0, out=np.zeros(4))))(A)
    with pytest.raises(TraceError, match=r"plain ndarray as destination.*zeros_like"):
        grad(lambda x: np.sum(np.sum(x, 0, None, np.zeros(4))))(A)
    with pytest.raises(TraceError, match=r"quantile: method must be 'linear'.*'lower'"):
        grad(lambda x: np.quantile(x, 0.5, method="lower"))(A)
    with pytest.raises(TraceError, match=r"hypot.reduce: axis must be one axis.*axis=\(0, 1\)"):
        grad(lambda x: np.hypot.reduce(x, axis=(0, 1)))(A)
    with pytest.raises(ValueError, match=r"max: initial must be given with where="):
        grad(lambda x: np.max(x, where=MASK))(A)
    with pytest.raises(ValueError, match=r"subtract.reduce: axis -2 must have elements.*got 0"):
        jacobian(lambda x: np.subtract.reduce(x[:0]))(A)
    with pytest.raises(ValueError, match=r"gradient: axis 0 must have more than edge_order = 1 elements; got 1"):
        grad(lambda x: np.sum(np.gradient(x[:1])[0]))(A)
    with pytest.raises(TypeError, match=r"invalid number"):
        grad(lambda x: np.sum(np.gradient(x, 1.0, 2.0, 3.0)))(A)
    with pytest.raises(ValueError, match="axis"):
        grad(lambda x: np.sum(np.cumulative_sum(x)))(A)


def test_ordinary_branches_on_values():
    def f(x):
        if np.logical_and.reduce(x > 0) and np.logical_or.reduce(x > 1):
            return np.sum(x**2)
        return np.sum(x)

    value, g = value_and_grad(f)(np.array([1.0, 2.0]))
    assert value == 5.0
    np.testing.assert_array_equal(g, [2, 4])
    np.testing.assert_array_equal(grad(f)(np.array([1.0, -2.0])), [1, 1])


def test_every_line_has_a_case():
    source = pathlib.Path(__file__).read_text()
    modules = {module.__name__ for module in (methods_module, orders, reductions, running)}
    mine = [f for f, recorder in functions.items() if getattr(recorder, "__module__", "") in modules]
    names = [f[-1] if type(f) is tuple else f.__name__ for f in mine]
    names += [f"{key[0].__name__}.{key[1]}" if type(key) is tuple else f".{key}" for key in methods]
    source += pathlib.Path(__file__).with_name("test_rules_elementwise.py").read_text()
    missing = {name for name in names if name not in source}
    assert missing == set()
