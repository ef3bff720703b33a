"""compile: the same numbers as without it, on first and second inputs; results, errors, resources."""

import copy
import itertools
import math
import os
import pickle
import shutil
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import optree
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special

import fastbs as fb
import fastbs.scipy.linalg as sl
from fastbs.compiled import MANY_PLANS, MOST_PLANS, Compiled
from fastbs.compiler import lowering
from fastbs.compiler.assemble import PASSES
from memory import peak

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


def agree(f, *arguments, passes=PASSES, domain=lambda x: x, **keywords):
    """The compiled function gives what f gives, on these and on second arguments; returns it."""
    compiled = Compiled(f, passes=passes)
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


def assigned(x):
    z = np.zeros_like(x)
    z[1:] = x[:-1] * 2
    z[0] += x[2]
    z[2] = 1.0
    return z


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    f, *arguments = PROGRAMS[name]
    agree(f, *arguments)


WITHOUT = {without: tuple(name for name in PASSES if name != without) for without in PASSES} | {"all": ()}


@pytest.mark.parametrize("without", WITHOUT)
@pytest.mark.parametrize("name", ["network", "Rosenbrock", "softmax", "hessian", "powers", "random-like chain"])
def test_passes_can_be_left_out(name, without):
    f, *arguments = PROGRAMS[name]
    agree(f, *arguments, passes=WITHOUT[without])


@pytest.mark.slow
@pytest.mark.parametrize("without", WITHOUT)
@pytest.mark.parametrize("name", PROGRAMS)
def test_passes_can_be_left_out_of_all_programs(name, without):
    f, *arguments = PROGRAMS[name]
    agree(f, *arguments, passes=WITHOUT[without])


def loop_of_numbers(w):
    return fb.grad(lambda w: fb.scan(lambda s, x: (s * w, np.sin(x)), w, np.arange(5.0))[0])(w)


def two_loops(w):
    return fb.scan(lambda state, _: ((w @ state[0], np.tanh(w @ state[1])), None), (w[0], w[1]), length=5)[0]


@pytest.mark.parametrize(
    ("without", "f", "arguments"),
    [
        ("simplify", lambda x: 1.0 * x + 0.0 * np.sin(3.0), (x,)),
        ("common_subexpressions", lambda x: np.tanh(x) + np.tanh(x) ** 2, (x,)),
        ("pruned", lambda w: fb.cond(w[0, 0] > 0, lambda w: (w, np.sin(w)), lambda w: (-w, np.tanh(w)), w)[0], (A,)),
        ("known_states", fb.grad(lambda w: np.sum(two_loops(w)[1])), (rng.normal(size=(20, 20)) / 20,)),
        ("scalars", lambda w: two_loops(w), (rng.normal(size=(3, 3)) / 3,)),
        ("distributed", loop_of_numbers, (0.7,)),
        ("fused", fb.value_and_grad(loss), network((3, 5, 4), 7)),
        ("sums", lambda a, b: a @ b + b @ a, (A, B)),
        ("functions", lambda a, b: np.tanh(a @ b), (A, B)),
        ("reused", fb.value_and_grad(loss), network((3, 5, 4), 7)),
    ],
)
def test_a_pass_changes_something(without, f, arguments):
    work = [
        (report.instructions, report.flops, report.traffic, report.arena)
        for report in (agree(f, *arguments, passes=passes).plan.tape.report for passes in (PASSES, WITHOUT[without]))
    ]
    assert work[0] != work[1]
    assert without == "scalars" or any(some < more for some, more in zip(*work, strict=True))


def test_values_that_are_not_finite():
    z = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-310, 1e308])
    agree(
        lambda z: (np.maximum(z, 0.0), np.fmax(z, 0.0), np.where(z > 0, z, -z), np.sign(z), np.tanh(z), z * 2, z - z), z
    )
    compiled = agree(lambda z: (np.signbit(-1 * z[1:-1]), np.isfinite(z), z**2, 1 * z, z + 0.0), z)
    assert "Python" in compiled.report()


def test_what_kernels_cannot_do_is_called(monkeypatch):
    monkeypatch.setattr(lowering, "LARGEST", 2)
    compiled = agree(lambda A: (A @ B + B @ A, A.T, A @ x[:4]), A)
    assert "0 calls" not in compiled.report()
    monkeypatch.undo()
    many = rng.normal(size=(2,) * 8)
    agree(
        lambda T: np.transpose(T, (7, 1, 5, 3, 4, 2, 6, 0)) * T[::-1] + np.transpose(T, (1, 0, 3, 2, 5, 4, 7, 6)), many
    )


