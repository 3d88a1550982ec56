"""Constant black borders (letterbox, pillarbox), found on the planes of a frame.

They stay out of the histograms and pass through untouched: counted, they move the picture; mapped, they turn
navy. A line belongs to the border if all of it is black but for coding noise. A wholly black frame tells
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from streamct.color.apply import Content
from streamct.color.coding import black_code
from streamct.model import Coding, PixelFormat, Plane

_MEAN_ABOVE = 3.0
"""How far the mean of a border line may lie above black, in 8-bit code units."""
_BRIGHT_ABOVE, _BRIGHT_SHARE = 10, 0.015
"""At most this share of a border line lies farther above black: compression rings into the bars."""


def find_content(planes: tuple[Plane, ...], layout: PixelFormat, coding: Coding) -> Content | None:
    """The picture inside the black border of a frame; None if the whole frame is black."""
    scale = 1 << (layout.depth - 8)
    black = black_code(coding, layout.depth)
    if coding.matrix == "rgb":
        return _inner(planes[:3], [float(code) for code in black], scale)
    return _inner(planes[:1], [float(black[0])], scale)


def find_picture_content(rgb: NDArray[np.float32]) -> Content | None:
    """The same for a picture (h, w, 3) of sRGB values, 0..1 nominal."""
    return _inner([rgb[..., c] for c in range(3)], [0.0] * 3, 1 / 255)


def _inner(planes: Iterable[NDArray[np.generic]], blacks: list[float], scale: float) -> Content | None:
    tests = [(plane, black) for plane, black in zip(planes, blacks, strict=True)]

    def black_line(lines: list[NDArray[np.generic]]) -> bool:
        return all(
            float(line.mean()) <= black + _MEAN_ABOVE * scale
            and np.count_nonzero(np.greater(line, black + _BRIGHT_ABOVE * scale)) <= _BRIGHT_SHARE * line.size
            for line, (_, black) in zip(lines, tests, strict=True)
        )

    height, width = tests[0][0].shape
    rows = [plane for plane, _ in tests]
    top = 0
    while top < height and black_line([plane[top] for plane in rows]):
        top += 1
    if top == height:
        return None
    bottom = height
    while black_line([plane[bottom - 1] for plane in rows]):
        bottom -= 1
    columns = [plane[top:bottom] for plane in rows]
    left = 0
    while black_line([plane[:, left] for plane in columns]):
        left += 1
        if left == width:
            return None
    right = width
    while black_line([plane[:, right - 1] for plane in columns]):
        right -= 1
    return Content(top, bottom, left, right)


def union(contents: Iterable[Content | None]) -> Content | None:
    """The smallest picture area that holds all of those known; None if none is."""
    known = [content for content in contents if content is not None]
    if not known:
        return None
    return Content(
        min(c.top for c in known),
        max(c.bottom for c in known),
        min(c.left for c in known),
        max(c.right for c in known),
    )
