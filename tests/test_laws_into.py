"""Every operator writes into memory of the caller: its own, in any order, and never what it reads."""

import re
from itertools import product

import numpy as np
import pytest

import fastbs as fb
from fastbs.errors import DtypeError, ShapeError
from laws import TIMES, assert_close, every_name
from market import MARKET, ORDERS, order_of, random_array


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
