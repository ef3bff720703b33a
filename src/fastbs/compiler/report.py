"""What a plan does, as text."""

from .instructions import CALL, CLUSTER, LOOP, PARALLEL, RECURRENCE, walk

__all__ = ["Report"]

NAMES = [
    "copy", "axpby", "multiply", "divide", "gemm", "gemv", "product", "inner", "fill", "cluster", "call", "loop",
    "parallel", "recurrence", "cholesky", "triangular solve", "solve",
]  # fmt: skip


class Report:
    """What a plan does, as text."""

    def __init__(self, lowering, arena):
        code = list(walk(lowering.code))
        self.instructions = len(code)
        self.flops = sum(line.cost for line in lowering.code if line.opcode != CALL)
        self.arena = arena
        self.constants = sum(kept.nbytes for _, kept in lowering.buffers["constant"])
        self.calls = [line.detail for line in code if line.opcode == CALL]
        self.clusters = [line.detail for line in code if line.opcode in (CLUSTER, RECURRENCE)]
        self.lines = list(described(lowering.code))

    def __str__(self):
        fused = sum(len(cluster.names) for cluster in self.clusters)
        lines = [
            f"{self.instructions} instructions, about {self.flops:.3g} flops",
            f"arena {self.arena} bytes, constants {self.constants} bytes",
            f"{fused} elementwise steps and reductions in {len(self.clusters)} loops",
            f"{len(self.calls)} calls into Python",
        ]
        return "\n".join([*lines, *(f"  {line}" for line in self.lines)])


def described(code, indent=""):
    """The lines of a report, those inside of loops indented."""
    for line in code:
        yield indent + describe(line)
        if line.opcode == LOOP:
            for body in line.detail.bodies:
                yield from described(body.code, indent + "  ")


def describe(line):
    """One line of a report for an instruction."""
    if line.opcode == LOOP:
        times = line.detail.bodies[0].length
        return f"loop, {times} times" if line.detail.flag is None else f"if {'not ' * (not line.detail.wanted)}the flag"
    if line.opcode == PARALLEL:
        return f"at the same time, the next {line.m}"
    name = NAMES[line.opcode]
    if line.opcode == CLUSTER:
        axes = " x ".join(str(n) for n in line.detail.shape if n != 1) or "1"
        return f"cluster {axes} ({line.detail.real}): {', '.join(line.detail.names)}"
    if line.opcode == RECURRENCE:
        return f"recurrence, {line.detail.length} times ({line.detail.real}): {', '.join(line.detail.names)}"
    if line.opcode == CALL:
        where = f" at {line.detail.where}" if line.detail.where else ""
        return f"call {getattr(line.detail.function, '__name__', line.detail.function)}{where}"
    sizes = f"{line.m} x {line.n}" + (f" x {line.k}" if name in ("gemm", "gemv", "product") else "")
    return f"{name} {sizes}" + (f", {line.batch} times" if line.batch > 1 else "")
