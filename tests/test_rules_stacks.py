"""Derivatives of solves with blocks in arrays, for every argument, against finite differences and nested."""

import numpy as np
import pytest

import fastbs as fb
from gradients import check
from test_stack import random_blocks


@pytest.mark.parametrize("kind", ["general", "lower", "upper", "spd", None])
@pytest.mark.parametrize("uplo", ["L", "U"])
def test_gradients_of_solves(kind, uplo):
    rng = np.random.default_rng(0)
    for form, batch in ((6,), ()), ((3, 2), (2,)), ((3, 2, 2), ()):
        diag, off = random_blocks(rng, 3, 2, "float64", kind, batch)
        b, w = rng.standard_normal((2, *batch, *form))

        def loss(off, b, diag=diag, w=w):
            A = fb.Bidiagonal.from_arrays(diag, off, uplo, kind or "general")
            return np.sum(w * fb.backslash(A, b) ** 2) + np.sum(A.H.solve(b) * w) + np.sum((A @ b) * w)

        check(loss, off, b, exact=False, float32=False, second=not batch)
        if kind:
            check(lambda diag, off=off, b=b, loss=loss: loss(off, b, diag), diag, exact=False, second=False)


def test_second_derivatives_and_jacobians():
    rng = np.random.default_rng(1)
    diag, off = random_blocks(rng, 3, 2, "float64", "general")
    b = rng.standard_normal((3, 2))

    def solution(off):
        return fb.Bidiagonal.from_arrays(diag, off).solve(b)

    J = fb.jacobian(solution)(off)
    for order in ("forward", "reverse"):
        np.testing.assert_allclose(fb.jacobian(solution, order=order)(off), J, rtol=1e-12, atol=1e-14)
    check(lambda off: np.sum(fb.grad(lambda o: np.sum(solution(o) ** 3))(off) ** 2), off)
    step = rng.standard_normal(off.shape)
    tangent = fb.jvp(solution, (off,), (step,))[1]
    h = 1e-6
    np.testing.assert_allclose(tangent, (solution(off + h * step) - solution(off - h * step)) / (2 * h), atol=1e-8)


def test_logdet_and_compile():
    rng = np.random.default_rng(2)
    diag, off = random_blocks(rng, 3, 2, "float64", "general")
    b = rng.standard_normal((3, 2))
    check(lambda d: fb.Bidiagonal.from_arrays(d, off).logdet()[1], diag)
    check(lambda d: fb.Bidiagonal.from_arrays(d, off, diagonal="lower").logdet()[1], diag)

    def loss(off):
        return np.sum(fb.Bidiagonal.from_arrays(diag, off).solve(b) ** 2)

    compiled = fb.compile(fb.value_and_grad(loss))
    for scale in (1.0, 0.5):
        value, gradient = compiled(scale * off)
        np.testing.assert_allclose(value, loss(scale * off))
        np.testing.assert_allclose(gradient, fb.grad(loss)(scale * off))


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("kind", ["general", "lower", "spd"])
def test_factorized_systems_of_traced_blocks(kind, invert):
    """All of them: in one array, in lists, in a triangle; factors are made in each solve."""
    rng = np.random.default_rng(4)
    diag, off = random_blocks(rng, 3, 2, "float64", kind)
    A = rng.standard_normal((6, 6)) + (np.kron(np.eye(3), diag[0]) if kind == "spd" else 4 * np.eye(6))
    b = rng.standard_normal(6)

    def solution(solver):
        return solver.solve(b) + solver.H.solve(b) + solver.logdet()[1]

    def stacked(diag, off):
        return solution(fb.factorize(fb.Bidiagonal.from_arrays(diag, off, diagonal=kind), invert=invert))

    def listed(diag, off):
        lists = [diag[0], diag[1], diag[2, :1, :1], diag[2, 1:, 1:]], [off[0], off[1, :1], off[1, :1, :1]]
        return solution(fb.factorize(fb.Bidiagonal.from_arrays(*lists, diagonal=kind), invert=invert))

    def triangle(A):
        return solution(fb.factorize(fb.Triangular.from_arrays(A, 2, diagonal=kind), invert=invert))

    for f, arrays in ((stacked, (diag, off)), (listed, (diag, off)), (triangle, (A,))):
        check(f, *arrays, exact=False, float32=False, second=False)
    check(lambda off: stacked(diag, off), off, exact=False, float32=False, second=False)


def test_lists_of_traced_blocks_of_one_size():
    diag, off = random_blocks(np.random.default_rng(5), 3, 2, "float64", "general")

    def solution(diag, off):
        A = fb.Bidiagonal.from_arrays([*diag[:2], np.eye(2)], list(off))
        T = fb.Tridiagonal(list(diag), list(off), [np.eye(2)] * 2)
        return A.solve(np.arange(6.0)) + T @ np.ones(6) + fb.Diagonal.from_arrays(list(diag)).logdet()[1]

    check(solution, diag, off, exact=False, float32=False, second=False)


def test_complex_blocks_are_refused():
    off = np.ones((1, 1, 1), complex)
    with pytest.raises(TypeError, match="must be real because the rule is for real arrays; got complex128"):
        fb.grad(lambda b: np.sum(np.real(fb.Bidiagonal.from_arrays(None, off).solve(b))))(np.ones(2))


def test_kept_factors_with_traced_right_sides():
    diag, off = random_blocks(np.random.default_rng(3), 3, 2, "float64", "general")
    for kind, invert in (("general", False), ("general", True), ("lower", False)):
        solver = fb.factorize(fb.Bidiagonal.from_arrays(diag, off, diagonal=kind), invert=invert)
        check(lambda b, solver=solver: solver.solve(b) + solver.H.solve(b), np.arange(6.0), exact=False)
