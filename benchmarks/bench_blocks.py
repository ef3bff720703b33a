"""Systems of blocks in arrays and their peers, and how time grows with blocks, their size and columns."""

import numpy as np

import fastbs as fb

from .block_cases import CASES, blocks, right_side, sparse_triangle
from .paired import compare


class Ratio:
    """Paired ratios to the best peer, tracked from commit to commit."""

    params = tuple(CASES)
    param_names = ("case",)
    unit = "of the best peer's time"

    def track_to_the_best_peer(self, case):
        result = compare(CASES[case][0](), "fastbs")
        peers = [name for name in result.times if name != "fastbs"]
        return result.ratio("fastbs", min(peers, key=result.seconds)).median if peers else np.nan


class Scaling:
    params = ((100, 1000, 10000, 100000), (1, 4, 16), (1, 16))
    param_names = ("N", "m", "r")

    def setup(self, n, m, r):
        if n * m * m * max(r, m) > 3e7:
            raise NotImplementedError  # larger than memory of small machines
        diag, off = blocks(n, m)
        self.A, self.b = fb.Bidiagonal.from_arrays(diag, off, diagonal="lower"), right_side(n, m, r)
        self.out = np.empty_like(self.b)

    def time_solve(self, n, m, r):
        self.A.solve(self.b, out=self.out)

    def peakmem_solve(self, n, m, r):
        self.A.solve(self.b, overwrite_b=True)


class Sparse:
    """Block-sparse triangles with three blocks a row off the diagonal, and the peer that keeps LU factors."""

    params = ((1000, 10000), (3, 8), ("fastbs", "splu"))
    param_names = ("N", "m", "rival")

    def setup(self, n, m, rival):
        self.run = sparse_triangle(n, m)[rival]

    def time_solve(self, n, m, rival):
        self.run()
