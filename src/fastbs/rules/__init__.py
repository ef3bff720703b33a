"""What it means: NumPy function -> the operator of each argument. A table, a line each."""

from . import (
    assignment,
    convolution,
    creation,
    einsum,
    elementwise,
    factorizations,
    graphs,
    indexing,
    joining,
    linalg,
    methods,
    orders,
    polynomials,
    products,
    rearranging,
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
    "RULES", "assignment", "convolution", "creation", "einsum", "elementwise", "factorizations", "graphs", "indexing",
    "joining", "linalg", "methods", "orders", "polynomials", "products", "rearranging", "reductions", "running",
    "shapes", "solves", "stacks", "statistics", "tridiagonals",
]  # fmt: skip
