"""Shots as other programs list them: CMX 3600 (EDL) and CSV, in frame-exact, non-drop timecode."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from streamct.color.cdl import Cdl, edl_lines
from streamct.model import timecode_base

_USUAL_RATE = 25
_MOST_EVENTS = 999


@dataclass(frozen=True, slots=True)
class ShotEntry:
    """A shot: frames [start, stop), its files, and for each its ASC CDL and the mean CIEDE2000 by which that is off."""

    number: int
    start: int
    stop: int
    files: tuple[str, ...]
    cdls: tuple[Cdl, ...] = ()
    cdl_errors: tuple[float, ...] = ()


def timecode(frame: int, rate: Fraction | None) -> str:
    """`hh:mm:ss:ff` of a frame number: non-drop, counted at the whole rate next to `rate` (None: 25)."""
    base = timecode_base(rate) if rate else _USUAL_RATE
    seconds, rest = divmod(frame, base)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{rest:02d}"


def format_edl(shots: Sequence[ShotEntry], title: str, clip: str, rate: Fraction | None) -> str:
    """An edit decision list that cuts the clip into its shots, ASC CDL and LUT names as comments.

    Timecode 00:00:00:00 is the clip's first frame. Event numbers start again at 001 after 999.
    """
    lines = [f"TITLE: {title}", "FCM: NON-DROP FRAME", ""]
    for shot in shots:
        begin, end = timecode(shot.start, rate), timecode(shot.stop, rate)
        event = (shot.number - 1) % _MOST_EVENTS + 1
        lines += [f"{event:03d}  AX       V     C        {begin} {end} {begin} {end}", f"* FROM CLIP NAME: {clip}"]
        if len(shot.cdls) == 1:
            lines += edl_lines(shot.cdls[0])
            lines.append(f"* COMMENT: ASC CDL IS A BEST FIT, MEAN CIEDE2000 {shot.cdl_errors[0]:.2f}")
        lines += [f"* COMMENT: LUT {name}" for name in shot.files]
    return "\n".join(lines) + "\n"


def format_csv(shots: Sequence[ShotEntry], rate: Fraction | None) -> str:
    """Number, first and last-but-one-past frame, timecodes, frames, files and CDL errors of each shot."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["shot", "start_frame", "stop_frame", "start", "stop", "frames", "files", "cdl_error"])
    for s in shots:
        errors = ";".join(f"{error:.3f}" for error in s.cdl_errors)
        times = timecode(s.start, rate), timecode(s.stop, rate)
        table.writerow([s.number, s.start, s.stop, *times, s.stop - s.start, ";".join(s.files), errors])
    return out.getvalue()
