"""Triangular block matrices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastbs as fb


def test_positions():
    A = fb.Triangular([1, 2, 3], {(2, 0): 4})
    assert A.shape == (3, 3)
    assert A.uplo == "L"
    assert A.H.uplo == "U"
    assert [at for at, _ in A.items()] == [(0, 0), (1, 1), (2, 0), (2, 2)]
    assert fb.Triangular([1, 2, 3], {(0, 2): 4}, uplo="U").uplo == "U"
    assert fb.Triangular([1, 2]).solve([1.0, 4.0]) == [1.0, 2.0]
    assert fb.Triangular([1, 2], {}).uplo == "L"


@pytest.mark.parametrize(
    ("uplo", "at", "side"),
    [("L", (0, 1), "below"), ("L", (1, 1), "below"), ("U", (2, 0), "above"), ("U", (0, 0), "above")],
)
def test_blocks_on_the_wrong_side(uplo, at, side):
    with pytest.raises(fb.StructureError, match=rf"block \({at[0]}, {at[1]}\) must lie {side} the diagonal.*'{uplo}'"):
        fb.Triangular([1, 1, 1], {at: 2}, uplo)


@pytest.mark.parametrize("at", [(3, 0), (0, 3), (-1, 0), (5, 5)])
def test_blocks_outside(at):
    with pytest.raises(fb.ShapeError, match=rf"block \({at[0]}, {at[1]}\) must lie in the 3 x 3 blocks"):
        fb.Triangular([1, 1, 1], {at: 2})


@pytest.mark.parametrize("uplo", ["l", None, "lower"], ids=repr)
def test_wrong_uplo(uplo):
    with pytest.raises(fb.StructureError, match=f'"L" or "U".*got {uplo!r}'):
        fb.Triangular([1, 1], {}, uplo)


@pytest.mark.parametrize("key", [3, "ab", (1,), (1, 0, 0)], ids=repr)
def test_keys_are_pairs(key):
    with pytest.raises((TypeError, ValueError)):
        fb.Triangular([1, 1], {key: 2})


def test_structural_zeros_in_the_dict():
    A = fb.Triangular([1, 1, 1], {(1, 0): None, (2, 0): 3})
    assert A[1, 0] is None
    assert sum(1 for _ in A.items()) == 4


def test_the_input_is_not_kept():
    off = {(1, 0): 2}
    A = fb.Triangular([1, 1], off)
    off[1, 0] = 5
    assert A[1, 0] @ 1.0 == 2.0
    assert off == {(1, 0): 5}


@pytest.mark.parametrize(
    "kind", ["A + A", "-A", "2 * A", "A / 2", "A.H", "A.T", "I - A", "A + I", "A @ A", "A @ D", "D @ A", "A - D"]
)
@pytest.mark.parametrize("uplo", ["L", "U"])
def test_the_closure_stays_triangular(kind, uplo):
    at = (2, 0) if uplo == "L" else (0, 2)
    A, D = fb.Triangular([1, 2, 3], {at: 4}, uplo), fb.Diagonal([6, 7, 8])
    result = eval(kind, {"A": A, "D": D, "I": fb.Identity()})
    assert type(result) is fb.Triangular


def test_the_narrowest_structure_holds_the_result():
    A = fb.Triangular([1, 2, 3], {(1, 0): 4})
    assert type(2 * A) is fb.Bidiagonal
    assert type(A + A.H) is fb.BlockMatrix


@pytest.mark.parametrize("uplo", ["L", "U"])
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 12), density=st.sampled_from([0.2, 0.6, 1.0]))
@settings(max_examples=30, deadline=None)
def test_numbers_against_the_dense_triangle(uplo, seed, n, density):
    rng = np.random.default_rng(seed)
    dense = rng.standard_normal((n, n)) * (rng.random((n, n)) < density)
    dense = (np.tril if uplo == "L" else np.triu)(dense, -1 if uplo == "L" else 1) + np.diag(1 + rng.random(n))
    off = {(int(i), int(j)): float(dense[i, j]) for i, j in np.argwhere(dense) if i != j}
    A = fb.Triangular(np.diag(dense).tolist(), off, uplo)
    b = rng.standard_normal(n)
    for matrix, reference in ((A, dense), (A.H, dense.T)):
        x = np.array(matrix.solve(b.tolist()))
        bound = 10 * n * np.finfo(float).eps
        scale = np.abs(reference).sum(axis=1).max() * np.abs(x).max() + np.abs(b).max()
        assert np.abs(reference @ x - b).max() <= bound * scale
        np.testing.assert_allclose(matrix @ b.tolist(), reference @ b, rtol=1e-12, atol=1e-12)
