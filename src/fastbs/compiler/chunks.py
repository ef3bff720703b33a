"""Instructions along one long axis, as that of samples, in chunks: what they make for each other stays in the cache.

Lines that take the elements of this axis one by one (products, clusters, copies) run for a first chunk and then, in a
loop, for the others. What only they need has the memory of one chunk. What is summed over the axis goes on in its
memory from the second chunk on.
"""

import dataclasses
import math
import os

from .arena import place
from .clusters import AXES, CONSTANT, FIXED, LOAD, STORE, TooLarge, resized
from .instructions import (
    AXPBY,
    BY_STEP,
    CALL,
    CLUSTER,
    COPY,
    DIV,
    FACTORED,
    FILL,
    GEMM,
    GEMV,
    LOOP,
    MUL,
    PRODUCT,
    RECURRENCE,
    BodyCode,
    Instruction,
    LoopCode,
    Move,
    Object,
    is_small,
)
from .views import Buffer, View, contiguous

__all__ = ["chunked"]


def second_level_cache():
    """Bytes; half a megabyte where the system does not say."""
    try:
        size = os.sysconf("SC_LEVEL2_CACHE_SIZE")
    except (AttributeError, ValueError, OSError):
        size = 0
    return size if size > 0 else 1 << 19


LEAST = 64  # elements of the axis in a chunk: products with fewer are slow
UNIT = 16  # their number is a multiple, as register blocks are
CACHE = second_level_cache()  # bytes; what takes more is worth chunks of half of it
TRIES = 16  # runs that are looked for in a program
PRODUCTS = GEMM, GEMV, PRODUCT
ELEMENTWISE = COPY, AXPBY, MUL, DIV, FILL
SIZES = "batch", "m", "n", "k"  # the axes of these
K = range(3, 4)


class NotChunked(Exception):
    """What the lines make fits the cache, chunks would be too short, or an instruction has no form for them."""


@dataclasses.dataclass(frozen=True)
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


@dataclasses.dataclass(frozen=True)
class Cut:
    """Which axis of the space of a line is cut: it has the length p n q, and the axis of the run is the middle one."""

    line: Instruction
    axis: int
    p: int
    q: int
    is_sum: bool


def chunked(to):
    """The code of a `Lowering`, with chunks where what it makes leaves the second-level cache."""
    if sum(buffer.nbytes for buffer in to.buffers["temporary"]) <= CACHE:
        return to.code
    views = [*to.values.values(), *(view for view, _ in to.constants.values())]
    arguments = [view for view in views if type(view) is View and view.buffer.kind in ("input", "constant")]
    axes = [
        (view.buffer, n, stride)
        for view in arguments
        for n, stride in zip(view.shape, view.strides, strict=True)
        if n >= 2 * LEAST and stride > 0
    ]
    axes, done, code = dict.fromkeys(axes), [], to.code
    for _ in range(TRIES):
        runs = [Run(code, *axis, all_touched(done)) for axis in axes]
        runs = [run for run in runs if run.cuts]
        if not runs:
            break
        for run in runs:
            axes |= dict.fromkeys(run.seen())
        best = max(runs, key=lambda run: run.size)
        try:
            done += [*best.before, *best.lines(to)]
            code = best.after
        except (NotChunked, TooLarge):
            stop = min(run.stop for run in runs)
            done += code[:stop]
            code = code[stop:]
    return [*done, *code]


