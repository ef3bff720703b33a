"""Long instructions in parts for several threads: rows, columns or matrices of a product, slabs of a cluster.

Every element of a result is computed by one part, so results do not depend on how the threads run; products are our
own, since BLAS has threads of its own, and so differ from those of one thread in the last digits where that takes BLAS.
"""

import dataclasses

from .clusters import LOAD
from .instructions import CLUSTER, COPY, GEMM, PARALLEL, PRODUCT, Instruction

__all__ = ["WORTH", "parallel"]

WORTH = 5e5  # flops of a part: several times what it costs to wake a thread
UNIT = 16  # rows and columns of a part are a multiple, as register blocks are


def parallel(code, threads):
    """The instructions, long ones as PARALLEL lines followed by their parts."""
    result = []
    for line in code:
        parts = min(threads, int(line.cost // WORTH))
        split = SPLITS.get(line.opcode)
        pieces = split(line, parts) if split and parts > 1 else []
        if len(pieces) > 1:
            result.append(Instruction(PARALLEL, line.dtype, m=len(pieces)))
            result.extend(pieces)
        else:
            result.append(line)
    return result


def ranges(n, parts, unit):
    """(start, stop) of at most so many parts of a range, each but the last a multiple of the unit long."""
    length = -(-n // parts)
    length = -(-length // unit) * unit
    return [(start, min(start + length, n)) for start in range(0, n, length)]


def shifted(operand, start, axis):
    """An operand from this row (2), column (3) or matrix (4) on."""
    if operand is None:
        return None
    return operand[0], operand[1] + start * operand[axis], *operand[2:]


def split_product(line, parts):
    """A product by its matrices, or by the axis along which its result has the longer stride."""
    if line.dtype > 1:
        return []  # complex ones are left to BLAS
    _, _, rs, cs, _ = line.c
    changes = {"opcode": PRODUCT, "d": line.d or line.c, "cost": line.cost / parts}
    if line.batch > 1:
        cut, axis, unit, taken = "batch", 4, 1, "abcd"
    elif rs >= cs:
        cut, axis, unit, taken = "m", 2, UNIT, "acd"
    else:
        cut, axis, unit, taken = "n", 3, UNIT, "bcd"
    line = dataclasses.replace(line, **changes)
    return [
        dataclasses.replace(
            line,
            **{name: shifted(getattr(line, name), start, axis) for name in taken},
            **{cut: stop - start},
        )
        for start, stop in ranges(getattr(line, cut), parts, unit)
    ]


def split_copy(line, parts):
    """A copy by its rows."""
    return [
        dataclasses.replace(
            line, a=shifted(line.a, start, 2), c=shifted(line.c, start, 2), m=stop - start, cost=line.cost / parts
        )
        for start, stop in ranges(line.m, parts, 1)
    ]


def split_cluster(line, parts):
    """A cluster along its outermost long axis that no reduction goes over."""
    code = line.detail
    memory = [a for a in code.accesses if a.view is not None]
    free = [
        axis for axis, n in enumerate(code.shape) if n > 1 and all(a.strides[axis] for a in memory if a.kind > LOAD)
    ]
    axis = next((axis for axis in free if code.shape[axis] >= parts * unit_of(code, axis)), None)
    if axis is None:
        return []
    return [
        dataclasses.replace(line, detail=slab(code, axis, start, stop, part), cost=line.cost / parts)
        for part, (start, stop) in enumerate(ranges(code.shape[axis], parts, unit_of(code, axis)))
    ]


def unit_of(code, axis):
    """The length of a tile along an axis: whole tiles are as they were."""
    return code.tile[axis - len(code.shape)] if axis >= len(code.shape) - 2 else 1


def slab(code, axis, start, stop, part):
    """The part of a cluster from `start` to `stop` along an axis."""
    accesses = [
        a
        if a.view is None
        else dataclasses.replace(a, view=dataclasses.replace(a.view, offset=a.view.offset + start * a.strides[axis]))
        for a in code.accesses
    ]
    shape = (*code.shape[:axis], stop - start, *code.shape[axis + 1 :])
    return dataclasses.replace(code, shape=shape, accesses=accesses, part=part)


SPLITS = {PRODUCT: split_product, GEMM: split_product, CLUSTER: split_cluster, COPY: split_copy}
