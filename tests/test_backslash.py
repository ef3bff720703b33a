"""The generic substitution over everything it is meant for; nothing here uses fastbs's dispatch."""

import ast
import inspect
import operator
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import spsolve

import fastbs as fb
import fastbs.backslash as module
from fastbs.backslash import Arithmetic, adjoint_rows, substitute


def minus(x, y):
    return -y if x is None else x - y


def conjugate_transpose(a):
    return a.conj().T


NUMBERS = Arithmetic(operator.mul, minus, lambda a, r: r / a, lambda a: a.conjugate())
EXACT = Arithmetic(operator.mul, minus, lambda a, r: Fraction(r) / a, lambda a: a)
ARRAYS = Arithmetic(operator.matmul, minus, np.linalg.solve, conjugate_transpose)
SPARSE = Arithmetic(operator.matmul, minus, lambda a, r: spsolve(a.tocsc(), r), conjugate_transpose)
OPERATORS = Arithmetic(operator.matmul, minus, lambda a, r: a.inv @ r, lambda a: a.H)


def split(A):
    """Rows off the diagonal, and the diagonal, of a nested list with None for zero."""
    rows = [[(j, a) for j, a in enumerate(row) if j != i and a is not None] for i, row in enumerate(A)]
    return rows, [row[i] for i, row in enumerate(A)]


def random_triangle(rng, n, upper, density, element):
    """A nested list with None where a random structure has no element."""
    return [
        [element(i == j) if i == j or ((j > i) is upper and rng.random() < density) else None for j in range(n)]
        for i in range(n)
    ]


def test_imports_nothing_of_the_package():
    imports = [node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.ImportFrom)]
    assert all(node.level == 0 and not node.module.startswith("fastbs") for node in imports)
    assert not any(isinstance(node, ast.Import) for node in ast.walk(ast.parse(inspect.getsource(module))))


@pytest.mark.parametrize("upper", [False, True], ids=["lower", "upper"])
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 7), density=st.sampled_from([0.0, 0.5, 1.0]))
@settings(max_examples=30, deadline=None)
def test_fractions_are_exact(upper, seed, n, density):
    rng = np.random.default_rng(seed)
    A = random_triangle(
        rng,
        n,
        upper,
        density,
        lambda diagonal: Fraction(int(rng.integers(1, 9)) if diagonal else int(rng.integers(-9, 9)), 7),
    )
    x = [Fraction(int(k), 3) for k in rng.integers(-5, 6, n)]
    b = [sum(((a or 0) * y for a, y in zip(row, x, strict=True)), Fraction(0)) for row in A]
    found = substitute(*split(A), b, EXACT, upper)
    assert found == x
    assert all(type(y) is Fraction for y in found)


def test_integers():
    assert substitute([[], [(0, 3)]], [2, 4], [6, 1], EXACT) == [3, -2]


def test_symbols():
    a, b, c, p, q = sympy.symbols("a b c p q")
    x = substitute([[], [(0, b)]], [a, c], [p, q], NUMBERS)
    assert [sympy.simplify(y) for y in (x[0] - p / a, x[1] - (q - b * p / a) / c)] == [0, 0]


