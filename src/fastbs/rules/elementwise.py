"""Elementwise functions: y = f(x), dy = f'(x) * dx, with broadcasting.

Where a function has a kink, one convention holds everywhere: tied arguments of maxima and minima share the derivative
equally, and |x| and its like have derivative 0 at 0. Both are the subgradient of least norm. A jump has derivative 0.
"""

import math

import numpy as np

from .._trace import Traced
from ..errors import TraceError
from ..operator import Operator
from ..operators.elementwise import Elementwise, RealProduct, Selection
from .table import RULES, ZERO, composite, constant, elementwise, functions, into, primitive, record

LN2, LN10, DEGREE = math.log(2), math.log(10), math.pi / 180


def nonzero(x):
    """x with ones for zeros: a divisor where the numerator is zero too."""
    return np.where(x == 0, 1, x)


def finite(x):
    """x with zeros for what is not finite."""
    return np.where(np.isfinite(x), x, 0)


# Arithmetic

elementwise(np.add, None, None)
elementwise(np.subtract, None, lambda y, a, b: -1.0)
elementwise(np.multiply, lambda y, a, b: b, lambda y, a, b: a)
elementwise(np.true_divide, lambda y, a, b: 1 / b, lambda y, a, b: -y / b)
elementwise(np.negative, lambda y, x: -1.0)
elementwise(np.positive, None)
elementwise(np.reciprocal, lambda y, x: -y * y)
elementwise(np.square, lambda y, x: 2 * x)
elementwise(np.sqrt, lambda y, x: 0.5 / y)
elementwise(np.cbrt, lambda y, x: 1 / (3 * y * y))
elementwise(np.remainder, None, lambda y, a, b: -np.floor_divide(a, b))
elementwise(np.fmod, None, lambda y, a, b: -np.trunc(a / b))
elementwise(np.ldexp, lambda y, a, n: np.ldexp(y.dtype.type(1), n), ZERO)
elementwise(np.nextafter, None, ZERO)


def power_base(y, a, b):
    """b a^(b-1), and 0 for 0^0."""
    if type(b) is int or type(b) is float:
        # constants of the program; NumPy has fast squares and square roots, but slow powers
        if b == 2:
            return 2 * a
        if b == 3:
            return 3 * (a * a)
        if b == 1:
            return None
        if b == 0:
            return 0.0
        if b == -1:
            return -y * y
        if b == 0.5:
            return 0.5 / y
        return b * a ** (b - 1)
    return b * a ** np.where((a == 0) & (b == 0), 1, b - 1)


def power_exponent(y, a, b):
    """a^b log a, and 0 for a = 0; integer exponents have no derivative."""
    if b.dtype.kind not in "fc":
        return ZERO
    if type(a) is int or type(a) is float:
        return y * (math.log(a) if a > 0 else 0.0 if a == 0 else math.nan)
    return y * np.log(nonzero(a))


elementwise(np.power, power_base, power_exponent)
elementwise(np.float_power, power_base, power_exponent)

# Exponentials and logarithms

elementwise(np.exp, lambda y, x: y)
elementwise(np.exp2, lambda y, x: LN2 * y)
elementwise(np.expm1, lambda y, x: y + 1)
elementwise(np.log, lambda y, x: 1 / x)
elementwise(np.log2, lambda y, x: 1 / (LN2 * x))
elementwise(np.log10, lambda y, x: 1 / (LN10 * x))
elementwise(np.log1p, lambda y, x: 1 / (1 + x))
elementwise(np.logaddexp, lambda y, a, b: np.exp(a - finite(y)), lambda y, a, b: np.exp(b - finite(y)))
elementwise(np.logaddexp2, lambda y, a, b: np.exp2(a - finite(y)), lambda y, a, b: np.exp2(b - finite(y)))

# Trigonometric and hyperbolic functions

elementwise(np.sin, lambda y, x: np.cos(x))
elementwise(np.cos, lambda y, x: -np.sin(x))
elementwise(np.tan, lambda y, x: 1 + y * y)
elementwise(np.arcsin, lambda y, x: 1 / np.sqrt((1 - x) * (1 + x)))
elementwise(np.arccos, lambda y, x: -1 / np.sqrt((1 - x) * (1 + x)))
elementwise(np.arctan, lambda y, x: 1 / (1 + x * x))
elementwise(np.arctan2, lambda y, a, b: b / (a * a + b * b), lambda y, a, b: -a / (a * a + b * b))
elementwise(np.hypot, lambda y, a, b: a / nonzero(y), lambda y, a, b: b / nonzero(y))
elementwise(np.sinh, lambda y, x: np.cosh(x))
elementwise(np.cosh, lambda y, x: np.sinh(x))
elementwise(np.tanh, lambda y, x: 1 - y * y)
elementwise(np.arcsinh, lambda y, x: 1 / np.sqrt(1 + x * x))
elementwise(np.arccosh, lambda y, x: 1 / np.sqrt((x - 1) * (x + 1)))
elementwise(np.arctanh, lambda y, x: 1 / ((1 - x) * (1 + x)))
elementwise(np.deg2rad, lambda y, x: DEGREE)
elementwise(np.radians, lambda y, x: DEGREE)
elementwise(np.rad2deg, lambda y, x: 1 / DEGREE)
elementwise(np.degrees, lambda y, x: 1 / DEGREE)

