"""X -> trace(G^H X) and its adjoint s -> s G, beyond the laws."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose

import fastbs as fb
from fastbs.errors import DtypeError, ShapeError
from fastbs.operators.inner import Multiple

rng = np.random.default_rng(0)
G, X = rng.normal(size=(2, 3, 4)) + 1j * rng.normal(size=(2, 3, 4))


def test_is_the_trace():
    for _ in range(3):
        assert_allclose(fb.Inner(G) @ X, np.trace(G.conj().T @ X))
    assert_allclose(fb.Inner(G).to_dense(), fb.vec(G).conj()[None])
    assert_allclose(fb.Inner(G).H.to_dense(), fb.vec(G)[:, None])
    assert_allclose(fb.Inner(G).T.to_dense(), fb.vec(G).conj()[:, None])


def test_gives_numbers():
    for op in (fb.Inner(G), fb.Inner(G.real)):
        for _ in range(3):
            Y = op @ X
            assert Y.shape == ()
            assert isinstance(Y, np.generic)


def test_shapes_and_names():
    op = fb.Inner(G, symbol="g")
    assert (op.shape_in, op.shape_out) == ((3, 4), ())
    assert op.shape_of((5, 3, 4)) == (5,)
    assert isinstance(op.H, Multiple)
    assert (op.H.shape_in, op.H.shape_out) == ((), (3, 4))
    assert op.H.shape_of((5,)) == (5, 3, 4)
    assert op.symbol != op.T.H.symbol
    assert fb.Inner(G.real).symbol == "Gᵀ•"
    assert op.H.symbol == "g"
    assert repr(fb.Inner(G.real)) == "<Inner Gᵀ•: (3, 4) -> (), float64>"


def test_G_must_be_numbers():
    with pytest.raises(DtypeError, match=r"Inner: G must be numeric .*; got dtype <U1"):
        fb.Inner("a")
    with pytest.raises(DtypeError, match=r"Inner: G must be a plain array .*; got a masked array"):
        fb.Inner(np.ma.masked_array(G))


def test_wrong_shapes():
    with pytest.raises(ShapeError, match=r"Inner.apply: X must be \(3, 4\) because G is \(3, 4\); got \(4, 3\)"):
        fb.Inner(G) @ X.T


@pytest.mark.parametrize("s", [2, 2.0, 2j, np.float32(2), np.array(2.0), np.array(2j)])
def test_multiples_of_numbers(s):
    for _ in range(3):
        assert_allclose(fb.Inner(G).H @ s, s * G)
        assert_allclose(fb.Inner(G).T @ s, s * G.conj())


def test_rank_one():
    op = fb.Inner(G).H @ fb.Inner(X)
    for _ in range(3):
        assert_allclose(op @ G, G * np.vdot(X, G))
    assert_allclose(op.to_dense(), np.outer(fb.vec(G), fb.vec(X).conj()))
    assert_allclose((fb.Inner(X) @ fb.Inner(G).H) @ 2.0, 2 * np.vdot(X, G))


def test_exact_numbers():
    op = fb.Inner(np.array([[Fraction(1, 3), Fraction(2)]]))
    for _ in range(3):
        assert op @ np.array([[Fraction(3), Fraction(1, 2)]]) == 2
    assert (op.H @ Fraction(3)).tolist() == [[1, 6]]


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (2, 0), (1,), (2, 3, 4), (1, 1, 1)])
def test_all_ranks(shape):
    g = rng.normal(size=shape)
    for stack in ((), (2,), (0,), (2, 3)):
        Z = rng.normal(size=(*stack, *shape))
        expected = np.sum(g * Z, axis=tuple(range(-len(shape), 0))) if shape else g * Z
        for _ in range(3):
            assert_allclose(fb.Inner(g) @ Z, expected, atol=1e-14)
            s = rng.normal(size=stack)
            assert_allclose(fb.Inner(g).H @ s, np.multiply.outer(s, g))


def test_long_sums_keep_their_digits():
    n = 100_001
    ones = np.ones(n, np.float32)
    for _ in range(3):
        assert fb.Inner(ones) @ ones == n
        assert abs(fb.Inner(ones) @ (0.1 * ones) - n * 0.1) < 1
