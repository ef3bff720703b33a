"""The programs of the paper, as a user writes them: layered networks, scalar chains, shared parameters."""

import cmath
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import sympy

import fastbs as fb

STEP = 1e-40  # complex step: no cancellation, so no trade-off


def tanh_prime(Z):
    return 1 - np.tanh(Z) ** 2


def random_network(widths, k, seed=0, dtype=float):
    """W_i, b_i, X_0 and Y of layers of these widths on k samples."""
    rng = np.random.default_rng(seed)
    W = [rng.standard_normal((p, n)) / np.sqrt(max(n, 1)) for n, p in pairwise(widths)]
    b = [rng.standard_normal((p, 1)) for p in widths[1:]]
    X0, Y = rng.standard_normal((widths[0], k)), rng.standard_normal((widths[-1], k))
    return tuple([A.astype(dtype) for A in part] for part in (W, b, [X0], [Y]))


def forward(W, b, X0):
    """X_0 ... X_N and Delta_1 ... Delta_N."""
    X, delta = [X0], []
    for A, c in zip(W, b, strict=True):
        Z = A @ X[-1] + c
        X.append(np.tanh(Z))
        delta.append(tanh_prime(Z))
    return X, delta


def loss(W, b, X0, Y):
    return 0.5 * ((forward(W, b, X0)[0][-1] - Y) ** 2).sum()


def complex_step(f, parameters):
    """The gradient of a real analytic f, an element at a time."""
    gradient = []
    for k, P in enumerate(parameters):
        G = np.zeros(P.shape)
        for at in np.ndindex(P.shape):
            moved = [Q.astype(complex) for Q in parameters]
            moved[k][at] += 1j * STEP
            G[at] = f(moved).imag / STEP
        gradient.append(G)
    return gradient


def paper_program(W, X, delta, Y):
    """The program of the design, word for word."""
    N, k = len(W), X[0].shape[1]
    D = fb.Diagonal([[fb.Hadamard(d) @ fb.Right(x), fb.Hadamard(d) @ fb.Right(np.ones((1, k)))]
                     for d, x in zip(delta, X[:-1])])  # fmt: skip  # noqa: B905
    I_L = fb.Bidiagonal([fb.Identity()] * N,
                        [-(fb.Hadamard(delta[i]) @ fb.Left(W[i])) for i in range(1, N)], uplo="L")  # fmt: skip
    g = [None] * (N - 1) + [X[N] - Y]
    gradient = D.H @ fb.backslash(I_L.H, g)
    return D, I_L, g, gradient


WIDTHS = [(2, 3), (3, 5, 2), (4, 4, 4, 4), (1, 1, 1), (5, 1, 7, 2, 3), (2, *[3] * 12, 1), (3, 0, 2), (8, 16, 4)]


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_gradient_against_complex_step(widths, k):
    W, b, (X0,), (Y,) = random_network(widths, k)
    N = len(W)
    expected = complex_step(lambda p: loss(p[:N], p[N:], X0, Y), [*W, *b])
    X, delta = forward(W, b, X0)
    before = [A.copy() for A in (*W, *X, *delta)]
    for _ in range(3):  # NumPy, lowering, tape
        *_, gradient = paper_program(W, X, delta, Y)
        assert len(gradient) == N
        for i, (dW, db) in enumerate(gradient):
            assert dW.shape == W[i].shape
            assert db.shape == b[i].shape == (widths[i + 1], 1)
            for found, exact in ((dW, expected[i]), (db, expected[N + i])):
                assert np.abs(found - exact).max(initial=0) <= 1e-11 * max(1, np.abs(exact).max(initial=0))
    for A, kept in zip((*W, *X, *delta), before, strict=True):
        np.testing.assert_array_equal(A, kept)


