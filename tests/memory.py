"""How much memory calls hold, and what they do where there is none."""

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


def failing_allocations(kernels, function):
    """How many allocations of a compiled module a call makes: each in turn fails, says so, and nothing is kept."""
    function()
    before, failed = kernels.allocated(), 0
    while fails_at(failed, kernels, function):
        assert kernels.allocated() == before
        failed += 1
    assert kernels.allocated() == before
    return failed


def fails_at(count, kernels, function):
    message = None
    kernels.fail_allocation(count)
    try:
        function()
    except MemoryError as error:
        message = str(error)
    finally:
        kernels.fail_allocation(None)
    assert message is None or "no memory for" in message
    return message is not None
