"""Shapes with free axes: ``None`` is an axis of any length, a shape that is ``None`` is unknown altogether."""

from .errors import ShapeError

__all__ = ["link", "text", "unify"]

LETTERS = "mnklpq"


def text(shape):
    """How an error message writes a shape: free axes are letters.

    >>> text((3, None))
    '(3, n)'
    """
    if shape is None:
        return "any shape"
    axes = [LETTERS[i % len(LETTERS)] if n is None else str(n) for i, n in enumerate(shape)]
    return f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"


def unify(a, b):
    """The shape that fits both; ShapeError where they contradict each other."""
    if a == b:
        return a
    if len(a) != len(b) or any(None not in (m, n) and m != n for m, n in zip(a, b, strict=True)):
        raise ShapeError(f"{text(a)} is not {text(b)}")
    return tuple(n if m is None else m for m, n in zip(a, b, strict=True))


def link(outer, inner):
    """``(shape_in, shape_out, lowered)`` of outer after inner; free axes pass a length on to both sides.

    `lowered` says that one of them reads matrices but is used on vectors here.

    Parameters
    ----------
    outer, inner : operators

    Raises
    ------
    ShapeError
        If inner gives what outer cannot take; the message holds both shapes.
    """
    if outer.shape_in is None or inner.shape_out is None:
        return (
            outer.shape_in if inner.keeps_shape else inner.shape_in,
            inner.shape_out if outer.keeps_shape else outer.shape_out,
            False,
        )
    rank = len(inner.shape_out)
    outer_in, outer_out = outer.shapes_at(rank)
    if outer_in is None:
        return inner.shape_in, outer.shape_out, False
    if len(outer_in) != rank:
        rank = len(outer_in)
    inner_in, inner_out = inner.shapes_at(rank)
    if inner_out is None:
        return inner.shape_in, outer.shape_out, False
    try:
        between = unify(outer_in, inner_out)
    except ShapeError:
        raise ShapeError(
            f"Operator.__matmul__: the right factor {type(inner).__name__} must give {text(outer.shape_in)} "
            f"because the left factor {type(outer).__name__} takes that; got {text(inner.shape_out)}"
        ) from None
    lowered = len(outer_in) < len(outer.shape_in) or len(inner_out) < len(inner.shape_out)
    return fill(inner_in, between), fill(outer_out, between), lowered


def fill(shape, between):
    """Free axes take the lengths at the same place between the two operators."""
    if shape is None or None not in shape or len(shape) != len(between):
        return shape
    return tuple(n if m is None else m for m, n in zip(shape, between, strict=True))
