"""fastbs.scipy.linalg: every function is checked by the laws of derivatives, and passes plain arrays to SciPy."""

import doctest
import inspect

import numpy as np
import pytest
import scipy.linalg

import fastbs as fb
import fastbs.scipy.linalg as fl
from fastbs.derivatives import grad, jvp
from gradients import check
from test_rules_linalg import normal, positive, spread, spread_symmetric, square

stable = square(3) - 6 * np.eye(3)
small = square(3) / 10


def signed(w, V):
    """Eigenvectors with a positive first entry: SciPy's signs are those of chance."""
    return w, V * np.sign(V[0])


# name -> function, arrays, keywords of check
CASES = {
    "solve": (fl.solve, (square(3), normal(3, 2))),
    "solve vector": (fl.solve, (square(3), normal(3))),
    "solve numbers": (lambda a, b: fl.solve(a, b), (2.0, normal(3))),
    "expm number": (fl.expm, (0.3,), {"float32": False}),
    "solve pos": (
        lambda a, b: fl.solve(a, b, assume_a="pos"),
        (positive(3) + np.tril(normal(3, 3), -1), normal(3)),
    ),
    "solve sym": (
        lambda a, b: fl.solve(a, b, lower=True, assume_a="sym"),
        (positive(3) + np.triu(normal(3, 3), 1), normal(3, 2)),
    ),
    "solve transposed": (lambda a, b: fl.solve(a, b, transposed=True), (square(3), normal(3)), {"exact": False}),
    "solve_triangular": (fl.solve_triangular, (square(3), normal(3, 2))),
    "solve_triangular vector": (fl.solve_triangular, (square(3), normal(3))),
    "solve_triangular lower": (
        lambda a, b: fl.solve_triangular(a, b, "T", lower=True, unit_diagonal=True, check_finite=False),
        (square(3), normal(3)),
    ),
    "cho_factor": (lambda a: np.triu(fl.cho_factor(a)[0]), (positive(3),)),
    "cho_factor lower": (lambda a: np.tril(fl.cho_factor(a, lower=True)[0]), (positive(3),)),
    "cho_solve": (lambda a, b: fl.cho_solve(fl.cho_factor(a), b), (positive(3), normal(3)), {"exact": False}),
    "cho_solve lower": (
        lambda c, b: fl.cho_solve((c, True), b),
        (np.linalg.cholesky(positive(3)), normal(3, 2)),
        {"exact": False},
    ),
    "solve_sylvester": (fl.solve_sylvester, (square(2), square(3), normal(2, 3))),
    "solve_continuous_lyapunov": (fl.solve_continuous_lyapunov, (stable, normal(3, 3))),
    "solve_discrete_lyapunov": (fl.solve_discrete_lyapunov, (small, normal(3, 3))),
    "solve_discrete_lyapunov bilinear": (
        lambda a, q: fl.solve_discrete_lyapunov(a, q, method="bilinear"),
        (small, normal(3, 3)),
    ),
    "inv": (fl.inv, (square(3),)),
    "det": (fl.det, (square(3),)),
    "pinv": (fl.pinv, (normal(4, 2),), {"exact": False}),
    "norm": (lambda a: fl.norm(a, axis=0), (normal(4, 2),), {"exact": False}),
    "cholesky": (fl.cholesky, (positive(3) + np.tril(normal(3, 3), -1),)),
    "cholesky lower": (lambda a: fl.cholesky(a, lower=True), (positive(3) + np.triu(normal(3, 3), 1),)),
    "lu_factor": (lambda a: fl.lu_factor(a)[0], (normal(4, 4),)),
    "lu_solve": (lambda a, b: fl.lu_solve(fl.lu_factor(a), b), (normal(4, 4), normal(4, 2)), {"exact": False}),
    "lu_solve transposed": (
        lambda a, b: fl.lu_solve(fl.lu_factor(a), b, trans=1),
        (normal(4, 4), normal(4)),
        {"exact": False},
    ),
    "lu": (fl.lu, (normal(3, 3),), {"exact": False}),
    "lu permuted": (lambda a: fl.lu(a, permute_l=True), (normal(3, 3),), {"exact": False}),
    "qr": (lambda a: fl.qr(a, mode="economic"), (normal(4, 3),)),
    "qr full": (fl.qr, (normal(2, 3),)),
    "qr r": (lambda a: fl.qr(a, mode="r"), (square(3),)),
    "svd": (fl.svd, (spread(3, 3),)),
    "svd thin": (lambda a: fl.svd(a, full_matrices=False), (spread(3, 2),)),
    "svd values": (lambda a: fl.svd(a, compute_uv=False), (spread(3, 2),)),
    "svdvals": (fl.svdvals, (spread(2, 3),)),
    "eigh": (lambda a: signed(*fl.eigh(a)), (spread_symmetric(3) + np.triu(normal(3, 3), 1),)),
    "eigh upper": (lambda a: signed(*fl.eigh(a, lower=False)), (spread_symmetric(3),)),
    "eigh values": (lambda a: fl.eigh(a, eigvals_only=True), (spread_symmetric(3),)),
    "eigh two": (lambda a, b: fl.eigh(a, b)[0], (spread_symmetric(3), positive(3)), {"exact": False}),
    "eigh two upper": (
        lambda a, b: abs(fl.eigh(a, b, lower=False)[1]),
        (spread_symmetric(2) + np.tril(normal(2, 2), -1), positive(2) + np.tril(normal(2, 2), -1)),
        {"exact": False},
    ),
    "eigvalsh": (fl.eigvalsh, (spread_symmetric(3),)),
    "expm": (fl.expm, (square(3) / 3,)),
    "expm stack": (fl.expm, (normal(2, 2, 2),)),
    "logm": (fl.logm, (square(3),), {"tolerance": 1e-5, "float32": False}),
    "sqrtm": (fl.sqrtm, (square(3),)),
    "block_diag": (fl.block_diag, (normal(2, 1), normal(3), normal(1, 2))),
    "toeplitz": (fl.toeplitz, (normal(3), normal(4))),
    "toeplitz symmetric": (fl.toeplitz, (normal(3),)),
}