def test_forward_mode_is_forward_substitution():
    """dx = (I - L) \\ (D dp) agrees with the directional derivative and with reverse mode."""
    W, b, (X0,), (Y,) = random_network((3, 4, 5, 2), 6, seed=1)
    rng = np.random.default_rng(2)
    dp = [(rng.standard_normal(A.shape), rng.standard_normal(c.shape)) for A, c in zip(W, b, strict=True)]
    X, delta = forward(W, b, X0)
    D, I_L, g, gradient = paper_program(W, X, delta, Y)
    dx = fb.backslash(I_L, D @ dp)
    moved = forward(
        [A + 1j * STEP * d for A, (d, _) in zip(W, dp, strict=True)],
        [c + 1j * STEP * d for c, (_, d) in zip(b, dp, strict=True)],
        X0.astype(complex),
    )[0]
    for found, exact in zip(dx, moved[1:], strict=True):
        np.testing.assert_allclose(found, exact.imag / STEP, rtol=1e-12, atol=1e-13)
    by_forward = np.vdot(g[-1], dx[-1])
    by_reverse = sum(
        np.vdot(G, d) for pair, grads in zip(dp, gradient, strict=True) for d, G in zip(pair, grads, strict=True)
    )
    assert by_forward == pytest.approx(by_reverse, rel=1e-12)

    J = fb.backslash(I_L, D)
    for found, exact in zip(J @ dp, dx, strict=True):
        np.testing.assert_allclose(found, exact, rtol=1e-12, atol=1e-14)
    for found, exact in zip(J.H @ g, gradient, strict=True):
        for a, e in zip(found, exact, strict=True):
            np.testing.assert_allclose(a, e, rtol=1e-12, atol=1e-14)
    # one entry: how the last layer moves with the first parameters
    np.testing.assert_allclose(J[2, 0] @ dp[0], (J @ [dp[0], None, None])[2], rtol=1e-13)


def test_identity_minus_L_is_the_same_program():
    W, b, (X0,), (Y,) = random_network((3, 4, 5, 2), 6, seed=1)
    X, delta = forward(W, b, X0)
    *_, expected = paper_program(W, X, delta, Y)
    N = len(W)
    L = fb.Bidiagonal([None] * N, [fb.Hadamard(delta[i]) @ fb.Left(W[i]) for i in range(1, N)])
    D = fb.Diagonal(
        [
            [fb.Hadamard(d) @ fb.Right(x), fb.Hadamard(d) @ fb.Right(np.ones((1, 6)))]
            for d, x in zip(delta, X[:-1], strict=True)
        ]
    )
    g = [None] * (N - 1) + [X[N] - Y]
    for I_L_H in ((fb.Identity() - L).H, fb.Identity() - L.H):
        assert type(I_L_H) is fb.Bidiagonal
        for found, exact in zip(D.H @ fb.backslash(I_L_H, g), expected, strict=True):
            for a, e in zip(found, exact, strict=True):
                np.testing.assert_array_equal(a, e)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_is_kept(dtype):
    W, b, (X0,), (Y,) = random_network((3, 4, 2), 5, dtype=dtype)
    X, delta = forward(W, b, X0)
    exact = paper_program(*([A.astype(float) for A in part] for part in (W, X, delta)), Y.astype(float))[-1]
    ones = np.ones((1, 5), dtype)
    for _ in range(3):
        D = fb.Diagonal(
            [
                [fb.Hadamard(d) @ fb.Right(x), fb.Hadamard(d) @ fb.Right(ones)]
                for d, x in zip(delta, X[:-1], strict=True)
            ]
        )
        I_L = fb.Bidiagonal([fb.Identity()] * 2, [-(fb.Hadamard(delta[1]) @ fb.Left(W[1]))])
        gradient = D.H @ fb.backslash(I_L.H, [None, X[2] - Y])
        for found, expected in zip(gradient, exact, strict=True):
            for a, e in zip(found, expected, strict=True):
                assert a.dtype == dtype
                np.testing.assert_allclose(a, e, rtol=0, atol=50 * np.finfo(dtype).eps * np.abs(e).max())


# --- scalar chains -----------------------------------------------------------------------------------


def scalar_chain(n, seed=0):
    """x_i = tanh(w_i x_{i-1} + b_i): weights, biases, values, slopes, and the exact gradient of x_n^2 / 2."""
    rng = np.random.default_rng(seed)
    w, b = rng.standard_normal((2, n)).tolist()

    def values(w, b):
        x, slopes = [0.7], []
        for i in range(n):
            x.append(cmath.tanh(w[i] * x[-1] + b[i]))
            slopes.append(1 - x[-1] ** 2)
        return x, slopes

    exact = []
    for i in range(n):
        pair = []
        for which in range(2):
            moved = [list(w), list(b)]
            moved[which][i] += 1j * STEP
            x = values(*moved)[0]
            pair.append((0.5 * x[-1] ** 2).imag / STEP)
        exact.append(tuple(pair))
    x, slopes = values(w, b)
    return w, [y.real for y in x], [y.real for y in slopes], exact


