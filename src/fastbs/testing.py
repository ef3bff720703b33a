"""Tests for operators, the package's own and a user's: the dense oracle and the adjoint test.

Both apply the operator to plain arrays, one at a time, and know nothing of how it computes. They raise
`AssertionError` with the numbers that disagree.
"""

import numpy as np

from .arguments import is_array
from .errors import ShapeError
from .operator import vec
from .shapes import text

__all__ = ["check_adjoint", "dense"]

FREE = (3, 4, 2, 5)  # lengths of free axes where the caller does not choose


def dense(op, shape_in=None, dtype=None):
    """The matrix of an operator on ``vec(X)``, one column at a time: ``vec(op @ E_j)`` for unit matrices E_j.

    The slow definition of `Operator.to_dense`: no stacks, no shortcuts.

    Parameters
    ----------
    op : Operator
    shape_in : tuple of int, optional
        Shape of X; needed where the operator leaves an axis free.
    dtype : dtype, optional
        Of the unit matrices; that of the operator, or float64.

    Returns
    -------
    (elements of A X, elements of X) array

    Raises
    ------
    ShapeError
        If the operator leaves axes free and `shape_in` is not given.

    Cost is one application for each element of X.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> from fastbs.testing import dense
    >>> dense(fb.Right(np.array([[1.0, 2.0]])), (2, 1))
    array([[1., 0.],
           [0., 1.],
           [2., 0.],
           [0., 2.]])
    """
    shape_in = op.shape_in if shape_in is None else tuple(shape_in)
    if shape_in is None or None in shape_in:
        raise ShapeError(
            f"testing.dense: shape_in must be given because the operator leaves axes free; got {text(shape_in)}"
        )
    dtype = dtype_of(op) if dtype is None else np.dtype(dtype)
    columns = []
    for index in np.ndindex(*shape_in[::-1]):
        unit = np.zeros(shape_in, dtype)
        unit[index[::-1]] = 1
        columns.append(vec(np.asarray(op @ unit)))
    if not columns:
        return np.zeros((vec(np.asarray(op @ np.zeros(shape_in, dtype))).size, 0), dtype)
    return np.stack(columns, axis=1)


def check_adjoint(op, shape_in=None, *, dtype=None, rng=0, tolerance=None):
    """Test that ``op.H`` is the adjoint of `op`: ``<Y, A X> = <A.H Y, X>`` for random X and Y.

    Here ``<Y, X> = sum(conj(Y) * X)``. Also tested: that ``op.H.H is op``, that ``op.H`` gives the shape of X,
    that ``op.T`` is ``op.H`` conjugated, and, where `op.shape_in` says what a single X is, that a stack of
    directions is mapped one by one.

    Parameters
    ----------
    op : Operator
    shape_in : tuple of int, optional
        Shape of X. Free axes get small unequal lengths without it; it is needed if `op.shape_in` is None.
    dtype : dtype, optional
        Of X and Y; that of the operator, or float64. Pass a complex dtype to test a real map on complex data.
    rng : int or numpy.random.Generator, optional
        Seed or source of X and Y.
    tolerance : float, optional
        Relative to ``|Y| |A X| + |A.H Y| |X|``; 100 times the rounding unit of the results by default.

    Raises
    ------
    AssertionError
        If a law does not hold; the message has both numbers.
    ShapeError
        If `op.shape_in` is None and `shape_in` is not given.

    Cost is five applications of `op` and four of its adjoint.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> from fastbs.testing import check_adjoint
    >>> check_adjoint(fb.Operator(np.fliplr, np.fliplr), (2, 3))
    >>> check_adjoint(fb.Operator(lambda X: X[::-1], lambda Y: Y), (2,))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    AssertionError: check_adjoint: <Y, A X> must be <A.H Y, X>; got -0.07... and 0.06...
    """
    rng = np.random.default_rng(rng)
    if shape_in is None and op.shape_in is not None:
        shape_in = [FREE[i % len(FREE)] if n is None else n for i, n in enumerate(op.shape_in)]
    if shape_in is None:
        raise ShapeError("check_adjoint: shape_in must be given because the operator takes any shape; got None")
    shape_in = tuple(shape_in)
    dtype = dtype_of(op) if dtype is None else np.dtype(dtype)
    X = random_array(rng, shape_in, dtype)
    A_X = op @ X
    Y = random_array(rng, np.shape(A_X), dtype)
    AH_Y = op.H @ Y
    expect(np.shape(AH_Y) == shape_in, f"A.H Y must have the shape of X, {text(shape_in)}", text(np.shape(AH_Y)))
    expect(op.H.H is op, "A.H.H must be A", f"{op.H.H!r}")
    left, right = product(Y, A_X), product(AH_Y, X)
    if tolerance is None:
        tolerance = 100 * max(rounding(A_X), rounding(AH_Y), rounding(X))
    scale = norm(Y) * norm(A_X) + norm(AH_Y) * norm(X)
    # written so that a NaN fails
    expect(
        bool(abs(left - right) <= tolerance * scale) or left == right,
        "<Y, A X> must be <A.H Y, X>",
        f"{left} and {right}",
    )
    close(op.T @ Y, np.conjugate(op.H @ np.conjugate(Y)), tolerance, "A.T Y must be conj(A.H conj(Y))")
    if op.shape_in is not None and len(op.shape_in) == len(shape_in):
        check_stack(op, X, random_array(rng, shape_in, dtype), tolerance, "A")
        check_stack(op.H, Y, random_array(rng, np.shape(Y), dtype), tolerance, "A.H")


def check_stack(op, X, Z, tolerance, name):
    """A stack of two directions gives the stack of the two results."""
    close(op @ np.stack([X, Z]), np.stack([op @ X, op @ Z]), tolerance, f"{name} [X, Z] must be [{name} X, {name} Z]")


def close(found, expected, tolerance, law):
    expect(np.shape(found) == np.shape(expected), f"{law} in shape {text(np.shape(expected))}", text(np.shape(found)))
    error = norm(found - expected)
    expect(
        error <= tolerance * (norm(found) + norm(expected)),
        f"{law} within {tolerance:.1e}",
        f"a difference of norm {error:.3e}",
    )


def expect(holds, law, actual):
    if not holds:
        raise AssertionError(f"check_adjoint: {law}; got {actual}")


def dtype_of(op):
    """What the operator's own arrays suggest for X; integers are tested on float64."""
    dtype = np.dtype(float) if op.dtype is None else op.dtype
    return np.result_type(dtype, float) if dtype.kind in "biu" else dtype


def random_array(rng, shape, dtype):
    """Normal in a real or complex dtype, small integers in any other."""
    if dtype.kind == "c":
        return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)
    if dtype.kind == "f":
        return np.asarray(rng.normal(size=shape)).astype(dtype)
    return np.asarray(rng.integers(-9, 10, shape)).astype(dtype)


def product(Y, X):
    """<Y, X> = sum(conj(Y) * X)"""
    return np.sum(np.conjugate(Y) * X)


def norm(X):
    return float(np.sqrt(float(np.sum(np.abs(X) ** 2))))


def rounding(X):
    """The rounding unit; 0 for exact numbers."""
    return float(np.finfo(X.dtype).eps) if is_array(X) and np.dtype(X.dtype).kind in "fc" else 0.0
