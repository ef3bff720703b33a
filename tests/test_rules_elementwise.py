"""Elementwise rules: every function of the table at smooth points, and its values where it is not smooth."""

import numpy as np
import optree
import pytest

from fastbs._trace import functions
from fastbs.derivatives import grad, hessian, jacobian, jvp, stop_gradient, value_and_grad, vjp
from fastbs.errors import TraceError
from fastbs.rules import elementwise as module
from fastbs.rules.table import RULES
from gradients import check, same_value

rng = np.random.default_rng(7)


def uniform(low, high, *shape):
    return rng.uniform(low, high, shape)


ANY = uniform(-2, 2, 2, 3)
POSITIVE = uniform(0.3, 3, 2, 3)
INSIDE = uniform(-0.9, 0.9, 2, 3)
ABOVE_1 = uniform(1.2, 3, 2, 3)
APART = np.array([[0.3, -1.2, 2.4], [-0.7, 1.6, -2.1]])  # from 0, from integers and from their halves
ROW = np.array([0.9, -0.4, 1.3])
COLUMN = np.array([[1.1], [-1.7]])

# function: its domain, whether it takes complex arguments
UNARY = {
    np.negative: (ANY, True), np.positive: (ANY, True), np.reciprocal: (APART, True), np.square: (ANY, True),
    np.sqrt: (POSITIVE, True), np.cbrt: (APART, False), np.exp: (ANY, True), np.exp2: (ANY, True),
    np.expm1: (ANY, True), np.log: (POSITIVE, True), np.log2: (POSITIVE, True), np.log10: (POSITIVE, True),
    np.log1p: (INSIDE, True), np.sin: (ANY, True), np.cos: (ANY, True), np.tan: (INSIDE, True),
    np.arcsin: (INSIDE, False), np.arccos: (INSIDE, False), np.arctan: (ANY, True), np.sinh: (ANY, True),
    np.cosh: (ANY, True), np.tanh: (ANY, True), np.arcsinh: (ANY, True), np.arccosh: (ABOVE_1, False),
    np.arctanh: (INSIDE, True), np.deg2rad: (ANY, False), np.radians: (ANY, False), np.rad2deg: (ANY, False),
    np.degrees: (ANY, False), np.fabs: (APART, False), np.absolute: (APART, False), np.conjugate: (ANY, False),
    np.sign: (APART, False), np.modf: (APART, False), np.nan_to_num: (ANY, False), np.real: (ANY, False),
    np.imag: (ANY, False), np.angle: (APART, False), np.copy: (ANY, True), np.unwrap: (ANY, False),
}  # fmt: skip

# both arguments broadcast, each way
BINARY = {
    np.add: (ANY, ROW, True), np.subtract: (COLUMN, ROW, True), np.multiply: (ANY, COLUMN, True),
    np.true_divide: (ANY, ROW, True), np.remainder: (APART, uniform(0.45, 0.55, 3), False),
    np.fmod: (APART, uniform(0.45, 0.55, 2, 1), False), np.power: (POSITIVE, ROW, True),
    np.float_power: (uniform(0.3, 3, 3), COLUMN, True), np.logaddexp: (ANY, ROW, False),
    np.logaddexp2: (COLUMN, ANY, False), np.arctan2: (APART, ROW, False), np.hypot: (APART, COLUMN, False),
    np.maximum: (APART, ROW, False), np.minimum: (COLUMN, ROW, False), np.fmax: (ROW, APART, False),
    np.fmin: (APART, COLUMN, False), np.copysign: (APART, ROW, False), np.heaviside: (APART, ROW, False),
    np.divmod: (APART, uniform(0.45, 0.55, 3), False),
}  # fmt: skip

