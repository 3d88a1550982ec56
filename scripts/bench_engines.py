"""Benchmarks of executors: one clip on this machine in one piece, in spans, and on Ray with a worker for each core."""

from __future__ import annotations

import os
import time
from pathlib import Path
from statistics import median
from typing import Any

from bench_kernel import CLIP, REFERENCES
from bench_run import scaled_clip, scratch, show

from streamct.execute import Executor
from streamct.execute.local import LocalExecutor
from streamct.execute.ray_pool import RayExecutor
from streamct.execute.warm import grade_a_little
from streamct.pipeline import grade_asked
from streamct.prepare import Request
from streamct.spanned import grade_in_spans
from streamct.work import machine_cores

_PATIENCE = 0.1


def engines(data: Path, rounds: int, frames: int, as_json: bool) -> None:
    """Frames/s of a 1080p clip, warm: `local` in one piece, `local` in spans, `ray`; the start of Ray apart."""
    cores = machine_cores()
    with scratch() as folder:
        clip = scaled_clip(data / "clips" / CLIP, folder / "clip.mp4", frames, 1920, 1080)
        asked = Request(clip, data / "refs" / REFERENCES[0], folder / "graded.mp4", overwrite=True)
        grade_a_little()
        began = time.perf_counter()
        with RayExecutor(cpu_workers=cores) as ray, LocalExecutor(1) as local:
            connected = time.perf_counter() - began
            while ray.alive < cores:
                ray.wait(_PATIENCE)
            ready = time.perf_counter() - began
            found: dict[str, list[float]] = {}
            loads = []
            for _ in range(rounds):
                loads.append(os.getloadavg()[0])
                for name, seconds in (
                    ("local, one piece", _whole(asked)),
                    (f"local, {cores} spans", _spans(asked, local, cores)),
                    (f"ray, {cores} workers, {cores} spans", _spans(asked, ray, cores)),
                    (f"ray, {cores} workers, {2 * cores} spans", _spans(asked, ray, 2 * cores)),
                ):
                    found.setdefault(name, []).append(seconds)
    best = median(found["local, one piece"])
    rows: list[list[Any]] = [
        [name, median(seconds), frames / median(seconds), best / median(seconds)] for name, seconds in found.items()
    ]
    title = f"engines, 1080p, {frames} frames, {cores} cores, load {min(loads):.1f}..{max(loads):.1f}"
    show(title, ["run", "wall s", "frames/s", "to local"], rows, as_json)
    show("start of ray", ["connected s", "all workers ready s"], [[connected, ready]], as_json)


def _whole(asked: Request) -> float:
    began = time.perf_counter()
    grade_asked(asked)
    return time.perf_counter() - began


def _spans(asked: Request, executor: Executor, count: int) -> float:
    began = time.perf_counter()
    grade_in_spans(asked, executor, count=count)
    return time.perf_counter() - began
