"""A small picture of a frame or a reference, made the same way for both, and its Lab colours.

Every proxy pixel is the plain mean of a box of samples; box edges are floor(i * size / proxy size). The mean
is taken of coded values, on which R'G'B' depends linearly, so planes and pictures give the same proxy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamct.color.coding import code_to_rgb
from streamct.color.jit import kernel
from streamct.model import Coding, FloatArray, PixelFormat, Plane


def proxy_size(width: int, height: int, long_edge: int) -> tuple[int, int]:
    """(width, height) of the proxy: the long edge at most `long_edge`, never larger than the picture."""
    scale = min(1.0, long_edge / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


@kernel
def _box_means(plane, lines, out) -> None:  # type: ignore[no-untyped-def]
    """Adds whole lines first, element by element, which vectorises; then the few columns of each box."""
    height, width = plane.shape
    rows, columns = out.shape
    for r in range(rows):
        y0 = r * height // rows
        y1 = max((r + 1) * height // rows, y0 + 1)
        lines[:] = 0
        for y in range(y0, y1):
            line = plane[y]
            for x in range(width):
                lines[x] += line[x]
        for c in range(columns):
            x0 = c * width // columns
            x1 = max((c + 1) * width // columns, x0 + 1)
            total = 0.0
            for x in range(x0, x1):
                total += lines[x]
            out[r, c] = total / ((y1 - y0) * (x1 - x0))


def box_means(plane: NDArray[np.generic], width: int, height: int) -> FloatArray:
    """Means of the boxes of a plane (h, w): (height, width) float64. A smaller plane repeats its samples.

    Exact sums for uint8 and uint16 planes of up to 65,536 lines.
    """
    out = np.empty((height, width), np.float64)
    whole = plane.dtype.kind == "u"
    _box_means(plane, np.empty(plane.shape[1], np.uint32 if whole else np.float64), out)
    return out


def planes_proxy_rgb(
    planes: tuple[Plane, ...], layout: PixelFormat, coding: Coding, width: int, height: int
) -> FloatArray:
    """R'G'B' (height, width, 3) float64, 0..1 nominal, of a frame's first three planes."""
    units = np.stack([box_means(plane, width, height) for plane in planes[:3]], axis=-1)
    units /= 1 << (layout.depth - 8)
    return code_to_rgb(units, coding, layout.depth)


def picture_proxy_rgb(rgb: NDArray[np.float32], width: int, height: int) -> FloatArray:
    """R'G'B' (height, width, 3) float64 of a picture (h, w, 3)."""
    return np.stack([box_means(rgb[..., c], width, height) for c in range(3)], axis=-1)