OTHER = {
    "nextafter": (lambda a: np.nextafter(a, 4.0), (ANY,), {np.nextafter}),
    "ldexp": (lambda a: np.ldexp(a, np.array([1, -2, 3])), (ANY,), {np.ldexp}),
    "frexp": (lambda a: np.frexp(a)[0], (APART,), {np.frexp}),
    "where": (lambda a, b: np.where(a > 0, a * b, b), (APART, ROW), {np.where}),
    "where of numbers": (lambda a: np.where(a > 0, a, 2.0), (APART,), {np.where}),
    "clip": (lambda a, b: np.clip(a, -1, b), (APART, POSITIVE), {np.clip}),
    "clip below": (lambda a: np.clip(a, -1.0, None), (APART,), {np.clip}),
    "clip method": (lambda a: a.clip(-1.0, 1.0), (APART,), {np.clip}),
    "clip by names": (lambda a: np.clip(a, min=-1.0, max=1.0), (APART,), {np.clip}),
    "astype": (lambda a: np.astype(a, np.float64).astype(float, copy=False) * a, (ANY,), {np.astype}),
    "copy method": (lambda a: a.copy() * a, (ANY,), {np.copy}),
    "power 0": (lambda a: a**0, (ANY,), {np.power}),
    "power 1": (lambda a: a**1, (ANY,), {np.power}),
    "power 2": (lambda a: a**2, (ANY,), {np.power}),
    "power 3": (lambda a: a**3, (ANY,), {np.power}),
    "power 4": (lambda a: a**4, (ANY,), {np.power}),
    "power -1": (lambda a: a**-1.0, (APART,), {np.power}),
    "power -2": (lambda a: a**-2.0, (APART,), {np.power}),
    "power 1/2": (lambda a: a**0.5, (POSITIVE,), {np.power}),
    "power 2.5": (lambda a: a**2.5, (POSITIVE,), {np.power}),
    "power of a number": (lambda b: 2.5**b + 2**b, (ANY,), {np.power}),
    "power by array": (lambda a: a ** np.array([0, 3, 2], a.dtype), (APART,), {np.power}),
    "power by integers": (lambda a: np.power(a, np.array([0, 3, 2], np.int8)), (APART,), {np.power}),
    "list": (lambda a: 2 * a + a * [1, 2, 3] / [4, 5, 6], (ANY,), set()),
    "operators": (lambda a, b: (a - b) / (1 + abs(b)) % 3 + -a * +b, (APART, ROW), set()),
    "number with array": (lambda a, b: a * b + b / a - a, (1.3, ROW), set()),
    "numbers": (lambda a, b: np.sin(a * b) / b, (1.3, 0.4), set()),
    "empty": (lambda a, b: a * b + np.exp(b) - a**2, (np.zeros((0, 3)), ROW), set()),
    "empty row": (lambda a, b: np.hypot(a, b) * 2, (np.zeros((2, 0)), np.zeros((2, 1))), set()),
    "in place": (lambda a: iadd(a * 2, a), (ANY,), set()),
    "dtype": (lambda a: np.multiply(a, a, dtype=np.float64), (ANY,), set()),
}


def iadd(x, y):
    x += y
    x *= y
    x %= 0.7
    return x


@pytest.mark.parametrize("function", UNARY, ids=lambda f: f.__name__)
def test_unary(function):
    domain, holomorphic = UNARY[function]
    check(function, domain, complex_step=holomorphic, float32_tolerance=1e-2)
    check(function, domain[:0])
    if function is not np.unwrap:
        check(function, domain[0, 0])


@pytest.mark.parametrize("function", BINARY, ids=lambda f: f.__name__)
def test_binary(function):
    a, b, holomorphic = BINARY[function]
    check(function, a, b, complex_step=holomorphic, float32_tolerance=1e-2)
    check(function, np.zeros((0, 2, 3)), b)


@pytest.mark.parametrize("name", OTHER)
def test_other(name):
    f, arrays, _ = OTHER[name]
    check(f, *arrays, float32="astype" not in name and "dtype" not in name, float32_tolerance=1e-2)


