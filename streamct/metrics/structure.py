"""Whether a grade kept what is drawn in a picture, whatever it did to its tones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamct.model import FloatArray

_LUMA = np.array([0.2126, 0.7152, 0.0722])
_SIGMA = 3.0
_REACH = 9
_FLOOR = 1 / 255
"""One 8-bit code: below it local contrast is noise and is not blown up to full size."""


def structure(source: NDArray[np.floating], result: NDArray[np.floating]) -> float:
    """Correlation of the locally normalised lumas of two pictures (h, w, 3) R'G'B', -1..1; 1: nothing was lost.

    Locally normalised: (Y' - m) / (s + 1/255), m and s the Gaussian mean and standard deviation around the pixel
    (sigma 3 pixels; Mittal et al. 2012, Eq. 1-3). Two flat pictures correlate with 1, a flat one with any other 0.
    """
    first, second = (_normalised(np.asarray(picture @ _LUMA, np.float64)) for picture in (source, result))
    first, second = first - first.mean(), second - second.mean()
    flat = [float(np.abs(part).max()) < 1e-9 for part in (first, second)]
    if any(flat):
        return float(all(flat))
    return float((first * second).sum() / np.sqrt((first**2).sum() * (second**2).sum()))


def _normalised(luma: FloatArray) -> FloatArray:
    mean = gaussian_blur(luma)
    spread = np.sqrt(np.maximum(gaussian_blur(luma**2) - mean**2, 0))
    return np.asarray((luma - mean) / (spread + _FLOOR))


def gaussian_blur(plane: FloatArray) -> FloatArray:
    """A plane (h, w) blurred by a Gaussian of sigma 3, cut off at 9 pixels; edges repeat their last pixel."""
    offsets = np.arange(-_REACH, _REACH + 1)
    weights = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    weights /= weights.sum()
    out = plane
    for axis in (0, 1):
        padded = np.pad(out, [(_REACH, _REACH) if axis == a else (0, 0) for a in (0, 1)], mode="edge")
        length = out.shape[axis]
        parts = (w * padded.take(range(k, k + length), axis) for k, w in enumerate(weights))
        out = sum(parts, np.zeros_like(out))
    return out
