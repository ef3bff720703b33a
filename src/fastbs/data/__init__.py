"""Data sets shipped with fastbs; their source and licence stand in ``ATTRIBUTION.md`` beside this file."""

from importlib import resources
from typing import NamedTuple

import numpy as np

__all__ = ["Digits", "held_out", "load_digits"]


class Digits(NamedTuple):
    """The handwritten digits and their fixed split."""

    images: np.ndarray  # (1797, 8, 8) uint8, ink per pixel from 0 (none) to 16
    labels: np.ndarray  # (1797,) uint8, the digit that was written, 0 to 9
    is_test: np.ndarray  # (1797,) bool, True for the 355 held-out images


def held_out(labels):
    """is_test[k] is True when example k is the 5th, 10th, 15th, ... of its class in the given order.

    One example in five, in every class alike, without a random number: the same input gives the same split
    everywhere. A class with fewer than five examples is not held out at all.

    Parameters
    ----------
    labels : (n,) array
        The class of each example.

    Returns
    -------
    is_test : (n,) bool array

    Examples
    --------
    >>> held_out([7, 7, 8, 7, 7, 7, 8]).nonzero()[0]
    array([5])
    """
    labels = np.asarray(labels)
    is_test = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        is_test[np.flatnonzero(labels == label)[4::5]] = True
    return is_test


def load_digits():
    """The test set of the UCI "Optical Recognition of Handwritten Digits": 1797 images of 8 x 8 pixels.

    The split is ``held_out(labels)`` in the order of the original file: 1442 images to train on and 355 to
    test with. The 13 writers are not kept apart, so the test asks for new images, not for new handwritings.

    Returns
    -------
    digits : Digits
        ``images`` (1797, 8, 8) uint8, ``labels`` (1797,) uint8, ``is_test`` (1797,) bool; new arrays at every
        call.

    Source    E. Alpaydin, C. Kaynak (1998), UCI Machine Learning Repository, doi 10.24432/C50P49, CC BY 4.0

    Examples
    --------
    >>> digits = load_digits()
    >>> digits.images.shape, int(digits.is_test.sum())
    ((1797, 8, 8), 355)
    """
    path = resources.files(__name__).joinpath("digits.npz")
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        images, labels = stored["images"], stored["labels"]
    return Digits(images, labels, held_out(labels))
