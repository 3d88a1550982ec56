"""Real clips with their real masks: what grading foreground and background apart is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import write_clip
from numpy.typing import NDArray

from streamct.color.coding import code_to_rgb
from streamct.color.lab import srgb_to_lab
from streamct.color.proxy import proxy_size
from streamct.mapping import find_palette
from streamct.media.image import read_picture, save_png
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.model import Palette
from streamct.pipeline import grade_video
from streamct.segment.matte import read_matte, resized
from streamct.settings import Settings

FRAMES, LONG_EDGE = 8, 320
QUANTILES = (np.arange(100) + 0.5) / 100


def pictures_of(path: Path, frames: int) -> list[NDArray[np.float64]]:
    """R'G'B' of the first frames of a clip, 4:2:0 of 8 bits, chroma repeated."""
    clip = probe(path)
    out = []
    with Reader(clip) as reader:
        for frame in reader:
            height, width = frame.planes[0].shape
            chroma = [np.repeat(np.repeat(p, 2, 0), 2, 1)[:height, :width] for p in frame.planes[1:]]
            planes = np.stack([frame.planes[0], *chroma], axis=-1).astype(np.float64)
            out.append(np.clip(code_to_rgb(planes, clip.coding, 8), 0, 1))
            if len(out) == frames:
                break
    return out


def apart(lab: NDArray[np.float64], palette: Palette) -> float:
    """Sliced Wasserstein distance in a, b of pixels (n, 3) to a palette, over 16 directions."""
    total = 0.0
    order_of = np.linspace(0, np.pi, 16, endpoint=False)
    for axis in np.stack([np.cos(order_of), np.sin(order_of)], axis=-1):
        places = palette.colours[:, 1:] @ axis
        order = np.argsort(places)
        nearest = np.searchsorted(np.cumsum(palette.weights[order]), QUANTILES)
        own = np.quantile(lab[:, 1:] @ axis, QUANTILES)
        total += float(np.abs(own - places[order][np.minimum(nearest, len(order) - 1)]).mean())
    return total / 16


@pytest.mark.parametrize("reference", ["voc-2011_000003", "voc-2011_000006"])
@pytest.mark.parametrize("name", ["davis-blackswan", "davis-dance-twirl"])
def test_each_part_comes_nearer_to_its_own_than_without_the_split(
    data: Path, tmp_path: Path, name: str, reference: str
) -> None:
    full = pictures_of(data / "clips" / f"{name}.mp4", FRAMES)
    width, height = (side // 2 * 2 for side in proxy_size(full[0].shape[1], full[0].shape[0], LONG_EDGE))
    small = [small_picture(picture, width, height) for picture in full]
    clip = write_clip(tmp_path / "in.mkv", small, codec="ffv1")
    (tmp_path / "masks").mkdir()
    masks = []
    for file in sorted((data / "masks" / name).iterdir())[:FRAMES]:
        masks.append(resized(read_matte(file)[0], width, height))
        save_png(tmp_path / "masks" / file.name, np.repeat(masks[-1][..., None], 3, axis=2))
    classes = read_picture(data / "masks" / "refs-voc" / f"{reference}.png").rgb
    save_png(tmp_path / "part.png", np.repeat(np.uint8(255) * (classes.max(axis=-1, keepdims=True) > 0), 3, axis=2))
    picture = data / "refs" / f"{reference}.jpg"
    sides = find_palette(picture, mask=tmp_path / "part.png").palettes.split
    assert sides is not None
    # Without a limit of reach, which would leave far colours where they are.
    settings = Settings().updated(output__codec="ffv1", mapping__reach=500.0)
    grade_video(clip, picture, tmp_path / "whole.mkv", settings)
    grade_video(
        clip, picture, tmp_path / "apart.mkv", settings, mask=tmp_path / "masks", ref_mask=tmp_path / "part.png"
    )
    whole, split = (pictures_of(tmp_path / f"{kind}.mkv", FRAMES) for kind in ("whole", "apart"))
    for side, palette in enumerate(sides):
        inside = [(mask > 127) == (side == 0) for mask in masks]

        def mean_distance(pictures: list[Any], inside: Any = inside, palette: Palette = palette) -> float:
            pairs = zip(pictures, inside, strict=True)
            return float(np.mean([apart(srgb_to_lab(picture[where]), palette) for picture, where in pairs]))

        before = mean_distance([picture / 255 for picture in small])
        assert mean_distance(split) <= mean_distance(whole)
        assert mean_distance(split) < before


def small_picture(rgb: NDArray[np.float64], width: int, height: int) -> NDArray[np.uint8]:
    """`rgb` (h, w, 3), 0..1, as codes at another size."""
    from streamct.color.proxy import picture_proxy_rgb

    return np.rint(picture_proxy_rgb(rgb.astype(np.float32), width, height) * 255).astype(np.uint8)
