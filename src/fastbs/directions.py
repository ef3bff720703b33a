"""Stacks of directions that keep their structure: what a program makes of all unit directions, pushed forward.

Unit directions are no matrix yet. A slice of them are other unit directions, and all others vanish; a product with a
matrix X makes ``D[(a, b), i, k] = e_a[i] X[b, k]`` of them, and that stays a core with one direction for each a, times
a factor that steps do not touch, until a step sums over k. Only then, or at a step that is not known here, stacks
become dense arrays of directions.
"""

import functools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ._trace import Traced
from .operators.elementwise import Elementwise, Selection
from .operators.product import Factor, LeftFactor, LeftVector, RightFactor, RightVector
from .operators.reduction import Reduction
from .rules.indexing import get
from .rules.table import Linear
from .values import add

__all__ = ["Dense", "Outer", "Unit", "collect", "first_of", "is_dense", "numbered", "push"]


MANY = 64  # more small products than these times each other are one large product


@dataclass(frozen=True)
class Unit:
    """The directions `start`, ..., one for each element of an array, in the order of its elements."""

    start: int
    shape: tuple
    dtype: Any

    @property
    def count(self):
        return math.prod(self.shape)

    def dense(self):
        return Dense(
            self.start, (self.count,), np.reshape(np.eye(self.count, dtype=self.dtype), (self.count, *self.shape))
        )


@dataclass(frozen=True)
class Dense:
    """As many directions from `start` on as the leading axes `counts` of the array have; a tuple of several results."""

    start: int
    counts: tuple
    array: Any

    @property
    def count(self):
        return math.prod(self.counts)

    def dense(self):
        return self

    def flat(self):
        """With one leading axis."""
        return self if len(self.counts) == 1 else Dense(self.start, (self.count,), self.rows(self.array))

    def rows(self, X):
        if isinstance(X, tuple):
            return tuple(map(self.rows, X))
        return None if X is None else np.reshape(X, (self.count, *X.shape[len(self.counts) :]))


@dataclass(frozen=True)
class Outer:
    """The directions (a, b): ``D[a, b, i, k] = core[a, i, k] factor[b, k]``, k the index of one axis.

    Parameters
    ----------
    start : int
    core : array (n, *shape); or of the shape, if `row` is an axis: core[a, i, k] is then zero for all i but a
    factor : array (m, length of the axis), or (m, 1) without an axis; None for a row of ones
    axis : negative int or None
    row : negative int or None
    swapped : bool
        Whether directions are ordered as (b, a).
    """

    start: int
    core: Any
    factor: Any
    axis: int | None
    row: int | None = None
    swapped: bool = False

    @property
    def n(self):
        return self.core.shape[0 if self.row is None else self.row]

    @property
    def shape(self):
        return self.core.shape if self.row is not None else self.core.shape[1:]

    @property
    def counts(self):
        if self.factor is None:
            return (self.n,)
        return (self.factor.shape[0], self.n) if self.swapped else (self.n, self.factor.shape[0])

    @property
    def count(self):
        return math.prod(self.counts)

    def full(self):
        """With a core that has an axis of directions."""
        if self.row is None:
            return self
        E = diagonal_core(self.n, len(self.shape), self.row, self.core.dtype)
        return replace(self, core=E * self.core, row=None)

    def paired(self, core, factor):
        """The two with axes for a and b in the order of the directions, to be multiplied."""
        return (core[None], factor[:, None]) if self.swapped else (core[:, None], factor[None])

    def dense(self):
        core = self.full().core
        if self.factor is None:
            return Dense(self.start, self.counts, core)
        axis = -1 if self.axis is None else self.axis
        C, R = self.paired(core, beside(self.factor, len(self.shape), axis))
        return Dense(self.start, self.counts, C * R)

    def contracted(self, array):
        """Directions without structure; the array has an axis for each of a and b."""
        return Dense(self.start, self.counts, array)


@functools.lru_cache(maxsize=64)
def diagonal_core(n, ndim, row, dtype):
    """E[a, ..., i, ...] = 1 for i = a on axis `row` of arrays with that many axes; the same array at each call."""
    E = beside(np.eye(n, dtype=dtype), ndim, row)
    E.flags.writeable = False
    return E


def beside(matrix, ndim, axis):
    """(n, length) as (n, 1, ..., length, ..., 1): the length on an axis of arrays with that many axes."""
    shape = [1] * ndim
    if ndim:
        shape[axis] = matrix.shape[1]
    return np.reshape(matrix, (matrix.shape[0], *shape))


def collect(terms, term):
    """Add a stack to a list of stacks; those of the same directions are added up."""
    for i, known in enumerate(terms):
        if (known.start, known.count) == (term.start, term.count):
            terms[i] = added(known, term)
            return
    terms.append(term)


