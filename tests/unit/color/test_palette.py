"""Weighted colours -> palette (Eq. 1-4)."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import few

from streamct.color.histogram import FULL, Counter, Points
from streamct.color.lab import srgb_to_lab
from streamct.color.palette import extract, extract_joint, peak_levels
from streamct.model import Palette
from streamct.settings import PaletteSettings

FILM = PaletteSettings()
PAPER = PaletteSettings(bins="range", peak_radius=3, smoothing=0, refinements=0, spread=0)
PLAIN = PaletteSettings(peak_radius=3, smoothing=0, spread=0)
PEAKS = PaletteSettings(spread=0)
COUNTER = Counter()


def film_points(rgb: np.ndarray, weights: np.ndarray | None = None) -> Points:
    lab = srgb_to_lab(rgb.reshape(-1, 3))
    weights = np.full(len(lab), FULL, np.uint8) if weights is None else weights.reshape(-1)
    return COUNTER.count(lab, weights).points()


def paper_points(rgb: np.ndarray, weights: np.ndarray | None = None) -> Points:
    lab = srgb_to_lab(rgb.reshape(-1, 3))
    weights = np.full(len(lab), FULL) if weights is None else weights.reshape(-1).astype(np.int64)
    return Points(lab[weights > 0], weights[weights > 0])


def check_against_twin(points: Points, settings: PaletteSettings) -> Palette:
    found = extract(points, settings)
    options = {
        "size": settings.size,
        "radius": settings.peak_radius,
        "share": settings.peak_share,
        "smoothing": settings.smoothing,
        "refinements": settings.refinements,
        "spread": settings.spread,
    }
    if settings.bins == "range":
        options |= {"ranges": None, "bins": (settings.range_bins,) * 3}
    colours, weights = naive.palette(points.lab, points.weights, **options)
    np.testing.assert_allclose(found.colours, colours, atol=1e-9)
    np.testing.assert_allclose(found.weights, weights, atol=1e-12)
    assert 1 <= len(found) <= settings.size
    assert found.weights.sum() == pytest.approx(1)
    assert (np.diff(found.weights) <= 0).all()
    return found


def picture(seed: int, height: int, width: int) -> np.ndarray:
    """Blotches of a few colours with noise: histograms with true and false peaks."""
    rng = np.random.default_rng(seed)
    colours = rng.uniform(0, 1, (rng.integers(1, 6), 3))
    which = rng.integers(0, len(colours), (height, width))
    return np.clip(colours[which] + rng.normal(0, 0.03, (height, width, 3)), 0, 1)


@few
@given(st.integers(0, 2**32), st.integers(1, 20), st.integers(1, 20), st.integers(1, 40))
def test_film_palettes_are_those_of_the_equations(seed: int, height: int, width: int, size: int) -> None:
    check_against_twin(film_points(picture(seed, height, width)), FILM.model_copy(update={"size": size}))


@few
@given(st.integers(0, 2**32), st.integers(1, 20), st.integers(1, 20), st.integers(1, 40))
def test_paper_palettes_are_those_of_the_equations(seed: int, height: int, width: int, size: int) -> None:
    check_against_twin(paper_points(picture(seed, height, width)), PAPER.model_copy(update={"size": size}))


@few
@given(st.integers(0, 2**32), st.integers(1, 5), st.sampled_from([0.0, 0.001, 0.05, 0.3]))
def test_radius_and_share_of_a_peak_mean_what_the_equation_says(seed: int, radius: int, share: float) -> None:
    changed = {"peak_radius": radius, "peak_share": share}
    check_against_twin(film_points(picture(seed, 8, 8)), FILM.model_copy(update=changed))
    check_against_twin(paper_points(picture(seed, 8, 8)), PAPER.model_copy(update=changed))


@few
@given(st.integers(0, 2**32))
def test_pixels_weigh_what_their_mask_says(seed: int) -> None:
    mask = np.random.default_rng(seed).integers(0, 256, (12, 12)).astype(np.uint8)
    mask[0, 0] = 1
    check_against_twin(film_points(picture(seed, 12, 12), mask), FILM)
    check_against_twin(paper_points(picture(seed, 12, 12), mask), PAPER)


GREYS = np.repeat([0.02, 0.3, 0.5, 0.7, 0.98], [4, 9, 5, 8, 6])[:, None, None].repeat(3, axis=2)
DEGENERATE = {
    "one pixel": np.array([[[0.2, 0.5, 0.7]]]),
    "two by two": np.array([[[0, 0, 0], [1, 0, 0]], [[0, 1, 0], [0, 0, 1]]], float),
    "one colour": np.full((9, 7, 3), (0.3, 0.6, 0.1)),
    "all black": np.zeros((5, 5, 3)),
    "all white": np.ones((5, 5, 3)),
    "two greys": np.repeat([[[0.2] * 3, [0.8] * 3]], 6, axis=0),
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_pictures_have_the_palette_of_the_equations(name: str) -> None:
    check_against_twin(film_points(DEGENERATE[name]), FILM)


@pytest.mark.parametrize("name", ["one pixel", "one colour", "all black", "all white"])
@pytest.mark.parametrize("settings", [FILM, PAPER], ids=["film", "paper"])
def test_a_picture_of_one_colour_has_that_one_colour_as_its_palette(name: str, settings: PaletteSettings) -> None:
    rgb = DEGENERATE[name]
    points = film_points(rgb) if settings is FILM else paper_points(rgb)
    found = extract(points, settings)
    assert found.weights.tolist() == [1.0]
    exact = srgb_to_lab(rgb[0, 0])
    within = 1.0 if settings is FILM else 1e-9  # film knows a colour to its cell
    np.testing.assert_allclose(found.colours[0], exact, atol=within)


@pytest.mark.parametrize("settings", [FILM, PAPER], ids=["film", "paper"])
def test_a_grey_picture_has_each_grey_once(settings: PaletteSettings) -> None:
    found = extract(film_points(GREYS) if settings is FILM else paper_points(GREYS), settings)
    np.testing.assert_allclose(found.weights * 32, [9, 8, 6, 5, 4])
    np.testing.assert_allclose(found.colours[:, 1:], 0, atol=1e-9)


def test_two_pictures_of_the_same_colours_have_the_same_palette_at_any_scale() -> None:
    small = picture(3, 12, 12)
    large = small.repeat(4, axis=0).repeat(4, axis=1)
    for points, settings in ((film_points, FILM), (paper_points, PAPER)):
        first, second = extract(points(small), settings), extract(points(large), settings)
        np.testing.assert_allclose(first.colours, second.colours, atol=1e-9)
        np.testing.assert_allclose(first.weights, second.weights)


def test_no_colour_is_no_palette() -> None:
    with pytest.raises(ValueError, match="at least one colour"):
        extract(Points(np.empty((0, 3)), np.empty(0, np.int64)), FILM)


def levels(counts: dict[int, int], **changes: float) -> list[float]:
    """Peak levels of a lightness histogram given as {bin: pixels}."""
    values = np.array([b + 0.5 for b in counts])
    weights = np.array(list(counts.values()))
    return peak_levels(values, weights, 0, PLAIN.model_copy(update=changes)).tolist()


def test_of_equal_neighbours_the_first_is_the_peak() -> None:
    assert levels({10: 5, 11: 5, 12: 5}) == [10.5]
    assert levels({10: 5, 13: 5}) == [10.5]
    assert levels({10: 5, 14: 5}) == [10.5, 14.5]


def test_a_long_plateau_has_one_peak_at_its_start() -> None:
    assert levels(dict.fromkeys(range(20, 40), 7)) == [20.5]


def test_peaks_may_lie_at_the_ends_of_the_range() -> None:
    assert levels({0: 9, 1: 3, 98: 3, 99: 9}) == [0.5, 99.5]


def test_a_higher_bin_three_away_hides_a_peak_and_four_away_does_not() -> None:
    assert levels({50: 5, 53: 6}) == [53.5]
    assert levels({50: 5, 54: 6}) == [50.5, 54.5]


def test_smoothing_makes_one_peak_of_a_jagged_hill_and_keeps_a_lone_colour() -> None:
    jagged = {40: 20, 41: 35, 42: 30, 43: 45, 44: 40, 45: 60, 46: 30, 47: 34, 48: 33, 49: 20, 90: 2}
    assert levels(jagged, peak_radius=1) == [41.5, 43.5, 45.5, 47.5, 90.5]
    assert levels(jagged, peak_radius=1, smoothing=2) == [45.5, 90.5]


def test_a_peak_holds_more_than_its_share_of_the_pixels() -> None:
    # 30 of 90,000 pixels, the paper's threshold, is not more than 30.
    assert levels({20: 89_970, 60: 30}) == [20.5]
    assert levels({20: 89_969, 60: 31}) == [20.5, 60.5]
    assert levels({20: 899_700, 60: 300}) == [20.5]
    assert levels({20: 899_690, 60: 310}) == [20.5, 60.5]


def test_where_no_bin_holds_enough_the_fullest_counts() -> None:
    assert levels({10: 4, 30: 5, 50: 4}, peak_share=0.9) == [30.5]


def test_range_bins_run_from_the_least_to_the_greatest_value() -> None:
    values, weights = np.array([10.0, 20.0, 30.0]), np.array([5, 1, 5])
    settings = PAPER.model_copy(update={"range_bins": 10, "peak_radius": 3})
    assert peak_levels(values, weights, 0, settings).tolist() == [11.0, 21.0, 29.0]


def test_thousands_of_bins_do_not_need_memory_for_every_combination() -> None:
    rng = np.random.default_rng(0)
    points = Points(rng.uniform(0, 100, (3000, 3)), np.full(3000, FULL))
    found = extract(points, PAPER.model_copy(update={"range_bins": 1000, "peak_radius": 1, "peak_share": 0.0}))
    assert len(found) == 32


def test_a_colour_between_two_candidates_leaves_no_empty_palette_entry() -> None:
    # Rounding may count a vote for one of two equally near candidates and the pixel for the other.
    third = 100 / 3
    lab = np.array([[0.0, 0.0, 0.0], [third, third, third], [2 * third, 1.0, 1.0], [100.0, 100.0, 100.0]])
    for scale in (1.0, 0.1, 0.3, 0.7):
        found = extract(Points(lab * scale, np.array([3, 1, 1, 3])), PAPER.model_copy(update={"peak_radius": 50}))
        assert np.isfinite(found.colours).all()
        assert (found.weights > 0).all()


def overlapping_scenes() -> Points:
    """Two scenes whose histograms overlap in every channel, so that the sum of each has one peak or two."""
    rng = np.random.default_rng(0)
    scenes = [rng.normal((50, 0, 0), (20, 16, 3), (20_000, 3)), rng.normal((46, 2, 2), (18, 3, 18), (20_000, 3))]
    lab = np.concatenate(scenes)
    lab[:, 0] = np.clip(lab[:, 0], 1, 99)
    return COUNTER.count(lab, np.full(len(lab), FULL, np.uint8)).points()


def spread(points: Points, colours: np.ndarray) -> float:
    """The largest standard deviation, along any axis, of the points that one colour stands for."""
    nearest = np.linalg.norm(points.lab[:, None] - colours[None], axis=2).argmin(axis=1)
    out = 0.0
    for i in range(len(colours)):
        lab, weights = points.lab[nearest == i], points.weights[nearest == i]
        out = max(out, float(np.linalg.eigvalsh(np.cov(lab.T, aweights=weights, bias=True)).max()) ** 0.5)
    return out


def test_scenes_that_overlap_have_few_peaks_but_their_palette_has_their_colours() -> None:
    points = overlapping_scenes()
    assert len(extract(points, PEAKS)) <= 2
    found = extract(points, FILM.model_copy(update={"spread": 10.0}))
    assert 8 < len(found) < FILM.size
    assert spread(points, found.colours) < 11
    assert found.weights.sum() == pytest.approx(1)
    assert (np.diff(found.weights) <= 0).all()


def test_joint_palettes_are_divided_whatever_the_settings() -> None:
    points = overlapping_scenes()
    for settings in (FILM, PEAKS):
        np.testing.assert_array_equal(extract_joint(points, settings).colours, extract(points, FILM).colours)


def test_a_face_before_black_is_not_taken_for_black() -> None:
    # From black to a light skin there are fewer pixels of each step than of the one before: no bin is a peak.
    steps = np.arange(80)
    lab = np.stack([steps + 0.5, np.rint(steps / 3), np.rint(steps / 4)], axis=1)
    points = Points(lab, np.where(steps < 5, 60_000, 600 - 5 * steps).astype(np.int64))
    assert len(extract(points, PEAKS)) == 1
    found = extract(points, FILM)
    assert len(found) > 3
    assert np.abs(lab[5:, None] - found.colours[None]).max(axis=2).min(axis=1).max() < 3 * FILM.spread


@few
@given(st.integers(0, 2**32), st.floats(1, 20), st.integers(1, 40))
def test_palettes_are_divided_as_the_twin_divides_them(seed: int, widest: float, size: int) -> None:
    rng = np.random.default_rng(seed)
    lab = rng.normal((50, 0, 0), rng.uniform(2, 20, 3), (150, 3))
    lab[:, 0] = np.clip(lab[:, 0], 1, 99)
    points = COUNTER.count(lab, rng.integers(1, 256, 150).astype(np.uint8)).points()
    check_against_twin(points, FILM.model_copy(update={"spread": widest, "size": size}))


def test_a_joint_palette_stays_within_its_size() -> None:
    settings = PaletteSettings(size=5)
    assert len(extract_joint(overlapping_scenes(), settings)) == 5


def test_colours_that_stand_for_little_are_not_divided() -> None:
    rng = np.random.default_rng(1)
    points = film_points(np.clip(rng.normal((0.2, 0.6, 0.4), 0.01, (500, 3)), 0, 1))
    alone, joint = extract(points, PEAKS), extract_joint(points, PEAKS)
    assert len(alone) == len(joint)
    with pytest.raises(ValueError, match="at least one colour"):
        extract_joint(Points(np.empty((0, 3)), np.empty(0, np.int64)), FILM)
