"""How time grows: one curve of a picture is a list of sizes and what to run at each."""

import math
import timeit
from pathlib import Path

import numpy as np

import fastbs as fb

from .block_cases import blocks, right_side, tridiagonal_blocks
from .graph_cases import random_graph
from .paired import format_seconds
from .tables import Table

GROWTH = 1.5  # the power of the work by which time may grow: 2 is a mistake, caches that end are not


def powers(start, stop, count):
    """About `count` sizes, evenly apart on a logarithmic axis."""
    return sorted({round(x) for x in np.geomspace(start, stop, count)})


def bidiagonal(n, m, r, diagonal="lower"):
    A, b = fb.Bidiagonal.from_arrays(*blocks(n, m), diagonal=diagonal), right_side(n, m, r)
    out = np.empty_like(b)
    return lambda: A.solve(b, out=out)


def tridiagonal(n, m, positive, inverse=False):
    A = fb.Tridiagonal(*tridiagonal_blocks(n, m, positive))
    b = right_side(n, m, 1)
    return A.inverse_blocks if inverse else lambda: A.solve(b)


def many_systems(count):
    rng = np.random.default_rng(0)
    A = fb.Bidiagonal.from_arrays(
        rng.standard_normal((count, 20, 3, 3)) + 4 * np.eye(3), rng.standard_normal((count, 19, 3, 3)), diagonal="lower"
    )
    b = np.ones((count, 20, 3))
    out = np.empty_like(b)
    return lambda: A.solve(b, out=out)


def sweep(edges, planned=False):
    n = max(edges // 3, 2)
    graph, b = fb.Graph(random_graph(n)), np.ones(n)
    graph, out = fb.factorize(graph) if planned else graph, np.empty(n)
    return lambda: graph.solve(b, out=out)


def order(edges):
    Lt = random_graph(max(edges // 3, 2), shuffled=True)
    return lambda: fb.Graph(Lt)


def chain(elements, n):
    k = round(math.log(elements, n))
    op, X = fb.Kronecker(*[np.random.default_rng(0).standard_normal((n, n))] * k), np.ones((n,) * k)
    return lambda: op @ X


def linear(size):
    return size


def squared(size):
    return size**2


def modes(size):
    """Of a chain: every element meets each of the log(size) factors."""
    return size * math.log(size)


# picture -> (its axis, {curve: (sizes, what to run, the work by theory)})
PICTURES = {
    "bidiagonal, r = 1": (
        "blocks N",
        {
            "m = 1": (powers(10, 10**6, 11), lambda n: bidiagonal(n, 1, 1), linear),
            "m = 4": (powers(10, 10**5, 9), lambda n: bidiagonal(n, 4, 1), linear),
            "m = 16": (powers(10, 10**5, 9), lambda n: bidiagonal(n, 16, 1), linear),
            "m = 4, general": (powers(10, 10**5, 9), lambda n: bidiagonal(n, 4, 1, "general"), linear),
        },
    ),
    "bidiagonal, N = 100": (
        "rows of a block m",
        {
            "r = 1": ([1, 2, 4, 8, 16, 32, 64, 128], lambda m: bidiagonal(100, m, 1), squared),
            "r = 16": ([1, 2, 4, 8, 16, 32, 64, 128], lambda m: bidiagonal(100, m, 16), squared),
        },
    ),
    "bidiagonal, N = 100, m = 8": (
        "columns r",
        {"lower": (powers(1, 10**4, 13), lambda r: bidiagonal(100, 8, r), linear)},
    ),
    "tridiagonal": (
        "blocks N",
        {
            "m = 1": (powers(10, 10**5, 9), lambda n: tridiagonal(n, 1, False), linear),
            "m = 4": (powers(10, 10**5, 9), lambda n: tridiagonal(n, 4, False), linear),
            "m = 4, positive definite": (powers(10, 10**5, 9), lambda n: tridiagonal(n, 4, True), linear),
            "m = 4, blocks of the inverse": (powers(10, 10**5, 9), lambda n: tridiagonal(n, 4, True, True), linear),
        },
    ),
    "systems of N = 20, m = 3": ("systems", {"batch": (powers(1, 10**4, 9), many_systems, linear)}),
    "graphs of 3 edges a node": (
        "edges",
        {
            "sweep": (powers(100, 3 * 10**6, 10), sweep, linear),
            "after factorize": (powers(100, 3 * 10**6, 10), lambda e: sweep(e, planned=True), linear),
            "check and order": (powers(100, 3 * 10**6, 10), order, linear),
        },
    ),
    "Kronecker chains": (
        "elements of X",
        {
            "4 x 4": ([4**k for k in range(3, 11)], lambda size: chain(size, 4), modes),
            "8 x 8": ([8**k for k in range(2, 8)], lambda size: chain(size, 8), modes),
        },
    ),
}


def seconds(run):
    """The least of a few loops of about 5 ms."""
    run()
    timer = timeit.Timer(run)
    once = max(min(timer.repeat(3, 1)), 1e-7)
    number = max(1, round(5e-3 / once))
    return min(timer.repeat(5, number)) / number


def measure(sizes, make):
    return np.array([seconds(make(size)) for size in sizes])


def exponent(sizes, times, work):
    """The slope of time over work, both logarithmic, for the upper half of the sizes, where a call costs nothing."""
    half = len(sizes) // 2
    return float(np.polyfit(np.log([work(size) for size in sizes[half:]]), np.log(times[half:]), 1)[0])


def draw(curves, path):
    """``{picture: (axis, {curve: (sizes, times, work)})}`` as a file; thin lines grow as theory says."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 4, figsize=(17, 7.4), layout="constrained")
    for ax, (title, (axis, lines)) in zip(axes.flat, curves.items(), strict=False):
        for i, (label, (sizes, times, work)) in enumerate(lines.items()):
            ax.loglog(sizes, times, "o-", ms=4, lw=1.6, color=f"C{i}", label=label)
            theory = np.array([work(size) for size in sizes], float)
            ax.loglog(sizes, times[-1] * theory / theory[-1], "--", lw=0.8, color=f"C{i}", alpha=0.6)
        low = min(float(times.min()) for _, times, _ in lines.values())
        ax.set(title=title, xlabel=axis, ylabel="seconds", ylim=(low / 3, None))
        ax.grid(True, which="major", lw=0.4, alpha=0.5)
        ax.legend(frameon=False, fontsize=9)
    for ax in axes.flat[len(curves) :]:
        ax.set_axis_off()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def report(sizes, rounds):
    """Print how time grows on every curve, and draw them; return how many grow faster than theory says."""
    curves = {}
    table = Table(
        "{:<29}{:<17}{:>9} to {:<9}{:>9} to {:<9}{:>8}  {:>8}  {}",
        "picture", "curve", "from", "", "time", "", "required", "measured", "",
    )  # fmt: skip
    for title, (axis, lines) in PICTURES.items():
        curves[title] = axis, {}
        for label, (at, make, work) in lines.items():
            times = measure(at, make)
            found = exponent(at, times, work)
            ends = [format_seconds(times[k]) for k in (0, -1)]
            table(title, label, at[0], at[-1], *ends, GROWTH, f"{found:.2f}", table.verdict(found <= GROWTH))
            curves[title][1][label] = at, times, work
    draw(curves, Path(__file__).parents[1] / "docs" / "images" / "scaling.png")
    return table.missed
