"""`scipy.linalg` for traced programs.

SciPy's functions do not dispatch. These have rules; plain arrays pass through to SciPy, and so does every other name.
"""

import scipy.linalg

from ..rules.scipy_factorizations import (
    cho_factor,
    cho_solve,
    cholesky,
    eigh,
    eigvalsh,
    lu,
    lu_factor,
    lu_solve,
    qr,
    svd,
    svdvals,
)
from ..rules.scipy_matrices import block_diag, det, expm, inv, logm, norm, pinv, sqrtm, toeplitz
from ..rules.scipy_solves import (
    solve,
    solve_continuous_lyapunov,
    solve_discrete_lyapunov,
    solve_lyapunov,
    solve_sylvester,
    solve_triangular,
)

__all__ = [
    "block_diag", "cho_factor", "cho_solve", "cholesky", "det", "eigh", "eigvalsh", "expm", "inv", "logm", "lu",
    "lu_factor", "lu_solve", "norm", "pinv", "qr", "solve", "solve_continuous_lyapunov", "solve_discrete_lyapunov",
    "solve_lyapunov", "solve_sylvester", "solve_triangular", "sqrtm", "svd", "svdvals", "toeplitz",
]  # fmt: skip


def __getattr__(name):
    return getattr(scipy.linalg, name)
