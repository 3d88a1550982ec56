"""Interlaced frames: each field is graded with the chroma of its own rows."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from streamct.color.apply import Content
from streamct.color.colormap import ColorMap
from streamct.color.lut import Lut, LutGrid
from streamct.grade.track import Grade
from streamct.model import Coding, Frame, PixelFormat
from streamct.render import Renderer

LAYOUTS = {
    "yuv420p": PixelFormat("yuv420p", 8, 1, 1),
    "yuv422p": PixelFormat("yuv422p", 8, 1, 0),
    "yuv420p10le": PixelFormat("yuv420p10le", 10, 1, 1),
}


NOTHING = ColorMap(np.zeros((1, 3)), np.zeros((1, 3)), 8.0, False)
WARMER = ColorMap(np.array([[50.0, 0, 0]]), np.array([[6.0, 12, 20]]), 8.0, False)


def frame_of(layout: PixelFormat, height: int = 24, width: int = 16, seed: int = 0) -> Frame:
    rng = np.random.default_rng(seed)
    scale = 1 << (layout.depth - 8)
    shapes = [(height, width), *[(height >> layout.sub_y, width >> layout.sub_x)] * 2]
    planes = tuple((rng.integers(40, 200, shape) * scale).astype(layout.dtype) for shape in shapes)
    return Frame(planes, layout, 0, 0, Fraction(1, 25))


def blank(frame: Frame) -> Frame:
    return Frame(tuple(np.zeros_like(p) for p in frame.planes), frame.format, 0, 0, frame.time_base)


def lut_for(layout: PixelFormat) -> Lut:
    return LutGrid(Coding("bt709", False), layout.depth).bake(WARMER)


def render(frame: Frame, lut: Lut, content: Content, interlaced: bool, mask: np.ndarray | None = None) -> Frame:
    out = blank(frame)
    luts = (lut,) if mask is None else (lut, LutGrid(Coding("bt709", False), frame.format.depth).bake(NOTHING))
    Renderer(frame.format, interlaced).render(frame, out, Grade(luts, content), mask)  # type: ignore[arg-type]
    return out


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_woven_frame_is_its_two_fields_graded_one_by_one_and_woven_again(name: str) -> None:
    layout = LAYOUTS[name]
    frame, lut = frame_of(layout), lut_for(layout)
    woven = render(frame, lut, Content(0, 24, 0, 16), interlaced=True)
    for parity in (0, 1):
        field = Frame(tuple(np.ascontiguousarray(p[parity::2]) for p in frame.planes), layout, 0, 0, frame.time_base)
        alone = render(field, lut, Content(0, 12, 0, 16), interlaced=False)
        for got, wanted in zip(woven.planes, alone.planes, strict=True):
            np.testing.assert_array_equal(got[parity::2], wanted)


def test_without_fields_420_would_take_the_chroma_of_the_other_field() -> None:
    frame, lut = frame_of(LAYOUTS["yuv420p"]), lut_for(LAYOUTS["yuv420p"])
    content = Content(0, 24, 0, 16)
    woven, progressive = (render(frame, lut, content, interlaced) for interlaced in (True, False))
    assert not np.array_equal(woven.planes[0], progressive.planes[0])


def test_rows_above_and_below_the_content_are_copied_in_both_fields() -> None:
    frame, lut = frame_of(LAYOUTS["yuv420p"]), lut_for(LAYOUTS["yuv420p"])
    out = render(frame, lut, Content(8, 16, 0, 16), interlaced=True)
    for rows in (slice(0, 8), slice(16, 24)):
        np.testing.assert_array_equal(out.planes[0][rows], frame.planes[0][rows])
    assert (out.planes[0][8:16] != frame.planes[0][8:16]).mean() > 0.5


def test_the_mask_is_taken_row_by_row() -> None:
    frame, lut = frame_of(LAYOUTS["yuv422p"]), lut_for(LAYOUTS["yuv422p"])
    frame420, lut420 = frame_of(LAYOUTS["yuv420p"]), lut_for(LAYOUTS["yuv420p"])
    mask = np.zeros((24, 16), np.uint8)
    mask[0::2] = 255  # the upper field alone is foreground
    for each, its in ((frame, lut), (frame420, lut420)):
        out = render(each, its, Content(0, 24, 0, 16), interlaced=True, mask=mask)
        assert np.abs(out.planes[0][1::2].astype(int) - each.planes[0][1::2]).max() <= 1
        assert (out.planes[0][0::2] != each.planes[0][0::2]).mean() > 0.5


def test_a_height_that_two_fields_of_chroma_do_not_divide_is_graded_as_one_picture() -> None:
    frame, lut = frame_of(LAYOUTS["yuv420p"], height=22), lut_for(LAYOUTS["yuv420p"])
    content = Content(0, 22, 0, 16)
    woven, progressive = (render(frame, lut, content, interlaced) for interlaced in (True, False))
    for got, wanted in zip(woven.planes, progressive.planes, strict=True):
        np.testing.assert_array_equal(got, wanted)
