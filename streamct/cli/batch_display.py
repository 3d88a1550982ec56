"""What the user sees of a batch: one bar for all, a line for each file that failed, a table at the end."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from streamct.batch import BatchReport, BatchState
from streamct.cli.pace import Pace, spelled
from streamct.file_task import FileResult
from streamct.model import Event

if TYPE_CHECKING:
    from tqdm import tqdm

_JSON_SECONDS = 1.0
_LONGEST_TABLE = 60
_NAME_WIDTH = 44
_NOTES = 20
"""Lines of notes below the table, at most."""


class BatchDisplay:
    """Shows a batch's events; use as a context manager and call it with each.

    On stdout the path of each output that is there at the end, or with `as_json` the events; the rest on stderr.
    verbose: stage times of each file, and lines about queues beside the bar. dry: what would be done is listed instead.
    """

    def __init__(self, *, quiet: bool, verbose: bool, as_json: bool, dry: bool = False) -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._json = as_json
        self._dry = dry
        self._bar: tqdm[Any] | None = None
        self._total = 0
        self._failed: set[str] = set()
        self._files: list[FileResult] = []
        self._emitted = time.monotonic()
        self._pace = Pace()

    def __enter__(self) -> BatchDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def __call__(self, event: Event) -> None:
        if event.kind == "start":
            self._start(event.total or 0)
        elif event.kind == "status":
            self._status(event.data["state"])
        elif event.kind == "file":
            self._file(event.data["file"])
        elif event.kind == "done":
            self._done(event.data["report"])
        elif event.kind in ("note", "warning"):
            self.note(event.message, event.kind)

    def note(self, message: str, kind: str = "note", always: bool = False) -> None:
        """A line for the user. always: who asked for errors only has to see it too."""
        self._emit({"event": kind, "message": message})
        if always or not self._quiet:
            self._say(f"{kind}: {message}")

    def so_far(self) -> dict[str, Any]:
        """What a report has of the files that have ended."""
        return {"files": [_plain(result) for result in self._files]}

    def _start(self, total: int) -> None:
        self._total = total
        self._emit({"event": "start", "total": total})
        if not self._quiet and not self._dry and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                total=total, file=sys.stderr, dynamic_ncols=True, leave=False,
                bar_format="{percentage:3.0f}%|{bar}| {desc} [{elapsed}<{remaining}{postfix}]",
            )  # fmt: skip
            self._bar.set_description_str(f"0/{total} files")

    def _status(self, state: BatchState) -> None:
        now = time.monotonic()
        if self._json and now - self._emitted >= _JSON_SECONDS:
            self._emitted = now
            self._emit({"event": "progress", "done": state.files, **_plain(state)})
        if self._bar is not None:
            self._bar.n = round(state.share * state.total, 3)
            self._bar.set_description_str(f"{state.files}/{state.total} files", refresh=False)
            self._bar.set_postfix_str(f"{state.fps:.1f} frames/s", refresh=False)
            self._bar.refresh()
        if not self._quiet and (self._bar is None or self._verbose) and self._pace.due():
            self._line(state)

    def _line(self, state: BatchState) -> None:
        """One plain line."""
        rate = self._pace.tell(state.share)
        line = f"{state.files} of {state.total} files, {state.frames} frames, {100 * state.share:.0f}%"
        line += f", {state.fps:.1f} frames/s"
        if rate > 0:
            line += f", {spelled((1 - state.share) / rate)} left"
        if self._verbose:
            line += (
                f"; {state.running} jobs in flight, {state.waiting} waiting, {state.alive} workers, "
                f"{state.retries} retries; {_stages(state.stages)}"
            )
        self._say(line)

    def _file(self, result: FileResult) -> None:
        self._files.append(result)
        self._emit({"event": "file", **_plain(result)})
        if result.status == "failed":
            if result.error not in self._failed:  # what ends the whole run is said once
                self._say(f"failed: {result.error}")
            self._failed.add(result.error)
        elif self._verbose and not self._quiet and not self._dry:
            self._say(f"{result.status}: {result.name}: {result.frames} frames; {_stages(result.stages)}")

    def _done(self, report: BatchReport) -> None:
        self._close()
        self._emit({"event": "done", "report": _plain(report)})
        if self._dry:
            if not self._json:
                for result in report.files:
                    if result.status != "failed":
                        what = "done already" if result.status == "skipped" else "to do"
                        print(f"{what}: {result.input} -> {result.output}")
            return
        if not self._quiet:
            print(table(report, self._verbose), file=sys.stderr)
        if not self._json:
            for result in report.files:
                if result.status != "failed":
                    print(result.output)
            sys.stdout.flush()

    def _emit(self, event: dict[str, Any]) -> None:
        if self._json:
            print(json.dumps(event, default=str), flush=True)

    def _say(self, line: str) -> None:
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def table(report: BatchReport, whole: bool) -> str:
    """A line for each file, or where there are many for those that failed, the notes, and a line for all.

    whole: each file and each note anyway.
    """
    shown: Sequence[FileResult] = report.files
    if len(shown) > _LONGEST_TABLE and not whole:
        shown = [result for result in shown if result.status == "failed"]
    rows = [("file", "frames", "frames/s", "segmenter", "notes", "")]
    for result in shown:
        failed = result.status == "failed"
        rows.append(
            (
                _shortened(result.name),
                "" if failed else str(result.frames),
                "" if failed or not result.fps else f"{result.fps:.1f}",
                result.segmenter,
                str(len(result.warnings) or ""),
                f"{result.status}{_reused(result)}",
            )
        )
    lines = list(_aligned(rows)) if shown else []
    notes = list(_notes(report.files))
    if len(notes) > _NOTES and not whole:
        notes[_NOTES:] = [f"and {len(notes) - _NOTES} more notes; --report FILE has all"]
    lines += notes
    counts = {kind: sum(r.status == kind for r in report.files) for kind in ("done", "skipped", "failed")}
    said = [f"{counts['done']} graded"]
    if counts["skipped"]:
        said.append(f"{counts['skipped']} done before")
    if counts["failed"]:
        said.append(f"{counts['failed']} failed")
    total = f"{', '.join(said)}; {report.frames} frames in {report.seconds:.1f} s"
    before = sum(result.details.get("frames reused", 0) for result in report.files if result.status == "done")
    if before:
        total += f", {before} of them from an earlier run"
    if report.fps:
        total += f", {report.fps:.1f} frames/s"
    engine = f"{report.engine}, {report.workers} worker{'' if report.workers == 1 else 's'}"
    lines.append(f"{total} ({engine})")
    return "\n".join(lines)


def _reused(result: FileResult) -> str:
    """How much of a file an earlier run had finished."""
    parts, spans = result.details.get("parts reused", 0), result.details.get("spans", 1)
    if result.status != "done" or not result.details.get("frames reused"):
        return ""
    return f", {parts} of {spans} parts reused" if parts else ", graded before"


def _notes(files: Iterable[FileResult]) -> Iterable[str]:
    """What was said of files, each thing once: what differs in the file's own name alone is one thing."""
    said: dict[str, list[tuple[str, str]]] = {}
    for result in files:
        for line in result.warnings:
            said.setdefault(_common(line, result), []).append((result.name, line))
    for common, lines in said.items():
        name, line = lines[0]
        yield f"note: {name}: {line}" if len(lines) == 1 else f"note: {len(lines)} files: {common}"


