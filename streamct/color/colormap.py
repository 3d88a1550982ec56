"""Correspondence -> a function Lab -> Lab (Lv & Zhang, Eq. 11-12).

A pixel moves with its palette colours. `hard` takes the shift of the nearest one, as the paper does; `soft`
blends all shifts with Gaussian weights, so neighbouring pixels never part and no contour appears.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamct.color.constraints import NO_PULL, Held, Pull, solve
from streamct.color.correspondence import Correspondence
from streamct.color.gamut import clip, compress
from streamct.color.jit import inlined, kernel
from streamct.color.lab import lab_to_srgb, srgb_to_lab
from streamct.color.scalar import share_of
from streamct.model import FloatArray
from streamct.settings import MappingSettings

_BLACK_START, _BLACK_END = 2.0, 18.0
"""L* between which the a,b shift fades in with `neutral_blacks`: at L* = 3 a shift of 80 leaves 0.9."""
_LIFT_END, _LIFT_LENGTH = 40.0, 2.25
"""L* up to which the lightness shift fades in, and the same as a multiple of the shift, where that is more."""

_HALF_ROOT = 0.7071067811865476
_SKIN_INNER, _SKIN_OUTER = 0.8660254037844387, 0.5735764363510462
"""Cosines of 30 and 55 degrees: skin hues lie about 45 degrees in a,b, fully within 30, not at all beyond 55."""
_SKIN_TURN = 0.14054083470239145
"""Tangent of 8 degrees."""


_FAR_SHARE = 0.25
"""What the square of the distance to the nearest palette colour adds to sigma's. Between colours s apart a Gaussian
blends over about sigma^2 / s: without this, a colour far from all of them would be assigned as if hard, in steps that
draw contours and that no Lut resolves."""
_BLOCK = 128
_FAR = -40.0
"""Colours with less than exp(-40) = 4e-18 of the nearest one's weight add nothing, whether the block is skipped or
not: a mapped colour does not depend on those beside it."""
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class ColorMap:
    """A function Lab -> Lab for one region.

    source: (k, 3) palette colours. shifts: (k, 3) what each is moved by, alpha (Eq. 12) and strength included.
    softness: sigma of the soft assignment in Delta E, 0 for hard. neutral_blacks: the shift fades out towards
    black, which so stays black and neutral. compress: how what leaves the gamut is brought back
    (`streamct.color.gamut`). skin: hues in the skin range are held (`hold_skin`). pull: what takes the colours that a
    user holds to their targets (`streamct.color.constraints`). colour: share of the mapped a,b that is left.
    """

    source: FloatArray
    shifts: FloatArray
    softness: float
    neutral_blacks: bool
    compress: bool = False
    skin: bool = False
    pull: Pull = NO_PULL
    colour: float = 1.0

    def __call__(self, lab: FloatArray) -> FloatArray:
        """Mapped colours of lab (..., 3) float64. Above L* = 100 the shift of L* = 100 holds."""
        flat = np.ascontiguousarray(lab, np.float64).reshape(-1, 3)
        return self._pulled(flat, None)[0].reshape(lab.shape)

    def to_srgb(self, rgb: NDArray[np.floating]) -> FloatArray:
        """Mapped colours of rgb (n, 3), sRGB values, 0..1 nominal, brought back into the gamut."""
        mapped, near = self._pulled(srgb_to_lab(rgb), rgb)
        out = lab_to_srgb(mapped)
        (compress if self.compress else clip)(out, near)
        return out

    def _pulled(self, flat: FloatArray, rgb: NDArray[np.floating] | None) -> tuple[FloatArray, NDArray[np.floating]]:
        """Mapped colours of flat (n, 3), and what the gamut is to take for their R'G'B' before."""
        out = np.empty_like(flat)
        if self.softness > 0:
            map_soft(flat, self.source, self.shifts, self.softness, self.neutral_blacks, out)
        else:
            map_hard(flat, self.source, self.shifts, self.neutral_blacks, out)
        if self.skin:
            hold_skin(flat, out)
        if self.colour < 1.0:
            out[:, 1:] *= self.colour
        if len(self.pull.places):
            return self.pull.apply(flat, out, rgb)
        return out, out if rgb is None else rgb


