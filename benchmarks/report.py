"""The figures that fastbs promises, measured: required and measured ratios side by side.

Usage::

    python -m benchmarks.report operators      # op @ X against the NumPy expression and raw BLAS
    python -m benchmarks.report backslash      # block systems against NumPy loops, and gradients for orientation
    python -m benchmarks.report kernels        # own products against BLAS, own functions against NumPy
    python -m benchmarks.report networks       # compiled gradients against the BLAS floor, NumPy by hand, JAX, PyTorch
    python -m benchmarks.report gradients      # uncompiled gradients against autograd and PyTorch, what recording adds
    python -m benchmarks.report jacobians      # Jacobians of chains against JAX, forward and reverse
    python -m benchmarks.report blocks         # systems of blocks in arrays against LAPACK, SuperLU, JAX, NumPy
    python -m benchmarks.report graphs         # sweeps over graphs against kept LU factors
    python -m benchmarks.report loops          # compiled gradients of loops of 1,000 steps against JAX
    python -m benchmarks.report programs       # compiled gradients of programs that are no networks against JAX
    python -m benchmarks.report hessians       # compiled Hessians of networks against JAX
    python -m benchmarks.report small          # compiled gradients of small networks against CasADi, of many samples
    python -m benchmarks.report kronecker      # Kronecker chains against fastkron and opt_einsum
    python -m benchmarks.report start          # time to the first gradient, time to import
    python -m benchmarks.report threads        # two threads that run plans of their own
    python -m benchmarks.report scaling        # how time grows, with the picture of the docs
    python -m benchmarks.report compile --markdown  # the tables of docs/performance.md
    python -m benchmarks.report operators --rounds 41 --sizes 4 64

Run it from the root of a checkout with fastbs installed. The exit code is 1 if a bound is missed.
"""

import argparse
import contextlib
import datetime
import importlib.metadata
import os
import platform
import sys
from pathlib import Path

import numpy as np

from fastbs._tape import instruction_set

from . import block_cases as systems
from . import gradient_cases as gradients
from . import graph_cases as graphs
from . import hessian_cases as hessians
from . import jacobian_cases as jacobians
from . import kernel_cases as kernels
from . import kronecker_cases as kronecker
from . import loop_cases as loops
from . import network_cases as networks
from . import operator_cases as operators
from . import program_cases as programs
from . import scaling_cases as scaling
from . import small_cases as small
from . import start_cases as start
from . import thread_cases as threads
from .backslash_cases import Chain, Network, Pairs, rivals_of
from .paired import compare, format_seconds
from .thread_cases import pinned, usable_cores

SIZES = (4, 16, 64, 256)
WARM = 40  # calls of an uncompiled gradient, after which a structure that repeats runs as a tape

# At size 4: the most that (op @ X, op.apply_into) may take of the NumPy expression's time.
SMALL = {
    "left": (0.5, 0.25),
    "right": (0.5, 0.25),
    "hadamard": (0.5, 0.25),
    "kronecker": (0.25, 0.15),
    "chain": (0.25, 0.15),
}
GROWTH = 1.5  # the power of the work by which time may grow: 2 is a mistake, caches that end are not
LARGE = 1.03  # at 64 and above: of the bare BLAS calls that write to memory they are given


def required(operator, n, rival):
    """(bound, reference) of one row; the bound is None where nothing is promised."""
    if n >= 64:
        return LARGE, "BLAS" if operators.has(operator, "BLAS") else "NumPy out"
    return (SMALL[operator][rival == "fastbs apply_into"] if n == 4 else None), "NumPy"


class Table:
    """Rows of fixed width on a terminal, or of Markdown; the first one is the header."""

    markdown = False

    def __init__(self, line, *header):
        self.line = line
        if self.markdown:
            print(f"\n{self.cells(header)}\n{'|---' * len(header)}|")
        else:
            print(line.format(*header).rstrip())

    def __call__(self, *row):
        print(self.cells(row) if self.markdown else self.line.format(*row).rstrip(), flush=True)

    @staticmethod
    def cells(row):
        return f"| {' | '.join(map(str, row))} |"


