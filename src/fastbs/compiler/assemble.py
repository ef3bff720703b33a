"""From a program to its tape: the passes in their order, then slots for buffers."""

import math

import numpy as np

from .._tape import Tape
from .._trace import Traced, node_of, steps, trace
from .arena import place
from .chunks import chunked
from .clusters import AXES, CONSTANT, DIRECT, FIXED, LOAD, TYPES
from .distribute import distributed
from .instructions import CALL, CLUSTER, FACTORED, KERNEL_DTYPES, LOOP, PARALLEL, RECURRENCE, NotLowerable, Object, walk
from .layers import join_layers
from .loops import pruned
from .lowering import Lowering
from .program import from_nodes
from .recurrences import AFTER, BEFORE, ROW, TIMES, time_of
from .scalars import scalars
from .simplify import common_subexpressions, simplify
from .states import known_states
from .threads import parallel
from .views import Buffer, View

__all__ = ["PASSES", "assemble", "layout_of", "lower", "optimized", "recorded", "tape_of", "view_of"]

MAX_AXES = 8  # of an argument of a tape
MANY_STEPS = 1000  # of an operator: so long a chain has nothing to simplify that would pay for looking
NOTHING = (0, 0, 0, 0, 0)

ON_PROGRAMS = {
    "simplify": lambda program, optimize: simplify(program),
    "common_subexpressions": lambda program, optimize: common_subexpressions(program),
    "pruned": pruned,
    "known_states": known_states,
    "scalars": scalars,
    "distributed": distributed,
}
# Clusters, sums by products, functions behind these, memory, chunks of an axis, what a layer's vector passes:
IN_LOWERING = "fused", "sums", "functions", "reused", "chunks", "layers"
PASSES = *ON_PROGRAMS, *IN_LOWERING


def optimized(program, passes=PASSES):
    """The program, and those inside of its steps, after the passes of these names."""

    def inner(program):
        return optimized(program, passes)

    for name in passes:
        if name in ON_PROGRAMS:
            program = ON_PROGRAMS[name](program, inner)
    return program


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
    if not results or None in results:
        return None
    dtypes = {x.value.dtype for x in inputs if hasattr(x.value, "dtype")}
    try:
        program = from_nodes(inputs, results, steps(results))
        if len(program.steps) <= MANY_STEPS:
            program = optimized(program)
        scalar_dtype = dtypes.pop() if len(dtypes) == 1 else np.dtype(float)
        if dtypes:
            raise NotLowerable("several dtypes")
        layouts = [layout_of(value, scalar_dtype) for value in values]
        if outs is None:
            outs = [np.empty(y.shape, y.dtype) for y in program.outputs]
        return assemble(program, layouts, [layout_of(out) for out in outs])
    except (NotLowerable, TypeError):
        return None


def recorded(function, values):
    """The steps of the inputs and of the results, None for a result that does not depend on the inputs."""
    inputs, results, level = trace(function, values)
    results = results if isinstance(results, tuple) else (results,)
    return inputs, [node_of(y) if type(y) is Traced and y.level == level else None for y in results]


