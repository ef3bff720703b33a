"""Linear algebra: every function is checked by the laws of derivatives."""

import numpy as np
import pytest

from fastbs.derivatives import grad, jacobian, jvp
from fastbs.rules import factorizations, linalg, solves
from fastbs.rules.factorizations import BLOCK, cholesky_by_blocks, full_gradient
from fastbs.rules.solves import solve_columns, triangle, triangular_solve
from gradients import check
from test_rules_products import rules_of

rng = np.random.default_rng(2)
TURN = np.array([[0.0, -9.0], [9.0, 0.0]])


def normal(*shape):
    return rng.normal(size=shape)


def square(n, *stack):
    """Well-conditioned matrices."""
    return 0.4 * normal(*stack, n, n) + 2 * np.eye(n) + np.diag(np.arange(n))


def positive(n, *stack):
    A = normal(*stack, n, n)
    return A @ A.mT + n * np.eye(n)


def spread_symmetric(n, *stack):
    """Symmetric matrices with well separated eigenvalues."""
    A = normal(*stack, n, n)
    return np.diag(2.0 * np.arange(n)) + 0.2 * (A + A.mT)


def spread(m, n, *stack):
    """Matrices with well separated singular values."""
    U, _ = np.linalg.qr(normal(*stack, m, m))
    V, _ = np.linalg.qr(normal(*stack, n, n))
    S = np.zeros((m, n))
    np.fill_diagonal(S, 1.0 + 1.5 * np.arange(min(m, n)))
    return U @ S @ V


def real_spectrum(n, *stack):
    V = np.eye(n) + 0.2 * normal(*stack, n, n)
    return V @ np.diag(1.0 + 2 * np.arange(n)) @ np.linalg.inv(V)


# name -> function, arrays, keywords of check
def real_eig(a):
    """NumPy 2.5 gives complex results of all matrices."""
    return [np.real(x) for x in np.linalg.eig(a)]


OTHERS = np.random.default_rng(1).standard_normal((4, 3, 3))

