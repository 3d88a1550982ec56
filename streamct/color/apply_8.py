"""Luts on planes of 8 bits.

A frame uses some thousand of the 65,536 pairs of chroma codes. So rows are made when first met in a frame: for
plane 0 at all 256 codes, which then costs one look-up a sample; for planes 1 and 2 at the nodes.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from streamct.color.jit import inlined, kernel
from streamct.color.lut import CHROMA_CELLS, CHROMA_NODES, CHROMA_PARTS, CHROMA_SCALES, LUMA_NODES, LUMA_STEPS, ONE
from streamct.color.shares import BACK, BOTH, FRONT, block_shares, span_end

_NODES = len(LUMA_NODES)
_CHROMA = len(CHROMA_NODES)
_LUMA_SHIFTS = tuple((step, step.bit_length() - 1, stop) for step, stop in LUMA_STEPS)
_FRACTION = 16
"""Luma positions between two nodes are kept in sixteenths: exact, as nodes lie 4 or 8 apart."""


class Rows:
    """Rows made for one Lut so far: which pair of chroma codes has which, and what they hold."""

    def __init__(self) -> None:
        self.used = np.zeros(1, np.int64)
        self.slots = np.full(1 << 16, -1, np.int32)
        self._allocate(1 << 12)

    def _allocate(self, rows: int) -> None:
        self.luma = np.empty(rows * 256, np.uint16)
        self.chroma = np.empty(rows * 2 * _NODES, np.int16)

    @property
    def arrays(self) -> tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.int16], NDArray[np.int64]]:
        return self.slots, self.luma, self.chroma, self.used

    def clear(self) -> None:
        """Forget all rows, as for another Lut."""
        self.used[0] = 0
        self.slots.fill(-1)

    def grow(self) -> None:
        """Make room for twice as many."""
        luma, chroma = self.luma, self.chroma
        self._allocate(2 * len(luma) // 256)
        self.luma[: len(luma)] = luma
        self.chroma[: len(chroma)] = chroma


@cache
def _axis() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """For each code of plane 0: its lower node, its distance from that in sixteenths of the nodes' distance."""
    codes = np.arange(256)
    lower = np.searchsorted(LUMA_NODES, codes, side="right") - 1
    sixteenths = (codes - LUMA_NODES[lower]) * _FRACTION // np.diff(LUMA_NODES)[lower]
    return lower.astype(np.int32), sixteenths.astype(np.int32)


def apply_8(planes, outs, tables, mask, split, sizes, sub_x, sub_y, rows):  # type: ignore[no-untyped-def]
    """Grade a frame. planes, outs, mask: (samples as one line, distance of rows) each; sizes: rows and columns of
    plane 0, then of planes 1 and 2."""
    done = 0
    for side in rows:
        side.clear()
    while True:
        sides = tuple((table.reshape(-1), *side.arrays) for table, side in zip(tables, rows, strict=True))
        done = _apply(planes, outs, sides, mask, split, sizes, sub_x, sub_y, _axis(), done)
        if done == sizes[2]:
            return
        for side in rows:  # both, so that they hold the same number of rows
            side.grow()


@inlined
def _at(array, index):  # type: ignore[no-untyped-def]
    """array[index], index known not to be negative."""
    return array[np.uint64(index)]


@kernel
def _make_row(table, c1, c2, nodes, luma_rows, chroma_rows, slot):  # type: ignore[no-untyped-def]
    """The Lut at a pair of chroma codes: plane 0 for all 256 codes, planes 1 and 2 at the nodes."""
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
    first = slot * 2 * _NODES
    for n in range(2 * _NODES):
        chroma_rows[np.uint64(first + n)] = np.int16(np.int32(nodes[_NODES + n] + 8) >> 4)
    first, n = slot * 256, 0
    for step, shift, stop in _LUMA_SHIFTS:
        while first < slot * 256 + stop:
            low, rise = nodes[n], nodes[n + 1] - nodes[n]
            for k in range(step):
                value = np.int32((low << shift) + rise * np.int32(k) + (8 << shift)) >> (4 + shift)
                luma_rows[np.uint64(first + k)] = np.uint16(min(max(value, 0), 255 * ONE))
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
    """Plane 0 of a row at a code, in fixed point, within the code range."""
    return np.int32(rows[np.uint64(slot) << np.uint64(8) | np.uint64(code)])


