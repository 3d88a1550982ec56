"""The streams beside a trimmed one: which packets are kept, at which times; chapters and timecode likewise.

Sound is kept from the first packet that begins in the part to the last: it misses a few milliseconds at most, and no
time is negative. Subtitles that are shown when the part begins or ends are shortened. Another video begins at its
first key frame in the part, and ends with what its last frame is decoded from.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

from av.packet import Packet
from av.stream import Stream

from streamct.media.trim import Trim
from streamct.model import Clip, timecode_base

_LATE = Fraction(5)
"""Seconds behind the part in which a packet of it may still come, between those of other streams."""
_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")


class StreamTrim:
    """Cuts the packets of copied streams, one after the other, to the part that a trim tells."""

    def __init__(self, trim: Trim) -> None:
        self._trim = trim
        self._begun: dict[int, int] = {}
        self._behind: dict[int, Fraction] = {}

    def keep(self, packet: Packet, cover: bool) -> bool:
        """Whether a packet belongs to the part; if so, its times are made those of the output. cover: an attached
        still, which has no time."""
        stream, base = packet.stream, packet.time_base
        shift = round(self._trim.began / base)
        if cover:
            packet.pts = packet.dts = 0
            return True
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None:
            return False
        end = self._trim.ends
        last = None if end is None else math.ceil(end / base)
        if last is not None and time >= last:
            self._behind[stream.index] = time * base
        if not self._belongs(packet, time, shift, last):
            return False
        if stream.type == "subtitle":
            if time < shift:
                packet.duration = (packet.duration or 0) - (shift - time)
                packet.pts = packet.dts = time = shift
            if last is not None and packet.duration:
                packet.duration = min(packet.duration, last - time)
        packet.pts = None if packet.pts is None else packet.pts - shift
        packet.dts = None if packet.dts is None else packet.dts - shift
        return True

    def _belongs(self, packet: Packet, time: int, shift: int, last: int | None) -> bool:
        stream = packet.stream
        if stream.type == "subtitle":
            return (time >= shift or time + (packet.duration or 0) > shift) and (last is None or time < last)
        if stream.type == "video":
            if stream.index not in self._begun:
                if not packet.is_keyframe or time < shift:
                    return False
                self._begun[stream.index] = time
            sent = packet.dts if packet.dts is not None else time
            return time >= self._begun[stream.index] and (last is None or sent < last)
        return time >= shift and (last is None or time < last)

    def is_over(self, streams: list[Stream]) -> bool:
        """Whether no packet of the part is still to come from any of these streams."""
        end = self._trim.ends
        if end is None:
            return False
        dense = [s.index for s in streams if s.type in ("audio", "video")]
        return bool(dense) and all(self._behind.get(i, end) > end + _LATE for i in dense)

    def chapters(self, chapters: list[Any]) -> list[Any]:
        """Chapters of the output; those that only reach into the part are shortened."""
        out = []
        start, stop = self._trim.start, self._trim.stop
        for chapter in chapters:
            base = chapter["time_base"]
            first, last = round(start / base), None if stop is None else round(stop / base)
            low, high = max(chapter["start"], first), chapter["end"]
            high = high if last is None else min(high, last)
            if low < high:
                out.append({**chapter, "start": low - first, "end": high - first})
        return out

    def retime(self, stream: Stream, clip: Clip) -> None:
        """Move the timecode of the graded stream, if it has one, to the first frame of the part."""
        code = stream.metadata.get("timecode")
        if code is not None and clip.rate is not None:
            moved = later(code, self._trim.skipped, timecode_base(clip.rate))
            if moved is not None:
                stream.metadata["timecode"] = moved


def later(timecode: str, frames: int, rate: int) -> str | None:
    """The timecode so many frames later, drop-frame (a semicolon before the frames) or not; None: it is none."""
    match = _TIMECODE.fullmatch(timecode)
    if match is None:
        return None
    hours, minutes, seconds, number = (int(match[i]) for i in (1, 2, 3, 5))
    dropped = round(rate / 15) if match[4] != ":" else 0
    total = ((hours * 60 + minutes) * 60 + seconds) * rate + number
    whole = hours * 60 + minutes
    total += frames - dropped * (whole - whole // 10)
    if dropped:
        tens, rest = divmod(total, 600 * rate - 9 * dropped)
        total += 9 * dropped * tens + dropped * max((rest - dropped) // (60 * rate - dropped), 0)
    total %= 24 * 3600 * rate
    seconds, number = divmod(total, rate)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{match[4]}{number:02d}"
