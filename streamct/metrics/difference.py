"""A result against its source, pixel by pixel (Lv & Zhang, section 6.3, and what their tables leave out).

Pictures are (h, w, 3) R'G'B', 0..1 nominal, or L*a*b*; both of one shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamct.color.lab import srgb_to_lab
from streamct.metrics.delta_e import delta_e_2000
from streamct.metrics.structure import structure
from streamct.model import FloatArray

_LIGHTNESS_BINS, _RGB_BINS = 20, 10
_SMOOTH = 1.5 / 255
"""Between one 8-bit code and two, so that no rounding decides which of them a step is."""
_HALF_CODE = 0.5 / 255


@dataclass(frozen=True, slots=True)
class Difference:
    """What a grade did to a picture.

    edit: mean |result - source| of R'G'B', 0..1; a small edit makes every other number here look good. delta_e:
    mean CIEDE2000. consistency_l, consistency_rgb, fading_a, fading_b: the paper's. fading_abs_a, fading_abs_b:
    the same of |a|, |b|. banding: see `banding`; banding_source: of the untouched source. new_extremes: share of
    pixels newly at L* <= 1 or >= 99. new_clipping: share of pixels with a channel newly at an end of R'G'B'.
    structure: see `structure`, 1 is untouched.
    """

    edit: float
    delta_e: float
    consistency_l: float
    consistency_rgb: float
    fading_a: float
    fading_b: float
    fading_abs_a: float
    fading_abs_b: float
    banding: float
    banding_source: float
    new_extremes: float
    new_clipping: float
    structure: float


def difference(source: NDArray[np.floating], result: NDArray[np.floating]) -> Difference:
    """All of `Difference` for one picture: source, result (h, w, 3) R'G'B'."""
    source_lab, result_lab = srgb_to_lab(source), srgb_to_lab(result)
    fading_a, fading_b = fading(source_lab, result_lab)
    fading_abs_a, fading_abs_b = fading(np.abs(source_lab), np.abs(result_lab))
    return Difference(
        edit=edit_size(source, result),
        delta_e=float(delta_e_2000(source_lab, result_lab).mean()),
        consistency_l=consistency_lightness(source_lab, result_lab),
        consistency_rgb=consistency_rgb(source, result),
        fading_a=fading_a,
        fading_b=fading_b,
        fading_abs_a=fading_abs_a,
        fading_abs_b=fading_abs_b,
        banding=banding(source, result),
        banding_source=banding(source, source),
        new_extremes=new_extremes(source_lab, result_lab),
        new_clipping=new_clipping(source, result),
        structure=structure(source, result),
    )


def edit_size(source: NDArray[np.floating], result: NDArray[np.floating]) -> float:
    """Mean over pixels and channels of |result - source|, in R'G'B' 0..1."""
    return float(np.abs(np.asarray(result, np.float64) - source).mean())


def consistency_lightness(source: FloatArray, result: FloatArray) -> float:
    """The paper's colour consistency of L (section 6.3), for L*a*b* (..., 3); lower is better.

    Pixels are binned by the source's L* (20 bins over 0..100); mean over the bins that hold any of the variance
    of the result's L* / 100 in the bin.
    """
    return _mean_variance(source[..., 0] / 100, result[..., 0] / 100, _LIGHTNESS_BINS)


def consistency_rgb(source: NDArray[np.floating], result: NDArray[np.floating]) -> float:
    """The paper's colour consistency of RGB (section 6.3), for R'G'B' (..., 3); lower is better.

    As for L*, with 10 bins and values in 0..255, in each channel by itself; the mean of the three.
    """
    return float(np.mean([_mean_variance(source[..., c], 255.0 * result[..., c], _RGB_BINS) for c in range(3)]))


def _mean_variance(key: NDArray[np.floating], value: NDArray[np.floating], bins: int) -> float:
    index = np.clip((np.asarray(key, np.float64) * bins).astype(np.int64), 0, bins - 1).reshape(-1)
    flat = np.asarray(value, np.float64).reshape(-1)
    count = np.bincount(index, minlength=bins)
    held = count > 0
    mean = np.bincount(index, flat, bins)[held] / count[held]
    centre = np.zeros(bins)
    centre[held] = mean
    spread = np.bincount(index, (flat - centre[index]) ** 2, bins)[held] / count[held]
    return float(spread.mean())


def fading(source: FloatArray, result: FloatArray) -> tuple[float, float]:
    """The paper's fading rate in a and b (section 6.3), for L*a*b* (..., 3): mean of max(0, source - result) / 255.

    As published it counts the loss of signed values, so a turn towards green or blue counts and a loss of green
    does not. Given |a|, |b| it says what fades to grey.
    """
    loss = np.maximum(source[..., 1:] - result[..., 1:], 0).reshape(-1, 2).mean(axis=0) / 255
    return float(loss[0]), float(loss[1])


def banding(source: NDArray[np.floating], result: NDArray[np.floating]) -> float:
    """Contours that a grade draws into smooth areas.

    source, result: (h, w, 3) R'G'B' in 0..1. Over all horizontal and vertical neighbours that differ by less than
    1.5/255 in every channel of the source, by one 8-bit code at most: the 99.9th percentile of the result's step
    (largest channel), 0..1.
    """
    steps = []
    for axis in (0, 1):
        smooth = np.abs(np.diff(source, axis=axis)).max(axis=-1) < _SMOOTH
        steps.append(np.abs(np.diff(result, axis=axis)).max(axis=-1)[smooth])
    joined = np.concatenate(steps)
    return float(np.quantile(joined, 0.999)) if len(joined) else 0.0


def new_extremes(source: FloatArray, result: FloatArray) -> float:
    """Share of pixels that are at L* <= 1 or >= 99 in the result and were not in the source, for L*a*b* (..., 3)."""

    def dark_light(lab: FloatArray) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        return lab[..., 0] <= 1, lab[..., 0] >= 99

    (dark, light), (dark_before, light_before) = dark_light(result), dark_light(source)
    return float(((dark & ~dark_before) | (light & ~light_before)).mean())


def new_clipping(source: NDArray[np.floating], result: NDArray[np.floating]) -> float:
    """Share of pixels with a channel that is at an end of R'G'B' in the result and was not in the source.

    An end: within half an 8-bit code of 0 or 1, or beyond.
    """
    low = (result <= _HALF_CODE) & (source > _HALF_CODE)
    high = (result >= 1 - _HALF_CODE) & (source < 1 - _HALF_CODE)
    return float((low | high).any(axis=-1).mean())
