"""What compiled runs allocate, and plans in many threads."""

import os
import shutil
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastbs as fb
from compiled_programs import loss, network, x
from memory import peak

rng = np.random.default_rng(1)


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
