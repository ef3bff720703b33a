"""Recorded NumPy functions -> kernel instructions: the one table, and the tape that results.

Transposes, reshapes of contiguous values, broadcasts and conjugates are views: they change strides or a
flag, and no instruction is emitted. A product that is only added or subtracted is accumulated by the
product itself (``c = alpha a b + c``). What has no line in the table is not lowered, and its caller falls
back to NumPy.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from .._tape import Tape
from .._trace import Node, Traced, node_of, steps, trace
from .arena import place

__all__ = ["KERNEL_DTYPES", "lower"]

KERNEL_DTYPES = {np.dtype(t): i for i, t in enumerate((np.float32, np.float64, np.complex64, np.complex128))}

COPY, AXPBY, MUL, DIV, GEMM, GEMV, PRODUCT, INNER = range(8)
CONJ_A, CONJ_B = 1, 2

# Measured crossovers: below these sizes our register-blocked product is faster than BLAS with its packing.
SMALL_REAL = 96  # largest of m, n, k
SMALL_COMPLEX = 128  # product of m, n, k
MAX_AXES = 8  # of an argument of a tape
MAX_PEELED = 64  # instructions for axes that fit no (batch, row, column) pattern
LARGEST = 2**31 - 1  # BLAS integers


class NotLowerable(Exception):
    """This program has no tape; the caller runs it in NumPy."""


@dataclass(frozen=True)
class View:
    """Strided elements of a buffer. Buffers are numbered: inputs, then outputs, then temporaries."""

    buffer: int
    shape: tuple
    strides: tuple
    offset: int = 0
    conj: bool = False

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def mT(self):
        return replace(
            self,
            shape=(*self.shape[:-2], self.shape[-1], self.shape[-2]),
            strides=(*self.strides[:-2], self.strides[-1], self.strides[-2]),
        )

    @property
    def is_contiguous(self):
        steps = contiguous(self.shape)
        return all(n == 1 or s == t for n, s, t in zip(self.shape, self.strides, steps, strict=True))

    def broadcast(self, shape):
        """The same elements seen in a larger shape: new and stretched axes have stride 0."""
        missing = len(shape) - self.ndim
        strides = [
            0 if n == 1 and full != 1 else s
            for n, s, full in zip(self.shape, self.strides, shape[missing:], strict=True)
        ]
        return replace(self, shape=shape, strides=(0,) * missing + tuple(strides))

    def insert(self, axis):
        """The same elements with a new axis of length 1."""
        shape, strides = list(self.shape), list(self.strides)
        shape.insert(axis, 1)
        strides.insert(axis, 0)
        return replace(self, shape=tuple(shape), strides=tuple(strides))

    def reshape(self, shape):
        return replace(self, shape=shape, strides=contiguous(shape))


@dataclass(frozen=True)
class Product:
    """A matrix product that nothing has computed yet."""

    a: View
    b: View
    shape: tuple


def contiguous(shape):
    """C-order strides in elements."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))


def has_unit_lines(ld, unit, lines, length):
    """As in executor.c: BLAS can read lines of unit stride, `ld` apart."""
    return (unit == 1 or length == 1) and (ld >= length or lines == 1)


def has_lines(view, rows, columns):
    """Whether BLAS can read or write these matrices: rows, or columns, are contiguous. Conjugates need columns."""
    rs, cs = view.strides[-2:]
    return has_unit_lines(cs, rs, columns, rows) or (not view.conj and has_unit_lines(rs, cs, rows, columns))


def merge(shape, *strides):
    """Drop axes of length 1 and join neighbours that all operands walk through in one stride."""
    axes = []
    for n, *inner in zip(shape, *strides, strict=True):
        if n == 1:
            continue
        if axes and all(outer == n * step for outer, step in zip(axes[-1][1], inner, strict=True)):
            axes[-1] = (axes[-1][0] * n, inner)
        else:
            axes.append((n, inner))
    return axes


