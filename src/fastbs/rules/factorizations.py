"""Factorizations: cholesky, qr, eigenvalues, singular values. Derivatives are solves with the factors.

Functions that read one triangle of a symmetric argument (`cholesky`, `eigh`, `eigvalsh`) have the derivative of what
they read: the gradient is a triangular matrix, zero where the entries of the argument are ignored, as differences of
NumPy's function are. It is G + G^T - diag(G) on that triangle, G the gradient of a function of all entries.

Eigenvectors and singular vectors of equal eigenvalues or singular values have no derivative of their own. A function
of them has one if it does not depend on the basis of their space; what that basis would contribute, 0/0 there, is
left out. Values whose distance is below the rounding error of the largest count as equal.
"""

import functools
import operator

import numpy as np

from ..operators.product import Map, stacked_labels
from .several import dispatched, record_several
from .solves import (
    cubic,
    lower_part,
    real,
    solve_columns,
    substituted,
    symmetric,
    triangle,
    triangular_solve,
)
from .table import RULES, composite, primitive, record

# Parts


def halved(X):
    """The lower triangle with half the diagonal: the P with P + P^T = X for a symmetric X."""
    return 0.5 * (lower_part(X) + lower_part(X, -1))


def diagonal(X):
    return np.einsum("...ii->...i", X)


def diagonal_matrix(x):
    return x[..., None] * np.eye(x.shape[-1], dtype=bool)


def total(*terms):
    """The sum of the terms that are not None, None if all are."""
    terms = [x for x in terms if x is not None]
    return functools.reduce(operator.add, terms) if terms else None


# Triangular factors


BLOCK = 64  # columns of a block of `blocked_gradient`


def cholesky_gradient(L, Y):
    """The lower triangle of G + G^T - diag(G) for G = L^-T P L^-1, where P + P^T = L^T Y and P is lower triangular.

    Of L and Y only the lower triangles are read.
    """
    # stacks of directions are solved side by side
    return cholesky_by_blocks(L, Y) if L.ndim == Y.ndim else triangle(full_gradient(L, Y), "L")


def full_gradient(L, Y):
    """G, by two solves with n columns"""
    half = triangular_solve(L, halved(lower_part(L).mT @ Y), trans=True)
    return triangular_solve(L, half.mT, trans=True).mT


@dispatched
def cholesky_by_blocks(L, Y):
    """`cholesky_gradient` of two stacks of one shape, in 2/3 n^3 flops."""
    G = np.tril(Y).astype(np.result_type(L, Y), copy=False)
    for i in np.ndindex(*L.shape[:-2]):
        blocked_gradient(L[i], G[i])
    return G


def blocked_gradient(L, G):
    """Turn the lower triangle of dF/dL into that of dF/dA, a block of columns after the other, from the right.

    Cost      2/3 n^3 flops, twice those of the factorization
    Source    Murray, Differentiation of the Cholesky decomposition, arXiv 1602.07527, section 4.1
    """
    n = len(L)
    for stop in range(n, 0, -BLOCK):
        start = max(stop - BLOCK, 0)
        own, below = slice(start, stop), slice(stop, n)
        D, R, B, C = np.tril(L[own, own]), L[own, :start], L[below, :start], L[below, own]
        change = 0
        if stop < n:
            X = substituted(D, G[below, own].T, True, True, False).T  # X D = dF/dC
            G[below, own] = X
            G[below, :start] -= X @ R
            G[own, own] -= np.tril(X.T @ C)
            change = X.T @ B
        G[own, own] = own_part = triangle(full_gradient(D, G[own, own]), "L")
        G[own, :start] -= change + (own_part + own_part.T) @ R


def gradient_first(y, L, Y):
    """dG = L^-T dP L^-1 - G dL L^-1 - L^-T dL^T G, with dP + dP^T = dL^T Y"""
    G = full_gradient(L, Y)

    def forward(X):
        X = lower_part(X)
        Z = triangular_solve(L, halved(X.mT @ Y), trans=True) - G @ X
        Z = triangular_solve(L, Z.mT, trans=True).mT - triangular_solve(L, X.mT @ G, trans=True)
        return triangle(Z, "L")

    def backward(Z):
        S = symmetric(Z, "L")
        W = triangular_solve(L, S).mT
        Q = triangular_solve(L, W)
        return lower_part(Y @ halved(Q).mT - (G + G.mT) @ W)

    return Map(forward, backward, L.shape, y.shape, symbol="chol", work=2 * cubic(L))


