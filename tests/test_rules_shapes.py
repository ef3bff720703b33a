"""Shapes, the order of axes and broadcasting: every function in all laws of derivatives, also of zero sizes."""

import numpy as np
import pytest

import fastbs as fb
from fastbs.derivatives import vjp
from shaped_cases import check_case, uncalled

sliding_window_view = np.lib.stride_tricks.sliding_window_view

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
    "meshgrid": (lambda x, y: np.meshgrid(x, y), (2,), (3,)),
    "meshgrid ij": (lambda x, y, z: np.meshgrid(x, y, z, indexing="ij", copy=False), (2,), (3,), (2,)),
    "meshgrid sparse": (lambda x, y: np.meshgrid(x, y, sparse=True), (2,), (3,)),
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


@pytest.mark.parametrize("name", CASES)
def test_rule(name):
    check_case(CASES[name], complex_step=name != "known dtypes")


def test_every_entry_has_a_case():
    assert not uncalled("fastbs.rules.shapes", CASES)


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
    "meshgrid": (lambda x: np.meshgrid(x[0], indexing="no"), ValueError, "got 'no'"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_error(name):
    f, kind, message = ERRORS[name]
    with pytest.raises(kind, match=message):
        vjp(f, np.ones((2, 3)))
