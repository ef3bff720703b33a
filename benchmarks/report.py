"""The figures that fastbs promises, measured: required and measured ratios side by side.

Usage::

    python -m benchmarks.report operators      # op @ X against the NumPy expression and raw BLAS
    python -m benchmarks.report backslash      # block systems against NumPy loops, and gradients for orientation
    python -m benchmarks.report systems        # 1,000 operator blocks, factorized, against NumPy loops
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
    python -m benchmarks.report compile        # all that docs/performance.md shows
    python -m benchmarks.report compile --write docs/performance.md  # and into its tables, all or none of them
    python -m benchmarks.report graphs --write docs/graphs.md        # so are blocks and kronecker, each with its page
    python -m benchmarks.report operators --rounds 41 --sizes 4 64

Run it from the root of a checkout with fastbs installed. The exit code is 1 if a bound is missed.
"""

import argparse
import contextlib
import datetime
import importlib.metadata
import importlib.util
import io
import os
import platform
import sys
from pathlib import Path

from threadpoolctl import threadpool_info

from fastbs._tape import instruction_set

from . import (
    backslash_cases,
    block_cases,
    gradient_cases,
    graph_cases,
    hessian_cases,
    jacobian_cases,
    kernel_cases,
    kronecker_cases,
    loop_cases,
    network_cases,
    operator_cases,
    program_cases,
    scaling_cases,
    small_cases,
    start_cases,
    thread_cases,
)
from .page import Page
from .tables import Table
from .thread_cases import pinned, usable_cores

CASES = {
    "operators": operator_cases.report,
    "backslash": backslash_cases.report,
    "systems": backslash_cases.report_factorized,
    "kernels": kernel_cases.report,
    "networks": network_cases.report,
    "gradients": gradient_cases.report,
    "jacobians": jacobian_cases.report,
    "blocks": block_cases.report,
    "graphs": graph_cases.report,
    "kronecker": kronecker_cases.report,
    "loops": loop_cases.report,
    "programs": program_cases.report,
    "hessians": hessian_cases.report,
    "small": small_cases.report,
    "start": start_cases.report,
    "threads": thread_cases.report,
    "scaling": scaling_cases.report,
}
# what the compiler promises, and all that its tables need
COMPILE = (
    "networks", "small", "programs", "loops", "jacobians", "hessians", "systems", "start", "threads",
)  # fmt: skip
# without these the page of a report would lack rows
PEERS = {
    "compile": ("jax", "torch", "casadi"),
    "blocks": ("jax",),
    "kronecker": ("pyfastkron", "opt_einsum"),
}


class Echo(io.StringIO):
    """What is printed, kept."""

    def __init__(self, stream):
        super().__init__()
        self.stream = stream

    def write(self, text):
        self.stream.write(text)
        return super().write(text)

    def flush(self):
        self.stream.flush()


def machine():
    """What was measured on, with what, and when."""
    cpu = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), cpu)
    versions = {"Python": platform.python_version()}
    for name in ("fastbs", "numpy", "scipy", "jax", "torch", "autograd", "casadi", "pyfastkron", "opt_einsum"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    for pool in threadpool_info():
        if pool["user_api"] == "blas":
            versions[pool["internal_api"]] = f"{pool['version']} for {pool.get('architecture')}"
    libraries = ", ".join(f"{name} {version}" for name, version in versions.items())
    kernels = f"kernels for {instruction_set}"
    return f"{cpu}, {len(usable_cores())} of {os.cpu_count()} cores, {kernels}; {libraries}; {datetime.date.today()}."


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=(*CASES, "compile"))
    parser.add_argument("--rounds", type=int, default=21, help="of the paired timer (%(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", help="of the arrays; all by default")
    parser.add_argument("--markdown", action="store_true", help="tables for a page, and what they were measured on")
    parser.add_argument("--write", metavar="PAGE", help="put the tables between the marks of this page, all or none")
    arguments = parser.parse_args(argv)
    names = COMPILE if arguments.what == "compile" else (arguments.what,)
    page = None
    if arguments.write:
        peers = PEERS.get(arguments.what, ())
        if lacking := [peer for peer in peers if importlib.util.find_spec(peer) is None]:
            parser.error(f"--write must find {', '.join(peers)}, or rows would be missing; got no {', '.join(lacking)}")
        if "threads" in names and len(usable_cores()) < 2:
            parser.error("--write must have two cores, or the table of threads would be empty; got one")
        page = Page(arguments.write, ("machine", *names))
    Table.markdown = arguments.markdown or page is not None
    texts, missed = {}, 0
    if Table.markdown:
        texts["machine"] = machine()
        print(texts["machine"])
    for what in names:
        if len(names) > 1:
            print(f"\n## {what.capitalize()}" if Table.markdown else f"\n{what}")
        # two threads need two cores; all else, the peers' threads included, stays on one
        with (
            pinned(usable_cores()[: None if what == "threads" else 1]),
            contextlib.redirect_stdout(Echo(sys.stdout)) as said,
        ):
            missed += CASES[what](arguments.sizes, arguments.rounds)
        texts[what] = said.getvalue()
    if page:
        page.write(texts)
    if missed:
        print(f"\n{missed} bounds missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
