"""Correspondence -> a function Lab -> Lab (Eq. 11-12)."""

from __future__ import annotations

from collections.abc import Callable

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import few

from streamct.color.colormap import ColorMap, apply_to_srgb, color_map
from streamct.color.correspondence import Correspondence, correspond
from streamct.color.lab import lab_to_srgb, srgb_to_lab
from streamct.color.scalar import exp_negative, share_of
from streamct.model import Palette
from streamct.settings import MappingSettings

FILM = MappingSettings()
PAPER = MappingSettings(correspondence="nearest", propagation="absolute", assignment="hard", neutral_blacks=False)

seeds = st.integers(0, 2**32)


def drawn(seed: int, size: int) -> Correspondence:
    rng = np.random.default_rng(seed)
    source = rng.uniform([0, -60, -60], [100, 60, 60], (size, 3))
    return Correspondence(source, source + rng.normal(0, 20, (size, 3)))


def colours(seed: int, count: int = 300) -> np.ndarray:
    """Among them colours far from every palette, below black and above white."""
    return np.random.default_rng(seed + 1).uniform([-20, -150, -150], [250, 150, 150], (count, 3))


@few
@given(seeds, st.integers(1, 32), st.sampled_from([1.0, 8.0, 50.0]), st.booleans(), st.floats(0, 1), st.floats(0, 2))
def test_soft_maps_are_gaussian_weighted_shifts(
    seed: int, size: int, sigma: float, neutral: bool, alpha: float, strength: float
) -> None:
    pairs = drawn(seed, size)
    changed = {"softness": sigma, "neutral_blacks": neutral, "alpha": alpha, "strength": strength}
    found = color_map(pairs, FILM.model_copy(update=changed))(colours(seed))
    options = {"alpha": alpha, "strength": strength, "sigma": sigma, "neutral_blacks": neutral}
    expected = [naive.mapped(c, pairs.source, pairs.targets, **options) for c in colours(seed)]
    np.testing.assert_allclose(found, expected, atol=1e-9)


@few
@given(seeds, st.integers(1, 32), st.booleans(), st.floats(0, 1), st.floats(0, 2))
def test_hard_maps_shift_a_colour_as_its_nearest_palette_colour(
    seed: int, size: int, neutral: bool, alpha: float, strength: float
) -> None:
    pairs = drawn(seed, size)
    changed = {"neutral_blacks": neutral, "alpha": alpha, "strength": strength}
    found = color_map(pairs, PAPER.model_copy(update=changed))(colours(seed))
    options = {"alpha": alpha, "strength": strength, "sigma": 0, "neutral_blacks": neutral}
    expected = [naive.mapped(c, pairs.source, pairs.targets, **options) for c in colours(seed)]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_far_from_all_palette_colours_a_map_turns_gradually() -> None:
    """Two colours 60 apart, 80 away: with sigma 8 alone nine tenths of the turn would lie within 6.3 Delta E."""
    source = np.array([[50.0, -30, 0], [50, 30, 0]])
    mapping = color_map(Correspondence(source, source + np.array([[0.0, 0, 40], [0, 0, -40]])), FILM)
    line = np.stack([np.full(1201, 50.0), np.linspace(-30, 30, 1201), np.full(1201, 80.0)], axis=-1)
    shift = (mapping(line) - line)[:, 2]
    turning = line[np.abs(shift) < 0.9 * 40, 1]
    assert turning.max() - turning.min() > 50
    assert (np.diff(shift) <= 0).all()


both = pytest.mark.parametrize("settings", [FILM, PAPER], ids=["film", "paper"])


@both
def test_palette_colours_without_a_shift_change_nothing(settings: MappingSettings) -> None:
    source = drawn(0, 8).source
    lab = colours(0)
    np.testing.assert_array_equal(color_map(Correspondence(source, source.copy()), settings)(lab), lab)


@both
def test_strength_0_changes_nothing(settings: MappingSettings) -> None:
    lab = colours(1)
    mapping = color_map(drawn(1, 8), settings.model_copy(update={"strength": 0.0}))
    np.testing.assert_array_equal(mapping(lab), lab)


@both
def test_the_shift_grows_in_proportion_to_strength(settings: MappingSettings) -> None:
    lab = colours(2)

    def shift(strength: float) -> np.ndarray:
        return color_map(drawn(2, 8), settings.model_copy(update={"strength": strength}))(lab) - lab

    # With `neutral_blacks` a lightness shift beyond 17.8 takes a longer way to fade in.
    exact = slice(1 if settings.neutral_blacks else 0, 3)
    np.testing.assert_allclose(shift(0.5)[:, exact], 0.5 * shift(1.0)[:, exact], atol=1e-9)
    np.testing.assert_allclose(shift(2.0)[:, exact], 2.0 * shift(1.0)[:, exact], atol=1e-9)


