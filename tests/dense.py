"""Dense oracles for block matrices: every block comes with its matrix, written down from the definition."""

import gc
import time

import numpy as np
import pytest

DTYPES = ("float32", "float64", "complex64", "complex128")


def random_array(rng, shape, dtype="float64"):
    """Standard normal elements of any of the four dtypes."""
    values = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * rng.standard_normal(shape)
    return np.asarray(values, dtype)


def well_conditioned(rng, m, dtype="float64"):
    """A matrix whose inverse is no larger than about 1."""
    return random_array(rng, (m, m), dtype) / np.asarray(4 * max(m, 1), dtype) + np.eye(m, dtype=dtype)


def vec(X):
    """Columns under each other, by loops."""
    X = np.asarray(X)
    if X.ndim < 2:
        return X.reshape(-1)
    return np.array([X[i, j] for j in range(X.shape[1]) for i in range(X.shape[0])], X.dtype)


def flat(v, shapes):
    """The vec of all entries of a block vector under each other; None is zero."""
    parts = [np.zeros(int(np.prod(shape))) if x is None else vec(x) for x, shape in zip(v, shapes, strict=True)]
    return np.concatenate(parts) if parts else np.zeros(0)


def block(blocks, heights, widths):
    """The dense matrix with ``blocks[i, j]`` at (i, j) and zeros elsewhere."""
    dtype = np.result_type(*blocks.values()) if blocks else float
    rows = [
        np.hstack([blocks.get((i, j), np.zeros((p, q), dtype)) for j, q in enumerate(widths)] or [np.zeros((p, 0))])
        for i, p in enumerate(heights)
    ]
    return np.vstack(rows) if rows else np.zeros((0, sum(widths)))


def agree(found, dense, shapes_in, v, shapes_out, tolerance=1e-12):
    """Assert that the block vector `found` is ``dense @ v``."""
    expected = dense @ flat(v, shapes_in)
    assert isinstance(found, list)
    for y, shape in zip(found, shapes_out, strict=True):
        assert y is None or np.shape(y) == shape
    scale = 1 + np.abs(dense).sum(axis=1).max(initial=0) * max(
        [1, *(np.abs(x).max(initial=0) for x in v if x is not None)]
    )
    np.testing.assert_allclose(flat(found, shapes_out), expected, rtol=0, atol=tolerance * scale)


def at_offset(x, offset, order="C"):
    """A copy that starts so many bytes after a multiple of 64."""
    memory = np.zeros(x.nbytes + 128, np.uint8)
    start = -memory.ctypes.data % 64 + offset
    copy = memory[start : start + x.nbytes].view(x.dtype).reshape(x.shape, order=order)
    copy[...] = x
    return copy


def backward_error(dense, x, b):
    """``|A x - b| / (|A| |x| + |b|)`` in the maximum norm."""
    scale = np.abs(dense).sum(axis=1).max(initial=0) * np.abs(x).max(initial=0) + np.abs(b).max(initial=0)
    return np.abs(dense @ x - b).max(initial=0) / scale if scale else 0.0


def check_in_50_digits(dense, x, b, n=None):
    """The residual and the error of A x = b, as mpmath finds them, against eps and the condition number."""
    mpmath = pytest.importorskip("mpmath")
    eps = 10 * (n or len(dense)) * np.finfo(x.dtype).eps
    with mpmath.workdps(50):
        A, right, found = (mpmath.matrix(np.asarray(array).tolist()) for array in (dense, b, x))
        exact = mpmath.lu_solve(A, right)
        size = mpmath.norm(exact, "inf")
        assert mpmath.norm(A * found - right, "inf") <= eps * (
            mpmath.mnorm(A, "inf") * mpmath.norm(found, "inf") + mpmath.norm(right, "inf")
        )
        assert mpmath.norm(found - exact, "inf") <= eps * float(np.linalg.cond(dense, np.inf)) * size


def seconds(function, repetitions=3):
    """Processor time of a call, the best of some: other work on the machine and the collector stay out."""
    best = np.inf
    gc.disable()
    try:
        for _ in range(repetitions):
            start = time.process_time()
            function()
            best = min(best, time.process_time() - start)
    finally:
        gc.enable()
    return best


def check_logdet(A, dense):
    """As `numpy.linalg.slogdet` of the dense matrix, in its dtypes."""
    expected = np.linalg.slogdet(dense)
    for found, part in zip(A.logdet(), expected, strict=True):
        assert found.dtype == part.dtype
        np.testing.assert_allclose(found, part, rtol=1e-4, atol=1e-4)
