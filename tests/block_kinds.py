"""Blocks of every kind beside the dense matrices that they stand for, and random block matrices of them."""

import numpy as np
import scipy.sparse

import fastbs as fb
from dense import block, random_array, vec, well_conditioned

COLUMNS = 3  # every entry of a block vector has this many columns


def random_block(rng, kind, p, m, dtype="float64"):
    """A block from (m, COLUMNS) to (p, COLUMNS) and its matrix on vec(X); None where the kind cannot."""
    B, A = random_array(rng, (p, m), dtype), random_array(rng, (COLUMNS, COLUMNS), dtype)
    M, s = random_array(rng, (p, COLUMNS), dtype), random_array(rng, (), dtype).item()
    eye = np.eye(COLUMNS, dtype=dtype)
    same = p == m
    return {
        "none": lambda: None,
        "array": lambda: (B, np.kron(eye, B)),
        "sparse": lambda: (scipy.sparse.csr_array(B), np.kron(eye, B)),
        "left": lambda: (fb.Left(B), np.kron(eye, B)),
        "right": lambda: (fb.Right(A), np.kron(A.T, np.eye(p, dtype=dtype))) if same else None,
        "kronecker": lambda: (fb.Kronecker(A, B), np.kron(A, B)),
        "hadamard": lambda: (fb.Hadamard(M), np.diag(vec(M))) if same else None,
        "number": lambda: (s, s * np.eye(p * COLUMNS, dtype=dtype)) if same else None,
        "one": lambda: (1, np.eye(p * COLUMNS, dtype=dtype)) if same else None,
        "identity": lambda: (fb.Identity(), np.eye(p * COLUMNS, dtype=dtype)) if same else None,
        "zero": lambda: (
            fb.Zero((m, COLUMNS), (p, COLUMNS)),
            np.zeros((p * COLUMNS, m * COLUMNS), dtype),
        ),
        "chain": lambda: (fb.Hadamard(M) @ fb.Left(B) @ fb.Right(A), np.diag(vec(M)) @ np.kron(A.T, B)),
        "scaled": lambda: (s * fb.Left(B), s * np.kron(eye, B)),
        "divided": lambda: (fb.Left(B) / 2, np.kron(eye, B) / 2),
        "sum": lambda: (fb.Kronecker(A, B) - fb.Left(B), np.kron(A, B) - np.kron(eye, B)),
        "negative": lambda: (-fb.Left(B), -np.kron(eye, B)),
    }[kind]()


KINDS = [
    "none",
    "array",
    "sparse",
    "left",
    "right",
    "kronecker",
    "hadamard",
    "number",
    "one",
    "identity",
    "zero",
    "chain",
    "scaled",
    "divided",
    "sum",
    "negative",
]


def invertible_block(rng, kind, m, dtype):
    B, A = well_conditioned(rng, m, dtype), well_conditioned(rng, COLUMNS, dtype)
    M = (1.5 + np.abs(random_array(rng, (m, COLUMNS), dtype))).astype(dtype)
    eye = np.eye(COLUMNS, dtype=dtype)
    one = np.eye(m * COLUMNS, dtype=dtype)
    return {
        "array": lambda: (B, np.kron(eye, B)),
        "triangle": lambda: (np.tril(B), np.kron(eye, np.tril(B))),
        "sparse": lambda: (scipy.sparse.csr_array(B), np.kron(eye, B)),
        "sparse triangle": lambda: (scipy.sparse.csc_array(np.triu(B)), np.kron(eye, np.triu(B))),
        "left": lambda: (fb.Left(B), np.kron(eye, B)),
        "right": lambda: (fb.Right(A), np.kron(A.T, np.eye(m, dtype=dtype))),
        "kronecker": lambda: (fb.Kronecker(A, B), np.kron(A, B)),
        "hadamard": lambda: (fb.Hadamard(M), np.diag(vec(M))),
        "number": lambda: (2.5, 2.5 * one),
        "one": lambda: (1, one),
        "chain": lambda: (fb.Hadamard(M) @ fb.Left(B) @ fb.Right(A), np.diag(vec(M)) @ np.kron(A.T, B)),
        "scaled": lambda: (-3 * fb.Left(B), -3 * np.kron(eye, B)),
        "divided": lambda: (fb.Kronecker(A, B) / 2, np.kron(A, B) / 2),
        "negative": lambda: (-fb.Hadamard(M), -np.diag(vec(M))),
        "minus one": lambda: (-fb.Identity(), -one),
    }[kind]()


INVERTIBLE = [
    "array",
    "triangle",
    "left",
    "right",
    "kronecker",
    "hadamard",
    "number",
    "one",
    "chain",
    "scaled",
    "divided",
    "negative",
    "sparse",
    "minus one",
    "sparse triangle",
]


def random_matrix(rng, heights, widths, kinds=KINDS, dtype="float64"):
    """A block matrix of random kinds of blocks, and its dense form."""
    blocks, dense = [[None] * len(widths) for _ in heights], {}
    for i, p in enumerate(heights):
        for j, m in enumerate(widths):
            made = random_block(rng, kinds[rng.integers(len(kinds))], p, m, dtype)
            if made is not None:
                blocks[i][j], dense[i, j] = made
    if not heights or not widths:
        return None
    return fb.BlockMatrix(blocks), block(dense, [p * COLUMNS for p in heights], [m * COLUMNS for m in widths])


def random_vector(rng, sizes, dtype="float64", zeros=0.3):
    return [None if rng.random() < zeros else random_array(rng, (m, COLUMNS), dtype) for m in sizes]


def shapes(sizes):
    return [(m, COLUMNS) for m in sizes]
