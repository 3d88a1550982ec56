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

_LINE = 224
"""Distance of two cells that differ by one in a*: that of the b* cells, made up to whole pages."""
_PAGE_BITS, _IN_PAGE = np.uint64(4), np.uint64(15)

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
        centres = np.empty((len(self.cells), 3), np.float64)
        _centres(self.cells, centres)
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
def _centres(cells: NDArray[np.int32], out: FloatArray) -> None:
    for i in range(cells.shape[0]):
        line, b = np.uint32(cells[i]) // np.uint32(_LINE), np.uint32(cells[i]) % np.uint32(_LINE)
        out[i, 0] = line // np.uint32(_AB_BINS) + 0.5
        out[i, 1] = line % np.uint32(_AB_BINS) + (_AB_LOW + 0.5)
        out[i, 2] = b + (_AB_LOW + 0.5)


@kernel
def _add_pixels(lab, weights, start, pages, sums, held, used):  # type: ignore[no-untyped-def]
    """Count pixels from `start` on; returns the one for which there was no page left."""
    for i in range(start, lab.shape[0]):
        weight = np.int64(weights[i])
        if weight == 0:
            continue
        cell_l = min(max(int(np.floor(lab[i, 0])), 0), _L_BINS - 1)
        cell_a = min(max(int(np.floor(lab[i, 1] - _AB_LOW)), 0), _AB_BINS - 1)
        cell_b = min(max(int(np.floor(lab[i, 2] - _AB_LOW)), 0), _AB_BINS - 1)
        cell = np.uint64((cell_l * _AB_BINS + cell_a) * _LINE + cell_b)
        page = cell >> _PAGE_BITS
        if pages[page] < 0:
            if used[0] == held.shape[0]:
                return i
            pages[page] = used[0]
            held[used[0]] = page
            used[0] += 1
        sums[np.uint64(pages[page]) << _PAGE_BITS | cell & _IN_PAGE] += weight
    return lab.shape[0]


@kernel
def _add_cells(cells, counts, factor, start, pages, sums, held, used):  # type: ignore[no-untyped-def]
    """Add `factor * counts` from `start` on; returns the cell for which there was no page left."""
    for i in range(start, cells.shape[0]):
        cell = np.uint64(cells[i])
        page = cell >> _PAGE_BITS
        if pages[page] < 0:
            if used[0] == held.shape[0]:
                return i
            pages[page] = used[0]
            held[used[0]] = page
            used[0] += 1
        sums[np.uint64(pages[page]) << _PAGE_BITS | cell & _IN_PAGE] += counts[i] * factor
    return cells.shape[0]


@kernel
def _occupied(sums, pages):  # type: ignore[no-untyped-def]
    """How many cells of the first so many pages hold something."""
    count = 0
    for i in range(pages << np.int64(_PAGE_BITS)):
        count += sums[i] > 0
    return count


@kernel
def _collect(order, pages, sums, cells, counts):  # type: ignore[no-untyped-def]
    """Cells and counts, ascending, of the pages in `order`, which are empty afterwards; one place more is used."""
    n = 0
    for page in order:
        first = np.uint64(pages[page]) << _PAGE_BITS
        for k in range(_IN_PAGE + np.uint64(1)):
            # Written in any case and overtaken if empty: no branch that the processor would guess wrong.
            cells[n] = np.uint64(page) << _PAGE_BITS | np.uint64(k)
            counts[n] = sums[first | np.uint64(k)]
            n += 1 if sums[first | np.uint64(k)] > 0 else 0
            sums[first | np.uint64(k)] = 0
        pages[page] = -1


class Counter:
    """Counts pixels and adds histograms. One thread each.

    The grid of all cells would take 38 MB. It falls into pages of 16 neighbouring cells, of which only those are
    there that hold a colour.
    """

    def __init__(self) -> None:
        self._pages = np.full(_L_BINS * _AB_BINS * _LINE >> int(_PAGE_BITS), -1, np.int32)
        self._sums = np.zeros(1 << 15, np.int64)
        self._held = np.empty(len(self._sums) >> int(_PAGE_BITS), np.int32)
        self._used = np.zeros(1, np.int64)

    def count(self, lab: FloatArray, weights: NDArray[np.uint8]) -> Histogram:
        """Histogram of lab (n, 3) with weights (n,) 0..255."""
        done = 0
        while (done := _add_pixels(lab, weights, done, *self._state)) < len(lab):
            self._grow()
        return self._collected()

    def add(self, histograms: Sequence[Histogram], factors: Sequence[int]) -> Histogram:
        """Sum of `factor * histogram`, exact; factors are positive integers."""
        for h, factor in zip(histograms, factors, strict=True):
            done = 0
            while (done := _add_cells(h.cells, h.counts, factor, done, *self._state)) < len(h.cells):
                self._grow()
        return self._collected()

    @property
    def _state(self) -> tuple[NDArray[np.int32], IntArray, NDArray[np.int32], IntArray]:
        return self._pages, self._sums, self._held, self._used

    def _grow(self) -> None:
        """Make room for twice as many pages."""
        self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)])
        self._held = np.concatenate([self._held, np.empty_like(self._held)])

    def _collected(self) -> Histogram:
        pages = int(self._used[0])
        occupied = _occupied(self._sums, pages)
        # Not made by the kernel: a dtype from Numba's cache is not numpy's own object, and np.add.at then is slow.
        cells, counts = np.empty(occupied + 1, np.int32), np.empty(occupied + 1, np.int64)
        _collect(np.sort(self._held[:pages]), self._pages, self._sums, cells, counts)
        self._used[0] = 0
        return Histogram(cells[:occupied], counts[:occupied])
