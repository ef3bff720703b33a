"""Instructions that one vector d passes through are run together: what the gradient of a layer is for one sample.

These are ``d = e (f - g h)``, the activation's derivative times what comes back, the outer product ``d x^T`` and the
product ``A^T d``; either end may be missing. One pass over the rows writes the one matrix while it reads the other, and
what an instruction costs before it computes anything is paid once.
"""

import math

from .clusters import CONSTANT, DIRECT, LOAD, STORE
from .elementwise import MICRO_OPS
from .instructions import CLUSTER, LOOP, MUL, PARALLEL, PRODUCT

__all__ = ["join_layers"]

SHORTEST = 8  # elements of x: a vector of float32
GATE = MICRO_OPS["times submul"]


def join_layers(code):
    """Mark what runs together, inside of loops, too."""
    at = 0
    while at < len(code):
        line = code[at]
        if line.opcode == LOOP:
            for body in line.detail.bodies:
                join_layers(body.code)
        elif line.opcode == PARALLEL:
            at += line.m
        else:
            line.joined = count_joined(code, at)
            at += line.joined
        at += 1


def count_joined(code, at):
    """How many of the next instructions run together with the one at this place."""
    outer = at + (code[at].opcode == CLUSTER)
    if outer >= len(code) or not is_outer_product(code[outer]):
        return 0
    if outer > at and not is_gate(code[at], code[outer]):
        return 0
    has_product = outer + 1 < len(code) and is_product(code[outer + 1], code[outer])
    return outer - at + has_product


def is_outer_product(line):
    """Whether an instruction is d x^T."""
    return (
        line.opcode == MUL
        and line.dtype <= 1
        and line.batch == 1
        and line.then < 0
        and line.m > 1
        and line.n >= SHORTEST
        and line.a[2:4] == (1, 0)
        and line.b[2:4] == (0, 1)
        and line.c[3] == 1
    )


def is_gate(line, outer):
    """Whether a cluster is d = e (f - g h) in one tile, with the d of this outer product."""
    code = line.detail
    if line.dtype != outer.dtype or math.prod(code.shape) != outer.m or math.prod(code.tile) != outer.m:
        return False
    if len(code.operations) != 1 or code.operations[0][0] != GATE:
        return False
    if any(a.place != DIRECT or a.kind not in (CONSTANT, LOAD, STORE) for a in code.accesses):
        return False
    stores = [a.view for a in code.accesses if a.kind == STORE]
    return len(stores) == 1 and (stores[0].buffer, stores[0].offset) == outer.a[:2]


def is_product(line, outer):
    """Whether an instruction is A^T d with the d of this outer product, and A of the shape of its result."""
    return (
        line.opcode == PRODUCT
        and line.dtype == outer.dtype
        and (line.m, line.n, line.k, line.batch) == (outer.n, 1, outer.m, 1)
        and (line.alpha, line.beta) == (1.0, 0.0)
        and line.then < 0
        and line.a[2] == 1
        and line.b[:3] == outer.a[:3]
        and line.c[2] == 1
    )
