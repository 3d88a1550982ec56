"""Cuts listed in a file: frame numbers, timecodes, or an edit decision list.

A line of a list holds one cut: a frame number (from 0), `hh:mm:ss.mmm` from the clip's first frame, or `hh:mm:ss:ff`
(`hh:mm:ss;ff`: drop-frame) at the clip's rate, counted by `timecode_base`. Empty lines, and what follows a #, don't
count. An EDL (CMX 3600) is told by its title or its events: each event of the picture begins a shot at its record-in,
the first of them the clip. A reel's name may hold spaces; `FCM: DROP FRAME` makes hh:mm:ss:ff drop-frame from there on.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from pathlib import Path

from streamct.errors import TrackError
from streamct.grade.cuts import ListedCuts
from streamct.model import Clip, timecode_base

_SLACK = Fraction(1, 1000)
"""Seconds by which a written time may lie after its frame: it is rounded to milliseconds."""
_TIME = re.compile(r"(\d+):(\d\d):(\d\d)[.,](\d{1,9})")
_CODE = re.compile(r"(\d+):(\d\d):(\d\d)([:;])(\d\d)")
_STAMP = r"\d\d?:\d\d:\d\d[:;.,]\d\d"
_EVENT = re.compile(
    r"\d+\s+(?:\S.*?\s+)??(?P<channels>NONE|B|[AV][AV0-9/,]*)\s+(?:[CDW]\S*|K(?:\s*[BO])?)(?:\s+\d+)?"
    rf"\s+{_STAMP}\s+{_STAMP}\s+(?P<record>{_STAMP})\s+{_STAMP}(?:\s.*)?",
    re.IGNORECASE,
)
_HEAD = re.compile(r"(TITLE|FCM):.*", re.IGNORECASE)
_MEANT = re.compile(rf"\d+\s.*|\w.*(?:\s{_STAMP}){{3,}}.*", re.IGNORECASE)
"""A line of an EDL that is an event or was one."""
_COUNTING = re.compile(r"FCM:\s*(NON[- ]?)?DROP\b.*", re.IGNORECASE)


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
    bare = [line.strip() for line in lines]
    if any(_HEAD.fullmatch(line) or _EVENT.fullmatch(line) for line in bare):
        return _from_edl(path, bare, clip)
    frames: set[int] = set()
    ticks: set[int] = set()
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        place = f"{path}: line {number}"
        if time := _TIME.fullmatch(text):
            hours, minutes, seconds, rest = time.groups()
            moment = 3600 * int(hours) + 60 * int(minutes) + int(seconds) + Fraction(int(rest), 10 ** len(rest))
            if clip.duration is not None and moment > clip.duration:
                raise TrackError(f"{place}: {text!r}: lies after the clip's end. Is it the list of another clip?")
            ticks.add(start + max(math.ceil((moment - _SLACK) / clip.time_base), 0))
        else:
            frame = int(text) if text.isdecimal() else _frame(text, place, clip)
            _check(frame, place, clip)
            frames.add(frame)
    return ListedCuts(frozenset(frames), frozenset(ticks))


def _from_edl(path: Path, lines: list[str], clip: Clip) -> ListedCuts:
    frames: set[int] = set()
    start: int | None = None
    dropping = False
    for number, line in enumerate(lines, 1):
        place = f"{path}: line {number}"
        if counting := _COUNTING.fullmatch(line):
            dropping = counting[1] is None
        event = _EVENT.fullmatch(line)
        if event is None:
            if _MEANT.fullmatch(line):
                raise TrackError(
                    f"{place}: {line!r}: is no event of an EDL. It should have a number, reel, channel, transition and "
                    "four timecodes; begin it with * if it is a remark."
                )
            continue
        channels = event["channels"].upper()
        if "V" not in channels and channels != "B":
            continue
        record_in = _frame(event["record"], place, clip, dropping)
        start = record_in if start is None else start
        if record_in < start:
            raise TrackError(f"{place}: its record-in lies before the first event's. Sort the events by record-in.")
        _check(record_in - start, place, clip)
        frames.add(record_in - start)
    if start is None:
        raise TrackError(f"{path}: is an EDL without an event of the picture. Give one with video events.")
    return ListedCuts(frozenset(frames))


def idle(path: Path) -> str:
    """What to say of a list of cuts in the mode `off`, where no mask needs it either."""
    return f"--cuts {path}: changes nothing, for --temporal off grades every frame by itself"


def beyond(path: Path | None, cuts: ListedCuts | None, frames: int) -> str | None:
    """What to say of cuts that a clip turned out to be too short for; None if they all lie in it, or there is no list.

    frames: how many it has, which was not known when the list was read.
    """
    if path is None or cuts is None:
        return None
    late = sorted(frame for frame in cuts.frames if frame >= frames)
    if not late:
        return None
    return (
        f"{path}: {len(late)} of its cuts lie behind the clip's {frames} frames, the first at frame {late[0]}. "
        "Is it the list of another clip?"
    )


def _frame(text: str, place: str, clip: Clip, dropping: bool = False) -> int:
    """Frame number of hh:mm:ss:ff. dropping: it is drop-frame even without a semicolon."""
    code = _CODE.fullmatch(text)
    if code is None:
        raise TrackError(
            f"{place}: {text!r}: is no cut. Write a frame number, hh:mm:ss.mmm or hh:mm:ss:ff, one a line, or give an "
            "EDL."
        )
    if clip.rate is None:
        raise TrackError(f"{place}: the clip's frame rate is unknown. Write frame numbers or hh:mm:ss.mmm.")
    hours, minutes, seconds, frames = (int(code[i]) for i in (1, 2, 3, 5))
    base = timecode_base(clip.rate)
    at_rate = f"at {float(clip.rate):.6g} frames/s"
    if minutes > 59 or seconds > 59 or frames >= base:
        raise TrackError(f"{place}: {text!r}: is no timecode {at_rate}. Check minutes, seconds, frames.")
    count = (3600 * hours + 60 * minutes + seconds) * base + frames
    if code[4] == ";" or dropping:
        if base % 30:
            raise TrackError(
                f"{place}: {text!r}: is drop-frame, which only 29.97 and 59.94 frames/s have; the clip has "
                f"{float(clip.rate):.6g}. Write hh:mm:ss:ff, and FCM: NON-DROP FRAME in an EDL."
            )
        left_out = base // 15
        if minutes % 10 and seconds == 0 and frames < left_out:
            raise TrackError(f"{place}: {text!r}: is no timecode: drop-frame leaves this number out.")
        whole = 60 * hours + minutes
        count -= left_out * (whole - whole // 10)
    return count


def _check(frame: int, place: str, clip: Clip) -> None:
    if clip.frames is not None and frame >= clip.frames:
        raise TrackError(
            f"{place}: is frame {frame}, but {clip.path} has {clip.frames} frames. Is it the list of another clip?"
        )
