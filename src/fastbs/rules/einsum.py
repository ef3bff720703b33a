"""Sums of products: the derivative of an einsum with respect to an operand is an einsum."""

import functools
import math
import string

import numpy as np

from ..operators.product import Map
from .several import Holomorphic, as_array, variadic
from .table import record


@functools.lru_cache(maxsize=1000)
def einsum_labels(subscripts, ndims):
    """One string of labels an operand, and the labels of the result; an ellipsis becomes labels that are free."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    inputs = inputs.split(",")
    named = [labels.replace("...", "") for labels in inputs]
    hidden = [n - len(labels) for n, labels in zip(ndims, named, strict=True)]
    unused = [c for c in string.ascii_letters if c not in subscripts]
    ellipsis = "".join(unused[: max(hidden, default=0)])
    if not arrow:
        once = [c for c in sorted(set("".join(named))) if "".join(named).count(c) == 1]
        output = "..." + "".join(once)
    # as NumPy broadcasts, an operand has the last axes of the ellipsis
    inputs = tuple(s.replace("...", ellipsis[len(ellipsis) - n :]) for s, n in zip(inputs, hidden, strict=True))
    return inputs, output.replace("...", ellipsis)


def einsum_rule(k, y, subscripts, *operands, optimize=False):
    """dx_k -> the same einsum with it in the place of x_k; ``...`` is the stack of directions."""
    operands = list(operands)
    x = operands.pop(k - 1)
    ndims = [z.ndim for z in operands]
    ndims.insert(k - 1, x.ndim)
    inputs, output = einsum_labels(subscripts, tuple(ndims))
    others, mine = [*inputs[: k - 1], *inputs[k:]], inputs[k - 1]
    forward = ",".join(["..." + mine, *others]) + "->..." + output

    # Back: what the labels of x_k do in the result, undone
    length = {}  # an axis of length 1 broadcasts
    for labels, z in zip((mine, *others), (x, *operands), strict=True):
        length.update((c, n) for c, n in zip(labels, z.shape, strict=True) if length.get(c, 1) == 1)
    fresh = (c for c in string.ascii_letters if c not in subscripts and c not in "".join((output, *inputs)))
    remaining = {
        (c, n) for labels, z in zip(others, operands, strict=True) for c, n in zip(labels, z.shape, strict=True)
    }
    rest, factors, target = list(others), list(operands), ""
    dtype = y.dtype
    for c, n in zip(mine, x.shape, strict=True):
        if n != length[c]:  # broadcast: a sum
            c = next(fresh)
            rest.append(c)
            factors.append(np.ones(n, dtype))
        elif c in target:  # repeated: the diagonal only
            new = next(fresh)
            rest.append(c + new)
            factors.append(np.eye(n, dtype=dtype))
            c = new
        elif c not in output and (c, n) not in remaining:  # summed: the same everywhere
            rest.append(c)
            factors.append(np.ones(n, dtype))
        target += c
    backward = ",".join(["..." + output, *rest]) + "->..." + target
    optimize = bool(optimize)
    op = Map(
        lambda X: np.einsum(forward, X, *operands, optimize=optimize),
        lambda Y: np.einsum(backward, Y, *factors, optimize=optimize),
        x.shape, y.shape, symbol=f"Σ{k - 1}", work=(len(operands) + 1) * math.prod(length.values()),
        labels=(mine, output) if len({*mine}) == len(mine) else None,
    )  # fmt: skip
    return Holomorphic(op, x.dtype.kind != "c") if dtype.kind == "c" else op


def einsum(*operands, optimize=False, dtype=None, order="K", casting="safe"):
    if dtype is not None:
        raise TypeError(f"einsum: dtype must be left away because it has no rule; got {dtype!r}, use x.astype")
    if not isinstance(operands[0], str):
        operands = with_letters(operands)
    if not isinstance(optimize, bool | str):
        optimize = [step if isinstance(step, str) else tuple(step) for step in optimize]
    operands = (operands[0], *map(as_array, operands[1:]))
    return record(np.einsum, operands, {"optimize": optimize} if optimize is not False else {})


def with_letters(operands):
    """``einsum(a, [0, 1], b, [1, 2], [0, 2])`` in subscripts: numbers are letters in alphabetical order."""
    *pairs, output = operands if len(operands) % 2 else (*operands, None)
    text = [
        "".join("..." if label is Ellipsis else string.ascii_letters[label] for label in labels)
        for labels in (*pairs[1::2], *(() if output is None else (output,)))
    ]
    subscripts = ",".join(text[: len(pairs) // 2]) + ("" if output is None else "->" + text[-1])
    return subscripts, *pairs[::2]


variadic(np.einsum, einsum_rule, recorder=einsum)
