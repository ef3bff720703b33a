"""The market: every operator with its definition by loops. A new operator inherits all laws by one entry.

An entry is a function of a `Stall`, which deals out arrays of one dtype, size and memory order. It returns the
operator and its definition ``element(X, *index)``, one element of A X as a loop over the elements of X. The
definition reads the same arrays as the operator, so that it stays right when their contents change.
"""

import functools
import math
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

import fastbs as fb
from fastbs.operators.inner import Multiple

DTYPES = ("float32", "float64", "complex64", "complex128")
ORDERS = ("C", "F", "strided", "negative")
SIZES = {  # m, n, p, q: X is (m, n), results (p, q) where the operator changes the shape
    "0": (0, 0, 0, 0),
    "no rows": (0, 3, 2, 4),
    "no columns": (3, 0, 4, 2),
    "no results": (2, 3, 0, 0),
    "1": (1, 1, 1, 1),
    "one row": (1, 4, 3, 1),
    "one column": (4, 1, 1, 3),
    "odd": (3, 5, 7, 1),
    "even": (4, 2, 2, 6),
}
LARGE = {"100": (100, 96, 97, 130), "130": (130, 3, 130, 97), "gemv": (97, 1, 130, 1), "mv": (1, 130, 1, 97)}


def ordered(array, order):
    """The same elements in another memory order: every second element, or walked through backwards."""
    array = np.asarray(array)
    if order == "F":
        return np.asfortranarray(array) if array.ndim > 1 else array.copy()
    if order == "strided":
        place = np.full([2 * n + 1 for n in array.shape], -7, array.dtype)
        view = place[(..., *(slice(1, None, 2),) * array.ndim)]
    elif order == "negative":
        view = np.full(array.shape, -7, array.dtype)[(..., *(slice(None, None, -1),) * array.ndim)]
    else:
        return np.array(array, order="C")
    view[...] = array
    return view


def random_array(rng, shape, dtype="float64", order="C"):
    """Normal elements, kept away from zero so that they can be divided by."""
    X = rng.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        X = X + 1j * rng.normal(size=shape)
    X = np.where(np.abs(X) < 0.1, 0.5, X)
    return ordered(np.asarray(X).astype(dtype), order)


@dataclass
class Stall:
    """Where an entry gets its sizes and arrays."""

    rng: np.random.Generator
    dtype: str
    sizes: tuple
    order: str = "C"
    arrays: list = field(default_factory=list)  # what was dealt out

    @property
    def is_complex(self):
        return np.dtype(self.dtype).kind == "c"

    @property
    def scalar(self):
        return 2 - 0.5j if self.is_complex else -1.5

    def array(self, *shape):
        self.arrays.append(random_array(self.rng, shape, self.dtype, self.order))
        return self.arrays[-1]


@dataclass
class Ware:
    """An operator made by an entry."""

    op: fb.Operator
    element: object
    shape_in: tuple
    shape_out: tuple
    arrays: list
    traits: set

    def definition(self, X):
        """A X, element by element."""
        Y = np.empty(self.shape_out, np.result_type(X, *self.arrays, *(() if self.arrays else (X.dtype,))))
        if "complex" in self.traits:
            Y = Y.astype(np.result_type(Y, np.complex64))
        for index in np.ndindex(*self.shape_out):
            Y[index] = self.element(X, *index)
        return Y

    def dense(self, dtype):
        """The matrix on vec(X): one column for each unit matrix, the first index varying fastest."""
        rows, columns = math.prod(self.shape_out), math.prod(self.shape_in)
        A = np.zeros((rows, columns), np.result_type(dtype, *self.arrays))
        for j, at in enumerate(np.ndindex(*self.shape_in[::-1])):
            unit = np.zeros(self.shape_in, dtype)
            unit[at[::-1]] = 1
            Y = self.definition(unit)
            for i, index in enumerate(np.ndindex(*self.shape_out[::-1])):
                A[i, j] = Y[index[::-1]]
        return A


MARKET = {}


def entry(*traits):
    """Put a maker on the market. Traits:

    snapshot    the operator holds something that was computed from the arrays
    no tape     the operator always runs in NumPy
    no stack    leading axes are no stack of directions
    """

    def put(make):
        MARKET[make.__name__] = SimpleNamespace(make=make, traits=set(traits))
        return make

    return put