@pytest.mark.parametrize("n", [1, 2, 3, 20])
def test_scalar_chain_as_plain_numbers(n):
    w, x, d, exact = scalar_chain(n)
    D = fb.Diagonal([[d[i] * x[i], d[i]] for i in range(n)])
    I_L = fb.Bidiagonal([1] * n, [-d[i] * w[i] for i in range(1, n)], uplo="L")
    gradient = D.H @ fb.backslash(I_L.H, [None] * (n - 1) + [x[n]])
    for found, expected in zip(gradient, exact, strict=True):
        assert isinstance(found, tuple)
        assert found == pytest.approx(expected, rel=1e-11, abs=1e-13)
        assert all(isinstance(y, float) for y in found)


@pytest.mark.parametrize("n", [1, 2, 3, 20])
def test_scalar_chain_as_arrays(n):
    w, x, d, exact = scalar_chain(n)
    as_array = lambda s: np.array([[s]])  # noqa: E731
    W, X, delta = ([as_array(s) for s in part] for part in (w, x, d))
    for _ in range(3):
        *_, gradient = paper_program(W, X, delta, np.zeros((1, 1)))
        for found, expected in zip(gradient, exact, strict=True):
            assert all(y.shape == (1, 1) for y in found)
            assert [y.item() for y in found] == pytest.approx(expected, rel=1e-11, abs=1e-13)


def test_linear_chain_of_fractions_is_exact():
    """x_i = w_i x_{i-1}: dx_3/dw_1 = w_3 w_2 x_0 and so on, without rounding."""
    w = [Fraction(2, 3), Fraction(-5, 7), Fraction(1, 9)]
    x = [Fraction(1, 2)]
    for weight in w:
        x.append(weight * x[-1])
    D = fb.Diagonal(x[:-1])
    I_L = fb.Bidiagonal([1] * 3, [-w[1], -w[2]])
    gradient = D.H @ fb.backslash(I_L.H, [None, None, Fraction(1)])
    assert gradient == [x[3] / weight for weight in w]
    assert all(type(y) is Fraction for y in gradient)


def test_symbolic_chain():
    """The paper's scalar example: two layers, by symbols."""
    d1, d2, w2, x0, x1, g = sympy.symbols("d1 d2 w2 x0 x1 g")
    D = fb.Diagonal([[d1 * x0, d1], [d2 * x1, d2]])
    I_L = fb.Bidiagonal([1, 1], [-d2 * w2])
    (dw1, db1), (dw2, db2) = D.T @ fb.backslash(I_L.T, [None, g])
    for found, expected in ((dw1, g * d2 * w2 * d1 * x0), (db1, g * d2 * w2 * d1), (dw2, g * d2 * x1), (db2, g * d2)):
        assert sympy.expand(found - expected) == 0


# --- structure ---------------------------------------------------------------------------------------


def test_a_shared_parameter_is_one_column_with_several_rows():
    """X_i = tanh(W X_{i-1}) with one W: D is a column, its adjoint adds the layers up."""
    rng = np.random.default_rng(5)
    n, N, k = 3, 4, 2
    W, X0, Y = rng.standard_normal((n, n)) / 2, rng.standard_normal((n, k)), rng.standard_normal((n, k))

    def f(parameters):
        X = X0
        for _ in range(N):
            X = np.tanh(parameters[0] @ X)
        return 0.5 * ((X - Y) ** 2).sum()

    (expected,) = complex_step(f, [W])
    X, delta = forward([W] * N, [np.zeros((n, 1))] * N, X0)
    D = fb.BlockMatrix([[fb.Hadamard(d) @ fb.Right(x)] for d, x in zip(delta, X[:-1], strict=True)])
    assert D.shape == (N, 1)
    L = fb.Bidiagonal([None] * N, [fb.Hadamard(d) @ fb.Left(W) for d in delta[1:]])
    for _ in range(3):
        (gradient,) = D.H @ fb.backslash((fb.Identity() - L).H, [None] * (N - 1) + [X[N] - Y])
        np.testing.assert_allclose(gradient, expected, rtol=1e-11, atol=1e-13)
    J = fb.backslash(fb.Identity() - L, D)
    assert J.shape == (N, 1)
    np.testing.assert_allclose((J.H @ ([None] * (N - 1) + [X[N] - Y]))[0], expected, rtol=1e-11)


