"""A picture's grade: its palettes against the reference's, mapped without a Lut."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from streamct.color.colormap import ColorMap, apply_to_srgb, color_map
from streamct.color.correspondence import correspond
from streamct.grade.regions import Palettes
from streamct.model import Palette
from streamct.run import picture_look
from streamct.segment.matte import resized
from streamct.settings import Settings


def grade_array(
    rgb: NDArray[np.float32], reference: Palettes, settings: Settings, matte: NDArray[np.uint8] | None
) -> NDArray[np.float32]:
    """The picture (h, w, 3) of sRGB values, graded. matte: foreground weights 0..255 of any size, or None."""
    source = picture_look(rgb, settings, matte)[0]
    workers = os.cpu_count() or 2

    def mapped(own: Palette, other: Palette) -> NDArray[np.float32]:
        return apply_to_srgb(map_of(own, other, settings), rgb, workers)

    regions = settings.mapping.regions
    if reference.split is None or matte is None or (source.split is None and regions == "both"):
        return mapped(source.whole, reference.whole)
    weight = resized(matte, rgb.shape[1], rgb.shape[0])[..., None].astype(np.float32) / 255
    own = source.split or (source.whole, source.whole)
    front = mapped(own[0], reference.split[0]) if regions != "bg" else rgb
    back = mapped(own[1], reference.split[1]) if regions != "fg" else rgb
    return back + weight * (front - back)


def map_of(source: Palette, reference: Palette, settings: Settings) -> ColorMap:
    """What takes one palette to the other."""
    return color_map(correspond(source, reference, settings.mapping), settings.mapping)
