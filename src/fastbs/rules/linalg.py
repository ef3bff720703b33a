"""Linear algebra: derivatives are solves with the factors that the function found.

Functions of stacks, (..., n, n), have the same rules: all core axes are the last ones. Functions that read one
triangle of a symmetric argument (`cholesky`, `eigh`, `eigvalsh`) have the derivative of what they read: the gradient
is a triangular matrix, zero where the entries of the argument are ignored, as differences of NumPy's function are. It
is G + G^T - diag(G) on that triangle, G the gradient of a function of all entries.

Eigenvectors and singular vectors of equal eigenvalues or singular values have no derivative of their own. A function
of them has one if it does not depend on the basis of their space; what that basis would contribute, 0/0 there, is
left out. Values whose distance is below the rounding error of the largest count as equal.
"""

import functools
import math
import operator

import numpy as np
from scipy.linalg import lapack

from .._trace import Traced
from ..operators.product import Map
from .products import as_factor
from .several import dispatched, holomorphic, record_several
from .table import RULES, composite, constant, primitive, record

# Parts of matrices, of stacks of them


def lower_part(X, k=0):
    """The entries on and below diagonal k."""
    return X * np.tri(*X.shape[-2:], k, dtype=bool)


def upper_part(X, k=0):
    """The entries on and above diagonal k."""
    return X * ~np.tri(*X.shape[-2:], k - 1, dtype=bool)


def symmetric(X, uplo):
    """The symmetric matrix that a function reads which looks at one triangle only."""
    return lower_part(X) + lower_part(X, -1).mT if uplo == "L" else upper_part(X) + upper_part(X, 1).mT


def triangle(G, uplo):
    """The adjoint of `symmetric`: what the entries of the triangle stand for, added up."""
    return lower_part(G) + upper_part(G, 1).mT if uplo == "L" else upper_part(G) + lower_part(G, -1).mT


def halved(X):
    """The lower triangle with half the diagonal: the P with P + P^T = X for a symmetric X."""
    return 0.5 * (lower_part(X) + lower_part(X, -1))


def diagonal(X):
    return np.einsum("...ii->...i", X)


def diagonal_matrix(x):
    return x[..., None] * np.eye(x.shape[-1], dtype=bool)


def full_shape(shape, ndim):
    """The shape with axes of length 1 in front, as broadcasting puts there."""
    return (1,) * (ndim - len(shape)) + shape


def total(*terms):
    """The sum of the terms that are not None, None if all are."""
    terms = [x for x in terms if x is not None]
    return functools.reduce(operator.add, terms) if terms else None


def real(name, a):
    """An array whose function has a derivative in real arithmetic only."""
    a = as_factor(a)
    if a.dtype.kind == "c":
        raise TypeError(f"{name}: a traced matrix must be real because its rule is for real arrays; got {a.dtype}")
    return a


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
        a.shape, y.shape, full_shape(a.shape, ndim), full_y, "A⁻¹·y",
    )  # fmt: skip


def solve_second(y, a, b):
    """dB -> A^-1 dB"""
    vector = b.ndim == 1
    full_b, full_y = (column_shape(x.shape, vector, y.ndim + vector) for x in (b, y))
    return Map(
        lambda X: solve_columns(a, X), lambda Y: solve_columns(a.mT, Y), b.shape, y.shape, full_b, full_y, "A⁻¹ₗ"
    )  # fmt: skip


primitive(np.linalg.solve, holomorphic(solve_first, 0), holomorphic(solve_second, 1))


