"""FrameSamples in, Grades out."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from streamct.color.apply import Content
from streamct.color.colormap import ColorMap
from streamct.color.histogram import FULL, Counter
from streamct.color.lut import Lut
from streamct.grade.regions import Palettes, count_regions
from streamct.grade.sample import FrameSample
from streamct.grade.track import Grade, Grader
from streamct.model import Palette
from streamct.settings import Settings

WHOLE = Content(0, 36, 0, 64)
COUNTER = Counter()
SHORT = Settings().updated(time__radius=4, time__knot_spacing=2)
OFF = Settings().updated(time__mode="off")
NO_BLACKS = SHORT.updated(mapping__neutral_blacks=False)


def one_colour(*lab: float) -> Palette:
    return Palette(np.array([lab]), np.ones(1))


REFERENCE = Palettes(Palette(np.array([[60.0, 20, 30], [40.0, -20, 0]]), np.array([0.6, 0.4])))
SPLIT_REFERENCE = Palettes(one_colour(50, 0, 0), (one_colour(55, 40, 30), one_colour(45, -30, -20)))


class Probes:
    """Stands in for the grid of a video: a Lut is what a map does to some colours, in 1/64 Lab unit."""

    lab = np.random.default_rng(0).uniform([5, -60, -60], [95, 60, 60], (40, 3))
    identity = Lut(np.rint(lab * 64).astype(np.int16))

    def __init__(self) -> None:
        self.baked = 0

    def baking(self, mapping: ColorMap) -> Lut:
        self.baked += 1
        return Lut(np.rint(mapping(self.lab) * 64).astype(np.int16))


def sample(
    index: int,
    lab: Sequence[float] | None,
    *,
    share: float | None = None,
    change: float = 1.0,
    pts: int | None = None,
    content: Content | None = WHOLE,
    seed: int | None = None,
) -> FrameSample:
    """A frame of one colour (None: black) with some spread. share: of its pixels in the foreground, which is red."""
    count = 0 if lab is None else 400
    rng = np.random.default_rng(index if seed is None else seed)
    colours = rng.normal(lab or (0, 0, 0), 4.0, (count, 3))
    mask = None
    if share is not None:
        front = np.arange(count) < round(share * count)
        colours = np.where(front[:, None], (50.0, 50.0, 40.0), (50.0, -10.0, -40.0))
        mask = np.where(front, FULL, 0).astype(np.uint8)
    regions = count_regions(colours, mask, COUNTER, SHORT.palette)
    return FrameSample(index, index if pts is None else pts, regions, content if lab is not None else None, change)


def grader(reference: Palettes = REFERENCE, settings: Settings = SHORT, ticks: Fraction | None = None) -> Grader:
    return Grader(reference, Probes(), settings, ticks)  # type: ignore[arg-type]


def grades(samples: Sequence[FrameSample], **options: object) -> list[Grade]:
    tool = grader(**options)  # type: ignore[arg-type]
    out = [grade for item in samples for grade in tool.push(item)]
    return [*out, *tool.finish()]


def assert_same(first: Sequence[Grade], second: Sequence[Grade]) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.content == other.content
        assert len(one.luts) == len(other.luts)
        for lut, same in zip(one.luts, other.luts, strict=True):
            np.testing.assert_array_equal(lut.table, same.table)


def wandering(count: int, *, cut: int | None = None, share: bool = False) -> list[FrameSample]:
    """Frames whose colours drift, with a cut and a mask if asked for, at uneven times."""
    out = []
    for i in range(count):
        late = cut is not None and i >= cut
        lab = (70 - i, -20 + i, 10) if not late else (20 + i / 4, 30, -i)
        part = 0.5 + 0.49 * np.sin(i / 7) if share else None
        change = 150.0 if i == cut else 2.0
        content = Content(i % 3, 36, 0, 64)
        out.append(sample(i, lab, share=part, change=change, pts=3 * i + i % 2, content=content))
    return out


# One grade a frame.


@pytest.mark.parametrize("settings", [SHORT, Settings(), OFF], ids=["short", "film", "off"])
@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_every_frame_gets_one_grade(count: int, settings: Settings) -> None:
    assert len(grades(wandering(count), settings=settings)) == count


def test_no_frame_is_no_grade() -> None:
    assert grades([]) == []


def test_a_grade_comes_out_as_soon_as_its_delay_has_passed() -> None:
    tool = grader()
    came = [len(list(tool.push(item))) for item in wandering(40)]
    assert came == [0] * tool.delay + [1] * (40 - tool.delay)
    assert len(list(tool.finish())) == tool.delay


def test_frame_by_frame_mode_waits_for_nothing() -> None:
    tool = grader(settings=OFF)
    assert [len(list(tool.push(item))) for item in wandering(5)] == [1] * 5


# Locality.


@pytest.mark.parametrize("share", [False, True], ids=["whole", "split"])
@pytest.mark.parametrize("ticks", [None, Fraction(7)], ids=["by number", "by time"])
def test_a_frames_grade_depends_on_frames_within_the_delay_only(share: bool, ticks: Fraction | None) -> None:
    clip = wandering(70, cut=37, share=share)
    reference = SPLIT_REFERENCE if share else REFERENCE
    whole = grades(clip, reference=reference, ticks=ticks)
    delay = grader().delay
    for t in (0, 1, 9, 25, 33, 36, 37, 38, 44, 60, 69):
        first = max(t - delay, 0)
        part = grades(clip[first : t + delay + 1], reference=reference, ticks=ticks)
        assert_same(part[t - first : t - first + 1], whole[t : t + 1])


def test_a_clip_in_spans_with_margins_is_graded_as_a_whole() -> None:
    clip = wandering(60, cut=31)
    whole = grades(clip, ticks=Fraction(7))
    delay = grader().delay
    for start, stop in ((0, 20), (20, 33), (33, 60)):
        first = max(start - delay, 0)
        part = grades(clip[first : stop + delay], ticks=Fraction(7))
        assert_same(part[start - first : stop - first], whole[start:stop])


def test_nothing_bleeds_over_a_cut() -> None:
    clip = wandering(60, cut=30)
    whole = grades(clip)
    assert_same(grades(clip[:30]), whole[:30])
    assert_same(grades(clip[30:]), whole[30:])


def test_knots_by_time_do_not_depend_on_frame_numbers() -> None:
    clip = wandering(60)
    moved = [FrameSample(s.index + 1001, s.pts, s.regions, s.content, s.change, s.earlier) for s in clip]
    ticks = Fraction(7)
    assert_same(grades(moved, ticks=ticks), grades(clip, ticks=ticks))


def test_luts_are_baked_at_knots_only() -> None:
    probes = Probes()
    tool = Grader(REFERENCE, probes, SHORT)  # type: ignore[arg-type]
    count = sum(len(list(tool.push(item))) for item in wandering(60)) + len(list(tool.finish()))
    assert count == 60
    assert probes.baked == 30


def test_grades_wanted_of_some_frames_only_are_those_of_all() -> None:
    samples = wandering(40, cut=17)
    every = grades(samples)
    grid = Probes()
    some = Grader(REFERENCE, grid, SHORT, only={3, 20})  # type: ignore[arg-type]
    found = [grade for s in samples for grade in some.push(s)] + list(some.finish())
    assert_same(found, [every[3], every[20]])
    assert grid.baked < 12


@pytest.mark.parametrize("offset", [0, 3])
def test_bursts_of_frames_between_two_knots_in_time_are_graded_too(offset: int) -> None:
    # 40 frames a tick apart where knots lie 1000 ticks apart, as where frames are scarce on average.
    times = [*range(0, 10_000, 500), *range(10_000 + offset, 10_040 + offset), *range(11_000, 20_000, 500)]
    clip = [sample(i, (50, i / 4, 0), pts=pts) for i, pts in enumerate(times)]
    found, regular = grades(clip, ticks=Fraction(1000)), grades(clip)
    assert len(found) == len(clip)

    def greatest_step(track: Sequence[Grade]) -> float:
        return float(np.abs(np.diff(tables(track), axis=0)).max())

    change = float(np.ptp(tables(regular), axis=0).max())
    assert greatest_step(found) < change / 4


def test_frames_of_one_and_the_same_time_are_graded_too() -> None:
    clip = [sample(i, (50, 0, 0), pts=min(i, 10)) for i in range(40)]
    assert len(grades(clip, ticks=Fraction(2))) == 40


# Steadiness.


def tables(found: Sequence[Grade], side: int = 0) -> np.ndarray:
    return np.array([grade.luts[min(side, len(grade.luts) - 1)].table for grade in found], float) / 64


def test_a_still_clip_has_one_grade() -> None:
    clip = [sample(i, (50, 10, 10), seed=1) for i in range(40)]
    assert np.ptp(tables(grades(clip)), axis=0).max() == 0


def test_the_window_steadies_what_flickers_frame_by_frame() -> None:
    clip = [sample(i, (50 + 6 * (i % 2), 10, 10 - 8 * (i % 3))) for i in range(60)]
    steady = np.abs(np.diff(tables(grades(clip)), axis=0)).max()
    wild = np.abs(np.diff(tables(grades(clip, settings=OFF)), axis=0)).max()
    assert steady < 0.2 * wild


def test_a_flash_does_not_cut_the_shot() -> None:
    def clip(flash: bool) -> list[FrameSample]:
        out = []
        for i in range(40):
            item = sample(i, (50, 10, 10), seed=1)
            if flash and i in (20, 21):
                item = FrameSample(i, i, item.regions, WHOLE, 200.0 if i == 20 else 1.0, (200.0,) * 3)
            if flash and i == 22:
                item = FrameSample(i, i, item.regions, WHOLE, 200.0, (200.0, 1.0, 1.0))
            out.append(item)
        return out

    assert_same(grades(clip(True)), grades(clip(False)))


# Black frames and borders.


def test_a_clip_of_black_frames_passes_untouched() -> None:
    for grade in grades([sample(i, None) for i in range(20)]):
        assert grade.content is None
        np.testing.assert_array_equal(grade.luts[0].table, Probes.identity.table)


def test_black_frames_between_others_do_not_move_their_grade() -> None:
    clip = [sample(i, (50, 10, 10), seed=1) for i in range(40)]
    with_black = [sample(i, None) if i in (18, 19, 20) else clip[i] for i in range(40)]
    np.testing.assert_array_equal(tables(grades(with_black)), tables(grades(clip)))
    assert all(grade.content == WHOLE for grade in grades(with_black))


def test_content_is_what_the_window_shows_of_the_picture() -> None:
    # A dark scene shows less of the picture than the frames around it.
    clip = [sample(i, (50, 0, 0), content=Content(9, 27, 0, 64) if i == 15 else WHOLE) for i in range(30)]
    assert all(grade.content == WHOLE for grade in grades(clip))


def test_content_does_not_reach_over_a_cut() -> None:
    boxed = Content(4, 32, 0, 64)
    clip = [
        sample(i, (50, 0, 0), content=boxed if i < 15 else WHOLE, change=90.0 if i == 15 else 1.0) for i in range(30)
    ]
    assert [grade.content for grade in grades(clip)] == [boxed] * 15 + [WHOLE] * 15


# Foreground and background.


def apartness(found: Sequence[Grade]) -> np.ndarray:
    """How far foreground and background are graded apart, 0..1 of the most."""
    apart = np.abs(tables(found, 0) - tables(found, 1)).sum(axis=(1, 2))
    fully = grades([sample(i, (50, 0, 0), share=0.5) for i in range(3)], reference=SPLIT_REFERENCE)
    return apart / np.abs(tables(fully, 0) - tables(fully, 1)).sum(axis=(1, 2)).max()


def test_regions_are_graded_towards_their_own_palettes() -> None:
    (grade,) = grades([sample(0, (50, 0, 0), share=0.5)], reference=SPLIT_REFERENCE, settings=NO_BLACKS)
    front, back = (lut.table.astype(float) / 64 - Probes.lab for lut in grade.luts)
    # One colour each: (50, 50, 40) -> (55, 40, 30) and (50, -10, -40) -> (45, -30, -20), a cell apart at most.
    np.testing.assert_allclose(front, np.broadcast_to([0.3 * 5, -10, -10], front.shape), atol=0.6)
    np.testing.assert_allclose(back, np.broadcast_to([0.3 * -5, -20, 20], back.shape), atol=0.6)


def test_without_a_split_reference_there_is_one_lut() -> None:
    found = grades([sample(i, (50, 0, 0), share=0.5) for i in range(20)])
    assert {len(grade.luts) for grade in found} == {1}


@pytest.mark.parametrize("share", [0.0, 0.01, 0.02, 0.98, 1.0])
def test_without_a_clear_split_there_is_one_lut(share: float) -> None:
    clip = [sample(i, (50, 0, 0), share=share) for i in range(10)]
    assert {len(grade.luts) for grade in grades(clip, reference=SPLIT_REFERENCE)} == {1}


def test_a_growing_foreground_fades_in_and_never_jumps() -> None:
    clip = [sample(i, (50, 0, 0), share=0.08 * i / 80) for i in range(80)]
    apart = apartness(grades(clip, reference=SPLIT_REFERENCE))
    assert apart[0] == 0
    assert apart[-1] == pytest.approx(1, abs=0.01)
    assert (np.diff(apart) > -0.005).all()
    assert np.diff(apart).max() < 0.15


def test_a_foreground_that_appears_at_once_fades_in_over_the_window() -> None:
    clip = [sample(i, (50, 0, 0), share=0.5 if i >= 30 else 0.0) for i in range(60)]
    apart = apartness(grades(clip, reference=SPLIT_REFERENCE))
    assert apart[0] == 0
    assert apart[-1] == pytest.approx(1, abs=0.01)
    assert np.diff(apart).max() <= 1 / SHORT.time.radius


def test_black_frames_do_not_count_against_the_foregrounds_share() -> None:
    clip = [sample(i, (50, 0, 0), share=0.045) for i in range(40)]
    masked = sample(0, (50, 0, 0), share=0.5).regions
    nothing = count_regions(np.empty((0, 3)), np.empty(0, np.uint8), COUNTER, SHORT.palette)
    assert masked.foreground is not None
    dark = [FrameSample(i, i, nothing, None, 1.0) if i % 4 else clip[i] for i in range(40)]
    np.testing.assert_allclose(
        apartness(grades(dark, reference=SPLIT_REFERENCE)),
        apartness(grades(clip, reference=SPLIT_REFERENCE)),
        atol=0.01,
    )


def test_frames_without_a_mask_among_others_lend_their_grade_to_none() -> None:
    clip = [sample(i, (50, 0, 0), share=None if i < 5 else 0.5) for i in range(30)]
    found = grades(clip, reference=SPLIT_REFERENCE)
    assert len(found) == 30
    assert apartness(found)[-1] == pytest.approx(1, abs=0.01)


# Memory.


@pytest.mark.parametrize("settings", [SHORT, OFF], ids=["window", "off"])
def test_memory_does_not_grow_with_the_clip(settings: Settings) -> None:
    tool = grader(settings=settings)
    alive: list[weakref.ref[np.ndarray]] = []
    luts: list[weakref.ref[np.ndarray]] = []
    for i in range(200):
        item = sample(i, (50, 10, 10))
        alive.append(weakref.ref(item.regions.whole.cells))  # type: ignore[union-attr]
        for grade in tool.push(item):
            luts.append(weakref.ref(grade.luts[0].table))
        del item
    grade = None
    gc.collect()
    assert sum(ref() is not None for ref in alive) <= 2 * tool.delay + 2
    assert sum(ref() is not None for ref in luts) <= 2 * settings.time.radius + 1
