"""Which of some pictures are worth being shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamct.sheet import Picture

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
_DARK, _FLAT = 0.1, 0.02


def tells(picture: Picture) -> bool:
    """Whether there is anything to see: no fade to black, no title on black."""
    luma = picture @ _LUMA
    return float(np.quantile(luma, 0.9)) > _DARK and float(luma.std()) > _FLAT


def most_different(pictures: Sequence[Picture], count: int) -> list[int]:
    """At most `count` of the pictures, ascending: first the middle one, then always the one least like those taken."""
    flat = np.stack([picture.reshape(-1) for picture in pictures])
    taken = [len(pictures) // 2]
    while len(taken) < min(count, len(pictures)):
        nearest = np.min([np.abs(flat - flat[i]).mean(axis=1) for i in taken], axis=0)
        taken.append(int(nearest.argmax()))
    return sorted(taken)
