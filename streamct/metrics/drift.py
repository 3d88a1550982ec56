"""Drift as a result's pixels show it: for videos whose grades are not known.

A grade moves every colour of a frame by what it makes of this colour alone. So colours that two neighbouring frames
share tell how far their grades are apart, wherever in the picture they lie, moving or not.
"""

from __future__ import annotations

import numpy as np

from streamct.model import FloatArray, IntArray

_FINE, _COARSE = 32, 8
"""Cells a channel: in fine ones colours count as the same, over coarse ones their differences are averaged."""
_PATCH = 32
"""Pixels of the squares of a chessboard, whose black and white are judged apart."""


class DriftMeter:
    """Measures one video from proxies pushed in order; keeps what one frame did to its colours.

    Per cell of the source's R'G'B' the mean edit is taken, and how it differs from the frame before's where both have
    the colour. Rounding and an encoder's noise differ too, and would add up where a grade stands still. So each frame
    is taken apart into two halves, whose noise has nothing to do with each other: the difference that one shows counts
    in the direction in which the other shows it. What is noise cancels; what is a grade's remains, but for what turns
    its direction within a coarse cell: a half to nine tenths of the drift of real grades is seen.
    """

    def __init__(self) -> None:
        self._last: tuple[IntArray, FloatArray] | None = None
        self._drifts: list[float] = []

    def push(self, source: FloatArray, result: FloatArray) -> None:
        """Take the next frame, R'G'B' (h, w, 3) of source and result, 0..1 nominal."""
        here = _edits(source, result)
        if self._last is not None:
            drift = _apart(self._last, here)
            if drift is not None:
                self._drifts.append(drift)
        self._last = here

    def cut(self) -> None:
        """The next frame does not follow the last one."""
        self._last = None

    def drift(self) -> float | None:
        """Mean difference of a frame in its own grade and in its predecessor's, R'G'B' 0..1; None without a pair."""
        return float(np.mean(self._drifts)) if self._drifts else None


def _edits(source: FloatArray, result: FloatArray) -> tuple[IntArray, FloatArray]:
    """Of either half's fine cells: pixels (2, cells), and the mean edit of each channel (2, cells, 3)."""
    height, width = source.shape[:2]
    place = np.clip((source * _FINE).astype(np.int64), 0, _FINE - 1).reshape(-1, 3)
    cells = _FINE**3
    half = (np.arange(height)[:, None] // _PATCH + np.arange(width) // _PATCH) % 2
    number = half.reshape(-1) * cells + (place[:, 0] * _FINE + place[:, 1]) * _FINE + place[:, 2]
    counts = np.bincount(number, minlength=2 * cells)
    off = (result - source).reshape(-1, 3)
    sums = np.stack([np.bincount(number, off[:, c], 2 * cells) for c in range(3)], axis=1)
    return counts.reshape(2, cells), (sums / np.maximum(counts, 1)[:, None]).reshape(2, cells, 3)


def _coarse() -> IntArray:
    fine = np.arange(_FINE) * _COARSE // _FINE
    return ((fine[:, None, None] * _COARSE + fine[:, None]) * _COARSE + fine).reshape(-1)


_OF = _coarse()
"""(cells,) the coarse cell of each fine one."""


def _apart(before: tuple[IntArray, FloatArray], here: tuple[IntArray, FloatArray]) -> float | None:
    """Drift of one pair of frames; None where they share too few colours."""
    shares, steps = [], []
    for half in (0, 1):
        then, now = before[0][half], here[0][half]
        weight = then * now / np.maximum(then + now, 1)  # of a difference of two means
        total = np.bincount(_OF, weight, _COARSE**3)
        off = here[1][half] - before[1][half]
        sums = [np.bincount(_OF, weight * off[:, c], _COARSE**3) for c in range(3)]
        shares.append(total)
        steps.append(np.stack(sums, axis=1) / np.maximum(total, 1e-9)[:, None])
    pixels = np.bincount(_OF, here[0].sum(axis=0), _COARSE**3) * (np.minimum(*shares) > 0)
    if not pixels.any():
        return None
    first, second = steps
    size = (first * np.sign(second) + second * np.sign(first)) / 2
    return float(pixels @ size.mean(axis=1) / pixels.sum())
