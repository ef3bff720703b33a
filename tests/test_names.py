"""What is written in a block: symbols of operators, and indices where a name stands for several arrays."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.sparse import csr_array, dok_array

import fastbs as fb
from fastbs.display.names import symbols
from pictures import network, picture, square

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
