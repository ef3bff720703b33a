"""What a trace leaves behind: values that must not be used any more, and no memory."""

import contextlib
import gc
import operator
import threading
import weakref

import numpy as np
import pytest

import fastbs as fb
from fastbs._trace import Traced
from fastbs.derivatives import grad, hessian, jacobian, jvp, value_and_grad
from traced_values import X, at


def test_left_behind_in_a_list():
    left = []

    def f(x):
        left.append(x * 2)
        return np.sum(x)

    grad(f)(X)
    assert left[0].shape == (2, 3)
    assert "Traced" in repr(left[0])
    for use in (lambda y: y + 1, np.exp, np.sum, lambda y: y[0], lambda y: operator.setitem(y, 0, 1.0), lambda y: y.T):
        with pytest.raises(fb.TraceError, match=r"must not be used after its function has returned.*return it"):
            use(left[0])
    with pytest.raises(fb.TraceError, match=r"Traced.__array__"):
        np.asarray(left[0])
    with pytest.raises(fb.TraceError, match="after its function has returned"):
        grad(lambda x: np.sum(x * left[0]))(X)


def test_left_behind_in_an_outer_array():
    def f(x):
        buffer = np.zeros_like(x)

        def inner(z):
            buffer[0] = z[0]
            return np.sum(z * z)

        g = grad(inner)(x * 1)
        return np.sum(buffer * g)

    with pytest.raises(fb.TraceError, match="after its function has returned"):
        grad(f)(X)


def test_left_behind_and_returned():
    def f(x):
        left = []
        grad(lambda z: left.append(z) or np.sum(z * x))(x * 1)
        return left[0]

    with pytest.raises(fb.TraceError, match="after its function has returned"):
        at(f)


def test_auxiliary_results_are_plain():
    value, (g, aux) = None, (None, None)
    (value, aux), g = value_and_grad(lambda x: (np.sum(x * x), {"twice": 2 * x, "count": 3}), has_aux=True)(X)
    np.testing.assert_array_equal(aux["twice"], 2 * X)
    assert aux["count"] == 3
    assert type(aux["twice"]) is np.ndarray
    assert value == np.sum(X * X)
    np.testing.assert_array_equal(g, 2 * X)


def fails(x):
    raise ZeroDivisionError("in the program")


def test_failing_program_leaves_nothing_behind():
    def nest(x):
        return np.sum(x * grad(lambda z: np.sum(fails(z)))(x))

    for f in (fails, nest, lambda x: np.unique(x)):
        with pytest.raises((ZeroDivisionError, fb.TraceError)):
            grad(f)(X)
    np.testing.assert_array_equal(grad(lambda x: np.sum(x * x))(X), 2 * X)
    np.testing.assert_array_equal(np.exp(X), np.exp(X + 0))


def test_failing_programs_across_threads():
    wrong = []

    def work(k):
        x = X + k
        for i in range(30):
            with contextlib.suppress(ZeroDivisionError):
                grad(fails if i % 3 else np.sum)(x)
            H = hessian(lambda x: np.sum(x**3))(x[0])
            if not np.allclose(H, np.diag(6 * x[0])):
                wrong.append((k, i))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_values_of_one_trace_in_another_thread():
    def f(x):
        result = []
        thread = threading.Thread(target=lambda: result.append(np.sum(x * x)))
        thread.start()
        thread.join()
        return result[0]

    np.testing.assert_array_equal(grad(f)(X), 2 * X)


class Array(np.ndarray):
    """An array that weak references can watch."""


def watched(program):
    """Weak references to big intermediate values of a program, after its run."""
    seen = []

    def watching(x):
        def keep(y):
            while type(y) is Traced:
                y = y.value
            seen.append(weakref.ref(y))

        return program(x, keep)

    return watching, seen


@pytest.mark.parametrize("derivative", [grad, hessian, lambda f: jacobian(f), lambda f: lambda x: jvp(f, (x,), (x,))])
def test_nothing_keeps_the_arrays(derivative):
    def program(x, keep):
        y = np.exp(x)
        keep(y)
        z = y.reshape(-1)
        z = z[::-1].copy()
        z[1] = 2.0
        keep(z)
        A = (z * 1).reshape(2, 3)
        A[0] += A[1]
        keep(A)
        return np.sum(A * y)

    watching, seen = watched(program)
    gc.collect()
    gc.disable()
    try:
        result = derivative(watching)(X)
        assert len(seen) >= 3
        assert all(reference() is None for reference in seen)
    finally:
        gc.enable()
    del result


def test_nothing_keeps_the_arrays_of_a_failing_program():
    def program(x, keep):
        y = x * 2
        keep(y)
        row = y[0]
        row += 1
        return np.sum(y)

    watching, seen = watched(program)
    gc.collect()
    gc.disable()
    try:
        with contextlib.suppress(fb.TraceError):
            grad(watching)(X)
        assert [reference() for reference in seen] == [None]
    finally:
        gc.enable()


def test_no_growth():
    def f(x):
        y = np.zeros_like(x)
        for i in range(2):
            y[i] = np.sin(x[i]) * x[i - 1]
            y[i] += 1
        return np.sum(y * y)

    g = grad(f)
    for _ in range(5):
        g(X)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(20):
        g(X)
    gc.collect()
    assert len(gc.get_objects()) - before < 20


def test_long_chains_are_freed_without_recursion():
    def f(x):
        y = x
        for _ in range(30_000):
            y = y[...]
        return np.sum(y)

    np.testing.assert_array_equal(grad(f)(X), np.ones((2, 3)))
