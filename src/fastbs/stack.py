"""Bidiagonal and diagonal matrices whose blocks stand in arrays: what `Bidiagonal.from_arrays` holds and solves with.

Block rows are solved in order, ``x_i = D_i \\ (b_i - O_i x_{i-1})``, upwards if the matrix is upper. The arrays are
used in place with whatever strides they have, so that transposes are views.
"""

import math

import numpy as np

from . import _blocks
from ._blocks import Sweep
from ._trace import Traced, record
from .arguments import as_array, check_out, check_threads, overlaps_itself
from .errors import DtypeError, ShapeError, StructureError
from .parts import in_parts

__all__ = ["DIAGONALS", "Stack", "hermitian", "kernel_array", "stacked_solve"]

DIAGONALS = ("general", "lower", "upper", "spd")  # what users may say of diagonal blocks

KINDS = {
    "unit": _blocks.UNIT, "lower": _blocks.LOWER, "upper": _blocks.UPPER, "general": _blocks.GENERAL,
    "spd": _blocks.SPD, "lu": _blocks.LU, "lu transposed": _blocks.LU_TRANSPOSED, "cholesky": _blocks.CHOLESKY,
    "inverse": _blocks.INVERSE,
}  # fmt: skip

# Of the transpose; those in SWAPPED also swap rows and columns, the others say it by conjugation or by their name.
TRANSPOSED = {"lower": "upper", "upper": "lower", "lu": "lu transposed", "lu transposed": "lu"}
SWAPPED = ("lower", "upper", "general", "inverse")


