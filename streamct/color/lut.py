"""ColorMap -> Lut: the map baked into the coded domain of a video.

A Lut holds, for nodes of (plane 0, plane 1, plane 2) code units, the mapped code of each plane in fixed
point. Between nodes it is trilinear. Nodes lie close about grey (chroma is where a map bends) and, in luma, densely
up to mid-grey, since Lab is steepest near black, and sparsely above.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from streamct.color.coding import code_matrix, code_to_rgb, rgb_to_code
from streamct.color.colormap import ColorMap, hold_skin, map_hard, map_soft
from streamct.color.constraints import pull
from streamct.color.gamut import EASE, clip, compress, ease
from streamct.color.hdr import lab_to_hdr
from streamct.color.jit import kernel
from streamct.color.lab import coded_to_lab, lab_to_coded, lab_to_rgb, xyz_to_rgb
from streamct.model import Coding, FloatArray

ONE = 64
"""Fixed-point value of one code unit."""

LUMA_STEPS = ((4, 128), (8, 256))
"""(spacing, up to): luma nodes every 4 units up to 128, every 8 up to 256."""

CHROMA_STEPS = ((4, 64), (2, 192), (4, 256))
"""The same for both chroma axes: dense about grey, where most colours lie and a map may turn within a few codes."""

CHROMA_PARTS = 4
"""Positions between chroma nodes are kept in quarters: exact for whole units in cells of 4 and of 2."""

_LIMITS = (-8192, 24575)
_BLOCK = 2048
_SRGB, _PQ, _HLG = 0, 1, 2
_CURVES = {"srgb": _SRGB, "pq": _PQ, "hlg": _HLG}
_SLACK = 0.05
"""R'G'B' beyond 0..1 that compressed video often holds, and where a map is still evaluated."""


def _nodes(steps: tuple[tuple[int, int], ...]) -> NDArray[np.int64]:
    nodes = [0]
    for step, stop in steps:
        while nodes[-1] < stop:
            nodes.append(nodes[-1] + step)
    return np.array(nodes)


LUMA_NODES = _nodes(LUMA_STEPS)
CHROMA_NODES = _nodes(CHROMA_STEPS)

