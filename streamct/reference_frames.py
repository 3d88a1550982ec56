"""Which frames of a reference video are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from streamct.color.proxy import planes_proxy_rgb, proxy_size
from streamct.color.shown import shown
from streamct.errors import UsageError
from streamct.media.excerpts import Excerpt
from streamct.model import Clip, Frame

PLACES = 48
"""Frames of a reference video that are looked at."""
_BUDGET = 2e9
"""Pixels that are decoded for them: a thousand frames of 1080p."""
_SHOWN_EDGE = 640


def spread_frames(clip: Clip, start: Fraction | None, stop: Fraction | None, decoded: list[int]) -> Iterator[Frame]:
    """Frames of a clip or a span of it, at even distances, in an order that is spread even where it breaks off.

    The span falls into equal intervals, and of each the first frame that comes after a seek is taken: a keyframe where
    there is one; a short span is decoded from end to end. What is decoded on the way is bounded; the bound is one of
    pixels, not of time, so that the same clip always gives the same frames.
    """
    length = clip.duration or (clip.frames / clip.rate if clip.frames and clip.rate else Fraction(0))
    begin = start or Fraction(0)
    if length and begin >= length:
        raise UsageError(f"--ref-from {float(begin):g}: {clip.path} ends at {float(length):.3f} s.")
    end = min(stop, length) if stop is not None and length else stop or length
    step = (end - begin) / PLACES
    if step and clip.rate and (end - begin) * clip.rate * clip.width * clip.height <= _BUDGET:
        yield from _in_order(clip, begin, end, step)
        decoded += range(PLACES)
        return
    spent = 0.0
    taken: set[int] = set()
    with Excerpt(clip, hurried=True) as excerpt:
        for place in sorted(range(PLACES), key=_shuffled):
            low, high = begin + place * step, begin + (place + 1) * step
            for frame in excerpt.frames((low + high) / 2, key=True):
                spent += clip.width * clip.height
                moment = (frame.pts - excerpt.first) * clip.time_base
                if moment >= low:
                    if frame.pts not in taken and (stop is None or moment < end):
                        taken.add(frame.pts)
                        yield frame
                    break
            decoded.append(place)
            if spent > _BUDGET and taken:
                break


def _in_order(clip: Clip, begin: Fraction, end: Fraction, step: Fraction) -> Iterator[Frame]:
    """The first frame of each interval, by decoding all of a short span."""
    due = begin
    with Excerpt(clip, hurried=True) as excerpt:
        for frame in excerpt.frames(begin):
            moment = (frame.pts - excerpt.first) * clip.time_base
            if moment >= end:
                return
            if moment >= due:
                due = begin + ((moment - begin) // step + 1) * step
                yield frame


def _shuffled(place: int) -> int:
    """Bits in reverse: neighbours come far apart (van der Corput)."""
    return int(f"{place:06b}"[::-1], 2)


def frame_picture(clip: Clip, frame: Frame) -> NDArray[np.float32]:
    """A frame to look at: (h, w, 3) float32 sRGB, square pixels, at most 640 on the long edge."""
    height, width = frame.planes[0].shape
    squared = max(1, round(width * (clip.sample_aspect or Fraction(1))))
    columns, rows = proxy_size(squared, height, _SHOWN_EDGE)
    rgb = planes_proxy_rgb(frame.planes, clip.format, clip.coding, min(columns, width), min(rows, height))
    return np.clip(shown(rgb, clip.coding), 0, 1).astype(np.float32)
