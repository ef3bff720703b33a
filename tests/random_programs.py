"""Random programs: lines of a table applied to whatever fits, values reused, results of any shape.

A line is a function of one or two arrays. It is accepted if NumPy takes the arrays and the result is tame; what is
accepted makes up the program, which from then on runs without looking.
"""

import itertools

import numpy as np
import optree

import fastbs as fb
import rule_cases
from fastbs.scipy.special import logsumexp

SHAPES = ((3, 4), (4, 3), (1, 4), (3, 1), (4,), ())
SQUARE_TOO = (*SHAPES, (3, 3), (2, 3), (2, 4), (3,))


class Program:
    """A function of three arrays as a list of lines, made of those that fit the arrays.

    Parameters
    ----------
    seed : int
    table : sequence of functions, those of one array and those of two
    shapes : of the arrays
    length : the least and the largest number of lines
    also : callable, optional
        Turns a function into another one, which must take the arrays as complex ones.
    """

    def __init__(self, seed, table, shapes=SHAPES, length=(3, 16), also=None):
        rng = np.random.default_rng(seed)
        self.arguments = [rng.normal(size=shapes[i]) for i in rng.integers(len(shapes), size=3)]
        self.lines = []
        values, length = list(self.arguments), rng.integers(*length)
        with np.errstate(all="ignore"):
            for _ in range(20 * length):
                count = rng.integers(1, 3)
                function = table[count][rng.integers(len(table[count]))]
                chosen = rng.integers(len(values), size=count)
                results = attempt(function, [values[i] for i in chosen])
                if results and also:
                    results = attempt(also(function), [values[i] + 0j for i in chosen]) and results
                if results:
                    self.lines.append((function, chosen))
                    values += results
                if len(self.lines) == length:
                    break

    def values(self, *inputs, exchanged=lambda function: function):
        """All values of the program, with functions exchanged for others."""
        values = list(inputs)
        for function, chosen in self.lines:
            values += floats(exchanged(function)(*[values[i] for i in chosen]))
        return values

    def __call__(self, *inputs, **keywords):
        """A scalar of all values."""
        return sum(np.sum(np.tanh(0.1 * v)) for v in self.values(*inputs, **keywords))

    def is_steady(self, arguments, rng):
        """Whether rounding decides nothing: a sign or an order of numbers equal but for rounding is chance."""
        value = self(*arguments)
        near = [self(*[x * (1 + 1e-12 * rng.normal(size=x.shape)) for x in arguments]) for _ in range(4)]
        return all(abs(y - value) < 1e-7 for y in near)


def attempt(function, arrays):
    """Tame results, or none."""
    refused = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
    try:
        results = floats(function(*[np.copy(x)[()] for x in arrays]))
    except (*refused, Warning):
        return None
    tame = all(np.all(np.isfinite(z)) and 0 < np.size(z) <= 300 and np.max(np.abs(z)) < 1e4 for z in results)
    return results if tame else None


def floats(result):
    """The arrays of real or complex numbers among the results of a function."""
    return [z for z in optree.tree_leaves(result) if np.result_type(z).kind in "fc"]


# Lines that compiled programs have as well


def put(x, y):
    """x with a part taken from y."""
    z = x + 0.0 * np.sum(y)
    z[..., :2] = 0.5 * y[..., 1:3]
    z[0] += 1.0
    return z


