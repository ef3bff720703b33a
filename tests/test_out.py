"""Where results may be written: ``out=`` of every solver may overlap what is read, and never costs a digit."""

import numpy as np
import pytest
import scipy.sparse

import fastbs as fb
from dense import random_array
from test_stack import random_blocks

N, M = 6, 3  # blocks, and rows of each
ROWS = N * M


def blocks():
    return random_blocks(np.random.default_rng(0), N, M, "float64", "general")


def edges():
    return [(i, j, 0.1 * (i - j)) for i in range(ROWS) for j in range(i + 1, min(i + 4, ROWS))]


def triangle():
    diag, off = blocks()
    return np.kron(np.eye(N), diag[0]) + np.kron(np.eye(N, k=-1), off[0])


SOLVERS = {
    "bidiagonal": lambda: fb.Bidiagonal.from_arrays(*blocks()),
    "its adjoint": lambda: fb.Bidiagonal.from_arrays(*blocks()).H,
    "its factors": lambda: fb.factorize(fb.Bidiagonal.from_arrays(*blocks())),
    "its inverses": lambda: fb.factorize(fb.Bidiagonal.from_arrays(*blocks()), invert=True),
    "diagonal": lambda: fb.Diagonal.from_arrays(blocks()[0]),
    "tridiagonal": lambda: fb.Tridiagonal(blocks()[0], blocks()[1] / 4, blocks()[1] / 4),
    "its factors, tridiagonal": lambda: fb.factorize(fb.Tridiagonal(blocks()[0], blocks()[1] / 4, blocks()[1] / 4)),
    "triangle": lambda: fb.Triangular.from_arrays(triangle(), M),
    "one triangle": lambda: fb.Triangular.from_arrays(triangle(), ROWS, diagonal="lower"),
    "sparse": lambda: fb.Triangular.from_scipy(scipy.sparse.bsr_array(triangle(), blocksize=(M, M))),
    "lists": lambda: fb.Bidiagonal.from_arrays(
        [*blocks()[0][:-1], np.eye(2), np.eye(1)], [*blocks()[1][:-1], np.ones((2, M)), np.ones((1, 2))]
    ),
    "graph": lambda: fb.Graph(edges()),
    "graph, turned": lambda: fb.Graph(edges()).T,
    "planned graph": lambda: fb.factorize(fb.Graph(edges())),
}


def in_one_memory(columns, dtype):
    """``name, b, out`` of one shape: the same, apart by a row, an element or half of all, and in other orders."""
    size = ROWS * columns
    memory = random_array(np.random.default_rng(2), (3 * size,), dtype)

    def place(start):
        return memory[start : start + size].reshape(ROWS, columns)

    yield "itself", place(0), place(0)
    for name, step in (("a row", columns), ("an element", 1), ("half", size // 2)):
        yield f"{name} later", place(0), place(step)
        yield f"{name} earlier", place(step), place(0)
    yield "backwards", place(0), place(0)[::-1]
    yield "columns backwards", place(0), place(0)[:, ::-1]
    yield "in columns", place(0), memory[:size].reshape(columns, ROWS).T
    yield "from columns", memory[:size].reshape(columns, ROWS).T, place(0)
    yield "every other", place(0), memory[: 2 * size : 2].reshape(ROWS, columns)


@pytest.mark.parametrize("columns", [1, 2, ROWS])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("name", SOLVERS)
def test_out_may_overlap_the_right_side(name, dtype, columns):
    solver = SOLVERS[name]()
    for where, b, out in in_one_memory(columns, dtype):
        expected = solver.solve(b.copy())
        for given in (b, b[:, 0]) if columns == 1 else (b,):
            kept, to = given.copy(), out if given is b else out[:, 0]
            assert solver.solve(given, out=to) is to
            np.testing.assert_allclose(to, expected.reshape(to.shape), rtol=0, atol=1e-12, err_msg=where)
            given[...] = kept


@pytest.mark.parametrize("columns", [1, 2, ROWS])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_out_of_a_tape_may_overlap_the_right_side(dtype, columns):
    diag, off = blocks()
    solver = fb.factorize(fb.Bidiagonal([fb.Left(D) for D in diag], [fb.Left(O) for O in off]))
    for where, b, out in in_one_memory(columns, dtype):
        b, out, kept = b.reshape(N, M, columns), out.reshape(N, M, columns), b.copy()
        expected = solver.solve(b.copy())
        for _ in range(3):  # operator by operator, then as a tape
            assert solver.solve(b, out=out) is out
            np.testing.assert_allclose(out, expected, rtol=0, atol=1e-12, err_msg=where)
            b[...] = kept.reshape(b.shape)


@pytest.mark.parametrize("shift", [0, 1, 9, -3])
def test_a_bound_gradient_must_not_overlap_what_it_is_of(shift):
    """Arguments are read while results are made, in every run."""
    f = fb.compile(fb.grad(lambda x: np.sum(np.sin(x) * x[::-1])))
    memory = np.ones(40)
    with pytest.raises(ValueError, match="out must not share memory with an argument because both are in use"):
        f.bind(memory[10:20], out=memory[10 + shift : 20 + shift])
    beside = f.bind(memory[10:20], out=memory[20:30])
    np.testing.assert_allclose(beside()[1], f(memory[10:20]))
    np.testing.assert_array_equal(memory[:20], 1)


HUGE = 2**45  # of rows or columns: as many numbers have no room in an address space
SIZES = {
    "left": lambda: fb.Left(np.eye(4)) @ np.broadcast_to(1.0, (4, HUGE)),
    "right": lambda: fb.Right(np.eye(4)) @ np.broadcast_to(1.0, (HUGE, 4)),
    "Hadamard": lambda: fb.Hadamard(np.broadcast_to(2.0, (4, HUGE))) @ np.broadcast_to(1.0, (4, HUGE)),
    "Kronecker": lambda: fb.Kronecker(np.eye(2), np.eye(4)) @ np.broadcast_to(1.0, (HUGE, 4, 2)),
    "Kronecker chain": lambda: fb.Kronecker(*[np.eye(2)] * 3) @ np.broadcast_to(1.0, (HUGE, 2, 2, 2)),
    "complex Kronecker chain": lambda: fb.Kronecker(*[1j * np.eye(2)] * 3) @ np.broadcast_to(1j, (HUGE, 2, 2, 2)),
    "inner": lambda: fb.Inner(np.eye(2)).H @ np.broadcast_to(1.0, (HUGE,)),
    "composition": lambda: (fb.Left(np.eye(4)) @ fb.Left(np.eye(4))) @ np.broadcast_to(1.0, (4, HUGE)),
    "factors": lambda: fb.factorize(fb.Left(1 + np.eye(4))).solve(np.broadcast_to(1.0, (4, HUGE))),
    "product": lambda: fb.Triangular.from_arrays(triangle(), M) @ np.broadcast_to(1.0, (ROWS, HUGE)),
    "compiled": lambda: fb.compile(np.sin)(np.broadcast_to(1.0, HUGE)),
    "gradient": lambda: fb.grad(lambda x: np.sum(x * x))(np.broadcast_to(1.0, HUGE)),
} | {name: lambda make=make: make().solve(np.broadcast_to(1.0, (ROWS, HUGE))) for name, make in SOLVERS.items()}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_past_memory_are_refused(name):
    with pytest.raises(MemoryError, match=r"Unable to allocate|no memory for"):
        SIZES[name]()
