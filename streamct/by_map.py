"""Pictures graded by a map file, and what its regions ask for."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from streamct.color.colormap import apply_to_srgb
from streamct.grade.lookfile import MapFile, Region
from streamct.grade.mapped import MapBaker
from streamct.segment.matte import resized
from streamct.settings import Settings


def unmasked(map: MapFile, settings: Settings, splits: bool, masked: bool) -> str | None:
    """What is amiss between a map's regions and the masks there are."""
    has = any(m.region != "whole" for shot in map.shots for m in shot.mappings)
    if has and not splits and not masked and settings.segment.segmenter == "none":
        return "has foreground and background, but there are no masks (--segmenter, --mask), so `whole` is used"
    if not has and settings.mapping.regions == "both" and (masked or settings.segment.segmenter != "none"):
        return "has no foreground of its own, so the whole frame is graded as one region"
    return None


def map_picture(rgb: NDArray[np.float32], baker: MapBaker, matte: NDArray[np.uint8] | None) -> NDArray[np.float32]:
    """A picture (h, w, 3) of sRGB values by the only shot of a map. matte: foreground weights 0..255, of any size."""
    shot = baker.map.shots[0]
    workers = os.cpu_count() or 2

    def mapped(region: Region) -> NDArray[np.float32]:
        mapping = baker.mapping(shot, region)
        return rgb if mapping is None else apply_to_srgb(mapping, rgb, workers)

    if matte is None:
        return mapped("whole")
    weight = resized(matte, rgb.shape[1], rgb.shape[0])[..., None].astype(np.float32) / 255
    front, back = mapped("foreground"), mapped("background")
    return back + weight * (front - back)
