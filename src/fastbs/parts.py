"""Right sides that have nothing to do with each other, on several threads."""

from concurrent.futures import ThreadPoolExecutor

from .errors import SingularError

__all__ = ["in_parts"]

# Multiplications for which a thread is worth its start (about 0.2 ms).
ENOUGH = 500_000


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
    try:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(solve, map(slice, cuts, cuts[1:])))
    except SingularError:
        solve(slice(0, count))  # the number of a system is counted from the first
        raise
