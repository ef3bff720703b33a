"""Kronecker chains, as each rival would apply them: one table that asv and the report share."""

import functools
import math
from string import ascii_letters

import numpy as np

import fastbs as fb

from .paired import check_agreement, compare
from .tables import Ratios

try:
    import pyfastkron.fastkronnumpy as fastkron
except ImportError:  # a peer, never required
    fastkron = None
try:
    import opt_einsum
except ImportError:
    opt_einsum = None

# shapes of the factors, columns, and the most that may be taken of the better peer's time
CHAINS = {
    "8^5": ([(8, 8)] * 5, 1, 0.8),
    "8^5, 16 columns": ([(8, 8)] * 5, 16, 0.8),
    "16^4": ([(16, 16)] * 4, 1, 0.8),
    "16^4, 16 columns": ([(16, 16)] * 4, 16, 0.8),
    "32^3": ([(32, 32)] * 3, 1, 0.9),
    "32^3, 16 columns": ([(32, 32)] * 3, 16, 1.05),
    "64^3": ([(64, 64)] * 3, 1, 1.05),
    "128^2": ([(128, 128)] * 2, 1, 1.05),
    "4^5": ([(4, 4)] * 5, 1, 0.1),
    "2^10": ([(2, 2)] * 10, 1, 0.1),
    "4x4": ([(4, 4)] * 2, 1, 0.05),
    "ragged": ([(5, 7), (11, 3), (6, 13), (9, 4), (3, 8)], 4, 0.35),
    "rectangular 8x64": ([(8, 64)] * 3, 1, 0.9),
    "rectangular 64x8": ([(64, 8)] * 3, 1, 0.9),
}


def rivals(shapes, columns, dtype=np.float64, seed=0):
    """``{name: callable}``; every rival gets the columns in the memory order it likes best."""
    rng = np.random.default_rng(seed)
    factors = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    inner = [n for _, n in reversed(shapes)]
    x = rng.standard_normal((math.prod(inner), columns)).astype(dtype)
    op = fb.Kronecker(*factors)
    # our operand: the columns are the stack; vec(X) has the first axis fastest, which is Fortran order
    stack = np.ascontiguousarray(x.T)
    X = np.transpose(stack.reshape(columns, *inner[::-1]), (0, *range(len(inner), 0, -1)))
    X = X[0] if columns == 1 else X
    found = {"fastbs": lambda: op @ X}
    if fastkron is not None:
        transposed = [np.ascontiguousarray(A.T) for A in factors]
        found["fastkron gekmm"] = lambda: fastkron.gekmm(factors, x)
        found["fastkron gemkm"] = lambda: fastkron.gemkm(stack, transposed)
    if opt_einsum is not None:
        k = len(shapes)
        i, o, s = ascii_letters[:k], ascii_letters[k : 2 * k], ascii_letters[2 * k]
        expression = ",".join(f"{o[j]}{i[j]}" for j in range(k)) + f",{s}{i}->{s}{o}"
        stacked = stack.reshape(columns, *inner[::-1])
        contract = opt_einsum.contract_expression(expression, *shapes, stacked.shape)
        found["opt_einsum"] = lambda: contract(*factors, stacked)
    return found


def as_columns(name, result, columns):
    """The result of a rival as (columns, numbers), for comparison."""
    result = np.asarray(result)
    if name == "fastbs":
        first = result.ndim if columns == 1 else result.ndim - 1
        result = np.transpose(
            result, (*range(result.ndim - first), *range(result.ndim - 1, result.ndim - first - 1, -1))
        )
    elif name == "fastkron gekmm":
        result = result.T
    return result.reshape(columns, -1)


def report(sizes, rounds):
    """Print one row per chain, against the better of the peers that are installed; return how many are missed."""
    table = Ratios("{:<20}", "chain", against=15)
    for chain, (shapes, columns, bound) in CHAINS.items():
        found = rivals(shapes, columns)
        results = {name: functools.partial(as_columns, name, run(), columns) for name, run in found.items()}
        check_agreement(results, "fastbs", 1e-10)
        result = compare(found, "fastbs", rounds)
        peer = result.fastest(found.keys() - {"fastbs"})
        if peer:
            table.add(result, "fastbs", peer, bound, chain)
    return table.missed