class Lowering:
    """One program on its way to a tape."""

    def __init__(self, n_arguments, destinations, uses, is_complex):
        self.n_arguments = n_arguments
        self.destinations = destinations  # id of a traced value -> the view of its output
        self.uses = uses  # id of a traced value -> how many values are made of it
        self.is_complex = is_complex
        self.values = {}  # id of a traced value -> its View or Product
        self.code = []
        self.sizes = []  # elements of each temporary

    # Values

    def temporary(self, shape):
        self.sizes.append(math.prod(shape))
        return View(self.n_arguments + len(self.sizes) - 1, shape, contiguous(shape))

    def destination(self, node):
        """Where the result of this value goes: its output, or a new temporary."""
        return self.destinations.get(id(node)) or self.temporary(node.shape)

    def view(self, argument):
        """The view of an argument; a product that was waiting is computed now."""
        if not isinstance(argument, Node):
            raise NotLowerable("a constant array")
        value = self.values[id(argument)]
        if isinstance(value, Product):
            out = self.destination(argument)
            self.multiply(value, out)
            self.values[id(argument)] = value = out
        return value

    # Instructions

    def emit(self, opcode, m, n, k, a, b, c, alpha=1.0, beta=0.0, batch=1, flags=0, cost=0.0):
        if max(m, n, k, batch, *(abs(s) for v in (a, b, c) for s in v[2:])) > LARGEST:
            raise NotLowerable("a size beyond 32-bit BLAS integers")
        self.code.append((opcode, flags, batch, m, n, k, alpha, beta, cost * batch + 10.0, a, b, c))

    def elementwise(self, opcode, a, b, out, alpha=1.0, beta=0.0):
        """out = a op b with broadcasting, over as few loops as the strides allow."""
        if opcode == MUL and any(s for s in a.strides) and not any(s for s in b.strides):
            a, b = b, a  # the kernels know a scalar on the left
        flags = CONJ_A * a.conj | CONJ_B * b.conj
        a, b = a.broadcast(out.shape), b.broadcast(out.shape)
        if 0 in out.shape:
            return
        # walk through memory as the result lies
        order = sorted(range(out.ndim), key=lambda i: -abs(out.strides[i]))
        axes = merge(*(tuple(t[i] for i in order) for t in (out.shape, a.strides, b.strides, out.strides)))
        peeled, axes = axes[:-3], axes[-3:]
        axes = [(1, [0, 0, 0])] * (3 - len(axes)) + axes
        (batch, bs), (m, rs), (n, cs) = axes
        if math.prod(p for p, _ in peeled) > MAX_PEELED:
            raise NotLowerable("an elementwise function of too many axes")
        for index in np.ndindex(*(p for p, _ in peeled)):
            operands = [
                (v.buffer, v.offset + sum(i * s[w] for i, (_, s) in zip(index, peeled, strict=True)),
                 rs[w], cs[w], bs[w])
                for w, v in enumerate((a, b, out))
            ]  # fmt: skip
            self.emit(opcode, m, n, 1, *operands, alpha, beta, batch, flags, cost=2.0 * m * n)

    def copy(self, a, out):
        self.elementwise(COPY, a, a, out)

    def materialized(self, a):
        """A contiguous copy, its conjugate taken."""
        out = self.temporary(a.shape)
        self.copy(a, out)
        return out

    def multiply(self, product, out, alpha=1.0, beta=0.0):
        """out = alpha a @ b + beta out, over stacks of matrices as np.matmul broadcasts them."""
        a, b = product.a, product.b
        if b.ndim == 1:
            b, out = b.insert(1), out.insert(out.ndim)
        if a.ndim == 1:
            a, out = a.insert(0), out.insert(out.ndim - 1)
        stack = out.shape[:-2]
        (m, n), k = out.shape[-2:], a.shape[-1]
        if math.prod(b.shape[:-2]) == 1 and (m > 1 or len(stack)):
            # (stack, m, k) @ (k, n) is one product when the rows of the stack follow each other
            rows = merge((*stack, m), a.broadcast((*stack, m, k)).strides[:-1], out.strides[:-1])
            if len(rows) == 1:
                (m, (ars, crs)) = rows[0]
                a = replace(a, shape=(m, k), strides=(ars, a.strides[-1]))
                b = replace(b, shape=(k, n), strides=b.strides[-2:])
                out = replace(out, shape=(m, n), strides=(crs, out.strides[-1]))
                stack = ()
        if not self.is_small(m, n, k):
            if not has_unit_lines(*out.strides[-2:], m, n):  # C' = B' A'
                a, b, out, m, n = b.mT, a.mT, out.mT, n, m
            if not has_unit_lines(*out.strides[-2:], m, n):  # BLAS cannot write there
                result = self.temporary(out.shape)
                self.multiply(Product(a, b, out.shape), result, alpha)
                self.elementwise(AXPBY, result, out if beta else result, out, 1.0, beta)
                return
            a = a if has_lines(a, m, k) else self.materialized(a)
            b = b if has_lines(b, k, n) else self.materialized(b)
        a, b = a.broadcast((*stack, m, k)), b.broadcast((*stack, k, n))
        if m == 0 or n == 0 or 0 in stack:
            return
        axes = merge(stack, a.strides[:-2], b.strides[:-2], out.strides[:-2])
        peeled, (batch, bs) = (axes[:-1], axes[-1]) if axes else ([], (1, [0, 0, 0]))
        if math.prod(p for p, _ in peeled) > MAX_PEELED:
            raise NotLowerable("a product over too many axes")
        for index in np.ndindex(*(p for p, _ in peeled)):
            operands = [
                (v.buffer, v.offset + sum(i * s[w] for i, (_, s) in zip(index, peeled, strict=True)),
                 *v.strides[-2:], bs[w])
                for w, v in enumerate((a, b, out))
            ]  # fmt: skip
            self.product(m, n, k, a, b, operands, alpha, beta, batch)

    def product(self, m, n, k, a, b, operands, alpha, beta, batch):
        """One instruction for c = alpha a b + beta c: small ones are ours, vectors are gemv, others gemm."""
        flags = CONJ_A * a.conj | CONJ_B * b.conj
        cost = 2.0 * m * n * k
        if self.is_small(m, n, k):
            self.emit(PRODUCT, m, n, k, *operands, alpha, beta, batch, flags, cost)
        elif n == 1 and not flags and operands[1][2] > 0 and operands[2][2] > 0:
            self.emit(GEMV, m, 1, k, *operands, alpha, beta, batch, 0, cost)
        elif m == 1 and not flags and operands[0][3] > 0 and operands[2][3] > 0:  # y' = B' x'
            x, B, y = ((buffer, offset, cs, rs, bs) for buffer, offset, rs, cs, bs in operands)
            self.emit(GEMV, n, 1, k, B, x, y, alpha, beta, batch, 0, cost)
        else:
            self.emit(GEMM, m, n, k, *operands, alpha, beta, batch, flags, cost)

    def is_small(self, m, n, k):
        if self.is_complex:
            return m * n * k <= SMALL_COMPLEX
        return max(m, n, k) <= SMALL_REAL or k == 0

    def accumulate(self, node, terms):
        """out = sum of sign * term; a waiting product is computed into the sum itself."""
        ready = [(s, t) for s, t in terms if not self.is_waiting(t, node.shape)]
        waiting = [(s, self.values[id(t)]) for s, t in terms if self.is_waiting(t, node.shape)]
        ready = [(s, self.view(t)) for s, t in ready]
        out = self.destination(node)
        beta = 0.0
        if len(ready) == 2:
            (s, a), (t, b) = ready
            self.elementwise(AXPBY, a, b, out, s, t)
            beta = 1.0
        elif ready:
            ((s, a),) = ready
            self.elementwise(AXPBY, a, a, out, s)
            beta = 1.0
        for s, product in waiting:
            self.multiply(product, out, s, beta)
            beta = 1.0
        return out

    def is_waiting(self, argument, shape):
        """Whether the argument is a product that nothing else needs."""
        return (
            isinstance(argument, Node)
            and isinstance(self.values[id(argument)], Product)
            and self.uses[id(argument)] == 1
            and self.values[id(argument)].shape == shape
        )