def test_every_line_has_a_case():
    tested = {*UNARY, *BINARY, *NO_DERIVATIVE}.union(*[case[2] for case in OTHER.values()])
    tested |= {module.modf_part, module.frexp_part, module.cast}  # steps of modf, frexp and astype
    mine = {f for f in (*functions, *RULES) if isinstance(f, np.ufunc) and getattr(np, f.__name__, None) is f}
    mine |= {np.where, np.clip, np.nan_to_num, np.real, np.imag, np.angle, np.copy, np.astype, np.unwrap}
    mine |= {f for f in functions if callable(f) and getattr(functions[f], "__module__", "") == module.__name__}
    products = {np.matmul, np.vecdot, np.matvec, np.vecmat}
    assert {f.__name__ for f in mine - tested - products} == set()


# No derivative

NO_DERIVATIVE = {
    **dict.fromkeys((
        np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, np.logical_and, np.logical_or,
        np.logical_xor, np.floor_divide, np.isclose, np.allclose, np.array_equiv,
    ), 2),
    **dict.fromkeys((
        np.logical_not, np.isnan, np.isinf, np.isfinite, np.signbit, np.floor, np.ceil, np.rint, np.trunc, np.spacing,
        np.fix, np.round, np.around, np.isreal, np.iscomplex, np.isposinf, np.isneginf, np.argmax, np.argmin,
        np.nanargmax, np.nanargmin, np.argsort, np.count_nonzero, np.any, np.all, np.flatnonzero, np.argwhere,
        np.nonzero,
    ), 1),
    np.array_equal: lambda x: np.array_equal(x, 1 * x, equal_nan=True),
    np.bitwise_and: lambda x: np.bitwise_and(x > 0, x < 1), np.bitwise_or: lambda x: (x > 0) | (x < 1),
    np.bitwise_xor: lambda x: (x > 0) ^ (x < 1), np.invert: lambda x: ~(x > 0),
    np.left_shift: lambda x: np.argsort(x) << 1, np.right_shift: lambda x: np.argsort(x) >> 1,
    np.bitwise_count: lambda x: np.bitwise_count(np.argsort(x)), np.gcd: lambda x: np.gcd(np.argsort(x), 4),
    np.lcm: lambda x: np.lcm(np.argsort(x), 4), np.isin: lambda x: np.isin(x, [1.0, 2.0]),
    np.digitize: lambda x: np.digitize(x, np.array([0.0, 1.0])), np.lexsort: lambda x: np.lexsort((x, x)),
    np.searchsorted: lambda x: np.searchsorted(np.array([0.0, 1.0]), x),
    np.argpartition: lambda x: np.argpartition(x, 1),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:numpy.fix is deprecated")  # since NumPy 2.5
@pytest.mark.parametrize("function", NO_DERIVATIVE, ids=lambda f: f.__name__)
def test_results_without_derivative_stay_traced(function):
    kind = NO_DERIVATIVE[function]
    f = kind if callable(kind) else function if kind == 1 else lambda x: function(x, 0.3)
    x = APART[0]

    def program(x):
        results = f(x)
        same_value(optree.tree_map(stop_gradient, results), f(stop_gradient(x)))
        for result in results if isinstance(results, tuple) else (results,):
            assert type(result).__name__ == "Traced"
            x = x + 0 * np.sum(result)
        return np.sum(x * x)

    np.testing.assert_array_equal(grad(program)(x), 2 * x)
    np.testing.assert_array_equal(hessian(program)(x), 2 * np.eye(3))


def test_methods_without_derivative():
    x = np.array([3.0, 1.0, 2.0])

    def f(x):
        return x[x.argmax()] * x.argmin() + x.argsort()[0] * np.sum(x) + x.round() @ x + (x > 0).any() * x[1]

    value, g = value_and_grad(f)(x)
    assert value == f(x)
    np.testing.assert_array_equal(g, [1 + 1 + 3, 1 + 1 + 1, 1 + 2])


# The convention at kinks


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: np.maximum(x, 0.0), 0.5),
        (lambda x: np.minimum(0.0, x), 0.5),
        (lambda x: np.maximum(x, x), 1.0),
        (lambda x: np.fmax(x, 0.0), 0.5),
        (lambda x: np.fmax(x, np.nan), 1.0),
        (lambda x: np.fmin(np.nan, x), 1.0),
        (lambda x: np.clip(x, 0.0, 1.0), 0.5),
        (abs, 0.0),
        (np.fabs, 0.0),
        (np.sign, 0.0),
        (np.cbrt, np.inf),
        (np.sqrt, np.inf),
        (lambda x: np.hypot(x, 0.0), 0.0),
        (lambda x: np.copysign(x, -1.0), 0.0),
        (lambda x: x**0, 0.0),
        (lambda x: x**0.0, 0.0),
        (lambda x: x ** np.float64(0), 0.0),
        (lambda x: x**1, 1.0),
        (lambda x: x**2, 0.0),
        (lambda x: x ** np.float64(1), 1.0),
        (lambda x: x**0.5, np.inf),
        (lambda x: 0.0 ** (x + 2), 0.0),
        (lambda x: 0.0**x, 0.0),
        (lambda x: np.power(np.float64(0), x), 0.0),
        (lambda x: np.logaddexp(x, -np.inf), 1.0),
        (lambda x: np.logaddexp(-np.inf + x, -np.inf), 0.0),
        (lambda x: np.nan_to_num(x + np.inf), 0.0),
        (lambda x: np.nan_to_num(x + np.nan), 0.0),
        (lambda x: np.sinc(x), 0.0),
    ],
)
def test_at_zero(f, expected):
    with np.errstate(all="ignore"):
        assert grad(f)(0.0) == expected
        assert jvp(f, (np.float64(0),), (np.float64(1),))[1] == expected