# Arguments, results, and plans


def test_arguments_may_be_replaced_while_a_plan_runs():
    big, is_made = [np.full(300_000, 1.0)], False

    def replacing(x):
        if is_made:
            big[0] = None
        return x

    replacing = fb.rule(replacing, lambda y, x: [fb.Identity()])
    compiled = fb.compile(lambda big, x: (replacing(x), np.sum(np.tanh(big[0]))))
    compiled(big, x)
    is_made = True
    for _ in range(3):
        big[0] = np.full(300_000, 1.0)
        assert_allclose(compiled(big, x)[1], 300_000 * np.tanh(1.0))


def test_what_calls_take_is_captured_by_value():
    many, M = np.ones(10_000), scipy.sparse.csr_array(np.eye(5))
    kernel = np.ones(3)
    compiled = fb.compile(lambda x: (np.interp(x, np.arange(10_000.0), many), fb.Left(M) @ x, np.convolve(x, kernel)))
    first = compiled(x)
    assert_array_equal(first[1], x)
    many[:], M.data[:], kernel[:] = 7.0, 7.0, 7.0
    for p, q in zip(first, compiled(x), strict=True):
        assert_array_equal(p, q)


def test_numbers_that_are_arrays_are_captured_by_value():
    s = np.array(2.0)
    compiled = fb.compile(lambda x: (s, s * x))
    compiled(x)
    s[...] = 3.0
    assert compiled(x)[0] == 2.0
    assert_allclose(compiled(x)[1], 2 * x)


def test_results_are_new_each_time():
    f = fb.compile(lambda x: (x, np.ones(2), x[1:]))
    first, second = f(x), f(x)
    for p, q in zip(first, second, strict=True):
        assert p.flags.owndata
        assert p.flags.writeable
        assert not np.shares_memory(p, q)
        assert not np.shares_memory(p, x)


def test_many_plans_warn_and_are_forgotten():
    f = fb.compile(lambda x, n: x * n)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in range(MANY_PLANS):
            f(x, n)
    with pytest.warns(RuntimeWarning, match=r"compiled for more than 16 signatures") as warned:
        f(x, 100)
    assert warned[0].filename == __file__
    for n in range(200, 200 + MOST_PLANS):
        f(x, n)
    assert len(f.plans) == MOST_PLANS


def test_closed_over_arrays_are_captured_by_value():
    w = np.ones(5)
    f = fb.compile(lambda x: w * x)
    f(x)
    w[:] = 2.0
    assert_array_equal(f(x), x)


def test_inside_another_trace_its_steps_are_steps_there():
    inner = fb.compile(lambda x: np.sum(x**2))
    assert_allclose(fb.grad(inner)(x), 2 * x)
    assert_allclose(fb.compile(fb.grad(inner))(x), 2 * x)


def test_pickles_and_copies():
    f = fb.compile(np.tanh)
    f(x)
    for g in (pickle.loads(pickle.dumps(f)), copy.copy(f), copy.deepcopy(f)):
        assert_allclose(g(x), np.tanh(x), rtol=1e-14)


# Errors


def test_branches_are_refused_and_named():
    with pytest.raises(fb.TraceError, match=r"bool: a branch must not depend .* got one at .*test_compiled.py:\d+"):
        fb.compile(lambda x: x if x[0] > 0 else -x)(x)
    with pytest.raises(fb.TraceError, match=r"fb.cond or fb.scan"):
        fb.compile(fb.grad(lambda x: np.sum(x) if np.sum(x) > 0 else -np.sum(x)))(x)
    assert fb.grad(lambda x: x * x if x > 0 else x)(2.0) == 4.0


def a_flag_from_another_line(x):
    flag = np.any(x > 0)
    return x if flag else -x  # this line


