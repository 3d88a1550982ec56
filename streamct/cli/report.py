"""What the user sees while a command runs, and when it fails."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
import time
import traceback
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from streamct.cli.pace import Pace, spelled
from streamct.errors import StreamctError

if TYPE_CHECKING:
    from tqdm import tqdm

    from streamct.model import Event

_WIDTH = 100


def complain(error: StreamctError, verbose: bool, as_json: bool = False) -> None:
    """Print an error of ours, with its cause if asked for. as_json: as an event on stdout too."""
    _print_wrapped("error: ", str(error))
    if as_json:
        _emit_error(str(error))
    if verbose:
        traceback.print_exception(error, file=sys.stderr)


def _emit_error(message: str) -> None:
    """An error as an event on stdout, unless that takes the output."""
    if not any(pair in (["-o", "-"], ["--output", "-"]) for pair in map(list, pairwise(sys.argv))):
        print(json.dumps({"event": "error", "message": message}), flush=True)


def complain_internal(error: Exception, verbose: bool, as_json: bool = False) -> None:
    """Print an error that is a fault of streamct's own. as_json: as an event on stdout too."""
    told = f"internal error: {type(error).__name__}: {error}"
    _print_wrapped("", told)
    if as_json:
        _emit_error(told)
    if verbose:
        traceback.print_exception(error, file=sys.stderr)
    else:
        print(
            "       This is a fault of streamct. Please report it with what --verbose prints.",
            file=sys.stderr,
        )


def _print_wrapped(head: str, text: str) -> None:
    """On a terminal wrapped between words and indented; elsewhere one line, which logs and grep want.

    Where the text has several lines, each tells something of its own.
    """
    if "\n" in text:
        for line in text.splitlines():
            _print_wrapped(head, line)
        return
    if sys.stderr.isatty():
        width = max(40, min(shutil.get_terminal_size().columns, _WIDTH))
        indent = " " * len("error: ")
        options: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
        text = textwrap.fill(text, width, initial_indent=head, subsequent_indent=indent, **options)
    else:
        text = head + text
    print(text, file=sys.stderr)


class Display:
    """Shows a run's events: a bar on a terminal, lines elsewhere, JSON on stdout if asked for.

    Use as a context manager; call it with each event. piped: stdout is taken; JSON goes to stderr. many: how many files
    of one `unit` each there are, which then share a bar and a last line.
    """

    def __init__(self, unit: str, *, quiet: bool, as_json: bool, piped: bool = False, many: int | None = None) -> None:
        self._many = many
        self._ended = 0
        self._began = time.monotonic()
        self._unit = unit
        self._quiet = quiet
        self._json = as_json
        self._piped = piped
        self._out = sys.stderr if piped else sys.stdout
        self._bar: tqdm[Any] | None = None
        self._total: int | None = None
        self._pace = Pace()

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        if self._many is not None and error is None and not self._quiet:
            print(self._summary(self._ended, time.monotonic() - self._began), file=sys.stderr)

    def __call__(self, event: Event) -> None:
        if self._json:
            print(json.dumps(_plain(event)), file=self._out, flush=True)
        if event.kind == "start":
            self._start(event.total)
        elif event.kind == "progress":
            self._progress(event.done)
        elif event.kind == "done":
            self._done(event)
        elif not self._quiet:
            self._say(f"{event.kind}: {event.message}")

    def _start(self, total: int | None) -> None:
        if self._many is not None:
            if self._total is not None:
                return
            total = self._many
        self._total = total
        self._pace = Pace()
        if not self._quiet and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit=f" {self._unit}", file=sys.stderr, dynamic_ncols=True, leave=False)

    def _progress(self, done: int) -> None:
        if self._many is not None:
            done = self._ended + min(done, 1)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
        elif not self._quiet and self._pace.due():
            self._line(done)

    def _line(self, done: int) -> None:
        """One plain line."""
        rate = self._pace.tell(done)
        known = self._total is not None and done <= self._total  # a container may tell too low a number
        text = f"{done} of {self._total} {self._unit}s" if known else f"{done} {self._unit}s"
        if self._total and known:
            text += f", {100 * done // self._total}%"
        text += f", {rate:.1f} {self._unit}s/s"
        if self._total is not None and known and rate > 0:
            text += f", {spelled((self._total - done) / rate)} left"
        print(text, file=sys.stderr)

    def _done(self, event: Event) -> None:
        report = event.data["report"]
        self._ended += 1
        if self._many is None:
            if self._bar is not None:
                self._bar.close()
                self._bar = None
            if not self._quiet:
                pace = (
                    f", {report.details['fps']:.1f} {self._unit}s/s once under way" if "fps" in report.details else ""
                )
                print(self._summary(report.frames, report.seconds) + pace, file=sys.stderr)
        if not (self._json or self._piped):
            if self._bar is not None and self._out.isatty():
                self._bar.write(str(report.output), file=self._out)
            else:
                print(report.output, file=self._out, flush=True)

    def _summary(self, count: int, seconds: float) -> str:
        return f"{count} {self._unit}{'' if count == 1 else 's'} in {seconds:.1f} s"

    def _say(self, line: str) -> None:
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr)


def _plain(event: Event) -> dict[str, Any]:
    out: dict[str, Any] = {"event": event.kind}
    if event.message:
        out["message"] = event.message
    if event.kind in ("start", "progress"):
        out["total"] = event.total
    if event.kind == "progress":
        out["done"] = event.done
    for name, value in event.data.items():
        out[name] = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(value).items()}
    return out
