"""Sparse Jacobians of a recorded program: the operator of every step as a SciPy matrix, multiplied along the graph.

A step of elementwise functions has one entry an element, one that moves elements a single 1, a product as many as
the matrix it multiplies with. Only a step that mixes whole arrays, such as a factorization, is applied to unit
directions, a few at a time. So nothing of the size of outputs times inputs is ever made.
"""

import functools
import math

import numpy as np
from scipy import sparse

from .errors import DtypeError
from .jacobian import edges_of, size
from .operators.elementwise import Elementwise, Selection
from .operators.hadamard import Hadamard
from .operators.product import LeftFactor, LeftVector, Map, RightFactor, RightVector
from .operators.reduction import Reduction
from .rules.several import Item
from .rules.table import Linear

__all__ = ["matrix", "sparse_jacobian"]

CHUNK = 1 << 20  # elements of unit directions that are applied at once


def sparse_jacobian(inputs, outputs, order):
    """The Jacobian of outputs with respect to inputs, (elements of all outputs, elements of all inputs), in CSR.

    Parameters
    ----------
    inputs, outputs : lists of Node
    order : {"auto", "forward", "reverse"}
        Multiply from the inputs on or from the outputs back; by default from where there are fewer elements.
    """
    edges = edges_of(inputs, outputs)
    for node in edges:
        if not isinstance(node.value, tuple) and node.value.dtype.kind == "c":
            raise DtypeError(
                "jacobian: with sparse=True all steps must be real because a real matrix is made of each; got "
                f"{node.value.dtype} from {getattr(node.function, '__name__', node.function)}"
            )
    if order == "auto":
        order = "forward" if sum(map(size, inputs)) <= sum(map(size, outputs)) else "reverse"
    return (forward if order == "forward" else reverse)(edges, inputs, outputs)


def forward(edges, inputs, outputs):
    """(I - L)^-1 D from the top: dx_i / dp = D_i + the sum of L_ij dx_j / dp."""
    last = {argument: node for node, terms in edges.items() for argument, _ in terms}
    known = dict(zip(inputs, identity_rows(inputs), strict=True))
    kept = {*outputs}
    for node, terms in edges.items():
        products = [of_step(node, a, op) @ known[a] for a, op in terms if a in known]
        known[node] = functools.reduce(lambda A, B: A + B, products)
        for a, _ in terms:
            if last[a] is node and a not in kept:
                known.pop(a, None)
    n = sum(map(size, inputs))
    return stack([known.get(y, sparse.csr_array((size(y), n))) for y in outputs], sparse.vstack, (0, n))


def reverse(edges, inputs, outputs):
    """S (I - L)^-1 D from the bottom, S the rows of the outputs: dy / dx_j is the sum of dy / dx_i L_ij."""
    known = {y: sparse.csr_array(E.T) for y, E in zip(outputs, identity_rows(outputs), strict=True)}
    found = {x: known[x] for x in inputs if x in known}
    for node, terms in reversed(edges.items()):
        G = known.pop(node, None)
        if G is None:
            continue
        for a, op in terms:
            term = G @ of_step(node, a, op)
            into = found if a in inputs else known
            into[a] = into[a] + term if a in into else term
    m = sum(map(size, outputs))
    return stack([found.get(x, sparse.csr_array((m, size(x)))) for x in inputs], sparse.hstack, (m, 0))


def stack(blocks, along, empty):
    return sparse.csr_array(along(blocks, format="csr")) if blocks else sparse.csr_array(empty)


def identity_rows(nodes):
    """The rows of the identity that belong to each of the nodes."""
    n, start = sum(map(size, nodes)), 0
    for node in nodes:
        m = size(node)
        columns = np.arange(start, start + m)
        yield compressed(np.ones(m, node.value.dtype), columns, (m, n))
        start += m


def compressed(data, columns, shape):
    """The matrix with one entry a row."""
    return sparse.csr_array((data, columns, np.arange(shape[0] + 1)), shape)


def placed(data, rows, columns, shape):
    """The matrix with these entries."""
    return sparse.csr_array(sparse.coo_array((data, (rows, columns)), shape))


