"""R'G'B' <-> CIE L*a*b*.

Sources: IEC 61966-2-1 (sRGB), CIE 15:2004 (L*a*b*), ITU-R BT.2020, SMPTE EG 432-1 (P3); matrices are
derived from the primaries' chromaticities and D65 = (0.3127, 0.3290), so R = G = B = 1 is exactly
L* = 100, a* = b* = 0. The sRGB curve is continued sign-symmetrically outside 0..1, which keeps colours
outside the gamut invertible.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from streamct.color.jit import inlined, kernel
from streamct.model import FloatArray

_PRIMARIES = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    "p3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_D65 = (0.3127, 0.3290)

_EPSILON = 216.0 / 24389.0
_KAPPA = 24389.0 / 27.0


@cache
def rgb_to_xyz(primaries: str) -> FloatArray:
    """(3, 3) matrix from linear R, G, B to X/Xn, Y/Yn, Z/Zn, the tristimulus values relative to white."""
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in _PRIMARIES[primaries]]).T
    white = np.array([_D65[0] / _D65[1], 1.0, (1 - _D65[0] - _D65[1]) / _D65[1]])
    xyz = columns * np.linalg.solve(columns, white)
    relative = xyz / white[:, None]
    return np.asarray(relative / relative.sum(axis=1, keepdims=True))


@cache
def xyz_to_rgb(primaries: str) -> FloatArray:
    """The inverse of `rgb_to_xyz`."""
    return np.asarray(np.linalg.inv(rgb_to_xyz(primaries)))


@inlined
def srgb_to_linear(value: float) -> float:
    """IEC 61966-2-1 decoding, sign-symmetric outside 0..1."""
    size = abs(value)
    linear = size / 12.92 if size <= 0.04045 else ((size + 0.055) / 1.055) ** 2.4
    return linear if value >= 0 else -linear


@inlined
def linear_to_srgb(value: float) -> float:
    """IEC 61966-2-1 encoding, sign-symmetric outside 0..1."""
    size = abs(value)
    coded = 12.92 * size if size <= 0.04045 / 12.92 else 1.055 * size ** (1 / 2.4) - 0.055
    return coded if value >= 0 else -coded


@inlined
def _compress(t: float) -> float:
    return np.cbrt(t) if t > _EPSILON else (_KAPPA * t + 16.0) / 116.0


@inlined
def _expand(f: float) -> float:
    return f * f * f if f > 6.0 / 29.0 else (116.0 * f - 16.0) / _KAPPA


@kernel
def _rgb_to_lab(rgb: NDArray[np.floating], matrix: FloatArray, out: FloatArray) -> None:
    for i in range(rgb.shape[0]):
        r = srgb_to_linear(float(rgb[i, 0]))
        g = srgb_to_linear(float(rgb[i, 1]))
        b = srgb_to_linear(float(rgb[i, 2]))
        fx = _compress(matrix[0, 0] * r + matrix[0, 1] * g + matrix[0, 2] * b)
        fy = _compress(matrix[1, 0] * r + matrix[1, 1] * g + matrix[1, 2] * b)
        fz = _compress(matrix[2, 0] * r + matrix[2, 1] * g + matrix[2, 2] * b)
        out[i, 0] = 116.0 * fy - 16.0
        out[i, 1] = 500.0 * (fx - fy)
        out[i, 2] = 200.0 * (fy - fz)


@kernel
def _lab_to_rgb(lab: FloatArray, matrix: FloatArray, out: NDArray[np.floating]) -> None:
    for i in range(lab.shape[0]):
        fy = (lab[i, 0] + 16.0) / 116.0
        x = _expand(fy + lab[i, 1] / 500.0)
        y = _expand(fy)
        z = _expand(fy - lab[i, 2] / 200.0)
        for c in range(3):
            out[i, c] = linear_to_srgb(matrix[c, 0] * x + matrix[c, 1] * y + matrix[c, 2] * z)


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
    _lab_to_rgb(flat, xyz_to_rgb(primaries), out)
    return out.reshape(lab.shape)


def lab_to_srgb8(lab: FloatArray) -> NDArray[np.uint8]:
    """L*a*b* (..., 3) to 8-bit sRGB codes, clipped to the gamut."""
    return np.asarray(np.rint(np.clip(lab_to_srgb(lab), 0, 1) * 255), np.uint8)
