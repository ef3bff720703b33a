"""Applying Kronecker chains of three and more factors, against fastkron and opt_einsum."""

from .kronecker_cases import CHAINS, rivals
from .paired import compare
from .rival import OneRival

RIVALS = ("fastbs", "fastkron gekmm", "fastkron gemkm", "opt_einsum")


class Chain(OneRival):
    params = (tuple(CHAINS), RIVALS)
    param_names = ("chain", "rival")

    def found(self, chain, rival):
        shapes, columns, _ = CHAINS[chain]
        return rivals(shapes, columns)

    def time_apply(self, chain, rival):
        self.run()

    def peakmem_apply(self, chain, rival):
        self.run()


class Ratio:
    """Paired ratios to the better peer, tracked from commit to commit."""

    params = tuple(CHAINS)
    param_names = ("chain",)
    unit = "of the better peer's time"

    def setup(self, chain):
        shapes, columns, _ = CHAINS[chain]
        self.found = rivals(shapes, columns)
        if len(self.found) == 1:
            raise NotImplementedError  # no peer is installed

    def track_to_peers(self, chain):
        result = compare(self.found, "fastbs")
        return max(result.ratio("fastbs", name).median for name in self.found if name != "fastbs")