CASES = {
    "solve": (np.linalg.solve, (square(3), normal(3, 2))),
    "solve vector": (np.linalg.solve, (square(3), normal(3))),
    "solve stack of a": (np.linalg.solve, (square(3, 2), normal(3, 2))),
    "solve stack of a, vector": (np.linalg.solve, (square(3, 2), normal(3))),
    "solve stack of b": (np.linalg.solve, (square(3), normal(2, 3, 2))),
    "solve broadcast": (np.linalg.solve, (square(2, 3, 1), normal(1, 2, 2, 1))),
    "solve empty": (np.linalg.solve, (np.zeros((0, 0)), np.zeros((0, 2)))),
    "solve no columns": (np.linalg.solve, (square(2), np.zeros((2, 0)))),
    "solve list": (lambda a: np.linalg.solve(a, [1.0, 2.0]), (square(2),)),
    "tensorsolve": (np.linalg.tensorsolve, (square(6).reshape(2, 3, 6), normal(2, 3))),
    "tensorsolve axes": (
        lambda a, b: np.linalg.tensorsolve(a, b, axes=(0,)),
        (square(6).reshape(3, 2, 6).transpose(2, 0, 1), normal(3, 2)),
    ),
    "inv": (np.linalg.inv, (square(3),)),
    "inv stack": (np.linalg.inv, (square(2, 3),)),
    "tensorinv": (np.linalg.tensorinv, (square(6).reshape(2, 3, 6),), {}),
    "pinv": (np.linalg.pinv, (normal(4, 2),)),
    "pinv wide": (np.linalg.pinv, (normal(2, 3, 4),)),
    "pinv rcond": (lambda a: np.linalg.pinv(a, 1e-9), (square(3),)),
    "pinv hermitian": (lambda a: np.linalg.pinv(a, hermitian=True), (positive(3),)),
    "det": (np.linalg.det, (square(3),)),
    "det stack": (np.linalg.det, (square(3, 2),)),
    "det singular": (
        np.linalg.det,
        (np.outer([1.0, 2.0, 3.0], [1.0, 0.0, -1.0]),),
        {"complex_step": False},
    ),
    "det zero": (np.linalg.det, (np.zeros((2, 2)),), {"complex_step": False}),
    "det one": (np.linalg.det, (normal(1, 1),)),
    "slogdet": (np.linalg.slogdet, (square(3),)),
    "slogdet negative": (np.linalg.slogdet, (-square(3, 2),)),
    "slogdet logarithm": (lambda a: np.linalg.slogdet(a)[1], (square(3),)),
    "slogdet sign": (lambda a: np.linalg.slogdet(a).sign * a, (square(3),)),
    "cholesky": (np.linalg.cholesky, (positive(3),)),
    "cholesky stack": (np.linalg.cholesky, (positive(2, 3),)),
    "cholesky of a nonsymmetric": (np.linalg.cholesky, (positive(3) + np.triu(normal(3, 3), 1),)),
    "cholesky likelihood": (
        lambda a, y: np.sum(np.log(np.diagonal(np.linalg.cholesky(a)))) + y @ np.linalg.solve(a, y),
        (positive(3), normal(3)),
    ),
    "qr": (np.linalg.qr, (normal(4, 3),)),
    "qr square": (np.linalg.qr, (square(3),)),
    "qr wide": (np.linalg.qr, (normal(2, 4),)),
    "qr wide Q": (lambda a: np.linalg.qr(a).Q, (normal(2, 4),)),
    "qr wide R": (lambda a: np.linalg.qr(a).R, (normal(2, 4),)),
    "qr stack": (np.linalg.qr, (normal(2, 3, 2),)),
    "qr Q": (lambda a: np.linalg.qr(a).Q, (normal(3, 2),)),
    "qr r": (lambda a: np.linalg.qr(a, mode="r"), (normal(4, 2),)),
    "qr complete": (lambda a: np.linalg.qr(a, mode="complete"), (normal(2, 3),)),
    "eigh": (np.linalg.eigh, (spread_symmetric(3),)),
    "eigh stack": (np.linalg.eigh, (spread_symmetric(3, 2),)),
    "eigh U": (lambda a: np.linalg.eigh(a, UPLO="U"), (spread_symmetric(3) + np.tril(normal(3, 3), -1),)),
    "eigh L": (lambda a: np.linalg.eigh(a, "l"), (spread_symmetric(3) + np.triu(normal(3, 3), 1),)),
    "eigh vectors": (lambda a: np.linalg.eigh(a).eigenvectors, (spread_symmetric(2),)),
    "eigh values": (lambda a: np.linalg.eigh(a)[0], (spread_symmetric(2),)),
    "eigvalsh": (np.linalg.eigvalsh, (spread_symmetric(3),)),
    "eigvalsh stack": (np.linalg.eigvalsh, (spread_symmetric(3, 2),)),
    "eigvalsh U": (lambda a: np.linalg.eigvalsh(a, "U"), (spread_symmetric(3) + np.tril(normal(3, 3), -1),)),
    "eig": (real_eig, (real_spectrum(3),)),
    "eig stack": (real_eig, (real_spectrum(2, 2),)),
    "eig vectors": (lambda a: real_eig(a)[1], (real_spectrum(2),)),
    "eigvals": (lambda a: np.real(np.linalg.eigvals(a)), (real_spectrum(3),)),
    "svd tall": (lambda a: np.linalg.svd(a, full_matrices=False), (spread(4, 3),)),
    "svd wide": (lambda a: np.linalg.svd(a, full_matrices=False), (spread(2, 4),)),
    "svd square": (np.linalg.svd, (spread(3, 3),)),
    "svd stack": (lambda a: np.linalg.svd(a, full_matrices=False), (spread(3, 2, 2),)),
    "svd U": (lambda a: np.linalg.svd(a, False).U, (spread(3, 2),)),
    "svd Vh": (lambda a: np.linalg.svd(a, False)[2], (spread(2, 3),)),
    "svd values": (lambda a: np.linalg.svd(a, compute_uv=False), (spread(3, 2),)),
    "svdvals": (np.linalg.svdvals, (spread(2, 3, 2),)),
    "lstsq": (np.linalg.lstsq, (normal(5, 2), normal(5, 3))),
    "lstsq vector": (lambda a, b: np.linalg.lstsq(a, b, rcond=None), (normal(5, 2), normal(5))),
    "lstsq wide": (np.linalg.lstsq, (normal(2, 4), normal(2, 2))),
    "lstsq solution": (lambda a, b: np.linalg.lstsq(a, b)[0], (normal(5, 2), normal(5))),
    "lstsq squares": (lambda a, b: np.linalg.lstsq(a, b)[1], (normal(5, 2), normal(5))),
    "matrix_rank": (lambda a: a * np.linalg.matrix_rank(a), (normal(3, 3),)),
    "multi_dot": (lambda *a: np.linalg.multi_dot(a), (normal(2, 5), normal(5, 1), normal(1, 4), normal(4, 3))),
    "multi_dot 2": (lambda *a: np.linalg.multi_dot(a), (normal(2, 3), normal(3, 4))),
    "multi_dot vectors": (lambda *a: np.linalg.multi_dot(a), (normal(3), normal(3, 4), normal(4))),
    "cond": (np.linalg.cond, (spread(3, 3),)),
    "cond -2": (lambda a: np.linalg.cond(a, -2), (spread(2, 3, 2),)),
    "cond fro": (lambda a: np.linalg.cond(a, "fro"), (square(3),)),
    "linalg.matrix_transpose": (np.linalg.matrix_transpose, (normal(2, 3, 4),)),
    "linalg.diagonal": (lambda a: np.linalg.diagonal(a, offset=1), (normal(2, 3, 4),)),
}
CASES |= {
    f"matrix_power {n}": (lambda a, n=n: np.linalg.matrix_power(a, n), (square(2, 2) / 2,))
    for n in (-3, -1, 0, 1, 2, 3, 6, 7)
}
CASES |= {
    f"norm vector {ord}": (lambda a, ord=ord: np.linalg.norm(a, ord), (normal(4),))
    for ord in (None, 1, 2, 3, 2.5, np.inf, -np.inf, -1, 0)
}
CASES |= {
    f"norm {ord} {axis} {keepdims}": (
        lambda a, ord=ord, axis=axis, keepdims=keepdims: np.linalg.norm(a, ord, axis, keepdims),
        (spread(3, 4, 2),),
    )
    for ord, axis, keepdims in [
        (None, None, False),
        (None, None, True),
        (None, 0, False),
        (2, -1, True),
        (3, 1, False),
        (None, (0, 2), False),
        ("fro", (1, 2), True),
        ("nuc", (1, 2), False),
        ("nuc", (2, 1), True),
        (2, (1, 2), False),
        (-2, (-1, -2), True),
        (1, (0, 1), False),
        (-1, (1, 2), True),
        (np.inf, (1, 2), False),
        (-np.inf, (2, 0), False),
        (np.inf, 1, True),
        (1, 0, False),
    ]
}
CASES |= {
    "norm matrix": (np.linalg.norm, (normal(2, 3),)),
    "norm matrix fro": (lambda a: np.linalg.norm(a, "fro"), (normal(2, 3),)),
    "norm matrix 2": (lambda a: np.linalg.norm(a, 2), (spread(2, 3),)),
    "norm empty": (lambda a: np.linalg.norm(a, axis=1), (np.zeros((2, 0)),)),
    "vector_norm": (np.linalg.vector_norm, (normal(2, 3),)),
    "vector_norm axes": (lambda a: np.linalg.vector_norm(a, axis=(0, 2), keepdims=True, ord=3), (normal(2, 3, 2),)),
    "matrix_norm": (lambda a: np.linalg.matrix_norm(a, ord="nuc"), (spread(2, 3, 2),)),
    "triangular_solve": (triangular_solve, (square(3), normal(3, 2))),
    "cholesky_by_blocks": (cholesky_by_blocks, (OTHERS[0] + 2 * np.eye(3), OTHERS[1])),
    "cholesky_by_blocks stack": (cholesky_by_blocks, (OTHERS[:2] + 2 * np.eye(3), OTHERS[2:])),
    "triangular_solve broadcast": (triangular_solve, (square(2, 3, 1), normal(2, 2, 2))),
    "triangular_solve stack": (triangular_solve, (square(2), normal(3, 2, 2))),
}
if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
    CASES["cholesky upper"] = (lambda a: np.linalg.cholesky(a, upper=True), (positive(3) + np.tril(normal(3, 3), -1),))
