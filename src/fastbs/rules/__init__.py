"""What it means: NumPy function -> the operator of each argument. A table, a line each."""

from . import (
    convolution,
    einsum,
    elementwise,
    factorizations,
    graphs,
    indexing,
    linalg,
    methods,
    orders,
    polynomials,
    products,
    reductions,
    running,
    shapes,
    solves,
    stacks,
    statistics,
    tridiagonals,
)  # fmt: skip
from .table import RULES

__all__ = [
    "RULES", "convolution", "einsum", "elementwise", "factorizations", "graphs", "indexing", "linalg", "methods",
    "orders", "polynomials", "products", "reductions", "running", "shapes", "solves", "stacks", "statistics",
    "tridiagonals",
]  # fmt: skip
