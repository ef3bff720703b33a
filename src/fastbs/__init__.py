"""Gradients, Jacobians and sensitivities as one backslash: ``dx = (I - L)^-1 D dp``."""

from . import manifolds, testing
from .blocks import Bidiagonal, BlockMatrix, Diagonal, Triangular, Tridiagonal
from .compiled import compile
from .cond import cond
from .derivatives import (
    gauss_newton,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    linearize,
    stop_gradient,
    value_and_grad,
    vjp,
)
from .display import spy
from .errors import DtypeError, ShapeError, SingularError, StructureError, TraceError
from .graph import Graph
from .operator import Operator, unvec, vec
from .operators import Hadamard, Identity, Inner, Kronecker, KroneckerSum, Left, Right, Zero
from .path_weights import operation_counts, path_weights
from .program import System, trace
from .rules.joining import array
from .rules.own import rule
from .scan import scan
from .solvers import backslash, factorize

__version__ = "0.1.0"
__all__ = [
    "Bidiagonal",
    "BlockMatrix",
    "Diagonal",
    "DtypeError",
    "Graph",
    "Hadamard",
    "Identity",
    "Inner",
    "Kronecker",
    "KroneckerSum",
    "Left",
    "Operator",
    "Right",
    "ShapeError",
    "SingularError",
    "StructureError",
    "System",
    "TraceError",
    "Triangular",
    "Tridiagonal",
    "Zero",
    "array",
    "backslash",
    "compile",
    "cond",
    "factorize",
    "gauss_newton",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "linearize",
    "manifolds",
    "operation_counts",
    "path_weights",
    "rule",
    "scan",
    "spy",
    "stop_gradient",
    "testing",
    "trace",
    "unvec",
    "value_and_grad",
    "vec",
    "vjp",
]
