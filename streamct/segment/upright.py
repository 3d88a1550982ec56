"""How a clip is shown: turned as its file says, with pixels of its shape; and masks that do not fit what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamct.model import Clip

_FIT = 0.02
"""Of an aspect ratio: how far a mask's may be off, which covers sizes rounded to whole samples."""


def quarter_turns(matrix: tuple[int, ...] | None) -> int:
    """Quarter turns, anticlockwise, that show a clip upright, by its display matrix (ISO/IEC 14496-12, 6.2.2)."""
    if matrix is None:
        return 0
    turns = {(1, 0): 0, (0, 1): 3, (-1, 0): 2, (0, -1): 1}
    a, b = matrix[0], matrix[1]
    return turns[(0, _sign(b)) if abs(b) > abs(a) else (_sign(a), 0)] if (a or b) else 0


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)


def as_shown(mask: NDArray[np.uint8], matrix: tuple[int, ...] | None) -> NDArray[np.uint8]:
    """A mask (h, w) of the stored picture, turned and mirrored as a display matrix says."""
    rows = mask[::-1] if _is_mirrored(matrix) else mask
    return np.ascontiguousarray(np.rot90(rows, quarter_turns(matrix)))


def as_stored(mask: NDArray[np.uint8], matrix: tuple[int, ...] | None) -> NDArray[np.uint8]:
    """The inverse of `as_shown`."""
    rows = np.rot90(mask, -quarter_turns(matrix))
    return np.ascontiguousarray(rows[::-1] if _is_mirrored(matrix) else rows)


def _is_mirrored(matrix: tuple[int, ...] | None) -> bool:
    """Whether it turns left into right: its linear part (a, b; c, d) has a negative determinant."""
    return matrix is not None and matrix[0] * matrix[4] < matrix[1] * matrix[3]


def stretched_over_clip(path: Path, mask: tuple[int, int], clip: Clip) -> str:
    """`stretched` for a clip: with its own samples, or with square ones of what is shown."""
    height = float(clip.height)
    sizes = [(float(clip.width), height), (clip.width * float(clip.sample_aspect or 1), height)]
    if quarter_turns(clip.display_matrix) % 2:
        sizes = [size[::-1] for size in sizes]
    line = stretched(path, mask, sizes)
    stored = mask[0] * clip.height - mask[1] * clip.width
    if line and abs(stored) <= _FIT * mask[0] * clip.height:
        line += " It fits the picture as it is stored: turn it as the clip is turned."
    return line


def stretched(path: Path, mask: tuple[int, int], sizes: Sequence[tuple[float, float]]) -> str:
    """A warning where a mask (width, height) has the aspect of none of `sizes`; empty where it has."""
    columns, rows = mask
    for width, height in sizes:
        wanted = rows * width / height
        if abs(columns - wanted) <= max(_FIT * wanted, 1):
            return ""
    width, height = sizes[-1]
    return (
        f"{path}: is {columns}x{rows}, but the picture is shown as {width:.0f}x{height:.0f}; it is stretched to fit. "
        "Masks are taken as the picture is shown, upright."
    )
