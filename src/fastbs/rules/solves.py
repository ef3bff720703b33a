"""Solves, and the triangles that they and factorizations read."""

import math

import numpy as np
from scipy.linalg import lapack

from ..operators.product import Map, stacked_labels
from .several import as_array, dispatched, holomorphic
from .table import composite, primitive

# Parts of matrices, of stacks of them


def lower_part(X, k=0):
    """The entries on and below diagonal k."""
    return np.where(np.tri(*X.shape[-2:], k, dtype=bool), X, 0)


def upper_part(X, k=0):
    """The entries on and above diagonal k."""
    return np.where(np.tri(*X.shape[-2:], k - 1, dtype=bool), 0, X)


def symmetric(X, uplo):
    """The symmetric matrix that a function reads which looks at one triangle only."""
    return lower_part(X) + lower_part(X, -1).mT if uplo == "L" else upper_part(X) + upper_part(X, 1).mT


def triangle(G, uplo):
    """The adjoint of `symmetric`: what the entries of the triangle stand for, added up."""
    return lower_part(G) + upper_part(G, 1).mT if uplo == "L" else upper_part(G) + lower_part(G, -1).mT


def full_shape(shape, ndim):
    """The shape with axes of length 1 in front, as broadcasting puts there."""
    return (1,) * (ndim - len(shape)) + shape


def real(name, a):
    """An array whose function has a derivative in real arithmetic only."""
    a = as_array(a)
    if a.dtype.kind == "c":
        raise TypeError(f"{name}: a traced matrix must be real because its rule is for real arrays; got {a.dtype}")
    return a


def cubic(a):
    """The flops of four products of matrices like a, about what a rule of a factorization costs."""
    return 8 * a.size * min(a.shape[-2:])


# Solves


def with_columns(solve, A, B):
    """``solve(A, B)`` for stacks of matrices: a stack of B with one A is one solve with more columns."""
    extra = B.ndim - A.ndim
    if extra <= 0:
        return solve(A, B)
    rows = np.moveaxis(B, range(extra), range(-1 - extra, -1))
    core = rows.ndim - 1 - extra
    X = solve(A, np.reshape(rows, (*rows.shape[:core], math.prod(rows.shape[core:]))))
    return np.moveaxis(np.reshape(X, (*X.shape[:-1], *rows.shape[core:])), range(-1 - extra, -1), range(extra))


def solve_columns(A, B):
    return with_columns(np.linalg.solve, A, B)


def column_shape(shape, vector, ndim):
    """The shape of a stack of matrices, one column if it was a vector, with `ndim` axes."""
    return full_shape((*shape, 1) if vector else shape, ndim)


def solve_first(y, a, b):
    """dA -> -A^-1 dA y"""
    vector = b.ndim == 1
    ndim = y.ndim + vector
    full_y = column_shape(y.shape, vector, ndim)
    solution = np.reshape(y, full_y)
    return Map(
        lambda X: -solve_columns(a, X @ solution),
        lambda Y: -(solve_columns(a.mT, Y) @ solution.mT),
        a.shape, y.shape, full_shape(a.shape, ndim), full_y, "A⁻¹·y", 2 * y.size * a.shape[-1],
        stacked_labels(ndim - 2, "ij", "kc"),
    )  # fmt: skip


def solve_second(y, a, b):
    """dB -> A^-1 dB"""
    vector = b.ndim == 1
    full_b, full_y = (column_shape(x.shape, vector, y.ndim + vector) for x in (b, y))
    return Map(
        lambda X: solve_columns(a, X),
        lambda Y: solve_columns(a.mT, Y),
        b.shape, y.shape, full_b, full_y, "A⁻¹ₗ", 2 * y.size * a.shape[-1],
        stacked_labels(len(full_y) - 2, "jc", "ic"),
    )  # fmt: skip


primitive(np.linalg.solve, holomorphic(solve_first, 0), holomorphic(solve_second, 1))


