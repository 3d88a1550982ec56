"""Obvious float64 twins of what `streamct.color` computes with kernels.

Written from the method's description (Lv & Zhang, "Palette-based Color Transfer between Images", cited as Eq. n)
and from the published formulas, in plain numpy and Python loops. Slow on purpose: use small inputs.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.interpolate import RegularGridInterpolator
from scipy.special import logsumexp

UNIT_RANGES = ((0, 100), (-110.5, 109.5), (-110.5, 109.5))
"""Bins one unit wide over a fixed range; neutral in the middle of its bin."""


# Colour: IEC 61966-2-1 and CIE 15.


def srgb_decode(value):
    """Linear value of one sRGB-coded value; odd symmetric below 0."""
    if value < 0:
        return -srgb_decode(-value)
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def srgb_encode(value):
    """The inverse of `srgb_decode`."""
    if value < 0:
        return -srgb_encode(-value)
    return value * 12.92 if value <= 0.04045 / 12.92 else 1.055 * value ** (1 / 2.4) - 0.055


def primaries_matrix(red, green, blue, white):
    """Linear RGB -> XYZ with Y = 1 for white, from chromaticities (x, y)."""
    unscaled = np.array([[x, y, 1 - x - y] for x, y in (red, green, blue)]).T
    xyz_white = np.array([white[0], white[1], 1 - white[0] - white[1]]) / white[1]
    return unscaled * np.linalg.solve(unscaled, xyz_white)


D65 = (0.3127, 0.3290)
SRGB_TO_XYZ = primaries_matrix((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65)
XYZ_WHITE = SRGB_TO_XYZ.sum(axis=1)


def srgb_to_lab(rgb):
    """R'G'B' (..., 3) to L*a*b*, D65."""
    linear = np.vectorize(srgb_decode, otypes=[float])(np.asarray(rgb, float))
    ratio = linear @ SRGB_TO_XYZ.T / XYZ_WHITE
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def lab_to_srgb(lab):
    """The inverse of `srgb_to_lab`."""
    lightness, a, b = np.moveaxis(np.asarray(lab, float), -1, 0)
    y = (lightness + 16) / 116
    f = np.stack([y + a / 500, y, y - b / 200], axis=-1)
    ratio = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    linear = (ratio * XYZ_WHITE) @ np.linalg.inv(SRGB_TO_XYZ).T
    return np.vectorize(srgb_encode, otypes=[float])(linear)


# HDR: SMPTE ST 2084 (PQ), ITU-R BT.2100 (HLG), diffuse white at 203 cd/m2 (ITU-R BT.2408).


