"""Operators as SciPy's `LinearOperator` on ``vec(X)``."""

import math

import numpy as np
from scipy.sparse.linalg import LinearOperator

__all__ = ["BlockVecOperator", "FlatOperator", "VecOperator"]


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
        return vec_stack(self.op, x.reshape(1, -1), self.X_shape, self.Y_shape)[0]

    def _matmat(self, X):
        return vec_stack(self.op, X.T, self.X_shape, self.Y_shape).T

    def _rmatvec(self, y):
        return vec_stack(self.op.H, y.reshape(1, -1), self.Y_shape, self.X_shape)[0]

    def _rmatmat(self, Y):
        return vec_stack(self.op.H, Y.T, self.Y_shape, self.X_shape).T

    def _adjoint(self):
        return VecOperator(self.op.H, self.Y_shape)

    def _transpose(self):
        return VecOperator(self.op.T, self.Y_shape)


def vec_stack(op, rows, shape_in, shape_out):
    """Each row is a ``vec(X)``; returns one ``vec(A X)`` a row."""
    if not len(rows):
        return np.zeros((0, math.prod(shape_out)), rows.dtype if op.dtype is None else np.result_type(rows, op.dtype))
    stack = np.ascontiguousarray(rows).reshape(len(rows), *shape_in[::-1])
    stack = np.transpose(stack, (0, *range(len(shape_in), 0, -1)))
    result = np.stack([op @ X for X in stack]) if op.is_unstacked(len(shape_in)) else op @ stack
    return np.transpose(result, (0, *range(result.ndim - 1, 0, -1))).reshape(len(rows), math.prod(shape_out))


class BlockVecOperator(LinearOperator):
    """A map of block vectors on flat ones, the ``vec`` of all entries under each other.

    Parameters
    ----------
    op : operator on block vectors
    domain, image : FlatVector, what it takes and what it returns
    """

    def __init__(self, op, domain, image):
        self.op, self.domain, self.image = op, domain, image
        super().__init__(np.dtype(float) if op.dtype is None else op.dtype, (image.size, domain.size))

    def _matvec(self, x):
        return self.image.flat(self.op @ self.domain.entries(x.reshape(-1)))

    def _rmatvec(self, y):
        return self.domain.flat(self.op.H @ self.image.entries(y.reshape(-1)))

    def _adjoint(self):
        return BlockVecOperator(self.op.H, self.image, self.domain)

    def _transpose(self):
        return BlockVecOperator(self.op.T, self.image, self.domain)


class FlatOperator(LinearOperator):
    """A square map that takes arrays (N,) and (N, r) as they are.

    Parameters
    ----------
    apply, apply_adjoint : callable
    size : int, N
    dtype : numpy.dtype
    """

    def __init__(self, apply, apply_adjoint, size, dtype):
        self.apply, self.apply_adjoint = apply, apply_adjoint
        super().__init__(dtype, (size, size))

    def _matvec(self, x):
        return self.apply(x.reshape(-1))

    def _matmat(self, X):
        return self.apply(X)

    def _rmatvec(self, y):
        return self.apply_adjoint(y.reshape(-1))

    def _rmatmat(self, Y):
        return self.apply_adjoint(Y)
