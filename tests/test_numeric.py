"""Systems that are arrays of numbers, through `backslash` and `factorize`."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

import fastbs as fb
from dense import DTYPES, backward_error, random_array
from doors import both_doors
from fastbs.solvers.elements import solve_elements
from fastbs.solvers.numeric import triangular_inverse

SPARSE = [scipy.sparse.csr_array, scipy.sparse.csc_array, scipy.sparse.coo_array, scipy.sparse.csr_matrix]


def triangle(rng, m, dtype, upper):
    A = random_array(rng, (m, m), dtype)
    return (np.triu if upper else np.tril)(A) + np.asarray(3, dtype) * np.eye(m, dtype=dtype)


@pytest.mark.parametrize("order", ["C", "F", "strided"])
@pytest.mark.parametrize("upper", [False, True], ids=["lower", "upper"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wrap", [np.asarray, *SPARSE], ids=lambda w: w.__name__)
def test_numeric_triangles(wrap, dtype, upper, order):
    rng = np.random.default_rng(5)
    m = 6
    A = triangle(rng, m, dtype, upper)
    A = {"C": A, "F": np.asfortranarray(A), "strided": np.repeat(A, 2, axis=0)[::2]}[order]
    kept = A.copy()
    for shape in ((m,), (m, 1), (m, 4), (m, 0)):
        b = random_array(rng, shape, dtype)
        for solve in both_doors(wrap(A)):
            x = solve(b)
            assert x.shape == shape
            assert x.dtype == dtype
            assert backward_error(A, x, b) <= 10 * m * np.finfo(dtype).eps
    np.testing.assert_array_equal(A, kept)


@pytest.mark.parametrize("wrap", [np.asarray, scipy.sparse.csr_array], ids=["array", "sparse"])
@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("f4", "f8", "f8"),
        ("f4", "c8", "c8"),
        ("f8", "c8", "c16"),
        ("c8", "f8", "c16"),
        ("c8", "c16", "c16"),
        ("i8", "i8", "f8"),
        ("i8", "f4", "f8"),
    ],
)
def test_numeric_dtypes_promote(wrap, left, right, expected):
    A = np.tril(np.full((2, 2), 3)).astype(left)
    b = np.array([1, 2]).astype(right)
    for solve in both_doors(wrap(A)):
        x = solve(b)
        assert x.dtype == expected
        np.testing.assert_allclose(x, np.linalg.solve(A.astype("c16"), b), rtol=1e-6 if expected == "c8" else 1e-14)


@given(seed=st.integers(0, 2**32 - 1), m=st.integers(1, 30), upper=st.booleans())
@settings(max_examples=25, deadline=None)
def test_numeric_equals_generic(seed, m, upper):
    """The kernel and the generic substitution, which is its specification."""
    rng = np.random.default_rng(seed)
    A = triangle(rng, m, "float64", upper)
    b = rng.standard_normal(m)
    np.testing.assert_allclose(fb.backslash(A, b), solve_elements(A.tolist(), b.tolist()), rtol=1e-9, atol=1e-12)


def test_numeric_right_hand_sides_may_be_lists():
    for solve in both_doors(np.array([[2.0, 0.0], [1.0, 1.0]])):
        np.testing.assert_array_equal(solve([2, 3]), [1, 2])
        np.testing.assert_array_equal(solve([[2, 4], [3, 3]]), [[1, 2], [2, 1]])


@pytest.mark.parametrize("wrap", [np.asarray, scipy.sparse.csr_array], ids=["array", "sparse"])
def test_numeric_with_an_operator_is_lazy(wrap):
    A = np.array([[2.0, 0.0], [1.0, 4.0]])
    B = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    J = fb.backslash(wrap(A), fb.Left(B))
    X = np.ones((3, 2))
    np.testing.assert_allclose(J @ X, np.linalg.solve(A, B @ X), rtol=1e-14)
    np.testing.assert_allclose(J.H @ np.ones((2, 2)), B.T @ np.linalg.solve(A.T, np.ones((2, 2))), rtol=1e-14)


@pytest.mark.parametrize("wrap", [np.asarray, *SPARSE], ids=lambda w: w.__name__)
def test_numeric_errors(wrap):
    with pytest.raises(fb.StructureError, match=r"triangular.*\(1, 0\) and \(0, 2\)"):
        fb.backslash(wrap(np.array([[1.0, 0, 2], [3, 1, 0], [0, 0, 1]])), np.ones(3))
    with pytest.raises(fb.SingularError, match=r"\(1, 1\)"):
        fb.backslash(wrap(np.diag([1.0, 0.0, 1.0])), np.ones(3))
    with pytest.raises(fb.ShapeError, match=r"square.*\(2, 3\)"):
        fb.backslash(wrap(np.ones((2, 3))), np.ones(2))
    for b in (np.ones(2), np.ones((4, 1)), np.ones((2, 3))):
        for solve in both_doors(wrap(np.eye(3))):
            with pytest.raises(fb.ShapeError, match=rf"3.*\({b.shape[0]},|\({b.shape[0]},.*3"):
                solve(b)


@pytest.mark.parametrize("shape", [(), (3,), (2, 2, 2)], ids=str)
def test_numeric_systems_are_matrices(shape):
    with pytest.raises((fb.ShapeError, TypeError), match=r"matrix|A must be"):
        fb.backslash(np.ones(shape), np.ones(2))


def test_masked_arrays_are_refused():
    masked = np.ma.masked_array([1.0, 2.0], mask=[True, False])
    with pytest.raises(fb.DtypeError, match="masked"):
        fb.backslash(np.ma.masked_array(np.eye(2), mask=np.eye(2)), np.ones(2))
    for solve in (
        *both_doors(np.eye(2)),
        lambda b: fb.backslash(fb.Diagonal([1]), [b]),
        lambda b: fb.backslash([[np.eye(2)]], [b]),
    ):
        with pytest.raises(fb.DtypeError, match="masked"):
            solve(masked)


def test_numeric_none_entries_have_a_clear_error():
    with pytest.raises((TypeError, ValueError), match=r"b must"):
        fb.backslash(np.eye(2), [1.0, None])


@pytest.mark.parametrize("upper", [False, True], ids=["lower", "upper"])
def test_numeric_nan_and_infinity(upper):
    A = np.array([[2.0, 0.0], [1.0, 1.0]])
    A = A.T if upper else A
    for value in (np.nan, np.inf):
        x = fb.backslash(A, np.array([value, 1.0]))
        assert not np.isfinite(x[0])
        assert np.isfinite(x[1]) == upper
    A = A.copy()
    A[0, 0] = np.nan
    assert np.isnan(fb.backslash(A, np.ones(2))[0])


def test_triangular_inverse_is_a_snapshot():
    A = np.tril(np.ones((2, 2)))
    inverse = triangular_inverse(A, "here: A")
    A[:] = 0
    np.testing.assert_array_equal(inverse @ np.array([1.0, 3.0]), [1, 2])
