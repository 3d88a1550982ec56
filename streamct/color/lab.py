"""R'G'B' <-> CIE L*a*b*.

Sources: IEC 61966-2-1 (sRGB), CIE 15:2004 (L*a*b*), ITU-R BT.2020, SMPTE EG 432-1 (P3), RP 431-2 (DCI white);
matrices are derived from the primaries' chromaticities and white, D65 = (0.3127, 0.3290) as a rule, so R = G = B = 1 is
exactly L* = 100, a* = b* = 0. The sRGB curve is continued sign-symmetrically outside 0..1, which keeps colours
outside the gamut invertible.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from streamct.color.hdr import hdr_to_lab, lab_to_hdr
from streamct.color.jit import inlined, kernel
from streamct.color.scalar import cube_root, fifth_root
from streamct.model import Coding, FloatArray

_PRIMARIES = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    "p3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    "dci": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_D65 = (0.3127, 0.3290)
_WHITES = {"dci": (0.314, 0.351)}
"""White points other than D65. What is relative to white needs no adaptation: L*a*b* itself is von Kries's in XYZ."""

_EPSILON = 216.0 / 24389.0
_KAPPA = 24389.0 / 27.0
_BLOCK = 256


@cache
def rgb_to_xyz(primaries: str) -> FloatArray:
    """(3, 3) matrix from linear R, G, B to X/Xn, Y/Yn, Z/Zn, the tristimulus values relative to white."""
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in _PRIMARIES[primaries]]).T
    x, y = _WHITES.get(primaries, _D65)
    white = np.array([x / y, 1.0, (1 - x - y) / y])
    xyz = columns * np.linalg.solve(columns, white)
    relative = xyz / white[:, None]
    return np.asarray(relative / relative.sum(axis=1, keepdims=True))


@cache
def xyz_to_rgb(primaries: str) -> FloatArray:
    """The inverse of `rgb_to_xyz`."""
    return np.asarray(np.linalg.inv(rgb_to_xyz(primaries)))


@inlined
def srgb_to_linear(value: float) -> float:
    """IEC 61966-2-1 decoding, sign-symmetric outside 0..1; |value| below 30."""
    size = abs(value)
    v = (size + 0.055) * (1.0 / 1.055)
    root = fifth_root(v)
    curve = v * v * root * root
    linear = size * (1.0 / 12.92) if size <= 0.04045 else curve
    return linear if value >= 0.0 else -linear


@inlined
def linear_to_srgb(value: float) -> float:
    """IEC 61966-2-1 encoding, sign-symmetric outside 0..1; |value| below 500. v^(5/12) is c c^(1/4), c = v^(1/3)."""
    size = abs(value)
    root = cube_root(size)
    curve = 1.055 * (root * np.sqrt(np.sqrt(root))) - 0.055
    coded = 12.92 * size if size <= 0.04045 / 12.92 else curve
    return coded if value >= 0.0 else -coded


@inlined
def _compress(t: float) -> float:
    root = cube_root(t)
    return root if t > _EPSILON else (_KAPPA * t + 16.0) / 116.0


@inlined
def _expand(f: float) -> float:
    cube = f * f * f
    return cube if f > 6.0 / 29.0 else (116.0 * f - 16.0) / _KAPPA


@kernel
def _rgb_to_lab(rgb: NDArray[np.floating], matrix: FloatArray, out: FloatArray) -> None:
    m00, m01, m02 = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    m10, m11, m12 = matrix[1, 0], matrix[1, 1], matrix[1, 2]
    m20, m21, m22 = matrix[2, 0], matrix[2, 1], matrix[2, 2]
    fx = np.empty(_BLOCK)
    fy = np.empty(_BLOCK)
    fz = np.empty(_BLOCK)
    for start in range(0, rgb.shape[0], _BLOCK):
        n = min(_BLOCK, rgb.shape[0] - start)
        for i in range(n):
            fx[i] = float(rgb[start + i, 0])
            fy[i] = float(rgb[start + i, 1])
            fz[i] = float(rgb[start + i, 2])
        for i in range(n):
            r = srgb_to_linear(fx[i])
            g = srgb_to_linear(fy[i])
            b = srgb_to_linear(fz[i])
            fx[i] = m00 * r + m01 * g + m02 * b
            fy[i] = m10 * r + m11 * g + m12 * b
            fz[i] = m20 * r + m21 * g + m22 * b
        for i in range(n):
            fx[i] = _compress(fx[i])
            fy[i] = _compress(fy[i])
            fz[i] = _compress(fz[i])
        for i in range(n):
            out[start + i, 0] = 116.0 * fy[i] - 16.0
            out[start + i, 1] = 500.0 * (fx[i] - fy[i])
            out[start + i, 2] = 200.0 * (fy[i] - fz[i])


