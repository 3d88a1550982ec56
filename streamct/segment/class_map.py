"""Class maps as mattes: pictures that number things (0 background, 1, 2, ... classes) instead of weighing a foreground.

Data sets and networks write them: Pascal VOC and DAVIS as indexed pictures whose colours stand for numbers, many tools
as grey ones whose codes are the numbers, nearly black to the eye. By their luma they would be faint mattes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamct.segment import Mask

_MOST_COLOURS = 64
_COLOURED = 24
"""Difference between the channels of a colour, in codes, from which it is no grey."""
_THINNED = 4
_LAST_CLASS = 40
"""Codes of grey class maps go from 0 to here: 20 in Pascal VOC, 33 in Cityscapes."""
_FLAT_SHARE = 0.75
_BORDER_COLOUR = (224, 224, 192)
"""Of number 255 in Pascal VOC, which outlines what is hard to tell."""
_BORDER, _HALF = 255, 128


@dataclass(frozen=True, slots=True)
class ClassMap:
    """A class map as a matte. weights: (h, w) 255 for every class but background, 128 on the border between them.
    classes: how many there are in it. border: whether it has one."""

    weights: Mask
    classes: int
    border: bool

    @property
    def told(self) -> str:
        """What the user should know of it."""
        border = ", its border counts half" if self.border else ""
        several = "class" if self.classes == 1 else "classes"
        return f"is a class map ({self.classes} {several}): all but background is foreground{border}"


def coloured_map(rgb: NDArray[np.float32]) -> ClassMap | None:
    """The class map that a picture (h, w, 3) of few colours, 0..1, is; None for anything else. Black is background,
    the cream of Pascal VOC's border is one beside other classes."""
    thin = rgb[::_THINNED, ::_THINNED]
    if not (thin.max(axis=-1) - thin.min(axis=-1) >= _COLOURED / 255).any():
        return None
    codes = np.rint(np.clip(rgb, 0, 1) * 255).astype(np.int32)
    packed = codes[..., 0] << 16 | codes[..., 1] << 8 | codes[..., 2]
    colours = np.unique(packed)
    if len(colours) > _MOST_COLOURS:
        return None
    red, green, blue = _BORDER_COLOUR
    border = red << 16 | green << 8 | blue
    classes = [colour for colour in colours.tolist() if colour not in (0, border)]
    if not classes:
        classes = [border]
    bordered = border in colours and border not in classes
    weights = np.where(packed == 0, 0, 255).astype(np.uint8)
    if bordered:
        weights[packed == border] = _HALF
    return ClassMap(weights, len(classes), bordered)


def is_grey_map(luma: NDArray[np.uint8]) -> bool:
    """Whether a grey picture (h, w) is a class map: 0, flat areas of small codes, and no other but 255, its border."""
    counts = np.bincount(luma.reshape(-1), minlength=256)
    small = int(counts[1 : _LAST_CLASS + 1].sum())
    if not counts[0] or not small or counts[_LAST_CLASS + 1 : _BORDER].any() or counts[_BORDER] >= small:
        return False
    held = (luma[:, :-1] > 0) & (luma[:, :-1] <= _LAST_CLASS)
    flat = int((held & (luma[:, :-1] == luma[:, 1:])).sum())
    return flat >= _FLAT_SHARE * small


def grey_map(luma: NDArray[np.uint8]) -> ClassMap:
    """The class map that a picture (h, w) is known to be: its codes are numbers, 255 is the border."""
    numbers = np.unique(luma).tolist()
    weights = np.where(luma == 0, 0, 255).astype(np.uint8)
    weights[luma == _BORDER] = _HALF
    return ClassMap(weights, len([n for n in numbers if 0 < n < _BORDER]), _BORDER in numbers)