@dispatched
def triangular_solve(T, B, lower=True, trans=False, unit_diagonal=False):
    """op(T)^-1 B by substitution for matrices, stacks of both; op is the transpose if `trans`.

    Only the triangle of T is read, without its diagonal if that is a unit one.
    """
    if T.ndim == 2:
        return with_columns(lambda T, B: substituted(T, B, lower, trans, unit_diagonal), T, B)
    batch = np.broadcast_shapes(T.shape[:-2], B.shape[:-2])
    T, B = (np.broadcast_to(x, batch + x.shape[-2:]) for x in (T, B))
    result = np.empty(B.shape, np.result_type(T, B))
    for i in np.ndindex(*batch):
        result[i] = substituted(T[i], B[i], lower, trans, unit_diagonal)
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
        return -read(y @ Z.mT if trans else Z @ y.mT)

    return Map(forward, backward, T.shape, y.shape, full_shape(T.shape, y.ndim), y.shape, "T⁻¹·y")


def triangular_second(y, T, B, lower=True, trans=False, unit_diagonal=False):
    """dB -> op(T)^-1 dB"""
    return Map(
        lambda X: triangular_solve(T, X, lower, trans, unit_diagonal),
        lambda Y: triangular_solve(T, Y, lower, not trans, unit_diagonal),
        B.shape, y.shape, full_shape(B.shape, y.ndim), y.shape, "T⁻¹ₗ",
    )  # fmt: skip


primitive(triangular_solve, holomorphic(triangular_first, 0), holomorphic(triangular_second, 1))


@composite(np.linalg.tensorsolve)
def tensorsolve(a, b, axes=None):
    a, b = as_factor(a), as_factor(b)
    if axes is not None:
        kept = [i for i in range(a.ndim) if i not in {axis % a.ndim for axis in axes}]
        a = np.transpose(a, (*kept, *(axis % a.ndim for axis in axes)))
    unknown = a.shape[b.ndim :]
    n = math.prod(unknown)
    if a.size != n * n:
        raise np.linalg.LinAlgError(f"tensorsolve: a must be square as a matrix; got shape {a.shape} for b {b.shape}")
    return np.reshape(np.linalg.solve(np.reshape(a, (n, n)), np.reshape(b, (n,))), unknown)


# Inverses


primitive(
    np.linalg.inv,
    holomorphic(
        lambda y, a: Map(lambda X: -(y @ X @ y), lambda Y: -(y.mT @ Y @ y.mT), a.shape, y.shape, symbol="A⁻¹·A⁻¹"), 0
    ),
)


def pinv_rule(P, a, **keywords):
    """dP = -P dA P + P P^T dA^T (I - A P) + (I - P A) dA^T P^T P, while the rank stays (Golub and Pereyra 1973)"""

    def forward(X):
        complement = (X - a @ (P @ X)).mT
        back = X.mT @ P.mT @ P
        return P @ (P.mT @ complement) - P @ X @ P + back - P @ (a @ back)

    def backward(Y):
        complement = (Y - P @ (a @ Y)).mT
        back = Y.mT @ P @ P.mT
        return P.mT @ (P @ complement) - P.mT @ Y @ P.mT + back - a @ (P @ back)

    return Map(forward, backward, a.shape, P.shape, symbol="A⁺")


def pinv(a, rcond=None, hermitian=False, **keywords):
    if rcond is not None:
        keywords["rcond"] = rcond
    a = real("pinv", a)
    return record(np.linalg.pinv, (symmetric(a, "L") if hermitian else a,), keywords)


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
        return np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape) + 0 * a
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
    arrays = [as_factor(a) for a in arrays]
    if len(arrays) < 2:
        raise ValueError(f"multi_dot: at least two arrays must be given; got {len(arrays)}")
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
    return traced_product(cofactors, a, y)


def traced_product(C, a, y):
    """X -> trace(C^T X)"""
    return Map(
        lambda X: np.sum(C * X, axis=(-2, -1)), lambda Y: Y[..., None, None] * C, a.shape, y.shape, symbol="Cᵀ•"
    )  # fmt: skip


primitive(np.linalg.det, holomorphic(det_rule, 0))


def slogdet_rule(results, a):
    """dA -> (0, trace(A^-1 dA))"""
    inner = traced_product(np.linalg.inv(a).mT, a, results[1])
    return Map(
        lambda X: (None, inner.apply(X)),
        lambda Y: None if Y[1] is None else inner.apply_adjoint(Y[1]),
        a.shape, None, symbol="A⁻ᵀ•",
    )  # fmt: skip


