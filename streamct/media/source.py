"""What a run reads: a file, a pipe or pictures, each with the clip it holds and a way to its frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.codec.hwaccel import HWAccel

from streamct.errors import UsageError
from streamct.media.demuxer import Demuxer
from streamct.media.hardware import decoder_of
from streamct.media.image_read import PICTURE_EXTENSIONS
from streamct.media.pipes import DASH
from streamct.media.probe import probe
from streamct.media.reader import Reader, threading_of
from streamct.media.sequence import (
    PictureReader,
    Pictures,
    frames_a_second,
    pattern_of,
    probe_animation,
    probe_sequence,
)
from streamct.media.trim import Trim, TrimmedReader
from streamct.model import Clip


@dataclass(frozen=True, slots=True)
class Source:
    """An input that has been looked at.

    demuxer: of a pipe, None for what can be opened again. pictures: numbered or of an animation, None for a video.
    hwaccel: the device that decodes. notes: lines for the user. trim: the part that is wanted, None for all.
    """

    clip: Clip
    demuxer: Demuxer | None = None
    pictures: Pictures | None = None
    hwaccel: HWAccel | None = None
    notes: tuple[str, ...] = ()
    trim: Trim | None = None

    @property
    def again(self) -> bool:
        """Whether it can be read more than once."""
        return self.demuxer is None

    @property
    def sought(self) -> bool:
        """Whether reading may begin in its middle: it is a video file."""
        return self.demuxer is None and self.pictures is None

    def reader(self, tolerate: bool, threads: int | None = None) -> Reader | PictureReader | TrimmedReader:
        """The frames, of a part with those around it; of standard input once. tolerate, threads: see `Reader`."""
        if self.trim is None:
            return self._plain(tolerate, threads)
        reader = self.trim.sought(tolerate, threads, self.hwaccel) or self._plain(tolerate, threads)
        return TrimmedReader(reader, self.clip, self.trim, tolerate)

    def _plain(self, tolerate: bool, threads: int | None) -> Reader | PictureReader:
        if self.pictures is not None:
            return PictureReader(self.clip, self.pictures, tolerate)
        return Reader(self.clip, threads, tolerate=tolerate, demuxer=self.demuxer, hwaccel=self.hwaccel)

    def stop(self) -> None:
        """End a read that waits for input, from any thread."""
        if self.demuxer is not None:
            self.demuxer.stop()


@contextmanager
def open_source(
    input: Path,
    stream: int | None,
    rate: Fraction | float | str | None = None,
    hwaccel: str | None = None,
    tolerate: bool = False,
) -> Iterator[Source]:
    """Look at an input: a file, `-` for standard input, or a pattern of numbered pictures.

    stream: index of the video stream to grade; None: the best one. rate: frames/s of numbered pictures, None for 24.
    hwaccel: the device that should decode, if it can. tolerate: what a pipe brings will be read with `tolerate`.

    Raises:
        InputError, NoVideoError: see `probe`, `Demuxer` and `streamct.media.sequence`.
        UsageError: a single picture; a rate that is none, or for what has its own; no such kind of device.
    """
    pattern = None if input == DASH or input.exists() else pattern_of(input)
    if pattern is not None:
        every = frames_a_second(rate)
        clip, numbered = probe_sequence(input, pattern, every)
        said = f"{len(numbered)} pictures from {numbered.name(0)} on, at {every} frames/s"
        notes = [said if rate is not None else f"{said}; --rate sets another"]
        if clip.format.depth > 8:
            notes.append("pictures of more than 8 bits a sample are graded at 12 bits a sample")
        yield Source(clip, pictures=numbered, notes=tuple(notes))
        return
    if rate is not None:
        raise UsageError(f"--rate: is for numbered pictures (frame_%05d.png); {input} has times of its own.")
    if input == DASH:
        with Demuxer(stream, threading_of(tolerate)) as demuxer:
            line = None if hwaccel is None else f"--hwaccel {hwaccel}: what comes from a pipe is decoded in software"
            yield Source(demuxer.clip, demuxer, notes=(line,) if line is not None else ())
    elif input.suffix.lower() == ".webp" and input.is_file():
        clip, animated = probe_animation(input)
        if len(animated) == 1:
            raise _still(input)
        yield Source(clip, pictures=animated)
    else:
        clip = probe(input, stream)
        if _is_still(clip):
            raise _still(input)
        device, line = (None, None) if hwaccel is None else decoder_of(clip, hwaccel)
        yield Source(clip, hwaccel=device, notes=(line,) if line is not None else ())


def _is_still(clip: Clip) -> bool:
    """Whether a file holds one picture: opened by a demuxer of pictures, or of films but named as one."""
    of_pictures = clip.container.endswith("_pipe") or clip.container == "image2"
    return of_pictures or (clip.frames == 1 and clip.path.suffix.lower() in PICTURE_EXTENSIONS)


def _still(path: Path) -> UsageError:
    return UsageError(
        f"{path}: is a picture, not a video. Grade it with `streamct image`; numbered pictures are a video if named "
        "by a pattern, such as frame_%05d.png."
    )
