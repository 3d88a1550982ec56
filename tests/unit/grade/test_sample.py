"""Frame -> FrameSample, and the regions that it counts."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import few

from streamct.color.apply import Content
from streamct.color.coding import rgb_to_code
from streamct.color.histogram import FULL, Counter, Histogram, Points
from streamct.color.lab import lab_to_coded, srgb_to_lab
from streamct.grade.cuts import LOOK, Cuts
from streamct.grade.regions import Regions, add_colours, count_regions, palettes_of
from streamct.grade.sample import FrameSample, Sampler, sample_picture
from streamct.model import Coding, Frame, PixelFormat
from streamct.settings import PaletteSettings

STUDIO = Coding("bt709", full_range=False)
YUV444 = PixelFormat("yuv444p", 8, 0, 0)
FILM = PaletteSettings(proxy_size=16)
PAPER = PaletteSettings(proxy_size=16, bins="range")
COUNTER = Counter()


def frame_of(rgb: np.ndarray, index: int = 0, layout: PixelFormat = YUV444, coding: Coding = STUDIO) -> Frame:
    units = rgb_to_code(rgb, coding, layout.depth) * 2 ** (layout.depth - 8)
    codes = np.clip(np.rint(units), 0, 2**layout.depth - 1).astype(layout.dtype)
    planes = tuple(np.ascontiguousarray(codes[..., c]) for c in range(3))
    return Frame(planes, layout, index, 10 * index, Fraction(1, 240))


def samples(*pictures: np.ndarray) -> list[FrameSample]:
    sampler = Sampler(YUV444, STUDIO, FILM)
    return [sampler.sample(frame_of(picture, i)) for i, picture in enumerate(pictures)]


def flat(level: float, height: int = 32, width: int = 48) -> np.ndarray:
    return np.full((height, width, 3), level)


def test_a_sample_carries_its_frames_number_and_time() -> None:
    first, second = samples(flat(0.5), flat(0.5))
    assert (first.index, first.pts, second.index, second.pts) == (0, 0, 1, 10)


def test_the_change_is_in_8_bit_codes_summed_over_channels() -> None:
    first, second, third = samples(flat(16 / 219), flat(82 / 219), flat(82 / 219))
    assert first.change == 0
    assert second.change == pytest.approx(3 * 255 * 66 / 219)
    assert third.change == 0


def test_changes_to_earlier_frames_tell_a_flash_from_a_cut() -> None:
    found = samples(*[flat(level / 219) for level in (50, 50, 200, 50, 60, 70, 80)])
    steps = [[round(c * 219 / 765) for c in sample.earlier] for sample in found]
    assert steps == [[], [], [150], [0, 0], [140, 10, 10], [20, 130, 20, 20], [20, 30, 120, 30]]
    assert max(len(s) for s in steps) == LOOK


@pytest.mark.parametrize(("length", "begun"), [(1, []), (LOOK, []), (LOOK + 1, [12, 12 + LOOK + 1])])
def test_frames_of_a_flash_as_they_are_sampled_cut_no_shot(length: int, begun: list[int]) -> None:
    noise = np.random.default_rng(0)
    still = np.linspace(0.2, 0.6, 32)[:, None, None] + np.zeros((32, 48, 3))
    pictures = [np.clip((still + 0.5 * (12 <= i < 12 + length)) + noise.normal(0, 0.01, still.shape), 0, 1)
                for i in range(30)]  # fmt: skip
    seen, judge = {sample.index: sample for sample in samples(*pictures)}, Cuts()
    assert [i for i in seen if judge.at(i, seen)] == begun


WIDE_CODINGS = [Coding("bt2020", False, transfer, "bt2020") for transfer in ("srgb", "pq", "hlg")]


@pytest.mark.parametrize("coding", WIDE_CODINGS, ids=["sdr", "pq", "hlg"])
def test_one_colour_has_the_same_sample_in_every_coding(coding: Coding) -> None:
    lab = np.array([62.5, 30.0, -20.0])
    picture = np.broadcast_to(lab_to_coded(lab, coding), (32, 48, 3))
    deep = PixelFormat("yuv444p10le", 10, 0, 0)
    sample = Sampler(deep, coding, FILM).sample(frame_of(picture, layout=deep, coding=coding))
    assert isinstance(sample.regions.whole, Histogram)
    (cell,) = sample.regions.whole.points().lab
    assert np.abs(cell - lab).max() < 1


@pytest.mark.parametrize("coding", WIDE_CODINGS[1:], ids=["pq", "hlg"])
def test_a_segmenter_sees_hdr_as_an_sdr_screen_shows_it(coding: Coding) -> None:
    deep = PixelFormat("yuv444p10le", 10, 0, 0)
    grey = np.broadcast_to(lab_to_coded(np.array([50.0, 0, 0]), coding), (32, 48, 3))
    look = Sampler(deep, coding, FILM, (24, 16)).look(frame_of(grey, layout=deep, coding=coding))
    assert look.small is not None
    np.testing.assert_allclose(look.small, 119, atol=1)  # sRGB of L* = 50


def test_every_pixel_of_the_proxy_is_counted_once() -> None:
    (sample,) = samples(np.random.default_rng(0).uniform(0.3, 1, (32, 48, 3)))
    assert sample.content == Content(0, 32, 0, 48)
    assert sample.regions.whole.total == 16 * 11 * FULL
    assert sample.regions.foreground is None


def test_borders_stay_out_of_the_histogram() -> None:
    picture = flat(0.5)
    picture[:8], picture[24:] = 0, 0
    (sample,) = samples(picture)
    assert sample.content == Content(8, 24, 0, 48)
    points = sample.regions.whole
    assert isinstance(points, Histogram)
    assert (points.points().lab[:, 0] > 40).all()
    assert points.total == 16 * 5 * FULL  # 16 of 32 rows, whole boxes only, of 11


def test_a_picture_thinner_than_a_proxy_pixel_is_counted_all_the_same() -> None:
    picture = flat(0.0)
    picture[15:17] = 0.5
    (sample,) = samples(picture)
    assert sample.content == Content(15, 17, 0, 48)
    assert sample.regions.whole.total == 16 * FULL


def test_a_black_frame_counts_nothing() -> None:
    (sample,) = samples(flat(0.0))
    assert sample.content is None
    assert sample.regions.whole.total == 0


def test_a_mask_splits_the_frame_into_two_regions() -> None:
    asked = []

    def mask(width: int, height: int) -> np.ndarray:
        asked.append((width, height))
        out = np.zeros((height, width), np.uint8)
        out[:, :4] = FULL
        return out

    sampler = Sampler(YUV444, STUDIO, FILM)
    sample = sampler.sample(frame_of(flat(0.5)), mask)
    assert asked == [(16, 11)]
    front, back = sample.regions.foreground, sample.regions.background
    assert front is not None
    assert back is not None
    assert (front.total, back.total) == (4 * 11 * FULL, 12 * 11 * FULL)
    assert sample.regions.share == pytest.approx(0.25)


def test_a_still_and_a_frame_of_the_same_picture_have_the_same_colours() -> None:
    rgb = np.random.default_rng(2).uniform(0.2, 0.9, (32, 48, 3))
    layout = PixelFormat("gbrp", 8, 0, 0, rgb=True)
    codes = np.rint(rgb * 255).astype(np.uint8)
    planes = tuple(np.ascontiguousarray(codes[..., c]) for c in (1, 2, 0))
    full = Coding("rgb", full_range=True)
    frame = Sampler(layout, full, FILM).sample(Frame(planes, layout, 0, 0, Fraction(1)))
    still = sample_picture((codes / np.float32(255)).astype(np.float32), None, FILM, COUNTER)
    # Single precision may move a colour over the edge of its cell.
    assert isinstance(frame.regions.whole, Histogram)
    assert isinstance(still.whole, Histogram)
    shared = np.intersect1d(frame.regions.whole.cells, still.whole.cells)
    assert len(shared) >= 0.98 * len(still.whole.cells)


def test_a_black_still_counts_whole() -> None:
    regions = sample_picture(np.zeros((8, 8, 3), np.float32), None, FILM, COUNTER)
    assert regions.whole.total == 64 * FULL


# Regions.


def regions_of(share: float, settings: PaletteSettings) -> Regions:
    """A red foreground of this share on a blue background."""
    count = 1000
    front = round(share * count)
    rgb = np.where((np.arange(count) < front)[:, None], [0.8, 0.2, 0.1], [0.1, 0.2, 0.7])
    mask = np.where(np.arange(count) < front, FULL, 0).astype(np.uint8)
    return count_regions(srgb_to_lab(rgb), mask, COUNTER, settings)


@pytest.mark.parametrize("settings", [FILM, PAPER], ids=["film", "paper"])
@pytest.mark.parametrize(
    ("share", "split"),
    [(0, False), (0.019, False), (0.02, True), (0.5, True), (0.98, True), (0.981, False), (1, False)],
)
def test_a_picture_is_split_where_each_part_holds_two_percent(
    share: float, split: bool, settings: PaletteSettings
) -> None:
    palettes = palettes_of(regions_of(share, settings), COUNTER, settings)
    assert palettes is not None
    assert (palettes.split is not None) == split
    if palettes.split is not None:
        front, back = palettes.split
        assert len(front) == len(back) == 1
        assert front.colours[0, 1] > 30
        assert back.colours[0, 2] < -30


@pytest.mark.parametrize("settings", [FILM, PAPER], ids=["film", "paper"])
def test_regions_without_a_pixel_have_no_palette(settings: PaletteSettings) -> None:
    nothing = count_regions(np.empty((0, 3)), np.empty(0, np.uint8), COUNTER, settings)
    assert nothing.whole.total == 0
    assert palettes_of(nothing, COUNTER, settings) is None


@few
@given(st.integers(0, 2**32), st.lists(st.integers(1, 50), min_size=1, max_size=4), st.sampled_from([FILM, PAPER]))
def test_colours_of_several_frames_add_up(seed: int, factors: list[int], settings: PaletteSettings) -> None:
    rng = np.random.default_rng(seed)
    parts = []
    for _ in factors:
        mask = rng.integers(0, 256, 30).astype(np.uint8)
        parts.append(count_regions(rng.uniform(0, 50, (30, 3)), mask, COUNTER, settings).foreground)
    total = add_colours([p for p in parts if p is not None], factors, COUNTER)
    assert isinstance(total, Points)
    assert total.total == sum(f * p.total for f, p in zip(factors, parts, strict=True) if p is not None)
