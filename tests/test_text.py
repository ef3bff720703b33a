"""Block matrices as text."""

import numpy as np
import pytest

import fastbs as fb
from fastbs.display.names import cut, width
from fastbs.display.text import COLUMNS, LINES
from pictures import network, picture, square


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (2, 0)])
def test_empty(shape):
    assert str(fb.BlockMatrix.from_blocks(shape, {})) == f"[{shape[0]}×{shape[1]}]"


def test_small():
    assert str(fb.Diagonal([5])) == "[ 5 ]"
    assert str(fb.Diagonal([None])) == "[ · ]"
    assert str(fb.BlockMatrix([[1, None, 2.5]])) == "[ I  ·  2.5 ]"
    assert str(fb.BlockMatrix([[1], [-1]])) == "⎡ I  ⎤\n⎣ −1 ⎦"


def aligned(text):
    """All lines of a picture have one width, which fits."""
    lines = text.splitlines()
    assert len({width(line) for line in lines}) == 1
    assert width(lines[0]) <= COLUMNS
    assert len(lines) <= LINES
    return lines


def test_elided_in_the_middle():
    A = fb.Bidiagonal([1] * 1000, [fb.Left(square()) for _ in range(999)])
    assert str(A) == picture("""
        ⎡  I    ·    ·    ·   ·  ⋯    ·      ·      ·      ·    · ⎤
        ⎢ B₁ₗ   I    ·    ·   ·  ⋯    ·      ·      ·      ·    · ⎥
        ⎢  ·   B₂ₗ   I    ·   ·  ⋯    ·      ·      ·      ·    · ⎥
        ⎢  ·    ·   B₃ₗ   I   ·  ⋯    ·      ·      ·      ·    · ⎥
        ⎢  ·    ·    ·   B₄ₗ  I  ⋯    ·      ·      ·      ·    · ⎥
        ⎢  ⋮    ⋮    ⋮    ⋮   ⋮  ⋱    ⋮      ⋮      ⋮      ⋮    ⋮ ⎥
        ⎢  ·    ·    ·    ·   ·  ⋯    I      ·      ·      ·    · ⎥
        ⎢  ·    ·    ·    ·   ·  ⋯  B₉₉₆ₗ    I      ·      ·    · ⎥
        ⎢  ·    ·    ·    ·   ·  ⋯    ·    B₉₉₇ₗ    I      ·    · ⎥
        ⎢  ·    ·    ·    ·   ·  ⋯    ·      ·    B₉₉₈ₗ    I    · ⎥
        ⎣  ·    ·    ·    ·   ·  ⋯    ·      ·      ·    B₉₉₉ₗ  I ⎦
    """)
    aligned(str(A))


def test_long_and_narrow():
    A = fb.Bidiagonal([1] * 1000, [2] * 999)
    assert str(A[:2, :]) == picture("""
        ⎡ I  ·  ·  ·  ·  ⋯  ·  ·  ·  ·  · ⎤
        ⎣ 2  I  ·  ·  ·  ⋯  ·  ·  ·  ·  · ⎦
    """)
    assert str(A[:, :2]).splitlines()[3:7] == ["⎢ ·  · ⎥", "⎢ ·  · ⎥", "⎢ ⋮  ⋮ ⎥", "⎢ ·  · ⎥"]
    assert len(str(A[:40, :2]).splitlines()) == 40
    assert len(str(A[:41, :2]).splitlines()) == 11


def test_wide_entries_take_columns_away_and_a_square_matrix_keeps_its_diagonal():
    D, _ = network(6)
    assert str(D) == picture("""
        ⎡ [M₀ₕ A₀ᵣ, M₀ₕ A′₀ᵣ]           ·           ⋯           ·                    ·          ⎤
        ⎢          ·           [M₁ₕ A₁ᵣ, M₁ₕ A′₁ᵣ]  ⋯           ·                    ·          ⎥
        ⎢          ⋮                    ⋮           ⋱           ⋮                    ⋮          ⎥
        ⎢          ·                    ·           ⋯  [M₄ₕ A₄ᵣ, M₄ₕ A′₄ᵣ]           ·          ⎥
        ⎣          ·                    ·           ⋯           ·           [M₅ₕ A₅ᵣ, M₅ₕ A′₅ᵣ] ⎦
    """)


@pytest.mark.parametrize("shape", [(1, 1), (40, 3), (41, 3), (3, 33), (3, 34), (33, 33), (41, 41), (500, 2), (2, 500)])
@pytest.mark.parametrize("text", ["a", "some", "entry of 19 columns", "x" * 29, "y" * 31, "z" * 300])
def test_always_fits(shape, text):
    op = fb.Operator(np.copy, np.copy, symbol=text)
    n, m = shape
    A = fb.BlockMatrix.from_blocks(shape, {(i, j): op for i in range(n) for j in range(m)})
    lines = aligned(str(A))
    shown = [line[1:-1].split("  ") for line in lines]
    assert ("⋮" in str(A)) == (len(lines) < n)
    assert ("⋯" in str(A)) == (len(shown[0]) < m)
    if n == m:
        assert len(shown) == len(shown[0])


def test_long_entries_are_cut_only_where_they_must():
    op = fb.Operator(np.copy, np.copy, symbol="x" * 90)
    assert str(fb.Diagonal([op])) == f"[ {'x' * 90} ]"
    assert str(fb.Diagonal([op, op])).splitlines()[0] == f"⎡ {'x' * 29}…  {' ' * 14}·{' ' * 15} ⎤"


def test_cut_closes_brackets():
    assert cut("[Mₕ Aᵣ, Mₕ Bᵣ]", 14) == "[Mₕ Aᵣ, Mₕ Bᵣ]"
    assert cut("[Mₕ Aᵣ, Mₕ Bᵣ]", 13) == "[Mₕ Aᵣ, Mₕ…]"
    assert cut("[Mₕ Aᵣ, Mₕ Bᵣ]", 9) == "[Mₕ Aᵣ…]"
    assert cut("abcdef", 4) == "abc…"


def test_wide_and_combining_characters():
    assert width("M̄") == 1
    assert width("行列") == 4
    ops = [fb.Operator(np.copy, np.copy, symbol=s) for s in ("M̄", "行列", "x")]
    aligned(str(fb.BlockMatrix([[op] for op in ops])))


def test_repr_is_one_line():
    D, I_L = network(3)
    assert repr(I_L) == "<Bidiagonal: 3 x 3 blocks, 5 nonzero, float64>"
    assert repr(fb.BlockMatrix([])) == "<BlockMatrix: 0 x 0 blocks, 0 nonzero>"
    assert repr(D).startswith("<Diagonal: 3 x 3 blocks, 3 nonzero")
