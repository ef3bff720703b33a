"""Inverses of triangular block matrices and lazy products with them."""

import numpy as np
import pytest

import fastbs as fb
from dense import block, flat, random_array, seconds, well_conditioned
from fastbs.blocks.factorization import Factorization
from fastbs.blocks.lazy import Entry, LazyProduct

N, M, K = 5, 3, 2
SHAPES = [(M, K)] * N


def system(dtype="float64", seed=0):
    """A random lower triangle with dense diagonal blocks, and its dense form on vec."""
    rng = np.random.default_rng(seed)
    diagonal = [well_conditioned(rng, M, dtype) for _ in range(N)]
    off = {(i, j): random_array(rng, (M, M), dtype) / 4 for i in range(N) for j in (i - 1, i - 3) if j >= 0}
    dense = {
        at: np.kron(np.eye(K, dtype=dtype), a)
        for at, a in [*off.items(), *(((i, i), a) for i, a in enumerate(diagonal))]
    }
    return fb.Triangular(diagonal, off), block(dense, [M * K] * N, [M * K] * N)


def right_side(dtype="float64", seed=1):
    rng = np.random.default_rng(seed)
    blocks = [random_array(rng, (M, M), dtype) for _ in range(N)]
    D = fb.Bidiagonal(blocks, [None] * (N - 2) + [2.0], "U")
    dense = {(i, i): np.kron(np.eye(K), a) for i, a in enumerate(blocks)} | {(N - 2, N - 1): 2 * np.eye(M * K)}
    return D, block(dense, [M * K] * N, [M * K] * N)


def vector(dtype="float64", seed=2):
    rng = np.random.default_rng(seed)
    v = [random_array(rng, (M, K), dtype) for _ in range(N)]
    v[1] = None
    return v


def close(found, expected):
    np.testing.assert_allclose(flat(found, SHAPES), expected, rtol=1e-9, atol=1e-11)


# --- factorizations ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("invert", [False, True])
def test_solves_with_the_matrix_its_adjoint_and_its_transpose(dtype, invert):
    A, dense = system(dtype)
    F = fb.factorize(A, invert=invert)
    b = vector(dtype)
    v = flat(b, SHAPES)
    for _ in range(3):  # NumPy, lowering, tape
        close(F.solve(b), np.linalg.solve(dense, v))
        close(F @ b, np.linalg.solve(dense, v))
        close(F.H.solve(b), np.linalg.solve(dense.conj().T, v))
        close(F.T.solve(b), np.linalg.solve(dense.T, v))
    assert F.H.H is F
    assert F.T.T is F


def test_the_inverse_of_the_inverse():
    A, _ = system()
    assert isinstance(A.inv, Factorization)
    assert A.inv.inv is A
    v = vector()
    close(A.inv @ (A @ v), flat(v, SHAPES))
    close(A.H.inv.inv @ v, flat(A.H @ v, SHAPES))


def test_snapshot_of_the_diagonal_blocks():
    """Later changes of diagonal blocks do not reach the factors; other blocks are kept by reference."""
    P, M_, R, s = 2 * np.eye(2), np.full((2, 1), 2.0), np.eye(2), np.array(2.0)
    A = fb.Bidiagonal(
        [P, fb.Hadamard(M_), fb.Kronecker(np.eye(1), P), fb.Right(np.full((1, 1), 2.0)), s * fb.Identity()],
        [R, R, R, R],
    )
    for invert in (False, True):
        F = fb.factorize(A, invert=invert)
        b = [np.ones((2, 1))] * 5
        before = F.solve(b)
        P *= 100
        M_ *= 100
        s *= 100
        for found, expected in zip(F.solve(b), before, strict=True):
            np.testing.assert_array_equal(found, expected)
        P /= 100
        M_ /= 100
        s /= 100
    R[:] = 0
    np.testing.assert_array_equal(F.solve(b)[1], np.full((2, 1), 0.5))


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("wrap", [fb.Left, fb.Right, lambda B: fb.Kronecker(B, B)], ids=["left", "right", "kronecker"])
def test_dtype_is_kept(wrap, invert, dtype):
    rng = np.random.default_rng(0)
    F = fb.factorize(fb.Bidiagonal([wrap(well_conditioned(rng, 2, dtype)) for _ in range(2)], [0.5]), invert=invert)
    for _ in range(3):
        for solver in (F, F.H, F.T):
            assert [x.dtype for x in solver.solve([np.ones((2, 2), dtype)] * 2)] == [dtype] * 2


