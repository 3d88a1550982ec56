#!/usr/bin/env bash
# Faults on Ray, the slow ones too: scripts/soak.sh DATA [ROUNDS]. Prints a line for each; fails if one comes out wrong.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${PYTHON:-python}"
"$python" -m pytest -q tests/contract/test_executors.py tests/contract/test_cluster.py
"$python" scripts/soak.py "$@"