@both
def test_alpha_0_leaves_lightness_alone_and_1_takes_all_of_it(settings: MappingSettings) -> None:
    lab, pairs = colours(3), drawn(3, 1)
    none = color_map(pairs, settings.model_copy(update={"alpha": 0.0}))(lab)
    np.testing.assert_array_equal(none[:, 0], lab[:, 0])
    whole = color_map(pairs, settings.model_copy(update={"alpha": 1.0, "neutral_blacks": False}))(lab)
    np.testing.assert_allclose(whole[:, 0] - lab[:, 0], (pairs.targets - pairs.source)[0, 0])


@few
@given(st.floats(0, 2.999), st.floats(0, 360), st.floats(0, 40))
def test_blacks_stay_black_under_shifts_of_40(lightness: float, hue: float, size: float) -> None:
    angle = np.radians(hue)
    shift = [0.0, size * np.cos(angle), size * np.sin(angle)]
    black = np.array([[lightness, 0.0, 0.0]])
    out = ColorMap(black.copy(), np.array([shift]), 8.0, neutral_blacks=True)(black)
    assert np.hypot(out[0, 1], out[0, 2]) <= 3


@few
@given(st.floats(-100, 100), st.floats(0, 2))
def test_black_is_neither_lifted_nor_shadows_crushed(lift: float, strength: float) -> None:
    lightness = np.linspace(0, 100, 501)
    greys = np.stack([lightness, np.zeros(501), np.zeros(501)], axis=1)
    out = ColorMap(np.array([[50.0, 0, 0]]), np.array([[strength * lift, 0, 0]]), 8.0, neutral_blacks=True)(greys)
    assert out[0, 0] == 0
    assert (np.diff(out[:, 0]) >= np.diff(lightness) / 3 - 1e-9).all()


@few
@given(seeds, st.integers(1, 32), st.sampled_from(["soft", "hard"]))
def test_skin_hues_are_held_as_defined(seed: int, size: int, assignment: str) -> None:
    pairs = drawn(seed, size)
    lab = np.concatenate([colours(seed), np.random.default_rng(seed).uniform([0, 0, 0], [100, 50, 50], (300, 3))])
    free = FILM.model_copy(update={"assignment": assignment})
    held = color_map(pairs, free.model_copy(update={"protect_skin": True}))(lab)
    expected = [naive.skin_held(own, out) for own, out in zip(lab, color_map(pairs, free)(lab), strict=True)]
    np.testing.assert_allclose(held, expected, atol=1e-9)


@few
@given(st.floats(30, 90), st.floats(16, 74), st.floats(12, 50), st.floats(-80, 80), st.floats(-80, 80))
def test_protected_skin_turns_by_8_degrees_at_most(
    lightness: float, hue: float, chroma: float, shift_a: float, shift_b: float
) -> None:
    skin = np.array([[lightness, chroma * np.cos(np.radians(hue)), chroma * np.sin(np.radians(hue))]])
    shift = np.array([[0.0, shift_a, shift_b]])
    out = ColorMap(skin.copy(), shift, 8.0, neutral_blacks=True, skin=True)(skin)[0]
    assert abs(np.degrees(np.arctan2(out[2], out[1])) - hue) <= 8 + 1e-6
    assert np.hypot(out[1], out[2]) >= chroma / 2 - 1e-9


def test_colours_far_from_skin_are_not_held() -> None:
    hues = np.radians(np.arange(100, 350, 5))
    lab = np.stack([np.full(len(hues), 60.0), 30 * np.cos(hues), 30 * np.sin(hues)], axis=1)
    pairs = drawn(7, 20)
    held = color_map(pairs, FILM.model_copy(update={"protect_skin": True}))(lab)
    np.testing.assert_array_equal(held, color_map(pairs, FILM)(lab))


def test_the_border_of_the_skin_range_draws_no_contour() -> None:
    hues = np.radians(np.linspace(-30, 120, 4000))
    lab = np.stack([np.full(len(hues), 60.0), 25 * np.cos(hues), 25 * np.sin(hues)], axis=1)
    mapping = ColorMap(np.array([[60.0, 20, 20]]), np.array([[0.0, -25, 30]]), 8.0, neutral_blacks=True, skin=True)
    assert np.abs(np.diff(mapping(lab), axis=0)).max() < 12 * np.abs(np.diff(lab, axis=0)).max()


def test_highlights_keep_their_tint() -> None:
    white = np.array([[100.0, 0.0, 0.0]])
    out = ColorMap(white, np.array([[0.0, 12.0, -5.0]]), 8.0, neutral_blacks=True)(white)
    np.testing.assert_allclose(out, [[100, 12, -5]])


@both
def test_above_white_the_shift_of_white_holds(settings: MappingSettings) -> None:
    mapping = color_map(drawn(4, 12), settings)
    white, above = np.array([[100.0, 5.0, -3.0]]), np.array([[390.0, 5.0, -3.0]])
    np.testing.assert_allclose(mapping(above) - above, mapping(white) - white, atol=1e-12)


def test_soft_maps_draw_no_contour() -> None:
    line = np.linspace([10, -80, -80], [90, 80, 80], 5000)
    pairs = drawn(5, 32)
    step = np.abs(np.diff(line, axis=0)).max()
    soft = np.abs(np.diff(color_map(pairs, FILM)(line), axis=0)).max()
    hard = np.abs(np.diff(color_map(pairs, PAPER)(line), axis=0)).max()
    assert soft < 40 * step
    assert hard > 200 * step


