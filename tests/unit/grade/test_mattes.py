"""The steady mattes of a network: in order, within the shot, keyed on time, and calm."""

from __future__ import annotations

import threading
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from networks import RedIsForeground, looks, moving_scene
from numpy.typing import NDArray

from streamct.grade.mattes import Segmented
from streamct.grade.sample import Look
from streamct.segment.steady import firmed


def run(segmenter: Any, seen: list[Look], **options: Any) -> dict[int, NDArray[np.uint8]]:
    mattes = Segmented(segmenter, **{"radius": 3, "every": 1, **options})
    out = {}
    waiting: list[int] = []
    for look in seen:
        waiting.append(look.index)
        for matted, mask in mattes.push(look):
            assert matted.index == waiting.pop(0)
            out[matted.index] = mask
        assert len(waiting) <= mattes.delay
    for matted, mask in mattes.finish():
        assert matted.index == waiting.pop(0)
        out[matted.index] = mask
    assert not waiting
    return out


def noisy(frames: int, seed: int = 0, height: int = 12, width: int = 16) -> list[NDArray[np.uint8]]:
    """A still scene whose red half is unsure and noisy, as codes."""
    rng = np.random.default_rng(seed)
    base = np.zeros((height, width, 3))
    base[:, width // 2 :] = (128, 120, 90)
    jitter = rng.normal(0, 6, (frames, 1, 1, 1)) * np.array([1.0, 0, 0])
    return [np.clip(np.rint(base + j), 0, 255).astype(np.uint8) for j in jitter]


@pytest.mark.parametrize("count", [1, 2, 5, 30])
@pytest.mark.parametrize(("every", "batch", "radius"), [(1, 1, 0), (1, 8, 3), (4, 2, 3), (7, 3, 0)])
def test_every_frame_gets_one_mask_in_order_and_in_time(count: int, every: int, batch: int, radius: int) -> None:
    masks = run(RedIsForeground(batch), looks(noisy(count)), every=every, radius=radius)
    assert sorted(masks) == list(range(count))
    assert all(mask.shape == (12, 16) and mask.dtype == np.uint8 for mask in masks.values())


def test_alone_a_mask_is_what_the_network_said() -> None:
    pictures = moving_scene(6)[0]
    masks = run(RedIsForeground(), looks(pictures), radius=0, every=1)
    for index, picture in enumerate(pictures):
        assert np.array_equal(masks[index], firmed(np.ascontiguousarray(picture[..., 0])))


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("start", [1, 6, 13])
def test_it_does_not_matter_where_the_stream_began_or_ended(every: int, start: int) -> None:
    pictures = moving_scene(80, width=40, height=30, step=0.3)[0]
    times = [1000 + 40 * i for i in range(80)]
    options: dict[str, Any] = {"every": every, "ticks": Fraction(40 * every)}
    whole = run(RedIsForeground(3), looks(pictures, times), **options)
    part = run(RedIsForeground(1), looks(pictures[start:70], times[start:70], first=start), **options)
    margin = Segmented(RedIsForeground(1), radius=3, every=every).support
    inside = range(start + margin, 70 - margin)
    assert len(inside) >= 2
    for index in inside:
        assert np.array_equal(whole[index], part[index])


def test_masks_do_not_mix_across_a_cut() -> None:
    one, other = np.full((12, 16, 3), 255, np.uint8), np.zeros((12, 16, 3), np.uint8)
    masks = run(RedIsForeground(), looks([one] * 9 + [other] * 11), every=4, radius=5)
    assert all((masks[i] == 255).all() for i in range(9))
    assert all((masks[i] == 0).all() for i in range(9, 20))


@pytest.mark.parametrize("every", [1, 4])
def test_mattes_breathe_at_most_a_fifth_as_much(every: int) -> None:
    seen = looks(noisy(120))
    alone = run(RedIsForeground(), seen, radius=0, every=1)
    steady = run(RedIsForeground(), seen, radius=3, every=every)

    def breathing(masks: dict[int, NDArray[np.uint8]]) -> float:
        areas = np.array([masks[i].mean() for i in range(10, 110)])
        return float(np.abs(np.diff(areas)).mean())

    assert breathing(alone) > 1
    assert breathing(steady) <= breathing(alone) / 5


@pytest.mark.parametrize("every", [1, 4])
def test_a_thing_that_moves_keeps_its_edge(every: int) -> None:
    pictures, truths = moving_scene(24, step=2.0)

    class Knows(RedIsForeground):
        def segment(self, proxies: NDArray[np.uint8]) -> NDArray[np.float32]:
            known = {picture.tobytes(): truth for picture, truth in zip(pictures, truths, strict=True)}
            return np.stack([known[proxy.tobytes()] for proxy in proxies]).astype(np.float32)

    masks = run(Knows(), looks(pictures), every=every)
    for index, truth in enumerate(truths):
        found = masks[index] > 127
        assert (found & truth).sum() / (found | truth).sum() > 0.97


def test_the_network_sees_the_frames_that_pts_choose_whatever_the_start() -> None:
    pictures = [np.full((4, 4, 3), i, np.uint8) for i in range(40)]
    times = [1001 * i for i in range(40)]

    def shown(start: int) -> set[int]:
        segmenter = RedIsForeground(1)
        run(segmenter, looks(pictures[start:], times[start:], first=start), every=4, ticks=Fraction(4004))
        return {int(batch[0, 0, 0, 0]) for batch in segmenter.batches}

    assert shown(0) == {*range(0, 40, 4), 39}
    assert shown(6) - {6} == {i for i in shown(0) if i > 6}


def test_frames_that_come_in_bursts_are_seen_often_enough() -> None:
    pictures = [np.full((4, 4, 3), i, np.uint8) for i in range(80)]
    times = [0, 100, 200, *range(201, 261), *range(300, 2000, 100)]
    segmenter = RedIsForeground(1)
    run(segmenter, looks(pictures, times), every=4, ticks=Fraction(400))
    shown = sorted(int(batch[0, 0, 0, 0]) for batch in segmenter.batches)
    assert max(np.diff(shown)) <= 4


def test_a_clip_that_is_shown_turned_is_turned_for_the_network_and_its_masks_back() -> None:
    picture = np.zeros((6, 10, 3), np.uint8)
    picture[0, :4] = 255
    segmenter = RedIsForeground(1)
    masks = run(segmenter, looks([picture] * 3), turns=3)
    assert segmenter.batches[0].shape == (1, 10, 6, 3)
    assert (segmenter.batches[0][0, :4, 5] == 255).all()  # the top row is the right column, turned clockwise
    assert np.array_equal(masks[1], picture[..., 0])


def test_batches_are_full_but_for_the_last() -> None:
    segmenter = RedIsForeground(4)
    run(segmenter, looks(noisy(11)))
    assert [len(batch) for batch in segmenter.batches] == [4, 4, 3]


def test_a_failing_network_is_heard_and_leaves_no_thread() -> None:
    class Fails(RedIsForeground):
        def segment(self, proxies: NDArray[np.uint8]) -> NDArray[np.float32]:
            raise MemoryError("no room")

    mattes = Segmented(Fails(), radius=3, every=1)
    with pytest.raises(MemoryError, match="no room"):
        [list(mattes.push(look)) for look in looks(noisy(20))]
    mattes.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("streamct-segment")]
