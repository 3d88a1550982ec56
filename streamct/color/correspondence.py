"""Source palette x reference palette -> target colours (Lv & Zhang, Eq. 6-10; entropic optimal transport)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamct.color.jit import inlined, kernel
from streamct.color.scalar import exp2, exp_negative, log2
from streamct.model import FloatArray, IntArray, Palette
from streamct.settings import MappingSettings

_OFFSET_NEIGHBOURS = 8
_GREY = 6.0
"""Chroma at which a colour counts as grey by exp(-1/2)."""
_BLACK_AND_WHITE = 2.0
"""Chroma that compression leaves in black and white."""
_SAME_LIGHTNESS = 15.0
"""Greys supply each other over lightness differences of this order."""
_LARGEST_COST = 100.0
"""Up to here, exp(-cost) and what scales it are plain float64: with the default blur, for all of BT.709."""
_LOG2_E = 1.4426950408889634


@dataclass(frozen=True, slots=True)
class Correspondence:
    """Where each palette colour goes: source (k, 3) and targets (k, 3) float64 Lab.

    drained: 0..1, how far the reference is black and white, so that no colour may be left.
    """

    source: FloatArray
    targets: FloatArray
    drained: float = 0.0


def correspond(source: Palette, reference: Palette, settings: MappingSettings) -> Correspondence:
    """The targets of the source palette's colours, as `settings` choose."""
    if settings.correspondence == "transport":
        targets = transport_targets(source, reference, settings)
    else:
        targets = nearest_targets(source, reference, settings)
    if settings.keep_neutrals > 0:
        kept = settings.keep_neutrals * neutral_shares(source, reference)[:, None]
        targets[:, 1:] += kept * (source.colours[:, 1:] - targets[:, 1:])
    drained = colourlessness(reference) if settings.correspondence == "transport" else 0.0
    return Correspondence(source.colours, targets, drained)


def colourlessness(reference: Palette) -> float:
    """0..1: how far a reference is black and white: 1 up to a chroma of 2 of its most colourful colour, 0 from 6.

    Shifts take a picture's colours to greys on the whole, but leave each colour its distance to the others about it.
    """
    most = float(np.hypot(reference.colours[:, 1], reference.colours[:, 2]).max())
    t = min(max((most - _BLACK_AND_WHITE) / (_GREY - _BLACK_AND_WHITE), 0.0), 1.0)
    return 1.0 - t * t * (3.0 - 2.0 * t)


def neutral_shares(source: Palette, reference: Palette) -> FloatArray:
    """How far each source colour is a grey that the reference has too: (k,) float64, 0..1.

    A colour of chroma C is grey to exp(-C^2 / (2 * 6^2)). The reference has it as far as its greys of about that
    lightness (a Gaussian of 15) make up for the source's; where it has too few, the share falls in proportion, and
    where it has none the greys are graded like any other colour.
    """
    grey, wanted = (np.exp(-(p.colours[:, 1:] ** 2).sum(axis=1) / (2 * _GREY**2)) for p in (source, reference))

    def near(palette: Palette, greys: FloatArray) -> FloatArray:
        gap = source.colours[:, None, 0] - palette.colours[None, :, 0]
        return np.asarray(np.exp(-(gap**2) / (2 * _SAME_LIGHTNESS**2)) @ (palette.weights * greys))

    demand = np.maximum(near(source, grey), 1e-12)
    return np.asarray(grey * np.minimum(near(reference, wanted) / demand, 1.0))


def nearest_targets(source: Palette, reference: Palette, settings: MappingSettings) -> FloatArray:
    """Eq. 6-10: the nearest reference colour; of those that share one the heaviest keeps it (Eq. 8).

    Ties go to the lower index, which is the heavier colour. Colours without a match, also those farther than
    `reach`, follow the matched ones: by weighted values (`absolute`, Eq. 9-10, all matched colours) or by
    weighted shifts (`offset`, the 8 nearest, inverse square distance). Where nothing lies within `reach`,
    the closest pair is taken.

    Returns: (k, 3) float64.
    """
    distance = np.linalg.norm(source.colours[:, None] - reference.colours[None], axis=2)
    nearest = distance.argmin(axis=1)
    gap = distance[np.arange(len(nearest)), nearest]
    reach = np.inf if settings.reach is None else settings.reach
    if not (gap <= reach).any():
        reach = gap.min()
    keeper: dict[int, int] = {}
    for i in range(len(source)):
        if gap[i] <= reach:
            held = keeper.setdefault(int(nearest[i]), i)
            if source.weights[i] > source.weights[held]:
                keeper[int(nearest[i])] = i
    matched = np.array(sorted(keeper.values()))
    targets = source.colours.copy()
    targets[matched] = reference.colours[nearest[matched]]
    for q in np.setdiff1d(np.arange(len(source)), matched):
        targets[q] = _propagated(source.colours, targets, matched, int(q), settings.propagation)
    return targets


def _propagated(colours: FloatArray, targets: FloatArray, matched: IntArray, q: int, propagation: str) -> FloatArray:
    distance = np.maximum(np.linalg.norm(colours[matched] - colours[q], axis=1), 1e-9)
    if propagation == "absolute":
        weights = 1 / distance
        return np.asarray(weights @ targets[matched] / weights.sum())
    near = np.argsort(distance, kind="stable")[:_OFFSET_NEIGHBOURS]
    weights = 1 / distance[near] ** 2
    shifts = targets[matched[near]] - colours[matched[near]]
    return np.asarray(colours[q] + weights @ shifts / weights.sum())


