"""Block triangles of one array (N m, N m), read in place: what `Triangular.from_arrays` holds and solves with.

If the diagonal blocks are triangles of the same side, the array is an ordinary triangle and one kernel solves with it;
else block rows go one by one, ``x_i = D_i \\ (b_i - A[i, :i] x[:i])``.
"""

import numpy as np

from ._trace import Traced
from .arguments import as_array
from .errors import ShapeError, SingularError, StructureError
from .stack import DIAGONALS, TRANSPOSED, TRIANGLES, Stack, check_out, into, kernel_array

__all__ = ["DenseStack"]


class DenseStack:
    """The block triangle of an array.

    Parameters
    ----------
    A : (N m, N m) array, kept by reference; may be traced
    m : int
    upper : bool
    kind : {"unit", "general", "lower", "upper", "spd", "inverse"}
        What the diagonal blocks are; of "unit" ones nothing is read.
    where : str
    conj : bool
        Whether A acts conjugated.
    kept : list of Stack, optional
        Factors of the diagonal blocks.
    """

    batch = ()

    def __init__(self, A, m, upper, kind, where, conj=False, kept=None):
        self.A, self.m, self.upper, self.kind, self.where, self.conj = A, m, upper, kind, where, conj
        self.n = A.shape[0] // m if m else 0
        self.dtype = np.dtype(A.dtype)
        self.kept = kept
        self.is_traced = type(A) is Traced
        self.whole = None
        if kind == ("upper" if upper else "lower") and not self.is_traced:
            self.whole = Stack(A[None], None, upper, kind, where)

    @classmethod
    def of_array(cls, A, m, upper, kind, where):
        A = kernel_array(A, f"{where}: A")
        if A.ndim != 2 or A.shape[0] != A.shape[1] or m < 1 or A.shape[0] % m:
            raise ShapeError(f"{where}: A must be (N m, N m) because blocks are {m} x {m}; got {A.shape}")
        if kind not in (*DIAGONALS, "unit"):
            raise StructureError(
                f"{where}: diagonal must be one of {', '.join(map(repr, ('unit', *DIAGONALS)))} because it says how "
                f"blocks are solved with; got {kind!r}"
            )
        return cls(A, m, upper, kind, where)

    def __reduce__(self):
        return DenseStack, (self.A, self.m, self.upper, self.kind, self.where, self.conj, self.kept)

    def conjugated(self):
        if self.dtype.kind != "c":
            return self
        return DenseStack(self.A, self.m, self.upper, self.kind, self.where, not self.conj, self.kept)

    @property
    def T(self):
        kind = TRANSPOSED.get(self.kind, self.kind)
        A, m = self.A.T, self.m
        if self.kind == "spd":  # the lower triangle of the transpose is the upper one, which nobody promised
            return DenseStack(A, m, not self.upper, kind, self.where, self.conj, [D.T for D in self.diagonal()])
        kept = None if self.kept is None else [D.T for D in self.kept]
        return DenseStack(A, m, not self.upper, kind, self.where, self.conj, kept)

    @property
    def H(self):
        return self.T.conjugated()

    def rows(self, i):
        return slice(i * self.m, (i + 1) * self.m)

    def block(self, i, j):
        return self.A[self.rows(i), self.rows(j)]

    def blocks(self):
        """``{(i, j): array}`` of all blocks; None stands for the identity."""
        held = np.conjugate if self.conj else np.asarray
        own = TRIANGLES.get(self.kind, np.asarray)
        found = {(i, i): None if self.kind == "unit" else held(own(self.block(i, i))) for i in range(self.n)}
        for i in range(self.n):
            for j in range(i + 1, self.n) if self.upper else range(i):
                found[i, j] = held(self.block(i, j))
        return found

    def diagonal(self):
        """A Stack of one block for every diagonal block."""
        if self.kept is not None:
            return self.kept
        return [Stack(self.block(i, i)[None], None, False, self.kind, self.where) for i in range(self.n)]

    # Solving

    def run(self, b, out=None, multiply=False):
        """The solution where the array is one triangle and kernels take b as it is; else None."""
        if self.whole is None or self.conj or multiply or b.ndim > 2 or len(b) != len(self.A):
            return None
        try:
            return self.whole.run(b, out)
        except SingularError:
            self.refuse_zeros()
            raise

    def solve(self, b, out=None, overwrite_b=False, threads=1):
        return self._checked(b, out, overwrite_b, self._solve)

    def multiply(self, b, out=None):
        return self._checked(b, out, False, self._multiply)

    def _checked(self, b, out, overwrite_b, function):
        where = f"{self.where}.{'solve' if function == self._solve else '__matmul__'}: b"
        if isinstance(b, (list, tuple)):
            if len(b) != self.n or any(x is None for x in b):
                raise ShapeError(
                    f"{where} must have {self.n} arrays because there are as many block rows; got {len(b)}"
                )
            return list(self._checked(np.stack(b), out, False, function))
        b = as_array(b, where)
        n, m = self.n, self.m
        flat = b.shape in ((n, m), (n, m, *b.shape[2:])) and b.ndim in (2, 3)
        if not flat and not (b.ndim in (1, 2) and b.shape[0] == n * m):
            raise ShapeError(
                f"{where} must be ({n * m},), ({n}, {m}), ({n * m}, r) or ({n}, {m}, r) because there are {n} "
                f"blocks of {m} rows; got {b.shape}"
            )
        if self.is_traced or type(b) is Traced:
            X = np.reshape(b, (n * m, -1 if b.size else 0))
            return np.reshape(function(X), b.shape)
        dtype = np.result_type(self.dtype, b.dtype)
        if out is not None:
            check_out(out, b.shape, dtype, where)
        shape = (n * m, *(b.shape[2:] if flat else b.shape[1:]))
        B = kernel_array(b, where).astype(dtype, copy=False).reshape(shape)
        A = self if self.dtype == dtype else self.as_dtype(dtype)
        x = getattr(A, function.__name__)(B)
        target = out if out is not None else b if overwrite_b and b.flags.writeable and b.dtype == dtype else None
        return into(target, x.reshape(b.shape))

    def as_dtype(self, dtype):
        kept = None if self.kept is None else [D.as_dtype(dtype) for D in self.kept]
        return DenseStack(self.A.astype(dtype), self.m, self.upper, self.kind, self.where, self.conj, kept)

    def _solve(self, B):
        if self.conj:
            return np.conjugate(self.conjugated()._solve(np.conjugate(B)))
        if self.whole is not None and type(B) is not Traced:
            x = self.run(B)
            return self.run(B.copy()) if x is None else x
        diagonal, parts = None if self.kind == "unit" else self.diagonal(), [None] * self.n
        traced = self.is_traced or type(B) is Traced
        x = None if traced else np.empty_like(B)
        for k in range(self.n):
            i = self.n - 1 - k if self.upper else k
            r = B[self.rows(i)]
            if k:
                known = slice((i + 1) * self.m, None) if self.upper else slice(0, i * self.m)
                done = np.concatenate(parts[i + 1 :] if self.upper else parts[:i]) if traced else x[known]
                r = r - self.A[self.rows(i), known] @ done
            if diagonal is not None:
                try:
                    r = diagonal[i].solve(r)
                except SingularError as error:
                    raise SingularError(str(error).replace("(0, 0)", f"({i}, {i})")) from None
            if traced:
                parts[i] = r
            else:
                x[self.rows(i)] = r
        return np.concatenate(parts) if traced else x

    def _multiply(self, B):
        if self.conj:
            return np.conjugate(self.conjugated()._multiply(np.conjugate(B)))
        own = TRIANGLES.get(self.kind, np.asarray if not self.is_traced else lambda X: X)
        parts = []
        for i in range(self.n):
            b = B[self.rows(i)]
            y = b if self.kind == "unit" else own(self.block(i, i)) @ b
            beside = slice((i + 1) * self.m, None) if self.upper else slice(0, i * self.m)
            parts.append(y + self.A[self.rows(i), beside] @ B[beside])
        return np.concatenate(parts) if parts else B

    def refuse_zeros(self):
        i = int(np.flatnonzero(np.diagonal(self.A) == 0)[0]) // self.m
        raise SingularError(
            f"{self.where}.solve: block ({i}, {i}) must be nonsingular because it is solved with; got a zero pivot"
        ) from None

    def factorized(self):
        if self.whole is not None or self.kind == "unit":
            return self
        return DenseStack(
            self.A, self.m, self.upper, self.kind, self.where, self.conj, [D.factorized() for D in self.diagonal()]
        )

    def inverted(self):
        if self.kind == "unit":
            return self
        kept = [D.inverted() for D in self.diagonal()]
        return DenseStack(self.A, self.m, self.upper, "inverse", self.where, self.conj, kept)

    def logdet(self):
        """(sign, log |det A|)."""
        if self.kind == "unit":
            return 1.0, 0.0
        signs, logs = zip(*(D.logdet() for D in self.diagonal()), strict=True)
        sign = np.prod(np.array(signs))
        return np.conjugate(sign) if self.conj else sign, sum(logs)
