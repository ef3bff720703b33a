"""(D, L) of a recorded program, and its solves in the order asked for."""

from ._trace import Node, steps
from .rules.several import Joint
from .rules.table import RULES
from .values import add

__all__ = ["derivative", "pull_back", "push_forward"]


def derivative(node, k):
    """The operator d(result) / d(argument k) of one step, None for zero."""
    rules = RULES.get(node.function)
    if rules is None or rules[k] is None:
        return None
    return rules[k](node.value, *node.values, **node.keywords)


def plus(x, y):
    """x + y; the results of a step with several are tuples, with None for zero."""
    return add(x, y) if type(x) is tuple or y is None else x + y


def pull_back(inputs, outputs, cotangents):
    """D^H (I - L)^-H g: back substitution with the adjoint of every step.

    Parameters
    ----------
    inputs, outputs : lists of Node
    cotangents : list of arrays, one an output, with any leading stack axes

    Returns
    -------
    list of arrays, one an input; None where no output depends on it
    """
    solution, found = {}, {}
    for node, g in zip(outputs, cotangents, strict=True):
        solution[node] = solution[node] + g if node in solution else g
    for node in reversed(steps(outputs)):
        g = solution.pop(node, None)
        if g is None:
            continue
        if node.function is None:
            found[node] = g
            continue
        rules = RULES.get(node.function)
        if rules is None:
            continue
        values = node.values
        for k, argument in enumerate(node.arguments):
            if type(argument) is Node and rules[k] is not None:
                op = rules[k](node.value, *values, **node.keywords)
                if op is not None:
                    term = op.apply_adjoint(g)
                    known = solution.get(argument)
                    if term is None:
                        continue
                    solution[argument] = term if known is None else plus(known, term)
    return [found.get(node) for node in inputs]


def push_forward(inputs, outputs, tangents):
    """(I - L)^-1 D dp: forward substitution with every step.

    Parameters
    ----------
    inputs, outputs : lists of Node
    tangents : list of arrays, one an input, with any leading stack axes; None for zero

    Returns
    -------
    list of arrays, one an output; None where it depends on no input
    """
    solution = {node: dp for node, dp in zip(inputs, tangents, strict=True) if dp is not None}
    for node in steps(outputs):
        rules = RULES.get(node.function)
        if rules is None:
            continue
        values, total = node.values, None
        if isinstance(rules, Joint):
            given = [solution.get(a) if type(a) is Node else None for a in node.arguments]
            total = (
                rules.push(node.value, values, given, **node.keywords) if any(t is not None for t in given) else None
            )
            if total is not None:
                solution[node] = total
            continue
        for k, argument in enumerate(node.arguments):
            if type(argument) is Node and rules[k] is not None and argument in solution:
                op = rules[k](node.value, *values, **node.keywords)
                if op is not None:
                    term = op.apply(solution[argument])
                    total = term if total is None else plus(total, term)
        if total is not None:
            solution[node] = total
    return [solution.get(node) for node in outputs]
