"""fb.rule."""

import numpy as np
import pytest
import scipy.optimize

import fastbs as fb


def cubic_root(p):
    return np.float64(scipy.optimize.brentq(lambda x: x**3 + p * x - 1, 0, 1, xtol=1e-15))


root = fb.rule(cubic_root, lambda x, p: [fb.Hadamard(-x / (3 * x**2 + p))])


def test_implicit_function_and_its_second_derivative():
    p, h = 1.0, 1e-4
    x = cubic_root(p)
    assert root(p) == x
    np.testing.assert_allclose(fb.grad(root)(p), -x / (3 * x**2 + p), rtol=1e-14)
    second = (cubic_root(p + h) - 2 * x + cubic_root(p - h)) / h**2
    np.testing.assert_allclose(fb.grad(fb.grad(root))(p), second, rtol=1e-5)
    np.testing.assert_allclose(fb.jvp(root, (p,), (2.0,))[1], 2 * fb.grad(root)(p), rtol=1e-14)


def test_decorator_and_arguments_without_influence():
    @fb.rule(operators=lambda y, a, b: (fb.Left(b), None))
    def product(a, b):
        """b a"""
        return b @ a

    assert product.__doc__ == "b a"
    B = np.arange(6.0).reshape(2, 3)
    da, db = fb.grad(lambda a, b: np.sum(product(a, b)), (0, 1))(np.ones(3), B)
    np.testing.assert_array_equal(da, B.sum(0))
    np.testing.assert_array_equal(db, np.zeros((2, 3)))


def test_what_is_not_callable_is_refused():
    with pytest.raises(TypeError, match=r"rule: operators must be callable .*; got list"):
        fb.rule(np.sin, [fb.Identity()])
