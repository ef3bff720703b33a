"""Which lines of a program treat the elements of one axis, such as that of the samples, one by one.

A line fits where each element needs only what was made for it, or what has nothing to do with the axis; it may sum over
the axis. All others run in front of these lines, or behind them.
"""

from dataclasses import dataclass

from .arena import place
from .clusters import AXES, CONSTANT, LOAD, STORE
from .instructions import (
    AXPBY,
    CALL,
    CLUSTER,
    COPY,
    DIV,
    FILL,
    GEMM,
    GEMV,
    MUL,
    PRODUCT,
    RECURRENCE,
    Instruction,
    Object,
)
from .views import Buffer

__all__ = ["PRODUCTS", "Axis", "Cut", "Operand", "Run", "all_touched", "different", "space", "touched"]

PRODUCTS = GEMM, GEMV, PRODUCT
ELEMENTWISE = COPY, AXPBY, MUL, DIV, FILL
K = range(3, 4)  # the axis of a product that is summed over


@dataclass(frozen=True)
class Operand:
    """What a line reads or writes.

    Attributes
    ----------
    name : str or None, of the attribute of the line
    buffer, offset, strides : Buffer, int, tuple
        Where it lies; strides on the axes of the space of the line.
    writes : bool
    sums : range
        The axes along which it combines elements.
    """

    name: str | None
    buffer: Buffer
    offset: int
    strides: tuple
    writes: bool
    sums: range = range(0)

    def ends(self, lengths):
        """The first element and the one behind the last."""
        steps = [s * (n - 1) for s, n in zip(self.strides, lengths, strict=True)]
        return self.offset + sum(s for s in steps if s < 0), self.offset + sum(s for s in steps if s > 0) + 1


@dataclass(frozen=True)
class Cut:
    """Which axis of the space of a line is cut: it has the length p n q, and the axis of the run is the middle one.

    Attributes
    ----------
    begins : bool or None
        Whether a sum over the axis is the first one in its place, or adds to another one; None if there is none.
    """

    line: Instruction
    axis: int
    p: int
    q: int
    begins: bool | None

    def sums(self):
        """What is summed over the axis: operands with their lengths."""
        lengths, operands = space(self.line)
        return [(o, lengths) for o in operands if o.writes and not o.strides[self.axis]]


@dataclass(frozen=True)
class Axis:
    """An axis of n elements, and its stride in each buffer where it is known."""

    n: int
    strides: dict


def different(axes):
    """The axes that are not known to be others of them."""
    kept = []
    for axis in axes:
        if not any(axis.n == other.n and axis.strides.items() & other.strides.items() for other in kept):
            kept.append(axis)
    return kept


