"""The one table: NumPy function -> its instructions, or the view that it is.

What stands above the compiler, such as indexing, loops and factorizations, adds lines of its own.
"""

from dataclasses import replace

import numpy as np

from .instructions import (
    AXPBY,
    CONJ_A,
    CONJ_B,
    DIV,
    INNER,
    KERNEL_DTYPES,
    MUL,
    NotLowerable,
    Product,
)
from .program import Step
from .views import merge

__all__ = [
    "CALLED", "PARTS", "PLACES", "SCATTERS", "SEVERAL", "SIGNS", "SIMPLE", "TABLE", "VIEWS", "VIEW_CONDITIONS",
    "is_view",
]  # fmt: skip

# Functions -> their instructions: each takes the lowering and the step, and returns the view of the result.
TABLE = {}
# Functions that are no code, and their views; some are only for steps of which a condition holds.
VIEWS = {}
VIEW_CONDITIONS = {}
# Functions that join their arguments: step -> (argument, basic index of the result where it stands)
PLACES = {}
# The functions that take arrays apart and put them together, by name: what passes make steps of
PARTS = {}
# Functions whose results are several views
SEVERAL = set()
# Functions that are recorded without being computed -> what a call does
CALLED = {}
# Functions whose result is zeros with the first argument added at a basic index: step -> whether it is
SCATTERS = {}
# Sums, and the signs of their terms
SIGNS = {np.add: (1.0, 1.0), np.subtract: (1.0, -1.0), np.negative: (-1.0,), np.positive: (1.0,)}


def is_view(step):
    """Whether a step is no code but another look at its argument."""
    if step.function not in VIEWS or step.shape is None:
        return False
    if step.function in VIEW_CONDITIONS and not VIEW_CONDITIONS[step.function](step):
        return False
    x = step.arguments[0]
    return type(x) is Step and (x.shape is not None or x.function in SEVERAL)


def lower_matmul(to, step):
    if step.dtype not in KERNEL_DTYPES:
        raise NotLowerable("a product of integers")
    a, b = (to.operand(x, step.dtype) for x in step.arguments)
    product = Product(a, b, step.shape)
    if id(step) in to.sums.waiting:
        return product
    out = to.destination(step)
    to.multiply(product, out)
    return out


def lower_vecdot(to, step):
    a, b = (to.operand(x, step.dtype) for x in step.arguments)
    a = replace(a, conj=not a.conj and step.dtype.kind == "c")
    out = to.destination(step)
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
    to.emit(INNER, step.dtype, 1, length, 1, *operands, (out.buffer, out.offset, 0, 0, bs[2]), 1.0, 0.0, batch, flags,
            2.0 * length)  # fmt: skip
    return out


def lower_elementwise(opcode):
    def emit(to, step):
        a, b = (to.operand(x, step.dtype) for x in step.arguments)
        out = to.destination(step)
        to.elementwise(opcode, a, b, out)
        return out

    return emit


def lower_signed_sum(to, step):
    if id(step) in to.sums.accumulated:
        return to.accumulate(step)
    views = [to.operand(x, step.dtype) for x in step.arguments]
    out = to.destination(step)
    to.elementwise(AXPBY, views[0], views[-1], out, *SIGNS[step.function])
    return out


def view_conjugate(to, step):
    a = to.view(step.arguments[0])
    return replace(a, conj=not a.conj and a.dtype.kind == "c")


def view_transpose(to, step):
    a = to.view(step.arguments[0])
    axes = step.arguments[1] if len(step.arguments) > 1 and step.arguments[1] is not None else range(a.ndim)[::-1]
    return a.permuted([i % a.ndim for i in axes])


def view_reshape(to, step):
    a = to.view(step.arguments[0])
    if step.keywords:
        raise NotLowerable("a reshape with keywords")
    found = a.reshaped(step.shape)
    return to.materialized(a).reshaped(step.shape) if found is None else found


def view_broadcast(to, step):
    return to.view(step.arguments[0]).broadcast(step.shape)


TABLE |= {
    np.matmul: lower_matmul,
    np.vecdot: lower_vecdot,
    np.multiply: lower_elementwise(MUL),
    np.true_divide: lower_elementwise(DIV),
    **dict.fromkeys(SIGNS, lower_signed_sum),
}
SIMPLE = {f: TABLE[f] for f in (np.multiply, np.true_divide, *SIGNS)}
VIEWS |= {
    np.conjugate: view_conjugate,
    np.transpose: view_transpose,
    np.reshape: view_reshape,
    np.broadcast_to: view_broadcast,
}
