"""What an operator sees of a run in Ray's metrics, on its dashboard and in Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

_SECONDS = 1.0


class Metrics:
    """Counters `streamct_frames` and `streamct_retries`; gauges `streamct_fps`, `streamct_jobs_running` and
    `streamct_jobs_waiting`. Made in a process that is connected to Ray."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        from ray.util import metrics

        self._frames = metrics.Counter("streamct_frames", "Frames that were graded.")
        self._retries = metrics.Counter("streamct_retries", "Jobs that were begun again after their worker was lost.")
        self._fps = metrics.Gauge("streamct_fps", "Frames/s since the last report.")
        self._running = metrics.Gauge("streamct_jobs_running", "Jobs that are in flight.")
        self._waiting = metrics.Gauge("streamct_jobs_waiting", "Jobs that wait for a worker.")
        self._told = (0, 0)
        self._clock = clock
        self._at = clock()

    def tell(self, frames: int, running: int, waiting: int, retries: int) -> None:
        """How far a run is; called as often as one likes, passed on once a second."""
        now = self._clock()
        if now - self._at < _SECONDS:
            return
        before = self._told
        _add(self._frames, frames - before[0])
        _add(self._retries, retries - before[1])
        self._fps.set(max(0.0, (frames - before[0]) / (now - self._at)))
        self._running.set(running)
        self._waiting.set(waiting)
        self._told = (max(frames, before[0]), max(retries, before[1]))
        self._at = now


def _add(counter: Any, more: int) -> None:
    """Counters take no zero; a job that is begun again takes its frames back."""
    if more > 0:
        counter.inc(more)
