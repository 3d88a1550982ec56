"""The real scheduler and the real tasks of a batch over workers that do nothing: does the driver keep up?

    python scripts/simulate.py [--spans 10000] [--clips 100] [--workers 16 100 1000 16000] [--seconds 20]

A virtual clock goes on while the driver waits, so that the run takes as long as the driver's own work. Printed: spans/s
that one driver can hand out and take back (its CPU time), beside those that so many workers finish if a span takes
--seconds; what a span's job weighs when it is sent; and what the driver's memory grows by.
"""

from __future__ import annotations

import argparse
import heapq
import os
import pickle
import random
import time
from collections import deque
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from bench_run import machine, scratch, show

from streamct.batch import run_batch
from streamct.execute import Job, Outcome, Shared
from streamct.file_task import Inspected, Options
from streamct.grade.regions import Palettes
from streamct.ledger import Ledger, Record, digest_of
from streamct.media.output import OutputPlan
from streamct.media.timeline import Passage
from streamct.model import Clip, Coding, ColorTags, Palette, PixelFormat, Span
from streamct.references import Wanted, references
from streamct.settings import Settings
from streamct.sources import Item
from streamct.span_jobs import Divided, Recipe, Rendered

FRAMES = 600
_LEAD = 36


class Idle:
    """An executor whose workers take their time and do nothing. now: its clock, in seconds."""

    name, lacking = "simulated", ""

    def __init__(self, workers: int, spans: int, seconds: float) -> None:
        self.workers = self.alive = workers
        self.now = 0.0
        self.sent = 0
        self.jobs = 0
        self.most = 0
        self._seconds = seconds
        self._spans = spans
        self._random = random.Random(1)
        self._waiting: deque[Job] = deque()
        self._running: list[tuple[float, int, Job]] = []
        self._told: dict[str, int] = {}

    def submit(self, job: Job) -> None:
        self.jobs += 1
        if job.call.__name__ == "render_span" and not self.sent:
            arguments = tuple(None if isinstance(a, Shared) else a for a in job.arguments)
            self.sent = len(pickle.dumps((job.call, arguments, job.name)))
        self._waiting.append(job)
        self.most = max(self.most, len(self._waiting) + len(self._running))

    def wait(self, seconds: float) -> list[Outcome]:
        while self._waiting and len(self._running) < self.workers:
            job = self._waiting.popleft()
            takes = self._seconds * self._random.uniform(0.8, 1.2) if job.call.__name__ == "render_span" else 0.1
            heapq.heappush(self._running, (self.now + takes, self.jobs + id(job), job))
            self._told[job.name] = 1
        soonest = self._running[0][0] if self._running else self.now + seconds
        self.now = max(self.now, min(self.now + seconds, soonest))  # one outcome at a time: the driver's worst case
        done = []
        while self._running and self._running[0][0] <= self.now:
            job = heapq.heappop(self._running)[2]
            del self._told[job.name]
            done.append(Outcome(job, _answer(job, self._spans), seconds=self._seconds))
        return done

    def clock(self) -> float:
        """Virtual seconds."""
        return self.now

    def progress(self) -> Mapping[str, int]:
        return dict(self._told)

    def publish(self, frames: int, running: int, waiting: int, retries: int) -> None:
        pass

    def close(self) -> None:
        self._waiting.clear()


def _palettes() -> Palettes:
    colours = np.random.default_rng(1).uniform(0, 90, (32, 3))
    return Palettes(Palette(colours, np.full(32, 1 / 32)))


_TAGS = ColorTags()
_FORMAT = PixelFormat("yuv420p", 8, 1, 1)
_CLIP = Clip(
    Path("/shared/in/clip.mp4"), 0, 1920, 1080, Fraction(1, 24000), None, Fraction(24), "h264", "mp4", "yuv420p",
    _FORMAT, Coding("bt709", False), _TAGS,
)  # fmt: skip
_PLAN = OutputPlan(Path("/shared/out/clip.mp4"), "mp4", "libx264", "h264", "yuv420p", {"crf": "16"}, _TAGS)


def _answer(job: Job, spans: int) -> Any:
    """What a job of this kind gives."""
    kind = job.call.__name__
    if kind == "make_look":
        return Wanted(_palettes(), None, np.empty((0, 0, 3), np.float32))
    if kind == "inspect":
        item: Item = job.arguments[0]
        return Inspected(digest_of({"name": item.name}), item.output, spans * FRAMES, "new")
    if kind == "divide":
        recipe = Recipe(_CLIP, _PLAN, Settings(), _palettes())
        ranges = [Span(n * FRAMES, (n + 1) * FRAMES) for n in range(spans)]
        times = np.arange(FRAMES + 2 * _LEAD, dtype=np.int64) * 1001
        passages = tuple(Passage(max(0, r.start - _LEAD), r.start, times + r.start * 1001, (r.start,)) for r in ranges)
        return Divided(recipe, tuple(ranges), passages, (None,) * spans, False, {}, ())
    if kind == "render_span":
        return Rendered(reused=False)
    if kind == "join_parts":
        return ()
    facts = {"frames": spans * FRAMES, "seconds": 1.0, "segmenter": "none", "warnings": [], "details": {}}
    return Record("clip.mp4", 1, 1, "0" * 64, facts)


def _resident() -> float:
    """MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Run the simulation that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=10_000)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--workers", type=int, nargs="+", default=[16, 100, 1000, 16000])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true", dest="as_json")
    asked = parser.parse_args()
    if not asked.as_json:
        print(machine())
    each = asked.spans // asked.clips
    items = [
        Item(f"{n:05}.mp4", Path(f"in/{n:05}.mp4"), "clip", Path(f"{n:05}.mp4"), Path(f"{n:05}.mkv"), False,
             references("ref.jpg"), Settings())
        for n in range(asked.clips)
    ]  # fmt: skip
    rows = []
    for workers in asked.workers:
        executor = Idle(workers, each, asked.seconds)
        before, began = _resident(), time.process_time()
        with scratch() as folder:
            options = Options(folder, Ledger(folder / "work"))
            report = run_batch(items, options, executor, clock=executor.clock)
        busy = time.process_time() - began
        assert report.failed == 0
        spans = each * asked.clips
        rows.append(
            [workers, spans, busy, spans / busy, workers / asked.seconds, executor.now, executor.most,
             executor.sent, executor.sent / FRAMES, _resident() - before]
        )  # fmt: skip
    show(
        f"{asked.clips} clips of {each} spans of {FRAMES} frames, {asked.seconds:g} s each",
        ["workers", "spans", "driver s", "driver spans/s", "workers' spans/s", "virtual s", "most in flight",
         "bytes a span", "bytes a frame", "grown MB"],
        rows, asked.as_json,
    )  # fmt: skip


if __name__ == "__main__":
    main()