def test_maps_take_any_shape_and_any_number_of_colours() -> None:
    mapping = color_map(drawn(6, 5), FILM)
    flat = colours(6, 600)
    np.testing.assert_array_equal(mapping(flat.reshape(20, 30, 3)), mapping(flat).reshape(20, 30, 3))
    np.testing.assert_array_equal(mapping(flat[257:258]), mapping(flat)[257:258])
    assert mapping(np.empty((0, 3))).shape == (0, 3)


@few
@given(st.floats(-40, 0))
def test_the_kernels_exponential_is_the_exponential(x: float) -> None:
    assert exp_negative(x) == pytest.approx(np.exp(x), rel=2e-11)
    assert share_of(x) == pytest.approx(np.exp(x), abs=5e-14)


@pytest.mark.parametrize("exponential", [exp_negative, share_of])
def test_the_kernels_exponential_of_0_is_1_and_of_far_away_next_to_nothing(
    exponential: Callable[[float], float],
) -> None:
    assert exponential(0.0) == 1.0
    assert 0 < exponential(-1e9) < 1e-17


# Pictures.


@few
@given(seeds, st.integers(1, 40), st.integers(1, 40))
def test_pictures_are_mapped_pixel_by_pixel_and_clipped_to_the_gamut(seed: int, height: int, width: int) -> None:
    rgb = np.random.default_rng(seed).uniform(0, 1, (height, width, 3)).astype(np.float32)
    mapping = color_map(drawn(seed, 6), FILM.model_copy(update={"gamut": "clip"}))
    expected = np.clip(lab_to_srgb(mapping(srgb_to_lab(rgb))), 0, 1)
    np.testing.assert_allclose(apply_to_srgb(mapping, rgb), expected, atol=1e-6)


def test_colours_outside_the_gamut_may_stay_as_far_outside() -> None:
    rgb = np.array([[[1.25, 0.5, -0.125]]], np.float32)
    nothing = ColorMap(np.zeros((1, 3)), np.zeros((1, 3)), 8.0, neutral_blacks=True)
    np.testing.assert_allclose(apply_to_srgb(nothing, rgb), rgb, atol=1e-6)
    brighter = ColorMap(np.zeros((1, 3)), np.array([[30.0, 0, 0]]), 8.0, neutral_blacks=True)
    assert apply_to_srgb(brighter, rgb)[0, 0, 0] == np.float32(1.25)


def test_the_number_of_workers_does_not_show() -> None:
    rgb = np.random.default_rng(9).uniform(0, 1, (300, 250, 3)).astype(np.float32)  # more than one chunk
    mapping = color_map(drawn(9, 3), FILM)
    np.testing.assert_array_equal(apply_to_srgb(mapping, rgb, 1), apply_to_srgb(mapping, rgb, 2))


def test_a_colour_is_mapped_the_same_whatever_is_mapped_beside_it() -> None:
    mapping = color_map(drawn(5, 24), MappingSettings(softness=1.5))
    lab = colours(6, 1000)
    whole = mapping(lab)
    order = np.random.default_rng(7).permutation(len(lab))
    np.testing.assert_array_equal(mapping(lab[order]), whole[order])
    np.testing.assert_array_equal(np.concatenate([mapping(part) for part in np.array_split(lab, 77)]), whole)


def with_chroma(chroma: float) -> Palette:
    """Greys, and one colour that has some."""
    colours = np.array([[20.0, 0, 0], [50, 0, 0], [80, 0, 0], [60, chroma, 0]])
    return Palette(colours, np.array([0.4, 0.3, 0.2, 0.1]))


def test_a_black_and_white_reference_leaves_no_colour_anywhere() -> None:
    source = Palette(drawn(8, 20).source, np.full(20, 0.05))
    for strength, left in ((1.0, 0.0), (0.25, 0.75)):
        settings = MappingSettings(strength=strength)
        mapping = color_map(correspond(source, with_chroma(1.5), settings), settings)
        moved_alone = color_map(correspond(source, with_chroma(6.0), settings), settings)
        assert moved_alone.colour == 1
        assert mapping.colour == pytest.approx(left)
        lab = colours(9, 500)
        assert np.hypot(*mapping(lab)[:, 1:].T).max() <= left * np.hypot(*lab[:, 1:].T).max() + 40 * strength
    assert (mapping(lab)[:, 1:] != 0).any()


def test_a_reference_with_a_little_colour_drains_the_less_the_more_it_has() -> None:
    settings = MappingSettings()
    source = Palette(drawn(8, 20).source, np.full(20, 0.05))
    left = [color_map(correspond(source, with_chroma(c), settings), settings).colour for c in (0, 2, 3, 4, 5, 6, 9)]
    assert left[:2] == [0, 0]
    assert left[-2:] == [1, 1]
    assert left == sorted(left)
