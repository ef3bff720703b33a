"""Compiled einsum, diagonal and logsumexp: the same numbers and gradients as uncompiled, without calls into Python."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import fastbs as fb
from fastbs.scipy.special import logsumexp, softmax

rng = np.random.default_rng(0)

EINSUMS = [
    ("kij,nkj->nki", (4, 3, 3), (10, 4, 3)),
    ("bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 6, 5)),
    ("bqhd,bkhd->bhqk", (2, 4, 3, 5), (2, 6, 3, 5)),
    ("ij,jk->ki", (130, 140), (140, 150)),
    ("ijk,k->ij", (2, 3, 4), (4,)),
    ("ijk,ijk->", (2, 3, 4), (2, 3, 4)),
    ("ijk,jik->kj", (2, 3, 4), (3, 2, 4)),
    ("ij,kl->ijkl", (2, 3), (4, 5)),
    ("...ij,...jk->...k", (2, 3, 4), (2, 4, 5)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
    ("ia,ib,ic->abc", (5, 2), (5, 3), (5, 4)),
    ("i,j,k,l,m->", (2,), (3,), (2,), (2,), (3,)),
    ("ij->i", (3, 4)),
    ("iji->j", (3, 2, 3)),
    ("iij,ij->j", (3, 3, 4), (3, 4)),
]


def same(f, *x):
    """f and its gradient, compiled, on two inputs."""
    n = tuple(range(len(x)))
    for function in (f, fb.grad(lambda *x: np.sum(np.sin(f(*x))), n)):
        compiled = fb.compile(function)
        for inputs in (x, tuple(-2 * a for a in x)):
            found, expected = compiled(*inputs), function(*inputs)
            pairs = zip(found, expected, strict=True) if isinstance(expected, tuple) else [(found, expected)]
            for ours, theirs in pairs:
                assert_allclose(ours, theirs, rtol=1e-12, atol=1e-11)
        assert "0 calls into Python" in compiled.report()


@pytest.mark.parametrize(("subscripts", "shapes"), [(s, shapes) for s, *shapes in EINSUMS])
def test_einsum(subscripts, shapes):
    same(lambda *x: np.einsum(subscripts, *x), *[rng.normal(size=shape) for shape in shapes])


def test_einsum_of_constants_in_float32():
    A, B = rng.normal(size=(2, 3, 3)).astype(np.float32)
    f = fb.compile(lambda x: np.einsum("ij,jk,kl->il", A, B, x))
    found = f(A)
    assert found.dtype == np.float32
    assert_allclose(found, A @ B @ A, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("subscripts", ["ij,ij->ij", "ij,jk->ik"])
def test_einsum_that_broadcasts(subscripts):
    f, A, B = (lambda A, B: np.einsum(subscripts, A, B)), rng.normal(size=(3, 1)), rng.normal(size=(3, 3))
    assert_allclose(fb.compile(f)(A, B), f(A, B), rtol=1e-12)


@pytest.mark.parametrize("offset", [0, 1, -2, 5])
def test_diagonal_is_a_view(offset):
    A = rng.normal(size=(4, 3, 5))
    f = lambda A: np.diagonal(A, offset, 0, 2) * 2.0  # noqa: E731
    compiled = fb.compile(f)
    assert_allclose(compiled(A), f(A), rtol=1e-15)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp(axis, keepdims):
    same(lambda a: logsumexp(a, axis=axis, keepdims=keepdims), rng.normal(size=(4, 5)))


def test_logsumexp_of_infinities_and_large_numbers():
    a = np.array([[-np.inf, -np.inf], [np.inf, 1.0], [np.nan, 1.0], [1000.0, 1000.0], [-np.inf, 2.0]])
    f = fb.compile(lambda a: logsumexp(a, axis=1))
    with np.errstate(all="ignore"):
        assert_allclose(f(a), logsumexp(a, axis=1), rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("axis", [0, 1])
def test_errors_of_logsumexp_and_softmax_are_within_the_promise(dtype, axis):
    f = fb.compile(lambda x: (logsumexp(x, axis=axis, keepdims=True), softmax(x, axis=axis)))
    for n in (1, 2, 7, 50, 1000):
        for scale in (0.1, 1, 30, 300, 1e4):
            x = (np.random.default_rng(n).normal(size=(6, n) if axis else (n, 6)) * scale).astype(dtype)
            exact = x.astype(np.longdouble)
            most = np.max(exact, axis=axis, keepdims=True)
            terms = np.exp(exact - most)
            total = np.sum(terms, axis=axis, keepdims=True)
            logs, shares = f(x)
            expected = most + np.log(total)
            unit = np.spacing(np.maximum(np.abs(expected), np.abs(most)).astype(dtype))
            assert np.all(np.abs(logs - expected) <= (4 + n) * unit)
            unit = np.spacing((terms / total).astype(dtype))
            assert np.all(np.abs(shares - terms / total) <= (4 + most - exact + n) * unit)
