"""R'G'B' of PQ and HLG <-> CIE L*a*b* with diffuse white at L* = 100.

Sources: SMPTE ST 2084 (PQ), ITU-R BT.2100 (HLG, its OOTF for a display of 1000 cd/m2, gamma 1.2, black at 0),
BT.2408 (diffuse white: 203 cd/m2). Light is that of the display, relative to diffuse white, so highlights have an
L* above 100: up to 181 for HLG, 410 for PQ.

Both curves are continued sign-symmetrically below 0, and above 1 by their own formulas.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamct.color.jit import inlined, kernel
from streamct.color.scalar import cube_root, exp2, exp_negative, log2
from streamct.model import FloatArray

DIFFUSE_WHITE = 203.0
"""cd/m2 of a white surface, which is L* = 100."""

_PQ_PEAK = 10000.0
_M1, _M2 = 2610.0 / 16384.0, 2523.0 / 32.0
_C1, _C2, _C3 = 3424.0 / 4096.0, 2413.0 / 128.0, 2392.0 / 128.0

_HLG_PEAK, _HLG_GAMMA = 1000.0, 1.2
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
_LOG2_E = 1.4426950408889634
_DARKEST = 2.0**-30
"""Scene luminance below which the HLG OOTF is a straight line (L* < 1e-6): at 0 its slope is 0, and has no inverse."""
_DARKEST_SHOWN = 2.0**-36
"""The same after the OOTF, to the power of 1.2."""

_KNEE = 0.07
"""Light of a channel, as a share of the source colour's brightest channel, below which a map may not take it straight
down. As measured: with less, curves so steep outrun the Lut's nodes; with more, saturated colours turn paler."""

_EPSILON = 216.0 / 24389.0
_KAPPA = 24389.0 / 27.0
_TINY = 1e-300
_BLOCK = 256


@inlined
def _power(values: FloatArray, exponent: float) -> None:
    """values (n,) >= 0 to the exponent, in place. Two loops: one body with both functions would not be inlined."""
    for i in range(values.shape[0]):
        values[i] = log2(max(values[i], _TINY)) * exponent
    for i in range(values.shape[0]):
        values[i] = exp2(values[i])


@inlined
def pq_to_linear(values: FloatArray, size: FloatArray) -> None:
    """ST 2084 EOTF of signals (n,) below 1.9, in place: light in units of diffuse white, 49.3 for 1.

    size: (n,) room to work in.
    """
    for i in range(values.shape[0]):
        size[i] = abs(values[i])
    _power(size, 1.0 / _M2)
    for i in range(values.shape[0]):
        size[i] = max(size[i] - _C1, 0.0) / (_C2 - _C3 * size[i])
    _power(size, 1.0 / _M1)
    for i in range(values.shape[0]):
        light = size[i] * (_PQ_PEAK / DIFFUSE_WHITE)
        values[i] = light if values[i] >= 0.0 else -light


@inlined
def linear_to_pq(values: FloatArray, size: FloatArray) -> None:
    """ST 2084 inverse EOTF of light (n,) in units of diffuse white, in place. size: (n,) room to work in."""
    for i in range(values.shape[0]):
        size[i] = abs(values[i]) * (DIFFUSE_WHITE / _PQ_PEAK)
    _power(size, _M1)
    for i in range(values.shape[0]):
        size[i] = (_C1 + _C2 * size[i]) / (1.0 + _C3 * size[i])
    _power(size, _M2)
    for i in range(values.shape[0]):
        values[i] = size[i] if values[i] >= 0.0 else -size[i]


@inlined
def hlg_to_scene(value: float) -> float:
    """BT.2100 HLG inverse OETF: scene light, 0..1 for signals 0..1."""
    size = abs(value)
    curve = (exp2((size - _C) * (_LOG2_E / _A)) + _B) * (1.0 / 12.0)
    scene = size * size * (1.0 / 3.0) if size <= 0.5 else curve
    return scene if value >= 0.0 else -scene


@inlined
def scene_to_hlg(value: float) -> float:
    """BT.2100 HLG OETF of scene light."""
    size = abs(value)
    curve = _A / _LOG2_E * log2(max(12.0 * size - _B, _TINY)) + _C
    coded = np.sqrt(3.0 * size) if size <= 1.0 / 12.0 else curve
    return coded if value >= 0.0 else -coded


@inlined
def hlg_system_gain(luminance: FloatArray) -> None:
    """Scene luminance (n,) to what the HLG OOTF multiplies scene light by, alpha Y^(gamma - 1), in units of diffuse
    white; in place."""
    for i in range(luminance.shape[0]):
        luminance[i] = max(luminance[i], _DARKEST)
    _power(luminance, _HLG_GAMMA - 1.0)
    for i in range(luminance.shape[0]):
        luminance[i] *= _HLG_PEAK / DIFFUSE_WHITE


@inlined
def hlg_inverse_gain(luminance: FloatArray) -> None:
    """Display luminance (n,) in units of diffuse white to what takes display light back to scene light; in place."""
    for i in range(luminance.shape[0]):
        luminance[i] = max(luminance[i] * (DIFFUSE_WHITE / _HLG_PEAK), _DARKEST_SHOWN)
    _power(luminance, 1.0 / _HLG_GAMMA - 1.0)
    for i in range(luminance.shape[0]):
        luminance[i] *= DIFFUSE_WHITE / _HLG_PEAK