def report_operators(sizes, rounds):
    """Print one row per operator, size and way to apply; return how many bounds are missed."""
    missed = 0
    table = Table(
        "{:<10}{:>4}  {:<22}{:>8}  {:<10}{:>8}  {:>8}  {:<22}  {}",
        "operator", "n", "", "time", "against", "time", "required", "measured [95 %]", "",
    )  # fmt: skip
    for n in sizes:
        for operator, statements in operators.STATEMENTS.items():
            scope = operators.namespace(operator, n)
            operators.agree(operator, scope)
            reference = required(operator, n, "fastbs")[1]
            names = ("fastbs", "fastbs apply_into", reference)
            result = compare({name: statements[name] for name in names}, reference, rounds, namespace=scope)
            time = {name: format_seconds(result.seconds(name)) for name in names}
            for name in names[:2]:
                ratio, bound = result.ratio(name), required(operator, n, name)[0]
                met = bound is None or ratio.meets(bound)
                missed += not met
                verdict = "" if bound is None else "PASS" if met else "MISS"
                row = (operator, n, statements[name], time[name], reference, time[reference])
                table(*row, bound or "-", str(ratio), verdict)
    return missed


def report_backslash(sizes, rounds):
    """Print one row per system and rival, against the last one; return how many bounds are missed."""
    missed = 0
    table = Table(
        "{:<9}{:>5}{:>4}  {:<14}{:>9}  {:<14}{:>9}  {:>8}  {:<22}  {}",
        "system", "blocks", "n", "", "time", "against", "time", "required", "measured [95 %]", "",
    )  # fmt: skip
    for system, lengths in ((Pairs, (10, 1000)), (Chain, (10, 1000)), (Network, (2, 10, 100))):
        for N in lengths:
            for n in sizes:
                *names, reference = rivals = rivals_of(system(N, n))
                check = None if system is Pairs else 1e-10  # these agree, in lists and in arrays
                result = compare(rivals, reference, rounds, target=2e-2, check=check)
                bounds = getattr(system, "BOUNDS", {}).get((N, n), {})
                for name in names:
                    ratio, bound = result.ratio(name), bounds.get(name)
                    met = bound is None or ratio.meets(bound)
                    missed += not met
                    verdict = "" if bound is None else "PASS" if met else "MISS"
                    times = [format_seconds(result.seconds(rival)) for rival in (name, reference)]
                    required = "-" if bound is None else f"{bound:.3f}"
                    table(system.__name__, N, n, name, times[0], reference, times[1], required, str(ratio), verdict)
    return missed


def report_kernels(sizes, rounds):
    """Print one row per kernel and dtype, a product no slower than BLAS; return how many bounds are missed."""
    missed = 0
    table = Table(
        "{:<16}{:<9}{:>10}{:>10}  {:>8}  {:<22}  {}",
        "kernel",
        "dtype",
        "own",
        "rival",
        "required",
        "measured [95 %]",
        "",
    )
    cases = [(f"{m}x{n}x{k} {order}", 1.0, kernels.products, (m, n, k), order) for m, n, k, order in kernels.PRODUCTS]
    cases = [case for case in cases if max(case[3]) in sizes or sizes == SIZES]
    cases += [(name, bound, kernels.functions, (name,), None) for name, bound in kernels.FUNCTIONS.items()]
    for dtype in ("float64", "float32"):
        for label, bound, prepare, arguments, order in cases:
            rivals, times = prepare(*arguments, dtype, *([order] if order else []))
            reference = list(rivals)[1]
            result = compare(rivals, reference, rounds, target=1e-3, check=1e-4)
            own, rival = (format_seconds(result.seconds(name) / times) for name in rivals)
            ratio = result.ratio("own")
            missed += not ratio.meets(bound)
            verdict = "PASS" if ratio.meets(bound) else "MISS"
            table(label, dtype, own, rival, bound, str(ratio), verdict)
    return missed


def report_networks(sizes, rounds):
    """Print one row per network, dtype and rival that is installed; return how many bounds are missed."""
    missed = 0
    table = Table(
        "{:<20}{:<9}{:<13}{:>9}  {:<7}{:>9}  {:>8}  {:<22}  {}",
        "widths, batch",
        "dtype",
        "",
        "time",
        "against",
        "time",
        "required",
        "measured [95 %]",
        "",
    )
    for case, (widths, batch, ours, *bounds) in networks.CASES.items():
        if sizes != SIZES and max(widths) not in sizes:
            continue
        for i, dtype in enumerate((np.float64, np.float32)):
            rivals = networks.Network(widths, batch, dtype).rivals()
            required = {name: bound[i] for name, bound in zip(networks.RIVALS, bounds, strict=True) if bound}
            required = {name: bound for name, bound in required.items() if name in rivals}
            result = compare({name: rivals[name] for name in (ours, *required)}, "floor", rounds)
            for name, bound in required.items():
                ratio = result.ratio(ours, name)
                missed += not ratio.meets(bound)
                times = [format_seconds(result.seconds(rival)) for rival in (ours, name)]
                verdict = "PASS" if ratio.meets(bound) else "MISS"
                row = (case, dtype.__name__, ours, times[0], name, times[1], f"{bound:.4g}", str(ratio), verdict)
                table(*row)
    return missed


