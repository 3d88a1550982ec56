"""How far each proxy is from those before it: what scene cuts are told by."""

from __future__ import annotations

from collections import deque

import numpy as np

from streamct.color.jit import kernel
from streamct.grade.cuts import BACK
from streamct.model import FloatArray

_THINNED = 4


class Changes:
    """Takes one clip's R'G'B' proxies (h, w, 3), frame after frame."""

    def __init__(self) -> None:
        self._previous: FloatArray | None = None
        self._thinned: deque[FloatArray] = deque(maxlen=BACK)

    def of(self, rgb: FloatArray) -> tuple[float, tuple[float, ...]]:
        """Mean absolute difference of the next frame to the one before, in codes, summed over channels (0 for the
        first); and to the frames 2, 3, ... up to `cuts.BACK` before, on every fourth pixel."""
        change = 0.0 if self._previous is None else _difference(rgb, self._previous)
        self._previous = rgb
        thinned = rgb[::_THINNED, ::_THINNED].copy()
        earlier = tuple(_difference(thinned, other) for other in list(self._thinned)[-2::-1])
        self._thinned.append(thinned)
        return change, earlier


def _difference(first: FloatArray, second: FloatArray) -> float:
    """Mean absolute difference of two proxies (h, w, 3), in codes, summed over channels."""
    return _distance(first.reshape(-1), second.reshape(-1)) / first.size * 3 * 255


@kernel
def _distance(first: FloatArray, second: FloatArray) -> float:
    """Sum of absolute differences, in eight sums side by side: a fixed order that vectorises."""
    sums = np.zeros(8)
    whole = first.shape[0] // 8 * 8
    for i in range(0, whole, 8):
        for k in range(8):
            sums[k] += abs(first[i + k] - second[i + k])
    for i in range(whole, first.shape[0]):
        sums[0] += abs(first[i] - second[i])
    return float(sums.sum())
