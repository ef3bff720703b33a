"""What a tape is made of: instructions, what loops repeat, and what stands for values that have no memory."""

from dataclasses import dataclass, field

import numpy as np

from .._tape import blas_width
from .views import Buffer, View

__all__ = [
    "AXPBY", "BY_PARITY", "BY_SOURCE", "BY_STEP", "BY_TARGET", "CALL", "CHOLESKY", "CLUSTER", "CONJ_A",
    "CONJ_B", "COPY", "DIV", "FACTORED", "FILL", "GEMM", "GEMV", "INNER", "KERNEL_DTYPES", "LARGEST", "LOOP",
    "MUL", "PARALLEL", "PRODUCT", "RECURRENCE", "SOLVE", "TRANSPOSED", "TRIANGULAR", "UNIT", "UPPER",
    "BodyCode", "CallCode", "Instruction", "LoopCode", "Move", "NotLowerable", "Object", "Product", "Scatter",
    "is_small", "walk",
]  # fmt: skip

KERNEL_DTYPES = {np.dtype(t): i for i, t in enumerate((np.float32, np.float64, np.complex64, np.complex128))}

COPY, AXPBY, MUL, DIV, GEMM, GEMV, PRODUCT, INNER, FILL, CLUSTER, CALL, LOOP, PARALLEL, RECURRENCE = range(14)
CHOLESKY, TRIANGULAR, SOLVE = FACTORED = range(14, 17)
UPPER, TRANSPOSED, UNIT = 4, 8, 16
BY_STEP, BY_PARITY, BY_SOURCE, BY_TARGET = range(4)  # as in loop.h
CONJ_A, CONJ_B = 1, 2
LARGEST = 2**31 - 1  # BLAS integers

# Measured crossovers: where our register-blocked product is faster than BLAS with its packing. By the width of BLAS's
# registers: 32 bytes, 64 at the same peak, 64 at twice the peak.
LARGEST_OURS = 128  # of m, n, k
SMALL_DOUBLE = (LARGEST_OURS + 1, LARGEST_OURS + 1, 24)[blas_width]  # smallest of m, n, k must be below, in float64
SMALL_COMPLEX = 128  # product of m, n, k
# Ours wins again above a product of m, n, k, where wider BLAS packs, and while panels stay in near caches:
PACKED = (0, 10**6 * (blas_width > 0))  # float32, float64
NEAR_CACHE = (((256, 300), (128, 300)), ((400, 800), (256, 800)), ((-1, 0), (-1, 0)))[blas_width]  # smallest, largest
# Of long thin matrices BLAS copies more than it multiplies, the wider one above a product of m, n, k:
THIN = 32  # the middle one of m, n, k at most
THIN_AREA = (1024, 512)  # smallest times middle
THIN_PACKED = (0, 10**6, LARGEST**3)[blas_width]


class NotLowerable(Exception):
    """This program, or this step, has no instructions; the caller runs it in NumPy."""


@dataclass
class Instruction:
    """One line of the tape; operands are ``(buffer, offset, rs, cs, bs)``."""

    opcode: int
    dtype: int
    a: tuple | None = None
    b: tuple | None = None
    c: tuple | None = None
    d: tuple | None = None
    m: int = 1
    n: int = 1
    k: int = 1
    batch: int = 1
    alpha: float = 1.0
    beta: float = 0.0
    flags: int = 0
    then: int = -1  # function of the result
    cost: float = 0.0
    detail: object = None
    joined: int = 0  # further instructions that this one runs together with its own, see tape.h

    @property
    def buffers(self):
        """The buffers that it names."""
        named = [operand[0] for operand in (self.a, self.b, self.c, self.d) if operand is not None]
        if self.opcode in (CLUSTER, RECURRENCE):
            named = [access.view.buffer for access in self.detail.accesses if access.view is not None]
        elif self.opcode == CALL or self.opcode in FACTORED:
            named += [value.buffer for value in (*self.detail.arguments, self.detail.result) if type(value) is View]
        elif self.opcode == LOOP:
            named = self.detail.buffers
        return named


@dataclass
class CallCode:
    """A step that Python runs: its arguments are views, numbers of `Object`s, or plain values."""

    function: object
    arguments: list
    keywords: dict
    result: object  # View, or Object
    where: str | None


@dataclass
class Move:
    """What a loop moves from step to step: ``slot = base + step * number``, see loop.h; places are views."""

    slot: Buffer
    by: int
    step: int  # bytes
    base: View
    first: View | None = None
    last: View | None = None


@dataclass
class BodyCode:
    """Instructions that a loop repeats.

    Attributes
    ----------
    slots : list of Buffer
        Of the kind "moving", with numbers that follow each other: what a line of `names` points to.
    names : (length, slots) array of int32, or None
        The slots of the tape that stand in for them in each step.
    """

    length: int
    moves: list
    code: list
    slots: list = field(default_factory=list)
    names: np.ndarray | None = None


@dataclass
class LoopCode:
    """What a LOOP instruction does."""

    bodies: list
    entries: np.ndarray | None = None
    flag: View | None = None
    wanted: bool = True
    temporaries: int = 0  # how many there were when its bodies were lowered

    @property
    def places(self):
        return [
            view
            for body in self.bodies
            for move in body.moves
            for view in (move.base, move.first, move.last)
            if view is not None
        ] + [self.flag] * (self.flag is not None)

    @property
    def buffers(self):
        """What lives from the first step to the last."""
        inside = [buffer for body in self.bodies for line in body.code for buffer in line.buffers]
        return [
            buffer
            for buffer in (*[view.buffer for view in self.places], *inside)
            if buffer.kind != "temporary" or buffer.number < self.temporaries
        ]


def walk(code):
    """All instructions, those inside of loops behind their loop."""
    for line in code:
        yield line
        if line.opcode == LOOP:
            for body in line.detail.bodies:
                yield from walk(body.code)


@dataclass(frozen=True)
class Object:
    """A Python object between two calls: a tuple of results, or an array of a dtype without kernels."""

    number: int


@dataclass(frozen=True)
class Product:
    """A matrix product that a sum will compute."""

    a: View
    b: View
    shape: tuple


@dataclass(frozen=True)
class Scatter:
    """Zeros with a value added at a basic index, which a sum will add."""

    value: View
    index: tuple
    shape: tuple


def is_small(m, n, k, dtype):
    """Whether a product of these sizes is ours, and not BLAS's."""
    if dtype.kind == "c":
        return m * n * k <= SMALL_COMPLEX
    is_double = dtype == np.float64
    least, middle, largest = sorted((m, n, k))
    if largest <= LARGEST_OURS and not (is_double and least >= SMALL_DOUBLE):
        return True
    most = NEAR_CACHE[is_double]
    is_near = m * n * k > PACKED[is_double] and least <= most[0] and largest <= most[1]
    is_thin = middle <= THIN and least * middle <= THIN_AREA[is_double] and m * n * k > THIN_PACKED
    return is_near or is_thin or k == 0
