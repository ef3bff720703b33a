"""Own kernels against what they replace: products against BLAS, elementary functions against NumPy and SciPy."""

import functools

import numpy as np
import scipy.special

from fastbs._tape import Tape, TapedOperator, map_function
from fastbs.compiler.instructions import GEMM, GEMV, PRODUCT

from .paired import compare
from .tables import Ratios

SQUARES = tuple((n, n, n) for n in (4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512))

# (m, n, k) of a layer's product W X; the two others of its gradient are D X^T and W^T D.
LAYERS = ((16, 1, 16), (64, 1, 64), (256, 1, 256), (32, 8, 32), (64, 32, 64), (128, 128, 128), (256, 256, 256))
LAYERS += ((256, 128, 784), (128, 128, 256), (10, 128, 128))

PRODUCTS = tuple((m, n, k, "CC") for m, n, k in SQUARES + LAYERS)
PRODUCTS += tuple((m, k, n, "CF") for m, n, k in LAYERS) + tuple((k, n, m, "FC") for m, n, k in LAYERS)

# What each function may take of NumPy's or SciPy's time.
FUNCTIONS = {
    "tanh": 0.4, "sigmoid": 0.6, "exp": 0.8, "expm1": 0.5, "log": 0.8, "log1p": 0.5, "softplus": 0.5, "sin": 0.8,
    "cos": 0.8, "erf": 0.8, "erfc": 0.8, "ndtr": 0.8, "sqrt": 1.05, "relu": 1.05,
}  # fmt: skip
RIVALS = {
    "sigmoid": scipy.special.expit,
    "softplus": lambda x: np.logaddexp(x, 0),
    "relu": lambda x: np.maximum(x, 0),
    "erf": scipy.special.erf,
    "erfc": scipy.special.erfc,
    "ndtr": scipy.special.ndtr,
}


class Repeated(TapedOperator):
    """One product c = a b, ``times`` times within one call of the executor, so that calling is free."""

    def __init__(self, opcode, a, b, times):
        (m, k), n = a.shape, b.shape[1]
        self.c = np.zeros((m, n), a.dtype)
        dtype = ("float32", "float64").index(a.dtype.name)
        cost, operands = 2.0 * m * n * k * times, list(map(operand, range(3), (a, b, self.c)))
        code = [(opcode, dtype, 0, -1, times, m, n, k, 1.0, 0.0, cost, *operands, operands[-1], None)]
        *inputs, output = [(x.dtype, x.shape, x.strides) for x in (a, b, self.c)]
        self._bind(Tape(inputs, [output], [], code, 0), (b,), True)
        self.a = a

    def __call__(self):
        return self.apply_into(self.a, self.c)


def operand(slot, array):
    rs, cs = (stride // array.itemsize for stride in array.strides)
    return (slot, 0, rs, cs, 0)


def products(m, n, k, dtype, orders="CC", flops=4e6):
    """``{"own": ..., "BLAS": ...}`` for c = a b in these memory orders, and how often each runs in one call."""
    rng = np.random.default_rng(0)
    a, b = (np.asarray(rng.standard_normal(s), dtype, order=o) for s, o in zip(((m, k), (k, n)), orders, strict=True))
    times = max(1, int(flops / (2 * m * n * k + 200)))
    return {"own": Repeated(PRODUCT, a, b, times), "BLAS": Repeated(GEMV if n == 1 else GEMM, a, b, times)}, times


def functions(name, dtype, n=4096):
    """``{"own": ..., "NumPy": ...}`` on n numbers in (0.1, 3); both return new arrays."""
    x = np.random.default_rng(0).uniform(0.1, 3, n).astype(dtype)
    rival = RIVALS.get(name) or getattr(np, name)
    return {"own": lambda: map_function(name, x), "NumPy": lambda: rival(x)}, n


def report(sizes, rounds):
    """Print one row per kernel and dtype, a product no slower than BLAS; return how many bounds are missed."""
    table = Ratios("{:<16}{:<9}", "kernel", "dtype")
    cases = [
        (f"{m}x{n}x{k} {orders}", 1.0, functools.partial(products, m, n, k, orders=orders))
        for m, n, k, orders in PRODUCTS
        if not sizes or max(m, n, k) in sizes
    ]
    cases += [(name, bound, functools.partial(functions, name)) for name, bound in FUNCTIONS.items()]
    for dtype in ("float64", "float32"):
        for label, bound, prepare in cases:
            rivals, calls = prepare(dtype=dtype)
            _, rival = rivals
            result = compare(rivals, rival, rounds, target=1e-3, check=1e-4)
            table.add(result, "own", rival, bound, label, dtype, calls=calls)
    return table.missed