BT2020_TO_XYZ = primaries_matrix((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65)
P3_TO_XYZ = primaries_matrix((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65)
TO_XYZ = {"bt709": SRGB_TO_XYZ, "bt2020": BT2020_TO_XYZ, "p3": P3_TO_XYZ}


def pq_decode(signal):
    """cd/m2 of one PQ signal; odd symmetric below 0."""
    if signal < 0:
        return -pq_decode(-signal)
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = signal ** (1 / m2)
    return 10000 * (max(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)


def hlg_decode(signal):
    """Scene light 0..1 of one HLG signal; odd symmetric below 0."""
    if signal < 0:
        return -hlg_decode(-signal)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return signal**2 / 3 if signal <= 0.5 else (np.exp((signal - c) / a) + b) / 12


def hlg_shown(scene):
    """BT.2100 OOTF of one scene colour (R, G, B): cd/m2 on a display of 1000 cd/m2, gamma 1.2.

    Luminance by the primaries themselves: the standard rounds its weights to four digits, which is 2e-4 Delta E.
    Below a luminance of 2^-30, which the standard leaves open where it is negative, the gain stays.
    """
    luminance = TO_XYZ["bt2020"][1] @ np.asarray(scene)
    return 1000 * max(luminance, 2**-30) ** 0.2 * np.asarray(scene)


def hdr_to_lab(rgb, transfer, primaries="bt2020"):
    """R'G'B' (n, 3) of "pq" or "hlg" to L*a*b* with 203 cd/m2 at L* = 100."""
    if transfer == "pq":
        light = [[pq_decode(v) for v in colour] for colour in rgb]
    else:
        light = [hlg_shown([hlg_decode(v) for v in colour]) for colour in rgb]
    matrix = TO_XYZ[primaries]
    ratio = np.asarray(light) / 203 @ matrix.T / matrix.sum(axis=1)
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = f.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


# Palette: Eq. 1-4.


def joint_histogram(lab, weights):
    """{centre (L*, a*, b*) of a cell: summed weight}; colours outside the range count in the outermost cells."""
    counts = {}
    for colour, weight in zip(lab, weights, strict=True):
        if weight:
            centre = tuple(
                float(low + min(max(np.floor(v - low), 0), high - low - 1) + 0.5)
                for v, (low, high) in zip(colour, UNIT_RANGES, strict=True)
            )
            counts[centre] = counts.get(centre, 0) + int(weight)
    return counts


def peaks(histogram, radius, least):
    """Eq. 2: bins that are the maximum within the radius, of equal ones the first, and hold more than `least`."""
    found = []
    for i, count in enumerate(histogram):
        low = max(i - radius, 0)
        near = list(histogram[low : i + radius + 1])
        if count > least and near.index(max(near)) == i - low:
            found.append(i)
    return found


def channel_levels(values, weights, low, high, bins, radius, share, smoothing=0):
    """Centres of a channel's peak bins (Eq. 1-2), after a tent of `smoothing` bins either side; of the fullest bin
    where there is no peak."""
    if high - low < 1e-6:  # one value, but for rounding
        return [low]
    histogram = [0] * bins
    for value, weight in zip(values, weights, strict=True):
        histogram[min(max(int((value - low) / (high - low) * bins), 0), bins - 1)] += int(weight)
    tent = {k: smoothing + 1 - abs(k) for k in range(-smoothing, smoothing + 1)}
    smooth = [sum(w * histogram[i + k] for k, w in tent.items() if 0 <= i + k < bins) for i in range(bins)]
    least = share * sum(histogram) * max(tent.values())
    found = peaks(smooth, radius, least) or [histogram.index(max(histogram))]
    return [low + (i + 0.5) * (high - low) / bins for i in found]


def nearest(points, colours):
    """Index of the nearest colour of each point, of equally near ones the first (Eq. 4)."""
    points, colours = np.asarray(points, float), np.asarray(colours, float)
    return np.array([((colours - point) ** 2).sum(axis=1).argmin() for point in points])


def palette(
    lab,
    weights,
    *,
    size=32,
    ranges=UNIT_RANGES,
    bins=(100, 220, 220),
    radius=3,
    share=30 / 90_000,
    smoothing=0,
    refinements=0,
    spread=0,
):
    """Eq. 1-4: (colours, weights), heaviest first. ranges None: each channel's own minimum to maximum. spread: what
    spreads farther is divided."""
    lab, weights = np.asarray(lab, float), np.asarray(weights)
    levels = []
    for c in range(3):
        low, high = ranges[c] if ranges else (lab[:, c].min(), lab[:, c].max())
        levels.append(channel_levels(lab[:, c], weights, low, high, bins[c], radius, share, smoothing))
    candidates = np.array(list(product(*levels)))
    votes = [0] * len(candidates)
    for index, weight in zip(nearest(lab, candidates), weights, strict=True):
        votes[index] += int(weight)
    kept = sorted(range(len(candidates)), key=lambda i: (-votes[i], i))[:size]
    kept = sorted(i for i in kept if votes[i] > 0)
    centres = candidates[kept]
    for _ in range(1 + refinements):
        parts, centres = parts_and_means(lab, weights, centres)
    if spread > 0:
        more = divided(lab, weights, centres, size, spread, 1 + refinements)
        if len(more) > len(centres):
            parts, centres = parts_and_means(lab, weights, more)
    entries = [(int(weights[mine].sum()), centre) for mine, centre in zip(parts, centres, strict=True)]
    entries.sort(key=lambda entry: -entry[0])
    total = sum(weight for weight, _ in entries)
    return np.array([c for _, c in entries]), np.array([w / total for w, _ in entries])


def parts_and_means(lab, weights, centres):
    """Which points are nearest to each centre, and their means; centres without a point are left out."""
    label = nearest(lab, centres)
    parts = [label == k for k in range(len(centres)) if weights[label == k].sum() > 0]
    return parts, np.array([np.average(lab[mine], axis=0, weights=weights[mine]) for mine in parts])


def divided(lab, weights, centres, size, spread, rounds):
    """Means of the parts after the widest, by weight times variance along its main axis, was divided there at one
    standard deviation on either side, and so on while any deviates by more than `spread`."""
    label = nearest(lab, centres)
    parts = [np.flatnonzero(label == k) for k in range(len(centres))]

    def axis(part):
        off = lab[part] - np.average(lab[part], axis=0, weights=weights[part])
        values, vectors = np.linalg.eigh((off * weights[part][:, None]).T @ off / weights[part].sum())
        main = vectors[:, -1] * np.sign(vectors[np.abs(vectors[:, -1]).argmax(), -1])
        return main * max(values[-1], 0) ** 0.5

    while len(parts) < size:
        scores = [weights[part].sum() * (axis(part) ** 2).sum() for part in parts]
        wide = [k for k, part in enumerate(parts) if np.linalg.norm(axis(part)) > spread]
        if not wide:
            break
        k = max(wide, key=lambda k: scores[k])
        part, middle = parts[k], np.average(lab[parts[k]], axis=0, weights=weights[parts[k]])
        halves = [middle - axis(part), middle + axis(part)]
        for _ in range(rounds):
            side = nearest(lab[part], halves)
            halves = [np.average(lab[part[side == i]], axis=0, weights=weights[part[side == i]]) for i in (0, 1)]
        parts[k] = part[side == 0]
        parts.append(part[side == 1])
    return np.array([np.average(lab[part], axis=0, weights=weights[part]) for part in parts])


# Correspondence: Eq. 6-10, and entropic optimal transport.


def nearest_targets(source, weights, reference, *, reach=np.inf, propagation="offset"):
    """Eq. 6-10 over palettes whose heavier colours come first."""
    distance = np.array([[np.linalg.norm(s - r) for r in reference] for s in source])
    if distance.min() > reach:
        reach = distance.min()
    claims = {}
    for i in range(len(source)):
        j = int(distance[i].argmin())
        if distance[i, j] <= reach:
            claims.setdefault(j, []).append(i)
    target = {}
    for j, claimants in claims.items():
        target[max(claimants, key=lambda i: (weights[i], -i))] = reference[j]
    matched = sorted(target)
    out = np.array(source, float)
    for q in range(len(source)):
        if q in target:
            out[q] = target[q]
            continue
        gap = {k: max(np.linalg.norm(source[k] - source[q]), 1e-9) for k in matched}
        if propagation == "absolute":
            total = sum(1 / gap[k] for k in matched)
            out[q] = sum(target[k] / gap[k] for k in matched) / total
        else:
            near = sorted(matched, key=lambda k: (gap[k], k))[:8]
            total = sum(gap[k] ** -2 for k in near)
            out[q] = source[q] + sum((target[k] - source[k]) * gap[k] ** -2 for k in near) / total
    return out


def transport_plan(source, source_weights, reference, reference_weights, *, blur=10.0, reach=None, steps=200):
    """Entropic plan of squared distance, kernel exp(-d^2 / (2 blur^2)), by Sinkhorn steps in the log domain.

    reach: weight reach^2 on the Kullback-Leibler divergence of either marginal instead of exact marginals. Rows
    are updated last.
    """
    epsilon = 2 * blur**2
    damping = 1.0 if reach is None else reach**2 / (reach**2 + epsilon)
    log_kernel = -((source[:, None] - reference[None]) ** 2).sum(axis=2) / epsilon
    log_a, log_b = np.log(source_weights), np.log(reference_weights)
    g = np.zeros(len(reference))
    for step in range(steps + 1):
        f = -damping * logsumexp(log_kernel + log_b + g, axis=1)
        if step < steps:
            g = -damping * logsumexp(log_kernel + log_a[:, None] + f[:, None], axis=0)
    return log_kernel + log_a[:, None] + log_b + f[:, None] + g


def barycentres(log_plan, reference):
    """Mean reference colour of each row of a plan given by its logarithm."""
    share = np.exp(log_plan - logsumexp(log_plan, axis=1, keepdims=True))
    return share @ reference


def transport_targets(source, source_weights, reference, reference_weights, **options):
    """Own colour + barycentre of the plan to the reference - barycentre of the plan to itself."""
    there = transport_plan(source, source_weights, reference, reference_weights, **options)
    itself = transport_plan(source, source_weights, source, source_weights, **options)
    return source + barycentres(there, reference) - barycentres(itself, source)


def neutral_share(colour, source, source_weights, reference, reference_weights):
    """How far one source colour is a grey that the reference has too, 0..1."""

    def greys_near(colours, weights):
        total = 0.0
        for (lightness, a, b), weight in zip(colours, weights, strict=True):
            grey = np.exp(-(a * a + b * b) / (2 * 6.0**2))
            total += weight * grey * np.exp(-((lightness - colour[0]) ** 2) / (2 * 15.0**2))
        return total

    supply, demand = greys_near(reference, reference_weights), greys_near(source, source_weights)
    return np.exp(-(colour[1] ** 2 + colour[2] ** 2) / (2 * 6.0**2)) * min(1.0, supply / max(demand, 1e-12))


# Colour map: Eq. 11-12.


def mapped(colour, source, targets, *, alpha=0.3, strength=1.0, sigma=8.0, neutral_blacks=True):
    """One Lab colour through the map. sigma 0: the shift of its nearest palette colour alone.

    Far from all palette colours the Gaussian is wider: half the distance to the nearest one adds to sigma, in squares.
    """
    at = np.array([min(colour[0], 100.0), colour[1], colour[2]])
    square = ((source - at) ** 2).sum(axis=1)
    if sigma == 0:
        weights = np.zeros(len(source))
        weights[square.argmin()] = 1
    else:
        weights = np.exp(-(square - square.min()) / (2 * (sigma**2 + square.min() / 4)))
    shift = weights @ (targets - source) / weights.sum() * [alpha, 1, 1] * strength
    if neutral_blacks:
        x = np.clip((at[0] - 2) / 16, 0, 1)
        shift[1:] *= 3 * x**2 - 2 * x**3
        x = np.clip(at[0] / max(40, 2.25 * abs(shift[0])), 0, 1)
        shift[0] *= 3 * x**2 - 2 * x**3
    return colour + shift


def smoothstep(x):
    x = min(max(x, 0.0), 1.0)
    return 3 * x**2 - 2 * x**3


def skin_held(colour, mapped_colour):
    """One mapped colour, its hue held near the source colour's where that lies in the skin range.

    In polar terms about the source's hue: the turn's tangent t becomes T t / sqrt(T^2 + t^2) with T = tan 8 degrees.
    """
    lightness, a, b = colour
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a))
    off = np.cos(np.radians(hue - 45))
    share = smoothstep((off - np.cos(np.radians(55))) / (np.cos(np.radians(30)) - np.cos(np.radians(55))))
    share *= smoothstep((chroma - 3) / 9) * smoothstep((65 - chroma) / 15) * smoothstep((lightness - 10) / 15)
    turn = np.radians(-hue)
    along, across = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ mapped_colour[1:]
    kept = max(along, chroma / 2)
    tangent, most = across / max(kept, 1e-12), np.tan(np.radians(8))
    bent = kept * most * tangent / np.hypot(most, tangent)
    along, across = along + share * (kept - along), across + share * (bent - across)
    back = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) @ [along, across]
    return np.array([mapped_colour[0], *back])


