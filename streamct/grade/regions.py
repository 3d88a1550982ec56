"""Colours of a picture's regions, and the palettes they give.

A picture with a mask has a foreground and a background; without one, or where either part is smaller than
2% of the picture, all of it is one region (Lv & Zhang, section 4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamct.color.histogram import FULL, Counter, Histogram, Points
from streamct.color.palette import extract
from streamct.model import FloatArray, Palette
from streamct.settings import PaletteSettings

SPLIT_SHARES = (0.02, 0.98)
"""Foreground shares between which a picture counts as split."""

Colours = Histogram | Points
"""What a region's palette is made from: cells with `bins = unit`, pixels with `bins = range`."""


@dataclass(frozen=True, slots=True)
class Regions:
    """Colours of the whole picture, and of its two parts where it has a mask. share: foreground, 0..1."""

    whole: Colours
    foreground: Colours | None = None
    background: Colours | None = None
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Palettes:
    """A picture's palettes; `split` holds foreground and background where it has a clear split."""

    whole: Palette
    split: tuple[Palette, Palette] | None = None


def count_regions(
    lab: FloatArray, mask: NDArray[np.uint8] | None, counter: Counter, settings: PaletteSettings
) -> Regions:
    """Regions of the pixels lab (n, 3) with foreground weights mask (n,) 0..255, or None."""
    if settings.bins == "unit":
        return count_cells(counter.cells_of(lab), mask, counter)
    return _regions(lambda weights: Points(lab[weights > 0], weights[weights > 0].astype(np.int64)), len(lab), mask)


def count_cells(cells: NDArray[np.int32], mask: NDArray[np.uint8] | None, counter: Counter) -> Regions:
    """The same of pixels of which the cells (n,) are known."""
    return _regions(lambda weights: counter.tally(cells, weights), len(cells), mask)


def _regions(take: Callable[[NDArray[np.uint8]], Colours], pixels: int, mask: NDArray[np.uint8] | None) -> Regions:
    whole = take(np.full(pixels, FULL, np.uint8))
    if mask is None:
        return Regions(whole)
    share = int(mask.sum(dtype=np.int64)) / max(FULL * pixels, 1)
    return Regions(whole, take(mask), take(np.asarray(FULL - mask, np.uint8)), share)


def add_colours(parts: Sequence[Colours], factors: Sequence[int], counter: Counter) -> Points:
    """Sum of `factor * colours`, as weighted points; all parts are of one kind."""
    histograms = [part for part in parts if isinstance(part, Histogram)]
    if histograms:
        return counter.add(histograms, factors).points()
    points = [part for part in parts if isinstance(part, Points)]
    lab = np.concatenate([part.lab for part in points])
    return Points(lab, np.concatenate([p.weights * f for p, f in zip(points, factors, strict=True)]))


def palettes_of(regions: Regions, counter: Counter, settings: PaletteSettings) -> Palettes | None:
    """Palettes of one picture; None where no pixel was counted."""
    whole = add_colours([regions.whole], [1], counter)
    if len(whole.lab) == 0:
        return None
    split = None
    if regions.foreground is not None and regions.background is not None:
        low, high = SPLIT_SHARES
        if low <= regions.share <= high:
            front = extract(add_colours([regions.foreground], [1], counter), settings)
            split = (front, extract(add_colours([regions.background], [1], counter), settings))
    return Palettes(extract(whole, settings), split)
