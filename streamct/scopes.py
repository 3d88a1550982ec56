"""Scopes of pictures: RGB parade and vectorscope, as drawn pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamct.lettering import text_width, write

BACK = (16, 16, 16)
_LINE = (62, 62, 62)
_LABEL = (150, 150, 150)
_TRACES = ((255, 84, 72), (84, 232, 100), (96, 140, 255))
_LABEL_HEIGHT = 7
_BRIGHTNESS = 0.45
_LUMA = np.array([0.2126, 0.7152, 0.0722])
_SKIN = 123.0
"""Degrees, counted from +Cb towards +Cr, of the line on which skin of any lightness lies."""


def parade(pictures: Sequence[NDArray[np.floating]], width: int, height: int) -> NDArray[np.uint8]:
    """R', G' and B' side by side: position across, value up, over all pictures (h, w, 3), 0..1 nominal."""
    canvas = np.full((height, width, 3), BACK, np.uint8)
    side = text_width("100", _LABEL_HEIGHT) + 4
    top, bottom = 5, height - 6
    for percent in (0, 25, 50, 75, 100):
        y = round(bottom - (bottom - top) * percent / 100)
        canvas[y, side:] = _LINE
        if percent % 50 == 0:
            label = str(percent)
            write(canvas, label, side - 3 - text_width(label, _LABEL_HEIGHT), y - 3, _LABEL_HEIGHT, _LABEL)
    room = (width - side - 2) // 3
    for channel, colour in enumerate(_TRACES):
        left = side + 1 + channel * room
        counts = np.zeros((height, room - 4))
        for picture in pictures:
            columns = np.linspace(0, room - 5, picture.shape[1]).round().astype(int)
            rows = np.rint(bottom - np.clip(picture[..., channel], 0, 1) * (bottom - top)).astype(int)
            counts += _counted(rows, np.broadcast_to(columns, rows.shape), counts.shape)
        _expose(canvas[:, left : left + room - 4], counts, np.array(colour, np.float64))
    return canvas


def vectorscope(pictures: Sequence[NDArray[np.floating]], size: int) -> NDArray[np.uint8]:
    """Cb to the right and Cr up (BT.709), each point in its own hue; boxes: 75% colour bars; line: skin."""
    canvas = np.full((size, size, 3), BACK, np.uint8)
    centre, scale = (size - 1) / 2, (size - 14) / 1.0
    y, x = np.mgrid[0:size, 0:size]
    ring = np.abs(np.hypot(x - centre, y - centre) - 0.5 * scale) < 0.6
    canvas[ring] = _LINE
    canvas[round(centre), 7:-7] = canvas[7:-7, round(centre)] = _LINE
    _skin_line(canvas, centre, 0.5 * scale)
    for name, bar in (("R", (1, 0, 0)), ("Mg", (1, 0, 1)), ("B", (0, 0, 1)), ("Cy", (0, 1, 1)), ("G", (0, 1, 0)),
                      ("Yl", (1, 1, 0))):  # fmt: skip
        cb, cr = (float(v) for v in _chroma(np.array(bar, np.float64) * 0.75))
        column, row = round(centre + cb * scale), round(centre - cr * scale)
        box = canvas[row - 3 : row + 4, column - 3 : column + 4]
        box[[0, -1]] = box[:, [0, -1]] = _LABEL
        at = column - 6 - text_width(name, _LABEL_HEIGHT) if cb > 0.1 else column + 7
        write(canvas, name, at, row - 3, _LABEL_HEIGHT, _LABEL)
    counts = np.zeros((size, size))
    for picture in pictures:
        cb, cr = np.moveaxis(_chroma(np.clip(picture, 0, 1).reshape(-1, 3).astype(np.float64)), -1, 0)
        counts += _counted(np.rint(centre - cr * scale), np.rint(centre + cb * scale), counts.shape)
    hue = np.stack([(x - centre) / scale, (centre - y) / scale], axis=-1)
    _expose(canvas, counts, _tint(hue))
    return canvas


def _counted(rows: NDArray[Any], columns: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """How many points fall on each place of a canvas (height, width)."""
    places = rows.astype(np.int64) * shape[1] + columns.astype(np.int64)
    return np.bincount(places.ravel(), minlength=shape[0] * shape[1]).reshape(shape)


def _chroma(rgb: NDArray[np.floating]) -> NDArray[np.floating]:
    """Cb and Cr, -0.5..0.5, of R'G'B' (..., 3)."""
    luma = rgb @ _LUMA
    return np.stack([(rgb[..., 2] - luma) / 1.8556, (rgb[..., 0] - luma) / 1.5748], axis=-1)


def _tint(chroma: NDArray[np.floating]) -> NDArray[np.floating]:
    """A light colour (..., 3), 0..255, of the hue of (Cb, Cr)."""
    size = np.maximum(np.hypot(chroma[..., 0], chroma[..., 1]), 1e-6)
    strength = np.minimum(size * 4, 1) * 0.3 / size
    cb, cr = chroma[..., 0] * strength, chroma[..., 1] * strength
    red, blue = 0.72 + 1.5748 * cr, 0.72 + 1.8556 * cb
    green = (0.72 - _LUMA[0] * red - _LUMA[2] * blue) / _LUMA[1]
    return np.asarray(np.clip(np.stack([red, green, blue], axis=-1), 0.15, 1) * 255)


def _expose(canvas: NDArray[np.uint8], counts: NDArray[np.floating], colour: NDArray[np.floating]) -> None:
    """Brighten canvas (h, w, 3) where points fell: the more, the brighter, and a single one still shows."""
    top = np.quantile(counts[counts > 0], 0.99) if counts.any() else 1.0
    share = np.where(counts > 0, 0.3 + 0.7 * np.minimum(counts / top, 1) ** _BRIGHTNESS, 0)[..., None]
    canvas[...] = np.rint(canvas + share * (colour - canvas)).astype(np.uint8)


def _skin_line(canvas: NDArray[np.uint8], centre: float, radius: float) -> None:
    along = np.linspace(0, radius, round(radius * 2))
    angle = np.radians(_SKIN)
    rows = np.rint(centre - along * np.sin(angle)).astype(int)
    columns = np.rint(centre + along * np.cos(angle)).astype(int)
    canvas[rows, columns] = _LINE
