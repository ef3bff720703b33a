"""How much memory calls hold."""

import sys
import tracemalloc


def peak(function, repetitions=20):
    """The most bytes that any of the calls held, beyond what was there.

    The least of three measurements, because other threads, such as those of pytest-xdist, allocate in between.
    """
    return min(peak_once(function, repetitions) for _ in range(3))


def peak_once(function, repetitions):
    watcher = sys.gettrace()
    sys.settrace(None)  # a coverage tool takes notes, and memory
    tracemalloc.start()
    try:
        function()  # whoever watches lines makes notes of the first time
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in range(repetitions):
            function()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
        sys.settrace(watcher)
