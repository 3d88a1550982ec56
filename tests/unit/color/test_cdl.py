"""ASC CDL: the formula, and the best fit."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamct.color.cdl import Cdl, edl_lines, fit_cdl, format_cdl

IDENTITY = Cdl(np.ones(3), np.zeros(3), np.ones(3), 1.0)


def test_slope_offset_power_then_saturation_about_rec709_luma() -> None:
    cdl = Cdl(np.array([2.0, 1.0, 0.5]), np.array([0.0, 0.1, 0.2]), np.array([1.0, 2.0, 1.0]), 0.5)
    plain = np.array([0.4, 0.36, 0.45])
    luma = 0.2126 * 0.4 + 0.7152 * 0.36 + 0.0722 * 0.45
    np.testing.assert_allclose(cdl(np.array([0.2, 0.5, 0.5])), luma + 0.5 * (plain - luma))


def test_values_are_held_in_0_to_1() -> None:
    cdl = Cdl(np.full(3, 4.0), np.full(3, -0.5), np.ones(3), 1.0)
    np.testing.assert_allclose(cdl(np.array([[0.0] * 3, [1.0] * 3])), [[0.0] * 3, [1.0] * 3])


@settings(deadline=None)
@given(st.integers(0, 500))
def test_a_map_that_is_a_cdl_is_found_again(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wanted = Cdl(rng.uniform(0.8, 1.2, 3), rng.uniform(-0.03, 0.03, 3), rng.uniform(0.8, 1.3, 3), rng.uniform(0.7, 1.3))
    colours = rng.random((300, 3))
    found = fit_cdl(colours, wanted(colours), rng.integers(1, 9, 300).astype(float))
    assert np.abs(found(colours) - wanted(colours)).mean() < 0.004


def test_what_changes_nothing_is_fitted_by_what_changes_nothing() -> None:
    colours = np.random.default_rng(1).random((50, 3))
    found = fit_cdl(colours, colours, np.ones(50))
    np.testing.assert_allclose(found(colours), colours, atol=1e-6)


def test_one_colour_alone_does_not_throw_the_numbers_about() -> None:
    found = fit_cdl(np.full((1, 3), 0.5), np.array([[0.6, 0.5, 0.4]]), np.ones(1))
    np.testing.assert_allclose(found(np.full((1, 3), 0.5)), [[0.6, 0.5, 0.4]], atol=0.005)
    assert np.abs(found.slope - 1).max() < 0.3
    assert np.abs(found.power - 1).max() < 0.3


def test_the_files_say_the_numbers() -> None:
    cdl = Cdl(np.array([1.1, 1.0, 0.9]), np.array([0.01, 0.0, -0.01]), np.array([1.0, 0.9, 1.2]), 0.85)
    root = ElementTree.fromstring(format_cdl(cdl, "a shot/1", "<fit> & more"))
    space = {"c": "urn:ASC:CDL:v1.2"}
    assert root.find(".//c:ColorCorrection", space).get("id") == "a_shot_1"
    assert root.findtext(".//c:Slope", namespaces=space) == "1.100000 1.000000 0.900000"
    assert root.findtext(".//c:Description", namespaces=space) == "<fit> & more"
    assert root.findtext(".//c:Saturation", namespaces=space) == "0.850000"
    assert edl_lines(cdl) == (
        "* ASC_SOP (1.1000 1.0000 0.9000)(0.0100 0.0000 -0.0100)(1.0000 0.9000 1.2000)",
        "* ASC_SAT 0.8500",
    )
    assert edl_lines(IDENTITY)[1] == "* ASC_SAT 1.0000"
