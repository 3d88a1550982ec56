"""Colours that leave the gamut."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import few

from streamct.color.gamut import clip, compress, ease

Way = Callable[[np.ndarray, np.ndarray], None]

both_ways = st.sampled_from([clip, compress])
inside = st.tuples(*[st.floats(0, 1)] * 3)
anywhere = st.tuples(*[st.floats(-1, 2)] * 3)


def brought_back(mapped: object, source: object, how: Way = compress) -> np.ndarray:
    out = np.array([mapped], np.float64)
    how(out, np.array([source], np.float64))
    return out[0]


@few
@given(anywhere, inside, both_ways)
def test_a_colour_of_the_gamut_never_leaves_it(mapped: object, source: object, how: Way) -> None:
    out = brought_back(mapped, source, how)
    assert out.min() >= -1e-12
    assert out.max() <= 1 + 1e-12


@few
@given(anywhere, both_ways)
def test_what_the_map_leaves_alone_stays(colour: object, how: Way) -> None:
    np.testing.assert_allclose(brought_back(colour, colour, how), colour, atol=1e-12)


def test_colours_well_inside_are_not_touched() -> None:
    grid = np.stack(np.meshgrid(*[np.linspace(0.25, 0.75, 6)] * 3), axis=-1).reshape(-1, 3)
    for colour in grid:
        np.testing.assert_array_equal(brought_back(colour, [0.5, 0.5, 0.5]), colour)


def test_a_colour_is_drawn_towards_grey_on_a_straight_line() -> None:
    # Luma 0.2126 * 1.4 + 0.7152 * 0.5 + 0.0722 * 0.1 = 0.66246; the grey is half-way to 0.5: 0.58123.
    mapped = np.array([1.4, 0.5, 0.1])
    out = brought_back(mapped, [0.5, 0.5, 0.5])
    share = (out - 0.58123) / (mapped - 0.58123)
    np.testing.assert_allclose(share, share[0], atol=1e-9)
    # The border lies 0.41877 from the grey, red 0.81877: 1.95519 ways. 0.8 + 0.19 (1 - exp(-(1.95519 - 0.8) / 0.19)).
    np.testing.assert_allclose(share[0], (0.8 + 0.19 * (1 - np.exp(-6.07995))) / 1.95519, atol=1e-5)


def test_a_gradient_that_leaves_the_gamut_stays_a_gradient() -> None:
    ramp = np.linspace([0.5, 0.5, 0.5], [1.6, 0.3, -0.2], 400)
    for how, steps in ((compress, 1), (clip, 120)):
        red = np.array([brought_back(colour, [0.5] * 3, how)[0] for colour in ramp])
        assert (np.diff(red) >= -1e-12).all()
        assert (np.diff(red[:300]) == 0).sum() < steps


def test_no_colour_is_pushed_to_the_very_border() -> None:
    out = brought_back([5.0, 0.5, -4.0], [0.5, 0.5, 0.5])
    assert out.min() > 0.5 / 255
    assert out.max() < 1 - 0.5 / 255


def test_the_paper_cuts_each_channel() -> None:
    assert brought_back([1.5, 0.5, -0.5], [0.2, 0.2, 0.2], clip).tolist() == [1.0, 0.5, 0.0]


@pytest.mark.parametrize("push", [0.0, 0.01, 0.5])
def test_an_outside_colour_keeps_its_place_unless_it_is_pushed_farther(push: float) -> None:
    out = brought_back([1.2 + push, 0.5, 0.5], [1.2, 0.5, 0.5])
    assert out[0] <= 1.2 + 1e-12
    assert (out[0] > 1.15) == (push < 0.1)


@few
@given(anywhere, anywhere, st.floats(0, 1))
def test_easing_leaves_a_share_of_what_goes_farther_below_black_than_the_source_did(
    mapped: tuple[float, ...], source: tuple[float, ...], share: float
) -> None:
    out = np.array([mapped])
    ease(out, np.array([source]), share)
    for value, own, eased in zip(mapped, source, out[0], strict=True):
        border = min(own, 0)
        assert eased == pytest.approx(value if value >= border else border - share * (border - value), abs=1e-12)
