"""Operator application, as each rival would write it: the one table that asv and the report share.

A statement is timed literally. ``X`` and the operators' arrays are n x n, ``x`` is ``X`` as a vector.
"""

import numpy as np
from scipy.linalg.blas import dgemm
from scipy.sparse.linalg import LinearOperator

import fastbs as fb

from .paired import compare
from .tables import Ratios

try:
    import pylops
except ImportError:  # a peer, never required
    pylops = None

# Row-major C = A B is, for BLAS, the Fortran-ordered C^T = B^T A^T; the *t are those transposed views.
STATEMENTS = {
    "left": {
        "NumPy": "B @ X",
        "NumPy out": "np.matmul(B, X, out=out)",
        "BLAS": "dgemm(1.0, Xt, Bt, 0.0, outt, 0, 0, 1)",
    },
    "right": {
        "NumPy": "X @ A",
        "NumPy out": "np.matmul(X, A, out=out)",
        "BLAS": "dgemm(1.0, At, Xt, 0.0, outt, 0, 0, 1)",
    },
    "hadamard": {
        "NumPy": "H * X",
        "NumPy out": "np.multiply(H, X, out=out)",
    },
    "kronecker": {
        "NumPy": "B @ X @ A.T",
        "NumPy out": "np.matmul(np.matmul(B, X, out=Z), At, out=out)",
        "BLAS": "dgemm(1.0, At, dgemm(1.0, Xt, Bt, 0.0, Zt, 0, 0, 1), 0.0, outt, 1, 0, 1)",
    },
    "chain": {  # (H * (B X)) A^T
        "NumPy": "(H * (B @ X)) @ A.T",
        "NumPy out": "np.matmul(np.multiply(H, np.matmul(B, X, out=Z), out=Z), At, out=out)",
        "BLAS": "dgemm(1.0, Xt, Bt, 0.0, Zt, 0, 0, 1), np.multiply(H, Z, Z), dgemm(1.0, At, Zt, 0.0, outt, 1, 0, 1)",
    },
}
for statements in STATEMENTS.values():
    statements["fastbs"] = "op @ X"
    statements["fastbs apply_into"] = "op.apply_into(X, out)"
    statements["SciPy LinearOperator"] = "linear_operator @ x"
    statements["PyLops"] = "pylops_operator @ x"

OPERATORS = tuple(STATEMENTS)
SIZES = (4, 16, 64, 256)

# At size 4: the most that (op @ X, op.apply_into) may take of the NumPy expression's time.
SMALL = {
    "left": (0.5, 0.25),
    "right": (0.5, 0.25),
    "hadamard": (0.5, 0.25),
    "kronecker": (0.25, 0.15),
    "chain": (0.25, 0.15),
}
LARGE = 1.03  # at 64 and above: of the bare BLAS calls that write to memory they are given
RIVALS = ("fastbs", "fastbs apply_into", "NumPy", "NumPy out", "BLAS", "SciPy LinearOperator", "PyLops")


def has(name, rival):
    """Whether the rival can do this here: BLAS has no Hadamard product, PyLops may not be installed."""
    return rival in STATEMENTS[name] and (rival != "PyLops" or pylops is not None)


def namespace(name, n, seed=0):
    """What the statements of an operator refer to, with n x n arrays of float64."""
    rng = np.random.default_rng(seed)
    arrays = {array: rng.standard_normal((n, n)) for array in ("A", "B", "H", "X", "Z", "out")}
    A, B, H, X, *_ = arrays.values()
    return {
        "np": np,
        "dgemm": dgemm,
        **arrays,
        **{f"{array}t": value.T for array, value in arrays.items()},
        "x": X.ravel(),
        "op": fastbs_operator(name, A, B, H),
        "linear_operator": linear_operator(name, A, B, H),
        "pylops_operator": pylops_operator(name, A, B, H),
    }


def agree(name, scope, tolerance=1e-12):
    """Raise AssertionError unless every rival computes what the NumPy expression does."""
    expected = eval(STATEMENTS[name]["NumPy"], scope)
    for rival, statement in STATEMENTS[name].items():
        if has(name, rival):
            scope["out"].fill(np.nan)
            result = eval(statement, scope)
            result = scope["out"] if "out" in statement else result.reshape(expected.shape)
            np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def fastbs_operator(name, A, B, H):
    return {
        "left": lambda: fb.Left(B),
        "right": lambda: fb.Right(A),
        "hadamard": lambda: fb.Hadamard(H),
        "kronecker": lambda: fb.Kronecker(A, B),
        "chain": lambda: fb.Right(A.T) @ fb.Hadamard(H) @ fb.Left(B),
    }[name]()


def linear_operator(name, A, B, H):
    """SciPy's way: a function of the vector, row-major so that reshaping copies nothing."""
    n = len(A)
    matvec = {
        "left": lambda x: (B @ x.reshape(n, n)).ravel(),
        "right": lambda x: (x.reshape(n, n) @ A).ravel(),
        "hadamard": lambda x: (H * x.reshape(n, n)).ravel(),
        "kronecker": lambda x: (B @ x.reshape(n, n) @ A.T).ravel(),
        "chain": lambda x: ((H * (B @ x.reshape(n, n))) @ A.T).ravel(),
    }[name]
    return LinearOperator((n * n, n * n), matvec=matvec, dtype=float)


def pylops_operator(name, A, B, H):
    """PyLops' way, on the row-major vector, where X -> B X A^T is ``Kronecker(B, A)``."""
    if pylops is None:
        return None
    n = len(A)
    identity = pylops.Identity(n)

    def left():
        return pylops.MatrixMult(B, otherdims=(n,))

    def right(matrix):
        return pylops.Kronecker(identity, pylops.MatrixMult(matrix.T))

    return {
        "left": left,
        "right": lambda: right(A),
        "hadamard": lambda: pylops.Diagonal(H.ravel()),
        "kronecker": lambda: pylops.Kronecker(pylops.MatrixMult(B), pylops.MatrixMult(A)),
        "chain": lambda: right(A.T) @ pylops.Diagonal(H.ravel()) @ left(),
    }[name]()


def required(operator, n, rival):
    """(bound, reference) of one row; the bound is None where nothing is promised."""
    if n >= 64:
        return LARGE, "BLAS" if has(operator, "BLAS") else "NumPy out"
    return (SMALL[operator][rival == "fastbs apply_into"] if n == 4 else None), "NumPy"


def report(sizes, rounds):
    """Print one row per operator, size and way to apply; return how many bounds are missed."""
    table = Ratios("{:<10}{:>4}  {:<22}", "operator", "n", "", against=10)
    for n in sizes or SIZES:
        for operator, statements in STATEMENTS.items():
            scope = namespace(operator, n)
            agree(operator, scope)
            reference = required(operator, n, "fastbs")[1]
            ours = ("fastbs", "fastbs apply_into")
            result = compare(
                {name: statements[name] for name in (*ours, reference)}, reference, rounds, namespace=scope
            )
            for name in ours:
                table.add(result, name, reference, required(operator, n, name)[0], operator, n, statements[name])
    return table.missed
