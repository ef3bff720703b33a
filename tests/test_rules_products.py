"""Products: every way of multiplying is checked by the laws of derivatives."""

import numpy as np
import pytest

import fastbs as fb
from fastbs.derivatives import grad, jvp, vjp
from fastbs.rules import convolution, einsum, products
from fastbs.rules.table import RULES, functions
from gradients import check

rng = np.random.default_rng(1)


def arrays(*shapes):
    return [np.float64(rng.normal()) if shape == () else rng.normal(size=shape) for shape in shapes]


MATMUL_SHAPES = [
    ((2, 3), (3, 4)),
    ((3,), (3, 4)),
    ((2, 3), (3,)),
    ((3,), (3,)),
    ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (3,)),
    ((2, 5, 2, 3), (3, 2)),
    ((2, 3), (5, 3, 4)),
    ((3,), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 1)),
    ((5, 1, 2, 3), (4, 3, 2)),
    ((1, 2, 3), (4, 3, 2)),
    ((4, 2, 3), (1, 3, 2)),
    ((1, 1), (1, 1)),
    ((2, 0), (0, 3)),
    ((0, 3), (3, 2)),
    ((0, 2, 3), (3, 2)),
    ((0, 2, 3), (1, 3, 2)),
]

# name -> function, shapes
CASES = {f"matmul {a} {b}": (np.matmul, (a, b)) for a, b in MATMUL_SHAPES}
CASES |= {
    f"dot {a} {b}": (np.dot, (a, b))
    for a, b in [
        ((), (2, 3)),
        ((2, 3), ()),
        ((), ()),
        ((3,), (3,)),
        ((2, 3), (3, 4)),
        ((2, 3), (3,)),
        ((3,), (3, 4)),
        ((5, 2, 3), (3,)),
        ((5, 2, 3), (3, 4)),
        ((3,), (2, 3, 4)),
        ((2, 3), (2, 3, 4)),
        ((2, 1, 3), (2, 3, 2)),
        ((0, 3), (2, 3, 2)),
    ]
}
CASES |= {
    "matmul operator": (lambda a, b: a @ b, ((2, 3), (3, 4))),
    "matmul same": (lambda a: a @ a.T, ((2, 3),)),
    "matmul axes": (lambda a, b: np.matmul(a, b, axes=[(0, 1), (1, 0), (1, 2)]), ((2, 3, 2), (4, 3, 2))),
    "matmul list": (lambda a: [[1.0, 2.0]] @ a, ((2, 3),)),
    "matmul list right": (lambda a: a @ [[1.0, 2.0], [0.5, 3.0]], ((3, 2),)),
    "matmul integers": (lambda a: np.arange(6).reshape(3, 2) @ a, ((2, 3),)),
    "dot method": (lambda a: a.dot(np.arange(6.0).reshape(3, 2)), ((2, 3),)),
    "vdot": (np.vdot, ((2, 3), (2, 3))),
    "vdot vectors": (np.vdot, ((3,), (3,))),
    "inner vectors": (np.inner, ((3,), (3,))),
    "inner": (np.inner, ((2, 3), (4, 3))),
    "inner stacks": (np.inner, ((2, 1, 3), (2, 2, 3))),
    "inner scalar": (np.inner, ((), (2, 3))),
    "outer": (np.outer, ((3,), (2,))),
    "outer matrices": (np.outer, ((2, 2), (3,))),
    "linalg.outer": (np.linalg.outer, ((3,), (2,))),
    "tensordot": (np.tensordot, ((2, 3, 4), (3, 4, 2))),
    "tensordot 0": (lambda a, b: np.tensordot(a, b, 0), ((2, 3), (2,))),
    "tensordot 1": (lambda a, b: np.tensordot(a, b, 1), ((2, 3), (3, 2))),
    "tensordot axes": (lambda a, b: np.tensordot(a, b, ([0, -1], [2, 0])), ((2, 3, 4), (4, 3, 2))),
    "tensordot axis": (lambda a, b: np.tensordot(a, b, (1, 0)), ((2, 3, 2), (3, 2))),
    "linalg.tensordot": (lambda a, b: np.linalg.tensordot(a, b, axes=1), ((2, 3), (3, 2))),
    "kron": (np.kron, ((2, 3), (3, 2))),
    "kron vectors": (np.kron, ((2,), (3,))),
    "kron mixed": (np.kron, ((2,), (3, 2, 2))),
    "kron scalar": (np.kron, ((), (3, 2))),
    "trace": (np.trace, ((3, 3),)),
    "trace wide": (lambda a: np.trace(a, 1), ((3, 4),)),
    "trace axes": (lambda a: np.trace(a, -1, axis1=2, axis2=0), ((3, 2, 4),)),
    "trace method": (lambda a: a.trace(), ((3, 3),)),
    "linalg.trace": (lambda a: np.linalg.trace(a, offset=1), ((2, 3, 3),)),
    "cross": (np.cross, ((3,), (3,))),
    "cross stacks": (np.cross, ((2, 3), (3,))),
    "cross broadcast": (np.cross, ((4, 1, 3), (1, 2, 3))),
    "cross axis": (lambda a, b: np.cross(a, b, axis=0), ((3, 2), (3, 2))),
    "cross axes": (lambda a, b: np.cross(a, b, axisa=0, axisb=1, axisc=0), ((3, 2), (2, 3))),
    "linalg.cross": (np.linalg.cross, ((2, 3), (2, 3))),
    "vecdot": (np.vecdot, ((2, 3), (2, 3))),
    "vecdot broadcast": (np.vecdot, ((4, 1, 3), (2, 3))),
    "vecdot axis": (lambda a, b: np.vecdot(a, b, axis=0), ((3, 2), (3, 2))),
    "linalg.vecdot": (lambda a, b: np.linalg.vecdot(a, b, axis=0), ((3, 2), (3, 2))),
    "linalg.matmul": (np.linalg.matmul, ((2, 3), (3, 2))),
}
if hasattr(np, "matvec"):
    CASES |= {
        "matvec": (np.matvec, ((2, 3), (3,))),
        "matvec stacks": (np.matvec, ((4, 1, 2, 3), (2, 3))),
        "matvec axes": (lambda a, x: np.matvec(a, x, axes=[(1, 0), 0, 0]), ((3, 2), (3, 4))),
        "vecmat": (np.vecmat, ((2,), (2, 3))),
        "vecmat stacks": (np.vecmat, ((4, 1, 2), (2, 2, 3))),
    }
