"""A traced value never becomes a constant silently: each way it could, what happens, and the way out."""

import math
import operator
import pickle

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.ndimage
import scipy.optimize
import scipy.sparse

import fastbs as fb
from fastbs.derivatives import grad, jvp, vjp
from fastbs.rules.joining import array
from traced_values import X, at, refused

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
    refused(lambda x: A @ x, "Traced.__array__")