def _common(line: str, result: FileResult) -> str:
    """A line without the names of its file: `writing a.mp4.mkv` is `writing .mkv`."""
    for path in (result.output, result.input):
        line = line.removeprefix(f"{path}: ").removeprefix(f"{path.name}: ")
        parts = re.split(rf"(?<![\w.-]){re.escape(path.name)}(?![\w-])", line)
        line = (path.suffix or path.name).join(parts)
    return line


def _aligned(rows: Iterable[tuple[str, ...]]) -> Iterable[str]:
    rows = list(rows)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.ljust(width) if i in (0, 3, 5) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _shortened(name: str) -> str:
    """The end of a long name, which tells files apart."""
    width = max(_NAME_WIDTH, shutil.get_terminal_size().columns - 50)
    return name if len(name) <= width else f"...{name[3 - width :]}"


def _stages(stages: Any) -> str:
    return ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in stages.items()) or "no stage is done yet"


def _plain(value: Any) -> dict[str, Any]:
    assert is_dataclass(value)
    assert not isinstance(value, type)
    return {name: _json(entry) for name, entry in asdict(value).items()}


def _json(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {key: _json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_json(entry) for entry in value]
    return value


def plain_report(report: BatchReport) -> dict[str, Any]:
    """A report as JSON has it."""
    return _plain(report)
