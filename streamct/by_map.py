"""Clips and pictures graded by a map file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamct.color.colormap import apply_to_srgb
from streamct.color.lut import LutGrid
from streamct.grade.lookfile import MapFile, Region
from streamct.grade.mapped import MapBaker, Mapped
from streamct.grade.mattes import Mattes, Segmented
from streamct.grade.sample import Sampler
from streamct.media.output import OutputPlan
from streamct.media.pipes import StandardOutput
from streamct.media.source import Source
from streamct.model import Frame
from streamct.run import Teller
from streamct.segment.matte import resized
from streamct.settings import Settings
from streamct.tracks import small_size
from streamct.transcode import Fill, transcode


def unmasked(map: MapFile, settings: Settings, splits: bool, masked: bool) -> str | None:
    """What is amiss between a map's regions and the masks there are."""
    has = any(m.region != "whole" for shot in map.shots for m in shot.mappings)
    if has and not splits and not masked and settings.segment.segmenter == "none":
        return "has foreground and background, but there are no masks (--segmenter, --mask), so `whole` is used"
    if not has and (masked or settings.segment.segmenter != "none"):
        return "has no foreground of its own, so the whole frame is graded as one region"
    return None


def render_mapped(
    source: Source,
    plan: OutputPlan,
    temporary: Path | StandardOutput,
    path: Path,
    baker: MapBaker,
    mattes: Mattes,
    settings: Settings,
    fill: Fill,
    say: Teller,
    tolerate: bool,
) -> int:
    """Render a clip by a map; returns the frames. Only a network needs to look at them.

    Raises:
        LookFileError: the map is of another clip. And what `transcode` raises.
    """
    clip = source.clip
    grid = LutGrid(clip.coding, clip.format.depth)
    looks = isinstance(mattes, Segmented)
    sampler = Sampler(clip.format, clip.coding, settings.palette, small_size(clip, mattes, settings))
    sample: Callable[[Frame], Any] = sampler.look if looks else lambda frame: frame.index
    grading = Mapped(path, baker, grid, (clip.width, clip.height), mattes if looks else None)
    return transcode(source, plan, temporary, sample, grading, fill, settings, say, tolerate)


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
