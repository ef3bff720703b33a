"""Sums that their terms accumulate: which they are, and which products and scatters wait for them."""

import numpy as np

from .elementwise import is_elementwise
from .instructions import KERNEL_DTYPES, is_small
from .program import Step
from .table import SCATTERS, SIGNS

__all__ = ["Sums"]


class Sums:
    """Which steps are sums that nothing else needs in parts.

    Parameters
    ----------
    steps : list of Step, those of a program
    users : dict, id(step) -> the steps that use it

    Attributes
    ----------
    accumulated : set
        The ids of the sums that are accumulated.
    waiting : set
        The ids of the products and scatters that such a sum computes.
    outermost : dict
        id(sum) -> the sum in whose memory it and all between them are accumulated.
    """

    def __init__(self, steps, users):
        self.users = users
        self.accumulated = set()
        self.waiting = set()
        self.outermost = {}
        continued = {}  # id(sum) -> the sum that goes on in its memory
        for step in steps:
            terms = step.arguments
            if step.function not in SIGNS or step.dtype not in KERNEL_DTYPES or 0 in step.shape:
                continue
            if self.is_product_and_more(step):
                self.accumulated.add(id(step))
                self.waiting.update(id(x) for x in terms if self.may_wait(x, step))
                continue
            if not all(type(x) is Step and x.shape == step.shape and x.dtype == step.dtype for x in terms):
                continue
            waiting = [x for x in terms if self.may_wait(x, step)]
            nested = [x for x in terms if self.is_nested(x, step)]
            scattered = any(x.function in SCATTERS for x in waiting)
            if len(waiting) + len(nested) == len(terms) or scattered or (waiting and not is_elementwise(step)):
                self.accumulated.add(id(step))
                self.waiting.update(map(id, waiting))
                if nested:
                    continued[id(nested[0])] = step
        for step in reversed(steps):
            if id(step) in continued:
                last = continued[id(step)]
                self.outermost[id(step)] = self.outermost.get(id(last), last)

    def is_product_and_more(self, step):
        """Whether one of two terms is a product of ours, which adds the other one, broadcast, to its own."""
        if len(step.arguments) != 2:
            return False
        x, y = sorted(step.arguments, key=lambda x: not self.may_wait(x, step))
        return (
            self.may_wait(x, step)
            and is_matrix_product(x)
            and type(y) is Step
            and y.dtype == x.dtype
            and not self.may_wait(y, step)
            and not self.is_nested(y, step)
            and all(a.ndim <= 2 and a.dtype == x.dtype for a in x.arguments)
            and is_small(*sizes_of(x), x.dtype)
        )

    def may_wait(self, x, step):
        """Whether an argument is a product, or a scatter, that only this sum needs."""
        return (
            type(x) is Step
            and x.shape == step.shape
            and x.dtype == step.dtype
            and len(self.users[id(x)]) == 1
            and (is_matrix_product(x) or (x.function in SCATTERS and SCATTERS[x.function](x)))
        )

    def is_nested(self, x, step):
        """Whether an argument is itself a sum that only this one needs."""
        return type(x) is Step and id(x) in self.accumulated and len(self.users[id(x)]) == 1 and x.dtype == step.dtype

    def covers(self, step):
        """Whether a step is one of these sums, or waits for one."""
        return id(step) in self.accumulated or id(step) in self.waiting


def sizes_of(step):
    """m, n, k of a product of two matrices or vectors."""
    a, b = (x.shape for x in step.arguments)
    return (1, *a)[-2], (*b, 1)[1], a[-1]


def is_matrix_product(step):
    return step.function is np.matmul and step.dtype in KERNEL_DTYPES
