"""Arrays like another one and in equal steps, in all laws of derivatives."""

import numpy as np
import pytest

from fastbs.derivatives import jvp
from shaped_cases import check_case, uncalled

CASES = {
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
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_rule(name):
    check_case(CASES[name], complex_step="geomspace" not in name)


def test_every_entry_has_a_case():
    assert not uncalled("fastbs.rules.creation", CASES)


def test_zeros_like_has_no_derivative():
    value, tangent = jvp(lambda x: np.zeros_like(x), (np.ones(3),), (np.ones(3),))
    np.testing.assert_array_equal(value, np.zeros(3))
    np.testing.assert_array_equal(tangent, np.zeros(3))