@dispatched
def triangular_solve(T, B, lower=True, trans=False, unit_diagonal=False):
    """op(T)^-1 B by substitution for matrices, stacks of both; op is the transpose if `trans`.

    Only the triangle of T is read, without its diagonal if that is a unit one.
    """
    return with_columns(lambda T, B: each_substituted(T, B, lower, trans, unit_diagonal), T, B)


def each_substituted(T, B, *options):
    """`substituted` for the matrices of two stacks that broadcast."""
    if T.ndim == B.ndim == 2:
        return substituted(T, B, *options)
    batch = np.broadcast_shapes(T.shape[:-2], B.shape[:-2])
    T, B = (np.broadcast_to(x, batch + x.shape[-2:]) for x in (T, B))
    result = np.empty(B.shape, np.result_type(T, B, np.float32))
    for i in np.ndindex(*batch):
        result[i] = substituted(T[i], B[i], *options)
    return result


TRTRS = {"f": lapack.strtrs, "d": lapack.dtrtrs, "F": lapack.ctrtrs, "D": lapack.ztrtrs}


def substituted(T, B, lower, trans, unit_diagonal):
    """LAPACK's trtrs on one matrix, in the memory order that it has."""
    dtype = np.result_type(T, B, np.float32)
    if B.size == 0:
        return np.empty(B.shape, dtype)
    if T.flags.c_contiguous:
        T, lower, trans = T.T, not lower, not trans
    X, info = TRTRS[dtype.char](T, B, lower=lower, trans=trans, unitdiag=unit_diagonal)
    if info > 0:
        raise np.linalg.LinAlgError(f"triangular_solve: the diagonal must be nonzero; got zero in row {info - 1}")
    return X


def triangular_first(y, T, B, lower=True, trans=False, unit_diagonal=False):
    """dT -> -op(T)^-1 op(dT) y, of the triangle that is read"""

    def read(X):
        return lower_part(X, -unit_diagonal) if lower else upper_part(X, unit_diagonal)

    def forward(X):
        X = read(X)
        return -triangular_solve(T, (X.mT if trans else X) @ y, lower, trans, unit_diagonal)

    def backward(Y):
        Z = triangular_solve(T, Y, lower, not trans, unit_diagonal)
        return read(-(y @ Z.mT if trans else Z @ y.mT))

    return Map(
        forward, backward, T.shape, y.shape, full_shape(T.shape, y.ndim), y.shape, "T⁻¹·y", 2 * y.size * T.shape[-1],
        stacked_labels(y.ndim - 2, "ij", "kc"),
    )  # fmt: skip


def triangular_second(y, T, B, lower=True, trans=False, unit_diagonal=False):
    """dB -> op(T)^-1 dB"""
    return Map(
        lambda X: triangular_solve(T, X, lower, trans, unit_diagonal),
        lambda Y: triangular_solve(T, Y, lower, not trans, unit_diagonal),
        B.shape, y.shape, full_shape(B.shape, y.ndim), y.shape, "T⁻¹ₗ", y.size * T.shape[-1],
        stacked_labels(y.ndim - 2, "jc", "ic"),
    )  # fmt: skip


primitive(triangular_solve, holomorphic(triangular_first, 0), holomorphic(triangular_second, 1))


@composite(np.linalg.tensorsolve)
def tensorsolve(a, b, axes=None):
    a, b = as_array(a), as_array(b)
    if axes is not None:
        kept = [i for i in range(a.ndim) if i not in {axis % a.ndim for axis in axes}]
        a = np.transpose(a, (*kept, *(axis % a.ndim for axis in axes)))
    unknown = a.shape[b.ndim :]
    n = math.prod(unknown)
    if a.size != n * n:
        raise np.linalg.LinAlgError(f"tensorsolve: a must be square as a matrix; got shape {a.shape} for b {b.shape}")
    return np.reshape(np.linalg.solve(np.reshape(a, (n, n)), np.reshape(b, (n,))), unknown)
