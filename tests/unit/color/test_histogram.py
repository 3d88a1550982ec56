"""Colour counts of a region."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import few

from streamct.color.histogram import BINS, FULL, Counter, Histogram, bin_centres, bins_of

COUNTER = Counter()
WIDE = Counter(wide=True)


def drawn(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    lab = rng.normal([50, 0, 0], [30, 4, 4], (count, 3))
    return lab, rng.integers(0, 256, count).astype(np.uint8)


def as_dict(histogram: Histogram) -> dict[tuple[float, ...], int]:
    points = histogram.points()
    return dict(zip(map(tuple, points.lab.tolist()), points.weights.tolist(), strict=True))


@few
@given(st.integers(0, 2**32), st.integers(0, 200))
def test_counts_are_those_of_a_dictionary_of_cells(seed: int, count: int) -> None:
    lab, weights = drawn(seed, count)
    histogram = COUNTER.count(lab, weights)
    assert as_dict(histogram) == naive.joint_histogram(lab, weights)
    assert histogram.total == weights.sum(dtype=int)


@few
@given(st.integers(0, 2**32), st.integers(1, 200))
def test_counts_do_not_depend_on_the_order_of_the_pixels(seed: int, count: int) -> None:
    lab, weights = drawn(seed, count)
    order = np.random.default_rng(seed + 1).permutation(count)
    first, second = COUNTER.count(lab, weights), COUNTER.count(lab[order], weights[order])
    np.testing.assert_array_equal(first.cells, second.cells)
    np.testing.assert_array_equal(first.counts, second.counts)


@few
@given(st.integers(0, 2**32), st.lists(st.integers(1, 300), min_size=1, max_size=6))
def test_sums_of_frames_are_exact_in_any_order_and_grouping(seed: int, factors: list[int]) -> None:
    frames = [COUNTER.count(*drawn(seed + i, 50)) for i in range(len(factors))]
    at_once = COUNTER.add(frames, factors)
    backwards = COUNTER.add(frames[::-1], factors[::-1])
    running = COUNTER.add(frames[:1], factors[:1])
    for frame, factor in zip(frames[1:], factors[1:], strict=True):
        running = COUNTER.add([running, frame], [1, factor])
    for other in (backwards, running):
        np.testing.assert_array_equal(at_once.cells, other.cells)
        np.testing.assert_array_equal(at_once.counts, other.counts)
    assert at_once.total == sum(f * h.total for f, h in zip(factors, frames, strict=True))


def test_a_pixel_of_no_weight_leaves_no_cell() -> None:
    histogram = COUNTER.count(np.zeros((3, 3)), np.zeros(3, np.uint8))
    assert len(histogram.cells) == 0
    assert histogram.points().lab.shape == (0, 3)


def test_foreground_and_background_add_up_to_the_whole() -> None:
    lab, mask = drawn(7, 300)
    parts = [COUNTER.count(lab, mask), COUNTER.count(lab, FULL - mask)]
    whole = COUNTER.count(lab, np.full(300, FULL, np.uint8))
    np.testing.assert_array_equal(COUNTER.add(parts, [1, 1]).counts, whole.counts)


def test_colours_out_of_range_are_counted_in_the_outermost_cells() -> None:
    lab = np.array([[100.0, 200.0, -200.0], [130.0, 109.4, -110.5], [-5.0, -300.0, 300.0]])
    found = as_dict(COUNTER.count(lab, np.array([1, 2, 4], np.uint8)))
    assert found == {(99.5, 109.0, -110.0): 3, (0.5, -110.0, 109.0): 4}


@few
@given(st.integers(0, 2**32), st.integers(0, 200))
def test_colours_that_bt709_has_are_counted_alike_for_a_wide_gamut(seed: int, count: int) -> None:
    lab, weights = drawn(seed, count)
    np.testing.assert_array_equal(WIDE.count(lab, weights).cells, COUNTER.count(lab, weights).cells)


@few
@given(st.lists(st.tuples(st.floats(-50, 420), st.floats(-640, 640), st.floats(-640, 640)), min_size=1, max_size=20))
def test_saturated_colours_of_a_wide_gamut_lie_in_their_cell_by_three_percent(colours: list[tuple[float, ...]]) -> None:
    for colour in colours:
        centre = WIDE.count(np.array([colour]), np.full(1, FULL, np.uint8)).points().lab[0]
        assert centre[0] == min(max(np.floor(colour[0]), 0), 99) + 0.5  # brighter than diffuse white counts as white
        for value, middle in zip(colour[1:], centre[1:], strict=True):
            assert abs(value - middle) <= max(0.5, 0.012 * abs(value)) + 1e-9


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_each_cells_middle_lies_in_it_and_cells_ascend(channel: int) -> None:
    cells = np.arange(BINS[channel])
    middles = np.empty(len(cells))
    bin_centres(cells, channel, middles)
    back = np.empty(len(cells), np.int64)
    bins_of(middles, channel, back)
    np.testing.assert_array_equal(back, cells)
    assert (np.diff(middles) > 0).all()
    if channel:
        assert middles[0] < -639
        assert middles[-1] > 639


def test_greys_are_counted_as_neutral_whatever_their_rounding() -> None:
    lab = np.array([[50.2, 1e-15, -1e-15], [50.7, -1e-15, 1e-15], [50.5, 0.4, -0.4]])
    assert as_dict(COUNTER.count(lab, np.full(3, FULL, np.uint8))) == {(50.5, 0.0, 0.0): 3 * FULL}


def test_nothing_is_left_over_for_the_next_count() -> None:
    lab, weights = drawn(8, 100)
    COUNTER.count(lab, weights)
    COUNTER.add([COUNTER.count(lab, weights)], [9])
    assert COUNTER.count(lab, weights).total == weights.sum(dtype=int)
    assert len(COUNTER.add([], []).cells) == 0


def test_colours_all_over_the_range_are_counted_too() -> None:
    # More of them than a new counter has room for.
    rng = np.random.default_rng(0)
    lab = rng.uniform([0, -110.5, -110.5], [100, 109.5, 109.5], (60_000, 3))
    counter = Counter()
    whole = counter.count(lab, np.full(len(lab), 3, np.uint8))
    centres, counts = np.unique(np.floor(lab + np.array([0, 0.5, 0.5])), axis=0, return_counts=True)
    np.testing.assert_array_equal(whole.points().lab, centres + np.array([0.5, 0, 0]))
    np.testing.assert_array_equal(whole.counts, 3 * counts)
    parts = [counter.count(lab[i::3], np.full(len(lab[i::3]), 1, np.uint8)) for i in range(3)]
    summed = Counter().add(parts, [3, 3, 3])
    np.testing.assert_array_equal(summed.cells, whole.cells)
    np.testing.assert_array_equal(summed.counts, whole.counts)
