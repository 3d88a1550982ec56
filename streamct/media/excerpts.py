"""Parts of a clip's frames, found by seeking, without decoding all that comes before."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

import av

from streamct.errors import DamagedInputError
from streamct.media.probe import reason
from streamct.media.reader import Reader, threading_of
from streamct.model import Clip, Frame


def keyframes(excerpt: Excerpt, seconds: list[Fraction]) -> list[Frame]:
    """The keyframes at or before these times after the clip's first frame, in order, each once.

    Frames are numbered as they come out; their `pts` say where they lie.
    """
    found: dict[int, Frame] = {}
    for time in seconds:
        frame = next(iter(excerpt.frames(time, key=True)), None)
        if frame is not None:
            found.setdefault(frame.pts, frame)
    return [found[pts] for pts in sorted(found)]


class Excerpt(Reader):
    """A reader that begins anywhere. Use as a context manager; damage is passed over, for nothing is kept.

    hurried: leave out frames that no other frame is made from.
    """

    _from_beginning = False

    def __init__(self, clip: Clip, threads: int | None = None, hurried: bool = False) -> None:
        super().__init__(clip, threads, tolerate=True)
        self._stream.thread_type = threading_of(tolerate=False)
        if hurried:
            self._stream.codec_context.skip_frame = "NONREF"
        self.first = self._first()

    def __enter__(self) -> Excerpt:
        return self

    def _first(self) -> int:
        for frame in self:
            return frame.pts
        raise DamagedInputError(f"{self._clip.path}: no frame can be decoded. Export or copy it again.")

    def _from_here(self) -> Iterator[Frame]:
        """What is left of the clip, nothing where that is nothing."""
        try:
            yield from self
        except DamagedInputError:
            return

    def frames(self, seconds: Fraction, key: bool = False) -> Iterator[Frame]:
        """Frames from `seconds` after the first one on, numbered from 0; key: begin at the keyframe before."""
        stream, clip = self._stream, self._clip
        target = self.first + int(seconds / clip.time_base)
        try:
            self._container.seek(max(target, self.first), stream=stream)
        except (av.FFmpegError, OSError) as cause:
            raise DamagedInputError(f"{clip.path}: can't be searched ({reason(cause)}). Convert it to MP4.") from cause
        self._decoder.flush_buffers()
        count = itertools.count()
        for frame in self._from_here():
            if key or frame.pts >= target:
                frame.index = next(count)
                yield frame