# The table: NumPy function -> its instructions. Each takes the lowering and the traced value.


def lower_matmul(to, node):
    a, b = map(to.view, node.arguments)
    return Product(a, b, node.shape)


def lower_vecdot(to, node):
    a, b = map(to.view, node.arguments)
    a, b = replace(a, conj=not a.conj and to.is_complex), b
    out = to.destination(node)
    stack = out.shape
    length = a.shape[-1]
    a, b = a.broadcast((*stack, length)), b.broadcast((*stack, length))
    if 0 in stack:
        return out
    axes = merge(stack, a.strides[:-1], b.strides[:-1], out.strides)
    if len(axes) > 1:
        raise NotLowerable("an inner product over several stack axes")
    batch, bs = axes[0] if axes else (1, [0, 0, 0])
    operands = [(v.buffer, v.offset, 0, v.strides[-1], s) for v, s in ((a, bs[0]), (b, bs[1]))]
    flags = CONJ_A * a.conj | CONJ_B * b.conj
    to.emit(INNER, 1, length, 1, *operands, (out.buffer, out.offset, 0, 0, bs[2]), 1.0, 0.0, batch, flags,
            2.0 * length)  # fmt: skip
    return out


def lower_elementwise(opcode):
    def emit(to, node):
        a, b = map(to.view, node.arguments)
        out = to.destination(node)
        to.elementwise(opcode, a, b, out)
        return out

    return emit


def lower_signed_sum(*signs):
    def emit(to, node):
        return to.accumulate(node, list(zip(signs, node.arguments, strict=True)))

    return emit


def lower_conjugate(to, node):
    a = to.view(node.arguments[0])
    return replace(a, conj=not a.conj and to.is_complex)


