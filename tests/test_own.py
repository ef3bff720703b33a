"""fb.rule, fb.scan, fb.cond."""

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


def test_scan_is_the_loop():
    xs = {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([0.5, 0.25, 0.125])}

    def step(state, x):
        new = np.sin(state) * x["a"] + x["b"]
        return new, new**2

    def looped(s, xs):
        total = 0.0
        for a, b in zip(xs["a"], xs["b"], strict=True):
            s = np.sin(s) * a + b
            total = total + s**2
        return s + total

    def scanned(s, xs):
        s, ys = fb.scan(step, s, xs)
        return s + np.sum(ys)

    assert scanned(0.3, xs) == pytest.approx(looped(0.3, xs), rel=1e-14)
    found, expected = fb.grad(scanned, (0, 1))(0.3, xs), fb.grad(looped, (0, 1))(0.3, xs)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-13)
    for name in xs:
        np.testing.assert_allclose(found[1][name], expected[1][name], rtol=1e-13)


def test_scan_refuses_arrays_of_different_lengths():
    with pytest.raises(ValueError, match=r"one length .*got \{2, 3\}"):
        fb.scan(lambda s, x: (s, s), 0.0, (np.ones(2), np.ones(3)))


def test_cond_takes_one_branch():
    f = lambda x: fb.cond(x > 0, np.sin, lambda x: 3 * x, x)  # noqa: E731
    assert fb.grad(f)(0.5) == pytest.approx(np.cos(0.5))
    assert fb.grad(f)(-0.5) == 3.0