def layout_of(value, scalar_dtype=None):
    """What a tape needs to know of an argument: ``(dtype, shape, strides in bytes)``, ``(dtype, type)`` of a number."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.strides
    return scalar_dtype or np.dtype(float), type(value)


def view_of(kind, number, layout):
    """The view of an argument or result with this layout."""
    dtype, shape, *strides = layout
    if not strides:
        return View(Buffer(kind, number, dtype, 1), (), ())
    if len(shape) > MAX_AXES:
        raise NotLowerable("too many axes")
    if any(s % dtype.itemsize for s in strides[0]):
        raise NotLowerable("strides that are no whole number of elements")
    return View(Buffer(kind, number, dtype, 0), shape, tuple([s // dtype.itemsize for s in strides[0]]))


def assemble(program, inputs, outputs, calls=False, report=None, passes=PASSES, threads=1):
    """The tape of a program.

    Parameters
    ----------
    program : Program
    inputs, outputs : lists of layouts, as `layout_of` gives them
    calls : bool
        Whether steps without kernels may call back into Python.
    passes : tuple of str
        Those of `IN_LOWERING` that are not among them are left out.
    threads : int
        How many run parts of long instructions.
    report : callable, optional
        Makes the tape's report of the `Lowering` and the bytes of the arena.

    Raises
    ------
    NotLowerable
        If a step has no kernel, and may not call.
    """
    to = Lowering(
        program,
        [view_of("input", i, layout) for i, layout in enumerate(inputs)],
        [view_of("output", i, layout) for i, layout in enumerate(outputs)],
        calls,
        frozenset(IN_LOWERING).difference(passes),
    )
    to.run()
    if "chunks" in passes:
        to.code = chunked(to, threads)
    if threads > 1:
        to.code = parallel(to.code, threads)
    if "layers" in passes:
        join_layers(to.code)
    return tape_of(to, inputs, outputs, report)


def tape_of(to, inputs, outputs, report=None):
    """The tape of a program that is lowered; see `assemble`."""
    places = Slots(to, len(inputs), len(outputs))
    instructions = list(map(places.instruction, to.code))
    constants = [kept for _, kept in to.buffers["constant"]]
    return Tape(
        inputs, outputs, [*constants, *places.tiles.values()], instructions, places.arena + places.scratch,
        len(to.buffers["object"]), None if report is None else report(to, places.arena), places.moving,
    )  # fmt: skip


class Slots:
    """Slots and offsets instead of buffers: the instructions of a `Lowering` as a `Tape` takes them.

    Parameters
    ----------
    to : Lowering
    inputs, outputs : int, how many there are
    """

    def __init__(self, to, inputs, outputs):
        uses = lifetimes(to.code)
        if "reused" in to.without:  # all live until the end
            uses = [*uses, [i for named in uses for i in named]]
        self.offsets, self.arena = place(uses, [buffer.nbytes for buffer in to.buffers["temporary"]])
        self.tiles = tiles_of_numbers(to)
        self.first_tile = inputs + outputs + len(to.buffers["constant"])
        self.arena_slot = self.first_tile + len(self.tiles)
        self.first = {"input": 0, "output": inputs, "constant": inputs + outputs, "moving": self.arena_slot + 1}
        self.moving = len(to.buffers["moving"])
        clusters = clusters_of(to)
        needed = [len(code.scratch) * math.prod(code.tile) * code.real.itemsize for code in clusters]
        self.part = -(-max(needed, default=0) // 64) * 64  # of the scratch
        self.scratch = self.part * (1 + max([code.part for code in clusters], default=0))

    def instruction(self, line):
        opcode = RECURRENCE if line.opcode == CLUSTER and line.detail.is_one else line.opcode
        detail = DETAILS[opcode](self, line.detail) if opcode in DETAILS else None
        operands = [self.operand(given) for given in (line.a, line.b, line.c, line.d or line.c)]
        return (
            opcode, line.dtype, line.flags | line.joined << 8, line.then, line.batch, line.m, line.n, line.k,
            line.alpha, line.beta, line.cost, *operands, detail,
        )  # fmt: skip

    def slot_of(self, buffer):
        """The slot of a buffer, and its offset there in elements."""
        if buffer.kind == "temporary":
            return self.arena_slot, self.offsets[buffer.number] // buffer.dtype.itemsize
        return self.first[buffer.kind] + buffer.number, 0

    def operand(self, given):
        if given is None:
            return NOTHING
        buffer, offset, rs, cs, bs = given
        slot, start = self.slot_of(buffer)
        return slot, start + offset, rs, cs, bs

    def place(self, view):
        """The slot of a view and its offset there in bytes."""
        if view is None:
            return -1, 0
        slot, start = self.slot_of(view.buffer)
        return slot, (start + view.offset) * view.dtype.itemsize

    def array(self, view):
        """What a call needs to make an array of a view: slot, offset in bytes, shape, strides in bytes, dtype."""
        strides = tuple([s * view.dtype.itemsize for s in view.strides])
        return *self.place(view), view.shape, strides, view.dtype

    def call(self, code):
        arguments = [
            ("array", self.array(a)) if type(a) is View else ("object", a.number) if type(a) is Object else ("plain", a)
            for a in code.arguments
        ]
        result = ("object", code.result.number) if type(code.result) is Object else ("array", self.array(code.result))
        return code.function, arguments, code.keywords, result, code.where

    def cluster(self, code):
        groups = [], [], []  # direct ones, loads, stores
        length, size = math.prod(code.tile), code.real.itemsize
        registers = [None] * code.registers
        for a in code.accesses:
            slot, offset, dtype = self.number(code, a) if a.kind == CONSTANT else self.first_of(a.view)
            kind, strides = max(a.kind, LOAD), a.strides or (0,) * AXES
            group = groups[0 if a.place == DIRECT else 1 if kind == LOAD else 2]
            group.append((slot, offset, strides, dtype, kind, a.register, a.place == FIXED))
            if a.place == DIRECT:
                registers[a.register] = slot, offset * size
        for i, register in enumerate(code.scratch):
            registers[register] = self.arena_slot, self.arena + code.part * self.part + i * length * size
        return code.shape, code.tile, *groups, code.operations, [r for r in registers if r]

    def number(self, code, access):
        """Where a constant lies: slot, offset in elements, type."""
        return self.first_tile + list(self.tiles).index((repr(access.constant), code.real)), 0, KERNEL_DTYPES[code.real]

    def first_of(self, view):
        """Where the first element of a view lies: slot, offset in elements, type."""
        slot, start = self.slot_of(view.buffer)
        return slot, start + view.offset, TYPES[view.dtype]

    def recurrence(self, code):
        groups, steps = {time: [] for time in TIMES}, []
        for a in code.accesses:
            slot, offset, dtype = self.number(code, a) if a.kind == CONSTANT else self.first_of(a.view)
            size = (a.view.dtype if a.view else code.real).itemsize
            groups[time_of(code, a)].append((slot, offset * size, dtype, a.register))
        for time in (ROW, BEFORE, AFTER):
            steps += [a.strides[0] * a.view.dtype.itemsize for a in code.accesses if time_of(code, a) == time]
        return code.length, *groups.values(), steps, code.operations, code.carried

    def loop(self, code):
        state = self.first["moving"] + self.moving
        self.moving += 2
        bodies = [
            (
                body.length, list(map(self.move, body.moves)), list(map(self.instruction, body.code)),
                self.slot_of(body.slots[0])[0] if body.slots else 0, body.names,
            )
            for body in code.bodies
        ]  # fmt: skip
        return bodies, code.entries, self.place(code.flag), code.wanted, state

    def move(self, move):
        slot, _ = self.slot_of(move.slot)
        return slot, move.by, move.step, *map(self.place, (move.base, move.first, move.last))


DETAILS = {CLUSTER: Slots.cluster, RECURRENCE: Slots.recurrence, LOOP: Slots.loop} | dict.fromkeys(
    (CALL, *FACTORED), Slots.call
)


def lifetimes(code):
    """The temporaries that each instruction names; what a loop takes from outside lives until its end, and what runs at
    the same time has memory of its own."""
    uses, ends = [], {}
    for at, line in enumerate(code):
        if line.opcode == PARALLEL:
            group = code[at + 1 : at + 1 + line.m]
            together = [b.number for part in walk(group) for b in part.buffers if b.kind == "temporary"]
            uses.append(together)
            ends[at + line.m] = together
            continue
        named = [b.number for part in code[at : at + line.joined + 1] for b in part.buffers if b.kind == "temporary"]
        uses.append(named)
        if line.opcode == LOOP:
            for body in line.detail.bodies:
                uses.extend(lifetimes(body.code))
            uses.append(named)
        uses.append(ends.get(at, []))
    return uses


def clusters_of(to):
    return [line.detail for line in walk(to.code) if line.opcode == CLUSTER]


def tiles_of_numbers(to):
    """An array of the numbers that the clusters name, as long as their longest tiles: ``{(repr, dtype): array}``."""
    longest = {}
    for line in walk(to.code):
        if line.opcode not in (CLUSTER, RECURRENCE):
            continue
        length = math.prod(line.detail.tile) if line.opcode == CLUSTER else 1
        for access in line.detail.accesses:
            if access.kind == CONSTANT:
                key = repr(access.constant), line.detail.real  # 0 and -0 differ
                longest[key] = max(longest.get(key, 1), length)
    return {(number, dtype): np.full(n, float(number), dtype) for (number, dtype), n in longest.items()}
