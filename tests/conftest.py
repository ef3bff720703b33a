"""The suite runs side by side, a few files in one process; BLAS has one thread in each."""

import os
from pathlib import Path

import pytest
import threadpoolctl

from fastbs.compiler import chunks  # loads NumPy's and SciPy's BLAS, which are limited here

# Processes share the cores already, and small products lose time by waiting for a second thread.
threadpoolctl.threadpool_limits(1, user_api="blas")


def pytest_xdist_auto_num_workers(config):
    """How many processes ``-n auto`` means: 0, that is this one alone, unless whole folders are asked for."""
    return min(4, os.cpu_count() or 1) if all(Path(argument).is_dir() for argument in config.args) else 0


@pytest.fixture
def tiny_chunks(monkeypatch):
    """Chunks, in compiled functions, of a few elements: as if the second-level cache had 512 bytes."""
    for name, value in {"CACHE": 512, "LEAST": 1, "UNIT": 1, "WORTH": 1}.items():
        monkeypatch.setattr(chunks, name, value)
