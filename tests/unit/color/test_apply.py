"""Luts on the planes of a frame: every format against the trilinear float64 twin."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import few

from streamct.color.apply import Content, PlaneGrader
from streamct.color.apply_8 import _apply
from streamct.color.colormap import ColorMap
from streamct.color.lut import CHROMA_NODES, LUMA_NODES, Lut, LutGrid, columns_of
from streamct.model import Coding, PixelFormat

SUBSAMPLING = {"420": (1, 1), "422": (1, 0), "444": (0, 0), "440": (0, 1), "411": (2, 0), "410": (2, 2)}
FORMATS = [
    PixelFormat(f"yuv{name}p{'' if depth == 8 else f'{depth}le'}", depth, *sub)
    for depth in (8, 9, 10, 12)
    for name, sub in SUBSAMPLING.items()
] + [PixelFormat(f"gbrp{'' if depth == 8 else f'{depth}le'}", depth, 0, 0, rgb=True) for depth in (8, 10, 12)]

# An output code is the exact value rounded. Fixed point may tip that where the value lies next to a half.
ROUNDED = 0.55

Planes = tuple[np.ndarray, ...]


def smooth_lut(seed: int) -> Lut:
    """A Lut that bends everywhere and runs out of the code range here and there."""
    rng = np.random.default_rng(seed)
    p1, p2, p0 = np.meshgrid(CHROMA_NODES, CHROMA_NODES, LUMA_NODES, indexing="ij")
    table = np.stack([p0, p1, p2], axis=2).astype(float)
    for plane in range(3):
        a, b, c, d = rng.uniform(0.005, 0.03, 4)
        table[:, :, plane] += 40 * np.sin(a * p0 + b * p1 - c * p2 + 100 * d)
    return Lut(np.rint(table * 64).astype(np.int16))


LUTS = (smooth_lut(0), smooth_lut(1))
FUNCTIONS = [naive.lut_function(lut.table, LUMA_NODES, CHROMA_NODES) for lut in LUTS]
IDENTITY = LutGrid(Coding("bt709", full_range=False), 8).identity
GRADERS = {layout.name: PlaneGrader(layout) for layout in FORMATS}


def padded(rows: int, columns: int, layout: PixelFormat, padding: int) -> np.ndarray:
    """An uninitialised plane whose lines are longer than what is shown, as decoders make them."""
    return np.full((rows, columns + padding), 77, layout.dtype)[:, :columns]


def frame(layout: PixelFormat, height: int, width: int, seed: int, padding: int = 0, flat: bool = False) -> Planes:
    rng = np.random.default_rng(seed)
    shape = (-(-height >> layout.sub_y), -(-width >> layout.sub_x))
    planes = []
    for rows, columns in ((height, width), shape, shape):
        plane = padded(rows, columns, layout, padding)
        top = 1 << layout.depth
        plane[...] = rng.integers(0, top) if flat else rng.integers(0, top, (rows, columns))
        planes.append(plane)
    return tuple(planes)


def blank(source: Planes, layout: PixelFormat, padding: int = 0) -> Planes:
    return tuple(padded(*plane.shape, layout, padding) for plane in source)


def graded(
    layout: PixelFormat,
    source: Planes,
    luts: tuple[Lut, ...],
    mask: np.ndarray | None = None,
    content: Content | None = None,
) -> Planes:
    target = blank(source, layout, 3)
    GRADERS[layout.name].apply(source, target, luts, mask, content)
    return target


def check_against_twin(layout: PixelFormat, source: Planes, mask: np.ndarray | None = None) -> None:
    two = mask is not None
    found = graded(layout, source, LUTS if two else LUTS[:1], mask)
    exact = naive.graded_planes(source, layout.depth, layout.sub_x, layout.sub_y, FUNCTIONS[: 1 + two], mask)
    for plane, value in zip(found, exact, strict=True):
        assert plane.dtype == layout.dtype
        assert np.abs(plane - value).max() <= ROUNDED


formats = st.sampled_from(FORMATS)
sizes = st.integers(1, 70)
seeds = st.integers(0, 2**32)


def a_mask(kind: str, height: int, width: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "random":
        return rng.integers(0, 256, (height, width)).astype(np.uint8)
    mask = np.zeros((height, width), np.uint8)
    mask[:, width // 3 :] = 255
    if kind == "soft edge":
        mask[:, width // 3 : width // 3 + 5] = 100
    return mask


@few
@given(formats, sizes, sizes, seeds, st.integers(0, 9), st.booleans())
def test_one_lut_gives_the_trilinear_value_in_every_format_and_size(
    layout: PixelFormat, height: int, width: int, seed: int, padding: int, flat: bool
) -> None:
    check_against_twin(layout, frame(layout, height, width, seed, padding, flat))


@few
@given(formats, sizes, sizes, seeds, st.sampled_from(["random", "hard edge", "soft edge"]), st.booleans())
def test_two_luts_are_blended_by_the_mask_in_every_format_and_size(
    layout: PixelFormat, height: int, width: int, seed: int, kind: str, flat: bool
) -> None:
    check_against_twin(layout, frame(layout, height, width, seed, 5, flat), a_mask(kind, height, width, seed))


@pytest.mark.parametrize("layout", FORMATS, ids=lambda layout: layout.name)
def test_each_format_gives_the_trilinear_value_with_one_lut_and_with_two(layout: PixelFormat) -> None:
    source = frame(layout, 13, 17, 5, 2)
    check_against_twin(layout, source)
    check_against_twin(layout, source, a_mask("soft edge", 13, 17, 0))


@pytest.mark.parametrize("layout", FORMATS, ids=lambda layout: layout.name)
def test_the_identity_lut_leaves_every_code_as_it_is(layout: PixelFormat) -> None:
    # All codes, those outside the nominal range too, in an odd size.
    source = frame(layout, 69, 71, 6)
    mask = a_mask("random", 69, 71, 6)
    for luts, weights in (((IDENTITY,), None), ((IDENTITY, IDENTITY), mask)):
        for before, after in zip(source, graded(layout, source, luts, weights), strict=True):
            np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("layout", FORMATS, ids=lambda layout: layout.name)
def test_the_lowest_and_highest_code_are_graded_without_overflow(layout: PixelFormat) -> None:
    top = (1 << layout.depth) - 1
    for codes in np.ndindex(2, 2, 2):
        source = frame(layout, 4, 4, 0)
        for plane, high in zip(source, codes, strict=True):
            plane[...] = top * high
        check_against_twin(layout, source)
        check_against_twin(layout, source, a_mask("random", 4, 4, 0))


@pytest.mark.parametrize("layout", [FORMATS[0], FORMATS[2], FORMATS[12]], ids=lambda layout: layout.name)
def test_where_the_mask_is_all_or_nothing_only_that_regions_lut_counts(layout: PixelFormat) -> None:
    source = frame(layout, 20, 30, 8)
    for value, side in ((255, 0), (0, 1)):
        whole = graded(layout, source, LUTS, np.full((20, 30), value, np.uint8))
        alone = graded(layout, source, LUTS[side : side + 1])
        for first, second in zip(whole, alone, strict=True):
            np.testing.assert_array_equal(first, second)


def test_a_frame_of_very_many_colours_needs_more_rows_and_gets_them() -> None:
    # 8-bit frames keep a row of the Lut for each pair of chroma codes: here 22,500, after room for 4,096.
    layout = PixelFormat("yuv420p", 8, 1, 1)
    source = (
        np.random.default_rng(0).integers(0, 256, (300, 300)).astype(np.uint8),
        np.repeat(np.arange(150, dtype=np.uint8)[:, None], 150, axis=1),
        np.repeat(np.arange(150, dtype=np.uint8)[None], 150, axis=0),
    )
    grader, few_colours = PlaneGrader(layout), frame(layout, 8, 8, 1)
    mask = a_mask("soft edge", 300, 300, 0)
    for luts, functions, weights in ((LUTS[:1], FUNCTIONS[:1], None), (LUTS, FUNCTIONS, mask)):
        target = blank(source, layout)
        grader.apply(source, target, luts, weights)
        exact = naive.graded_planes(source, 8, 1, 1, functions, weights)
        for plane, value in zip(target, exact, strict=True):
            assert np.abs(plane - value).max() <= ROUNDED
    small = blank(few_colours, layout)
    grader.apply(few_colours, small, LUTS[:1])
    for first, second in zip(small, graded(layout, few_colours, LUTS[:1]), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_line_wider_than_all_rows_is_graded_too() -> None:
    layout = PixelFormat("yuv444p", 8, 0, 0)
    source = frame(layout, 1, 9000, 3)
    target = blank(source, layout)
    PlaneGrader(layout).apply(source, target, LUTS[:1])
    for plane, value in zip(target, naive.graded_planes(source, 8, 0, 0, FUNCTIONS[:1]), strict=True):
        assert np.abs(plane - value).max() <= ROUNDED


@few
@given(formats, st.integers(4, 40), st.integers(4, 40), seeds, st.booleans())
def test_borders_pass_untouched_and_the_picture_inside_is_graded(
    layout: PixelFormat, height: int, width: int, seed: int, two: bool
) -> None:
    rng = np.random.default_rng(seed)
    top, left = rng.integers(0, height // 2), rng.integers(0, width // 2)
    area = Content(int(top), int(rng.integers(top + 1, height + 1)), int(left), int(rng.integers(left + 1, width + 1)))
    source = frame(layout, height, width, seed, 4)
    mask = a_mask("random", height, width, seed) if two else None
    found = graded(layout, source, LUTS if two else LUTS[:1], mask, area)

    outside = np.ones((height, width), bool)
    outside[area.top : area.bottom, area.left : area.right] = False
    np.testing.assert_array_equal(found[0][outside], source[0][outside])
    whole = graded(layout, source, LUTS if two else LUTS[:1], mask)
    np.testing.assert_array_equal(found[0][~outside], whole[0][~outside])
    rows = np.arange(source[1].shape[0])[:, None] << layout.sub_y
    columns = np.arange(source[1].shape[1])[None] << layout.sub_x
    touches = (
        (rows < area.bottom)
        & (rows + (1 << layout.sub_y) > area.top)
        & (columns < area.right)
        & (columns + (1 << layout.sub_x) > area.left)
    )
    for plane in (1, 2):
        np.testing.assert_array_equal(found[plane], np.where(touches, whole[plane], source[plane]))


def test_alpha_passes_untouched() -> None:
    layout = PixelFormat("yuva420p", 8, 1, 1, alpha=True)
    alpha = np.random.default_rng(0).integers(0, 256, (10, 14)).astype(np.uint8)
    source = (*frame(layout, 10, 14, 0), alpha)
    target = blank(source, layout)
    PlaneGrader(layout).apply(source, target, LUTS[:1])
    np.testing.assert_array_equal(target[3], alpha)
    check_against_twin(FORMATS[0], source[:3])


@pytest.mark.parametrize("layout", FORMATS, ids=lambda layout: layout.name)
def test_only_the_columns_that_a_frame_needs_are_ever_read(layout: PixelFormat) -> None:
    source = frame(layout, 20, 30, 9)
    needed = columns_of(source[1], source[2], layout.depth)
    assert not needed.all()
    torn = tuple(Lut(np.where(needed[..., None, None], lut.table, -8192).astype(np.int16)) for lut in LUTS)
    mask = a_mask("random", 20, 30, 0)
    for luts, weights in ((LUTS[:1], None), (LUTS, mask)):
        whole = graded(layout, source, luts, weights)
        for plane, other in zip(whole, graded(layout, source, torn[: len(luts)], weights), strict=True):
            np.testing.assert_array_equal(plane, other)


def test_the_source_is_not_changed() -> None:
    layout = FORMATS[0]
    source = frame(layout, 20, 30, 8)
    before = [plane.copy() for plane in source]
    graded(layout, source, LUTS, a_mask("random", 20, 30, 0), Content(2, 18, 3, 25))
    for plane, old in zip(source, before, strict=True):
        np.testing.assert_array_equal(plane, old)


def test_a_grey_source_under_a_neutral_map_stays_grey() -> None:
    layout = FORMATS[0]
    darker = ColorMap(np.array([[50.0, 0, 0]]), np.array([[-10.0, 0, 0]]), 8.0, True)
    lut = LutGrid(Coding("bt709", full_range=False), 8).bake(darker)
    ramp = np.tile(np.arange(256, dtype=np.uint8), (2, 1))
    grey = np.full((1, 128), 128, np.uint8)
    found = graded(layout, (ramp, grey, grey), (lut,))
    np.testing.assert_array_equal(found[1], grey)
    np.testing.assert_array_equal(found[2], grey)
    assert (np.diff(found[0][0].astype(int)) >= 0).all()


def test_more_than_12_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 12 bits"):
        PlaneGrader(PixelFormat("yuv420p16le", 16, 1, 1))


def test_planes_and_masks_that_do_not_fit_are_refused_before_memory_is_touched() -> None:
    layout = FORMATS[0]
    source = frame(layout, 20, 30, 0)
    small = (source[0], source[1][:-1], source[2])
    deep = tuple(plane.astype(np.uint16) for plane in source)
    spread = (np.zeros((20, 60), np.uint8)[:, ::2], source[1], source[2])
    upside_down = tuple(plane[::-1] for plane in source)
    for given_source, given_target, mask, message in (
        (source, blank(small, layout), None, r"must be \(10, 15\), got found.shape = \(9, 15\)"),
        (small, blank(source, layout), None, r"must be \(10, 15\), got found.shape = \(9, 15\)"),
        (deep, blank(source, layout), None, "of uint16"),
        (source, blank(source, layout), np.zeros((10, 15), np.uint8), r"the mask must be \(20, 30\)"),
        (source, blank(source, layout), np.zeros((20, 30), bool), "the mask must be .* of bool"),
        (spread, blank(source, layout), None, "must be contiguous"),
        (upside_down, blank(source, layout), None, "must be contiguous"),
    ):
        with pytest.raises(ValueError, match=message):
            PlaneGrader(layout).apply(given_source, given_target, LUTS, mask)


def test_read_only_padded_and_cropped_planes_need_no_other_compiled_kernel() -> None:
    layout = FORMATS[0]
    mask = a_mask("random", 20, 30, 0)
    graded(layout, frame(layout, 20, 30, 0), LUTS, mask)
    graded(layout, frame(layout, 20, 30, 0), LUTS[:1])
    known = len(_apply.signatures)
    source = frame(layout, 20, 30, 0, padding=7)
    for plane in (*source, mask):
        plane.flags.writeable = False
    graded(layout, source, LUTS, mask, Content(3, 17, 2, 25))
    graded(layout, source, LUTS[:1], None, Content(3, 17, 2, 25))
    assert len(_apply.signatures) == known
