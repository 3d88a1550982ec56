"""What every source of mattes promises to the pass over a clip: given ones, and those of a network."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import write_clip
from networks import RedIsForeground, looks, moving_scene

from streamct.grade.mattes import Given, Mattes, Segmented
from streamct.media.image import save_png
from streamct.model import Frame, PixelFormat
from streamct.segment.matte import Matte
from streamct.segment.none import NoSegmenter

FRAMES, WIDTH, HEIGHT = 9, 40, 32
SOURCES = ["none", "picture", "folder", "video", "network"]


@pytest.fixture(params=SOURCES)
def mattes(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Mattes]:
    _, masks = moving_scene(FRAMES, width=WIDTH, height=HEIGHT)
    grey = [np.repeat(np.uint8(255) * mask[..., None], 3, axis=2) for mask in masks]

    def matte(path: Path) -> Mattes:
        given = Matte(path)
        given.begin(FRAMES, WIDTH, HEIGHT)
        return Given(given)

    if request.param == "none":
        return lambda: Given(NoSegmenter())
    if request.param == "picture":
        save_png(tmp_path / "m.png", grey[0])
        return lambda: matte(tmp_path / "m.png")
    if request.param == "folder":
        for index, mask in enumerate(grey):
            save_png(tmp_path / f"{index:05d}.png", mask)
        return lambda: matte(tmp_path)
    if request.param == "video":
        write_clip(tmp_path / "m.mkv", grey, codec="ffv1", pix_fmt="yuv444p")
        return lambda: matte(tmp_path / "m.mkv")
    return lambda: Segmented(RedIsForeground(), radius=2, every=2, ticks=Fraction(2))


def collect(source: Mattes) -> list[tuple[Any, Any]]:
    out = []
    for pushed, look in enumerate(looks(moving_scene(FRAMES, width=WIDTH, height=HEIGHT)[0])):
        out += list(source.push(look))
        assert pushed + 1 - len(out) <= source.delay
    out += list(source.finish())
    source.close()
    return out


def test_every_look_comes_back_once_in_order_with_its_mask(mattes: Callable[[], Mattes]) -> None:
    source = mattes()
    out = collect(source)
    assert [look.index for look, _ in out] == list(range(FRAMES))
    for _, mask in out:
        if source.name == "none":
            assert mask is None
        else:
            assert (mask.shape, mask.dtype) == ((HEIGHT, WIDTH), np.uint8)


def test_masks_come_out_the_same_every_time(mattes: Callable[[], Mattes]) -> None:
    for (_, one), (_, other) in zip(collect(mattes()), collect(mattes()), strict=True):
        assert (one is None and other is None) or np.array_equal(one, other)


def test_the_full_mask_has_the_frames_size(mattes: Callable[[], Mattes]) -> None:
    source = mattes()
    luma = np.random.default_rng(0).integers(0, 256, (2 * HEIGHT, 2 * WIDTH), np.uint8)
    layout = PixelFormat("gray", 8, 0, 0)
    for look, mask in collect(source)[:3]:
        frame = Frame((luma,), layout, look.index, look.pts, Fraction(1, 24))
        full = source.full(frame, mask)
        if source.name == "none":
            assert full is None
        else:
            assert full is not None
            assert (full.shape, full.dtype) == (luma.shape, np.uint8)
