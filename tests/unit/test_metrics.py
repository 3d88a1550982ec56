"""Colour difference and banding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import few

from streamct.metrics import banding, delta_e_2000

# Sharma, Wu & Dalal, "The CIEDE2000 color-difference formula", Color Res. Appl. 30 (2005), table 1:
# L1 a1 b1, L2 a2 b2, Delta E.
PUBLISHED = np.array(
    [
        (50.0000, 2.6772, -79.7751, 50.0000, 0.0000, -82.7485, 2.0425),
        (50.0000, 3.1571, -77.2803, 50.0000, 0.0000, -82.7485, 2.8615),
        (50.0000, 2.8361, -74.0200, 50.0000, 0.0000, -82.7485, 3.4412),
        (50.0000, -1.3802, -84.2814, 50.0000, 0.0000, -82.7485, 1.0000),
        (50.0000, -1.1848, -84.8006, 50.0000, 0.0000, -82.7485, 1.0000),
        (50.0000, -0.9009, -85.5211, 50.0000, 0.0000, -82.7485, 1.0000),
        (50.0000, 0.0000, 0.0000, 50.0000, -1.0000, 2.0000, 2.3669),
        (50.0000, -1.0000, 2.0000, 50.0000, 0.0000, 0.0000, 2.3669),
        (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0009, 7.1792),
        (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0010, 7.1792),
        (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0011, 7.2195),
        (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0012, 7.2195),
        (50.0000, -0.0010, 2.4900, 50.0000, 0.0009, -2.4900, 4.8045),
        (50.0000, -0.0010, 2.4900, 50.0000, 0.0010, -2.4900, 4.8045),
        (50.0000, -0.0010, 2.4900, 50.0000, 0.0011, -2.4900, 4.7461),
        (50.0000, 2.5000, 0.0000, 50.0000, 0.0000, -2.5000, 4.3065),
        (50.0000, 2.5000, 0.0000, 73.0000, 25.0000, -18.0000, 27.1492),
        (50.0000, 2.5000, 0.0000, 61.0000, -5.0000, 29.0000, 22.8977),
        (50.0000, 2.5000, 0.0000, 56.0000, -27.0000, -3.0000, 31.9030),
        (50.0000, 2.5000, 0.0000, 58.0000, 24.0000, 15.0000, 19.4535),
        (50.0000, 2.5000, 0.0000, 50.0000, 3.1736, 0.5854, 1.0000),
        (50.0000, 2.5000, 0.0000, 50.0000, 3.2972, 0.0000, 1.0000),
        (50.0000, 2.5000, 0.0000, 50.0000, 1.8634, 0.5757, 1.0000),
        (50.0000, 2.5000, 0.0000, 50.0000, 3.2592, 0.3350, 1.0000),
        (60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644),
        (63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630),
        (61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731),
        (35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645),
        (22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373),
        (36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146),
        (90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441),
        (90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381),
        (6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377),
        (2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082),
    ]
)


@pytest.mark.parametrize("row", range(34))
def test_ciede2000_is_the_published_value_of_each_of_sharmas_pairs(row: int) -> None:
    pair = PUBLISHED[row]
    assert delta_e_2000(pair[:3], pair[3:6]) == pytest.approx(pair[6], abs=5e-5)


def test_ciede2000_takes_whole_pictures() -> None:
    first, second = PUBLISHED[:, :3].reshape(17, 2, 3), PUBLISHED[:, 3:6].reshape(17, 2, 3)
    np.testing.assert_allclose(delta_e_2000(first, second), PUBLISHED[:, 6].reshape(17, 2), atol=5e-5)


colours = st.tuples(st.floats(0, 100), st.floats(-110, 110), st.floats(-110, 110)).map(np.array)


@few
@given(colours, colours)
def test_ciede2000_does_not_depend_on_the_order_of_the_colours(first: np.ndarray, second: np.ndarray) -> None:
    assert delta_e_2000(first, second) == pytest.approx(delta_e_2000(second, first), abs=1e-9)
    assert delta_e_2000(first, first) == 0


def test_a_smooth_ramp_that_stays_smooth_has_no_banding() -> None:
    ramp = np.repeat(np.linspace(0, 1, 512)[None, :, None], 8, axis=0).repeat(3, axis=2)
    assert banding(ramp, ramp) == pytest.approx(1 / 511)


def test_contours_drawn_into_a_smooth_ramp_are_banding() -> None:
    ramp = np.repeat(np.linspace(0, 0.5, 512)[None, :, None], 8, axis=0).repeat(3, axis=2)
    result = ramp.copy()
    result[:, (np.arange(512) // 64) % 2 == 1, 1] += 0.25
    assert banding(ramp, result) > 0.2


def test_an_edge_of_the_source_is_no_banding() -> None:
    source = np.zeros((8, 8, 3))
    source[:, 4:] = 1.0
    assert banding(source, source * 0.5) == 0
    assert banding(source[:1, 3:5], source[:1, 3:5]) == 0
