"""What paths add and multiply: the four semirings, each with the neutral elements of its two operations."""

from typing import Any, NamedTuple

import numpy as np

__all__ = ["SEMIRINGS", "Semiring", "semiring_of"]


class Semiring(NamedTuple):
    """``plus`` joins paths, ``times`` prolongs one; ``zero`` is no path, ``one`` the empty path."""

    plus: np.ufunc
    times: np.ufunc
    zero: float
    one: float
    number: int  # in the kernels


SEMIRINGS = {
    "sum-product": Semiring(np.add, np.multiply, 0, 1, 0),
    "max-plus": Semiring(np.maximum, np.add, -np.inf, 0, 1),
    "min-plus": Semiring(np.minimum, np.add, np.inf, 0, 2),
    "log-sum-exp": Semiring(np.logaddexp, np.add, -np.inf, 0, 3),
}


def semiring_of(name: Any, where: str) -> Semiring:
    """The semiring of this name."""
    try:
        return SEMIRINGS[name]
    except (KeyError, TypeError):
        raise ValueError(f"{where}: semiring must be one of {', '.join(SEMIRINGS)}; got {name!r}") from None
