"""Right sides that have nothing to do with each other, on several threads."""

import functools
import os
from concurrent.futures import ThreadPoolExecutor, wait

from .errors import SingularError

__all__ = ["in_parts"]

# Multiplications for which a thread is worth the waking (about 0.1 ms of work).
ENOUGH = 500_000
# More threads than anybody asks for: they are started when all others are busy, and then kept.
MOST = 1024


@functools.cache
def pool():
    """The threads of this process."""
    return ThreadPoolExecutor(MOST, "fastbs")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool.cache_clear)  # a child has none of its parent's threads


def in_parts(solve, count, work, threads):
    """Call ``solve(slice)`` for parts of range(count), each on a thread; one call where there is little to do.

    Parameters
    ----------
    solve : callable
        Runs compiled code without the interpreter's lock. Singular blocks are found by one more call for all.
    work : number
        Multiplications in all.
    """
    threads = min(threads, count, int(work // ENOUGH))
    if threads < 2:
        solve(slice(0, count))
        return
    cuts = [count * k // threads for k in range(threads + 1)]
    first, *others = map(slice, cuts, cuts[1:])
    try:
        running = [pool().submit(solve, part) for part in others]
        try:
            solve(first)
        finally:
            wait(running)  # they write to arrays of the caller
        for part in running:
            part.result()
    except SingularError:
        solve(slice(0, count))  # the number of a system is counted from the first
        raise
