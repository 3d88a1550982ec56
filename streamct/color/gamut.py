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

EASE = {"pq": 0.15, "hlg": 0.3}
"""The share for `ease`. As measured: with more, drawn colours turn faster than nodes lie close; less changes little."""


@inlined
def _grey(r: float, g: float, b: float) -> float:
    luma = min(max(0.2126 * r + 0.7152 * g + 0.0722 * b, 0.0), 1.0)
    return luma + _PULL * (0.5 - luma)


@inlined
def _way(value: float, grey: float) -> float:
    """1 on the border, 0 at the grey."""
    return (value - grey) / (1.0 - grey) if value > grey else (grey - value) / grey


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
    for i in range(mapped.shape[0]):
        r, g, b = mapped[i, 0], mapped[i, 1], mapped[i, 2]
        grey = _grey(r, g, b)
        reached = max(_way(r, grey), max(_way(g, grey), _way(b, grey)))
        if reached <= _START:
            continue
        sr, sg, sb = float(source[i, 0]), float(source[i, 1]), float(source[i, 2])
        start = _grey(sr, sg, sb)
        own = max(_way(sr, start), max(_way(sg, start), _way(sb, start)))
        limit = _END + max(own - _END, 0.0) * exp_negative(-max(reached - own, 0.0) / _RELEASE)
        kept = min(max(own, _START), limit)
        if reached <= kept:
            continue
        room = limit - kept
        drawn = limit if room < 1e-9 else kept + room * (1.0 - exp_negative((kept - reached) / room))
        scale = drawn / reached
        mapped[i, 0] = grey + (r - grey) * scale
        mapped[i, 1] = grey + (g - grey) * scale
        mapped[i, 2] = grey + (b - grey) * scale