@pytest.mark.parametrize("n", [0, 4, 6])
def test_wrong_length(n):
    A, _ = system()
    for solver in (fb.factorize(A), fb.factorize(A).H, A):
        with pytest.raises(fb.ShapeError, match=rf"must have 5 entries.*got {n}"):
            solver.solve([1.0] * n)


def test_wrong_shapes_name_the_block():
    A, _ = system()
    F = fb.factorize(A)
    b = vector()
    b[2] = np.ones((4, K))
    with pytest.raises(fb.ShapeError, match=r"block \(2, 1\).*\(4, 2\).*\(3, 2\)"):
        F.solve(b)
    with pytest.raises(fb.ShapeError, match=r"block \(0, 0\) and entry 0.*\(3, n\).*\(4, 2\)"):
        F.solve([np.ones((4, K)), *[None] * 4])


def test_a_value_error_of_a_users_operator_names_the_block():
    def broken(X):
        raise ValueError("out of memory cards")

    op = fb.Operator(broken, broken)
    for use in (fb.Bidiagonal([1, 1], [op]).solve, lambda v: fb.BlockMatrix([[1, None], [op, 1]]) @ v):
        with pytest.raises(ValueError, match=r"block \(1, 0\).*memory cards"):
            use([1.0, 1.0])


@pytest.mark.parametrize("wrong", [3.0, None, "text", {}])
def test_what_is_not_a_right_hand_side(wrong):
    with pytest.raises(TypeError, match=rf"block vector.*{type(wrong).__name__}"):
        fb.factorize(system()[0]).solve(wrong)


class Own:
    """A user's own element: a number with verbs."""

    def __init__(self, value):
        self.value = value

    def __matmul__(self, x):
        return self.value * x

    def solve(self, r):
        return r / self.value

    @property
    def H(self):
        return Own(self.value.conjugate())

    @property
    def T(self):
        return Own(self.value)


def test_a_users_own_elements():
    A = fb.Bidiagonal([Own(2j), Own(4.0)], [Own(1.0)])
    F = fb.factorize(A)
    assert F.solve([2j, 5.0]) == [1.0, 1.0]
    assert F.H.solve([-2j + 1, 4.0]) == [1.0, 1.0]
    assert F.T.solve([2j + 1, 4.0]) == [1.0, 1.0]
    assert fb.factorize(A, invert=True).solve([2j, 5.0]) == [1.0, 1.0]


# --- lazy products -----------------------------------------------------------------------------------


LAZY = [
    "backslash(A, D)",
    "A.solve(D)",
    "A.inv @ D",
    "factorize(A).solve(D)",
    "D @ A.inv",
    "D @ backslash(A, D)",
    "backslash(A, D) @ D",
    "backslash(A, backslash(A, D))",
    "backslash(A, D) @ backslash(A, D)",
    "backslash(A, D.H)",
    "backslash(A.H, D)",
    "A.inv @ A.H.inv",
    "A.inv @ A.inv",
    "I @ backslash(A, D) @ I",
    "I @ A.inv @ I",
    "backslash(A, I)",
    "backslash(A, 2 * I)",
    "backslash(A, A)",
    "2 * backslash(A, D)",
    "-backslash(A, D)",
    "backslash(A, D) / 2",
    "2 * A.inv",
    "backslash(A, D) + D",
    "D + backslash(A, D)",
    "D - A.inv",
    "A.inv - D",
    "I - backslash(A, D)",
    "backslash(A, D) - I",
    "D @ (2 * backslash(A, D))",
    "(2 * backslash(A, D)) @ D",
    "(backslash(A, D) - A.inv) @ D",
    "backslash(A, D - A.inv)",
]


@pytest.mark.parametrize("expression", LAZY)
def test_lazy_products_against_dense(expression):
    """The same expression in matrices of operators and in dense matrices."""
    (A, a), (D, d) = system("complex128"), right_side("complex128")

    class Dense(np.ndarray):
        H = property(lambda self: self.conj().T)
        inv = property(lambda self: np.linalg.inv(self).view(Dense))
        solve = np.linalg.solve

    names = {"A": a.view(Dense), "D": d.view(Dense), "I": np.eye(len(a)).view(Dense)}
    names |= {"backslash": lambda A, B: A.inv @ B, "factorize": lambda A: A}
    j = np.asarray(eval(expression, names))
    J = eval(expression, {"A": A, "D": D, "I": fb.Identity(), "backslash": fb.backslash, "factorize": fb.factorize})
    v = vector("complex128")
    x = flat(v, SHAPES)
    for _ in range(3):  # NumPy, lowering, tape
        close(J @ v, j @ x)
    close(J.H @ v, j.conj().T @ x)
    close(J.T @ v, j.T @ x)
    assert J.H.H is J


