"""Dense Jacobians of a recorded program in the cheapest order.

The program is cut where every path passes a single step; each part is applied to stacks of directions, forward
or in reverse, and dense parts are multiplied as `fastbs.chain` plans it. Diagonal steps stay diagonal: they are
applied to whichever side is thin.
"""

import functools

import numpy as np

from ._trace import Node, steps
from .chain import Plan, plan_chain
from .forward import pulled_units, pushed_units
from .system import derivative
from .values import add

__all__ = ["ChainedJacobian", "dense_jacobian", "edges_of", "size"]


def edges_of(inputs, outputs):
    """step -> [(argument, operator)] for all steps that depend on the inputs, in execution order."""
    edges, reached = {}, set(inputs)
    for node in steps(outputs):
        if node.function is None:
            continue
        terms = []
        for k, argument in enumerate(node.arguments):
            if type(argument) is Node and argument in reached:
                op = derivative(node, k)
                if op is not None:
                    terms.append((argument, op))
        if terms:
            reached.add(node)
            edges[node] = terms
    return edges


class ChainedJacobian:
    """The derivative of outputs with respect to inputs as a chain of parts.

    Parameters
    ----------
    inputs, outputs : lists of Node
        Taken together as one vector each.
    """

    def __init__(self, inputs, outputs):
        self.inputs, self.outputs = inputs, outputs
        self.edges = edges_of(inputs, outputs)
        self._cut()

    def _cut(self):
        order = list(self.edges)
        position = {node: k + 1 for k, node in enumerate(order)} | dict.fromkeys(self.inputs, 0)
        end = len(order) + 1
        jumps = [(position[a], position[node]) for node, edges in self.edges.items() for a, _ in edges]
        jumps += [(position[y], end) for y in self.outputs if y in position]
        cover = np.zeros(end + 1, int)
        for p, q in jumps:
            cover[p + 1] += 1
            cover[q] -= 1
        free = np.flatnonzero(np.cumsum(cover)[1:end] == 0)
        # a step with several results is no array to cut at
        self.cuts = [order[k] for k in free if not isinstance(order[k].value, tuple)]
        if len(self.outputs) == 1 and self.cuts and self.cuts[-1] is self.outputs[0]:
            self.cuts.pop()  # the output is an end, not a cut
        bounds = [position[c] for c in self.cuts]
        # part k holds the steps behind cut k - 1 up to cut k
        self.parts = [order[a:b] for a, b in zip([0, *bounds], [*bounds, len(order)], strict=True)]
        ends = [[c] for c in self.cuts]
        self.sources, self.targets = [self.inputs, *ends], [*ends, self.outputs]
        self.sizes = [sum(size(y) for y in group) for group in [self.inputs, *ends, self.outputs]]
        self.costs = [sum(op.flops for node in part for _, op in self.edges[node]) for part in self.parts]

    def plan(self, order):
        """The `Plan` of an order: "forward", "reverse", or "auto" for the cheapest."""
        last = len(self.parts) - 1
        if order == "auto":
            return cached_plan(tuple(self.sizes), tuple(self.costs))
        n = self.sizes[0] if order == "forward" else self.sizes[-1]
        return Plan(order, 0, last, n * sum(self.costs))

    def dense(self, plan):
        """The dense Jacobian of the planned parts, (elements of the target, elements of the source)."""
        if plan.kind == "product":
            return self.dense(plan.left) @ self.dense(plan.right)
        if plan.kind == "forward":
            start = None if plan.right is None else self.dense(plan.right)
            return self._forward(plan.first, plan.last, start)
        start = None if plan.left is None else self.dense(plan.left)
        return self._reverse(plan.first, plan.last, start)

    def _forward(self, first, last, start):
        sources, targets = self.sources[first], self.targets[last]
        steps = [node for part in self.parts[first : last + 1] for node in part]
        if start is None:
            return np.transpose(pushed_units(sources, targets, {node: self.edges[node] for node in steps}))
        tangents = {sources[0]: columns(start, sources[0])}
        for node in steps:
            terms = [op.apply(tangents[a]) for a, op in self.edges[node] if a in tangents]
            dy = functools.reduce(add, terms, None)
            if dy is not None:
                tangents[node] = dy
        n = start.shape[1]
        return np.transpose(np.concatenate([flat(tangents.get(y), y, n) for y in targets], axis=1))

    def _reverse(self, first, last, start):
        sources, targets = self.sources[first], self.targets[last]
        steps = [node for part in self.parts[first : last + 1] for node in part]
        if start is None:
            return pulled_units(targets, sources, {node: self.edges[node] for node in steps})
        cotangents = {targets[0]: rows(start, targets[0])}
        for node in reversed(steps):
            g = cotangents.pop(node, None)
            if g is not None:
                for a, op in self.edges[node]:
                    cotangents[a] = add(cotangents.get(a), op.apply_adjoint(g))
        n = start.shape[0]
        return np.concatenate([flat(cotangents.get(x), x, n) for x in sources], axis=1)


def dense_jacobian(inputs, outputs, cotangents, order):
    """``[J]``, J of shape (elements of the outputs, elements of the inputs); there are no cotangents."""
    if order == "symmetric":
        return [pushed_units(inputs, outputs, edges_of(inputs, outputs), symmetric=True)]
    chain = ChainedJacobian(inputs, outputs)
    return [chain.dense(chain.plan(order))]


@functools.lru_cache(maxsize=256)
def cached_plan(sizes, costs):
    return plan_chain(list(sizes), list(costs))


def size(node):
    return int(np.size(node.value))


def columns(J, node):
    """The columns of a dense Jacobian as a stack of tangents of its target."""
    return np.reshape(np.transpose(J), (J.shape[1], *node.shape))


def rows(J, node):
    """The rows of a dense Jacobian as a stack of cotangents of its source."""
    return np.reshape(J, (J.shape[0], *node.shape))


def flat(stack, node, n):
    """A stack of n directions as rows of numbers; zeros where nothing arrived."""
    if stack is None:
        return np.zeros((n, size(node)), node.value.dtype)
    return np.reshape(stack, (n, size(node)))