for flags in [(lower, trans, unit) for lower in (True, False) for trans in (True, False) for unit in (True, False)]:
    CASES[f"triangular_solve {flags}"] = (lambda a, b, f=flags: triangular_solve(a, b, *f), (square(3), normal(3, 2)))

COMPLEX_STEP = ("solve", "inv", "det", "matrix_power", "multi_dot", "triangular_solve")


@pytest.mark.parametrize("name", CASES)
def test_laws(name):
    function, arguments, *options = CASES[name]
    check(function, *arguments, **{"complex_step": name.split()[0] in COMPLEX_STEP, **dict(*options)})


def name_of(function):
    name = function.__name__.removeprefix("real_")  # eig and eigvals, whose results NumPy may give as complex numbers
    return name if name not in ("matrix_transpose", "diagonal") else "linalg." + name


def test_every_line_has_a_case():
    found = rules_of(linalg, solves, factorizations)
    assert np.linalg.solve in found
    assert np.linalg.lstsq in found
    for function in found:
        name = name_of(function)
        assert any(case == name or case.startswith(name + " ") for case in CASES | SHORT), function


SHORT = {"matmul": "in the tests of products"}


def test_types_of_several_results():
    """A program sees NumPy's own namedtuples."""

    def f(a):
        for function in (np.linalg.slogdet, np.linalg.qr, np.linalg.svd, np.linalg.eigh, np.linalg.eig):
            assert type(function(a)) is type(function(np.eye(2)))
        return np.linalg.slogdet(a).logabsdet

    grad(f)(np.diag([1.0, 2.0]))


