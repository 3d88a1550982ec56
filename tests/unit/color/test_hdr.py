"""PQ and HLG <-> L*a*b*, and what an SDR screen shows of them."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import few

from streamct.color.coding import rgb_to_code
from streamct.color.lab import coded_to_lab, lab_to_coded, rgb_to_xyz, srgb_to_lab
from streamct.color.scalar import exp2, log2
from streamct.color.shown import shown
from streamct.model import Coding

PQ = Coding("bt2020", full_range=False, transfer="pq", primaries="bt2020")
HLG = Coding("bt2020", full_range=False, transfer="hlg", primaries="bt2020")
WIDE = Coding("bt2020", full_range=False, primaries="bt2020")
P3 = Coding("bt709", full_range=False, primaries="p3")
SDR = Coding("bt709", full_range=False)

hdr = st.sampled_from([PQ, HLG])
triples = st.tuples(*[st.floats(-0.1, 1.1)] * 3).map(np.array)


def light(signal: float, coding: Coding) -> float:
    """cd/m2 of a grey, from its lightness."""
    lightness = coded_to_lab(np.full((1, 3), signal), coding)[0, 0]
    return 203 * (((lightness + 16) / 116) ** 3 if lightness > 8 else lightness * 27 / 24389)


def signal(nits: float, coding: Coding) -> float:
    ratio = nits / 203
    lightness = 116 * np.cbrt(ratio) - 16 if ratio > 216 / 24389 else ratio * 24389 / 27
    return lab_to_coded(np.array([[lightness, 0.0, 0.0]]), coding)[0, 1]


# ITU-R BT.2408, table 1: cd/m2 on a display of 1000 cd/m2 and the signals in whole percents, PQ and HLG: 18% grey card,
# greyscale charts of 83% and 90%, diffuse white.
LEVELS = [(26.0, 0.38, 0.38), (162.0, 0.56, 0.71), (179.0, 0.57, 0.73), (203.0, 0.58, 0.75)]


@pytest.mark.parametrize(("nits", "pq", "hlg"), LEVELS)
def test_reference_levels_have_their_published_signals(nits: float, pq: float, hlg: float) -> None:
    assert signal(nits, PQ) == pytest.approx(pq, abs=5.5e-3)
    assert signal(nits, HLG) == pytest.approx(hlg, abs=5.5e-3)


@few
@given(st.floats(0.01, 1), hdr)
def test_light_and_signal_are_each_others_inverse(level: float, coding: Coding) -> None:
    assert signal(light(level, coding), coding) == pytest.approx(level, rel=1e-9)


@pytest.mark.parametrize(("nits", "code"), [(100.0, 0.5081), (1000.0, 0.7518), (4000.0, 0.9026)])
def test_pq_signals_have_their_published_luminance(nits: float, code: float) -> None:
    assert signal(nits, PQ) == pytest.approx(code, abs=5e-5)


def test_pq_reaches_from_nothing_to_10000_candela() -> None:
    assert light(0.0, PQ) == pytest.approx(0, abs=1e-9)
    assert light(1.0, PQ) == pytest.approx(10000, rel=1e-12)
    assert signal(203.0, PQ) == pytest.approx(0.580689, abs=1e-6)


def test_hlg_is_diffuse_white_at_three_quarters_and_a_twelfth_of_scene_light_at_a_half() -> None:
    assert light(0.75, HLG) == pytest.approx(203, abs=0.2)
    assert light(0.5, HLG) == pytest.approx(1000 * (1 / 12) ** 1.2, rel=1e-9)


def test_diffuse_white_is_lightness_100_and_peaks_lie_far_above() -> None:
    white = coded_to_lab(np.full((1, 3), signal(203.0, PQ)), PQ)
    np.testing.assert_allclose(white, [[100, 0, 0]], atol=1e-9)
    peaks = [coded_to_lab(np.ones((1, 3)), coding)[0, 0] for coding in (PQ, HLG)]
    np.testing.assert_allclose(peaks, [116 * np.cbrt(10000 / 203) - 16, 116 * np.cbrt(1000 / 203) - 16], atol=1e-4)


@few
@given(hdr, triples)
def test_lab_is_what_the_standards_give(coding: Coding, rgb: np.ndarray) -> None:
    expected = naive.hdr_to_lab([rgb], coding.transfer)[0]
    # Relative to the largest value: BT.2100 rounds the weights of its luminance to four digits.
    np.testing.assert_allclose(coded_to_lab(rgb, coding), expected, rtol=0, atol=1e-5 * max(1, np.abs(expected).max()))


@few
@given(hdr, triples, st.sampled_from(["bt709", "bt2020", "p3"]))
def test_lab_and_back_is_the_same_signal_inside_and_outside_the_gamut(
    coding: Coding, rgb: np.ndarray, primaries: str
) -> None:
    own = Coding("bt2020", False, coding.transfer, primaries)
    # PQ is as steep as 1e5 at black, where what rounding leaves of other channels' light shows.
    np.testing.assert_allclose(lab_to_coded(coded_to_lab(rgb, own), own), rgb, atol=2e-5)
    bright = np.abs(rgb) + 0.05
    np.testing.assert_allclose(lab_to_coded(coded_to_lab(bright, own), own), bright, atol=1e-9)


@few
@given(hdr, st.floats(0, 1))
def test_greys_have_no_chroma_beyond_rounding(coding: Coding, level: float) -> None:
    assert np.abs(coded_to_lab(np.full(3, level), coding)[1:]).max() < 1e-10


def display_light(lab: np.ndarray) -> np.ndarray:
    """Linear BT.2020 R, G, B relative to diffuse white, by CIE 15."""
    fy = (lab[..., 0] + 16) / 116
    f = np.stack([fy + lab[..., 1] / 500, fy, fy - lab[..., 2] / 200], axis=-1)
    relative = np.where(f > 6 / 29, f**3, (116 * f - 16) * 27 / 24389)
    return relative @ np.linalg.inv(rgb_to_xyz("bt2020")).T


@few
@given(hdr, st.tuples(*[st.floats(0.2, 0.7)] * 3), st.tuples(st.floats(-20, 20), *[st.floats(-60, 60)] * 2))
def test_mapped_light_falls_towards_black_in_ever_smaller_shares(
    coding: Coding, rgb: tuple[float, ...], shift: tuple[float, ...]
) -> None:
    before = coded_to_lab(np.array([rgb]), coding)
    after = before + np.array([shift])
    own, mapped = display_light(before)[0], display_light(after)[0]
    knee = np.minimum(own, 0.07 * own.max())
    expected = np.where(mapped < knee, knee * np.exp(np.minimum(mapped / knee - 1, 0)), mapped)
    signals = lab_to_coded(after, coding, before)
    assert (signals >= 0).all()
    if coding is PQ:  # HLG's light depends on the luminance that the map asks for, not on what is left of it
        np.testing.assert_allclose(display_light(coded_to_lab(signals, coding))[0], expected, rtol=1e-6, atol=1e-12)


def test_what_a_map_brightens_or_leaves_is_as_mapped() -> None:
    before = coded_to_lab(np.random.default_rng(5).uniform(0.05, 0.7, (50, 3)), PQ)
    np.testing.assert_array_equal(lab_to_coded(before, PQ, before), lab_to_coded(before, PQ))
    brighter = before + np.array([10.0, 0, 0])
    np.testing.assert_allclose(lab_to_coded(brighter, PQ, before), lab_to_coded(brighter, PQ), atol=1e-12)


def test_lightness_rises_with_every_12_bit_code() -> None:
    for coding in (PQ, HLG):
        lightness = coded_to_lab(np.arange(4096)[:, None].repeat(3, axis=1) / 4095, coding)[:, 0]
        assert (np.diff(lightness[1:]) > 0).all()


def test_one_colour_has_one_lab_in_every_coding() -> None:
    rgb = np.random.default_rng(3).uniform(0.05, 0.95, (40, 3))
    lab = coded_to_lab(rgb, SDR)
    np.testing.assert_array_equal(lab, srgb_to_lab(rgb))
    for coding in (PQ, HLG, WIDE, P3):
        np.testing.assert_allclose(coded_to_lab(lab_to_coded(lab, coding), coding), lab, atol=1e-7)


def test_wide_primaries_are_wider() -> None:
    green = np.array([[0.0, 1.0, 0.0]])
    chroma = [np.hypot(*coded_to_lab(green, coding)[0, 1:]) for coding in (SDR, P3, WIDE)]
    assert chroma[0] < chroma[1] < chroma[2]
    # The luminance of each green, from its published matrix row: lightness by CIE 15.
    for coding, luminance in ((SDR, 0.7152), (P3, 0.6917), (WIDE, 0.6780)):
        assert coded_to_lab(green, coding)[0, 0] == pytest.approx(116 * np.cbrt(luminance) - 16, abs=5e-3)


def test_powers_of_two_and_their_logarithms_are_exact_to_the_last_bits() -> None:
    values = np.geomspace(1e-300, 1e300, 5001)
    np.testing.assert_allclose([log2(v) for v in values], np.log2(values), rtol=4e-16, atol=1e-15)
    near = np.linspace(0.5, 2, 5001)
    np.testing.assert_allclose([log2(v) for v in near], np.log2(near), atol=5e-16)
    powers = np.linspace(-1000, 1000, 5001)
    np.testing.assert_allclose([exp2(v) for v in powers], np.exp2(powers), rtol=1e-15)


# What an SDR screen shows.


def test_sdr_is_shown_as_it_is() -> None:
    rgb = np.random.default_rng(1).uniform(-0.1, 1.1, (4, 5, 3))
    assert shown(rgb, SDR) is rgb


@few
@given(st.sampled_from([PQ, HLG, WIDE, P3]), st.tuples(*[st.floats(0, 1)] * 3).map(np.array))
def test_what_is_shown_lies_in_the_gamut_of_the_screen(coding: Coding, rgb: np.ndarray) -> None:
    out = shown(rgb, coding)
    assert out.shape == rgb.shape
    assert out.min() >= -1e-9
    assert out.max() <= 1 + 1e-9


def test_shadows_and_middle_tones_of_hdr_are_shown_unchanged_and_highlights_keep_their_order() -> None:
    greys = np.linspace(0, 1, 200)[:, None].repeat(3, axis=1)
    for coding in (PQ, HLG):
        lightness = coded_to_lab(greys, coding)[:, 0]
        seen = srgb_to_lab(shown(greys, coding))
        np.testing.assert_allclose(seen[:, 1:], 0, atol=1e-6)
        np.testing.assert_allclose(seen[lightness < 80, 0], lightness[lightness < 80], atol=1e-6)
        assert (np.diff(seen[:, 0]) > -1e-9).all()
        assert seen[-1, 0] > 96


def test_codes_of_hdr_have_the_matrix_of_their_own_standard() -> None:
    # Y' = 0.2627 R' + 0.6780 G' + 0.0593 B', for PQ and HLG signals alike.
    for coding in (PQ, HLG):
        luma = rgb_to_code(np.eye(3), coding, 10)[:, 0]
        np.testing.assert_allclose((luma - 16) / 219, [0.2627, 0.6780, 0.0593], atol=1e-12)
    np.testing.assert_allclose(rgb_to_xyz("bt2020")[1], [0.2627, 0.6780, 0.0593], atol=1e-4)