CHROMA_CELLS = (np.searchsorted(CHROMA_NODES, np.arange(256), side="right") - 1).astype(np.int32)
"""(256,) lower node of each whole chroma unit."""
CHROMA_SCALES = (CHROMA_PARTS // np.diff(CHROMA_NODES)[CHROMA_CELLS]).astype(np.int32)
"""(256,) quarters that one unit makes up in its cell: 1 or 2."""


@dataclass(frozen=True, slots=True)
class Lut:
    """table: (97, 97, 3, 49) int16: plane-1 node, plane-2 node, output plane, plane-0 node; in 1/64 code unit."""

    table: NDArray[np.int16]


class LutGrid:
    """The nodes of one coding and depth, with their Lab colours; bakes maps into Luts.

    Nodes are in code units of 8 bits (`streamct.color.coding`), so spacings hold for every depth. Most codes of a
    Y'CbCr format are no colour at all: a map is evaluated at the nodes of every cell that the R'G'B' gamut, widened
    by `_SLACK`, touches. The other nodes move as the first of these on their way to grey does.
    """

    def __init__(self, coding: Coding, depth: int) -> None:
        self.coding = coding
        self.depth = depth
        units = _node_units()
        rgb = code_to_rgb(units, coding, depth)
        used = _near_gamut(rgb, coding, depth)
        self._used = np.flatnonzero(used)
        shape = (len(CHROMA_NODES), len(CHROMA_NODES), len(LUMA_NODES))
        self._place = _nearest_used(used.reshape(shape), _neutral(coding))
        self._units = units[self._used]
        self._rgb = rgb[self._used]
        self._lab = coded_to_lab(self._rgb, coding)

    @cached_property
    def identity(self) -> Lut:
        """The Lut that changes nothing."""
        return Lut(_spread(np.zeros_like(self._units), self._place, LUMA_NODES, CHROMA_NODES))

    def bake(self, mapping: ColorMap) -> Lut:
        """The map at every node, rounded to 1/64 code unit.

        Colours that leave the R'G'B' gamut are brought back into it; nodes that lie outside already may stay as
        far outside, so codes beyond the nominal range survive.
        """
        shifts = self._shifts(mapping, self._lab, self._rgb, self._units)
        return Lut(_spread(shifts, self._place, LUMA_NODES, CHROMA_NODES))

    def outcome(self, mapping: ColorMap, lab: FloatArray) -> FloatArray:
        """What a Lut of the map would make of colours lab (n, 3), float64 Lab: the mean of the nodes around each."""
        units = rgb_to_code(lab_to_coded(lab, self.coding), self.coding, self.depth)
        corners = np.empty((2, 2, 2, *units.shape))
        shares = np.ones((2, 2, 2, len(units), 1))
        for axis, nodes in enumerate((LUMA_NODES, CHROMA_NODES, CHROMA_NODES)):
            low = np.clip(np.searchsorted(nodes, units[:, axis], side="right") - 1, 0, len(nodes) - 2)
            part = (units[:, axis] - nodes[low]) / (nodes[low + 1] - nodes[low])
            for side, share in ((0, 1 - part), (1, part)):
                place = tuple(side if k == axis else slice(None) for k in range(3))
                corners[(*place, slice(None), axis)] = nodes[low + side]
                shares[place] *= share[:, None]
        flat = corners.reshape(-1, 3)
        rgb = code_to_rgb(flat, self.coding, self.depth)
        shifts = self._shifts(mapping, coded_to_lab(rgb, self.coding), rgb, flat).reshape(corners.shape)
        mapped = ((corners + shifts) * shares).sum(axis=(0, 1, 2))
        return coded_to_lab(code_to_rgb(mapped, self.coding, self.depth), self.coding)

    def _shifts(self, mapping: ColorMap, lab: FloatArray, rgb: FloatArray, units: FloatArray) -> FloatArray:
        """What a map moves colours by, in code units."""
        matrix, offset = code_matrix(self.coding, self.depth)
        shifts = np.empty_like(units)
        held = mapping.pull
        _bake(
            lab, rgb, units, mapping.source, mapping.shifts, mapping.softness, mapping.neutral_blacks,
            mapping.compress, mapping.skin, held.places, held.shifts, held.leeway, held.rivals, held.shares,
            held.black, held.goals, _CURVES[self.coding.transfer], EASE.get(self.coding.transfer, 1.0),
            xyz_to_rgb(self.coding.primaries), matrix, offset, shifts,
        )  # fmt: skip
        return shifts

    def bake_rgb(self, function: Callable[[FloatArray], FloatArray]) -> Lut:
        """A function of R'G'B' (n, 3), 0..1 nominal, at every node; what leaves the gamut is left to the code range."""
        shifts = rgb_to_code(function(self._rgb), self.coding, self.depth) - self._units
        return Lut(_spread(shifts, self._place, LUMA_NODES, CHROMA_NODES))


@kernel
def _bake(  # type: ignore[no-untyped-def]
    lab, rgb, units, source, targets, softness, neutral, compressed, skin, places, pulls, leeway, rivals, shares,
    black, goals, curve, eased, to_rgb, to_code, offset, shifts,
):  # fmt: skip
    """Shifts (n, 3) in code units of nodes lab, rgb, units (n, 3), a cache-sized block after the other."""
    block = np.empty((_BLOCK, 3))
    blended = np.empty((_BLOCK, 3))
    for start in range(0, lab.shape[0], _BLOCK):
        stop = min(start + _BLOCK, lab.shape[0])
        mapped = block[: stop - start]
        if softness > 0:
            map_soft(lab[start:stop], source, targets, softness, neutral, mapped)
        else:
            map_hard(lab[start:stop], source, targets, neutral, mapped)
        if skin:
            hold_skin(lab[start:stop], mapped)
        own = blended[: stop - start]
        own[:] = rgb[start:stop]
        if places.shape[0] > 0:
            pull(lab[start:stop], places, pulls, leeway, rivals, shares, black, goals, mapped, own)
        if curve == _SRGB:
            lab_to_rgb(mapped, to_rgb, mapped)
        else:
            lab_to_hdr(mapped, curve == _HLG, to_rgb, mapped)
            ease(mapped, rgb[start:stop], eased)
        if compressed:
            compress(mapped, own)
        else:
            clip(mapped, own)
        for i in range(stop - start):
            r, g, b = mapped[i, 0], mapped[i, 1], mapped[i, 2]
            for p in range(3):
                code = to_code[p, 0] * r + to_code[p, 1] * g + to_code[p, 2] * b + offset[p]
                shifts[start + i, p] = code - units[start + i, p]


def _node_units() -> FloatArray:
    p1, p2, p0 = np.meshgrid(CHROMA_NODES, CHROMA_NODES, LUMA_NODES, indexing="ij")
    return np.stack([p0, p1, p2], axis=-1).reshape(-1, 3).astype(np.float64)


def _near_gamut(rgb: FloatArray, coding: Coding, depth: int) -> NDArray[np.bool_]:
    """Whether a node (n, 3) belongs to a cell that holds a colour of the widened gamut: no farther from it, in any
    channel, than the cell reaches."""
    if coding.matrix == "rgb":
        return np.ones(len(rgb), np.bool_)
    chroma = np.diff(CHROMA_NODES).max()
    step = np.array([np.diff(LUMA_NODES).max(), chroma, chroma], np.float64)
    zero = code_to_rgb(np.zeros((1, 3)), coding, depth)
    reach = sum(np.abs(code_to_rgb(np.diag(step)[k : k + 1], coding, depth) - zero) for k in range(3)) + _SLACK
    return np.asarray(((rgb >= -reach) & (rgb <= 1 + reach)).all(axis=1))


def _neutral(coding: Coding) -> int:
    """Chroma node of grey, towards which unused nodes look for a used one."""
    return len(CHROMA_NODES) // 2 if coding.matrix != "rgb" else 0


@kernel
def _nearest_used(used: NDArray[np.bool_], grey: int) -> NDArray[np.int32]:
    """For each node the number, among the used ones, of itself or of the first used one on its way to grey."""
    number = np.full(used.shape, -1, np.int32)
    count = 0
    for i in range(used.shape[0]):
        for j in range(used.shape[1]):
            for n in range(used.shape[2]):
                if used[i, j, n]:
                    number[i, j, n] = count
                    count += 1
    place = number.copy()
    lowest, highest = 0, used.shape[2] - 1
    while not used[grey, grey, lowest]:
        lowest += 1
    while not used[grey, grey, highest]:
        highest -= 1
    for i in range(used.shape[0]):
        for j in range(used.shape[1]):
            for n in range(used.shape[2]):
                m = min(max(n, lowest), highest)
                steps = max(abs(i - grey), abs(j - grey))
                k = steps
                while place[i, j, n] < 0:
                    part = k / max(steps, 1)
                    place[i, j, n] = number[
                        grey + int(np.rint((i - grey) * part)), grey + int(np.rint((j - grey) * part)), m
                    ]
                    k -= 1
    return place


@kernel
def _spread(
    shifts: FloatArray, place: NDArray[np.int32], luma: NDArray[np.int64], chroma: NDArray[np.int64]
) -> NDArray[np.int16]:
    """The table of nodes moved by shifts (k, 3) in code units, `place` telling whose shift each node takes."""
    table = np.empty((place.shape[0], place.shape[1], 3, place.shape[2]), np.int16)
    for i in range(place.shape[0]):
        for j in range(place.shape[1]):
            for n in range(place.shape[2]):
                k = place[i, j, n]
                for p in range(3):
                    unit = luma[n] if p == 0 else chroma[i if p == 1 else j]
                    fixed = np.rint((unit + shifts[k, p]) * ONE)
                    table[i, j, p, n] = np.int16(min(max(fixed, _LIMITS[0]), _LIMITS[1]))
    return table


_AT_ONCE = 8


@kernel
def _mix(tables, weights, total, first, last, scale, out) -> None:  # type: ignore[no-untyped-def]
    """Eight weighted tables in one pass: added to the total, unless they are the first; scaled, if the last."""
    t0, t1, t2, t3, t4, t5, t6, t7 = tables
    w0, w1, w2, w3, w4, w5, w6, w7 = weights
    for i in range(out.shape[0]):
        value = np.int32(np.int32(w0 * np.int32(t0[i])) + np.int32(w1 * np.int32(t1[i])))
        value = np.int32(value + np.int32(w2 * np.int32(t2[i])) + np.int32(w3 * np.int32(t3[i])))
        value = np.int32(value + np.int32(w4 * np.int32(t4[i])) + np.int32(w5 * np.int32(t5[i])))
        value = np.int32(value + np.int32(w6 * np.int32(t6[i])) + np.int32(w7 * np.int32(t7[i])))
        if not first:
            value = np.int32(value + total[i])
        if last:
            out[i] = np.int16(np.int32(np.floor(value * scale + 0.5)))
        else:
            total[i] = value


def mix(luts: list[Lut], weights: list[int]) -> Lut:
    """Weighted mean of Luts; weights are positive integers with a sum below 65,536. Exact up to one rounding."""
    if len(luts) == 1:
        return luts[0]
    out = np.empty_like(luts[0].table)
    total = np.empty(out.size if len(luts) > _AT_ONCE else 0, np.int32)
    for start in range(0, len(luts), _AT_ONCE):
        tables = [lut.table.reshape(-1) for lut in luts[start : start + _AT_ONCE]]
        factors = [np.int32(weight) for weight in weights[start : start + _AT_ONCE]]
        spare = _AT_ONCE - len(tables)
        tables, factors = tables + tables[:1] * spare, factors + [np.int32(0)] * spare
        last = start + _AT_ONCE >= len(luts)
        _mix(tuple(tables), tuple(factors), total, start == 0, last, 1.0 / sum(weights), out.reshape(-1))
    return Lut(out)
