"""Block rows of any heights, solved in order: what block triangles of one array and blocks of many sizes share.

Row i is solved as ``x_i = D_i \\ (b_i - sum over its couplings of O x[known])``, in place, upwards if the matrix is
upper. A subclass says what the couplings and the diagonal blocks are.
"""

import numpy as np

from ._trace import Traced
from .arguments import as_array, check_out, check_threads
from .errors import ShapeError, SingularError
from .parts import in_parts
from .stack import TRIANGLES, check_entries, into, is_free, kernel_array, kernel_dtype, refuse_out, refuse_threads, same

__all__ = ["BlockRows"]


class BlockRows:
    """A square matrix of n block rows.

    Attributes
    ----------
    sizes : list of int
        The rows of each block row.
    m : int or None
        Their common number.
    dtype, upper, kind, where
        As in `Stack`.
    conj : bool
        Whether all blocks off the diagonal act conjugated; the diagonal ones know it themselves.
    is_traced : bool
    """

    batch = ()
    sizes: list
    conj = False

    def _size(self, sizes):
        self.sizes, self.n = sizes, len(sizes)
        self.m = sizes[0] if len(set(sizes)) == 1 else None
        self.starts = [0]
        for size in sizes:
            self.starts.append(self.starts[-1] + size)

    def rows(self, i):
        return slice(self.starts[i], self.starts[i + 1])

    def height(self, i):
        """The rows of block row i."""
        return self.sizes[i]

    @property
    def flat_form(self):
        return (), self.starts[-1], self.dtype

    # What subclasses say

    @property
    def elements(self):
        """About how many numbers all blocks have."""
        raise NotImplementedError

    def couplings(self, i):
        """``(j, k, O)`` of what row i has off the diagonal: an array that meets the block rows j to k - 1."""
        raise NotImplementedError

    def diagonal_block(self, i):
        """A Stack of one, or None for the identity."""
        raise NotImplementedError

    def as_dtype(self, dtype):
        raise NotImplementedError

    def run(self, b, out=None, multiply=False):
        """What kernels can do at once; None if nothing."""

    # Solving

    def solve(self, b, out=None, overwrite_b=False, threads=1):
        check_threads(threads, f"{self.where}.solve")
        return self._checked(b, out, overwrite_b, threads, solve=True)

    def multiply(self, b, out=None):
        return self._checked(b, out, False, 1, solve=False)

    def _checked(self, b, out, overwrite_b, threads, solve):
        where = f"{self.where}.{'solve' if solve else '__matmul__'}: b"
        if isinstance(b, (list, tuple)):
            return self._entries(b, out, threads, solve, where)
        b = as_array(b, where)
        shape = self.flat_shape(b.shape)
        if shape is None:
            raise ShapeError(f"{where} must be {self._forms()} because {self._because()}; got {b.shape}")
        if self.is_traced or type(b) is Traced:
            refuse_out(out, "traced values are not overwritten", where)
            refuse_threads(threads, where)
            X = np.reshape(b, shape)
            return np.reshape(self._traced_solve(X) if solve else self._product(X), b.shape)
        dtype = kernel_dtype(np.result_type(self.dtype, b.dtype), b, where)
        if out is not None:
            check_out(out, b.shape, dtype, where)
        if out is None and solve and overwrite_b and is_free(b, dtype):
            out = b
        if dtype.kind == "c" and self.dtype.kind != "c":  # the two parts are two columns
            real = dtype.char.lower()
            parts = np.array(b, dtype, order="C", copy=None if out is b else True)
            parts = parts.reshape(shape[0], -1 if b.size else 0).view(real)
            op = self.as_dtype(real)
            x = op._columns_in_place(parts, threads) if solve else op._product(parts)
            return b if out is b and np.may_share_memory(x, b) else into(out, x.view(dtype).reshape(b.shape))
        op = self.as_dtype(dtype)
        if not solve:
            return into(out, op._product(b.reshape(shape).astype(dtype, copy=False)).reshape(b.shape))
        x = np.array(kernel_array(b, where), dtype, order="K") if out is None else out
        if x is not b and out is not None:
            # NumPy reads what it has overwritten where vectors overlap with different steps
            x[...] = b.copy() if np.may_share_memory(x, b) else b
        flat = x.reshape(shape)
        solved = op._columns_in_place(flat, threads)
        return x if np.may_share_memory(flat, x) else into(x, solved.reshape(x.shape))

    def _entries(self, b, out, threads, solve, where):
        """A block vector, None for zero; what comes before anything nonzero stays None."""
        check_entries(b, self.n, out, where)
        given = {i: as_array(x, f"{where}: entry {i}") for i, x in enumerate(b) if x is not None}
        if not given:
            return [None] * self.n
        tail = next(iter(given.values())).shape[1:]
        for i, entry in given.items():
            if entry.shape != (self.sizes[i], *tail) or len(tail) > 1:
                raise ShapeError(
                    f"{where}: block ({i}, {i}) and entry {i}: entries must be ({self.sizes[i]},) or "
                    f"({self.sizes[i]}, r), with one r, because the block is {self.sizes[i]} x {self.sizes[i]}; "
                    f"got {entry.shape}"
                )
        dtype = np.result_type(*(entry.dtype for entry in given.values()))
        parts = [given[i] if i in given else np.zeros((size, *tail), dtype) for i, size in enumerate(self.sizes)]
        x = self._checked(np.concatenate(parts), None, False, threads, solve)
        reached = range(max(given) + 1) if self.upper else range(min(given), self.n)
        return [x[self.rows(i)] if i in reached else None for i in range(self.n)]

    def flat_shape(self, shape):
        """(N, ...) of a right side, or None if it is none."""
        shape, total, n = tuple(shape), self.starts[-1], self.n
        if self.m is not None and len(shape) in (2, 3) and shape[:2] == (n, self.m):
            return (total, *shape[2:])
        return shape if len(shape) in (1, 2) and shape[0] == total else None

    def _forms(self):
        total, n, m = self.starts[-1], self.n, self.m
        if m is None:
            return f"({total},) or ({total}, r)"
        return f"({total},), ({n}, {m}), ({total}, r) or ({n}, {m}, r)"

    def _because(self):
        if self.m is not None:
            return f"there are {self.n} blocks of {self.m} rows"
        sizes = ", ".join(map(str, self.sizes[:8])) + (", ..." if self.n > 8 else "")
        return f"there are {self.n} blocks of {sizes} rows"

    def _columns_in_place(self, x, threads):
        """x (N, ...) becomes A^-1 x, some columns on each thread."""
        if threads == 1 or x.ndim == 1:
            return self._solve_in_place(x)
        in_parts(lambda own: self._solve_in_place(x[:, own]), x.shape[1], self.elements * x.shape[1], threads)
        return x

    def _solve_in_place(self, x):
        """x (N, ...) becomes A^-1 x."""
        if self.conj:
            np.conjugate(x, out=x)
            self.conjugated()._solve_in_place(x)
            return np.conjugate(x, out=x)
        done = self.run(x, x)
        if done is not None:
            return done
        for i in self._order():
            own = x[self.rows(i)]
            for j, k, O in self.couplings(i):
                own -= O @ x[self.starts[j] : self.starts[k]]
            D = self.diagonal_block(i)
            if D is not None:
                y = self._solve_block(D, own, i, True)
                if y is not own:  # memory that kernels do not read
                    own[...] = y
        return x

    def _order(self):
        return reversed(range(self.n)) if self.upper else range(self.n)

    def _solve_block(self, D, r, i, overwrite):
        try:
            return D.solve(r, overwrite_b=overwrite)
        except SingularError as error:
            raise named(error, i) from None

    def _traced_solve(self, b):
        """The same as a new array; blocks or b are traced."""
        if self.conj:
            return np.conjugate(self.conjugated()._traced_solve(np.conjugate(b)))
        x = [None] * self.n
        for i in self._order():
            r = b[self.rows(i)]
            for j, k, O in self.couplings(i):
                r = r - O @ np.concatenate(x[j:k])
            D = self.diagonal_block(i)
            x[i] = r if D is None else self._solve_block(D, r, i, False)
        return np.concatenate(x) if x else b

    def _product(self, X):
        if self.conj:
            return np.conjugate(self.conjugated()._product(np.conjugate(X)))
        parts = []
        for i in range(self.n):
            y, D = X[self.rows(i)], self.diagonal_block(i)
            y = y if D is None else self._block_product(i, D, y)
            for j, k, O in self.couplings(i):
                y = y + O @ X[self.starts[j] : self.starts[k]]
            parts.append(y)
        return np.concatenate(parts) if parts else X

    def _block_product(self, i, D, x):
        return TRIANGLES.get(self.kind, same)(self.block(i, i)) @ x

    # Factors

    def _kept(self, how):
        """The diagonal blocks `factorized` or `inverted`; errors name the block."""
        kept = []
        for i in range(self.n):
            D = self.diagonal_block(i)
            try:
                kept.append(None if D is None else getattr(D, how)())
            except SingularError as error:
                raise named(error, i) from None
        return kept

    def logdet(self):
        """(sign, log |det A|)."""
        sign, log = self.dtype.type(1), self.dtype.type(0).real
        for i in range(self.n):
            D = self.diagonal_block(i)
            if D is not None:
                s, part = D.logdet()
                sign, log = sign * s, log + part
        return (np.conjugate(sign) if self.conj else sign), log

    # SciPy's forms

    def to_scipy(self):
        """The matrix as a SciPy array, a copy: BSR if the blocks are of one size, else CSR."""
        from .interop.bsr import from_blocks  # a bridge, slow to import

        return from_blocks(self.blocks(), self.sizes, self.dtype)

    def to_banded(self):
        """(ab, (l, u)) as `scipy.linalg.solve_banded` takes it: ``ab[u + i - j, j] = A[i, j]``."""
        from .interop.bsr import to_band  # a bridge, slow to import

        return to_band(self.blocks(), self.sizes, self.dtype)


def named(error, i):
    """The error of a Stack of one block, as of block i."""
    return SingularError(str(error).replace("(0, 0)", f"({i}, {i})"))
