"""How far around a span frames have to be seen: so far, and its grades are those of the whole clip."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from streamct.color.histogram import Counter
from streamct.color.lut import LutGrid, columns_of
from streamct.grade.regions import Palettes, palettes_of
from streamct.grade.sample import Sampler, sample_picture
from streamct.grade.track import Grade, Grader
from streamct.grading import reach
from streamct.model import Coding, Frame, PixelFormat
from streamct.settings import Settings

FRAMES, CUTS, FLASH = 64, (13, 30, 36), 22
LAYOUT, CODING = PixelFormat("yuv420p", 8, 1, 1), Coding("bt709", False)
SETTINGS = Settings().updated(time__radius=3, time__knot_spacing=2, palette__size=4)
SHAPES = ((24, 32), (12, 16), (12, 16))


def clip() -> list[Frame]:
    """Four shots that drift, with a flash in the second."""
    rng = np.random.default_rng(0)
    looks = [[rng.integers(60, 190, shape) for shape in SHAPES] for _ in range(len(CUTS) + 1)]
    frames = []
    for index in range(FRAMES):
        base = looks[sum(index >= cut for cut in CUTS)]
        planes = [np.clip(plane + index % 7 + (100 if index == FLASH else 0), 16, 235) for plane in base]
        frames.append(
            Frame(tuple(p.astype(np.uint8) for p in planes), LAYOUT, index, 2 * index + index % 2, Fraction(1, 50))
        )
    return frames


@pytest.fixture(scope="module")
def graded() -> Callable[[int, int, range], list[Grade]]:
    """Grades of some frames of the clip, made from frames [first, end) of it."""
    frames, grid, counter = clip(), LutGrid(CODING, 8), Counter()
    picture = np.random.default_rng(1).random((24, 32, 3), np.float32)
    palettes = palettes_of(sample_picture(picture, None, SETTINGS.palette, counter), counter, SETTINGS.palette)
    assert isinstance(palettes, Palettes)

    def grades(first: int, end: int, only: range) -> list[Grade]:
        sampler = Sampler(LAYOUT, CODING, SETTINGS.palette, columns=True, only=only)
        grader = Grader(palettes, grid, SETTINGS, Fraction(9, 2), only=only)
        found = [g for frame in frames[max(first, 0) : end] for g in grader.push(sampler.sample(frame))]
        return [*found, *grader.finish()]

    return grades


def test_what_lies_beyond_the_reach_of_a_span_does_not_matter(
    graded: Callable[[int, int, range], list[Grade]],
) -> None:
    lead, tail = reach(SETTINGS, 0)
    frames, whole = clip(), graded(0, FRAMES, range(FRAMES))
    for start in range(8, 50):
        span = range(start, start + 6)
        found = graded(start - lead, span.stop + tail, span)
        assert len(found) == len(span)
        for index, grade in zip(span, found, strict=True):
            assert grade.content == whole[index].content
            planes = frames[index].planes
            used = columns_of(planes[1], planes[2], 8)
            np.testing.assert_array_equal(grade.luts[0].table[used], whole[index].luts[0].table[used])


def test_a_mask_adds_what_it_depends_on_and_a_track_needs_nothing_around() -> None:
    assert reach(SETTINGS, 9) == (reach(SETTINGS, 0)[0] + 9, reach(SETTINGS, 0)[1] + 9)
    assert reach(SETTINGS.updated(time__mode="off"), 9) == (9, 9)
    assert reach(SETTINGS.updated(time__mode="shot"), 9) == (0, 0)
