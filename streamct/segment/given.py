"""The mattes that a user gives for a clip or for a part of it, checked as far as they can be before the start."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamct.errors import MaskError
from streamct.media.source import Source
from streamct.media.timeline import Passage, timeline_of
from streamct.media.trim import Trim
from streamct.model import Clip
from streamct.segment import GivenMattes
from streamct.segment.matte import Matte
from streamct.segment.none import NoSegmenter


class PartMattes:
    """Mattes of a part of a clip, one for each of its frames. Frames around the part, which steady it, take the
    nearest: the matte of its first or last frame."""

    name = Matte.name

    def __init__(self, matte: Matte, count: int, trim: Trim) -> None:
        self._matte = matte
        self._count = count
        self._trim = trim

    @property
    def told(self) -> str:
        """See `Matte`."""
        return self._matte.told

    def begin(self, frames: int | None, width: int, height: int) -> None:
        """Nothing to compare: `frames` is of the clip."""

    def mask(self, index: int, width: int, height: int) -> NDArray[np.uint8]:
        """The frame's matte at (height, width)."""
        opened = self._trim.opened
        place = 0 if opened is None else index - opened.index  # frames before the part come before it is found
        return self._matte.mask(min(max(place, 0), self._count - 1), width, height)

    def end(self, frames: int) -> None:
        """Compare with the frames that there were in the part.

        Raises:
            MaskError: another number.
        """
        if frames != self._count:
            raise MaskError(_misfit(self._matte.path, self._count, None, frames))
        self._matte.end(frames)

    def close(self) -> None:
        """See `GivenMattes`."""
        self._matte.close()


def given_mattes(path: Path | None, clip: Clip, way: Passage | None = None, threads: int | None = None) -> GivenMattes:
    """The mattes at `path`, none without; begun. way, threads: see `Matte`.

    Raises:
        MaskError: missing, unreadable, or not as many as the clip has frames.
    """
    if path is None:
        return NoSegmenter()
    matte = Matte(path, way, threads)
    matte.suit(clip)
    matte.begin(clip.frames, clip.width, clip.height)
    return matte


def mattes_for(path: Path | None, source: Source, trim: Trim | None) -> GivenMattes:
    """`given_mattes` for a part of a clip: as many as the clip has frames, or as many as the part has. They are taken
    for the clip's where both would do.

    Raises:
        MaskError: missing, unreadable, or neither number.
    """
    clip = source.clip
    if path is None or trim is None:
        return given_mattes(path, clip)
    matte = Matte(path)
    matte.suit(clip)
    if matte.count is None or matte.count == clip.frames or (clip.frames is None and matte.count != trim.frames):
        matte.begin(clip.frames, clip.width, clip.height)
        return matte
    timeline = timeline_of(clip) if source.sought else None
    wanted = None if timeline is None else trim.count(timeline.pts)
    if wanted is not None and wanted != matte.count:
        raise MaskError(_misfit(path, matte.count, clip.frames, wanted))
    return PartMattes(matte, matte.count, trim)


def _misfit(path: Path, masks: int, frames: int | None, part: int) -> str:
    clip = "" if frames is None else f" and the clip {frames}"
    return (
        f"{path}: holds {masks} masks, but the part between --from and --to has {part} frames{clip}. "
        "Give one mask for each frame of the clip, or for each of that part, or a single picture for all frames."
    )
