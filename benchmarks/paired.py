"""The paired timer: rivals run side by side in one process, so that they share the machine's moods.

Usage::

    from benchmarks.paired import compare
    print(compare({"ours": "op @ X", "NumPy": "B @ X"}, reference="NumPy", namespace=locals()))

In every round each rival runs once, in a new random order, in a loop of about ``target`` seconds. A slow
phase of the machine hits all rivals of a round alike and cancels in their ratio. The ratio of a rival is
the median of its ratios to the reference within each round; the interval is the distribution-free one of
the sign test. **A bound is met when the lower end of the interval lies at or below it.**
"""

from __future__ import annotations

import math
import random
import time
import timeit
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

__all__ = ["Comparison", "Ratio", "check_agreement", "compare", "format_seconds", "median_interval"]


@dataclass(frozen=True)
class Ratio:
    """The median of the ratios of all rounds, and its 95 % interval."""

    median: float
    low: float
    high: float

    def meets(self, bound: float) -> bool:
        """Whether the bound is met: the lower end of the interval lies at or below it."""
        return self.low <= bound

    def __str__(self):
        return f"{self.median:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Comparison:
    """Seconds per call of every rival in every round, and what follows from them."""

    reference: str
    times: Mapping[str, np.ndarray]

    def seconds(self, name: str) -> float:
        """The median time of one call, in seconds; for orientation only."""
        return float(np.median(self.times[name]))

    def ratio(self, name: str, reference: str | None = None) -> Ratio:
        """How many times as long as the reference a rival takes, round by round."""
        ratios = self.times[name] / self.times[reference or self.reference]
        return Ratio(float(np.median(ratios)), *median_interval(ratios))

    def fastest(self, names) -> str | None:
        """Which of these rivals takes the least time; None of none."""
        return min(names, key=self.seconds, default=None)

    def __str__(self):
        width = max(map(len, self.times))
        lines = [f"{'rival':<{width}}  {'per call':>9}  to {self.reference} [95 % interval]"]
        lines += [
            f"{name:<{width}}  {format_seconds(self.seconds(name)):>9}  {self.ratio(name)}" for name in self.times
        ]
        return "\n".join(lines)


def compare(
    rivals: Mapping[str, Callable | str],
    reference: str | None = None,
    rounds: int = 21,
    target: float = 4e-3,
    *,
    namespace: Mapping | None = None,
    check: float | None = None,
    threads: int = 1,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> Comparison:
    """Time rivals against each other.

    Parameters
    ----------
    rivals : what to run, by name: a callable, or a statement that is looked up in ``namespace``.
        Statements have no call overhead; below a microsecond that matters. Nothing is subtracted.
    reference : the rival that ratios refer to; the first one unless given
    rounds : at least 6, the fewest that have a 95 % interval
    target : seconds that one rival runs in one round
    check : relative tolerance within which all results must agree with the reference's, tested first
    threads : of the BLAS and OpenMP libraries, while the comparison runs
    seed : of the order within the rounds
    clock : seconds; tests put their own here
    """
    reference = reference or next(iter(rivals))
    if reference not in rivals:
        raise ValueError(f"compare: reference must be one of {list(rivals)}; got {reference!r}")
    if rounds < 6:
        raise ValueError(f"compare: rounds must be at least 6 for a 95 % interval; got {rounds}")
    scope = dict(namespace or {})
    if check is not None:
        check_agreement(rivals, reference, check, scope)

    timers = {name: timeit.Timer(rival, timer=clock, globals=scope) for name, rival in rivals.items()}
    times = {name: np.empty(rounds) for name in rivals}
    order = list(rivals)
    shuffle = random.Random(seed).shuffle
    with threadpool_limits(threads):
        counts = {name: _calls_within(target, timer) for name, timer in timers.items()}
        for i in range(rounds):
            shuffle(order)
            for name in order:
                times[name][i] = timers[name].timeit(counts[name]) / counts[name]
    return Comparison(reference, times)


def median_interval(sample, confidence: float = 0.95) -> tuple[float, float]:
    """The interval [x_(k), x_(n+1-k)] of order statistics that holds the median with this confidence.

    Each observation lies below the median with probability 1/2, whatever the distribution, hence
    P(median < x_(k)) = P(Binomial(n, 1/2) < k); k is the largest that leaves (1 - confidence) / 2 a side.
    """
    x = np.sort(np.asarray(sample, dtype=float))
    n, tail, k = x.size, 1.0, 0  # in units of 2^-n: P(Binomial(n, 1/2) <= k), begun at k = 0
    while tail <= (1 - confidence) / 2 * 2.0**n:
        k += 1
        tail += math.comb(n, k)
    if k == 0:
        raise ValueError(f"median_interval: {n} observations are too few for {confidence:.0%} confidence")
    return float(x[k - 1]), float(x[n - k])


def format_seconds(seconds: float) -> str:
    """Three digits and a unit: ``format_seconds(1.234e-7)`` is ``'123 ns'``."""
    for unit, scale in (("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3)):
        if seconds < 999.5 * scale:
            return f"{seconds / scale:#.3g}".rstrip(".") + f" {unit}"
    return f"{seconds:#.3g}".rstrip(".") + " s"


def _calls_within(target, timer):
    """How many calls take about ``target`` seconds, undisturbed; warms the rival up on the way."""
    count = 1
    while (elapsed := min(timer.repeat(2, count))) < target / 4:
        count *= 2
    return max(1, round(count * target / elapsed))


def check_agreement(rivals, reference, tolerance, scope=None):
    """Raise AssertionError unless all results are the reference's, relative to the largest number of each array."""

    def leaves(result):
        if isinstance(result, (list, tuple)):
            return [leaf for item in result for leaf in leaves(item)]
        return [np.array(result)]  # a copy: rivals may write to one and the same array

    def run(rival):
        return leaves(eval(rival, scope) if isinstance(rival, str) else rival())

    expected = run(rivals[reference])
    for name, rival in rivals.items():
        got = run(rival)
        if len(got) != len(expected):
            raise AssertionError(f"{name} gives {len(got)} arrays, {reference} gives {len(expected)}")
        for ours, theirs in zip(got, expected, strict=True):
            scale = np.abs(theirs).max(initial=0.0)
            np.testing.assert_allclose(
                ours.ravel(), theirs.ravel(), rtol=0, atol=tolerance * scale, err_msg=f"{name}, {reference}"
            )
