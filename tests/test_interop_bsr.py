"""Block matrices from sparse and banded ones of SciPy, and back."""

import re

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse

import fastbs as fb
from fastbs.errors import DtypeError, ShapeError, StructureError


def blocks(n=4, m=2):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, m, m)) + 2 * np.eye(m), rng.standard_normal((n - 1, m, m))


@pytest.mark.parametrize("uplo", ["L", "U"])
@pytest.mark.parametrize("made", [scipy.sparse.csr_array, scipy.sparse.dia_array, scipy.sparse.bsr_matrix])
def test_any_sparse_format(made, uplo):
    A = fb.Bidiagonal.from_arrays(*blocks(), uplo)
    back = fb.Bidiagonal.from_scipy(made(A.to_scipy()), block=2)
    assert back.uplo == uplo
    np.testing.assert_array_equal(back.to_dense(), A.to_dense())
    diagonal = fb.Diagonal.from_arrays(A.stack.diag)
    np.testing.assert_array_equal(
        fb.Diagonal.from_scipy(made(diagonal.to_scipy()), block=2).to_dense(), diagonal.to_dense()
    )


@pytest.mark.parametrize("uplo", ["L", "U"])
def test_banded_there_and_back(uplo):
    A = fb.Bidiagonal.from_arrays(*blocks(), uplo)
    ab, widths = A.to_banded()
    for kind in (fb.Bidiagonal, fb.Triangular):
        back = kind.from_banded(ab, widths, block=2)
        np.testing.assert_array_equal(back.to_dense(), A.to_dense())
        b = np.ones(8)
        np.testing.assert_allclose(back.solve(b), scipy.linalg.solve_banded(widths, ab, b))
    again, again_widths = back.to_banded()
    assert again_widths == widths
    np.testing.assert_array_equal(again, ab)


@pytest.mark.parametrize(
    ("A", "n"),
    [
        (fb.Diagonal.from_arrays(np.zeros((0, 2, 2))), 0),
        (fb.Triangular.from_arrays(np.zeros((0, 0)), 2), 0),
        (fb.Triangular.from_scipy(scipy.sparse.csr_array((0, 0)), block=1), 0),
        (fb.Triangular.from_arrays(np.zeros((0, 0)), [0, 0]), 0),
        (fb.Triangular.from_arrays(np.eye(2), [0, 2, 0]), 2),
        (fb.Bidiagonal.from_arrays(None, np.zeros((1, 2, 2))), 4),
    ],
    ids=["no stack", "no triangle", "no sparse blocks", "empty blocks", "some empty blocks", "identity"],
)
def test_empty_and_identity_blocks(A, n):
    assert A.to_scipy().dtype == np.float64
    np.testing.assert_array_equal(A.to_scipy().toarray(), np.eye(n))
    ab, (l, u) = A.to_banded()
    assert ab.shape == (l + u + 1, n)
    np.testing.assert_array_equal(ab[u], np.ones(n))


def test_tridiagonal_without_rows():
    assert fb.Tridiagonal(np.zeros((3, 0, 0)), np.zeros((2, 0, 0))).to_scipy().shape == (0, 0)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: fb.Diagonal.from_scipy(scipy.sparse.csr_array(np.tri(4)), block=2), StructureError,
         "Diagonal.from_scipy: block (1, 0) must be zero because the diagonal and nothing else are taken"),
        (lambda: fb.Bidiagonal.from_banded(np.ones((3, 4)), (1, 0), 2), ShapeError,
         "ab must be (2, N) because there are 1 diagonals below and 0 above the main one; got (3, 4)"),
        (lambda: fb.Bidiagonal.from_scipy(scipy.sparse.csr_array((3, 4)), block=1), ShapeError, "A must be square"),
        (lambda: fb.Triangular.from_scipy(scipy.sparse.csr_array((4, 3)), block=2), ShapeError, "got (4, 3)"),
        (lambda: fb.Triangular.from_scipy(scipy.sparse.coo_array(np.ones(4))), ShapeError, "got (4,)"),
        (lambda: fb.Triangular.from_scipy(np.eye(4)), DtypeError, "A must be a SciPy sparse array"),
        (lambda: fb.Triangular.from_scipy(scipy.sparse.csr_array((4, 4)), block=0), ShapeError, "blocks are 0 x 0"),
        (lambda: fb.Triangular.from_scipy(scipy.sparse.bsr_array(np.eye(4), blocksize=(1, 2))), ShapeError,
         "square blocks because it is solved with; got blocks (1, 2)"),
        (lambda: fb.Bidiagonal.from_banded(np.ma.ones((2, 4)), (1, 0), 2), DtypeError,
         "Bidiagonal.from_banded: ab must be a plain array because masks are not propagated"),
    ],
)  # fmt: skip
def test_errors(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()
