"""Pictures of block matrices: what is written in a block, text, HTML, matplotlib."""

import builtins
import re
import time
from fractions import Fraction
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from scipy.sparse import csr_array, dok_array

import fastbs as fb
from fastbs.display.names import cut, symbols, width
from fastbs.display.plot import COLOURS
from fastbs.display.text import COLUMNS, LINES

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def no_figures():
    yield
    plt.close("all")


def square():
    """A new array at each call."""
    return np.ones((2, 2))


def network(N):
    """D and I - L of a layered network without names, as in the README."""
    D = fb.Diagonal([[fb.Hadamard(d) @ fb.Right(square()), fb.Hadamard(d) @ fb.Right(square())]
                     for d in (square() for _ in range(N))])  # fmt: skip
    off = [-(fb.Hadamard(square()) @ fb.Left(square())) for _ in range(1, N)]
    return D, fb.Bidiagonal([fb.Identity()] * N, off)


def picture(text):
    """The lines of an expected picture, without the indentation of the test."""
    return "\n".join(line.strip() for line in text.strip().splitlines())


# Symbols of operators


def operators():
    """An operator and how it is written."""
    B, A, M, G = fb.Left(square()), fb.Right(square()), fb.Hadamard(square()), fb.Inner(square())
    R = fb.Left(np.eye(2))
    C, K = fb.Left(np.eye(2) * 1j), fb.Kronecker(np.eye(2), np.eye(2))
    return [
        (B, "Bₗ"),
        (A, "Aᵣ"),
        (M, "Mₕ"),
        (G, "Gᵀ•"),
        (G.H, "G"),
        (fb.Identity(), "I"),
        (fb.Zero(), "O"),
        (K, "A⊗B"),
        (fb.Kronecker(square(), square(), square()), "A⊗B⊗C"),
        (K.H, "Aᵀ⊗Bᵀ"),
        (K.inv, "A⁻¹⊗B⁻¹"),
        (K.inv.H, "A⁻ᵀ⊗B⁻ᵀ"),
        (fb.Kronecker(1j * square(), square()).H, "Aᴴ⊗Bᴴ"),
        (fb.Kronecker(square(), square(), symbol="K").H, "Kᵀ"),
        (fb.Kronecker(square(), square(), symbol="X ⊗ Y").H, "Xᵀ⊗Yᵀ"),
        (B.H, "Bᵀₗ"),
        (R.inv, "B⁻¹ₗ"),
        (R.inv.inv, "Bₗ"),
        (R.inv.H, "B⁻ᵀₗ"),
        (R.H.inv, "B⁻ᵀₗ"),
        (R.H.inv.inv, "Bᵀₗ"),
        (R.H.inv.T, "B⁻¹ₗ"),
        (C.H, "Bᴴₗ"),
        (C.T, "Bᵀₗ"),
        (C.H.T, "conj(B)ₗ"),
        (C.inv.H, "B⁻ᴴₗ"),
        (M.inv, "Mₕ⁻¹"),
        (fb.Hadamard(1j * square()).H, "conj(M)ₕ"),
        (fb.Inner(1j * square()), "Gᴴ•"),
        (fb.Inner(1j * square()).T, "conj(G)"),
        (fb.Left(square(), symbol="W₂") @ M, "W₂ₗ Mₕ"),
        (-(M @ B), "−Mₕ Bₗ"),
        (-M @ B, "−Mₕ Bₗ"),
        (M @ -B, "Mₕ (−Bₗ)"),
        ((M + B) @ A, "(Mₕ + Bₗ) Aᵣ"),
        (M - B + A, "Mₕ − Bₗ + Aᵣ"),
        (M - (-2 * B), "Mₕ + 2 Bₗ"),
        (M + (-2 * B), "Mₕ − 2 Bₗ"),
        (-(2 * B), "−2 Bₗ"),
        (2 * (-B), "2 (−Bₗ)"),
        (2 * (M @ B), "2 Mₕ Bₗ"),
        (2 * (M + B), "2 (Mₕ + Bₗ)"),
        ((2 * M) @ B, "2 Mₕ Bₗ"),
        (B @ (2 * M), "Bₗ (2 Mₕ)"),
        ((M / 3) @ B, "(Mₕ / 3) Bₗ"),
        (B / Fraction(1, 3), "Bₗ / (1/3)"),
        (-0.123456 * B, "−0.1235 Bₗ"),
        (np.array(0.123456) * B, "0.1235 Bₗ"),
        ((1 - 2j) * B, "(1−2j) Bₗ"),
        (3 * fb.Identity(), "3"),
        (fb.Identity() / 3, "1/3"),
    ]