# Kinks


def share(y, a, b):
    """1 for the argument a that is the result, 1/2 if b is as well; a boolean keeps the dtype of the other number."""
    return (a == y) / (y.dtype.type(1) + (a == b))


def other_share(y, a, b):
    return share(y, b, a)


for function in (np.maximum, np.minimum, np.fmax, np.fmin):
    elementwise(function, share, other_share)
elementwise(np.fabs, lambda y, x: np.sign(x))
elementwise(np.copysign, lambda y, a, b: np.sign(a) * np.copysign(y.dtype.type(1), b), ZERO)
elementwise(np.heaviside, ZERO, lambda y, x, h: (x == 0) * y.dtype.type(1))

# Complex numbers inside a real program


def absolute_rule(y, x):
    if x.dtype.kind == "c":
        return RealProduct(x / nonzero(y), y.shape)
    return Elementwise(np.sign(x), y.shape, y.shape)


def conjugate_rule(y, x):
    if x.dtype.kind == "c":
        return Operator(np.conjugate, np.conjugate, "conj", y.shape, y.shape)
    return Elementwise(None, y.shape, y.shape)


def sign(x):
    return x / nonzero(np.absolute(x)) if x.dtype.kind == "c" else record(np.sign, (x,))


primitive(np.absolute, absolute_rule)
primitive(np.conjugate, conjugate_rule)
composite(np.sign)(sign)
primitive(
    np.real,
    lambda y, x: RealProduct(1, y.shape) if x.dtype.kind == "c" else Elementwise(None, y.shape, y.shape),
    recorder=lambda val: record(np.real, (val,)),
)
primitive(
    np.imag,
    lambda y, x: RealProduct(1j, y.shape) if x.dtype.kind == "c" else None,
    recorder=lambda val: record(np.imag, (val,)),
)


@composite(np.angle)
def angle(z, deg=False):
    if z.dtype.kind != "c":
        return record(np.angle, (z,), {"deg": deg})
    radians = np.arctan2(np.imag(z), np.real(z))
    return radians * (180 / math.pi) if deg else radians


# Two results


@composite(np.divmod)
def divmod_(a, b):
    return np.floor_divide(a, b), np.remainder(a, b)


def modf_part(x, part):
    return np.modf(x)[part]


def frexp_part(x, part):
    return np.frexp(x)[part]


@composite(np.modf)
def modf(x):
    return record(modf_part, (x,), {"part": 0}), record(modf_part, (x,), {"part": 1})


@composite(np.frexp)
def frexp(x):
    return record(frexp_part, (x,), {"part": 0}), record(frexp_part, (x,), {"part": 1})


RULES[modf_part] = (lambda y, x, part: Elementwise(None, y.shape, y.shape) if part == 0 else None,)
RULES[frexp_part] = (
    lambda y, x, part: Elementwise(np.ldexp(y.dtype.type(1), -np.frexp(x)[1]), y.shape, y.shape) if part == 0 else None,
)

# Choices


def where_rule(i):
    def rule(y, condition, *x):
        mask = condition != 0 if i == 0 else condition == 0
        return Selection(mask, x[i].shape, y.shape)

    return rule


@composite(np.where)
def where(condition, x=None, y=None):
    if x is None:
        return np.nonzero(condition)
    return record(np.where, (condition if type(condition) is Traced else np.asarray(condition), x, y))


primitive(np.where, None, where_rule(0), where_rule(1), recorder=where)


@composite(np.clip)
def clip(a, a_min=None, a_max=None, out=None, *, min=None, max=None, dtype=None):
    low, high = a_min if min is None else min, a_max if max is None else max
    a = a if dtype is None else cast(a, dtype)
    a = a if low is None else np.maximum(a, low)
    a = a if high is None else np.minimum(a, high)
    return into(out, a)


@composite(np.nan_to_num)
def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    return record(np.nan_to_num, (x,), {"nan": nan, "posinf": posinf, "neginf": neginf})


primitive(
    np.nan_to_num,
    lambda y, x, nan, posinf, neginf: Selection(np.isfinite(x), y.shape, y.shape),
    recorder=nan_to_num,
)

# The same numbers in another dtype or place


