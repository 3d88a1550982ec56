"""Scene cuts. Frames here are single values; a change is the difference between two of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import few

from streamct.grade.cuts import BACK, LOOK, is_cut


def cuts(values: np.ndarray) -> list[int]:
    """Frames at which a shot begins, of a clip given as the colour codes of its frames (n,) or (n, pixels)."""
    frames = np.asarray(values, float).reshape(len(values), -1)

    def difference(i: int, j: int) -> float:
        return float(np.abs(frames[i] - frames[j]).mean())

    changes = [difference(i, max(i - 1, 0)) for i in range(len(frames))]
    earlier = [[difference(i, i - k) for k in range(2, BACK + 1) if i >= k] for i in range(len(frames))]
    return [i for i in range(len(frames)) if is_cut(changes, i, earlier)]


def still(*levels: tuple[float, int]) -> np.ndarray:
    return np.concatenate([np.full(count, level, float) for level, count in levels])


def noise(count: int, size: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, count)


def test_the_first_frame_of_another_shot_is_a_cut() -> None:
    assert cuts(still((20, 10), (120, 10))) == [10]
    assert cuts(still((20, 10), (120, 10)) + noise(20, 3)) == [10]


def test_cuts_are_found_up_to_either_end_of_a_clip() -> None:
    assert cuts(still((20, 1), (120, 10))) == [1]
    assert cuts(still((20, 10), (120, 1))) == [10]


def test_shots_of_a_few_frames_are_told_apart() -> None:
    assert cuts(still((20, 10), (120, LOOK + 1), (250, 10))) == [10, 10 + LOOK + 1]


def test_of_cuts_closer_than_the_look_only_the_greatest_counts() -> None:
    assert cuts(still((20, 10), (60, 2), (250, 10))) == [12]
    assert cuts(still((20, 10), (200, 2), (250, 10))) == [10]


@pytest.mark.parametrize("length", range(1, LOOK + 1))
@pytest.mark.parametrize("level", [255, 0])
def test_a_flash_is_no_cut(length: int, level: float) -> None:
    clip = still((100, 12), (level, length), (100, 12))
    assert cuts(clip) == []
    assert cuts(clip + noise(len(clip), 3)) == []


@pytest.mark.parametrize("noisy", [0, 3])
@pytest.mark.parametrize("length", range(LOOK + 1, LOOK + 4))
def test_a_longer_flash_is_a_shot_and_the_next_begins_behind_it(length: int, noisy: float) -> None:
    clip = still((100, 40), (255, length), (100, 40))
    assert cuts(clip + noise(len(clip), noisy)) == [40, 40 + length]


@pytest.mark.parametrize("length", range(1, LOOK + 3))
def test_a_flash_in_which_a_clip_begins_or_ends_is_a_shot(length: int) -> None:
    assert cuts(still((255, length), (100, 20))) == [length]
    assert cuts(still((100, 20), (255, length))) == [20]


def test_a_flash_that_dies_away_is_no_cut() -> None:
    assert cuts(still((100, 10), (250, 1), (170, 1), (120, 1), (100, 10))) == []


def test_a_flash_over_a_moving_picture_is_no_cut() -> None:
    clip = np.arange(30) * 4.0
    clip[15] = 255
    assert cuts(clip) == []


def test_a_cut_through_a_white_frame_is_one_cut() -> None:
    assert len(cuts(still((30, 10), (255, 1), (130, 10)))) == 1


def test_a_fade_is_no_cut() -> None:
    assert cuts(np.linspace(0, 255, 12)) == []
    assert cuts(np.concatenate([still((200, 10)), np.linspace(200, 0, 8), still((0, 10))])) == []


def test_a_dissolve_is_no_cut() -> None:
    assert cuts(np.concatenate([still((30, 10)), np.linspace(30, 200, 10), still((200, 10))])) == []


def test_a_pan_that_changes_much_every_frame_is_no_cut() -> None:
    assert cuts(np.random.default_rng(0).integers(0, 255, (40, 50))) == []


def test_noise_is_no_cut() -> None:
    assert cuts(100 + np.random.default_rng(1).normal(0, 9, (60, 100))) == []


def test_a_small_step_is_no_cut() -> None:
    assert cuts(still((100, 10), (114, 10))) == []
    assert cuts(still((100, 10), (116, 10))) == [10]


@few
@given(st.lists(st.integers(0, 255), min_size=30, max_size=60), st.data())
def test_the_verdict_depends_on_frames_within_the_look_only(values: list[int], data: st.DataObject) -> None:
    at = data.draw(st.integers(BACK, len(values) - LOOK - 1))
    frames = np.array(values, float)
    whole = at in cuts(frames)
    changed = frames.copy()
    changed[: at - BACK] = 255 - changed[: at - BACK]
    changed[at + LOOK + 1 :] = 255 - changed[at + LOOK + 1 :]
    assert (at in cuts(changed)) == whole
    assert (BACK in cuts(frames[at - BACK : at + LOOK + 1])) == whole
