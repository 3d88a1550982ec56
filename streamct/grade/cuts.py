"""Scene cuts from the change between neighbouring proxies.

The rule of PySceneDetect's AdaptiveDetector: a cut stands out from the changes around it, so pans, fades and
noise, which change every frame, are none. Nor is a flash of up to three frames, after which the picture is what it
was before. Finite support: the verdict on a frame needs `LOOK` frames on either side.
"""

from __future__ import annotations

from collections.abc import Sequence

LOOK = 4
_LEAST, _RATIO, _FLOOR = 15.0, 3.0, 0.5
_ALIKE = 0.3


def is_cut(changes: Sequence[float], at: int, earlier: Sequence[Sequence[float]] = ()) -> bool:
    """Whether a shot begins at frame `at`.

    changes: change of each frame to the one before, in 0..255 codes summed over channels; those within `LOOK`
    of `at` count. A cut changes at least 15 codes, three times the mean of its neighbourhood, and most of
    all in it (ties: the first). earlier: change of each frame to those 2, 3, ... up to `LOOK` before: where any
    frame after the cut differs from any before by less than 0.3 of the change at the cut, it was a flash.
    """
    here = changes[at]
    if here < _LEAST:
        return False
    low, high = max(at - LOOK, 0), min(at + LOOK + 1, len(changes))
    others = [changes[i] for i in range(low, high) if i != at]
    if any(changes[i] >= here for i in range(low, at)) or any(changes[i] > here for i in range(at + 1, high)):
        return False
    if here < _RATIO * (sum(others) / max(len(others), 1) + _FLOOR):
        return False
    for after in range(at, min(at + LOOK, len(earlier))):
        for before, change in enumerate(earlier[after], 2):
            if after - before < at and change < _ALIKE * here:
                return False
    return True
