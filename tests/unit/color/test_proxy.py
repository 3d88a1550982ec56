"""The small picture that is analysed."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import few

from streamct.color.coding import rgb_to_code
from streamct.color.proxy import box_means, picture_proxy_rgb, planes_proxy_rgb, proxy_size
from streamct.model import Coding, PixelFormat

FULL_RGB = Coding("rgb", full_range=True)


@few
@given(*[st.integers(1, 40)] * 4, st.integers(0, 2**32), st.sampled_from([np.uint8, np.uint16, np.float32]))
def test_proxy_pixels_are_means_of_their_boxes(
    height: int, width: int, rows: int, columns: int, seed: int, dtype: type
) -> None:
    values = np.random.default_rng(seed).integers(0, 1024 if dtype != np.uint8 else 256, (height, width + 3))
    plane = values.astype(dtype)[:, :width]
    np.testing.assert_allclose(box_means(plane, columns, rows), naive.box_means(plane, columns, rows), rtol=1e-6)


def test_large_boxes_of_white_do_not_overflow() -> None:
    assert box_means(np.full((700, 700), 255, np.uint8), 1, 1) == 255
    assert box_means(np.full((700, 700), 65535, np.uint16), 1, 1) == 65535
    for height in range(254, 260):
        for rows in (1, 2):
            assert (box_means(np.full((rows * height + rows // 2, 3), 255, np.uint8), 1, rows) == 255).all()


@pytest.mark.parametrize(
    ("size", "proxy"),
    [((1920, 1080), (256, 144)), ((1080, 1920), (144, 256)), ((100, 50), (100, 50)), ((10_000, 1), (256, 1))],
)
def test_the_long_edge_is_256_and_nothing_is_enlarged(size: tuple[int, int], proxy: tuple[int, int]) -> None:
    assert proxy_size(*size, 256) == proxy


@few
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32))
def test_a_picture_and_its_planes_give_the_same_proxy(height: int, width: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    columns, rows = proxy_size(width, height, 24)
    still = picture_proxy_rgb((codes / np.float32(255)).astype(np.float32), columns, rows)
    planes = tuple(np.ascontiguousarray(codes[..., c]) for c in (1, 2, 0))
    frame = planes_proxy_rgb(planes, PixelFormat("gbrp", 8, 0, 0, rgb=True), FULL_RGB, columns, rows)
    np.testing.assert_allclose(frame, still, atol=1e-6)


@pytest.mark.parametrize("depth", [8, 10, 12])
@pytest.mark.parametrize("full_range", [False, True])
def test_ycbcr_planes_give_the_proxy_of_the_picture_they_code(depth: int, full_range: bool) -> None:
    rgb = np.random.default_rng(1).uniform(0, 1, (48, 64, 3))
    coding = Coding("bt709", full_range)
    codes = np.rint(rgb_to_code(rgb, coding, depth) * 2 ** (depth - 8)).astype(np.uint16 if depth > 8 else np.uint8)
    planes = tuple(np.ascontiguousarray(codes[..., c]) for c in range(3))
    frame = planes_proxy_rgb(planes, PixelFormat("yuv444p", depth, 0, 0), coding, 16, 12)
    np.testing.assert_allclose(frame, picture_proxy_rgb(rgb.astype(np.float32), 16, 12), atol=2 / 2**depth)


def test_subsampled_chroma_lies_where_its_luma_lies() -> None:
    luma = np.full((32, 64), 100, np.uint8)
    cb = np.full((16, 32), 128, np.uint8)
    cb[:, 16:] = 200
    proxy = planes_proxy_rgb(
        (luma, cb, np.full_like(cb, 128)), PixelFormat("yuv420p", 8, 1, 1), Coding("bt709", False), 16, 8
    )
    assert np.ptp(proxy[:, :8, 2]) < 1e-12
    assert np.ptp(proxy[:, 8:, 2]) < 1e-12
    assert proxy[0, 8, 2] > proxy[0, 7, 2] + 0.5
