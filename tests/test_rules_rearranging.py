"""Repeating, flipping, rolling, padding and triangles, in all laws of derivatives."""

import numpy as np
import pytest

from fastbs.derivatives import vjp
from shaped_cases import check_case, uncalled

CASES = {
    "tile": (lambda x: np.tile(x, (2, 1, 3)), (2, 3)),
    "tile fewer axes": (lambda x: np.tile(x, 2), (2, 3)),
    "tile once": (lambda x: np.tile(x, (1, 1, 1)), (2, 3)),
    "tile a scalar": (lambda x: np.tile(x, 3), ()),
    "repeat": (lambda x: np.repeat(x, 2, axis=0), (2, 3)),
    "repeat flat": (lambda x: np.repeat(x, 2), (2, 3)),
    "repeat by counts": (lambda x: x.repeat([1, 0, 2], axis=-1), (2, 3)),
    "repeat never": (lambda x: np.repeat(x, 0, axis=0), (2, 3)),
    "resize": (lambda x: np.resize(x, (2, 4)), (3,)),
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
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_rule(name):
    check_case(CASES[name], complex_step=True)


# The statistics are reductions, which have kinks where complex step has none to offer
@pytest.mark.parametrize("mode", ["maximum", "minimum", "mean", "median"])
def test_pad_with_statistics(mode):
    check_case((lambda x: np.pad(x, ((1, 2), (0, 1)), mode=mode, stat_length=2), (3, 4)))


def test_every_entry_has_a_case():
    assert not uncalled("fastbs.rules.rearranging", CASES)


ERRORS = {
    "pad odd": (lambda x: np.pad(x, 1, "reflect", reflect_type="odd"), TypeError, "got 'odd'"),
    "pad mode": (lambda x: np.pad(x, 1, "nothing"), ValueError, "nothing"),
    "pad function": (lambda x: np.pad(x, 1, lambda *a: None), TypeError, "pad: mode must be a name"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_error(name):
    f, kind, message = ERRORS[name]
    with pytest.raises(kind, match=message):
        vjp(f, np.ones((2, 3)))
