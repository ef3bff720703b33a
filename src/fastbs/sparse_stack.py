"""Block-sparse triangles in SciPy's BSR format: what `Triangular.from_scipy` holds and solves with.

The blocks off the diagonal are read in place; of a transpose only the places are sorted anew.
"""

import numpy as np

from ._blocks import SparseSweep
from ._trace import Traced, record
from .block_rows import BlockRows
from .stack import KINDS, TRIANGLES, Stack, same

__all__ = ["Pattern", "SparseStack", "TracedSparse", "block_rows_apply", "row_sums", "sparse_solve"]


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
        Y = np.zeros_like(X)
        if (X.ctypes.data - Y.ctypes.data) % X.itemsize:  # kernels step from one to the other in whole elements
            X = X.copy()
        np.negative(self._swept(X, Y, True), out=Y)
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
                diag = TRIANGLES[self.kind](self.diag.diag)  # without what stands on its other side
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
        if self.diag is None:
            return self.dtype.type(1), self.dtype.type(0).real
        sign, log = self.diag.logdet()
        return np.conjugate(sign) if self.conj else sign, log


def block_rows_apply(b, rows, solve):
    """The step that traces record: A^-1 b or A b for b (N,) or (N, r)."""
    return rows.solve(b) if solve else rows.multiply(b)


class Pattern:
    """Where the blocks of a BSR array stand, and what those on the diagonal are.

    Parameters
    ----------
    indptr, indices : integer arrays
        Block k of row i, for k from indptr[i] to indptr[i + 1], is block (i, indices[k]).
    upper, kind, where
        As in `SparseStack`.
    """

    def __init__(self, indptr, indices, upper, kind, where):
        self.n, self.upper, self.kind, self.where = len(indptr) - 1, upper, kind, where
        self.rows, self.columns = np.repeat(np.arange(self.n), np.diff(indptr)), np.asarray(indices)
        self.on = self.rows == self.columns

    def stack(self, data):
        """The blocks (nnz, m, m) in these places, those off the diagonal by reference."""
        diag, place = None, np.flatnonzero(~self.on).astype(np.int64)
        if self.kind != "unit":
            diag = np.zeros((self.n, *data.shape[1:]), data.dtype)
            diag[self.rows[self.on]] = data[self.on]
            diag = Stack.of_arrays(diag, None, False, self.kind, self.where)
        indptr = np.zeros(self.n + 1, np.int64)
        np.cumsum(np.bincount(self.rows[place], minlength=self.n), out=indptr[1:])
        indices = self.columns[place].astype(np.int64)
        return SparseStack(diag, data, indptr, indices, place, self.upper, self.where)

    def read(self, data, own=None):
        """The blocks as a matrix has them: of the diagonal ones what a solve reads, the identity left out."""
        own = {"unit": np.zeros_like}.get(self.kind, TRIANGLES.get(self.kind, same)) if own is None else own
        return data if own is same else np.where(self.on[:, None, None], own(data), data)


class TracedSparse(BlockRows):
    """A block-sparse triangle whose blocks are traced, or its transpose: solves are steps of their own."""

    is_traced = True

    def __init__(self, data, pattern, turned=False):
        self.data, self.pattern, self.turned = data, pattern, turned
        self.upper, self.kind, self.where = pattern.upper != turned, pattern.kind, pattern.where
        self.dtype = np.dtype(data.dtype)
        self._size([data.shape[-1]] * pattern.n)

    @property
    def T(self):
        return TracedSparse(self.data, self.pattern, not self.turned)

    def conjugated(self):
        return TracedSparse(np.conjugate(self.data), self.pattern, self.turned) if self.dtype.kind == "c" else self

    @property
    def H(self):
        return self.T.conjugated()

    def _cores(self, b):
        return np.reshape(b, (self.n, self.m or 0, *(b.shape[1:] or (1,))))

    def _traced_solve(self, b):
        return np.reshape(sparse_solve(self.data, self._cores(b), self.pattern, self.turned), b.shape)

    def _product(self, X):
        to, of, data = self.pattern.rows, self.pattern.columns, self.pattern.read(self.data)
        if self.turned:  # a positive definite block is its own adjoint, as `Stack` has it
            turned = np.swapaxes(data, -1, -2)
            data = np.where(self.pattern.on[:, None, None], data, turned) if self.kind == "spd" else turned
            to, of = of, to
        Y = np.reshape(row_sums(data @ self._cores(X)[of], to, self.n), X.shape)
        return Y + X if self.kind == "unit" else Y

    def factorized(self):
        """Itself: factors are made in each step."""
        return self

    inverted = factorized

    def logdet(self):
        if self.kind == "unit":
            return self.dtype.type(1), self.dtype.type(0).real
        return Stack(self.data[self.pattern.on], None, False, self.kind, self.where).logdet()


def sparse_solve(data, b, pattern, turned):
    """The step that traces record: A^-1 b or A^-T b for data (nnz, m, m) and b (n, m, r)."""
    if type(data) is Traced or type(b) is Traced:
        return record(sparse_solve, (data, b), {"pattern": pattern, "turned": turned})
    A = pattern.stack(data)
    return (A.T if turned else A).solve(b)


def row_sums(P, rows, n):
    """(..., n, m, r): the sum of the P[k] with rows[k] = i in place i."""
    if type(P) is Traced:
        return record(row_sums, (P,), {"rows": rows, "n": n})
    sums = np.zeros((*P.shape[:-3], n, *P.shape[-2:]), P.dtype)
    if len(rows):
        order = np.argsort(rows, kind="stable")
        found, starts = np.unique(rows[order], return_index=True)
        sums[..., found, :, :] = np.add.reduceat(P[..., order, :, :], starts, axis=-3)
    return sums
