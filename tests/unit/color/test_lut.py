"""ColorMap -> Lut."""

from __future__ import annotations

import itertools
from dataclasses import replace

import naive
import numpy as np
import pytest

from streamct.color.coding import code_to_rgb, rgb_to_code
from streamct.color.colormap import ColorMap, color_map
from streamct.color.correspondence import correspond
from streamct.color.lab import coded_to_lab, lab_to_coded, lab_to_srgb, srgb_to_lab
from streamct.color.lut import CHROMA_NODES, LUMA_NODES, ONE, Lut, LutGrid, columns_of, mix
from streamct.metrics import delta_e_2000
from streamct.model import Coding, FloatArray, IntArray, Palette
from streamct.settings import MappingSettings

STUDIO = Coding("bt709", full_range=False)
PQ = Coding("bt2020", full_range=False, transfer="pq", primaries="bt2020")
HLG = Coding("bt2020", full_range=False, transfer="hlg", primaries="bt2020")
WIDE = Coding("bt2020", full_range=False, primaries="bt2020")
CHROMA = CHROMA_NODES


def film_map(seed: int, size: int = 12, spread: float = 15.0) -> ColorMap:
    rng = np.random.default_rng(seed)
    source = rng.uniform([5, -50, -50], [95, 50, 50], (size, 3))
    return ColorMap(source, rng.normal(0, spread, (size, 3)) * [0.3, 1, 1], 8.0, True)


@pytest.fixture(scope="module")
def grid() -> LutGrid:
    return LutGrid(STUDIO, 8)


@pytest.fixture(scope="module")
def baked(grid: LutGrid) -> Lut:
    return grid.bake(film_map(0))


def test_nodes_cover_every_code_from_0_to_256() -> None:
    assert LUMA_NODES[0] == 0
    assert LUMA_NODES[-1] == 256
    assert CHROMA[-1] == 256
    assert (np.diff(LUMA_NODES) >= 4).all(), "kernels hold positions between nodes in sixteenths"


def test_the_identity_lut_is_each_nodes_own_code(grid: LutGrid) -> None:
    table = grid.identity.table
    assert table.shape == (len(CHROMA), len(CHROMA), 3, len(LUMA_NODES))
    np.testing.assert_array_equal(table[:, :, 0], np.broadcast_to(LUMA_NODES * ONE, table[:, :, 0].shape))
    np.testing.assert_array_equal(table[:, :, 1], np.broadcast_to(CHROMA[:, None, None] * ONE, table[:, :, 1].shape))
    np.testing.assert_array_equal(table[:, :, 2], np.broadcast_to(CHROMA[None, :, None] * ONE, table[:, :, 2].shape))


@pytest.mark.parametrize(
    "coding", [STUDIO, Coding("bt601", True), Coding("bt2020", False), Coding("rgb", True), WIDE, PQ, HLG]
)
@pytest.mark.parametrize("depth", [8, 10])
def test_a_map_without_shifts_bakes_to_the_identity_also_outside_the_nominal_range(coding: Coding, depth: int) -> None:
    grid = LutGrid(coding, depth)
    nothing = ColorMap(np.zeros((1, 3)), np.zeros((1, 3)), 0.0, False)
    np.testing.assert_array_equal(grid.bake(nothing).table, grid.identity.table)


def exact_nodes(mapping: ColorMap, i: IntArray, j: IntArray, n: IntArray) -> tuple[FloatArray, FloatArray]:
    """R'G'B' of nodes, and the codes to which the map takes them, by the naive twin."""
    rgb = code_to_rgb(np.stack([LUMA_NODES[n], CHROMA[i], CHROMA[j]], axis=-1).astype(float), STUDIO, 8)
    targets = mapping.source + mapping.shifts
    mapped = [naive.mapped(naive.srgb_to_lab(colour), mapping.source, targets, alpha=1) for colour in rgb]
    graded = np.array([naive.lab_to_srgb(lab) for lab in mapped])
    return rgb, rgb_to_code(np.clip(graded, np.minimum(rgb, 0), np.maximum(rgb, 1)), STUDIO, 8)


def test_nodes_of_colours_hold_the_map_rounded_to_a_64th(baked: Lut) -> None:
    i, j, n = np.random.default_rng(1).integers(0, [len(CHROMA), len(CHROMA), len(LUMA_NODES)], (2000, 3)).T
    rgb, expected = exact_nodes(film_map(0), i, j, n)
    colours = ((rgb > -0.05) & (rgb < 1.05)).all(axis=-1)
    assert colours.sum() > 300
    assert np.abs(baked.table[i, j, :, n] / ONE - expected)[colours].max() <= 0.5 / ONE + 1e-6