def report_gradients(sizes, rounds):
    """Print one row per program and peer, and one per recorded step; return how many bounds are missed."""
    missed = 0
    table = Table(
        "{:<18}{:>9}  {:<9}{:>9}  {:>8}  {:<22}  {}",
        "uncompiled",
        "time",
        "against",
        "time",
        "required",
        "measured [95 %]",
        "",
    )
    for program, bounds in gradients.BOUNDS.items():
        rivals = getattr(gradients, program)()
        for _ in range(WARM):
            rivals["fastbs"]()
        result = compare(rivals, "fastbs", rounds)
        for peer in rivals.keys() & bounds:
            ratio, bound = result.ratio("fastbs", peer), bounds[peer]
            missed += not ratio.meets(bound)
            times = [format_seconds(result.seconds(name)) for name in ("fastbs", peer)]
            verdict = "PASS" if ratio.meets(bound) else "MISS"
            table(program, times[0], peer, times[1], f"{bound:.3f}", str(ratio), verdict)
    for step in gradients.STEPS:
        plain, added = gradients.extra(step)
        missed += added > gradients.RECORDING
        verdict = "PASS" if added <= gradients.RECORDING else "MISS"
        times = [format_seconds(seconds) for seconds in (plain + added, plain, gradients.RECORDING, added)]
        table(step, times[0], "NumPy", times[1], times[2], "+" + times[3], verdict)
    return missed


def report_jacobians(sizes, rounds):
    """Print one row per chain of ours, against the better of JAX's two; return how many bounds are missed."""
    missed = 0
    table = Table(
        "{:<11}{:<10}{:>9}  {:<8}{:>9}  {:>8}  {:<22}  {}",
        "chain",
        "",
        "time",
        "against",
        "time",
        "required",
        "measured [95 %]",
        "",
    )
    for case in jacobians.CASES:
        rivals = jacobians.rivals(case)
        for _ in range(WARM):
            rivals["fastbs"]()
        result = compare(rivals, "fastbs", rounds, check=1e-10)
        peer = min(rivals.keys() & jacobians.PEERS, key=result.seconds, default=None)
        for name in ("fastbs", "compiled"):
            if peer is None or (case, name) not in jacobians.BOUNDS:
                continue
            ratio, bound = result.ratio(name, peer), jacobians.BOUNDS[case, name]
            missed += not ratio.meets(bound)
            times = [format_seconds(result.seconds(rival)) for rival in (name, peer)]
            verdict = "PASS" if ratio.meets(bound) else "MISS"
            table(case, name, times[0], peer, times[1], f"{bound:.3f}", str(ratio), verdict)
    return missed


def report_graphs(sizes, rounds):
    """Print one row per number of nodes and way to sweep; return how many bounds are missed."""
    missed = 0
    table = Table(
        "{:<10}{:<13}{:>9}  {:<8}{:>9}  {:>8}  {:<22}  {}",
        "nodes",
        "",
        "time",
        "against",
        "time",
        "required",
        "measured [95 %]",
        "",
    )

    def row(n, result, name, reference, bound):
        ratio = result.ratio(name, reference)
        times = [format_seconds(result.seconds(rival)) for rival in (name, reference)]
        verdict = "PASS" if ratio.meets(bound) else "MISS"
        table(n, name, times[0], reference, times[1], bound, str(ratio), verdict)
        return not ratio.meets(bound)

    for n in graphs.NODES if sizes == SIZES else sizes:
        rivals = graphs.solvers(n)
        result = compare(rivals, "splu", rounds, check=1e-9)
        missed += sum(row(n, result, name, "splu", bound) for name, bound in graphs.BOUNDS.items())
        result = compare({"factorized": rivals["factorized"], "stream": graphs.stream(n)}, "stream", rounds)
        missed += row(n, result, "factorized", "stream", graphs.STREAM)
    result = compare(graphs.ordering(graphs.NODES[-1]), "sweep", rounds)
    return missed + row(graphs.NODES[-1], result, "order", "sweep", graphs.ORDER)


