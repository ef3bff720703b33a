"""Jacobians of chains of tanh layers, ours and JAX's."""

from .jacobian_cases import CASES, PEERS, rivals
from .rival import OneRival

OURS = ("fastbs", "compiled")


class Jacobian(OneRival):
    params = (tuple(CASES), (*OURS, *PEERS, "split"))
    param_names = ("widths", "rival")

    def found(self, case, rival):
        return rivals(case, peers=rival not in OURS)

    def time_jacobian(self, case, rival):
        self.run()
