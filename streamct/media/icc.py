"""ICC profiles that are a matrix and three curves (or one grey curve), evaluated in floating point.

Colour management modules work in 16-bit steps that are too coarse for a 16-bit picture's shadows, and clip at
the gamut's border; these profiles, which is what cameras, phones and editors embed, need neither. Profiles with
look-up tables (printers, scanners, CMYK) are left to the module.

Equations: ICC.1:2022, sections 10.6 (curveType), 10.18 (parametricCurveType), F.3 (three-component
matrix-based profiles).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamct.model import FloatArray

# Linear sRGB to XYZ under D50: the IEC 61966-2-1 primaries adapted from D65 with the Bradford transform.
SRGB_TO_D50: FloatArray = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
D50_TO_SRGB: FloatArray = np.asarray(np.linalg.inv(SRGB_TO_D50), np.float64)

_D50: FloatArray = SRGB_TO_D50.sum(axis=1)
_LAB_EDGE = 6 / 29

_NODES = 65536  # a 16-bit code is a node, so that reading and writing a code is exact
_BLOCK = 1 << 19
_SRGB_CURVE_TOLERANCE = 0.5 / 255  # sRGB profiles differ by their table's size, other curves by whole codes
_SRGB_MATRIX_TOLERANCE = 0.002
_LOOKUP_TAGS = (b"A2B0", b"A2B1", b"D2B0", b"D2B1")


def srgb_encode(linear: FloatArray) -> FloatArray:
    """Linear light to the sRGB curve, sign-symmetric (IEC 61966-2-1; negative values mirrored)."""
    size = np.abs(linear)
    coded = np.where(size <= 0.0031308, 12.92 * size, 1.055 * np.power(size, 1 / 2.4) - 0.055)
    return np.asarray(np.copysign(coded, linear))


def srgb_decode(coded: NDArray[np.floating]) -> FloatArray:
    """The sRGB curve to linear light, float64, sign-symmetric: the inverse of `srgb_encode`."""
    size = np.abs(coded).astype(np.float64)
    linear = np.where(size <= 0.0031308 * 12.92, size / 12.92, np.power((size + 0.055) / 1.055, 2.4))
    return np.asarray(np.copysign(linear, coded))


def lab_to_srgb(lab: FloatArray) -> FloatArray:
    """CIE L*a*b* under D50, a profile's connection space, to extended sRGB (CIE 15:2018, 8.2.1)."""
    fy = (lab[..., 0] + 16) / 116
    f = np.stack([fy + lab[..., 1] / 500, fy, fy - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > _LAB_EDGE, f**3, 3 * _LAB_EDGE**2 * (f - 4 / 29)) * _D50
    return srgb_encode(xyz @ D50_TO_SRGB.T)


def srgb_to_lab(rgb: NDArray[np.floating]) -> FloatArray:
    """Extended sRGB to L*a*b* under D50: the inverse of `lab_to_srgb`."""
    t = srgb_decode(rgb) @ SRGB_TO_D50.T / _D50
    f = np.where(t > _LAB_EDGE**3, np.cbrt(t), t / (3 * _LAB_EDGE**2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class CurveProfile:
    """A matrix-and-curves or a grey profile.

    grey: it describes one channel. curves: three (65536,) float64, coded 0..1 to linear. to_srgb: (3, 3)
    float64, the profile's linear RGB to linear sRGB, relative colorimetric. inverse: of to_srgb.
    """

    grey: bool
    curves: tuple[FloatArray, FloatArray, FloatArray]
    to_srgb: FloatArray
    inverse: FloatArray

    @property
    def is_srgb(self) -> bool:
        """Whether it says nothing but sRGB, up to the rounding that such profiles carry."""
        coded = np.linspace(0, 1, _NODES)
        return (
            not self.grey
            and bool(np.abs(self.to_srgb - np.eye(3)).max() < _SRGB_MATRIX_TOLERANCE)
            and all(np.abs(srgb_encode(c) - coded).max() < _SRGB_CURVE_TOLERANCE for c in self.curves)
        )

    def decode(self, codes: NDArray[np.uint16]) -> NDArray[np.float32]:
        """Codes (h, w, 3) of 0..65535 to extended sRGB float32 of the same shape."""
        flat = codes.reshape(-1, 3)
        out = np.empty(flat.shape, np.float32)
        for part in _blocks(len(flat)):
            linear = np.stack([c[flat[part, k]] for k, c in enumerate(self.curves)], axis=-1)
            out[part] = srgb_encode(linear @ self.to_srgb.T)
        return out.reshape(codes.shape)

    def encode(self, rgb: NDArray[np.float32]) -> NDArray[np.float32]:
        """Extended sRGB (h, w, 3) to the profile's own coded values 0..1, clipped at its gamut."""
        flat = rgb.reshape(-1, 3)
        out = np.empty(flat.shape, np.float32)
        coded = np.linspace(0, 1, _NODES)
        for part in _blocks(len(flat)):
            linear = srgb_decode(flat[part]) @ self.inverse.T
            for k, curve in enumerate(self.curves):
                out[part, k] = np.interp(linear[:, k], curve, coded)
        return out.reshape(rgb.shape)


def parse(data: bytes) -> CurveProfile | None:
    """The profile if it is of matrix and curves or grey; None for every other kind, and for a broken one."""
    try:
        tags = _tags(data)
        if any(tag in tags for tag in _LOOKUP_TAGS) or data[20:24] != b"XYZ ":
            return None
        if data[16:20] == b"GRAY":
            curve = _curve(tags[b"kTRC"])
            return CurveProfile(True, (curve, curve, curve), np.eye(3), np.eye(3))
        if data[16:20] != b"RGB ":
            return None
        matrix = D50_TO_SRGB @ np.stack([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=-1)
        red, green, blue = (_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC"))
        inverse = np.asarray(np.linalg.inv(matrix), np.float64)
        return CurveProfile(False, (red, green, blue), matrix, inverse)
    except (KeyError, ValueError, IndexError, struct.error, np.linalg.LinAlgError):
        return None


def has_tables(data: bytes) -> bool:
    """Whether it is an RGB profile with look-up tables, which a colour management module must evaluate."""
    try:
        return data[16:20] == b"RGB " and any(tag in _tags(data) for tag in _LOOKUP_TAGS)
    except struct.error:
        return False


def _tags(data: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", data, 128)
    tags = {}
    for i in range(min(count, 100)):
        name, offset, size = struct.unpack_from(">4sII", data, 132 + 12 * i)
        tags[name] = data[offset : offset + size]
    return tags


def _xyz(tag: bytes) -> FloatArray:
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _curve(tag: bytes) -> FloatArray:
    coded = np.linspace(0, 1, _NODES)
    if tag[:4] == b"para":
        linear = _parametric(tag, coded)
    elif tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        values = np.array(struct.unpack_from(f">{count}H", tag, 12), np.float64)
        if count == 0:
            linear = coded
        elif count == 1:
            linear = coded ** (values[0] / 256)
        else:
            linear = np.interp(coded, np.linspace(0, 1, count), values / 65535)
    else:
        raise ValueError(tag[:4])
    if not np.isfinite(linear).all() or linear[-1] <= linear[0] or (np.diff(linear) < 0).any():
        raise ValueError("not a rising curve")
    return linear


def _parametric(tag: bytes, x: FloatArray) -> FloatArray:
    (kind,) = struct.unpack_from(">H", tag, 8)
    count = (1, 3, 4, 5, 7)[kind]
    values = [v / 65536 for v in struct.unpack_from(f">{count}i", tag, 12)]
    g, a, b, c, d, e, f = values + [0.0] * (7 - count)
    if kind == 0:
        return np.asarray(x**g)
    if kind in (1, 2):
        d, e, c, f = -b / a, c, 0.0, c
    power = np.power(np.maximum(a * x + b, 0), g) + e
    return np.asarray(np.where(x >= d, power, c * x + f))


def _blocks(count: int) -> list[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, count, _BLOCK)]
