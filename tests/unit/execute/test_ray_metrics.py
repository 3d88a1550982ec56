"""What goes into Ray's metrics, seen from where it goes in."""

from __future__ import annotations

import pytest

from streamct.execute.ray_metrics import Metrics

SEEN: dict[str, list[float]] = {}


class Recorder:
    def __init__(self, name: str, description: str) -> None:
        self.values = SEEN.setdefault(name, [])
        assert description

    def inc(self, value: float) -> None:
        assert value > 0, "Ray refuses anything else"
        self.values.append(value)

    def set(self, value: float) -> None:
        self.values.append(value)


def test_frames_and_retries_are_counted_once_and_told_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.util import metrics

    SEEN.clear()
    monkeypatch.setattr(metrics, "Counter", Recorder)
    monkeypatch.setattr(metrics, "Gauge", Recorder)
    clock = [0.0]
    told = Metrics(clock=lambda: clock[0])
    for seconds, frames, retries in ((0.5, 10, 0), (2.0, 100, 1), (2.5, 150, 1), (4.0, 90, 1), (5.0, 200, 1)):
        clock[0] = seconds
        told.tell(frames, running=3, waiting=2, retries=retries)
    assert SEEN["streamct_frames"] == [100, 100], "frames that a job does again count once"
    assert SEEN["streamct_retries"] == [1]
    assert SEEN["streamct_fps"] == [50.0, 0.0, 100.0]
    assert SEEN["streamct_jobs_running"] == [3, 3, 3]
    assert SEEN["streamct_jobs_waiting"] == [2, 2, 2]
