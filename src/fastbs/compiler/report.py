"""What a plan does, as text."""

import math

import numpy as np

from .elementwise import FUNCTIONS
from .instructions import (
    CALL,
    CLUSTER,
    FACTORED,
    FILL,
    GEMM,
    GEMV,
    KERNEL_DTYPES,
    LOOP,
    PARALLEL,
    PRODUCT,
    RECURRENCE,
    walk,
)
from .views import View

__all__ = ["Report"]

NAMES = [
    "copy", "axpby", "multiply", "divide", "gemm", "gemv", "product", "inner", "fill", "cluster", "call", "loop",
    "parallel", "recurrence", "cholesky", "triangular solve", "solve",
]  # fmt: skip
SIZES = {number: dtype.itemsize for dtype, number in KERNEL_DTYPES.items()}


class Report:
    """What a plan does, as text.

    Attributes
    ----------
    instructions : int, those inside of loops counted once
    flops : float, of all steps of loops and of both branches of choices; calls into Python have none
    traffic : int
        Bytes that the instructions read and write, as if nothing stayed in the cache between two of them.
    arena, constants : int, bytes; schedules of checkpoints are constants
    calls, clusters : lists of CallCode, ClusterCode and RecurrenceCode
    lines : list of str
    """

    def __init__(self, lowering, arena):
        code = list(walk(lowering.code))
        self.instructions = len(code) - sum(line.joined for line in code)
        self.flops = total(lowering.code, work)
        self.traffic = total(lowering.code, moved)
        self.arena = arena
        schedules = [line.detail.entries for line in code if line.opcode == LOOP]
        self.constants = sum(kept.nbytes for _, kept in lowering.buffers["constant"])
        self.constants += sum(entries.nbytes for entries in schedules if entries is not None)
        self.calls = [line.detail for line in code if line.opcode == CALL]
        self.clusters = [line.detail for line in code if line.opcode in (CLUSTER, RECURRENCE)]
        self.lines = list(described(lowering.code))

    def __str__(self):
        fused = sum(len(cluster.names) for cluster in self.clusters)
        lines = [
            f"{self.instructions} instructions, about {self.flops:.3g} flops, {self.traffic} bytes read and written",
            f"arena {self.arena} bytes, constants {self.constants} bytes",
            f"{fused} elementwise steps and reductions in {len(self.clusters)} loops",
            f"{len(self.calls)} calls into Python",
        ]
        return "\n".join([*lines, *(f"  {line}" for line in self.lines)])


def total(code, amount):
    """The sum of ``amount(line)`` over instructions, those inside of loops as often as these run them."""
    result = 0
    for line in code:
        if line.opcode != LOOP:
            result += amount(line)
            continue
        entries = line.detail.entries
        for i, body in enumerate(line.detail.bodies):
            times = body.length if entries is None else int(np.count_nonzero(entries[:, 0] == i))
            result += times * total(body.code, amount)
    return result


def work(line):
    """The flops of one instruction."""
    return 0 if line.opcode == CALL else line.cost


def moved(line):
    """The bytes of one instruction: what a stride of 0 repeats is there once."""
    detail = line.detail
    if line.opcode == PARALLEL:  # its parts follow
        return 0
    if line.opcode in (CLUSTER, RECURRENCE):
        shape = detail.shape if line.opcode == CLUSTER else (detail.length,)
        accesses = [a for a in detail.accesses if a.view]  # numbers meet a recurrence in one of its steps
        return sum(elements(shape[: len(a.strides)], a.strides) * a.view.dtype.itemsize for a in accesses)
    if line.opcode == CALL:
        views = [v for v in (*detail.arguments, detail.result) if type(v) is View]
        return sum(math.prod(v.shape) * v.dtype.itemsize for v in views)
    m, n, k = line.m, line.n, line.k
    is_product = line.opcode in (GEMM, GEMV, PRODUCT)
    shapes = {
        line.a: (m, k) if is_product else (m, m) if line.opcode in FACTORED else (m, n),
        line.b: (k, n) if is_product else (m, n),
    }
    if line.opcode == FILL:
        shapes = {}
    if (is_product and line.beta) or line.opcode in FACTORED:
        shapes[line.d or line.c] = (m, n)
    read = sum(touched(operand, shape, line.batch) for operand, shape in shapes.items() if operand is not None)
    return (read + touched(line.c, (m, n), line.batch)) * SIZES[line.dtype]


def elements(shape, strides):
    return math.prod(n for n, s in zip(shape, strides, strict=True) if s)


def touched(operand, shape, batch):
    """How many elements an operand ``(buffer, offset, rs, cs, bs)`` has."""
    return elements((*shape, batch), operand[2:])


def described(code, indent=""):
    """The lines of a report, those inside of loops indented."""
    for line in code:
        yield indent + describe(line) + (f", together with the next {line.joined}" if line.joined else "")
        if line.opcode == LOOP:
            for body in line.detail.bodies:
                yield from described(body.code, indent + "  ")


def describe(line):
    """One line of a report for an instruction."""
    if line.opcode == LOOP:
        times = line.detail.bodies[0].length
        return f"loop, {times} times" if line.detail.flag is None else f"if {'not ' * (not line.detail.wanted)}the flag"
    if line.opcode == PARALLEL:
        return f"at the same time, the next {line.m}"
    name = NAMES[line.opcode]
    if line.opcode == CLUSTER:
        axes = " x ".join(str(n) for n in line.detail.shape if n != 1) or "1"
        return f"cluster {axes} ({line.detail.real}): {', '.join(line.detail.names)}"
    if line.opcode == RECURRENCE:
        return f"recurrence, {line.detail.length} times ({line.detail.real}): {', '.join(line.detail.names)}"
    if line.opcode == CALL:
        where = f" at {line.detail.where}" if line.detail.where else ""
        return f"call {getattr(line.detail.function, '__name__', line.detail.function)}{where}"
    sizes = f"{line.m} x {line.n}" + (f" x {line.k}" if name in ("gemm", "gemv", "product") else "")
    then = f", then {FUNCTIONS[line.then]}" if line.then >= 0 else ""
    return f"{name} {sizes}" + (f", {line.batch} times" if line.batch > 1 else "") + then
