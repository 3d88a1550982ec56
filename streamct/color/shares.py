"""The mask under the chroma samples of a line: which Lut they need, and the spans that need the same."""

from __future__ import annotations

from streamct.color.jit import kernel

FRONT, BACK, BOTH = 0, 1, 2


@kernel
def block_shares(mask, step, y0, y1, width, sub_x, sides, weights):  # type: ignore[no-untyped-def]
    """For each chroma sample of a line: which Luts the block of mask samples under it asks for, and its mean.

    mask: uint8 as one line, `step` its rows' distance; y0, y1: the block's rows. sides (n,) uint8, weights (n,)
    int32, the rounded mean: filled.
    """
    top = mask[y0 * step : y0 * step + width]
    bottom = mask[(y1 - 1) * step : (y1 - 1) * step + width]
    first = 0
    if sub_x == 1 and y1 - y0 == 2:
        first = width >> 1
        for c in range(first):
            total = (int(top[2 * c]) + int(top[2 * c + 1])) + (int(bottom[2 * c]) + int(bottom[2 * c + 1]))
            weights[c] = (total + 2) >> 2
            sides[c] = FRONT if total == 1020 else (BACK if total == 0 else BOTH)
    for c in range(first, sides.shape[0]):
        x0, x1 = c << sub_x, min((c + 1) << sub_x, width)
        area = (y1 - y0) * (x1 - x0)
        total = 0
        for y in range(y0, y1):
            for x in range(x0, x1):
                total += int(mask[y * step + x])
        weights[c] = (total + (area >> 1)) // area
        sides[c] = FRONT if total == 255 * area else (BACK if total == 0 else BOTH)


@kernel
def span_end(sides, start):  # type: ignore[no-untyped-def]
    """The first place after `start` whose side is another."""
    side = sides[start]
    stop = start + 1
    while stop < sides.shape[0] and sides[stop] == side:
        stop += 1
    return stop
