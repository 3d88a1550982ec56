"""Benchmarks of executors: one clip on this machine in one piece, in spans, and on Ray with a worker for each core."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from bench_kernel import CLIP, REFERENCES
from bench_run import cpu_of_all, scaled_clip, scratch, show

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
            found: dict[str, list[tuple[float, float]]] = {}
            loads = []
            for _ in range(rounds):
                loads.append(os.getloadavg()[0])
                for name, took in (
                    ("local, one piece", _took(lambda: grade_asked(asked))),
                    (f"local, {cores} spans", _took(lambda: grade_in_spans(asked, local, count=cores))),
                    (f"ray, {cores} workers, {cores} spans", _took(lambda: grade_in_spans(asked, ray, count=cores))),
                    (
                        f"ray, {cores} workers, {2 * cores} spans",
                        _took(lambda: grade_in_spans(asked, ray, count=2 * cores)),
                    ),
                ):
                    found.setdefault(name, []).append(took)
    best = median(wall for wall, _ in found["local, one piece"])
    rows: list[list[Any]] = []
    for name, runs in found.items():
        wall, cpu = (median(figures) for figures in zip(*runs, strict=True))
        rows.append([name, wall, frames / wall, best / wall, cpu])
    title = f"engines, 1080p, {frames} frames, {cores} cores, load {min(loads):.1f}..{max(loads):.1f}"
    show(title, ["run", "wall s", "frames/s", "to local", "CPU s"], rows, as_json)
    show("start of ray", ["connected s", "all workers ready s"], [[connected, ready]], as_json)


def _took(run: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds, those of the workers and of Ray itself too."""
    began, busy = time.perf_counter(), cpu_of_all()
    run()
    return time.perf_counter() - began, cpu_of_all() - busy