@pytest.mark.parametrize("coding", [PQ, HLG])
def test_nodes_of_hdr_hold_the_map_in_its_own_lab_and_primaries(coding: Coding) -> None:
    mapping = film_map(6)
    table = LutGrid(coding, 10).bake(mapping).table
    i, j, n = np.random.default_rng(7).integers(0, [len(CHROMA), len(CHROMA), len(LUMA_NODES)], (4000, 3)).T
    rgb = code_to_rgb(np.stack([LUMA_NODES[n], CHROMA[i], CHROMA[j]], axis=-1).astype(float), coding, 10)
    got = code_to_rgb(table[i, j, :, n] / ONE, coding, 10)
    # Only what the map leaves well inside the gamut, where nothing is drawn back.
    usable = ((rgb > 0.02) & (rgb < 1) & (got > 0.05) & (got < 0.98)).all(axis=-1)
    assert usable.sum() > 100
    lab = naive.hdr_to_lab(rgb[usable], coding.transfer)
    targets = mapping.source + mapping.shifts
    expected = np.array([naive.mapped(colour, mapping.source, targets, alpha=1) for colour in lab])
    plain, held = lab_to_coded(expected, coding), lab_to_coded(expected, coding, lab)
    off = np.abs(table[i, j, :, n][usable] / ONE - rgb_to_code(held, coding, 10)).max(axis=1)
    assert (plain == held).all(axis=1).sum() > 100
    assert off.max() <= 0.5 / ONE + 1e-5


@pytest.mark.parametrize("coding", [WIDE, PQ, HLG])
def test_nodes_inside_a_wide_gamut_stay_inside(coding: Coding) -> None:
    table = LutGrid(coding, 10).bake(film_map(2, spread=60.0)).table.astype(float) / ONE
    units = np.stack(np.meshgrid(CHROMA, CHROMA, LUMA_NODES, indexing="ij"), axis=-1)[..., [2, 0, 1]].astype(float)
    before, after = code_to_rgb(units, coding, 10), code_to_rgb(np.moveaxis(table, 2, -1), coding, 10)
    inside = ((before >= 0) & (before <= 1)).all(axis=-1)
    assert inside.sum() > 1000
    assert after[inside].min() > -0.001
    assert after[inside].max() < 1.001


@pytest.mark.parametrize("coding", [PQ, HLG])
def test_neutral_blacks_of_hdr_stay_black_between_nodes(coding: Coding) -> None:
    mapping = ColorMap(
        np.array([[20.0, 0, 0], [70.0, 0, 0]]), np.array([[4.0, 50, 40], [-3.0, 20, 30]]), 8.0, True, True
    )
    function = naive.lut_function(LutGrid(coding, 10).bake(mapping).table, LUMA_NODES, CHROMA)
    greys = np.linspace(0, 0.25, 200)[:, None].repeat(3, axis=1)
    before = coded_to_lab(greys, coding)
    after = coded_to_lab(code_to_rgb(function(rgb_to_code(greys, coding, 10)), coding, 10), coding)
    black = before[:, 0] < 3
    assert black.sum() > 50
    assert np.hypot(after[black, 1], after[black, 2]).max() < 3.5  # 3 by the map itself
    np.testing.assert_allclose(after[0], 0, atol=1e-6)


def test_all_corners_of_cells_that_hold_a_colour_hold_the_map(baked: Lut) -> None:
    for rgb in itertools.product((0.0, 0.5, 1.0), repeat=3):
        y, cb, cr = rgb_to_code(np.array(rgb), STUDIO, 8)
        axes = ((CHROMA, cb), (CHROMA, cr), (LUMA_NODES, y))
        first = np.array([np.searchsorted(nodes, unit, "right") - 1 for nodes, unit in axes])
        i, j, n = (first[:, None] + np.array(list(itertools.product((0, 1), repeat=3))).T).reshape(3, -1)
        _, expected = exact_nodes(film_map(0), i, j, n)
        assert np.abs(baked.table[i, j, :, n] / ONE - expected).max() <= 0.5 / ONE + 1e-6


def test_a_node_that_is_no_colour_moves_as_a_colour_between_it_and_grey_does(baked: Lut, grid: LutGrid) -> None:
    shifts = (baked.table.astype(int) - grid.identity.table)[:, :, :, 12]
    corner = shifts[0, 0]
    between = [shifts[48 - k, 48 - k] for k in range(48)]
    assert any((corner == shift).all() for shift in between)


def test_nodes_inside_the_gamut_stay_inside(grid: LutGrid) -> None:
    table = grid.bake(film_map(2, spread=60.0)).table.astype(float) / ONE
    units = np.stack(np.meshgrid(CHROMA, CHROMA, LUMA_NODES, indexing="ij"), axis=-1)[..., [2, 0, 1]].astype(float)
    before = code_to_rgb(units, STUDIO, 8)
    after = code_to_rgb(np.moveaxis(table, 2, -1), STUDIO, 8)
    inside = ((before >= 0) & (before <= 1)).all(axis=-1)
    assert inside.sum() > 1000
    assert after[inside].min() > -0.001
    assert after[inside].max() < 1.001


