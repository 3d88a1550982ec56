"""Luts on the planes of a frame, without a detour over R'G'B'.

All arithmetic is in integers, so a frame comes out the same on every machine. A chroma sample and the luma
samples under it form a block: the block's two chroma codes choose a *row*, the Lut's column interpolated to
that pair. A frame uses some thousand of the 65,536 pairs of 8 bits, so rows are made when first met in a
frame: for plane 0 at all 256 codes, so a luma sample then costs one look-up; for the chroma planes at the
nodes. Deeper formats have too many pairs for that: there each block interpolates at the nodes it needs.

Chroma outputs are read at the rounded mean of the block's luma. Where two Luts are blended, what each gives is
clipped to the code range first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from streamct.color.apply_deep import Cache, apply_deep
from streamct.color.jit import inlined, kernel
from streamct.color.lut import CHROMA_STEP, LUMA_NODES, LUMA_STEPS, ONE, Lut
from streamct.model import PixelFormat, Plane

_N0 = len(LUMA_NODES)
_LUMA_SHIFTS = tuple((step, step.bit_length() - 1, stop) for step, stop in LUMA_STEPS)
_FRACTION = 16
"""With 8 bits, luma positions between two nodes are kept in sixteenths: exact, as nodes lie 4, 8 or 16 apart."""


@dataclass(frozen=True, slots=True)
class Content:
    """The picture inside its black borders, in luma samples: rows [top, bottom), columns [left, right)."""

    top: int
    bottom: int
    left: int
    right: int


_NO_MASK = np.empty((0, 0), np.uint8)


@cache
def _luma_axis(depth: int) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """For each code of plane 0: its lower node, its distance from that node, the nodes' distance, in codes."""
    scale = 1 << (depth - 8)
    codes = np.arange(1 << depth)
    lower = np.searchsorted(LUMA_NODES * scale, codes, side="right") - 1
    part = codes - LUMA_NODES[lower] * scale
    extent = np.diff(LUMA_NODES)[lower] * scale
    return lower.astype(np.int32), part.astype(np.int32), extent.astype(np.int32)