def test_skip_connections():
    """X_i = tanh(W_i X_{i-1} + V_i X_{i-2}): L with a second diagonal below."""
    rng = np.random.default_rng(6)
    n, N, k = 3, 5, 2
    W = [rng.standard_normal((n, n)) / 2 for _ in range(N)]
    V = [rng.standard_normal((n, n)) / 2 for _ in range(N)]
    X0, Y = rng.standard_normal((n, k)), rng.standard_normal((n, k))

    def states(W, V):
        X = [X0]
        for i in range(N):
            X.append(np.tanh(W[i] @ X[-1] + (V[i] @ X[-2] if i else 0)))
        return X

    expected = complex_step(lambda p: 0.5 * ((states(p[:N], p[N:])[-1] - Y) ** 2).sum(), [*W, *V])
    X = states(W, V)
    delta = [1 - x**2 for x in X[1:]]
    D = fb.Diagonal(
        [
            [fb.Hadamard(delta[i]) @ fb.Right(X[i]), (fb.Hadamard(delta[i]) @ fb.Right(X[i - 1])) if i else None]
            for i in range(N)
        ]
    )
    off = {(i, i - 1): fb.Hadamard(delta[i]) @ fb.Left(W[i]) for i in range(1, N)}
    off |= {(i, i - 2): fb.Hadamard(delta[i]) @ fb.Left(V[i]) for i in range(2, N)}
    L = fb.Triangular([None] * N, off, uplo="L")
    I_L = fb.Identity() - L
    assert type(I_L) is fb.Triangular
    for _ in range(3):
        gradient = D.H @ fb.backslash(I_L.H, [None] * (N - 1) + [X[N] - Y])
        for i, (dW, dV) in enumerate(gradient):
            np.testing.assert_allclose(dW, expected[i], rtol=1e-11, atol=1e-13)
            if i >= 2:
                np.testing.assert_allclose(dV, expected[N + i], rtol=1e-11, atol=1e-13)
    assert gradient[0][1] is None


def test_a_loss_at_every_layer():
    """g with no zero entries: gradients of several losses add."""
    W, b, (X0,), _ = random_network((3, 3, 3, 3), 4, seed=3)
    X, delta = forward(W, b, X0)
    expected = complex_step(lambda p: sum(0.5 * (x**2).sum() for x in forward(p[:3], p[3:], X0)[0][1:]), [*W, *b])
    D, I_L, *_ = paper_program(W, X, delta, X[3])
    gradient = D.H @ fb.backslash(I_L.H, X[1:])
    for i, (dW, db) in enumerate(gradient):
        np.testing.assert_allclose(dW, expected[i], rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(db, expected[3 + i], rtol=1e-11, atol=1e-13)


def test_loss_as_the_last_row():
    """With the loss itself as a row, by Inner, the cotangent is the number 1."""
    W, b, (X0,), (Y,) = random_network((3, 4, 2), 5, seed=4)
    X, delta = forward(W, b, X0)
    *_, expected = paper_program(W, X, delta, Y)
    H, R, ones = fb.Hadamard, fb.Right, np.ones((1, 5))
    D = fb.BlockMatrix(
        [
            [[H(delta[0]) @ R(X[0]), H(delta[0]) @ R(ones)], None],
            [None, [H(delta[1]) @ R(X[1]), H(delta[1]) @ R(ones)]],
            [None, None],
        ]
    )
    L = fb.Bidiagonal([None] * 3, [H(delta[1]) @ fb.Left(W[1]), fb.Inner(X[2] - Y)])
    for _ in range(3):
        gradient = D.H @ fb.backslash((fb.Identity() - L).H, [None, None, 1.0])
        for found, exact in zip(gradient, expected, strict=True):
            for a, e in zip(found, exact, strict=True):
                np.testing.assert_allclose(a, e, rtol=1e-12)


def test_complex_network_follows_the_adjoint():
    """For complex linear layers <g, J dp> = <J^H g, dp> with conjugation, and J^T g without."""
    rng = np.random.default_rng(8)

    def random(*shape):
        return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)

    W, X0 = [random(3, 2), random(4, 3), random(2, 4)], random(2, 5)
    X = [X0]
    for A in W:
        X.append(A @ X[-1])
    delta = [random(*x.shape) for x in X[1:]]  # any diagonal will do
    D, I_L, g, gradient = paper_program(W, X, delta, random(2, 5))
    dp = [(random(*A.shape), random(len(A), 1)) for A in W]
    dx = fb.backslash(I_L, D @ dp)
    left = np.vdot(g[-1], dx[-1])
    right = sum(
        np.vdot(G, d) for grads, pair in zip(gradient, dp, strict=True) for G, d in zip(grads, pair, strict=True)
    )
    assert left == pytest.approx(right, rel=1e-12)
    transposed = D.T @ fb.backslash(I_L.T, g)
    left = (g[-1] * dx[-1]).sum()
    right = sum(
        (G * d).sum() for grads, pair in zip(transposed, dp, strict=True) for G, d in zip(grads, pair, strict=True)
    )
    assert left == pytest.approx(right, rel=1e-12)


