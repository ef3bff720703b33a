"""Loops over numbers, distributed: a step of a loop keeps only what it owes to the step before.

What depends on rows alone is computed in front of the loop, what only results need behind it, both on arrays over all
steps; sums over the steps are sums of such arrays. A state that depends on the one before by additions and
multiplications with rows, as every cotangent does, becomes ``x_{i+1} = A_i x_i + b_i``: the matrices A_i of all steps
are multiplied out in front of the loop, and the loop is a back substitution with small dense blocks. Products of
coefficients may overflow where products with a state do not, and the zeros of choices times infinite states are NaN:
where the last states are not finite, the loop as it was runs instead.
"""

from dataclasses import replace
from types import MappingProxyType

import numpy as np

from .loops import is_of_numbers, prune_loop, pruned, with_inputs, with_loops_replaced
from .program import INPUT, Program, Step
from .simplify import common_subexpressions, number, simplify
from .table import PARTS

__all__ = ["distributed"]

MOST_STATES = 8  # of a loop whose matrices are multiplied out
LARGEST = 2**25  # numbers in the arrays over all steps that may be made
ONE = float(1)  # by identity


def distributed(program, optimize):
    """The program whose loops over numbers are distributed."""
    found = with_loops_replaced(program, results_of)
    return program if found is program else pruned(common_subexpressions(simplify(found)), lambda body: body)


def results_of(step):
    """The results of a loop that is distributed, None of one that stays."""
    loop = step.keywords["loop"]
    if is_of_numbers(loop) and loop.length > 1 and loop.length * len(loop.body.steps) <= LARGEST:
        return Distribution(step).results()
    return None


