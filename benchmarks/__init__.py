"""Benchmarks: asv classes (``bench_*``), the paired timer, and the report of the figures we promise."""
