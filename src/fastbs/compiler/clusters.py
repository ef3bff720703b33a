"""A cluster as micro operations on registers: what is read, computed, stored and reduced in one loop over tiles."""

import math
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from .elementwise import COST, MICRO_OPS, line_of
from .fuse import REDUCTIONS, is_alias
from .numbers import NUMBERS, lines_of_numbers, with_more_products
from .program import Step
from .simplify import number
from .views import View, merge

__all__ = ["Access", "ClusterCode", "Writer", "cluster_code", "numbered", "resized", "with_products"]

LOAD, STORE, SUM, GREATEST, LEAST = range(5)  # as in cluster.h, and
CONSTANT = -1  # a tile of one number
SCRATCH, DIRECT, FIXED = range(3)  # places of registers: a fixed one is copied once, as it is the same for all tiles
AXES, REGISTERS = 6, 240  # as in cluster.h
ROOM = 24576  # bytes of scratch for registers that do not lie in memory: they stay in the first-level cache
LONGEST = 1024  # elements of a tile
TYPES = {np.dtype(t): i for t, i in (("f4", 0), ("f8", 1), ("?", 4), ("i4", 5), ("i8", 6))}
KINDS = {"sum": SUM, "mean": SUM, "max": GREATEST, "min": LEAST}
PRODUCTS = {("add", 0): "muladd", ("add", 1): "muladd", ("sub", 0): "mulsub", ("sub", 1): "submul"}


class TooLarge(Exception):
    """The cluster needs more axes or registers than there are."""


@dataclass
class Access:
    """What an access of cluster.h says; `strides` on the axes of the space, the buffer instead of a slot."""

    kind: int
    register: int
    view: View | None = None
    strides: tuple = ()
    constant: float = 0.0
    place: int = SCRATCH


@dataclass
class ClusterCode:
    """One cluster, all but the slots of its buffers."""

    real: np.dtype
    shape: tuple
    tile: tuple
    accesses: list
    operations: list
    registers: int
    scratch: list  # of the registers: those that do not lie in memory
    cost: float
    names: list = field(default_factory=list)
    part: int = 0  # of those that run at the same time, each with scratch of its own
    is_one: bool = False  # of one element, which is a recurrence
    length = 1
    carried = ()


class Writer:
    """Writes the micro operations of one cluster; registers are numbered as they are needed, each written once."""

    def __init__(self, to, cluster):
        self.to, self.cluster = to, cluster
        self.operations = []  # (name, result, arguments)
        self.loads, self.constants = {}, {}  # key -> Access
        self.register_of = {}  # id(member) -> register
        self.count = 0
        self.cost = 0.0

    def new(self):
        self.count += 1
        return self.count - 1

    def __call__(self, name, *arguments):
        result = self.new()
        self.operations.append((name, result, arguments))
        self.cost += COST.get(name, 1.0)
        return result

    def number(self, value):
        key = repr(float(value))
        if key not in self.constants:
            self.constants[key] = Access(CONSTANT, self.new(), constant=float(value))
        return self.constants[key].register

    def is_number(self, register, value):
        access = self.constants.get(repr(float(value)))
        return access is not None and access.register == register

    def operand(self, value, shape):
        """The register of an argument of a member of this shape."""
        if type(value) is Step:
            if id(value) in self.register_of:
                return self.register_of[id(value)]
            return self.load(self.to.view(value), shape)
        if type(value) is View:
            return self.load(value, shape)
        if isinstance(value, (bool, np.bool_)):
            return self.number(float(value))
        if np.ndim(value) == 0:
            return self.number(value)
        same = number(value)
        if same is not None:
            return self.number(same)
        return self.load(self.to.constant(np.asarray(value)), shape)

    def load(self, view, shape):
        strides = squeezed(view.broadcast(shape).strides, shape)
        key = (id(view.buffer), view.offset, strides)
        if key not in self.loads:
            self.loads[key] = Access(LOAD, self.new(), view, strides)
        return self.loads[key].register

    def write(self, step):
        """One member; returns its register."""
        if is_alias(step):
            register = self.operand(step.arguments[0], step.arguments[0].shape)
        elif step.function in REDUCTIONS:
            self.cost += 1.0
            return self.operand(step.arguments[0], step.arguments[0].shape)
        else:
            arguments = step.arguments[:1] if step.function in self.to.first_only else step.arguments
            register = line_of(step)(self, *[self.operand(a, step.shape) for a in arguments])
        self.register_of[id(step)] = register
        return register


def squeezed(strides, shape):
    return tuple([s for s, n in zip(strides, shape, strict=True) if n != 1])


