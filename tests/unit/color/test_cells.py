"""Cells of coded colours, counted without their Lab."""

from __future__ import annotations

import numpy as np
import pytest

from streamct.color.cells import srgb_cells
from streamct.color.histogram import BINS, Counter
from streamct.color.lab import lab_to_srgb, srgb_to_lab

COUNTER = Counter()
_NEAR = 6e-4


def drawn() -> np.ndarray:
    """Colours of the gamut, of its edges, of its shadows and somewhat beyond."""
    rng = np.random.default_rng(7)
    inside, beyond, dark = rng.random((20000, 3)), rng.uniform(-0.25, 1.4, (20000, 3)), rng.random((20000, 3)) ** 4
    corners = np.stack(np.meshgrid(*[[0.0, 0.04045, 0.5, 1.0]] * 3), axis=-1).reshape(-1, 3)
    return np.concatenate([inside, beyond, dark, corners])


@pytest.mark.parametrize("primaries", ["bt709", "p3"])
def test_a_colour_falls_into_the_cell_of_its_lab_unless_it_lies_on_an_edge_between_two(primaries: str) -> None:
    rgb = drawn()
    lab = srgb_to_lab(rgb, primaries)
    found, exact = srgb_cells(rgb, primaries), COUNTER.cells_of(lab)
    differ = found != exact
    moved = lab + np.array([0, 0.5, 0.5])
    around = np.abs(moved - np.rint(moved)).min(axis=1)
    assert (around[differ] < _NEAR).all()
    assert differ.mean() < 4 * 3 * _NEAR


def test_colours_that_lie_beyond_all_units_count_in_the_outermost_cells() -> None:
    rgb = np.array([[1.5, 1.5, 1.5], [-0.2, -0.2, -0.2]])
    np.testing.assert_array_equal(srgb_cells(rgb), COUNTER.cells_of(np.array([[100.0, 0, 0], [0.0, 0, 0]])))


def test_light_of_many_times_white_keeps_its_hue() -> None:
    lab = np.random.default_rng(3).uniform((100, -80, -80), (390, 80, 80), (20000, 3))
    rgb = lab_to_srgb(lab)
    lab = srgb_to_lab(rgb)
    found, exact = srgb_cells(rgb), COUNTER.cells_of(lab)
    differ = found != exact
    around = np.abs(lab[:, 1:] + 0.5 - np.rint(lab[:, 1:] + 0.5)).min(axis=1)
    assert (around[differ] < _NEAR).all()


@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf, 1e30, -1e30])
def test_what_is_no_colour_falls_into_some_cell(value: float) -> None:
    cells = srgb_cells(np.array([[value] * 3, [0.5, value, 0.5], [0.5, 0.5, value]]))
    assert ((cells >= 0) & (cells < np.prod(BINS))).all()