UNARY = (
    np.tanh, np.sin, np.exp, lambda x: x * x, lambda x: -x, np.abs, lambda x: np.maximum(x, 0.1), lambda x: 2 * x - 1,
    lambda x: 1 / (1 + x * x), lambda x: np.sqrt(1 + x * x), lambda x: np.where(x > 0, x, 0.5 * x), np.sign, np.floor,
    lambda x: np.log1p(x * x), lambda x: np.clip(x, -0.5, 0.5), lambda x: x**3, lambda x: np.logaddexp(0, x),
)  # fmt: skip
BINARY = (
    np.add, np.subtract, np.multiply, lambda x, y: x / (2 + y * y), np.maximum, np.minimum, np.hypot, np.logaddexp,
    lambda x, y: np.where(x < y, x, y * y), lambda x, y: (x > y) * x, np.arctan2, lambda x, y: x @ y,
    lambda x, y: x @ y, put,
)  # fmt: skip
SHAPED = (
    lambda x: x.T, lambda x: x[::-1], lambda x: x[..., ::2], lambda x: np.reshape(x, (-1,)), lambda x: x[1:],
    lambda x: np.sum(x, axis=0), lambda x: np.sum(x, axis=-1, keepdims=True), np.mean, lambda x: np.max(x, axis=-1),
    lambda x: np.concatenate([x, x[:1]]), lambda x: np.sort(x, axis=-1), lambda x: np.cumsum(x, axis=0),
    lambda x: x - np.mean(x, axis=0), lambda x: x[np.argsort(np.reshape(x, (len(x), -1))[:, 0])],
    lambda x: x[None], lambda x: np.stack([x, -x]), lambda x: np.min(x), lambda x: np.var(x, axis=0),
)  # fmt: skip
LINES = {1: (*UNARY, *SHAPED), 2: BINARY}


# Lines whose order, masks, branches and loops depend on values, for compiled programs


def choose(x):
    return fb.cond(np.sum(x) > 0, lambda x: np.sin(x) + np.max(x), lambda x: x * x, x)


def choose_result(x, y):
    return fb.cond(x.ravel()[0] > y.ravel()[0], lambda x, y: np.sum(x) * y, lambda x, y: y - np.min(x), x, y)


def loop(x):
    return fb.scan(lambda s, r: (0.5 * s + np.tanh(r), s * r), np.zeros_like(x[0]), x)


def loop_back_and_forth(x, y):
    last, ys = fb.scan(lambda s, r: (np.tanh(s + np.mean(y) * r), np.max(s) - r), x[0], x)
    return fb.scan(lambda s, r: (s * np.cos(r), np.where(r > 0, s, r)), last, ys[::-1])


def loop_of_choices(x):
    return fb.scan(lambda s, r: (fb.cond(np.sum(r) > np.sum(s), np.sin, np.cos, s), np.argmax(r) * s), x[0], x)


def loop_of_numbers(x):
    return fb.scan(lambda s, r: (np.where(r > s, np.sin(s), s * r), s), 0.3, x.ravel())


def loop_of_loops(x):
    return fb.scan(lambda s, r: (fb.scan(lambda t, q: (0.5 * t + q * s, None), s, r)[0], None), x.ravel()[0], x)[0]


def gain(x):
    """A well-conditioned matrix."""
    return np.eye(x.shape[-2]) + 0.1 * x @ x.mT


def one_hot(x):
    return x * (np.arange(x.shape[-1]) == np.argmax(x, axis=-1)[..., None])


def scattered(x, y):
    z = np.zeros(4) + 0.0 * np.sum(x)
    np.add.at(z, np.mod(np.argsort(y.ravel())[:3], 4), x.ravel()[:3])
    return z


