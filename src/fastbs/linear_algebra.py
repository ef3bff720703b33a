"""Lowerings of Cholesky factors, triangular solves and solves of one real matrix: LAPACK and BLAS, called by the tape.

A matrix that turns out singular, or not positive definite, goes to NumPy after all, which raises what it always raises.
"""

import numpy as np

from .compiler.instructions import CHOLESKY, LARGEST, SOLVE, TRANSPOSED, TRIANGULAR, UNIT, UPPER, NotLowerable
from .compiler.table import TABLE
from .compiler.views import has_lines
from .rules import scipy_factorizations
from .rules.solves import triangular_solve

__all__ = []


def checked(step):
    """NotLowerable unless the step is about matrices of one real dtype."""
    shapes = [a.shape for a in step.arguments[:2] if hasattr(a, "shape")]
    dtypes = {a.dtype for a in step.arguments[:2] if hasattr(a, "dtype")}
    if dtypes != {step.dtype} or step.dtype.char not in "fd":
        raise NotLowerable("not of one real dtype")
    if len(shapes[0]) != 2 or not 0 < len(step.shape) <= 2 or 0 in step.shape or max(step.shape) > LARGEST:
        raise NotLowerable("a stack of matrices, or nothing")


def contiguous_destination(to, step):
    out = to.destination(step)
    return out if out.is_contiguous else to.temporary(step.shape, step.dtype)


def finished(to, step, result):
    """The result where it belongs."""
    out = to.destination(step)
    if result != out:
        to.copy(result, out)
    return out


def lower_cholesky(to, step, upper):
    checked(step)
    a, n = to.view(step.arguments[0]), step.shape[0]
    c = contiguous_destination(to, step)
    to.copy(a, c)
    to.factored(CHOLESKY, step, None, c, c, n, n, UPPER * upper, n**3 / 3)
    return finished(to, step, c)


def lower_triangular_solve(to, step):
    checked(step)
    T, B, *options = step.arguments
    options = dict(zip(("lower", "trans", "unit_diagonal"), options, strict=False)) | step.keywords
    m, n = step.shape
    T, B = to.view(T), to.view(B)
    if B.shape != step.shape:
        raise NotLowerable("a stack of matrices")
    T = T if has_lines(T, m, m) else to.materialized(T)
    c = contiguous_destination(to, step)
    to.copy(B, c)
    flags = UPPER * (not options.get("lower", True)) | TRANSPOSED * bool(options.get("trans", False))
    flags |= UNIT * bool(options.get("unit_diagonal", False))
    to.factored(TRIANGULAR, step, T, c, c, m, n, flags, 1.0 * m * m * n)
    return finished(to, step, c)


def lower_solve(to, step):
    """The columns of a and b as rows, on which LAPACK works in place: P a = L U, as NumPy has it."""
    checked(step)
    a, b = map(to.view, step.arguments)
    if b.shape != step.shape:
        raise NotLowerable("a stack of matrices")
    m, n = (*step.shape, 1)[:2]
    factors, pivots = to.materialized(a.mT), to.temporary((m,), step.dtype)
    rows = to.materialized(b.mT if b.ndim == 2 else b)
    line, x = (rows, rows.mT) if b.ndim == 2 else (rows.insert(0), rows)
    to.factored(SOLVE, step, factors, line, x, m, n, 0, 2 / 3 * m**3 + 2.0 * m * m * n, pivots.insert(0))
    return finished(to, step, x)


TABLE |= {
    np.linalg.cholesky: lambda to, step: lower_cholesky(to, step, step.keywords.get("upper", False)),
    scipy_factorizations.cholesky: lambda to, step: lower_cholesky(to, step, not step.keywords["lower"]),
    triangular_solve: lower_triangular_solve,
    np.linalg.solve: lower_solve,
}
