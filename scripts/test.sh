#!/usr/bin/env bash
# All checks and tests, in a virtual environment of its own making. Arguments go to pytest.
# Real clips and pictures are looked for at $STREAMCT_TEST_DATA, by default ../shared/data.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/venv.sh '[test]'
ruff check .
ruff format --check .
lint-imports
mypy
python -m pytest "$@"
