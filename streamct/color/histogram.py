"""Colour counts of a region: a joint Lab histogram kept as its occupied cells.

Counts are integers (a pixel weighs its mask value, 0..255, or 255 without a mask), so sums over a window of
frames are exact in any order. The three one-dimensional histograms of Lv & Zhang, Eq. 1, are the joint
one's margins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from streamct.color.jit import inlined, kernel
from streamct.color.scalar import exp2, log2
from streamct.model import FloatArray, IntArray

FULL = 255
"""Weight of one pixel that wholly belongs to a region."""

L_CELLS = 100
LOW, HIGH, UNITS = -110.5, 109.5, 220
"""a* and b* between which cells are one unit wide, and how many. Neutral lies in the middle of its cell: on an edge,
rounding would throw greys half a unit to either side."""
FIRST_UNIT, _OCTAVE = 82, 32
"""Cells beyond that on either side, and how many of them lie between a value and its double: up to 647."""
AB_CELLS = UNITS + 2 * FIRST_UNIT
"""A multiple of a page's 32 cells."""
_PAGE_BITS, _IN_PAGE = np.uint64(5), np.uint64(31)

BINS = (L_CELLS, AB_CELLS, AB_CELLS)
"""Number of the cells of L*, a*, b*."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Occupied cells of the joint histogram.

    Cells are one Lab unit wide for L 0..100 and a, b -110.5..109.5; farther out in a and b, as wide gamuts reach,
    each is 2.2% of its value wide, up to 647. Colours outside are counted in the outermost cells; so all that is
    brighter than diffuse white counts as L* = 100, where maps take its shift from.

    cells: (n,) int32, ascending cell numbers. counts: (n,) int64 > 0, in 1/255 pixel.
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
        _centres(self.cells, _middles(), centres)
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


@inlined
def _bin(value: float) -> int:
    """Number of the a* or b* cell of a value."""
    if LOW <= value < HIGH:
        return FIRST_UNIT + int(value - LOW)
    if value < LOW:
        return max(FIRST_UNIT - 1 - int(_OCTAVE * log2(value / LOW)), 0)
    return min(FIRST_UNIT + UNITS + int(_OCTAVE * log2(value / HIGH)), AB_CELLS - 1)


@inlined
def _centre(cell: int) -> float:
    """Middle of an a* or b* cell: of its ends, or beyond the units of their logarithms."""
    if cell < FIRST_UNIT:
        return LOW * exp2((FIRST_UNIT - 0.5 - cell) / _OCTAVE)
    if cell >= FIRST_UNIT + UNITS:
        return HIGH * exp2((cell - (FIRST_UNIT + UNITS - 0.5)) / _OCTAVE)
    return cell + (LOW + 0.5 - FIRST_UNIT)


@kernel
def bins_of(values: FloatArray, channel: int, out: IntArray) -> None:
    """Cell numbers of one channel's values (n,); channel: 0 L*, 1 a*, 2 b*."""
    for i in range(values.shape[0]):
        out[i] = min(max(int(np.floor(values[i])), 0), L_CELLS - 1) if channel == 0 else _bin(values[i])


@kernel
def bin_centres(cells: IntArray, channel: int, out: FloatArray) -> None:
    """Middles of one channel's cells (n,)."""
    for i in range(cells.shape[0]):
        out[i] = cells[i] + 0.5 if channel == 0 else _centre(cells[i])


@cache
def _middles() -> FloatArray:
    """Middles of all a* or b* cells."""
    out = np.empty(AB_CELLS, np.float64)
    bin_centres(np.arange(AB_CELLS), 1, out)
    return out


@kernel
def _centres(cells: NDArray[np.int32], middles: FloatArray, out: FloatArray) -> None:
    for i in range(cells.shape[0]):
        line, b = np.uint32(cells[i]) // np.uint32(AB_CELLS), np.uint32(cells[i]) % np.uint32(AB_CELLS)
        out[i, 0] = line // np.uint32(AB_CELLS) + 0.5
        out[i, 1] = middles[line % np.uint32(AB_CELLS)]
        out[i, 2] = middles[b]


@kernel
def _cells_of(lab, wide, cells):  # type: ignore[no-untyped-def]
    """Cell numbers of colours lab (n, 3)."""
    for i in range(lab.shape[0]):
        cell_l = min(max(int(np.floor(lab[i, 0])), 0), L_CELLS - 1)
        if wide:
            cell_a, cell_b = _bin(lab[i, 1]), _bin(lab[i, 2])
        else:
            cell_a = FIRST_UNIT + min(max(int(np.floor(lab[i, 1] - LOW)), 0), UNITS - 1)
            cell_b = FIRST_UNIT + min(max(int(np.floor(lab[i, 2] - LOW)), 0), UNITS - 1)
        cells[i] = (cell_l * AB_CELLS + cell_a) * AB_CELLS + cell_b


