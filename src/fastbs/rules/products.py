"""Products: bilinear, so the derivative with respect to a factor is the product with the other one."""

import functools
import itertools
import math
import string

import numpy as np

from ..operators.elementwise import Elementwise
from ..operators.product import LeftFactor, LeftVector, Map, RightFactor, RightVector, stacked_labels
from .einsum import einsum_rule
from .several import Holomorphic, as_array, holomorphic
from .table import composite, functions, into, primitive, record

# Matrix products


def matmul_first(y, a, b):
    """dA -> dA B"""
    if y.dtype.kind == "c":
        return Holomorphic(first_factor(y, a, b), a.dtype.kind != "c")
    # matrices and rows first: they are what programs multiply, and small ones should cost little more than NumPy's time
    return RightFactor(b, a.shape, y.shape) if b.ndim == 2 else first_factor(y, a, b)


def matmul_second(y, a, b):
    """dB -> A dB"""
    if y.dtype.kind == "c":
        return Holomorphic(second_factor(y, a, b), b.dtype.kind != "c")
    return LeftFactor(a, b.shape, y.shape) if b.ndim == a.ndim == 2 else second_factor(y, a, b)


def first_factor(y, a, b):
    """`matmul_first` of arrays with any number of axes."""
    if b.ndim <= 2:
        return (RightFactor if b.ndim == 2 else RightVector)(b, a.shape, y.shape)
    full_a, full_b, full_y = as_matrices(a.shape, b.shape, y.shape)
    B = np.reshape(b, full_b)
    work = 2 * math.prod(full_y) * full_a[-1]
    labels = stacked_labels(len(full_y) - 2, ("row", "inner"), ("row", "column"))
    return Map(lambda X: X @ B, lambda Y: Y @ B.mT, a.shape, y.shape, full_a, full_y, RightFactor.name, work, labels)


def second_factor(y, a, b):
    """`matmul_second` of arrays with any number of axes."""
    if a.ndim == 2 and b.ndim <= 2:
        # A b = b^T A^T for a vector, and rows take a stack of directions as they are
        return LeftFactor(a, b.shape, y.shape) if b.ndim == 2 else RightFactor(a.T, b.shape, y.shape)
    if a.ndim == 1 and b.ndim <= 2:
        return (LeftVector if b.ndim == 2 else RightVector)(a, b.shape, y.shape)
    full_a, full_b, full_y = as_matrices(a.shape, b.shape, y.shape)
    A = np.reshape(a, full_a)
    work = 2 * math.prod(full_y) * full_a[-1]
    labels = stacked_labels(len(full_y) - 2, ("inner", "column"), ("row", "column"))
    return Map(lambda X: A @ X, lambda Y: A.mT @ Y, b.shape, y.shape, full_b, full_y, LeftFactor.name, work, labels)


def as_matrices(a, b, y):
    """The shapes a, b and y = a @ b as stacks of matrices with equally many axes: vectors are rows and columns."""
    n = a[-1]
    columns = b[-1] if len(b) > 1 else 1
    if len(b) <= 2:
        # a stack of matrices times one matrix is one tall matrix times it
        rows = math.prod(a[:-1])
        return (rows, n), (n, columns), (rows, columns)
    rows = a[-2] if len(a) > 1 else 1
    batch = y[: len(y) - (len(a) > 1) - 1]
    return (*batch_of(a, batch), rows, n), (*batch_of(b, batch), n, columns), (*batch, rows, columns)


def batch_of(shape, batch):
    """The axes before the matrices, with as many of length 1 in front as broadcasting puts there."""
    return (1,) * (len(batch) - len(shape[:-2])) + shape[:-2]


DEFAULTS = {"casting": "same_kind", "order": "K", "subok": True, "keepdims": False}


def refuse(name, keywords):
    """Only the defaults of a ufunc's keywords have a rule."""
    for key, value in keywords.items():
        if value is not None and value != DEFAULTS.get(key):
            raise TypeError(f"{name}: {key} must be left away because traced values have no rule for it; got {value!r}")


