"""Lines along one long axis in chunks: what they make for each other stays in the cache.

They run for a first chunk and then, in a loop, for the others. What only they need has the memory of one chunk. What is
summed over the axis goes on in its memory from the second chunk on. Threads share the chunks: all but the first one sum
in memory of their own, which is added in the end.
"""

import dataclasses
import math
import os

from .along import PRODUCTS, Axis, Operand, Run, all_touched, different, space, touched
from .clusters import CONSTANT, FIXED, STORE, SUM, TooLarge, resized
from .instructions import (
    AXPBY,
    BY_STEP,
    CLUSTER,
    GEMM,
    KERNEL_DTYPES,
    LOOP,
    PARALLEL,
    PRODUCT,
    BodyCode,
    Instruction,
    LoopCode,
    Move,
    is_small,
)
from .threads import WORTH
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
MOST_LOOKS = 100_000  # at an instruction, while runs are looked for; about a microsecond each
WIDE = 64  # smallest size of products for which BLAS has threads of its own, worth more than the cache
SIZES = "batch", "m", "n", "k"  # the axes of all lines but clusters


class NotChunked(Exception):
    """The lines are better as they are, or an instruction has no form for chunks."""


def chunked(to, threads=1):
    """The code of a `Lowering`, with chunks where what it makes leaves the second-level cache."""
    if sum(buffer.nbytes for buffer in to.buffers["temporary"]) <= CACHE:
        return to.code
    views = [*to.values.values(), *(view for view, _ in to.constants.values())]
    arguments = [view for view in views if type(view) is View and view.buffer.kind in ("input", "constant")]
    axes = [
        Axis(n, {view.buffer: stride})
        for view in arguments
        for n, stride in zip(view.shape, view.strides, strict=True)
        if n >= 2 * LEAST and stride > 0
    ]
    done, code, looks = [], to.code, 0
    touches = {id(line): touched(line) for line in code}
    # of more than there is time for, the longest ones: of the samples, and not of one of many weights
    axes = sorted(axes, key=lambda axis: -axis.n)[: MOST_LOOKS // max(len(code), 1) + 1]
    while code and axes and looks < MOST_LOOKS:
        looks += len(axes) * len(code)
        elsewhere = all_touched(done)
        runs = [Run(code, touches, axis, elsewhere) for axis in axes]
        axes = different(axes)
        best = max(runs, key=lambda run: run.size)
        if not best.cuts:
            break
        try:
            done += [*best.before, *in_chunks(best, to, threads)]
            code = best.after
        except (NotChunked, TooLarge):
            stop = min(run.stop for run in runs if run.cuts)
            done += code[:stop]
            code = code[stop:]
    return [*done, *code]


def in_chunks(run, to, threads):
    """The lines of a run, in chunks."""
    each = run.size / run.n
    work = sum(cut.line.cost for cut in run.cuts)
    by_blas = sum(cut.line.cost for cut in run.cuts if is_wide(cut.line))
    if run.size <= CACHE or LEAST * each > CACHE or (threads == 1 and by_blas > work / 2):
        raise NotChunked
    most = max(CACHE / 2 / each // UNIT * UNIT, LEAST)
    length = math.ceil(run.n / math.ceil(run.n / most) / UNIT) * UNIT
    count = math.ceil(run.n / length)
    parts = min(threads, count, int(work // WORTH))
    if parts < 2 or not may_add(run):
        return share(run, to, length, range(run.n))
    cuts = [min(count * part // parts * length, run.n) for part in range(parts + 1)]
    code, added = [Instruction(PARALLEL, 1, m=parts)], []
    for part in range(parts):
        own = {buffer: own_sum(to, buffer, places) for buffer, places in run.sums.items()} if part else {}
        body = share(run, to, length, range(cuts[part], cuts[part + 1]), part, own)
        loop = LoopCode([BodyCode(1, [], body)], temporaries=len(to.buffers["temporary"]))
        code.append(Instruction(LOOP, 1, detail=loop, cost=sum(line.cost for line in body)))
        added += [addition(own[buffer], buffer, *ends) for buffer in own for ends in dict.fromkeys(run.sums[buffer])]
    return [*code, *added]


def is_wide(line):
    """Whether BLAS may run a product on several threads."""
    return line.opcode == GEMM and min(line.m, line.n, line.k) >= WIDE


def may_add(run):
    """Whether sums of two threads can be added: each fills its place, and there are no greatest elements."""
    for cut in run.cuts:
        if cut.line.opcode == CLUSTER and any(
            a.kind > SUM and not a.strides[cut.axis] for a in cut.line.detail.accesses if a.view
        ):
            return False
        for operand, lengths in cut.sums():
            start, stop = operand.ends(lengths)
            if stop - start != math.prod(n for n, s in zip(lengths, operand.strides, strict=True) if s):
                return False
    return all(a == c or a[1] <= c[0] or c[1] <= a[0] for places in run.sums.values() for a in places for c in places)


def own_sum(to, buffer, places):
    """A temporary in which a thread sums what belongs to these places of a buffer."""
    return to.temporary((max(stop for _, stop in places),), buffer.dtype).buffer


def addition(own, buffer, start, stop):
    """The line that adds what a thread has summed."""
    n = stop - start
    a, c = ((b, start, n, 1, 0) for b in (own, buffer))
    return Instruction(AXPBY, KERNEL_DTYPES[buffer.dtype], a, c, c, None, 1, n, beta=1.0, cost=2.0 * n)


def share(run, to, length, samples, part=0, sums=None):
    """The lines of a run for a range of its axis: a first chunk, and the loop over the others of this length."""
    count = math.ceil(len(samples) / length)
    first = len(samples) - (count - 1) * length
    code = Chunk(run, to, first, samples.start, part, sums).code(goes_on=False)
    if count == 1:
        return code
    mark = len(to.buffers["temporary"])
    others = Chunk(run, to, length, samples.start + first, part, sums)
    body = BodyCode(count - 1, others.moves, others.code(goes_on=True))
    cost = (count - 1) * (10.0 + sum(line.cost for line in body.code))
    return [*code, Instruction(LOOP, 1, detail=LoopCode([body], temporaries=mark), cost=cost)]


class Chunk:
    """The code of one chunk, the first one of a thread, or of the others, for which arrays stand in slots that move.

    Parameters
    ----------
    run, to : Run, Lowering
    length, start : int
    part : int
        The number of the thread.
    sums : dict, Buffer -> Buffer
        Where the thread sums instead.
    """

    def __init__(self, run, to, length, start, part=0, sums=None):
        self.run, self.to, self.length, self.start, self.part, self.sums = run, to, length, start, part, sums or {}
        self.buffers = {}
        self.moves = []

    def code(self, goes_on):
        """The lines; if sums go on from chunks before, they are those of a loop."""
        return [(self.cluster if cut.line.opcode == CLUSTER else self.matrix)(cut, goes_on) for cut in self.run.cuts]

    def placed(self, operand, step, strides, in_loop):
        """The buffer, offset and strides of an operand for this chunk, whose stride on the axis is `step`."""
        run, buffer, offset = self.run, operand.buffer, operand.offset
        if buffer in run.own:
            own, step = run.strides[buffer], run.strides[buffer]
            block, short = own * run.n, own * self.length
            if buffer not in self.buffers:
                self.buffers[buffer] = self.to.temporary((buffer.size // block * short,), buffer.dtype).buffer
            strides = tuple([s // block * short if s % block == 0 else s for s in strides])
            return self.buffers[buffer], offset // block * short + offset % block, strides
        if not step:
            return self.sums.get(buffer, buffer), offset, strides
        if not in_loop:
            return buffer, offset + self.start * step, strides
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
            buffer, offset, strides = self.placed(operand, operand.strides[cut.axis] * cut.q, (rs, cs, bs), goes_on)
            changes[operand.name] = (buffer, offset, *strides)
        changes[SIZES[cut.axis]] = self.length * cut.q
        changes["cost"] = line.cost * self.length / self.run.n
        if cut.begins is not None and (goes_on or self.sums):  # what the sum begins with is the first thread's
            changes |= {"beta": float(goes_on or not cut.begins), "d": None}
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
            buffer, offset, strides = self.placed(operand, step * cut.q, strides, goes_on)
            view = dataclasses.replace(access.view, buffer=buffer, offset=offset)
            access = dataclasses.replace(access, view=view, strides=strides)
            if access.kind > STORE and not step and goes_on:
                access.place = FIXED
            accesses.append(access)
        code = resized(code, lengths, accesses)
        code.cost, code.part = code.cost * self.length / n, self.part
        return dataclasses.replace(cut.line, detail=code, cost=code.cost)


def is_packed(line):
    """Whether the elements of a result follow each other."""
    strides = line.c[4], line.c[2], line.c[3]
    sizes = line.batch, line.m, line.n
    return all(n == 1 or s == t for n, s, t in zip(sizes, strides, contiguous(sizes), strict=True))