def order_of(name, rng, dtype="float64", sizes="odd", order="C"):
    """One operator of the market, made to order."""
    sizes = sizes if isinstance(sizes, tuple) else {**SIZES, **LARGE}[sizes]
    stall = Stall(np.random.default_rng(rng), dtype, sizes, order)
    op, element, shape_in, shape_out = MARKET[name].make(stall)
    return Ware(op, element, shape_in, shape_out, stall.arrays, MARKET[name].traits)


@functools.cache
def dense_of(name, rng, dtype, sizes):
    """The matrix of an operator from its definition; the memory order has no say in it."""
    return order_of(name, rng, dtype, sizes).dense(dtype)


def total(terms):
    return sum(terms, start=0)


# --- the operators of the table --------------------------------------------------------------------------


@entry()
def left(s):
    m, n, p, _ = s.sizes
    B = s.array(p, m)
    return fb.Left(B), lambda X, i, j: total(B[i, k] * X[k, j] for k in range(m)), (m, n), (p, n)


@entry()
def right(s):
    m, n, _, q = s.sizes
    A = s.array(n, q)
    return fb.Right(A), lambda X, i, j: total(X[i, k] * A[k, j] for k in range(n)), (m, n), (m, q)


@entry("no stack")
def left_of_a_vector(s):
    m, _, p, _ = s.sizes
    B = s.array(p, m)
    return fb.Left(B), lambda x, i: total(B[i, k] * x[k] for k in range(m)), (m,), (p,)


@entry("no stack")
def right_of_a_vector(s):
    _, n, _, q = s.sizes
    A = s.array(n, q)
    return fb.Right(A), lambda x, j: total(x[k] * A[k, j] for k in range(n)), (n,), (q,)


@entry()
def hadamard(s):
    m, n, _, _ = s.sizes
    M = s.array(m, n)
    return fb.Hadamard(M), lambda X, i, j: M[i, j] * X[i, j], (m, n), (m, n)


@entry()
def hadamard_of_vectors(s):
    m = s.sizes[0]
    M = s.array(m)
    return fb.Hadamard(M), lambda X, i: M[i] * X[i], (m,), (m,)


@entry()
def hadamard_of_numbers(s):
    M = s.array()
    return fb.Hadamard(M), lambda X: M[()] * X[()], (), ()


@entry()
def hadamard_of_three_axes(s):
    m, n, p, _ = (min(k, 20) for k in s.sizes)
    M = s.array(m, n, p)
    return fb.Hadamard(M), lambda X, *at: M[at] * X[at], (m, n, p), (m, n, p)


@entry()
def kronecker(s):
    m, n, p, q = s.sizes
    A, B = s.array(q, n), s.array(p, m)

    def element(X, i, j):
        return total(B[i, k] * X[k, l] * A[j, l] for k in range(m) for l in range(n))

    return fb.Kronecker(A, B), element, (m, n), (p, q)


@entry()
def kronecker_of_one(s):
    m, _, p, _ = s.sizes
    A = s.array(p, m)
    return fb.Kronecker(A), lambda x, i: total(A[i, k] * x[k] for k in range(m)), (m,), (p,)


@entry()
def kronecker_of_three(s):
    m, n, p, q = (min(k, 3) for k in s.sizes)
    A, B, C = s.array(q, n), s.array(p, m), s.array(n, p)

    def element(X, i, j, k):
        return total(C[i, a] * B[j, b] * A[k, c] * X[a, b, c] for a in range(p) for b in range(m) for c in range(n))

    return fb.Kronecker(A, B, C), element, (p, m, n), (n, p, q)


@entry()
def inner(s):
    m, n, _, _ = s.sizes
    G = s.array(m, n)
    return fb.Inner(G), lambda X: total(G[at].conjugate() * X[at] for at in np.ndindex(m, n)), (m, n), ()


@entry()
def inner_of_vectors(s):
    m = s.sizes[0]
    G = s.array(m)
    return fb.Inner(G), lambda X: total(G[i].conjugate() * X[i] for i in range(m)), (m,), ()


@entry()
def multiple(s):
    m, n, _, _ = s.sizes
    G = s.array(m, n)
    return Multiple(G), lambda X, i, j: X[()] * G[i, j], (), (m, n)


@entry()
def identity(s):
    m, n, _, _ = s.sizes
    return fb.Identity(), lambda X, i, j: X[i, j], (m, n), (m, n)


@entry("no tape")
def zero(s):
    m, n, p, q = s.sizes
    return fb.Zero((m, n), (p, q)), lambda X, i, j: 0, (m, n), (p, q)


