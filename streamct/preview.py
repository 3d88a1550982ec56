"""Pictures to look at: palettes as swatches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamct.color.lab import lab_to_srgb8
from streamct.model import Palette

_HEIGHT = 480
_STRIP = 160
_GAP = 8


def palette_sheet(rgb: NDArray[np.float32], palette: Palette) -> NDArray[np.uint8]:
    """The picture (h, w, 3) of sRGB values, scaled to 480 lines, beside a strip of its palette.

    Swatches are stacked heaviest first, each as high as its weight and at least 4 lines.

    Returns: (480, width, 3) uint8 sRGB.
    """
    width = max(1, round(rgb.shape[1] * _HEIGHT / rgb.shape[0]))
    rows = np.minimum((np.arange(_HEIGHT) + 0.5) * rgb.shape[0] / _HEIGHT, rgb.shape[0] - 1).astype(int)
    columns = np.minimum((np.arange(width) + 0.5) * rgb.shape[1] / width, rgb.shape[1] - 1).astype(int)
    small = np.rint(np.clip(rgb[rows][:, columns], 0, 1) * 255).astype(np.uint8)
    sheet = np.full((_HEIGHT, width + _GAP + _STRIP, 3), 255, np.uint8)
    sheet[:, :width] = small
    least = 4
    heights = least + palette.weights * (_HEIGHT - least * len(palette))
    edges = np.rint(np.concatenate([[0], np.cumsum(heights)])).astype(int)
    for colour, top, bottom in zip(lab_to_srgb8(palette.colours), edges[:-1], edges[1:], strict=True):
        sheet[top:bottom, width + _GAP :] = colour
    return sheet
