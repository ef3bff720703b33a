"""Block-sparse triangles from SciPy's BSR arrays against dense LAPACK."""

import itertools
import pickle
import re

import numpy as np
import pytest
import scipy.sparse

import fastbs as fb
from dense import DTYPES, at_offset, backward_error, check_in_50_digits, check_logdet, random_array
from fastbs import _blocks
from fastbs.errors import ShapeError, SingularError, StructureError
from gradients import check
from memory import failing_allocations, peak

KINDS = ("unit", "general", "lower", "upper", "spd")


def random_triangle(rng, n, m, dtype, uplo, kind, density=0.4):
    """(a BSR array, the dense matrix it stands for); of triangles the other side must not be read."""
    A, dense = np.zeros((2, n * m, n * m), dtype)
    pattern = rng.random((n, n)) < density
    for i, j in itertools.product(range(n), repeat=2):
        at = slice(i * m, (i + 1) * m), slice(j * m, (j + 1) * m)
        X = random_array(rng, (m, m), dtype) / np.asarray(n * m, dtype)
        if i == j:
            X = X + 2 * np.eye(m, dtype=dtype)
            A[at] = X = X @ X.conj().T if kind == "spd" else X
            own = {"lower": np.tril, "upper": np.triu, "unit": lambda X: np.eye(len(X))}.get(kind, np.asarray)
            dense[at] = own(X)
        elif (i > j) == (uplo == "L") and pattern[i, j]:
            A[at] = dense[at] = X
    return scipy.sparse.bsr_array(A, blocksize=(m, m)), dense