@entry("no tape")
def zero_with_free_axes(s):
    m, n, p, _ = s.sizes
    return fb.Zero((m, None), (p, None)), lambda X, i, j: 0, (m, n), (p, n)


@entry("no tape")
def zero_of_any_shape(s):
    m, n, _, _ = s.sizes
    return fb.Zero(), lambda X, i, j: 0, (m, n), (m, n)


# --- tangent projections ----------------------------------------------------------------------------------


@entry("no tape")
def tangents_of_symmetric(s):
    m = s.sizes[0]
    op = fb.manifolds.Symmetric(np.zeros((m, m), s.dtype))
    return op, lambda X, i, j: (X[i, j] + X[j, i]) / 2, (m, m), (m, m)


@entry("no tape")
def tangents_of_lower(s):
    m, n, _, _ = s.sizes
    op = fb.manifolds.Triangular(np.zeros((m, n), s.dtype))
    return op, lambda X, i, j: X[i, j] if i >= j else 0, (m, n), (m, n)


@entry("no tape")
def tangents_of_upper(s):
    m, n, _, _ = s.sizes
    op = fb.manifolds.Triangular(np.zeros((m, n), s.dtype), uplo="U")
    return op, lambda X, i, j: X[i, j] if i <= j else 0, (m, n), (m, n)


@entry("no tape")
def tangents_of_stiefel(s):
    n, p = max(s.sizes[:2]), min(s.sizes[:2])
    real = np.dtype(s.dtype).type(0).real.dtype
    Q = ordered(np.linalg.qr(random_array(s.rng, (n, p), real))[0], s.order)
    s.arrays.append(Q)

    def element(X, i, j):
        return (
            X[i, j]
            - total(Q[i, k] * Q[l, k] * X[l, j] + Q[i, k] * Q[l, j] * X[l, k] for k in range(p) for l in range(n)) / 2
        )

    return fb.manifolds.Stiefel(Q), element, (n, p), (n, p)


# --- a user's own ----------------------------------------------------------------------------------------


@entry("no tape")
def users(s):
    m, n, p, _ = s.sizes
    B = s.array(p, m)
    op = fb.Operator(lambda X: B @ X, lambda Y: B.conj().T @ Y, symbol="U", shape_in=(m, n), shape_out=(p, n))
    return op, lambda X, i, j: total(B[i, k] * X[k, j] for k in range(m)), (m, n), (p, n)


@entry("no tape")
def users_with_a_view(s):
    m, n, _, _ = s.sizes
    op = fb.Operator(np.matrix_transpose, np.matrix_transpose, symbol="t", shape_in=(m, n), shape_out=(n, m))
    return op, lambda X, i, j: X[j, i], (m, n), (n, m)


# --- the closure -----------------------------------------------------------------------------------------


@entry()
def scaled(s):
    m, n, p, _ = s.sizes
    B, t = s.array(p, m), s.scalar
    return t * fb.Left(B), lambda X, i, j: total(t * B[i, k] * X[k, j] for k in range(m)), (m, n), (p, n)


@entry()
def divided(s):
    m, n, _, _ = s.sizes
    M, t = s.array(m, n), s.scalar
    return fb.Hadamard(M) / t, lambda X, i, j: M[i, j] * X[i, j] / t, (m, n), (m, n)


@entry()
def scaled_identity(s):
    m, n, _, _ = s.sizes
    return -1.5 * fb.Identity(), lambda X, i, j: -1.5 * X[i, j], (m, n), (m, n)


@entry()
def negated(s):
    m, n, _, q = s.sizes
    A = s.array(n, q)
    return -fb.Right(A), lambda X, i, j: -total(X[i, k] * A[k, j] for k in range(n)), (m, n), (m, q)


@entry()
def added(s):
    m, n, _, _ = s.sizes
    B, A, M = s.array(m, m), s.array(n, n), s.array(m, n)

    def element(X, i, j):
        return (
            total(B[i, k] * X[k, j] for k in range(m)) + total(X[i, k] * A[k, j] for k in range(n)) - M[i, j] * X[i, j]
        )

    return fb.Left(B) + fb.Right(A) - fb.Hadamard(M), element, (m, n), (m, n)


@entry()
def subtracted(s):
    m, n, _, _ = s.sizes
    B = s.array(m, m)
    return fb.Identity() - fb.Left(B), lambda X, i, j: X[i, j] - total(
        B[i, k] * X[k, j] for k in range(m)
    ), (m, n), (m, n)  # fmt: skip


