"""Block matrices that are drawn, and how a picture is written in a test."""

import numpy as np

import fastbs as fb


def square():
    """A new array at each call."""
    return np.ones((2, 2))


def network(N):
    """D and I - L of a layered network without names, as in the README."""
    D = fb.Diagonal([[fb.Hadamard(d) @ fb.Right(square()), fb.Hadamard(d) @ fb.Right(square())]
                     for d in (square() for _ in range(N))])  # fmt: skip
    off = [-(fb.Hadamard(square()) @ fb.Left(square())) for _ in range(1, N)]
    return D, fb.Bidiagonal([fb.Identity()] * N, off)


def picture(text):
    """The lines of an expected picture, without the indentation of the test."""
    return "\n".join(line.strip() for line in text.strip().splitlines())
