"""Systems of blocks in arrays, as each rival would solve them: one table that asv and the report share."""

import functools

import numpy as np
import scipy.linalg
import scipy.sparse
from scipy.linalg import lapack
from scipy.sparse.linalg import splu

import fastbs as fb

from .paired import compare
from .tables import Ratios

try:
    import jax
except ImportError:  # a peer, never required
    jax = None
else:
    jax.config.update("jax_enable_x64", True)


def blocks(n, m, dtype=np.float64, seed=0):
    """(diag, off), well conditioned."""
    rng = np.random.default_rng(seed)
    diag = rng.standard_normal((n, m, m)).astype(dtype) / m + 2 * np.eye(m, dtype=dtype)
    return diag, rng.standard_normal((n - 1, m, m)).astype(dtype) / m


def tridiagonal_blocks(n, m, positive):
    """(diag, lower, upper), block diagonally dominant; upper is None if positive."""
    diag, lower = blocks(n, m)
    diag, lower = diag + 6 * np.eye(m), lower / 4
    return (diag + diag.mT, lower, None) if positive else (diag, lower, lower[::-1])


def tridiagonal(n, m, positive):
    """Against LAPACK's solvers of band matrices, with the band made beforehand; factors are made anew."""
    diag, lower, upper = tridiagonal_blocks(n, m, positive)
    A, b = fb.Tridiagonal(diag, lower, upper), right_side(n, m, 1)
    flat = b.ravel()
    if positive:
        band = banded(diag, lower)
        return {
            "fastbs": lambda: A.solve(b),
            "solveh_banded": lambda: scipy.linalg.solveh_banded(band, flat, lower=True),
        }
    k = 2 * m - 1
    wide = np.zeros((2 * k + 1, n * m))
    for i in range(m):
        for j in range(m):
            wide[k + i - j, j::m] = diag[:, i, j]
            wide[k + m + i - j, j : (n - 1) * m : m] = lower[:, i, j]
            wide[k - m + i - j, j + m :: m] = upper[:, i, j]
    return {"fastbs": lambda: A.solve(b), "solve_banded": lambda: scipy.linalg.solve_banded((k, k), wide, flat)}


def right_side(n, m, r):
    b = np.random.default_rng(1).standard_normal((n, m, r))
    return b[..., 0] if r == 1 else b


def banded(diag, off):
    """The lower band of LAPACK, in Fortran order."""
    n, m, _ = diag.shape
    band = np.zeros((2 * m, n * m), order="F")
    for j in range(m):
        for i in range(j, m):
            band[i - j, j::m] = diag[:, i, j]
        for i in range(m):
            band[m + i - j, j : (n - 1) * m : m] = off[:, i, j]
    return band


def sparse(diag, off, lower=True):
    n, m, _ = diag.shape
    D = scipy.sparse.block_diag(list(np.tril(diag) if lower else diag), format="lil")
    for i in range(n - 1):
        D[(i + 1) * m : (i + 2) * m, i * m : (i + 1) * m] = off[i]
    return D.tocsc()


def sparse_triangle(n, m):
    """A general diagonal whose factors are kept, and three blocks a row anywhere before it."""
    rng = np.random.default_rng(0)
    i = np.repeat(np.arange(1, n), 3)
    pattern = scipy.sparse.csr_array((np.ones(len(i)), (i, rng.integers(0, i))), shape=(n, n))
    pattern = (pattern + scipy.sparse.eye_array(n)).tocsr()
    data = rng.standard_normal((pattern.nnz, m, m)) / (4 * m)
    data[pattern.indices == np.repeat(np.arange(n), np.diff(pattern.indptr))] += 2 * np.eye(m)
    A = scipy.sparse.bsr_array((data, pattern.indices, pattern.indptr), shape=(n * m, n * m))
    kept, lu, b = fb.factorize(fb.Triangular.from_scipy(A)), splu(A.tocsc(), permc_spec="NATURAL"), np.ones(n * m)
    return {"fastbs": lambda: kept.solve(b), "splu": lambda: lu.solve(b)}