def test_shape():
    A, D = system()[0], fb.BlockMatrix([[1, 2]] * N)
    J = fb.backslash(A, D)
    assert isinstance(J, LazyProduct)
    assert J.shape == (N, 2)
    assert J.H.shape == (2, N)
    assert (J @ J.H).shape == (N, N)
    assert repr(J)
    assert str(J)


def test_entries():
    (A, a), (D, d) = system("complex128"), right_side("complex128")
    J, j = fb.backslash(A, D), np.linalg.inv(a) @ d
    rng = np.random.default_rng(4)
    X = random_array(rng, (M, K), "complex128")
    size = M * K
    for i in range(-N, N):
        for k in range(-N, N):
            part = j[(i % N) * size : (i % N + 1) * size, (k % N) * size : (k % N + 1) * size]
            entry = J[i, k]
            assert isinstance(entry, Entry)
            for op, dense in ((entry, part), (entry.H, part.conj().T), (entry.T, part.T)):
                np.testing.assert_allclose(flat([op @ X], [(M, K)]), dense @ flat([X], [(M, K)]), rtol=1e-9, atol=1e-11)
            assert entry.H.H is entry
    assert str(J[0, 0])
    np.testing.assert_allclose(J[3, 0].to_dense((M, K)), j[3 * size : 4 * size, :size], rtol=1e-9, atol=1e-11)


def test_entries_of_inverses():
    A, a = system()
    inverse = np.linalg.inv(a)
    X = np.ones((M, K))
    np.testing.assert_allclose(
        flat([A.inv[3, 0] @ X], [(M, K)]), inverse[3 * M * K : 4 * M * K, : M * K] @ np.ones(M * K), rtol=1e-9
    )


def test_entries_that_are_zero_have_the_shape_of_the_block():
    R = fb.BlockMatrix([[np.ones((2, 3)), None], [None, np.ones((4, 5))]])
    J = fb.backslash(fb.Bidiagonal([1, 1], [np.ones((4, 2))]), R)
    assert (J[1, 0] @ np.ones((3, K))).shape == (4, K)
    zero = J[0, 1] @ np.ones((5, K))
    assert zero is None or (zero.shape == (2, K) and not zero.any())
    zero = J[0, 1].H @ np.ones((2, K))
    assert zero is None or (zero.shape == (5, K) and not zero.any())


def test_entries_on_tuples():
    D = fb.Diagonal([[2, 3], [5, 7]])
    J = fb.backslash(fb.Bidiagonal([1, 1], [-10]), D)
    assert J[1, 0] @ (1.0, 1.0) == 50.0
    assert J[1, 0].H @ 1.0 == (20.0, 30.0)
    assert J[0, 1] @ (1.0, 1.0) in (0.0, None)


@pytest.mark.parametrize("index", [(5, 0), (0, 5), (-6, 0), (0, -6)])
def test_entries_out_of_range(index):
    J = fb.backslash(system()[0], right_side()[0])
    with pytest.raises(IndexError, match=rf"{max(index, key=abs)} is out of range for 5 blocks"):
        J[index]


@pytest.mark.parametrize("index", [0, (0,), (0, 0, 0), "ab", ("a", 0), (None, 0)], ids=repr)
def test_wrong_indices(index):
    J = fb.backslash(system()[0], right_side()[0])
    with pytest.raises((IndexError, TypeError), match=r"LazyProduct"):
        J[index]


def test_slices_are_refused_clearly():
    J = fb.backslash(system()[0], right_side()[0])
    with pytest.raises((IndexError, TypeError), match=r"LazyProduct"):
        J[1:3, 0]


def test_factors_must_fit():
    A = fb.Diagonal([1, 2])
    for make in (
        lambda: fb.backslash(A, fb.Diagonal([1, 2, 3])),
        lambda: fb.backslash(A, A) @ fb.Diagonal([1, 2, 3]),
        lambda: fb.Diagonal([1, 2, 3]) @ fb.backslash(A, A),
    ):
        with pytest.raises(fb.ShapeError, match=r"right factor must have [23] block rows.*got [23]"):
            make()