primitive(np.linalg.slogdet, slogdet_rule, recorder=lambda a: record_several(np.linalg.slogdet, (real("slogdet", a),)))


# Factorizations


def cholesky_rule(y, a, upper=False):
    """dL = L P, where P + P^T = L^-1 dA L^-T and P is lower triangular"""
    uplo, L = ("U", y.mT) if upper else ("L", y)

    def forward(X):
        half = triangular_solve(L, symmetric(X, uplo))
        dL = L @ halved(triangular_solve(L, half.mT))
        return dL.mT if upper else dL

    def backward(Y):
        P = halved(L.mT @ (Y.mT if upper else Y))
        half = triangular_solve(L, P, trans=True)
        return triangle(triangular_solve(L, half.mT, trans=True), uplo)

    return Map(forward, backward, a.shape, y.shape, symbol="chol")


primitive(
    np.linalg.cholesky,
    cholesky_rule,
    recorder=lambda a, *, upper=False: record(
        np.linalg.cholesky, (real("cholesky", a),), {"upper": True} if upper else {}
    ),
)


def qr_rule(results, a, mode="reduced"):
    """With M = dA R^-1, B = Q^T M and W = tril(B, -1) - tril(B, -1)^T:  dQ = M - Q B + Q W,  dR = (B - W) R.

    If A is wide, this is so of its first columns A_1 = Q R_1, and R_2 = Q^T A_2.
    """
    Q, R = results
    k = Q.shape[-1]
    R1, wide = R[..., :k], R.shape[-1] > k

    def over_R(X):
        return triangular_solve(R1, X.mT, lower=False, trans=True).mT

    def forward(X):
        M = over_R(X[..., :k])
        B = Q.mT @ M
        W = lower_part(B, -1)
        W = W - W.mT
        dQ, dR = M - Q @ (B - W), (B - W) @ R1
        if wide:
            dR = np.concatenate([dR, dQ.mT @ a[..., k:] + Q.mT @ X[..., k:]], axis=-1)
        return dQ, dR

    def backward(Y):
        YQ, YR = Y
        rest = []
        if wide and YR is not None:
            YR, YR2 = YR[..., :k], YR[..., k:]
            YQ = total(YQ, a[..., k:] @ YR2.mT)
            rest = [Q @ YR2]
        # The adjoint of W leaves the upper triangle of G, made symmetric
        G = total(None if YQ is None else Q.mT @ YQ, None if YR is None else -(YR @ R1.mT))
        M = total(YQ, -(Q @ symmetric(G, "U")))
        X = triangular_solve(R1, M.mT, lower=False).mT
        if wide and not rest:
            rest = [0 * a[..., k:] + np.zeros((*X.shape[:-1], 1), X.dtype)]
        return np.concatenate([X, *rest], axis=-1) if wide else X

    return Map(forward, backward, a.shape, None, symbol="qr")


def qr(a, mode="reduced"):
    a = real("qr", a)
    m, n = a.shape[-2:]
    if mode not in ("reduced", "complete", "r") or (mode == "complete" and m > n):
        raise TypeError(
            f"qr: mode must be 'reduced' or 'r' because other factors of a {m} x {n} matrix have no derivative; "
            f"got {mode!r}"
        )
    results = record_several(np.linalg.qr, (a,))
    return results.R if mode == "r" else results


primitive(np.linalg.qr, qr_rule, recorder=qr)


# Eigenvalues and singular values


def rounding(x):
    """What does not count next to the numbers of x."""
    return np.finfo(x.dtype).eps * np.sum(np.abs(x), axis=-1, keepdims=True)


def reciprocal(x, zero):
    """1 / x, and 0 where `zero`."""
    return ~zero / (x + zero)


