from collections.abc import Callable, Sequence
from typing import Any

from .errors import TraceError

functions: dict[Any, Any]
methods: dict[Any, Any]

class MissingAttribute(TraceError, AttributeError): ...

class Node:
    value: Any
    function: Callable[..., Any] | None
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    level: int
    serial: int
    trace: Any
    values: tuple[Any, ...]
    where: str | None
    shape: tuple[int, ...]

class Traced:
    value: Any
    level: int
    shape: tuple[int, ...]
    ndim: int
    size: int
    dtype: Any
    def __getattr__(self, name: str) -> Any: ...

def is_replayed(traced: Traced) -> bool: ...
def node_of(traced: Traced) -> Node: ...
def traced(node: Node) -> Traced: ...
def line_now() -> str | None: ...
def steps_made() -> int: ...
def record(function: Callable[..., Any], arguments: Sequence[Any], keywords: dict[str, Any] | None = None) -> Any: ...
def left_behind(name: str) -> TraceError: ...
def constant_error(what: str, got: str, way_out: str) -> TraceError: ...
def trace(
    function: Callable[..., Any], values: Sequence[Any], replayed: bool = False
) -> tuple[list[Node], Any, int]: ...
def steps(results: Sequence[Node]) -> list[Node]: ...

class Structure:
    key: Any
    results: list[Node]
    order: list[Node]
    leaves: list[Any]
    def __init__(self, inputs: list[Node], results: list[Node], cotangents: list[Any]) -> None: ...

def with_leaves(order: list[Node], cotangents: list[Any], leaves: Sequence[Any]) -> tuple[list[Node], list[Any]]: ...
