"""Operators as SciPy's `LinearOperator` on ``vec(X)``."""

import numpy as np
from scipy.sparse.linalg import LinearOperator

__all__ = ["VecOperator"]


class VecOperator(LinearOperator):
    """``vec(X) -> vec(A X)``; many columns are one stack of directions, applied in one call.

    Parameters
    ----------
    op : Operator
    shape_in : tuple of int, the shape of X
    """

    def __init__(self, op, shape_in):
        self.op = op
        self.X_shape = shape_in
        Y_shape = op.shape_of(shape_in)
        self.Y_shape = np.shape(op @ np.zeros(shape_in, op.dtype)) if Y_shape is None else Y_shape
        dtype = np.dtype(float) if op.dtype is None else op.dtype
        super().__init__(dtype, (int(np.prod(self.Y_shape)), int(np.prod(shape_in))))

    def _matvec(self, x):
        return vec_stack(self.op, x.reshape(1, -1), self.X_shape)[0]

    def _matmat(self, X):
        return vec_stack(self.op, X.T, self.X_shape).T

    def _rmatvec(self, y):
        return vec_stack(self.op.H, y.reshape(1, -1), self.Y_shape)[0]

    def _rmatmat(self, Y):
        return vec_stack(self.op.H, Y.T, self.Y_shape).T

    def _adjoint(self):
        return VecOperator(self.op.H, self.Y_shape)

    def _transpose(self):
        return VecOperator(self.op.T, self.Y_shape)


def vec_stack(op, rows, shape):
    """Each row is a ``vec(X)``; returns one ``vec(A X)`` a row."""
    stack = np.ascontiguousarray(rows).reshape(len(rows), *shape[::-1])
    stack = np.transpose(stack, (0, *range(len(shape), 0, -1)))
    if op.is_unstacked(len(shape)):
        result = np.stack([op @ X for X in stack]) if len(stack) else np.empty((0, *op.shape_of(shape)), op.dtype)
    else:
        result = op @ stack
    result = np.transpose(result, (0, *range(result.ndim - 1, 0, -1)))
    return result.reshape(len(rows), -1) if len(rows) else result.reshape(0, int(np.prod(result.shape[1:])))