# The matrix of one step on flattened arrays, rows before columns as NumPy's ravel has them


def of_step(node, argument, op):
    if node.function is np.diff:
        return of_difference(op, argument.value, node.value)
    return matrix(op, argument.value, node.value)


@functools.singledispatch
def matrix(op, x, y):
    """The operator of a step from x to y as a sparse matrix, (elements of y, elements of x)."""
    return probed(op, x, y)


@matrix.register(Elementwise)
def of_elementwise(op, x, y):
    data = np.ravel(np.broadcast_to(y.dtype.type(1) if op.M is None else op.M, op.shape_out))
    columns = np.ravel(np.broadcast_to(np.reshape(np.arange(np.size(x)), op.shape_in), op.shape_out))
    if isinstance(op, Selection):
        rows = np.flatnonzero(data)
        return placed(np.ones(len(rows), y.dtype), rows, columns[rows], (np.size(y), np.size(x)))
    return compressed(data.astype(y.dtype), columns, (np.size(y), np.size(x)))


@matrix.register(Hadamard)
def of_hadamard(op, x, y):
    diagonal = np.ravel(op.apply(np.ones(np.shape(x), y.dtype)))
    return compressed(diagonal, np.arange(np.size(x)), (np.size(y), np.size(x)))


@matrix.register(Reduction)
def of_reduction(op, x, y):
    rows = np.ravel(np.broadcast_to(np.reshape(np.arange(np.size(y)), op.kept_shape), op.shape_in))
    data = np.ravel(np.broadcast_to(y.dtype.type(1) if op.M is None else op.M, op.shape_in))
    return sparse.csr_array(compressed(data.astype(y.dtype), rows, (np.size(x), np.size(y))).T)


@matrix.register(RightFactor)
@matrix.register(RightVector)
def of_right_factor(op, x, y):
    # rows of X are multiplied by B: I ⊗ B^T
    B = op.F if op.F.ndim == 2 else op.F[:, None]
    return kron(identity(math.prod(op.shape_in[:-1]), y), B.T, y)


@matrix.register(LeftFactor)
@matrix.register(LeftVector)
def of_left_factor(op, x, y):
    # columns of X are multiplied by A: A ⊗ I
    A = op.F if op.F.ndim == 2 else op.F[None]
    return kron(A, identity(op.shape_in[-1], y), y)


def identity(n, y):
    return sparse.eye_array(n, dtype=y.dtype)


def kron(A, B, y):
    A, B = sparse.coo_array(A), sparse.coo_array(B)
    if 0 in (*A.shape, *B.shape):
        return sparse.csr_array((A.shape[0] * B.shape[0], A.shape[1] * B.shape[1]), dtype=y.dtype)
    return sparse.csr_array(sparse.kron(A, B, format="csr"))


def of_difference(op, x, y):
    """Differences along an axis: I ⊗ ... ⊗ the product of bidiagonal matrices ⊗ ... ⊗ I."""
    axis, n = op.keywords["axis"] % x.ndim, x.shape[op.keywords["axis"]]
    A = identity(n, y)
    for m in range(n - 1, y.shape[axis] - 1, -1):
        A = sparse.eye_array(m, m + 1, k=1, dtype=y.dtype) @ A - sparse.eye_array(m, m + 1, dtype=y.dtype) @ A
    before, after = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    return kron(identity(before, y), kron(A, identity(after, y), y), y)


@matrix.register(Item)
def of_item(op, x, y):
    before = sum(np.size(part) for part in x[: op.i])
    columns = np.arange(before, before + np.size(y))
    return compressed(np.ones(np.size(y), y.dtype), columns, (np.size(y), sum(map(np.size, x))))


