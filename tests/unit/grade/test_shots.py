"""The mode `shot`: one grade a shot, found in a pass of its own."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from streamct.color.apply import Content
from streamct.errors import TrackError
from streamct.grade.bake import Baker
from streamct.grade.cuts import ListedCuts
from streamct.grade.regions import Palettes
from streamct.grade.sample import FrameSample
from streamct.grade.shots import Replay, ShotFinder, Track
from streamct.grade.track import Grade, Grader
from streamct.settings import Settings

_SPEC = importlib.util.spec_from_file_location("track_tests", Path(__file__).with_name("test_track.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
track_tests = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(track_tests)
Probes, sample, tables, wandering = (
    track_tests.Probes, track_tests.sample, track_tests.tables, track_tests.wandering,
)  # fmt: skip
REFERENCE, SPLIT_REFERENCE, WHOLE = track_tests.REFERENCE, track_tests.SPLIT_REFERENCE, track_tests.WHOLE

SHOT = Settings().updated(time__mode="shot")


def baker(reference: Palettes = REFERENCE, settings: Settings = SHOT) -> Baker:
    return Baker(reference, Probes(), settings)


def found(samples: Sequence[FrameSample], cuts: ListedCuts | None = None, tool: Baker | None = None) -> Track:
    finder = ShotFinder(tool or baker(), cuts)
    for item in samples:
        finder.push(item)
    return finder.finish()


def replayed(track: Track, tool: Baker | None = None) -> list[Grade]:
    replay = Replay(track, tool or baker())
    out = [grade for i in range(track.frames) for grade in replay.push(i)]
    return [*out, *replay.finish()]


def test_shots_begin_at_cuts_and_hold_all_frames() -> None:
    track = found(wandering(70, cut=37))
    assert [(shot.start, shot.stop) for shot in track.shots] == [(0, 37), (37, 70)]
    assert [shot.pts for shot in track.shots] == [0, 3 * 37 + 1]


def test_within_a_shot_nothing_changes_and_on_the_cut_all_does() -> None:
    values = tables(replayed(found(wandering(70, cut=37))))
    assert np.ptp(values[:37], axis=0).max() == 0
    assert np.ptp(values[37:], axis=0).max() == 0
    assert np.abs(values[37] - values[36]).max() > 1


def test_a_shot_is_graded_as_if_it_were_alone() -> None:
    clip = wandering(70, cut=37, share=True)
    whole = replayed(found(clip, tool=baker(SPLIT_REFERENCE)), baker(SPLIT_REFERENCE))
    alone = [FrameSample(s.index - 37, s.pts, s.regions, s.content, s.change) for s in clip[37:]]
    other = replayed(found(alone, tool=baker(SPLIT_REFERENCE)), baker(SPLIT_REFERENCE))
    track_tests.assert_same(other, whole[37:])


@pytest.mark.parametrize("share", [False, True], ids=["whole", "split"])
def test_the_first_frame_of_a_shot_in_a_window_is_graded_as_if_the_shot_were_alone(share: bool) -> None:
    clip = wandering(60, cut=30, share=share)
    reference = SPLIT_REFERENCE if share else REFERENCE

    def grades(samples: Sequence[FrameSample]) -> list[Grade]:
        tool = Grader(reference, Probes(), track_tests.SHORT)
        return [*(grade for item in samples for grade in tool.push(item)), *tool.finish()]

    track_tests.assert_same(grades(clip[30:])[:1], grades(clip)[30:31])


def test_a_shots_palette_is_that_of_all_its_frames_together() -> None:
    clip = wandering(40)
    (shot,) = found(clip).shots
    together = baker().look([s.regions for s in clip], [1] * 40)
    assert shot.looked.whole is not None
    assert together.whole is not None
    np.testing.assert_array_equal(shot.looked.whole.colours, together.whole.colours)
    np.testing.assert_array_equal(shot.looked.whole.weights, together.whole.weights)


def test_a_track_serves_any_reference() -> None:
    track = found(wandering(20, share=True), tool=baker(REFERENCE))
    assert len(replayed(track)[0].luts) == 1
    split = replayed(track, baker(SPLIT_REFERENCE))
    direct = replayed(found(wandering(20, share=True), tool=baker(SPLIT_REFERENCE)), baker(SPLIT_REFERENCE))
    assert len(split[0].luts) == 2
    track_tests.assert_same(split, direct)


def test_a_black_shot_passes_untouched_and_black_frames_do_not_move_their_shots_grade() -> None:
    dark = replayed(found([sample(i, None) for i in range(20)]))
    assert {grade.content for grade in dark} == {None}
    clip = [sample(i, (50, 10, 10), seed=1) for i in range(40)]
    mixed = [sample(i, None) if i > 30 else clip[i] for i in range(40)]
    np.testing.assert_array_equal(tables(replayed(found(mixed))), tables(replayed(found(clip))))
    assert {grade.content for grade in replayed(found(mixed))} == {WHOLE}


def test_content_is_what_the_shot_shows_of_the_picture() -> None:
    clip = [sample(i, (50, 0, 0), content=Content(9, 27, 0, 64) if i < 30 else WHOLE) for i in range(33)]
    assert {grade.content for grade in replayed(found(clip))} == {WHOLE}


def test_listed_cuts_replace_those_that_are_found() -> None:
    track = found(wandering(60, cut=30), ListedCuts(frozenset({10, 50})))
    assert [shot.start for shot in track.shots] == [0, 10, 50]
    times = found(wandering(60), ListedCuts(ticks=frozenset({30, 31})))  # frame 10 lies at 30, frame 11 at 34
    assert [shot.start for shot in times.shots] == [0, 10, 11]


def test_a_clip_without_frames_has_no_shot() -> None:
    assert found([]).shots == ()
    assert replayed(found([])) == []


@pytest.mark.parametrize(("frames", "message"), [(21, "more frames"), (19, "19 frames, its track 20")])
def test_a_clip_of_another_length_than_its_track_is_refused(frames: int, message: str) -> None:
    replay = Replay(found(wandering(20)), baker())
    with pytest.raises(TrackError, match=message):
        [*(list(replay.push(i)) for i in range(frames)), *replay.finish()]
