"""A small picture of a frame or a reference, made the same way for both, and its Lab colours.

Every proxy pixel is the plain mean of a box of samples; box edges are floor(i * size / proxy size). The mean
is taken of coded values, on which R'G'B' depends linearly, so planes and pictures give the same proxy.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streamct.color.coding import code_to_rgb
from streamct.color.jit import kernel
from streamct.model import Coding, FloatArray, IntArray, PixelFormat, Plane


def proxy_size(width: int, height: int, long_edge: int) -> tuple[int, int]:
    """(width, height) of the proxy: the long edge at most `long_edge`, never larger than the picture."""
    scale = min(1.0, long_edge / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


@kernel
def _box_means(plane, tops, lefts, lines, out) -> None:  # type: ignore[no-untyped-def]
    """Adds whole lines first, element by element, which vectorises; then the few columns of each box."""
    width = plane.shape[1]
    rows, columns = out.shape
    for r in range(rows):
        y0, y1 = tops[r], max(tops[r + 1], tops[r] + 1)
        lines[:] = 0
        for y in range(y0, y1):
            line = plane[y]
            for x in range(width):
                lines[x] += line[x]
        for c in range(columns):
            x0, x1 = lefts[c], max(lefts[c + 1], lefts[c] + 1)
            total = lines.dtype.type(0)
            for x in range(x0, x1):
                total += lines[np.uint64(x)]
            out[r, c] = total / ((y1 - y0) * (x1 - x0))


def box_means(plane: NDArray[np.generic], width: int, height: int) -> FloatArray:
    """Means of the boxes of a plane (h, w): (height, width) float64. A smaller plane repeats its samples.

    Exact sums for uint8 and uint16 planes of up to 65,536 lines.
    """
    out = np.empty((height, width, 1), np.float64)
    _box_means_into(plane, out[..., 0])
    return out[..., 0]


def _box_means_into(plane: NDArray[np.generic], out: FloatArray) -> None:
    height, width = out.shape
    _box_means(plane, _edges(plane.shape[0], height), _edges(plane.shape[1], width), _sums(plane, height), out)


@lru_cache(maxsize=64)
def _edges(full: int, small: int) -> IntArray:
    return np.arange(small + 1) * full // small


def _sums(plane: NDArray[np.generic], height: int) -> NDArray[np.generic]:
    """A line of sums, of the narrowest type that holds those of a box's lines."""
    if plane.dtype.kind != "u":
        return np.empty(plane.shape[1], np.float64)
    narrow = plane.dtype.itemsize == 1 and plane.shape[0] // height < 256
    return np.empty(plane.shape[1], np.uint16 if narrow else np.uint32)


def planes_proxy_rgb(
    planes: tuple[Plane, ...], layout: PixelFormat, coding: Coding, width: int, height: int
) -> FloatArray:
    """R'G'B' (height, width, 3) float64, 0..1 nominal, of a frame's first three planes, behind the coding's Lut."""
    units = np.empty((height, width, 3), np.float64)
    for c, plane in enumerate(planes[:3]):
        _box_means_into(plane, units[..., c])
    units /= 1 << (layout.depth - 8)
    rgb = code_to_rgb(units, coding, layout.depth)
    return rgb if coding.lut is None else coding.lut(rgb)


def picture_proxy_rgb(rgb: NDArray[np.float32], width: int, height: int) -> FloatArray:
    """R'G'B' (height, width, 3) float64 of a picture (h, w, 3)."""
    return np.stack([box_means(rgb[..., c], width, height) for c in range(3)], axis=-1)