class Stack:
    """N block rows of m rows each, in arrays.

    Parameters
    ----------
    diag : (..., N, m, m) array, or None for the identity
        May be traced, as `off`.
    off : (..., N - 1, m, m) array, or None for a diagonal matrix
    upper : bool
    kind : str
        What the diagonal blocks are, one of `KINDS`; "general" if None.
    where : str
        How messages name the matrix.
    conj : pair of bool
        Whether diag and off act conjugated.
    pivots : (..., N, m) int32 array, for kind "lu"
    """

    def __init__(self, diag, off, upper, kind, where, conj=(False, False), pivots=None):
        self.diag, self.off, self.upper, self.conj, self.pivots = diag, off, upper, conj, pivots
        self.kind, self.where = "unit" if diag is None else kind, where
        shape = off.shape if diag is None else diag.shape
        self.batch, self.m = shape[:-3], shape[-1]
        self.n = shape[-3] + 1 if diag is None else shape[-3]
        self.dtype = np.dtype((off if diag is None else diag).dtype)
        self.is_traced = type(diag) is Traced or type(off) is Traced
        self.run = run_nothing if self.is_traced else self._sweep().run

    @classmethod
    def of_arrays(cls, diag, off, upper, kind, where):
        """A checked stack; arrays that the kernels cannot read in place are copied, and none else."""
        if diag is None and off is None:
            raise ShapeError(f"{where}: diag or off must be an array because they say how many blocks; got None twice")
        diag, off = (
            None if x is None else kernel_array(x, f"{where}: {name}") for name, x in (("diag", diag), ("off", off))
        )
        for name, blocks in (("diag", diag), ("off", off)):
            if blocks is not None and (blocks.ndim < 3 or blocks.shape[-1] != blocks.shape[-2]):
                raise ShapeError(f"{where}: {name} must be (..., N, m, m), square blocks; got {blocks.shape}")
        if diag is not None and off is not None:
            *batch, n, m, _ = diag.shape
            expected = (*batch, max(n - 1, 0), m, m)
            if off.shape != expected:
                raise ShapeError(f"{where}: off must be {expected} because diag is {diag.shape}; got {off.shape}")
            dtype = np.result_type(diag.dtype, off.dtype)
            diag, off = (x if x.dtype == dtype else x.astype(dtype) for x in (diag, off))
        check_kind(kind, where)
        if kind == "general" and diag is not None and diag.shape[-1] == 1:
            kind = "lower"  # a number is its own factor
        return cls(diag, off, upper, kind, where)

    def __reduce__(self):
        return Stack, (self.diag, self.off, self.upper, self.kind, self.where, self.conj, self.pivots)

    def _sweep(self):
        arrays = (None if x is None else self._flat(x) for x in (self.diag, self.off, self.pivots))
        return Sweep(
            KINDS[self.kind], *arrays, self.n, self.m, math.prod(self.batch), len(self.batch), self.dtype, self.upper,
            *self.conj, f"{self.where}.solve",
        )  # fmt: skip

    def _flat(self, x):
        """With one axis for the batch."""
        return x.reshape(math.prod(self.batch), *x.shape[len(self.batch) :])

    def height(self, i):
        """The rows of block row i."""
        return self.m

    @property
    def flat_form(self):
        """(batch, rows, dtype) of the flat vectors that the matrix takes."""
        return self.batch, self.n * self.m, self.dtype

    # Views

    def conjugated(self):
        if self.dtype.kind != "c":
            return self
        return Stack(
            self.diag, self.off, self.upper, self.kind, self.where, tuple(not c for c in self.conj), self.pivots
        )

    @property
    def T(self):
        diag = np.swapaxes(self.diag, -1, -2) if self.kind in SWAPPED else self.diag
        off = None if self.off is None else np.swapaxes(self.off, -1, -2)
        conj = self.conj
        if self.kind in ("spd", "cholesky") and self.dtype.kind == "c":
            conj = not conj[0], conj[1]  # the transpose of a Hermitian block is its conjugate
        return Stack(diag, off, not self.upper, TRANSPOSED.get(self.kind, self.kind), self.where, conj, self.pivots)

    @property
    def H(self):
        return self.T.conjugated()

    def blocks(self):
        """``{(i, j): array}`` of all blocks; None stands for the identity."""
        if self.batch:
            raise StructureError(
                f"{self.where}: blocks of a batch must be taken from its arrays because they are stacks; got a batch "
                f"of shape {self.batch}"
            )
        on, beside = (np.conjugate if conj else np.asarray for conj in self.conj)
        found = {(i, i): None if self.diag is None else on(self.whole(i)) for i in range(self.n)}
        if self.off is not None:
            for i in range(self.n - 1):
                found[(i, i + 1) if self.upper else (i + 1, i)] = beside(self.off[i])
        return found

    def whole(self, i):
        """Diagonal block i as it acts: a triangle without what stands on its other side."""
        return TRIANGLES.get(self.kind, np.asarray)(self.diag[..., i, :, :])

    # SciPy's forms

    def to_scipy(self):
        """The matrix as a SciPy BSR array, a copy."""
        from .interop.bsr import from_blocks  # a bridge, slow to import

        return from_blocks(self.blocks(), [self.m] * self.n, self.dtype)

    def to_banded(self):
        """(ab, (l, u)) as `scipy.linalg.solve_banded` takes it: ``ab[u + i - j, j] = A[i, j]``."""
        from .interop.bsr import to_band  # a bridge, slow to import

        return to_band(self.blocks(), [self.m] * self.n, self.dtype)

    # Solving

    def solve(self, b, out=None, overwrite_b=False, threads=1):
        if threads == 1 and not isinstance(b, (list, tuple)):
            x = self.run(b, b if overwrite_b and out is None else out)
            if x is not None:
                return x
        check_threads(threads, f"{self.where}.solve")
        return self._checked(b, out, overwrite_b, threads, solve=True)

    def multiply(self, b, out=None):
        if not self.is_traced:
            x = self.run(b, out, True)
            if x is not None:
                return x
        return self._checked(b, out, False, 1, solve=False)

    def _checked(self, b, out, overwrite_b, threads, solve):
        where = f"{self.where}.{'solve' if solve else '__matmul__'}: b"
        if isinstance(b, (list, tuple)):
            return self._entries(b, out, threads, solve, where)
        b = as_array(b, where)
        core = self.core_shape(b.shape)
        if core is None:
            n, m, batch = self.n, self.m, "".join(f"{k}, " for k in self.batch)
            raise ShapeError(
                f"{where} must be ({batch}{n * m},), ({batch}{n}, {m}), ({batch}{n * m}, r) or ({batch}{n}, {m}, r) "
                f"because there are {n} blocks of {m} rows; got {b.shape}"
            )
        if self.is_traced or type(b) is Traced:
            refuse_out(out, "traced values are not overwritten", where)
            refuse_threads(threads, where)
            X = np.reshape(b, core)
            return np.reshape(self._traced_solve(X) if solve else self._traced_product(X), b.shape)
        dtype = kernel_dtype(np.result_type(self.dtype, b.dtype), b, where)
        if out is not None:
            check_out(out, b.shape, dtype, where)
        if out is None and overwrite_b and is_free(b, dtype):
            out = b
        if dtype.kind == "c" and self.dtype.kind != "c":  # the two parts are two columns
            real = dtype.char.lower()
            parts = np.ascontiguousarray(b, dtype).reshape(core).view(real)
            own = solve and (out is b or (parts.flags.writeable and not np.may_share_memory(parts, b)))
            x = self.as_dtype(real)._any(parts, threads, solve, parts if own else None)
            return b if out is b and np.may_share_memory(x, b) else into(out, x.view(dtype).reshape(b.shape))
        kept = kernel_array(b, where).astype(dtype, copy=False)
        stack = self.as_dtype(dtype)
        if out is not None and (out is b or not np.may_share_memory(out, b)):
            x = stack._any(kept, threads, solve, out if out.shape == kept.shape else None)
            return x if x is out else into(out, x)
        return into(out, stack._any(kept, threads, solve))

    def _any(self, b, threads, solve, out=None):
        """For arrays of the right dtype and shape; what the kernels cannot follow is copied."""
        if threads > 1 and solve:
            return self._in_threads(b, threads, np.empty_like(b) if out is None else out)
        x = self.run(b, out, not solve)
        if x is None and out is not None:
            return into(out, self._any(b, threads, solve))
        return self.run(b.copy(), None, not solve) if x is None else x

    def _in_threads(self, b, threads, out):
        """Systems, or else columns, in parts."""
        is_in_place = out is b
        b = b.reshape(self.core_shape(b.shape))
        x = b if is_in_place else out.reshape(b.shape)  # a view wherever there is one

        def part(own):
            A, own = (self.systems(own), own) if self.batch else (self, (..., own))
            given = b[own]
            A.solve(given, given if is_in_place else x[own])

        in_parts(part, b.shape[0 if self.batch else -1], 2 * b.size * self.m, threads)
        return out if np.may_share_memory(x, out) else into(out, x.reshape(out.shape))

    def systems(self, own):
        """Some of a batch."""
        diag, off, pivots = (None if a is None else a[own] for a in (self.diag, self.off, self.pivots))
        return Stack(diag, off, self.upper, self.kind, self.where, self.conj, pivots)

    def _entries(self, b, out, threads, solve, where):
        """A block vector, None for zero; what comes before anything nonzero stays None."""
        check_entries(b, self.n, out, where)
        given = [i for i, x in enumerate(b) if x is not None]
        if not given:
            return [None] * self.n
        entries = [as_array(x, f"{where}: entry {i}") for i, x in enumerate(b) if x is not None]
        shape = entries[0].shape
        for i, entry in zip(given, entries, strict=True):
            if entry.shape != shape or shape[:1] != (self.m,):
                row = min(i, self.n - 1)
                raise ShapeError(
                    f"{where}: block ({row}, {row}) and entry {i}: entries must be ({self.m},) or ({self.m}, r), "
                    f"alike, because blocks are {self.m} x {self.m}; got {entry.shape}"
                )
        zero = np.zeros(shape, np.result_type(*(entry.dtype for entry in entries)))
        held = iter(entries)
        x = self._checked(np.stack([zero if e is None else next(held) for e in b]), None, False, threads, solve)
        reached = self._reached(given)
        return [x[i] if i in reached else None for i in range(self.n)]

    def _reached(self, given):
        """The entries of a solution that can be nonzero where the given ones of the right side are."""
        if self.off is None:
            return given
        return range(given[-1] + 1) if self.upper else range(given[0], self.n)

    def core_shape(self, shape):
        """(..., N, m, r) of a right side, or None if it is none."""
        k, n, m = len(self.batch), self.n, self.m
        if tuple(shape[:k]) != tuple(self.batch):
            return None
        core = tuple(shape[k:])
        if core == (n, m):
            return (*self.batch, n, m, 1)
        if len(core) == 3 and core[:2] == (n, m):
            return tuple(shape)
        if core[:1] == (n * m,) and len(core) <= 2:
            return (*self.batch, n, m, *(core[1:] or (1,)))
        return None

    def as_dtype(self, dtype):
        if self.dtype == dtype:
            return self
        diag, off = (None if x is None else x.astype(dtype) for x in (self.diag, self.off))
        return Stack(diag, off, self.upper, self.kind, self.where, self.conj, self.pivots)

    @property
    def options(self):
        return {
            "upper": self.upper, "kind": self.kind, "where": self.where, "conj": self.conj, "pivots": self.pivots,
        }  # fmt: skip

    def _traced_solve(self, X):
        return record(stacked_solve, (self.diag, self.off, X), self.options)

    def _traced_product(self, X):
        Y = X if self.diag is None else TRIANGLES.get(self.kind, same)(self.diag) @ X
        if self.off is None or self.n < 2:
            return Y
        if self.upper:
            return Y + shifted(self.off @ X[..., 1:, :, :], -1)
        return Y + shifted(self.off @ X[..., :-1, :, :], 1)

    # Factors

    def factorized(self):
        """The same with factors of the diagonal blocks where they need any; traced ones stay, and solves factorize."""
        if self.kind not in ("general", "spd") or type(self.diag) is Traced:
            return self
        factors = np.zeros(self.diag.shape, self.dtype)
        pivots = np.zeros(self.diag.shape[:-1], np.int32)
        self._diagonal()._sweep().factor(self._flat(factors), self._flat(pivots))
        kind = "lu" if self.kind == "general" else "cholesky"
        return Stack(factors, self.off, self.upper, kind, self.where, self.conj, pivots if kind == "lu" else None)

    def inverted(self):
        """The same with inverses of the diagonal blocks; traced ones stay."""
        if self.kind in ("unit", "inverse") or (self.m == 1 and self.kind in ("lower", "upper")):
            return self
        if type(self.diag) is Traced:
            return self
        eye = np.broadcast_to(np.eye(self.m, dtype=self.dtype), self.diag.shape)
        inverses = self._diagonal().run(eye, np.empty(self.diag.shape, self.dtype))
        return Stack(inverses, self.off, self.upper, "inverse", self.where, self.conj)

    def _diagonal(self):
        """The diagonal blocks alone, not conjugated."""
        return Stack(self.diag, None, self.upper, self.kind, self.where, pivots=self.pivots)

    def logdet(self):
        """(sign, log |det A|) of each system, as `numpy.linalg.slogdet`."""
        if self.kind == "unit":
            return np.ones(self.batch, self.dtype)[()], np.zeros(self.batch, self.dtype.char.lower())[()]
        if self.kind in ("general", "spd", "inverse"):
            signs, logs = np.linalg.slogdet(hermitian(self.diag) if self.kind == "spd" else self.diag)
        else:
            pivots = np.diagonal(self.diag, axis1=-2, axis2=-1)
            with np.errstate(divide="ignore"):  # log 0 = -inf
                logs = np.sum(np.log(np.abs(pivots)), axis=-1)
            signs = np.prod(np.sign(pivots), axis=-1)
        if self.kind == "cholesky":
            logs = 2 * logs  # of L and L^H, whose signs are each other's conjugates
        if self.kind in ("lu", "lu transposed"):
            exchanged = np.sum(self.pivots != np.arange(self.m), axis=-1) % 2
            signs = np.where(exchanged, -signs, signs)
        if self.kind in ("lu", "lu transposed", "cholesky", "inverse"):  # so far of the inverse
            signs, logs = np.conjugate(signs), -logs
        return np.prod(np.conjugate(signs) if self.conj[0] else signs, axis=-1), np.sum(logs, axis=-1)