def test_powers_of_negative_bases():
    x = np.array([-2.0, 0.0, 3.0])
    for n in (2, 3, 4, np.float64(3), np.array([3.0, 3.0, 3.0]), np.array([3, 3, 3])):
        exact = np.asarray(n, float) * x ** (np.asarray(n, float) - 1)
        np.testing.assert_allclose(grad(lambda x, n=n: np.sum(x**n))(x), exact)
    J = jacobian(lambda x, n: x**n, (0, 1))(np.array([-2.0]), np.array([3.0]).astype(float))
    assert J[0] == 12.0
    assert np.isnan(J[1])


test_powers_of_negative_bases = pytest.mark.filterwarnings("ignore:invalid value")(test_powers_of_negative_bases)


def test_selected_elements_do_not_see_infinity_in_the_others():
    x = np.array([0.0, 4.0])

    def safe(x):
        return np.sum(np.where(x > 0, np.sqrt(np.where(x > 0, x, 1.0)), 0.0))

    np.testing.assert_array_equal(grad(safe)(x), [0.0, 0.25])
    np.testing.assert_array_equal(hessian(safe)(x), [[0, 0], [0, -1 / 32]])


# Keywords of ufuncs


def test_where_with_out():
    a, b = np.array([1.0, 2.0, 3.0]), np.array([2.0, 0.0, 4.0])

    def f(a, b):
        return np.divide(a, b, out=3.0 * a + 0.0 * b, where=[True, False, True])

    check(f, a, b)
    np.testing.assert_array_equal(f(a, b), [0.5, 6.0, 0.75])
    J = jacobian(lambda b: np.divide(a, b, out=np.zeros_like(b), where=b != 0))(b)
    np.testing.assert_array_equal(J, np.diag([-1 / 4, 0, -3 / 16]))

    def g(a):
        return np.sum(np.log(a, out=a * 0, where=a > 0) ** 2)

    x = np.array([0.0, 2.0])
    np.testing.assert_allclose(hessian(g)(x), [[0, 0], [0, (2 - 2 * np.log(2)) / 4]])
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.arccosh(x, out=1 * x, where=x > 1)))(x), [1, 1 / np.sqrt(3)])


