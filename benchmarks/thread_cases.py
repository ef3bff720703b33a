"""Plans that run on several Python threads at once."""

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor

from .network_cases import Network
from .tables import against_peers

__all__ = ["BOUND", "CASE", "pinned", "report", "rivals", "usable_cores"]

CASE = "128 x 4, 128"
BOUND = 1 / 1.7  # of the time of one thread, which runs one plan after the other, on two idle cores
CALLS = 20


def usable_cores():
    """The numbers of the cores that this process may use; made-up ones where the system does not tell."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


@contextlib.contextmanager
def pinned(cores):
    """Run on these cores only, and so do threads that are started meanwhile; nothing where the system cannot."""
    before = usable_cores()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, before)


def rivals():
    """Two plans on two threads, and on one: ``{name: function}``; nothing where there is one core only."""
    plans = []
    for _ in range(2):
        network = Network((128,) * 5, 128)
        plans.append(network.rivals(peers=())["fastbs bound"])

    def run(plan):
        for _ in range(CALLS):
            plan()

    pool = ThreadPoolExecutor(2)

    def two():
        list(pool.map(run, plans))

    def one():
        for plan in plans:
            run(plan)

    return {"two threads": two, "one thread": one} if len(usable_cores()) > 1 else {"one thread": one}


def report(sizes, rounds):
    """Print how long two threads take for what one does; return how many bounds are missed."""
    return against_peers("separate plans", [(CASE, rivals(), BOUND)], rounds, None)
