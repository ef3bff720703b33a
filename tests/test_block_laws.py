"""Block matrices of random structure against the dense block matrix that their definition says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastbs as fb
from block_kinds import COLUMNS, INVERTIBLE, KINDS, invertible_block, random_block, random_matrix, random_vector, shapes
from dense import DTYPES, agree, block, flat, random_array

sizes = st.lists(st.integers(1, 4), min_size=1, max_size=4)
seeds = st.integers(0, 2**32 - 1)
some = settings(max_examples=40, deadline=None)


@some
@given(seed=seeds, heights=sizes, widths=sizes, dtype=st.sampled_from(DTYPES))
def test_action_adjoint_and_transpose(seed, heights, widths, dtype):
    rng = np.random.default_rng(seed)
    A, dense = random_matrix(rng, heights, widths, dtype=dtype)
    v, w = random_vector(rng, widths, dtype), random_vector(rng, heights, dtype)
    tolerance = 100 * np.finfo(dtype).eps
    for _ in range(3):  # NumPy, lowering, tape
        agree(A @ v, dense, shapes(widths), v, shapes(heights), tolerance)
        agree(A.H @ w, dense.conj().T, shapes(heights), w, shapes(widths), tolerance)
        agree(A.T @ w, dense.T, shapes(heights), w, shapes(widths), tolerance)
    for y in (*(A @ v), *(A.H @ w)):
        assert y is None or y.dtype == dtype


@some
@given(seed=seeds, heights=sizes, inner=sizes, widths=sizes, dtype=st.sampled_from(("float64", "complex128")))
def test_products(seed, heights, inner, widths, dtype):
    rng = np.random.default_rng(seed)
    A, a = random_matrix(rng, heights, inner, dtype=dtype)
    B, b = random_matrix(rng, inner, widths, dtype=dtype)
    v, w = random_vector(rng, widths, dtype), random_vector(rng, heights, dtype)
    AB = A @ B
    assert isinstance(AB, fb.BlockMatrix)
    assert AB.shape == (len(heights), len(widths))
    agree(AB @ v, a @ b, shapes(widths), v, shapes(heights))
    agree(AB.H @ w, (a @ b).conj().T, shapes(heights), w, shapes(widths))
    agree((B.H @ A.H) @ w, (a @ b).conj().T, shapes(heights), w, shapes(widths))


@some
@given(seed=seeds, heights=sizes, widths=sizes, dtype=st.sampled_from(("float64", "complex128")))
def test_sums_and_scaling(seed, heights, widths, dtype):
    rng = np.random.default_rng(seed)
    (A, a), (B, b) = (random_matrix(rng, heights, widths, dtype=dtype) for _ in range(2))
    v, w = random_vector(rng, widths, dtype), random_vector(rng, heights, dtype)
    s = random_array(rng, (), dtype).item()
    for C, c in (
        (A + B, a + b),
        (A - B, a - b),
        (-A, -a),
        (+A, a),
        (s * A, s * a),
        (A * s, s * a),
        (A / s, a / s),
        (np.float64(2) * A - B / np.array(4.0), 2 * a - b / 4),
        (2 * (A - B) + A, 3 * a - 2 * b),
        (-(A - B), b - a),
    ):
        assert isinstance(C, fb.BlockMatrix)
        agree(C @ v, c, shapes(widths), v, shapes(heights))
        agree(C.H @ w, c.conj().T, shapes(heights), w, shapes(widths))


@some
@given(seed=seeds, n=sizes)
def test_identity_plus_and_minus(seed, n):
    rng = np.random.default_rng(seed)
    A, a = random_matrix(rng, n, n)
    v = random_vector(rng, n)
    eye = np.eye(len(a))
    I = fb.Identity()
    for C, c in (
        (I - A, eye - a),
        (I + A, eye + a),
        (A - I, a - eye),
        (A + I, a + eye),
        (3 * I - A, 3 * eye - a),
        (A - I / 4, a - eye / 4),
        (-I + A, a - eye),
        (A + fb.Zero(), a),
        (fb.Zero() - A, -a),
    ):
        assert isinstance(C, fb.BlockMatrix)
        agree(C @ v, c, shapes(n), v, shapes(n))


@some
@given(seed=seeds, heights=sizes, widths=sizes)
def test_to_dense(seed, heights, widths):
    rng = np.random.default_rng(seed)
    A, dense = random_matrix(rng, heights, widths, [k for k in KINDS if k != "none"])
    for matrix, sizes_in, expected in ((A, widths, dense), (A.H, heights, dense.T)):
        if all(matrix.rows):  # the height of a row without blocks is not known
            found = matrix.to_dense(shapes(sizes_in))
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@some
@given(seed=seeds, n=sizes, upper=st.booleans(), dtype=st.sampled_from(DTYPES))
def test_solve_of_random_triangles(seed, n, upper, dtype):
    """Diagonal blocks of every invertible kind against numpy.linalg.solve."""
    rng = np.random.default_rng(seed)
    blocks, dense = {}, {}
    for i, p in enumerate(n):
        for j, m in enumerate(n):
            made = None
            if i == j:
                made = invertible_block(rng, INVERTIBLE[rng.integers(len(INVERTIBLE))], p, dtype)
            elif (j > i) is upper:
                made = random_block(rng, KINDS[rng.integers(len(KINDS))], p, m, dtype)
            if made is not None:
                blocks[i, j], dense[i, j] = made
    A = fb.BlockMatrix([[blocks.get((i, j)) for j in range(len(n))] for i in range(len(n))])
    a = block(dense, [p * COLUMNS for p in n], [p * COLUMNS for p in n])
    b = random_vector(rng, n, dtype)
    eps = np.finfo(dtype).eps
    for matrix, reference in ((A, a), (A.H, a.conj().T), (A.T, a.T)):
        for _ in range(3):
            x = fb.backslash(matrix, b)
        assert all(y is None or y.dtype == dtype for y in x)
        exact = np.linalg.solve(reference, flat(b, shapes(n)))
        # forward error: the condition of a random triangle grows quickly
        bound = 100 * len(a) * eps * np.linalg.cond(reference.astype(complex)) * np.abs(exact).max(initial=0)
        assert np.abs(flat(x, shapes(n)) - exact).max(initial=0) <= bound


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", INVERTIBLE)
@pytest.mark.parametrize("uplo", ["L", "U"])
def test_backward_error_of_every_kind_of_diagonal_block(kind, uplo, dtype):
    rng = np.random.default_rng(1)
    N, m = 4, 3
    made = [invertible_block(rng, kind, m, dtype) for _ in range(N)]
    off = [random_block(rng, "left", m, m, dtype) for _ in range(N - 1)]
    A = fb.Bidiagonal([a for a, _ in made], [a for a, _ in off], uplo)
    place = (lambda i: (i + 1, i)) if uplo == "L" else (lambda i: (i, i + 1))
    dense = block(
        {(i, i): a for i, (_, a) in enumerate(made)} | {place(i): a for i, (_, a) in enumerate(off)},
        [m * COLUMNS] * N,
        [m * COLUMNS] * N,
    )
    b = random_vector(rng, [m] * N, dtype, zeros=0)
    bound = 10 * N * m * np.finfo(dtype).eps
    for matrix, reference in ((A, dense), (A.H, dense.conj().T), (A.T, dense.T)):
        for _ in range(3):
            x = matrix.solve(b)
        assert all(y.dtype == dtype for y in x)
        scale = (
            np.abs(reference).sum(axis=1).max() * np.abs(flat(x, shapes([m] * N))).max()
            + np.abs(flat(b, shapes([m] * N))).max()
        )
        assert np.abs(reference @ flat(x, shapes([m] * N)) - flat(b, shapes([m] * N))).max() <= bound * scale
