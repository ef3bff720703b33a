"""Jacobians of chains of tanh layers, ours and JAX's."""

from .jacobian_cases import CASES, PEERS, rivals

OURS = ("fastbs", "compiled")


class Jacobian:
    params = (tuple(CASES), (*OURS, *PEERS, "split"))
    param_names = ("widths", "rival")

    def setup(self, case, rival):
        found = rivals(case, peers=rival not in OURS)
        if rival not in found:
            raise NotImplementedError  # asv's word for "skip"
        self.run = found[rival]
        self.run()

    def time_jacobian(self, case, rival):
        self.run()
