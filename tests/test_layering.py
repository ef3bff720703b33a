"""One direction: a module imports only from layers below it; read from the source with ast."""

import ast
from pathlib import Path

import pytest

import fastbs

ROOT = Path(fastbs.__file__).parent

# From the bottom up. Modules of one line may import each other unless that makes a cycle.
LAYERS = [
    ["errors", "backslash", "chain", "tour.errors"],
    ["shapes", "arguments"],
    ["values", "display"],
    ["_tape", "_trace"],
    ["compile"],
    ["tapes"],
    ["operator"],
    ["composites", "interop"],
    ["operators"],
    ["rules"],
    ["blocks"],
    ["solvers", "graph", "scipy"],
    ["system"],
    ["jacobian"],
    ["derivatives"],
    ["program", "testing", "data"],
    ["__init__"],
    ["tour"],
    ["__main__"],
]
# Bridges that may be imported inside a function, because they are optional or slow to import.
BRIDGES = ("matplotlib", "scipy.sparse", "fastbs.interop", "importlib")

MODULES = sorted(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in ROOT.rglob("*.py"))


def layer(module):
    """The number of the layer of a module; the longest name that fits counts."""
    fits = [(len(name), i) for i, names in enumerate(LAYERS) for name in names if f"{module}.".startswith(f"{name}.")]
    assert fits, f"{module} stands in no layer"
    return max(fits)[1]


def imports(module):
    """``(imported module, whether inside a function)`` of everything a module imports."""
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {n for f in ast.walk(tree) if isinstance(f, (ast.FunctionDef, ast.Lambda)) for n in ast.walk(f)}
    package = ["fastbs", *module.split(".")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            stem = ".".join([*base, *(node.module.split(".") if node.module else [])])
            names = [f"{stem}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield name, node in inside


def own(name):
    """The module of fastbs that an imported name belongs to, None for others."""
    if name == "fastbs":
        return "__init__"
    if not name.startswith("fastbs."):
        return None
    parts = name.split(".")[1:]
    while parts:
        path = ROOT.joinpath(*parts)
        if path.with_suffix(".py").exists() or path.with_suffix(".pyi").exists():
            return ".".join(parts)
        if path.is_dir():
            return ".".join([*parts, "__init__"])
        parts.pop()
    return "__init__"


def edges(module):
    """The modules of fastbs that are imported with this one; bridges are imported later."""
    found = (own(name) for name, inside in imports(module) if not inside)
    return {target for target in found if target not in (None, module)}


@pytest.mark.parametrize("module", MODULES)
def test_imports_come_from_below(module):
    for target in edges(module):
        home = target.removesuffix(".__init__")
        assert layer(home) <= layer(module), f"{module} imports {target} from above"


@pytest.mark.parametrize("module", MODULES)
def test_imports_inside_functions_are_bridges(module):
    for name, inside in imports(module):
        assert not inside or name.startswith(BRIDGES), f"{module} imports {name} inside a function"


def test_no_cycles():
    done, path = set(), []

    def visit(module):
        assert module not in path, f"a cycle: {' -> '.join([*path[path.index(module) :], module])}"
        if module in done:
            return
        path.append(module)
        # a package's __init__ gathers its modules; a module reaches siblings directly
        for target in edges(module):
            if target in MODULES and not module.startswith(target.removesuffix("__init__") or "\0"):
                visit(target)
        path.pop()
        done.add(module)

    for module in MODULES:
        visit(module)


def test_the_substitution_imports_nothing_of_fastbs():
    assert edges("backslash") == set()
