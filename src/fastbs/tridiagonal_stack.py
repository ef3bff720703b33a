"""Factors of block-tridiagonal systems in arrays: what `Tridiagonal` solves with."""

import math

import numpy as np

from ._blocks import Tridiagonals
from ._trace import Traced, record
from .errors import SingularError
from .parts import in_parts
from .stack import Stack, hermitian, run_nothing

__all__ = [
    "TracedTridiagonal", "TridiagonalStack", "adjoint", "inverse_blocks", "parts_of", "substituted_factors",
    "tridiagonal_logdet", "tridiagonal_solve",
]  # fmt: skip


class TridiagonalStack:
    """A = L U, or L L^H of positive definite systems, with bidiagonal L and U.

    Parameters
    ----------
    first, second : Stack
        L with its pivot blocks factorized, and U.
    sweep : Tridiagonals
        With the arrays; None of a view or copy.
    positive : bool
    """

    def __init__(self, first, second, sweep, positive):
        self.first, self.second, self.sweep, self.positive = first, second, sweep, positive

    @classmethod
    def of_arrays(cls, diag, lower, upper, where, dtype=None, threads=1):
        """The factors in the dtype of the arrays or a wider one; `upper` is None for positive definite systems."""
        given = [x for x in (diag, lower, upper) if x is not None]
        dtype = np.result_type(*(x.dtype for x in given)) if dtype is None else dtype
        diag, lower, upper = (None if x is None else x.astype(dtype, copy=False) for x in (diag, lower, upper))
        *batch, n, m, _ = diag.shape
        positive, pivots = upper is None, np.empty((*batch, n, m), np.int32)
        factors, beside = (np.zeros if positive else np.empty)(diag.shape, dtype), np.empty(diag.shape, dtype)
        arrays = (diag, lower, upper, factors, beside, pivots)
        sweep = Tridiagonals(
            *(None if x is None else x.reshape(math.prod(batch), *x.shape[len(batch) :]) for x in arrays),
            f"{where}.solve",
        )
        systems = math.prod(batch)
        in_parts(lambda own: sweep.factor(own.start, own.stop), systems, 3 * diag.size * m, threads)
        beside = beside[..., : max(n - 1, 0), :, :]
        if positive:
            first = Stack(factors, beside, False, "lower", where)
            return cls(first, first.H, sweep, True)
        first = Stack(factors, lower, False, "lu", where, pivots=pivots)
        return cls(first, Stack(None, beside, True, "unit", where) if n else first, sweep, False)

    def __reduce__(self):
        return TridiagonalStack, (self.first, self.second, None, self.positive)

    @property
    def T(self):
        return TridiagonalStack(self.second.T, self.first.T, None, self.positive)

    @property
    def H(self):
        return TridiagonalStack(self.second.H, self.first.H, None, self.positive)

    def inverted(self):
        """The same with inverses of the pivot blocks."""
        return TridiagonalStack(self.first.inverted(), self.second.inverted(), self.sweep, self.positive)

    def solve(self, b, out=None, overwrite_b=False, threads=1):
        x = self.first.solve(b, out, overwrite_b, threads)
        return self.second.solve(x, None if isinstance(x, list) or type(x) is Traced else x, False, threads)

    def logdet(self):
        """(sign, log|det A|) of each system."""
        (sign, log), (other, more) = self.first.logdet(), self.second.logdet()
        return sign * other, log + more

    def inverse_blocks(self):
        """(diag, lower, upper) of A^-1."""
        first = self.first
        shape = first.diag.shape
        beside = (*shape[:-3], max(first.n - 1, 0), *shape[-2:])
        diag, lower = np.empty(shape, first.dtype), np.empty(beside, first.dtype)
        upper = None if self.positive else np.empty(beside, first.dtype)
        systems = math.prod(shape[:-3])
        self.sweep.invert(*(None if x is None else x.reshape(systems, *x.shape[-3:]) for x in (diag, lower, upper)))
        return diag, lower, adjoint(lower) if upper is None else upper


class TracedTridiagonal(Stack):
    """A matrix with traced blocks, whose solves are steps of their own."""

    def __init__(self, diag, lower, upper, where):
        super().__init__(diag, lower, False, "general", where)
        self.above, self.is_traced, self.run = upper, True, run_nothing

    @property
    def steps(self):
        """What the steps take: all blocks in one array, and their keywords."""
        parts = (self.diag, self.off) if self.above is None else (self.diag, self.off, self.above)
        dtype = np.result_type(*(part.dtype for part in parts))
        return np.concatenate([part.astype(dtype) for part in parts], axis=-3), self.above is None, self.where

    def _traced_solve(self, X):
        blocks, *options = self.steps
        return tridiagonal_solve(blocks, X, *options)

    def _reached(self, given):
        return range(self.n)

    def logdet(self):
        both = tridiagonal_logdet(*self.steps)
        return both[..., 0], np.real(both[..., 1])


