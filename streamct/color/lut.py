"""ColorMap -> Lut: the map baked into the coded domain of a video.

A Lut holds, for nodes of (plane 0, plane 1, plane 2) code units, the mapped code of each plane in fixed
point. Between nodes it is trilinear. In chroma they lie closest about grey, where a map bends.

A *column* of a Lut is its nodes of one pair of chroma codes. A frame of film needs some hundred of the 9,409, so maps
are baked, and Luts mixed, by columns as frames ask for them (`Baking`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

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

LUMA_STEPS = ((4, 256),)
"""(spacing, up to): luma nodes every 4 units."""

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

_SHAPE = (len(CHROMA_NODES), len(CHROMA_NODES), 3, len(LUMA_NODES))
EVERY = np.arange(len(CHROMA_NODES) ** 2)
"""Numbers of all columns."""


@dataclass(frozen=True, slots=True)
class Lut:
    """table: (97, 97, 3, 65) int16: plane-1 node, plane-2 node, output plane, plane-0 node; in 1/64 code unit."""

    table: NDArray[np.int16]

    def at(self, columns: NDArray[np.bool_] | None) -> Lut:
        """Itself: all columns are there."""
        return self


class LutSource(Protocol):
    """A Lut, or what makes one."""

    def at(self, columns: NDArray[np.bool_] | None) -> Lut:
        """The Lut, right at least in `columns` (97, 97); None: everywhere."""


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
        number = np.flatnonzero(used)
        shape = (len(CHROMA_NODES), len(CHROMA_NODES), len(LUMA_NODES))
        self._place = _nearest_used(used.reshape(shape), _neutral(coding))
        self._units = units[number]
        self._rgb = rgb[number] if coding.lut is None else coding.lut(rgb[number])
        self._lab = coded_to_lab(self._rgb, coding)

    @cached_property
    def identity(self) -> Lut:
        """The Lut that changes nothing, but for what the coding's own does."""
        if self.coding.lut is not None:
            return self.bake_rgb(lambda rgb: rgb)
        return self._whole(np.zeros_like(self._units))

    def bake(self, mapping: ColorMap) -> Lut:
        """The map at every node, rounded to 1/64 code unit.

        Colours that leave the R'G'B' gamut are brought back into it; nodes that lie outside already may stay as
        far outside, so codes beyond the nominal range survive.
        """
        return self.baking(mapping).at(None)

    def baking(self, mapping: ColorMap) -> Baking:
        """The same, column by column as they are asked for."""
        return Baking(mapping, self)

    def bake_rgb(self, function: Callable[[FloatArray], FloatArray]) -> Lut:
        """A function of R'G'B' (n, 3), 0..1 nominal, at every node; what leaves the gamut is left to the code range."""
        return self._whole(rgb_to_code(function(self._rgb), self.coding.written, self.depth) - self._units)

    def shift(self, mapping: ColorMap, numbers: NDArray[np.int64], shifts: FloatArray) -> None:
        """Fill in what a map moves some used nodes by: those rows of shifts (k, 3), in code units."""
        self._move(mapping, numbers, self._lab, self._rgb, self._units, shifts)

    def outcome(self, mapping: ColorMap, lab: FloatArray) -> FloatArray:
        """What a Lut of the map would make of colours lab (n, 3), float64 Lab: the mean of the nodes around each.

        For codings without a `lut`, from behind which no way leads back to the nodes.
        """
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
        shifts = np.empty_like(flat)
        self._move(mapping, np.arange(len(flat)), coded_to_lab(rgb, self.coding), rgb, flat, shifts)
        mapped = ((corners + shifts.reshape(corners.shape)) * shares).sum(axis=(0, 1, 2))
        return coded_to_lab(code_to_rgb(mapped, self.coding, self.depth), self.coding)

    def _move(
        self,
        mapping: ColorMap,
        numbers: NDArray[np.int64],
        lab: FloatArray,
        rgb: FloatArray,
        units: FloatArray,
        shifts: FloatArray,
    ) -> None:
        """Fill in what a map moves some of the colours lab, rgb, units (k, 3) by."""
        matrix, offset = code_matrix(self.coding.written, self.depth)
        held = mapping.pull
        _bake(
            numbers, lab, rgb, units, mapping.source, mapping.shifts, mapping.softness, mapping.neutral_blacks,
            mapping.compress, mapping.skin, mapping.colour, held.places, held.shifts, held.leeway, held.rivals,
            held.black, held.goals, _CURVES[self.coding.transfer], EASE.get(self.coding.transfer, 1.0),
            xyz_to_rgb(self.coding.primaries), matrix, offset, shifts,
        )  # fmt: skip

    @property
    def used(self) -> int:
        """How many nodes a map is evaluated at."""
        return len(self._units)

    @property
    def place(self) -> NDArray[np.int32]:
        """(97, 97, 65): for each node the number, among the used ones, of that which it moves as."""
        return self._place

    def _whole(self, shifts: FloatArray) -> Lut:
        table = np.empty(_SHAPE, np.int16)
        _spread(shifts, self._place, LUMA_NODES, CHROMA_NODES, EVERY, table.reshape(-1))
        return Lut(table)


