from typing import Any

UNIT: int
LOWER: int
UPPER: int
LU: int
LU_TRANSPOSED: int
CHOLESKY: int
INVERSE: int
GENERAL: int
SPD: int

class Sweep:
    def __init__(self, *arguments: Any) -> None: ...
    def run(self, b: Any, out: Any = None, multiply: bool = False) -> Any: ...
    def factor(self, factors: Any, pivots: Any) -> None: ...

class SparseSweep(Sweep): ...

def fail_allocation(count: int | None) -> None: ...
def allocated() -> int: ...
