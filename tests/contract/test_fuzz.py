"""Whatever a file holds, a run ends in a graded file or in an error of our own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "fuzz.py"


@pytest.mark.parametrize("seed", [7])
def test_damaged_files_crash_nothing_and_leave_no_traceback(seed: int) -> None:
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "24", str(seed)], capture_output=True, text=True, check=False, timeout=500
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"24 mutations, seed {seed}: 0 failures" in run.stdout
    assert "Traceback" not in run.stdout + run.stderr