def test_gradient_of_the_triangle_that_is_read():
    """Differences of NumPy's function, entry by entry: zero above the diagonal."""
    a = positive(3)

    def f(a):
        return np.sum(np.sin(np.linalg.cholesky(a))) + np.sum(np.linalg.eigh(a)[0] ** 2)

    g = grad(f)(a)
    assert np.all(np.triu(g, 1) == 0)
    for i, j in np.ndindex(3, 3):
        d = np.zeros((3, 3))
        d[i, j] = 1e-6
        assert abs((f(a + d) - f(a - d)) / 2e-6 - g[i, j]) < 1e-6


def test_equal_eigenvalues():
    """Functions that do not depend on the basis of an eigenspace have their derivative."""
    Q, _ = np.linalg.qr(normal(4, 4))
    a = Q @ np.diag([1.0, 1.0, 1.0, 3.0]) @ Q.T
    v = normal(4, 4)

    def exponential(a):
        w, V = np.linalg.eigh((a + a.T) / 2)
        return np.trace(V @ np.diag(np.exp(w)) @ V.T)

    np.testing.assert_allclose(grad(exponential)(a), Q @ np.diag(np.exp([1.0, 1, 1, 3])) @ Q.T, atol=1e-12)

    def top(a):
        _, V = np.linalg.eigh((a + a.T) / 2)
        return np.sum(v * (V[:, :3] @ V[:, :3].T))

    step = 1e-5
    d = normal(4, 4)
    d = d + d.T
    expected = (top(a + step * d) - top(a - step * d)) / (2 * step)
    np.testing.assert_allclose(jvp(top, (a,), (d,))[1], expected, rtol=1e-6)


def test_equal_singular_values():
    """The squares of the singular values, and their sum where they are all equal."""
    g = grad(lambda a: np.sum(np.linalg.svd(a)[1] ** 2))(np.eye(3))
    np.testing.assert_allclose(g, 2 * np.eye(3))
    g = grad(lambda a: np.sum(np.linalg.svd(a)[0] @ np.linalg.svd(a)[2]))(2 * np.eye(3))
    assert np.all(np.isfinite(g))


@pytest.mark.parametrize("ord", [None, "fro", 2, 3, 1.5])
def test_norm_at_zero(ord):
    x = np.zeros((2, 2)) if ord == "fro" else np.zeros(3)
    assert not np.any(grad(lambda x: np.linalg.norm(x, ord))(x))
    J = jacobian(lambda x: np.linalg.norm(np.stack([x, x + 1]), ord, axis=-1))(np.zeros(3)) if ord != "fro" else x
    assert np.all(np.isfinite(J))


def test_a_stack_of_right_hand_sides_is_one_solve():
    a, b = square(3), normal(3)
    np.testing.assert_allclose(jacobian(lambda b: np.linalg.solve(a, b), order="forward")(b), np.linalg.inv(a))
    B = normal(4, 2, 3, 2)
    A = square(3, 2)
    np.testing.assert_allclose(solve_columns(A, B), np.linalg.solve(A, B))
    np.testing.assert_allclose(triangular_solve(A, B), np.linalg.solve(np.tril(A), B))