@matrix.register(Map)
def of_map(op, x, y):
    """A product whose labelled axes stand side by side: one unit direction for all of them at once."""
    if op.labels is None or 0 in (np.size(x), np.size(y)):
        return probed(op, x, y)
    labels_in, labels_out = op.labels
    mixed = [i for i, label in enumerate(labels_in) if label not in labels_out]
    full_in = x.shape if op.full_in is None else op.full_in
    full_out = y.shape if op.full_out is None else op.full_out
    place = np.reshape(np.arange(np.size(x)), full_in)
    rows = np.arange(np.size(y))
    # the axes of the result in the places of those of the argument they came from; new axes in front
    order = [labels_out.index(label) for label in labels_in if label in labels_out]
    new = [i for i, label in enumerate(labels_out) if label not in labels_in]
    back = np.argsort([*new, *order])
    data, columns = [], []
    for index in np.ndindex(*[full_in[i] for i in mixed]):
        at = [slice(None)] * len(full_in)
        for i, k in zip(mixed, index, strict=True):
            at[i] = k
        X = np.zeros(full_in, y.dtype)
        X[tuple(at)] = 1
        data.append(np.ravel(op.apply(np.reshape(X, x.shape))))
        sources = np.broadcast_to(place[tuple(at)], [full_out[i] for i in (*new, *order)])
        columns.append(np.ravel(np.transpose(sources, back)))
    rows = np.tile(rows, len(data))
    return placed(np.concatenate(data), rows, np.concatenate(columns), (np.size(y), np.size(x)))


@matrix.register(Linear)
def of_linear(op, x, y):
    """Most of these move elements: what they do to the numbers 1, 2, ... says from where to where."""
    shape = np.size(y), np.size(x)
    A = moved(op.apply, np.shape(x), y.dtype, shape)
    if A is not None:
        return A
    A = moved(op.apply_adjoint, np.shape(y), y.dtype, shape[::-1])
    return probed(op, x, y) if A is None else sparse.csr_array(A.T)


def moved(apply, shape_in, dtype, shape):
    """The matrix of a linear map of which every result is one argument or zero; None for any other map.

    That it is such a map is seen in two random arguments: another one agrees with it in both with probability zero.
    """
    m, n = shape
    places = np.ravel(apply(np.reshape(np.arange(1.0, n + 1), shape_in)))
    if not np.all((places >= 0) & (places <= n) & (places == np.floor(places))):
        return None
    filled = np.flatnonzero(places)
    columns = places[filled].astype(int) - 1
    rng = np.random.default_rng(0)
    for _ in range(2):
        v = rng.random(n, np.float32).astype(float)  # also exact where the map converts to float32
        expected = np.zeros(m)
        expected[filled] = v[columns]
        if not np.array_equal(np.ravel(apply(np.reshape(v, shape_in))), expected):
            return None
    return placed(np.ones(len(filled), dtype), filled, columns, shape)


def probed(op, x, y):
    """Any operator, by its images of unit directions, or by those of its adjoint if these are fewer."""
    if total(x) <= total(y):
        return sparse.csr_array(images(op.apply, x, y).T)
    return images(op.apply_adjoint, y, x)


def total(x):
    return sum(map(np.size, x)) if isinstance(x, tuple) else np.size(x)


def images(apply, x, y):
    """apply(E_i) for all unit arrays E_i like x, flattened, as rows."""
    n, length = total(x), max(total(x), total(y), 1)
    rows = []
    for k, part in enumerate(x) if isinstance(x, tuple) else [(None, x)]:
        m = np.size(part)
        for start in range(0, m, max(CHUNK // length, 1)):
            stop = min(start + max(CHUNK // length, 1), m)
            E = np.zeros((stop - start, m), part.dtype)
            E[np.arange(stop - start), np.arange(start, stop)] = 1
            E = np.reshape(E, (stop - start, *np.shape(part)))
            if k is not None:
                E = (*(None,) * k, E, *(None,) * (len(x) - k - 1))
            rows.append(sparse.csr_array(flattened(apply(E), y, stop - start)))
    return sparse.csr_array(sparse.vstack(rows)) if rows else sparse.csr_array((n, total(y)))


def flattened(Y, y, count):
    """A stack of results as rows; of several results side by side, None for zero."""
    if Y is None:
        return np.zeros((count, total(y)))
    if not isinstance(y, tuple):
        return np.reshape(Y, (count, np.size(y)))
    return np.concatenate([flattened(Z, part, count) for Z, part in zip(Y, y, strict=True)], axis=1)
