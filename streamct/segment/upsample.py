"""Masks at proxy size -> masks at full size whose edges follow the picture's luma.

Joint bilateral upsampling (Kopf, Cohen, Lischinski & Uyttendaele 2007): a pixel takes the mean of the proxy
masks around it, weighted by distance and by likeness of luma. In integers but for the spatial weights, which
take no function whose last bit differs between machines.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streamct.color.jit import kernel
from streamct.color.proxy import box_means
from streamct.model import Plane
from streamct.segment import Mask
from streamct.segment.matte import resized

_REACH = 2
_TAPS = 2 * _REACH + 1
_HALF = 12
"""Difference of luma, in 8-bit codes, at which a proxy pixel counts half."""
_FLAT = 2
"""Where the masks around differ by no more, the nearest is taken."""


def _likeness() -> NDArray[np.int32]:
    difference = np.arange(256, dtype=np.int64)
    return (255 * _HALF**4 // (_HALF**4 + difference**4) + 1).astype(np.int32)


_LIKENESS = _likeness()


@lru_cache(maxsize=8)
def _axis(full: int, small: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """First pixel (small + 1,) nearest to each proxy pixel of an axis, and the weights (full, 5), 0..32, of the
    proxy pixels around each pixel's nearest."""
    pixels = np.arange(full)
    nearest = (2 * pixels + 1) * small // (2 * full)
    at = (pixels + 0.5) * small / full - 0.5
    distance = np.abs(at[:, None] - (nearest[:, None] + np.arange(-_REACH, _REACH + 1)))
    weights = np.maximum(1 - (distance / (_REACH + 0.5)) ** 2, 0) ** 2
    firsts = np.searchsorted(nearest, np.arange(small + 1))
    return firsts.astype(np.int32), np.rint(32 * weights).astype(np.int32)


@kernel
def _spread(mask, spread) -> None:  # type: ignore[no-untyped-def]
    """Largest less smallest of the 5 x 5 masks around each; `mask` has a margin of 2, `spread` has none."""
    height, width = spread.shape
    low = np.empty(width + 2 * _REACH, np.uint8)
    high = np.empty(width + 2 * _REACH, np.uint8)
    for y in range(height):
        low[:] = mask[y]
        high[:] = mask[y]
        for v in range(y + 1, y + _TAPS):
            for x in range(width + 2 * _REACH):
                low[x] = min(low[x], mask[v, x])
                high[x] = max(high[x], mask[v, x])
        for x in range(width):
            least, most = low[x], high[x]
            for u in range(x + 1, x + _TAPS):
                least, most = min(least, low[u]), max(most, high[u])
            spread[y, x] = most - least


@kernel
def _upsample(  # type: ignore[no-untyped-def]
    mask, spread, guide, luma, shift, rows, row_weights, columns, column_weights, likeness, out
) -> None:
    """`mask` and `guide` have a margin of 2, so that no neighbour has to be looked for."""
    for cy in range(spread.shape[0]):
        for y in range(rows[cy], rows[cy + 1]):
            for cx in range(spread.shape[1]):
                if spread[cy, cx] <= _FLAT:
                    nearest = mask[cy + _REACH, cx + _REACH]
                    for x in range(columns[cx], columns[cx + 1]):
                        out[y, x] = nearest
                    continue
                for x in range(columns[cx], columns[cx + 1]):
                    code = np.int32(luma[y, x]) >> shift
                    total, held = np.int64(0), np.int64(0)
                    for j in range(_TAPS):
                        across = row_weights[y, j]
                        for i in range(_TAPS):
                            difference = min(abs(code - guide[cy + j, cx + i]), 255)
                            counts = np.int64(across * column_weights[x, i] * likeness[difference])
                            total += counts
                            held += counts * np.int64(mask[cy + j, cx + i])
                    out[y, x] = np.uint8((2 * held + total) // (2 * total))


def upsampled(mask: Mask, luma: Plane, depth: int) -> Mask:
    """`mask` (h, w) at the size of the frame's plane `luma` (H, W), `depth` bits a sample, edges along its own.

    Plane 0 serves as luma in every format (G of R'G'B').
    """
    height, width = mask.shape
    rows, columns = luma.shape
    if rows <= height or columns <= width:
        return resized(mask, columns, rows)
    shift = depth - 8
    guide = np.rint(box_means(luma, width, height) / (1 << shift)).astype(np.int32)
    spread = np.empty_like(mask)
    mask, guide = np.pad(mask, _REACH, mode="edge"), np.pad(guide, _REACH, mode="edge")
    _spread(mask, spread)
    out = np.empty((rows, columns), np.uint8)
    _upsample(mask, spread, guide, luma, shift, *_axis(rows, height), *_axis(columns, width), _LIKENESS, out)
    return out
