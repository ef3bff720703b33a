"""What it means: NumPy function -> the operator of each argument. A table, a line each."""

from . import elementwise, products, reductions, shapes
from .table import RULES

__all__ = ["RULES", "elementwise", "products", "reductions", "shapes"]
