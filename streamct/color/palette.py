"""Weighted colours -> palette (Lv & Zhang, section 3, Eq. 1-4).

Peaks of the three one-dimensional histograms are combined into candidates; every colour votes for the
nearest; the `size` with most votes stay and become the means of the colours nearest to them, and the same again
with these means `refinements` times (Lloyd's iteration). Candidates
form a grid, so the nearest one is the nearest peak in each channel by itself: no tree is needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamct.color.histogram import BINS, Points, bin_centres, bins_of
from streamct.color.jit import kernel
from streamct.model import FloatArray, IntArray, Palette
from streamct.settings import PaletteSettings

_LEAST_RANGE = 1e-6
"""A channel that spans less (Delta E) has one value: greys differ in a*, b* by rounding alone."""


_WIDE = 8.0
"""A colour that stands for points which spread farther (standard deviation along their main axis) is divided."""
_BLOCK = 256
_LISTED = 1 << 16
"""Up to so many combinations of peaks are counted in an array."""


@kernel
def _find_peaks(histogram: IntArray, radius: int, least: float) -> IntArray:
    found = np.empty(histogram.shape[0], np.int64)
    n = 0
    for i in range(histogram.shape[0]):
        if histogram[i] <= least:
            continue
        peak = True
        for j in range(max(0, i - radius), min(histogram.shape[0], i + radius + 1)):
            if histogram[j] > histogram[i] or (histogram[j] == histogram[i] and j < i):
                peak = False
                break
        if peak:
            found[n] = i
            n += 1
    return found[:n].copy()


@kernel
def _vote(lab: FloatArray, levels: FloatArray, stride: int, channel: int, out: IntArray) -> None:
    """Add `stride` times the index of the nearest of levels (k,) to that channel of lab (n, 3), ties to the lower."""
    values, least = np.empty(_BLOCK), np.empty(_BLOCK)
    best = np.empty(_BLOCK, np.int64)
    for start in range(0, lab.shape[0], _BLOCK):
        n = min(_BLOCK, lab.shape[0] - start)
        for i in range(n):
            values[i] = lab[start + i, channel]
        least[:] = np.inf
        best[:] = 0
        for j in range(levels.shape[0]):
            level = levels[j]
            for i in range(n):
                away = abs(values[i] - level)
                best[i] = j if away < least[i] else best[i]
                least[i] = away if away < least[i] else least[i]
        for i in range(n):
            out[start + i] += stride * best[i]


@kernel
def _sum_by(index: IntArray, weights: IntArray, out: IntArray) -> None:
    """Add each weight (n,) to the place of `out` that index (n,) names."""
    for i in range(index.shape[0]):
        out[index[i]] += weights[i]


@kernel
def nearest_colours(lab: FloatArray, colours: FloatArray, out: IntArray) -> None:
    """Index of the nearest of colours (k, 3) for each of lab (n, 3), ties to the lower (Eq. 4), into out."""
    channels = np.empty((3, _BLOCK))
    least = np.empty(_BLOCK)
    best = np.empty(_BLOCK, np.int64)
    for start in range(0, lab.shape[0], _BLOCK):
        n = min(_BLOCK, lab.shape[0] - start)
        for i in range(n):
            for c in range(3):
                channels[c, i] = lab[start + i, c]
        least[:] = np.inf
        best[:] = 0
        for j in range(colours.shape[0]):
            cl, ca, cb = colours[j]
            for i in range(n):
                dl = channels[0, i] - cl
                da = channels[1, i] - ca
                db = channels[2, i] - cb
                d = dl * dl + da * da + db * db
                best[i] = j if d < least[i] else best[i]
                least[i] = d if d < least[i] else least[i]
        for i in range(n):
            out[start + i] = best[i]


def peak_levels(values: FloatArray, weights: IntArray, channel: int, settings: PaletteSettings) -> FloatArray:
    """Centres of the peak bins of one channel (Eq. 1-2), ascending, at least one.

    values: (n,) float64, weights: (n,) int64; channel: 0 L*, 1 a*, 2 b*. Peaks are looked for in the histogram
    after a tent of `smoothing` bins on either side. Of equal bins the first counts. Where
    no bin holds more than `peak_share` of the weight, the fullest one is taken.
    """
    if settings.bins == "unit":
        bins = BINS[channel]
        index = np.empty(len(values), np.int64)
        bins_of(values, channel, index)
    else:
        low, high, bins = float(values.min()), float(values.max()), settings.range_bins
        if high - low < _LEAST_RANGE:
            return np.array([low])
        width = (high - low) / bins
        index = np.clip(((values - low) / width).astype(np.int64), 0, bins - 1)
    histogram = np.zeros(bins, np.int64)
    _sum_by(index, weights, histogram)
    tent = np.convolve(np.ones(settings.smoothing + 1, np.int64), np.ones(settings.smoothing + 1, np.int64))
    smooth = np.convolve(histogram, tent)[settings.smoothing : settings.smoothing + bins]
    least = settings.peak_share * float(weights.sum()) * int(tent.max())  # a lone bin counts as it would without
    peaks = _find_peaks(smooth, settings.peak_radius, least)
    if len(peaks) == 0:
        peaks = np.array([int(histogram.argmax())])
    if settings.bins == "unit":
        levels = np.empty(len(peaks), np.float64)
        bin_centres(peaks, channel, levels)
        return levels
    return np.asarray(low + (peaks + 0.5) * width)


def extract(points: Points, settings: PaletteSettings) -> Palette:
    """The palette of a region (Eq. 1-4); shorter than `settings.size` where the region has fewer colours.

    Raises:
        ValueError: there is no point.
    """
    if len(points.lab) == 0:
        raise ValueError("a palette needs at least one colour, got none")
    levels = [peak_levels(points.lab[:, c], points.weights, c, settings) for c in range(3)]
    colours = _most_voted(points, levels, settings.size)
    for _ in range(1 + settings.refinements):
        colours, weights = _means(points, colours)
    order = np.argsort(-weights, kind="stable")
    return Palette(np.ascontiguousarray(colours[order]), weights[order] / weights.sum())


def extract_joint(points: Points, settings: PaletteSettings) -> Palette:
    """The palette of colours of several scenes or pictures together.

    Where scenes overlap, the histogram of a single channel has few peaks left, or one, however many colours there
    are: 180 frames over two cuts may give two. So what `extract` found is gone on with: the colour whose points
    spread most along their main axis, by weight, is divided in two along it and the means are taken again, until no
    colour stands for a spread (standard deviation) of more than 8 Delta E or the palette is full.

    Raises:
        ValueError: there is no point.
    """
    colours = extract(points, settings).colours
    labels = np.empty(len(points.lab), np.int64)
    while True:
        nearest_colours(points.lab, colours, labels)
        weights = np.bincount(labels, points.weights, len(colours))
        axes = [_main_axis(points.lab[labels == i], points.weights[labels == i]) for i in range(len(colours))]
        spread = np.array([np.linalg.norm(axis) for axis in axes])
        wide = np.where(spread > _WIDE, weights * spread**2, 0.0)
        if len(colours) >= settings.size or not wide.any():
            break
        i = int(wide.argmax())
        halves = colours[i] + np.array([[-1.0], [1.0]]) * axes[i]
        for _ in range(1 + settings.refinements):
            halves, _ = _means(Points(points.lab[labels == i], points.weights[labels == i]), halves)
        colours = np.concatenate([colours[:i], colours[i + 1 :], halves])
    means, shares = _means(points, colours)
    order = np.argsort(-shares, kind="stable")
    return Palette(np.ascontiguousarray(means[order]), shares[order] / shares.sum())


def _main_axis(lab: FloatArray, weights: IntArray) -> FloatArray:
    """The direction (3,) in which weighted colours spread most, as long as their standard deviation in it."""
    if len(lab) < 2:
        return np.zeros(3)
    share = weights / weights.sum()
    apart = lab - share @ lab
    values, vectors = np.linalg.eigh((apart * share[:, None]).T @ apart)
    axis = vectors[:, -1] * np.sign(vectors[np.abs(vectors[:, -1]).argmax(), -1])
    return np.asarray(axis * np.sqrt(max(values[-1], 0.0)))


def _means(points: Points, centres: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and summed weight of the points nearest to each centre; centres without a point are left out."""
    labels = np.empty(len(points.lab), np.int64)
    nearest_colours(points.lab, centres, labels)
    weights, sums = np.zeros(len(centres)), np.zeros((len(centres), 3))
    _add_up(points.lab, points.weights, labels, weights, sums)
    held = weights > 0
    return sums[held] / weights[held, None], weights[held]


