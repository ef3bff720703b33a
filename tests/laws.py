"""What tests of laws over the market share: which operators, how they are applied, and how results are compared."""

from fractions import Fraction

import numpy as np
import pytest

from market import DTYPES, MARKET, SIZES

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
