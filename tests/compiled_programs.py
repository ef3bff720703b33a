"""Programs to compile, and the law that compiled ones obey: the same numbers, on first and second arguments."""

import itertools

import numpy as np
import optree
from numpy.testing import assert_allclose
from scipy import special

import fastbs as fb
import fastbs.scipy.linalg as sl
from fastbs.compiled import Compiled
from fastbs.compiler.assemble import PASSES

rng = np.random.default_rng(0)


def loss(parameters, X, Y):
    for W, b in parameters:
        X = np.tanh(W @ X + b)
    return 0.5 * np.sum((X - Y) ** 2)


def network(widths, batch, dtype=float):
    parameters = [
        (rng.normal(size=(n, m)).astype(dtype), rng.normal(size=(n, 1)).astype(dtype))
        for m, n in itertools.pairwise(widths)
    ]
    return (
        parameters,
        rng.normal(size=(widths[0], batch)).astype(dtype),
        rng.normal(size=(widths[-1], batch)).astype(dtype),
    )


def others(arguments):
    """Second arguments of the same signature, which change every sign, order and mask."""

    def other(x):
        if isinstance(x, np.ndarray) and x.dtype.kind == "f":
            return np.asarray(-1.25 * np.flip(x), x.dtype, order="F" if x.flags.f_contiguous and x.ndim > 1 else "C")
        if isinstance(x, np.ndarray) and x.dtype.kind == "b":
            return ~x
        return type(x)(-x) if isinstance(x, (float, np.floating)) else x

    return optree.tree_map(other, arguments)


def agree(f, *arguments, passes=PASSES, threads=1, domain=lambda x: x, **keywords):
    """The compiled function gives what f gives, on these and on second arguments; returns it."""
    compiled = Compiled(f, passes=passes, threads=threads)
    for given in (arguments, domain(others(arguments)), arguments):
        with np.errstate(all="ignore"):
            found, expected = compiled(*given, **keywords), f(*given, **keywords)
        assert optree.tree_structure(found) == optree.tree_structure(expected)
        for y, z in zip(optree.tree_leaves(found), optree.tree_leaves(expected), strict=True):
            assert type(y) is type(z)
            if isinstance(z, (np.ndarray, np.generic)):
                assert (y.shape, y.dtype) == (z.shape, z.dtype)
                scale = max(np.max(np.abs(z), initial=0, where=np.isfinite(z)), 1.0)
                tolerance = 1e-12 if np.dtype(z.dtype).itemsize >= 8 else 1e-5
                assert_allclose(y, z, rtol=0, atol=tolerance * scale)
    return compiled


A, B = rng.normal(size=(2, 4, 4))
x, y = rng.normal(size=(2, 5))
T = rng.normal(size=(2, 3, 4))
S = A @ A.T + 4 * np.eye(4)


def assigned(x):
    z = np.zeros_like(x)
    z[1:] = x[:-1] * 2
    z[0] += x[2]
    z[2] = 1.0
    return z