def test_directions_in_a_stack():
    """Leading axes are a stack of directions: one solve for many tangents."""
    W, b, (X0,), (Y,) = random_network((3, 4, 2), 5, seed=4)
    X, delta = forward(W, b, X0)
    D, I_L, *_ = paper_program(W, X, delta, Y)
    rng = np.random.default_rng(9)
    stack = [
        (rng.standard_normal((7, *A.shape)), rng.standard_normal((7, *c.shape))) for A, c in zip(W, b, strict=True)
    ]
    many = fb.backslash(I_L, D @ stack)
    for s in range(7):
        one = fb.backslash(I_L, D @ [tuple(p[s] for p in pair) for pair in stack])
        for found, exact in zip(many, one, strict=True):
            np.testing.assert_allclose(found[s], exact, rtol=1e-12, atol=1e-14)


def test_memory_orders_and_views():
    W, b, (X0,), (Y,) = random_network((3, 4, 2), 5, seed=4)
    X, delta = forward(W, b, X0)
    *_, expected = paper_program(W, X, delta, Y)
    orders = {
        "F": np.asfortranarray,
        "strided": lambda A: np.repeat(np.repeat(A, 2, axis=0), 3, axis=1)[::2, ::3],
        "reversed": lambda A: A[::-1, ::-1].copy()[::-1, ::-1],
    }
    for order in orders.values():
        for _ in range(3):
            *_, gradient = paper_program(*(list(map(order, part)) for part in (W, X, delta)), order(Y))
            for found, exact in zip(gradient, expected, strict=True):
                for a, e in zip(found, exact, strict=True):
                    np.testing.assert_allclose(a, e, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("which", ["W", "g", "depth"])
def test_mistakes_name_the_block(which):
    W, b, (X0,), (Y,) = random_network((3, 4, 5, 2), 6)
    X, delta = forward(W, b, X0)
    if which == "W":
        W[2] = W[2].T  # composing fails at once
        with pytest.raises(fb.ShapeError, match=r"\(2, 6\).*\(5, n\)"):
            paper_program(W, X, delta, Y)
        return
    D, I_L, g, _ = paper_program(W, X, delta, Y)
    if which == "g":
        with pytest.raises(fb.ShapeError, match=r"block \(1, 2\).*\(2, 6\).*\(3, 6\)"):
            fb.backslash(I_L.H, [None, None, np.ones((3, 6))])
    else:
        with pytest.raises(fb.ShapeError, match=r"3 entries.*got 4"):
            D.H @ [None, *g]


def test_multiplications_are_counted():
    """Reverse mode costs one product a block: the elements count their own use."""
    count = 0

    def counting(A):
        def forward(X):
            nonlocal count
            count += 1
            return A @ X

        def adjoint(Y):
            nonlocal count
            count += 1
            return A.T @ Y

        return fb.Operator(forward, adjoint, shape_in=(3, None), shape_out=(3, None))

    N = 20
    A = np.eye(3)
    L = fb.Bidiagonal([None] * N, [counting(A) for _ in range(N - 1)])
    I_L = fb.Identity() - L
    fb.backslash(I_L.H, [None] * (N - 1) + [np.ones((3, 1))])
    assert count == N - 1
    count = 0
    fb.backslash(I_L, [None] * (N - 1) + [np.ones((3, 1))])
    assert count == 0
