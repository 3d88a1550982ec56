"""Drift that the pixels show."""

from __future__ import annotations

import numpy as np
import pytest

from streamct.metrics import DriftMeter, FlickerMeter, Motion


def scene(seed: int) -> np.ndarray:
    """A picture of large blotches: the same colours lie elsewhere in every frame."""
    rng = np.random.default_rng(seed)
    colours = np.random.default_rng(0).uniform(0.1, 0.8, (6, 3))
    return colours[rng.integers(0, 6, (16, 16))].repeat(8, axis=0).repeat(8, axis=1)


def drift(grades: list[float], noise: float = 0.0) -> float | None:
    """Of a moving scene that is brightened frame by frame."""
    rng = np.random.default_rng(1)
    meter = DriftMeter()
    for frame, grade in enumerate(grades):
        source = scene(frame)
        meter.push(source, source + grade + rng.normal(0, noise, source.shape) if noise else source + grade)
    return meter.drift()


def test_a_fixed_grade_of_a_moving_scene_does_not_drift() -> None:
    assert drift([0.1] * 5) == pytest.approx(0, abs=1e-12)


def test_a_grade_that_changes_shows_wherever_its_colours_lie() -> None:
    # Steps of 0.01, 0, 0.02: 0.01 on average.
    assert drift([0.1, 0.11, 0.11, 0.13]) == pytest.approx(0.01)


def test_noise_is_not_taken_for_drift() -> None:
    # Rounding and encoders: noise of 0.01 in every pixel. Taken for drift, it would add up to some 0.0003 here.
    assert drift([0.1] * 40, noise=0.01) == pytest.approx(0, abs=5e-5)
    assert drift([0.1 + 0.002 * (i % 2) for i in range(40)], noise=0.01) == pytest.approx(0.002, rel=0.05)


def test_frames_without_a_common_colour_and_cuts_tell_nothing() -> None:
    meter = DriftMeter()
    meter.push(np.full((64, 64, 3), 0.2), np.full((64, 64, 3), 0.3))
    meter.push(np.full((64, 64, 3), 0.8), np.full((64, 64, 3), 0.7))
    assert meter.drift() is None
    meter.cut()
    meter.push(np.full((64, 64, 3), 0.8), np.full((64, 64, 3), 0.9))
    assert meter.drift() is None


def test_a_video_whose_grades_are_unknown_has_the_drift_that_its_pixels_show() -> None:
    def standing(before: np.ndarray, after: np.ndarray) -> Motion:
        return Motion(np.zeros((*before.shape[:2], 2), np.float32), np.ones(before.shape[:2], bool))

    shown, known = FlickerMeter(standing), FlickerMeter(standing)
    for frame in range(3):
        source = scene(0)
        result = source + 0.1 + 0.01 * frame
        shown.push(source, result)
        known.push(source, result, source + 0.1 + 0.01 * max(frame - 1, 0))
    found = shown.finish()
    assert (found.drift, found.drift_seen) == (None, pytest.approx(0.01))
    assert found.drift_seen_share == pytest.approx(0.01 / 0.11)
    assert known.finish().drift == pytest.approx(0.01)
    assert known.finish().drift_seen is None