def color_map(correspondence: Correspondence, settings: MappingSettings) -> ColorMap:
    """The map that `settings` ask for: Eq. 11 for a,b (times `chroma`), Eq. 12 for L*, both times `strength`."""
    scale = settings.strength * np.array([settings.alpha, settings.chroma, settings.chroma])
    shifts = (correspondence.targets - correspondence.source) * scale
    softness = settings.softness if settings.assignment == "soft" else 0.0
    compress = settings.gamut == "compress"
    colour = 1.0 - correspondence.drained * min(settings.strength * settings.chroma, 1.0)
    return ColorMap(
        correspondence.source, shifts, softness, settings.neutral_blacks, compress, settings.protect_skin,
        colour=colour,
    )  # fmt: skip


def constrained(
    mapping: ColorMap,
    held: Held,
    strength: float = 1.0,
    in_srgb: bool = True,
    outcome: Callable[[ColorMap, FloatArray], FloatArray] | None = None,
) -> ColorMap:
    """The map bent so that held colours go to their targets, or `strength` of the way there.

    in_srgb: the map ends in sRGB or BT.709; bringing colours back into that gamut leaves the targets in place. outcome:
    what comes of colours (m, 3) in the end where the map is not taken at its word, such as `LutGrid.outcome`.
    """
    if not len(held):
        return mapping
    aimed = Held(held.sources, held.sources + strength * (held.targets - held.sources))
    goals = np.clip(lab_to_srgb(aimed.targets), 0, 1) if in_srgb else None
    tried = None
    if outcome is not None:
        tried = lambda pull: outcome(replace(mapping, pull=pull), aimed.sources)  # noqa: E731
    return replace(mapping, pull=solve(aimed, mapping.source, mapping, mapping.neutral_blacks, goals, tried))


def shown_colours(mapping: ColorMap, lab: FloatArray, in_srgb: bool = True) -> FloatArray:
    """What becomes of lab (n, 3) in the end, float64 Lab; in_srgb: see `constrained`."""
    return srgb_to_lab(mapping.to_srgb(lab_to_srgb(lab))) if in_srgb else mapping(lab)


def apply_to_srgb(mapping: ColorMap, rgb: NDArray[np.float32], workers: int = 2) -> NDArray[np.float32]:
    """Map a picture (h, w, 3) of sRGB values, 0..1 nominal, without a Lut; rows are shared by `workers`.

    Colours that leave the gamut are brought back into it; a colour that lay outside already may stay as far outside.
    """
    flat = rgb.reshape(-1, 3)
    out = np.empty_like(flat)

    def run(start: int) -> None:
        out[start : start + _CHUNK] = mapping.to_srgb(flat[start : start + _CHUNK])

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(run, range(0, len(flat), _CHUNK)))
    return out.reshape(rgb.shape)


