"""Distance between the colours of two pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamct.metrics import distance, sliced_wasserstein
from streamct.metrics.distance import circle_axes, sphere_axes

COLOURS = arrays(np.float64, st.tuples(st.integers(1, 30), st.just(3)), elements=st.floats(-100, 100, width=32))


def noise(seed: int, height: int = 24, width: int = 30) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3)) * 0.8 + 0.1


def test_one_axis_gives_the_mean_distance_of_quantiles() -> None:
    # Sorted, 0 goes to 1 and 2 to 5: (1 + 3) / 2.
    assert sliced_wasserstein(np.array([[2.0], [0.0]]), np.array([[1.0], [5.0]]), np.array([[1.0]])) == pytest.approx(2)


def test_axes_are_averaged() -> None:
    # (3, 4) on the diagonals: 7 / sqrt 2 and 1 / sqrt 2; their mean is 4 / sqrt 2.
    axes = circle_axes(2)
    assert axes == pytest.approx(np.array([[1, 1], [-1, 1]]) / np.sqrt(2))
    assert sliced_wasserstein(np.zeros((5, 2)), np.array([[3.0, 4.0]]), axes) == pytest.approx(4 / np.sqrt(2))


# As many axes as are used miss the exact mean of |cos| by up to 1% (16 in the plane) and 3% (32 in space).
@pytest.mark.parametrize("angle", [0.0, 0.3, 1.2, 2.9])
def test_a_shift_in_the_ab_plane_costs_two_over_pi_of_its_length_in_any_direction(angle: float) -> None:
    shift = 10 * np.array([[np.cos(angle), np.sin(angle)]])
    assert sliced_wasserstein(np.zeros((1, 2)), shift, circle_axes(16)) == pytest.approx(20 / np.pi, rel=0.01)


@pytest.mark.parametrize("shift", [(10, 0, 0), (0, 10, 0), (0, 0, 10), (6, 0, 8), (0, -6, 8)])
def test_a_shift_in_lab_costs_half_its_length_in_any_direction(shift: tuple[float, float, float]) -> None:
    assert sliced_wasserstein(np.zeros((1, 3)), np.array([shift], float), sphere_axes(32)) == pytest.approx(5, rel=0.03)


@settings(deadline=None)
@given(COLOURS, COLOURS)
def test_distance_is_symmetric_and_zero_to_itself(first: np.ndarray, second: np.ndarray) -> None:
    axes = sphere_axes(8)
    assert sliced_wasserstein(first, first[::-1], axes) == pytest.approx(0, abs=1e-9)
    assert sliced_wasserstein(first, second, axes) == pytest.approx(sliced_wasserstein(second, first, axes))


def test_untouched_is_a_share_of_one_and_the_reference_itself_of_zero() -> None:
    source, reference = noise(1), noise(2) ** 2
    untouched, reached = distance(source, source, reference), distance(source, reference, reference)
    assert (untouched.ab_share, untouched.lab_share) == (1, 1)
    assert (reached.ab_share, reached.lab_share) == (0, 0)
    assert reached.lab_source == untouched.lab_source > 0


def test_of_a_source_that_has_the_references_colours_already_no_share_is_left() -> None:
    for result in (noise(1), noise(2) ** 2):
        found = distance(noise(1), result, noise(1))
        assert (found.ab_source, found.lab_source) == (0, 0)
        assert (found.ab_share, found.lab_share) == (None, None)


def test_black_borders_are_not_colours_of_the_picture() -> None:
    source, result, reference = noise(1), noise(2) ** 2, noise(3)
    boxed = [np.pad(p, ((4, 4), (0, 0), (0, 0))) for p in (source, result, reference)]
    assert distance(*boxed) == distance(source, result, reference)
