"""Colours of whole shots, added up from samples."""

from __future__ import annotations

import numpy as np
import pytest

from streamct.color.histogram import Counter, Points
from streamct.grade.regions import count_regions
from streamct.grade.sample import FrameSample
from streamct.grade.summed import Shot, ShotSum
from streamct.settings import PaletteSettings

UNIT = PaletteSettings()
RANGE = PaletteSettings(bins="range")


def samples(count: int, cuts: tuple[int, ...], settings: PaletteSettings, masked: bool = False) -> list[FrameSample]:
    rng = np.random.default_rng(4)
    counter = Counter()
    out = []
    for i in range(count):
        lab = np.array([50.0, 0, 0]) + rng.normal(0, 10, (60, 3))
        mask = np.where(np.arange(60) < 20, 255, 0).astype(np.uint8) if masked else None
        change = 90.0 if i in cuts else 1.0
        out.append(FrameSample(i, 100 * i, count_regions(lab, mask, counter, settings), None, change, ()))
    return out


def summed(pushed: list[FrameSample], apart: bool) -> list[Shot]:
    total = ShotSum(apart)
    return [shot for sample in pushed for shot in total.push(sample)] + list(total.finish())


def test_shots_end_where_the_cuts_are() -> None:
    shots = summed(samples(60, (20, 37), UNIT), apart=True)
    assert [(s.start, s.stop, s.first, s.last) for s in shots] == [
        (0, 20, 0, 1900), (20, 37, 2000, 3600), (37, 60, 3700, 5900),
    ]  # fmt: skip


def test_a_clip_taken_whole_has_no_cuts() -> None:
    (shot,) = summed(samples(60, (20, 37), UNIT), apart=False)
    assert (shot.start, shot.stop) == (0, 60)


@pytest.mark.parametrize("apart", [True, False])
def test_no_count_is_lost_over_hundreds_of_frames(apart: bool) -> None:
    pushed = samples(200, (90,), UNIT, masked=True)
    shots = summed(pushed, apart)
    assert sum(s.regions.whole.total for s in shots) == 200 * 60 * 255
    assert sum(s.regions.foreground.total for s in shots) == 200 * 20 * 255
    assert all(abs(s.regions.share - 1 / 3) < 1e-9 for s in shots)
    first = Counter().add([p.regions.whole for p in pushed[: shots[0].stop]], [1] * shots[0].stop)
    assert np.array_equal(first.cells, shots[0].regions.whole.cells)
    assert np.array_equal(first.counts, shots[0].regions.whole.counts)


def test_where_pixels_are_kept_at_most_64_frames_count_evenly_spread() -> None:
    pushed = samples(300, (), RANGE)
    (shot,) = summed(pushed, apart=True)
    assert isinstance(shot.regions.whole, Points)
    expected = np.concatenate([p.regions.whole.lab for p in pushed[::8]])
    assert np.array_equal(shot.regions.whole.lab, expected)


def test_an_empty_clip_has_no_shots() -> None:
    assert summed([], apart=True) == []
