"""The one table of the compiler, complete."""

import numpy as np

import fastbs  # noqa: F401  (completes the table)
from fastbs.compiler.table import SCATTERS, SEVERAL, SIMPLE, TABLE, VIEW_CONDITIONS, VIEWS


def test_the_table_is_of_numpy_functions():
    own = (
        "fastbs.rules",
        "fastbs.scan",
        "fastbs.cond",
    )  # indexing, assignment, joining and loops have no function of NumPy's
    assert all(
        function.__module__.startswith(own)
        or getattr(np, function.__name__, None) is function
        or getattr(np.linalg, function.__name__, None) is function
        or function is np.divide
        for function in TABLE
        if hasattr(function, "__module__")
    )


def test_a_function_is_code_or_a_view():
    assert not set(VIEWS) & SEVERAL
    assert set(VIEW_CONDITIONS) <= set(VIEWS)
    assert set(SCATTERS) | set(SIMPLE) <= set(TABLE)
