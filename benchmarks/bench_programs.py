"""Compiled gradients of programs that are not networks and of small networks, and Hessians, each against its peer."""

from . import hessian_cases, program_cases, small_cases
from .paired import compare
from .rival import OneRival


class _Rivals(OneRival):
    param_names = ("case", "rival")

    def found(self, case, rival):
        # what a process needs with a peer says nothing of ours
        return self.cases.rivals(case, peers=not rival.startswith("fastbs"))

    def time_call(self, case, rival):
        self.run()

    def peakmem_call(self, case, rival):
        self.run()


class Program(_Rivals):
    cases = program_cases
    params = (tuple(program_cases.CASES), ("fastbs", "jax"))


class Hessian(_Rivals):
    cases = hessian_cases
    params = (tuple(hessian_cases.CASES), ("fastbs", "jax"))


class Small(_Rivals):
    cases = small_cases
    params = (tuple(small_cases.CASES), ("fastbs bound", "fastbs call", "CasADi", "NumPy"))


class _Ratio:
    """Paired ratios to the peer, tracked from commit to commit."""

    param_names = ("case",)
    unit = "of the peer's time"

    def setup(self, case):
        self.found = self.cases.rivals(case)
        if len(self.found) == 1:
            raise NotImplementedError  # the peer is not installed

    def track_to_peer(self, case):
        ours, peer = self.found
        return compare(self.found, peer, target=1e-2).ratio(ours).median


class ProgramRatio(_Ratio):
    cases = program_cases
    params = tuple(program_cases.CASES)


class HessianRatio(_Ratio):
    cases = hessian_cases
    params = tuple(hessian_cases.CASES)


class SmallRatio(_Ratio):
    cases = small_cases
    params = tuple(small_cases.CASES)
