"""Fewer and cheaper steps with the same results: identities of arithmetic, constants, common subexpressions.

Every identity here holds for NaN, infinities and signed zeros; results may differ in the last place.
"""

import math

import numpy as np

from .program import INPUT, Step

__all__ = ["IDENTITIES", "common_subexpressions", "number", "same_shape", "simplify"]

LEAST_OUTER, MOST_OUTER = 4, 128  # sizes for which register-blocked products add outer products fastest


def number(x):
    """The one number that an argument consists of, or None."""
    if isinstance(x, (bool, np.bool_)):
        return None
    if isinstance(x, (int, float, np.floating, np.integer)):
        return float(x)
    if isinstance(x, np.ndarray) and x.dtype.kind in "fi" and x.size:
        first = x.flat[0]
        return float(first) if (x == first).all() and not (first == 0 and np.signbit(x).any()) else None
    return None


def is_same(step, x):
    """Whether x can stand for the step: an array of its shape and dtype."""
    return type(x) is Step and x.shape == step.shape and x.dtype == step.dtype and x.weak == step.weak


def is_call(x, function):
    return type(x) is Step and x.function is function


def multiply(step):
    a, b = step.arguments
    for p, q in ((a, b), (b, a)):
        s = number(p)
        if s is None or type(q) is not Step:
            continue
        if s == 1 and is_same(step, q):
            return q
        if s == -1 and is_same(step, q):
            return step.like(np.negative, q)
        # s (t x) = (s t) x where s is a power of two: exact unless it leaves the range
        if is_call(q, np.multiply) and is_same(step, q) and is_power_of_two(s):
            for t, x in (q.arguments, q.arguments[::-1]):
                if type(x) is Step and number(t) is not None and not np.ndim(t):
                    return multiply(step.like(np.multiply, s * number(t), x))
        if isinstance(p, np.ndarray) and q.shape == step.shape:
            return step.like(np.multiply, p.dtype.type(s), q)
    # (-x) y = x (-y) = -(x y): the sign moves out, where sums take it in
    for p, q in ((a, b), (b, a)):
        if is_call(p, np.negative) and not is_call(q, np.negative):
            return step.like(np.negative, multiply(step.like(np.multiply, p.arguments[0], q)))
    return step


def is_power_of_two(s):
    return s != 0 and abs(np.frexp(s)[0]) == 0.5 and 2.0**-20 <= abs(s) <= 2.0**20


def add(step):
    a, b = step.arguments
    if is_call(b, np.negative):
        return step.like(np.subtract, a, b.arguments[0])
    if is_call(a, np.negative):
        return step.like(np.subtract, b, a.arguments[0])
    if a is b and type(a) is Step:
        return step.like(np.multiply, 2.0, a)
    for x, y in ((a, b), (b, a)):
        product = accumulated(x, y, step)
        if product is not None:
            return step.like(np.add, x, product)
    return step


def subtract(step):
    a, b = step.arguments
    if is_call(b, np.negative):
        return step.like(np.add, a, b.arguments[0])
    product = accumulated(a, b, step)
    return step if product is None else step.like(np.subtract, a, product)


def accumulated(x, y, step):
    """An outer product y that is added to an array in memory, as a matrix product: that does both in one pass."""
    while is_call(x, np.add) and is_call(x.arguments[1], np.matmul) and is_same(step, x):
        x = x.arguments[0]
    if not is_call(x, INPUT) or not is_call(y, np.multiply) or not is_same(step, x) or not is_same(step, y):
        return None
    if step.ndim != 2 or min(step.shape) < LEAST_OUTER or max(step.shape) > MOST_OUTER:
        return None
    m, n = step.shape
    for a, b in (y.arguments, y.arguments[::-1]):
        if all(type(z) is Step and z.dtype == step.dtype for z in (a, b)) and a.shape == (m, 1):
            if b.shape == (n,):
                b = Step(np.reshape, (b, (1, n)), {}, (1, n), b.dtype, step.where)
            if b.shape == (1, n):
                return y.like(np.matmul, a, b)
    return None


def negative(step):
    (x,) = step.arguments
    return x.arguments[0] if is_call(x, np.negative) and is_same(step, x.arguments[0]) else step


