"""The architecture, as the imports of the package have it: a module imports only from layers below its own."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import fastbs

# From the bottom up. Names on one line do not import each other; a package is all its modules.
LAYERS = [
    "errors",
    "shapes arguments parts draws",
    "backslash interop display data chain",
    "values semirings",
    "_tape _trace _graph _kronecker _blocks",  # compiled: the executor, the recording, and the sweeps
    "edges",
    "levels stack",
    "block_rows",
    "dense_stack list_stack sparse_stack tridiagonal_stack",
    "graph",
    "path_weights",
    "compiler",  # programs -> tapes
    "tapes",  # operators -> tapes
    "operator",
    "composites",
    "operators",
    "blocks rules manifolds",
    "solvers system scipy lowerings contractions linear_algebra",
    "directions bodies",
    "forward scan cond",
    "jacobian signatures",
    "compiled sparse",
    "replay",
    "recording",
    "derivatives",
    "program testing",
    "__init__",  # the public names; the tour is a user of them
    "tour",
    "__main__",
]
INSIDE = {
    "blocks": [
        "row vector",
        "entry flat",
        "lazy taped",
        "factorization",
        "matrix",
        "triangular",
        "bidiagonal",
        "diagonal tridiagonal",
    ],
    "compiler": [
        "arena views program elementwise",
        "simplify fuse loops checkpoints instructions numbers",
        "clusters states table",
        "scalars distribute",
        "sums",
        "lowering recurrences",
        "repeat report threads along layers",
        "chunks",
        "assemble",
        "rows",
    ],  # from programs to tapes, a pass a file
    "data": [],
    "display": ["names", "text plot", "html"],
    "interop": ["scipy bsr"],
    "manifolds": ["stiefel symmetric triangular"],
    "operators": [
        "arrayoperator",
        "matrix elementwise identity zero inner hadamard",
        "left right kronecker kroneckersum product reduction recurrence",
    ],
    "rules": [
        "table",
        "elementwise several graphs",
        "indexing reductions einsum solves own",
        "assignment creation special running orders factorizations joining products rearranging shapes stacks",
        "convolution linalg methods polynomials statistics tridiagonals",
        "scipy_door",
        "scipy_solves",
        "scipy_factorizations scipy_matrices",
    ],
    "scipy": ["linalg special"],
    "solvers": ["elements numeric", "door"],
    "tour": ["errors network task", "report table training", "pictures problem"],
}
# Imported where they are used: extras, and what is slow to import.
BRIDGES = (
    "matplotlib",
    "checkpoint_schedules",
    "fastbs.interop",
    "fastbs.sparse",
    "scipy.sparse",
    "fastbs.rules.special",
)

ROOT = Path(fastbs.__file__).parent


def name_of(path):
    """``fastbs.blocks.row`` of a file; a package has the name of its directory."""
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}
COMPILED = {name_of(path) for path in ROOT.glob("_*.pyi")}
MODULES = SOURCES.keys() | COMPILED
PACKAGES = {name for name, path in SOURCES.items() if path.name == "__init__.py"}


def imports(name, source=None):
    """``(module, line, whether inside a function)`` of all imports of a module."""
    tree = ast.parse(SOURCES[name].read_text(encoding="utf-8") if source is None else source)
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = name if name in PACKAGES else name.rpartition(".")[0]
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*base, *([node.module] if node.module else [])])
            inner = [f"{base}.{alias.name}" for alias in node.names]
            targets = [target if target in MODULES else base for target in inner]
        else:
            continue
        for target in targets:
            yield target, node.lineno, id(node) in inside


def rank(name):
    """Where a module stands: its layer, and its place inside its package."""
    parts = name.split(".")[1:] or ["__init__"]
    layer = next((i for i, line in enumerate(LAYERS) if parts[0] in line.split()), None)
    if layer is None:
        return None
    rows = INSIDE.get(parts[0], [])
    if len(parts) == 1:
        return layer, len(rows)  # a package itself is above what is in it
    row = next((i for i, line in enumerate(rows) if parts[1] in line.split()), None)
    return None if row is None else (layer, row)


def is_below(lower, upper):
    """Whether `upper` may import `lower`: in one package by the rows inside, else by the layers."""
    one_package = lower.split(".")[1:2] == upper.split(".")[1:2]
    return rank(lower) < rank(upper) if one_package else rank(lower)[0] < rank(upper)[0]


def edges(name):
    """The modules of this package that a module needs when it is imported."""
    for target, _, inside in imports(name):
        if target in MODULES and not inside:
            yield target
            package = target.rpartition(".")[0]  # importing a.b runs a/__init__
            if package != "fastbs" and package in PACKAGES and not name.startswith(package):
                yield package


def test_every_module_has_a_layer():
    assert not [name for name in MODULES if rank(name) is None], "give the new module a place in LAYERS or INSIDE"
    listed = {f"fastbs.{name}" for line in LAYERS for name in line.split()} - {"fastbs.__init__"}
    listed |= {f"fastbs.{package}.{name}" for package, rows in INSIDE.items() for row in rows for name in row.split()}
    assert not listed - MODULES, "these are gone"


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_imports_go_down(name):
    for target, line, _ in imports(name):
        if target.split(".")[0] == "fastbs":
            assert target in MODULES, f"{name}, line {line}: no module {target}"
            assert is_below(target, name), f"{name}, line {line}: {target} is not below it"


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_imports_stand_on_top(name):
    for target, line, inside in imports(name):
        allowed = any(target == bridge or target.startswith(bridge + ".") for bridge in BRIDGES)
        assert not inside or allowed, f"{name}, line {line}: {target} is imported inside a function"


def test_there_is_no_cycle():
    graph = {name: set(edges(name)) for name in SOURCES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"these import each other: {error.args[1]}")


def test_the_substitution_knows_nothing_of_the_package():
    assert not [target for target, *_ in imports("fastbs.backslash") if target.startswith("fastbs")]


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("fastbs.blocks.row", "from ..shapes import text", ("fastbs.shapes", 1, False)),
        ("fastbs.operator", "from . import values", ("fastbs.values", 1, False)),
        ("fastbs.blocks", "from .row import Row", ("fastbs.blocks.row", 1, False)),
        ("fastbs.tour.network", "import fastbs as fb", ("fastbs", 1, False)),
        ("fastbs.graph", "from fastbs.errors import X", ("fastbs.errors", 1, False)),
        ("fastbs.tapes", "def f():\n    from .blocks import Row", ("fastbs.blocks", 2, True)),
        ("fastbs.tapes", "f = lambda: __import__\nimport os.path", ("os.path", 2, False)),
    ],
    ids=["parent", "sibling", "package", "root", "absolute", "inside a function", "outside"],
)
def test_imports_are_read_right(name, source, expected):
    assert list(imports(name, source)) == [expected]


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        ("errors", "blocks.row"),
        ("blocks.row", "blocks.matrix"),
        ("blocks.matrix", "blocks"),
        ("operators", "rules.table"),
    ],
)
def test_a_wrong_import_would_be_seen(lower, upper):
    assert is_below(f"fastbs.{lower}", f"fastbs.{upper}")
    assert not is_below(f"fastbs.{upper}", f"fastbs.{lower}")


def test_a_sideways_import_would_be_seen():
    for one, other in (
        ("operators.left", "operators.right"),
        ("rules.table", "blocks.matrix"),
        ("values", "semirings"),
    ):
        assert not is_below(f"fastbs.{one}", f"fastbs.{other}")
        assert not is_below(f"fastbs.{other}", f"fastbs.{one}")


def test_importing_the_package_is_light():
    """Only NumPy, scipy.linalg and optree come along; what else is slow to import waits until it is used."""
    program = (
        "import sys, numpy, scipy.linalg; before = set(sys.modules); import fastbs; print(*set(sys.modules) - before)"
    )
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert "fastbs" in loaded
    allowed = {"fastbs", "numpy", "optree", "typing_extensions", *sys.stdlib_module_names}
    assert not [name for name in loaded if name.split(".")[0] not in allowed and not name.startswith("_cython")]
