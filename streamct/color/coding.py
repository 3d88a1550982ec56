"""Coded samples <-> R'G'B': BT.601, BT.709, BT.2020 and SMPTE 240M matrices, studio and full range (ITU-T H.273).

Coded values are handled in *code units of 8 bits*: u = code / 2^(depth - 8), whatever the depth, so one Lut
geometry serves all depths. For full range the depth still matters: 1023 is white in 10 bits, not 4 x 255.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from streamct.color.jit import kernel
from streamct.model import Coding, FloatArray

_LUMA = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
    "smpte240m": (0.212, 0.087),
}


def _scales(coding: Coding, depth: int) -> tuple[FloatArray, FloatArray]:
    """Offset and extent of each plane's code units that stand for 0 and 1 (chroma: 0 and +1)."""
    top = (2**depth - 1) / 2 ** (depth - 8)
    if coding.matrix == "rgb":
        return (np.zeros(3), np.full(3, top)) if coding.full_range else (np.full(3, 16.0), np.full(3, 219.0))
    if coding.full_range:
        return np.array([0.0, 128.0, 128.0]), np.full(3, top)
    return np.array([16.0, 128.0, 128.0]), np.array([219.0, 224.0, 224.0])


def _to_rgb_matrix(matrix: str) -> FloatArray:
    """R', G', B' from the normalised planes: Y', Cb, Cr with Cb, Cr in -0.5..0.5, or G', B', R'."""
    if matrix == "rgb":
        return np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    kr, kb = _LUMA[matrix]
    kg = 1 - kr - kb
    return np.array(
        [
            [1.0, 0.0, 2 * (1 - kr)],
            [1.0, -2 * kb * (1 - kb) / kg, -2 * kr * (1 - kr) / kg],
            [1.0, 2 * (1 - kb), 0.0],
        ]
    )


@kernel
def _affine(values: FloatArray, matrix: FloatArray, out: FloatArray) -> None:
    """out[i] = matrix (3, 4) times (values[i], 1). A library's product may sum otherwise on another machine."""
    m00, m01, m02, m03 = matrix[0]
    m10, m11, m12, m13 = matrix[1]
    m20, m21, m22, m23 = matrix[2]
    for i in range(values.shape[0]):
        x, y, z = values[i, 0], values[i, 1], values[i, 2]
        out[i, 0] = m00 * x + m01 * y + m02 * z + m03
        out[i, 1] = m10 * x + m11 * y + m12 * z + m13
        out[i, 2] = m20 * x + m21 * y + m22 * z + m23


@cache
def _matrices(coding: Coding, depth: int) -> tuple[FloatArray, FloatArray]:
    """(3, 4) matrices from code units and 1 to R'G'B', and back."""
    offset, extent = _scales(coding, depth)
    there = _to_rgb_matrix(coding.matrix) / extent
    back = np.linalg.inv(_to_rgb_matrix(coding.matrix)) * extent[:, None]
    return np.column_stack([there, -there @ offset]), np.column_stack([back, offset])


def _applied(values: FloatArray, matrix: FloatArray) -> FloatArray:
    flat = np.ascontiguousarray(values, np.float64).reshape(-1, 3)
    out = np.empty_like(flat)
    _affine(flat, matrix, out)
    return out.reshape(values.shape)


def code_to_rgb(units: FloatArray, coding: Coding, depth: int) -> FloatArray:
    """Code units (..., 3) in plane order to R'G'B' (..., 3) float64, 0..1 nominal, not clipped."""
    return _applied(units, _matrices(coding, depth)[0])


def code_matrix(coding: Coding, depth: int) -> tuple[FloatArray, FloatArray]:
    """(3, 3) matrix and (3,) offset that take R'G'B' to code units in plane order."""
    back = _matrices(coding, depth)[1]
    return np.ascontiguousarray(back[:, :3]), np.ascontiguousarray(back[:, 3])


def rgb_to_code(rgb: FloatArray, coding: Coding, depth: int) -> FloatArray:
    """The inverse of `code_to_rgb`: unrounded code units (..., 3) in plane order."""
    return _applied(rgb, _matrices(coding, depth)[1])


def black_code(coding: Coding, depth: int) -> tuple[int, int, int]:
    """The code of black in each plane, in whole codes of `depth` bits."""
    luma, chroma = (0 if coding.full_range else 16), (0 if coding.matrix == "rgb" else 128)
    if coding.matrix == "rgb" and not coding.full_range:
        chroma = 16
    return luma << (depth - 8), chroma << (depth - 8), chroma << (depth - 8)