def hermitian(X):
    """The Hermitian matrices whose lower triangles these are."""
    above = np.swapaxes(np.tril(X, -1), -1, -2)
    return np.tril(X) + (np.conjugate(above) if np.dtype(X.dtype).kind == "c" else above)


def check_kind(kind, where, kinds=DIAGONALS):
    if kind not in kinds:
        raise StructureError(
            f"{where}: diagonal must be one of {', '.join(map(repr, kinds))} because it says how blocks are solved "
            f"with; got {kind!r}"
        )


def run_nothing(b, out=None, multiply=False):
    """In place of a sweep where the blocks are traced."""


def same(x):
    return x


def lower_part(X):
    return np.where(np.tri(*X.shape[-2:], dtype=bool), X, 0)


def upper_part(X):
    return np.where(np.tri(*X.shape[-2:], -1, dtype=bool), 0, X)


TRIANGLES = {"lower": lower_part, "upper": upper_part}


def shifted(X, by):
    """(..., N - 1, m, r) with a zero block in front, or behind."""
    zero = np.zeros((*X.shape[:-3], 1, *X.shape[-2:]), X.dtype)
    return np.concatenate((zero, X) if by > 0 else (X, zero), axis=-3)


def stacked_solve(diag, off, b, upper, kind, where, conj, pivots):
    """The step that traces record: A^-1 b for b (..., N, m, r)."""
    return Stack(diag, off, upper, kind, where, conj, pivots).solve(b)


