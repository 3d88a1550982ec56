"""Flicker, on frames small enough to work out by hand."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from streamct.errors import UsageError
from streamct.grade.cuts import LOOK, ListedCuts
from streamct.metrics import FlickerMeter, Motion, motion_between, warp

SHAPE = (4, 5)


def standing(before: np.ndarray, after: np.ndarray) -> Motion:
    return Motion(np.zeros((*before.shape[:2], 2), np.float32), np.ones(before.shape[:2], bool))


def flat(value: float) -> np.ndarray:
    return np.full((*SHAPE, 3), value)


def texture(seed: int = 0) -> np.ndarray:
    field = gaussian_filter(np.random.default_rng(seed).random((72, 96)), 2.5)
    field = (field - field.min()) / np.ptp(field)
    return np.repeat(field[..., None], 3, axis=-1)


def test_an_edit_that_changes_over_a_still_source_is_flicker() -> None:
    # Edits 0.1, 0.2, 0.2 on a grey that stands still. Size: 0.5 / 3. Steps of the edit: 0.1 and 0, mean 0.05; the
    # largest is 0.1, at frame 1. Squared steps over three channels: 0.03 and 0, mean 0.015.
    # Frame 1 in frame 0's grade would be 0.6 instead of 0.7, frame 2 in frame 1's the same: drift 0.05.
    meter = FlickerMeter(standing)
    meter.push(flat(0.5), flat(0.6))
    meter.push(flat(0.5), flat(0.7), flat(0.6))
    meter.push(flat(0.5), flat(0.7), flat(0.7))
    found = meter.finish()
    assert found.edit == pytest.approx(0.5 / 3)
    assert found.edit_warp == pytest.approx(0.05)
    assert found.edit_warp_share == pytest.approx(0.3)
    assert (found.max_jump, found.max_jump_frame) == (pytest.approx(0.1), 1)
    assert (found.warp_error, found.warp_error_source) == (pytest.approx(0.015), 0)
    assert (found.drift, found.drift_share) == (pytest.approx(0.05), pytest.approx(0.3))
    assert (found.pairs, found.cuts) == (2, ())


def test_jump_is_that_of_the_channel_that_moves_most() -> None:
    meter = FlickerMeter(standing)
    meter.push(flat(0.5), flat(0.5))
    meter.push(flat(0.5), flat(0.5) + np.array([0.01, -0.04, 0.02]))
    assert meter.finish().max_jump == pytest.approx(0.04)


def test_an_untouched_video_has_no_flicker() -> None:
    meter = FlickerMeter()
    for seed in range(3):
        meter.push(texture(seed), texture(seed), texture(seed))
    found = meter.finish()
    assert (found.edit, found.edit_warp, found.edit_warp_share, found.max_jump) == (0, 0, 0, 0)
    assert (found.drift, found.drift_share) == (0, 0)
    assert found.warp_error == found.warp_error_source > 0


def test_without_grades_drift_is_unknown() -> None:
    meter = FlickerMeter(standing)
    meter.push(flat(0.5), flat(0.6))
    meter.push(flat(0.5), flat(0.6))
    found = meter.finish()
    assert found.drift is None
    assert found.drift_share is None


def test_a_fixed_edit_of_a_moving_source_moves_with_it() -> None:
    meter = FlickerMeter()
    for step in range(3):
        picture = np.roll(texture(), (step, 2 * step), (0, 1))
        meter.push(picture, 0.8 * picture)
    found = meter.finish()
    assert found.edit_warp_share < 0.03
    assert found.max_jump < 1e-9


def test_pairs_across_a_cut_are_left_out() -> None:
    meter = FlickerMeter(standing)
    for frame in range(20):
        level, edit = (0.2, 0.1) if frame < 10 else (0.7, -0.2)
        meter.push(flat(level), flat(level + edit), flat(0.0) if frame == 10 else flat(level + edit))
    found = meter.finish()
    assert found.cuts == (10,)
    assert found.pairs == 18
    assert (found.edit_warp, found.max_jump, found.warp_error, found.drift) == pytest.approx((0, 0, 0, 0))
    assert found.edit == pytest.approx(0.15)


@pytest.mark.parametrize("length", [1, 2, 3, LOOK])
def test_a_flash_of_the_source_is_no_cut_and_its_pairs_count(length: int) -> None:
    meter = FlickerMeter(standing)
    for frame in range(20):
        level = 0.9 if 8 <= frame < 8 + length else 0.2
        meter.push(flat(level), flat(level - (0.1 if frame < 10 else 0.15)))
    found = meter.finish()
    assert (found.cuts, found.pairs) == ((), 19)
    assert (found.max_jump, found.max_jump_frame) == (pytest.approx(0.05), 10)


def test_cuts_that_the_user_lists_replace_those_that_are_found() -> None:
    for listed, begun in ((ListedCuts(frozenset({0, 5, 99})), (5,)), (ListedCuts(ticks=frozenset({1011})), (6,))):
        meter = FlickerMeter(standing, cuts=listed)
        for frame in range(20):
            level = 0.2 if frame < 10 else 0.7
            meter.push(flat(level), flat(level + 0.1), pts=1000 + 2 * frame)
        found = meter.finish()
        assert (found.cuts, found.pairs) == (begun, 18)


def test_the_frame_of_the_largest_jump_is_counted_over_cuts() -> None:
    meter = FlickerMeter(standing)
    for frame in range(20):
        level = 0.2 if frame < 10 else 0.7
        meter.push(flat(level), flat(level + (0.1 if frame >= 15 else 0.0)))
    assert meter.finish().max_jump_frame == 15


def test_across_a_gap_nothing_is_compared() -> None:
    # Frames 0-2 and 9-11 of a clip whose edit grows by 0.1 at frame 9: no cut is seen, and none is looked for.
    meter = FlickerMeter(standing)
    for frame in range(6):
        if frame == 3:
            meter.gap()
        edit = 0.1 if frame < 3 else 0.2
        meter.push(flat(0.5), flat(0.5 + edit), flat(0.0) if frame == 3 else flat(0.5 + edit))
    found = meter.finish()
    assert (found.pairs, found.cuts) == (4, ())
    assert (found.edit_warp, found.max_jump, found.drift) == pytest.approx((0, 0, 0))
    assert found.edit == pytest.approx(0.15)


def test_movement_is_looked_for_in_so_many_pairs_as_asked() -> None:
    asked: list[np.ndarray] = []

    def found(before: np.ndarray, after: np.ndarray) -> Motion:
        asked.append(after)
        return standing(before, after)

    for every, count in ((1, 9), (3, 3), (4, 3), (0, 0)):
        asked.clear()
        meter = FlickerMeter(found, every)
        for frame in range(10):
            meter.push(flat(0.5), flat(0.5 + 0.01 * frame))
        flicker = meter.finish()
        assert len(asked) == count
        assert flicker.edit_warp == pytest.approx(0.01 if count else 0)
        assert (flicker.pairs, flicker.max_jump) == (9, pytest.approx(0.01))


def test_noise_gain_is_the_ratio_of_temporal_deviations() -> None:
    # Noise of the source: -1, +1, -1, +1 thousandths on every other pixel; the result has twice that.
    meter = FlickerMeter(standing)
    pattern = np.indices(SHAPE).sum(axis=0)[..., None] % 2 * 2 - 1.0
    for frame in range(4):
        noise = pattern * (-1) ** frame * 1e-3
        meter.push(flat(0.5) + noise, flat(0.3) + 2 * noise)
    assert meter.finish().noise_gain == pytest.approx(2)


def test_noise_is_measured_within_shots() -> None:
    meter = FlickerMeter(standing)
    for frame in range(20):
        noise = (-1) ** frame * 1e-3
        level = 0.2 if frame < 10 else 0.7
        meter.push(flat(level + noise), flat(1.5 * level + 3 * noise))
    assert meter.finish().noise_gain == pytest.approx(3)


def test_a_camera_that_sets_its_exposure_between_calm_stretches_adds_no_noise() -> None:
    meter = FlickerMeter(standing)
    for frame in range(32):
        exposure = 0.5 if frame < 8 else min(0.5 + 0.005 * (frame - 8), 0.54)
        noise = (-1) ** frame * 1e-3
        meter.push(flat(exposure + noise), flat(1.5 * exposure + 2 * noise))
    assert meter.finish().noise_gain == pytest.approx(2)


def test_a_picture_that_moves_in_most_places_has_no_static_noise() -> None:
    meter = FlickerMeter(standing)
    for frame in range(4):
        picture = flat(0.5)
        picture[:3] += 0.05 * (-1) ** frame
        meter.push(picture, picture)
    assert meter.finish().noise_gain is None


@pytest.mark.parametrize(("noise", "frames", "still"), [(0.0, 6, 1), (0.1, 6, 0), (0.0, 3, None)])
def test_how_much_stands_still_tells_why_there_is_no_noise_gain(noise: float, frames: int, still: float | None) -> None:
    meter = FlickerMeter(standing)
    for frame in range(frames):
        meter.push(flat(0.5 + noise * (-1) ** frame), flat(0.6))
    found = meter.finish()
    assert (found.noise_gain, found.still) == (None, still)


def test_measuring_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no frame"):
        FlickerMeter(standing).finish()


def test_warping_reads_between_pixels_and_says_what_lay_outside() -> None:
    row = np.array([[[0.0], [10.0], [20.0]]])
    back = np.zeros((1, 3, 2))
    back[..., 0] = -0.5
    warped, inside = warp(row, back)
    assert warped[0, :, 0].tolist() == [0, 5, 15]
    assert inside[0].tolist() == [False, True, True]


def test_flow_points_back_to_where_a_pixel_was() -> None:
    before = texture()
    after = np.roll(before, (1, 2), (0, 1))
    motion = motion_between(before, after)
    assert np.median(motion.back[..., 0]) == pytest.approx(-2, abs=0.1)
    assert np.median(motion.back[..., 1]) == pytest.approx(-1, abs=0.1)
    assert motion.visible[8:-8, 8:-8].mean() > 0.95


def test_a_picture_that_stands_still_does_not_move() -> None:
    # Near the picture's edges Farneback's flow is off by up to a quarter of a pixel.
    motion = motion_between(texture(), texture())
    size = np.linalg.norm(motion.back, axis=-1)
    assert size.mean() < 0.01
    assert size.max() < 0.25
    assert motion.visible[20:-20, 20:-20].all()


def test_what_a_moving_thing_uncovers_is_not_visible_before() -> None:
    before, after = texture(1), texture(1)
    thing = texture(2)[:24, :24]
    before[24:48, 30:54], after[24:48, 36:60] = thing, thing
    motion = motion_between(before, after)
    assert motion.visible[24:48, 28:38].mean() < 0.5
    assert motion.visible[:12].mean() > 0.95


def test_missing_opencv_names_the_package_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(UsageError, match=r"pip install opencv-python-headless"):
        motion_between(texture(), texture())