@kernel
def _add_up(lab, weights, labels, totals, sums) -> None:  # type: ignore[no-untyped-def]
    """Weights and weighted colours of the points of each label, in the order of the points."""
    for i in range(lab.shape[0]):
        totals[labels[i]] += weights[i]
        for c in range(3):
            sums[labels[i], c] += weights[i] * lab[i, c]


def _most_voted(points: Points, levels: Sequence[FloatArray], size: int) -> FloatArray:
    """The at most `size` candidates with most votes (Eq. 3), ties to the lower L*, then a*, then b*."""
    combined = np.zeros(len(points.lab), np.int64)
    for c, stride in enumerate((len(levels[1]) * len(levels[2]), len(levels[2]), 1)):
        _vote(points.lab, levels[c], stride, c, combined)
    if len(levels[0]) * len(levels[1]) * len(levels[2]) <= _LISTED:
        votes = np.zeros(len(levels[0]) * len(levels[1]) * len(levels[2]), np.int64)
        _sum_by(combined, points.weights, votes)
        candidates = np.flatnonzero(votes)
        votes = votes[candidates]
    else:  # fine bins have up to a billion combinations: list only those that got a vote
        candidates, candidate = np.unique(combined, return_inverse=True)
        votes = np.bincount(candidate, points.weights)
    best = np.sort(candidates[np.argsort(-votes, kind="stable")[:size]])
    b = best % len(levels[2])
    a = best // len(levels[2]) % len(levels[1])
    lightness = best // (len(levels[2]) * len(levels[1]))
    return np.stack([levels[0][lightness], levels[1][a], levels[2][b]], axis=1)