@kernel
def lab_to_rgb(lab: FloatArray, matrix: FloatArray, out: NDArray[np.floating]) -> None:
    """L*a*b* (n, 3) to R'G'B' with the sRGB curve; matrix: `xyz_to_rgb`; out (n, 3) may be lab itself."""
    m00, m01, m02 = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    m10, m11, m12 = matrix[1, 0], matrix[1, 1], matrix[1, 2]
    m20, m21, m22 = matrix[2, 0], matrix[2, 1], matrix[2, 2]
    r = np.empty(_BLOCK)
    g = np.empty(_BLOCK)
    b = np.empty(_BLOCK)
    for start in range(0, lab.shape[0], _BLOCK):
        n = min(_BLOCK, lab.shape[0] - start)
        for i in range(n):
            fy = (lab[start + i, 0] + 16.0) * (1.0 / 116.0)
            x = _expand(fy + lab[start + i, 1] * (1.0 / 500.0))
            y = _expand(fy)
            z = _expand(fy - lab[start + i, 2] * (1.0 / 200.0))
            r[i] = m00 * x + m01 * y + m02 * z
            g[i] = m10 * x + m11 * y + m12 * z
            b[i] = m20 * x + m21 * y + m22 * z
        for i in range(n):
            r[i] = linear_to_srgb(r[i])
            g[i] = linear_to_srgb(g[i])
            b[i] = linear_to_srgb(b[i])
        for i in range(n):
            out[start + i, 0] = r[i]
            out[start + i, 1] = g[i]
            out[start + i, 2] = b[i]


def srgb_to_lab(rgb: NDArray[np.floating], primaries: str = "bt709") -> FloatArray:
    """R'G'B' with the sRGB curve (..., 3), 0..1 nominal, to L*a*b* (..., 3) float64."""
    flat = np.ascontiguousarray(rgb).reshape(-1, 3)
    out = np.empty(flat.shape, np.float64)
    _rgb_to_lab(flat, rgb_to_xyz(primaries), out)
    return out.reshape(rgb.shape)


def lab_to_srgb(lab: FloatArray, primaries: str = "bt709") -> FloatArray:
    """L*a*b* (..., 3) to R'G'B' with the sRGB curve (..., 3) float64; outside the gamut beyond 0..1."""
    flat = np.ascontiguousarray(lab, np.float64).reshape(-1, 3)
    out = np.empty(flat.shape, np.float64)
    lab_to_rgb(flat, xyz_to_rgb(primaries), out)
    return out.reshape(lab.shape)


def lab_to_srgb8(lab: FloatArray) -> NDArray[np.uint8]:
    """L*a*b* (..., 3) to 8-bit sRGB codes, clipped to the gamut."""
    return np.asarray(np.rint(np.clip(lab_to_srgb(lab), 0, 1) * 255), np.uint8)


def coded_to_lab(rgb: NDArray[np.floating], coding: Coding) -> FloatArray:
    """R'G'B' (..., 3) of a coding, 0..1 nominal, to L*a*b* (..., 3) float64 in its primaries and with its transfer.

    Of SDR, white is L* = 100; of PQ and HLG, diffuse white (203 cd/m2) is, and what is brighter lies above.
    """
    if coding.transfer == "srgb":
        return srgb_to_lab(rgb, coding.primaries)
    flat = np.ascontiguousarray(rgb).reshape(-1, 3)
    out = np.empty(flat.shape, np.float64)
    hdr_to_lab(flat, coding.transfer == "hlg", rgb_to_xyz(coding.primaries), out)
    return out.reshape(rgb.shape)


def lab_to_coded(lab: FloatArray, coding: Coding, source: FloatArray | None = None) -> FloatArray:
    """The inverse of `coded_to_lab`: R'G'B' (..., 3) float64, outside the gamut beyond 0..1.

    source: (..., 3) the colours that a map took to `lab`; PQ and HLG then fall towards black as
    `streamct.color.hdr.lab_to_hdr` tells.
    """
    if coding.transfer == "srgb":
        return lab_to_srgb(lab, coding.primaries)
    flat = np.ascontiguousarray(lab, np.float64).reshape(-1, 3)
    out = np.empty(flat.shape, np.float64)
    before = flat if source is None else np.ascontiguousarray(source, np.float64).reshape(-1, 3)
    lab_to_hdr(flat, before, coding.transfer == "hlg", xyz_to_rgb(coding.primaries), out)
    return out.reshape(lab.shape)
