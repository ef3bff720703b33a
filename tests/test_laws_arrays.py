"""What operators do with arrays: whose they are, dtypes, values that are no numbers, memory, arrays of other kinds."""

import copy
import gc
import math
import pickle
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
from fastbs.errors import DtypeError
from laws import (
    ON_TAPE,
    TIMES,
    WITH_STACKS,
    applied,
    assert_close,
    every_dtype,
    every_name,
    one_by_one,
    unvec,
    vec,
)
from market import DTYPES, MARKET, ORDERS, order_of, random_array
from memory import peak

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