CASES |= {
    f"einsum {subscripts}": (lambda *x, s=subscripts: np.einsum(s, *x), shapes)
    for subscripts, shapes in [
        ("ij,jk->ik", ((2, 3), (3, 4))),
        ("ij,jk", ((2, 3), (3, 4))),
        ("ba", ((2, 3),)),
        ("ij,kj->", ((2, 3), (4, 3))),
        ("i,j->ji", ((2,), (3,))),
        ("ii", ((3, 3),)),
        ("ii->i", ((3, 3),)),
        ("iji->j", ((3, 2, 3),)),
        ("iii,i->i", ((2, 2, 2), (2,))),
        ("ij->i", ((2, 3),)),
        ("ij,k->i", ((2, 3), (2,))),
        ("...ij,...jk->...ik", ((5, 2, 3), (3, 4))),
        ("...ij,...jk", ((4, 1, 2, 3), (5, 3, 2))),
        ("i...,i...->...", ((3, 2), (3, 1))),
        ("...", ((2, 3),)),
        ("ij,ij->ij", ((1, 3), (2, 3))),
        ("ij,jk,kl->il", ((2, 3), (3, 4), (4, 2))),
        ("i,i,i", ((3,), (3,), (3,))),
        ("ij,jk,ik->", ((2, 3), (3, 4), (2, 4))),
        (" i j , j -> i ", ((2, 3), (3,))),
        (",i->i", ((), (3,))),
        ("ij,jk->ik", ((0, 3), (3, 4))),
        ("ij,jk->ik", ((2, 0), (0, 4))),
        ("ij,jkl->ikl", ((1, 1), (3, 2, 2))),
    ]
}
CASES |= {
    "einsum optimize": (lambda a, b, c: np.einsum("ij,jk,kl->il", a, b, c, optimize=True), ((2, 3), (3, 4), (4, 2))),
    "einsum path": (
        lambda a, b, c: np.einsum("ij,jk,kl->il", a, b, c, optimize=["einsum_path", (0, 1), (0, 1)]),
        ((2, 3), (3, 4), (4, 2)),
    ),
    "einsum optimize ellipsis": (
        lambda a, b: np.einsum("...ij,...jk->...k", a, b, optimize="greedy"),
        ((4, 2, 3), (3, 2)),
    ),
    "einsum numbers": (lambda a, b: np.einsum(a, [0, 1], b, [1, 2]), ((2, 3), (3, 4))),
    "einsum numbers out": (lambda a, b: np.einsum(a, [0, 1], b, [1, 2], [2, 0]), ((2, 3), (3, 4))),
    "einsum numbers ellipsis": (lambda a: np.einsum(a, [..., 0, 0], [0, ...]), ((2, 3, 3),)),
}
for mode in ("full", "same", "valid"):
    for n, m in ((6, 3), (3, 6), (4, 4), (5, 1), (5, 2), (2, 5)):
        CASES[f"convolve {mode} {n} {m}"] = (lambda a, v, mode=mode: np.convolve(a, v, mode), ((n,), (m,)))
        CASES[f"correlate {mode} {n} {m}"] = (lambda a, v, mode=mode: np.correlate(a, v, mode), ((n,), (m,)))


