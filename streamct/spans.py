"""Where a long clip is divided. The plan depends on the clip and the settings alone, never on who will do the work."""

from __future__ import annotations

import numpy as np

from streamct.model import IntArray, Span

LENGTH = 600
"""Frames of a span, about: long beside what is decoded and sampled once more at each border, short beside a film."""
SHORTEST = 8
"""Frames; some encoders give fewer no sound decoding times."""


def plan_spans(frames: int, keys: IntArray, lead: int, count: int | None = None) -> list[Span]:
    """Divide `frames` frames into spans of about `LENGTH`, or into `count` of about the same length.

    A span begins `lead` frames after a key frame where one is near: it needs to see that many frames before it, and
    nothing else has then to be decoded. keys: numbers of the key frames, ascending, the first one 0. A `count` that
    would make spans shorter than `SHORTEST` is lowered.
    """
    wanted = round(frames / LENGTH) if count is None else count
    wanted = max(1, min(wanted, frames // SHORTEST))
    step = frames / wanted
    starts = [0]
    for number in range(1, wanted):
        ideal = round(number * step)
        start = _near(keys + lead, ideal, step / 3)
        if start is None:
            if count is None:
                continue  # no key frame is near: this border would have too much decoded twice
            start = ideal
        room = (wanted - number) * SHORTEST if count is not None else SHORTEST
        if start - starts[-1] >= SHORTEST and frames - start >= room:
            starts.append(start)
        elif count is not None:
            starts.append(max(ideal, starts[-1] + SHORTEST))
    return [Span(start, stop) for start, stop in zip(starts, [*starts[1:], frames], strict=True)]


def _near(candidates: IntArray, ideal: int, most: float) -> int | None:
    at = int(np.argmin(np.abs(candidates - ideal)))
    found = int(candidates[at])
    return found if abs(found - ideal) <= most else None
