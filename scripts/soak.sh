#!/usr/bin/env bash
# Faults, the slow ones too, by the clip and by the folder, here and on Ray: scripts/soak.sh DATA [ROUNDS]. Prints a line
# for each and FAILED for what comes out wrong or can't be tried; fails if anything does.
set -uo pipefail
cd "$(dirname "$0")/.."
export PYTHON="${PYTHON:-python}"
data=${1:?DATA}
failed=0
try() {
    echo "== $*"
    "$@" || { echo "FAILED: $*"; failed=1; }
}
try "$PYTHON" -m pytest -q tests/contract/test_executors.py tests/contract/test_cluster.py tests/contract/test_ray_process.py
try "$PYTHON" scripts/soak.py "$@"
try bash scripts/soak_batch.sh "$data" local
try bash scripts/soak_batch.sh "$data" ray
exit $failed
