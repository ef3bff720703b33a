"""Solving block systems of operators, and gradients of networks through the backslash."""

from .backslash_cases import Chain, Network, rivals_of


class _Solve:
    """Times one rival of ``system``."""

    param_names = ("N", "n", "rival")

    def setup(self, N, n, rival):
        self.run = rivals_of(self.system(N, n))[rival]
        self.run()

    def time_solve(self, N, n, rival):
        self.run()

    def peakmem_solve(self, N, n, rival):
        self.run()


class ChainOfOperators(_Solve):
    system = Chain
    params = ((10, 1000), (1, 4, 16, 64), tuple(dict(Chain.rivals)))


class NetworkGradient(_Solve):
    system = Network
    params = ((2, 10, 100), (4, 16, 64), tuple(dict(Network.rivals)))
