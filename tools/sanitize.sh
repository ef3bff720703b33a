#!/usr/bin/env bash
# Runs the tests with the kernels under AddressSanitizer and UndefinedBehaviorSanitizer (GCC, Linux).
# Usage: bash tools/sanitize.sh [pytest arguments]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
unset PYTHONPATH

# A copy, so that no object file from an ordinary build is reused and none of these stays behind.
mkdir "$WORK/copy"
cp -r src tests setup.py setup.cfg pyproject.toml README.md LICENSE MANIFEST.in "$WORK/copy"
cd "$WORK/copy"
rm -rf build src/fastbs/_*.so

# Full optimization of checked code takes longer than all tests together; the last level given counts.
printf '#!/bin/sh\nexec gcc "$@" -O1\n' > "$WORK/gcc-O1"
chmod +x "$WORK/gcc-O1"

"${PYTHON:-python3}" -m venv "$WORK/venv"
CC="$WORK/gcc-O1" CFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g" \
    LDFLAGS="-fsanitize=address,undefined" "$WORK/venv/bin/pip" install --quiet ".[test]"

# CPython keeps memory until it exits, so leaks are not looked for; malloc lets ASan see every allocation.
LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
    ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 \
    PYTHONMALLOC=malloc "$WORK/venv/bin/python" -m pytest "$@"
