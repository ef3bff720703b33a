"""The laws of DESIGN over the market: every operator, dtype, memory order and size, on both its paths.

An operator runs NumPy when a structure is met for the first time and a tape from then on, so every law is
checked on several applications in a row.
"""

import copy
import gc
import math
import pickle
import re
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import scipy.sparse

import fastbs as fb
from fastbs import tapes
from fastbs._trace import trace
from fastbs.errors import DtypeError, ShapeError
from fastbs.testing import check_adjoint, dense
from market import DTYPES, LARGE, MARKET, ORDERS, SIZES, dense_of, order_of, ordered, random_array
from memory import peak

WITH_STACKS = [name for name, entry in MARKET.items() if "no stack" not in entry.traits]
CHEAP = [name for name in MARKET if name != "kronecker_of_kronecker"]  # its loops take seconds at these sizes
ON_TAPE = [name for name, entry in MARKET.items() if "no tape" not in entry.traits]
SQUARE = (3, 3, 3, 3)
TIMES = 3  # NumPy, lowering, cached tape
DIAGONAL = (("C", "C"), ("F", "strided"), ("strided", "F"), ("negative", "negative"))

every_name = pytest.mark.parametrize("name", MARKET)
every_dtype = pytest.mark.parametrize("dtype", DTYPES)
every_size = pytest.mark.parametrize("sizes", SIZES)