def report_loops(sizes, rounds):
    """Print one row per loop and dtype, and one for the time to compile it; return how many bounds are missed."""
    missed = 0
    table = Table(
        "{:<16}{:<9}{:>9}  {:<15}{:>9}  {:>8}  {:<22}  {}",
        "loop",
        "dtype",
        "time",
        "against",
        "time",
        "required",
        "measured [95 %]",
        "",
    )

    def row(case, dtype, result, name, reference, bound):
        ratio = result.ratio(name, reference)
        times = [format_seconds(result.seconds(rival)) for rival in (name, reference)]
        verdict = "PASS" if ratio.meets(bound) else "MISS"
        table(case, dtype, times[0], reference, times[1], bound, str(ratio), verdict)
        return not ratio.meets(bound)

    for case in loops.CASES:
        for dtype in (np.float64, np.float32):
            rivals = loops.rivals(case, dtype)
            result = compare(rivals, "fastbs", rounds, target=1e-2)
            missed += sum(row(case, dtype.__name__, result, "fastbs", name, loops.BOUND) for name in [*rivals][1:])
        result = compare(loops.compilers(case), "10 steps", rounds, target=5e-2)
        missed += row(case, "compile", result, "1000 steps", "10 steps", loops.GROWTH)
    return missed


def report_programs(sizes, rounds):
    """Print one row per program against JAX; return how many bounds are missed."""
    return against_peers("program", {case: (programs.rivals(case), programs.BOUND) for case in programs.CASES}, rounds)


def report_hessians(sizes, rounds):
    """Print one row per network against JAX; return how many bounds are missed."""
    return against_peers(
        "Hessian", {case: (hessians.rivals(case), hessians.BOUNDS[case]) for case in hessians.CASES}, rounds
    )


def report_small(sizes, rounds):
    """Print one row per network against CasADi or NumPy; return how many bounds are missed."""
    return against_peers(
        "widths, batch", {case: (small.rivals(case), small.CASES[case][-1]) for case in small.CASES}, rounds, None
    )


def report_start(sizes, rounds):
    """Print the times to the first gradient and to import; return how many bounds are missed."""
    missed = against_peers("first gradient", {start.CASE: (start.rivals(), start.BOUND)}, min(rounds, 11), None)
    table = Table("{:<21}{:>9}  {:>8}  {:<22}  {}", "", "time", "required", "", "")
    seconds, low, high = start.import_seconds(rounds)
    met = low <= start.IMPORT
    interval = f"[{format_seconds(low)}, {format_seconds(high)}]"
    table("import fastbs", format_seconds(seconds), format_seconds(start.IMPORT), interval, "PASS" if met else "MISS")
    return missed + (not met)


def report_threads(sizes, rounds):
    """Print how long two threads take for what one does; return how many bounds are missed."""
    return against_peers("separate plans", {threads.CASE: (threads.rivals(), threads.BOUND)}, rounds, None)


def against_peers(kind, cases, rounds, check=1e-9):
    """Print one row per case ``{name: (rivals, bound)}``; return how many bounds are missed."""
    missed = 0
    table = Table(
        "{:<21}{:>9}  {:<8}{:>9}  {:>8}  {:<22}  {}", kind, "time", "against", "time", "required", "measured [95 %]", ""
    )
    for case, (rivals, bound) in cases.items():
        ours, *peers = rivals
        result = compare(rivals, ours, rounds, target=2e-2, check=check)
        for peer in peers:
            ratio = result.ratio(ours, peer)
            missed += not ratio.meets(bound)
            times = [format_seconds(result.seconds(name)) for name in (ours, peer)]
            verdict = "PASS" if ratio.meets(bound) else "MISS"
            table(case, times[0], peer, times[1], f"{bound:.3f}", str(ratio), verdict)
    return missed


def report_kronecker(sizes, rounds):
    """Print one row per chain, against the better of the peers that are installed; return how many are missed."""
    missed = 0
    table = Table(
        "{:<20}{:>9}  {:<15}{:>9}  {:>8}  {:<22}  {}",
        "chain",
        "time",
        "against",
        "time",
        "required",
        "measured [95 %]",
        "",
    )
    for chain, (shapes, columns, bound) in kronecker.CHAINS.items():
        rivals = kronecker.rivals(shapes, columns)
        expected = kronecker.as_columns("fastbs", rivals["fastbs"](), columns)
        for name, rival in rivals.items():
            found = kronecker.as_columns(name, rival(), columns)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(expected).max(), err_msg=name)
        result = compare(rivals, "fastbs", rounds)
        peers = sorted((name for name in rivals if name != "fastbs"), key=result.seconds)
        for peer in peers[:1]:
            ratio = result.ratio("fastbs", peer)
            missed += not ratio.meets(bound)
            times = [format_seconds(result.seconds(name)) for name in ("fastbs", peer)]
            verdict = "PASS" if ratio.meets(bound) else "MISS"
            table(chain, times[0], peer, times[1], bound, str(ratio), verdict)
    return missed


