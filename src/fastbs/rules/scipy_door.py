"""The door of `fastbs.scipy.linalg`: plain arrays go to SciPy, traced ones to the functions and rules of this package.

They have SciPy's names and keywords; those that only save time or memory, such as ``overwrite_a`` and
``check_finite``, mean nothing for traced values.
"""

import functools

import numpy as np

from .._trace import Traced

__all__ = ["instead_of", "only", "stacked"]


IGNORED = {"check_finite", "overwrite_a", "overwrite_b", "lapack_driver", "lwork"}


def instead_of(function):
    """A decorator: traced arguments go to what is decorated, others to SciPy's function of that name."""

    def decorate(traced):
        @functools.wraps(traced)
        def either(*arguments, **keywords):
            if not any(map(is_traced, (*arguments, *keywords.values()))):
                return function(*arguments, **keywords)
            return traced(*arguments, **{name: value for name, value in keywords.items() if name not in IGNORED})

        return either

    return decorate


def is_traced(x):
    """Whether an argument is traced, or a factorization with a traced array."""
    return type(x) is Traced or (isinstance(x, tuple) and any(type(part) is Traced for part in x))


def stacked(function):
    """A SciPy function of matrices, one by one over the stacks that they are in."""

    @functools.wraps(function)
    def over_stacks(*arrays, **keywords):
        batch = np.broadcast_shapes(*(x.shape[:-2] for x in arrays))
        if not batch:
            return function(*arrays, **keywords)
        arrays = [np.broadcast_to(x, batch + x.shape[-2:]) for x in arrays]
        results = [function(*(x[i] for x in arrays), **keywords) for i in np.ndindex(*batch)]
        return np.reshape(np.stack(results), batch + results[0].shape) if results else np.zeros_like(arrays[-1])

    return over_stacks


def only(name, **keywords):
    """Refuse keywords with a value that has no rule."""
    for key, value in keywords.items():
        if value:
            raise TypeError(f"{name}: {key} must be left away because traced values have no rule for it; got {value!r}")
