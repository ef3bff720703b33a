"""Functions that move elements: every one in all laws of derivatives, over shapes, axes and zero sizes."""

import numpy as np
import pytest

import fastbs as fb
from fastbs._trace import functions, record
from fastbs.derivatives import grad, jvp, vjp
from fastbs.rules.shapes import array
from gradients import check, same_value

sliding_window_view = np.lib.stride_tricks.sliding_window_view

# name: (function, shapes of its arguments). Each is tested as f(x^2, ...), which has second derivatives.
CASES = {
    "reshape": (lambda x: np.reshape(x, (4, -1)), (2, 6)),
    "reshape to a vector": (lambda x: np.reshape(x, 6), (2, 3)),
    "reshape a scalar": (lambda x: np.reshape(x, (1, 1)), ()),
    "reshape to a scalar": (lambda x: np.reshape(x, ()), (1, 1)),
    "reshape in columns": (lambda x: np.reshape(x, (3, -1), order="F"), (2, 6)),
    "reshape a copy": (lambda x: np.reshape(x, (3, 2), copy=True), (2, 3)),
    "reshape nothing": (lambda x: np.reshape(x, (0, 5)), (2, 0)),
    "reshape method": (lambda x: x.reshape(3, 2) + x.reshape((3, 2)) ** 2, (2, 3)),
    "reshape method in columns": (lambda x: x.reshape(-1, order="F"), (2, 3)),
    "ravel": (lambda x: np.ravel(x) * x.ravel("F"), (2, 3)),
    "ravel a scalar": (np.ravel, ()),
    "flatten": (lambda x: x.flatten() * x.flatten("F"), (2, 3)),
    "squeeze": (lambda x: np.squeeze(x) + np.squeeze(x, 0)[:, 0] * x.squeeze(axis=(0, 2)), (1, 3, 1)),
    "expand_dims": (lambda x: np.expand_dims(x, 1) * np.expand_dims(x, (0, -1)), (2, 3)),
    "atleast_1d": (lambda x, y: np.atleast_1d(x, y), (), (2,)),
    "atleast_2d": (lambda x, y, z: np.atleast_2d(x, y, z), (), (2,), (2, 3)),
    "atleast_3d": (lambda x, y, z, u: np.atleast_3d(x, y, z, u), (), (2,), (2, 3), (1, 2, 2)),
    "atleast_1d of one": (np.atleast_1d, ()),
    "transpose": (np.transpose, (2, 3, 4)),
    "transpose by axes": (lambda x: np.transpose(x, (1, -1, 0)), (2, 3, 4)),
    "transpose method": (lambda x: x.transpose(2, 0, 1) * x.transpose((2, 0, 1)), (2, 3, 4)),
    "transpose method without axes": (lambda x: x.transpose() * x.transpose(None), (2, 3, 4)),
    "T and mT": (lambda x: x.T[:, :, 0] * x.mT[0], (2, 3, 4)),
    "transpose a vector": (np.transpose, (3,)),
    "matrix_transpose": (np.matrix_transpose, (2, 3, 4)),
    "swapaxes": (lambda x: np.swapaxes(x, 0, -1) * x.swapaxes(2, 0), (2, 3, 4)),
    "moveaxis": (lambda x: np.moveaxis(x, 0, -1), (2, 3, 4)),
    "moveaxis of several": (lambda x: np.moveaxis(x, (0, 1), (-1, -2)), (2, 3, 4)),
    "rollaxis": (lambda x: np.rollaxis(x, 2) ** 2 + np.moveaxis(np.rollaxis(x, 0, 3), 0, -1), (2, 3, 4)),
    "broadcast_to": (lambda x: np.broadcast_to(x, (2, 3, 4)), (3, 1)),
    "broadcast_to the same": (lambda x: np.broadcast_to(x, (3,)), (3,)),
    "broadcast_to from a scalar": (lambda x: np.broadcast_to(x, 3), ()),
    "broadcast_to nothing": (lambda x: np.broadcast_to(x, (0, 3)), (3,)),
    "broadcast_arrays": (lambda x, y: np.broadcast_arrays(x, y, 1.0), (3, 1), (4,)),
    "tile": (lambda x: np.tile(x, (2, 1, 3)), (2, 3)),
    "tile fewer axes": (lambda x: np.tile(x, 2), (2, 3)),
    "tile once": (lambda x: np.tile(x, (1, 1, 1)), (2, 3)),
    "tile a scalar": (lambda x: np.tile(x, 3), ()),
    "repeat": (lambda x: np.repeat(x, 2, axis=0), (2, 3)),
    "repeat flat": (lambda x: np.repeat(x, 2), (2, 3)),
    "repeat by counts": (lambda x: x.repeat([1, 0, 2], axis=-1), (2, 3)),
    "repeat never": (lambda x: np.repeat(x, 0, axis=0), (2, 3)),
    "resize": (lambda x: np.resize(x, (2, 4)), (3,)),
    "meshgrid": (lambda x, y: np.meshgrid(x, y), (2,), (3,)),
    "meshgrid ij": (lambda x, y, z: np.meshgrid(x, y, z, indexing="ij", copy=False), (2,), (3,), (2,)),
    "meshgrid sparse": (lambda x, y: np.meshgrid(x, y, sparse=True), (2,), (3,)),
    "concatenate": (lambda x, y: np.concatenate((x, y, x, np.ones((2, 1), x.dtype)), axis=1), (2, 3), (2, 1)),
    "concatenate flat": (lambda x, y: np.concatenate((x, y), axis=None), (2, 3), (2,)),
    "concatenate nothing": (lambda x, y: np.concatenate([x, y]), (0, 3), (2, 3)),
    "concatenate one array": (lambda x: np.concatenate(x), (2, 3)),
    "concatenate in a dtype": (lambda x: np.concatenate([x, [1, 2]], dtype=x.dtype), (3,)),
    "stack": (lambda x, y: np.stack([x, y, x * y], axis=1), (2, 3), (2, 3)),
    "stack last": (lambda x, y: np.stack((x, y), axis=-1), (2,), (2,)),
    "stack scalars": (lambda x, y: np.stack([x, y, 2 * x]), (), ()),
    "stack an array": (lambda x: np.stack(x, axis=1), (2, 3)),
    "vstack": (lambda x, y: np.vstack([x, y]), (3,), (2, 3)),
    "hstack": (lambda x, y: np.hstack([x, y]), (3,), (2,)),
    "hstack of matrices": (lambda x, y: np.hstack([x, y]), (2, 3), (2, 1)),
    "dstack": (lambda x, y: np.dstack([x, y]), (3,), (1, 3)),
    "column_stack": (lambda x, y: np.column_stack([x, y]), (3,), (3, 2)),
    "block": (lambda x, y, z: np.block([[x, np.ones((2, 2), x.dtype)], [y, z]]), (2, 3), (3,), (2,)),
    "append": (lambda x, y: np.append(x, y, axis=0), (2, 3), (1, 3)),
    "append flat": (lambda x, y: np.append(x, y), (2, 3), (2,)),
    "insert": (lambda x, y: np.insert(x, 1, y, axis=1), (2, 3), (2,)),
    "insert several": (lambda x, y: np.insert(x, [0, 2], y, axis=0), (2, 3), (2, 3)),
    "insert one of more axes": (lambda x, y: np.insert(x, 3, y), (4,), (1, 1)),
    "insert flat": (lambda x, y: np.insert(x, 3, y), (2, 3), ()),
    "insert a block": (lambda x, y: np.insert(x, 1, y), (4,), (2,)),
    "delete": (lambda x: np.delete(x, 1, axis=1), (2, 3)),
    "delete flat": (lambda x: np.delete(x, [0, -1]), (2, 3)),
    "array": (lambda x, y: array([[x, y, 1.0], [x * y, 0, y]]), (), ()),
    "array of rows": (lambda x, y: array([x, y, [1.0, 2.0, 3.0]]), (3,), (3,)),
    "array of an array": (array, (2, 3)),
    "split": (lambda x: np.split(x, 2, axis=1), (2, 4)),
    "split at": (lambda x: np.split(x, [1, 3]), (4, 2)),
    "split outside": (lambda x: np.split(x, [3, 1, 9]), (4,)),
    "array_split": (lambda x: np.array_split(x, 3), (5, 2)),
    "hsplit": (lambda x: np.hsplit(x, 2), (2, 4)),
    "hsplit a vector": (lambda x: np.hsplit(x, [1]), (4,)),
    "vsplit": (lambda x: np.vsplit(x, 2), (4, 2)),
    "dsplit": (lambda x: np.dsplit(x, [1]), (2, 2, 3)),
    "flip": (np.flip, (2, 3)),
    "flip an axis": (lambda x: np.flip(x, -1) * np.flip(x, (0, 1)), (2, 3)),
    "flipud": (np.flipud, (2, 3)),
    "fliplr": (np.fliplr, (2, 3)),
    "rot90": (lambda x: [np.rot90(x, k) for k in (0, 1, 2, 3, -1)], (2, 3)),
    "rot90 by axes": (lambda x: [np.rot90(x, k, (0, 2)) for k in (1, 3)], (2, 3, 2)),
    "roll": (lambda x: np.roll(x, 4), (2, 3)),
    "roll an axis": (lambda x: np.roll(x, -1, axis=1), (2, 3)),
    "roll axes": (lambda x: np.roll(x, (1, 1), axis=(0, 0)) * np.roll(x, 1, axis=(0, 1)), (3, 4)),
    "roll nothing": (lambda x: np.roll(x, 1, axis=0), (0, 3)),
    "pad": (lambda x: np.pad(x, 2), (2, 3)),
    "pad with a constant": (lambda x: np.pad(x, ((1, 0), (0, 2)), constant_values=3.0), (2, 3)),
    "pad no axis": (lambda x: np.pad(x, 0, mode="edge"), (2, 3)),
    "pad one axis": (lambda x: np.pad(x, {-1: (1, 2)}), (2, 3)),
    "pad edge": (lambda x: np.pad(x, (1, 2), mode="edge"), (2, 3)),
    "pad reflect": (lambda x: np.pad(x, (1, 4), mode="reflect"), (2, 3)),
    "pad symmetric": (lambda x: np.pad(x, (1, 4), mode="symmetric"), (2, 3)),
    "pad wrap": (lambda x: np.pad(x, (1, 4), mode="wrap"), (2, 3)),
    "pad linear_ramp": (lambda x: np.pad(x, (2, 1), mode="linear_ramp", end_values=1.0), (2, 3)),
    "tril": (lambda x: np.tril(x) * np.tril(x, -1) + np.tril(x, 1), (3, 4)),
    "tril of a stack": (np.tril, (2, 3, 3)),
    "tril of a vector": (np.tril, (3,)),
    "triu": (lambda x: np.triu(x) * np.triu(x, -1) + np.triu(x, k=1), (3, 4)),
    "zeros_like": (lambda x: np.zeros_like(x) + x, (2, 3)),
    "ones_like": (lambda x: np.ones_like(x, shape=(2, 2, 3)) * x, (2, 3)),
    "empty_like": (lambda x: np.empty_like(x) * 0 + x, (2, 3)),
    "full_like": (lambda x: np.full_like(x, x[0, 0]) * x, (2, 3)),
    "linspace": (lambda x, y: np.linspace(x, y, 4), (), ()),
    "linspace of arrays": (lambda x, y: np.linspace(x, y, 3, endpoint=False, axis=-1), (2,), (2,)),
    "linspace of one": (lambda x: np.linspace(x, 1.0, 1), ()),
    "linspace with its step": (lambda x: np.linspace(0.0, x, 5, retstep=True), ()),
    "logspace": (lambda x, y: np.logspace(x, y, 3), (), ()),
    "geomspace": (lambda x, y: np.geomspace(x, 3 + y, 4), (2,), (2,)),
    "geomspace of negative numbers": (lambda x: np.geomspace(-x, -9.0, 3, endpoint=False), ()),
    "geomspace on the last axis": (lambda x: np.geomspace(x, 2 * x, 3, axis=-1), (2,)),
    "apply_along_axis": (lambda x: np.apply_along_axis(np.cumprod, 0, x), (3, 2)),
    "apply_along_axis to numbers": (lambda x: np.apply_along_axis(lambda r: r @ r, 1, x), (3, 2)),
    "apply_along_axis to matrices": (lambda x: np.apply_along_axis(lambda r: np.outer(r, r[:2]), 0, x), (3, 2)),
    "sliding_window_view": (lambda x: sliding_window_view(x, 3) @ np.array([1, 2, 3], x.dtype), (6,)),
    "sliding_window_view of axes": (lambda x: sliding_window_view(x, (2, 2)), (3, 4)),
    "copy": (lambda x: x.copy() * np.copy(x), (2, 3)),
    "known shapes": (lambda x: x * (np.shape(x)[0] + np.ndim(x) + np.size(x) + np.size(x, 1) + len(x)), (2, 3)),
    "known dtypes": (
        lambda x: x * (np.isrealobj(x) + np.iscomplexobj(x) + np.can_cast(x, complex) + (np.result_type(x) == x.dtype)),
        (2, 3),
    ),
}  # fmt: skip
if hasattr(np, "unstack"):
    CASES["unstack"] = (lambda x: np.unstack(x, axis=1), (2, 3))