VALUED = {
    1: (
        choose, loop, loop_of_choices, loop_of_numbers, loop_of_loops, one_hot,
        lambda x: np.take_along_axis(x, np.argsort(-x, axis=-1), -1), lambda x: x.ravel()[np.argmax(x)],
        lambda x: x[np.argmin(x, axis=0)], lambda x: x[np.mod(np.floor(3 * x[0]).astype(int), len(x))],
        lambda x: np.count_nonzero(x > 0.1) * x, lambda x: np.any(x > 1) * x + np.all(x < 1), np.median,
        lambda x: np.quantile(x, 0.3, axis=0), lambda x: np.partition(x, 1, axis=0), lambda x: np.cumprod(x, axis=-1),
        lambda x: np.select([x > 0.5, x < -0.5], [x * x, np.sin(x)], 0.1), lambda x: np.diff(x, axis=0),
        lambda x: np.prod(x, axis=-1), lambda x: np.linalg.solve(gain(x), x), lambda x: np.linalg.cholesky(gain(x)),
        lambda x: np.linalg.inv(gain(x)), lambda x: np.linalg.slogdet(gain(x))[1], lambda x: np.linalg.norm(x, axis=-1),
        lambda x: np.matmul(x[..., None, :], x[..., :, None]), lambda x: np.einsum("...ij,...kj->...ik", x, x),
        lambda x: np.exp(x - np.max(x, axis=-1, keepdims=True)),
        lambda x: logsumexp(np.atleast_1d(x), axis=0), lambda x: x.sum((0, 1)), lambda x: np.ptp(x, 0),
        lambda x: np.tril(x) + np.triu(x, 1).mT, lambda x: np.roll(x, 1, -1), lambda x: np.repeat(x, 2, axis=0),
        lambda x: np.pad(x, 1), lambda x: np.where(x == np.max(x), 1.0, x), lambda x: np.rint(x) * x, lambda x: x % 0.7,
        lambda x: np.broadcast_to(x, (2, *x.shape)), lambda x: np.mean(x, axis=0, keepdims=True),
        lambda x: x.ravel()[::2], lambda x: x.astype(np.float32).astype(float),
        lambda x: np.searchsorted(np.sort(x.ravel()), 0.1) * x,
        lambda x: np.std(x, axis=-1), lambda x: np.interp(x, [-1.0, 0.0, 1.0], [0.2, -0.3, 0.5]),
    ),
    2: (
        choose_result, loop_back_and_forth, scattered, lambda x, y: np.stack([x, 2 * x]) @ y, np.outer,
        lambda x, y: np.tensordot(x, y, 1), lambda x, y: np.linalg.solve(gain(x), y), lambda x, y: x @ y.mT, np.fmax,
        lambda x, y: np.where(np.mean(x, axis=0) > 0, x, y), lambda x, y: np.concatenate([x, y]), np.copysign,
        lambda x, y: (y + 0.0 * np.sum(x))[np.argsort(x.ravel())[: len(y)] % len(y)],
        lambda x, y: np.logical_xor(x > 0, y > 0) * x,
        lambda x, y: np.einsum("ij,kj->ik", x, y), lambda x, y: np.clip(x, np.min(y), np.max(y)), np.kron,
        lambda x, y: np.choose((x > 0).astype(int), [x, y]), lambda x, y: np.sum(x * y, axis=-1) / (1 + np.sum(y * y)),
    ),
}  # fmt: skip
COMPILED = {count: (*LINES[count], *VALUED[count]) for count in LINES}


# Lines with branches on values, and in place


def larger_branch(x, y):
    return x * y if np.sum(x) > np.sum(y) else x - np.sin(y)


def loop_until_small(x):
    while np.max(x) > 0.5:
        x = 0.5 * x
    return x


def add_in_place(x, y):
    z = x + 0.0 * np.sum(y)
    z += y
    z *= z
    z -= 0.3
    return z


def scatter(x, y):
    z = np.zeros_like(y) + 0.0 * np.sum(x)
    np.add.at(z, np.array([0, 2, 0]), x[:3])
    z[z > 0.1] *= 2
    return z


def row_by_row(x):
    z = np.zeros_like(x)
    for i in range(len(x)):
        z[i] = np.cos(x[i]) + (0.5 * z[i - 1] if i else 0)
    return z


BRANCHES = {1: (loop_until_small, row_by_row), 2: (larger_branch, add_in_place, scatter)}


def lines_of_the_table(leave_out):
    """Every case of the tests of rules of one or two arrays, with `LINES` and `BRANCHES`."""
    lines = {1: [*LINES[1], *BRANCHES[1]], 2: [*LINES[2], *BRANCHES[2]]}
    for name, (function, arrays) in rule_cases.CASES.items():
        if len(arrays) in lines and not name.startswith(leave_out):
            lines[len(arrays)].append(function)
    # as many elementary lines as of all others
    for count, short in LINES.items():
        lines[count] += itertools.islice(itertools.cycle(short), len(lines[count]))
    return lines
