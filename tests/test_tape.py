"""The tape itself: its signature, scalars, threads, and that running allocates nothing but results."""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import fastbs as fb
from fastbs._tape import Tape, instruction_set
from fastbs.compiler.assemble import lower
from fastbs.compiler.instructions import AXPBY, COPY, MUL, PRODUCT
from market import DTYPES, random_array
from memory import peak

rng = np.random.default_rng(0)
VECTOR = (np.dtype(float), (3,), (8,))  # dtype, shape and strides of a contiguous float64 vector


def line(slot, step=1, offset=0):
    """The operand that is a vector in a slot."""
    return (slot, offset, 0, step, 0)


def scaling(kind=float):
    """s * x, s a number of this type."""
    code = [(MUL, 1, 0, -1, 1, 1, 3, 1, 1.0, 0.0, 3.0, line(1, 0), line(0), line(2), line(2), None)]
    return Tape([VECTOR, (np.dtype(float), kind)], [VECTOR], [], code, 0)


def test_the_instruction_set_is_known():
    assert instruction_set in ("avx2", "baseline")


def test_a_tape_is_a_list_of_instructions_over_slots():
    code = [
        (
            COPY,
            1,
            0,
            -1,
            1,
            1,
            3,
            1,
            1.0,
            0.0,
            3.0,
            line(0),
            line(0),
            line(2),
            line(2),
            None,
        ),  # the arena is the last slot
        (AXPBY, 1, 0, -1, 1, 1, 3, 1, 2.0, -1.0, 6.0, line(2), line(0), line(1), line(1), None),
        (AXPBY, 1, 0, -1, 1, 1, 3, 1, 0.5, 1.0, 6.0, line(2), line(1), line(1), line(1), None),
    ]
    tape = Tape([VECTOR], [VECTOR], [], code, 24, report="three lines")
    assert (len(tape), tape.cost, tape.report) == (3, 15.0, "three lines")
    (y,) = tape(np.array([2.0, 4.0, 8.0]))
    assert_array_equal(y, [3.0, 6.0, 12.0])


def test_several_results_are_new_arrays():
    tape = lower(lambda x, y: (x @ y, x.T, x + y), [rng.normal(size=(3, 3)) for _ in range(2)])
    x, y = rng.normal(size=(2, 3, 3))
    results = tape(x, y)
    for found, expected in zip(results, (x @ y, x.T, x + y), strict=True):
        assert_allclose(found, expected, rtol=1e-13, atol=1e-13)
        assert found.flags.c_contiguous
        assert not any(np.shares_memory(found, z) for z in (x, y))
    assert not any(np.shares_memory(p, q) for p, q in zip(results, tape(x, y), strict=True))