def reciprocal_gaps(x):
    """1 / (x_j - x_i), and 0 where they count as equal."""
    gaps = x[..., None, :] - x[..., :, None]
    return reciprocal(gaps, np.abs(gaps) <= rounding(x)[..., None])


def eigh_rule(results, a, UPLO="L"):
    """With P = V^T dA V and F = 1 / (w_j - w_i):  dw = diag(P),  dV = V (F * P)."""
    w, V = results

    def forward(X):
        P = V.mT @ symmetric(X, UPLO) @ V
        return diagonal(P), V @ (reciprocal_gaps(w) * P)

    def backward(Y):
        Yw, YV = Y
        P = total(None if Yw is None else diagonal_matrix(Yw), None if YV is None else reciprocal_gaps(w) * (V.mT @ YV))
        return triangle(V @ P @ V.mT, UPLO)

    return Map(forward, backward, a.shape, None, symbol="eigh")


def eigvalsh_rule(w, a, UPLO="L"):
    """dw = diag(V^T dA V)"""
    _, V = np.linalg.eigh(a, UPLO=UPLO)
    return Map(
        lambda X: diagonal(V.mT @ symmetric(X, UPLO) @ V),
        lambda Y: triangle((V * Y[..., None, :]) @ V.mT, UPLO),
        a.shape, w.shape, symbol="eigvalsh",
    )  # fmt: skip


primitive(
    np.linalg.eigh,
    eigh_rule,
    recorder=lambda a, UPLO="L": record_several(np.linalg.eigh, (real("eigh", a),), {"UPLO": UPLO.upper()}),
)
primitive(
    np.linalg.eigvalsh,
    eigvalsh_rule,
    recorder=lambda a, UPLO="L": record(np.linalg.eigvalsh, (real("eigvalsh", a),), {"UPLO": UPLO.upper()}),
)


def eig_rule(results, a):
    """With P = V^-1 dA V and F = 1 / (w_j - w_i):  dw = diag(P),  dV = V (F * P), less its part along V: |v_j| = 1."""
    w, V = results

    def across(Z):
        return Z - V * np.sum(V * Z, axis=-2, keepdims=True)

    def forward(X):
        P = solve_columns(V, X @ V)
        return diagonal(P), across(V @ (reciprocal_gaps(w) * P))

    def backward(Y):
        Yw, YV = Y
        P = total(
            None if Yw is None else diagonal_matrix(Yw),
            None if YV is None else reciprocal_gaps(w) * (V.mT @ across(YV)),
        )
        return solve_columns(V.mT, P @ V.mT)

    return Map(forward, backward, a.shape, None, symbol="eig")


def eigvals_rule(w, a):
    """dw = diag(V^-1 dA V)"""
    inner = eig_rule(np.linalg.eig(a), a)
    return Map(
        lambda X: inner.apply(X)[0], lambda Y: inner.apply_adjoint((Y, None)), a.shape, w.shape, symbol="eigvals"
    )


def with_real_eigenvalues(name, w):
    if w.dtype.kind == "c":
        raise TypeError(
            f"{name}: all eigenvalues must be real because the rule is for real arrays; got {w.dtype}, use eigh for "
            "symmetric matrices"
        )


@composite(np.linalg.eig)
def eig(a):
    results = record_several(np.linalg.eig, (real("eig", a),))
    with_real_eigenvalues("eig", results[0])
    return results


@composite(np.linalg.eigvals)
def eigvals(a):
    w = record(np.linalg.eigvals, (real("eigvals", a),))
    with_real_eigenvalues("eigvals", w)
    return w


RULES[np.linalg.eig] = (eig_rule,)
RULES[np.linalg.eigvals] = (eigvals_rule,)


