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