def test_memory_orders_of_triangles():
    a, b = square(4), normal(4, 2)
    expected = np.linalg.solve(np.tril(a), b)
    for T in (a, np.asfortranarray(a), np.repeat(np.repeat(a, 2, 0), 2, 1)[::2, ::2]):
        np.testing.assert_allclose(triangular_solve(T, b), expected)


def test_complex_intermediates():
    """Solves with complex matrices of real parameters."""
    C = square(3) + 1j * normal(3, 3)

    def f(x, y):
        z = np.linalg.solve(C + x, y * C) + np.linalg.inv(C * x) @ triangular_solve(C, C * y)
        return np.real(np.sum(z * z)) + np.imag(np.linalg.det(C * x))

    check(f, square(3), normal(3, 1), float32=False)


def bad(call, a):
    return grad(lambda a: np.sum(call(a)))(a)


@pytest.mark.parametrize(
    ("call", "shape", "error", "message"),
    [
        (lambda a: np.linalg.svd(a)[1], (2, 3), TypeError, "full_matrices must be False.* 2 x 3"),
        (lambda a: np.linalg.svd(a, hermitian=True)[1], (2, 2), TypeError, "hermitian must be False"),
        (lambda a: np.linalg.qr(a, mode="complete")[1], (3, 2), TypeError, "3 x 2 matrix.*'complete'"),
        (lambda a: np.linalg.qr(a, mode="raw")[1], (3, 2), TypeError, "got 'raw'"),
        (lambda a: np.linalg.eigvals(a + TURN), (2, 2), TypeError, "eigenvalues must be real"),
        (lambda a: np.linalg.eig(a + TURN)[0], (2, 2), TypeError, "eigenvalues must be real"),
        (lambda a: np.linalg.eigvalsh(a * 1j), (2, 2), TypeError, "matrix must be real.*complex128"),
        (lambda a: np.linalg.matrix_power(a, 2), (2, 3), np.linalg.LinAlgError, r"square; got shape \(2, 3\)"),
        (lambda a: np.linalg.multi_dot([a]), (2, 3), ValueError, "at least two arrays.*got 1"),
        (lambda a: np.linalg.tensorinv(a, 0), (2, 2), ValueError, "ind must be positive; got 0"),
        (lambda a: np.linalg.tensorsolve(a, a[0]), (2, 3), np.linalg.LinAlgError, r"\(2, 3\) for b \(3,\)"),
        (lambda a: np.linalg.norm(a, "fro", 0), (2, 2), ValueError, "must be a number.*got 'fro'"),
        (lambda a: np.linalg.norm(a, 3), (2, 2), ValueError, "must be one of .*got 3"),
        (lambda a: np.linalg.norm(a, None, (0, 1, 2)), (2, 2, 2), ValueError, r"got \(0, 1, 2\)"),
        (lambda a: triangular_solve(a * 0, a), (2, 2), np.linalg.LinAlgError, "zero in row 0"),
    ],
)
def test_errors(call, shape, error, message):
    with pytest.raises(error, match=message):
        bad(call, np.ones(shape))


@pytest.mark.parametrize("n", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 5])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_cholesky_gradient_by_blocks_is_the_formula(n, dtype):
    rng = np.random.default_rng(n)
    L = (np.tril(rng.standard_normal((n, n))) / max(n, 1) + np.eye(n)).astype(dtype)
    Y = rng.standard_normal((n, n)).astype(dtype)
    kept = L.copy(), Y.copy()
    expected = triangle(full_gradient(L, Y), "L")
    found = cholesky_by_blocks(L, Y)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(
        found, expected, rtol=0, atol=1e3 * np.finfo(dtype).eps * np.abs(expected).max(initial=1)
    )
    np.testing.assert_array_equal(L, kept[0])
    np.testing.assert_array_equal(Y, kept[1])
    upper = np.triu(np.full((n, n), np.nan, dtype), 1)
    np.testing.assert_array_equal(
        cholesky_by_blocks(L + np.nan_to_num(upper, nan=7.0), Y + np.nan_to_num(upper, nan=7.0)), found
    )
