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

_L_BINS = 100
_LOW, _HIGH, _UNITS = -110.5, 109.5, 220
"""a* and b* between which cells are one unit wide, and how many. Neutral lies in the middle of its cell: on an edge,
rounding would throw greys half a unit to either side."""
_TAIL, _OCTAVE = 82, 32
"""Cells beyond that on either side, and how many of them lie between a value and its double: up to 647."""
_AB_BINS = _UNITS + 2 * _TAIL
"""A multiple of a page's 32 cells."""
_PAGE_BITS, _IN_PAGE = np.uint64(5), np.uint64(31)

BINS = (_L_BINS, _AB_BINS, _AB_BINS)
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
    if _LOW <= value < _HIGH:
        return _TAIL + int(value - _LOW)
    if value < _LOW:
        return max(_TAIL - 1 - int(_OCTAVE * log2(value / _LOW)), 0)
    return min(_TAIL + _UNITS + int(_OCTAVE * log2(value / _HIGH)), _AB_BINS - 1)


@inlined
def _centre(cell: int) -> float:
    """Middle of an a* or b* cell: of its ends, or beyond the units of their logarithms."""
    if cell < _TAIL:
        return _LOW * exp2((_TAIL - 0.5 - cell) / _OCTAVE)
    if cell >= _TAIL + _UNITS:
        return _HIGH * exp2((cell - (_TAIL + _UNITS - 0.5)) / _OCTAVE)
    return cell + (_LOW + 0.5 - _TAIL)


@kernel
def bins_of(values: FloatArray, channel: int, out: IntArray) -> None:
    """Cell numbers of one channel's values (n,); channel: 0 L*, 1 a*, 2 b*."""
    for i in range(values.shape[0]):
        out[i] = min(max(int(np.floor(values[i])), 0), _L_BINS - 1) if channel == 0 else _bin(values[i])


@kernel
def bin_centres(cells: IntArray, channel: int, out: FloatArray) -> None:
    """Middles of one channel's cells (n,)."""
    for i in range(cells.shape[0]):
        out[i] = cells[i] + 0.5 if channel == 0 else _centre(cells[i])


@cache
def _middles() -> FloatArray:
    """Middles of all a* or b* cells."""
    out = np.empty(_AB_BINS, np.float64)
    bin_centres(np.arange(_AB_BINS), 1, out)
    return out


@kernel
def _centres(cells: NDArray[np.int32], middles: FloatArray, out: FloatArray) -> None:
    for i in range(cells.shape[0]):
        line, b = np.uint32(cells[i]) // np.uint32(_AB_BINS), np.uint32(cells[i]) % np.uint32(_AB_BINS)
        out[i, 0] = line // np.uint32(_AB_BINS) + 0.5
        out[i, 1] = middles[line % np.uint32(_AB_BINS)]
        out[i, 2] = middles[b]


@kernel
def _add_pixels(lab, weights, wide, start, pages, sums, held, used):  # type: ignore[no-untyped-def]
    """Count pixels from `start` on; returns the one for which there was no page left."""
    for i in range(start, lab.shape[0]):
        weight = np.int64(weights[i])
        if weight == 0:
            continue
        cell_l = min(max(int(np.floor(lab[i, 0])), 0), _L_BINS - 1)
        if wide:
            cell_a, cell_b = _bin(lab[i, 1]), _bin(lab[i, 2])
        else:
            cell_a = _TAIL + min(max(int(np.floor(lab[i, 1] - _LOW)), 0), _UNITS - 1)
            cell_b = _TAIL + min(max(int(np.floor(lab[i, 2] - _LOW)), 0), _UNITS - 1)
        cell = np.uint64((cell_l * _AB_BINS + cell_a) * _AB_BINS + cell_b)
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

    The grid of all cells would take 118 MB. It falls into pages of 32 neighbouring cells, of which only those are
    there that hold a colour. wide: a and b beyond the units get cells of their own; the gamut of BT.709 has none
    there, so what video shows there is noise, and counts in the outermost unit.
    """

    def __init__(self, wide: bool = False) -> None:
        self._wide = wide
        self._pages = np.full(_L_BINS * _AB_BINS * _AB_BINS >> int(_PAGE_BITS), -1, np.int32)
        self._sums = np.zeros(1 << 15, np.int64)
        self._held = np.empty(len(self._sums) >> int(_PAGE_BITS), np.int32)
        self._used = np.zeros(1, np.int64)

    def count(self, lab: FloatArray, weights: NDArray[np.uint8]) -> Histogram:
        """Histogram of lab (n, 3) with weights (n,) 0..255."""
        done = 0
        while (done := _add_pixels(lab, weights, self._wide, done, *self._state)) < len(lab):
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
