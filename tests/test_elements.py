"""Systems in nested lists: elements of every kind, through `backslash` and `factorize`."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
import sympy

import fastbs as fb
from dense import DTYPES, random_array, well_conditioned
from doors import both_doors
from fastbs.solvers.elements import arithmetic_of, solve_elements

# --- nested lists of elements ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [list, tuple, lambda rows: np.array(rows, dtype=object)], ids=["list", "tuple", "object array"]
)
@pytest.mark.parametrize("zero", [0, None, 0.0, Fraction(0)], ids=repr)
@pytest.mark.parametrize("upper", [False, True], ids=["lower", "upper"])
def test_numbers(kind, zero, upper):
    A = [[2, zero, zero], [1, 4, zero], [zero, Fraction(3), 1]]
    b, x = [Fraction(2), Fraction(9), Fraction(7)], [1, 2, 1]
    if upper:
        A, b, x = [row[::-1] for row in A[::-1]], b[::-1], x[::-1]
    for solve in both_doors(kind(A)):
        found = solve(b)
        assert list(found) == x
        assert all(type(y) is Fraction for y in found)


def test_python_integers_divide_as_python_divides():
    assert fb.backslash([[2, 0], [1, 3]], [1, 2]) == [0.5, 0.5]


def test_decimals():
    assert fb.backslash([[Decimal(2), 0], [Decimal(1), Decimal("0.5")]], [Decimal(1), Decimal(1)]) == [
        Decimal("0.5"),
        Decimal(1),
    ]


@pytest.mark.parametrize("factored", [False, True], ids=["backslash", "factorize"])
def test_symbols(factored):
    a, b, c, p, q = sympy.symbols("a b c p q")
    A = [[a, 0], [b, c]]
    x = fb.factorize(A).solve([p, q]) if factored else fb.backslash(A, [p, q])
    assert sympy.simplify(x[0] - p / a) == 0
    assert sympy.simplify(x[1] - (q - b * p / a) / c) == 0


def test_symbolic_matrices():
    a = sympy.Symbol("a")
    P, Q = sympy.Matrix([[1, a], [0, 1]]), sympy.Matrix([[2, 0], [a, 1]])
    r, s = sympy.Matrix([1, 2]), sympy.Matrix([a, 0])
    x = fb.backslash([[P, None], [Q, P]], [r, s])
    assert sympy.simplify(P @ x[0] - r) == sympy.zeros(2, 1)
    assert sympy.simplify(Q @ x[0] + P @ x[1] - s) == sympy.zeros(2, 1)


def test_numbers_with_array_entries():
    b = [np.array([2.0, 4.0]), np.array([1.0, 1.0])]
    for solve in both_doors([[2, 0], [1, 4]]):
        x = solve(b)
        np.testing.assert_array_equal(x[0], [1, 2])
        np.testing.assert_array_equal(x[1], [0, -0.25])


def test_an_array_for_an_array():
    """A nested list of floats with a float array gives a float array of the same shape."""
    for b in (np.array([1.0, 2.0]), np.ones((2, 3))):
        x = fb.backslash([[2.0, 0], [1, 4]], b)
        assert isinstance(x, np.ndarray)
        assert x.shape == b.shape
        assert x.dtype == b.dtype
        np.testing.assert_allclose(x, np.linalg.solve([[2.0, 0], [1, 4]], b))


def test_an_object_array_for_an_object_array():
    A = np.array([[Fraction(2), 0], [1, Fraction(4)]], dtype=object)
    x = fb.backslash(A, np.array([Fraction(1), Fraction(2)], dtype=object))
    assert x.dtype == object
    assert x.tolist() == [Fraction(1, 2), Fraction(3, 8)]


def matrices(seed, n, m, dtype):
    rng = np.random.default_rng(seed)
    A = [
        [
            well_conditioned(rng, m, dtype) if i == j else random_array(rng, (m, m), dtype) if j < i else None
            for j in range(n)
        ]
        for i in range(n)
    ]
    dense = np.block([[np.zeros((m, m), dtype) if a is None else a for a in row] for row in A])
    return A, dense


MIXES = {
    "arrays": lambda i, j: np.asarray,
    "csr": lambda i, j: scipy.sparse.csr_array,
    "matrix": lambda i, j: scipy.sparse.csc_matrix,
    "operators": lambda i, j: fb.Left,
    "sparse diagonal": lambda i, j: scipy.sparse.csr_array if i == j else np.asarray,
    "sparse below": lambda i, j: np.asarray if i == j else scipy.sparse.csr_array,
    "first sparse": lambda i, j: scipy.sparse.csr_array if i == 0 else np.asarray,
    "first dense": lambda i, j: np.asarray if i == 0 else scipy.sparse.csr_array,
    "operators and arrays": lambda i, j: fb.Left if (i + j) % 2 else np.asarray,
}


@pytest.mark.parametrize("columns", [None, 1, 2], ids=["vector", "column", "columns"])
@pytest.mark.parametrize("mix", MIXES)
def test_matrices(mix, columns):
    n, m = 3, 2
    A, dense = matrices(0, n, m, "float64")
    shape = (m,) if columns is None else (m, columns)
    rng = np.random.default_rng(1)
    b = [rng.standard_normal(shape) for _ in range(n)]
    wrapped = [[None if a is None else MIXES[mix](i, j)(a) for j, a in enumerate(row)] for i, row in enumerate(A)]
    expected = np.linalg.solve(dense, np.concatenate(b))
    for solve in both_doors(wrapped):
        x = solve(b)
        assert [y.shape for y in x] == [shape] * n
        np.testing.assert_allclose(np.concatenate(x), expected, rtol=1e-12, atol=1e-13)
    x = fb.backslash(wrapped, [b[0], None, b[2]])
    np.testing.assert_allclose(
        np.concatenate(x), np.linalg.solve(dense, np.concatenate([b[0], 0 * b[1], b[2]])), rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mix", ["arrays", "csr", "operators"])
def test_matrices_keep_their_dtype(mix, dtype):
    A, _dense = matrices(0, 3, 2, dtype)
    wrapped = [[None if a is None else MIXES[mix](i, j)(a) for j, a in enumerate(row)] for i, row in enumerate(A)]
    for solve in both_doors(wrapped):
        assert [x.dtype for x in solve([np.ones(2, dtype)] * 3)] == [dtype] * 3


@pytest.mark.parametrize("zero", [0, None], ids=repr)
def test_operators_with_zeros(zero):
    """The number 0 is a structural zero beside operators, too."""
    W = np.array([[1.0, 2.0], [3.0, 4.0]])
    g = np.ones((2, 1))
    for A in ([[fb.Identity(), zero], [-fb.Left(W), fb.Identity()]], [[1, zero], [-W, 1]]):
        for solve in both_doors(A):
            x = solve([g, None])
            np.testing.assert_array_equal(x[1], W @ g)


class Money:
    """A user's own scalar: ``*`` and ``/``, nothing else."""

    def __init__(self, cents):
        self.cents = cents

    def __mul__(self, other):
        return Money(self.cents * other.cents)

    def __sub__(self, other):
        return Money(self.cents - other.cents)

    def __neg__(self):
        return Money(-self.cents)

    def __truediv__(self, other):
        return Money(self.cents / other.cents)


