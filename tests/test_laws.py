"""The laws of operators over the market: every operator, dtype, memory order and size, on both its paths.

An operator runs NumPy when a structure is met for the first time and a tape from then on, so every law is
checked on several applications in a row.
"""

import re
from itertools import product

import numpy as np
import pytest

from fastbs.errors import ShapeError
from fastbs.testing import check_adjoint, dense
from laws import (
    CHEAP,
    DIAGONAL,
    SQUARE,
    TIMES,
    WITH_STACKS,
    applied,
    assert_close,
    every_name,
    every_size,
    one_by_one,
    unvec,
    vec,
)
from market import DTYPES, LARGE, MARKET, ORDERS, SIZES, dense_of, order_of, ordered, random_array

# --- apply is the definition -----------------------------------------------------------------------------


@every_size
@every_name
def test_apply_equals_the_dense_matrix(name, sizes):
    for dtype in DTYPES:
        ware = order_of(name, 0, dtype, sizes)
        A = dense_of(name, 0, dtype, sizes)
        X = random_array(np.random.default_rng(1), ware.shape_in, dtype)
        expected = unvec(A @ vec(X), ware.shape_out)
        every = sizes == "odd" and dtype in ("float64", "complex64")
        for orders in product(ORDERS, ORDERS) if every else DIAGONAL:
            ware = order_of(name, 0, dtype, sizes, orders[0])
            Z = ordered(X, orders[1])
            for Y in applied(ware.op, Z, ware.arrays):
                assert_close(Y, expected, (dtype, orders))
            np.testing.assert_array_equal(Z, X)


@pytest.mark.parametrize("sizes", LARGE)
@pytest.mark.parametrize("name", CHEAP)
def test_apply_equals_the_definition_beyond_the_crossover_to_blas(name, sizes):
    rng = np.random.default_rng(2)
    for dtype, (order_of_arrays, order_of_X) in zip(DTYPES * 2, (*DIAGONAL, *DIAGONAL[::-1]), strict=True):
        ware = order_of(name, 0, dtype, sizes, order_of_arrays)
        X = random_array(rng, ware.shape_in, dtype, order_of_X)
        first, *others = applied(ware.op, X, ware.arrays)
        assert np.shape(first) == ware.shape_out
        index = tuple(rng.integers(k) for k in ware.shape_out)
        expected = ware.element(X, *index)
        bound = 1000 * np.finfo(dtype).eps * (1 + np.abs(first).max())
        assert abs(first[index] - expected) <= bound, (dtype, order_of_arrays, order_of_X)
        for Y in others:
            np.testing.assert_allclose(Y, first, rtol=0, atol=bound)


@every_name
def test_to_dense(name):
    for dtype, sizes in product(("float32", "complex128"), SIZES):
        ware = order_of(name, 0, dtype, sizes)
        A = dense_of(name, 0, dtype, sizes)
        for matrix in (ware.op.to_dense(ware.shape_in), dense(ware.op, ware.shape_in, dtype)):
            assert matrix.shape == A.shape, sizes
            bound = 100 * np.finfo(dtype).eps * (1 + abs(A).max(initial=0))
            np.testing.assert_allclose(matrix, A, rtol=0, atol=bound, err_msg=sizes)


@pytest.mark.parametrize("sizes", ["0", "no rows", "1", "odd"])
@pytest.mark.parametrize("name", WITH_STACKS)
def test_stacks_of_directions(name, sizes):
    rng = np.random.default_rng(3)
    stacks = [(1,), (0,), (3,), (2, 1), (2, 3), (0, 2)]
    for (dtype, order), stack in product((("float64", "C"), ("complex64", "negative")), stacks):
        ware = order_of(name, 0, dtype, sizes, order)
        X = random_array(rng, (*stack, *ware.shape_in), dtype, order)
        expected = one_by_one(ware.definition, X, ware.shape_in, ware.shape_out)
        assert ware.op.shape_of(X.shape) == expected.shape
        for Y in applied(ware.op, X, ware.arrays):
            assert_close(Y, expected, (order, stack))
        Y = random_array(rng, expected.shape, dtype, order)
        expected = one_by_one(ware.op.H.__matmul__, Y, ware.shape_out, ware.shape_in)
        for Z in applied(ware.op.H, Y, ware.arrays):
            assert_close(Z, expected, (order, stack))


@pytest.mark.parametrize("name", WITH_STACKS)
def test_broadcast_stacks(name):
    # one direction seen many times, with stride 0
    ware = order_of(name, 0)
    X = random_array(np.random.default_rng(3), ware.shape_in)
    for stack in ((4,), (2, 3)):
        Z = np.broadcast_to(X, (*stack, *ware.shape_in))
        for Y in applied(ware.op, Z):
            assert_close(Y, np.broadcast_to(ware.definition(X), (*stack, *ware.shape_out)))


