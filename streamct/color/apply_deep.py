"""Luts on planes of 9 to 12 bits.

In integers and by rows, like the kernels for 8 bits (`streamct.color.apply`). But deep formats have up to 16
million pairs of chroma codes, and a frame of film grain uses a good part of them. So rows are held in a cache
indexed by the lower bits of the pair; what was there before is overwritten. What a row holds depends on its pair
and the Lut alone, so the rows that are found there decide how fast a frame is, not how it looks.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from streamct.color.jit import inlined, kernel
from streamct.color.lut import CHROMA_CELLS, CHROMA_NODES, CHROMA_SCALES, LUMA_NODES, LUMA_STEPS
from streamct.color.shares import BACK, BOTH, block_shares, span_end

_NODES = len(LUMA_NODES)
_CHROMA = len(CHROMA_NODES)
_CELL = LUMA_STEPS[0][0]
_CELL_BITS = _CELL.bit_length() - 1
_CELLS = 256 // _CELL
_STEPS = tuple((step // _CELL, (step // _CELL).bit_length() - 1, stop // _CELL) for step, stop in LUMA_STEPS)
_ROW = _CELLS + 1 + 2 * _NODES
"""A row: plane 0 every 4 code units of 8 bits, then planes 1 and 2 at the luma nodes."""

_EXTRA = 5
_SHIFT = 6 + _EXTRA
"""Rows hold fixed point with 11 bits below a code unit of 8 bits: 7 below a code of 12."""

_INDEX_BITS = 6
_BLEND_BITS = 6


class Cache:
    """Rows of one Lut. tags: the pair of chroma codes whose row a place holds, -1 none."""

    def __init__(self) -> None:
        self.tags = np.empty(1 << 2 * _INDEX_BITS, np.int32)
        self.rows = np.empty(len(self.tags) * _ROW, np.int32)


@cache
def _nodes_of(depth: int) -> NDArray[np.int32]:
    """For each code of plane 0: 65,536 times its lower node, plus its distance from that in 2^(4 - depth) of the
    distance to the next."""
    codes = np.arange(1 << depth)
    nodes = LUMA_NODES << (depth - 8)
    lower = np.searchsorted(nodes, codes, side="right") - 1
    part = ((codes - nodes[lower]) << (depth - 4)) // np.diff(nodes)[lower]
    return ((lower << 16) + part).astype(np.int32)


def apply_deep(planes, outs, tables, mask, split, sizes, sub_x, sub_y, depth, caches):  # type: ignore[no-untyped-def]
    """Grade a frame. planes, outs, mask: (samples as one line, distance of rows) each; sizes: rows and columns of
    plane 0, then of planes 1 and 2."""
    for held in caches:
        held.tags.fill(-1)
    front, back = caches
    table_f, table_b = (table.reshape(-1) for table in tables)
    sides = (table_f, front.tags, front.rows), (table_b, back.tags, back.rows)
    _apply(planes, outs, sides, mask, split, sizes, sub_x, sub_y, depth, _nodes_of(depth))


@inlined
def _at(array, index):  # type: ignore[no-untyped-def]
    """array[index], index known not to be negative."""
    return array[np.uint64(index)]


@kernel
def _make_row(table, u, v, depth, scratch, rows, base):  # type: ignore[no-untyped-def]
    """The Lut at a pair of chroma codes."""
    bits = depth - 6
    one = 1 << bits
    i, j = np.int64(CHROMA_CELLS[u >> (depth - 8)]), np.int64(CHROMA_CELLS[v >> (depth - 8)])
    u_scale, v_scale = CHROMA_SCALES[u >> (depth - 8)], CHROMA_SCALES[v >> (depth - 8)]
    u, v = (u - (CHROMA_NODES[i] << (depth - 8))) * u_scale, (v - (CHROMA_NODES[j] << (depth - 8))) * v_scale
    shift = 2 * bits - _EXTRA
    half = np.int32((1 << shift) >> 1)
    shift = np.int32(shift)
    w00, w01 = np.int32((one - u) * (one - v)), np.int32((one - u) * v)
    w10, w11 = np.int32(u * (one - v)), np.int32(u * v)
    size = 3 * _NODES
    at = (i * _CHROMA + j) * size
    below = at + _CHROMA * size
    for n in range(size):
        low = np.int32(w00 * np.int32(_at(table, at + n))) + np.int32(w01 * np.int32(_at(table, at + size + n)))
        high = np.int32(w10 * np.int32(_at(table, below + n))) + np.int32(w11 * np.int32(_at(table, below + size + n)))
        scratch[n] = np.int32(np.int32(np.int32(low) + np.int32(high)) + half) >> shift
    first = base + _CELLS + 1
    for n in range(2 * _NODES):
        rows[np.uint64(first + n)] = scratch[_NODES + n]
    cell, n = 0, 0
    for step, shift, stop in _STEPS:
        while cell < stop:
            low, rise = scratch[n], scratch[n + 1] - scratch[n]
            for k in range(step):
                rows[np.uint64(base + cell + k)] = np.int32((low << shift) + rise * k + (step >> 1)) >> shift
            cell += step
            n += 1
    rows[base + _CELLS] = scratch[n]


@inlined
def _place(c1, c2):  # type: ignore[no-untyped-def]
    """Where the row of a pair of chroma codes is held, and its tag."""
    low = (1 << _INDEX_BITS) - 1
    return (c1 & low) << _INDEX_BITS | (c2 & low), c1 << 12 | c2


@inlined
def _luma(rows, base, code, bits):  # type: ignore[no-untyped-def]
    """Plane 0 at a code, in fixed point of 13 bits below the code."""
    at = base + (code >> bits)
    low = np.int64(_at(rows, at))
    return (low << bits) + (np.int64(_at(rows, at + 1)) - low) * (code & ((1 << bits) - 1))


@inlined
def _chroma(rows, base, p, node, depth):  # type: ignore[no-untyped-def]
    """Plane p (1 or 2) at a luma node, in fixed point of 15 bits below the code."""
    at = base + (_CELLS + 1 + (p - 1) * _NODES) + (node >> 16)
    low = np.int64(_at(rows, at))
    return (low << (depth - 4)) + (np.int64(_at(rows, at + 1)) - low) * (node & 65535)


@inlined
def _code(value, bits, top):  # type: ignore[no-untyped-def]
    return np.uint16(min(max((value + (1 << bits >> 1)) >> bits, 0), top))


@inlined
def _mixed(front, back, weight, bits, top):  # type: ignore[no-untyped-def]
    """The code between two values, each clipped to the code range."""
    bits -= _BLEND_BITS
    half, most = 1 << bits >> 1, top << _BLEND_BITS
    front = min(max((front + half) >> bits, 0), most)
    back = min(max((back + half) >> bits, 0), most)
    value = np.uint32(front * weight + back * (255 - weight) + 127) // np.uint32(255)
    return np.uint16((value + (1 << _BLEND_BITS >> 1)) >> _BLEND_BITS)


_LUMA_BITS = _SHIFT + 2
_CHROMA_BITS = _SHIFT + 4


@kernel
def _apply(planes, outs, sides, mask, split, sizes, sub_x, sub_y, depth, nodes):  # type: ignore[no-untyped-def]
    height, width, rows, columns = sizes
    weight_of, mask_step = mask
    scratch = np.empty(3 * _NODES, np.int32)
    needed = np.zeros(columns, np.uint8)
    weights = np.empty(columns, np.int32)
    for r in range(rows):
        lines = (r << sub_y, min((r + 1) << sub_y, height))
        if split:
            block_shares(weight_of, mask_step, lines[0], lines[1], width, sub_x, needed, weights)
        start = 0
        while start < columns:
            stop = span_end(needed, start) if split else columns
            span = (start, stop, r, lines[0], lines[1], width)
            if needed[start] == BOTH:
                _blend(planes, outs, sides, mask, weights, span, sub_x, depth, nodes, scratch)
            elif needed[start] == BACK:
                _grade(planes, outs, sides[1], span, sub_x, depth, nodes, scratch)
            else:
                _grade(planes, outs, sides[0], span, sub_x, depth, nodes, scratch)
            start = stop


@kernel
def _grade(planes, outs, side, span, sub_x, depth, nodes, scratch):  # type: ignore[no-untyped-def]
    """Blocks of a span through one Lut."""
    (y, y_step), (c1, c1_step), (c2, c2_step) = planes
    (out_y, out_y_step), (out_1, out_1_step), (out_2, out_2_step) = outs
    start, stop, r, y0, y1, width = span
    table, tags, rows = side
    top, bits = (1 << depth) - 1, depth - 6
    if sub_x == 1 and y1 - y0 == 2:
        # Lines that begin at the span: indices from 0 on cost no check for negative ones.
        line_1, line_2 = c1[r * c1_step + start :], c2[r * c2_step + start :]
        graded_1, graded_2 = out_1[r * out_1_step + start :], out_2[r * out_2_step + start :]
        upper, lower = y[y0 * y_step + 2 * start :], y[(y1 - 1) * y_step + 2 * start :]
        out_upper, out_lower = out_y[y0 * out_y_step + 2 * start :], out_y[(y1 - 1) * out_y_step + 2 * start :]
        count = max(min(stop, width >> 1) - start, 0)
        for c in range(count):
            u, v = min(int(line_1[c]), top), min(int(line_2[c]), top)
            place, pair = _place(u, v)
            base = place * _ROW
            if _at(tags, place) != pair:
                _make_row(table, u, v, depth, scratch, rows, base)
                tags[place] = pair
            a, b = min(int(upper[2 * c]), top), min(int(upper[2 * c + 1]), top)
            d, e = min(int(lower[2 * c]), top), min(int(lower[2 * c + 1]), top)
            out_upper[2 * c] = _code(_luma(rows, base, a, bits), _LUMA_BITS, top)
            out_upper[2 * c + 1] = _code(_luma(rows, base, b, bits), _LUMA_BITS, top)
            out_lower[2 * c] = _code(_luma(rows, base, d, bits), _LUMA_BITS, top)
            out_lower[2 * c + 1] = _code(_luma(rows, base, e, bits), _LUMA_BITS, top)
            node = int(_at(nodes, (a + b + d + e + 2) >> 2))
            graded_1[c] = _code(_chroma(rows, base, 1, node, depth), _CHROMA_BITS, top)
            graded_2[c] = _code(_chroma(rows, base, 2, node, depth), _CHROMA_BITS, top)
        start += count
    for c in range(start, stop):
        u, v = min(int(c1[r * c1_step + c]), top), min(int(c2[r * c2_step + c]), top)
        place, pair = _place(u, v)
        base = place * _ROW
        if _at(tags, place) != pair:
            _make_row(table, u, v, depth, scratch, rows, base)
            tags[place] = pair
        x0, x1 = c << sub_x, min((c + 1) << sub_x, width)
        total, area = 0, (y1 - y0) * (x1 - x0)
        for yy in range(y0, y1):
            for xx in range(x0, x1):
                code = min(int(y[yy * y_step + xx]), top)
                total += code
                out_y[yy * out_y_step + xx] = _code(_luma(rows, base, code, bits), _LUMA_BITS, top)
        node = int(_at(nodes, (total + (area >> 1)) // area))
        out_1[r * out_1_step + c] = _code(_chroma(rows, base, 1, node, depth), _CHROMA_BITS, top)
        out_2[r * out_2_step + c] = _code(_chroma(rows, base, 2, node, depth), _CHROMA_BITS, top)


@kernel
def _blend(planes, outs, sides, mask, weights, span, sub_x, depth, nodes, scratch):  # type: ignore[no-untyped-def]
    """Blocks of a span through two Luts, blended by the mask."""
    (y, y_step), (c1, c1_step), (c2, c2_step) = planes
    (out_y, out_y_step), (out_1, out_1_step), (out_2, out_2_step) = outs
    weight_of, mask_step = mask
    start, stop, r, y0, y1, width = span
    (table, tags, rows), (back_table, back_tags, back_rows) = sides
    top, bits = (1 << depth) - 1, depth - 6
    if sub_x == 1 and y1 - y0 == 2:
        line_1, line_2 = c1[r * c1_step + start :], c2[r * c2_step + start :]
        graded_1, graded_2 = out_1[r * out_1_step + start :], out_2[r * out_2_step + start :]
        upper, lower = y[y0 * y_step + 2 * start :], y[(y1 - 1) * y_step + 2 * start :]
        mask_upper, mask_lower = weight_of[y0 * mask_step + 2 * start :], weight_of[(y1 - 1) * mask_step + 2 * start :]
        out_upper, out_lower = out_y[y0 * out_y_step + 2 * start :], out_y[(y1 - 1) * out_y_step + 2 * start :]
        shares = weights[start:]
        count = max(min(stop, width >> 1) - start, 0)
        for c in range(count):
            u, v = min(int(line_1[c]), top), min(int(line_2[c]), top)
            place, pair = _place(u, v)
            base = place * _ROW
            if _at(tags, place) != pair:
                _make_row(table, u, v, depth, scratch, rows, base)
                tags[place] = pair
            if _at(back_tags, place) != pair:
                _make_row(back_table, u, v, depth, scratch, back_rows, base)
                back_tags[place] = pair
            total, w = 2, int(shares[c])
            for x in (2 * c, 2 * c + 1):
                code, other = min(int(upper[x]), top), min(int(lower[x]), top)
                total += code + other
                value, behind = _luma(rows, base, code, bits), _luma(back_rows, base, code, bits)
                out_upper[x] = _mixed(value, behind, int(mask_upper[x]), _LUMA_BITS, top)
                value, behind = _luma(rows, base, other, bits), _luma(back_rows, base, other, bits)
                out_lower[x] = _mixed(value, behind, int(mask_lower[x]), _LUMA_BITS, top)
            node = int(_at(nodes, total >> 2))
            value, behind = _chroma(rows, base, 1, node, depth), _chroma(back_rows, base, 1, node, depth)
            graded_1[c] = _mixed(value, behind, w, _CHROMA_BITS, top)
            value, behind = _chroma(rows, base, 2, node, depth), _chroma(back_rows, base, 2, node, depth)
            graded_2[c] = _mixed(value, behind, w, _CHROMA_BITS, top)
        start += count
    for c in range(start, stop):
        u, v = min(int(c1[r * c1_step + c]), top), min(int(c2[r * c2_step + c]), top)
        place, pair = _place(u, v)
        base = place * _ROW
        if _at(tags, place) != pair:
            _make_row(table, u, v, depth, scratch, rows, base)
            tags[place] = pair
        if _at(back_tags, place) != pair:
            _make_row(back_table, u, v, depth, scratch, back_rows, base)
            back_tags[place] = pair
        x0, x1 = c << sub_x, min((c + 1) << sub_x, width)
        total, area = 0, (y1 - y0) * (x1 - x0)
        for yy in range(y0, y1):
            for xx in range(x0, x1):
                code = min(int(y[yy * y_step + xx]), top)
                total += code
                out_y[yy * out_y_step + xx] = _mixed(
                    _luma(rows, base, code, bits), _luma(back_rows, base, code, bits),
                    int(weight_of[yy * mask_step + xx]), _LUMA_BITS, top,
                )  # fmt: skip
        node = int(_at(nodes, (total + (area >> 1)) // area))
        w = int(weights[c])
        for p in range(1, 3):
            value = _mixed(
                _chroma(rows, base, p, node, depth), _chroma(back_rows, base, p, node, depth), w,
                _CHROMA_BITS, top,
            )  # fmt: skip
            if p == 1:
                out_1[r * out_1_step + c] = value
            else:
                out_2[r * out_2_step + c] = value
