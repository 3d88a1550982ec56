"""Still pictures through a segmenter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamct.color.proxy import picture_proxy_rgb, proxy_size
from streamct.segment import Mask, Segmenter
from streamct.segment.steady import firmed
from streamct.segment.upsample import upsampled

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


def picture_mask(rgb: NDArray[np.float32], segmenter: Segmenter) -> Mask:
    """Foreground weights of an upright picture (h, w, 3) of sRGB values, at the segmenter's proxy size."""
    height, width = rgb.shape[:2]
    proxy = picture_proxy_rgb(rgb, *proxy_size(width, height, segmenter.size))
    codes = np.rint(np.clip(proxy, 0, 1) * 255).astype(np.uint8)
    foreground = segmenter.segment(codes[None])[0]
    return firmed(np.rint(foreground * np.float32(255)).astype(np.uint8))


def picture_full(mask: Mask, rgb: NDArray[np.float32]) -> Mask:
    """`mask` at the size of the picture, its edges along the picture's luma."""
    luma = np.rint(np.clip(rgb @ _LUMA, 0, 1) * 255).astype(np.uint8)
    return upsampled(mask, luma, 8)


def quarter_turns(matrix: tuple[int, ...] | None) -> int:
    """Quarter turns, anticlockwise, that show a clip upright, by its display matrix (ISO/IEC 14496-12, 6.2.2)."""
    if matrix is None:
        return 0
    turns = {(1, 0): 0, (0, 1): 3, (-1, 0): 2, (0, -1): 1}
    a, b = matrix[0], matrix[1]
    return turns[(0, _sign(b)) if abs(b) > abs(a) else (_sign(a), 0)] if (a or b) else 0


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
