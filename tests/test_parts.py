"""threads= of systems in arrays: the same results, and no thread for little work."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import scipy.sparse

import fastbs as fb
from fastbs import parts
from fastbs.errors import SingularError, StructureError

rng = np.random.default_rng(0)


def lists(m, r):
    sizes = [m, m + 1, m + 2]
    diag = [rng.standard_normal((k, k)) + 9 * np.eye(k) for k in sizes]
    off = [rng.standard_normal(shape) for shape in ((m + 1, m), (m + 2, m + 1))]
    return fb.Bidiagonal.from_arrays(diag, off), rng.standard_normal((sum(sizes), r))


def dense(m, r, diagonal="general"):
    A = np.tril(rng.standard_normal((4 * m, 4 * m))) + 9 * np.eye(4 * m)
    return fb.Triangular.from_arrays(A, block=m, diagonal=diagonal), rng.standard_normal((4 * m, r))


def sparse(m, r):
    A = scipy.sparse.bsr_array(np.tril(rng.standard_normal((3 * m, 3 * m))) + 9 * np.eye(3 * m), blocksize=(m, m))
    return fb.Triangular.from_scipy(A), rng.standard_normal((3 * m, r))


def columns(m, r):
    off = rng.standard_normal((3, m, m)) / m
    return fb.Bidiagonal.from_arrays(None, off), rng.standard_normal((4 * m, r))


def batch(m, r):
    diag, off = rng.standard_normal((r, 4, m, m)) + 9 * np.eye(m), rng.standard_normal((r, 3, m, m))
    return fb.Bidiagonal.from_arrays(diag, off), rng.standard_normal((r, 4, m))


def tridiagonal(m, r):
    diag, off = rng.standard_normal((r, 4, m, m)) + 9 * np.eye(m), rng.standard_normal((r, 3, m, m)) / m
    return fb.Tridiagonal(diag, off, off), rng.standard_normal((r, 4, m))


SYSTEMS = {
    "lists": lists, "dense": dense, "dense triangle": lambda m, r: dense(m, r, "lower"), "BSR": sparse,
    "columns": columns, "batch": batch, "tridiagonal": tridiagonal,
}  # fmt: skip


@pytest.fixture
def started(monkeypatch):
    """The parts that other threads have run."""
    seen = []

    class Pool(parts.ThreadPoolExecutor):
        def submit(self, function, part):
            seen.append(part)
            return super().submit(function, part)

    pool = Pool(3)
    monkeypatch.setattr(parts, "pool", lambda: pool)
    yield seen
    pool.shutdown()


@pytest.mark.parametrize("name", SYSTEMS)
def test_several_threads_find_the_same(name, started):
    A, b = SYSTEMS[name](24, 512)
    expected = A.solve(b)
    for solver in (A, fb.factorize(A)):
        for order in "CF":
            own, out = np.array(b, order=order), np.empty_like(b, order=order)
            assert solver.solve(b, out=out, threads=3) is out
            assert solver.solve(own, overwrite_b=True, threads=2) is own
            for x in (out, own, solver.solve(b * (1 + 1j), threads=2) / (1 + 1j)):
                np.testing.assert_allclose(x, expected, rtol=1e-9, atol=1e-12)
    assert len(started) >= 8
    whole = A.H.solve(b, threads=2)
    np.testing.assert_allclose(whole, A.H.solve(b), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", SYSTEMS)
def test_little_work_starts_no_thread(name, started):
    A, b = SYSTEMS[name](3, 4)
    before = threading.active_count()
    np.testing.assert_allclose(A.solve(b, threads=8), A.solve(b))
    assert not started
    assert threading.active_count() == before


def test_block_vectors_too(started):
    A, b = lists(24, 2048)
    entries = np.split(b, [24, 49])
    np.testing.assert_allclose(np.concatenate(A.solve(entries, threads=2)), A.solve(b), rtol=1e-9, atol=1e-12)
    assert len(started) == 1


def test_a_singular_system_has_its_number(started):
    A, b = batch(24, 512)
    diag = A.stack.diag.copy()
    diag[300, 2] = 0
    for singular in (fb.Bidiagonal.from_arrays(diag, A.stack.off), fb.Tridiagonal(diag, 0 * A.stack.off, A.stack.off)):
        with pytest.raises(SingularError, match=r"block \(2, 2\) of system 300 must be nonsingular"):
            singular.solve(b, threads=2)
    assert len(started) == 2


def test_threads_are_kept():
    """A part may come before the last one's thread is idle, and start another: that is kept as well."""
    workers = set()

    def solve(part):
        if part.start:
            workers.add(threading.current_thread())

    for _ in range(20):
        parts.in_parts(solve, 3, 3 * parts.ENOUGH, 3)
    assert all(worker.is_alive() for worker in workers)
    assert len(workers) < 20


def test_an_error_waits_for_all_parts(started):
    done = []

    def solve(part):
        if part.start == 0:
            raise ValueError("first")
        time.sleep(0.05)
        done.append(part)

    with pytest.raises(ValueError, match="first"):
        parts.in_parts(solve, 9, 1e9, 3)
    assert len(done) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_process_has_threads_of_its_own():
    program = """
import os, warnings, numpy as np, fastbs as fb
A = fb.Diagonal.from_arrays(np.tile(2 * np.eye(24), (512, 4, 1, 1)))
b = np.ones((512, 4, 24))
assert (A.solve(b, threads=3) == 0.5).all()
warnings.simplefilter("ignore")  # newer Pythons warn of threads
child = os.fork()
if not child:
    os._exit(0 if (A.solve(b, threads=3) == 0.5).all() else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_what_cannot_run_on_threads_is_refused():
    A, b = columns(2, 3)
    for system in (A, fb.Triangular.from_arrays(np.eye(8), 2), fb.Tridiagonal(np.ones((8, 1, 1)), np.zeros((7, 1, 1)))):
        with pytest.raises(ValueError, match=r"threads must be 1 because traced values .*; got threads=2"):
            fb.grad(lambda b: np.sum(system.solve(b, threads=2)))(b)  # noqa: B023
    with pytest.raises(
        StructureError, match=r"threads must be 1 because parts of arrays run on threads.*; got threads=2"
    ):
        fb.Bidiagonal([1, 1], [1]).solve([1.0, 1.0], threads=2)


def test_numbers_of_threads():
    A, b = columns(2, 3)
    for threads in (2, np.int64(2)):
        np.testing.assert_array_equal(A.solve(b, threads=threads), A.solve(b))
        np.testing.assert_allclose(fb.compile(np.sin, threads=threads)(b), np.sin(b), rtol=1e-14)
    for threads in (0, -1, 1.5, None, "2"):
        with pytest.raises(ValueError, match="threads must be a positive int"):
            A.solve(b, threads=threads)
