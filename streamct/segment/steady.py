"""Masks of neighbouring frames added up to a steady one, in integers.

A pixel counts the masks of frames in which it looked alike: noise is averaged out, while a thing that moves
keeps its edge instead of a trail.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamct.color.jit import kernel
from streamct.segment import Mask

_HALF = 48
"""Difference of a pixel, in codes summed over R, G and B, at which it counts half."""
_CERTAIN = 64
"""Weights this near to 0 or 255 become so. A network's edges are some proxy pixels wide, because it works at a
sixteenth of its input's size: doubling their slope halves the error on masks of that kind."""


def _likeness() -> NDArray[np.int64]:
    """Weight 1..256 by difference 0..765: flat over noise, steep at an edge, never nothing."""
    difference = np.arange(3 * 255 + 1, dtype=np.int64)
    return 255 * _HALF**4 // (_HALF**4 + difference**4) + 1


def _firm() -> NDArray[np.uint8]:
    codes = np.arange(256, dtype=np.int64)
    span = 255 - 2 * _CERTAIN
    return np.clip((2 * 255 * (codes - _CERTAIN) + span) // (2 * span), 0, 255).astype(np.uint8)


_LIKENESS, _FIRM = _likeness(), _firm()


@kernel
def _add(now, proxy, mask, weight, likeness, sums, totals) -> None:  # type: ignore[no-untyped-def]
    height, width = mask.shape
    for y in range(height):
        for x in range(width):
            difference = np.int64(0)
            for c in range(3):
                difference += abs(np.int64(now[y, x, c]) - np.int64(proxy[y, x, c]))
            counts = weight * likeness[difference]
            sums[y, x] += counts * np.int64(mask[y, x])
            totals[y, x] += counts


def steadied(
    now: NDArray[np.uint8], proxies: Sequence[NDArray[np.uint8]], masks: Sequence[Mask], weights: Sequence[int]
) -> Mask:
    """The mask of the proxy `now` (h, w, 3) from at least one mask (h, w) of its neighbours.

    proxies: the pictures that the masks belong to. weights: > 0, what each mask counts.

    Returns: (h, w), the weighted mean, rounded, over masks and likeness of colour.
    """
    sums = np.zeros(now.shape[:2], np.int64)
    totals = np.zeros(now.shape[:2], np.int64)
    for proxy, mask, weight in zip(proxies, masks, weights, strict=True):
        _add(now, proxy, mask, weight, _LIKENESS, sums, totals)
    return ((2 * sums + totals) // (2 * totals)).astype(np.uint8)


def firmed(mask: Mask) -> Mask:
    """`mask` with nearly certain weights made certain, the rest stretched between them."""
    return _FIRM[mask]
