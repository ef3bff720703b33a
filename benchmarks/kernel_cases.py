"""Matrix products by own kernels and by BLAS, repeated within one call of the executor, so that calling is free."""

import numpy as np

from fastbs._tape import Tape, TapedOperator
from fastbs.compile.lowering import GEMM, GEMV, PRODUCT

SQUARES = tuple((n, n, n) for n in (4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512))

# (m, n, k) of a layer's product W X; its two others are D X^T (m, k, n) and W^T D (k, n, m).
LAYERS = ((16, 1, 16), (64, 1, 64), (256, 1, 256), (32, 8, 32), (64, 32, 64), (128, 128, 128), (256, 256, 256))
LAYERS += ((256, 128, 784), (128, 128, 256), (10, 128, 128))


class Repeated(TapedOperator):
    """One product c = a b, ``times`` times; a and b are views of memory in C or Fortran order."""

    def __init__(self, opcode, a, b, times):
        (m, k), n = a.shape, b.shape[1]
        self.c = np.zeros((m, n), a.dtype)
        code = [(opcode, 0, times, m, n, k, 1.0, 0.0, 2.0 * m * n * k * times, *map(operand, range(3), (a, b, self.c)))]
        layouts = [(x.shape, x.strides) for x in (a, b)]
        dtype = ("float32", "float64").index(a.dtype.name)
        self._bind(Tape(dtype, layouts, [(self.c.shape, self.c.strides)], code, 0), (b,), True)
        self.a = a

    def __call__(self):
        return self.apply_into(self.a, self.c)


def operand(slot, array):
    rs, cs = (stride // array.itemsize for stride in array.strides)
    return (slot, 0, rs, cs, 0)


def rivals(m, n, k, dtype, orders="CC", flops=4e6):
    """``{"own": ..., "BLAS": ...}`` for c = a b in these memory orders, and how often each runs in one call."""
    rng = np.random.default_rng(0)
    a, b = (np.asarray(rng.standard_normal(s), dtype, order=o) for s, o in zip(((m, k), (k, n)), orders, strict=True))
    times = max(1, int(flops / (2 * m * n * k + 200)))
    return {"own": Repeated(PRODUCT, a, b, times), "BLAS": Repeated(GEMV if n == 1 else GEMM, a, b, times)}, times