def test_out():
    def f(a):
        b = 0 * a
        assert np.multiply(a, a, out=b) is b
        return b

    check(f, ANY)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: np.add(x, x, where=[True]), r"add: out must be given with where=.*np\.where"),
        (lambda x: np.add(x, x, out=np.zeros(1)), "add.*plain ndarray as destination.*zeros_like"),
        (lambda x: np.add(x, x, signature="dd->d"), "add: keywords must be dtype, where and out.*signature"),
        (lambda x: np.add(x, x, casting="unsafe"), "add: keywords must be dtype, where and out.*casting"),
        (lambda x: np.argmax(x, out=np.zeros((), int)), "plain ndarray as destination"),
        (lambda x: np.bitwise_or.at(x, 0, x), "bitwise_or.at: .* has none"),
        (lambda x: np.maximum(x, [x, x]), "conversion to (ndarray|float)"),
    ],
)
def test_errors(f, message):
    with pytest.raises(TraceError, match=message):
        grad(lambda x: np.sum(f(x)))(np.ones(1))


def test_traced_keywords_are_recorded_by_position():
    x = np.array([2.0, 1.0])
    value, g = value_and_grad(lambda x: np.sum(x * np.argsort(a=x)))(x)
    assert value == 2.0
    np.testing.assert_array_equal(g, [1, 0])

    def sorter(x):
        return np.sum(x) * np.searchsorted(x, 1.5, sorter=np.argsort(x))

    np.testing.assert_array_equal(grad(sorter)(x), [1, 1])


# Complex numbers inside


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.abs(np.exp(1j * x)) ** 2 + np.real(np.exp((0.3 + 1j) * x)),
        lambda x: np.abs((x + 2j) * (1 - 1j * x[::-1])),
        lambda x: np.angle(x + 1j * x**2),
        lambda x: np.imag(np.conj(np.sqrt(x + 1j)) * x),
        lambda x: np.real(np.sign(x + 1j) / (x - 1j)),
        lambda x: (np.sin(x + 0.5j) ** 2).imag,
        lambda x: np.angle(np.exp(1j * x), deg=True),
    ],
)
def test_complex_intermediates(f):
    check(f, np.array([0.4, 1.3]), float32=False)


# Types


def test_cast_to_lower_precision_and_back():
    x = np.array([1.1, 2.2])

    def f(x):
        return np.sum(x.astype(np.float32).astype(float) ** 2)

    value, g = value_and_grad(f)(x)
    assert value == f(x)
    np.testing.assert_allclose(g, 2 * x, rtol=1e-6)
    assert jvp(f, (x,), (x,))[1].dtype == float
    assert jvp(lambda x: x.astype(np.float32), (x,), (x,))[1].dtype == np.float32
    np.testing.assert_allclose(hessian(f)(x), 2 * np.eye(2))


def test_cast_to_integers_has_no_derivative():
    x = np.array([1.6, 2.4])
    np.testing.assert_array_equal(grad(lambda x: np.sum(x * x.astype(int)))(x), [1, 2])
    np.testing.assert_array_equal(grad(lambda x: np.sum(x * (x > 2).astype(float)))(x), [0, 1])


def test_mixed_precision_keeps_the_dtype_of_each_argument():
    a, b = np.ones(3, np.float32), np.ones(3)
    value, pullback = vjp(lambda a, b: a * b, a, b)
    assert value.dtype == np.float64
    da, db = pullback(np.ones(3))
    assert (da.dtype, db.dtype) == (np.float32, np.float64)


def test_copies_are_new_names():
    def f(x):
        y = x.copy()
        y += 1
        z = x.astype(float)
        z *= 2
        return np.sum(x * x)

    np.testing.assert_array_equal(grad(f)(np.ones(2)), [2, 2])
