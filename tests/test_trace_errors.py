"""A traced value never becomes a constant silently: each way it could, what happens, and the way out."""

import contextlib
import copy
import gc
import math
import operator
import pickle
import threading
import weakref

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.ndimage
import scipy.optimize
import scipy.sparse

import fastbs as fb
from fastbs._trace import Traced
from fastbs.derivatives import grad, hessian, jacobian, jvp, value_and_grad, vjp
from fastbs.rules.joining import array

X = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def at(f, x=X):
    """The value of f, traced at x; the sum of its square has the gradient that plain differences give."""
    return vjp(f, x)[0]


def refused(f, message, kind=fb.TraceError, x=X):
    """f raises in a trace, and inside an inner trace."""
    with pytest.raises(kind, match=message):
        at(f, x)
    with pytest.raises(kind, match=message):
        grad(lambda z: np.sum(jvp(f, (z,), (z,))[1]))(x)


# Conversions to constants

CONSTANTS = {
    "float": (
        lambda x: float(x[0, 0]),
        r"float: a traced value must stay traced .*test_trace_errors.py:\d+: .* use NumPy's functions",
    ),
    "int": (lambda x: int(x[0, 0]), "int: .*fb.stop_gradient"),
    "complex": (lambda x: complex(x[0, 0]), "complex: .*fb.stop_gradient"),
    "round": (lambda x: round(x[0, 0]), "round: .*np.round"),
    "math": (lambda x: math.sqrt(x[0, 0]), "use NumPy's functions instead of math's"),
    "math.floor": (lambda x: math.floor(x[0, 0]), "use NumPy's functions instead of math's"),
    "item": (lambda x: x[0, 0].item(), r"Traced.item: .*use x\[i\]"),
    "item of an array": (lambda x: x.item(0, 0), r"Traced.item: .*use x\[i\]"),
    "tolist": (lambda x: x.tolist(), r"Traced.tolist: .*use list\(x\)"),
    "__array__": (lambda x: x.__array__(), "Traced.__array__: .*np.stack, np.concatenate or fb.array"),
    "asarray": (np.asarray, "Traced.__array__"),
    "asarray of a number": (lambda x: np.asarray(x[0, 0], dtype=float), "Traced.__array__"),
    "ascontiguousarray": (np.ascontiguousarray, "Traced.__array__"),
    "array": (np.array, "np.stack, np.concatenate or fb.array"),
    "array of a list": (lambda x: np.array([x[0, 0], x[0, 1]]), "np.stack, np.concatenate or fb.array"),
    "array of a nested list": (lambda x: np.array([[x[0, 0], 1.0], [2.0, 3.0]]), "fb.array"),
    "array of rows": (lambda x: np.array([x[0], x[1]]), "fb.array"),
    "array of objects": (lambda x: np.array([x[0, 0], None], dtype=object), "fb.array"),
    "list as an argument": (lambda x: np.sum([x[0, 0], x[0, 1]]), "fb.array"),
    "list as an operand": (lambda x: np.add([x[0, 0]], 1.0), "fb.array"),
    "list on the left": (lambda x: [x[0, 0], 1.0] * x[0, :2], "fb.array"),
    "fromiter": (lambda x: np.fromiter(x[0], float), "float"),
    "arange": (lambda x: np.arange(x[0, 2]), "a traced value must stay traced"),
    "shape": (lambda x: np.zeros((2, np.argmax(x))), "__index__"),
    "range": (lambda x: range(np.argmax(x)), "Traced.__index__: .*fb.stop_gradient"),
    "list index": (lambda x: [1, 2, 3, 4, 5, 6][np.argmax(x)], r"fb.array\(list\)\[i\]"),
    "plain[i]": (lambda x: np.arange(6.0)[np.argmax(x)], "np.take_along_axis"),
    "plain[array]": (lambda x: np.arange(6.0)[np.argsort(x[0])], "np.take_along_axis"),
    "plain[mask]": (lambda x: np.ones((2, 3))[x > 2], "np.take_along_axis"),
    "plain[slice]": (lambda x: np.arange(6.0)[: np.argmax(x)], "__index__"),
    "take of a plain array": (lambda x: np.take(np.arange(6.0), np.argsort(x[0])), "np.take_along_axis"),
    "method of a plain array": (lambda x: np.eye(2).dot(x), r"np.dot\(A, x\) for A.dot\(x\)"),
    "mask for a plain array": (lambda x: X.mean(where=x > 2), "NumPy's functions instead of methods of plain arrays"),
    "random numbers": (lambda x: np.random.default_rng(0).normal(x), "a traced value must stay traced"),
    "optimizer": (lambda x: scipy.optimize.brentq(lambda t: t - x[0, 0], 0, 9), "float: .*fb.stop_gradient"),
    "quadrature": (lambda x: scipy.integrate.quad(lambda t: t * x[0, 0], 0, 1), "float: .*fb.stop_gradient"),
    "pickle": (pickle.dumps, "return it from the traced function"),
    "r_": (lambda x: np.r_[x[0], 1.0], "np.stack, np.concatenate"),
    "save": (lambda x: np.save("nowhere.npy", x), "save: a traced value must go through functions"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONSTANTS)
def test_conversion_raises(name):
    refused(*CONSTANTS[name])


# Functions without a rule

FUNCTIONS = {
    "NumPy": (lambda x: np.unique(x), "unique: a traced value must go through functions with .*fb.rule"),
    "NumPy's fft": (lambda x: np.fft.fft(x), "fft: a traced value .*numpy.fft.* which has none"),
    "ufunc of SciPy": (lambda x: scipy.special.wofz(x), "wofz: .*which has none: .*fb.stop_gradient"),
    "ufunc method": (lambda x: np.hypot.reduceat(x, [0]), "hypot.reduceat: .*a traced value must go through functions"),
    "SciPy that does not dispatch": (lambda x: scipy.linalg.expm(x[:, :2]), "SciPy through fastbs.scipy"),
    "SciPy's ndimage": (lambda x: scipy.ndimage.gaussian_filter(x, 1.0), "SciPy through fastbs.scipy"),
    "vectorize": (lambda x: np.vectorize(lambda t: t)(x), "Traced.__array__"),
    "method": (lambda x: x.tobytes(), "Traced.tobytes: a traced value must have a rule"),
    "attribute": (lambda x: x.strides, "Traced.strides"),
    "memory": (lambda x: memoryview(x), "memoryview|bytes-like"),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_without_a_rule_raises(name):
    f, message = FUNCTIONS[name]
    refused(f, message, TypeError if name == "memory" else fb.TraceError)


def test_attributes_that_are_missing_are_missing():
    found = []
    at(lambda x: found.append((hasattr(x, "strides"), hasattr(x, "shape"), hasattr(x, "__array_interface__"))) or x)
    assert found == [(False, True, False)]


# Plain destinations


def iadd(plain, x):
    plain += x


def imatmul(plain, x):
    plain @= x


DESTINATIONS = {
    "element": (lambda x, p: operator.setitem(p, (0, 0), x[0, 0]), "float: "),
    "row": (lambda x, p: operator.setitem(p, 0, x[0]), "write into np.zeros_like"),
    "list of elements": (lambda x, p: operator.setitem(p, 0, [x[0, 0], 1.0, 2.0]), "np.zeros_like|float"),
    "mask": (lambda x, p: operator.setitem(p, X > 2, x[0, 0]), "a traced value must stay traced"),
    "+=": (lambda x, p: iadd(p, x), r"add\(out=\): .* plain ndarray as destination at .*np.zeros_like\(x\)"),
    "@=": (lambda x, p: imatmul(np.ones((2, 2)), x[:, :2]), r"matmul\(out=\): .*plain ndarray as destination"),
    "row +=": (lambda x, p: iadd(p[0], x[0]), "plain ndarray as destination"),
    "out=": (lambda x, p: np.exp(x, out=p), r"exp\(out=\): .*plain ndarray as destination"),
    "out= of a function": (lambda x, p: np.sum(x, axis=0, out=p[0]), r"sum\(out=\): .*plain ndarray as destination"),
    "out= of two results": (lambda x, p: np.divmod(x, 2.0, out=(p, p)), "plain ndarray as destination"),
    "out= of stack": (lambda x, p: np.concatenate([x[:1], x[1:]], out=p), "plain ndarray as destination"),
    "reduce": (lambda x, p: np.add.reduce(x, axis=0, out=p[0]), "plain ndarray as destination"),
    "copyto": (lambda x, p: np.copyto(p, x), "copyto: .*plain ndarray as destination, which NumPy"),
    "put": (lambda x, p: np.put(p, [0], x[0, 0]), "put: .*plain ndarray as destination"),
    "place": (lambda x, p: np.place(p, X > 2, x[0]), "place: .*plain ndarray as destination"),
    "putmask": (lambda x, p: np.putmask(p, X > 2, x), "putmask: .*plain ndarray as destination"),
    "put_along_axis": (lambda x, p: np.put_along_axis(p, X.astype(int) % 3, x, 1), "plain ndarray as destination"),
    "fill_diagonal": (lambda x, p: np.fill_diagonal(p, x[0, 0]), "a traced value must stay traced"),
    "fill": (lambda x, p: p.fill(x[0, 0]), "float: "),
    "full": (lambda x, p: np.full(3, x[0, 0]), "a traced value must stay traced"),
    "full_like": (lambda x, p: np.full_like(p, x[0, 0]), "copyto: .*plain ndarray as destination"),
}  # fmt: skip


@pytest.mark.parametrize("name", DESTINATIONS)
def test_plain_destination_raises(name):
    f, message = DESTINATIONS[name]
    refused(lambda x: f(x, np.zeros((2, 3))), message)


def test_where_needs_a_destination():
    refused(lambda x: np.log(x, where=X > 2), "log: out must be given with where=")


# In-place steps by value: the answer is NumPy's


def aliased(x):
    y = x * 1
    z = y
    y += 1
    y[0] = 2 * z[1]
    return z * y


def scalar_alias(x):
    s = x[0, 0]
    t = s
    s += 1
    s *= 3
    return s * t


def scalar_sum_alias(x):
    total = np.sum(x)
    before = total
    total += x[0, 1] ** 2
    return total * before


def rows(x):
    A = x * 1
    A[0] += A[1] ** 2
    row = A[1]
    row *= 2
    A[1] = row
    A[:, 1:] -= 1
    A[1, ::-1] += A[0]
    A[np.int64(0)] += 1
    return A * x


def nested_views(x):
    A = x * 1
    B = A[0]
    C = B[1:]
    C += 1
    B[1:] = C
    A[0] = B
    return A


def copies(x):
    A = x * 1
    B, C, D, E, F, G = A.copy(), A.flatten(), A[[0, 1]], A[A > 2.5], copy.copy(A), copy.deepcopy(A)
    H, I, J = +A, A.T.reshape(-1), np.repeat(A, 1, axis=0)
    for y in (B, C, D, E, F, G, H, I, J):
        y += 1
    return A * B * C.reshape(2, 3) * D * np.sum(E) * F * G * H * I.reshape(2, 3) * J


def whole(x):
    A = x * 1
    A[...] = A**2
    A[:] += 1
    A.fill(2.0)
    A += x
    return A


def out(x):
    y = np.zeros_like(x)
    z = np.multiply(x, x, out=y)
    np.add(y, x[0], out=y)
    np.sum(x, axis=0, out=(w := np.zeros_like(x[0])))
    s = np.zeros_like(x[0, 0])
    np.sum(x, out=np.zeros_like(x[0, 0])[...])
    return z * w + s


def divided(x):
    q, r = np.zeros_like(x), np.zeros_like(x)
    np.divmod(x + 0.3, 2.0, out=(q, r))
    return q * x + r


def zero_dimensional(x):
    s = np.zeros_like(np.sum(x), shape=())
    t = s
    s += x[0, 0]
    s *= x[0, 1]
    t[...] += 1
    return s * t


def broadcast_in_place(x):
    y = np.zeros_like(x)
    y += x[0]
    np.add(x[0], 1, out=y)
    return y


def floor_divisions(x):
    y, m = x + 0.3, x > 2.5
    z, n = y, m
    y //= 2
    y += x + 0.2
    y %= 1.5
    y **= 2
    m &= x > 3.5
    m |= x < 1.5
    m ^= x > 5.5
    return z * np.where(n, x, 1.0)


def views_of_nothing_else(x):
    A = np.zeros_like(x).reshape(3, 2).T
    A[0] = x[0]
    A[1] = x[1] * A[0]
    B = (x * x)[:, ::-1]
    B += 1
    B *= A
    return B * A


def swaps(x):
    A = x * 1
    A[[0, 1]] = A[[1, 0]]
    A[0], A[1] = A[1].copy(), A[0].copy()
    return A * x


def loop_over_rows(x):
    A = x * 1
    total = 0.0
    for i, row in enumerate(A):
        total = total + np.sum(row**2)
        A[i] = total
    return A * total


PROGRAMS = [
    aliased, scalar_alias, scalar_sum_alias, rows, nested_views, copies, whole, out, divided, zero_dimensional,
    broadcast_in_place, floor_divisions, views_of_nothing_else, swaps, loop_over_rows,
]  # fmt: skip


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_in_place_program(f):
    from gradients import check

    check(f, X)


# Views


def view_then_base(view):
    def f(x):
        A = x * 1
        v = view(A)
        v += 1
        return A

    return f


def view_then_view(view):
    def f(x):
        A = x * 1
        v = view(A)
        v += 1
        return v

    return f


def base_then_view(view):
    def f(x):
        A = x * 1
        v = view(A)
        A[0] = 1.0
        return v * 1

    return f


VIEWS = {
    "row": lambda A: A[0],
    "slice": lambda A: A[:, 1:],
    "everything": lambda A: A[...],
    "reversed": lambda A: A[::-1],
    "new axis": lambda A: A[None],
    "reshape": lambda A: A.reshape(3, 2),
    "ravel": np.ravel,
    "transpose": np.transpose,
    "T": lambda A: A.T,
    "mT": lambda A: A.mT,
    "swapaxes": lambda A: np.swapaxes(A, 0, 1),
    "moveaxis": lambda A: np.moveaxis(A, 0, 1),
    "squeeze": lambda A: np.squeeze(A[None]),
    "expand_dims": lambda A: np.expand_dims(A, 0),
    "flip": np.flip,
    "rot90": np.rot90,
    "atleast_3d": np.atleast_3d,
    "diagonal": np.diagonal,
    "diag": np.diag,
    "broadcast_to": lambda A: np.broadcast_to(A, (2, 2, 3)),
    "split": lambda A: np.split(A, 2)[0],
    "view of a view": lambda A: A.T[1:].T,
    "flat": lambda A: A.flat,
    "sliding window": lambda A: np.lib.stride_tricks.sliding_window_view(A, 2, axis=1),
    "real": np.real,
    "iteration": lambda A: next(iter(A)),
}  # fmt: skip


@pytest.mark.parametrize("name", VIEWS)
def test_view(name):
    """What NumPy returns as a view of the same memory."""
    view = VIEWS[name]
    if name != "flat":
        assert np.shares_memory(view(X), X)
    refused(view_then_base(view), "changed view of it is pending.*assign the view back")
    refused(view_then_view(view), r"view that was changed in place must be assigned back.*A\[i\] \+= v")
    refused(base_then_view(view), "view must not be used after its array was changed.*take the view again, or copy")


def test_changed_view_that_is_forgotten():
    def f(x):
        A = x * 1
        A.T[0] += 1  # put back into a view, which is gone
        return A

    refused(f, "pending")


def test_change_through_an_outer_view():
    def f(x):
        A = x * 1
        A[0][1] = 5.0
        return np.sum(A)

    refused(f, "changed view of it is pending")


def test_view_assigned_elsewhere():
    def f(x):
        A = x * 1
        row = A[0]
        row += 1
        A[1] = row
        return A

    refused(f, "pending|assigned back")


def test_view_put_back_then_changed_array():
    def f(x):
        A = x * 1
        row = A[0]
        row += 1
        A[0] = row
        A[1] = 2.0
        return row * 1

    refused(f, "view must not be used after its array was changed")


def test_overlapping_views():
    def f(x):
        A = x * 1
        a, b = A[0], A[:, 0]
        a += 1
        return b * 1

    refused(f, "view must not be used after its array was changed")


def test_out_is_a_view():
    def f(x):
        A = np.zeros_like(x)
        np.exp(x[0], out=A[0])
        return A

    refused(f, "pending")


def test_scalars_are_no_views():
    assert at(scalar_alias) == scalar_alias(X)
    refused(lambda x: np.add(x[0, 0], 1, out=x[0, 0]), "numbers are immutable", TypeError)


def test_in_place_result_must_fit():
    refused(lambda x: operator.iadd(x[0] * 1, x), r"in-place result must be \(3,\).*got \(2, 3\)", ValueError)
    refused(lambda x: operator.iadd(np.argsort(x), x), "in-place result must be int64.*got float64", TypeError)


def test_attributes_cannot_be_set():
    refused(lambda x: setattr(x, "shape", (3, 2)), "Traced.shape: attributes must not be set .*np.reshape")
    refused(lambda x: operator.iadd(x, 1) and setattr(x, "T", 1), "TraceError|ambiguous", Exception)


# Masked arrays and matrices


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("kind", [np.ma.masked_array, np.matrix])
def test_masked_arrays_are_refused(kind):
    plain = kind(np.ones((2, 3)))
    name = type(plain).__name__
    for f in (
        lambda x: x * plain,
        lambda x: np.multiply(x, plain),
        lambda x: np.maximum(plain, x),
        lambda x: x + plain,
    ):
        refused(f, f"must be plain arrays .*got a {name}")


def test_masked_arguments_are_refused():
    with pytest.raises(fb.DtypeError, match="masks are not propagated"):
        grad(np.sum)(np.ma.masked_array([1.0, 2.0], [True, False]))
    refused(lambda x: np.ma.masked_array(x), "Traced.__array__")
    refused(lambda x: np.ma.masked_array(X) * x, "traced value|plain arrays")
    refused(lambda x: operator.setitem(x, 0, np.ma.masked_array(X[0])), "masks are not traced", TypeError)


# Arguments and results


def test_integer_parameter():
    with pytest.raises(fb.DtypeError, match=r"must be real floating point.*int64.*x.astype\(float\)"):
        grad(np.sum)(np.arange(3))


def test_gradient_of_an_array():
    with pytest.raises(fb.ShapeError, match=r"scalar .*shape \(2, 3\), use jacobian"):
        grad(lambda x: x)(X)


def test_no_dependence():
    np.testing.assert_array_equal(grad(lambda x: 1.0)(X), np.zeros((2, 3)))
    np.testing.assert_array_equal(grad(lambda x: np.sum(np.zeros_like(x)))(X), np.zeros((2, 3)))


def test_mutation_of_an_input_after_tracing():
    x = X.copy()
    _, pullback = vjp(lambda x: x**2, x)
    x[:] = 0
    np.testing.assert_array_equal(pullback(np.ones((2, 3)))[0], 2 * X)


def test_mutation_of_an_input_by_the_program():
    x = X.copy()

    def f(x):
        x += 1
        x[0] = 2.0
        return np.sum(x * x)

    g = grad(f)(x)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(g, [[0, 0, 0], [10, 12, 14]])


def test_mutation_of_a_traced_input_after_tracing():
    def f(x):
        y = x * 1
        value, pullback = vjp(lambda z: z * z * y, y)
        value += 1
        y += 5
        return pullback(np.ones((2, 3)))[0]

    np.testing.assert_allclose(at(f), 2 * X * X)
    np.testing.assert_allclose(grad(lambda x: np.sum(f(x)))(X), 4 * X)


# What is left behind


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


# The rest of an array's behaviour


def test_truth_and_membership():
    found = []

    def f(x):
        found.extend([bool(x[0, 0]), 2.0 in x, 7.0 in x, x[0, 0] in (1.0, 2.0), len(x), [len(r) for r in reversed(x)]])
        return x

    at(f)
    assert found == [True, True, False, True, 2, [3, 3]]
    refused(lambda x: bool(x), "truth value .* is ambiguous", ValueError)


def test_numbers_are_found_by_value():
    found = []

    def f(x):
        found.extend([x[0, 0] in {1.0, 2.0}, {1.0: "one"}[x[0, 0]], x[0, 1] in {1.0}])
        return x

    at(f)
    assert found == [True, "one", False]
    refused(lambda x: x in {1.0}, "unhashable", TypeError)
    with pytest.raises(
        fb.TraceError, match=r"hash: a look-up must not depend .* got one at .*test_trace_errors.py:\d+"
    ):
        fb.compile(lambda x: x[0, 0] in {1.0})(X)


def test_scalars_are_no_sequences():
    refused(lambda x: len(x[0, 0]), "unsized", TypeError)
    refused(lambda x: list(x[0, 0]), "unsized|0-d", TypeError)
    refused(lambda x: pow(x, 2, 3), "unsupported operand", TypeError)


def test_array_of_traced_values():
    def f(x):
        return array([[x[0, 0], 1.0], [x[1, 1] ** 2, x[0, 1]]])

    value, tangent = jvp(f, (X,), (X,))
    np.testing.assert_array_equal(value, [[1.0, 1.0], [25.0, 2.0]])
    np.testing.assert_array_equal(tangent, [[1.0, 0.0], [50.0, 2.0]])


def test_sparse_matrices():
    A = scipy.sparse.eye_array(2, format="csr")
    refused(lambda x: A @ x, "Traced.__array__|sparse", Exception)
