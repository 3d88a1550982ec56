"""What a run reads: a file, a pipe or pictures, each with the clip it holds and a way to its frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streamct.media.demuxer import Demuxer
from streamct.media.pipes import DASH
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.model import Clip


@dataclass(frozen=True, slots=True)
class Source:
    """An input that has been looked at. demuxer: of a pipe, None for what can be opened again."""

    clip: Clip
    demuxer: Demuxer | None = None

    def reader(self, tolerate: bool) -> Reader:
        """The frames, once. tolerate: see `Reader`."""
        return Reader(self.clip, tolerate=tolerate, demuxer=self.demuxer)

    def stop(self) -> None:
        """End a read that waits for input, from any thread."""
        if self.demuxer is not None:
            self.demuxer.stop()


@contextmanager
def open_source(input: Path, stream: int | None) -> Iterator[Source]:
    """Look at an input: a file, or `-` for standard input.

    stream: index of the video stream to grade; None: the best one.

    Raises:
        InputError, NoVideoError: see `probe` and `Demuxer`.
    """
    if input == DASH:
        with Demuxer(stream) as demuxer:
            yield Source(demuxer.clip, demuxer)
    else:
        yield Source(probe(input, stream))