def transport_targets(source: Palette, reference: Palette, settings: MappingSettings) -> FloatArray:
    """Own colour + (barycentre of the plan to the reference - barycentre of the plan to itself).

    The second plan's blur equals the first one's, so the two cancel and a palette matched with itself stays
    where it is. `reach` relaxes the marginals (unbalanced transport, Chizat et al. 2018) with lambda = reach^2.

    Returns: (k, 3) float64.
    """
    relaxation = np.inf if settings.reach is None else settings.reach**2
    blur, steps = settings.transport_blur, settings.transport_iterations
    to_reference = barycentres(source, reference, blur, relaxation, steps)
    to_itself = barycentres(source, source, blur, relaxation, steps)
    return np.asarray(source.colours + (to_reference - to_itself))


def barycentres(source: Palette, reference: Palette, blur: float, relaxation: float, steps: int) -> FloatArray:
    """Mean reference colour of each row of the entropic plan (Cuturi 2013; Peyre & Cuturi 2019, 4.4, 10.2).

    Cost: squared Lab distance; kernel exp(-d^2 / (2 blur^2)); `relaxation`: weight of the marginals'
    Kullback-Leibler penalty, inf for exact marginals. `steps` of Sinkhorn.

    Returns: (k, 3) float64.
    """
    cost = ((source.colours[:, None] - reference.colours[None]) ** 2).sum(axis=2) / (2 * blur * blur)
    # The entropic problem's epsilon is 2 blur^2; its exponent for the relaxed marginals:
    exponent = 1.0 if np.isinf(relaxation) else relaxation / (relaxation + 2 * blur * blur)
    if cost.max() <= _LARGEST_COST:
        rows = _sinkhorn(cost, source.weights, reference.weights, exponent, steps)
    else:
        rows = _sinkhorn_log(cost, np.log(source.weights), np.log(reference.weights), exponent, steps)
    return np.asarray(rows @ reference.colours)


@kernel
def _soft_minimum(
    cost: FloatArray, terms: FloatArray, top: FloatArray, total: FloatArray, exponent: float, out: FloatArray
) -> None:
    """out[i] = -exponent log sum_j exp(terms[j] - cost[j, i]); column by column, which vectorises over i."""
    n = out.shape[0]
    top[:] = -np.inf
    total[:] = 0.0
    for j in range(cost.shape[0]):
        term = terms[j]
        for i in range(n):
            top[i] = max(top[i], term - cost[j, i])
    for j in range(cost.shape[0]):
        term = terms[j]
        for i in range(n):
            total[i] += exp_negative(term - cost[j, i] - top[i])
    for i in range(n):
        out[i] = -exponent * (top[i] + np.log(total[i]))


@kernel
def _sinkhorn(cost: FloatArray, a: FloatArray, b: FloatArray, exponent: float, steps: int) -> FloatArray:
    """The plan with each row scaled to sum 1. With relaxed marginals a far colour's row may have no mass to
    speak of; scaled before it is summed up, it still says where that colour would go.

    `_sinkhorn_log` with sums and products, a sixth of the time: the scalings stay far from the ends of float64.
    """
    n, m = cost.shape
    across, down = np.empty((n, m)), np.empty((m, n))
    for i in range(n):
        for j in range(m):
            across[i, j] = down[j, i] = exp2(-_LOG2_E * cost[i, j])
    u, v = np.empty(n), b.copy()
    for _ in range(steps):
        _scale(down, v, a, exponent, u)
        _scale(across, u, b, exponent, v)
    rows = np.empty((n, m))
    for i in range(n):
        total = 0.0
        for j in range(m):
            total += across[i, j] * v[j]
        for j in range(m):
            rows[i, j] = across[i, j] * v[j] / total
    return rows


@inlined
def _scale(weight: FloatArray, other: FloatArray, share: FloatArray, exponent: float, out: FloatArray) -> None:
    """out[i] = share[i] (sum_j weight[j, i] other[j]) ^ -exponent; row by row, which vectorises over i."""
    out[:] = 0.0
    for j in range(weight.shape[0]):
        for i in range(out.shape[0]):
            out[i] += weight[j, i] * other[j]
    for i in range(out.shape[0]):
        out[i] = share[i] * exp2(-exponent * log2(out[i]))


@kernel
def _sinkhorn_log(cost: FloatArray, log_a: FloatArray, log_b: FloatArray, exponent: float, steps: int) -> FloatArray:
    """`_sinkhorn` for any cost, in the log domain."""
    n, m = cost.shape
    turned = cost.T.copy()
    f, g = np.zeros(n), np.zeros(m)
    top, total = np.empty(max(n, m)), np.empty(max(n, m))
    for _ in range(steps):
        _soft_minimum(turned, log_b + g, top[:n], total[:n], exponent, f)
        _soft_minimum(cost, log_a + f, top[:m], total[:m], exponent, g)
    _soft_minimum(turned, log_b + g, top[:n], total[:n], 1.0, f)
    rows = np.empty((n, m))
    for i in range(n):
        for j in range(m):
            rows[i, j] = np.exp(f[i] + log_b[j] + g[j] - cost[i, j])
    return rows