@pytest.mark.parametrize(("op", "symbol"), operators(), ids=[symbol for _, symbol in operators()])
def test_symbols_of_operators(op, symbol):
    assert str(op) == op.symbol == symbol


def test_symbols_of_sympy_numbers():
    sympy = pytest.importorskip("sympy")
    a, b = sympy.symbols("a b")
    assert ((a - b) * fb.Left(square())).symbol == "(a − b) Bₗ"
    assert str(fb.Bidiagonal([1, 1], [a - b])) == "⎡   I    · ⎤\n⎣ a − b  I ⎦"


def test_symbols_of_lazy_products_do_not_draw():
    D, I_L = network(3)
    J = fb.backslash(I_L, D)
    assert J.symbol == "[3×3]⁻¹ [3×3]"
    assert J[2, 0].symbol == "([3×3]⁻¹ [3×3])[2, 0]"
    assert I_L.inv.symbol == "[3×3]⁻¹"


# Names that stand for several arrays


def test_network_counts_its_names_as_its_program_does():
    D, I_L = network(3)
    assert str(I_L) == picture("""
        ⎡    I         ·      · ⎤
        ⎢ −M₁ₕ B₁ₗ     I      · ⎥
        ⎣    ·      −M₂ₕ B₂ₗ  I ⎦
    """)
    assert str(I_L.H) == picture("""
        ⎡ I  −B₁ᵀₗ M₁ₕ      ·     ⎤
        ⎢ ·      I      −B₂ᵀₗ M₂ₕ ⎥
        ⎣ ·      ·          I     ⎦
    """)
    assert str(D) == picture("""
        ⎡ [M₀ₕ A₀ᵣ, M₀ₕ A′₀ᵣ]           ·                    ·          ⎤
        ⎢          ·           [M₁ₕ A₁ᵣ, M₁ₕ A′₁ᵣ]           ·          ⎥
        ⎣          ·                    ·           [M₂ₕ A₂ᵣ, M₂ₕ A′₂ᵣ] ⎦
    """)
    assert D.H.shape == (3, 3)
    assert str(D[:1, :1].H) == "[ [A₀ᵀᵣ Mₕ; A′₀ᵀᵣ Mₕ] ]"


def test_a_shared_array_needs_no_index():
    W, delta = square(), [square() for _ in range(4)]
    A = fb.Bidiagonal([1] * 4, [-(fb.Hadamard(d) @ fb.Left(W)) for d in delta[1:]])
    assert symbols(dict(A.items()))[2, 1] == "−M₂ₕ Bₗ"
    assert symbols(dict(A.H.items()))[1, 2] == "−Bᵀₗ M₂ₕ"


@pytest.mark.parametrize("sparse", [False, True])
def test_an_array_and_its_transpose_share_an_index(sparse):
    W, V = (csr_array(square()) if sparse else square() for _ in range(2))
    A = fb.BlockMatrix([[fb.Left(W), fb.Left(W).H], [fb.Left(V).T, None]])
    assert symbols(dict(A.items())) == {(0, 0): "B₀ₗ", (0, 1): "B₀ᵀₗ", (1, 0): "B₁ᵀₗ"}


def test_matrices_without_an_address():
    W, V = dok_array(square()), dok_array(square())
    ops = [fb.Left(W), fb.Left(V), fb.Right(W)]
    assert list(symbols({(i, i): op for i, op in enumerate(ops)}).values()) == ["B₀ₗ", "B₁ₗ", "Aᵣ"]


def test_inverses_are_snapshots_of_their_own():
    op = fb.Left(np.eye(2))
    assert symbols({(0, 0): op, (1, 1): op.inv, (2, 2): op.inv.H}) == {
        (0, 0): "B₀ₗ",
        (1, 1): "B₁⁻¹ₗ",
        (2, 2): "B₂⁻ᵀₗ",
    }


