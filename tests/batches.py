"""Small batches: run, and what became of their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamct.batch import BatchReport, run_batch
from streamct.errors import OutputError
from streamct.execute.local import LocalExecutor
from streamct.file_task import Options
from streamct.ledger import Ledger
from streamct.model import Event
from streamct.settings import Settings
from streamct.sources import collect

LOSSLESS = Settings().updated(output__codec="ffv1")


def ran(
    root: Path, *extra: Path, settings: Settings = LOSSLESS, heard: list[Event] | None = None, **options: Any
) -> BatchReport:
    out = root / "out"
    found = collect([root / "in", *extra], root / "ref.png", out, settings, recursive=True)
    chosen = Options(out, Ledger(out / ".streamct"), **options)
    with LocalExecutor(2) as executor:
        return run_batch(found.items, chosen, executor, progress=None if heard is None else heard.append)


def statuses(report: BatchReport) -> dict[str, str]:
    return {result.name: result.status for result in report.files}


def times(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def dies(*arguments: Any) -> None:
    raise OutputError("the machine has stopped here")


def noted(call: Any, graded: list[Path]) -> Any:
    def noted(input: Any, *arguments: Any, **named: Any) -> Any:
        graded.append(getattr(input, "input", input))
        return call(input, *arguments, **named)

    return noted