@cache
def _luma_sixteenths() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    lower, part, extent = _luma_axis(8)
    return lower, (part * _FRACTION // extent).astype(np.int32)


class PlaneGrader:
    """Applies Luts to the planes of frames of one format; keeps its scratch memory, so one a thread.

    Raises:
        ValueError: a depth above 12 bits.
    """

    def __init__(self, layout: PixelFormat) -> None:
        if layout.depth > 12:
            raise ValueError(f"Luts are applied to at most 12 bits a sample, got {layout.name}")
        self._layout = layout
        if layout.depth == 8:
            self._sides = (_Rows(), _Rows())
        else:
            self._caches = (Cache(), Cache())

    def apply(
        self,
        source: tuple[Plane, ...],
        target: tuple[Plane, ...],
        luts: tuple[Lut, ...],
        mask: NDArray[np.uint8] | None = None,
        content: Content | None = None,
    ) -> None:
        """Write the graded `source` planes into `target` (other memory, same shapes and dtypes).

        luts: one, or foreground and background. mask: (h, w) uint8 foreground weight at luma size, needed with
        two. Outside `content`, and in an alpha plane, samples are copied.

        Raises:
            ValueError: planes or mask do not fit each other or the format, or their rows are not contiguous.
        """
        self._check(source, target, mask if len(luts) > 1 else None)
        for plane, copy in zip(source[3:], target[3:], strict=True):
            copy[...] = plane
        height, width = source[0].shape
        area = content or Content(0, height, 0, width)
        if area != Content(0, height, 0, width):
            for plane, copy in zip(source[:3], target[:3], strict=True):
                copy[...] = plane
        inner = _aligned(area, self._layout, height, width)
        chroma = (
            slice(inner.top >> self._layout.sub_y, -(-inner.bottom >> self._layout.sub_y)),
            slice(inner.left >> self._layout.sub_x, -(-inner.right >> self._layout.sub_x)),
        )
        luma = (slice(inner.top, inner.bottom), slice(inner.left, inner.right))
        planes = (source[0][luma], source[1][chroma], source[2][chroma])
        outs = (target[0][luma], target[1][chroma], target[2][chroma])
        if min(planes[0].shape) > 0:
            weights = None if mask is None or len(luts) == 1 else mask[luma]
            self._run(planes, outs, (luts[0].table, luts[-1].table), weights)
            if inner != area:
                _restore(source[0], target[0], inner, area)

    def _check(self, source: tuple[Plane, ...], target: tuple[Plane, ...], mask: NDArray[np.uint8] | None) -> None:
        height, width = source[0].shape
        chroma = (-(-height >> self._layout.sub_y), -(-width >> self._layout.sub_x))
        shapes = [(height, width), chroma, chroma, (height, width)]
        for plane, copy, shape in zip(source, target, shapes, strict=False):
            for found in (plane, copy):
                if found.shape != shape or found.dtype != self._layout.dtype:
                    raise ValueError(
                        f"a plane of {self._layout.name} at {width}x{height} must be {shape}, "
                        f"got {found.shape = } of {found.dtype}"
                    )
        if mask is not None and (mask.shape != (height, width) or mask.dtype != np.uint8):
            raise ValueError(f"the mask must be {(height, width)} of uint8, got {mask.shape = } of {mask.dtype}")

    def _run(
        self,
        planes: tuple[Plane, ...],
        outs: tuple[Plane, ...],
        tables: tuple[NDArray[np.int16], NDArray[np.int16]],
        mask: NDArray[np.uint8] | None,
    ) -> None:
        layout = self._layout
        sizes = (*planes[0].shape, *planes[1].shape)
        one_lut = mask is None
        weights = _flat(_NO_MASK if mask is None else mask, False)
        sources = tuple(_flat(plane, False) for plane in planes)
        targets = tuple(_flat(plane, True) for plane in outs)
        if layout.depth > 8:
            shape = (layout.sub_x, layout.sub_y, layout.depth)
            apply_deep(sources, targets, tables, weights, not one_lut, sizes, *shape, self._caches)
            return
        done = 0
        for side in self._sides:
            side.used[0] = 0
            side.slots.fill(-1)
        while True:
            front, back = self._sides
            shape = (layout.sub_x, layout.sub_y, done)
            if one_lut:
                done = _apply_8(
                    sources, targets, tables[0], sizes, _luma_sixteenths(), front.arrays, front.used, *shape
                )
            else:
                scratch = (front.arrays, back.arrays, front.used, back.used)
                done = _apply_8_split(sources, targets, tables, weights, sizes, _luma_sixteenths(), *scratch, *shape)
            if done == planes[1].shape[0]:
                return
            for side in self._sides:  # both, so that they hold the same number of rows
                side.grow()


def _flat(plane: Plane, writeable: bool) -> tuple[Plane, int]:
    """All memory from a plane's first to its last sample, as one line, and the distance of its rows in it.

    Kernels are compiled for each memory layout they are given. So padded, cropped and whole planes, writeable or
    not, are handed to them in this one form.

    Raises:
        ValueError: samples of a row are not neighbours, or rows do not follow each other.
    """
    rows, columns = plane.shape
    step = plane.strides[0] // plane.itemsize
    if (columns > 1 and plane.strides[1] != plane.itemsize) or (rows > 1 and step < columns):
        raise ValueError(f"rows of a plane must be contiguous, got {plane.shape = } with {plane.strides = }")
    extent = (rows - 1) * step + columns if plane.size else 0
    return as_strided(plane, (extent,), (plane.itemsize,), writeable=writeable), step


class _Rows:
    """Rows made for one Lut so far: which pair of chroma codes has which, and what they hold."""

    def __init__(self) -> None:
        self.used = np.zeros(1, np.int64)
        self.slots = np.full(1 << 16, -1, np.int32)
        self._allocate(1 << 12)

    def _allocate(self, rows: int) -> None:
        self.luma = np.empty((rows, 256), np.uint16)
        self.chroma = np.empty((rows, 2 * _N0), np.int16)

    @property
    def arrays(self) -> tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.int16]]:
        return self.slots, self.luma, self.chroma

    def grow(self) -> None:
        luma, chroma = self.luma, self.chroma
        self._allocate(2 * len(luma))
        self.luma[: len(luma)] = luma
        self.chroma[: len(chroma)] = chroma


