"""Coded samples <-> R'G'B'."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import few

from streamct.color.coding import black_code, code_to_rgb, rgb_to_code
from streamct.model import Coding

MATRICES = ["rgb", "bt601", "bt709", "bt2020", "smpte240m"]

# 75% colour bars, 8 bits, studio range: R'G'B' and Y'CbCr as in ITU-R BT.601 and BT.709 (rounded to codes).
BARS = {
    "bt601": {
        (1, 1, 0): (162, 44, 142),
        (0, 1, 1): (131, 156, 44),
        (1, 0, 0): (65, 100, 212),
        (0, 0, 1): (35, 212, 114),
    },
    "bt709": {
        (1, 1, 0): (168, 44, 136),
        (0, 1, 1): (145, 147, 44),
        (1, 0, 0): (51, 109, 212),
        (0, 0, 1): (28, 212, 120),
    },
}


@pytest.mark.parametrize("matrix", sorted(BARS))
def test_colour_bars_have_their_published_codes(matrix: str) -> None:
    for rgb, codes in BARS[matrix].items():
        units = rgb_to_code(np.array(rgb) * 0.75, Coding(matrix, full_range=False), 8)
        np.testing.assert_array_equal(np.rint(units), codes)


@pytest.mark.parametrize("depth", [8, 10, 12])
@pytest.mark.parametrize("matrix", MATRICES)
def test_full_range_white_is_the_highest_code_and_black_the_lowest(matrix: str, depth: int) -> None:
    coding = Coding(matrix, full_range=True)
    top = (2**depth - 1) / 2 ** (depth - 8)
    chroma = top if matrix == "rgb" else 128
    np.testing.assert_allclose(rgb_to_code(np.ones(3), coding, depth), [top, chroma, chroma], atol=1e-9)
    assert black_code(coding, depth) == (0, *[0 if matrix == "rgb" else 128 << (depth - 8)] * 2)


@pytest.mark.parametrize("depth", [8, 10, 12])
@pytest.mark.parametrize("matrix", MATRICES)
def test_studio_range_runs_from_16_to_235_at_every_depth(matrix: str, depth: int) -> None:
    coding = Coding(matrix, full_range=False)
    chroma = [235, 235] if matrix == "rgb" else [128, 128]
    np.testing.assert_allclose(rgb_to_code(np.ones(3), coding, depth), [235, *chroma], atol=1e-9)
    black = np.array(black_code(coding, depth)) / 2 ** (depth - 8)
    np.testing.assert_allclose(code_to_rgb(black, coding, depth), [0, 0, 0], atol=1e-12)


def test_rgb_planes_are_in_the_order_green_blue_red() -> None:
    units = rgb_to_code(np.array([0.1, 0.2, 0.3]), Coding("rgb", full_range=True), 8)
    np.testing.assert_allclose(units / 255, [0.2, 0.3, 0.1])


@few
@given(
    st.sampled_from(MATRICES),
    st.booleans(),
    st.sampled_from([8, 10, 12]),
    st.tuples(*[st.floats(0, 256)] * 3).map(np.array),
)
def test_every_code_survives_rgb_and_back(matrix: str, full: bool, depth: int, units: np.ndarray) -> None:
    coding = Coding(matrix, full)
    np.testing.assert_allclose(rgb_to_code(code_to_rgb(units, coding, depth), coding, depth), units, atol=1e-9)
