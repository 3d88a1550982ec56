"""Part of a clip, by time: what lies before and behind is read where a grade depends on it, and not written.

Times count from the clip's first frame. A frame is wanted if it is shown at `start` or later and before `stop`; a
written time may lie a millisecond after its frame, for it is rounded. So parts that end and begin at the same moment
join without a gap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.codec.hwaccel import HWAccel

from streamct.errors import DamagedInputError, UsageError
from streamct.media.excerpts import Excerpt
from streamct.media.probe import reason
from streamct.media.reader import Reader, timecode
from streamct.model import Clip, Frame, IntArray

if TYPE_CHECKING:
    from streamct.media.sequence import PictureReader

SLACK = Fraction(1, 1000)
_SOUND = Fraction(1)
"""Seconds that a pipe is read on for, so that the sound of the last frame has come."""
_FARTHER = 4


class Trim:
    """The part of a clip that is wanted, and how far around it frames are read.

    start, stop: seconds after the first frame, None for the clip's own ends. opened: the first wanted frame, None
    until it has been read. wanted: numbers of the wanted frames read so far. behind: how many frames behind the part
    are read, None for all.

    Raises:
        UsageError: nothing lies between start and stop.
    """

    def __init__(self, clip: Clip, start: Fraction | None, stop: Fraction | None) -> None:
        self.start, self.stop = start or Fraction(0), stop
        self.opened: Frame | None = None
        self.wanted: set[int] = set()
        self._clip = clip
        self._low: int | None = None
        self._high: int | None = None
        self.behind: int | None = 0
        self._seek: tuple[int, int] | None = None
        end = clip.duration
        if end is not None and self.start >= end:
            raise UsageError(f"--from {_said(self.start)}: lies behind the clip's end at {timecode(float(end))}.")
        if stop is not None and stop <= self.start:
            raise UsageError(f"--to {_said(stop)}: should lie behind --from {_said(self.start)}.")

    @property
    def frames(self) -> int | None:
        """How many frames are wanted, exact at a constant rate; None where that is not known."""
        clip, stop = self._clip, self.stop
        if clip.duration is not None:
            stop = clip.duration if stop is None else min(stop, clip.duration)
        if stop is None or clip.rate is None:
            return None
        return max(math.ceil((stop - SLACK) * clip.rate) - self.skipped, 1)

    def count(self, pts: IntArray) -> int:
        """How many of a clip's frames, shown at `pts` (n,), are wanted."""
        self.begin(int(pts[0]))
        return int(sum(self.holds(moment) for moment in pts.tolist()))

    @property
    def began(self) -> Fraction:
        """Seconds, by the clip's own clock, of the first wanted frame, which becomes the output's zero."""
        assert self.opened is not None
        return self.opened.pts * self._clip.time_base

    @property
    def ends(self) -> Fraction | None:
        """Seconds, by the clip's own clock, where what is wanted ends."""
        return None if self._high is None else self._high * self._clip.time_base

    @property
    def skipped(self) -> int:
        """About how many frames lie before the first wanted one: exact at a constant rate."""
        return max(math.ceil((self.start - SLACK) * (self._clip.rate or 0)), 0)

    def prepare(self, around: int, seek: bool = True) -> bool:
        """Read `around` frames on either side; to be called before reading. seek: begin there, instead of at the
        clip's beginning, from which frames then have their numbers.

        Returns whether reading begins with the clip's first frame.
        """
        self.behind = around
        self._seek = self._located(max(around, 1)) if seek and self.start > 0 and self._clip.rate else None
        return self._seek is None

    def holds(self, pts: int) -> bool:
        """Whether a frame is wanted; known once the clip's first frame has been read."""
        assert self._low is not None
        return self._low <= pts and (self._high is None or pts < self._high)

    def moved(self, frame: Frame) -> Frame:
        """The frame with its number and time in the output."""
        assert self.opened is not None
        return replace(frame, index=frame.index - self.opened.index, pts=frame.pts - self.opened.pts)

    def sought(self, tolerate: bool, threads: int | None, hwaccel: HWAccel | None) -> Reader | None:
        """A reader that begins where it is needed; None: the clip is to be read from its beginning."""
        if self._seek is None:
            return None
        return _Sought(self._clip, self._seek, threads, tolerate, hwaccel)

    def begin(self, first: int) -> None:
        """The clip's first frame has this pts."""
        base = self._clip.time_base
        self._low = first + max(math.ceil((self.start - SLACK) / base), 0)
        self._high = None if self.stop is None else first + math.ceil((self.stop - SLACK) / base)

    def is_read(self, frame: Frame) -> bool:
        """A frame was read; returns whether it is wanted."""
        if self._low is None:
            self.begin(frame.pts)
        if not self.holds(frame.pts):
            return False
        if self.opened is None:
            self.opened = replace(frame, planes=(), owner=None)
        self.wanted.add(frame.index)
        return True

    def is_over(self, frame: Frame, behind: int, piped: bool) -> bool:
        """Whether nothing after this frame, the `behind`-th behind the part, is needed."""
        if self._high is None or self.behind is None or behind <= self.behind:
            return False
        return not piped or (frame.pts - self._high) * self._clip.time_base > _SOUND

    def _located(self, around: int) -> tuple[int, int] | None:
        """Where to seek to, and the pts of the frame `around` before the first wanted one; None: begin at the start.

        Frames are counted by decoding them: packets may be fields, hidden or discarded.
        """
        clip = self._clip
        assert clip.rate is not None
        with Excerpt(clip) as excerpt:
            self.begin(excerpt.first)
            assert self._low is not None
            far = around + 2
            while True:
                target = self._low - math.ceil(far / clip.rate / clip.time_base)
                if target <= excerpt.first:
                    return None
                times: list[int] = []
                for frame in excerpt.frames((target - excerpt.first) * clip.time_base, key=True):
                    if frame.pts >= self._low:
                        break
                    if times or frame.key:
                        times.append(frame.pts)
                if excerpt.warnings:
                    return None
                if len(times) >= around and times[0] <= target:
                    return target, times[-around]
                far *= _FARTHER