NUMBERS = {
    "float": lambda x: float(x[0]) * x,
    "int": lambda x: int(x[0]) * x,
    "complex": lambda x: complex(x[0]) * x,
    "int, of math.trunc": lambda x: math.trunc(x[0]) * x,
    "float, of math.sqrt": lambda x: math.sqrt(x[0]) * x,
    "round": lambda x: round(x[0]) * x,
    "Traced.item": lambda x: x[0].item() * x,
    "Traced.tolist": lambda x: np.array(x.tolist()),
    "format": lambda x: float(f"{x[0]:.3f}") * x,
    "Traced.__index__, of range": lambda x: sum(x[i] for i in range(np.argmax(x))),
    "Traced.__index__, of a list": lambda x: [1.0, 2.0, 3.0, 4.0, 5.0][np.argmax(x)] * x,
    "Traced.__index__, of a slice": lambda x: x[: np.argmax(x)],
    "Traced.__index__, of a loop": lambda x: fb.scan(lambda s, _: (s / 2, None), x, length=np.argmax(x)),
    "Traced.__array__": lambda x: np.arange(x[0]),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_values_are_refused_and_named(name):
    f = NUMBERS[name]
    line = rf"{name.partition(',')[0]}: .*test_compiled.py:{f.__code__.co_firstlineno}: .*"
    for compiled in (fb.compile(f), fb.compile(fb.grad(lambda x: np.sum(f(x))))):
        with pytest.raises(fb.TraceError, match=line + r"np.where, fb.cond or fb.scan .*leave compile away"):
            compiled(x)


def test_the_line_of_a_branch_is_where_it_branches():
    line = a_flag_from_another_line.__code__.co_firstlineno + 2
    with pytest.raises(fb.TraceError, match=rf"bool: .* got one at .*test_compiled.py:{line}:"):
        fb.compile(a_flag_from_another_line)(x)


def test_values_can_be_looked_at():
    seen = []

    def f(x):
        seen.append(f"{x[0]} {x[1]!s}")
        return x

    fb.compile(f)(x)
    assert seen[0].startswith("Traced(np.float64(")
    assert "Traced" not in repr(fb.grad(lambda x: np.sum(x) * float(f"{np.sum(fb.stop_gradient(x)):.2f}"))(x))


def masked_assignment(x):
    z = x * 2
    z[x > 0] = 0.0
    return z


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x[x > 0],
        lambda x: np.sum(x[x > 0]),
        masked_assignment,
        lambda x: np.nonzero(x)[0],
        lambda x: np.flatnonzero(x),
    ],
)
def test_shapes_that_depend_on_values_are_refused(f):
    with pytest.raises(fb.TraceError, match=r"shapes must not depend on values"):
        fb.compile(f)(x)


def test_chance_is_refused():
    generator = np.random.default_rng(0)
    with pytest.raises(fb.TraceError, match=r"must do the same each time"):
        fb.compile(lambda x: x + generator.normal(size=5))(x)
    with pytest.raises(fb.TraceError, match=r"must do the same each time"):
        fb.compile(lambda x: x * generator.normal())(x)
    f = fb.compile(lambda x: x + np.random.default_rng(1).normal(size=5))  # the same numbers each time
    assert_allclose(f(y), y + np.random.default_rng(1).normal(size=5))


def test_errors_of_the_function_come_through():
    with pytest.raises(ZeroDivisionError):
        fb.compile(lambda x: 1 / 0)(x)
    f = fb.compile(np.linalg.inv)
    assert_allclose(f(S), np.linalg.inv(S))
    with pytest.raises(np.linalg.LinAlgError):
        f(np.zeros((4, 4)))
    assert_allclose(f(S), np.linalg.inv(S))  # the plan is whole


# Resources