def cast(x, dtype):
    """x.astype(dtype), also of numbers."""
    return x.astype(dtype) if hasattr(x, "astype") else np.dtype(dtype).type(x)


def cast_rule(y, x, dtype):
    if y.dtype.kind not in "fc" or x.dtype.kind not in "fc":
        return None
    if y.dtype == x.dtype:
        return Elementwise(None, y.shape, y.shape)
    back = np.real if x.dtype.kind != "c" and y.dtype.kind == "c" else lambda Y: Y
    return Operator(lambda X: cast(X, y.dtype), lambda Y: cast(back(Y), x.dtype), "cast", y.shape, y.shape)


@composite(cast)
def cast_recorder(x, dtype):
    return record(cast, (x,), {"dtype": np.dtype(dtype)})


@composite(np.astype)
def astype(x, dtype, /, *, copy=True, device=None):
    return cast_recorder(x, dtype)


RULES[cast] = (cast_rule,)


@composite(np.copy)
def copy(a, order="K", subok=False):
    return record(np.copy, (a,))


def unchanged(y, x, **keywords):
    return Elementwise(None, x.shape, y.shape)


primitive(np.copy, unchanged, recorder=copy)
primitive(
    np.unwrap,
    unchanged,
    recorder=lambda p, discont=None, axis=-1, *, period=2 * np.pi: record(
        np.unwrap, (p,), {"discont": discont, "axis": axis, "period": period}
    ),
)


# Keywords of ufuncs


def with_keywords(ufunc, inputs, keywords, out=None):
    """``ufunc(*inputs, dtype=, where=)``; `out` is what stays where `where` is false."""
    if ufunc.signature is not None:  # of matrices or vectors, with axes
        return functions[ufunc](*inputs, **keywords)
    where, dtype = keywords.pop("where", True), keywords.pop("dtype", None)
    if any(DEFAULTS.get(name) != value for name, value in keywords.items()):
        raise TraceError(
            f"{ufunc.__name__}: keywords must be dtype, where and out because others mean nothing for traced values; "
            f"got {', '.join(keywords)}, leave it away"
        )
    if dtype is not None:
        inputs = tuple([np.asarray(x, dtype) if type(x) is not Traced else cast(x, dtype) for x in inputs])
    if where is True:
        return ufunc(*inputs)
    if out is None:
        raise TraceError(
            f"{ufunc.__name__}: out must be given with where= because the other elements would be left to chance; "
            "got None, write np.where(mask, f(x), other) or out=np.zeros_like(x)"
        )
    # masked elements are computed at a harmless point: their derivative is zero and must not be zero times infinity
    safe = 2.0 if ufunc is np.arccosh else 0.5
    inputs = [np.where(where, x, safe if dtype_kind(x) in "fc" else 1) for x in inputs]
    return np.where(where, ufunc(*inputs), out)


DEFAULTS = {"casting": "same_kind", "order": "K", "subok": True}


def dtype_kind(x):
    return np.result_type(x).kind


functions["with keywords"] = with_keywords

# No derivative

constant(
    np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, np.logical_and, np.logical_or,
    np.logical_not, np.logical_xor, np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift,
    np.right_shift, np.bitwise_count, np.gcd, np.lcm, np.isnan, np.isinf, np.isfinite, np.signbit, np.floor, np.ceil,
    np.rint, np.trunc, np.floor_divide, np.spacing,
)  # fmt: skip
constant(
    np.fix, np.round, np.around, np.isclose, np.isreal, np.iscomplex,
    np.isposinf, np.isneginf, np.isin, np.digitize, np.searchsorted, np.argmax, np.argmin, np.nanargmax, np.nanargmin,
    np.argsort, np.argpartition, np.count_nonzero, np.any, np.all, np.flatnonzero, np.argwhere,
)  # fmt: skip


def nonzero_along(a, axis):
    return np.nonzero(a)[axis]


@composite(np.nonzero)
def indices_of_nonzero(a):
    return tuple(record(nonzero_along, (a,), {"axis": axis}) for axis in range(a.ndim))


def order_of_keys(*keys, axis):
    return np.lexsort(keys, axis)


@composite(np.lexsort)
def lexsort(keys, axis=-1):
    return record(order_of_keys, tuple(keys), {"axis": axis})


@composite(np.allclose)
def allclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    return np.all(np.isclose(a, b, rtol, atol, equal_nan))


@composite(np.array_equal)
def array_equal(a1, a2, equal_nan=False):
    if np.shape(a1) != np.shape(a2):
        return np.False_
    same = np.equal(a1, a2)
    return np.all(same | (np.isnan(a1) & np.isnan(a2)) if equal_nan else same)


@composite(np.array_equiv)
def array_equiv(a1, a2):
    return np.all(np.equal(a1, a2))