class Distribution:
    """One loop on its way; values over all steps have the shape (n,), or () where they are the same for all."""

    def __init__(self, step):
        self.step, self.loop = step, step.keywords["loop"]
        self.body, self.n = self.loop.body, self.loop.length
        self.users = self.body.users()
        c = self.loop.carries
        self.first = step.arguments[:c]
        self.outside = {id(x): value for x, value in zip(self.body.inputs[c:], step.arguments[c:], strict=True)}
        self.fixed = {j for j in range(c) if self.is_fixed(j)}
        self.outside |= {id(self.body.inputs[j]): self.first[j] for j in self.fixed}
        self.sums = {j: terms for j in range(c) if (terms := self.terms(j)) is not None}
        self.states = [j for j in range(c) if j not in self.sums and j not in self.fixed]
        summing = {id(self.body.inputs[j]) for j in self.sums}
        self.inside = []  # steps that depend on states
        for x in self.body.steps:
            arguments = [id(a) for a in x.arguments if type(a) is Step]
            if not summing.isdisjoint(arguments):
                summing.add(id(x))
            elif self.outside.keys() >= set(arguments):
                self.put_outside(x)
            else:
                self.inside.append(x)
        # The loop that is left
        self.made = Step(step.function, (), {}, None, None, step.where)
        self.requests = {}  # (kind, number) -> the step that is this result of it
        self.rows, self.free, self.ys = [], [], []  # values outside, and results, that it takes and gives
        self.steps_of_ys = []  # of the body as it was
        self.inputs = {}  # id(value outside) -> input of its body
        self.inner = {}  # id(step of the body) -> that of its body
        for j in self.states:
            x = self.body.inputs[j]
            self.inner[id(x)] = Step(INPUT, (j,), {}, (), x.dtype, None, x.weak)

    def is_fixed(self, j):
        """Whether a state stays what it is."""
        x, first = self.body.inputs[j], self.first[j]
        return (
            self.body.outputs[j] is x and np.result_type(first if type(first) is not Step else first.dtype) == x.dtype
        )

    def terms(self, j):
        """The signed terms of a state that is a sum over the steps, None for other states."""
        x, terms = self.body.inputs[j], []
        if any(i == j and kind not in ("ys", "last") for kind, i in self.loop.results):
            return None
        while x is not self.body.outputs[j]:
            if len(self.users[id(x)]) != 1 or self.users[id(x)][0] is None:
                return None
            (user,) = self.users[id(x)]
            if user.function not in (np.add, np.subtract) or user.dtype != x.dtype or x.dtype.char not in "fd":
                return None
            a, b = user.arguments
            if a is b or (b is x and user.function is np.subtract):
                return None
            terms.append((user, b if a is x else a))
            x = user
        return terms if terms and self.users[id(x)] == [None] else None

    def results(self):
        """The results of the loop, one by one."""
        c, outputs = self.loop.carries, [self.body.outputs[j] for j in self.states]
        behind = {id(x) for x in Program(self.body.inputs, outputs).steps}
        needed = [x for x in self.inside if id(x) in behind]
        left = self.as_products(needed, outputs)
        is_exact = left is None
        if is_exact:
            left = self.as_it_is(needed, outputs)
        wanted = [self.body.outputs[c + j] for kind, j in self.loop.results if kind == "ys"]
        self.compute_behind([*wanted, *[term for terms in self.sums.values() for _, term in terms]])
        found = [self.result(kind, j) for kind, j in self.loop.results]
        self.finish(left)
        if not is_exact:
            self.keep_as_it_was()
        return found

    # Values over all steps

    def put_outside(self, x):
        arguments = [self.outside[id(a)] if type(a) is Step else a for a in x.arguments]
        self.outside[id(x)] = self.over_all(x.function, arguments, x, x.keywords)

    def over_all(self, function, arguments, like, keywords=MappingProxyType({})):
        shape = (self.n,) if any(np.shape(a) for a in arguments) else ()
        return Step(function, tuple(arguments), dict(keywords), shape, like.dtype, like.where)

    def request(self, kind, j, like):
        """A result of the loop that is left."""
        if (kind, j) not in self.requests:
            arguments = (self.made, len(self.requests))
            shape = () if kind == "last" else (self.n,)
            self.requests[kind, j] = Step(PARTS["item"], arguments, {}, shape, like.dtype, like.where)
        return self.requests[kind, j]

    def compute_behind(self, wanted):
        """Puts outside what results and sums need of the steps inside."""
        inputs = {id(self.body.inputs[j]): i for i, j in enumerate(self.states)}
        outputs = {id(self.body.outputs[j]): i for i, j in enumerate(self.states)}
        stack, more = [x for x in wanted if type(x) is Step], set()
        while stack:
            x = stack.pop()
            if id(x) in self.outside or id(x) in more:
                continue
            if id(x) in inputs:
                self.outside[id(x)] = self.request("states", inputs[id(x)], x)
            elif id(x) in outputs:
                self.outside[id(x)] = self.request("next", outputs[id(x)], x)
            elif id(x) in self.inner:
                self.outside[id(x)] = self.request("ys", len(self.ys), x)
                self.ys.append(self.inner[id(x)])
                self.steps_of_ys.append(x)
            else:
                more.add(id(x))
                stack.extend([a for a in x.arguments if type(a) is Step])
        for x in self.inside:
            if id(x) in more:
                self.put_outside(x)

    def result(self, kind, j):
        if kind == "ys":
            y = self.body.outputs[self.loop.carries + j]
            return self.repeated(
                self.outside[id(y)] if type(y) is Step else y, np.result_type(y) if type(y) is not Step else y.dtype
            )
        if j in self.fixed:
            return self.first[j] if kind == "last" else self.repeated(self.first[j], self.body.inputs[j].dtype)
        if j in self.sums:
            return self.total(j)
        return self.request(kind, self.states.index(j), self.body.inputs[j])

    def repeated(self, value, dtype):
        """A value over all steps, where it is the same for all."""
        if np.shape(value):
            return value
        if type(value) is not Step:
            return np.full(self.n, value, dtype)
        return Step(np.broadcast_to, (value, (self.n,)), {}, (self.n,), dtype, value.where)

    def total(self, j):
        """The first state and the sum of the terms over all steps, which may cancel in each of them."""
        user, x = None, None
        for other, term in self.sums[j]:
            term = self.outside[id(term)] if type(term) is Step else term
            if x is None:
                user, x = other, term
            else:
                x = self.over_all(np.add if other.function is user.function else np.subtract, [x, term], user)
        if np.shape(x):
            x = x if type(x) is Step and x.dtype == user.dtype else self.over_all(np.positive, [x], user)
            x = Step(np.sum, (x,), {}, (), user.dtype, user.where)
        else:
            x = self.over_all(np.multiply, [float(self.n), x], user) if type(x) is Step else self.n * number(x)
        first = self.first[j]
        if type(first) is not Step and number(first) == 0:
            return x if user.function is np.add else self.over_all(np.negative, [x], user)
        return self.over_all(user.function, [first, x], user)

    # The loop that is left

    def input_of(self, value):
        """The input of the new body that stands for a value outside; numbers are themselves."""
        if type(value) is not Step and not np.shape(value):
            return value.item() if isinstance(value, (np.ndarray, np.generic)) else value
        if id(value) not in self.inputs:
            dtype, weak = (value.dtype, type(value) is Step and value.weak)
            self.inputs[id(value)] = Step(INPUT, (0,), {}, (), dtype, None, weak)
            (self.rows if np.shape(value) else self.free).append(value)
        return self.inputs[id(value)]

    def inner_of(self, a):
        if type(a) is not Step:
            return a
        return self.inner[id(a)] if id(a) in self.inner else self.input_of(self.outside[id(a)])

    def as_it_is(self, needed, outputs):
        """The next states, by the steps that they need."""
        for x in needed:
            self.inner[id(x)] = x.with_arguments(tuple(map(self.inner_of, x.arguments)))
        return list(map(self.inner_of, outputs))

    def as_products(self, needed, outputs):
        """The next states as sums of products with the states, None if they are more than that, or no fewer steps."""
        if not 0 < len(self.states) <= MOST_STATES:
            return None
        try:
            lines, base = Coefficients(self, needed).of(outputs)
        except NotLinear:
            return None
        if sum(map(len, lines)) + len(base) >= len(needed) or not stays_infinite(lines):
            return None
        for x in base.values():
            self.as_it_is([x], [])
        parts = {j: self.inner[id(base.get(j, self.body.inputs[j]))] for j in self.states}
        for x in base.values():
            del self.inner[id(x)]
        left = []
        for line, x in zip(lines, outputs, strict=True):
            total = None
            for j, value in line.items():
                term = self.input_of(value)
                if j is not None:
                    term = parts[j] if value is ONE else Step(np.multiply, (term, parts[j]), {}, (), x.dtype, x.where)
                total = term if total is None else Step(np.add, (total, term), {}, (), x.dtype, x.where)
            left.append(0.0 if total is None else total)
        return left

    def finish(self, outputs):
        """Makes the step of the loop that is left."""
        inputs = [self.inner[id(self.body.inputs[j])] for j in self.states]
        inputs += [self.inputs[id(value)] for value in (*self.rows, *self.free)]
        outputs = [*outputs, *self.ys]
        body = with_inputs(Program(inputs, outputs), range(len(inputs)), outputs)
        self.made.arguments = (*[self.first[j] for j in self.states], *self.rows, *self.free)
        self.made.keywords = {
            "loop": replace(
                self.loop, body=body, carries=len(self.states), rows=len(self.rows), results=tuple(self.requests),
                examples=((), ()), derived={},
            )
        }  # fmt: skip

    def keep_as_it_was(self):
        """The loop as it was, with the same results, for where the last states of the one that is left are infinite."""
        for j in range(len(self.states)):
            self.request("last", j, self.body.inputs[self.states[j]])
        body = Program(self.body.inputs, [*self.body.outputs[: self.loop.carries], *self.steps_of_ys])
        results = [(kind, j if kind == "ys" else self.states[j]) for kind, j in self.requests]
        loop = replace(self.loop, body=body, results=tuple(results), examples=((), ()), derived={})
        was = Step(self.step.function, self.step.arguments, {"loop": loop}, None, None)
        arguments, keywords = prune_loop(was, range(len(results)), lambda body: body)
        self.made.arguments += arguments
        left = self.made.keywords["loop"]
        self.made.keywords = {"loop": replace(left, results=tuple(self.requests), instead=keywords["loop"])}