class Map:
    """A user's own matrix: ``@``, ``solve``, and ``conj().T`` for the adjoint."""

    def __init__(self, value):
        self.value = value

    def __matmul__(self, x):
        return self.value * x

    def solve(self, r):
        return r / self.value

    def conj(self):
        return Map(self.value.conjugate())

    @property
    def T(self):
        return Map(self.value)


class Ring(Money):
    """A user's own scalar that says itself how it is solved with."""

    def solve(self, r):
        return Ring(pow(self.cents, -1, 7) * r.cents % 7)


def test_a_users_own_classes():
    x = fb.backslash([[Money(2), None], [Money(1), Money(4)]], [Money(6), Money(7)])
    assert [y.cents for y in x] == [3, 1]
    x = fb.backslash([[Money(2), None], [Money(1), Money(4)]], [None, Money(8)])
    assert x[0] is None
    assert x[1].cents == 2
    for solve in both_doors([[Map(2.0), 0], [Map(1.0), Map(4.0)]]):
        assert solve([6.0, 7.0]) == [3.0, 1.0]
    assert fb.backslash(fb.BlockMatrix([[Map(2j), None], [Map(1.0), Map(4.0)]]).H, [1 - 2j, 4.0]) == [1.0, 1.0]
    x = fb.backslash([[Ring(2), None], [Ring(1), Ring(4)]], [Ring(1), Ring(1)])
    assert [y.cents for y in x] == [4, 1]


