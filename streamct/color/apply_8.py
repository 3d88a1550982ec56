"""Luts on planes of 8 bits.

A frame uses some thousand of the 65,536 pairs of chroma codes. So rows are made when first met in a frame: the three
planes at all 256 codes of plane 0, which then costs one look-up a sample. Where one Lut does, a row holds codes;
where two are blended, it holds fixed point.
"""

from __future__ import annotations

import numpy as np
from numba import uint8
from numba.extending import overload
from numpy.typing import NDArray

from streamct.color.jit import inlined, kernel
from streamct.color.lut import CHROMA_CELLS, CHROMA_NODES, CHROMA_PARTS, CHROMA_SCALES, LUMA_NODES, LUMA_STEPS, ONE
from streamct.color.shares import BACK, BOTH, FRONT, block_shares, span_end

_NODES = len(LUMA_NODES)
_CHROMA = len(CHROMA_NODES)
_LUMA_SHIFTS = tuple((step, step.bit_length() - 1, stop) for step, stop in LUMA_STEPS)
_CODES = 256


class Rows:
    """Rows made for one Lut so far: which pair of chroma codes has which, and what they hold.

    dtype: uint8 for codes, uint16 for fixed point.
    """

    def __init__(self, dtype: type[np.unsignedinteger]) -> None:
        self._dtype = dtype
        self.used = np.zeros(1, np.int64)
        self.slots = np.full(1 << 16, -1, np.int32)
        self._allocate(1 << 12)

    def _allocate(self, rows: int) -> None:
        self.luma = np.empty(rows * _CODES, self._dtype)
        self.chroma = np.empty(rows * 2 * _CODES, self._dtype)

    @property
    def arrays(self) -> tuple[NDArray[np.int32], NDArray, NDArray, NDArray[np.int64]]:
        return self.slots, self.luma, self.chroma, self.used

    def clear(self) -> None:
        """Forget all rows, as for another Lut."""
        self.used[0] = 0
        self.slots.fill(-1)

    def grow(self) -> None:
        """Make room for twice as many."""
        luma, chroma = self.luma, self.chroma
        self._allocate(2 * len(luma) // _CODES)
        self.luma[: len(luma)] = luma
        self.chroma[: len(chroma)] = chroma


def apply_8(planes, outs, tables, mask, split, sizes, sub_x, sub_y, rows):  # type: ignore[no-untyped-def]
    """Grade a frame. planes, outs, mask: (samples as one line, distance of rows) each; sizes: rows and columns of
    plane 0, then of planes 1 and 2."""
    done = 0
    for side in rows:
        side.clear()
    while True:
        sides = tuple((table.reshape(-1), *side.arrays) for table, side in zip(tables, rows, strict=True))
        done = _apply(planes, outs, sides, mask, split, sizes, sub_x, sub_y, done)
        if done == sizes[2]:
            return
        for side in rows:  # both, so that they hold the same number of rows
            side.grow()


@inlined
def _at(array, index):  # type: ignore[no-untyped-def]
    """array[index], index known not to be negative."""
    return array[np.uint64(index)]


@inlined
def _rounded(value):  # type: ignore[no-untyped-def]
    """The code of a fixed-point value within the code range."""
    return np.uint8(np.uint32(value + ONE // 2) >> np.uint32(6))


def _held(value, row):  # type: ignore[no-untyped-def]
    """What a row's entry holds of a fixed-point value within the code range."""


@overload(_held)
def _(value, row):  # type: ignore[no-untyped-def]
    return (lambda value, row: _rounded(value)) if row.dtype == uint8 else (lambda value, row: np.uint16(value))


def _code(entry):  # type: ignore[no-untyped-def]
    """The code that a row's entry stands for."""


@overload(_code)
def _(entry):  # type: ignore[no-untyped-def]
    return (lambda entry: entry) if entry == uint8 else (lambda entry: _rounded(np.int32(entry)))


@kernel
def _make_row(table, c1, c2, nodes, luma_rows, chroma_rows, slot):  # type: ignore[no-untyped-def]
    """The Lut at a pair of chroma codes, for all 256 codes of plane 0."""
    i, j = np.int64(CHROMA_CELLS[c1]), np.int64(CHROMA_CELLS[c2])
    u, v = (c1 - CHROMA_NODES[i]) * CHROMA_SCALES[c1], (c2 - CHROMA_NODES[j]) * CHROMA_SCALES[c2]
    w00, w01 = np.int32((CHROMA_PARTS - u) * (CHROMA_PARTS - v)), np.int32((CHROMA_PARTS - u) * v)
    w10, w11 = np.int32(u * (CHROMA_PARTS - v)), np.int32(u * v)
    size = 3 * _NODES
    at = (i * _CHROMA + j) * size
    below = at + _CHROMA * size
    for n in range(size):  # sixteenfold
        low = np.int32(w00 * np.int32(_at(table, at + n))) + np.int32(w01 * np.int32(_at(table, at + size + n)))
        high = np.int32(w10 * np.int32(_at(table, below + n))) + np.int32(w11 * np.int32(_at(table, below + size + n)))
        nodes[n] = np.int32(np.int32(low) + np.int32(high))
    _fill(nodes[:_NODES], luma_rows[slot * _CODES : (slot + 1) * _CODES])
    _fill(nodes[_NODES : 2 * _NODES], chroma_rows[2 * slot * _CODES : (2 * slot + 1) * _CODES])
    _fill(nodes[2 * _NODES :], chroma_rows[(2 * slot + 1) * _CODES : (2 * slot + 2) * _CODES])


@kernel
def _fill(nodes, row):  # type: ignore[no-untyped-def]
    """One plane at all codes, from its values at the nodes."""
    first, n = 0, 0
    for step, shift, stop in _LUMA_SHIFTS:
        while first < stop:
            low, rise = nodes[n], nodes[n + 1] - nodes[n]
            for k in range(step):
                value = np.int32((low << shift) + rise * np.int32(k) + (8 << shift)) >> (4 + shift)
                row[np.uint64(first + k)] = _held(min(max(value, 0), 255 * ONE), row)
            first += step
            n += 1


@kernel
def _find_rows(c1, c2, side, nodes, found):  # type: ignore[no-untyped-def]
    """The row of every chroma sample of a span, made where it is met first."""
    table, slots, luma_rows, chroma_rows, used = side
    for c in range(found.shape[0]):
        pair = np.int64(c1[c]) << 8 | np.int64(c2[c])
        slot = np.int64(_at(slots, pair))
        if slot < 0:
            slot = used[0]
            used[0] += 1
            slots[pair] = slot
            _make_row(table, np.int64(c1[c]), np.int64(c2[c]), nodes, luma_rows, chroma_rows, slot)
        found[c] = slot


@inlined
def _luma(rows, slot, code):  # type: ignore[no-untyped-def]
    """Plane 0 of a row at a code."""
    return rows[np.uint64(slot) << np.uint64(8) | np.uint64(code)]


@inlined
def _chroma(rows, slot, p, code):  # type: ignore[no-untyped-def]
    """Plane p (1 or 2) of a row at a code of plane 0."""
    return rows[np.uint64(slot) << np.uint64(9) | np.uint64((p - 1) << 8) | np.uint64(code)]


@inlined
def _mixed(front, back, weight):  # type: ignore[no-untyped-def]
    """The code at back + weight / 255 (front - back)."""
    value = np.uint32(np.uint32(front) * weight + np.uint32(back) * (255 - weight) + 127) // np.uint32(255)
    return np.uint8(np.uint32(value + np.uint32(ONE // 2)) >> np.uint32(6))


@kernel
def _apply(planes, outs, sides, mask, split, sizes, sub_x, sub_y, first):  # type: ignore[no-untyped-def]
    """Grade lines of blocks from `first` on; returns the line before which the rows ran out."""
    _, (c1, c1_step), (c2, c2_step) = planes
    weight_of, mask_step = mask
    front, back = sides
    height, width, rows, columns = sizes
    room = front[2].shape[0] // _CODES
    nodes = np.empty(3 * _NODES, np.int32)
    needed = np.full(columns, FRONT, np.uint8)
    weights = np.empty(columns, np.int32)
    means = np.empty(columns, np.uint8)
    found, back_found = np.empty(columns, np.int32), np.empty(columns, np.int32)
    for r in range(first, rows):
        if max(front[4][0], back[4][0]) + columns > room:
            return r
        y0, y1 = r << sub_y, min((r + 1) << sub_y, height)
        _block_means(planes[0], y0, y1, width, sub_x, means)
        if split:
            block_shares(weight_of, mask_step, y0, y1, width, sub_x, needed, weights)
        start = 0
        while start < columns:
            stop = span_end(needed, start) if split else columns
            line_1 = c1[r * c1_step + start : r * c1_step + stop]
            line_2 = c2[r * c2_step + start : r * c2_step + stop]
            span = (start, stop, r, y0, y1, width)
            slots, back_slots = found[start:stop], back_found[start:stop]
            if needed[start] == BOTH:
                _find_rows(line_1, line_2, front, nodes, slots)
                _find_rows(line_1, line_2, back, nodes, back_slots)
                _blend(planes[0], outs, sides, (slots, back_slots), mask, weights, means, span, sub_x)
            elif needed[start] == BACK:
                _find_rows(line_1, line_2, back, nodes, slots)
                _grade(planes[0], outs, back, slots, means, span, sub_x)
            else:
                _find_rows(line_1, line_2, front, nodes, slots)
                _grade(planes[0], outs, front, slots, means, span, sub_x)
            start = stop
    return rows


@kernel
def _block_means(plane, y0, y1, width, sub_x, means):  # type: ignore[no-untyped-def]
    """Rounded mean of the luma samples of each block of a line."""
    y, step = plane
    top, bottom = y[y0 * step : y0 * step + width], y[(y1 - 1) * step : (y1 - 1) * step + width]
    whole = width >> sub_x
    if sub_x == 1 and y1 - y0 == 2:
        for c in range(whole):
            total = np.int32(top[2 * c]) + np.int32(top[2 * c + 1]) + np.int32(bottom[2 * c])
            means[c] = np.uint8(np.int32(total + np.int32(bottom[2 * c + 1]) + 2) >> 2)
    elif sub_x == 1 and y1 - y0 == 1:
        for c in range(whole):
            means[c] = np.uint8(np.int32(np.int32(top[2 * c]) + np.int32(top[2 * c + 1]) + 1) >> 1)
    elif sub_x == 0 and y1 - y0 == 1:
        means[:] = top
    else:
        whole = 0
    for c in range(whole, means.shape[0]):
        x0, x1 = c << sub_x, min((c + 1) << sub_x, width)
        total, area = 0, (y1 - y0) * (x1 - x0)
        for yy in range(y0, y1):
            for xx in range(x0, x1):
                total += int(y[yy * step + xx])
        means[c] = (total + (area >> 1)) // area


@kernel
def _grade(plane, outs, side, slots, means, span, sub_x):  # type: ignore[no-untyped-def]
    """Blocks of a span through one Lut."""
    y, y_step = plane
    (out_y, out_y_step), (out_1, out_1_step), (out_2, out_2_step) = outs
    luma_rows, chroma_rows = side[2], side[3]
    start, stop, r, y0, y1, width = span
    left, right = start << sub_x, min(stop << sub_x, width)
    # Lines that begin at the span: indices from 0 on cost no check for negative ones.
    for yy in range(y0, y1):
        line, out = y[yy * y_step + left : yy * y_step + right], out_y[yy * out_y_step + left :]
        if sub_x == 1:
            for c in range(line.shape[0] >> 1):
                out[2 * c] = _code(_luma(luma_rows, slots[c], line[2 * c]))
                out[2 * c + 1] = _code(_luma(luma_rows, slots[c], line[2 * c + 1]))
            if line.shape[0] & 1:
                x = line.shape[0] - 1
                out[x] = _code(_luma(luma_rows, slots[x >> 1], line[x]))
        else:
            for x in range(line.shape[0]):
                out[x] = _code(_luma(luma_rows, slots[x >> sub_x], line[x]))
    graded_1, graded_2 = out_1[r * out_1_step + start :], out_2[r * out_2_step + start :]
    means = means[start:stop]
    for c in range(means.shape[0]):
        graded_1[c] = _code(_chroma(chroma_rows, slots[c], 1, means[c]))
        graded_2[c] = _code(_chroma(chroma_rows, slots[c], 2, means[c]))


@kernel
def _blend(plane, outs, sides, found, mask, weights, means, span, sub_x):  # type: ignore[no-untyped-def]
    """Blocks of a span through two Luts, blended by the mask."""
    y, y_step = plane
    (out_y, out_y_step), (out_1, out_1_step), (out_2, out_2_step) = outs
    weight_of, mask_step = mask
    front, back = sides
    luma_rows, chroma_rows, back_luma_rows, back_chroma_rows = front[2], front[3], back[2], back[3]
    start, stop, r, y0, y1, width = span
    slots, back_slots = found
    left, right = start << sub_x, min(stop << sub_x, width)
    for yy in range(y0, y1):
        line, out = y[yy * y_step + left : yy * y_step + right], out_y[yy * out_y_step + left :]
        shares = weight_of[yy * mask_step + left :]
        for x in range(line.shape[0]):
            c = x >> sub_x
            out[x] = _mixed(
                _luma(luma_rows, slots[c], line[x]),
                _luma(back_luma_rows, back_slots[c], line[x]),
                np.uint32(shares[x]),
            )
    graded_1, graded_2 = out_1[r * out_1_step + start :], out_2[r * out_2_step + start :]
    means, weights = means[start:stop], weights[start:stop]
    for c in range(means.shape[0]):
        slot, back_slot, code, w = slots[c], back_slots[c], means[c], np.uint32(weights[c])
        graded_1[c] = _mixed(_chroma(chroma_rows, slot, 1, code), _chroma(back_chroma_rows, back_slot, 1, code), w)
        graded_2[c] = _mixed(_chroma(chroma_rows, slot, 2, code), _chroma(back_chroma_rows, back_slot, 2, code), w)