def added(x, y):
    alike = type(x) is type(y) is Outer and x.factor is y.factor and (x.axis, x.swapped) == (y.axis, y.swapped)
    if alike:
        if x.row != y.row:
            x, y = x.full(), y.full()
        return replace(x, core=x.core + y.core)
    x, y = x.dense(), y.dense()
    if x.counts != y.counts:
        x, y = x.flat(), y.flat()
    return Dense(x.start, x.counts, add(x.array, y.array))


def push(term, function, op):
    """The stack behind a step of this function with this operator; None for zero."""
    is_known = type(op) in OUTER and is_dense(op)
    known = {Unit: UNIT, Outer: OUTER}.get(type(term), {}).get(type(op)) if is_known else None
    found = None if known is None else known(term, function, op)
    if found is not None:
        return found if found.count else None
    term = term.dense() if is_known else term.dense().flat()
    Y = op.apply(term.array)
    return None if Y is None else Dense(term.start, term.counts, Y)


def is_dense(op):
    """Whether the factor of a product, if it is one, is no sparse matrix."""
    return not isinstance(op, Factor) or isinstance(op.F, (np.ndarray, Traced))


# Unit directions. Each of these returns None where nothing is known.

MOVES = (get, np.reshape, np.transpose)  # with plain arguments these select elements


def unit_linear(term, function, op):
    if function not in MOVES or (function is get and len(op.data) > 2):
        return None
    first = first_of(op.apply(numbered(term.shape)))
    return None if first is None else Unit(term.start + first, op.shape_out, term.dtype)


def numbered(shape):
    """An array of the numbers of its own elements."""
    return np.reshape(np.arange(math.prod(shape)), shape)


def first_of(places):
    """The first of these places if the others follow one by one, else None."""
    places = np.ravel(places)
    first = int(places[0]) if places.size else 0
    return first if np.array_equal(places, np.arange(first, first + places.size)) else None


def unit_elementwise(term, function, op):
    source, target = op.shape_in, op.shape_out
    if source == target:
        if op.M is None:
            return term
        if len(source) != 1:
            return None
        return Outer(term.start, np.ones(target, term.dtype) * op.M, None, None, -1)
    source = (1,) * (len(target) - len(source)) + source
    if len(target) != 2 or (source[0] == target[0]) == (source[1] == target[1]):
        return None
    row = -2 if source[0] == target[0] else -1
    core = np.ones(target, term.dtype) if op.M is None else np.ones(target, term.dtype) * op.M
    return Outer(term.start, core, None, -3 - row, row)


def unit_right_factor(term, function, op):
    if len(term.shape) == 1:
        return Dense(term.start, term.shape, op.F)
    if len(term.shape) != 2:
        return None
    return Outer(term.start, np.ones(op.shape_out, term.dtype), op.F, -1, -2)


def unit_left_factor(term, function, op):
    if len(term.shape) != 2:
        return None
    return Outer(term.start, np.ones(op.shape_out, term.dtype), op.F.T, -2, -1, swapped=True)


def unit_right_vector(term, function, op):
    if len(term.shape) == 1:
        return Dense(term.start, term.shape, op.F)
    if len(term.shape) != 2:
        return None
    return Outer(term.start, np.ones(op.shape_out, term.dtype), op.F[:, None], None, -1)


def unit_left_vector(term, function, op):
    if len(term.shape) != 2:
        return None
    return Outer(term.start, np.ones(op.shape_out, term.dtype), op.F[:, None], None, -1, swapped=True)


UNIT = {
    Linear: unit_linear, Elementwise: unit_elementwise, RightFactor: unit_right_factor, LeftFactor: unit_left_factor,
    RightVector: unit_right_vector, LeftVector: unit_left_vector,
}  # fmt: skip


# Outer products: what leaves their axis alone acts on the core. All operators of the table take any stack axes.


def untouched(term, op):
    """Without an axis every linear map acts on the core alone."""
    if term.axis is not None:
        return None
    term = term.full()
    return replace(term, core=op.apply(term.core))


def outer_elementwise(term, function, op):
    source, target = op.shape_in, op.shape_out
    for axis in (term.axis, term.row):
        if axis is not None and source[axis] != target[axis]:
            return untouched(term, op)
    return replace(term, core=op.apply(term.core))


def outer_linear(term, function, op):
    if function is not np.transpose:
        return untouched(term, op)
    ndim = len(term.shape)
    axes = op.data[2] if len(op.data) > 2 and op.data[2] is not None else range(ndim)[::-1]
    axis, row = (None if x is None else list(axes).index(x + ndim) - ndim for x in (term.axis, term.row))
    return replace(term, core=op.apply(term.core), axis=axis, row=row)