@entry()
def composed(s):
    m, n, p, q = s.sizes
    M, B, A = s.array(p, q), s.array(p, m), s.array(n, q)

    def element(X, i, j):
        return M[i, j] * total(B[i, k] * X[k, l] * A[l, j] for k in range(m) for l in range(n))

    return fb.Hadamard(M) @ fb.Left(B) @ fb.Right(A), element, (m, n), (p, q)


@entry()
def layer_of_adjoints(s):
    m, n, p, _ = s.sizes
    M, W = s.array(m, n), s.array(m, p)

    def element(X, i, j):
        return total(W[k, i].conjugate() * M[k, j].conjugate() * X[k, j] for k in range(m))

    return (fb.Hadamard(M) @ fb.Left(W)).H, element, (m, n), (p, n)


@entry()
def nested(s):
    m, n, p, _ = s.sizes
    B, C, D, t = s.array(p, m), s.array(m, m), s.array(m, m), s.scalar

    def element(X, i, j):
        return total(B[i, k] * (C[k, l] + t * D[k, l]) * X[l, j] for k in range(m) for l in range(m))

    return fb.Left(B) @ (fb.Left(C) + t * fb.Left(D)), element, (m, n), (p, n)


@entry()
def rank_one(s):
    m, n, _, _ = s.sizes
    F, G = s.array(m, n), s.array(m, n)

    def element(X, i, j):
        return F[i, j] * total(G[at].conjugate() * X[at] for at in np.ndindex(m, n))

    return Multiple(F) @ fb.Inner(G), element, (m, n), (m, n)


@entry()
def shared(s):
    # one array in two places of one operator
    m, n, _, _ = s.sizes
    M = s.array(m, n)
    op = fb.Hadamard(M) + Multiple(M) @ fb.Inner(M)

    def element(X, i, j):
        return M[i, j] * X[i, j] + M[i, j] * total(M[at].conjugate() * X[at] for at in np.ndindex(m, n))

    return op, element, (m, n), (m, n)


@entry("no tape")
def composed_with_users(s):
    m, n, p, _ = s.sizes
    B = s.array(p, m)
    op = fb.Left(B) @ fb.Operator(lambda X: -X, lambda Y: -Y, symbol="minus", shape_in=(m, n), shape_out=(m, n))
    return op, lambda X, i, j: -total(B[i, k] * X[k, j] for k in range(m)), (m, n), (p, n)


@entry("no tape")
def added_to_users(s):
    m, n, _, _ = s.sizes
    M = s.array(m, n)
    op = fb.Hadamard(M) - fb.Operator(np.positive, np.positive, symbol="plus")
    return op, lambda X, i, j: M[i, j] * X[i, j] - X[i, j], (m, n), (m, n)


@entry("snapshot")
def hadamard_of_hadamard(s):
    m, n, _, _ = s.sizes
    M, N = s.array(m, n), s.array(m, n)
    return fb.Hadamard(M) @ fb.Hadamard(N), lambda X, i, j: M[i, j] * N[i, j] * X[i, j], (m, n), (m, n)


@entry("snapshot")
def hadamard_inverse(s):
    m, n, _, _ = s.sizes
    M = s.array(m, n)
    return fb.Hadamard(M).inv, lambda X, i, j: X[i, j] / M[i, j], (m, n), (m, n)


@entry("snapshot")
def kronecker_of_kronecker(s):
    m, n, p, q = s.sizes
    A, B, C, D = s.array(n, q), s.array(m, p), s.array(q, n), s.array(p, m)

    def element(X, i, j):
        return total(
            B[i, a] * D[a, k] * X[k, l] * C[b, l] * A[j, b]
            for a in range(p)
            for b in range(q)
            for k in range(m)
            for l in range(n)
        )

    return fb.Kronecker(A, B) @ fb.Kronecker(C, D), element, (m, n), (m, n)


@entry("snapshot", "no tape")
def left_inverse(s):
    m, n, _, _ = s.sizes
    U = np.triu(s.array(m, m))
    U[np.diag_indices(m)] = 2

    def element(X, i, j):
        # back substitution for one element
        x = {}
        for k in reversed(range(i, m)):
            x[k] = (X[k, j] - total(U[k, l] * x[l] for l in range(k + 1, m))) / U[k, k]
        return x[i]

    return fb.Left(U).inv, element, (m, n), (m, n)
