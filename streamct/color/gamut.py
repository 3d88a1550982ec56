"""Mapped colours back into the R'G'B' gamut.

`clip` cuts each channel, which turns the hue and draws an edge where a gradient leaves the gamut. `compress` moves a
colour along the line to a grey of about its own lightness, and begins before the border, so gradients stay
gradients. Both leave alone what the map leaves alone: a source colour outside the gamut may stay as far outside.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamct.color.jit import inlined, kernel
from streamct.color.scalar import exp_negative
from streamct.model import FloatArray

_PULL = 0.5
"""How far the grey that a colour is drawn to lies on the way from its own luma to middle grey."""
_START = 0.8
"""Colours within this part of the way from that grey to the border are never touched."""
_END = 0.99
"""The part of the way that even the most distant colour does not pass: an 8-bit code short of the border."""
_RELEASE = 0.1
"""An outside colour that is pushed farther out, by this much in parts of the way, loses most of its licence."""

_BLOCK = 256

EASE = {"pq": 0.15, "hlg": 0.3}
"""The share for `ease`. As measured: with more, drawn colours turn faster than nodes lie close; less changes little."""


@inlined
def _grey(r: float, g: float, b: float) -> float:
    luma = min(max(0.2126 * r + 0.7152 * g + 0.0722 * b, 0.0), 1.0)
    return luma + _PULL * (0.5 - luma)


@inlined
def _reached(r: float, g: float, b: float, grey: float) -> float:
    """How far the channel that lies nearest to the border, or beyond it, is on its way there from the grey: 1 on it."""
    up, down = 1.0 / (1.0 - grey), 1.0 / grey
    highest, lowest = max(r, max(g, b)), min(r, min(g, b))
    return max((highest - grey) * up, (grey - lowest) * down)


@kernel
def clip(mapped: FloatArray, source: NDArray[np.floating]) -> None:
    """Cut each channel of mapped (n, 3), in place, at 0 and 1, or where source (n, 3) already lay beyond."""
    for i in range(mapped.shape[0]):
        for c in range(3):
            own = float(source[i, c])
            mapped[i, c] = min(max(mapped[i, c], min(own, 0.0)), max(own, 1.0))


@kernel
def ease(mapped: FloatArray, source: NDArray[np.floating], share: float) -> None:
    """Leave of what a map takes below 0, in place, only a share. For PQ and HLG, whose curves are vertical at black: a
    trace of negative light is a large negative signal, which would draw the other channels along."""
    for i in range(mapped.shape[0]):
        for c in range(3):
            border = min(float(source[i, c]), 0.0)
            excess = mapped[i, c] - border
            mapped[i, c] = border + share * excess if excess < 0.0 else mapped[i, c]


@kernel
def compress(mapped: FloatArray, source: NDArray[np.floating]) -> None:
    """Draw what leaves the gamut of mapped (n, 3), in place, towards grey; source (n, 3): before the map."""
    now, own = np.empty((3, _BLOCK)), np.empty((3, _BLOCK))
    greys, scales = np.empty(_BLOCK), np.empty(_BLOCK)
    for first in range(0, mapped.shape[0], _BLOCK):
        n = min(_BLOCK, mapped.shape[0] - first)
        for i in range(n):
            for c in range(3):
                now[c, i] = mapped[first + i, c]
                own[c, i] = float(source[first + i, c])
        for i in range(n):
            r, g, b = now[0, i], now[1, i], now[2, i]
            grey = _grey(r, g, b)
            reached = _reached(r, g, b, grey)
            sr, sg, sb = own[0, i], own[1, i], own[2, i]
            before = _reached(sr, sg, sb, _grey(sr, sg, sb))
            limit = _END + max(before - _END, 0.0) * exp_negative(-max(reached - before, 0.0) / _RELEASE)
            kept = min(max(before, _START), limit)
            beyond = max(reached - kept, 0.0)
            room = max(limit - kept, 1e-9)
            drawn = kept + room * (1.0 - exp_negative(-beyond / room))
            greys[i] = grey
            scales[i] = drawn / reached if beyond > 0.0 else 1.0
        for i in range(n):
            scale, grey = scales[i], greys[i]
            if scale != 1.0:
                for c in range(3):
                    mapped[first + i, c] = grey + (now[c, i] - grey) * scale