def outer_reduction(term, function, op):
    if term.axis not in op.axes:
        if term.row is not None and (term.row in op.axes or not op.keepdims):
            term = term.full()
        shift = 0 if op.keepdims or term.axis is None else sum(i > term.axis for i in op.axes)
        axis = None if term.axis is None else term.axis + shift
        return replace(term, core=op.apply(term.core), axis=axis)
    term = term.full()
    if term.factor is None:
        return term.contracted(op.apply(term.core))
    rest = tuple([i for i in op.axes if i != term.axis])
    core = term.core if op.M is None else op.M * term.core
    core = np.moveaxis(core, term.axis, -1)
    # what stood behind the axis that is last now stands one further left
    core = np.add.reduce(core, axis=tuple([i - 1 if i > term.axis else i for i in rest])) if rest else core
    # T[a, b, ...] = sum over k of core[a, ..., k] factor[b, k]
    n, length = term.n, core.shape[-1]
    inner = core.shape[1:-1]
    C = np.reshape(core, (n, math.prod(inner), length))
    R = term.factor.T
    T = np.swapaxes(C @ R, -1, -2)  # (n, m, inner)
    T = np.swapaxes(T, 0, 1) if term.swapped else T
    return term.contracted(np.reshape(T, (*term.counts, *op.shape_out)))


def outer_right_factor(term, function, op):
    if term.axis != -1:
        if term.row == -1 and len(term.shape) <= 2:
            # core[a, k, j] = d[k, a] B[a, j]
            if len(term.shape) == 1:
                return replace(term, core=term.core[:, None] * op.F, row=None)
            return replace(term, core=term.core.T[:, :, None] * op.F[:, None], row=None)
        term = term.full() if term.row == -1 else term
        return replace(term, core=op.apply(term.core))
    term = term.full()
    if term.factor is None:
        return term.contracted(op.apply(term.core))
    # T[a, b, i, j] = sum over k of core[a, i, k] (factor[b, k] B[k, j])
    rows = math.prod(term.shape[:-1])
    C = np.reshape(term.core, (term.n, rows, term.shape[-1]))
    T = product(term, C, term.factor[:, :, None] * op.F)
    return term.contracted(np.reshape(T, (*term.counts, *op.shape_out)))


def outer_left_factor(term, function, op):
    if term.axis != -2:
        if term.row == -2:
            # core[a, j, k] = A[j, a] d[a, k]
            return replace(term, core=op.F.T[:, :, None] * term.core[:, None], row=None)
        return replace(term, core=op.apply(term.core))
    term = term.full()
    if term.factor is None:
        return term.contracted(op.apply(term.core))
    # T[a, b, i, j] = sum over k of (A[i, k] factor[b, k]) core[a, k, j], as the transpose of a product
    T = product(term, np.swapaxes(term.core, -1, -2), np.swapaxes(op.F * term.factor[:, None], -1, -2))
    return term.contracted(np.swapaxes(T, -1, -2))


def product(term, C, P):
    """T[a, b] = C[a] @ P[b], in the order of the directions."""
    n, m = C.shape[0], P.shape[0]
    if min(n, m) > MANY:  # one product, and its axes moved
        T = np.reshape(C, (-1, C.shape[-1])) @ np.reshape(np.swapaxes(P, 0, 1), (P.shape[1], -1))
        return np.transpose(np.reshape(T, (n, -1, m, P.shape[2])), (2, 0, 1, 3) if term.swapped else (0, 2, 1, 3))
    C, P = term.paired(C, P)
    return C @ P


def outer_right_vector(term, function, op):
    if term.axis != -1:
        term = term.full() if term.row is not None else term
        return replace(term, core=op.apply(term.core), axis=None if term.axis is None else term.axis + 1)
    term = term.full()
    if term.factor is None:
        return term.contracted(op.apply(term.core))
    rows = math.prod(term.shape[:-1])
    C = np.reshape(term.core, (term.n, rows, term.shape[-1]))
    T = np.swapaxes(C @ (term.factor * op.F).T, -1, -2)
    T = np.swapaxes(T, 0, 1) if term.swapped else T
    return term.contracted(np.reshape(T, (*term.counts, *op.shape_out)))


def outer_left_vector(term, function, op):
    if term.axis == -2:
        return None
    term = term.full() if term.row is not None else term
    return replace(term, core=op.apply(term.core))


OUTER = {
    Elementwise: outer_elementwise, Selection: outer_elementwise, Linear: outer_linear, Reduction: outer_reduction,
    RightFactor: outer_right_factor, LeftFactor: outer_left_factor, RightVector: outer_right_vector,
    LeftVector: outer_left_vector,
}  # fmt: skip
