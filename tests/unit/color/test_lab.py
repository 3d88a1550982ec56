"""R'G'B' <-> L*a*b*."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import few

from streamct.color.lab import lab_to_srgb, lab_to_srgb8, rgb_to_xyz, srgb_to_lab
from streamct.color.scalar import cube_root, fifth_root

# Published L*a*b* of sRGB colours for D65. Sources round the matrix and the white to four or five digits, each in
# its own way, which moves the values by up to 0.02.
PUBLISHED = [
    ((255, 0, 0), (53.2408, 80.0925, 67.2032)),
    ((0, 255, 0), (87.7347, -86.1827, 83.1793)),
    ((0, 0, 255), (32.2970, 79.1875, -107.8602)),
    ((0, 255, 255), (91.1132, -48.0875, -14.1312)),
    ((255, 0, 255), (60.3242, 98.2343, -60.8249)),
    ((255, 255, 0), (97.1393, -21.5537, 94.4780)),
    ((128, 128, 128), (53.5850, 0.0, 0.0)),
    ((119, 119, 119), (50.0344, 0.0, 0.0)),
]


@pytest.mark.parametrize(("codes", "lab"), PUBLISHED)
def test_srgb_colours_have_their_published_lab_values(codes: tuple[int, ...], lab: tuple[float, ...]) -> None:
    np.testing.assert_allclose(srgb_to_lab(np.array(codes) / 255), lab, atol=0.02)


def test_the_srgb_matrix_is_the_published_one() -> None:
    published = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    white = np.array([0.3127, 0.3290, 0.3583]) / 0.3290
    np.testing.assert_allclose(rgb_to_xyz("bt709") * white[:, None], published, atol=1e-4)


def test_the_bt2020_matrix_has_the_published_luminance_row() -> None:
    np.testing.assert_allclose(rgb_to_xyz("bt2020")[1], [0.2627, 0.6780, 0.0593], atol=1e-4)


@pytest.mark.parametrize("primaries", ["bt709", "bt2020", "p3"])
def test_white_and_black_are_exact(primaries: str) -> None:
    np.testing.assert_array_equal(srgb_to_lab(np.ones((1, 3)), primaries), [[100, 0, 0]])
    np.testing.assert_allclose(srgb_to_lab(np.zeros((1, 3)), primaries), [[0, 0, 0]], atol=1e-12)


def test_greys_have_no_chroma_beyond_rounding() -> None:
    greys = np.repeat(np.arange(256)[:, None] / 255, 3, axis=1)
    assert np.abs(srgb_to_lab(greys)[:, 1:]).max() < 1e-12


triples = st.tuples(*[st.floats(-0.5, 1.5)] * 3).map(np.array)


@few
@given(triples)
def test_lab_is_what_the_formulas_give_inside_and_outside_the_gamut(rgb: np.ndarray) -> None:
    np.testing.assert_allclose(srgb_to_lab(rgb), naive.srgb_to_lab(rgb), atol=1e-9)


@few
@given(triples)
def test_lab_and_back_is_the_same_colour_inside_and_outside_the_gamut(rgb: np.ndarray) -> None:
    # The standard's curve steps by 3e-8 where its two pieces meet, at 0.04045.
    np.testing.assert_allclose(lab_to_srgb(srgb_to_lab(rgb)), rgb, atol=5e-8)


@few
@given(st.tuples(st.floats(0, 100), st.floats(-110, 110), st.floats(-110, 110)).map(np.array))
def test_colours_outside_the_gamut_become_what_the_formulas_give(lab: np.ndarray) -> None:
    np.testing.assert_allclose(lab_to_srgb(lab), naive.lab_to_srgb(lab), atol=1e-9)


@pytest.mark.parametrize("primaries", ["bt2020", "p3"])
def test_wide_gamut_primaries_round_trip(primaries: str) -> None:
    rgb = np.random.default_rng(0).uniform(0, 1, (50, 3))
    np.testing.assert_allclose(lab_to_srgb(srgb_to_lab(rgb, primaries), primaries), rgb, atol=1e-9)


def test_the_curve_is_odd_so_negative_light_mirrors_positive_light() -> None:
    greys = np.linspace(0, 0.05, 11)[:, None].repeat(3, axis=1)  # where both curves are straight or odd
    back = lab_to_srgb(srgb_to_lab(-greys))
    np.testing.assert_allclose(back, -greys, atol=1e-12)


def test_pictures_keep_their_shape_and_single_precision_is_enough() -> None:
    rgb = np.random.default_rng(1).uniform(0, 1, (5, 7, 3)).astype(np.float32)
    lab = srgb_to_lab(rgb)
    assert lab.shape == (5, 7, 3)
    assert lab.dtype == np.float64
    np.testing.assert_allclose(lab, naive.srgb_to_lab(rgb.astype(float)), atol=1e-9)


def test_8_bit_codes_survive_lab_and_are_clipped_to_the_gamut() -> None:
    codes = np.random.default_rng(2).integers(0, 256, (100, 3)).astype(np.uint8)
    np.testing.assert_array_equal(lab_to_srgb8(srgb_to_lab(codes / 255)), codes)
    np.testing.assert_array_equal(lab_to_srgb8(np.array([[120.0, 0, 0], [-20.0, 0, 0]])), [[255] * 3, [0] * 3])


def test_roots_are_exact_to_the_last_bits_over_their_range() -> None:
    cubes = np.geomspace(1 / 512, 64, 5001)
    fifths = np.geomspace(1 / 32, 32, 5001)
    np.testing.assert_allclose([cube_root(t) for t in cubes], np.cbrt(cubes), rtol=4e-16)
    np.testing.assert_allclose([fifth_root(t) for t in fifths], fifths**0.2, rtol=6e-16)
