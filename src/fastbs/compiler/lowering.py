"""Steps -> kernel instructions: the one table, and what its lines are written with.

Transposes, reshapes of contiguous values, broadcasts, slices and conjugates are views: they change strides or a flag,
and no instruction is emitted. Sums of products are accumulated by the products themselves (``c = alpha a b + c``). What
has no line in the table calls back into Python, or is left to NumPy altogether.
"""

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from .._tape import blas_width
from .clusters import LOAD, STORE, TooLarge, cluster_code, reduced_count
from .elementwise import FUNCTIONS, is_elementwise
from .fuse import Cluster, fused
from .program import INPUT, Step
from .views import Buffer, View, contiguous, has_lines, has_unit_lines, merge

__all__ = [
    "CALLED", "CHOLESKY", "FACTORED", "KERNEL_DTYPES", "LARGEST", "PLACES", "SCATTERS", "SEVERAL", "SOLVE", "TABLE",
    "TRANSPOSED", "TRIANGULAR", "UNIT", "UPPER", "VIEWS", "VIEW_CONDITIONS", "BodyCode", "CallCode", "Instruction",
    "LoopCode", "Lowering", "Move", "NotLowerable", "Object", "Product", "Scatter", "walk",
]  # fmt: skip

KERNEL_DTYPES = {np.dtype(t): i for i, t in enumerate((np.float32, np.float64, np.complex64, np.complex128))}

COPY, AXPBY, MUL, DIV, GEMM, GEMV, PRODUCT, INNER, FILL, CLUSTER, CALL, LOOP, PARALLEL = range(13)
CHOLESKY, TRIANGULAR, SOLVE = FACTORED = range(13, 16)
UPPER, TRANSPOSED, UNIT = 4, 8, 16
BY_STEP, BY_PARITY, BY_SOURCE, BY_TARGET = range(4)  # as in loop.h
CONJ_A, CONJ_B = 1, 2

# Measured crossovers: below these sizes our register-blocked product is faster than BLAS with its packing.
SMALL_REAL = 128  # largest of m, n, k
SMALL_DOUBLE = (SMALL_REAL, 48, 24)[blas_width]  # smallest of m, n, k, in float64: the wider, the earlier BLAS wins
SMALL_COMPLEX = 128  # product of m, n, k
MAX_PEELED = 64  # instructions for axes that fit no (batch, row, column) pattern
LARGEST = 2**31 - 1  # BLAS integers


SIGNS = {np.add: (1.0, 1.0), np.subtract: (1.0, -1.0), np.negative: (-1.0,), np.positive: (1.0,)}


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

    @property
    def buffers(self):
        """The buffers that it names."""
        named = [operand[0] for operand in (self.a, self.b, self.c, self.d) if operand is not None]
        if self.opcode == CLUSTER:
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