# Pictures and planes.


def box_means(plane, width, height):
    """Means of the boxes whose edges are floor(i * size / proxy size)."""
    rows, columns = plane.shape
    out = np.empty((height, width))
    for r in range(height):
        for c in range(width):
            top, left = r * rows // height, c * columns // width
            bottom = max((r + 1) * rows // height, top + 1)
            right = max((c + 1) * columns // width, left + 1)
            out[r, c] = plane[top:bottom, left:right].astype(float).mean()
    return out


def lut_function(table, luma_nodes, chroma_nodes):
    """Trilinear evaluation of a Lut: (..., 3) codes of planes 0, 1, 2 in 8-bit units -> mapped units (..., 3)."""
    interpolate = RegularGridInterpolator(
        (chroma_nodes, chroma_nodes, luma_nodes), table.transpose(0, 1, 3, 2).astype(float) / 64
    )
    return lambda units: interpolate(np.asarray(units, float)[..., [1, 2, 0]])


def graded_planes(planes, depth, sub_x, sub_y, functions, mask=None):
    """Unrounded codes of a frame's three planes after its Luts, blended by a mask (h, w) of 0..255.

    Plane 0 is looked up with the chroma sample that covers it, planes 1 and 2 at the rounded mean of the plane-0
    samples they cover, with the rounded mean of the mask there. What a Lut gives is clipped to the code range.
    """
    scale, top = 2 ** (depth - 8), 2**depth - 1
    luma = planes[0].astype(np.int64)
    height, width = luma.shape
    rows, columns = planes[1].shape
    chroma = [p.astype(np.int64) for p in planes[1:3]]
    covered = [np.repeat(np.repeat(c, 1 << sub_y, 0), 1 << sub_x, 1)[:height, :width] for c in chroma]
    means, shares = np.empty((rows, columns), np.int64), np.full((rows, columns), 255, np.int64)
    for r in range(rows):
        for c in range(columns):
            block = (slice(r << sub_y, (r + 1) << sub_y), slice(c << sub_x, (c + 1) << sub_x))
            area = luma[block].size
            means[r, c] = (luma[block].sum() + area // 2) // area
            if mask is not None:
                shares[r, c] = (mask[block].astype(np.int64).sum() + area // 2) // area

    def through(function):
        first = function(np.stack([luma, *covered], axis=-1) / scale)[..., 0]
        others = function(np.stack([means, *chroma], axis=-1) / scale)[..., 1:]
        return [np.clip(p * scale, 0, top) for p in (first, others[..., 0], others[..., 1])]

    front = through(functions[0])
    if mask is None or len(functions) == 1:
        return front
    back = through(functions[1])
    share = [mask / 255, shares / 255, shares / 255]
    return [f * s + b * (1 - s) for f, b, s in zip(front, back, share, strict=True)]
