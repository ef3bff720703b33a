"""Block-tridiagonal solves and determinants as steps, differentiated by the blocks and the right side."""

import numpy as np

from ..operator import Operator
from ..operators.product import Map
from ..tridiagonal_stack import inverse_blocks, parts_of, tridiagonal_logdet, tridiagonal_solve
from .solves import symmetric, triangle
from .stacks import refuse_complex, with_columns
from .table import RULES

__all__ = []


def turned(blocks, positive):
    """The blocks of A^T."""
    if positive:
        return blocks
    diag, lower, upper = parts_of(blocks, positive)
    return np.swapaxes(np.concatenate((diag, upper, lower), axis=-3), -1, -2)


def read(X, positive):
    """The blocks of all of A as (diag, lower, upper); of positive definite ones the lower triangles decide."""
    diag, lower, upper = parts_of(X, positive)
    return (symmetric(diag, "L"), lower, lower.mT) if positive else (diag, lower, upper)


def stand(diag, lower, upper, positive):
    """The adjoint of `read`."""
    parts = (triangle(diag, "L"), lower + upper.mT) if positive else (diag, lower, upper)
    return np.concatenate(parts, axis=-3)


class Solved(Operator):
    """dA -> -A^-1 dA x, or db -> A^-1 db.

    Parameters
    ----------
    of : {"blocks", "b"}
    x, b : (..., N, m, r) arrays
        The solution and the right side.
    blocks : array
        As `tridiagonal_solve` takes them.
    options : dict
    """

    def __init__(self, of, x, blocks, b, options):
        shape = blocks.shape if of == "blocks" else b.shape
        self.__dict__.update(of=of, x=x, blocks=blocks, options=options, shape_in=shape, shape_out=x.shape, name="A⁻¹")

    def _solve(self, B, transposed=False):
        """A^-1 B for a stack of right sides, which become columns."""
        blocks = turned(self.blocks, self.options["positive"]) if transposed else self.blocks
        return with_columns(lambda X: tridiagonal_solve(blocks, X, **self.options), B, len(self.shape_out))

    def apply(self, X):
        if self.of == "blocks":
            diag, lower, upper = read(X, self.options["positive"])
            x = self.x
            Y = diag @ x
            if lower.shape[-3]:
                none = np.zeros_like(Y[..., :1, :, :])
                Y = Y + np.concatenate((none, lower @ x[..., :-1, :, :]), axis=-3)
                Y = Y + np.concatenate((upper @ x[..., 1:, :, :], none), axis=-3)
            X = -Y
        return self._solve(X)

    def apply_adjoint(self, Y):
        Z = self._solve(Y, transposed=True)
        if self.of == "b":
            return Z
        x = self.x.mT
        lower, upper = Z[..., 1:, :, :] @ x[..., :-1, :, :], Z[..., :-1, :, :] @ x[..., 1:, :, :]
        return -stand(Z @ x, lower, upper, self.options["positive"])

    def adjoint(self):
        return Operator(self.apply_adjoint, self.apply, self.name + "ᴴ", self.shape_out, self.shape_in)

    transposed = adjoint


def rule_of(name):
    def solve_rule(x, blocks, b, **options):
        refuse_complex(options["where"], blocks, b)
        return Solved(name, x, blocks, b, options)

    return solve_rule


def logdet_rule(y, blocks, positive, where):
    """dA -> (0, trace(A^-1 dA)), of which the blocks of the inverse are enough."""
    refuse_complex(where, blocks)
    diag, lower, upper = (part.mT for part in inverse_blocks(*parts_of(blocks, positive), where))
    G = stand(diag, upper, lower, positive)
    return Map(
        lambda X: np.sum(X * G, axis=(-3, -2, -1))[..., None] * np.array([0, 1], y.dtype),
        lambda Y: Y[..., 1, None, None, None] * G,
        blocks.shape, y.shape, symbol="A⁻ᵀ•",
    )  # fmt: skip


RULES[tridiagonal_solve] = tuple(map(rule_of, ("blocks", "b")))
RULES[tridiagonal_logdet] = (logdet_rule,)
