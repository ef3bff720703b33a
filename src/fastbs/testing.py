"""Tests for operators and programs, the package's own and a user's: dense oracle, adjoint and gradient test.

They apply the operator or program to plain arrays, and know nothing of how it is computed. They raise
`AssertionError` with the numbers that disagree.
"""

import numpy as np
import optree

from .arguments import is_array
from .derivatives import jvp, vjp
from .errors import DtypeError, ShapeError
from .operator import vec
from .shapes import text

__all__ = ["check_adjoint", "check_gradient", "dense"]

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


def check_gradient(f, *args, argnums=None, rng=0, step=None, tolerance=None):
    """Test the derivatives of a program along a random direction v, with a random cotangent g of its results.

    ``J v = (8 (f(x + h v) - f(x - h v)) - (f(x + 2h v) - f(x - 2h v))) / 12h`` up to h^4, where J v is that of
    `fastbs.jvp`, and ``<g, J v> = <J^T g, v>``, where J^T g is that of `fastbs.vjp`.

    Parameters
    ----------
    f : callable
        Of arrays, numbers and nested containers of them; its results are real.
    *args
        Where it is tested; f must be smooth up to 2h v away.
    argnums : int or tuple of int, optional
        Positions of the arguments to differentiate; all that hold floats alone by default.
    rng : int or numpy.random.Generator, optional
        Seed or source of v and g, which are normal.
    step : float, optional
        h; by default ``eps**(1/5)`` with the rounding unit eps of the arguments and results, 7e-4 in float64.
    tolerance : float, optional
        Of J v relative to ``|J v|``, beyond the rounding of the differences; ``sqrt(eps)`` by default.

    Raises
    ------
    AssertionError
        If a law does not hold; the message has both sides.
    DtypeError
        If no argument holds floats.

    Cost is a pullback, a pushforward and four calls of f.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> from fastbs.testing import check_gradient
    >>> check_gradient(lambda W, x: np.sum(np.tanh(W @ x)), np.eye(2), np.array([0.1, 0.2]))
    >>> check_gradient(lambda x: x * fb.stop_gradient(x), 3.0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    AssertionError: check_gradient: J v must be the difference quotient of result 0 within 1.5e-08; got 0.37...
    """
    rng = np.random.default_rng(rng)
    if argnums is None:
        argnums = tuple(i for i, x in enumerate(args) if holds_floats(x))
    argnums = argnums if isinstance(argnums, tuple) else (argnums,)
    if not argnums:
        raise DtypeError(
            f"check_gradient: some argument must hold floats because f is differentiated; got "
            f"{', '.join(type(x).__name__ for x in args) or 'no arguments'}"
        )

    def of(*primals):
        full = list(args)
        for i, x in zip(argnums, primals, strict=True):
            full[i] = x
        return f(*full)

    def moved(s):
        values = [np.asarray(x + s * t, np.result_type(x))[()] for x, t in zip(leaves, v, strict=True)]
        return [np.asarray(y) for y in optree.tree_leaves(of(*optree.tree_unflatten(structure, values)))]

    primals = tuple(args[i] for i in argnums)
    leaves, structure = optree.tree_flatten(primals)
    v = [random_array(rng, np.shape(x), np.result_type(x)) for x in leaves]
    value, pullback = vjp(of, *primals)
    results, out_structure = optree.tree_flatten(value)
    g = [random_array(rng, np.shape(y), np.result_type(y)) for y in results]
    JT_g = optree.tree_leaves(pullback(optree.tree_unflatten(out_structure, g)))
    J_v = optree.tree_leaves(jvp(of, primals, optree.tree_unflatten(structure, v))[1])
    eps = max(rounding(np.asarray(x)) for x in (*leaves, *results))
    h = eps**0.2 if step is None else step
    tolerance = eps**0.5 if tolerance is None else tolerance
    for i, (t, y, *at) in enumerate(zip(J_v, results, *map(moved, (h, -h, 2 * h, -2 * h)), strict=True)):
        quotient = (8 * (at[0] - at[1]) - (at[2] - at[3])) / (12 * h)
        allowed = tolerance * (norm(t) + norm(quotient)) + 10 * eps * norm(y) / h
        law = f"J v must be the difference quotient of result {i} within {tolerance:.1e}"
        expect(norm(t - quotient) <= allowed, law, f"{brief(t)} and {brief(quotient)}", "check_gradient")
    left = sum(float(product(a, b)) for a, b in zip(g, J_v, strict=True))
    right = sum(float(product(a, b)) for a, b in zip(JT_g, v, strict=True))
    scale = sum(norm(a) * norm(b) for pairs in ((g, J_v), (JT_g, v)) for a, b in zip(*pairs, strict=True))
    agree = bool(abs(left - right) <= 1000 * eps * scale)
    expect(agree, "<g, J v> must be <J^T g, v>", f"{left} and {right}", "check_gradient")


def holds_floats(x):
    """Whether all leaves of an argument are real floats, and there are some."""
    leaves = optree.tree_leaves(x)
    return bool(leaves) and all(
        isinstance(leaf, (float, np.floating)) or (is_array(leaf) and np.dtype(leaf.dtype).kind == "f")
        for leaf in leaves
    )


def brief(x):
    """A number, or the norm of an array."""
    return f"{float(x)}" if np.ndim(x) == 0 else f"an array of norm {norm(x)}"


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


def expect(holds, law, actual, where="check_adjoint"):
    if not holds:
        raise AssertionError(f"{where}: {law}; got {actual}")


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