def triangular(n, m, r, peers=("dtbtrs",)):
    diag, off = blocks(n, m)
    A, b = fb.Bidiagonal.from_arrays(diag, off, diagonal="lower"), right_side(n, m, r)
    found = {"fastbs": lambda: A.solve(b)}
    if "dtbtrs" in peers:
        band, columns = banded(diag, off), np.asfortranarray(b.reshape(n * m, r) if r > 1 else b.ravel())
        found["dtbtrs"] = lambda: lapack.dtbtrs(band, columns, uplo="L")[0]
    if "splu" in peers:
        lu = splu(sparse(diag, off), permc_spec="NATURAL", diag_pivot_thresh=0)
        rows = b.reshape(n * m, r)
        found["splu"] = lambda: lu.solve(rows)
    return found


def transposed(n, m, r):
    diag, off = blocks(n, m)
    A, b = fb.Bidiagonal.from_arrays(diag, off, diagonal="lower"), right_side(n, m, r)
    T = A.T
    return {"fastbs": lambda: T.solve(b), "forward": lambda: A.solve(b)}


def kept(n, m, r):
    diag, off = blocks(n, m)
    A = fb.factorize(fb.Bidiagonal.from_arrays(diag, off), invert=True)
    lu, b = splu(sparse(diag, off, lower=False)), right_side(n, m, r)
    rows = b.reshape(n * m, r) if r > 1 else b.ravel()
    return {"fastbs": lambda: A.solve(b), "splu": lambda: lu.solve(rows)}


def scanned(n, m, r, unit):
    """Against a jitted jax.lax.scan."""
    diag, off = blocks(n, m)
    A, b = fb.Bidiagonal.from_arrays(None if unit else diag, off), right_side(n, m, r)
    found = {"fastbs": lambda: A.solve(b)}
    if jax is None:
        return found

    def step(x, parts):
        D, O, c = parts
        x = c - O @ x
        x = x if unit else jax.numpy.linalg.solve(D, x)
        return x, x

    padded = np.concatenate([np.zeros((1, m, m)), off])
    solve = jax.jit(lambda D, O, c: jax.lax.scan(step, jax.numpy.zeros(c.shape[1:]), (D, O, c))[1])
    arrays = [jax.numpy.asarray(x) for x in (diag, padded, b)]
    found["jax.lax.scan"] = lambda: solve(*arrays).block_until_ready()
    return found


def looped(n, m, r):
    """Unit diagonal against the loop over blocks in NumPy."""
    _, off = blocks(n, m)
    A, b = fb.Bidiagonal.from_arrays(None, off), right_side(n, m, r)

    def loop():
        x = np.empty_like(b)
        x[0] = b[0]
        for i in range(1, n):
            np.subtract(b[i], off[i - 1] @ x[i - 1], out=x[i])
        return x

    return {"fastbs": lambda: A.solve(b), "NumPy loop": loop}


def many(systems, n, m):
    """Independent systems against streaming their data once."""
    rng = np.random.default_rng(0)
    diag = rng.standard_normal((systems, n, m, m)) / m + 2 * np.eye(m)
    off = rng.standard_normal((systems, n - 1, m, m)) / m
    A, b = fb.Bidiagonal.from_arrays(diag, off, diagonal="lower"), rng.standard_normal((systems, n, m))
    out, numbers = np.empty_like(b), np.ones(diag.size + off.size + 2 * b.size)
    return {"fastbs": lambda: A.solve(b, out=out)[-1, -1, -1], "stream": lambda: numbers.sum()}


def block_diagonal(n, m, r):
    diag, _ = blocks(n, m)
    D, b = fb.Diagonal.from_arrays(diag), right_side(n, m, r)
    columns = b.reshape(n, m, r)
    return {"fastbs": lambda: D @ b, "np.matmul": lambda: diag @ columns}