def turned(A, dense):
    return (A, dense), (A.T, dense.T), (A.H, dense.conj().T), (A.H.T, dense.conj())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("uplo", ["L", "U"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_as_dense(dtype, uplo, kind):
    rng = np.random.default_rng(0)
    for n, m in ((1, 2), (6, 1), (7, 3), (5, 9)):
        sparse, dense = random_triangle(rng, n, m, dtype, uplo, kind)
        A, eps = fb.Triangular.from_scipy(sparse, kind), np.finfo(dtype).eps
        for solver in (A, fb.factorize(A), fb.factorize(A, invert=True)):
            for view, D in turned(solver, dense):
                check_logdet(view, D)
                for form in ((n * m,), (n, m), (n * m, 3), (n, m, 17)):
                    b = random_array(rng, form, dtype)
                    kept, x = b.copy(), view.solve(b)
                    assert x.dtype == dtype
                    np.testing.assert_array_equal(b, kept)
                    error = backward_error(D, x.reshape(n * m, -1), b.reshape(n * m, -1))
                    assert error <= 10 * n * m * eps
        for view, D in turned(A, dense):
            X = random_array(rng, (n * m, 2), dtype)
            for order in "CF":
                np.testing.assert_allclose(view @ np.array(X, order=order), D @ X, rtol=0, atol=1e3 * eps)
            np.testing.assert_allclose(view.to_dense(), D, rtol=0, atol=100 * eps)
            np.testing.assert_allclose(view.to_scipy().toarray(), D, rtol=0, atol=100 * eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_anywhere_in_memory(dtype):
    """Also between multiples of the size of an element, where NumPy lets complex arrays stand."""
    rng = np.random.default_rng(10)
    sparse, dense = random_triangle(rng, 6, 3, dtype, "L", "general")
    A, alignment, size = fb.Triangular.from_scipy(sparse), np.dtype(dtype).alignment, np.dtype(dtype).itemsize
    for offset, order, r in itertools.product(range(0, 2 * size, alignment), "CF", (1, 3, 17)):
        X = at_offset(random_array(rng, (18, r), dtype), offset, order)
        out = at_offset(np.zeros_like(X), (offset + alignment) % (2 * size), order)
        for view, D in turned(A, dense):
            tolerance = 1e3 * np.finfo(dtype).eps
            np.testing.assert_allclose(view @ X, D @ X, rtol=0, atol=tolerance)
            view.solve(X, out=out)
            np.testing.assert_allclose(D @ out, X, rtol=0, atol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_against_mpmath(kind):
    rng = np.random.default_rng(9)
    sparse, dense = random_triangle(rng, 4, 2, "float64", "U", kind, 1)
    b = rng.standard_normal(8)
    check_in_50_digits(dense, fb.Triangular.from_scipy(sparse, kind).solve(b), b)


@pytest.mark.parametrize("order", ["C", "F"])
def test_where_results_go(order):
    rng = np.random.default_rng(1)
    sparse, dense = random_triangle(rng, 8, 3, "float64", "L", "general")
    A, b = fb.Triangular.from_scipy(sparse), np.array(rng.standard_normal((24, 3)), order=order)
    expected, out, own = np.linalg.solve(dense, b), np.empty_like(b), b.copy(order=order)
    assert A.solve(b, out=out) is out
    assert A.solve(own, overwrite_b=True) is own
    for x in (out, own, A.solve(b[:, ::-1])[:, ::-1]):
        np.testing.assert_allclose(x, expected)
    memory = np.empty(b.nbytes + 1, "b")[1:].view("f8").reshape(b.shape)  # not aligned
    assert A.solve(b, out=memory) is memory
    np.testing.assert_allclose(memory, expected)
    np.testing.assert_allclose(A @ memory, b, atol=1e-12)
    np.testing.assert_allclose(A.solve(b + 1j * b[::-1]), np.linalg.solve(dense, b + 1j * b[::-1]))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(A)).solve(b), A.solve(b))


def test_block_vectors_and_lazy_products():
    sparse, dense = random_triangle(np.random.default_rng(2), 4, 2, "float64", "U", "general", 1)
    A = fb.Triangular.from_scipy(sparse)
    x = A.solve([None, np.ones(2), None, None])
    assert x[2] is x[3] is None
    np.testing.assert_allclose(np.concatenate(x[:2]), np.linalg.solve(dense, [0, 0, 1, 1, 0, 0, 0, 0])[:4])
    np.testing.assert_allclose(A[0, 1].to_dense((2,)), dense[:2, 2:4])
    assert A[1, 0] is None
    lazy = fb.backslash(A, fb.Diagonal([2.0] * 4))
    np.testing.assert_allclose(np.concatenate(lazy @ ([np.ones(2)] * 4)), 2 * np.linalg.solve(dense, np.ones(8)))


def test_blocks_are_read_in_place():
    sparse, dense = random_triangle(np.random.default_rng(3), 5, 2, "float64", "L", "unit", 1)
    A = fb.Triangular.from_scipy(sparse, "unit")
    sparse.data *= 2
    np.testing.assert_allclose(A.solve(np.ones(10)), np.linalg.solve(2 * dense - np.eye(10), np.ones(10)))


def test_memory():
    n, m = 2000, 4
    rng = np.random.default_rng(4)
    i = np.arange(1, n)
    pattern = scipy.sparse.csr_array((np.ones(n - 1), (i, rng.integers(0, i))), shape=(n, n)) + scipy.sparse.eye_array(
        n
    )
    sparse = scipy.sparse.kron(pattern, np.eye(m) + 0.1, "bsr").tobsr((m, m))
    A, b = fb.Triangular.from_scipy(sparse), np.ones((n, m))
    for view in (A, A.T, fb.factorize(A).H):
        view.solve(b)
        assert peak(lambda: view.solve(b)) <= b.nbytes + 4000  # noqa: B023
        assert peak(lambda: view.solve(b, overwrite_b=True)) <= 4000  # noqa: B023


@pytest.mark.parametrize("kind", ["general", "spd", "lower"])
def test_failing_allocations(kind):
    sparse, _ = random_triangle(np.random.default_rng(5), 3, 4, "float64", "L", kind)
    A, b = fb.Triangular.from_scipy(sparse, kind), np.ones(12)
    for function in (lambda: A.solve(b), lambda: A @ b, lambda: fb.factorize(A).solve(b)):
        assert failing_allocations(_blocks, function) >= 1


def test_derivatives():
    sparse, _ = random_triangle(np.random.default_rng(6), 3, 2, "float64", "L", "general")
    A = fb.Triangular.from_scipy(sparse)
    for shape in ((6,), (3, 2), (6, 2), (3, 2, 2)):
        check(lambda b: A.solve(b) + A.H @ A.solve(b), np.random.default_rng(7).standard_normal(shape), exact=False,
              float32=False)  # fmt: skip
    with pytest.raises(TypeError, match="must be real because the rule is for real arrays; got complex128"):
        fb.grad(lambda b: np.sum(fb.Triangular.from_scipy(1j * sparse).solve(b).real))(np.ones((3, 2)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("uplo", ["L", "U"])
def test_derivatives_by_blocks(uplo, kind):
    rng = np.random.default_rng(10)
    sparse, dense = random_triangle(rng, 4, 2, "float64", uplo, kind, 1)
    if kind == "unit":
        sparse = sparse - scipy.sparse.bsr_array(np.diag(np.diagonal(sparse.toarray())), blocksize=(2, 2))
    pattern = (sparse.indices, sparse.indptr, kind)
    for shape in ((8,), (4, 2), (8, 3), (4, 2, 2)):
        b = rng.standard_normal(shape)

        def solve(data, b):
            A = fb.Triangular.from_bsr(data, *pattern)
            if kind == "spd":  # products read what solves do not
                return A.solve(b) + A.H.solve(b)
            return A.solve(b) + A.H @ fb.factorize(A).H.solve(A @ b) + A.logdet()[1]

        columns = b.reshape(8, -1)
        last = np.linalg.solve(dense.T, columns) if kind == "spd" else dense @ columns + np.linalg.slogdet(dense)[1]
        expected = np.linalg.solve(dense, columns) + last
        np.testing.assert_allclose(solve(sparse.data, b).reshape(8, -1), expected, rtol=1e-10)
        check(solve, sparse.data, b, exact=False, float32=False, second=shape == (8,))
        check(lambda data: solve(data, b), sparse.data, exact=False, float32=False)  # noqa: B023


def test_derivatives_against_dense():
    rng = np.random.default_rng(11)
    sparse, dense = random_triangle(rng, 5, 3, "float64", "L", "general")
    b, w = rng.standard_normal((2, 15, 2))
    found = fb.grad(lambda data: np.sum(w * fb.Triangular.from_bsr(data, sparse.indices, sparse.indptr).solve(b)))(
        sparse.data
    )
    expected = fb.grad(lambda A: np.sum(w * np.linalg.solve(A, b)))(dense)
    places = scipy.sparse.bsr_array((found, sparse.indices, sparse.indptr), shape=dense.shape).toarray()
    np.testing.assert_allclose(places, np.where(places != 0, expected, 0), rtol=1e-10, atol=1e-12)
    fast = fb.compile(
        fb.grad(lambda data: np.sum(fb.Triangular.from_bsr(data, [0, 0, 1], [0, 1, 3]).solve(np.ones(2))))
    )
    for scale in (1.0, 2.0):
        data = scale * np.array([2.0, 4.0, 1.0]).reshape(3, 1, 1)
        np.testing.assert_allclose(fast(data).ravel(), np.array([0.75, -0.5, 1]) / scale**2)


@pytest.mark.parametrize("kind", ["general", "lower", "upper", "spd"])
@pytest.mark.parametrize("uplo", ["L", "U"])
def test_a_singular_block_is_named(uplo, kind):
    sparse, _ = random_triangle(np.random.default_rng(8), 5, 3, "float64", uplo, kind)
    dense = sparse.toarray()
    dense[3:6, 3:6] = 0
    A = fb.Triangular.from_scipy(scipy.sparse.bsr_array(dense, blocksize=(3, 3)), kind)
    for solve in (A.solve, A.H.solve, lambda b: fb.factorize(A).solve(b)):
        for b in (np.ones(15), np.ones((15, 4))):
            with pytest.raises(SingularError, match=r"block \(1, 1\) must be"):
                solve(b)


def test_formats_and_errors():
    dense = np.tril(np.arange(16.0).reshape(4, 4)) + 4 * np.eye(4)
    for made in (scipy.sparse.csr_array, scipy.sparse.dia_array, scipy.sparse.coo_matrix):
        for block in (1, 2):
            A = fb.Triangular.from_scipy(made(dense), block=block)
            np.testing.assert_allclose(A.solve(np.ones(4)), np.linalg.solve(dense, np.ones(4)), atol=1e-14)
    twice = scipy.sparse.bsr_array((np.ones((3, 1, 1)), [0, 0, 1], [0, 2, 3]), shape=(2, 2))
    np.testing.assert_allclose(fb.Triangular.from_scipy(twice).solve(np.ones(2)), [0.5, 1])
    assert fb.Triangular.from_scipy(scipy.sparse.csr_array((0, 0)), block=1).solve(np.ones(0)).shape == (0,)
    for make, error, message in (
        (lambda: fb.Triangular.from_scipy(scipy.sparse.csr_array(np.ones((4, 4))), block=2), StructureError,
         "A must be triangular because it is solved by substitution; got blocks (1, 0) and (0, 1)"),
        (lambda: fb.Triangular.from_scipy(scipy.sparse.csr_array(dense), block=3), ShapeError, "blocks are 3 x 3"),
        (lambda: fb.Triangular.from_scipy(scipy.sparse.csr_array(dense), "x", block=2), StructureError, "got 'x'"),
        (lambda: fb.Triangular.from_bsr(np.ones((2, 1, 2)), [0, 1], [0, 1, 2]), ShapeError, "for each of 2 indices"),
        (lambda: fb.Triangular.from_bsr(np.ones((3, 1, 1)), [0, 0, 0], [0, 2, 3]), StructureError, "without rep"),
        (lambda: fb.Triangular.from_bsr(np.ones((2, 1, 1)), [1, 0], [0, 1, 2]), StructureError, "blocks (1, 0) and"),
        (lambda: fb.Triangular.from_bsr(np.ones((1, 1, 1)), [0], [0, 1, 1]), SingularError, "block (1, 1) must be"),
        (lambda: fb.Triangular.from_bsr(np.ones((1, 1, 1)), [0], [0, 1], "x"), StructureError, "got 'x'"),
    ):  # fmt: skip
        with pytest.raises(error, match=re.escape(message)):
            make()


@pytest.mark.parametrize("diagonal", ["general", "lower", "upper", "spd", "unit"])
def test_no_blocks(diagonal):
    A = fb.Triangular.from_bsr(np.zeros((0, 2, 2)), np.zeros(0, int), np.zeros(1, int), diagonal)
    for B in (A, A.T, A.H):
        assert (B @ np.zeros((0, 3))).shape == B.solve(np.zeros((0, 3))).shape == (0, 3)