PROGRAMS = {
    "network": (fb.value_and_grad(loss), *network((3, 5, 4), 7)),
    "network, one column": (fb.value_and_grad(loss), *network((3, 5, 4), 1)),
    "network of numbers": (fb.value_and_grad(loss), *network((1, 1, 1, 1), 1)),
    "network in float32": (fb.value_and_grad(loss), *network((3, 5, 4), 7, np.float32)),
    "network, wide": (fb.value_and_grad(loss), *network((120, 100, 110), 98)),
    "Rosenbrock": (fb.value_and_grad(lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)), x),
    "softmax": (fb.grad(lambda x: np.sum(np.exp(x - np.max(x)) / np.sum(np.exp(x - np.max(x))) * y)), x),
    "where": (fb.grad(lambda x: np.sum(np.where(x > 0.1, x * x, np.sin(x)))), x),
    "maximum": (fb.grad(lambda x: np.max(x) * np.sum(np.maximum(x, y))), x),
    "sort": (fb.grad(lambda x: np.sum(np.sort(x) * y)), x),
    "argmax": (lambda x: x[np.argmax(x)] + 0.0 * x, x),
    "argsort": (lambda x: (np.argsort(x), x[np.argsort(x)]), x),
    "mask as a number": (lambda x: np.sum((x > 0) * x) + np.mean(x < y), x),
    "truth values": (lambda x: ((x > 0) & ~(x > 1) | (x < -1), np.isnan(x)), x),
    "floor": (lambda x: np.floor(3 * x) + np.round(x, 1) + np.sign(x), x),
    "assignment": (fb.grad(lambda x: np.sum(assigned(x) * y)), x),
    "cumulative": (fb.grad(lambda x: np.sum(np.cumsum(np.tanh(x)) * y)), x),
    "index array": (fb.grad(lambda x: np.sum(x[[0, 0, 3]] ** 2)), x),
    "concatenate": (fb.grad(lambda x, z: np.sum(np.concatenate([x, z[::-1]]) ** 3), (0, 1)), x, y),
    "stack": (fb.grad(lambda x: np.sum(np.stack([x, x * x], axis=1) @ np.ones(2))), x),
    "transposes": (fb.value_and_grad(lambda A: np.sum((A.T @ A).T * A[::-1].T)), A),
    "outer": (fb.grad(lambda x: np.sum(np.outer(x, np.exp(x)) ** 2)), x),
    "einsum": (fb.grad(lambda A: np.sum(np.einsum("ij,jk,ik->i", A, B, A) ** 2)), A),
    "solve": (fb.value_and_grad(lambda S: np.sum(np.linalg.solve(S, A))), S),
    "Cholesky": (fb.value_and_grad(lambda s: np.sum(np.log(np.diag(np.linalg.cholesky(S + s * s * np.eye(4)))))), 1.5),
    "svd": (lambda A: np.linalg.svd(A)[1], A),
    "variance": (fb.grad(lambda x: np.var(x) + np.std(x) * np.mean(x)), x),
    "stop_gradient": (fb.value_and_grad(lambda x: np.sum(x * fb.stop_gradient(x * x))), x),
    "LU": (fb.grad(lambda A: np.sum(sl.lu_solve(sl.lu_factor(A), A.T) ** 2) + np.sum(sl.lu(A)[0] * A)), A),
    "special": (fb.grad(lambda x: np.sum(special.expit(x) * special.erf(x) + special.xlogy(3.0, x * x))), x),
    "normal distribution": (fb.grad(lambda x: np.sum(special.ndtr(x))), x),
    "log-add-exp": (fb.grad(lambda x: np.sum(np.logaddexp(x, y) + np.logaddexp(0, x))), x),
    "powers": (fb.grad(lambda x: np.sum(x**2 + x**3 - x**-1 + np.abs(x) ** 1.5 + 2.0**x)), x),
    "jacobian": (fb.jacobian(lambda x: np.tanh(A @ x[:4]) * x[1:]), x),
    "hessian": (fb.hessian(lambda x: np.sum(np.tanh(x) ** 2) * np.prod(x)), x),
    "hvp": (fb.hvp(lambda x: np.sum(np.exp(x) * x[::-1])), x, y),
    "jvp": (lambda x, v: fb.jvp(lambda x: np.sin(x) @ x, (x,), (v,)), x, y),
    "like": (lambda x: (np.zeros_like(x), np.ones_like(x), np.ones_like(x, dtype=int)), x),
    "scan": (fb.grad(lambda x: fb.scan(lambda s, t: (np.tanh(s + t), s * t), 0.5, x)[0]), x),
    "cond": (fb.grad(lambda x: fb.cond(x[0] > 0, lambda x: np.sum(x**2), lambda x: np.sum(np.cos(x)), x)), x),
    "column sums": (fb.grad(lambda A: np.sum(np.tanh(A + np.ones((4, 1)) * np.mean(A, axis=0)) ** 2)), A),
    "three axes": (lambda A: np.sum((A[:, None, :] - B[None]) ** 2, axis=-1), A),
    "permuted axes": (lambda T: np.sum(np.transpose(T, (2, 0, 1)) * np.moveaxis(T, 0, 1).reshape(4, 2, 3), axis=1), T),
    "Fortran order": (lambda A: (A * 2 + A.T, A.T @ A), np.asfortranarray(A)),
    "a float": (lambda x, s: s * x + s**2, x, 2.5),
    "float32 and a float": (lambda x, s: s * x, x.astype("f4"), 2.5),
    "float32 and float64": (lambda x, z: x * z + x, x.astype("f4"), y),
    "integers": (lambda x, k: x * k + np.sum(k), x, np.arange(5)),
    "a mask": (lambda x, m: np.where(m, x, 0.0) + m, x, x > 0),
    "an empty array": (lambda x: (np.sum(x), x * 2, np.sum(x, axis=0)), np.ones((0, 3))),
    "the argument": (lambda x: x, x),
    "constants": (lambda x: (np.ones(3), 3.0, "text", None, x), x),
    "complex inside": (lambda x: np.real((1j * x) * (x + 2j)), x),
    "dict": (lambda p: {"b": p["a"] * 2, "a": [p["b"]]}, {"a": x, "b": y}),
    "random-like chain": (fb.value_and_grad(lambda A: np.sum(np.tanh(A @ A) @ A - A.T @ np.exp(-A * A) + A @ B)), A),
}  # fmt: skip
# what remains where one pass is left out, or all are
WITHOUT = {"all": ()} | {without: tuple(name for name in PASSES if name != without) for without in PASSES}
CHOICES = [PASSES, *WITHOUT.values()]
