"""A cube: R'G'B' -> R'G'B' as colour suites exchange it, a lattice of colours with curves before it.

Domain and values are R'G'B' with the picture's own curve, 0..1 nominal. `streamct.color.cube_text` reads and
writes the files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamct.color.jit import kernel
from streamct.model import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """One curve a channel. values: (n, 3) float64, the output at n inputs evenly from low (3,) to high (3,)."""

    values: FloatArray
    low: FloatArray
    high: FloatArray

    def __call__(self, rgb: FloatArray) -> FloatArray:
        """The curves at rgb (..., 3), linear between the values; inputs outside low..high count as its ends."""
        out = np.empty(rgb.shape, np.float64)
        for c in range(3):
            at = np.linspace(self.low[c], self.high[c], len(self.values))
            out[..., c] = np.interp(rgb[..., c], at, self.values[:, c])
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """table: (n, n, n, 3) float64, the output at blue, green, red node; nodes lie evenly from low (3,) to high (3,)."""

    table: FloatArray
    low: FloatArray
    high: FloatArray

    def __call__(self, rgb: FloatArray) -> FloatArray:
        """The lattice at rgb (..., 3), tetrahedral between the nodes; inputs outside low..high count as its ends."""
        flat = np.ascontiguousarray(rgb, np.float64).reshape(-1, 3)
        out = np.empty_like(flat)
        _tetrahedral(np.ascontiguousarray(self.table), self.low, self.high, flat, out)
        return out.reshape(rgb.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Cube:
    """What a .cube file holds: curves, a lattice, or curves with a lattice after them; `title` as it stands there.

    Raises:
        ValueError: neither curves nor a lattice.
    """

    lattice: Lattice | None
    curves: Curves | None = None
    title: str = ""

    def __post_init__(self) -> None:
        if self.lattice is None and self.curves is None:
            raise ValueError("a cube needs curves or a lattice")

    @property
    def domain(self) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest input, (3,) each."""
        first = self.curves if self.curves is not None else self.lattice
        assert first is not None
        return first.low, first.high

    def __call__(self, rgb: NDArray[np.floating]) -> FloatArray:
        """The cube at rgb (..., 3); inputs outside the domain count as its ends."""
        out = np.asarray(rgb, np.float64)
        if self.curves is not None:
            out = self.curves(out)
        return out if self.lattice is None else self.lattice(out)

    def _repr_png_(self) -> bytes:
        from streamct.notebook import cube_png

        return cube_png(self)

    def carried(self, rgb: NDArray[np.floating]) -> FloatArray:
        """The cube at rgb (..., 3), with what lies outside the domain added again: a cube that changes nothing then
        changes nothing there either, and no highlight is cut off that the video still holds."""
        low, high = self.domain
        inside = np.clip(np.asarray(rgb, np.float64), low, high)
        return self(inside) + (rgb - inside)


def nodes(size: int) -> FloatArray:
    """(size, size, size, 3) R'G'B' of a lattice's nodes over 0..1, indexed by blue, green, red."""
    steps = np.linspace(0.0, 1.0, size)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    return np.stack([red, green, blue], axis=-1)


def unit_lattice(table: FloatArray) -> Lattice:
    """The lattice over 0..1 with these values (n, n, n, 3), indexed by blue, green, red."""
    return Lattice(table, np.zeros(3), np.ones(3))


@kernel
def _tetrahedral(table: FloatArray, low: FloatArray, high: FloatArray, rgb: FloatArray, out: FloatArray) -> None:
    """Each cell falls into six tetrahedra about its diagonal: walk from its first corner to its last along the axes,
    the one with the largest part first."""
    last = table.shape[0] - 1
    place = np.empty(3, np.int64)
    part = np.empty(3)
    for i in range(rgb.shape[0]):
        for c in range(3):
            at = min(max((rgb[i, c] - low[c]) / (high[c] - low[c]), 0.0), 1.0) * last
            place[c] = min(int(at), last - 1)
            part[c] = at - place[c]
        r, g, b = place[0], place[1], place[2]
        first, second, third = 0, 1, 2
        if part[first] < part[second]:
            first, second = second, first
        if part[second] < part[third]:
            second, third = third, second
        if part[first] < part[second]:
            first, second = second, first
        r1, g1, b1 = r + (first == 0), g + (first == 1), b + (first == 2)
        r2, g2, b2 = r + (third != 0), g + (third != 1), b + (third != 2)
        w0, w1 = 1.0 - part[first], part[first] - part[second]
        w2, w3 = part[second] - part[third], part[third]
        for c in range(3):
            out[i, c] = (
                w0 * table[b, g, r, c]
                + w1 * table[b1, g1, r1, c]
                + w2 * table[b2, g2, r2, c]
                + w3 * table[b + 1, g + 1, r + 1, c]
            )