def values(shapes):
    rng = np.random.default_rng(1)
    return [rng.uniform(0.5, 1.5, shape) for shape in shapes]


def of_squares(f):
    """f(x^2, ...), whose second derivatives are not zero."""
    return lambda *x: f(*[a * a for a in x])


@pytest.mark.parametrize("name", CASES)
def test_rule(name):
    f, *shapes = CASES[name]
    check(of_squares(f), *values(shapes), complex_step=name not in ("known dtypes",) and "geomspace" not in name)


# The statistics are reductions, which have kinks where complex step has none to offer
@pytest.mark.parametrize("mode", ["maximum", "minimum", "mean", "median"])
def test_pad_with_statistics(mode):
    def f(x):
        return np.pad(x, ((1, 2), (0, 1)), mode=mode, stat_length=2)

    try:
        grad(lambda x: np.sum(f(x)))(np.ones((3, 4)))
    except fb.TraceError as error:
        pytest.skip(str(error))
    check(of_squares(f), *values([(3, 4)]))


def counted(name_of_module, cases, run):
    """The entries of `functions` from this module that no case calls."""
    original, called = dict(functions), set()

    def counting(key, recorder):
        def count(*arguments, **keywords):
            called.add(key)
            return record(key, arguments, keywords) if recorder is True else recorder(*arguments, **keywords)

        return count

    mine = {
        key
        for key, recorder in original.items()
        if key not in ("get step", "put step")  # what the recording itself names
        and getattr(key if recorder is True else recorder, "__module__", None) == name_of_module
    }
    try:
        functions.update({key: counting(key, original[key]) for key in mine})
        for case in cases.values():
            run(case)
    finally:
        functions.update(original)
    return mine - called