def test_two_indices_where_one_is_not_enough():
    A = fb.Triangular([1] * 4, {(i, j): fb.Left(square()) for i in range(4) for j in range(i)})
    assert str(A) == picture("""
        ⎡  I     ·     ·    · ⎤
        ⎢ B₁₀ₗ   I     ·    · ⎥
        ⎢ B₂₀ₗ  B₂₁ₗ   I    · ⎥
        ⎣ B₃₀ₗ  B₃₁ₗ  B₃₂ₗ  I ⎦
    """)
    assert symbols(dict(A.H.items()))[1, 3] == "B₃₁ᵀₗ"
    wide = {(11, 2): fb.Left(square()), (11, 10): fb.Left(square()), (1, 0): fb.Left(square())}
    assert list(symbols(wide).values()) == ["B₁₁,₂ₗ", "B₁₁,₁₀ₗ", "B₁₀ₗ"]


def test_primes_in_one_block():
    row = fb.Diagonal([[fb.Left(square()) for _ in range(6)]])
    assert str(row) == "[ [B₀ₗ, B′₀ₗ, B″₀ₗ, B‴₀ₗ, B⁽⁴⁾₀ₗ, B⁽⁵⁾₀ₗ] ]"


def test_kronecker_factors_are_told_apart_one_by_one():
    A, B = square(), square()
    K = [fb.Kronecker(A, B), fb.Kronecker(square(), B), fb.Right(A)]
    assert list(symbols({(i, i): op for i, op in enumerate(K)}).values()) == ["A₀⊗B", "A₁⊗B", "A₀ᵣ"]
    named = {(i, i): fb.Kronecker(square(), square(), symbol="K").H for i in range(2)}
    assert list(symbols(named).values()) == ["K₀ᵀ", "K₁ᵀ"]


def test_names_that_end_in_a_digit_stay():
    ops = {(i, i): fb.Left(square(), symbol="W₂") @ fb.Right(square(), symbol="1ᵀ") for i in range(2)}
    assert list(symbols(ops).values()) == ["W₂ₗ 1ᵀᵣ"] * 2
    ops = {(i, i): fb.Left(square(), symbol="W") for i in range(2)}
    assert list(symbols(ops).values()) == ["W₀ₗ", "W₁ₗ"]


def test_conjugated_sums_and_multiples_are_numbered_inside():
    ops = [fb.Hadamard(1j * square()).H, 2 * fb.Hadamard(square()) + fb.Identity(), fb.Hadamard(square()) / 3]
    assert list(symbols({(i, i): op for i, op in enumerate(ops)}).values()) == ["conj(M₀)ₕ", "2 M₁ₕ + I", "M₂ₕ / 3"]


def test_users_operators_and_objects_as_they_call_themselves():
    class Silent:
        def __matmul__(self, other):
            return other

    class Wordy(Silent):
        def __str__(self):
            return "two\n lines\x07"

    nested = fb.Diagonal([fb.Left(np.eye(2)), 2])
    gradient = fb.Operator(np.diff, np.diff, symbol="∇")
    A = fb.BlockMatrix(
        [[Silent(), Wordy()], [nested, gradient], [[nested, None, gradient], fb.backslash(nested, nested)]]
    )
    assert list(symbols(dict(A.items())).values()) == [
        "Silent",
        "two lines",
        "[2×2]",
        "∇",
        "[[2×2], ·, ∇]",
        "[2×2]⁻¹ [2×2]",
    ]


def test_naming_changes_nothing():
    op = -(fb.Hadamard(square()) @ fb.Left(square()))
    A = fb.Bidiagonal([1, 1], [op])
    before = dict(A.__dict__)
    assert str(A) == str(A)
    assert A[1, 0] is op
    assert op.symbol == "−Mₕ Bₗ"
    assert A.__dict__ == before


# Text


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


# HTML


