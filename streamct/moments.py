"""Moments as users write them: seconds, clock times, timecodes."""

from __future__ import annotations

import re
from fractions import Fraction

from streamct.errors import UsageError
from streamct.model import Clip, timecode_base

_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")
_CODE = re.compile(r"(\d+):(\d\d):(\d\d):(\d+)")

Moment = Fraction | float | str
"""Seconds after a clip's first frame, or text that tells them."""


def parse_time(text: str, flag: str = "--at", rate: Fraction | None = None) -> Fraction:
    """Seconds of `[[hh:]mm:]ss[.fff]`, or of the timecode `hh:mm:ss:ff` at `rate` frames/s.

    flag: what messages call it.

    Raises:
        UsageError: it is neither, or a timecode where no rate is known.
    """
    said = text.strip()
    if match := _TIME.fullmatch(said):
        hours, minutes, seconds = match.groups()
        return (int(hours or 0) * 60 + int(minutes or 0)) * 60 + Fraction(seconds)
    code = _CODE.fullmatch(said)
    if code is None:
        raise UsageError(f"{flag} {text}: should be a time like 12.5, 01:12.5, 00:01:12.5 or 00:01:12:12.")
    if rate is None:
        raise UsageError(f"{flag} {text}: the frame rate is not known. Write seconds, or hh:mm:ss.mmm.")
    hours, minutes, seconds, frames = (int(part) for part in code.groups())
    if frames >= timecode_base(rate):
        raise UsageError(f"{flag} {text}: at {float(rate):.6g} frames/s a second has no frame {frames}. Check it.")
    return ((hours * 60 + minutes) * 60 + seconds) * timecode_base(rate) / rate + frames / rate


def as_seconds(moment: Moment | None, flag: str, clip: Clip) -> Fraction | None:
    """Seconds after the first frame; None stays None.

    Raises:
        UsageError: no time, a negative or infinite one, or one behind the clip's end.
    """
    if moment is None:
        return None
    if isinstance(moment, str):
        seconds = parse_time(moment, flag, clip.rate)
    else:
        try:
            seconds = Fraction(moment)
        except (ValueError, OverflowError) as cause:
            raise UsageError(f"{flag} {moment}: should be a number of seconds.") from cause
    if seconds < 0:
        raise UsageError(f"{flag} {moment}: lies before the clip's first frame. Times count from it.")
    return seconds