def stays_infinite(lines):
    """Whether an infinite state, or NaN, is seen in the last states: it must go on to states that depend on themselves.

    States that are another one before, or do not depend on any, are what they were.
    """
    going = set(range(len(lines)))
    while True:
        ended = {j for j in going if not any(j in lines[i] for i in going)}
        if not ended:
            break
        going -= ended
    return all(j in going or line.keys() <= {None} or list(line.values()) == [ONE] for j, line in enumerate(lines))


class NotLinear(Exception):
    """A state depends on the one before by more than additions and multiplications."""


class Coefficients:
    """What steps inside of a loop are as sums of products: ``{state: coefficient, None: what no state multiplies}``.

    A state to which a row is added before anything else is taken with that row.
    """

    def __init__(self, loop, needed):
        self.loop, self.known, self.base = loop, {}, {}
        ids = {id(x) for x in needed}
        for j in loop.states:
            x = loop.body.inputs[j]
            users = [user for user in loop.users[id(x)] if user is None or id(user) in ids]
            if len(users) == 1 and users[0] is not None and self.is_shift(users[0], x):
                self.base[j] = users[0]
            self.known[id(self.base.get(j, x))] = {j: ONE}
        for x in needed:
            if id(x) not in self.known:
                self.known[id(x)] = self.line(x)

    def of(self, outputs):
        return [self.take(y) for y in outputs], self.base

    def is_shift(self, user, x):
        others = [a for a in user.arguments if a is not x]
        return (
            (user.function is np.add or (user.function is np.subtract and user.arguments[0] is x))
            and len(others) == 1
            and user.dtype == x.dtype
            and (type(others[0]) is not Step or id(others[0]) in self.loop.outside)
        )

    def take(self, a):
        if type(a) is Step and id(a) in self.known:
            return self.known[id(a)]
        return {None: self.loop.outside[id(a)] if type(a) is Step else a}

    def line(self, x):
        arguments = [self.take(a) for a in x.arguments]
        constant = [set(a) <= {None} for a in arguments]
        if x.function in (np.add, np.subtract):
            a, b = arguments
            return {j: self.sum(x, a.get(j), b.get(j)) for j in dict.fromkeys((*a, *b))}
        if x.function is np.negative or x.function is np.positive:
            return {j: self.make(x.function, (value,), x) for j, value in arguments[0].items()}
        if x.function is np.multiply and any(constant):
            a, b = arguments if constant[1] else arguments[::-1]
            return {j: self.times(x, value, b[None]) for j, value in a.items()}
        if x.function is np.true_divide and constant[1]:
            return {j: self.make(np.true_divide, (value, arguments[1][None]), x) for j, value in arguments[0].items()}
        if x.function is np.where and constant[0]:
            flag, a, b = arguments
            names = dict.fromkeys((*a, *b))
            return {j: self.make(np.where, (flag[None], a.get(j, 0.0), b.get(j, 0.0)), x) for j in names}
        raise NotLinear

    def sum(self, x, a, b):
        if b is None:
            return a
        if a is None:
            return b if x.function is np.add else self.make(np.negative, (b,), x)
        return self.make(x.function, (a, b), x)

    def times(self, x, a, b):
        return b if a is ONE else self.make(np.multiply, (a, b), x)

    def make(self, function, arguments, like):
        return self.loop.over_all(function, arguments, like)