class Lowering:
    """One program on its way to a tape.

    Parameters
    ----------
    program : Program
    inputs, outputs : lists of View
        Where the arguments and results lie; the view of a plain result is None.
    calls : bool
        Whether steps without kernels may call back into Python; else they raise `NotLowerable`.
    sums : bool
        Whether sums of products are accumulated by the products. Such a sum cannot become a call.
    outer : Lowering, optional
        Of the program around this one: both share their buffers.
    """

    first_only: ClassVar[set] = set()  # functions whose further arguments are not operands of a cluster

    def __init__(self, program, inputs, outputs, calls=False, sums=True, outer=None):
        self.program, self.calls, self.accumulates = program, calls, sums
        self.users = program.users()
        self.values = {id(step): view for step, view in zip(program.inputs, inputs, strict=True)}
        self.destinations = {}  # id(step) -> view
        for y, view in zip(program.outputs, outputs, strict=True):
            if type(y) is Step:
                self.destinations.setdefault(id(y), view)
        self.code = []
        self.buffers = {"constant": [], "temporary": [], "moving": [], "object": []} if outer is None else outer.buffers
        self.constants = {} if outer is None else outer.constants  # id(array) -> view
        self.outputs = outputs

    def run(self):
        """Lower everything; the instructions are in `code`."""
        self.find_sums()
        self.find_places()
        for unit in fused(self.program, self.is_view, self.is_summed):
            if type(unit) is Cluster:
                self.cluster(unit)
            else:
                self.step(unit)
        for y, out in zip(self.program.outputs, self.outputs, strict=True):
            view = self.view(y)
            if view != out:
                self.copy_or_call(view, out)

    def step(self, step):
        line = TABLE.get(step.function)
        for a in step.arguments:  # a view may take a copy, which stays whatever becomes of the step
            if type(a) is Step and id(a) not in self.values and self.is_view(a):
                self.view(a)
        if line is not None:
            mark = len(self.code)
            try:
                self.values[id(step)] = line(self, step)
                return
            except NotLowerable:
                if not self.calls:
                    raise
                del self.code[mark:]
        self.values[id(step)] = self.call(step)

    def cluster(self, cluster):
        simple = self.simple(cluster) if len(cluster.members) == 1 else None
        if simple:
            return
        members = {id(step) for step in cluster.members}

        def outside(step):
            return any(user is None or id(user) not in members for user in self.users[id(step)])

        try:
            code = cluster_code(self, cluster, outside)
        except TooLarge:
            for step in cluster.members:
                if len(cluster.members) == 1:
                    self.values[id(step)] = self.call(step)
                else:
                    alone = Cluster(cluster.space, cluster.real)
                    alone.members = [step]
                    self.cluster(alone)
            return
        if len(cluster.members) == 1 and self.follows(cluster.members[0], code):
            return
        if code.operations or any(access.kind >= STORE for access in code.accesses):
            self.code.append(Instruction(CLUSTER, KERNEL_DTYPES[code.real], detail=code, cost=code.cost))
        for step in cluster.members:
            if step.function is np.mean:
                out = self.values[id(step)]
                self.elementwise(AXPBY, out, out, out, 1 / reduced_count(step))

    def follows(self, step, code):
        """Whether a function of what the last instruction made, and nobody else needs, was left to that instruction."""
        x = step.arguments[0]
        made = self.values.get(id(x))
        last = self.code[-1] if self.code else None
        if (
            type(x) is not Step
            or type(made) is not View
            or made.buffer.kind != "temporary"
            or len(self.users[id(x)]) != 1
            or [access.kind for access in code.accesses] != [LOAD, STORE]
            or len(code.operations) != 1
            or code.operations[0][0] >= len(FUNCTIONS)
            or last is None
            or last.opcode in (CLUSTER, CALL, LOOP, *FACTORED)
            or last.then >= 0
        ):
            return False
        (load, store), lines = code.accesses, contiguous(step.shape)
        if not (load.view == made and made.dtype == step.dtype == store.view.dtype and store.view.strides == lines):
            return False
        buffer, offset, rs, cs, bs = last.c
        m, n, batch = last.m, last.n, last.batch
        is_whole = (buffer, offset) == (made.buffer, made.offset) and batch * m * n == math.prod(step.shape)
        is_packed = (cs == 1 or n == 1) and (rs == n or m == 1) and (bs == m * n or batch == 1)
        if not is_whole or not is_packed or made.strides != lines:
            return False
        last.d = last.d or last.c  # the sum goes on from there
        last.c = (store.view.buffer, store.view.offset, rs, cs, bs)
        last.then = code.operations[0][0]
        last.cost += code.cost
        return True

    def simple(self, cluster):
        """A cluster of one arithmetic operation on arrays of one dtype has an instruction of its own."""
        (step,) = cluster.members
        line = SIMPLE.get(step.function)
        if line is None or step.dtype not in KERNEL_DTYPES:
            return False
        operands = [a for a in step.arguments if type(a) is Step]
        if any(a.dtype != step.dtype or a.weak for a in operands) or (len(operands) < len(step.arguments)):
            return False
        mark = len(self.code)
        try:
            self.values[id(step)] = line(self, step)
        except NotLowerable:  # too large, or of too many axes, for one instruction
            del self.code[mark:]
            return False
        return True

    # Values

    def temporary(self, shape, dtype):
        buffer = Buffer("temporary", len(self.buffers["temporary"]), np.dtype(dtype), math.prod(shape))
        self.buffers["temporary"].append(buffer)
        return View(buffer, tuple(shape), contiguous(shape))

    def constant(self, array):
        """The view of an array that the tape keeps a copy of."""
        if id(array) not in self.constants:
            kept = np.array(array, order="C")
            if kept.dtype.hasobject:
                raise NotLowerable("a constant of Python objects")
            buffer = Buffer("constant", len(self.buffers["constant"]), kept.dtype, kept.size)
            self.buffers["constant"].append((buffer, kept))
            # the array itself is kept too: its id must not be used again
            self.constants[id(array)] = View(buffer, kept.shape, contiguous(kept.shape)), array
        return self.constants[id(array)][0]

    def destination(self, step):
        """Where the result of a step goes: its output, or a new temporary."""
        last = self.outermost.get(id(step), step)
        found = self.destinations.get(id(last))
        if found is None:
            found = self.destinations[id(last)] = self.temporary(step.shape, step.dtype)
        return found

    def view(self, argument):
        """The view of an argument: of a step, or of a constant."""
        if type(argument) is View:
            return argument
        if type(argument) is not Step:
            if not isinstance(argument, (np.ndarray, np.generic, float, int, complex)):
                raise NotLowerable(f"an argument {type(argument).__name__}")
            return self.constant(argument if isinstance(argument, np.ndarray) else np.asarray(argument))
        value = self.values.get(id(argument))
        if value is None and self.is_view(argument):
            value = self.values[id(argument)] = VIEWS[argument.function](self, argument)
        if type(value) is not View:
            raise NotLowerable("a value without memory")
        return value

    def is_view(self, step):
        """Whether a step is no code but another look at its argument."""
        if step.function not in VIEWS or step.shape is None:
            return False
        if not VIEW_CONDITIONS.get(step.function, always)(step):
            return False
        x = step.arguments[0]
        return type(x) is Step and (x.shape is not None or x.function in SEVERAL)

    def operand(self, argument, dtype):
        """The view of an argument in a dtype; converted where it has another one."""
        view = self.view(argument)
        return view if view.dtype == dtype else self.materialized(view, dtype)

    def find_places(self):
        """What is only joined to a larger array is written there."""
        for step in reversed(self.program.steps):
            for a, index in PLACES[step.function](step) if step.function in PLACES else ():
                if (
                    type(a) is Step
                    and a.function is not INPUT
                    and a.dtype == step.dtype
                    and not self.is_view(a)
                    and id(a) not in self.summed
                    and id(a) not in self.outermost
                    and id(a) not in self.destinations
                ):
                    place = self.destination(step).indexed(index)
                    if place.shape == a.shape:
                        self.destinations[id(a)] = place

    # Sums of products and scattered terms

    def find_sums(self):
        """Which steps are sums that their terms accumulate, and which of the terms wait for them."""
        self.sums = set()  # ids of sums that are accumulated
        self.summed = set()  # ids of products and scatters that a sum computes
        self.outermost = {}  # id(sum) -> the sum in whose memory it and all between them are accumulated
        continued = {}  # id(sum) -> the sum that goes on in its memory
        for step in self.program.steps if self.accumulates else ():
            terms = step.arguments
            if step.function not in SIGNS or step.dtype not in KERNEL_DTYPES or 0 in step.shape:
                continue
            if self.is_product_and_more(step):
                self.sums.add(id(step))
                self.summed.update(id(x) for x in terms if self.may_wait(x, step))
                continue
            if not all(type(x) is Step and x.shape == step.shape and x.dtype == step.dtype for x in terms):
                continue
            waiting = [x for x in terms if self.may_wait(x, step)]
            nested = [x for x in terms if self.is_nested(x, step)]
            scattered = any(x.function in SCATTERS for x in waiting)
            if len(waiting) + len(nested) == len(terms) or scattered or (waiting and not is_elementwise(step)):
                self.sums.add(id(step))
                self.summed.update(map(id, waiting))
                if nested:
                    continued[id(nested[0])] = step
        for step in reversed(self.program.steps):
            if id(step) in continued:
                last = continued[id(step)]
                self.outermost[id(step)] = self.outermost.get(id(last), last)

    def is_product_and_more(self, step):
        """Whether one of two terms is a product of ours, which adds the other one, broadcast, to its own."""
        if len(step.arguments) != 2:
            return False
        x, y = sorted(step.arguments, key=lambda x: not self.may_wait(x, step))
        return (
            self.may_wait(x, step)
            and is_matrix_product(x)
            and type(y) is Step
            and y.dtype == x.dtype
            and not self.may_wait(y, step)
            and not self.is_nested(y, step)
            and all(a.ndim <= 2 and a.dtype == x.dtype for a in x.arguments)
            and self.is_small(*sizes_of(x), x.dtype)
        )

    def may_wait(self, x, step):
        """Whether an argument is a product, or a scatter, that only this sum needs."""
        return (
            type(x) is Step
            and x.shape == step.shape
            and x.dtype == step.dtype
            and len(self.users[id(x)]) == 1
            and (is_matrix_product(x) or (x.function in SCATTERS and SCATTERS[x.function](x)))
        )

    def is_nested(self, x, step):
        """Whether an argument is itself a sum that only this one needs."""
        return type(x) is Step and id(x) in self.sums and len(self.users[id(x)]) == 1 and x.dtype == step.dtype

    def is_summed(self, step):
        return id(step) in self.sums or id(step) in self.summed

    def accumulate(self, step):
        """out = a +- b, in the memory of a sum that nothing else needs."""
        terms = list(zip(SIGNS[step.function], step.arguments, strict=True))
        out = self.destination(step)
        beta = 0.0
        if self.is_product_and_more(step):
            (s, x), (t, y) = sorted(terms, key=lambda term: id(term[1]) not in self.summed)
            y = self.view(y)
            if not y.conj:
                self.multiply(self.values[id(x)], out, s, t, y.broadcast(out.shape))
                return out
        ready = [(s, x) for s, x in terms if id(x) not in self.summed]
        if len(ready) == 2:
            (s, x), (t, y) = ready
            x, y = self.view(x), self.view(y)
            self.elementwise(AXPBY, x, y, out, s, t)
            beta = 1.0
        elif ready:
            ((s, x),) = ready
            view = self.view(x)
            if view != out or s != 1.0:
                self.elementwise(AXPBY, view, view, out, s)
            beta = 1.0
        for s, x in terms:
            if id(x) not in self.summed:
                continue
            waiting = self.values[id(x)]
            if type(waiting) is Product:
                self.multiply(waiting, out, s, beta)
            else:
                if beta == 0.0:
                    self.fill(out)
                place = out.indexed(waiting.index)
                self.elementwise(AXPBY, waiting.value, place, place, s, 1.0)
            beta = 1.0
        return out

    # Instructions

    def emit(self, opcode, dtype, m, n, k, a, b, c, alpha=1.0, beta=0.0, batch=1, flags=0, cost=0.0, d=None):
        operands = [v for v in (a, b, c, d) if v is not None]
        if max(m, n, k, batch, *(abs(s) for v in operands for s in v[2:])) > LARGEST:
            raise NotLowerable("a size beyond 32-bit BLAS integers")
        self.code.append(
            Instruction(
                opcode, KERNEL_DTYPES[dtype], a, b, c, d, m, n, k, batch, alpha, beta, flags, cost=cost * batch + 10.0
            )
        )

    def fill(self, out):
        """out = 0"""
        self.elementwise(FILL, out, out, out)

    def elementwise(self, opcode, a, b, out, alpha=1.0, beta=0.0):
        """out = a op b with broadcasting, over as few loops as the strides allow."""
        if opcode == MUL and any(s for s in a.strides) and not any(s for s in b.strides):
            a, b = b, a  # the kernels know a scalar on the left
        flags = CONJ_A * a.conj | CONJ_B * b.conj
        a, b = a.broadcast(out.shape), b.broadcast(out.shape)
        if 0 in out.shape:
            return
        if not a.dtype == b.dtype == out.dtype or out.dtype not in KERNEL_DTYPES:
            raise NotLowerable("several dtypes")
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
            self.emit(opcode, out.dtype, m, n, 1, *operands, alpha, beta, batch, flags, cost=2.0 * m * n)

    def copy(self, a, out):
        """out = a, converted where the dtypes differ."""
        if a.dtype == out.dtype and out.dtype in KERNEL_DTYPES:
            self.elementwise(COPY, a, a, out)
        elif 0 not in out.shape:
            self.convert(a, out)

    def copy_or_call(self, a, out):
        """out = a, by a call where no kernel can."""
        mark = len(self.code)
        try:
            self.copy(a, out)
        except NotLowerable:
            del self.code[mark:]
            self.emit_call(CallCode(as_is, [a], {}, out, None))

    def convert(self, a, out):
        """out = a in another dtype, as a cluster of its own or by a call."""
        step = Step(np.positive, (a,), {}, out.shape, out.dtype)
        if all(d.char in "fd?il" for d in (a.dtype, out.dtype)) and out.dtype.char in "fd":
            cluster = Cluster(tuple(n for n in out.shape if n != 1), out.dtype)
            cluster.members = [step]
            self.users[id(step)] = [None]
            self.destinations[id(step)] = out
            code = cluster_code(self, cluster, lambda step: True)
            self.code.append(Instruction(CLUSTER, KERNEL_DTYPES[code.real], detail=code, cost=code.cost))
        else:
            self.emit_call(CallCode(as_is, [a], {}, out, None))

    def materialized(self, a, dtype=None):
        """A contiguous copy, its conjugate taken."""
        out = self.temporary(a.shape, dtype or a.dtype)
        self.copy(a, out)
        return out

    def multiply(self, product, out, alpha=1.0, beta=0.0, addend=None):
        """out = alpha a @ b + beta addend, over stacks of matrices as np.matmul broadcasts them.

        The addend is `out` itself, or else only for a product of ours without a stack.
        """
        a, b, d = product.a, product.b, out if addend is None else addend
        if b.ndim == 1:
            b, out, d = b.insert(1), out.insert(out.ndim), d.insert(out.ndim)
        if a.ndim == 1:
            a, out, d = a.insert(0), out.insert(out.ndim - 1), d.insert(out.ndim - 1)
        stack = out.shape[:-2]
        (m, n), k = out.shape[-2:], a.shape[-1]
        if addend is None and math.prod(b.shape[:-2]) == 1 and (m > 1 or len(stack)):
            # (stack, m, k) @ (k, n) is one product when the rows of the stack follow each other
            rows = merge((*stack, m), a.broadcast((*stack, m, k)).strides[:-1], out.strides[:-1])
            if len(rows) == 1:
                (m, (ars, crs)) = rows[0]
                a = replace(a, shape=(m, k), strides=(ars, a.strides[-1]))
                b = replace(b, shape=(k, n), strides=b.strides[-2:])
                out = d = replace(out, shape=(m, n), strides=(crs, out.strides[-1]))
                stack = ()
        if not self.is_small(m, n, k, out.dtype):
            if not has_unit_lines(*out.strides[-2:], m, n):  # C' = B' A'
                a, b, out, m, n = b.mT, a.mT, out.mT, n, m
            if not has_unit_lines(*out.strides[-2:], m, n):  # BLAS cannot write there
                result = self.temporary(out.shape, out.dtype)
                self.multiply(Product(a, b, out.shape), result, alpha)
                self.elementwise(AXPBY, result, out if beta else result, out, 1.0, beta)
                return
            a = a if has_lines(a, m, k) else self.materialized(a)
            b = b if has_lines(b, k, n) else self.materialized(b)
        a, b = a.broadcast((*stack, m, k)), b.broadcast((*stack, k, n))
        if m == 0 or n == 0 or 0 in stack:
            return
        axes = sorted(merge(stack, a.strides[:-2], b.strides[:-2], out.strides[:-2]), key=lambda axis: axis[0])
        peeled, (batch, bs) = (axes[:-1], axes[-1]) if axes else ([], (1, [0, 0, 0]))
        if math.prod(p for p, _ in peeled) > MAX_PEELED:
            raise NotLowerable("a product over too many axes")
        for index in np.ndindex(*(p for p, _ in peeled)):
            operands = [
                (v.buffer, v.offset + sum(i * s[w] for i, (_, s) in zip(index, peeled, strict=True)),
                 *v.strides[-2:], bs[w])
                for w, v in enumerate((a, b, out))
            ]  # fmt: skip
            if addend is not None:
                d = (d.buffer, d.offset, *d.strides[-2:], 0)
                flags = CONJ_A * a.conj | CONJ_B * b.conj
                self.emit(PRODUCT, out.dtype, m, n, k, *operands, alpha, beta, 1, flags, 2.0 * m * n * k, d)
            else:
                self.product(m, n, k, a, b, out.dtype, operands, alpha, beta, batch)

    def product(self, m, n, k, a, b, dtype, operands, alpha, beta, batch):
        """One instruction for c = alpha a b + beta c: small ones are ours, vectors are gemv, others gemm."""
        flags = CONJ_A * a.conj | CONJ_B * b.conj
        cost = 2.0 * m * n * k
        if self.is_small(m, n, k, dtype):
            self.emit(PRODUCT, dtype, m, n, k, *operands, alpha, beta, batch, flags, cost)
        elif n == 1 and not flags and operands[1][2] > 0 and operands[2][2] > 0:
            self.emit(GEMV, dtype, m, 1, k, *operands, alpha, beta, batch, 0, cost)
        elif m == 1 and not flags and operands[0][3] > 0 and operands[2][3] > 0:  # y' = B' x'
            x, B, y = ((buffer, offset, cs, rs, bs) for buffer, offset, rs, cs, bs in operands)
            self.emit(GEMV, dtype, n, 1, k, B, x, y, alpha, beta, batch, 0, cost)
        else:
            self.emit(GEMM, dtype, m, n, k, *operands, alpha, beta, batch, flags, cost)

    def is_small(self, m, n, k, dtype):
        if dtype.kind == "c":
            return m * n * k <= SMALL_COMPLEX
        if dtype == np.float64 and min(m, n, k) >= SMALL_DOUBLE:
            return False
        return max(m, n, k) <= SMALL_REAL or k == 0

    # Calls

    def call(self, step):
        """A step that Python runs, with copies of its arguments."""
        code = self.call_code(step)
        self.emit_call(code)
        return code.result

    def factored(self, opcode, step, a, c, m, n, flags=0, cost=0.0, d=None):
        """A factorization or a solve in place, which NumPy repeats where the matrix is singular, and so says it."""
        a, c, d = ((v.buffer, v.offset, *v.strides[-2:], 0) if v is not None else None for v in (a, c, d))
        self.emit(opcode, step.dtype, m, n, 1, a, None, c, 1.0, 0.0, 1, flags, cost, d)
        self.code[-1].detail = self.call_code(step)

    def call_code(self, step):
        """What Python is told of a step."""
        if not self.calls:
            raise NotLowerable(f"no kernel for {step.function}")
        arguments = []
        for a in step.arguments:
            if type(a) is Step:
                value = self.values.get(id(a))
                a = value if type(value) is Object else self.view(a)
                a = self.materialized(a) if type(a) is View and a.conj else a
            arguments.append(a)
        if step.shape is None or step.dtype.hasobject:
            result = Object(len(self.buffers["object"]))
            self.buffers["object"].append(result)
        else:
            result = self.destination(step)
        function = CALLED.get(step.function, step.function)
        return CallCode(function, arguments, step.keywords, result, step.where)

    def emit_call(self, code):
        if not self.calls:
            raise NotLowerable(f"no kernel for {code.function}")
        self.code.append(Instruction(CALL, 1, detail=code, cost=1e5))


def always(step):
    return True


def as_is(x):
    """x, for a call that only converts."""
    return x


def sizes_of(step):
    """m, n, k of a product of two matrices or vectors."""
    a, b = (x.shape for x in step.arguments)
    return (1, *a)[-2], (*b, 1)[1], a[-1]


def is_matrix_product(step):
    return step.function is np.matmul and step.dtype in KERNEL_DTYPES


# The table: NumPy function -> its instructions. Each takes the lowering and the step.

TABLE = {}
# Functions that are no code, and their views; some are only for steps of which a condition holds.
VIEWS = {}
VIEW_CONDITIONS = {}
# Functions that join their arguments: step -> (argument, basic index of the result where it stands)
PLACES = {}
# Functions whose results are several views
SEVERAL = set()
# Functions that are recorded without being computed -> what a call does
CALLED = {}
# Functions whose result is zeros with the first argument added at a basic index: step -> whether it is
SCATTERS = {}


def lower_matmul(to, step):
    if step.dtype not in KERNEL_DTYPES:
        raise NotLowerable("a product of integers")
    a, b = (to.operand(x, step.dtype) for x in step.arguments)
    product = Product(a, b, step.shape)
    if id(step) in to.summed:
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
    if id(step) in to.sums:
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
