"""Systems of blocks in arrays and their peers, and how time grows with blocks, their size and columns."""

import numpy as np
import scipy.sparse

import fastbs as fb

from .block_cases import CASES, blocks, right_side, sparse_triangle, tridiagonal, tridiagonal_blocks
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


class Tridiagonal:
    """Factors and a solve, against LAPACK's solvers of band matrices."""

    params = ((1000, 10000), (1, 4, 16), (False, True), ("fastbs", "LAPACK"))
    param_names = ("N", "m", "positive definite", "rival")

    def setup(self, n, m, positive, rival):
        found = tridiagonal(n, m, positive)
        self.run = found.get(rival) or next(run for name, run in found.items() if name != "fastbs")

    def time_solve(self, n, m, positive, rival):
        self.run()


class TridiagonalParts:
    params = ((1000, 10000, 100000), (4,), (False, True))
    param_names = ("N", "m", "positive definite")

    def setup(self, n, m, positive):
        self.A = fb.Tridiagonal(*tridiagonal_blocks(n, m, positive))

    def time_factorize(self, n, m, positive):
        fb.factorize(self.A)

    def time_inverse_blocks(self, n, m, positive):
        self.A.inverse_blocks()

    def peakmem_inverse_blocks(self, n, m, positive):
        self.A.inverse_blocks()


class Threads:
    """256 columns, on one thread and on two."""

    params = (("lists", "dense", "BSR"), (1, 2))
    param_names = ("system", "threads")

    def setup(self, system, threads):
        rng = np.random.default_rng(0)
        dense = np.tril(rng.standard_normal((1024, 1024))) / 1024 + 2 * np.eye(1024)
        if system == "lists":
            diag = [2 * np.eye(m) for m in (100, 200, 300, 424)]
            off = [rng.standard_normal(shape) / 1024 for shape in ((200, 100), (300, 200), (424, 300))]
            self.A = fb.Bidiagonal.from_arrays(diag, off)
        elif system == "dense":
            self.A = fb.Triangular.from_arrays(dense, block=32)
        else:
            self.A = fb.Triangular.from_scipy(scipy.sparse.csr_array(dense), block=32)
        self.b = rng.standard_normal((1024, 256))

    def time_solve(self, system, threads):
        self.A.solve(self.b, threads=threads)