@inlined
def _smoothstep(x: float) -> float:
    t = min(max(x, 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@inlined
def _chroma_fade(lightness: float) -> float:
    """Share of the a,b shift that is left with `neutral_blacks`."""
    return _smoothstep((lightness - _BLACK_START) / (_BLACK_END - _BLACK_START))


@inlined
def _faded_lift(lightness: float, lift: float) -> float:
    """What is left of a lightness shift with `neutral_blacks`: none at L* = 0, all of it above `_LIFT_END`.

    A large shift fades over a longer way, so that no shadow is ever crushed: the slope of L* + lift stays above 1/3.
    """
    return lift * _smoothstep(lightness / max(_LIFT_END, _LIFT_LENGTH * abs(lift)))


@inlined
def _skin_share(lightness: float, a: float, b: float) -> float:
    """0..1: how far a colour lies in the skin range: hues about 45 degrees, neither grey, vivid nor black."""
    chroma = np.sqrt(a * a + b * b)
    towards = (a + b) * _HALF_ROOT / max(chroma, 1e-9)
    share = _smoothstep((towards - _SKIN_OUTER) / (_SKIN_INNER - _SKIN_OUTER))
    share *= _smoothstep((chroma - 3.0) / 9.0) * _smoothstep((65.0 - chroma) / 15.0)
    return share * _smoothstep((lightness - 10.0) / 15.0)


@kernel
def hold_skin(lab: FloatArray, out: FloatArray) -> None:
    """Hold the hues of lab (n, 3) that lie in the skin range where out (n, 3), changed in place, would turn them.

    The mapped a,b is split along the colour's own hue and across it. What lies across is bent so that the hue turns
    by less than 8 degrees; what lies along keeps at least half of the chroma. Both fade with `_skin_share`.
    """
    for i in range(lab.shape[0]):
        a, b = lab[i, 1], lab[i, 2]
        share = _skin_share(lab[i, 0], a, b)
        if share <= 0.0:
            continue
        chroma = np.sqrt(a * a + b * b)
        u, v = a / chroma, b / chroma
        along = out[i, 1] * u + out[i, 2] * v
        across = out[i, 2] * u - out[i, 1] * v
        held = max(along, 0.5 * chroma)
        limit = _SKIN_TURN * held
        bent = across * limit / np.sqrt(limit * limit + across * across)
        along += share * (held - along)
        across += share * (bent - across)
        out[i, 1] = along * u - across * v
        out[i, 2] = along * v + across * u


@kernel
def map_hard(lab: FloatArray, source: FloatArray, shifts: FloatArray, neutral: bool, out: FloatArray) -> None:
    """Mapped colours of lab (n, 3): the shift of the nearest palette colour (Eq. 4, 11)."""
    for i in range(lab.shape[0]):
        lightness = min(lab[i, 0], 100.0)
        best = 0
        least = np.inf
        for j in range(source.shape[0]):
            dl = lightness - source[j, 0]
            da = lab[i, 1] - source[j, 1]
            db = lab[i, 2] - source[j, 2]
            d = dl * dl + da * da + db * db
            if d < least:
                least = d
                best = j
        fade = _chroma_fade(lightness) if neutral else 1.0
        lift = shifts[best, 0]
        out[i, 0] = lab[i, 0] + (_faded_lift(lightness, lift) if neutral else lift)
        out[i, 1] = lab[i, 1] + fade * shifts[best, 1]
        out[i, 2] = lab[i, 2] + fade * shifts[best, 2]


@kernel
def map_soft(
    lab: FloatArray, source: FloatArray, shifts: FloatArray, sigma: float, neutral: bool, out: FloatArray
) -> None:
    """Mapped colours of lab (n, 3): all palette colours' shifts, weighted by a Gaussian of their distance.

    Its square width is that of sigma and `_FAR_SHARE` of the nearest one's square distance.
    """
    fixed = sigma * sigma
    scale = np.empty(_BLOCK)
    lightness = np.empty(_BLOCK)
    a = np.empty(_BLOCK)
    b = np.empty(_BLOCK)
    least = np.empty(_BLOCK)
    total = np.empty(_BLOCK)
    sum_l = np.empty(_BLOCK)
    sum_a = np.empty(_BLOCK)
    sum_b = np.empty(_BLOCK)
    squares = np.empty((source.shape[0], _BLOCK))
    for start in range(0, lab.shape[0], _BLOCK):
        n = min(_BLOCK, lab.shape[0] - start)
        for i in range(n):
            lightness[i] = min(lab[start + i, 0], 100.0)
            a[i] = lab[start + i, 1]
            b[i] = lab[start + i, 2]
        least[:] = np.inf
        total[:] = 0.0
        sum_l[:] = 0.0
        sum_a[:] = 0.0
        sum_b[:] = 0.0
        for j in range(source.shape[0]):
            cl, ca, cb = source[j, 0], source[j, 1], source[j, 2]
            for i in range(n):
                dl = lightness[i] - cl
                da = a[i] - ca
                db = b[i] - cb
                square = dl * dl + da * da + db * db
                squares[j, i] = square
                least[i] = min(least[i], square)
        for i in range(n):
            scale[i] = 0.5 / (fixed + _FAR_SHARE * least[i])
        for j in range(source.shape[0]):
            near = 0
            for i in range(n):
                near += (least[i] - squares[j, i]) * scale[i] > _FAR
            if near == 0:
                continue
            tl, ta, tb = shifts[j, 0], shifts[j, 1], shifts[j, 2]
            for i in range(n):
                away = (least[i] - squares[j, i]) * scale[i]
                weight = share_of(away) if away > _FAR else 0.0
                total[i] += weight
                sum_l[i] += weight * tl
                sum_a[i] += weight * ta
                sum_b[i] += weight * tb
        for i in range(n):
            fade = (_chroma_fade(lightness[i]) if neutral else 1.0) / total[i]
            lift = sum_l[i] / total[i]
            out[start + i, 0] = lab[start + i, 0] + (_faded_lift(lightness[i], lift) if neutral else lift)
            out[start + i, 1] = a[i] + fade * sum_a[i]
            out[start + i, 2] = b[i] + fade * sum_b[i]
