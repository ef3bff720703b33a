"""bind: arrays that are looked at again in each call, and results whose memory is used again once they are dropped."""

import copy
import pickle
import warnings
import weakref

import numpy as np
import optree
import pytest
from numpy.testing import assert_allclose

import fastbs as fb
from compiled_programs import loss, network, x


def test_bound_functions_look_at_their_arrays_again():
    parameters, X, Y = network((3, 5, 4), 2)
    f = fb.compile(fb.value_and_grad(loss))
    bound = f.bind(parameters, X, Y)
    for _ in range(2):
        value, flat = bound()
        expected, gradient = fb.value_and_grad(loss)(parameters, X, Y)
        assert_allclose(value, expected)
        for p, q in zip(optree.tree_leaves(bound.unflatten(flat)), optree.tree_leaves(gradient), strict=True):
            assert_allclose(p, q, atol=1e-13)
            assert np.shares_memory(p, flat)
        parameters[0][0][...] *= -0.5
        X += 1
    assert not np.shares_memory(bound()[1], bound()[1])


def test_bound_functions_write_to_out():
    out = np.empty(5)
    bound = fb.compile(lambda x: (np.sum(x), 2 * x)).bind(x, out=out)
    value, flat = bound()
    assert flat is out
    assert_allclose((value, *out), (np.sum(x), *2 * x))


@pytest.mark.parametrize("n", [4, 6])
def test_unflatten_takes_what_fits(n):
    bound = fb.compile(lambda x: (np.sum(x), 2 * x)).bind(x)
    with pytest.raises(fb.ShapeError, match=rf"Bound.unflatten: flat must have shape \(5,\) .* got \({n},\)"):
        bound.unflatten(np.ones(n))


def test_bound_functions_hold_their_arrays():
    parameters = [np.full(100_000, 1.0)], {"b": np.full(100_000, 2.0)}
    bound = fb.compile(lambda p, q: p[0] + q["b"]).bind(*parameters)
    parameters[0][0] = parameters[1]["b"] = None
    others = [np.full(100_000, 7.0) for _ in range(4)]
    assert np.all(bound() == 3.0)
    assert len(others) == 4


def test_bound_functions_without_a_scalar_give_all_arrays():
    bound = fb.compile(lambda x, s: [x * s, {"k": x[:2] + s}]).bind(x, 3.0)
    flat = bound()
    assert_allclose(flat, [*(3 * x), *(x[:2] + 3)])
    assert_allclose(bound.unflatten(flat)[1]["k"], x[:2] + 3)


def test_what_cannot_be_bound():
    f = fb.compile(lambda x: (np.sum(x), 2 * x))
    with pytest.raises(ValueError, match="must be C- or F-contiguous"):
        f.bind(np.ones(10)[::2])
    with pytest.raises(
        fb.ShapeError, match=r"out must be a float64 array of shape \(5,\); got float64 of shape \(4,\)"
    ):
        f.bind(x, out=np.empty(4))
    with pytest.raises(fb.ShapeError, match=r"got list"):
        f.bind(x, out=[0.0] * 5)
    with pytest.raises(ValueError, match="out must be contiguous and writeable"):
        f.bind(x, out=np.empty(10)[::2])
    with pytest.raises(ValueError, match="out must not share memory"):
        f.bind(x, out=x)
    with pytest.raises(fb.DtypeError, match="must have one dtype"):
        fb.compile(lambda x: [x, x.astype("f4")]).bind(x)


def test_bound_functions_are_neither_pickled_nor_copied():
    bound = fb.compile(np.tanh).bind(x)
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match=r"Compiled.bind: .* bind it anew"):
            take(bound)


# Results that nobody holds any more


HOLDERS = {  # and how to see the array again
    "the array": (lambda flat: flat, np.asarray),
    "a view": (lambda flat: flat[3:], np.asarray),
    "its shape": (lambda flat: flat.reshape(2, -1), np.asarray),
    "a memoryview": (memoryview, np.asarray),
    "a container": (lambda flat: {"result": [flat]}, lambda held: held["result"][0]),
    "a weak reference": (weakref.ref, lambda reference: reference()),
}


