"""Compiled gradients of loops of 1,000 steps, against jax.lax.scan."""

import numpy as np

from .loop_cases import CASES, compilers, rivals
from .paired import compare
from .rival import OneRival

DTYPES = ("float64", "float32")


class Loop(OneRival):
    params = (tuple(CASES), DTYPES, ("fastbs", "jax"))
    param_names = ("loop", "dtype", "rival")

    def found(self, case, dtype, rival):
        return rivals(case, np.dtype(dtype).type, peers=rival != "fastbs")

    def time_gradient(self, case, dtype, rival):
        self.run()

    def peakmem_gradient(self, case, dtype, rival):
        self.run()


class Compiling:
    """Making a plan, for 10 steps and for 1,000."""

    params = (tuple(CASES), ("10 steps", "1000 steps"))
    param_names = ("loop", "length")

    def setup(self, case, length):
        self.run = compilers(case)[length]

    def time_compile(self, case, length):
        self.run()


class Ratio:
    """Paired ratios to jax.jit, tracked from commit to commit."""

    params = (tuple(CASES), DTYPES)
    param_names = ("loop", "dtype")
    unit = "of jax.jit's time"

    def setup(self, case, dtype):
        self.found = rivals(case, np.dtype(dtype).type)
        if "jax" not in self.found:
            raise NotImplementedError  # it is not installed

    def track_to_jax(self, case, dtype):
        return compare(self.found, "jax", target=1e-2).ratio("fastbs").median
