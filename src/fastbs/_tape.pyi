from typing import Any

import numpy as np

instruction_set: str
FUNCTIONS: tuple[str, ...]

class Tape:
    cost: float
    report: Any
    def __init__(
        self,
        dtype: int,
        inputs: list[Any],
        outputs: list[Any],
        instructions: list[tuple[Any, ...]],
        arena: int,
        report: Any = None,
    ) -> None: ...
    def __call__(self, *inputs: Any) -> tuple[np.ndarray, ...]: ...
    def __len__(self) -> int: ...
    def fits(self, *inputs: Any) -> bool: ...
    def gives(self, out: np.ndarray) -> bool: ...

class TapedOperator:
    def __matmul__(self, X: Any) -> Any: ...
    def apply_into(self, X: np.ndarray, out: np.ndarray) -> np.ndarray: ...
    def _bind(self, tape: Tape, leaves: tuple[Any, ...], into: bool) -> None: ...

def map_function(name: str, x: np.ndarray, kernels: str = ...) -> np.ndarray: ...
