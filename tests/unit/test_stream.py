"""Decoding, analysis, rendering and encoding at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from streamct import stream
from streamct.model import Frame, PixelFormat
from streamct.stream import Stream, decoder_threads, encoder_threads, render_workers

LAYOUT = PixelFormat("gray", 8, 0, 0)


class Delayed:
    """Grades each frame by its own number, once `delay` more have come."""

    def __init__(self, delay: int) -> None:
        self.delay = delay
        self.held: list[int] = []
        self.most = 0

    def push(self, sample: int) -> Iterator[int]:
        self.held.append(sample)
        self.most = max(self.most, len(self.held))
        if len(self.held) > self.delay:
            yield self.held.pop(0)

    def finish(self) -> Iterator[int]:
        yield from self.held
        self.held = []


def frames(count: int) -> Iterator[Frame]:
    for index in range(count):
        yield Frame((np.zeros((1, 1), np.uint8),), LAYOUT, index, index, Fraction(1))


def same_number(frame: Frame, grade: Any) -> Frame:
    assert frame.index == grade
    return frame


def run(count: int, delay: int = 5, **stages: Any) -> list[int]:
    written: list[int] = []
    given: dict[str, Any] = {
        "frames": frames(count),
        "sample": lambda frame: frame.index,
        "grader": Delayed(delay),
        "render": same_number,
        "write": lambda frame: written.append(frame.index),
    } | stages
    assert Stream(**given).run() == len(written)
    return written


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.mark.parametrize("workers", [1, 3, 8])
@pytest.mark.parametrize(("count", "delay"), [(0, 5), (1, 5), (5, 5), (40, 5), (40, 0)])
def test_every_frame_is_written_once_in_order_with_its_own_grade(
    count: int, delay: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "render_workers", lambda: workers)
    assert run(count, delay) == list(range(count))


@pytest.mark.parametrize("stage", ["frames", "sample", "render", "write"])
def test_an_error_in_any_stage_is_raised_and_ends_all_threads(stage: str) -> None:
    def fails(*_: Any) -> Any:
        raise ValueError(stage)

    def broken() -> Iterator[Frame]:
        yield from frames(3)
        raise ValueError(stage)

    with pytest.raises(ValueError, match=stage):
        run(1000, **{stage: broken() if stage == "frames" else fails})


def test_an_interrupt_of_the_caller_ends_all_threads() -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    endless = Stream(frames(1 << 40), lambda f: f.index, Delayed(5), same_number, lambda f: None)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        endless.run(interrupt)


def test_no_more_frames_wait_than_the_delay_and_what_is_in_flight() -> None:
    alive = 0
    most = 0
    lock = threading.Lock()

    def counted() -> Iterator[Frame]:
        nonlocal alive, most
        for frame in frames(300):
            with lock:
                alive += 1
                most = max(most, alive)
            yield frame

    def written(_: Frame) -> None:
        nonlocal alive
        with lock:
            alive -= 1

    Stream(counted(), lambda f: f.index, Delayed(20), same_number, written).run()  # type: ignore[arg-type]
    workers = render_workers()
    assert most <= 20 + stream._DECODED_AHEAD + 2 * workers + 5


@pytest.mark.parametrize("count", [1, 2, 4, 16, 64, 256])
def test_threads_fit_the_cores(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cores", "machine_cores"):
        monkeypatch.setattr(stream, name, lambda: count)
    assert 1 <= render_workers() <= max(1, count // 2)
    assert 1 <= decoder_threads() <= max(1, count // 2)
    assert encoder_threads("libx264") == min(count, 32)
    assert encoder_threads("libx265") is None