@inlined
def _compress(t: float) -> float:
    bright = t > 8.0  # beyond `cube_root`'s range at 64
    root = cube_root(t * (1.0 / 64.0) if bright else t)
    root = 4.0 * root if bright else root
    return root if t > _EPSILON else (_KAPPA * t + 16.0) / 116.0


@inlined
def _expand(f: float) -> float:
    cube = f * f * f
    return cube if f > 6.0 / 29.0 else (116.0 * f - 16.0) / _KAPPA


@kernel
def hdr_to_lab(rgb: NDArray[np.floating], hlg: bool, matrix: FloatArray, out: FloatArray) -> None:
    """R'G'B' (n, 3) of HLG or else PQ to L*a*b* (n, 3); matrix: `lab.rgb_to_xyz` of the primaries."""
    m00, m01, m02 = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    m10, m11, m12 = matrix[1, 0], matrix[1, 1], matrix[1, 2]
    m20, m21, m22 = matrix[2, 0], matrix[2, 1], matrix[2, 2]
    light = np.empty((3, _BLOCK))
    room = np.empty(_BLOCK)
    for start in range(0, rgb.shape[0], _BLOCK):
        n = min(_BLOCK, rgb.shape[0] - start)
        for c in range(3):
            for i in range(n):
                light[c, i] = float(rgb[start + i, c])
        if hlg:
            for c in range(3):
                for i in range(n):
                    light[c, i] = hlg_to_scene(light[c, i])
            for i in range(n):
                room[i] = m10 * light[0, i] + m11 * light[1, i] + m12 * light[2, i]
            hlg_system_gain(room[:n])
            for c in range(3):
                for i in range(n):
                    light[c, i] *= room[i]
        else:
            for c in range(3):
                pq_to_linear(light[c, :n], room[:n])
        for i in range(n):
            r, g, b = light[0, i], light[1, i], light[2, i]
            light[0, i] = m00 * r + m01 * g + m02 * b
            light[1, i] = m10 * r + m11 * g + m12 * b
            light[2, i] = m20 * r + m21 * g + m22 * b
        for c in range(3):
            for i in range(n):
                light[c, i] = _compress(light[c, i])
        for i in range(n):
            out[start + i, 0] = 116.0 * light[1, i] - 16.0
            out[start + i, 1] = 500.0 * (light[0, i] - light[1, i])
            out[start + i, 2] = 200.0 * (light[1, i] - light[2, i])


@inlined
def _kept_light(light: float, own: float, brightest: float) -> float:
    """Mapped light of a channel that had `own`: as mapped, but towards black in ever smaller shares, never below.

    Both curves are vertical at black, or nearly so: straight down, a trace of light more or less would turn a whole
    colour. What the map leaves alone, or makes brighter, is as mapped; so is a channel that had no light.
    """
    knee = min(own, _KNEE * brightest)
    falling = knee * exp_negative(min(light / max(knee, _TINY), 1.0) - 1.0)
    return falling if knee > 0.0 and light < knee else light


@kernel
def lab_to_hdr(lab: FloatArray, source: FloatArray, hlg: bool, matrix: FloatArray, out: NDArray[np.floating]) -> None:
    """Mapped L*a*b* (n, 3) to R'G'B' of HLG or else PQ, the inverse of `hdr_to_lab` where nothing darkens.

    source: (n, 3) the colours before the map, or `lab` again for the plain inverse: see `_kept_light`. matrix:
    `lab.xyz_to_rgb` of the primaries; out (n, 3) may be lab itself.
    """
    m00, m01, m02 = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    m10, m11, m12 = matrix[1, 0], matrix[1, 1], matrix[1, 2]
    m20, m21, m22 = matrix[2, 0], matrix[2, 1], matrix[2, 2]
    light = np.empty((3, _BLOCK))
    own = np.empty((3, _BLOCK))
    room = np.empty(_BLOCK)
    for start in range(0, lab.shape[0], _BLOCK):
        n = min(_BLOCK, lab.shape[0] - start)
        for values, into in ((source, own), (lab, light)):
            for i in range(n):
                fy = (values[start + i, 0] + 16.0) * (1.0 / 116.0)
                x = _expand(fy + values[start + i, 1] * (1.0 / 500.0))
                y = _expand(fy)
                z = _expand(fy - values[start + i, 2] * (1.0 / 200.0))
                into[0, i] = m00 * x + m01 * y + m02 * z
                into[1, i] = m10 * x + m11 * y + m12 * z
                into[2, i] = m20 * x + m21 * y + m22 * z
                room[i] = y
        for i in range(n):
            r, g, b = own[0, i], own[1, i], own[2, i]
            brightest = max(r, max(g, b))
            light[0, i] = _kept_light(light[0, i], r, brightest)
            light[1, i] = _kept_light(light[1, i], g, brightest)
            light[2, i] = _kept_light(light[2, i], b, brightest)
        if hlg:
            hlg_inverse_gain(room[:n])
            for c in range(3):
                for i in range(n):
                    light[c, i] = scene_to_hlg(light[c, i] * room[i])
        else:
            for c in range(3):
                linear_to_pq(light[c, :n], room[:n])
        for i in range(n):
            out[start + i, 0] = light[0, i]
            out[start + i, 1] = light[1, i]
            out[start + i, 2] = light[2, i]
