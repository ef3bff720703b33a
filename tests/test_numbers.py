"""Programs of numbers: longer operations and results handed on compute the same."""

import numpy as np
import pytest

import fastbs as fb
from compiled_programs import agree
from fastbs.compiler.clusters import with_products
from fastbs.compiler.elementwise import FUNCTIONS, MICRO_OPS
from fastbs.compiler.numbers import lines_of_numbers, with_more_products

NAMES = {i: name for name, i in MICRO_OPS.items()}
# Integers, so that nothing is rounded; the last two stand for functions that keep no order.
MEANING = {
    "times": lambda x, y: x * y,
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "neg": lambda x: -x,
    "muladd": lambda x, y, z: x * y + z,
    "mulsub": lambda x, y, z: x * y - z,
    "submul": lambda x, y, z: z - x * y,
    "times submul": lambda x, y, z, w: w * (z - x * y),
    "times3": lambda x, y, z: x * y * z,
    "products add": lambda x, y, z, w: x * y + z * w,
    "products sub": lambda x, y, z, w: x * y - z * w,
    "over": lambda x, y: 3 * x + 5 * y,
    "tanh": lambda x: x * x + 7,
}
LARGEST = 1_000_003
LEAVES = 4


def computed(lines, values):
    """The registers after operations, which may take the result before in one place."""
    values, last = dict(values), None
    for name, register, arguments in lines:
        if isinstance(name, tuple):
            name, at = name
            arguments = [*arguments]
            arguments[at] = "last"
        function = MEANING[name]
        found = [last if a == "last" else values[a] for a in arguments[: function.__code__.co_argcount]]
        values[register] = last = function(*found) % LARGEST
    return values


def unpacked(lines):
    """Micro operations as names and arguments again."""
    for op, register, *arguments in lines:
        name = NAMES[op]
        if name == "function of the result before":
            yield FUNCTIONS[arguments[0]], register, ["last"]
        else:
            yield name, register, arguments


@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed):
    rng = np.random.default_rng(seed)
    names = [name for name in MEANING if name not in ("times3", "products add", "products sub")]
    operations = []
    for r in range(LEAVES, LEAVES + 12):
        name = names[rng.integers(len(names))] if rng.random() < 0.6 else "times"
        count = MEANING[name].__code__.co_argcount
        # mostly of the last results, as programs are
        arguments = [int(max(r - 1 - rng.geometric(0.5) + 1, 0)) for _ in range(count)]
        operations.append((name, r, tuple(arguments)))
    values = dict(enumerate(rng.integers(LARGEST, size=LEAVES).tolist()))
    expected, kept = computed(operations, values), {LEAVES + 11, LEAVES + 6}
    longer = with_more_products(with_products(operations, kept), kept)
    assert len(longer) <= len(operations)
    lines = lines_of_numbers(longer, {r: r for r in range(LEAVES + 12)})
    for found in (computed(longer, values), computed(unpacked(lines), values)):
        for r in kept:
            assert found[r] == expected[r]


def test_operations_in_a_row():
    def f(a, b, c, d):
        products = a * b * c + c * d - b * d * a - (a * b - c * d) * (c * d - a * b * d)
        chained = -(1 / (np.tanh(np.tanh(products) * a - b) - c)) / (d - np.exp(a) * np.exp(np.sin(b)))
        return products, chained, c - (a - b * (c - chained * d)), (a * d) * (b * c)

    given = [np.float64(x) for x in (0.3, -0.7, 1.2, 2.5)]
    agree(f, *given)
    agree(f, *[np.float32(x) for x in given])
    for i in range(4):
        agree(fb.grad(lambda *x, i=i: f(*x)[i], (0, 1, 2, 3)), *given)