def run(case):
    """A case with second derivatives, in which the rules are traced."""
    f, *shapes = case
    x = values(shapes)
    jvp(lambda *x: vjp(of_squares(f), *x)[1](of_squares(f)(*x)), x, x)


def test_every_entry_has_a_case():
    missed = counted("fastbs.rules.shapes", CASES, run)
    assert not {key for key in missed if not is_method(key)}


def is_method(key):
    return isinstance(key, tuple)


@pytest.mark.parametrize(
    ("nested", "dtype"),
    [
        ([1, 2.0], np.float64), ([[1, 2], [3, 4]], np.int64), ([np.float32(1), 2.0], np.float64), ([], np.float64),
        ((1.0, [2.0][0]), np.float64),
    ],
)  # fmt: skip
def test_array_of_plain_values_is_numpys(nested, dtype):
    same_value(array(nested), np.array(nested))
    assert array(nested).dtype == dtype


def test_array_takes_the_dtype_numpy_takes():
    x = np.float32(2)
    for nested in (lambda t: [t, 1.0], lambda t: [t, t], lambda t: [t, np.float32(1)], lambda t: [[t, 1], [2, t]]):
        same_value(jvp(lambda t, nested=nested: array(nested(t)), (x,), (x,))[0], np.array(nested(x)))
    assert jvp(lambda t: array([t, 1.0], np.float32), (x,), (x,))[0].dtype == np.float32


