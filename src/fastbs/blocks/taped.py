"""A solve that comes again runs as one tape: the rows of a factorized block system, in the order of `substitute`."""

import numpy as np

from .._tape import ListPlan
from ..compiler.instructions import KERNEL_DTYPES
from ..compiler.rows import Kind, lower_rows
from ..operator import Operator
from ..tapes import leaves_of, structure_of, with_leaves
from ..values import subtract

__all__ = ["Solves"]

RENT = 200  # rows solved one by one that cost about as much as the tape of one kind of row
MOST_PLANS = 16


class Solves:
    """What a factorization remembers of its solves.

    A signature (dtypes, shapes, strides, and which entries are None) gets a tape when it came so often that the tape
    pays for itself; in a long system of few kinds of rows, that is the second time.

    Attributes
    ----------
    plan : ListPlan used last, or None
    """

    def __init__(self):
        self.plan = None
        self.known = None  # signature -> ListPlan; how many solves until it has one; or None if it never will

    def __reduce__(self):
        return Solves, ()  # tapes hold addresses

    def run(self, b, out=None):
        """The solution for a list or an array of entries, the latter in `out` if it fits; None if there is no tape."""
        x = None if self.plan is None else run(self.plan, b, out)
        if x is None and self.known:
            plan = self.known.get(signature_of(b))
            if type(plan) is ListPlan:
                self.plan = plan
                x = run(plan, b, out)
        return x

    def saw(self, factorization, b, entries, x):
        """A solve went through the rows one by one: the next one of its signature may run a tape."""
        if self.known is None:  # the first one ever: most systems are solved once
            self.known = {}
            return
        if len(self.known) >= MOST_PLANS:
            self.known = {}
        signature = signature_of(b)
        left = self.known.get(signature, -1)
        if left is None or type(left) is ListPlan:  # a tape that cannot read this memory stays for memory that it can
            return
        if left > 0:
            self.known[signature] = left - 1
            return
        if type(b) is np.ndarray and b.ndim == 1:  # its entries came as numbers
            entries, x = ([y[i, ...] for i in range(len(y))] for y in (b, np.array(x)))
        rows = Rows(factorization, entries, x)
        if left < 0 and rows.kinds:
            left = RENT * len(rows.kinds) // len(b)
        self.known[signature] = left - 1 if left > 0 else rows.plan()


def run(plan, b, out):
    return plan(b) if type(b) is list else plan.of_array(b, out)


def signature_of(b):
    """A hashable value that stands for all that a tape depends on."""
    if type(b) is not list:
        return b.dtype, b.shape, b.strides[1:]
    return tuple([(x.dtype, x.shape, x.strides) if type(x) is np.ndarray else type(x) for x in b])


class Rows:
    """The rows of a solve, sorted by kind.

    Parameters
    ----------
    factorization : Factorization
    b, x : lists
        A right side and its solution.
    """

    def __init__(self, factorization, b, x):
        self.b, self.x = b, x
        self.kinds, self.order, self.fixed = {}, [], []
        self.argument = {i: at for at, i in enumerate(i for i, entry in enumerate(b) if entry is not None)}
        self.result = {i: -1 - at for at, i in enumerate(i for i, entry in enumerate(x) if entry is not None)}
        self.place = {}  # id of what an operator holds -> its number among the arguments
        arrays = [y for y in (*b, *x) if y is not None]
        if {type(y) for y in arrays} != {np.ndarray}:
            return
        dtypes = {y.dtype for y in arrays}
        if len(dtypes) > 1 or dtypes.pop() not in KERNEL_DTYPES:
            return
        order = range(len(b))
        for i in reversed(order) if factorization.is_upper else order:
            if x[i] is not None and not self.add(i, factorization.off[i], factorization.inverses[i]):
                self.kinds = {}
                return

    def add(self, i, row, inverse):
        """Sort row i in; False if one of its blocks has no place on a tape."""
        terms = [(j, block) for j, (_, _, block) in row if self.x[j] is not None]
        operators = [block for _, block in terms] + [inverse] * (inverse is not None)
        structures = [structure_of(op) if isinstance(op, Operator) else None for op in operators]
        if None in structures:
            return False
        values = [] if self.b[i] is None else [self.b[i]]
        names = [] if self.b[i] is None else [self.argument[i]]
        for j, _ in terms:
            values.append(np.empty_like(self.x[j], order="C"))
            names.append(self.result[j])
        leaves = [leaf for op in operators for leaf in leaves_of(op)]
        names.extend(map(self.number_of, leaves))
        names.append(self.result[i])
        given = None if self.b[i] is None else self.b[i].strides
        key = (*structures, inverse is None, given, self.x[i].shape, *[self.x[j].shape for j, _ in terms])
        if key not in self.kinds:
            function = row_of(given is not None, [block for _, block in terms], inverse)
            self.kinds[key] = len(self.kinds), Kind(function, values + leaves, self.x[i].shape)
        number, kind = self.kinds[key]
        self.order.append((number, len(kind.names)))
        kind.names.append(names)
        return True

    def number_of(self, leaf):
        if id(leaf) not in self.place:
            self.place[id(leaf)] = len(self.argument) + len(self.fixed)
            self.fixed.append(leaf)
        return self.place[id(leaf)]

    def plan(self):
        """The tape with what the operators hold, or None."""
        if not self.kinds:
            return None
        inputs = [*(entry for entry in self.b if entry is not None), *self.fixed]
        kinds = [kind for _, kind in self.kinds.values()]
        tape = lower_rows(kinds, self.order, inputs, [y for y in self.x if y is not None])
        if tape is None or not tape.fits(*inputs):
            return None
        given, results = ([entry is not None for entry in v] for v in (self.b, self.x))
        return ListPlan(tape, given, results, tuple(self.fixed))


def row_of(is_given, blocks, inverse):
    """x_i of b_i if it is given, of the x_j that the blocks act on, and of what blocks and inverse hold."""

    def row(*values):
        values = iter(values)
        r = next(values) if is_given else None
        arguments = [next(values) for _ in blocks]
        for block, x in zip(blocks, arguments, strict=True):
            r = subtract(r, with_leaves(block, values).apply(x))
        return r if inverse is None else with_leaves(inverse, values).apply(r)

    return row
