"""Linear algebra: inverses, determinants, norms, least squares; see `solves` and `factorizations` for the rest.

Functions of stacks, (..., n, n), have the same rules: all core axes are the last ones.
"""

import math
import operator

import numpy as np

from .._trace import Traced
from ..operators.product import Map, stacked_labels
from ..operators.reduction import Reduction
from .factorizations import svd_rule, total
from .several import as_array, holomorphic, record_several
from .solves import cubic, real, symmetric, triangle
from .table import composite, constant, primitive, record

# Inverses


def inv_rule(y, a):
    """dA -> -A^-1 dA A^-1"""
    return Map(
        lambda X: -(y @ X @ y), lambda Y: -(y.mT @ Y @ y.mT), a.shape, y.shape,
        symbol="-A⁻¹·A⁻¹", work=cubic(a), labels=stacked_labels(a.ndim - 2, "ij", "kl"),
    )  # fmt: skip


primitive(np.linalg.inv, holomorphic(inv_rule, 0))


def pinv_rule(P, a, hermitian=False, **keywords):
    """dP = -P dA P + P P^T dA^T (I - A P) + (I - P A) dA^T P^T P, while the rank stays (Golub and Pereyra 1973)"""
    A = symmetric(a, "L") if hermitian else a

    def forward(X):
        X = symmetric(X, "L") if hermitian else X
        complement = (X - A @ (P @ X)).mT
        back = X.mT @ P.mT @ P
        return P @ (P.mT @ complement) - P @ X @ P + back - P @ (A @ back)

    def backward(Y):
        complement = (Y - P @ (A @ Y)).mT
        back = Y.mT @ P @ P.mT
        X = P.mT @ (P @ complement) - P.mT @ Y @ P.mT + back - A @ (P @ back)
        return triangle(X, "L") if hermitian else X

    return Map(forward, backward, a.shape, P.shape, symbol="A⁺", work=cubic(a))


def pinv(a, rcond=None, hermitian=False, **keywords):
    if rcond is not None:
        keywords["rcond"] = rcond
    if hermitian:
        keywords["hermitian"] = True
    return record(np.linalg.pinv, (real("pinv", a),), keywords)


primitive(np.linalg.pinv, pinv_rule, recorder=pinv)


@composite(np.linalg.tensorinv)
def tensorinv(a, ind=2):
    if ind <= 0:
        raise ValueError(f"tensorinv: ind must be positive; got {ind}")
    n = math.prod(a.shape[ind:])
    return np.reshape(np.linalg.inv(np.reshape(a, (-1, n))), a.shape[ind:] + a.shape[:ind])


@composite(np.linalg.matrix_power)
def matrix_power(a, n):
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError(f"matrix_power: a must be square; got shape {a.shape}")
    n = operator.index(n)
    if n < 0:
        a, n = np.linalg.inv(a), -n
    if n == 0:
        return np.array(np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape))
    if n == 3:
        return (a @ a) @ a
    power = None
    while n:
        n, odd = divmod(n, 2)
        power = power if not odd else a if power is None else power @ a
        a = a @ a if n else a
    return power


@composite(np.linalg.multi_dot)
def multi_dot(arrays):
    """The cheapest parenthesization of the product, by dynamic programming."""
    arrays = [as_array(a) for a in arrays]
    if len(arrays) < 2:
        raise ValueError(f"multi_dot: at least two arrays must be given; got {len(arrays)}")
    if len(arrays) == 2:
        return np.dot(*arrays)
    dims = [1 if arrays[0].ndim == 1 else arrays[0].shape[0]]
    dims += [a.shape[0] if i == 0 and a.ndim == 1 else 1 if a.ndim == 1 else a.shape[1] for i, a in enumerate(arrays)]
    cost, split = {(i, i): 0 for i in range(len(arrays))}, {}
    for length in range(1, len(arrays)):
        for i in range(len(arrays) - length):
            j = i + length
            cost[i, j], split[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + dims[i] * dims[k + 1] * dims[j + 1], k) for k in range(i, j)
            )

    def product(i, j):
        return arrays[i] if i == j else np.dot(product(i, split[i, j]), product(split[i, j] + 1, j))

    return product(0, len(arrays) - 1)


# Determinants


def adjugate(A):
    """The matrix with A adj(A) = det(A) I, a polynomial in A (Faddeev and LeVerrier)."""
    n = A.shape[-1]
    identity = np.eye(n, dtype=bool)
    M = np.broadcast_to(np.eye(n, dtype=A.dtype), A.shape)
    for k in range(1, n):
        AM = A @ M
        M = AM - (np.einsum("...ii->...", AM) / k)[..., None, None] * identity
    return M if n % 2 else -M


