"""Colour counts of a region: a joint Lab histogram kept as its occupied cells.

Counts are integers (a pixel weighs its mask value, 0..255, or 255 without a mask), so sums over a window of
frames are exact in any order. The three one-dimensional histograms of Lv & Zhang, Eq. 1, are the joint
one's margins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamct.color.jit import kernel
from streamct.model import FloatArray, IntArray

FULL = 255
"""Weight of one pixel that wholly belongs to a region."""

_L_BINS, _AB_BINS, _AB_LOW = 100, 220, -110.5
_CELLS = _L_BINS * _AB_BINS * _AB_BINS

CELL_RANGES = ((0.0, 100.0, _L_BINS), (_AB_LOW, _AB_LOW + _AB_BINS, _AB_BINS), (_AB_LOW, _AB_LOW + _AB_BINS, _AB_BINS))
"""Low end, high end and number of the cells of L*, a*, b*. Neutral lies in the middle of its a, b cell: on an edge,
rounding would throw greys half a unit to either side."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Occupied cells of the joint histogram, one Lab unit wide: L 0..100, a and b -110.5..109.5.

    cells: (n,) int32, ascending cell numbers. counts: (n,) int64 > 0, in 1/255 pixel. Colours outside the
    range are counted in the outermost cells.
    """

    cells: NDArray[np.int32]
    counts: IntArray

    @property
    def total(self) -> int:
        """Sum of the counts, in 1/255 pixel."""
        return int(self.counts.sum())

    def points(self) -> Points:
        """The cells' centres as weighted colours."""
        b = self.cells % _AB_BINS
        a = self.cells // _AB_BINS % _AB_BINS
        lightness = self.cells // (_AB_BINS * _AB_BINS)
        centres = np.stack([lightness + 0.5, a + (_AB_LOW + 0.5), b + (_AB_LOW + 0.5)], axis=1)
        return Points(centres, self.counts)


@dataclass(frozen=True, slots=True)
class Points:
    """Weighted colours: lab (n, 3) float64, weights (n,) int64 > 0 in 1/255 pixel."""

    lab: FloatArray
    weights: IntArray

    @property
    def total(self) -> int:
        """Sum of the weights, in 1/255 pixel."""
        return int(self.weights.sum())


@kernel
def _add_pixels(lab: FloatArray, weights: NDArray[np.uint8], grid: IntArray, touched: NDArray[np.int32]) -> int:
    n = 0
    for i in range(lab.shape[0]):
        weight = weights[i]
        if weight == 0:
            continue
        cell_l = min(max(int(np.floor(lab[i, 0])), 0), _L_BINS - 1)
        cell_a = min(max(int(np.floor(lab[i, 1] - _AB_LOW)), 0), _AB_BINS - 1)
        cell_b = min(max(int(np.floor(lab[i, 2] - _AB_LOW)), 0), _AB_BINS - 1)
        cell = (cell_l * _AB_BINS + cell_a) * _AB_BINS + cell_b
        if grid[cell] == 0:
            touched[n] = cell
            n += 1
        grid[cell] += weight
    return n


@kernel
def _add_cells(
    cells: NDArray[np.int32],
    counts: IntArray,
    factor: int,
    grid: IntArray,
    touched: NDArray[np.int32],
    n: int,
) -> int:
    for i in range(cells.shape[0]):
        cell = cells[i]
        if grid[cell] == 0:
            touched[n] = cell
            n += 1
        grid[cell] += counts[i] * factor
    return n


@kernel
def _collect(grid: IntArray, cells: NDArray[np.int32], counts: IntArray) -> None:
    for i in range(cells.shape[0]):
        counts[i] = grid[cells[i]]
        grid[cells[i]] = 0


class Counter:
    """Counts pixels and adds histograms; holds the one dense grid (38 MB) that both need. One thread each."""

    def __init__(self) -> None:
        self._grid = np.zeros(_CELLS, np.int64)

    def count(self, lab: FloatArray, weights: NDArray[np.uint8]) -> Histogram:
        """Histogram of lab (n, 3) with weights (n,) 0..255."""
        touched = np.empty(len(lab), np.int32)
        return self._collected(touched[: _add_pixels(lab, weights, self._grid, touched)])

    def add(self, histograms: Sequence[Histogram], factors: Sequence[int]) -> Histogram:
        """Sum of `factor * histogram`, exact; factors are positive integers."""
        touched = np.empty(sum(len(h.cells) for h in histograms), np.int32)
        n = 0
        for histogram, factor in zip(histograms, factors, strict=True):
            n = _add_cells(histogram.cells, histogram.counts, factor, self._grid, touched, n)
        return self._collected(touched[:n])

    def _collected(self, cells: NDArray[np.int32]) -> Histogram:
        cells.sort()
        counts = np.empty(len(cells), np.int64)
        _collect(self._grid, cells, counts)
        return Histogram(cells, counts)
