"""Every exception is the built-in that a NumPy user would catch."""

import pickle

import numpy as np
import pytest

import fastbs as fb
from fastbs import errors

PROMISED = {
    "ShapeError": ValueError,
    "StructureError": ValueError,
    "DtypeError": TypeError,
    "TraceError": TypeError,
    "SingularError": np.linalg.LinAlgError,
}


def raised():
    """One call for every exception."""
    L = fb.Left(np.ones((2, 3)))
    return {
        "ShapeError": lambda: L @ np.ones((4, 1)),
        "StructureError": lambda: fb.backslash(fb.BlockMatrix([[1.0, 2.0], [3.0, 4.0]]), [1.0, 2.0]),
        "DtypeError": lambda: fb.Left([["a"]]),
        "TraceError": lambda: fb.grad(lambda x: np.asarray(x).sum())(np.ones(2)),
        "SingularError": lambda: fb.Hadamard(np.zeros(2)).inv,
    }


def test_all_are_public():
    assert sorted(errors.__all__) == sorted(PROMISED)
    for name in PROMISED:
        assert getattr(fb, name) is getattr(errors, name)
        assert name in fb.__all__


@pytest.mark.parametrize("name", PROMISED)
def test_each_is_the_promised_builtin(name):
    own, promised = getattr(errors, name), PROMISED[name]
    assert issubclass(own, promised)
    with pytest.raises(promised, match=r".+") as found:
        raised()[name]()
    assert type(found.value) is own


@pytest.mark.parametrize("name", PROMISED)
def test_each_pickles_with_its_text(name):
    error = pickle.loads(pickle.dumps(getattr(errors, name)("block (1, 2)")))
    assert str(error) == "block (1, 2)"
    assert type(error).__name__ == name


def test_a_singular_block_is_named():
    with pytest.raises(np.linalg.LinAlgError, match=r"block \(1, 1\)"):
        fb.backslash(fb.Diagonal([1.0, 0.0]), [1.0, 1.0])