def det_rule(y, a):
    """dA -> sum(cof(A) * dA), the cofactors det(A) A^-T, or from the adjugate if a matrix of the stack is singular"""
    value = y
    while type(value) is Traced:
        value = value.value
    cofactors = (adjugate(a) if np.any(value == 0) else y[..., None, None] * np.linalg.inv(a)).mT
    return Reduction(cofactors, a.shape, (-2, -1), False)


primitive(np.linalg.det, holomorphic(det_rule, 0))


def slogdet_rule(results, a):
    """dA -> (0, trace(A^-1 dA))"""
    inner = Reduction(np.linalg.inv(a).mT, a.shape, (-2, -1), False)
    return Map(
        lambda X: (None, inner.apply(X)),
        lambda Y: None if Y[1] is None else inner.apply_adjoint(Y[1]),
        a.shape, None, symbol="A⁻ᵀ•",
    )  # fmt: skip


primitive(np.linalg.slogdet, slogdet_rule, recorder=lambda a: record_several(np.linalg.slogdet, (real("slogdet", a),)))


# Norms


def norm_rule(y, x, ord=None, axis=None, keepdims=False):
    """dx -> sum(sign(x) (|x| / y)^(p - 1) * dx), and 0 where the norm is 0, as a subgradient"""
    axes = tuple(range(-x.ndim, 0)) if axis is None else tuple(sorted(axis)) if isinstance(axis, tuple) else (axis,)
    kept = tuple(1 if i - x.ndim in axes else n for i, n in enumerate(x.shape))
    size = np.reshape(y, kept)
    size = size + (size == 0)
    M = x / size if ord in (None, 2, "fro") else np.sign(x) * (np.abs(x) / size) ** (ord - 1)
    return Reduction(M, x.shape, axes, keepdims)


def norm(x, ord=None, axis=None, keepdims=False):
    x, keepdims = as_array(x), bool(keepdims)
    if x.dtype.kind == "c" and ord not in (2, -2, "nuc"):
        x = np.abs(x)
    if axis is None:
        if ord is None or (ord in ("f", "fro") and x.ndim == 2) or (ord == 2 and x.ndim == 1):
            return record(np.linalg.norm, (x,), {"keepdims": keepdims})
        axis = tuple(range(x.ndim))
    axes = tuple(operator.index(i) % x.ndim - x.ndim for i in (axis if isinstance(axis, tuple) else (axis,)))
    if len(axes) == 1:
        return line_norm(x, ord, axes[0], keepdims)
    if len(axes) == 2 and axes[0] != axes[1]:
        return plane_norm(x, ord, *axes, keepdims)
    raise ValueError(f"norm: axis must be one axis or two because these have norms; got {axis}")


def line_norm(x, ord, axis, keepdims):
    """The norm of vectors along an axis."""
    if ord == math.inf:
        return np.max(np.abs(x), axis=axis, keepdims=keepdims)
    if ord == -math.inf:
        return np.min(np.abs(x), axis=axis, keepdims=keepdims)
    if ord == 0:
        return np.sum(np.astype(x != 0, x.dtype), axis=axis, keepdims=keepdims)
    if ord == 1:
        return np.sum(np.abs(x), axis=axis, keepdims=keepdims)
    if isinstance(ord, str):
        raise ValueError(f"norm: ord must be a number because x holds vectors; got {ord!r}")
    return record(np.linalg.norm, (x,), {"ord": ord, "axis": axis, "keepdims": keepdims})


def plane_norm(x, ord, row, column, keepdims):
    """The norm of matrices in two axes."""
    if ord in (None, "fro", "f"):
        return record(np.linalg.norm, (x,), {"ord": "fro", "axis": (row, column), "keepdims": keepdims})
    if ord in (1, -1, math.inf, -math.inf):
        summed, other = (row, column) if abs(ord) == 1 else (column, row)
        sums = np.sum(np.abs(x), axis=summed, keepdims=True)
        y = (np.max if ord > 0 else np.min)(sums, axis=other, keepdims=True)
    elif ord in (2, -2, "nuc"):
        s = np.linalg.svd(np.moveaxis(x, (row, column), (-2, -1)), compute_uv=False)
        y = {2: np.max, -2: np.min, "nuc": np.sum}[ord](s, axis=-1)
    else:
        raise ValueError(f"norm: ord must be one of None, 'fro', 'nuc', inf, 1, 2, their negatives; got {ord!r}")
    lengths = [1 if i - x.ndim in (row, column) else n for i, n in enumerate(x.shape)]
    return np.reshape(y, lengths if keepdims else [n for i, n in enumerate(x.shape) if i - x.ndim not in (row, column)])


primitive(np.linalg.norm, norm_rule, recorder=norm)


