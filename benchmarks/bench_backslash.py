"""Solving block systems of operators, and gradients of networks through the backslash."""

from .backslash_cases import Chain, Network, Pairs, rivals_of
from .rival import OneRival


class _Solves(OneRival):
    """One ``system`` of N blocks of size n."""

    param_names = ("N", "n", "rival")

    def found(self, N, n, rival):
        return rivals_of(self.system(N, n))


class ChainOfOperators(_Solves):
    system = Chain
    params = ((10, 1000), (1, 4, 16, 64), tuple(dict(Chain.rivals)))

    def time_solve(self, N, n, rival):
        self.run()


class ChainOfPairs(_Solves):
    system = Pairs
    params = ((10, 1000), (4, 16), tuple(dict(Pairs.rivals)))

    def time_solve(self, N, n, rival):
        self.run()


class NetworkGradient(_Solves):
    system = Network
    params = ((2, 10, 100), (4, 16, 64), tuple(dict(Network.rivals)))

    def time_gradient(self, N, n, rival):
        self.run()


class LongChain(_Solves):
    """Ten thousand blocks: the time per block must not grow, and the memory is that of the result."""

    system = Chain
    params = ((1000, 10_000), (8,), tuple(dict(Chain.rivals)))

    def time_solve(self, N, n, rival):
        self.run()

    def peakmem_solve(self, N, n, rival):
        self.run()
