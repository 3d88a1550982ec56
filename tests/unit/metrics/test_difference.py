"""A result against its source: every figure here was worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamct.metrics import (
    banding,
    consistency_lightness,
    consistency_rgb,
    difference,
    edit_size,
    fading,
    new_clipping,
    new_extremes,
)

PICTURES = arrays(np.float64, (6, 7, 3), elements=st.floats(0, 1, width=16))


def grey(*rows: list[float]) -> np.ndarray:
    return np.repeat(np.array(rows, np.float64)[..., None], 3, axis=-1)


def lab(*colours: tuple[float, float, float]) -> np.ndarray:
    return np.array(colours, np.float64)


def test_edit_is_the_mean_step_over_pixels_and_channels() -> None:
    source = np.zeros((1, 2, 3))
    result = np.array([[[0.3, 0, 0], [0, 0, -0.6]]])
    assert edit_size(source, result) == pytest.approx(0.9 / 6)


def test_lightness_consistency_is_the_mean_variance_of_the_result_in_bins_of_the_source() -> None:
    # 20 bins of 5: 10 and 11 share bin 2, 60 and 62 share bin 12.
    # Bin 2: variance of 0.20 and 0.30 = 0.05^2; bin 12: 0. Mean of the two bins that hold pixels.
    source = lab((10, 0, 0), (11, 0, 0), (60, 0, 0), (62, 0, 0))
    result = lab((20, 0, 0), (30, 0, 0), (50, 0, 0), (50, 0, 0))
    assert consistency_lightness(source, result) == pytest.approx(0.0025 / 2)


def test_rgb_consistency_counts_in_codes_and_is_the_mean_of_the_channels() -> None:
    # R: bins of 25.5 codes: 10 and 20 in bin 0, 200 in 7, 240 in 9. Variance of codes 0 and 10 is 25, of one
    # value 0: mean 25 / 3. G and B are constant: 0. Mean of the channels: 25 / 9.
    source, result = np.full((4, 3), 0.5), np.full((4, 3), 0.25)
    source[:, 0] = np.array([10, 20, 200, 240]) / 255
    result[:, 0] = np.array([0, 10, 100, 50]) / 255
    assert consistency_rgb(source, result) == pytest.approx(25 / 9)


def test_fading_counts_only_losses_of_the_signed_values() -> None:
    # a: 10 -> 4 loses 6, 0 -> 3 nothing; b: -20 -> -30 loses 10, 5 -> 6 nothing. Mean over two pixels, over 255.
    source, result = lab((50, 10, -20), (50, 0, 5)), lab((50, 4, -30), (50, 3, 6))
    assert fading(source, result) == pytest.approx((3 / 255, 5 / 255))


def test_fading_of_absolute_values_is_fading_to_grey() -> None:
    source, result = lab((50, 10, -20), (50, 0, 5)), lab((50, 4, -30), (50, 3, 6))
    assert fading(np.abs(source), np.abs(result)) == pytest.approx((3 / 255, 0))


def test_banding_is_the_step_between_neighbours_that_were_smooth() -> None:
    # 0.500 -> 0.504 is smooth (under 1.5/255 = 0.0059) and steps by 0.05 in the result; 0.504 -> 0.6 is an edge.
    assert banding(grey([0.5, 0.504, 0.6]), grey([0.5, 0.55, 0.9])) == pytest.approx(0.05)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_neighbours_of_8_bit_pictures_are_smooth_up_to_a_step_of_one_code(kind: type[np.floating]) -> None:
    for step, smooth in ((1, True), (2, False)):
        for code in range(255 - step + 1):
            source = (np.array([[code, code + step]], kind) / kind(255))[..., None].repeat(3, axis=-1)
            assert (banding(source, grey([0.2, 0.6])) > 0) == smooth, (code, step)


def test_banding_of_a_picture_without_smooth_neighbours_is_zero() -> None:
    assert banding(grey([0.0, 0.5, 1.0]), grey([0.0, 0.9, 1.0])) == 0


def test_extremes_are_counted_where_the_source_had_none() -> None:
    # New: the first (dark) and the third (light). The second was dark before, the fourth stays below 99.
    source = lab((50, 0, 0), (0.5, 0, 0), (50, 0, 0), (98, 0, 0))
    result = lab((0.5, 0, 0), (0.4, 0, 0), (99.5, 0, 0), (98.5, 0, 0))
    assert new_extremes(source, result) == 0.5


def test_clipping_is_counted_by_channel_where_the_source_had_none() -> None:
    # New: blue of the first, red of the second (though its blue was at 0 before). Not the third, which was white.
    source = np.array([[[0.5, 0.5, 0.5], [0.5, 0.5, 0.0], [1.0, 1.0, 1.0], [0.2, 0.2, 0.2]]])
    result = np.array([[[0.5, 0.5, 0.0], [1.0, 0.5, 0.0], [1.0, 1.0, 1.0], [0.1, 0.1, 0.1]]])
    assert new_clipping(source, result) == 0.5


@settings(deadline=None)
@given(PICTURES)
def test_a_picture_against_itself_lost_nothing(picture: np.ndarray) -> None:
    found = difference(picture, picture)
    assert (found.edit, found.delta_e, found.fading_a, found.fading_b) == (0, 0, 0, 0)
    assert (found.fading_abs_a, found.fading_abs_b, found.new_extremes, found.new_clipping) == (0, 0, 0, 0)
    assert found.banding == found.banding_source < 2 / 255
    assert found.structure == pytest.approx(1)
    # Values within a bin of 25.5 codes (5 of L*) vary by at most half its width.
    assert found.consistency_rgb <= (25.5 / 2) ** 2
    assert found.consistency_l <= (0.05 / 2) ** 2


@settings(deadline=None)
@given(PICTURES, PICTURES, st.randoms(use_true_random=False))
def test_order_of_pixels_does_not_matter_to_the_papers_measures(source, result, random) -> None:  # type: ignore[no-untyped-def]
    order = list(range(42))
    random.shuffle(order)
    first, second = source.reshape(-1, 3), result.reshape(-1, 3)
    assert consistency_rgb(first[order], second[order]) == pytest.approx(consistency_rgb(first, second), abs=1e-9)
    assert fading(first[order], second[order]) == pytest.approx(fading(first, second), abs=1e-12)
