"""Block systems and network gradients, as each rival would write them; shared by asv and the report."""

import itertools
from functools import partial
from operator import matmul, sub
from typing import ClassVar

import numpy as np

import fastbs as fb
from fastbs.backslash import Arithmetic, substitute

from .operator_cases import SIZES
from .paired import compare
from .tables import Ratios

FEW = 4  # solves after which a long system runs as a tape


class Chain:
    """x_i = W_i x_{i-1} + b_i for i < N, all n x n: a bidiagonal system of N operator blocks."""

    def __init__(self, N, n, seed=0):
        rng = np.random.default_rng(seed)
        self.W = list(rng.standard_normal((N - 1, n, n)) / np.sqrt(n))
        self.b = list(rng.standard_normal((N, n, n)))
        self.I_L = fb.Bidiagonal([fb.Identity()] * N, [-fb.Left(W) for W in self.W], uplo="L")

    def backslash(self):
        return fb.backslash(self.I_L, self.b)

    def generic(self):
        """The specification itself, on bare arrays; the diagonal is the identity."""
        rows = [[]] + [[(i, -W)] for i, W in enumerate(self.W)]
        arithmetic = Arithmetic(matmul, sub, lambda _, r: r, np.conj)
        return substitute(rows, [None] * len(rows), self.b, arithmetic)

    def loop(self):
        x = [self.b[0]]
        for W, b in zip(self.W, self.b[1:], strict=True):
            x.append(W @ x[-1] + b)
        return x

    rivals = (("fastbs", backslash), ("generic", generic), ("NumPy loop", loop))


class Pairs:
    """X_i = B_i - A_i X_{i-1} C_i^T for i < N, all n x n: a bidiagonal system of N Kronecker operators, factorized.

    The loops in NumPy are the formula, and the fastest that we know: `dot`, transposed views made beforehand, and
    results in memory that is there.
    """

    def __init__(self, N, n, seed=0):
        rng = np.random.default_rng(seed)
        self.A, self.C = (rng.standard_normal((N - 1, n, n)) / n for _ in "AC")
        self.B = rng.standard_normal((N, n, n))
        self.entries = list(self.B)
        self.views = list(self.A), [C.T for C in self.C]
        off = [fb.Kronecker(C, A) for A, C in zip(self.A, self.C, strict=True)]
        self.F = fb.factorize(fb.Bidiagonal([fb.Identity()] * N, off, uplo="L"))
        for _ in range(FEW):
            self.solve()
            self.solve_list()
        for _, rival in self.rivals:
            np.testing.assert_allclose(np.array(rival(self)), self.loop(), rtol=0, atol=1e-10)

    def solve(self):
        return self.F.solve(self.B)

    def solve_list(self):
        return self.F.solve(self.entries)

    def loop(self):
        X = np.empty_like(self.B)
        X[0] = self.B[0]
        for i in range(1, len(X)):
            X[i] = self.B[i] - self.A[i - 1] @ X[i - 1] @ self.C[i - 1].T
        return X

    def fastest_loop(self):
        X = self.B.copy()
        before, left, right = X[0], np.empty_like(X[0]), np.empty_like(X[0])
        for A, Ct, x in zip(*self.views, X[1:], strict=True):
            np.dot(A, before, left)
            np.dot(left, Ct, right)
            np.subtract(x, right, x)
            before = x
        return X

    rivals = (
        ("fastbs", solve), ("fastbs list", solve_list), ("fastest NumPy", fastest_loop), ("NumPy loop", loop),
    )  # fmt: skip
    BOUNDS: ClassVar = {(1000, 4): {"fastbs": 1 / 40}}


class Network:
    """The gradient of N tanh layers of width n on k samples, squared loss, after the forward pass.

    fastbs writes D, L and g down and solves, or only solves; NumPy is the backpropagation one would write by
    hand.
    """

    def __init__(self, N, n, k=1, seed=0):
        rng = np.random.default_rng(seed)
        b = rng.standard_normal((N, n, 1))
        self.W = list(rng.standard_normal((N, n, n)) / np.sqrt(n))
        self.X = [rng.standard_normal((n, k))]
        for i in range(N):
            self.X.append(np.tanh(self.W[i] @ self.X[-1] + b[i]))
        self.delta = [1 - X**2 for X in self.X[1:]]
        self.Y = rng.standard_normal((n, k))
        self.ones = np.ones((1, k))
        self.D, self.I_L = self.system()

    def system(self):
        W, X, delta = self.W, self.X, self.delta
        D = fb.Diagonal(
            [
                [fb.Hadamard(d) @ fb.Right(x), fb.Hadamard(d) @ fb.Right(self.ones)]
                for d, x in zip(delta, X[:-1], strict=True)
            ]
        )
        I_L = fb.Bidiagonal(
            [fb.Identity()] * len(W), [-(fb.Hadamard(delta[i]) @ fb.Left(W[i])) for i in range(1, len(W))], uplo="L"
        )
        return D, I_L

    def solve(self, system=None):
        D, I_L = system or (self.D, self.I_L)
        g = [None] * (len(self.W) - 1) + [self.X[-1] - self.Y]
        return D.H @ fb.backslash(I_L.H, g)

    def build_and_solve(self):
        return self.solve(self.system())

    def by_hand(self):
        W, X, delta = self.W, self.X, self.delta
        gradient = []
        g = X[-1] - self.Y
        for i in reversed(range(len(W))):
            g = delta[i] * g
            gradient.append((g @ X[i].T, g.sum(axis=1, keepdims=True)))
            g = W[i].T @ g
        return gradient[::-1]

    rivals = (("fastbs", build_and_solve), ("fastbs solve", solve), ("NumPy by hand", by_hand))


def rivals_of(system):
    """The rivals of a system as calls without arguments, by name."""
    return {name: partial(method, system) for name, method in system.rivals}


def report(sizes, rounds):
    """Print one row per system and rival, against the last one; return how many bounds are missed."""
    cases = [(Pairs, (10, 1000)), (Chain, (10, 1000)), (Network, (2, 10, 100))]
    return report_cases(
        [(system, N, n) for system, lengths in cases for N, n in itertools.product(lengths, sizes or SIZES)], rounds
    )


def report_factorized(sizes, rounds):
    """The same of the system that a bound is promised for."""
    return report_cases([(Pairs, *case) for case in Pairs.BOUNDS], rounds)


def report_cases(cases, rounds):
    table = Ratios("{:<9}{:>5}{:>4}  {:<14}", "system", "blocks", "n", "", against=14)
    for system, N, n in cases:
        *names, reference = rivals = rivals_of(system(N, n))
        check = None if system is Pairs else 1e-10  # these agree, in lists and in arrays
        result = compare(rivals, reference, rounds, target=2e-2, check=check)
        bounds = getattr(system, "BOUNDS", {}).get((N, n), {})
        for name in names:
            table.add(result, name, reference, bounds.get(name), system.__name__, N, n, name)
    return table.missed