class Run:
    """The lines of a program that take the elements of one axis one by one.

    Parameters
    ----------
    code : list of Instruction
    touches : dict, id of a line -> what it reads and what it writes
    axis : Axis
        Gets to know where else it is.
    elsewhere : set, what other lines than these touch

    Attributes
    ----------
    before, cuts, after : lists of Instruction, Cut, Instruction
        The lines, each behind what it needs.
    stop : int
        The number of the first line that is behind.
    made, read : sets of Buffer
        What the lines that are cut write along the axis, and read.
    sums : dict, Buffer -> list of (start, stop)
        What they sum over the axis.
    own : set of Buffer
        What nothing else needs.
    """

    def __init__(self, code, touches, axis, elsewhere):
        self.n, self.strides = axis.n, axis.strides
        self.made, self.sums, self.read = set(), {}, set()
        self.before, self.cuts, self.after = [], [], []
        late_reads, late_writes = set(), set()
        self.stop = len(code)
        for at, line in enumerate(code):
            reads, writes = touches[id(line)]
            is_late = not (late_writes.isdisjoint(reads | writes) and late_reads.isdisjoint(writes))
            cut = None if is_late or self.strides.keys().isdisjoint(reads | writes) else self.cut(line)
            if cut is not None:
                self.cuts.append(cut)
            elif is_late or reads & self.written or writes & (self.written | self.read):
                self.stop = min(self.stop, at)
                self.after.append(line)
                late_reads |= reads
                late_writes |= writes
            else:
                self.before.append(line)
        if not self.cuts:
            self.own = set()
            return
        outside = elsewhere.union(*[part for line in (*self.before, *self.after) for part in touches[id(line)]])
        self.own = {
            buffer
            for buffer in self.made - outside
            if buffer.kind == "temporary" and buffer.size % (self.strides[buffer] * self.n) == 0
        }

    def cut(self, line):
        """How to cut a line, or None; what it makes is known from then on."""
        if line.opcode not in (*PRODUCTS, *ELEMENTWISE, CLUSTER):
            return None
        lengths, operands = space(line)
        tried = set()
        for operand in operands:
            stride = self.strides.get(operand.buffer)
            if stride is None:
                continue
            for axis, (length, step) in enumerate(zip(lengths, operand.strides, strict=True)):
                if step <= 0 or stride % step or length < self.n or length % (self.n * (stride // step)):
                    continue
                q = stride // step
                p = length // (self.n * q)
                if (axis, q) in tried or (p > 1 and line.opcode != CLUSTER):
                    continue
                tried.add((axis, q))
                if self.fits(line, operands, lengths, axis, q):
                    return self.taken(line, lengths, operands, axis, p, q)
        return None

    def fits(self, line, operands, lengths, axis, q):
        """Whether each element of the axis needs only what was made for it."""
        made = {o.buffer: o.strides[axis] * q for o in operands if o.writes and o.strides[axis]}
        return all(self.may_lie(operand, line, lengths, axis, q, made) for operand in operands)

    def may_lie(self, operand, line, lengths, axis, q, made):
        """Whether an operand fits what other lines, and this one, made in its buffer."""
        buffer, step = operand.buffer, operand.strides[axis]
        known = self.strides[buffer] if buffer in self.made else made.get(buffer)
        if step < 0 or (operand.writes and buffer in self.read - self.made):
            return False
        if operand.writes and not step:
            is_sum = axis in operand.sums and line.then < 0
            return is_sum and known is None and self.adds(line, operand, lengths)
        if buffer in self.sums:
            return False
        return known is None or (known == step * q and has_pieces(operand, lengths, axis, q, self.n))

    def adds(self, line, operand, lengths):
        """Whether a sum is the first one in its place, or adds to what others made there."""
        return self.begins(operand, lengths) or (
            line.opcode in PRODUCTS and line.beta == 1 and line.d in (None, line.c)
        )

    def begins(self, operand, lengths):
        start, stop = operand.ends(lengths)
        return all(stop <= a or b <= start for a, b in self.sums.get(operand.buffer, ()))

    def taken(self, line, lengths, operands, axis, p, q):
        """The cut of a line that fits."""
        begins = None
        for operand in operands:
            step = operand.strides[axis]
            if step:
                self.strides[operand.buffer] = step * q
            if not operand.writes:
                self.read.add(operand.buffer)
            elif step:
                self.made.add(operand.buffer)
            else:
                begins = self.begins(operand, lengths)
                self.sums.setdefault(operand.buffer, []).append(operand.ends(lengths))
        return Cut(line, axis, p, q, begins)

    @property
    def written(self):
        return self.made | self.sums.keys()

    @property
    def size(self):
        """Bytes of what is `own`, as far as it lives at the same time."""
        named = [
            [buffer.number for buffer in dict.fromkeys(cut.line.buffers) if buffer in self.own] for cut in self.cuts
        ]
        _, arena = place(named, {buffer.number: buffer.nbytes for buffer in self.own})
        return arena


def space(line):
    """The lengths of the axes that a line runs over, and its operands with their strides there."""
    if line.opcode == CLUSTER:
        code = line.detail
        return code.shape, [
            Operand(None, a.view.buffer, a.view.offset, a.strides, a.kind >= STORE, range(AXES * (a.kind > STORE)))
            for a in code.accesses
            if a.kind != CONSTANT
        ]
    is_product = line.opcode in PRODUCTS
    operands = []
    for name in "abdc":
        given = getattr(line, name)
        if given is None or (name == "d" and (given == line.c or not line.beta)):
            continue
        buffer, offset, rs, cs, bs = given
        strides = (bs, rs, cs, 0)
        if is_product and name in "ab":
            strides = (bs, rs, 0, cs) if name == "a" else (bs, 0, cs, rs)
        operands.append(
            Operand(name, buffer, offset, strides, name == "c", K if is_product and name == "c" else range(0))
        )
    return (line.batch, line.m, line.n, line.k), operands


def has_pieces(operand, lengths, axis, q, n):
    """Whether each of the n elements has a piece of the buffer, as long as its stride, in blocks of n that repeat."""
    piece = operand.strides[axis] * q
    block = piece * n
    extent = operand.offset % block + operand.strides[axis] * (q - 1)
    for i, (length, step) in enumerate(zip(lengths, operand.strides, strict=True)):
        if i == axis or length == 1 or step % block == 0:
            continue
        if step < 0:
            return False
        extent += step * (length - 1)
    return extent < piece


def all_touched(code):
    return set().union(*[part for line in code for part in touched(line)])


def touched(line):
    """What a line reads and what it writes: buffers and objects. Calls, which are also in loops, keep their order."""
    if line.opcode in (CLUSTER, RECURRENCE):
        accesses = [a for a in line.detail.accesses if a.kind != CONSTANT]
        return {a.view.buffer for a in accesses if a.kind == LOAD}, {a.view.buffer for a in accesses if a.kind >= STORE}
    named = set(line.buffers)
    if line.opcode in (*PRODUCTS, *ELEMENTWISE):
        return named, {line.c[0]}
    if line.opcode == CALL:
        named |= {value for value in (*line.detail.arguments, line.detail.result) if type(value) is Object}
    return named, {CALL, *(x for x in named if type(x) is Object or x.kind not in ("input", "constant"))}