def reduction_strides(step, out):
    """The strides of the result on the axes of what is reduced: 0 where it is reduced."""
    x = step.arguments[0]
    axes = step.keywords.get("axis", tuple(range(-x.ndim, 0)))
    axes = {i % x.ndim for i in ((axes,) if isinstance(axes, int) else axes)}
    rest = iter(out.strides)
    strides = []
    for i in range(x.ndim):
        if i in axes:
            strides.append(0)
            if step.keywords.get("keepdims"):
                next(rest)
        else:
            strides.append(next(rest))
    return squeezed(strides, x.shape)


def reduced_count(step):
    """How many elements one result of a reduction is made of."""
    return math.prod(step.arguments[0].shape) // max(math.prod(step.shape), 1)


def cluster_code(to, cluster, outside):
    """The code of a cluster.

    Parameters
    ----------
    to : Lowering
        Gives the views of arguments, and the destinations of members that are needed outside.
    cluster : Cluster
    outside : callable, step -> bool
        Whether a member is needed outside of its cluster.

    Returns
    -------
    ClusterCode
    """
    real = cluster.real or np.dtype(float)
    writer = Writer(to, cluster)
    stores = []  # Access of stores and reductions
    for step in cluster.members:
        register = writer.write(step)
        if step.function in REDUCTIONS:
            out = to.destination(step)
            kind = KINDS[REDUCTIONS[step.function]]
            stores.append(Access(kind, register, out, reduction_strides(step, out)))
            to.values[id(step)] = out
        elif outside(step):
            out = to.destination(step)
            stores.append(Access(STORE, register, out, squeezed(out.strides, out.shape)))
            to.values[id(step)] = out
    accesses = [*writer.loads.values(), *writer.constants.values(), *stores]
    shape, accesses = in_loops(cluster.space, accesses)
    operations = with_products(writer.operations, {a.register for a in stores})
    code = ClusterCode(real, shape, (1, 1), accesses, operations, 0, [], 0.0)
    code.cost = writer.cost * math.prod(cluster.space) + 10.0 * len(operations)
    code.names = [getattr(step.function, "__name__", str(step.function)) for step in cluster.members]
    code.is_one = math.prod(cluster.space) == 1
    assign(code)
    return code


def in_loops(space, accesses):
    """The index space as at most `AXES` axes in the order in which the largest result lies; neighbours are joined."""
    memory = [a for a in accesses if a.kind != CONSTANT]
    stores = [a for a in memory if a.kind == STORE] or memory
    leader = max(stores, key=lambda a: sum(s != 0 for s in a.strides), default=None)
    order = range(len(space)) if leader is None else sorted(range(len(space)), key=lambda i: -abs(leader.strides[i]))
    axes = merge([space[i] for i in order], *[[a.strides[i] for i in order] for a in memory])
    return set_axes(memory, axes), accesses


def set_axes(memory, axes):
    """The lengths of the merged axes, 1 in front where they are fewer than `AXES`; accesses get their strides."""
    if len(axes) > AXES:
        raise TooLarge
    missing = AXES - len(axes)
    for k, access in enumerate(memory):
        access.strides = (0,) * missing + tuple([inner[k] for _, inner in axes])
    return (1,) * missing + tuple([n for n, _ in axes])


def resized(code, shape, accesses):
    """The code of a cluster over a space of these lengths, with accesses of as many strides.

    Reductions whose place is `FIXED` go on from what lies there.
    """
    memory = [a for a in accesses if a.kind != CONSTANT]
    made = {line[1] for line in code.operations}
    direct_store = {}
    for access in memory:
        if access.kind == STORE and access.register in made and access.view.dtype == code.real:
            direct_store.setdefault(access.register, access)
    code = replace(code, shape=set_axes(memory, merge(shape, *[a.strides for a in memory])), accesses=accesses)
    choose_tile(code, direct_store)
    return code


def with_products(operations, kept):
    """Products that are only added to something become one operation with the sum, and so do products with z - x y."""
    uses = {}
    for _, _, arguments in operations:
        for a in arguments:
            uses[a] = uses.get(a, 0) + 1
    products = {
        r: arguments for name, r, arguments in operations if name == "times" and uses.get(r) == 1 and r not in kept
    }
    taken, result, differences = set(), [], {}
    for name, register, arguments in operations:
        for k in (0, 1):
            if (name, k) in PRODUCTS and arguments[k] in products and arguments[0] != arguments[1]:
                taken.add(arguments[k])
                name, arguments = PRODUCTS[name, k], (*products[arguments[k]], arguments[1 - k])
                break
        if name == "times":
            k = next((k for k in (0, 1) if arguments[k] in differences), None)
            if k is not None and arguments[0] != arguments[1]:
                taken.add(arguments[k])
                products.pop(register, None)
                name, arguments = "times submul", (*differences[arguments[k]], arguments[1 - k])
        if name == "submul" and uses.get(register) == 1 and register not in kept:
            differences[register] = arguments
        result.append((name, register, arguments))
    return [line for line in result if line[1] not in taken]


