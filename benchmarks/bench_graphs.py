"""Sweeps over graphs, their topological order, and the peer that keeps LU factors."""

import numpy as np

import fastbs as fb

from .graph_cases import NODES, ordering, random_graph, solvers
from .paired import compare
from .rival import OneRival


class Solve(OneRival):
    params = (NODES, ("splu", "given order", "factorized"))
    param_names = ("nodes", "rival")

    def found(self, nodes, rival):
        return solvers(nodes)

    def time_solve(self, nodes, rival):
        self.run()


class Order:
    params = NODES
    param_names = ("nodes",)

    def setup(self, nodes):
        self.Lt = random_graph(nodes, shuffled=True)

    def time_topological_order(self, nodes):
        fb.Graph(self.Lt)

    def peakmem_topological_order(self, nodes):
        fb.Graph(self.Lt)

    def track_order_to_sweep(self, nodes):
        return compare(ordering(nodes), "sweep").ratio("order").median


class Columns:
    """Sweeps for many right sides at once, in every semiring."""

    params = ((1, 4, 16, 64), ("sum-product", "max-plus", "log-sum-exp"))
    param_names = ("columns", "semiring")

    def setup(self, columns, semiring):
        self.graph = fb.Graph(random_graph(10**5))
        self.b = np.ones((10**5, columns))

    def time_solve(self, columns, semiring):
        self.graph.solve(self.b, semiring)

    def time_transposed(self, columns, semiring):
        self.graph.T.solve(self.b, semiring)


class Ratio:
    """Paired ratios to SuperLU's kept factors, tracked from commit to commit."""

    params = (NODES, ("given order", "factorized"))
    param_names = ("nodes", "rival")
    unit = "of splu's solve"

    def track_to_splu(self, nodes, rival):
        rivals = solvers(nodes)
        return compare({name: rivals[name] for name in (rival, "splu")}, "splu").ratio(rival).median
