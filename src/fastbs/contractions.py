"""Lowerings of sums over products and of exponentials: einsum as matrix products, logsumexp in two passes of a cluster.

An einsum of several operands becomes a chain of pairs. A pair is a stack of matrix products if a label is summed over,
and a product with broadcasting if none is.
"""

import math
from dataclasses import replace

import numpy as np

from .compiler.instructions import KERNEL_DTYPES, NotLowerable, Product
from .compiler.program import Step
from .compiler.simplify import IDENTITIES
from .compiler.table import TABLE, VIEW_CONDITIONS, VIEWS
from .compiler.views import merge
from .rules.einsum import einsum_labels
from .rules.reductions import log_sum_exp

__all__ = []


def reduced(function, x, axes, keepdims=False):
    """A step that reduces these negative axes."""
    shape = [1 if i - x.ndim in axes else n for i, n in enumerate(x.shape) if keepdims or i - x.ndim not in axes]
    keywords = {"axis": tuple(axes), "keepdims": keepdims}
    return Step(function, (x,), keywords, tuple(shape), x.dtype, x.where)


def reshaped(x, shape):
    if type(x) is not Step:
        return np.reshape(x, shape)
    return Step(np.reshape, (x, shape), {}, shape, x.dtype, x.where)


def transposed(x, order):
    return Step(np.transpose, (x, order), {}, tuple([x.shape[i] for i in order]), x.dtype, x.where)


# einsum


def einsum(step):
    """Operands without labels of their own that are summed, in pairs; a pair without a sum as a product."""
    subscripts, *operands = step.arguments
    if step.dtype.char not in "fd" or 0 in step.shape:
        return step
    if any(x.dtype != step.dtype or 0 in x.shape for x in operands):
        return step
    labels, output = einsum_labels(subscripts, tuple([x.ndim for x in operands]))
    lengths = {}
    for names, x in zip(labels, operands, strict=True):
        for c, n in zip(names, x.shape, strict=True):
            if lengths.setdefault(c, n) != n:
                return step  # an axis of length 1 broadcasts
    if len(operands) == 1:
        return alone(step, operands[0], labels[0], output)
    parts = []
    for i, (names, x) in enumerate(zip(labels, operands, strict=True)):
        needed = set(output).union(*labels[:i], *labels[i + 1 :])
        kept = "".join(dict.fromkeys(c for c in names if c in needed))
        parts.append((kept, alone(step, x, names, kept)))
    for group in cheapest_path(parts, output):
        chosen = [parts[i] for i in group]
        parts = [part for i, part in enumerate(parts) if i not in group]
        while len(chosen) > 1:
            (a, x), (b, y), *chosen = chosen
            needed = set(output).union(*[names for names, _ in (*parts, *chosen)])
            kept = "".join(dict.fromkeys(c for c in a + b if c in needed)) if parts or chosen else output
            chosen.insert(0, (kept, paired(step, a, x, b, y, kept, lengths)))
        parts += chosen
    return parts[0][1]


def cheapest_path(parts, output):
    """The groups of a greedy contraction, as positions in the list that the last one, appended, leaves."""
    if len(parts) == 2:
        return [(0, 1)]
    examples = [np.broadcast_to(0.0, x.shape) for _, x in parts]
    path, _ = np.einsum_path(",".join(names for names, _ in parts) + "->" + output, *examples, optimize="greedy")
    return path[1:]


def alone(step, x, names, output):
    """The einsum of one operand: diagonals, sums, and the axes in their order."""
    if type(x) is not Step:
        return np.einsum(f"{names}->{output}", x)
    while len(set(names)) < len(names):
        c = next(c for c in names if names.count(c) > 1)
        i = names.index(c)
        j = names.index(c, i + 1)
        n = x.ndim
        shape = (*[m for k, m in enumerate(x.shape) if k not in (i, j)], x.shape[i])
        x = Step(np.diagonal, (x,), {"offset": 0, "axis1": i - n, "axis2": j - n}, shape, x.dtype, step.where)
        names = "".join(d for k, d in enumerate(names) if k not in (i, j)) + c
    summed = [i - x.ndim for i, c in enumerate(names) if c not in output]
    if summed:
        x = reduced(np.sum, x, summed)
        names = "".join(c for c in names if c in output)
    return x if names == output else transposed(x, tuple([names.index(c) for c in output]))


