"""ColorMap -> Lut: the map baked into the coded domain of a video.

A Lut holds, for nodes of (plane 0, plane 1, plane 2) code units, the mapped code of each plane in fixed
point. Between nodes it is trilinear. Nodes lie 4 units apart in chroma (that is where a map bends) and, in
luma, densely near black, where Lab is steepest, and sparsely above.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from streamct.color.coding import code_to_rgb, rgb_to_code
from streamct.color.colormap import ColorMap
from streamct.color.lab import lab_to_srgb, srgb_to_lab
from streamct.model import Coding, FloatArray

ONE = 64
"""Fixed-point value of one code unit."""

LUMA_STEPS = ((4, 64), (8, 128), (16, 256))
"""(spacing, up to): luma nodes every 4 units up to 64, every 8 up to 128, every 16 up to 256."""

CHROMA_STEP = 4
CHROMA_NODES = 256 // CHROMA_STEP + 1

_LIMITS = (-8192, 24575)


def _luma_nodes() -> NDArray[np.int64]:
    nodes = [0]
    for step, stop in LUMA_STEPS:
        while nodes[-1] < stop:
            nodes.append(nodes[-1] + step)
    return np.array(nodes)


LUMA_NODES = _luma_nodes()


@dataclass(frozen=True, slots=True)
class Lut:
    """table: (65, 65, 3, n) int16: plane-1 node, plane-2 node, output plane, plane-0 node; in 1/64 code unit."""

    table: NDArray[np.int16]


class LutGrid:
    """The nodes of one coding and depth, with their Lab colours; bakes maps into Luts.

    Nodes are in code units of 8 bits (`streamct.color.coding`), so spacings hold for every depth.
    """

    def __init__(self, coding: Coding, depth: int) -> None:
        self.coding = coding
        self.depth = depth
        chroma = np.arange(CHROMA_NODES) * CHROMA_STEP
        p1, p2, p0 = np.meshgrid(chroma, chroma, LUMA_NODES, indexing="ij")
        self._units = np.stack([p0, p1, p2], axis=-1).reshape(-1, 3).astype(np.float64)
        self._rgb = code_to_rgb(self._units, coding, depth)
        self._lab = srgb_to_lab(self._rgb)

    @cached_property
    def identity(self) -> Lut:
        """The Lut that changes nothing."""
        return self._packed(self._units)

    def bake(self, mapping: ColorMap) -> Lut:
        """The map at every node, rounded to 1/64 code unit.

        Colours that leave the R'G'B' gamut are clipped to it; nodes that lie outside already may stay as far
        outside, so codes beyond the nominal range survive.
        """
        mapped = lab_to_srgb(mapping(self._lab))
        np.clip(mapped, np.minimum(self._rgb, 0), np.maximum(self._rgb, 1), out=mapped)
        return self._packed(rgb_to_code(mapped, self.coding, self.depth))

    def _packed(self, units: FloatArray) -> Lut:
        shape = (CHROMA_NODES, CHROMA_NODES, len(LUMA_NODES), 3)
        fixed = np.clip(np.rint(units * ONE), *_LIMITS).astype(np.int16).reshape(shape)
        return Lut(np.ascontiguousarray(fixed.transpose(0, 1, 3, 2)))


def mix(luts: list[Lut], weights: list[int]) -> Lut:
    """Weighted mean of Luts; weights are positive integers with a sum below 65,536. Exact up to one rounding."""
    if len(luts) == 1:
        return luts[0]
    total = sum(weights)
    summed = np.zeros(luts[0].table.shape, np.int32)
    for lut, weight in zip(luts, weights, strict=True):
        summed += np.int32(weight) * lut.table
    return Lut(((summed + total // 2) // total).astype(np.int16))