def test_a_run_allocates_nothing_but_its_results():
    parameters, X, Y = network((30, 50, 40), 20)
    f = fb.compile(fb.value_and_grad(loss))
    size = 8 * sum(W.size + b.size for W, b in parameters)
    bound = f.bind(parameters, X, Y)
    assert peak(bound) < size + 500
    assert peak(f.bind(parameters, X, Y, out=np.empty(size // 8))) < 500
    assert peak(lambda: f(parameters, X, Y)) < size + 2000
    assert peak(lambda: (bound(), np.empty(1000))) > 7500  # what a run allocated would be seen


def test_loops_and_calls_allocate_nothing_that_stays():
    w, s, out = rng.normal(size=(50, 50)) / 9, rng.normal(size=50), np.empty(50)
    loop = fb.compile(fb.grad(lambda s, w: np.sum(fb.scan(lambda s, _: (np.tanh(w @ s), None), s, length=100)[0])))
    assert peak(loop.bind(s, w, out=out)) < 500
    assert peak(lambda: loop(s, w)) < out.nbytes + 1000
    called = fb.compile(lambda s: np.cumsum(s) * 2)  # its argument and its result are copies, for as long as it runs
    assert peak(called.bind(s, out=out)) < 2 * s.nbytes + 3000


COUNTER = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
void *__libc_calloc(size_t n, size_t size);
static volatile long calls;
void *calloc(size_t n, size_t size) { calls++; return __libc_calloc(n, size); }  /* dlsym itself needs it */
long calls_of_malloc(void) { return calls; }
#define COUNTED(name, parameters, given)                                \\
    void *name parameters                                               \\
    {                                                                   \\
        static void *(*real) parameters;                                \\
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name);           \\
        calls++;                                                        \\
        return real given;                                              \\
    }
COUNTED(malloc, (size_t n), (n))
COUNTED(realloc, (void *p, size_t n), (p, n))
COUNTED(aligned_alloc, (size_t a, size_t n), (a, n))
COUNTED(memalign, (size_t a, size_t n), (a, n))
int posix_memalign(void **p, size_t a, size_t n) { return (*p = memalign(a, n)) ? 0 : 12; }
"""

COUNTED = """
import ctypes
import numpy as np
import fastbs as fb

def loss(parameters, X, Y):
    for W, b in parameters:
        X = np.tanh(W @ X + b)
    return 0.5 * np.sum((X - Y) ** 2)

rng = np.random.default_rng(0)
parameters = [(rng.normal(size=(n, n)), np.zeros((n, 1))) for n in (160, 160)]
X, Y = rng.normal(size=(2, 160, 160))
f = fb.compile(fb.value_and_grad(loss))
out = np.empty(2 * 160 * 161)
calls = ctypes.CDLL(None).calls_of_malloc
calls.restype = ctypes.c_long
bound, w, s = f.bind(parameters, X, Y, out=out), parameters[0][0], X[0]
loop = fb.compile(fb.grad(lambda s, w: np.sum(fb.scan(lambda s, _: (np.tanh(w @ s), None), s, length=30)[0])))
called = fb.compile(lambda s: np.cumsum(s) * 2)
for run in (
    f.bind(parameters, X, Y), bound, loop.bind(s, w, out=np.empty(160)), lambda: f(parameters, X, Y),
    lambda: loop(s, w), lambda: called(s), lambda: (bound(), np.empty(10000)),
):
    run()
    before = calls()
    for _ in range(100):
        run()
    print(calls() - before)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None or "LD_PRELOAD" in os.environ,
    reason="counts through a preloaded library, the only one",
)
def test_a_run_calls_malloc_for_its_results_only(tmp_path):
    (tmp_path / "counter.c").write_text(COUNTER)
    library = str(tmp_path / "counter.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, str(tmp_path / "counter.c"), "-ldl"], check=True)
    environment = os.environ | {"LD_PRELOAD": library, "OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", COUNTED], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    fresh, reused, loop, call, call_of_loop, called, injected = map(int, run.stdout.split())
    assert fresh <= 105  # one array a run; a few for Python's own blocks
    assert max(reused, loop) <= 5
    assert call <= 505  # four arrays a run, and a number
    assert call_of_loop <= 105
    assert called <= 1005  # copies for Python
    assert 100 <= injected <= 105


def test_plans_run_in_many_threads():
    parameters, X, Y = network((30, 50, 40), 20)
    f = fb.compile(fb.value_and_grad(loss))
    expected = f(parameters, X, Y)[0]
    bound = f.bind(parameters, X, Y)
    start = threading.Barrier(4)

    def work(_):
        start.wait()
        return [(bound()[0], f(parameters, X, Y)[0], f(parameters, X, 2 * Y)[0]) for _ in range(50)]

    with ThreadPoolExecutor(4) as pool:
        results = [r for rows in pool.map(work, range(4)) for r in rows]
    other = f(parameters, X, 2 * Y)[0]
    assert set(results) == {(expected, expected, other)}


def test_threads_with_several_signatures_get_their_own_plans():
    f = fb.compile(lambda x, n: x * n)
    start = threading.Barrier(4)

    def work(i):
        start.wait()
        return all(f(x[: 1 + (i + k) % 4], k % 80)[0] == x[0] * (k % 80) for k in range(300))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(work, range(4)))


@pytest.mark.parametrize("make", [float, np.float64, np.float32, complex, np.complex64, np.complex128])
def test_numbers_come_as_they_are(make):
    f = fb.compile(lambda x: np.concatenate([np.stack([x]), np.stack([x])]))
    parts = (-0.0, 0.0, np.inf, -np.inf, np.nan, 1.5)
    is_complex = np.dtype(make).kind == "c"
    for number in [complex(p, q) for p in parts for q in parts] if is_complex else parts:
        x = make(number)
        for found in f(x):
            for part in ("real", "imag"):
                a, b = getattr(found, part), getattr(x, part)
                np.testing.assert_equal(a, b)
                assert np.isnan(b) or np.signbit(a) == np.signbit(b)
