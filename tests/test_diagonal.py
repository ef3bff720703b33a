"""Diagonal block matrices, such as D of a network."""

import numpy as np
import pytest

import fastbs as fb


def test_positions_and_shape():
    D = fb.Diagonal([2, 3, 4])
    assert D.shape == (3, 3)
    assert [at for at, _ in D.items()] == [(0, 0), (1, 1), (2, 2)]
    assert D[0, 1] is None
    assert D.uplo == "L"


def test_any_sequence():
    for blocks in ([2, 3], (2, 3), iter([2, 3]), np.array([2.0, 3.0])):
        assert fb.Diagonal(blocks) @ [1.0, 1.0] == [2.0, 3.0]
    stacked = np.arange(8.0).reshape(2, 2, 2)
    np.testing.assert_array_equal((fb.Diagonal(stacked) @ [np.ones(2), None])[0], stacked[0] @ np.ones(2))


def test_rectangular_blocks():
    D = fb.Diagonal([np.ones((2, 3)), np.ones((1, 4))])
    assert [y.shape for y in D @ [np.ones(3), np.ones(4)]] == [(2,), (1,)]
    assert [y.shape for y in D.H @ [np.ones(2), np.ones(1)]] == [(3,), (4,)]


def test_none_on_the_diagonal():
    D = fb.Diagonal([2, None])
    assert D @ [1.0, 1.0] == [2.0, None]
    with pytest.raises(fb.SingularError, match=r"block \(1, 1\)"):
        D.solve([1.0, 1.0])
    with pytest.raises(fb.SingularError, match=r"block \(1, 1\)"):
        D.H.solve([1.0, None])


@pytest.mark.parametrize(
    "kind", ["D + D", "D - D", "-D", "2 * D", "D / 2", "D @ D", "D.H", "D.T", "I - D", "D - I", "2 * I + D"]
)
def test_the_closure_stays_diagonal(kind):
    D, I = fb.Diagonal([2, 3j]), fb.Identity()
    result = eval(kind, {"D": D, "I": I})
    assert type(result) is fb.Diagonal
    dense, eye = np.diag([2, 3j]), np.eye(2)
    operations = {"D.H": dense.conj().T, "D.T": dense.T, "D @ D": dense @ dense}
    expected = operations[kind] if kind in operations else eval(kind, {"D": dense, "I": eye})
    np.testing.assert_allclose(np.diag(result @ [1.0, 1.0]), expected)


def test_solve():
    assert fb.Diagonal([2, 4]).solve([1.0, None]) == [0.5, None]
    assert fb.Diagonal([2, 4j]).H.solve([1.0, 4j]) == [0.5, -1.0]


@pytest.mark.parametrize("wrong", [5, None], ids=str)
def test_what_is_not_a_sequence(wrong):
    with pytest.raises(TypeError):
        fb.Diagonal(wrong)
