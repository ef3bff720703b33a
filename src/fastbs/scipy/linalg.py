"""`scipy.linalg` for traced programs.

SciPy's functions do not dispatch. These have rules; plain arrays pass through to SciPy, and so does every other name.
"""

import scipy.linalg

from ..rules import scipy_linalg
from ..rules.scipy_linalg import *  # noqa: F403

__all__ = scipy_linalg.__all__  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name):
    return getattr(scipy.linalg, name)
