"""A program traced at one matrix: what it gives, and what it refuses."""

import numpy as np
import pytest

import fastbs as fb
from fastbs.derivatives import grad, jvp, vjp

X = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def at(f, x=X):
    """The value of f, traced at x; the sum of its square has the gradient that plain differences give."""
    return vjp(f, x)[0]


def refused(f, message, kind=fb.TraceError, x=X):
    """f raises in a trace, and inside an inner trace."""
    with pytest.raises(kind, match=message):
        at(f, x)
    with pytest.raises(kind, match=message):
        grad(lambda z: np.sum(jvp(f, (z,), (z,))[1]))(x)