class Baking:
    """One map's Lut in the making: columns are baked when first asked for, and then kept. One thread.

    A node's value depends on the map alone, not on what is baked beside it.
    """

    def __init__(self, mapping: ColorMap, grid: LutGrid) -> None:
        self._mapping = mapping
        self._grid = grid
        self._shifts = np.empty((grid.used, 3))
        self._known = np.zeros(grid.used, np.bool_)
        self._table = np.empty(_SHAPE, np.int16)
        self._made = np.zeros(len(EVERY), np.bool_)

    def at(self, columns: NDArray[np.bool_] | None) -> Lut:
        """See `LutSource`; later calls complete the same Lut."""
        wanted = EVERY if columns is None else np.flatnonzero(columns)
        new = wanted[~self._made[wanted]]
        if len(new):
            place = self._grid.place
            numbers = np.empty(min(new.size * place.shape[2], len(self._known)), np.int64)
            numbers = numbers[: _unknown(place.reshape(-1), new, place.shape[2], self._known, numbers)]
            self._grid.shift(self._mapping, numbers, self._shifts)
            _spread(self._shifts, place, LUMA_NODES, CHROMA_NODES, new, self._table.reshape(-1))
            self._made[new] = True
        return Lut(self._table)


class Blend:
    """The weighted mean of some Luts, column by column. weights: positive integers, see `mix`."""

    def __init__(self, sources: Sequence[LutSource], weights: Sequence[int]) -> None:
        self._sources = sources
        self._weights = weights

    def at(self, columns: NDArray[np.bool_] | None) -> Lut:
        """See `LutSource`."""
        return mix([source.at(columns) for source in self._sources], self._weights, columns)


@kernel
def _bake(  # type: ignore[no-untyped-def]
    numbers, lab, rgb, units, source, targets, softness, neutral, compressed, skin, colour, places, pulls, leeway,
    rivals, black, goals, curve, eased, to_rgb, to_code, offset, shifts,
):  # fmt: skip
    """Shifts (k, 3) in code units of some of the nodes lab, rgb, units (k, 3), a cache-sized block after the other."""
    size = min(_BLOCK, numbers.shape[0])
    labs, own, block = np.empty((size, 3)), np.empty((size, 3)), np.empty((size, 3))
    for start in range(0, numbers.shape[0], _BLOCK):
        count = min(_BLOCK, numbers.shape[0] - start)
        for i in range(count):
            for c in range(3):
                labs[i, c] = lab[numbers[start + i], c]
                own[i, c] = rgb[numbers[start + i], c]
        colours, before, mapped = labs[:count], own[:count], block[:count]
        if softness > 0:
            map_soft(colours, source, targets, softness, neutral, mapped)
        else:
            map_hard(colours, source, targets, neutral, mapped)
        if skin:
            hold_skin(colours, mapped)
        if colour < 1.0:
            for i in range(count):
                mapped[i, 1] *= colour
                mapped[i, 2] *= colour
        if places.shape[0] > 0:
            pull(colours, places, pulls, leeway, rivals, black, goals, mapped, before)
        if curve == _SRGB:
            lab_to_rgb(mapped, to_rgb, mapped)
        else:
            lab_to_hdr(mapped, colours, curve == _HLG, to_rgb, mapped)
            ease(mapped, before, eased)
        if compressed:
            compress(mapped, before)
        else:
            clip(mapped, before)
        for i in range(count):
            r, g, b = mapped[i, 0], mapped[i, 1], mapped[i, 2]
            for p in range(3):
                code = to_code[p, 0] * r + to_code[p, 1] * g + to_code[p, 2] * b + offset[p]
                shifts[numbers[start + i], p] = code - units[numbers[start + i], p]


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
def _unknown(place, columns, size, known, numbers) -> int:  # type: ignore[no-untyped-def]
    """The nodes that columns move as and that are not known, each once; they count as known then. Returns how many."""
    count = 0
    for column in columns:
        for k in range(size):
            number = place[column * size + k]
            if not known[number]:
                known[number] = True
                numbers[count] = number
                count += 1
    return count


