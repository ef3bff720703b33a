"""Entries of block vectors: arrays, numbers, tuples of parameters, nested block vectors, and None for zero."""

from .errors import ShapeError
from .shapes import text

__all__ = ["add", "divide", "fresh", "negate", "scale", "subtract"]


def add(x, y):
    """x + y, entry by entry of tuples and lists."""
    if x is None:
        return y
    if y is None:
        return x
    if isinstance(x, (tuple, list)):
        return type(x)(add(a, b) for a, b in pairs(x, y))
    return x + y if shape_of(x) == shape_of(y) else refuse(x, y)


def subtract(x, y):
    """x - y, entry by entry of tuples and lists."""
    if y is None:
        return x
    if x is None:
        return negate(y)
    if isinstance(x, (tuple, list)):
        return type(x)(subtract(a, b) for a, b in pairs(x, y))
    return x - y if shape_of(x) == shape_of(y) else refuse(x, y)


def negate(x):
    """-x, entry by entry of tuples and lists."""
    if isinstance(x, (tuple, list)):
        return type(x)(map(negate, x))
    return None if x is None else -x


def scale(s, x):
    """s x, entry by entry of tuples and lists."""
    if isinstance(x, (tuple, list)):
        return type(x)(scale(s, a) for a in x)
    return None if x is None else s * x


def divide(s, x):
    """x / s, entry by entry of tuples and lists."""
    if isinstance(x, (tuple, list)):
        return type(x)(divide(s, a) for a in x)
    return None if x is None else x / s


def fresh(x, given):
    """A value that shares no memory with the one it was made from, if it is that one."""
    if isinstance(x, (tuple, list)):
        return type(x)(fresh(a, b) for a, b in zip(x, given, strict=True)) if x is given else x
    return x.copy() if x is given and hasattr(x, "ndim") and hasattr(x, "copy") else x


def pairs(x, y):
    """The entries of two tuples or lists of one length."""
    if not isinstance(y, (tuple, list)) or len(x) != len(y):
        count = len(y) if isinstance(y, (tuple, list)) else type(y).__name__
        raise ShapeError(f"terms must have as many entries because they are added; got {len(x)} and {count}")
    return zip(x, y, strict=True)


def shape_of(x):
    return getattr(x, "shape", ())


def refuse(x, y):
    # NumPy would broadcast, and a gradient of the wrong shape would look like one of the right shape
    raise ShapeError(
        f"terms must have one shape because they are added; got {text(shape_of(x))} and {text(shape_of(y))}"
    )