@pytest.mark.parametrize("name", CASES)
def test_laws(name):
    function, shapes = CASES[name]
    holomorphic = not any(word in name for word in ("vdot", "vecdot", "vecmat", "correlate"))
    check(function, *arrays(*shapes), complex_step=holomorphic)


# function -> a case of it, where the name does not say so
ELSEWHERE = {convolution.convolution: "convolve full 6 3", convolution.correlation: "convolve valid 6 3"}


def rules_of(*modules):
    """The functions whose lines stand in these modules: recorders and rules say where they were written."""
    names = {module.__name__ for module in modules}
    return {
        function
        for table in (RULES, functions)
        for function, line in table.items()
        if callable(function) and names & {getattr(f, "__module__", None) for f in flat(line)}
    }


def flat(line):
    if isinstance(line, tuple):
        return line
    return (getattr(line, "rule", line),)


def name_of(function):
    linalg = "linalg." if function.__module__ == "numpy.linalg" and hasattr(np, function.__name__) else ""
    return linalg + function.__name__


def test_every_line_has_a_case():
    found = rules_of(products, einsum, convolution)
    assert np.matmul in found
    assert np.einsum in found
    for function in found:
        name = ELSEWHERE.get(function, name_of(function))
        assert any(case == name or case.startswith(name + " ") for case in CASES), function


def test_complex_intermediates():
    """A real program through complex products has the gradient of its real parts."""
    A, B = rng.normal(size=(2, 3, 3))
    C = A + 1j * B

    def f(x):
        return np.real(np.sum((C @ (x * C)) ** 2) + np.einsum("ij,ji->", C, x) + np.dot(C, x)[0, 1])

    check(f, rng.normal(size=(3, 3)), float32=False)


def test_stacks_of_columns_are_one_product():
    """A Jacobian of columns, as a network of one example has it."""
    W, x = rng.normal(size=(4, 3)), rng.normal(size=(3, 1))
    J = vjp(lambda x: W @ x, x)[1]
    op = RULES[np.matmul][1](W @ x, W, x)
    X = rng.normal(size=(5, 3, 1))
    np.testing.assert_allclose(op.apply(X), W @ X)
    np.testing.assert_allclose(op.apply_adjoint(op.apply(X)), W.T @ (W @ X))
    np.testing.assert_allclose(J(W @ x)[0], W.T @ W @ x)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: np.matmul(x, x, dtype=np.float32), TypeError, "matmul: dtype must be left away"),
        (lambda x: np.einsum("ij->i", x, dtype=np.float32), TypeError, "einsum: dtype must be left away"),
        (lambda x: np.cross(x[0, :2], x[1, :2]), TypeError, "three components.*got 2 and 2"),
        (lambda x: np.tensordot(x, x, 1), ValueError, r"axes \[1\] of a and \[0\] of b.*\(2, 3\)"),
        (lambda x: np.linalg.outer(x, x), ValueError, r"vectors; got shapes \(2, 3\)"),
        (lambda x: np.convolve(x[0], x[0, :0]), ValueError, "v cannot be empty"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        grad(lambda x: np.sum(call(x)))(np.ones((2, 3)))


def test_nested_levels_of_one_product():
    A = rng.normal(size=(3, 3))
    _, t = jvp(lambda s: grad(lambda x: x @ (s * A) @ x)(np.ones(3)), (np.float64(2),), (np.float64(1),))
    np.testing.assert_allclose(t, (A + A.T) @ np.ones(3))


def test_products_of_stacks_have_symbols():
    system = fb.trace(lambda A, X: np.tanh(A) @ np.sin(X), np.ones((2, 3, 3)), np.ones((2, 3, 1)))
    assert [system.L[2, j].symbol for j in (0, 1)] == ["Bᵣ", "Aₗ"]
