"""R'G'B' -> histogram cells, for proxies whose colours are only counted.

In single precision, one Halley step for each root: colours come within 3e-4 of `streamct.color.lab.srgb_to_lab`, in
cells one unit wide, at less than half its time. No fused multiply-add, no library call: the same bits on every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamct.color.histogram import AB_CELLS, FIRST_UNIT, L_CELLS, LOW, UNITS
from streamct.color.jit import inlined, kernel
from streamct.color.lab import rgb_to_xyz
from streamct.model import FloatArray

_BLOCK = 512
_F = np.float32


@inlined
def _linear(value: np.float32) -> np.float32:
    """`lab.srgb_to_linear` of a float32."""
    size = abs(value)
    v = (size + _F(0.055)) * _F(1.0 / 1.055)
    big = v > _F(1.0)
    x = v * _F(1.0 / 32.0) if big else v
    y = _F(6.95791666) * x - _F(19.55880923)
    y = y * x + _F(20.65633886)
    y = y * x - _F(10.41290818)
    y = y * x + _F(2.9439849)
    y = y * x + _F(0.42165647)
    power = y * y
    power = power * power * y
    y = y - y * (power - x) / (_F(3.0) * power + _F(2.0) * x)
    y = _F(2.0) * y if big else y
    curve = v * v * y * y
    linear = size * _F(1.0 / 12.92) if size <= _F(0.04045) else curve
    return linear if value >= _F(0.0) else -linear


@inlined
def _compress(t: np.float32) -> np.float32:
    """CIE 15's f of a float32 up to 64: the cube root, or the line near black."""
    small, smaller, big, bigger = t < _F(0.125), t < _F(1.0 / 64.0), t > _F(1.0), t > _F(8.0)
    bring = _F(64.0) if smaller else (_F(8.0) if small else (_F(0.125) if big else _F(1.0)))
    bring = _F(1.0 / 64.0) if bigger else bring
    back = _F(0.25) if smaller else (_F(0.5) if small else (_F(2.0) if big else _F(1.0)))
    back = _F(4.0) if bigger else back
    x = t * bring
    y = _F(0.59206505) * x - _F(1.38573936)
    y = y * x + _F(1.45803513)
    y = y * x + _F(0.34085003)
    cube = y * y * y
    y = y - y * (cube - x) / (_F(2.0) * cube + x)
    line = (_F(24389.0 / 27.0) * t + _F(16.0)) * _F(1.0 / 116.0)
    return y * back if t > _F(216.0 / 24389.0) else line


@inlined
def _unit(value: np.float32, last: int) -> np.int32:
    """The cell, 0..last, of a value counted from the first cell's edge; 0 of what is no number."""
    bound = value if value > _F(0.0) else _F(0.0)
    return np.int32(bound if bound < _F(last) else _F(last))


@kernel
def _srgb_cells(rgb: FloatArray, matrix: NDArray[np.float32], cells: NDArray[np.int32]) -> None:
    m00, m01, m02 = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    m10, m11, m12 = matrix[1, 0], matrix[1, 1], matrix[1, 2]
    m20, m21, m22 = matrix[2, 0], matrix[2, 1], matrix[2, 2]
    x = np.empty(_BLOCK, np.float32)
    y = np.empty(_BLOCK, np.float32)
    z = np.empty(_BLOCK, np.float32)
    for start in range(0, rgb.shape[0], _BLOCK):
        n = min(_BLOCK, rgb.shape[0] - start)
        for i in range(n):
            x[i] = rgb[start + i, 0]
            y[i] = rgb[start + i, 1]
            z[i] = rgb[start + i, 2]
        for i in range(n):
            r, g, b = _linear(x[i]), _linear(y[i]), _linear(z[i])
            x[i] = m00 * r + m01 * g + m02 * b
            y[i] = m10 * r + m11 * g + m12 * b
            z[i] = m20 * r + m21 * g + m22 * b
        for i in range(n):
            fx, fy, fz = _compress(x[i]), _compress(y[i]), _compress(z[i])
            cell = _unit(_F(116.0) * fy - _F(16.0), L_CELLS - 1) * np.int32(AB_CELLS)
            cell = cell + np.int32(FIRST_UNIT) + _unit(_F(500.0) * (fx - fy) - _F(LOW), UNITS - 1)
            last = np.int32(FIRST_UNIT) + _unit(_F(200.0) * (fy - fz) - _F(LOW), UNITS - 1)
            cells[start + i] = cell * np.int32(AB_CELLS) + last


def srgb_cells(rgb: FloatArray, primaries: str = "bt709") -> NDArray[np.int32]:
    """Cells (n,) of R'G'B' (n, 3) with the sRGB curve, 0..1 nominal; a and b beyond the units count in the outermost.

    What `Counter.cells_of` gives of their Lab, up to 64 times white's light, but for colours within 3e-4 of an edge
    between cells. What is not finite falls into some cell.
    """
    cells = np.empty(len(rgb), np.int32)
    _srgb_cells(rgb, rgb_to_xyz(primaries).astype(np.float32), cells)
    return cells
