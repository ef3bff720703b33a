"""Block matrices say which block does not fit, and what was expected there."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse

import fastbs as fb

W = np.eye(2)


def test_ragged_rows():
    with pytest.raises(fb.ShapeError, match=r"one length.*\[1, 2\]"):
        fb.BlockMatrix([[1, 2], [3]])


@pytest.mark.parametrize("rows", [5, None, [1, 2], np.ones(3)], ids=str)
def test_what_is_not_a_nested_list(rows):
    with pytest.raises((TypeError, ValueError), match="BlockMatrix"):
        fb.BlockMatrix(rows)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_wrong_number_of_entries(n):
    A = fb.BlockMatrix([[1, None], [None, 1]])
    for use in (lambda v: A @ v, lambda v: A.H @ v, A.solve, A.H.solve, fb.factorize(A).solve):
        with pytest.raises(fb.ShapeError, match=rf"must have 2 entries.*got {n}"):
            use([1.0] * n)


def test_wrong_shapes_name_the_block_and_both_shapes():
    A = fb.Bidiagonal([1, np.eye(2)], [np.ones((2, 3))])
    with pytest.raises(fb.ShapeError, match=r"block \(1, 0\) and entry 0.*\(3,\).*\(2, 3\).*\(4,\)"):
        A @ [np.ones(4), np.ones(2)]
    with pytest.raises(fb.ShapeError, match=r"block \(1, 1\) and entry 1.*\(2, n\).*\(2, 2\).*\(5, 6\)"):
        A @ [np.ones((3, 6)), np.ones((5, 6))]
    with pytest.raises(fb.ShapeError, match=r"block \(1, 1\).*\(2, 6\).*\(2, 5\)"):
        A @ [np.ones((3, 6)), np.ones((2, 5))]
    with pytest.raises(fb.ShapeError, match=r"block \(1, 0\).*\(3,\).*\(2, 3\).*\(4,\)"):
        A.solve([np.ones(4), np.ones(2)])
    with pytest.raises(fb.ShapeError, match=r"block \(1, 0\).*\(7,\).*\(2,\)"):
        A.solve([np.ones(3), np.ones(7)])
    with pytest.raises(fb.ShapeError, match=r"block \(1, 1\).*\(5,\)|block \(1, 1\).*\(2,\)"):
        fb.Diagonal([1, np.eye(2)]).solve([None, np.ones(5)])


def test_no_broadcasting_of_entries():
    """(2, 1) + (1, 2) would broadcast to (2, 2), and a gradient would have a wrong shape."""
    A = fb.BlockMatrix([[1, 1]])
    with pytest.raises(fb.ShapeError, match=r"\(2, 1\) and \(1, 2\)"):
        A @ [np.ones((2, 1)), np.ones((1, 2))]
    with pytest.raises(fb.ShapeError, match=r"\(2,\) and \(1,\)|\(1,\) and \(2,\)"):
        fb.Bidiagonal([1, 1], [1]).solve([np.ones(2), np.ones(1)])
    with pytest.raises(fb.ShapeError, match=r"\(2,\) and \(\)|\(\) and \(2,\)"):
        fb.Bidiagonal([1, 1], [1]).solve([np.ones(2), 1.0])


def test_wrong_types_name_the_block():
    A = fb.Bidiagonal([1, np.eye(2)], [np.eye(2)])
    for use in (lambda v: A @ v, A.solve):
        with pytest.raises(TypeError, match=r"block \(1, [01]\).*str"):
            use([None, "text"])
        with pytest.raises(TypeError, match=r"block \([01], 0\).*dict"):
            use([{}, None])


def test_products_and_sums_name_the_blocks():
    A, B = fb.Diagonal([1, np.ones((2, 3))]), fb.Diagonal([1, np.ones((4, 3))])
    with pytest.raises(fb.ShapeError, match=r"blocks \(1, 1\) and \(1, 1\).*\(3, n\).*\(4, n\)"):
        A @ B
    for combine in (lambda: A + B, lambda: A - B):
        with pytest.raises(fb.ShapeError, match=r"block \(1, 1\).*(\(2, n\).*\(4, n\)|\(4, n\).*\(2, n\))"):
            combine()
    with pytest.raises(fb.ShapeError, match=r"2 block rows.*got 3"):
        A @ fb.Diagonal([1, 2, 3])
    with pytest.raises(fb.ShapeError, match=r"\(2, 2\) and \(3, 3\)"):
        A + fb.Diagonal([1, 2, 3])
    with pytest.raises(fb.StructureError, match=r"square.*2 x 1"):
        fb.Identity() - fb.BlockMatrix([[1], [2]])


@pytest.mark.parametrize("left", [W, [1, 2], (1, 2), W.tolist(), 3, "a", None, W[0]], ids=str)
def test_what_stands_on_the_left_must_be_a_block_matrix(left):
    A = fb.Diagonal([1, 2])
    with pytest.raises(TypeError, match=r"__rmatmul__.*left.*got"):
        left @ A


@pytest.mark.parametrize(
    "op",
    [fb.Left(W), fb.Right(W), fb.Hadamard(W), fb.Kronecker(W, W), fb.Left(W) @ fb.Hadamard(W), fb.Inner(W)],
    ids=str,
)
def test_plain_operators_do_not_compose_with_block_matrices(op):
    A = fb.Diagonal([1, 2])
    with pytest.raises(TypeError, match=f"left side must be a block matrix.*{type(op).__name__}"):
        op @ A
    with pytest.raises(TypeError, match=f"right side must be a block matrix.*{type(op).__name__}"):
        A @ op
    for combine in (lambda: A + op, lambda: A - op, lambda: op + A, lambda: op - A):
        with pytest.raises(fb.StructureError, match=type(op).__name__):
            combine()


def test_the_hint_leads_to_a_program_that_runs():
    """``W @ A`` is wrong; what the message says to write must not be wrong again."""
    A = fb.Diagonal([1, 2])
    with pytest.raises(TypeError, match="__rmatmul__") as caught:
        W @ A
    assert "fb.Left(A) @ op" not in str(caught.value)


def test_identity_and_its_multiples_compose():
    A = fb.BlockMatrix([[1, 2], [3, None]])
    I = fb.Identity()
    for C, s in ((A @ I, 1), (I @ A, 1), (A @ (2 * I), 2), ((2 * I) @ A, 2), (A @ -I, -1), (-I @ A, -1)):
        assert [21.0 * s, 3.0 * s] == C @ [1.0, 10.0]


@pytest.mark.parametrize("wrong", [W, [1, 2], "a", None, {}], ids=str)
def test_what_is_not_a_scalar(wrong):
    A = fb.Diagonal([1, 2])
    for use in (lambda: A * wrong, lambda: wrong * A, lambda: A / wrong, lambda: A + wrong, lambda: wrong - A):
        with pytest.raises(TypeError):
            use()


def test_block_matrices_are_no_scalars():
    A = fb.Diagonal([1, 2])
    for use in (lambda: A * A, lambda: A / A, lambda: fb.Left(W) * A, lambda: 1 / A, lambda: A**2):
        with pytest.raises(TypeError):
            use()


def test_not_triangular_names_both_blocks():
    A = fb.BlockMatrix([[1, None, 5], [None, 1, None], [6, None, 1]])
    for use in (A.solve, lambda b: fb.backslash(A, b), lambda b: fb.factorize(A).solve(b)):
        with pytest.raises(fb.StructureError, match=r"triangular.*\(2, 0\) and \(0, 2\)"):
            use([1.0, 1.0, 1.0])


def test_not_square():
    with pytest.raises(fb.ShapeError, match=r"square.*1 x 2 blocks"):
        fb.BlockMatrix([[1, 2]]).solve([1.0])


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (None, "zero"),
        (0, "0"),
        (0.0, "0"),
        (np.array(0.0), "0"),
        (np.float32(0), "0"),
        (0j, "0"),
        (Fraction(0), "0"),
        (np.zeros((2, 2)), "pivot"),
        (np.ones((2, 2)), "pivot"),
        (np.array([[1.0, 1.0], [0.0, 0.0]]), "pivot"),
        (np.array([[1, 2], [2, 4]]), "pivot"),
        (fb.Left(np.zeros((2, 2), "complex64")), "pivot"),
        (fb.Right(np.ones((2, 2))), "pivot"),
        (fb.Kronecker(np.eye(2), np.zeros((2, 2))), "pivot"),
        (fb.Hadamard(np.array([[1.0, 0.0]])), "M"),
        (fb.Left(np.eye(2)) @ fb.Left(np.ones((2, 2))), "pivot"),
        (0 * fb.Left(np.eye(2)), "0"),
        (-fb.Left(np.zeros((2, 2))), "pivot"),
        (scipy.sparse.csr_array(np.ones((2, 2))), "pivot"),
        (scipy.sparse.csr_array((2, 2)), "pivot"),
        (fb.Zero((2, None), (2, None)), "zero|O"),
        (fb.Diagonal([1, None]), "zero"),
    ],
    ids=str,
)  # fmt: skip
def test_singular_diagonal_blocks_are_named(bad, what):
    A = fb.Bidiagonal([1, 1, bad], [1, 1])
    for use in (A.solve, A.H.solve, lambda b: fb.backslash(A, b), lambda b: fb.factorize(A).solve(b)):
        with pytest.raises(fb.SingularError, match=rf"block \(2, 2\).*({what})"):
            use([np.ones((2, 2))] * 3)


@pytest.mark.parametrize(
    "bad",
    [
        np.ones((2, 3)),
        fb.Right(np.ones((2, 3))),
        fb.Kronecker(np.eye(2), np.ones((2, 3))),
        scipy.sparse.csr_array((2, 3)),
    ],
    ids=str,
)
def test_diagonal_blocks_must_be_square(bad):
    with pytest.raises(fb.ShapeError, match=r"block \(1, 1\).*square.*\(2, 3\)"):
        fb.Diagonal([1, bad]).solve([np.ones((2, 2))] * 2)


@pytest.mark.parametrize(
    "bad",
    [
        fb.Inner(np.ones((2, 2))),
        fb.Operator(lambda X: X, lambda Y: Y),
        fb.Left(W) + fb.Right(W),
        [1, 2],
        fb.BlockMatrix([[1, 1], [1, 1]]),
    ],
    ids=lambda op: type(op).__name__,
)
def test_diagonal_blocks_without_an_inverse_are_named(bad):
    with pytest.raises(fb.StructureError, match=r"block \(1, 1\)"):
        fb.Diagonal([1, bad]).solve([np.ones((2, 2))] * 2)
