"""Weighted colours -> palette (Lv & Zhang, section 3, Eq. 1-4).

Peaks of the three one-dimensional histograms are combined into candidates; every colour votes for the
nearest; the `size` with most votes stay and become the means of the colours nearest to them, and the same again
with these means `refinements` times (Lloyd's iteration). What still stands for colours far apart is divided. Candidates
form a grid, so the nearest one is the nearest peak in each channel by itself: no tree is needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamct.color.histogram import BINS, Points, bin_centres, bins_of
from streamct.color.jit import inlined, kernel
from streamct.model import FloatArray, IntArray, Palette
from streamct.settings import PaletteSettings

_LEAST_RANGE = 1e-6
"""A channel that spans less (Delta E) has one value: greys differ in a*, b* by rounding alone."""
_SQUARINGS = 10
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

    Colours that spread over many bins have no peak, however many they are: a face before black, haze, scenes that
    overlap. With `settings.spread` the colours found are gone on with (`_divided`), so what a palette says of a
    picture hangs less on peaks, which come and go from frame to frame.

    Raises:
        ValueError: there is no point.
    """
    if len(points.lab) == 0:
        raise ValueError("a palette needs at least one colour, got none")
    levels = [peak_levels(points.lab[:, c], points.weights, c, settings) for c in range(3)]
    colours = _most_voted(points, levels, settings.size)
    for _ in range(1 + settings.refinements):
        colours, weights = _means(points, colours)
    if settings.spread > 0:
        divided = _divided(points, colours, settings)
        if len(divided) > len(colours):
            colours, weights = _means(points, divided)
    order = np.argsort(-weights, kind="stable")
    return Palette(np.ascontiguousarray(colours[order]), weights[order] / weights.sum())


def extract_joint(points: Points, settings: PaletteSettings) -> Palette:
    """The palette of colours of several scenes or pictures together: divided whatever the settings.

    Where scenes overlap, the histogram of a single channel has few peaks left, or one: 180 frames over two cuts may
    give two.

    Raises:
        ValueError: there is no point.
    """
    return extract(points, settings.model_copy(update={"spread": settings.spread or PaletteSettings().spread}))


def _divided(points: Points, colours: FloatArray, settings: PaletteSettings) -> FloatArray:
    """Colours (k, 3), of which those that stand for points which spread too far are divided in two.

    Of those whose points spread by more than `settings.spread` (standard deviation along their main axis) the one with
    the most, by weight, is divided along it, at one standard deviation on either side of the mean, and the means of
    both halves are taken again; and so on, until none spreads too far or the palette is full. Each half keeps its
    points, so that only these are looked at again.
    """
    labels = np.empty(len(points.lab), np.int64)
    nearest_colours(points.lab, colours, labels)
    order = np.argsort(labels.astype(np.uint8), kind="stable")  # up to 64 labels: a radix sort
    starts, stops = np.zeros(settings.size, np.int64), np.zeros(settings.size, np.int64)
    stops[: len(colours)] = np.cumsum(np.bincount(labels, minlength=len(colours)))
    starts[1 : len(colours)] = stops[: len(colours) - 1]
    means = np.zeros((settings.size, 3))
    count = _divide(
        points.lab[order], points.weights[order].astype(np.float64), starts, stops, len(colours), settings.spread,
        1 + settings.refinements, means,
    )  # fmt: skip
    return means[:count]


@kernel
def _divide(lab, weights, starts, stops, count, widest, rounds, means) -> int:  # type: ignore[no-untyped-def]
    """Divide parts of the points on from `count` of them; means (size, 3) of the parts, in place.

    Part i is lab (n, 3), weights (n,) from starts[i] to stops[i]; its points are sorted by half, in their own order.
    """
    size = means.shape[0]
    axes, totals, spreads = np.zeros((size, 3)), np.zeros(size), np.zeros(size)
    sides = np.empty(lab.shape[0], np.bool_)
    other_lab, other_weights = np.empty_like(lab), np.empty_like(weights)
    for i in range(count):
        totals[i], spreads[i] = _measure(lab, weights, starts[i], stops[i], means[i], axes[i])
    while count < size:
        widen, most = -1, 0.0
        for i in range(count):
            score = totals[i] * spreads[i] * spreads[i]
            if spreads[i] > widest and score > most:
                widen, most = i, score
        if widen < 0:
            break
        start, stop = starts[widen], stops[widen]
        _halve(lab, weights, start, stop, totals[widen], means[widen], axes[widen], rounds, sides)
        middle, behind = start, 0
        for p in range(start, stop):  # both places get it, and the next point takes the one that was not meant
            for c in range(3):
                other_lab[behind, c] = lab[middle, c] = lab[p, c]
            other_weights[behind] = weights[middle] = weights[p]
            behind += sides[p]
            middle += not sides[p]
        lab[middle:stop], weights[middle:stop] = other_lab[:behind], other_weights[:behind]
        stops[widen], starts[count], stops[count] = middle, middle, stop
        for i in (widen, count):
            totals[i], spreads[i] = _measure(lab, weights, starts[i], stops[i], means[i], axes[i])
        count += 1
    return int(count)


