"""Solves with blocks in arrays: A x = b has dx = A^-1 (db - dA x), one more solve with the same blocks.

In reverse z = A^-H g is the derivative with respect to b, and -z_i x_j^H that of block (i, j).
"""

import math

import numpy as np

from ..operator import Operator
from ..sparse_stack import block_rows_apply, row_sums, sparse_solve
from ..stack import TRIANGLES, Stack, same, shifted, stacked_solve
from .solves import symmetric, triangle
from .table import RULES, Linear

__all__ = ["Solved"]


class Solved(Operator):
    """The derivative of A^-1 b with respect to the diagonal blocks, those beside them, or b.

    Parameters
    ----------
    of : {"diag", "off", "b"}
    x : (..., N, m, r) array
        The solution.
    diag, off, b : the arguments of the solve, of which diag or off may be None
    options : dict
        Of `stacked_solve`.
    """

    def __init__(self, of, x, diag, off, b, options):
        argument = {"diag": diag, "off": off, "b": b}[of]
        self.__dict__.update(
            of=of, x=x, diag=diag, off=off, options=options, shape_in=argument.shape, shape_out=x.shape, name="A⁻¹"
        )

    def _solve(self, B, transposed=False):
        """A^-1 B for a stack of right sides, which become columns."""
        stack = Stack(self.diag, self.off, **self.options)
        return with_columns((stack.T if transposed else stack).solve, B, len(self.shape_out))

    def apply(self, X):
        if self.of == "diag":
            X = -(self._read(X) @ self.x)
        elif self.of == "off":
            upper = self.options["upper"]
            known = self.x[..., 1:, :, :] if upper else self.x[..., :-1, :, :]
            X = shifted(-(X @ known), -1 if upper else 1)
        return self._solve(X)

    def apply_adjoint(self, Y):
        Z = self._solve(Y, transposed=True)
        if self.of == "diag":
            return self._stand(-(Z @ np.swapaxes(self.x, -1, -2)))
        if self.of == "off":
            near, far = (slice(None, -1), slice(1, None))[:: 1 if self.options["upper"] else -1]
            return -(Z[..., near, :, :] @ np.swapaxes(self.x[..., far, :, :], -1, -2))
        return Z

    def _read(self, X):
        """The part of the diagonal blocks that the solve reads."""
        return symmetric(X, "L") if self.options["kind"] == "spd" else TRIANGLES.get(self.options["kind"], same)(X)

    def _stand(self, G):
        return triangle(G, "L") if self.options["kind"] == "spd" else TRIANGLES.get(self.options["kind"], same)(G)

    def adjoint(self):
        return Operator(self.apply_adjoint, self.apply, self.name + "ᴴ", self.shape_out, self.shape_in)

    transposed = adjoint


def with_columns(function, B, ndim):
    """A function of arrays with `ndim` axes, the last of them columns, for a stack of such arrays: more columns."""
    extra = B.ndim - ndim
    if not extra:
        return function(B)
    columns = np.moveaxis(B, range(extra), range(-extra, 0))
    X = function(np.reshape(columns, (*B.shape[extra:-1], math.prod(columns.shape[-extra - 1 :]))))
    return np.moveaxis(np.reshape(X, columns.shape), range(-extra, 0), range(extra))


def applied_rows(B, rows, solve, ndim):
    """`block_rows_apply` for a stack of arrays (N,) or (N, r)."""
    if ndim == 1:
        return applied_rows(B[..., None], rows, solve, 2)[..., 0]
    return with_columns(lambda X: block_rows_apply(X, rows, solve), B, 2)


def rows_rule(x, b, rows, solve):
    refuse_complex(rows.where, b, rows)
    return Linear(
        lambda X, *_: applied_rows(X, rows, solve, b.ndim),
        lambda Y, *_: applied_rows(Y, rows.T, solve, b.ndim),
        (x, b), {},
    )  # fmt: skip


RULES[block_rows_apply] = (rows_rule,)


def refuse_complex(where, *arguments):
    for argument in arguments:
        if argument is not None and np.dtype(argument.dtype).kind == "c":
            raise TypeError(
                f"{where}.solve: traced blocks and right sides must be real because the rule is for real arrays; "
                f"got {argument.dtype}"
            )


def rule_of(name):
    def stack_rule(x, diag, off, b, **options):
        refuse_complex(options["where"], diag, off, b)
        return Solved(name, x, diag, off, b, options)

    return stack_rule


RULES[stacked_solve] = tuple(map(rule_of, ("diag", "off", "b")))


# Block-sparse triangles


class SparseSolved(Operator):
    """The derivative of A^-1 b with respect to the blocks of a block-sparse A, or b; or with A^T in place of A.

    Parameters
    ----------
    of : {"data", "b"}
    x : (n, m, r) array
        The solution.
    data, b, pattern, turned : the arguments of `sparse_solve`
    """

    def __init__(self, of, x, data, b, pattern, turned):
        shape = data.shape if of == "data" else b.shape
        self.__dict__.update(
            of=of, x=x, data=data, pattern=pattern, turned=turned, shape_in=shape, shape_out=x.shape, name="A⁻¹"
        )

    def _solve(self, B, transposed=False):
        turned = self.turned != transposed
        return with_columns(lambda X: sparse_solve(self.data, X, self.pattern, turned), B, 3)

    def _places(self):
        """(to, of): block k of the matrix maps entry of[k] to entry to[k]."""
        places = self.pattern.rows, self.pattern.columns
        return places[::-1] if self.turned else places

    def apply(self, X):
        if self.of == "data":
            to, of = self._places()
            read = (lambda X: symmetric(X, "L")) if self.pattern.kind == "spd" else None
            X = self.pattern.read(X, read)
            X = -row_sums((X.mT if self.turned else X) @ self.x[of], to, self.pattern.n)
        return self._solve(X)

    def apply_adjoint(self, Y):
        Z = self._solve(Y, transposed=True)
        if self.of == "b":
            return Z
        to, of = self._places()
        G = -(Z[..., to, :, :] @ self.x[of].mT)
        stand = (lambda G: triangle(G, "L")) if self.pattern.kind == "spd" else None
        return self.pattern.read(G.mT if self.turned else G, stand)

    def adjoint(self):
        return Operator(self.apply_adjoint, self.apply, self.name + "ᴴ", self.shape_out, self.shape_in)

    transposed = adjoint


def sparse_rule_of(name):
    def sparse_rule(x, data, b, pattern, turned):
        refuse_complex(pattern.where, data, b)
        return SparseSolved(name, x, data, b, pattern, turned)

    return sparse_rule


def row_sums_rule(y, P, rows, n):
    return Linear(lambda X, *_: row_sums(X, rows, n), lambda Y, *_: Y[..., rows, :, :], (y, P), {})


RULES[sparse_solve] = tuple(map(sparse_rule_of, ("data", "b")))
RULES[row_sums] = (row_sums_rule,)