def _aligned(area: Content, layout: PixelFormat, height: int, width: int) -> Content:
    """`area` widened to whole chroma samples."""
    y, x = (1 << layout.sub_y) - 1, (1 << layout.sub_x) - 1
    bottom, right = min((area.bottom + y) & ~y, height), min((area.right + x) & ~x, width)
    return Content(area.top & ~y, bottom, area.left & ~x, right)


def _restore(source: Plane, target: Plane, inner: Content, area: Content) -> None:
    """Copy back the border's luma samples that share a chroma sample with the picture."""
    for rows, columns in (
        (slice(inner.top, area.top), slice(None)),
        (slice(area.bottom, inner.bottom), slice(None)),
        (slice(None), slice(inner.left, area.left)),
        (slice(None), slice(area.right, inner.right)),
    ):
        target[rows, columns] = source[rows, columns]


@inlined
def _corner_sum(table, i, j, u, v, p, n):  # type: ignore[no-untyped-def]
    """Sixteenfold bilinear value between four chroma nodes, at plane-0 node n."""
    low = np.int32((CHROMA_STEP - v) * np.int32(table[i, j, p, n]) + v * np.int32(table[i, j + 1, p, n]))
    high = np.int32((CHROMA_STEP - v) * np.int32(table[i + 1, j, p, n]) + v * np.int32(table[i + 1, j + 1, p, n]))
    return np.int32(np.int32(CHROMA_STEP - u) * low + np.int32(u) * high)


@inlined
def _make_row(table, c1, c2, nodes, luma_row, chroma_row):  # type: ignore[no-untyped-def]
    """The Lut at one pair of chroma codes: plane 0 for all 256 codes, planes 1 and 2 at the nodes."""
    i, u = c1 // CHROMA_STEP, np.int32(c1 % CHROMA_STEP)
    j, v = c2 // CHROMA_STEP, np.int32(c2 % CHROMA_STEP)
    for n in range(_N0):
        nodes[n] = _corner_sum(table, i, j, u, v, 0, n)
    for p in range(1, 3):
        for n in range(_N0):
            value = np.int32(_corner_sum(table, i, j, u, v, p, n) + 8) >> 4
            chroma_row[(p - 1) * _N0 + n] = np.int16(value)
    code, n = 0, 0
    for step, shift, stop in _LUMA_SHIFTS:
        while code < stop:
            low, rise = nodes[n], nodes[n + 1] - nodes[n]
            for k in range(step):
                value = np.int32((low << shift) + rise * np.int32(k) + (8 << shift)) >> (4 + shift)
                luma_row[code + k] = np.uint16(min(max(value, 0), 255 * ONE))
            code += step
            n += 1


@inlined
def _chroma_value(row, p, n, t):  # type: ignore[no-untyped-def]
    """Plane p (1 or 2) of a row at node n plus t sixteenths, in fixed point."""
    at = np.uint64((p - 1) * _N0 + n)
    low = np.int32(row[at])
    return np.int32(low * 16 + (np.int32(row[at + np.uint64(1)]) - low) * t + 8) >> 4


@inlined
def _clipped_8(value):  # type: ignore[no-untyped-def]
    return min(max(value, np.int32(0)), np.int32(255 * ONE))