def lower_transpose(to, node):
    a = to.view(node.arguments[0])
    axes = node.arguments[1] if len(node.arguments) > 1 else range(a.ndim - 1, -1, -1)
    return replace(a, shape=tuple(a.shape[i] for i in axes), strides=tuple(a.strides[i] for i in axes))


def lower_reshape(to, node):
    a = to.view(node.arguments[0])
    if node.keywords:
        raise NotLowerable("a reshape with keywords")
    if not a.is_contiguous:
        a = to.materialized(a)
    return a.reshape(node.shape)


TABLE = {
    np.matmul: lower_matmul,
    np.vecdot: lower_vecdot,
    np.multiply: lower_elementwise(MUL),
    np.true_divide: lower_elementwise(DIV),
    np.add: lower_signed_sum(1.0, 1.0),
    np.subtract: lower_signed_sum(1.0, -1.0),
    np.negative: lower_signed_sum(-1.0),
    np.positive: lower_signed_sum(1.0),
    np.conjugate: lower_conjugate,
    np.transpose: lower_transpose,
    np.reshape: lower_reshape,
}


def layout(value):
    """What a tape needs to know of an argument: (shape, strides in bytes), or the type of a scalar."""
    return (value.shape, value.strides) if isinstance(value, np.ndarray) else type(value)


def input_view(i, value):
    if np.ndim(value) > MAX_AXES:
        raise NotLowerable("too many axes")
    if not isinstance(value, np.ndarray):
        return View(i, (), ())
    if any(s % value.itemsize for s in value.strides):
        raise NotLowerable("strides that are no whole number of elements")
    return View(i, value.shape, tuple(s // value.itemsize for s in value.strides))


def common_dtype(order):
    """The one kernel dtype of all arrays of the program."""
    dtypes = {value.value.dtype for value in order if hasattr(value.value, "dtype")}
    if len(dtypes) != 1 or not dtypes <= KERNEL_DTYPES.keys():
        raise NotLowerable("several dtypes, or one without kernels")
    return dtypes.pop()


def lower(function, values, outs=None):
    """The tape of ``function(*values)``, or None if a step has no kernel.

    Parameters
    ----------
    function : callable
        Takes as many traced values and returns one or a tuple of them; written in NumPy.
    values : sequence of arrays and numbers
        Examples: their dtypes, shapes and strides become the signature.
    outs : list of arrays, optional
        Results in the memory order that is wanted; C order without it.
    """
    try:
        with np.errstate(all="ignore"):
            inputs, results = recorded(function, values)
    except Exception:  # a user's apply may do what cannot be recorded: NumPy then runs it
        return None
    try:
        return tape_of(inputs, results, outs)
    except NotLowerable:
        return None


def recorded(function, values):
    """The steps of the inputs and of the results, None for a result that does not depend on the inputs."""
    inputs, results, level = trace(function, values)
    results = results if isinstance(results, tuple) else (results,)
    return inputs, [node_of(y) if type(y) is Traced and y.level == level else None for y in results]


def tape_of(inputs, results, outs=None):
    if not results or None in results:
        raise NotLowerable("a result that does not depend on the inputs")
    order = steps(results)
    dtype = common_dtype(order)
    if outs is None:
        outs = [np.empty(result.shape, dtype) for result in results]
    uses, destinations = {}, {}
    for value in order:
        for argument in value.arguments:
            uses[id(argument)] = uses.get(id(argument), 0) + 1
    for i, (result, out) in enumerate(zip(results, outs, strict=True)):
        uses[id(result)] = uses.get(id(result), 0) + 1
        destinations.setdefault(id(result), input_view(len(inputs) + i, out))
    to = Lowering(len(inputs) + len(results), destinations, uses, dtype.kind == "c")
    for i, value in enumerate(inputs):
        to.values[id(value)] = input_view(i, value.value)
    for value in order:
        if value.function is None:
            continue
        emit = TABLE.get(value.function)
        if emit is None:
            raise NotLowerable(f"no kernel for {value.function}")
        if any(value.keywords.values()):
            raise NotLowerable("keywords")
        to.values[id(value)] = emit(to, value)
    for i, (result, out) in enumerate(zip(results, outs, strict=True)):
        place_of_result, view = input_view(len(inputs) + i, out), to.view(result)
        if view != place_of_result:
            to.copy(view, place_of_result)
    code, arena = place(to.code, to.sizes, to.n_arguments, 64 // dtype.itemsize)
    return Tape(
        KERNEL_DTYPES[dtype],
        [layout(value.value) for value in inputs],
        [(out.shape, out.strides) for out in outs],
        code,
        arena,
    )
