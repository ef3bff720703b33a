"""What it means: NumPy function -> the operator of each argument. A table, a line each."""

from . import elementwise, indexing, linalg, products, reductions, shapes, special
from .table import RULES

__all__ = ["RULES", "elementwise", "indexing", "linalg", "products", "reductions", "shapes", "special"]