def test_an_empty_tape_runs():
    (y,) = lower(np.matmul, (np.ones((0, 3)), np.ones((3, 2))))(np.ones((0, 3)), np.ones((3, 2)))
    assert y.shape == (0, 2)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(float, 2.5), (int, -3), (np.float64, np.float64(0.5)), (np.float32, np.float32(0.1)), (float, np.inf)],
    ids=str,
)
def test_numbers_are_read_at_each_call(kind, value):
    tape, x = scaling(kind), np.array([1.0, -2.0, 4.0])
    for s in (value, value / kind(1) if kind is float else kind(7)):
        assert_array_equal(tape(x, s)[0], float(s) * x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_take_the_dtype_of_the_tape(dtype):
    x = random_array(rng, (4,), dtype)
    kinds = [0.1, 3, np.dtype(dtype).type(0.1)] + ([0.1 - 2j] if np.dtype(dtype).kind == "c" else [])
    for s in kinds:
        tape = lower(lambda x, s: x * s, (x, s))
        (y,) = tape(x, s)
        assert y.dtype == dtype
        assert_allclose(y, x * s, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize(
    "x",
    [
        np.ones(4), np.ones((1, 3)), np.ones(3, "float32"), np.ones(3, complex), np.ones(6)[::2], np.ones(3, ">f8"),
        np.frombuffer(b"\0" * 25, np.float64, 3, offset=1), np.ma.ones(3), [1.0, 1.0, 1.0], 1.0, None,
    ],
    ids=["shape", "axes", "float32", "complex", "strides", "byte order", "unaligned", "subclass", "list", "number",
         "None"],
)  # fmt: skip
def test_arrays_of_another_signature_are_refused(x):
    tape = scaling()
    assert not tape.fits(x, 1.0)
    with pytest.raises(ValueError, match=r"Tape: input 0 does not have the recorded dtype, shape and strides"):
        tape(x, 1.0)


@pytest.mark.parametrize("s", [1, True, 1j, np.float64(1), np.ones(()), "1", None], ids=repr)
def test_numbers_of_another_type_are_refused(s):
    assert scaling().fits(np.ones(3), 1.0)
    assert not scaling().fits(np.ones(3), s)
    with pytest.raises(ValueError, match=r"Tape: input 1 does not have"):
        scaling()(np.ones(3), s)


@pytest.mark.parametrize("inputs", [(), (np.ones(3),), (np.ones(3), 1.0, 1.0)], ids=len)
def test_the_number_of_inputs_is_checked(inputs):
    assert not scaling().fits(*inputs)
    with pytest.raises(TypeError, match=rf"Tape: 2 inputs expected; got {len(inputs)}"):
        scaling()(*inputs)


def test_at_most_eight_axes():
    with pytest.raises(ValueError, match=r"Tape: an array must have at most 8 axes; got 9"):
        Tape([(np.dtype(float), (1,) * 9, (8,) * 9)], [VECTOR], [], [], 0)


def test_gives_looks_at_the_memory_of_the_result():
    tape = scaling()
    assert tape.gives(np.empty(3))
    assert not tape.gives(np.empty(4))
    assert not tape.gives(np.empty(6)[::2])
    assert not tape.gives(np.empty(3, "float32"))


def test_a_tape_for_given_memory_is_not_called_for_new_memory():
    out = np.empty((9, 9))[::3, ::3]  # a new array would be too small for these strides
    tape = lower(np.matmul, (np.eye(3), np.eye(3)), [out])
    with pytest.raises(ValueError, match=r"Tape: result 0 must be in C order because it is allocated"):
        tape(np.eye(3), np.eye(3))


@pytest.mark.parametrize("size", [4, 60], ids=["with the GIL", "without"])
def test_one_tape_runs_on_several_threads(size):
    def function(X, A, B):
        return (A @ X @ B + A * X) @ (X - B)

    matrices = [rng.normal(size=(3, size, size)) for _ in range(8)]
    tape = lower(function, tuple(matrices[0]))
    assert tape is not None
    assert (tape.cost > 2e4) == (size > 4)

    def worker(i):
        X, A, B = matrices[i % 8]
        return all(np.allclose(tape(X, A, B)[0], function(X, A, B), rtol=1e-9, atol=1e-9) for _ in range(40))

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(worker, range(24)))


@pytest.mark.parametrize("size", [4, 120], ids=str)
@pytest.mark.parametrize("name", ["left", "right", "hadamard", "kronecker", "chain", "sum", "scaled"])
def test_apply_into_allocates_nothing_and_matmul_its_result(name, size):
    A, B, M, X = rng.normal(size=(4, size, size))
    op = {
        "left": fb.Left(B),
        "right": fb.Right(A),
        "hadamard": fb.Hadamard(M),
        "kronecker": fb.Kronecker(A, B),
        "chain": fb.Hadamard(M) @ fb.Left(A) @ fb.Right(B),
        "sum": fb.Left(A) + fb.Right(B) @ fb.Hadamard(M),
        "scaled": 2.0 * fb.Left(B),
    }[name]
    for out in (np.empty((size, size)), np.empty((size, size), order="F")):
        for _ in range(3):
            op.apply_into(X, out)
        assert peak(lambda out=out: op.apply_into(X, out)) < 200
    for _ in range(3):
        op @ X
    assert peak(lambda: op @ X) < X.nbytes + 400


def test_a_tape_frees_its_workspaces():
    def run():
        tape = lower(lambda x: (x @ x) * (x @ x.T), (np.ones((9, 9)),))
        tape(np.ones((9, 9)))

    run()
    assert peak(run, 50) < 60_000  # nothing piles up


def test_a_product_over_an_empty_axis_is_zero_in_reused_memory():
    operands = (0, 0, 0, 1, 0), (1, 0, 2, 1, 0), (2, 0, 2, 1, 0), (2, 0, 2, 1, 0)
    code = [(PRODUCT, 1, 0, -1, 1, 2, 2, 0, 1.0, 0.0, 1.0, *operands, None)]
    a, b = np.ones((2, 0)), np.ones((0, 2))
    tape = Tape([(a.dtype, x.shape, x.strides) for x in (a, b)], [(a.dtype, (2, 2), (16, 8))], [], code, 0)
    for _ in range(5):
        (y,) = tape(a, b)
        assert_array_equal(y, np.zeros((2, 2)))
        y[:] = np.nan


@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals go to the main thread")
def test_a_long_run_looks_for_ctrl_c():
    class CtrlC(KeyboardInterrupt):  # one that cannot end the test session
        pass

    def interrupt(*_):
        raise CtrlC

    n, before = 400, signal.getsignal(signal.SIGINT)
    op = fb.Left(np.eye(n))
    for _ in range(199):
        op = op @ fb.Left(np.eye(n))
    X, out = rng.normal(size=(n, n)), np.full((n, n), np.nan)  # 2.6e10 flops: about a second
    signal.signal(signal.SIGINT, interrupt)
    try:
        threading.Timer(0.1, signal.raise_signal, [signal.SIGINT]).start()
        with pytest.raises(CtrlC):
            op.apply_into(X, out)
    finally:
        signal.signal(signal.SIGINT, before)
    assert np.isnan(out).all()  # the last product was never reached
    assert_allclose(op.apply_into(X[:, :3].copy(), np.empty((n, 3))), X[:, :3])  # and the operator is whole