@kernel
def _add_counts(cells, counts, factor, start, pages, sums, bits, held, used):  # type: ignore[no-untyped-def]
    """Add `factor * counts` from `start` on; returns the cell for which there was no page left."""
    for i in range(start, cells.shape[0]):
        if counts[i] == 0:
            continue
        cell = np.uint64(np.uint32(cells[i]))
        number = cell >> _PAGE_BITS
        page = pages[number]
        if page < 0:
            page = used[0]
            if page == held.shape[0]:
                return i
            pages[number] = page
            held[page] = number
            used[0] = page + 1
        place = np.uint64(page)
        bits[place] |= np.uint32(1) << np.uint32(cell & _IN_PAGE)
        sums[place << _PAGE_BITS | cell & _IN_PAGE] += counts[i] * factor
    return cells.shape[0]


@inlined
def _ones(mask: np.uint32) -> np.uint32:
    """How many bits of a uint32 are set (SWAR)."""
    m = np.uint32(mask)
    m = m - (m >> np.uint32(1) & np.uint32(0x55555555))
    m = (m & np.uint32(0x33333333)) + (m >> np.uint32(2) & np.uint32(0x33333333))
    m = m + (m >> np.uint32(4)) & np.uint32(0x0F0F0F0F)
    return np.uint32(m * np.uint32(0x01010101)) >> np.uint32(24)


@kernel
def _occupied(bits, pages):  # type: ignore[no-untyped-def]
    """How many cells of the first so many pages hold something."""
    count = np.int64(0)
    for i in range(pages):
        count += np.int64(_ones(bits[i]))
    return count


@kernel
def _collect(order, pages, sums, bits, cells, counts):  # type: ignore[no-untyped-def]
    """Cells and counts, ascending, of the pages in `order`, which are empty afterwards."""
    n = 0
    for number in order:
        page = np.uint64(pages[number])
        mask = bits[page]
        while mask != 0:
            k = np.uint64(_ones((mask & (~mask + np.uint32(1))) - np.uint32(1)))
            mask &= mask - np.uint32(1)
            cells[n] = np.uint64(number) << _PAGE_BITS | k
            counts[n] = sums[page << _PAGE_BITS | k]
            sums[page << _PAGE_BITS | k] = 0
            n += 1
        bits[page] = 0
        pages[number] = -1


class Counter:
    """Counts pixels and adds histograms. One thread each.

    The grid of all cells would take 118 MB. It falls into pages of 32 neighbouring cells, of which only those are
    there that hold a colour. wide: a and b beyond the units get cells of their own; the gamut of BT.709 has none
    there, so what video shows there is noise, and counts in the outermost unit.
    """

    def __init__(self, wide: bool = False) -> None:
        self.wide = wide
        self._pages = np.full(L_CELLS * AB_CELLS * AB_CELLS >> int(_PAGE_BITS), -1, np.int32)
        self._held = np.empty(1 << 10, np.int32)
        self._bits = np.zeros(len(self._held), np.uint32)
        self._sums = np.zeros(len(self._held) << int(_PAGE_BITS), np.int64)
        self._used = np.zeros(1, np.int64)

    def cells_of(self, lab: FloatArray) -> NDArray[np.int32]:
        """Cell numbers (n,) of lab (n, 3)."""
        cells = np.empty(len(lab), np.int32)
        _cells_of(lab, self.wide, cells)
        return cells

    def tally(self, cells: NDArray[np.int32], weights: NDArray[np.uint8]) -> Histogram:
        """Histogram of pixels in cells (n,) with weights (n,) 0..255."""
        self._add(cells, weights, 1)
        return self._collected()

    def count(self, lab: FloatArray, weights: NDArray[np.uint8]) -> Histogram:
        """Histogram of lab (n, 3) with weights (n,) 0..255."""
        return self.tally(self.cells_of(lab), weights)

    def add(self, histograms: Sequence[Histogram], factors: Sequence[int]) -> Histogram:
        """Sum of `factor * histogram`, exact; factors are positive integers."""
        for h, factor in zip(histograms, factors, strict=True):
            self._add(h.cells, h.counts, factor)
        return self._collected()

    def _add(self, cells: NDArray[np.int32], counts: NDArray[np.integer], factor: int) -> None:
        done = 0
        while (done := self._added(cells, counts, factor, done)) < len(cells):
            self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)])
            self._bits = np.concatenate([self._bits, np.zeros_like(self._bits)])
            self._held = np.concatenate([self._held, np.empty_like(self._held)])

    def _added(self, cells: NDArray[np.int32], counts: NDArray[np.integer], factor: int, start: int) -> int:
        state = self._pages, self._sums, self._bits, self._held, self._used
        return int(_add_counts(cells, counts, factor, start, *state))

    def _collected(self) -> Histogram:
        pages = int(self._used[0])
        occupied = _occupied(self._bits, pages)
        # Not made by the kernel: a dtype from Numba's cache is not numpy's own object, and numpy then goes slow ways.
        cells, counts = np.empty(occupied, np.int32), np.empty(occupied, np.int64)
        _collect(np.sort(self._held[:pages]), self._pages, self._sums, self._bits, cells, counts)
        self._used[0] = 0
        return Histogram(cells, counts)