@pytest.mark.parametrize(("hold", "look"), HOLDERS.values(), ids=HOLDERS.keys())
def test_bound_never_writes_to_a_result_that_is_held(hold, look):
    x = np.arange(100.0)
    bound = fb.compile(lambda x: 2 * x).bind(x)
    held = []
    for i in range(6):
        x[:] = i
        held.append(hold(bound()))
        for j, holder in enumerate(held):
            seen = look(holder)
            assert seen is None or np.all(seen == 2 * j)
            del seen


def test_bound_uses_dropped_results_again():
    x = np.arange(100.0)
    bound = fb.compile(lambda x: 2 * x).bind(x)
    assert len({bound().ctypes.data for _ in range(10)}) == 1
    places, last = set(), None
    for _ in range(10):
        last = bound()  # the one before is still held meanwhile
        places.add(last.ctypes.data)
    assert len(places) == 2


@pytest.mark.parametrize(
    "change", [lambda a: setattr(a, "shape", (2, 50)), lambda a: a.setflags(write=False)], ids=["shape", "flags"]
)
def test_bound_gives_arrays_as_they_were_made(change):
    x = np.arange(100.0)
    bound = fb.compile(lambda x: 2 * x).bind(x)
    for i in range(4):
        x[:] = i
        flat = bound()
        assert flat.shape == (100,)
        assert flat.flags.writeable
        assert np.all(flat == 2 * i)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            change(flat)
        del flat


def test_results_in_one_block_of_memory_stay_apart():
    f = fb.compile(lambda x: [x + i for i in range(6)])
    first = f(np.ones(3))
    kept = first[2]
    del first
    for i in range(5):
        f(np.full(3, 10.0 * i))
    assert np.array_equal(kept, np.full(3, 3.0))


@pytest.mark.parametrize("count", [1, 2, 6])
def test_calls_use_dropped_results_again(count):
    f = fb.compile(lambda x: [x + i for i in range(count)])
    x = np.ones(3)
    f(x)
    assert len({tuple(a.ctypes.data for a in f(x)) for _ in range(10)}) == 1
    kept = f(x)
    for i in range(5):
        again = f(np.full(3, 10.0 * i))
        assert not any(np.shares_memory(a, b) for a in kept for b in again)
        assert all(np.all(a == 10.0 * i + j) for j, a in enumerate(again))
    assert all(np.all(a == 1 + j) for j, a in enumerate(kept))


@pytest.mark.parametrize(
    "hold",
    [
        lambda r: r[1],
        lambda r: r[1][1:],
        lambda r: memoryview(r[1]),
        lambda r: weakref.ref(r[1]),
        lambda r: r[1].base,
        lambda r: r[1].T,
    ],
    ids=["array", "view", "memoryview", "weakref", "base", "transpose"],
)
@pytest.mark.parametrize("count", [2, 6])
def test_results_that_somebody_holds_are_not_used_again(hold, count):
    f = fb.compile(lambda x: [x + i for i in range(count)])
    held = [hold(f(np.full(3, 10.0 * i))) for i in range(6)]
    for i, holder in enumerate(held):
        if isinstance(holder, np.ndarray) and holder.dtype == float:
            assert np.all(holder == 10.0 * i + 1)
        elif isinstance(holder, memoryview):
            assert np.all(np.asarray(holder) == 10.0 * i + 1)
    blocks = [h.ctypes.data for h in held if isinstance(h, np.ndarray)]
    assert len(set(blocks)) == len(blocks)


@pytest.mark.parametrize(
    "change",
    [lambda a: setattr(a, "shape", (3, 1)), lambda a: a.setflags(write=False), lambda a: setattr(a, "dtype", "i8")],
    ids=["shape", "flags", "dtype"],
)
@pytest.mark.parametrize("count", [2, 6])
def test_results_are_as_they_were_made(change, count):
    f = fb.compile(lambda x: [x + i for i in range(count)])
    for i in range(5):
        results = f(np.full(3, 10.0 * i))
        for j, a in enumerate(results):
            assert a.shape == (3,)
            assert a.dtype == float
            assert a.flags.writeable
            assert np.all(a == 10.0 * i + j)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            change(results[1])
        del results, a
