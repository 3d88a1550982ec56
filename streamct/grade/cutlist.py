"""Cuts listed in a file: frame numbers, timecodes, or an edit decision list.

A line of a list holds one cut: a frame number (from 0), `hh:mm:ss.mmm` from the clip's first frame, or `hh:mm:ss:ff`
(`hh:mm:ss;ff`: drop-frame) at the clip's rate. Empty lines, and what follows a #, don't count. An EDL (CMX 3600) is
told by its events: each event of the picture begins a shot at its record-in, the first of them the clip.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from pathlib import Path

from streamct.errors import TrackError
from streamct.grade.cuts import ListedCuts
from streamct.model import Clip

_SLACK = Fraction(1, 1000)
"""Seconds by which a written time may lie after its frame: it is rounded to milliseconds."""
_TIME = re.compile(r"(\d+):(\d\d):(\d\d)[.,](\d{1,9})")
_CODE = re.compile(r"(\d+):(\d\d):(\d\d)([:;])(\d\d)")
_EVENT = re.compile(r"\d+\s+\S+\s+(\S+)\s+([CDWK]\S*)(\s+\d+)?((?:\s+\d\d:\d\d:\d\d[:;]\d\d){4})\s*")


def read_cuts(path: Path, clip: Clip, start: int = 0) -> ListedCuts:
    """The cuts that a file lists for `clip`. start: pts of its first frame.

    Raises:
        TrackError: unreadable, a line that is no cut, or one beyond the clip's end; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise TrackError(f"{path}: no such list of cuts. Check the path.") from None
    except (OSError, UnicodeDecodeError) as cause:
        raise TrackError(f"{path}: can't be read as a list of cuts ({cause}). Give a text file.") from cause
    if any(_EVENT.fullmatch(line.strip()) for line in lines):
        return _from_edl(path, lines, clip)
    frames: set[int] = set()
    ticks: set[int] = set()
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        place = f"{path}: line {number}: {text!r}"
        if time := _TIME.fullmatch(text):
            hours, minutes, seconds, rest = time.groups()
            moment = 3600 * int(hours) + 60 * int(minutes) + int(seconds) + Fraction(int(rest), 10 ** len(rest))
            if clip.duration is not None and moment > clip.duration:
                raise TrackError(f"{place}: lies after the clip's end. Is it the list of another clip?")
            ticks.add(start + max(math.ceil((moment - _SLACK) / clip.time_base), 0))
        else:
            frame = int(text) if text.isdecimal() else _frame(text, place, clip)
            _check(frame, place, clip)
            frames.add(frame)
    return ListedCuts(frozenset(frames), frozenset(ticks))


def _from_edl(path: Path, lines: list[str], clip: Clip) -> ListedCuts:
    frames: set[int] = set()
    start: int | None = None
    for number, line in enumerate(lines, 1):
        event = _EVENT.fullmatch(line.strip())
        if event is None or not event[1].upper().startswith(("V", "B")):
            continue
        place = f"{path}: line {number}"
        record_in = _frame(event[4].split()[2], place, clip)
        start = record_in if start is None else start
        if record_in < start:
            raise TrackError(f"{place}: its record-in lies before the first event's. Sort the events by record-in.")
        _check(record_in - start, place, clip)
        frames.add(record_in - start)
    return ListedCuts(frozenset(frames))


def _frame(text: str, place: str, clip: Clip) -> int:
    """Frame number of hh:mm:ss:ff."""
    code = _CODE.fullmatch(text)
    if code is None:
        raise TrackError(
            f"{place}: is no cut. Write a frame number, hh:mm:ss.mmm or hh:mm:ss:ff, one a line, or give an EDL."
        )
    if clip.rate is None:
        raise TrackError(f"{place}: the clip's frame rate is unknown. Write frame numbers or hh:mm:ss.mmm.")
    hours, minutes, seconds, frames = (int(code[i]) for i in (1, 2, 3, 5))
    rate = round(clip.rate)
    if minutes > 59 or seconds > 59 or frames >= rate:
        raise TrackError(f"{place}: is no timecode at {float(clip.rate):.6g} frames/s. Check minutes, seconds, frames.")
    count = (3600 * hours + 60 * minutes + seconds) * rate + frames
    if code[4] == ";":
        whole = 60 * hours + minutes
        count -= round(rate / 15) * (whole - whole // 10)
    return count


def _check(frame: int, place: str, clip: Clip) -> None:
    if clip.frames is not None and frame >= clip.frames:
        raise TrackError(
            f"{place}: is frame {frame}, but {clip.path} has {clip.frames} frames. Is it the list of another clip?"
        )