def test_between_nodes_a_lut_of_the_film_method_is_within_its_stated_error(grid: LutGrid) -> None:
    rng = np.random.default_rng(3)
    palettes = [
        Palette(rng.normal(centre, [25, 12, 15], (24, 3)), np.full(24, 1 / 24))
        for centre in ([45, 5, 10], [55, 0, -10])
    ]
    settings = MappingSettings()
    mapping = color_map(correspond(*palettes, settings), settings)
    function = naive.lut_function(grid.bake(mapping).table, LUMA_NODES, CHROMA)
    rgb = rng.uniform(0, 1, (3000, 3))
    exact = mapping(srgb_to_lab(rgb))
    through = srgb_to_lab(code_to_rgb(function(rgb_to_code(rgb, STUDIO, 8)), STUDIO, 8))
    graded = lab_to_srgb(exact)
    shown = (graded > 0).all(axis=1) & (graded < 1).all(axis=1)
    assert shown.sum() > 1000
    error = delta_e_2000(exact[shown], through[shown])
    assert error.mean() < 0.22
    assert np.quantile(error, 0.99) < 1.6


def test_mixing_luts_is_their_weighted_mean_rounded_once() -> None:
    rng = np.random.default_rng(4)
    luts = [Lut(rng.integers(-8192, 24576, (2, 3, 3, 4)).astype(np.int16)) for _ in range(5)]
    weights = [1, 7, 240, 3, 60000]
    exact = np.average([lut.table for lut in luts], axis=0, weights=weights)
    mixed = mix(luts, weights).table
    assert mixed.dtype == np.int16
    assert np.abs(mixed - exact).max() <= 0.5 + 1e-9


def test_mixing_equal_luts_gives_the_same_lut_whatever_the_weights() -> None:
    lut = Lut(np.random.default_rng(5).integers(-8192, 24576, (2, 3, 3, 4)).astype(np.int16))
    np.testing.assert_array_equal(mix([lut, lut, lut], [1, 30, 12]).table, lut.table)
    assert mix([lut], [3]) is lut


def test_columns_baked_one_after_the_other_are_those_of_the_whole_lut(grid: LutGrid, baked: Lut) -> None:
    rng = np.random.default_rng(6)
    baking = grid.baking(film_map(0))
    wanted = np.zeros((len(CHROMA), len(CHROMA)), bool)
    for share in (0.01, 0.05, 0.3):
        wanted |= rng.random(wanted.shape) < share
        np.testing.assert_array_equal(baking.at(wanted).table[wanted], baked.table[wanted])
    np.testing.assert_array_equal(baking.at(None).table, baked.table)


def test_columns_of_a_mean_are_those_of_the_whole_mean(grid: LutGrid, baked: Lut) -> None:
    luts, weights = [baked, grid.bake(film_map(1)), *[grid.identity] * 9], [*range(1, 12)]
    wanted = np.random.default_rng(7).random((len(CHROMA), len(CHROMA))) < 0.1
    mean = mix(luts, weights, wanted)
    np.testing.assert_array_equal(mean.table[wanted], mix(luts, weights).table[wanted])


@pytest.mark.parametrize("depth", [8, 10, 12])
def test_the_columns_of_a_frame_are_the_corners_of_its_chroma_samples_cells(depth: int) -> None:
    c1, c2 = np.random.default_rng(8).integers(0, 1 << depth, (2, 5, 7)).astype(np.uint8 if depth == 8 else np.uint16)
    expected = np.zeros((len(CHROMA), len(CHROMA)), bool)
    for u, v in zip(c1.reshape(-1) / 2.0 ** (depth - 8), c2.reshape(-1) / 2.0 ** (depth - 8), strict=True):
        i, j = (np.searchsorted(CHROMA, unit, side="right") - 1 for unit in (u, v))
        expected[i : i + 2, j : j + 2] = True
    np.testing.assert_array_equal(columns_of(c1, c2, depth), expected)


@pytest.mark.parametrize("depth", [9, 10, 12])
def test_words_with_more_bits_than_their_depth_count_as_the_highest_code(depth: int) -> None:
    c1, c2 = np.random.default_rng(8).integers(0, 1 << 16, (2, 5, 7)).astype(np.uint16)
    top = np.uint16((1 << depth) - 1)
    for given in ((c1, c2), (c1, c2 & top), (c1 & top, c2)):
        held = (np.minimum(plane, top) for plane in given)
        np.testing.assert_array_equal(columns_of(*given, depth), columns_of(*held, depth))


def test_a_lut_drains_colour_as_its_map_does(grid: LutGrid) -> None:
    drained = replace(film_map(0), colour=0.0)
    table = grid.bake(drained).table[48, 40:60] / ONE  # near grey, inside the gamut
    bright = table[:, :, 10:40]
    np.testing.assert_allclose(bright[:, 1:], 128, atol=1 / ONE)
