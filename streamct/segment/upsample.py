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
    """Nearest proxy pixel (full,) of each pixel of an axis, and the weights (full, 5), 0..32, of those around it."""
    pixels = np.arange(full)
    nearest = (2 * pixels + 1) * small // (2 * full)
    at = (pixels + 0.5) * small / full - 0.5
    distance = np.abs(at[:, None] - (nearest[:, None] + np.arange(-_REACH, _REACH + 1)))
    weights = np.maximum(1 - (distance / (_REACH + 0.5)) ** 2, 0) ** 2
    return nearest.astype(np.int32), np.rint(32 * weights).astype(np.int32)


@kernel
def _extremes(mask, low, high) -> None:  # type: ignore[no-untyped-def]
    height, width = mask.shape
    for y in range(height):
        for x in range(width):
            least, most = mask[y, x], mask[y, x]
            for v in range(max(y - _REACH, 0), min(y + _REACH + 1, height)):
                for u in range(max(x - _REACH, 0), min(x + _REACH + 1, width)):
                    least, most = min(least, mask[v, u]), max(most, mask[v, u])
            low[y, x], high[y, x] = least, most


@kernel
def _upsample(mask, low, high, guide, luma, shift, rows, row_weights, columns, column_weights, likeness, out) -> None:  # type: ignore[no-untyped-def]
    height, width = mask.shape
    for y in range(luma.shape[0]):
        cy = rows[y]
        for x in range(luma.shape[1]):
            cx = columns[x]
            if high[cy, cx] - low[cy, cx] <= _FLAT:
                out[y, x] = mask[cy, cx]
                continue
            code = np.int32(luma[y, x]) >> shift
            total, held = np.int64(0), np.int64(0)
            for j in range(_TAPS):
                v = min(max(cy + j - _REACH, 0), height - 1)
                across = row_weights[y, j]
                for i in range(_TAPS):
                    u = min(max(cx + i - _REACH, 0), width - 1)
                    difference = min(abs(code - guide[v, u]), 255)
                    counts = np.int64(across * column_weights[x, i] * likeness[difference])
                    total += counts
                    held += counts * np.int64(mask[v, u])
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
    low, high = np.empty_like(mask), np.empty_like(mask)
    _extremes(mask, low, high)
    out = np.empty((rows, columns), np.uint8)
    _upsample(mask, low, high, guide, luma, shift, *_axis(rows, height), *_axis(columns, width), _LIKENESS, out)
    return out
