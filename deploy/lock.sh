#!/usr/bin/env bash
# Writes requirements.lock anew: what runs first, then, below the mark, what only builds on it is developed with.
# Versions and hashes, no package host. The mark lets `make run` install the first part alone.
set -euo pipefail
cd "$(dirname "$0")/.."
part=$(mktemp -d); trap 'rm -rf "$part"' EXIT
flags=(--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet)
uv pip compile pyproject.toml --group build "${flags[@]}" -o "$part/run.txt"
uv pip compile pyproject.toml --group build --group dev "${flags[@]}" -c "$part/run.txt" -o "$part/all.txt"
python3 - "$part" > requirements.lock <<'PY'
import re, sys
from pathlib import Path
def blocks(name):
    return re.findall(r"^\S.*(?:\n .*)*", Path(sys.argv[1], name).read_text(), re.M)
run = blocks("run.txt")
print("# Made by deploy/lock.sh from pyproject.toml. Versions and hashes; no package host.", *run, sep="\n")
print("# --- development: not needed to run ---", *[b for b in blocks("all.txt") if b not in run], sep="\n")
PY
