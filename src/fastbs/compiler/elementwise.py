"""Elementwise functions as micro operations: the lines of the lowering table that clusters are made of.

A line is called with a writer and one register an argument, and returns the register of the result:
``to(ADD, a, b)`` writes an operation, ``to.number(2.0)`` is the register of a constant. Truth values are 0 and 1.
"""

import math

import numpy as np

__all__ = ["ELEMENTWISE", "FUNCTIONS", "MICRO_OPS", "OF_LAST", "is_elementwise", "line_of", "micro"]

# In the order of functions.h and cluster.h.
FUNCTIONS = [
    "exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "relu", "erf", "erfc", "ndtr", "sin", "cos",
    "sqrt", "exp2", "log2", "log10", "tan", "sinh", "cosh", "arctan", "arcsin", "arccos", "arcsinh", "arccosh",
    "arctanh", "cbrt",
]  # fmt: skip
OPERATIONS = [
    "move", "add", "sub", "times", "over", "neg", "abs", "sign", "max", "min", "fmax", "fmin", "muladd", "mulsub",
    "submul", "times submul", "lt", "le", "gt", "ge", "eq", "ne", "and", "or", "xor", "not", "where", "isnan",
    "isinf", "isfinite", "signbit", "floor", "ceil", "rint", "trunc", "pow", "atan2", "hypot", "copysign", "fmod",
    "remainder",
]  # fmt: skip
OF_LAST = "function of the result before"
# Of programs of numbers alone: x y z, x y + z w, x y - z w, and the same with the result of the operation before as one
# argument, by its place; functions of it.
NUMBER_OPERATIONS = [
    "times3", "products add", "products sub",
    ("times", 0), ("add", 0), ("sub", 0), ("sub", 1), ("muladd", 0), ("muladd", 2), ("mulsub", 0), ("mulsub", 2),
    ("submul", 0), ("submul", 2), ("times submul", 3), ("over", 1), ("over", 0), ("neg", 0), OF_LAST,
    ("times3", 0), ("products add", 0), ("products sub", 0), ("products sub", 2),
]  # fmt: skip
MICRO_OPS = {name: i for i, name in enumerate([*FUNCTIONS, *OPERATIONS, *NUMBER_OPERATIONS])}
# Rough flops of one element, for the choice of what releases the GIL.
COST = dict.fromkeys(FUNCTIONS, 20.0) | {"pow": 60.0, "atan2": 40.0, "hypot": 20.0, "fmod": 40.0, "remainder": 40.0}


def micro(name):
    return lambda to, *registers: to(name, *registers)


ELEMENTWISE = {
    np.add: micro("add"),
    np.subtract: micro("sub"),
    np.multiply: micro("times"),
    np.true_divide: micro("over"),
    np.negative: micro("neg"),
    np.positive: micro("move"),
    np.absolute: micro("abs"),
    np.fabs: micro("abs"),
    np.sign: micro("sign"),
    np.square: lambda to, x: to("times", x, x),
    np.reciprocal: lambda to, x: to("over", to.number(1.0), x),
    np.maximum: micro("max"),
    np.minimum: micro("min"),
    np.fmax: micro("fmax"),
    np.fmin: micro("fmin"),
    np.power: micro("pow"),
    np.float_power: micro("pow"),
    np.arctan2: micro("atan2"),
    np.hypot: micro("hypot"),
    np.copysign: micro("copysign"),
    np.fmod: micro("fmod"),
    np.remainder: micro("remainder"),
    np.where: micro("where"),
    np.floor: micro("floor"),
    np.ceil: micro("ceil"),
    np.rint: micro("rint"),
    np.trunc: micro("trunc"),
    np.deg2rad: lambda to, x: to("times", x, to.number(math.pi / 180)),
    np.radians: lambda to, x: to("times", x, to.number(math.pi / 180)),
    np.rad2deg: lambda to, x: to("times", x, to.number(180 / math.pi)),
    np.degrees: lambda to, x: to("times", x, to.number(180 / math.pi)),
    np.less: micro("lt"),
    np.less_equal: micro("le"),
    np.greater: micro("gt"),
    np.greater_equal: micro("ge"),
    np.equal: micro("eq"),
    np.not_equal: micro("ne"),
    np.isnan: micro("isnan"),
    np.isinf: micro("isinf"),
    np.isfinite: micro("isfinite"),
    np.signbit: micro("signbit"),
    np.logical_and: micro("and"),
    np.logical_or: micro("or"),
    np.logical_xor: micro("xor"),
    np.logical_not: micro("not"),
}
for name in FUNCTIONS:
    if hasattr(np, name):
        ELEMENTWISE[getattr(np, name)] = micro(name)

# Of truth values these are logical functions, of integers they are not.
LOGICAL = {
    np.bitwise_and: micro("and"),
    np.bitwise_or: micro("or"),
    np.bitwise_xor: micro("xor"),
    np.invert: micro("not"),
}


def log_add_exp(to, a, b):
    """max(a, b) + log1p(exp(-|a - b|)); equal infinities have no difference."""
    if to.is_number(a, 0.0):
        return to("softplus", b)
    if to.is_number(b, 0.0):
        return to("softplus", a)
    distance = to("neg", to("abs", to("sub", a, b)))
    apart = to("add", to("max", a, b), to("log1p", to("exp", distance)))
    return to("where", to("eq", a, b), to("add", a, to.number(math.log(2))), apart)


ELEMENTWISE[np.logaddexp] = log_add_exp


def logit(to, x):
    return to("log", to("over", x, to("sub", to.number(1.0), x)))


def x_log_y(to, x, y):
    """x log y, and 0 for x = 0 unless y is NaN."""
    product = to("times", x, to("log", y))
    zero = to("and", to("eq", x, to.number(0.0)), to("not", to("isnan", y)))
    return to("where", zero, to.number(0.0), product)


def log_sigmoid(to, x):
    return to("neg", to("softplus", to("neg", x)))


# SciPy's ufuncs, by name: their module is slow to import, and whoever traces one has imported it.
BY_NAME = {
    "expit": micro("sigmoid"),
    "log_expit": log_sigmoid,
    "logit": logit,
    "erf": micro("erf"),
    "erfc": micro("erfc"),
    "ndtr": micro("ndtr"),
    "xlogy": x_log_y,
    "exp2": micro("exp2"),
    "cbrt": micro("cbrt"),
    "expm1": micro("expm1"),
    "log1p": micro("log1p"),
}


def by_name(function):
    """The line of a ufunc, NumPy's or SciPy's; None if there is none."""
    line = ELEMENTWISE.get(function)
    if line is None and isinstance(function, np.ufunc):
        line = BY_NAME.get(function.__name__)
        if line is not None:
            ELEMENTWISE[function] = line
    return line


def is_elementwise(step):
    """Whether a step is a line of this table with a real floating-point or truth result."""
    return step.dtype is not None and step.dtype.char in "fd?" and line_of(step) is not None


def line_of(step):
    """The line of a step's function, None for what has no micro operations."""
    line = by_name(step.function)
    if line is None and step.function in LOGICAL and step.dtype == bool:
        return LOGICAL[step.function]
    return line