def paired(step, a, x, b, y, output, lengths):
    """The einsum of two operands."""
    if type(x) is not Step and type(y) is not Step:
        return np.einsum(f"{a},{b}->{output}", x, y)
    shape = tuple([lengths[c] for c in output])
    summed = set(a + b) - set(output)
    if summed and set(a) != set(b):
        return Step(np.einsum, (f"{a},{b}->{output}", x, y), {}, shape, step.dtype, step.where)
    full = output + "".join(c for c in a if c in summed)
    factors = []
    for names, z in ((a, x), (b, y)):
        order = "".join(c for c in full if c in names)
        z = alone(step, z, names, order)
        factors.append(reshaped(z, tuple([lengths[c] if c in names else 1 for c in full])))
    product = Step(np.multiply, tuple(factors), {}, tuple([lengths[c] for c in full]), step.dtype, step.where)
    return reduced(np.sum, product, tuple(range(-len(summed), 0))) if summed else product


IDENTITIES[np.einsum] = einsum


def lower_einsum(to, step):
    """A stack of matrix products, written where the result lies."""
    subscripts, *operands = step.arguments
    if len(operands) != 2 or step.dtype not in KERNEL_DTYPES:
        raise NotLowerable("an einsum that is no matrix product")
    (a, b), output = einsum_labels(subscripts, tuple([x.ndim for x in operands]))
    if len(set(a)) < len(a) or len(set(b)) < len(b) or set(a) - set(b) - set(output) or set(b) - set(a) - set(output):
        raise NotLowerable("an einsum that is no matrix product")
    if output and output[-1] in a and output[-1] not in b:  # rows of the result are contiguous
        a, b, operands = b, a, operands[::-1]
    x, y = (to.operand(z, step.dtype) for z in operands)
    lengths = dict(zip(a + b, x.shape + y.shape, strict=True))
    if lengths != dict(zip(b + a, y.shape + x.shape, strict=True)):
        raise NotLowerable("an einsum with axes that broadcast")
    stack = [c for c in output if c in a and c in b]
    rows, columns = [c for c in output if c not in b], [c for c in output if c not in a]
    summed = [c for c in a if c not in output]
    out = to.destination(step)
    c = grouped(out, output, (*stack, rows, columns))
    if c is None:
        raise NotLowerable("an einsum whose result is no stack of matrices")
    a, b = (
        grouped(z, names, groups) or grouped(to.materialized(permuted(z, names, groups)), flat(groups), groups)
        for z, names, groups in ((x, a, (*stack, rows, summed)), (y, b, (*stack, summed, columns)))
    )
    to.multiply(Product(a, b, c.shape), c)
    return out


def flat(groups):
    return "".join(c for group in groups for c in group)


def permuted(view, names, groups):
    return view.permuted([names.index(c) for c in flat(groups)])


def grouped(view, names, groups):
    """The view with an axis a group of labels; None if that takes a copy."""
    axes = []
    for group in groups:
        at = [names.index(c) for c in group]
        length = math.prod(view.shape[i] for i in at)
        joined = merge([view.shape[i] for i in at], [view.strides[i] for i in at])
        if len(joined) > 1:
            return None
        axes.append((length, joined[0][1][0] if joined else 0))
    return replace(view, shape=tuple([n for n, _ in axes]), strides=tuple([s for _, s in axes]))


TABLE[np.einsum] = lower_einsum


# The diagonal is a view


def view_diagonal(to, step):
    x = to.view(step.arguments[0])
    offset, i, j = (step.keywords[name] for name in ("offset", "axis1", "axis2"))
    rest = [k for k in range(x.ndim) if k - x.ndim not in (i, j)]
    start = max(-offset, 0) * x.strides[i] + max(offset, 0) * x.strides[j]
    return replace(
        x, shape=step.shape, strides=(*[x.strides[k] for k in rest], x.strides[i] + x.strides[j]),
        offset=x.offset + start,
    )  # fmt: skip


VIEWS[np.diagonal] = view_diagonal
VIEW_CONDITIONS[np.diagonal] = lambda step: 0 not in step.shape


# log sum exp


def log_sum_exp_in_steps(step):
    """log(sum(exp(x - m))) + m with the finite maximum m."""
    (x,) = step.arguments
    if type(x) is not Step or x.dtype != step.dtype or x.dtype.char not in "fd" or 0 in x.shape or not x.ndim:
        return step
    axes = step.keywords.get("axis", tuple(range(-x.ndim, 0)))
    m = reduced(np.max, x, axes, keepdims=True)
    is_finite = Step(np.isfinite, (m,), {}, m.shape, np.dtype(bool), step.where)
    m = m.like(np.where, is_finite, m, 0.0)
    total = reduced(np.sum, x.like(np.exp, x.like(np.subtract, x, m)), axes, keepdims=True)
    y = m.like(np.add, m.like(np.log, total), m)
    return y if y.shape == step.shape else reshaped(y, step.shape)


IDENTITIES[log_sum_exp] = log_sum_exp_in_steps
