"""One BLAS thread a process: tests run side by side, and small products lose time by waiting for a second thread."""

import threadpoolctl

import fastbs  # noqa: F401  (loads NumPy's and SciPy's BLAS, which are limited here)

threadpoolctl.threadpool_limits(1, user_api="blas")
