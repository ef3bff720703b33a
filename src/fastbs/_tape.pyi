from typing import Any

import numpy as np

blas_is_wider: bool
instruction_set: str
FUNCTIONS: tuple[str, ...]
MISS: object
pattern_kinds: dict[str, int]

class Tape:
    cost: float
    report: Any
    def __init__(
        self,
        inputs: list[Any],
        outputs: list[Any],
        constants: list[np.ndarray],
        instructions: list[tuple[Any, ...]],
        arena: int,
        objects: int = 0,
        report: Any = None,
        moving: int = 0,
    ) -> None: ...
    def __call__(self, *inputs: Any) -> tuple[np.ndarray, ...]: ...
    def __len__(self) -> int: ...
    def bound(self, inputs: list[np.ndarray], outputs: list[np.ndarray]) -> Any: ...
    def fits(self, *inputs: Any) -> bool: ...
    def gives(self, out: np.ndarray) -> bool: ...
    def output_layouts(self) -> list[Any]: ...

class TapedOperator:
    def __matmul__(self, X: Any) -> Any: ...
    def apply_into(self, X: np.ndarray, out: np.ndarray) -> np.ndarray: ...
    def _bind(self, tape: Tape, leaves: tuple[Any, ...], into: bool) -> None: ...

class Plan:
    tape: Tape
    arguments: tuple[Any, ...]
    keywords: tuple[Any, ...]
    results: tuple[Any, ...]
    def __init__(
        self, tape: Tape, arguments: tuple[Any, ...], keywords: tuple[Any, ...], results: tuple[Any, ...]
    ) -> None: ...
    def run(self, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any: ...

class CompiledFunction:
    plan: Plan | None
    def __call__(self, *arguments: Any, **keywords: Any) -> Any: ...

class BoundPlan:
    copies: int
    def __new__(cls, *arguments: Any) -> Any: ...
    def __call__(self) -> Any: ...

def map_function(name: str, x: np.ndarray, kernels: str = ...) -> np.ndarray: ...
def workers() -> int: ...