@inlined
def _halve(lab, weights, start, stop, total, mean, axis, rounds, sides) -> None:  # type: ignore[no-untyped-def]
    """Which of the points [start, stop) are nearer to the far half than to the near one, into sides (n,).

    The nearer half's sums are what the other's leave of the whole, so that no branch depends on a point.
    """
    near_l, near_a, near_b = mean[0] - axis[0], mean[1] - axis[1], mean[2] - axis[2]
    far_l, far_a, far_b = mean[0] + axis[0], mean[1] + axis[1], mean[2] + axis[2]
    for _ in range(rounds):
        # nearer to the far one: 2 (far - near) . x > far^2 - near^2
        dl, da, db = far_l - near_l, far_a - near_a, far_b - near_b
        ml, ma, mb = 0.5 * (far_l + near_l), 0.5 * (far_a + near_a), 0.5 * (far_b + near_b)
        held, sl, sa, sb = 0.0, 0.0, 0.0, 0.0
        for p in range(start, stop):
            tl, ta, tb = lab[p, 0], lab[p, 1], lab[p, 2]
            far = (tl - ml) * dl + (ta - ma) * da + (tb - mb) * db > 0.0
            sides[p] = far
            weight = weights[p] if far else 0.0
            held += weight
            sl += weight * tl
            sa += weight * ta
            sb += weight * tb
        rest = total - held
        far_l, far_a, far_b = sl / held, sa / held, sb / held
        near_l, near_a, near_b = (
            (mean[0] * total - sl) / rest,
            (mean[1] * total - sa) / rest,
            (mean[2] * total - sb) / rest,
        )


@inlined
def _measure(lab, weights, start, stop, mean, axis):  # type: ignore[no-untyped-def]
    """Weight and spread of the points [start, stop); their mean and main axis, as long as the spread, in place."""
    total, sl, sa, sb = 0.0, 0.0, 0.0, 0.0
    for p in range(start, stop):
        weight = weights[p]
        total += weight
        sl += weight * lab[p, 0]
        sa += weight * lab[p, 1]
        sb += weight * lab[p, 2]
    ml, ma, mb = sl / total, sa / total, sb / total
    mean[0], mean[1], mean[2] = ml, ma, mb
    ll, la, lb, aa, ab, bb = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for p in range(start, stop):
        weight = weights[p]
        dl, da, db = lab[p, 0] - ml, lab[p, 1] - ma, lab[p, 2] - mb
        ll += weight * dl * dl
        la += weight * dl * da
        lb += weight * dl * db
        aa += weight * da * da
        ab += weight * da * db
        bb += weight * db * db
    covariance = np.empty((3, 3))
    covariance[0, 0], covariance[1, 1], covariance[2, 2] = ll / total, aa / total, bb / total
    covariance[0, 1] = covariance[1, 0] = la / total
    covariance[0, 2] = covariance[2, 0] = lb / total
    covariance[1, 2] = covariance[2, 1] = ab / total
    return total, _main_axis(covariance, axis)


@kernel
def _main_axis(covariance: FloatArray, axis: FloatArray) -> float:
    """Standard deviation along the main axis of a covariance (3, 3), into axis (3,) with this length.

    The matrix is squared over and over (the power iteration, 2^10 steps at once): plain sums and products in one order,
    which every processor rounds alike.
    """
    trace = covariance[0, 0] + covariance[1, 1] + covariance[2, 2]
    axis[:] = 0.0
    if trace <= 0.0:
        return 0.0
    power = covariance / trace
    for _ in range(_SQUARINGS):
        product = np.zeros((3, 3))
        for i in range(3):
            for j in range(3):
                for k in range(3):
                    product[i, j] += power[i, k] * power[k, j]
        power = product / (product[0, 0] + product[1, 1] + product[2, 2])
    longest = 0
    for c in range(1, 3):
        if power[c, c] > power[longest, longest]:
            longest = c
    size = 0.0
    for c in range(3):
        size += power[c, longest] * power[c, longest]
    variance = 0.0
    for i in range(3):
        for j in range(3):
            variance += power[i, longest] * covariance[i, j] * power[j, longest] / size
    deviation = np.sqrt(variance) if variance > 0.0 else 0.0
    for c in range(3):
        axis[c] = power[c, longest] / np.sqrt(size) * deviation
    return deviation


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