def gradient_second(y, L, Y):
    """dY -> what it is to Y: the map is linear, and its adjoint the derivative of the factorization"""
    return Map(
        lambda X: cholesky_gradient(L, X),
        lambda Z: factor_change(L, symmetric(Z, "L")),
        Y.shape, y.shape, symbol="chol", work=cubic(L),
    )  # fmt: skip


def factor_change(L, X):
    """L P, where P + P^T = L^-1 X L^-T for a symmetric X and P is lower triangular"""
    half = triangular_solve(L, X)
    return lower_part(L) @ halved(triangular_solve(L, half.mT))


primitive(cholesky_by_blocks, gradient_first, gradient_second)


def cholesky_rule(y, a, upper=False):
    """dL = L P, where P + P^T = L^-1 dA L^-T and P is lower triangular"""
    uplo, L = ("U", y.mT) if upper else ("L", y)

    def forward(X):
        dL = factor_change(L, symmetric(X, uplo))
        return dL.mT if upper else dL

    def backward(Y):
        G = cholesky_gradient(L, Y.mT if upper else Y)
        return G.mT if upper else G

    labels = stacked_labels(a.ndim - 2, "ij", "kl")
    return Map(forward, backward, a.shape, y.shape, symbol="chol", work=cubic(a), labels=labels)


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

    return Map(forward, backward, a.shape, None, symbol="qr", work=cubic(a))


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
    """The error of numbers that were computed together: LAPACK's is a small multiple of eps |A|."""
    return 8 * np.finfo(x.dtype).eps * np.linalg.norm(x, axis=-1, keepdims=True)


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

    return Map(forward, backward, a.shape, None, symbol="eigh", work=cubic(a))


def eigvalsh_rule(w, a, UPLO="L"):
    """dw = diag(V^T dA V)"""
    _, V = np.linalg.eigh(a, UPLO=UPLO)
    return Map(
        lambda X: diagonal(V.mT @ symmetric(X, UPLO) @ V),
        lambda Y: triangle((V * Y[..., None, :]) @ V.mT, UPLO),
        a.shape, w.shape, symbol="eigvalsh", work=cubic(a),
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

    return Map(forward, backward, a.shape, None, symbol="eig", work=cubic(a))


def eigvals_rule(w, a):
    """dw = diag(V^-1 dA V)"""
    inner = eig_rule(real_eig(a), a)
    return Map(
        lambda X: inner.apply(X)[0],
        lambda Y: inner.apply_adjoint((Y, None)),
        a.shape,
        w.shape,
        symbol="eigvals",
        work=cubic(a),
    )


def real_part(name, w, *others):
    """Eigenvalues, and what belongs to them, as real arrays: NumPy 2.5 gives complex ones of all matrices."""
    if w.dtype.kind != "c":
        return w, *others
    if w.imag.any():
        raise TypeError(
            f"{name}: all eigenvalues must be real because the rule is for real arrays; got {w.dtype}, use eigh for "
            "symmetric matrices"
        )
    return tuple([x.real.copy() for x in (w, *others)])


def real_eig(a):
    """np.linalg.eig of a matrix with real eigenvalues."""
    results = np.linalg.eig(a)
    return type(results)(*real_part("eig", *results))


def real_eigvals(a):
    """np.linalg.eigvals of a matrix with real eigenvalues."""
    return real_part("eigvals", np.linalg.eigvals(a))[0]


@composite(np.linalg.eig)
def eig(a):
    return record_several(real_eig, (real("eig", a),))


@composite(np.linalg.eigvals)
def eigvals(a):
    return record(real_eigvals, (real("eigvals", a),))


RULES[real_eig] = (eig_rule,)
RULES[real_eigvals] = (eigvals_rule,)


def svd_rule(results, a, **keywords):
    """With P = U^T dA V, S = diag(s) and F = 1 / (s_j^2 - s_i^2):  ds = diag(P),

    dU = U (F * (P S + S P^T)) + (I - U U^T) dA V S^-1,  dV = V (F * (S P + P^T S)) + (I - V V^T) dA^T U S^-1.
    """
    if not isinstance(results, tuple):
        U, _, Vh = np.linalg.svd(a, full_matrices=False)
        return Map(
            lambda X: diagonal(U.mT @ X @ Vh.mT),
            lambda Y: (U * Y[..., None, :]) @ Vh,
            a.shape, results.shape, symbol="svd", work=cubic(a),
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

    return Map(forward, backward, a.shape, None, symbol="svd", work=cubic(a))


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