@inlined
def _code_8(value):  # type: ignore[no-untyped-def]
    return np.uint8(np.int32(_clipped_8(value) + ONE // 2) >> 6)


@inlined
def _blend(front, back, weight):  # type: ignore[no-untyped-def]
    """back + weight / 255 (front - back), rounded."""
    return np.int32((front * weight + back * (255 - weight) + 127) // 255)


@kernel
def _find_rows(c1, c2, table, slots, used, nodes, luma_rows, chroma_rows, line):  # type: ignore[no-untyped-def]
    """The row of every chroma sample of a line, made where it is met first."""
    for c in range(line.shape[0]):
        if line[c] < 0:
            continue
        pair = np.uint32(c1[c]) << np.uint32(8) | np.uint32(c2[c])
        slot = slots[pair]
        if slot < 0:
            slot = used[0]
            used[0] += 1
            slots[pair] = slot
            _make_row(table, np.int64(c1[c]), np.int64(c2[c]), nodes, luma_rows[slot], chroma_rows[slot])
        line[c] = slot


@kernel
def _apply_8(  # type: ignore[no-untyped-def]
    planes, outs, table, sizes, axis, scratch, used, sub_x, sub_y, first
):
    """Grade chroma lines from `first` on with one Lut; returns the line before which the rows ran out."""
    (y, y_step), (c1, c1_step), (c2, c2_step) = planes
    (out_y, out_y_step), (out_1, out_1_step), (out_2, out_2_step) = outs
    lower, sixteenths = axis
    slots, luma_rows, chroma_rows = scratch
    height, width, rows, columns = sizes
    nodes = np.empty(_N0, np.int32)
    line = np.zeros(columns, np.int32)
    for r in range(first, rows):
        if used[0] + columns > luma_rows.shape[0]:
            return r
        line[:] = 0
        line_1, line_2 = c1[r * c1_step :], c2[r * c2_step :]
        graded_1, graded_2 = out_1[r * out_1_step :], out_2[r * out_2_step :]
        _find_rows(line_1, line_2, table, slots, used, nodes, luma_rows, chroma_rows, line)
        y0, y1 = r << sub_y, min((r + 1) << sub_y, height)
        if sub_x == 1 and y1 - y0 == 2:
            top, bottom = y[y0 * y_step :], y[(y0 + 1) * y_step :]
            out_top, out_bottom = out_y[y0 * out_y_step :], out_y[(y0 + 1) * out_y_step :]
            for c in range(width >> 1):
                row = luma_rows[np.uint32(line[c])]
                a, b, d, e = top[2 * c], top[2 * c + 1], bottom[2 * c], bottom[2 * c + 1]
                out_top[2 * c] = (row[a] + ONE // 2) >> 6
                out_top[2 * c + 1] = (row[b] + ONE // 2) >> 6
                out_bottom[2 * c] = (row[d] + ONE // 2) >> 6
                out_bottom[2 * c + 1] = (row[e] + ONE // 2) >> 6
                mean = np.uint32(np.uint32(a) + np.uint32(b) + np.uint32(d) + np.uint32(e) + 2) >> np.uint32(2)
                n, t = lower[mean], sixteenths[mean]
                chroma = chroma_rows[np.uint32(line[c])]
                graded_1[c] = _code_8(_chroma_value(chroma, 1, n, t))
                graded_2[c] = _code_8(_chroma_value(chroma, 2, n, t))
            first_left = width >> 1
        else:
            first_left = 0
        for c in range(first_left, columns):
            x0, x1 = c << sub_x, min((c + 1) << sub_x, width)
            row = luma_rows[np.uint32(line[c])]
            luma = 0
            for yy in range(y0, y1):
                for xx in range(x0, x1):
                    code = y[yy * y_step + xx]
                    luma += np.int64(code)
                    out_y[yy * out_y_step + xx] = (row[code] + ONE // 2) >> 6
            area = (y1 - y0) * (x1 - x0)
            mean = np.uint32((luma + (area >> 1)) // area)
            n, t = lower[mean], sixteenths[mean]
            chroma = chroma_rows[np.uint32(line[c])]
            graded_1[c] = _code_8(_chroma_value(chroma, 1, n, t))
            graded_2[c] = _code_8(_chroma_value(chroma, 2, n, t))
    return rows


@kernel
def _apply_8_split(  # type: ignore[no-untyped-def]
    planes, outs, tables, mask, sizes, axis, scratch, back_scratch, used, back_used, sub_x, sub_y, first
):
    """The same with a foreground and a background Lut, blended by the mask."""
    (y, y_step), (c1, c1_step), (c2, c2_step) = planes
    (out_y, out_y_step), (out_1, out_1_step), (out_2, out_2_step) = outs
    weight_of, mask_step = mask
    lower, sixteenths = axis
    slots, luma_rows, chroma_rows = scratch
    back_slots, back_luma_rows, back_chroma_rows = back_scratch
    height, width, rows, columns = sizes
    nodes = np.empty(_N0, np.int32)
    front = np.empty(columns, np.int32)
    back = np.empty(columns, np.int32)
    weights = np.empty(columns, np.int32)
    for r in range(first, rows):
        if max(used[0], back_used[0]) + columns > luma_rows.shape[0]:
            return r
        y0, y1 = r << sub_y, min((r + 1) << sub_y, height)
        for c in range(columns):
            x0, x1 = c << sub_x, min((c + 1) << sub_x, width)
            area = (y1 - y0) * (x1 - x0)
            weight = 0
            for yy in range(y0, y1):
                for xx in range(x0, x1):
                    weight += np.int64(weight_of[yy * mask_step + xx])
            front[c] = 0 if weight > 0 else -1
            back[c] = 0 if weight < 255 * area else -1
            weights[c] = (weight + (area >> 1)) // area
        line_1, line_2 = c1[r * c1_step :], c2[r * c2_step :]
        graded_1, graded_2 = out_1[r * out_1_step :], out_2[r * out_2_step :]
        _find_rows(line_1, line_2, tables[0], slots, used, nodes, luma_rows, chroma_rows, front)
        _find_rows(line_1, line_2, tables[1], back_slots, back_used, nodes, back_luma_rows, back_chroma_rows, back)
        for c in range(columns):
            x0, x1 = c << sub_x, min((c + 1) << sub_x, width)
            luma = 0
            for yy in range(y0, y1):
                for xx in range(x0, x1):
                    luma += np.int64(y[yy * y_step + xx])
            area = (y1 - y0) * (x1 - x0)
            mean = np.uint32((luma + (area >> 1)) // area)
            n, t = lower[mean], sixteenths[mean]
            if front[c] < 0 or back[c] < 0:
                if back[c] < 0:
                    row, chroma = luma_rows[np.uint32(front[c])], chroma_rows[np.uint32(front[c])]
                else:
                    row, chroma = back_luma_rows[np.uint32(back[c])], back_chroma_rows[np.uint32(back[c])]
                for yy in range(y0, y1):
                    for xx in range(x0, x1):
                        out_y[yy * out_y_step + xx] = (row[y[yy * y_step + xx]] + ONE // 2) >> 6
                graded_1[c] = _code_8(_chroma_value(chroma, 1, n, t))
                graded_2[c] = _code_8(_chroma_value(chroma, 2, n, t))
                continue
            row, chroma = luma_rows[np.uint32(front[c])], chroma_rows[np.uint32(front[c])]
            back_row, back_chroma = back_luma_rows[np.uint32(back[c])], back_chroma_rows[np.uint32(back[c])]
            for yy in range(y0, y1):
                for xx in range(x0, x1):
                    code, weight = y[yy * y_step + xx], np.int32(weight_of[yy * mask_step + xx])
                    value = _blend(np.int32(row[code]), np.int32(back_row[code]), weight)
                    out_y[yy * out_y_step + xx] = (value + ONE // 2) >> 6
            w = weights[c]
            front_1, back_1 = _chroma_value(chroma, 1, n, t), _chroma_value(back_chroma, 1, n, t)
            front_2, back_2 = _chroma_value(chroma, 2, n, t), _chroma_value(back_chroma, 2, n, t)
            graded_1[c] = _code_8(_blend(_clipped_8(front_1), _clipped_8(back_1), w))
            graded_2[c] = _code_8(_blend(_clipped_8(front_2), _clipped_8(back_2), w))
    return rows
