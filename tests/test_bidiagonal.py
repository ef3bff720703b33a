"""Bidiagonal block matrices: chains."""

import functools

import numpy as np
import pytest

import fastbs as fb
from dense import seconds, well_conditioned

UPLO = pytest.mark.parametrize("uplo", ["L", "U"])


@UPLO
def test_positions(uplo):
    A = fb.Bidiagonal([1, 2, 3], [4, 5], uplo)
    assert A.uplo == uplo
    assert A.H.uplo == {"L": "U", "U": "L"}[uplo]
    off = [(1, 0), (2, 1)] if uplo == "L" else [(0, 1), (1, 2)]
    assert {at for at, _ in A.items()} == {(0, 0), (1, 1), (2, 2), *off}
    assert A[off[0]] @ 1.0 == 4.0
    assert A[off[1]] @ 1.0 == 5.0


def test_lower_is_the_default():
    assert fb.Bidiagonal([1, 1], [2])[1, 0] @ 1.0 == 2.0


@UPLO
def test_strictly_triangular(uplo):
    L = fb.Bidiagonal([None] * 3, [2, 3], uplo)
    assert ([None, 2.0, 3.0] if uplo == "L" else [2.0, 3.0, None]) == L @ [1.0, 1.0, 1.0]
    I_L = fb.Identity() - L
    assert type(I_L) is fb.Bidiagonal
    assert I_L.uplo == uplo
    assert all(I_L[i, i] is not None for i in range(3))
    x = I_L.solve([1.0, 1.0, 1.0])
    assert x == ([1.0, 3.0, 10.0] if uplo == "L" else [9.0, 4.0, 1.0])


@pytest.mark.parametrize(
    "kind",
    ["A + A", "A - A", "-A", "2 * A", "A / 2", "A.H", "A.T", "I - A", "A + I", "A + D", "A @ D", "D @ A", "D - A"],
)
@UPLO
def test_the_closure_stays_bidiagonal(kind, uplo):
    A, D = fb.Bidiagonal([1, 2, 3], [4, 5], uplo), fb.Diagonal([6, 7, 8])
    result = eval(kind, {"A": A, "D": D, "I": fb.Identity()})
    assert type(result) is fb.Bidiagonal


def test_products_widen():
    A = fb.Bidiagonal([1, 2, 3], [4, 5])
    assert type(A @ A) is fb.Triangular
    assert type(A + A.H) is fb.BlockMatrix
    assert type(A @ A.H) is fb.BlockMatrix
    two = fb.Bidiagonal([1, 2], [4])
    assert type(two @ two) is fb.Bidiagonal


@pytest.mark.parametrize(("n", "k"), [(3, 3), (3, 1), (1, 1), (0, 1), (2, 0)])
def test_wrong_number_of_blocks(n, k):
    with pytest.raises(fb.ShapeError, match=rf"off must have {max(n - 1, 0)} blocks because diag has {n}; got {k}"):
        fb.Bidiagonal([1] * n, [1] * k)


@pytest.mark.parametrize("uplo", ["l", "lower", None, 1, ""], ids=repr)
def test_wrong_uplo(uplo):
    with pytest.raises(fb.StructureError, match=f'"L" or "U".*got {uplo!r}'):
        fb.Bidiagonal([1, 1], [1], uplo)


def test_the_block_is_named():
    with pytest.raises(TypeError, match=r"Bidiagonal: block \(2, 1\).*got str"):
        fb.Bidiagonal([1, 1, 1], [None, "text"])
    with pytest.raises(TypeError, match=r"Bidiagonal: block \(1, 2\).*got str"):
        fb.Bidiagonal([1, 1, 1], [None, "text"], "U")


def test_gaps_in_the_chain():
    A = fb.Bidiagonal([1, 1, 1], [None, 2])
    assert A.solve([1.0, None, None]) == [1.0, None, None]
    assert A.solve([1.0, 1.0, None]) == [1.0, 1.0, -2.0]


@functools.cache
def chain(n):
    rng = np.random.default_rng(0)
    W = [well_conditioned(rng, 3) / 2 for _ in range(7)]
    M = fb.Hadamard(np.full((3, 1), 0.9))
    return fb.Bidiagonal([fb.Identity()] * n, [-(M @ fb.Left(W[i % 7])) for i in range(n - 1)]), W


@pytest.mark.parametrize("adjoint", [False, True], ids=["forward", "backward"])
def test_ten_thousand_operator_blocks(adjoint):
    """No recursion, and time linear in the blocks."""
    times = {}
    for n in (1_000, 10_000):
        A, W = chain(n)
        A = A.H if adjoint else A
        b = [np.ones((3, 1))] * n
        x = A.solve(b)
        times[n] = seconds(lambda: A.solve(b))  # noqa: B023
        y = np.zeros((3, 1))
        for i in reversed(range(n)) if adjoint else range(n):
            if adjoint:
                y = 1 + W[i % 7].T @ (0.9 * y)  # zero at first
            else:
                y = 1 + 0.9 * (W[(i - 1) % 7] @ y)
        np.testing.assert_allclose(x[0 if adjoint else -1], y, rtol=1e-10)
    assert times[10_000] < 40 * times[1_000]  # 10 if linear, 100 if quadratic


def test_ten_thousand_blocks_survive_deep_use():
    n = 10_000
    A, _ = chain(n)
    b = [np.ones((3, 1))] + [None] * (n - 1)
    J = fb.backslash(A, fb.Diagonal([1] * n))
    assert len(J @ b) == n
    assert len(J.H @ b) == n
    assert len(fb.factorize(A.H).solve(b)) == n
    assert repr(A)
    assert repr(J)