def assert_close(found, expected, where="", units=100):
    """Equal up to rounding in the dtype of what was found, and of the same shape and dtype."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, where
    assert found.dtype == expected.dtype, where
    bound = units * np.finfo(found.dtype).eps * (1 + np.abs(expected).max(initial=0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound, err_msg=str(where))


def applied(op, X, held=()):
    """``op @ X`` several times over: each time a fresh array."""
    results = []
    for _ in range(TIMES):
        Y = op @ X
        assert isinstance(Y, (np.ndarray, np.generic, float, Fraction))
        assert not any(np.shares_memory(Y, Z) for Z in (X, *held, *results))
        assert type(Y) is type(results[0]) if results else True
        results.append(Y)
    return results


def one_by_one(function, X, shape_in, shape_out):
    """The function of every member of a stack."""
    stack = X.shape[: X.ndim - len(shape_in)]
    result = np.empty((*stack, *shape_out), X.dtype)
    for at in np.ndindex(*stack):
        result[at] = function(X[(*at, ...)])
    return result


def unvec(x, shape):
    return x.reshape(shape[::-1]).transpose()


def vec(X):
    return np.asarray(X).transpose().reshape(-1)


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


# --- arrays are read, held by reference, and never changed -----------------------------------------------


@every_name
def test_read_only_inputs_are_left_alone(name):
    dtype = "complex64"
    ware = order_of(name, 0, dtype)
    X = random_array(np.random.default_rng(8), ware.shape_in, dtype)
    before = [array.copy() for array in (X, *ware.arrays)]
    for array in (X, *ware.arrays):
        array.flags.writeable = False
    expected = ware.definition(X)
    for Y in applied(ware.op, X, ware.arrays):
        assert_close(Y, expected)
        assert Y.ndim == 0 or Y.flags.writeable
    for array, old in zip((X, *ware.arrays), before, strict=True):
        np.testing.assert_array_equal(array, old)


@every_dtype
@every_name
def test_arrays_are_held_by_reference(name, dtype):
    ware = order_of(name, 0, dtype)
    rng = np.random.default_rng(9)
    X = random_array(rng, ware.shape_in, dtype)
    Y = random_array(rng, ware.shape_out, dtype)
    out = np.empty(ware.shape_out, dtype)
    before = [applied(op, Z)[-1] for op, Z in ((ware.op, X), (ware.op.H, Y), (ware.op.T, Y))]
    ware.op.apply_into(X, out)
    for array in ware.arrays:
        array[...] = random_array(rng, array.shape, array.dtype)
    if "snapshot" in ware.traits:
        for op, Z, old in zip((ware.op, ware.op.H, ware.op.T), (X, Y, Y), before, strict=True):
            assert_close(op @ Z, old)
        return
    A = ware.dense(dtype)
    for _ in range(TIMES):
        assert_close(ware.op @ X, unvec(A @ vec(X), ware.shape_out))
        assert_close(ware.op.H @ Y, unvec(A.conj().T @ vec(Y), ware.shape_in))
        assert_close(ware.op.T @ Y, unvec(A.T @ vec(Y), ware.shape_in))
        assert_close(ware.op.apply_into(X, out), unvec(A @ vec(X), ware.shape_out))


@every_name
def test_operators_of_one_structure_share_a_tape_and_nothing_else(name):
    wares = [order_of(name, rng) for rng in range(4)]
    X = random_array(np.random.default_rng(10), wares[0].shape_in)
    for _ in range(TIMES):
        for ware in wares:
            assert_close(ware.op @ X, ware.definition(X))


@pytest.mark.parametrize("name", ON_TAPE)
def test_no_second_tape_for_the_same_structure(name):
    X = random_array(np.random.default_rng(10), order_of(name, 0).shape_in)
    applied(order_of(name, 0).op, X)
    known = len(tapes.tapes)
    applied(order_of(name, 1).op, X)
    assert len(tapes.tapes) == known


@pytest.mark.parametrize("name", WITH_STACKS)
def test_alternating_shapes_orders_and_dtypes(name):
    ware = order_of(name, 0)
    rng = np.random.default_rng(11)
    inputs = [
        random_array(rng, (*stack, *ware.shape_in), dtype, order)
        for stack, dtype, order in product([(), (2,), (0,)], ("float64", "float32", "complex128"), ("C", "negative"))
    ]
    expected = [one_by_one(ware.definition, X, ware.shape_in, ware.shape_out) for X in inputs]
    for _ in range(TIMES):
        for X, Y in zip(inputs, expected, strict=True):
            np.testing.assert_allclose(ware.op @ X, Y, atol=1e-4 if X.dtype == np.float32 else 1e-13)


@every_name
def test_one_operator_in_many_threads(name):
    ware = order_of(name, 0, "complex128")
    rng = np.random.default_rng(12)
    inputs = [random_array(rng, ware.shape_in, "complex128", ORDERS[i % 4]) for i in range(16)]
    expected = [ware.definition(X) for X in inputs]

    def work(i):
        return [ware.op @ inputs[i] for _ in range(5)]

    with ThreadPoolExecutor(4) as pool:
        for Y, results in zip(expected, pool.map(work, range(16)), strict=True):
            for found in results:
                assert_close(found, Y)


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


# --- dtypes ----------------------------------------------------------------------------------------------

X_DTYPES = (*DTYPES, "int64", "int8", "bool", "float16", "longdouble", ">f8", "<f4")


@pytest.mark.parametrize("dtype_of_X", X_DTYPES)
@every_name
def test_promotion_as_numpy(name, dtype_of_X):
    if dtype_of_X == "longdouble" and name == "left_inverse":
        with pytest.raises(DtypeError, match="at most double precision"):
            order_of(name, 0).op @ np.ones(order_of(name, 0).shape_in, "longdouble")
        return
    if dtype_of_X == "bool" and name in ("composed_with_users", "added_to_users"):
        pytest.skip("NumPy has no sign of a boolean")
    for dtype in DTYPES:
        check_promotion(name, dtype, dtype_of_X)


def check_promotion(name, dtype, dtype_of_X):
    ware = order_of(name, 0, dtype)
    X = np.asarray(np.random.default_rng(14).integers(1, 3, ware.shape_in)).astype(dtype_of_X)
    expected = ware.definition(X)
    if name in ("scaled_identity", "zero", "zero_with_free_axes", "zero_of_any_shape", "identity"):
        # no array of the dtype in the operator
        wanted = (X * 1.5).dtype if name == "scaled_identity" else X.dtype
        expected = -1.5 * X if name == "scaled_identity" else expected
    elif ware.arrays:
        wanted = np.result_type(*ware.arrays, X.dtype)
    elif name == "tangents_of_symmetric":
        wanted = (X * 0.5).dtype
        expected = ware.definition(X.astype(wanted))
    elif name.startswith("tangents_of"):
        wanted = np.tril(X).dtype
    else:
        wanted = X.dtype
    eps = max(np.finfo(t).eps for t in (dtype, wanted, "float32") if np.dtype(t).kind in "fc")
    for Y in applied(ware.op, X, ware.arrays):
        assert Y.dtype == wanted
        np.testing.assert_allclose(Y.astype("complex128"), expected.astype("complex128"), atol=200 * eps, rtol=1e-3)


SCALARS = [2, 2.0, 2j, True, np.float32(2), np.float64(2), np.complex64(2j), np.int64(2), np.int8(2), np.array(2.0)]


@pytest.mark.parametrize("scalar", SCALARS, ids=lambda s: f"{type(s).__name__}-{s}")
@every_dtype
def test_scalars_promote_as_numpy(dtype, scalar):
    rng = np.random.default_rng(15)
    B, X = random_array(rng, (4, 3), dtype), random_array(rng, (3, 5), dtype)
    for op, expected in (
        (scalar * fb.Left(B), scalar * (B @ X)),
        (fb.Left(B) * scalar, (B @ X) * scalar),
        (fb.Left(B) / scalar, (B @ X) / scalar),
        (scalar * fb.Left(B) + fb.Left(B), scalar * (B @ X) + B @ X),
    ):
        for Y in applied(op, X):
            assert_close(Y, expected)
        assert op.dtype == expected.dtype
    Z = random_array(rng, (4, 5), dtype)
    for Y in applied((fb.Left(B) / scalar).H, Z):
        assert_close(Y, (B.conj().T @ Z) / scalar.conjugate())
    for op, factor in (
        (scalar * fb.Left(B), scalar.conjugate()),
        (-(fb.Left(B) * scalar), -1 * scalar.conjugate()),
    ):
        for Y in applied(op.H, Z):
            assert_close(Y, factor * (B.conj().T @ Z))
        assert_close(op.to_dense((3, 1)), op @ np.eye(3, dtype=dtype))


# --- values that are no numbers --------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", ["odd", "100"])
@pytest.mark.parametrize("name", [name for name in MARKET if "zero" not in name and name != "left_inverse"])
def test_nan_and_infinity_pass(name, sizes):
    for dtype, value in product(("float64", "float32"), (np.nan, np.inf, -np.inf)):
        check_nonfinite(name, dtype, sizes, value)


def check_nonfinite(name, dtype, sizes, value):
    ware = order_of(name, 0, dtype, sizes)
    X = random_array(np.random.default_rng(16), ware.shape_in, dtype)
    X[(0,) * X.ndim] = value
    with np.errstate(invalid="ignore"):
        reference = ware.op.apply(X)
        for Y in applied(ware.op, X):
            np.testing.assert_array_equal(np.isnan(Y), np.isnan(reference))
            np.testing.assert_array_equal(np.isinf(Y), np.isinf(reference))
        if sizes == "odd":
            with np.errstate(all="ignore"):
                expected = ware.definition(X)
            np.testing.assert_array_equal(np.isfinite(reference), np.isfinite(expected))


# --- apply_into ------------------------------------------------------------------------------------------


def guarded(shape, dtype, order):
    """An array for results in the middle of its own memory, and a function that checks the surroundings."""
    shape_of_block = tuple(2 * n + 1 if order == "strided" else n for n in shape)
    size = int(np.prod(shape_of_block))
    memory = np.full(3 * size + 64, -7, dtype)
    block = memory[size + 32 : 2 * size + 32].reshape(shape_of_block, order="F" if order == "F" else "C")
    step = {"strided": slice(1, None, 2), "negative": slice(None, None, -1)}.get(order, slice(None))
    out = block[(..., *(step,) * len(shape))]

    def check():
        kept = out.copy()
        out[...] = -7
        assert (memory == -7).all(), "wrote outside of out"
        out[...] = kept

    return out, check


@pytest.mark.parametrize("sizes", ["0", "no columns", "1", "odd", "100", "gemv", "mv"])
@every_name
def test_apply_into(name, sizes):
    rng = np.random.default_rng(17)
    dtypes = ("float64",) if sizes == "100" else ("float32", "complex128")
    for dtype, order, order_of_out in product(dtypes, ("C", "negative"), ORDERS):
        ware = order_of(name, 0, dtype, sizes, order)
        for op, shape_in, shape_out in (
            (ware.op, ware.shape_in, ware.shape_out),
            (ware.op.H, ware.shape_out, ware.shape_in),
        ):
            X = random_array(rng, shape_in, dtype, order)
            with np.errstate(all="ignore"):
                expected = op.apply(X)
            out, check = guarded(shape_out, dtype, order_of_out)
            for _ in range(2):
                out[...] = np.nan
                assert op.apply_into(X, out) is out
                check()
                assert_close(out, expected, (dtype, order, order_of_out), units=1000)


@pytest.mark.parametrize("sizes", ["odd", "100"])
@every_name
def test_apply_into_stacks(name, sizes):
    if "no stack" in MARKET[name].traits:
        pytest.skip("takes no stacks")
    ware = order_of(name, 0, "complex128", sizes)
    rng = np.random.default_rng(18)
    for stack, order in product([(2,), (2, 2)], ORDERS):
        X = random_array(rng, (*stack, *ware.shape_in), "complex128", order)
        expected = ware.op.apply(X)
        out, check = guarded((*stack, *ware.shape_out), "complex128", order)
        for _ in range(2):
            assert_close(ware.op.apply_into(X, out), expected, (stack, order), units=1000)
            check()


@every_name
def test_apply_into_refuses(name):
    ware = order_of(name, 0)
    name = f"{type(ware.op).__name__}.apply_into"
    X = random_array(np.random.default_rng(19), ware.shape_in)
    out = np.zeros(ware.shape_out)
    for _ in range(TIMES):
        with pytest.raises(ShapeError, match=re.escape(f"{name}: out must be")):
            ware.op.apply_into(X, np.empty((*ware.shape_out, 2)))
        with pytest.raises(DtypeError, match=f"{name}: out must be float64 .*; got float32"):
            ware.op.apply_into(X, out.astype("float32"))
        with pytest.raises(DtypeError, match=f"{name}: out must be float64 .*; got int64"):
            ware.op.apply_into(X, out.astype("int64"))
        with pytest.raises(TypeError, match=f"{name}: out must be an ndarray .*; got list"):
            ware.op.apply_into(X, [0.0])
        with pytest.raises(TypeError, match=f"{name}: X must be an ndarray .*; got list"):
            ware.op.apply_into([0.0], out)
        out.flags.writeable = False
        with pytest.raises(ValueError, match=f"{name}: out must be writeable .*; got a read-only array"):
            ware.op.apply_into(X, out)
        out.flags.writeable = True
        ware.op.apply_into(X, out)
        assert_close(out, ware.definition(X))


@every_name
def test_apply_into_refuses_overlaps(name):
    ware = order_of(name, 0, sizes=(4, 4, 4, 4))
    before = [array.copy() for array in ware.arrays]
    if ware.shape_in == ware.shape_out:
        X = random_array(np.random.default_rng(20), ware.shape_in)
        for _ in range(TIMES):
            with pytest.raises(ValueError, match="out must not share memory"):
                ware.op.apply_into(X, X)
            with pytest.raises(ValueError, match="out must not share memory"):
                ware.op.apply_into(X, X.T)
    if "snapshot" in ware.traits or type(ware.op) is fb.Operator:
        return
    X = random_array(np.random.default_rng(20), ware.shape_in)
    for array in ware.arrays:
        if array.shape == ware.shape_out:
            for _ in range(TIMES):
                with pytest.raises(ValueError, match="out must not share memory"):
                    ware.op.apply_into(X, array)
    for array, old in zip(ware.arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_apply_into_the_neighbourhood_of_X():
    # interleaved, one memory range, and no common element
    place = np.zeros((4, 8))
    X, out = place[:, ::2], place[:, 1::2]
    X[...] = np.arange(16.0).reshape(4, 4)
    op = fb.Left(np.arange(16.0).reshape(4, 4))
    for _ in range(TIMES):
        out[...] = np.nan
        assert_close(op.apply_into(X, out), op.B @ X)
        np.testing.assert_array_equal(X, np.arange(16.0).reshape(4, 4))


# --- resources -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "sizes"), [("float64", "odd"), ("complex64", "100")])
@pytest.mark.parametrize("name", ON_TAPE)
def test_allocates_its_result_only(name, sizes, dtype):
    ware = order_of(name, 0, dtype, sizes)
    X = random_array(np.random.default_rng(21), ware.shape_in, dtype)
    out = np.empty(ware.shape_out, dtype)
    op = ware.op
    for _ in range(TIMES):
        op @ X
        op.apply_into(X, out)
    idle = peak(lambda: None) + 64
    assert peak(lambda: op.apply_into(X, out)) <= idle
    assert peak(lambda: op @ X) <= idle + out.nbytes + 256


# --- other kinds of arrays -------------------------------------------------------------------------------


@every_name
def test_traced_values(name):
    if name == "left_inverse":
        pytest.skip("solving with LAPACK is not NumPy")
    ware = order_of(name, 0, "complex128")
    X = random_array(np.random.default_rng(22), ware.shape_in, "complex128")
    for op, Z in ((ware.op, X), (ware.op.H, ware.op @ X)):
        _, Y, _ = trace(lambda Z, op=op: getattr(op @ Z, "value", None), [Z])
        if Y is not None:  # zero and a user's own may give constants
            assert_close(Y, op @ Z)


@every_name
def test_subclasses_give_plain_arrays(name):
    ware = order_of(name, 0)
    if len(ware.shape_in) != 2:
        pytest.skip("not a matrix")
    X = random_array(np.random.default_rng(23), ware.shape_in)

    class Mine(np.ndarray):
        pass

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy plans to drop np.matrix
        matrix = np.matrix(X)
    for Z in (matrix, X.view(Mine)):
        for _ in range(TIMES):
            Y = ware.op @ Z
            assert type(Y) in (np.ndarray, np.float64)
            assert_close(Y, ware.op @ X)
    with pytest.raises(DtypeError, match="must be a plain array because masks are not propagated; got a masked"):
        ware.op @ np.ma.masked_array(X)


@every_name
def test_exact_numbers(name):
    if MARKET[name].traits & {"snapshot"} or "divided" in name:
        pytest.skip("divides or multiplies arrays of floats")
    ware = order_of(name, 0)
    shape = ware.shape_in
    X = np.array([Fraction(i + 1, 3) for i in range(math.prod(shape))], object).reshape(shape)
    for Y in applied(ware.op, X):
        assert np.asarray(Y).shape == ware.shape_out
        np.testing.assert_allclose(np.asarray(Y).astype(float), ware.op @ X.astype(float), atol=1e-13)


@every_name
def test_sparse_right_sides(name):
    # sparse arrays and sparse matrices, whose * is a matrix product, give numbers that are right, or none
    ware = order_of(name, 0, sizes="even")
    if len(ware.shape_in) != 2 or "users" in name:
        pytest.skip("not a matrix, or not ours")
    X = random_array(np.random.default_rng(24), ware.shape_in)
    for Z in (scipy.sparse.csr_array(X), scipy.sparse.csc_matrix(X)):
        for _ in range(TIMES):
            try:
                Y = ware.op @ Z
            except TypeError as error:
                assert "must be" in str(error)  # noqa: PT017
            else:
                Y = Y.toarray() if scipy.sparse.issparse(Y) else Y
                assert_close(Y, ware.op @ X)


@every_name
def test_unaligned_arrays(name):
    ware = order_of(name, 0)
    X = random_array(np.random.default_rng(25), ware.shape_in)
    place = np.zeros(X.nbytes + 1, np.uint8)
    Z = place[1:].view(np.float64).reshape(X.shape)
    Z[...] = X
    assert Z.size == 0 or not Z.flags.aligned
    for Y in applied(ware.op, Z):
        assert_close(Y, ware.definition(X))
    if ware.op.apply_into(X, np.empty(ware.shape_out)) is not None:
        out = np.zeros(8 * math.prod(ware.shape_out) + 1, np.uint8)[1:].view(np.float64).reshape(ware.shape_out)
        for _ in range(TIMES):
            assert_close(ware.op.apply_into(X, out), ware.definition(X))


@pytest.mark.parametrize("name", WITH_STACKS)
def test_more_axes_than_a_tape_has(name):
    ware = order_of(name, 0)
    X = random_array(np.random.default_rng(26), (1, 2, 1, 1, 1, 2, 1, 1, *ware.shape_in))
    expected = one_by_one(ware.definition, X, ware.shape_in, ware.shape_out)
    for Y in applied(ware.op, X):
        assert_close(Y, expected)
    out = np.empty(expected.shape)
    for _ in range(TIMES):
        assert_close(ware.op.apply_into(X, out), expected)


@every_name
def test_strides_beyond_32_bits(name):
    # the stride of an axis of length 1 is never used
    ware = order_of(name, 0, sizes="1")
    X = random_array(np.random.default_rng(27), ware.shape_in)
    Z = np.lib.stride_tricks.as_strided(X, X.shape, (2**40,) * X.ndim)
    for Y in applied(ware.op, Z):
        assert_close(Y, ware.definition(X))


@pytest.mark.parametrize("name", WITH_STACKS)
def test_overlapping_windows(name):
    # X with equal strides on several axes
    ware = order_of(name, 0)
    x = random_array(np.random.default_rng(28), (40,))
    X = np.lib.stride_tricks.as_strided(x, ware.shape_in, (8,) * len(ware.shape_in))
    for Y in applied(ware.op, X):
        assert_close(Y, ware.definition(X.copy()))


@every_name
def test_pickles_and_copies(name):
    ware = order_of(name, 0, "complex64")
    if type(ware.op) is fb.Operator or "users" in name:
        pytest.skip("its functions are local; see test_operator")
    X = random_array(np.random.default_rng(29), ware.shape_in, "complex64")
    expected = applied(ware.op, X)[-1]
    for op in (ware.op, ware.op.H.H, (2 * ware.op.H).H / 2, ware.op + ware.op - ware.op):
        for twin in (pickle.loads(pickle.dumps(op)), copy.copy(op), copy.deepcopy(op)):
            assert type(twin) is type(op)
            assert str(twin) == str(op)
            assert repr(twin) == repr(op)
            assert twin.H.H is twin
            for Y in applied(twin, X):
                assert_close(Y, expected)
            assert_close(twin.H @ expected, op.H @ expected)
    if ware.arrays and "snapshot" not in ware.traits:
        ware.arrays[0][...] = 0
        assert_close(copy.deepcopy(ware.op) @ X, ware.definition(X))


@every_name
def test_names(name):
    for op in (made := order_of(name, 0).op, made.H, made.T):
        assert str(op) == op.symbol
        assert str(op)
        assert repr(op).startswith(f"<{type(op).__name__} {op.symbol}: ")
        assert " -> " in repr(op)


@every_name
def test_no_cycle_keeps_an_operator_alive(name):
    op = order_of(name, 0).op
    op.H.H.T.H, op.T  # noqa: B018
    alive = weakref.ref(op)
    gc.disable()
    try:
        del op
        assert alive() is None
    finally:
        gc.enable()