@kernel
def _spread(shifts, place, luma, chroma, columns, table) -> None:  # type: ignore[no-untyped-def]
    """Columns of a table, flat, of nodes moved by shifts (k, 3) in code units, `place` telling whose each takes."""
    size = place.shape[2]
    for column in columns:
        i, j = column // place.shape[1], column % place.shape[1]
        for p in range(3):
            first = (3 * column + p) * size
            for n in range(size):
                unit = luma[n] if p == 0 else chroma[i if p == 1 else j]
                fixed = np.rint((unit + shifts[place[i, j, n], p]) * ONE)
                table[first + n] = np.int16(min(max(fixed, _LIMITS[0]), _LIMITS[1]))


_AT_ONCE = 8


@kernel
def _mix(tables, weights, total, columns, size, first, last, scale, out) -> None:  # type: ignore[no-untyped-def]
    """Columns of eight weighted tables in one pass: added to the total, unless they are the first; scaled, if the
    last."""
    t0, t1, t2, t3, t4, t5, t6, t7 = tables
    w0, w1, w2, w3, w4, w5, w6, w7 = weights
    for column in columns:
        for k in range(size):
            i = np.uint64(column * size + k)
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


def mix(luts: Sequence[Lut], weights: Sequence[int], columns: NDArray[np.bool_] | None = None) -> Lut:
    """Weighted mean of Luts; weights are positive integers with a sum below 65,536. Exact up to one rounding.

    columns: (97, 97), those that matter; the others of the mean hold anything. None: all.
    """
    if len(luts) == 1:
        return luts[0]
    out = np.empty_like(luts[0].table)
    number = out.shape[0] * out.shape[1]
    total = np.empty(out.size if len(luts) > _AT_ONCE else 0, np.int32)
    wanted = np.arange(number) if columns is None else np.flatnonzero(columns)
    for start in range(0, len(luts), _AT_ONCE):
        tables = [lut.table.reshape(-1) for lut in luts[start : start + _AT_ONCE]]
        factors = [np.int32(weight) for weight in weights[start : start + _AT_ONCE]]
        spare = _AT_ONCE - len(tables)
        tables, factors = tables + tables[:1] * spare, factors + [np.int32(0)] * spare
        last = start + _AT_ONCE >= len(luts)
        _mix(
            tuple(tables), tuple(factors), total, wanted, out.size // number, start == 0, last,
            1.0 / sum(weights), out.reshape(-1),
        )  # fmt: skip
    return Lut(out)


def columns_of(c1: NDArray[np.unsignedinteger], c2: NDArray[np.unsignedinteger], depth: int) -> NDArray[np.bool_]:
    """Columns (97, 97) that a frame's chroma planes (or G'B'R' planes 1 and 2) need, of `depth` bits, equal shapes."""
    columns = np.zeros((len(CHROMA_NODES), len(CHROMA_NODES)), np.bool_)
    pairs = np.zeros(1 << 16, np.bool_)
    _mark(c1, c2, np.uint32(depth - 8), pairs)
    _widen(pairs, CHROMA_CELLS, columns)
    return columns


@kernel
def _mark(c1, c2, shift, pairs) -> None:  # type: ignore[no-untyped-def]
    """Mark the pairs of chroma codes, in whole code units of 8 bits, that occur. Words may hold more than their depth
    has bits; such a code counts as the highest, as it does where Luts are applied."""
    top = np.uint32(255)
    for y in range(c1.shape[0]):
        line_1, line_2 = c1[y], c2[y]
        for x in range(line_1.shape[0]):
            u, v = min(np.uint32(line_1[x]) >> shift, top), min(np.uint32(line_2[x]) >> shift, top)
            pairs[np.uint64(u) << np.uint64(8) | np.uint64(v)] = True


@kernel
def _widen(pairs, cells, columns) -> None:  # type: ignore[no-untyped-def]
    """Mark the columns about the cells of marked pairs."""
    for pair in range(pairs.shape[0]):
        if pairs[pair]:
            i, j = cells[pair >> 8], cells[pair & 255]
            columns[i, j] = columns[i, j + 1] = columns[i + 1, j] = columns[i + 1, j + 1] = True