@pytest.mark.parametrize("name", CASES)
def test_laws(name):
    function, arguments, *options = CASES[name]
    check(function, *arguments, **dict(*options))


def test_every_function_has_a_case():
    for name in fl.__all__:
        if getattr(fl, name) is not fl.solve_lyapunov:
            assert any(case.split()[0] == name for case in CASES), name


@pytest.mark.parametrize("name", [n for n in fl.__all__ if n != "solve_lyapunov"])
def test_examples(name):
    function = getattr(fl, name)
    for example in doctest.DocTestFinder(recurse=False).find(inspect.unwrap(function), name, globs={}):
        assert doctest.DocTestRunner().run(example).failed == 0
    assert function.__doc__


def test_other_names_are_scipys():
    assert fl.hilbert is scipy.linalg.hilbert
    with pytest.raises(AttributeError):
        _ = fl.no_such_function


def test_plain_arrays_go_to_scipy():
    a, b = positive(3), normal(3)
    np.testing.assert_array_equal(
        fl.cho_solve(fl.cho_factor(a), b), scipy.linalg.cho_solve(scipy.linalg.cho_factor(a), b)
    )
    np.testing.assert_array_equal(fl.solve(a, b, False, False), scipy.linalg.solve(a, b, False, False))
    assert fl.qr(a, pivoting=True)[2].shape == (3,)


def test_stacks_of_matrices_and_one_right_side():
    rng = np.random.default_rng(0)
    T = np.tril(rng.integers(1, 5, (2, 3, 3)))
    S = np.eye(3) + np.ones((2, 3, 3))
    for b in (rng.integers(1, 5, (3, 2)), rng.integers(1, 5, 3)):
        solved = fb.compile(lambda T, b: fl.solve_triangular(T, b, lower=True))(T, b)
        np.testing.assert_allclose(solved, scipy.linalg.solve_triangular(T, b, lower=True))
        solved = fb.compile(lambda S, b: fl.cho_solve((fl.cholesky(S), False), b))(S, b)
        np.testing.assert_allclose(solved, scipy.linalg.cho_solve((scipy.linalg.cholesky(S), False), b))


