"""Where a long clip is divided. The plan depends on the clip and the settings alone, never on who will do the work."""

from __future__ import annotations

import numpy as np

from streamct.model import IntArray, Span

LENGTH = 600
"""Frames of a span, about: long beside what is decoded and sampled once more at each border, short beside a film."""
SHORTEST = 8
"""Frames; some encoders give fewer no sound decoding times."""
_DECODING = 0.1
"""What a frame costs that is only decoded, of one that is graded and encoded."""
_MOST_DECODED = 2 / 3
"""Of a span's length: so much may be decoded to come to its first frame before a border there does not pay."""


def plan_spans(frames: int, keys: IntArray, lead: int, count: int | None = None) -> list[Span]:
    """Divide `frames` frames into spans of about `LENGTH`, or into `count` of about the same length.

    lead: frames that a span needs to see before its first. keys: numbers of the key frames, ascending, the first one
    0. Where a span begins `lead` frames after a key frame, nothing else has to be decoded for it. But where spans are
    few, a long one is waited for by all: the fewer, the less a border is moved towards such a place. A `count` that
    would make spans shorter than `SHORTEST` is lowered.
    """
    wanted = round(frames / LENGTH) if count is None else count
    wanted = max(1, min(wanted, frames // SHORTEST))
    step = frames / wanted
    starts = [0]
    for number in range(1, wanted):
        ideal = round(number * step)
        start, decoded = _border(keys, lead, ideal, step / 3, 2 / wanted)
        if count is None and decoded > _MOST_DECODED * step:
            continue  # no key frame is near: this border would have too much decoded twice
        room = (wanted - number) * SHORTEST if count is not None else SHORTEST
        if start - starts[-1] >= SHORTEST and frames - start >= room:
            starts.append(start)
        elif count is not None:
            starts.append(max(ideal, starts[-1] + SHORTEST))
    return [Span(start, stop) for start, stop in zip(starts, [*starts[1:], frames], strict=True)]


def _border(keys: IntArray, lead: int, ideal: int, most: float, moving: float) -> tuple[int, int]:
    """The cheapest place for a border about `ideal`, at most `most` away, and how many frames are only decoded there.

    moving: the price of each frame between it and `ideal`, in graded ones.
    """
    behind_keys = keys + lead
    near = behind_keys[np.abs(behind_keys - ideal) <= most]
    places = np.concatenate([[ideal], near])
    seen = np.maximum(places - lead, 0)
    decoded = seen - keys[np.searchsorted(keys, seen, side="right") - 1]
    best = int(np.argmin(_DECODING * decoded + moving * np.abs(places - ideal)))
    return int(places[best]), int(decoded[best])
