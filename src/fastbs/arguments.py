"""The door: every value from outside passes one of these checks, by duck typing, never by conversion.

Traced arrays pass the same door as plain ones, so nothing here calls ``np.asarray`` on what already has a
shape and a dtype.
"""

import numbers

import numpy as np

from .errors import DtypeError, ShapeError

__all__ = [
    "as_array",
    "as_matrix",
    "check_out",
    "check_threads",
    "is_array",
    "is_scalar",
    "is_sparse",
    "overlaps_itself",
]

KINDS = "biufcO"  # bool, integers, real, complex, and objects such as Fraction


def check_threads(threads, where):
    """Refuse what is no number of threads."""
    if not isinstance(threads, (int, np.integer)) or threads < 1:
        raise ValueError(f"{where}: threads must be a positive int because so many run at most; got {threads!r}")


def is_array(value):
    """Whether the value has a shape and a dtype: an ndarray, a sparse or traced array."""
    return hasattr(value, "ndim") and hasattr(value, "dtype")


def is_sparse(value):
    """Whether the value is a SciPy sparse array or matrix (without importing scipy.sparse)."""
    return hasattr(value, "tocsr")


def is_scalar(value):
    """Whether the value is a number: Python's, NumPy's, a 0-d array, or a symbol that multiplies with ``*``."""
    if isinstance(value, (numbers.Number, np.generic)):
        return True
    if is_array(value):
        return value.ndim == 0
    return (
        hasattr(type(value), "__mul__")
        and not hasattr(type(value), "__matmul__")
        and not isinstance(value, (str, bytes, list, tuple, dict))
    )


def as_array(value, where, sparse=False):
    """An array as it is, a nested list of numbers as an array.

    Parameters
    ----------
    value : array_like
    where : str
        The argument's name for messages, such as ``"Left: B"``.
    sparse : bool
        Whether SciPy's sparse arrays, whose ``*`` may be a matrix product, are taken.
    """
    if is_sparse(value) and not sparse:
        raise DtypeError(
            f"{where} must be dense because it is used element by element; got a sparse array, pass .toarray()"
        )
    if isinstance(value, np.ma.MaskedArray):
        raise DtypeError(
            f"{where} must be a plain array because masks are not propagated; got a masked array, pass .filled(value)"
        )
    if isinstance(value, np.matrix) or not is_array(value):
        try:
            value = np.asarray(value)
        except ValueError as error:
            raise ShapeError(f"{where} must be rectangular because it is an array; got {value!r:.60}") from error
    if np.dtype(value.dtype).kind not in KINDS:
        raise DtypeError(f"{where} must be numeric because it is multiplied; got dtype {value.dtype}")
    return value


def as_matrix(value, where):
    """A two-dimensional array, sparse array, or an object that multiplies like one."""
    value = as_array(value, where, sparse=True)
    if value.ndim != 2:
        raise ShapeError(f"{where} must be a matrix because it multiplies one; got shape {tuple(value.shape)}")
    return value


def check_out(out, shape, dtype, where):
    """Refuse what a result of this shape and dtype cannot be written to."""
    if not isinstance(out, np.ndarray):
        raise DtypeError(f"{where}: out must be an array because the result is written to it; got {type(out).__name__}")
    if out.shape != shape:
        raise ShapeError(f"{where}: out must be {shape} because the result is; got {out.shape}")
    if out.dtype != dtype:
        raise DtypeError(f"{where}: out must be {dtype} because the result is; got {out.dtype}")
    if not out.flags.writeable:
        raise ValueError(f"{where}: out must be writeable because the result is written to it; got a read-only array")
    if overlaps_itself(out):
        raise ValueError(
            f"{where}: out must have a place for each number because the result is written to it; got an array that "
            f"overlaps itself, with strides {out.strides}"
        )


def overlaps_itself(x):
    """Whether axes reach into one another, so that elements may share memory."""
    if x.flags.c_contiguous:
        return False
    reach = x.itemsize
    for step, n in sorted((abs(step), n) for step, n in zip(x.strides, x.shape, strict=True) if n != 1):
        if step < reach and x.size:
            return True
        reach += (n - 1) * step
    return False
