"""What `--from` and `--to` mean for a run: which part of the clip, and how far around it frames are looked at."""

from __future__ import annotations

from pathlib import Path

from streamct.errors import UsageError
from streamct.grade.cuts import ListedCuts
from streamct.media.image import PICTURE_EXTENSIONS
from streamct.media.trim import Trim
from streamct.model import Clip
from streamct.moments import Moment, as_seconds


def trimmed(clip: Clip, start: Moment | None, stop: Moment | None, save_track: Path | None = None) -> Trim | None:
    """The part between two moments, None where neither is given.

    Raises:
        UsageError: no such part; a track, which is of a whole clip, is to be saved.
    """
    low, high = as_seconds(start, "--from", clip), as_seconds(stop, "--to", clip)
    if low is None and high is None:
        return None
    if save_track is not None:
        raise UsageError(f"--save-track {save_track}: a track is of a whole clip. Leave out --from and --to.")
    return Trim(clip, low, high)


def is_anywhere(mask: Path | None, cuts: ListedCuts | None, saved: bool) -> bool:
    """Whether reading may begin in the middle of a clip: nothing is known by the frames' numbers. saved: a track is."""
    one = mask is None or (mask.is_file() and mask.suffix.lower() in PICTURE_EXTENSIONS)
    return one and not saved and (cuts is None or not cuts.frames)
