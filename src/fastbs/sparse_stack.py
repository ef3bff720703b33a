"""Block-sparse triangles in SciPy's BSR format: what `Triangular.from_scipy` holds and solves with.

The blocks off the diagonal are read in place; of a transpose only the places are sorted anew.
"""

import numpy as np

from ._blocks import SparseSweep
from ._trace import Traced, record
from .block_rows import BlockRows
from .stack import KINDS, Stack

__all__ = ["SparseStack", "block_rows_apply"]


class SparseStack(BlockRows):
    """Block rows of m rows, with the blocks that a pattern names.

    Parameters
    ----------
    diag : Stack, or None for the identity
    data : (nnz, m, m) array
        Of one dtype with the diagonal, kept by reference.
    indptr, indices, place : (n + 1,), (e,), (e,) int64 arrays
        Block (i, indices[k]) is ``data[place[k]]``, for the k from indptr[i] to indptr[i + 1]; all off the diagonal.
    upper, where, conj
        As in `BlockRows`.
    """

    is_traced = False

    def __init__(self, diag, data, indptr, indices, place, upper, where, conj=False):
        self.diag, self.data, self.indptr, self.indices, self.place = diag, data, indptr, indices, place
        self.upper, self.where, self.conj = upper, where, conj
        self.kind = "unit" if diag is None else diag.kind
        self.dtype = data.dtype
        self._size([data.shape[-1]] * (len(indptr) - 1))
        self._sweep, self._product_sweep = None, None

    def __reduce__(self):
        return SparseStack, (
            self.diag, self.data, self.indptr, self.indices, self.place, self.upper, self.where, self.conj
        )  # fmt: skip

    def _with(self, diag=None, data=None, conj=None):
        return SparseStack(
            self.diag if diag is None else diag, self.data if data is None else data, self.indptr, self.indices,
            self.place, self.upper, self.where, self.conj if conj is None else conj,
        )  # fmt: skip

    @property
    def elements(self):
        return self.data.size

    def conjugated(self):
        return self._with(conj=not self.conj) if self.dtype.kind == "c" else self

    @property
    def T(self):
        rows = np.repeat(np.arange(self.n), np.diff(self.indptr))
        order = np.argsort(self.indices, kind="stable")
        indptr = np.concatenate([[0], np.cumsum(np.bincount(self.indices, minlength=self.n))]).astype(np.int64)
        return SparseStack(
            None if self.diag is None else self.diag.T, np.swapaxes(self.data, -1, -2), indptr, rows[order],
            self.place[order], not self.upper, self.where, self.conj,
        )  # fmt: skip

    @property
    def H(self):
        return self.T.conjugated()

    def as_dtype(self, dtype):
        if self.dtype == dtype:
            return self
        return self._with(None if self.diag is None else self.diag.as_dtype(dtype), self.data.astype(dtype))

    def blocks(self):
        """``{(i, j): array}`` of all blocks; None stands for the identity."""
        held = np.conjugate if self.conj else np.asarray
        found = {(i, i): None for i in range(self.n)}
        if self.diag is not None:
            found = {at: held(D) for at, D in self.diag.blocks().items()}
        for i in range(self.n):
            for k in range(self.indptr[i], self.indptr[i + 1]):
                found[i, int(self.indices[k])] = held(self.data[self.place[k]])
        return found

    # Solving

    def _solve_in_place(self, x):
        return self._swept(x, x, False)

    def _product(self, X):
        if type(X) is Traced:
            return record(block_rows_apply, (X,), {"rows": self, "solve": False})
        X = np.array(X, order="C", copy=None if X.flags.aligned else True)
        Y = self._swept(X, np.zeros_like(X), True)
        np.negative(Y, out=Y)
        return Y + X if self.diag is None else Y

    def _traced_solve(self, b):
        return record(block_rows_apply, (b,), {"rows": self, "solve": True})

    def _swept(self, b, x, multiply):
        """x = A^-1 b, or x - A b; of the identity on the diagonal nothing is subtracted."""
        if self.conj:
            b = np.conjugate(b, out=b) if x is b else np.conjugate(b)
            return np.conjugate(self.conjugated()._swept(b, b if x is b else x, multiply), out=x)
        if self._run_of(multiply)(b, x, multiply) is None:  # memory that kernels do not read
            own = np.array(b)
            x[...] = self._run_of(False)(own, own)
        return x

    def _run_of(self, multiply):
        """The kernel; products read whole diagonal blocks."""
        if multiply and self.kind in ("lower", "upper"):
            if self._product_sweep is None:
                diag = np.stack([self.diag.whole(i) for i in range(self.n)])
                self._product_sweep = self._kernel(Stack(diag, None, self.upper, "general", self.where, self.diag.conj))
            return self._product_sweep.run
        if self._sweep is None:
            self._sweep = self._kernel(self.diag)
        return self._sweep.run

    def _kernel(self, diag):
        on = None if diag is None else diag.diag[None]
        pivots = None if diag is None or diag.pivots is None else diag.pivots[None]
        conj = False if diag is None else diag.conj[0]
        return SparseSweep(
            self.data, self.indptr, self.indices, self.place,
            KINDS["unit" if diag is None else diag.kind], on, None, pivots, self.n, self.m or 0, 1, 0, self.dtype,
            self.upper, conj, False, f"{self.where}.solve",
        )  # fmt: skip

    # Factors

    def factorized(self):
        return self if self.diag is None else self._with(self.diag.factorized())

    def inverted(self):
        return self if self.diag is None else self._with(self.diag.inverted())

    def logdet(self):
        sign, log = (1.0, 0.0) if self.diag is None else self.diag.logdet()
        return np.conjugate(sign) if self.conj else sign, log


def block_rows_apply(b, rows, solve):
    """The step that traces record: A^-1 b or A b for b (N,) or (N, r)."""
    return rows.solve(b) if solve else rows.multiply(b)
