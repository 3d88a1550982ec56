"""Constant black borders."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import few

from streamct.color.apply import Content
from streamct.color.coding import black_code, rgb_to_code
from streamct.grade.borders import find_content, find_picture_content, union
from streamct.model import Coding, PixelFormat

CODINGS = [Coding("bt709", False), Coding("bt709", True), Coding("rgb", True), Coding("rgb", False)]
CODINGS += [Coding("bt2020", False, transfer, "bt2020") for transfer in ("pq", "hlg")]


def framed(
    area: Content, height: int, width: int, coding: Coding, depth: int, seed: int = 0
) -> tuple[tuple[np.ndarray, ...], PixelFormat]:
    """Planes at full chroma size: a bright picture in `area`, black around it."""
    rgb = np.zeros((height, width, 3))
    inside = (slice(area.top, area.bottom), slice(area.left, area.right))
    rgb[inside] = np.random.default_rng(seed).uniform(0.3, 1, (area.bottom - area.top, area.right - area.left, 3))
    codes = np.rint(rgb_to_code(rgb, coding, depth) * 2 ** (depth - 8)).astype(np.uint8 if depth == 8 else np.uint16)
    planes = tuple(np.ascontiguousarray(codes[..., c]) for c in range(3))
    return planes, PixelFormat("planes", depth, 0, 0, rgb=coding.matrix == "rgb")


@few
@given(st.data(), st.sampled_from(CODINGS), st.sampled_from([8, 10, 12]))
def test_the_picture_inside_black_borders_is_found(data: st.DataObject, coding: Coding, depth: int) -> None:
    height, width = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    bottom, right = data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width))
    area = Content(top, bottom, left, right)
    planes, layout = framed(area, height, width, coding, depth)
    assert find_content(planes, layout, coding) == area


@pytest.mark.parametrize("coding", CODINGS)
def test_a_black_frame_tells_nothing(coding: Coding) -> None:
    layout = PixelFormat("planes", 8, 0, 0)
    planes = tuple(np.full((20, 30), code, np.uint8) for code in black_code(coding, 8))
    assert find_content(planes, layout, coding) is None


def test_coding_noise_in_the_border_does_not_hide_it() -> None:
    coding, area = CODINGS[0], Content(12, 52, 0, 80)
    planes, layout = framed(area, 64, 80, coding, 8)
    noisy = np.random.default_rng(0).normal(0, 1, (64, 80))
    luma = np.clip(planes[0] + np.rint(noisy), 0, 255).astype(np.uint8)
    luma[5, 40] = 16 + 9
    assert find_content((luma, *planes[1:]), layout, coding) == area


def test_a_subtitle_or_logo_in_the_border_belongs_to_the_picture() -> None:
    coding = CODINGS[0]
    planes, layout = framed(Content(12, 52, 0, 80), 64, 80, coding, 8)
    planes[0][58, 30:50] = 200
    assert find_content(planes, layout, coding) == Content(12, 59, 0, 80)


def test_a_saturated_dark_border_of_rgb_is_no_border() -> None:
    coding = CODINGS[2]
    planes, layout = framed(Content(10, 30, 0, 40), 40, 40, coding, 8)
    planes[1][:10] = 90  # blue
    assert find_content(planes, layout, coding) == Content(0, 30, 0, 40)


def test_a_still_has_the_border_of_its_planes() -> None:
    rgb = np.zeros((40, 60, 3), np.float32)
    rgb[4:36, 10:50] = 0.5
    assert find_picture_content(rgb) == Content(4, 36, 10, 50)
    assert find_picture_content(np.zeros((4, 4, 3), np.float32)) is None


def test_the_union_holds_every_known_picture() -> None:
    first, second = Content(10, 30, 5, 50), Content(12, 40, 0, 45)
    assert union([first, None, second]) == Content(10, 40, 0, 50)
    assert union([None, first]) == first
    assert union([None, None]) is None
    assert union([]) is None
