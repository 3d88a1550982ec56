"""Pictures to look at: palettes as swatches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamct.color.lab import lab_to_srgb8
from streamct.model import Palette

_HEIGHT = 480
_STRIP = 160
_GAP = 8
_LEAST = 4
_DARK = 0.15


def palette_sheet(
    rgb: NDArray[np.float32], palettes: Sequence[Palette], matte: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """The picture (h, w, 3) of sRGB values, scaled to 480 lines, beside a strip for each palette.

    matte: (h, w) foreground weights 0..255: the picture is shown a second time, its background turned dark.
    Swatches are stacked heaviest first, each as high as its weight and at least 4 lines.

    Returns: (480, width, 3) uint8 sRGB.
    """
    width = max(1, round(rgb.shape[1] * _HEIGHT / rgb.shape[0]))
    rows = np.minimum((np.arange(_HEIGHT) + 0.5) * rgb.shape[0] / _HEIGHT, rgb.shape[0] - 1).astype(int)
    columns = np.minimum((np.arange(width) + 0.5) * rgb.shape[1] / width, rgb.shape[1] - 1).astype(int)
    small = np.clip(rgb[rows][:, columns], 0, 1)
    parts = [np.rint(small * 255).astype(np.uint8)]
    if matte is not None:
        light = _DARK + (1 - _DARK) * matte[rows][:, columns, None] / 255
        parts.append(np.rint(small * light * 255).astype(np.uint8))
    parts += [_strip(palette) for palette in palettes]
    gap = np.full((_HEIGHT, _GAP, 3), 255, np.uint8)
    return np.concatenate([piece for part in parts for piece in (gap, part)][1:], axis=1)


def _strip(palette: Palette) -> NDArray[np.uint8]:
    strip = np.full((_HEIGHT, _STRIP, 3), 255, np.uint8)
    heights = _LEAST + palette.weights * (_HEIGHT - _LEAST * len(palette))
    edges = np.rint(np.concatenate([[0], np.cumsum(heights)])).astype(int)
    for colour, top, bottom in zip(lab_to_srgb8(palette.colours), edges[:-1], edges[1:], strict=True):
        strip[top:bottom] = colour
    return strip