def assign(code):
    """Physical registers and their buffers, the tile, and where each access meets memory."""
    if code.is_one:
        code.operations = with_more_products(code.operations, {a.register for a in code.accesses})
    last = {}
    for at, (_, _, arguments) in enumerate(code.operations):
        for a in arguments:
            last[a] = at
    made = {register for _, register, _ in code.operations}
    direct_store = {}
    for access in code.accesses:
        if access.kind >= STORE:
            last[access.register] = len(code.operations)
        if access.kind == STORE and access.register in made and access.view.dtype == code.real:
            direct_store.setdefault(access.register, access)
    physical = numbered(code.operations, [a.register for a in code.accesses if a.kind < STORE], last, direct_store)
    count = len(set(physical.values()))
    if max(count, len(code.accesses)) > (NUMBERS if code.is_one else REGISTERS):
        raise TooLarge
    code.registers = count
    code.operations = (lines_of_numbers if code.is_one else lines_of)(code.operations, physical)
    for access in code.accesses:
        access.register = physical[access.register]
    if code.is_one:
        return
    choose_tile(code, {physical[r]: a for r, a in direct_store.items()})


def numbered(operations, read, last, own, into=MappingProxyType({})):
    """Registers that are used again: ``{register: physical one}``.

    Parameters
    ----------
    operations : list of (name, result, arguments)
    read : registers that are loaded
    last : dict, register -> the number of the last operation that needs it
    own : registers of results that nothing else may use
    into : dict, result -> the register that is loaded which it takes if nothing needs that any more
    """
    names = iter(range(10**6))
    physical = {register: next(names) for register in read}
    free, temporaries = [], set()
    for at, (_, register, arguments) in enumerate(operations):
        # a result may take the place of an argument
        free.extend(physical[a] for a in dict.fromkeys(arguments) if last[a] == at and physical[a] in temporaries)
        if register in into and last.get(into[register], -1) <= at:
            physical[register] = physical[into[register]]
            continue
        if register in own or register in into or not free:
            physical[register] = next(names)
        else:
            physical[register] = free.pop()
        if register not in own and register not in into:
            temporaries.add(physical[register])
        if register not in last:  # nothing needs it
            free.append(physical[register])
    return physical


def lines_of(operations, physical):
    """``(micro operation, result, four arguments)`` on physical registers."""
    lines = [(MICRO_OPS[name], physical[r], [physical[a] for a in arguments]) for name, r, arguments in operations]
    return [(op, d, *found, *(found[0],) * (4 - len(found))) for op, d, found in lines]


def choose_tile(code, direct_store):
    """The largest tile whose scratch fits; a register that lies in memory needs none."""
    room = ROOM // code.real.itemsize
    for tiles in (count_scratch(code, direct_store, room), code.registers):
        code.tile = tile_of(code.shape, room // max(tiles, 1))
        in_memory = set_places(code, direct_store)
        code.scratch = [r for r in range(code.registers) if r not in in_memory]
        if len(code.scratch) * math.prod(code.tile) <= room:
            break


def count_scratch(code, direct_store, room):
    """How many registers need scratch with the tile of as many as there are registers."""
    code.tile = tile_of(code.shape, room // max(code.registers, 1))
    return code.registers - len(set_places(code, direct_store))


def tile_of(shape, length):
    """Rows and columns of a tile of at most so many elements."""
    rows, columns = shape[-2:]
    length = max(min(length, LONGEST), 1)
    length = length // 32 * 32 or length
    if columns >= length:
        pieces = -(-columns // length)
        return 1, min(round_up(-(-columns // pieces), 16), length)
    return min(rows, length // columns), columns


def set_places(code, direct_store):
    """Where each access meets memory with the tile of the code; returns the registers that lie in memory."""
    rows, columns = code.tile
    in_memory = set()
    for access in code.accesses:
        if access.kind > STORE:
            continue
        if access.kind == CONSTANT:
            access.place = DIRECT
            in_memory.add(access.register)
            continue
        rs, cs = access.strides[-2:]
        is_direct = cs == 1 and (rows == 1 or rs == columns)
        if access.kind == STORE:
            is_direct = is_direct and direct_store.get(access.register) is access
        else:
            is_direct = is_direct and access.view.dtype == code.real
        access.place = SCRATCH
        if is_direct:
            access.place = DIRECT
            in_memory.add(access.register)
        elif access.kind == LOAD and not any(access.strides[:-1]) and columns == code.shape[-1]:
            access.place = FIXED
    return in_memory


def round_up(n, unit):
    return -(-n // unit) * unit