@every_name
def test_linear(name):
    rng = np.random.default_rng(4)
    for dtype in DTYPES:
        ware = order_of(name, 0, dtype)
        X, Z = (random_array(rng, ware.shape_in, dtype) for _ in range(2))
        s = 3 - 2j if "c" in dtype else 3.0
        for _ in range(TIMES):
            assert_close(ware.op @ np.add(X, s * Z), np.add(ware.op @ X, s * (ware.op @ Z)))


# --- the adjoint -----------------------------------------------------------------------------------------


@every_size
@every_name
def test_adjoint_and_transpose(name, sizes):
    for dtype, order in product(DTYPES, ("C", "strided") if sizes == "odd" else ("C",)):
        ware = order_of(name, 0, dtype, sizes, order)
        for rng in range(2):
            check_adjoint(ware.op, ware.shape_in, dtype=dtype, rng=rng)
        check_adjoint(ware.op.T, ware.shape_out, dtype=dtype)
        A = dense_of(name, 0, dtype, sizes)
        bound = 100 * np.finfo(dtype).eps * (1 + abs(A).max(initial=0))
        for op, matrix, shape in (
            (ware.op.H, A.conj().T, ware.shape_out),
            (ware.op.T, A.T, ware.shape_out),
            (ware.op.T.H, A.conj(), ware.shape_in),
            (ware.op.H.T, A.conj(), ware.shape_in),
        ):
            np.testing.assert_allclose(op.to_dense(shape), matrix, rtol=0, atol=bound, err_msg=f"{dtype} {order}")


@pytest.mark.parametrize("sizes", LARGE)
@every_name
def test_adjoint_beyond_the_crossover_to_blas(name, sizes):
    for dtype, order in zip(DTYPES, ("C", "negative", "F", "C"), strict=True):
        ware = order_of(name, 0, dtype, sizes, order)
        for rng in range(2):
            check_adjoint(ware.op, ware.shape_in, dtype=dtype, rng=rng)


@every_name
def test_involutions(name):
    for dtype in DTYPES:
        op = order_of(name, 0, dtype).op
        assert op.H.H is op
        assert op.T.T is op
        assert op.H is op.H
        assert op.T is op.T
        if op.shape_in is not None:
            assert (op.H.shape_in, op.H.shape_out) == (op.shape_out, op.shape_in)
            assert (op.T.shape_in, op.T.shape_out) == (op.shape_out, op.shape_in)
        assert op.H.dtype == op.T.dtype == op.dtype


# --- every pair ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wares():
    """Every operator on 3 x 3 matrices, in two versions, with its matrix."""
    made = {}
    for name in MARKET:
        pair = [order_of(name, rng, "complex128", SQUARE) for rng in (1, 2)]
        made[name] = [(ware, dense_of(name, rng, "complex128", SQUARE)) for rng, ware in enumerate(pair, 1)]
    return made


def assert_is(op, A, ware, shape_out, where):
    """The operator, its adjoint and its transpose have the matrices A, A^H, A^T."""
    rng = np.random.default_rng(5)
    X, Y = (random_array(rng, shape, "complex128") for shape in (ware.shape_in, shape_out))
    for _ in range(2):
        assert_close(op @ X, unvec(A @ vec(X), shape_out), where)
        assert_close(op.H @ Y, unvec(A.conj().T @ vec(Y), ware.shape_in), where)
        assert_close(op.T @ Y, unvec(A.T @ vec(Y), ware.shape_in), where)
    assert op.H.H is op
    assert op.T.T is op
    assert op.shape_of(ware.shape_in) == shape_out


def assert_close_or_refused(op, X, expected, where):
    """Right each time, or refused each time where X could be a matrix or a stack of vectors."""
    try:
        op @ X
    except ShapeError as error:
        # what reads matrices and what reads vectors do not combine, and square ones could read both
        assert X.ndim == 1 or "take vectors without a stack" in str(error), where  # noqa: PT017
        for _ in range(TIMES):
            with pytest.raises(ShapeError):
                op @ X
    else:
        for Y in applied(op, X):
            assert_close(Y, expected, where)


@every_name
def test_every_pair_composes(name, wares):
    (a, A), _ = wares[name]
    for inner, (_, (b, B)) in wares.items():
        if a.shape_in == b.shape_out:
            assert_is(a.op @ b.op, A @ B, b, a.shape_out, inner)
            continue
        # other shapes are refused at once, or axes in front are a stack for the outer operator
        X = random_array(np.random.default_rng(6), b.shape_in, "complex128")
        try:
            op = a.op @ b.op
        except ShapeError as error:
            assert re.search(r"must give .* got ", str(error)), inner  # noqa: PT017
            continue
        try:
            expected = a.op @ (b.op @ X)
        except ShapeError:
            with pytest.raises(ShapeError):
                op @ X
        else:
            assert_close_or_refused(op, X, expected, inner)


