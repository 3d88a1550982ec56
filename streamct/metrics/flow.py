"""Where a frame's pixels were in the frame before: dense optical flow (Farneback 2003).

Through OpenCV (extra `evaluate`): its Farneback is the one that published figures are made with, it is kept up by
many, and its only dependency is numpy. scikit-image has no Farneback and brings scipy and six more packages.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from streamct.errors import UsageError
from streamct.model import FloatArray

_LUMA = np.array([0.2126, 0.7152, 0.0722])
_PYRAMID = {
    "pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3, "poly_n": 5, "poly_sigma": 1.2, "flags": 0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Motion:
    """Movement between two frames of (h, w) pixels.

    back: (h, w, 2) float32, what to add to (x, y) of a pixel to find it in the frame before. visible: (h, w) the
    pixel can be seen in both frames, and no border of a moving thing runs through it.
    """

    back: NDArray[np.float32]
    visible: NDArray[np.bool_]


def opencv() -> ModuleType:
    """The module cv2.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import cv2
    except ImportError as cause:
        raise UsageError(
            "measuring a video needs OpenCV for optical flow, which is not installed. "
            "Run: pip install opencv-python-headless"
        ) from cause
    return cv2


def motion_between(before: NDArray[np.floating], after: NDArray[np.floating]) -> Motion:
    """Movement from one R'G'B' picture (h, w, 3), 0..1, to the next.

    Visible where flow and counter-flow agree, |f + b|^2 <= 0.01 (|f|^2 + |b|^2) + 0.5, and away from motion
    boundaries, |grad u|^2 + |grad v|^2 <= 0.01 |b|^2 + 0.002 (Ruder et al. 2016, Eq. 5-6; used by Lai et al. 2018).

    Raises:
        UsageError: OpenCV is not installed.
    """
    back, forth = _flow(after, before), _flow(before, after)
    returned, inside = warp(forth, back)
    both = (back**2).sum(axis=-1) + (returned**2).sum(axis=-1)
    agrees = ((back + returned) ** 2).sum(axis=-1) <= 0.01 * both + 0.5
    slopes = sum(np.gradient(back[..., c], axis=axis) ** 2 for c in (0, 1) for axis in (0, 1) if back.shape[axis] > 1)
    steady = slopes <= 0.01 * (back**2).sum(axis=-1) + 0.002
    return Motion(back, inside & agrees & steady)


def _flow(of: NDArray[np.floating], to: NDArray[np.floating]) -> NDArray[np.float32]:
    grey = [np.rint(np.clip(picture @ _LUMA, 0, 1) * 255).astype(np.uint8) for picture in (of, to)]
    return np.asarray(opencv().calcOpticalFlowFarneback(grey[0], grey[1], None, **_PYRAMID))


def warp(picture: NDArray[np.floating], back: NDArray[np.floating]) -> tuple[FloatArray, NDArray[np.bool_]]:
    """`picture` (h, w, c) seen from where `back` (h, w, 2) points, bilinear; and where that lies inside it (h, w)."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    at_x, at_y = x + np.asarray(back[..., 0], np.float64), y + np.asarray(back[..., 1], np.float64)
    inside = (at_x >= 0) & (at_x <= width - 1) & (at_y >= 0) & (at_y <= height - 1)
    at_x, at_y = np.clip(at_x, 0, width - 1), np.clip(at_y, 0, height - 1)
    left, top = np.floor(at_x).astype(int), np.floor(at_y).astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    over, down = (at_x - left)[..., None], (at_y - top)[..., None]
    upper = picture[top, left] * (1 - over) + picture[top, right] * over
    lower = picture[bottom, left] * (1 - over) + picture[bottom, right] * over
    return np.asarray(upper * (1 - down) + lower * down), inside