class Run:
    """The lines of a program that take the elements of one axis one by one.

    Parameters
    ----------
    code : list of Instruction
    buffer, n, stride : Buffer, int, int
        Where the axis is seen first: its length and its stride there.
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

    def __init__(self, code, buffer, n, stride, elsewhere):
        self.n = n
        self.strides = {buffer: stride}  # of the axis, of all buffers where it is known
        self.made, self.sums, self.read = set(), {}, set()
        self.before, self.cuts, self.after = [], [], []
        late_reads, late_writes = set(), set()
        self.stop = len(code)
        for at, line in enumerate(code):
            reads, writes = touched(line)
            is_late = reads & late_writes or writes & (late_reads | late_writes)
            cut = None if is_late else self.cut(line)
            if cut is not None:
                self.cuts.append(cut)
            elif is_late or reads & self.written or writes & (self.written | self.read):
                self.stop = min(self.stop, at)
                self.after.append(line)
                late_reads |= reads
                late_writes |= writes
            else:
                self.before.append(line)
        outside = elsewhere | all_touched([*self.before, *self.after])
        self.own = {
            buffer
            for buffer in self.made - outside
            if buffer.kind == "temporary" and buffer.size % (self.strides[buffer] * n) == 0
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
        start, stop = operand.ends(lengths)
        is_first = all(stop <= a or b <= start for a, b in self.sums.get(operand.buffer, ()))
        return is_first or (line.opcode in PRODUCTS and line.beta == 1 and line.d in (None, line.c))

    def taken(self, line, lengths, operands, axis, p, q):
        """The cut of a line that fits."""
        is_sum = False
        for operand in operands:
            step = operand.strides[axis]
            if step:
                self.strides[operand.buffer] = step * q
            if not operand.writes:
                self.read.add(operand.buffer)
            elif step:
                self.made.add(operand.buffer)
            else:
                self.sums.setdefault(operand.buffer, []).append(operand.ends(lengths))
                is_sum = True
        return Cut(line, axis, p, q, is_sum)

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

    def seen(self):
        """Where else the axis is: (buffer, length, stride)."""
        return [(buffer, self.n, stride) for buffer, stride in self.strides.items() if buffer not in self.own]

    def lines(self, to):
        """The first chunk, and the loop over the others."""
        if self.size <= CACHE:
            raise NotChunked
        most = CACHE / 2 / self.size * self.n // UNIT * UNIT
        if most < LEAST:
            raise NotChunked
        count = math.ceil(self.n / most)
        length = math.ceil(self.n / count / UNIT) * UNIT
        count = math.ceil(self.n / length)
        first = self.n - (count - 1) * length
        code = Chunk(self, to, first).code(goes_on=False)
        mark = len(to.buffers["temporary"])
        others = Chunk(self, to, length, start=first)
        body = BodyCode(count - 1, others.moves, others.code(goes_on=True))
        cost = (count - 1) * (10.0 + sum(line.cost for line in body.code))
        return [*code, Instruction(LOOP, 1, detail=LoopCode([body], temporaries=mark), cost=cost)]


class Chunk:
    """The code of one chunk: `own` buffers are short, and others stand in slots that move, if there is a start."""

    def __init__(self, run, to, length, start=None):
        self.run, self.to, self.length, self.start = run, to, length, start
        self.buffers = {}
        self.moves = []

    def code(self, goes_on):
        return [(self.cluster if cut.line.opcode == CLUSTER else self.matrix)(cut, goes_on) for cut in self.run.cuts]

    def placed(self, operand, step, strides):
        """The buffer, offset and strides of an operand for this chunk, whose stride on the axis is `step`."""
        run, buffer, offset = self.run, operand.buffer, operand.offset
        if buffer in run.own:
            own, step = run.strides[buffer], run.strides[buffer]
            block, short = own * run.n, own * self.length
            if buffer not in self.buffers:
                self.buffers[buffer] = self.to.temporary((buffer.size // block * short,), buffer.dtype).buffer
            strides = tuple([s // block * short if s % block == 0 else s for s in strides])
            return self.buffers[buffer], offset // block * short + offset % block, strides
        if self.start is None or not step:
            return buffer, offset, strides
        if (buffer, step) not in self.buffers:
            slot = Buffer("moving", len(self.to.buffers["moving"]), buffer.dtype, 1)
            self.to.buffers["moving"].append(slot)
            size = buffer.dtype.itemsize
            base = View(buffer, (), (), self.start * step)
            self.moves.append(Move(slot, BY_STEP, self.length * step * size, base))
            self.buffers[buffer, step] = slot
        return self.buffers[buffer, step], offset, strides

    def matrix(self, cut, goes_on):
        """A product, or an elementwise instruction."""
        line, changes = cut.line, {"d": None}
        for operand in space(line)[1]:
            rs, cs, bs = getattr(line, operand.name)[2:]
            buffer, offset, strides = self.placed(operand, operand.strides[cut.axis] * cut.q, (rs, cs, bs))
            changes[operand.name] = (buffer, offset, *strides)
        changes[SIZES[cut.axis]] = self.length * cut.q
        changes["cost"] = line.cost * self.length / self.run.n
        if cut.is_sum and goes_on:
            changes |= {"beta": 1.0, "d": None}
        line = dataclasses.replace(line, **changes)
        if line.opcode in PRODUCTS and is_small(line.m, line.n, line.k, line.c[0].dtype):
            line.opcode = PRODUCT
        if line.then >= 0 and not is_packed(line):
            raise NotChunked
        return line

    def cluster(self, cut, goes_on):
        code, axis, n = cut.line.detail, cut.axis, self.run.n
        lengths = (*code.shape[:axis], cut.p, self.length, cut.q, *code.shape[axis + 1 :])
        accesses = []
        for access in code.accesses:
            if access.kind == CONSTANT:
                accesses.append(dataclasses.replace(access))
                continue
            step = access.strides[axis]
            strides = (*access.strides[:axis], step * n * cut.q, step * cut.q, step, *access.strides[axis + 1 :])
            operand = Operand(None, access.view.buffer, access.view.offset, access.strides, access.kind >= STORE)
            buffer, offset, strides = self.placed(operand, step * cut.q, strides)
            view = dataclasses.replace(access.view, buffer=buffer, offset=offset)
            access = dataclasses.replace(access, view=view, strides=strides)
            if access.kind > STORE and not step and goes_on:
                access.place = FIXED
            accesses.append(access)
        code = resized(code, lengths, accesses)
        code.cost *= self.length / n
        return dataclasses.replace(cut.line, detail=code, cost=code.cost)


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


def is_packed(line):
    """Whether the elements of a result follow each other."""
    strides = line.c[4], line.c[2], line.c[3]
    sizes = line.batch, line.m, line.n
    return all(n == 1 or s == t for n, s, t in zip(sizes, strides, contiguous(sizes), strict=True))


def all_touched(code):
    return set().union(*[part for line in code for part in touched(line)])


def touched(line):
    """What a line reads and what it writes: buffers and objects. Calls, which are also in loops, keep their order."""
    if line.opcode in (CLUSTER, RECURRENCE):
        accesses = [a for a in line.detail.accesses if a.kind != CONSTANT]
        return {a.view.buffer for a in accesses if a.kind == LOAD}, {a.view.buffer for a in accesses if a.kind >= STORE}
    named = set(line.buffers)
    if line.opcode not in (CALL, LOOP, *FACTORED):
        return named, {line.c[0]}
    if line.opcode == CALL:
        named |= {value for value in (*line.detail.arguments, line.detail.result) if type(value) is Object}
    return named, {CALL, *(x for x in named if type(x) is Object or x.kind not in ("input", "constant"))}
