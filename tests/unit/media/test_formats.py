"""Every pixel format has one in which it is graded, and gets there without a change of its samples."""

from __future__ import annotations

import av
import numpy as np
import pytest
import streams
from av.video.reformatter import VideoReformatter

from streamct.media.formats import DIRECT, convert, graded_format, is_full_range_by_name, is_readable
from streamct.media.reader import plane_views
from streamct.model import Coding

SIZES = [(32, 24), (33, 17), (35, 36), (16, 1), (1, 16), (1, 1), (70, 3)]
SEMI_PLANAR = {
    "nv12": ("yuv420p", 0), "nv16": ("yuv422p", 0), "p010le": ("yuv420p10le", 6), "p012le": ("yuv420p12le", 4),
    "p210le": ("yuv422p10le", 6), "p410le": ("yuv444p10le", 6),
}  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", SEMI_PLANAR)
def test_semi_planar_formats_are_only_sorted_into_planes(name: str, full: bool, size: tuple[int, int]) -> None:
    planar, shift = SEMI_PLANAR[name]
    layout = graded_format(name)
    assert layout.name == planar
    wanted, both = samples = streams.random_planes(name, *size)
    frame = streams.frame_of(samples, name, *size)
    out = convert(frame, planar, Coding("bt709", full), VideoReformatter())
    luma, blue, red = plane_views(out, layout)
    np.testing.assert_array_equal(luma, wanted >> shift)
    np.testing.assert_array_equal(blue, both[:, ::2] >> shift)
    np.testing.assert_array_equal(red, both[:, 1::2] >> shift)


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p10le", "yuv444p12le", "gbrp10le", "yuva444p10le"])
def test_a_direct_format_is_graded_as_it_is(name: str) -> None:
    layout = graded_format(name)
    assert layout.name == name
    frame = av.VideoFrame(33, 17, name)
    views = plane_views(frame, layout)
    assert len(views) == len(frame.planes)
    assert [view.shape for view in views] == [(plane.height, plane.width) for plane in frame.planes]
    shift_x, shift_y = layout.sub_x, layout.sub_y
    if not layout.rgb:
        assert views[1].shape == (-(-17 >> shift_y), -(-33 >> shift_x))


def test_plane_views_write_through_to_the_frame() -> None:
    frame = av.VideoFrame(33, 17, "yuv420p10le")
    views = plane_views(frame, DIRECT["yuv420p10le"])
    for number, view in enumerate(views):
        view[...] = 100 + number
    assert [int(samples.min()) for samples in streams.samples_of(frame)] == [100, 101, 102]
    assert [int(samples.max()) for samples in streams.samples_of(frame)] == [100, 101, 102]


@pytest.mark.parametrize(
    ("name", "graded"),
    [
        ("yuvj420p", "yuv420p"), ("pal8", "gbrap"), ("rgb24", "gbrp"), ("rgba64le", "gbrap12le"),
        ("rgb48be", "gbrp12le"), ("gray", "yuv444p"), ("gray16le", "yuv444p12le"), ("ya8", "yuva444p"),
        ("yuv420p16le", "yuv420p12le"), ("yuv420p10be", "yuv420p10le"), ("yuva420p16le", "yuva422p12le"),
        ("yuyv422", "yuv422p"),
        ("x2rgb10le", "gbrp10le"), ("monob", "yuv444p"), ("uyyvyy411", "yuv411p"), ("v30xle", "yuv444p10le"),
    ],
)  # fmt: skip
def test_other_formats_go_to_the_planar_one_that_holds_them(name: str, graded: str) -> None:
    assert graded_format(name).name == graded


def test_every_format_but_a_few_is_readable_and_those_are_refused_before_anything_is_converted() -> None:
    on_cards = {"cuda", "vaapi", "qsv", "vulkan", "videotoolbox_vld", "d3d11", "drm_prime", "mediacodec", "opencl"}
    refused = {name for name in av.video.format.names if name not in on_cards and not is_readable(name)}
    assert {"yaf32le", "yaf32be", "gray32le", "rgb96le"} <= refused
    for name in ("nv12", "p010le", "gray", "ya8", "pal8", "rgb24", "rgb48le", "gbrpf32le", "yuv444p16le", "y210le"):
        assert is_readable(name), name
    assert not any(name.startswith(("yuv4", "yuva4", "nv", "p0", "gray1", "gbrp1")) for name in refused)


@pytest.mark.parametrize("name", ["yuvj422p", "gray", "gray10le", "rgb24", "gbrp", "pal8", "ya8"])
def test_some_names_say_full_range(name: str) -> None:
    assert is_full_range_by_name(name)


@pytest.mark.parametrize("name", ["yuv420p", "yuv444p10le", "nv12", "p010le", "yuva420p"])
def test_other_names_do_not(name: str) -> None:
    assert not is_full_range_by_name(name)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
def test_rgb_from_planes_follows_the_stated_matrix_and_range(matrix: str, full: bool) -> None:
    """Twin: Rec. ITU-T H.273, the four equations, in float64."""
    kr, kb = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}[matrix]
    luma, blue, red = (int(v) for v in (120, 100, 160))
    frame = streams.frame_of([np.full((8, 8), v, np.uint8) for v in (luma, blue, red)], "yuv444p", 8, 8)
    coding = Coding(matrix, full)  # type: ignore[arg-type]
    planes = plane_views(convert(frame, "gbrp", coding, VideoReformatter()), DIRECT["gbrp"])
    y = luma / 255 if full else (luma - 16) / 219
    pb, pr = ((v - 128) / (255 if full else 224) for v in (blue, red))
    r, b = y + 2 * (1 - kr) * pr, y + 2 * (1 - kb) * pb
    g = (y - kr * r - kb * b) / (1 - kr - kb)
    np.testing.assert_allclose([int(plane[4, 4]) for plane in planes], [255 * v for v in (g, b, r)], atol=1.01)


@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize(("pix_fmt", "top"), [("gray", 255), ("gray10le", 1023), ("gray12le", 4095), ("gray9le", 511)])
def test_grey_becomes_luma_of_the_same_codes_whatever_matrix_is_told(pix_fmt: str, top: int, matrix: int) -> None:
    """Twin: full range at another depth is the same share of the highest code; neutral chroma is half of all codes."""
    codes = np.arange(24 * 20).reshape(24, 20) * top // 479
    frame = streams.frame_of([codes.astype(np.uint8 if top == 255 else np.uint16)], pix_fmt, 20, 24)
    frame.colorspace, frame.color_range = matrix, 2
    target = graded_format(pix_fmt)
    coding = Coding({1: "bt709", 6: "bt601", 9: "bt2020"}[matrix], True)  # type: ignore[arg-type]
    luma, blue, red = streams.samples_of(convert(frame, target.name, coding, VideoReformatter()))
    highest = (1 << target.depth) - 1
    np.testing.assert_array_equal(luma, np.rint(codes * (highest / top)))
    assert (blue == (highest + 1) // 2).all()
    assert (red == (highest + 1) // 2).all()