class _Sought(Reader):
    """Frames from `begin` on, found from the keyframe before `target`."""

    _from_beginning = False

    def __init__(
        self, clip: Clip, place: tuple[int, int], threads: int | None, tolerate: bool, hwaccel: HWAccel | None
    ) -> None:
        super().__init__(replace(clip, frames=None), threads, tolerate, hwaccel=hwaccel)
        target, self._begin = place
        try:
            self._container.seek(target, stream=self._stream)
        except (av.FFmpegError, OSError) as cause:
            self.close()
            raise DamagedInputError(f"{clip.path}: can't be searched ({reason(cause)}). Convert it to MP4.") from cause

    def __iter__(self) -> Iterator[Frame]:
        before = 0
        for frame in super().__iter__():
            if frame.pts < self._begin:
                before += 1
                continue
            frame.index -= before
            yield frame


class TrimmedReader:
    """The frames of a part of a clip, and those around it. Use like `Reader`.

    Raises (while iterating):
        DamagedInputError: see `Reader`; what lies outside the part does not count, as far as it is not read.
        UsageError: no frame lies in the part.
    """

    def __init__(self, reader: Reader | PictureReader, clip: Clip, trim: Trim, tolerate: bool) -> None:
        self._reader = reader
        self._clip = clip
        self._trim = trim
        self._tolerate = tolerate
        self._piped = isinstance(reader, Reader) and reader.is_piped
        self._damage: str | None = None

    def __enter__(self) -> TrimmedReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def warnings(self) -> list[str]:
        """See `Reader`; also what is damaged in the part."""
        return [*self._reader.warnings, *([] if self._damage is None else [self._damage])]

    def close(self) -> None:
        """Stop reading."""
        self._reader.close()

    def __iter__(self) -> Iterator[Frame]:
        trim, behind, corrupt = self._trim, 0, set[int]()
        trim.opened = None
        trim.wanted.clear()
        for frame in self._reader:
            wanted = trim.is_read(frame)
            behind += not wanted and bool(trim.wanted)
            if frame.corrupt and wanted:
                corrupt.add(frame.pts)
            if trim.is_over(frame, behind, self._piped):
                break
            yield frame
        if not trim.wanted:
            raise UsageError(f"{self._clip.path}: no frame lies between --from and --to. Give other times.")
        if isinstance(self._reader, Reader):  # decoders leave some of these out
            corrupt |= {pts for pts in self._reader.lacking if trim.holds(pts)}
        if not corrupt:
            return
        at = timecode(float(min(corrupt) * self._clip.time_base))
        self._damage = (
            f"{self._clip.path}: {len(corrupt)} frames between --from and --to are corrupt, the first at {at}"
        )
        if not self._tolerate:
            raise DamagedInputError(
                f"{self._damage}. Export or copy it again, or grade what is there with --tolerate-corrupt."
            )


def _said(seconds: Fraction) -> str:
    return f"{float(seconds):g}"