def core_ufunc(ufunc, cores, of_complex=None):
    """The recorder of a ufunc of matrices or vectors: ``axes=`` and ``axis=`` become moves of axes.

    Parameters
    ----------
    ufunc : np.ufunc
    cores : tuple of int
        The number of core axes of each argument, and of the result.
    of_complex : callable, optional
        What it does to complex arrays, in other functions: those that conjugate are not holomorphic.
    """

    def recorded(a, b):
        a, b = as_array(a), as_array(b)
        if of_complex and (a.dtype.kind == "c" or b.dtype.kind == "c"):
            return of_complex(a, b)
        return record(ufunc, (a, b))

    def recorder(a, b, axes=None, axis=None, **keywords):
        refuse(ufunc.__name__, keywords)
        if axis is not None:
            axes = [axis] * len(cores)
        if axes is None:
            return recorded(a, b)
        axes = [i if isinstance(i, tuple) else (i,) for i in axes] + [tuple(range(-cores[2], 0))] * (3 - len(axes))
        a, b = (np.moveaxis(x, i, range(-n, 0)) for x, i, n in zip((a, b), axes[:2], cores[:2], strict=True))
        y = recorded(a, b)
        return np.moveaxis(y, range(-cores[2], 0), axes[2]) if cores[2] else y

    return recorder


primitive(
    np.matmul, matmul_first, matmul_second, recorder=core_ufunc(np.matmul, (2, 2, 2)),
)  # fmt: skip


# Other products


def dot_rule(k):
    """The rule of argument k: a product with a number, a matrix product, or a sum over the last axis but one of b."""

    def rule(y, a, b):
        if a.ndim == 0 or b.ndim == 0:
            op = Elementwise((b, a)[k], (a, b)[k].shape, y.shape)
        elif b.ndim <= 2 or a.ndim == 1:
            op = (first_factor, second_factor)[k](y, a, b)
        else:
            first, second = letters(a.ndim, b.ndim)
            second = second[:-2] + first[-1] + second[-1]
            return einsum_rule(
                k + 1, y, f"{first},{second}->{first[:-1]}{second[:-2]}{second[-1]}", a, b, optimize=True
            )
        return Holomorphic(op, (a, b)[k].dtype.kind != "c") if y.dtype.kind == "c" else op

    return rule


def letters(*ndims):
    """A string of that many different letters for each of the numbers."""
    unused = iter(string.ascii_letters)
    return ["".join(itertools.islice(unused, n)) for n in ndims]


def dot(a, b, out=None):
    return into(out, record(np.dot, (as_array(a), as_array(b))))


primitive(np.dot, dot_rule(0), dot_rule(1), recorder=dot)
functions["method", "dot"] = lambda a: functools.partial(np.dot, a)


def flat(a):
    return np.reshape(a, (-1,))


@composite(np.vdot)
def vdot(a, b):
    a, b = as_array(a), as_array(b)
    return np.dot(np.conjugate(flat(a)) if a.dtype.kind == "c" else flat(a), flat(b))


@composite(np.inner)
def inner(a, b):
    return np.dot(a, b) if np.ndim(a) == 0 or np.ndim(b) < 2 else np.dot(a, np.swapaxes(b, -1, -2))


@composite(np.outer)
def outer(a, b, out=None):
    return into(out, np.reshape(a, (-1, 1)) * np.reshape(b, (1, -1)))


@composite(np.linalg.outer)
def linalg_outer(x1, x2):
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ValueError(
            f"outer: both arguments must be vectors; got shapes {np.shape(x1)} and {np.shape(x2)}, use numpy.outer"
        )
    return np.outer(x1, x2)


@composite(np.tensordot, np.linalg.tensordot)
def tensordot(a, b, axes=2):
    a, b = as_array(a), as_array(b)
    if np.iterable(axes):
        of_a, of_b = ([i] if isinstance(i, int | np.integer) else list(i) for i in axes)
    else:
        of_a, of_b = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    of_a, of_b = [i % a.ndim for i in of_a], [i % b.ndim for i in of_b]
    if [a.shape[i] for i in of_a] != [b.shape[i] for i in of_b]:
        raise ValueError(
            f"tensordot: the axes {of_a} of a and {of_b} of b must have equal lengths because they are summed over; "
            f"got shapes {a.shape} and {b.shape}"
        )
    free_a = [i for i in range(a.ndim) if i not in of_a]
    free_b = [i for i in range(b.ndim) if i not in of_b]
    n = math.prod(a.shape[i] for i in of_a)
    A = np.reshape(np.transpose(a, free_a + of_a), (math.prod(a.shape[i] for i in free_a), n))
    B = np.reshape(np.transpose(b, of_b + free_b), (n, math.prod(b.shape[i] for i in free_b)))
    return np.reshape(np.dot(A, B), (*(a.shape[i] for i in free_a), *(b.shape[i] for i in free_b)))


