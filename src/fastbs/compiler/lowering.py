"""Steps -> kernel instructions: what the lines of the table are written with.

Transposes, reshapes of contiguous values, broadcasts, slices and conjugates are views: they change strides or a flag,
and no instruction is emitted. Sums of products are accumulated by the products themselves (``c = alpha a b + c``). What
has no line in the table calls back into Python, or is left to NumPy altogether.
"""

import math
import operator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from ..arguments import is_sparse
from .clusters import LOAD, STORE, TooLarge, cluster_code, reduced_count
from .elementwise import FUNCTIONS
from .fuse import Cluster, apart, fused
from .instructions import (
    AXPBY,
    CALL,
    CLUSTER,
    CONJ_A,
    CONJ_B,
    COPY,
    FACTORED,
    FILL,
    GEMM,
    GEMV,
    KERNEL_DTYPES,
    LARGEST,
    LOOP,
    MUL,
    PRODUCT,
    RECURRENCE,
    CallCode,
    Instruction,
    NotLowerable,
    Object,
    Product,
    is_small,
)
from .program import INPUT, Step
from .sums import Sums
from .table import CALLED, PLACES, SIGNS, SIMPLE, TABLE, VIEWS, is_view
from .views import Buffer, View, contiguous, has_lines, has_unit_lines, merge

__all__ = ["Lowering"]

MAX_PEELED = 64  # instructions for axes that fit no (batch, row, column) pattern


class Lowering:
    """One program on its way to a tape.

    Parameters
    ----------
    program : Program
    inputs, outputs : lists of View
        Where the arguments and results lie; the view of a plain result is None.
    calls : bool
        Whether steps without kernels may call back into Python; else they raise `NotLowerable`.
    without : frozenset of str
        What is left out: "fused" clusters, "sums" accumulated by products (such a sum cannot become a call),
        "functions" of the result of another instruction there, and memory "reused".
    outer : Lowering, optional
        Of the program around this one: both share their buffers.
    """

    first_only: ClassVar[set] = set()  # functions whose further arguments are not operands of a cluster

    def __init__(self, program, inputs, outputs, calls=False, without=frozenset(), outer=None):
        self.program, self.calls, self.without, self.users = program, calls, without, program.users()
        self.sums = Sums(() if "sums" in without else program.steps, self.users)
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
        self.find_places()
        for unit in (apart if "fused" in self.without else fused)(self.program, is_view, self.sums.covers):
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
            if type(a) is Step and id(a) not in self.values and is_view(a):
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
            "functions" in self.without
            or type(x) is not Step
            or type(made) is not View
            or made.buffer.kind != "temporary"
            or len(self.users[id(x)]) != 1
            or [access.kind for access in code.accesses] != [LOAD, STORE]
            or len(code.operations) != 1
            or code.operations[0][0] >= len(FUNCTIONS)
            or last is None
            or last.opcode in (CLUSTER, RECURRENCE, CALL, LOOP, *FACTORED)
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
        last.d = (last.d or last.c) if last.beta else None  # the sum goes on from there
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
        last = self.sums.outermost.get(id(step), step)
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
        if value is None and is_view(argument):
            value = self.values[id(argument)] = VIEWS[argument.function](self, argument)
        if type(value) is not View:
            raise NotLowerable("a value without memory")
        return value

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
                    and not is_view(a)
                    and id(a) not in self.sums.waiting
                    and id(a) not in self.sums.outermost
                    and id(a) not in self.destinations
                ):
                    place = self.destination(step).indexed(index)
                    if place.shape == a.shape:
                        self.destinations[id(a)] = place

    def accumulate(self, step):
        """out = a +- b, in the memory of a sum that nothing else needs."""
        terms = list(zip(SIGNS[step.function], step.arguments, strict=True))
        out = self.destination(step)
        beta = 0.0
        if self.sums.is_product_and_more(step):
            (s, x), (t, y) = sorted(terms, key=lambda term: id(term[1]) not in self.sums.waiting)
            y = self.view(y)
            if not y.conj:
                self.multiply(self.values[id(x)], out, s, t, y.broadcast(out.shape))
                return out
        ready = [(s, x) for s, x in terms if id(x) not in self.sums.waiting]
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
            if id(x) not in self.sums.waiting:
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
            self.emit_call(CallCode(converted, [a], {"dtype": out.dtype}, out, None))

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
            self.emit_call(CallCode(converted, [a], {"dtype": out.dtype}, out, None))

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
        if not is_small(m, n, k, out.dtype):
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
        if is_small(m, n, k, dtype):
            self.emit(PRODUCT, dtype, m, n, k, *operands, alpha, beta, batch, flags, cost)
        elif n == 1 and not flags and operands[1][2] > 0 and operands[2][2] > 0:
            self.emit(GEMV, dtype, m, 1, k, *operands, alpha, beta, batch, 0, cost)
        elif m == 1 and not flags and operands[0][3] > 0 and operands[2][3] > 0:  # y' = B' x'
            x, B, y = ((buffer, offset, cs, rs, bs) for buffer, offset, rs, cs, bs in operands)
            self.emit(GEMV, dtype, n, 1, k, B, x, y, alpha, beta, batch, 0, cost)
        else:
            self.emit(GEMM, dtype, m, n, k, *operands, alpha, beta, batch, flags, cost)

    # Calls

    def call(self, step):
        """A step that Python runs, with copies of its arguments."""
        code = self.call_code(step)
        self.emit_call(code)
        return code.result

    def factored(self, opcode, step, a, c, result, m, n, flags=0, cost=0.0, d=None):
        """A factorization or a solve in place, which NumPy repeats where the matrix is singular, and so says it."""
        a, c, d = ((v.buffer, v.offset, *v.strides[-2:], 0) if v is not None else None for v in (a, c, d))
        self.emit(opcode, step.dtype, m, n, 1, a, None, c, 1.0, 0.0, 1, flags, cost, d)
        self.code[-1].detail = replace(self.call_code(step), result=result)

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
            else:
                a = captured(a)
            arguments.append(a)
        if step.shape is None or step.dtype.hasobject:
            result = Object(len(self.buffers["object"]))
            self.buffers["object"].append(result)
        else:
            result = self.destination(step)
        function = CALLED.get(step.function, step.function)
        if function is np.matmul and any(map(is_sparse, arguments)):
            function = operator.matmul  # as in the trace: NumPy's function does not know SciPy's matrices
        return CallCode(function, arguments, captured(step.keywords), result, step.where)

    def emit_call(self, code):
        if not self.calls:
            raise NotLowerable(f"no kernel for {code.function}")
        self.code.append(Instruction(CALL, 1, detail=code, cost=1e5))


def captured(value):
    """A plain value that its owner cannot change any more; see `compile`."""
    if isinstance(value, np.ndarray) or is_sparse(value):
        return value.copy()
    if type(value) in (tuple, list):
        return type(value)(map(captured, value))
    if type(value) is dict:
        return {name: captured(part) for name, part in value.items()}
    return value


def converted(x, dtype):
    """x in a dtype, for a call that does nothing else."""
    return np.asarray(x, dtype)
