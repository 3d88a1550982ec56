"""Scene cuts from the change between neighbouring proxies.

The rule of PySceneDetect's AdaptiveDetector: a cut stands out from the changes around it, so pans, fades and
noise, which change every frame, are none. Finite support: the verdict on a frame needs `LOOK` frames on
either side.
"""

from __future__ import annotations

from collections.abc import Sequence

LOOK = 4
_LEAST, _RATIO, _FLOOR = 15.0, 3.0, 0.5


def is_cut(changes: Sequence[float], at: int) -> bool:
    """Whether a shot begins at frame `at`.

    changes: change of each frame to the one before, in 0..255 codes summed over channels; those within `LOOK`
    of `at` count. A cut changes at least 15 codes, three times the mean of its neighbourhood, and most of
    all in it (ties: the first).
    """
    here = changes[at]
    if here < _LEAST:
        return False
    low, high = max(at - LOOK, 0), min(at + LOOK + 1, len(changes))
    others = [changes[i] for i in range(low, high) if i != at]
    if any(changes[i] >= here for i in range(low, at)) or any(changes[i] > here for i in range(at + 1, high)):
        return False
    return here >= _RATIO * (sum(others) / max(len(others), 1) + _FLOOR)