@inlined
def _rounded(value):  # type: ignore[no-untyped-def]
    return np.uint8(np.uint32(value + ONE // 2) >> np.uint32(6))


@inlined
def _chroma(rows, slot, p, n, t):  # type: ignore[no-untyped-def]
    """Plane p (1 or 2) of a row at node n plus t sixteenths, in fixed point, clipped to the code range."""
    at = np.int64(slot) * (2 * _NODES) + (p - 1) * _NODES + n
    low = np.int32(_at(rows, at))
    value = np.int32(low * _FRACTION + (np.int32(_at(rows, at + 1)) - low) * t + 8) >> 4
    return min(max(value, np.int32(0)), np.int32(255 * ONE))


@inlined
def _mixed(front, back, weight):  # type: ignore[no-untyped-def]
    """The code at back + weight / 255 (front - back)."""
    value = np.uint32(front * weight + back * (255 - weight) + 127) // np.uint32(255)
    return np.uint8(np.uint32(value + np.uint32(ONE // 2)) >> np.uint32(6))


@kernel
def _apply(planes, outs, sides, mask, split, sizes, sub_x, sub_y, axis, first):  # type: ignore[no-untyped-def]
    """Grade lines of blocks from `first` on; returns the line before which the rows ran out."""
    _, (c1, c1_step), (c2, c2_step) = planes
    weight_of, mask_step = mask
    front, back = sides
    height, width, rows, columns = sizes
    room = front[3].shape[0] // (2 * _NODES)
    nodes = np.empty(3 * _NODES, np.int32)
    needed = np.full(columns, FRONT, np.uint8)
    weights = np.empty(columns, np.int32)
    found, back_found = np.empty(columns, np.int32), np.empty(columns, np.int32)
    for r in range(first, rows):
        if max(front[4][0], back[4][0]) + columns > room:
            return r
        y0, y1 = r << sub_y, min((r + 1) << sub_y, height)
        if split:
            block_shares(weight_of, mask_step, y0, y1, width, sub_x, needed, weights)
        start = 0
        while start < columns:
            stop = span_end(needed, start) if split else columns
            line_1 = c1[r * c1_step + start : r * c1_step + stop]
            line_2 = c2[r * c2_step + start : r * c2_step + stop]
            span = (start, stop, r, y0, y1, width)
            if needed[start] == BOTH:
                _find_rows(line_1, line_2, front, nodes, found[start:stop])
                _find_rows(line_1, line_2, back, nodes, back_found[start:stop])
                _blend(planes, outs, sides, (found, back_found), mask, weights, span, sub_x, axis)
            elif needed[start] == BACK:
                _find_rows(line_1, line_2, back, nodes, found[start:stop])
                _grade(planes, outs, back, found, span, sub_x, axis)
            else:
                _find_rows(line_1, line_2, front, nodes, found[start:stop])
                _grade(planes, outs, front, found, span, sub_x, axis)
            start = stop
    return rows


@kernel
def _grade(planes, outs, side, found, span, sub_x, axis):  # type: ignore[no-untyped-def]
    """Blocks of a span through one Lut."""
    y, y_step = planes[0]
    (out_y, out_y_step), (out_1, out_1_step), (out_2, out_2_step) = outs
    luma_rows, chroma_rows = side[2], side[3]
    lower, sixteenths = axis
    start, stop, r, y0, y1, width = span
    if sub_x == 1 and y1 - y0 == 2:
        # Lines that begin at the span: indices from 0 on cost no check for negative ones.
        slots = found[start:]
        graded_1, graded_2 = out_1[r * out_1_step + start :], out_2[r * out_2_step + start :]
        top, bottom = y[y0 * y_step + 2 * start :], y[(y1 - 1) * y_step + 2 * start :]
        out_top, out_bottom = out_y[y0 * out_y_step + 2 * start :], out_y[(y1 - 1) * out_y_step + 2 * start :]
        count = max(min(stop, width >> 1) - start, 0)
        for c in range(count):
            slot = slots[c]
            a, b, d, e = top[2 * c], top[2 * c + 1], bottom[2 * c], bottom[2 * c + 1]
            out_top[2 * c] = _rounded(_luma(luma_rows, slot, a))
            out_top[2 * c + 1] = _rounded(_luma(luma_rows, slot, b))
            out_bottom[2 * c] = _rounded(_luma(luma_rows, slot, d))
            out_bottom[2 * c + 1] = _rounded(_luma(luma_rows, slot, e))
            mean = (int(a) + int(b) + int(d) + int(e) + 2) >> 2
            n, t = _at(lower, mean), _at(sixteenths, mean)
            graded_1[c] = _rounded(_chroma(chroma_rows, slot, 1, n, t))
            graded_2[c] = _rounded(_chroma(chroma_rows, slot, 2, n, t))
        start += count
    for c in range(start, stop):
        x0, x1 = c << sub_x, min((c + 1) << sub_x, width)
        total, area = 0, (y1 - y0) * (x1 - x0)
        for yy in range(y0, y1):
            for xx in range(x0, x1):
                code = y[yy * y_step + xx]
                total += int(code)
                out_y[yy * out_y_step + xx] = _rounded(_luma(luma_rows, found[c], code))
        mean = (total + (area >> 1)) // area
        n, t = _at(lower, mean), _at(sixteenths, mean)
        out_1[r * out_1_step + c] = _rounded(_chroma(chroma_rows, found[c], 1, n, t))
        out_2[r * out_2_step + c] = _rounded(_chroma(chroma_rows, found[c], 2, n, t))


@kernel
def _blend(planes, outs, sides, found, mask, weights, span, sub_x, axis):  # type: ignore[no-untyped-def]
    """Blocks of a span through two Luts, blended by the mask."""
    y, y_step = planes[0]
    (out_y, out_y_step), (out_1, out_1_step), (out_2, out_2_step) = outs
    weight_of, mask_step = mask
    front, back = sides
    luma_rows, chroma_rows, back_luma_rows, back_chroma_rows = front[2], front[3], back[2], back[3]
    lower, sixteenths = axis
    start, stop, r, y0, y1, width = span
    slots, back_slots = found
    if sub_x == 1 and y1 - y0 == 2:
        ours, theirs, shares = slots[start:], back_slots[start:], weights[start:]
        graded_1, graded_2 = out_1[r * out_1_step + start :], out_2[r * out_2_step + start :]
        top, bottom = y[y0 * y_step + 2 * start :], y[(y1 - 1) * y_step + 2 * start :]
        mask_top, mask_bottom = weight_of[y0 * mask_step + 2 * start :], weight_of[(y1 - 1) * mask_step + 2 * start :]
        out_top, out_bottom = out_y[y0 * out_y_step + 2 * start :], out_y[(y1 - 1) * out_y_step + 2 * start :]
        count = max(min(stop, width >> 1) - start, 0)
        for c in range(count):
            slot, back_slot, w = ours[c], theirs[c], shares[c]
            total = 2
            for x in (2 * c, 2 * c + 1):
                code, other = top[x], bottom[x]
                total += int(code) + int(other)
                out_top[x] = _mixed(
                    _luma(luma_rows, slot, code), _luma(back_luma_rows, back_slot, code), np.int32(mask_top[x])
                )
                out_bottom[x] = _mixed(
                    _luma(luma_rows, slot, other), _luma(back_luma_rows, back_slot, other), np.int32(mask_bottom[x])
                )
            n, t = _at(lower, total >> 2), _at(sixteenths, total >> 2)
            graded_1[c] = _mixed(_chroma(chroma_rows, slot, 1, n, t), _chroma(back_chroma_rows, back_slot, 1, n, t), w)
            graded_2[c] = _mixed(_chroma(chroma_rows, slot, 2, n, t), _chroma(back_chroma_rows, back_slot, 2, n, t), w)
        start += count
    for c in range(start, stop):
        slot, back_slot = slots[c], back_slots[c]
        x0, x1 = c << sub_x, min((c + 1) << sub_x, width)
        total, area = 0, (y1 - y0) * (x1 - x0)
        for yy in range(y0, y1):
            for xx in range(x0, x1):
                code = y[yy * y_step + xx]
                total += int(code)
                out_y[yy * out_y_step + xx] = _mixed(
                    _luma(luma_rows, slot, code),
                    _luma(back_luma_rows, back_slot, code),
                    np.int32(weight_of[yy * mask_step + xx]),
                )
        mean = (total + (area >> 1)) // area
        n, t, w = _at(lower, mean), _at(sixteenths, mean), weights[c]
        out_1[r * out_1_step + c] = _mixed(
            _chroma(chroma_rows, slot, 1, n, t), _chroma(back_chroma_rows, back_slot, 1, n, t), w
        )
        out_2[r * out_2_step + c] = _mixed(
            _chroma(chroma_rows, slot, 2, n, t), _chroma(back_chroma_rows, back_slot, 2, n, t), w
        )