def dense_triangular(n, m, r, peer):
    A = np.tril(np.random.default_rng(0).standard_normal((n * m, n * m))) / (n * m) + 2 * np.eye(n * m)
    b = np.random.default_rng(1).standard_normal((n * m, r))
    F, rows = np.asfortranarray(A), np.asfortranarray(b)
    vector, column = b[:, 0].copy(), rows[:, 0].copy()
    if peer == "scipy":
        T = fb.Triangular.from_arrays(A, block=m, diagonal="lower")
        right = vector if r == 1 else b
        return {
            "fastbs": lambda: T.solve(right),
            "solve_triangular": lambda: scipy.linalg.solve_triangular(A, right, lower=True),
        }
    T = fb.Triangular.from_arrays(F, block=m, diagonal="lower")
    if r == 1:
        return {"fastbs": lambda: T.solve(column), "dtrsv": lambda: scipy.linalg.blas.dtrsv(F, column, lower=1)}
    return {"fastbs": lambda: T.solve(rows), "dtrsm": lambda: scipy.linalg.blas.dtrsm(1.0, F, rows, lower=1)}


# what to run; the most that fastbs may take of the best peer's time; whether results are compared
CASES = {
    **{f"triangular, N={n} m={m} r=1": (functools.partial(triangular, n, m, 1), 0.5)
       for n in (10, 1000, 10000) for m in (2, 3, 4, 8, 12, 16)},
    **{f"triangular, N={n} m=1 r=1": (functools.partial(triangular, n, 1, 1), 0.3) for n in (100, 1000, 10000)},
    **{f"triangular, N=1000 m={m} r=16": (functools.partial(triangular, 1000, m, 16, ("dtbtrs", "splu")), 0.25)
       for m in (1, 2, 4, 8, 16)},
    **{f"transposed, N=1000 m={m} r={r}": (functools.partial(transposed, 1000, m, r), 1.3)
       for r in (1, 16) for m in (1, 2, 4, 8, 16)},
    **{f"general, N=1000 m={m} r=1": (functools.partial(scanned, 1000, m, 1, False), 0.17) for m in (2, 4, 8, 16)},
    **{f"unit, N=1000 m={m} r=1": (functools.partial(scanned, 1000, m, 1, True), 0.4) for m in (1, 2, 4, 8, 16)},
    "unit, N=1000 m=64 r=16": (functools.partial(looped, 1000, 64, 16), 0.75),
    "unit, N=1000 m=128 r=16": (functools.partial(looped, 1000, 128, 16), 0.9),
    "inverses kept, N=1000 m=8 r=1": (functools.partial(kept, 1000, 8, 1), 0.15),
    "10,000 systems, N=20 m=3": (functools.partial(many, 10000, 20, 3), 1.5),
    "block diagonal, N=100 m=8 r=1": (functools.partial(block_diagonal, 100, 8, 1), 0.5),
    "block diagonal, N=100 m=8 r=16": (functools.partial(block_diagonal, 100, 8, 16), 0.65),
    "block diagonal, N=100 m=32 r=16": (functools.partial(block_diagonal, 100, 32, 16), 1.05),
    **{f"dense, N={n} m={m} r={r}": (functools.partial(dense_triangular, n, m, r, "blas"), bound)
       for n, m, bound in ((10, 8, 0.95), (30, 16, 0.95), (100, 8, 1.0), (30, 64, 1.03)) for r in (1, 16)},
    **{f"dense in C order, N=30 m=16 r={r}": (functools.partial(dense_triangular, 30, 16, r, "scipy"), bound)
       for r, bound in ((1, 0.5), (16, 0.65))},
}  # fmt: skip


def report(sizes, rounds):
    """Print one row per system, against the best of the peers that are installed; return how many are missed."""
    table = Ratios("{:<34}", "system", against=17)
    for case, (prepare, bound) in CASES.items():
        if sizes and not any(f"m={m} " in case + " " for m in sizes):
            continue
        rivals = prepare()
        check = None if rivals.keys() & {"stream", "forward"} else 1e-9
        result = compare(rivals, "fastbs", rounds, check=check)
        peer = result.fastest(rivals.keys() - {"fastbs"})
        if peer:
            table.add(result, "fastbs", peer, bound, case)
    return table.missed