def kernel_array(x, where):
    """An array that kernels can read: one of four dtypes, native, aligned; a traced array as it is.

    A list of blocks some of which are traced becomes one traced array.
    """
    is_list_of_traced = isinstance(x, (list, tuple)) and any(type(block) is Traced for block in x)
    x = np.stack(x) if is_list_of_traced else as_array(x, where)
    if type(x) is Traced:
        return x
    if x.dtype.kind in "biu" or x.dtype.char == "e":
        return x.astype(np.float64 if x.dtype.kind in "biu" else np.float32)
    kernel_dtype(x.dtype, x, where)
    if x.dtype.isnative and x.flags.aligned and not any(step % x.itemsize for step in x.strides):
        return np.asarray(x)
    return np.array(x, x.dtype.newbyteorder("="))


def kernel_dtype(dtype, x, where):
    """The dtype of x, or of what comes of it, if kernels compute in it."""
    if dtype.char not in "fdFD":
        raise DtypeError(
            f"{where} must be at most double precision because kernels compute in float32, float64, complex64 and "
            f"complex128; got {x.dtype}"
        )
    return dtype


def check_entries(b, n, out, where):
    """A block vector is a list with an entry a block row, and so is what comes of it."""
    refuse_out(out, "the result is a list", where)
    if len(b) != n:
        raise ShapeError(f"{where} must have {n} entries because there are as many block rows; got {len(b)}")


def refuse_out(out, reason, where):
    if out is not None:
        raise DtypeError(f"{where}: out must be None because {reason}; got an array")


def refuse_threads(threads, where):
    if threads != 1:
        raise ValueError(
            f"{where}: threads must be 1 because traced values are solved with in one step; got threads={threads}"
        )


def is_free(b, dtype):
    """Whether a result of this dtype may be written to b, if its owner agrees."""
    return b.dtype == dtype and b.flags.writeable and not overlaps_itself(b)


def into(out, x):
    if out is None:
        return x
    out[...] = x
    return out