class Balanced(HTMLParser):
    """Rows of cell texts of a table; every tag closes the one that was opened last."""

    def __init__(self, html):
        super().__init__()
        self.open, self.rows, self.titles, self.caption = [], [], [], ""
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        attributes = dict(attributes)
        assert set(attributes) <= {"style", "title"}
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.rows[-1].append("")
        if "title" in attributes:
            self.titles.append(attributes["title"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open:
            self.rows[-1][-1] += {"sub": "_", "sup": "^"}.get(self.open[-1], "") + data
        else:
            assert self.open == ["table", "caption"]
            self.caption += data


def test_html_of_a_network():
    _, I_L = network(3)
    table = Balanced(I_L._repr_html_())
    assert table.caption == "bidiagonal, 3×3 blocks, 5 nonzero, float64"
    assert table.rows == [["I", "·", "·"], ["−M_1H B_1L", "I", "·"], ["·", "−M_2H B_2L", "I"]]
    assert table.titles[1].startswith("[1, 0]: <Sum −Mₕ Bₗ: ")
    assert Balanced(I_L.H._repr_html_()).rows[0][1] == "−B^T_1L M_1H"


def test_html_is_escaped():
    text = '<b onclick="x">&\''
    A = fb.BlockMatrix([[fb.Operator(np.copy, np.copy, symbol=text)]])
    table = Balanced(A._repr_html_())
    assert table.rows == [[text]]
    assert text in table.titles[0]
    assert table.caption == "block matrix, 1×1 blocks, 1 nonzero"


def test_html_indices():
    ops = {(11, 2): fb.Left(square()), (11, 10): fb.Left(square()).H, (1, 0): fb.Right(np.eye(2)).inv.H}
    table = Balanced(fb.BlockMatrix.from_blocks((12, 12), ops)._repr_html_())
    assert table.rows[11][2] == "B_11,2L"
    assert table.rows[1][0] == "A^−T_R"
    wanted = fb.BlockMatrix([[[fb.Left(square()) for _ in range(6)]]])
    assert Balanced(wanted._repr_html_()).rows == [["[B_0L, B′_0L, B″_0L, B‴_0L, B^(4)_0L, B^(5)_0L]"]]


def test_html_leaves_out_what_text_leaves_out():
    A = fb.Bidiagonal([1] * 1000, [2] * 999)
    table = Balanced(A._repr_html_())
    assert table.rows == [line[1:-1].split() for line in str(A).splitlines()]
    assert len(table.titles) == 18


@pytest.mark.parametrize("shape", [(0, 0), (0, 3)])
def test_html_empty(shape):
    table = Balanced(fb.BlockMatrix.from_blocks(shape, {})._repr_html_())
    assert table.rows == []
    assert f"{shape[0]}×{shape[1]} blocks, 0 nonzero" in table.caption


# matplotlib


def drawn(ax):
    """{kind: positions (i, j)} of the cells of a picture."""

    def position(path):
        j, i = path.vertices[:4].mean(axis=0).round()
        return int(i), int(j)

    return {c.get_label(): sorted(map(position, c.get_paths())) for c in ax.collections}


def written(ax):
    return {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in ax.texts}


def listed(ax):
    return [t.get_text() for t in ax.get_legend().get_texts()]


def test_spy_a_network():
    _, I_L = network(3)
    ax = fb.spy(I_L)
    ax.figure.canvas.draw()
    assert drawn(ax) == {"identity": [(0, 0), (1, 1), (2, 2)], "product": [(1, 0), (2, 1)]}
    assert listed(ax) == ["identity", "product"]
    assert written(ax) == {
        (0, 0): "I",
        (1, 0): "−M₁ₕ B₁ₗ",
        (1, 1): "I",
        (2, 1): "−M₂ₕ B₂ₗ",
        (2, 2): "I",
    }
    assert ax.get_xlabel() == "block column"
    assert ax.get_ylabel() == "block row"
    assert ax.get_aspect() == 1
    assert ax.yaxis_inverted()
    assert (ax.get_xlim(), ax.get_ylim()) == ((-0.5, 2.5), (2.5, -0.5))
    assert [tick for tick in ax.get_yticks() if 0 <= tick <= 2] == [0, 1, 2]


def test_spy_writes_inside_the_cells():
    D, I_L = network(3)
    for A in (D, I_L, D.H):
        ax = fb.spy(A)
        ax.figure.canvas.draw()
        side = ax.bbox.width / 3
        for text in ax.texts:
            box = text.get_window_extent()
            assert max(box.width, box.height) < 0.95 * side
            assert text.get_fontsize() > 9


def test_spy_kinds():
    B, A, M = fb.Left(square()), fb.Right(square()), fb.Hadamard(square())

    class Mine(fb.Left):
        pass

    ops = {
        "identity": [fb.Identity(), 2 * fb.Identity()],
        "left": [B, -B, B / 3, Mine(square())],
        "right": [A],
        "Hadamard": [M, -2 * M],
        "Kronecker": [fb.Kronecker(square(), square())],
        "inner": [fb.Inner(square()), fb.Inner(square()).H],
        "product": [M @ B, -(M @ B), fb.backslash(fb.Diagonal([1]), fb.Diagonal([1]))],
        "sum": [M + B, -(M - B)],
        "row": [[B, A], fb.Diagonal([[B, A]]).H[0, 0]],
        "block matrix": [fb.Diagonal([B])],
        "other": [fb.Operator(np.copy, np.copy), fb.Zero()],
    }
    assert list(ops) == list(COLOURS)
    ax = fb.spy(fb.BlockMatrix([row + [None] * (4 - len(row)) for row in ops.values()]))
    assert drawn(ax) == {name: [(i, j) for j in range(len(row))] for i, (name, row) in enumerate(ops.items())}
    assert listed(ax) == list(ops)
    assert [to_hex(c.get_facecolor()[0]) for c in ax.collections] == list(COLOURS.values())
    assert len(set(COLOURS.values())) == len(COLOURS)


def test_spy_breaks_long_symbols():
    D, _ = network(2)
    assert written(fb.spy(D))[1, 1] == "[M₁ₕ A₁ᵣ,\nM₁ₕ A′₁ᵣ]"
    assert written(fb.spy(network(3)[1]))[1, 0] == "−M₁ₕ B₁ₗ"
    assert written(fb.spy(network(12)[1]))[1, 0] == "−M₁ₕ\nB₁ₗ"


def test_spy_reads_no_mathematics_in_symbols(recwarn):
    A = fb.BlockMatrix([[fb.Operator(np.copy, np.copy, symbol=r"$\frac$_{")]])
    ax = fb.spy(A)
    ax.figure.canvas.draw()
    assert written(ax) == {(0, 0): r"$\frac$_{"}
    assert not recwarn


def test_spy_in_given_axes():
    figure, axes = plt.subplots(1, 2, layout="constrained")
    assert fb.spy(network(2)[0], axes[0]) is axes[0]
    assert fb.spy(network(2)[1], ax=axes[1], legend=False, text=False) is axes[1]
    assert axes[1].get_legend() is None
    assert not axes[1].texts
    assert plt.get_fignums() == [figure.number]


def test_spy_writes_what_can_be_read():
    A = network(45)[1]
    assert not fb.spy(A).texts
    assert len(fb.spy(A, text=True).texts) == 89
    assert not fb.spy(network(50)[1], text=True).texts


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (2, 0)])
def test_spy_empty(shape):
    ax = fb.spy(fb.BlockMatrix.from_blocks(shape, {}))
    ax.figure.canvas.draw()
    assert [t.get_text() for t in ax.texts] == [f"{shape[0]}×{shape[1]}"]
    assert not ax.collections
    assert ax.get_legend() is None