def power(step):
    x, n = step.arguments
    if type(x) is not Step or isinstance(n, (np.ndarray, bool)) or x.dtype != step.dtype or x.shape != step.shape:
        return step
    n = number(n)
    if n == 1:
        return x
    if n == 2:
        return step.like(np.multiply, x, x)
    if n == 3:
        return step.like(np.multiply, step.like(np.multiply, x, x), x)
    if n == -1:
        return step.like(np.true_divide, 1.0, x)
    return step


def divide(step):
    a, b = step.arguments
    s = number(b)
    if s is not None and is_power_of_two(s) and not np.ndim(b):
        return multiply(step.like(np.multiply, 1 / s, a))
    if is_call(a, np.negative):
        return step.like(np.negative, step.like(np.true_divide, a.arguments[0], b))
    return step


def transpose(step):
    x, *axes = step.arguments
    axes = tuple(axes[0]) if axes and axes[0] is not None else tuple(range(step.ndim))[::-1]
    axes = tuple(i % step.ndim for i in axes)
    if is_call(x, np.transpose):
        inner, *order = x.arguments
        order = tuple(order[0]) if order and order[0] is not None else tuple(range(x.ndim))[::-1]
        axes = tuple(order[i] % x.ndim for i in axes)
        x = inner
    return x if axes == tuple(range(step.ndim)) else step.like(np.transpose, x, axes)


def same_shape(step):
    x = step.arguments[0]
    return x if is_same(step, x) and not step.keywords else step


def dot(step):
    a, b = step.arguments
    if all(type(x) is Step or isinstance(x, np.ndarray) for x in (a, b)) and all(1 <= x.ndim <= 2 for x in (a, b)):
        return matmul(step.like(np.matmul, a, b))
    return step


def matmul(step):
    """A product that sums over one term is an outer product, elementwise."""
    a, b = step.arguments
    if a.ndim == b.ndim == 2 and a.shape[1] == 1 and a.dtype == b.dtype == step.dtype and step.dtype.kind == "f":
        return step.like(np.multiply, a, b)
    return step


def reduction(step):
    """A reduction of single elements takes them as they are."""
    x = step.arguments[0]
    if type(x) is Step and x.dtype == step.dtype and x.shape and math.prod(x.shape) == math.prod(step.shape) != 0:
        return same_shape(Step(np.reshape, (x, step.shape), {}, step.shape, step.dtype, step.where))
    return step


def real(identity):
    """An identity of real numbers only."""
    return lambda step: identity(step) if step.dtype.char in "fd" else step


IDENTITIES = {
    np.matmul: matmul,
    np.dot: dot,
    np.multiply: real(multiply),
    np.add: real(add),
    np.subtract: real(subtract),
    np.negative: real(negative),
    np.power: real(power),
    np.true_divide: real(divide),
    np.transpose: transpose,
    np.reshape: same_shape,
    np.broadcast_to: same_shape,
    np.positive: same_shape,
    **dict.fromkeys((np.sum, np.mean, np.max, np.min), reduction),
}


def simplify(program):
    """The program with the identities of this module applied, inputs first."""

    def rewrite(step):
        if step.dtype is None:
            return step
        identity = IDENTITIES.get(step.function)
        return step if identity is None or step.weak else identity(step)

    return program.rewritten(rewrite)


def common_subexpressions(program):
    """The program with equal calls of equal arguments made once."""
    known = {}

    def rewrite(step):
        key = key_of(step)
        return step if key is None else known.setdefault(key, step)

    return program.rewritten(rewrite)


def key_of(step):
    """What equal calls have in common; None for calls that may differ each time."""
    if step.shape is None:
        return None
    try:
        arguments = tuple([key_of_value(a) for a in step.arguments])
        if step.function in (np.multiply, np.add):
            arguments = tuple(sorted(arguments))
        key = (step.function, arguments, tuple(sorted((k, key_of_value(v)) for k, v in step.keywords.items())))
        hash(key)
    except TypeError:
        return None
    return key


def key_of_value(value):
    if type(value) is Step:
        return ("step", id(value))
    if isinstance(value, np.ndarray):
        if value.nbytes > 4096 or value.dtype.hasobject:
            return ("array", id(value))
        return ("small array", value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, tuple):
        return ("tuple", *map(key_of_value, value))
    return (type(value).__name__, repr(value) if isinstance(value, (float, slice, np.generic)) else value)
