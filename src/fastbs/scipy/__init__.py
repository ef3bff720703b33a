"""SciPy's functions for traced programs: those that do not dispatch, under their own names."""