def test_the_four_functions_are_chosen_by_the_element():
    z = 2 - 1j
    for element in (
        z,
        np.complex64(z),
        np.array(z),
        fb.Left(np.array([[z]])),
        np.array([[z]]),
        scipy.sparse.csr_array([[z]]),
        Map(z),
        sympy.Symbol("a"),
    ):
        multiply, subtract, _, adjoint = arithmetic_of(element)
        assert subtract(None, 2.0) == -2.0
        assert subtract(3.0, 2.0) == 1.0
        assert callable(multiply)
        twin = adjoint(element)
        if not isinstance(element, sympy.Symbol):
            vector = np.ones(1) if getattr(element, "shape", ()) or isinstance(element, fb.Operator) else 1.0
            assert np.allclose(multiply(twin, vector), np.conj(z))


@pytest.mark.parametrize(
    "A", [[], (), np.empty((0, 0), dtype=object), np.zeros((0, 0)), scipy.sparse.csr_array((0, 0))], ids=repr
)
def test_no_rows(A):
    for solve in both_doors(A):
        assert len(solve([] if not hasattr(A, "dtype") or A.dtype == object else np.zeros(0))) == 0


def test_one_row():
    assert fb.backslash([[4]], [2]) == [0.5]
    assert fb.backslash([[4]], [None]) == [None]
    np.testing.assert_array_equal(fb.backslash([[2 * np.eye(2)]], [np.ones(2)])[0], [0.5, 0.5])


def test_inputs_are_not_modified():
    A = [[2 * np.eye(2), None], [np.eye(2), np.eye(2)]]
    b = [np.ones(2), None]
    fb.backslash(A, b)[0][:] = 7
    np.testing.assert_array_equal(A[0][0], 2 * np.eye(2))
    np.testing.assert_array_equal(b[0], np.ones(2))
    assert b[1] is A[0][1] is None


# --- errors of nested lists --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "A",
    [[[1, 2], [3, 4]], [[1, 0, 5], [0, 1, 0], [6, 0, 1]], [[np.eye(2), np.eye(2)], [np.eye(2), np.eye(2)]]],
    ids=["2", "3", "arrays"],
)
def test_not_triangular(A):
    last = len(A) - 1
    for solve in both_doors(A):
        with pytest.raises(fb.StructureError, match=rf"triangular.*\({last}, 0\) and \(0, {last}\)"):
            solve([np.ones(2)] * len(A))


@pytest.mark.parametrize("bad", [0, 0.0, None, Fraction(0), sympy.Integer(0), np.float64(0), np.array(0.0)], ids=repr)
def test_zero_pivots_are_named(bad):
    for solve in both_doors([[1, None, None], [2, bad, None], [None, None, 1]]):
        with pytest.raises(fb.SingularError, match=r"block \(1, 1\)"):
            solve([1, 1, 1])


@pytest.mark.parametrize("wrap", [np.asarray, scipy.sparse.csr_array, fb.Left], ids=["array", "sparse", "operator"])
@pytest.mark.parametrize("bad", [np.zeros((2, 2)), np.ones((2, 2))], ids=["zero", "rank 1"])
def test_singular_matrices_are_named(bad, wrap):
    for solve in both_doors([[wrap(np.eye(2)), None], [wrap(np.eye(2)), wrap(bad)]]):
        with pytest.raises(fb.SingularError, match=r"block \(1, 1\)"):
            solve([np.ones(2), np.ones(2)])