def report_blocks(sizes, rounds):
    """Print one row per system, against the best of the peers that are installed; return how many are missed."""
    missed = 0
    table = Table(
        "{:<34}{:>9}  {:<17}{:>9}  {:>8}  {:<22}  {}",
        "system",
        "time",
        "against",
        "time",
        "required",
        "measured [95 %]",
        "",
    )
    for case, (prepare, bound) in systems.CASES.items():
        rivals = prepare()
        if sizes != SIZES and not any(f"m={m} " in case + " " for m in sizes):
            continue
        if "stream" not in rivals and "forward" not in rivals:
            expected = np.ravel(rivals["fastbs"]())
            for name, rival in rivals.items():
                found = np.ravel(rival())
                np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * np.abs(expected).max(), err_msg=name)
        result = compare(rivals, "fastbs", rounds)
        for peer in sorted((name for name in rivals if name != "fastbs"), key=result.seconds)[:1]:
            ratio = result.ratio("fastbs", peer)
            missed += not ratio.meets(bound)
            times = [format_seconds(result.seconds(name)) for name in ("fastbs", peer)]
            verdict = "PASS" if ratio.meets(bound) else "MISS"
            table(case, times[0], peer, times[1], bound, str(ratio), verdict)
    return missed


def report_scaling(sizes, rounds):
    """Print how time grows on every curve, and draw them; return how many grow faster than theory says."""
    missed, curves = 0, {}
    table = Table(
        "{:<29}{:<17}{:>9} to {:<9}{:>9} to {:<9}{:>8}  {:>8}  {}",
        "picture",
        "curve",
        "from",
        "",
        "time",
        "",
        "required",
        "measured",
        "",
    )
    for title, (axis, lines) in scaling.PICTURES.items():
        curves[title] = axis, {}
        for label, (at, make, work) in lines.items():
            times = scaling.measure(at, make)
            found = scaling.exponent(at, times, work)
            missed += found > GROWTH
            ends = [format_seconds(times[k]) for k in (0, -1)]
            verdict = "PASS" if found <= GROWTH else "MISS"
            table(title, label, at[0], at[-1], *ends, GROWTH, f"{found:.2f}", verdict)
            curves[title][1][label] = at, times, work
    scaling.draw(curves, Path(__file__).parents[1] / "docs" / "images" / "scaling.png")
    return missed


REPORTS = {
    "operators": report_operators,
    "backslash": report_backslash,
    "kernels": report_kernels,
    "networks": report_networks,
    "gradients": report_gradients,
    "jacobians": report_jacobians,
    "blocks": report_blocks,
    "graphs": report_graphs,
    "kronecker": report_kronecker,
    "loops": report_loops,
    "programs": report_programs,
    "hessians": report_hessians,
    "small": report_small,
    "start": report_start,
    "threads": report_threads,
    "scaling": report_scaling,
}
COMPILE = (
    "networks", "small", "programs", "loops", "jacobians", "hessians", "backslash", "start", "threads",
)  # fmt: skip


def machine():
    """What was measured on, with what, and when."""
    cpu = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), cpu)
    versions = {"Python": platform.python_version()}
    for name in ("fastbs", "numpy", "scipy", "jax", "torch", "autograd", "casadi"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    libraries = ", ".join(f"{name} {version}" for name, version in versions.items())
    kernels = f"kernels for {instruction_set}"
    return f"{cpu}, {len(usable_cores())} of {os.cpu_count()} cores, {kernels}; {libraries}; {datetime.date.today()}."


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=(*REPORTS, "compile"))
    parser.add_argument("--rounds", type=int, default=21, help="of the paired timer (%(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="of the arrays")
    parser.add_argument("--markdown", action="store_true", help="tables for a page, and what they were measured on")
    arguments = parser.parse_args(argv)
    Table.markdown = arguments.markdown
    if arguments.markdown:
        print(machine())
    missed = 0
    for what in COMPILE if arguments.what == "compile" else (arguments.what,):
        if arguments.what == "compile":
            print(f"\n## {what.capitalize()}" if arguments.markdown else f"\n{what}")
        # two threads need two cores; all else, the peers' threads included, stays on one
        with pinned(usable_cores()[: None if what == "threads" else 1]):
            missed += REPORTS[what](arguments.sizes, arguments.rounds)
    if missed:
        print(f"\n{missed} bounds missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
