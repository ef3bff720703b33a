"""The shipped digits are the ones that were published, and their split does not move."""

import hashlib
from importlib import resources

import numpy as np
import pytest

from fastbs.data import held_out, load_digits

COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]  # of the digits 0..9 in the UCI test set
SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


def test_digits_shapes_and_dtypes():
    images, labels, is_test = load_digits()
    assert images.shape == (1797, 8, 8)
    assert labels.shape == is_test.shape == (1797,)
    assert images.dtype == labels.dtype == np.uint8
    assert is_test.dtype == bool
    assert (images.min(), images.max()) == (0, 16)


def test_digits_counts_and_checksum():
    images, labels, _ = load_digits()
    assert np.bincount(labels).tolist() == COUNTS
    assert hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() == SHA256


def test_digits_are_those_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    peer = datasets.load_digits()
    images, labels, _ = load_digits()
    np.testing.assert_array_equal(images, peer.images)
    np.testing.assert_array_equal(labels, peer.target)


def test_digits_split_is_fixed_and_balanced():
    _, labels, is_test = load_digits()
    assert is_test.sum() == 355
    assert np.bincount(labels[is_test]).tolist() == [count // 5 for count in COUNTS]
    assert np.flatnonzero(is_test)[:5].tolist() == [33, 36, 37, 40, 44]


def test_digits_are_new_arrays_each_time():
    load_digits().images[:] = 0
    assert load_digits().images.any()


def test_data_files_are_small_and_attributed():
    files = resources.files("fastbs.data")
    assert len(files.joinpath("digits.npz").read_bytes()) < 100_000
    attribution = files.joinpath("ATTRIBUTION.md").read_text(encoding="utf-8")
    for needed in ("Alpaydin", "Kaynak", "10.24432/C50P49", "CC BY 4.0", "What was changed"):
        assert needed in attribution


def test_held_out_is_every_fifth_of_its_class():
    labels = np.array(list("aabaaabbbbabaaa"))
    by_definition = [labels[: k + 1].tolist().count(labels[k]) % 5 == 0 for k in range(len(labels))]
    assert held_out(labels).tolist() == by_definition


@pytest.mark.parametrize("labels", [[], [1], [3, 3, 3, 3], list("abcd") * 4])
def test_held_out_leaves_small_classes_alone(labels):
    assert held_out(labels).tolist() == [False] * len(labels)
