"""Luts on planes of 9 to 12 bits: each block of samples interpolates at the nodes it needs.

In integers, like the kernels for 8 bits; see `streamct.color.apply`.
"""

from __future__ import annotations

from streamct.color.jit import inlined, kernel
from streamct.color.lut import CHROMA_STEP


@inlined
def _interpolated(table, i, j, w00, w01, w10, w11, p, n, part, extent):  # type: ignore[no-untyped-def]
    """Trilinear value at plane-1 cell i, plane-2 cell j, plane-0 cell n, in fixed point times 2^16."""
    low = w00 * table[i, j, p, n] + w01 * table[i, j + 1, p, n]
    low += w10 * table[i + 1, j, p, n] + w11 * table[i + 1, j + 1, p, n]
    n += 1
    high = w00 * table[i, j, p, n] + w01 * table[i, j + 1, p, n]
    high += w10 * table[i + 1, j, p, n] + w11 * table[i + 1, j + 1, p, n]
    return (low << 8) + (((high - low) * part) << 8) // extent


@kernel
def apply_deep(  # type: ignore[no-untyped-def]
    planes, outs, tables, mask, split, sizes, sub_x, sub_y, depth, lower, part, extent
):
    """Grade a frame. planes, outs, mask: (samples as one line, distance of rows) each; sizes: rows and columns of
    plane 0, then of planes 1 and 2; lower, part, extent: where each code of plane 0 lies between the nodes."""
    (y, y_step), (c1, c1_step), (c2, c2_step) = planes
    (out_y, out_y_step), (out_1, out_1_step), (out_2, out_2_step) = outs
    weight_of, mask_step = mask
    table_f, table_b = tables
    height, width, rows, columns = sizes
    top = (1 << depth) - 1
    step = CHROMA_STEP << (depth - 8)
    spare = 4 - (depth - 8)  # chroma weights have 2 (2 + depth - 8) bits; brought to 12
    shift = 6 + 12 + 8 - (depth - 8)
    half, most = 1 << (shift - 1), top << shift
    for r in range(rows):
        y0, y1 = r << sub_y, min((r + 1) << sub_y, height)
        for c in range(columns):
            u, v = min(int(c1[r * c1_step + c]), top), min(int(c2[r * c2_step + c]), top)
            x0, x1 = c << sub_x, min((c + 1) << sub_x, width)
            luma, weight = 0, 0
            area = (y1 - y0) * (x1 - x0)
            for yy in range(y0, y1):
                for xx in range(x0, x1):
                    luma += min(int(y[yy * y_step + xx]), top)
                    if split:
                        weight += weight_of[yy * mask_step + xx]
            mean = (luma + (area >> 1)) // area
            weight = (weight + (area >> 1)) // area if split else 255
            i, j = u // step, v // step
            u = (u - i * step) << spare
            v = (v - j * step) << spare
            one = step << spare
            w00, w01, w10, w11 = (one - u) * (one - v), (one - u) * v, u * (one - v), u * v
            for p in range(3):
                for k in range(area if p == 0 else 1):
                    yy, xx = y0 + k // (x1 - x0), x0 + k % (x1 - x0)
                    code = min(int(y[yy * y_step + xx]), top) if p == 0 else mean
                    w = weight
                    if split and p == 0:
                        w = int(weight_of[yy * mask_step + xx])
                    n, d, e = lower[code], part[code], extent[code]
                    value = 0
                    if w > 0:
                        value = _interpolated(table_f, i, j, w00, w01, w10, w11, p, n, d, e)
                    if w < 255:
                        back = _interpolated(table_b, i, j, w00, w01, w10, w11, p, n, d, e)
                        value, back = min(max(value, 0), most), min(max(back, 0), most)
                        value = (value * w + back * (255 - w) + 127) // 255
                    code = min(max((value + half) >> shift, 0), top)
                    if p == 0:
                        out_y[yy * out_y_step + xx] = code
                    elif p == 1:
                        out_1[r * out_1_step + c] = code
                    else:
                        out_2[r * out_2_step + c] = code
