"""Compiled gradients of networks: time, memory, and paired ratios to the BLAS floor and to the peers."""

import numpy as np

from .network_cases import CASES, RIVALS, Network
from .paired import compare
from .rival import OneRival

DTYPES = ("float64", "float32")


class Gradient(OneRival):
    params = (tuple(CASES), DTYPES, ("ours", *RIVALS))
    param_names = ("widths, batch", "dtype", "rival")

    def found(self, case, dtype, rival):
        widths, batch, ours, *_ = CASES[case]
        found = Network(widths, batch, np.dtype(dtype).type).rivals((rival,))
        return found | {"ours": found[ours]}

    def time_gradient(self, case, dtype, rival):
        self.run()

    def peakmem_gradient(self, case, dtype, rival):
        self.run()


class Ratio:
    """Paired ratios, tracked from commit to commit."""

    params = (tuple(CASES), DTYPES, RIVALS)
    param_names = ("widths, batch", "dtype", "rival")
    unit = "of the rival's time"

    def setup(self, case, dtype, rival):
        widths, batch, self.ours, *_ = CASES[case]
        self.found = Network(widths, batch, np.dtype(dtype).type).rivals((rival,))
        if rival not in self.found:
            raise NotImplementedError  # it is not installed

    def track_ratio(self, case, dtype, rival):
        return compare({name: self.found[name] for name in (self.ours, rival)}, rival).ratio(self.ours).median