def test_gaussian_process_likelihood():
    """The logarithm of a Gaussian density by Cholesky, its gradient by triangular solves."""
    x, y = np.linspace(0, 1, 20), np.sin(6 * np.linspace(0, 1, 20))
    squares = (x[:, None] - x) ** 2

    def likelihood(p):
        K = p[0] * np.exp(-squares / (2 * p[1] ** 2)) + p[2] * np.eye(20)
        L = fl.cholesky(K, lower=True)
        alpha = fl.solve_triangular(L, y, lower=True)
        return -0.5 * alpha @ alpha - np.sum(np.log(np.diagonal(L)))

    p = np.array([1.0, 0.3, 0.1])
    K = np.exp(-squares / 0.18) + 0.1 * np.eye(20)
    inverse = np.linalg.inv(K)
    G = 0.5 * (np.outer(inverse @ y, inverse @ y) - inverse)
    expected = [np.sum(G * D) for D in (K - 0.1 * np.eye(20), (K - 0.1 * np.eye(20)) * squares / 0.027, np.eye(20))]
    np.testing.assert_allclose(grad(likelihood)(p), expected, rtol=1e-9)
    check(likelihood, p)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda a: fl.solve(a, a, assume_a="banded"), TypeError, "assume_a must be None.*'banded'"),
        (lambda a: fl.pinv(a, return_rank=True)[0], TypeError, "pinv: return_rank"),
        (lambda a: fl.toeplitz(a[0], a), ValueError, r"r must be a vector because.*got shape \(2, 2\)"),
        (lambda a: fl.lu_factor(a[:, :1])[0], ValueError, r"square matrix.*\(2, 1\)"),
        (
            lambda a: fl.solve_triangular(a, a[0, :1]),
            ValueError,
            r"solve_triangular: b must be \(2,\) or .*a is \(2, 2\); got \(1,\)",
        ),
        (
            lambda a: fl.solve_triangular(a[:1], a),
            ValueError,
            r"solve_triangular: a must be \(..., n, n\).*got \(1, 2\)",
        ),
        (lambda a: fl.cho_solve((a, True), a[:1]), ValueError, r"cho_solve: b must be \(2,\).*got \(1, 2\)"),
        (lambda a: fl.cho_solve((a, True), a[0, 0]), ValueError, r"cho_solve: b must be \(2,\).*got \(\)"),
        (
            lambda a: fl.lu_solve(fl.lu_factor(a), np.ones(3)),
            ValueError,
            r"lu_solve: b must be \(2,\).*a is \(2, 2\); got \(3,\)",
        ),
        (lambda a: fl.qr(a, pivoting=True)[0], TypeError, "qr: pivoting"),
        (lambda a: fl.qr(a[:, :1])[0], TypeError, "'economic'.* 2 x 1 .*'full'"),
        (lambda a: fl.svd(a[:, :1])[0], TypeError, "full_matrices.* 2 x 1"),
        (lambda a: fl.eigh(a, subset_by_index=(0, 0))[0], TypeError, "eigh: subset_by_index"),
        (lambda a: fl.eigvalsh(a, subset_by_index=(0, 0)), TypeError, "eigvalsh: subset_by_index"),
        (lambda a: fl.logm(-a), TypeError, "logm: the result must be real.*complex128"),
        (lambda a: fl.sqrtm(-a), TypeError, "sqrtm: the result must be real.*complex128"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        grad(lambda a: np.sum(np.real(call(a))))(np.array([[2.0, 1.0], [1.0, 3.0]]))


def test_nested_levels():
    """A factor traced outside, a right-hand side inside."""
    a, b = positive(3), normal(3)

    def f(a):
        c = fl.cho_factor(a)
        return grad(lambda b: b @ fl.cho_solve(c, b))(b)

    d = normal(3, 3)
    d = d + d.T
    x = np.linalg.solve(a, b)
    np.testing.assert_allclose(jvp(f, (a,), (d,))[1], -2 * np.linalg.solve(a, d @ x), rtol=1e-10)