def test_array_is_a_new_array():
    def f(x):
        y = array(x)
        y += 1
        return np.sum(x * y)

    np.testing.assert_array_equal(grad(f)(np.array([1.0, 2.0])), [3.0, 5.0])


def test_array_of_unequal_rows():
    with pytest.raises(fb.ShapeError, match=r"array: nested must have equal shapes .* got .*\(2,\)"):
        grad(lambda x: array([x[:2], x[0]]))(np.ones(3))


def test_zeros_like_has_no_derivative():
    value, tangent = jvp(lambda x: np.zeros_like(x), (np.ones(3),), (np.ones(3),))
    np.testing.assert_array_equal(value, np.zeros(3))
    np.testing.assert_array_equal(tangent, np.zeros(3))


ERRORS = {
    "reshape size": (lambda x: np.reshape(x, 5), ValueError, "cannot reshape"),
    "reshape order": (lambda x: np.reshape(x, 6, order="A"), TypeError, "order: must be 'C' or 'F'.*got 'A'"),
    "reshape to a traced length": (lambda x: np.reshape(x, (x[0, 0], 2)), fb.TraceError, "__index__"),
    "squeeze": (lambda x: np.squeeze(x, 0), ValueError, "size not equal to one"),
    "transpose": (lambda x: np.transpose(x, (0, 0)), ValueError, "repeated axis"),
    "transpose axes": (lambda x: np.transpose(x, (0,)), ValueError, "axes must be 2.*got"),
    "swapaxes": (lambda x: np.swapaxes(x, 0, 2), np.exceptions.AxisError, "axis 2 is out of bounds"),
    "moveaxis": (lambda x: np.moveaxis(x, (0, 1), 0), ValueError, "as many; got 2 and 1"),
    "matrix_transpose": (lambda x: np.matrix_transpose(x[0]), ValueError, "two axes.*got 1"),
    "broadcast_to": (lambda x: np.broadcast_to(x, (2, 4)), ValueError, "could not be broadcast"),
    "concatenate": (lambda x: np.concatenate([x, x[0]]), ValueError, "same number of dimensions"),
    "concatenate scalars": (lambda x: np.concatenate([x[0, 0], 1.0]), ValueError, "np.stack"),
    "concatenate dtype": (lambda x: np.concatenate([x, x], dtype=int), TypeError, "must take float64.*int64"),
    "stack": (lambda x: np.stack([x, x[0]]), ValueError, "same shape"),
    "split": (lambda x: np.split(x, 2, axis=1), ValueError, "equal division"),
    "meshgrid": (lambda x: np.meshgrid(x[0], indexing="no"), ValueError, "got 'no'"),
    "pad odd": (lambda x: np.pad(x, 1, "reflect", reflect_type="odd"), TypeError, "got 'odd'"),
    "pad mode": (lambda x: np.pad(x, 1, "nothing"), ValueError, "nothing"),
    "pad function": (lambda x: np.pad(x, 1, lambda *a: None), TypeError, "pad: mode must be a name"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_error(name):
    f, kind, message = ERRORS[name]
    with pytest.raises(kind, match=message):
        vjp(f, np.ones((2, 3)))


def test_scalar_stack_is_linear_in_time():
    x = np.arange(300.0)
    np.testing.assert_array_equal(grad(lambda x: np.sum(array([t * t for t in x])))(x), 2 * x)