@composite(np.linalg.vector_norm)
def vector_norm(x, *, axis=None, keepdims=False, ord=2):
    axes = range(x.ndim) if axis is None else [i % x.ndim for i in (axis if isinstance(axis, tuple) else (axis,))]
    others = [i for i in range(x.ndim) if i not in axes]
    kept = [x.shape[i] for i in others]
    rows = np.reshape(np.transpose(x, (*others, *axes)), (*kept, math.prod(x.shape[i] for i in axes)))
    y = np.linalg.norm(rows, ord=ord, axis=-1)
    return np.reshape(y, [1 if i in axes else n for i, n in enumerate(x.shape)]) if keepdims else y


composite(np.linalg.matrix_norm)(
    lambda x, *, keepdims=False, ord="fro": np.linalg.norm(x, ord, axis=(-2, -1), keepdims=keepdims)
)


@composite(np.linalg.cond)
def cond(x, p=None):
    if p not in (None, 2, -2):
        inverse = np.linalg.inv(np.astype(x, np.float64))  # as NumPy does
        return np.astype(np.linalg.norm(x, p, axis=(-2, -1)) * np.linalg.norm(inverse, p, axis=(-2, -1)), x.dtype)
    s = np.linalg.svd(x, compute_uv=False)
    return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]


constant(np.linalg.matrix_rank)


# Least squares


def lstsq_parts(results, a, b, rcond):
    """What both rules need: the pseudoinverse, and x and the residual as columns."""
    if rcond is None:
        rcond = np.finfo(results[0].dtype).eps * max(a.shape)
    x = results[0]
    columns = (*x.shape[:1], 1) if x.ndim == 1 else x.shape
    x = np.reshape(x, columns)
    P = np.linalg.pinv(a, rcond)
    return P, x, np.reshape(b, (-1, columns[-1])) - a @ x


def lstsq_first(results, a, b, rcond):
    """dx = dP b as in `pinv_rule`, d|r|^2 = -2 r^T dA x, ds = diag(U^T dA V)"""
    P, x, r = lstsq_parts(results, a, b, rcond)
    singular = svd_rule(results[3], a)
    square = results[1].size > 0

    def forward(X):
        back = X.mT @ (P.mT @ x)
        dx = P @ (P.mT @ (X.mT @ r)) - P @ (X @ x) + back - P @ (a @ back)
        squares = -2 * np.sum(r * (X @ x), axis=-2) if square else None
        return np.reshape(dx, X.shape[:-2] + results[0].shape), squares, None, singular.apply(X)

    def backward(Y):
        Yx, Yr, _, Ys = Y
        terms = [None if Ys is None else singular.apply_adjoint(Ys)]
        if Yx is not None:
            G = np.reshape(Yx, Yx.shape[: Yx.ndim - results[0].ndim] + x.shape)
            PG = P.mT @ G
            terms.append(-(PG @ x.mT) + r @ (P @ PG).mT + (P.mT @ x) @ (G - a.mT @ (P.mT @ G)).mT)
        if Yr is not None and square:
            terms.append(-2 * (r * Yr[..., None, :]) @ x.mT)
        return total(*terms)

    return Map(forward, backward, a.shape, None, symbol="lstsq")


def lstsq_second(results, a, b, rcond):
    """dx = P db, d|r|^2 = 2 r^T db"""
    P, x, r = lstsq_parts(results, a, b, rcond)
    square = results[1].size > 0

    def forward(X):
        X = np.reshape(X, X.shape[: X.ndim - b.ndim] + r.shape)
        squares = 2 * np.sum(r * X, axis=-2) if square else None
        return np.reshape(P @ X, X.shape[:-2] + results[0].shape), squares, None, None

    def backward(Y):
        Yx, Yr, _, _ = Y
        G = None
        if Yx is not None:
            G = P.mT @ np.reshape(Yx, Yx.shape[: Yx.ndim - results[0].ndim] + x.shape)
        G = total(G, None if Yr is None or not square else 2 * r * Yr[..., None, :])
        return None if G is None else np.reshape(G, G.shape[:-2] + b.shape)

    return Map(forward, backward, b.shape, None, symbol="A⁺")


primitive(
    np.linalg.lstsq,
    lstsq_first,
    lstsq_second,
    recorder=lambda a, b, rcond=None: record_several(
        np.linalg.lstsq, (real("lstsq", a), real("lstsq", b)), {"rcond": rcond}
    ),
)


# The array-API names

composite(np.linalg.matmul)(lambda x1, x2: np.matmul(x1, x2))
composite(np.linalg.matrix_transpose)(lambda x: np.matrix_transpose(x))
composite(np.linalg.diagonal)(lambda x, *, offset=0: np.diagonal(x, offset, -2, -1))