def adjoint(X):
    """The adjoint of each block of a stack."""
    X = np.swapaxes(X, -1, -2)
    return np.conjugate(X) if np.dtype(X.dtype).kind == "c" else X


# The steps that traces record, of all blocks in one array: the diagonal ones, those below it, those above it


def parts_of(blocks, positive):
    """(diag, lower, upper or None) of (..., N + (N - 1) + (N - 1), m, m), the last of them only if not positive."""
    k = blocks.shape[-3]
    n = (k + 1) // 2 if positive else (k + 2) // 3
    diag, lower = blocks[..., :n, :, :], blocks[..., n : 2 * n - 1, :, :]
    return diag, lower, None if positive else blocks[..., 2 * n - 1 :, :, :]


def tridiagonal_solve(blocks, b, positive, where):
    """A^-1 b for b (..., N, m, r)."""
    if type(blocks) is Traced or type(b) is Traced:
        return record(tridiagonal_solve, (blocks, b), {"positive": positive, "where": where})
    return TridiagonalStack.of_arrays(*parts_of(blocks, positive), where).solve(b)


def tridiagonal_logdet(blocks, positive, where):
    """(..., 2): the sign of det A, which has no derivative, and log|det A|."""
    if type(blocks) is Traced:
        return record(tridiagonal_logdet, (blocks,), {"positive": positive, "where": where})
    return np.stack(TridiagonalStack.of_arrays(*parts_of(blocks, positive), where).logdet(), axis=-1)


# The definition, block by block: for traced blocks, and what tests compare with


def substituted_factors(diag, lower, upper, where):
    """The Cholesky factors of the pivot blocks S_i, or these, and what stands beside them in L, or in U."""
    n, positive = diag.shape[-3], upper is None
    pivots, beside = [], []
    for i in range(n):
        S = diag[..., i, :, :]
        if positive:
            S = hermitian(S)
        if i:
            S = S - (beside[-1] @ adjoint(beside[-1]) if positive else lower[..., i - 1, :, :] @ beside[-1])
        pivots.append(checked(np.linalg.cholesky, i, "positive definite", where, S) if positive else S)
        if i < n - 1:
            C = adjoint(lower[..., i, :, :]) if positive else upper[..., i, :, :]
            G = checked(np.linalg.solve, i, "nonsingular", where, pivots[-1], C)
            beside.append(adjoint(G) if positive else G)
    return np.stack(pivots, axis=-3) if n else diag, np.stack(beside, axis=-3) if n > 1 else lower


def substituted_inverse(diag, lower, upper, where):
    """(diag, lower, upper) of A^-1, from the last block up."""
    n, m, positive = diag.shape[-3], diag.shape[-1], upper is None
    P, M = substituted_factors(diag, lower, upper, where)
    on, below, above = [None] * n, [None] * (n - 1), [None] * (n - 1)
    for i in reversed(range(n)):
        pivot = P[..., i, :, :]
        eye = np.broadcast_to(np.eye(m, dtype=pivot.dtype), pivot.shape)
        Z = checked(np.linalg.solve, i, "nonsingular", where, pivot, eye)
        Z = adjoint(Z) @ Z if positive else Z  # S_i^-1
        if i < n - 1:
            B = lower[..., i, :, :] @ Z
            below[i] = -on[i + 1] @ B
            above[i] = adjoint(below[i]) if positive else -M[..., i, :, :] @ on[i + 1]
            Z = Z - above[i] @ B
        on[i] = Z
    if n < 2:
        return np.stack(on, axis=-3) if n else diag, lower, lower
    return tuple(np.stack(part, axis=-3) for part in (on, below, above))


def inverse_blocks(diag, lower, upper, where):
    """(diag, lower, upper) of A^-1."""
    if any(type(x) is Traced for x in (diag, lower, upper)):
        return substituted_inverse(diag, lower, upper, where)
    return TridiagonalStack.of_arrays(diag, lower, upper, where).inverse_blocks()


def checked(function, i, needed, where, *arrays):
    """A function of NumPy whose error names the block."""
    try:
        return function(*arrays)
    except np.linalg.LinAlgError as error:
        raise SingularError(
            f"{where}.solve: pivot block ({i}, {i}) must be {needed} because it is solved with; got {error}"
        ) from None
