"""SciPy's sparse and banded matrices as blocks."""

import numpy as np
import scipy.sparse

from ..arguments import as_array, is_sparse
from ..errors import DtypeError, ShapeError, StructureError

__all__ = [
    "block_diagonals", "blocks_of", "from_band", "from_block_diagonals", "from_blocks", "pattern_of", "to_band",
    "uplo_of",
]  # fmt: skip


def blocks_of(A, block, where):
    """A square BSR array with square blocks of `block` rows; by default of those it has; BSR is not copied."""
    if not is_sparse(A):
        raise DtypeError(f"{where}: A must be a SciPy sparse array because its pattern is read; got {type(A).__name__}")
    if A.ndim != 2 or A.shape[0] != A.shape[1]:
        raise ShapeError(f"{where}: A must be square because it is solved with; got {A.shape}")
    if block is not None and (block < 1 or A.shape[0] % block):
        raise ShapeError(f"{where}: A must be (N m, N m) because blocks are {block} x {block}; got {A.shape}")
    A = A.tobsr(blocksize=None if block is None else (block, block))
    m, k = A.blocksize
    if m != k:
        raise ShapeError(f"{where}: A must have square blocks because it is solved with; got blocks {A.blocksize}")
    if not A.has_canonical_format:
        A = A.copy()
        A.sum_duplicates()
    return A


def rows_of(A):
    """The block row of every stored block."""
    return np.repeat(np.arange(len(A.indptr) - 1), np.diff(A.indptr))


def uplo_of(A, where=None):
    """The side of the diagonal on which the blocks stand; with `where` on one only."""
    beside = A.indices - rows_of(A)
    if where is not None and (beside < 0).any() and (beside > 0).any():
        found = [(int(rows_of(A)[k]), int(A.indices[k])) for k in (np.argmax(beside < 0), np.argmax(beside > 0))]
        raise StructureError(
            f"{where}: A must be triangular because it is solved by substitution; got blocks {found[0]} and {found[1]}"
        )
    return "U" if (beside > 0).any() and not (beside < 0).any() else "L"


def pattern_of(indices, indptr, where):
    """A matrix of ones in the places of blocks, which are sorted in each row and stand there once."""
    A = scipy.sparse.csr_array((np.ones(len(indices)), indices, indptr), shape=(len(indptr) - 1,) * 2)
    if not A.has_canonical_format:
        raise StructureError(
            f"{where}: indices must be sorted in each block row, without repetition, because each names one block; got "
            f"others"
        )
    return A


def block_diagonals(A, offsets, where, taken):
    """The blocks (i, i + k) of a BSR array, stacked, for every k of the offsets; others must not be stored."""
    m, n = A.blocksize[0], len(A.indptr) - 1
    rows = rows_of(A)
    beside = A.indices - rows
    others = np.flatnonzero(~np.isin(beside, offsets))
    if others.size:
        i, j = int(rows[others[0]]), int(A.indices[others[0]])
        raise StructureError(
            f"{where}: block ({i}, {j}) must be zero because the diagonal and {taken} are taken; got a stored block"
        )
    stacks = []
    for k in offsets:
        stack = np.zeros((max(n - abs(k), 0), m, m), A.dtype)
        at = beside == k
        stack[np.minimum(rows, A.indices)[at]] = A.data[at]
        stacks.append(stack)
    return stacks


def from_block_diagonals(stacks):
    """The BSR array with the blocks ``stacks[k][t]`` along its block diagonals k; stacks[0] is the main one."""
    n, m, _ = stacks[0].shape
    if not m:
        return from_blocks({}, [m] * n, stacks[0].dtype)
    rows = np.concatenate([np.arange(len(X)) + max(-k, 0) for k, X in stacks.items()])
    columns = np.concatenate([np.arange(len(X)) + max(k, 0) for k, X in stacks.items()])
    order = np.lexsort((columns, rows))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))])
    data = np.concatenate(list(stacks.values()))[order]
    return scipy.sparse.bsr_array((data, columns[order], indptr), shape=(n * m, n * m))


def from_blocks(blocks, sizes, dtype):
    """The array with the blocks ``{(i, j): X}``, None for the identity; BSR if all have one size, else CSR."""
    starts = np.cumsum([0, *sizes])
    shape = (starts[-1],) * 2
    found = [(i, j, identity_or(X, sizes[i], dtype)) for (i, j), X in sorted(blocks.items(), key=lambda item: item[0])]
    if found and len(set(sizes)) == 1 and sizes[0]:
        rows, columns, data = zip(*found, strict=True)
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(sizes)))])
        return scipy.sparse.bsr_array((np.stack(data), columns, indptr), shape=shape)
    rows, columns, data = [np.zeros(0, int)], [np.zeros(0, int)], [np.zeros(0, dtype)]
    for i, j, X in found:
        p, q = np.indices(X.shape)
        rows.append(starts[i] + p.ravel())
        columns.append(starts[j] + q.ravel())
        data.append(X.ravel())
    data, rows, columns = map(np.concatenate, (data, rows, columns))
    return scipy.sparse.csr_array((data, (rows, columns)), shape=shape)


def to_band(blocks, sizes, dtype):
    """(ab, (l, u)) of the blocks ``{(i, j): X}``, None for the identity: ``ab[u + i - j, j] = A[i, j]``."""
    starts = np.cumsum([0, *sizes]).tolist()
    l = max([0, *(starts[i + 1] - 1 - starts[j] for i, j in blocks if i >= j)])
    u = max([0, *(starts[j + 1] - 1 - starts[i] for i, j in blocks if i <= j)])
    ab = np.zeros((l + u + 1, starts[-1]), dtype)
    for (i, j), X in blocks.items():
        X = identity_or(X, sizes[i], dtype)
        for k in range(X.shape[1]):
            first = u + starts[i] - starts[j] - k
            ab[first : first + len(X), starts[j] + k] = X[:, k]
    return ab, (l, u)


def identity_or(X, m, dtype):
    return np.eye(m, dtype=dtype) if X is None else X


def from_band(ab, widths, where):
    """The DIA array of ``ab[u + i - j, j] = A[i, j]``, as `scipy.linalg.solve_banded` takes it."""
    (l, u), ab = widths, as_array(ab, f"{where}: ab")
    if ab.ndim != 2 or len(ab) != l + u + 1:
        raise ShapeError(
            f"{where}: ab must be ({l + u + 1}, N) because there are {l} diagonals below and {u} above the main one; "
            f"got {ab.shape}"
        )
    return scipy.sparse.dia_array((ab, np.arange(u, -l - 1, -1)), shape=(ab.shape[1],) * 2)