def test_wrong_entries():
    J = fb.backslash(fb.Diagonal([1, 2]), fb.Diagonal([np.eye(2), 1]))
    with pytest.raises(fb.ShapeError, match=r"2 entries.*got 3"):
        J @ [1.0, 1.0, 1.0]
    with pytest.raises(fb.ShapeError, match=r"block \(0, 0\).*\(2,\).*\(3,\)"):
        J @ [np.ones(3), None]
    with pytest.raises(TypeError, match="block vector"):
        J @ 3.0


@pytest.mark.parametrize("left", [np.eye(2), [1, 2], 3.0], ids=["array", "list", "number"])
def test_what_stands_on_the_left(left):
    A = fb.Diagonal([1, 2])
    for op in (A.inv, fb.backslash(A, A)):
        with pytest.raises(TypeError, match="__rmatmul__"):
            left @ op


def test_an_operator_to_block_vectors_on_the_right():
    """A user's own map from an array to a block vector, and back."""
    split = fb.Operator(lambda x: [x, 3 * x], lambda y: y[0] + 3 * y[1], symbol="S")
    J = fb.backslash(fb.Bidiagonal([2, 4], [-2]), split)
    x = np.array([2.0, 4.0])
    found = J @ x
    np.testing.assert_allclose(found[0], x / 2)
    np.testing.assert_allclose(found[1], x)
    g = [np.array([1.0, 0.0]), np.array([0.0, 1.0])]
    assert np.vdot(J.H @ g, x) == pytest.approx(sum(np.vdot(a, b) for a, b in zip(g, found, strict=True)))


def test_inverses_of_lazy_products():
    (A, a), (D, d) = system(), right_side()
    v = vector()
    J = fb.backslash(A, D)
    expected = np.linalg.solve(np.linalg.inv(a) @ d, flat(v, SHAPES))
    for found in (
        J.solve(v),
        J.inv @ v,
        fb.backslash(J, v),
        fb.factorize(J).solve(v),
        fb.factorize(J, invert=True).solve(v),
    ):
        close(found, expected)


class Counter:
    count = 0

    def block(self):
        def use(X):
            self.count += 1
            return X

        return fb.Operator(use, use)


def skip_edges(n, element):
    """I - L with edges from i - 1 and i - 2: the number of paths grows like Fibonacci numbers."""
    off = {(i, j): element() for i in range(n) for j in (i - 1, i - 2) if j >= 0}
    return fb.Identity() - fb.Triangular([None] * n, off)


def test_skip_edges_are_never_expanded():
    """200 rows: 4.5e41 paths, 397 products."""
    n = 200
    counter = Counter()
    A = skip_edges(n, counter.block)
    J = fb.backslash(A, fb.Diagonal([1] * n))
    assert counter.count == 0
    fibonacci = [1, 1]
    while len(fibonacci) < n:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    assert J @ [1, *[None] * (n - 1)] == fibonacci  # exact: integers
    assert counter.count == 2 * n - 3
    for use in (
        lambda: J[n - 1, 0] @ 1,
        lambda: (J.H @ [*[None] * (n - 1), 1])[0],
        lambda: J.H[0, n - 1] @ 1,
        lambda: J[n - 1, 0].H @ 1,
    ):
        counter.count = 0
        assert use() == fibonacci[-1]
        assert counter.count == 2 * n - 3


def test_skip_edges_take_time_linear_in_the_blocks():
    times = {}
    for n in (200, 2000):
        W = fb.Left(np.eye(3) / 2)
        J = fb.backslash(skip_edges(n, lambda: W), fb.Diagonal([1] * n))  # noqa: B023
        v = [np.ones((3, 1)), *[None] * (n - 1)]
        times[n] = seconds(lambda: J @ v)  # noqa: B023
    assert times[2000] < 40 * times[200]  # 10 if linear, 100 if quadratic


def test_ten_thousand_factors_without_recursion():
    A = fb.Bidiagonal([1, 1], [-1])
    J = A.inv
    product = LazyProduct((J,) * 10_000)
    assert product @ [1, 0] == [1, 10_000]
    assert product.H @ [0, 1] == [10_000, 1]


def test_inputs_are_not_modified():
    A, _ = system()
    v = vector()
    kept = [None if x is None else x.copy() for x in v]
    J = fb.backslash(A, right_side()[0])
    for _ in range(3):
        for result in (J @ v, J.H @ v, A.inv @ v):
            for x in result:
                x += 1
    for x, before in zip(v, kept, strict=True):
        assert x is before is None or np.array_equal(x, before)