def svd_rule(results, a, **keywords):
    """With P = U^T dA V, S = diag(s) and F = 1 / (s_j^2 - s_i^2):  ds = diag(P),

    dU = U (F * (P S + S P^T)) + (I - U U^T) dA V S^-1,  dV = V (F * (S P + P^T S)) + (I - V V^T) dA^T U S^-1.
    """
    if not isinstance(results, tuple):
        U, _, Vh = np.linalg.svd(a, full_matrices=False)
        return Map(
            lambda X: diagonal(U.mT @ X @ Vh.mT),
            lambda Y: (U * Y[..., None, :]) @ Vh,
            a.shape, results.shape, symbol="svd",
        )  # fmt: skip
    U, s, Vh = results
    V, m, n = Vh.mT, *a.shape[-2:]
    rows, columns = s[..., :, None], s[..., None, :]

    def factors():
        sums = rows + columns
        F = reciprocal_gaps(s) * reciprocal(sums, sums <= rounding(s)[..., None])
        return F, reciprocal(columns, columns <= rounding(s)[..., None])

    def forward(X):
        F, inverse = factors()
        P = U.mT @ X @ V
        dU = U @ (F * (P * columns + rows * P.mT))
        dV = V @ (F * (rows * P + P.mT * columns))
        if m > n:
            Z = X @ V * inverse
            dU = dU + Z - U @ (U.mT @ Z)
        if n > m:
            Z = X.mT @ U * inverse
            dV = dV + Z - V @ (V.mT @ Z)
        return dU, diagonal(P), dV.mT

    def backward(Y):
        YU, Ys, YV = Y
        F, inverse = factors()
        P, rest = None if Ys is None else diagonal_matrix(Ys), None
        if YU is not None:
            K = F * (U.mT @ YU)
            P = total(P, (K + K.mT) * columns)
            if m > n:
                Z = YU * inverse
                rest = (Z - U @ (U.mT @ Z)) @ Vh
        if YV is not None:
            YV = YV.mT
            K = F * (V.mT @ YV)
            P = total(P, rows * (K + K.mT))
            if n > m:
                Z = YV * inverse
                rest = total(rest, U @ (Z - V @ (V.mT @ Z)).mT)
        return total(U @ P @ Vh, rest)

    return Map(forward, backward, a.shape, None, symbol="svd")


def svd(a, full_matrices=True, compute_uv=True, hermitian=False):
    a = real("svd", a)
    if hermitian:
        raise TypeError("svd: hermitian must be False because traced values have no rule for it; use numpy.linalg.eigh")
    if not compute_uv:
        return record(np.linalg.svd, (a,), {"compute_uv": False})
    m, n = a.shape[-2:]
    if full_matrices and m != n:
        raise TypeError(
            f"svd: full_matrices must be False because the further singular vectors of a {m} x {n} matrix have no "
            "derivative; got True, its default"
        )
    return record_several(np.linalg.svd, (a,), {"full_matrices": bool(full_matrices)})


primitive(np.linalg.svd, svd_rule, recorder=svd)
composite(np.linalg.svdvals)(lambda x: np.linalg.svd(x, compute_uv=False))


# Norms


def norm_rule(y, x, ord=None, axis=None, keepdims=False):
    """dx -> sum(sign(x) (|x| / y)^(p - 1) * dx), and 0 where the norm is 0, as a subgradient"""
    axes = tuple(range(-x.ndim, 0)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    kept = tuple(1 if i - x.ndim in axes else n for i, n in enumerate(x.shape))
    size = np.reshape(y, kept)
    size = size + (size == 0)
    M = x / size if ord in (None, 2, "fro") else np.sign(x) * (np.abs(x) / size) ** (ord - 1)
    return Map(
        lambda X: np.sum(M * X, axis=axes, keepdims=keepdims),
        lambda Y: np.reshape(Y, Y.shape[: Y.ndim - y.ndim] + kept) * M,
        x.shape, y.shape, symbol="(x/|x|)ᵀ",
    )  # fmt: skip


def norm(x, ord=None, axis=None, keepdims=False):
    x, keepdims = as_factor(x), bool(keepdims)
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
        return np.linalg.norm(x, p, axis=(-2, -1)) * np.linalg.norm(np.linalg.inv(x), p, axis=(-2, -1))
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