@composite(np.kron)
def kron(a, b):
    ndim = max(np.ndim(a), np.ndim(b))
    of_a, of_b = ((1,) * (ndim - np.ndim(x)) + np.shape(x) for x in (a, b))
    A = np.reshape(a, [n for m in of_a for n in (m, 1)])
    B = np.reshape(b, [n for m in of_b for n in (1, m)])
    return np.reshape(A * B, tuple(m * n for m, n in zip(of_a, of_b, strict=True)))


@composite(np.trace)
def trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    return into(out, np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype))


@composite(np.linalg.trace)
def linalg_trace(x, offset=0, dtype=None):
    return np.trace(x, offset, -2, -1, dtype)


functions["method", "trace"] = lambda a: functools.partial(np.trace, a)


# Products with broadcasting over the axes in front of vectors and matrices


def broadcasting(core_in, core_out, k, forward, backward, symbol):
    """The rule of factor k of a product of arrays that broadcast before their core axes.

    ``forward(X, other)`` and ``backward(Y, other)`` take stacks and need not sum over broadcast axes.
    """

    def rule(y, *factors):
        x, other = factors[k], factors[1 - k]
        ndim = y.ndim - core_out + core_in
        full_in = (1,) * (ndim - x.ndim) + x.shape
        return Map(
            lambda X: forward(X, other), lambda Y: backward(Y, other), x.shape, y.shape, full_in, y.shape, symbol,
            labels=stacked_labels(ndim - core_in, ("in", "inner")[:core_in], ("out", "outer")[:core_out]),
        )  # fmt: skip

    return holomorphic(rule, k)


def times_vector(Y, a):
    return Y[..., None] * a


primitive(
    np.vecdot,
    broadcasting(1, 0, 0, np.vecdot, times_vector, "bᵣ"),
    broadcasting(1, 0, 1, np.vecdot, times_vector, "aₗ"),
    recorder=core_ufunc(np.vecdot, (1, 1, 0), lambda a, b: np.sum(np.conjugate(a) * b, axis=-1)),
)
composite(np.linalg.vecdot)(lambda x1, x2, axis=-1: np.vecdot(x1, x2, axis=axis))

if hasattr(np, "matvec"):  # since NumPy 2.2
    primitive(
        np.matvec,
        broadcasting(2, 1, 0, lambda X, x: np.matvec(X, x), lambda Y, x: Y[..., None] * x[..., None, :], "bᵣ"),
        broadcasting(1, 1, 1, lambda X, A: np.matvec(A, X), lambda Y, A: np.matvec(A.mT, Y), "Aₗ"),
        recorder=core_ufunc(np.matvec, (2, 1, 1)),
    )
    primitive(
        np.vecmat,
        broadcasting(1, 1, 0, lambda X, A: np.vecmat(X, A), lambda Y, A: np.matvec(A, Y), "Bᵣ"),
        broadcasting(2, 1, 1, lambda X, x: np.vecmat(x, X), lambda Y, x: x[..., None] * Y[..., None, :], "aₗ"),
        recorder=core_ufunc(np.vecmat, (1, 2, 1), lambda x, A: np.matvec(A.mT, np.conjugate(x))),
    )


def cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = (np.moveaxis(as_array(x), i, -1) for x, i in ((a, axisa), (b, axisb)))
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise TypeError(
            "cross: vectors must have three components because NumPy no longer takes others; got "
            f"{a.shape[-1]} and {b.shape[-1]}, use a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]"
        )
    return np.moveaxis(record(np.cross, (a, b)), -1, axisc)


# <Y, X x b> = <b x Y, X>  and  <Y, a x X> = <Y x a, X>
primitive(
    np.cross,
    broadcasting(1, 1, 0, lambda X, b: np.cross(X, b), lambda Y, b: np.cross(b, Y), "×b"),
    broadcasting(1, 1, 1, lambda X, a: np.cross(a, X), lambda Y, a: np.cross(Y, a), "a×"),
    recorder=cross,
)
composite(np.linalg.cross)(lambda x1, x2, axis=-1: np.cross(x1, x2, axis=axis))
