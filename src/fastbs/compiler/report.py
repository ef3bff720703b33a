"""What a plan does, as text."""

from .lowering import CALL, CLUSTER

__all__ = ["Report"]

NAMES = ["copy", "axpby", "multiply", "divide", "gemm", "gemv", "product", "inner", "fill", "cluster", "call"]


class Report:
    """What a plan does, as text."""

    def __init__(self, lowering, arena):
        code = lowering.code
        self.instructions = len(code)
        self.flops = sum(line.cost for line in code if line.opcode != CALL)
        self.arena = arena
        self.constants = sum(kept.nbytes for _, kept in lowering.buffers["constant"])
        self.calls = [line.detail for line in code if line.opcode == CALL]
        self.clusters = [line.detail for line in code if line.opcode == CLUSTER]
        self.lines = [describe(line) for line in code]

    def __str__(self):
        fused = sum(len(cluster.names) for cluster in self.clusters)
        lines = [
            f"{self.instructions} instructions, about {self.flops:.3g} flops",
            f"arena {self.arena} bytes, constants {self.constants} bytes",
            f"{fused} elementwise steps and reductions in {len(self.clusters)} loops",
            f"{len(self.calls)} calls into Python",
        ]
        return "\n".join([*lines, *(f"  {line}" for line in self.lines)])


def describe(line):
    """One line of a report for an instruction."""
    names = ["copy", "axpby", "multiply", "divide", "gemm", "gemv", "product", "inner", "fill", "cluster", "call"]
    name = names[line.opcode]
    if line.opcode == CLUSTER:
        axes = " x ".join(str(n) for n in line.detail.shape if n != 1) or "1"
        return f"cluster {axes} ({line.detail.real}): {', '.join(line.detail.names)}"
    if line.opcode == CALL:
        where = f" at {line.detail.where}" if line.detail.where else ""
        return f"call {getattr(line.detail.function, '__name__', line.detail.function)}{where}"
    sizes = f"{line.m} x {line.n}" + (f" x {line.k}" if name in ("gemm", "gemv", "product") else "")
    return f"{name} {sizes}" + (f", {line.batch} times" if line.batch > 1 else "")