@pytest.mark.parametrize("upper", [False, True], ids=["lower", "upper"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("kind", ["arrays", "sparse", "operators"])
def test_matrices_against_numpy_solve(kind, dtype, upper):
    rng = np.random.default_rng(3)
    n, m = 4, 3

    def element(diagonal):
        a = rng.standard_normal((m, m)) + (4 * np.eye(m) if diagonal else 0)
        if np.dtype(dtype).kind == "c":
            a = a + 1j * rng.standard_normal((m, m))
        return a.astype(dtype)

    A = random_triangle(rng, n, upper, 0.7, element)
    dense = np.block([[np.zeros((m, m), dtype) if a is None else a for a in row] for row in A])
    b = [rng.standard_normal(m).astype(dtype) for _ in range(n)]
    wrap, arithmetic = {
        "arrays": (lambda a: a, ARRAYS),
        "sparse": (scipy.sparse.csc_array, SPARSE),
        "operators": (fb.Left, OPERATORS),
    }[kind]
    rows, diagonal = split([[None if a is None else wrap(a) for a in row] for row in A])
    x = np.concatenate(substitute(rows, diagonal, b, arithmetic, upper))
    expected = np.linalg.solve(dense, np.concatenate(b))
    assert x.dtype == dtype
    np.testing.assert_allclose(x, expected, rtol=0, atol=100 * np.finfo(dtype).eps * np.abs(expected).max())

    # the same rows, adjoint, the other way round
    adjoint = adjoint_rows(rows, n, arithmetic.adjoint)
    y = np.concatenate(substitute(adjoint, list(map(arithmetic.adjoint, diagonal)), b, arithmetic, not upper))
    expected = np.linalg.solve(dense.conj().T, np.concatenate(b))
    np.testing.assert_allclose(y, expected, rtol=0, atol=100 * np.finfo(dtype).eps * np.abs(expected).max())


class Clock:
    """A user's own element: integers modulo 7, with its own verbs."""

    def __init__(self, hour):
        self.hour = hour % 7

    def turn(self, other):
        return Clock(self.hour * other.hour)

    def back(self, other):
        return Clock(self.hour - other.hour)

    def undo(self, other):
        return Clock(other.hour * pow(self.hour, -1, 7))


def test_a_users_own_elements_and_verbs():
    arithmetic = Arithmetic(Clock.turn, lambda x, y: (x or Clock(0)).back(y), Clock.undo, lambda a: a)
    rows = [[], [(0, Clock(3))], [(0, Clock(5)), (1, Clock(2))]]
    x = substitute(rows, [Clock(2), Clock(4), Clock(6)], [Clock(1), None, Clock(5)], arithmetic)
    assert [c.hour for c in x] == [4, 4, 2]
    dense = np.array([[2, 0, 0], [3, 4, 0], [5, 2, 6]])
    assert (dense @ [c.hour for c in x] % 7).tolist() == [1, 0, 5]


def test_zero_entries_stay_none_and_cost_nothing():
    calls = []

    def counted(name, function):
        def call(*args):
            calls.append(name)
            return function(*args)

        return call

    arithmetic = Arithmetic(
        counted("multiply", operator.mul), counted("subtract", minus), counted("solve", NUMBERS.solve), None
    )
    rows = [[], [(0, 1.0)], [], [(1, 2.0), (2, 1.0)]]
    assert substitute(rows, [1.0] * 4, [None] * 4, arithmetic) == [None] * 4
    assert calls == []
    assert substitute(rows, [1.0, 1.0, 1.0, 2.0], [None, 3.0, None, None], arithmetic) == [None, 3.0, None, -3.0]
    assert sorted(calls) == ["multiply", "solve", "solve", "subtract"]


@pytest.mark.parametrize("upper", [False, True], ids=["lower", "upper"])
def test_empty_system_and_single_row(upper):
    assert substitute([], [], [], NUMBERS, upper) == []
    assert substitute([[]], [4.0], [2.0], NUMBERS, upper) == [0.5]
    assert substitute([[]], [4.0], [None], NUMBERS, upper) == [None]


def test_inputs_are_not_modified():
    rows, diagonal, b = [[], [(0, 2.0)]], [1.0, 1.0], [1.0, None]
    substitute(rows, diagonal, b, NUMBERS)
    assert (rows, diagonal, b) == ([[], [(0, 2.0)]], [1.0, 1.0], [1.0, None])


def test_nan_and_infinity_propagate():
    x = substitute([[], [(0, 1.0)], []], [1.0, 1.0, 2.0], [float("nan"), 1.0, float("inf")], NUMBERS)
    assert np.isnan(x[0])
    assert np.isnan(x[1])
    assert x[2] == float("inf")


def test_exactly_zero_pivot_is_the_elements_own_error():
    with pytest.raises(ZeroDivisionError):
        substitute([[]], [0.0], [1.0], NUMBERS)


@given(seed=st.integers(0, 2**32 - 1), m=st.integers(0, 6), n=st.integers(0, 6))
@settings(max_examples=30, deadline=None)
def test_adjoint_rows_against_the_dense_adjoint(seed, m, n):
    rng = np.random.default_rng(seed)
    dense = (rng.standard_normal((m, n)) + 1j * rng.standard_normal((m, n))) * (rng.random((m, n)) < 0.5)
    rows = [[(j, complex(dense[i, j])) for j in range(n) if dense[i, j]] for i in range(m)]
    found = adjoint_rows(rows, n, lambda a: a.conjugate())
    assert len(found) == n
    rebuilt = np.zeros((n, m), complex)
    for i, row in enumerate(found):
        assert [j for j, _ in row] == sorted(j for j, _ in row)
        for j, a in row:
            rebuilt[i, j] = a
    np.testing.assert_array_equal(rebuilt, dense.conj().T)
    assert adjoint_rows(found, m, lambda a: a.conjugate()) == rows


def test_ten_thousand_rows_without_recursion():
    n = 10_000
    x = substitute([[(i - 1, -1)] if i else [] for i in range(n)], [1] * n, [1] + [None] * (n - 1), EXACT)
    assert x == [1] * n