@pytest.mark.parametrize("wrap", [np.asarray, scipy.sparse.csr_array, fb.Left], ids=["array", "sparse", "operator"])
def test_shapes_that_do_not_fit_name_the_block_and_both_shapes(wrap):
    for solve in both_doors([[wrap(np.eye(3)), None], [wrap(np.ones((2, 4))), wrap(np.eye(2))]]):
        with pytest.raises(fb.ShapeError, match=r"block \(1, 0\).*(\(2, 4\).*\(3,\)|\(3,\).*\(2, 4\)|\(4,\).*\(3,\))"):
            solve([np.ones(3), np.ones(2)])
    for solve in both_doors([[wrap(np.eye(3)), None], [None, wrap(np.ones((2, 3)))]]):
        with pytest.raises(fb.ShapeError, match=r"block \(1, 1\).*\(2, 3\)"):
            solve([np.ones(3), np.ones(2)])
    for solve in both_doors([[wrap(np.eye(3))]]):
        with pytest.raises(fb.ShapeError, match=r"block \(0, 0\).*\(4,\)"):
            solve([np.ones(4)])


@pytest.mark.parametrize("wrap", [np.asarray, scipy.sparse.csr_array, fb.Left], ids=["array", "sparse", "operator"])
def test_entries_are_not_broadcast(wrap):
    A = [[wrap(np.eye(2)), None], [wrap(np.eye(2)), wrap(np.eye(2))]]
    for solve in both_doors(A):
        with pytest.raises(fb.ShapeError, match=r"\(2, 1\).*\(2,\)|\(2,\).*\(2, 1\)"):
            solve([np.ones((2, 1)), np.ones(2)])


@pytest.mark.parametrize("A", [[[1, 2], [1]], [[1]] * 2, [[1, 0]], [[]]], ids=repr)
def test_not_square(A):
    for solve in both_doors(A):
        with pytest.raises(fb.ShapeError, match=r"square|one length"):
            solve([1] * len(A))


@pytest.mark.parametrize("n", [0, 1, 3])
def test_wrong_length(n):
    for A in ([[1, 0], [2, 1]], [[fb.Identity(), None], [None, 1]], np.array([[1, None], [None, 1]], dtype=object)):
        for solve in both_doors(A):
            with pytest.raises(fb.ShapeError, match=rf"2 entries.*got {n}"):
                solve([1] * n)


@pytest.mark.parametrize(
    "wrong", ["text", 3, None, {1: 2}, object(), sympy.Symbol("a")], ids=lambda v: type(v).__name__
)
def test_what_is_not_a_system(wrong):
    for solve in both_doors(wrong):
        with pytest.raises((TypeError, ValueError), match=r"(backslash|factorize): A must be"):
            solve([1])


@pytest.mark.parametrize("wrong", [[1, 2], np.array([1, None], dtype=object), ["ab", "cd"]], ids=repr)
def test_what_is_not_a_nested_list(wrong):
    with pytest.raises((TypeError, ValueError), match=r"backslash|BlockMatrix"):
        fb.backslash(wrong, [1, 1])


@pytest.mark.parametrize("wrong", [None, 3, "ab"], ids=repr)
def test_what_is_not_a_right_hand_side(wrong):
    for A in ([[1, 0], [0, 1]], [[fb.Identity(), None], [None, 1]], fb.Diagonal([1, 2])):
        with pytest.raises(TypeError, match=r"block vector"):
            fb.backslash(A, wrong)


def test_a_row_as_an_element_is_a_structure_error():
    with pytest.raises(fb.StructureError, match=r"block \(0, 0\)"):
        fb.backslash([[[1, 2]]], [1.0])


def test_solve_elements_is_the_generic_substitution():
    assert solve_elements([[2, 0], [1, Fraction(1, 3)]], [1, 1]) == [0.5, 1.5]


def test_a_lazy_right_hand_side():
    J = fb.backslash([[1, 0], [-2, 1]], fb.Diagonal([1, 10]))
    assert J @ [1.0, 1.0] == [1.0, 12.0]
    assert J.H @ [0.0, 1.0] == [2.0, 10.0]