@every_name
def test_every_pair_adds_and_subtracts(name, wares):
    (a, A), _ = wares[name]
    for second, (_, (b, B)) in wares.items():
        if (a.shape_in, a.shape_out) == (b.shape_in, b.shape_out):
            assert_is(a.op + b.op, A + B, b, a.shape_out, second)
            assert_is(a.op - b.op, A - B, b, a.shape_out, second)
            continue
        X = random_array(np.random.default_rng(6), b.shape_in, "complex128")
        try:
            op = a.op + b.op
        except ShapeError as error:
            assert re.search(r"must map .* got ", str(error)), second  # noqa: PT017
            continue
        try:
            fits = a.op.shape_of(X.shape) == b.op.shape_of(X.shape)
        except ShapeError:
            fits = False
        if fits:
            assert_close_or_refused(op, X, np.add(a.op @ X, b.op @ X), second)
        else:
            with pytest.raises(ShapeError):
                pytest.fail(f"{second}: no ShapeError but {op @ X}")


@every_name
def test_expressions(name):
    # (s A + A / t) composed with the adjoint of A, against the same expression of matrices
    ware = order_of(name, 0, "complex128", SQUARE)
    A = dense_of(name, 0, "complex128", SQUARE)
    op = ware.op
    for expression in (
        lambda A, H: (2j * A + A / (1 + 1j)) @ (H @ A),
        lambda A, H: H @ A + A @ A,
        lambda A, H: -(A - (3 * A) * 2) @ H,
        lambda A, H: (H @ (A @ H)) @ A - H @ A,
        lambda A, H: (A + A) @ (A - H / 2),
    ):
        try:
            made = expression(op, op.H)
        except ShapeError:
            assert ware.shape_in != ware.shape_out
            continue
        if ware.shape_in != ware.shape_out:
            continue  # a stack of directions somewhere
        matrix = expression(A, A.conj().T)
        X = random_array(np.random.default_rng(7), ware.shape_in, "complex128")
        for Y in applied(made, X):
            assert_close(Y, unvec(matrix @ vec(X), np.shape(Y)))


# --- errors ----------------------------------------------------------------------------------------------


def wrong_shapes(ware):
    for axis, n in enumerate(ware.op.shapes_at(len(ware.shape_in))[0]):
        if n is not None:
            yield tuple(k + (i == axis) for i, k in enumerate(ware.shape_in))
    if len(ware.shape_in) > 2:
        yield ware.shape_in[1:]
    if len(ware.shape_in):
        yield ()


@pytest.mark.parametrize("sizes", ["0", "1", "odd"])
@every_name
def test_wrong_shapes_name_both(name, sizes):
    ware = order_of(name, 0, sizes=sizes)
    if ware.op.shape_in is None:
        pytest.skip("takes any shape")
    applied(ware.op, random_array(np.random.default_rng(13), ware.shape_in))
    for shape in wrong_shapes(ware):
        if "no stack" in ware.traits and len(shape) > 1:
            continue
        text = re.escape(f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})")
        for op, X in product((ware.op, order_of(name, 0, sizes=sizes).op), (np.ones(shape), np.ones(shape, int))):
            for _ in range(TIMES):
                with pytest.raises(ShapeError, match=f"must (be|give) .*because .*; got .*{text}"):
                    op @ X
            with pytest.raises(ShapeError, match=text):
                op.shape_of(shape)
            with pytest.raises(ShapeError, match=text):
                op.apply_into(X, np.empty(ware.shape_out))


@every_name
def test_lists_and_arrays_in_front_are_refused(name):
    op = order_of(name, 0).op
    with pytest.raises(TypeError, match=r"got ndarray, write fb\.Left\(A\) @ op"):
        np.ones((3, 3)) @ op
    with pytest.raises(TypeError, match=r"got list, write fb\.Left\(A\) @ op"):
        [[1.0]] @ op
    for wrong in ([[1.0]], "text", None, {}, object()):
        if op.takes(wrong):
            continue  # a block vector
        with pytest.raises(TypeError, match=f"got {type(wrong).__name__}"):
            op @ wrong
    with pytest.raises(TypeError):
        op * np.ones(3)
    with pytest.raises(TypeError):
        np.ones(3) * op
    with pytest.raises(TypeError):
        op * op
    with pytest.raises(TypeError):
        op / op
    with pytest.raises(TypeError):
        1 / op
    with pytest.raises(TypeError):
        op + 1
    with pytest.raises(TypeError):
        np.ones((3, 3)) - op


@every_name
def test_operators_are_immutable(name):
    op = order_of(name, 0).op
    for attribute in ("shape_in", "H", "new", *(op.fields or ())):
        with pytest.raises(AttributeError, match=f"{type(op).__name__}.{attribute}: operators are immutable"):
            setattr(op, attribute, None)
        with pytest.raises(AttributeError):
            delattr(op, attribute)