def test_spy_one_block_has_one_tick():
    ax = fb.spy(fb.Diagonal([fb.Left(square())]))
    assert [tick for tick in ax.get_yticks() if abs(tick) <= 0.5] == [0]


def test_spy_keeps_small_cells_in_sight():
    ax = fb.spy(fb.Bidiagonal([1] * 5000, [2] * 4999), legend=False)
    ax.figure.canvas.draw()
    image = np.asarray(ax.figure.canvas.buffer_rgba())[..., :3]
    grey = np.all(np.abs(image.astype(int) - 0xC0) < 0x20, axis=-1)
    assert np.count_nonzero(grey.any(axis=1)) > 0.9 * ax.bbox.height


def test_spy_takes_block_matrices_only():
    for A, name in ((fb.Left(square()), "Left"), (np.eye(2), "ndarray"), (None, "NoneType")):
        with pytest.raises(TypeError, match=f"spy: A must be a block matrix .*; got {name}$"):
            fb.spy(A)


def test_spy_says_what_is_missing(monkeypatch):
    genuine = builtins.__import__

    def without_matplotlib(name, *args, **keywords):
        if name.split(".")[0] == "matplotlib":
            raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")
        return genuine(name, *args, **keywords)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(ImportError, match=re.escape('No module named \'matplotlib\'", run pip install "fastbs[plot]"')):
        fb.spy(fb.Diagonal([1]))


# Large


def test_large_matrices_are_quick():  # in CPU seconds, which other processes do not take
    A = fb.Bidiagonal([1] * 10_000, [-(fb.Hadamard(square()) @ fb.Left(square())) for _ in range(9_999)])
    for draw, seconds in ((str, 3), (lambda A: A._repr_html_(), 3), (fb.spy, 6), (repr, 3)):
        start = time.process_time()
        draw(A)
        assert time.process_time() - start < seconds
    ax = fb.spy(A)
    assert [type(c) for c in ax.collections] == [PolyCollection] * 2
    assert not ax.patches
    start = time.process_time()
    ax.figure.canvas.draw()
    assert time.process_time() - start < 6
