"""Folders: a batch beside single runs, and what it keeps in memory from file to file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench_run import descendants, scaled_clip, scratch, show

from streamct.batch import run_batch
from streamct.execute import Executor
from streamct.execute.engine import Engine, open_executor
from streamct.file_task import Options
from streamct.ledger import Ledger
from streamct.model import Event
from streamct.pipeline import grade_video
from streamct.settings import Settings
from streamct.sources import collect

_NAMES = ("davis-blackswan", "mdn-flower", "sam2-01_dog", "psd-testvideo", "intel-car-detection")
_SHORT, _MANY = 20, 50
_SIZE = (640, 360)
_TOLD = (1, 2, 5, 10, 20, 30, 40, 50)
LOCAL_WORKERS = 2


def folder(data: Path, rounds: int, frames: int, as_json: bool, engine: str) -> None:
    """Twenty short clips as a batch, beside the same clips one by one, each with the whole machine."""
    reference = data / "refs" / "jr-autumn.jpg"
    with scratch() as scene:
        clips = _clips(data, scene / "in", _SHORT, frames)
        total = frames * len(clips)
        rows = []
        began = time.perf_counter()
        with closing(_executor(engine)) as executor:
            started = time.perf_counter() - began
            _batch(scene / "in", reference, scene / "warm", executor)
            for turn in range(rounds):
                began, busy = time.perf_counter(), time.process_time()
                for clip in clips:
                    grade_video(clip, reference, scene / "single.mp4", overwrite=True)
                single, alone = total / (time.perf_counter() - began), time.process_time() - busy
                began, busy = time.perf_counter(), time.process_time()
                _batch(scene / "in", reference, scene / f"out{turn}", executor)
                batch, here = total / (time.perf_counter() - began), time.process_time() - busy
                rows.append([turn + 1, single, batch, batch / single, alone, here, started])
    show(
        f"{_SHORT} clips of {frames} frames, {_SIZE[0]}x{_SIZE[1]}, {executor.name}, {executor.workers} workers",
        ["round", "one by one, frames/s", "batch, frames/s", "ratio", "CPU s one by one", "CPU s here in batch",
         "start-up s"],
        rows, as_json,
    )  # fmt: skip


def folder_memory(data: Path, rounds: int, frames: int, as_json: bool, engine: str) -> None:
    """Memory of this process, of the workers and of Ray's own processes after so many of fifty files; what several
    processes share counts in parts."""
    reference = data / "refs" / "jr-autumn.jpg"
    rows: list[list[object]] = []

    def heard(event: Event) -> None:
        if event.kind == "file" and event.done in _TOLD:
            below = descendants(os.getpid())
            workers = [process for process in below if _is_worker(process)]
            own = [process for process in below if process not in workers]
            rows.append([event.done, _used(os.getpid()), sum(map(_used, workers)), sum(map(_used, own))])

    with scratch() as scene:
        _clips(data, scene / "in", _MANY, frames)
        with closing(_executor(engine)) as executor:
            _batch(scene / "in", reference, scene / "out", executor, heard)
    show(
        f"{_MANY} clips of {frames} frames, {_SIZE[0]}x{_SIZE[1]}, {executor.name}, {executor.workers} workers",
        ["files done", "driver MB", "workers MB", "Ray's own MB"], rows, as_json,
    )  # fmt: skip


def _executor(engine: str) -> Executor:
    return open_executor(Engine(engine), print, many=True, local_workers=LOCAL_WORKERS)


def _clips(data: Path, target: Path, count: int, frames: int) -> list[Path]:
    target.mkdir()
    sources = [data / "clips" / f"{name}.mp4" for name in _NAMES]
    return [scaled_clip(sources[n % len(sources)], target / f"{n:02}.mp4", frames, *_SIZE) for n in range(count)]


def _batch(
    source: Path, reference: Path, target: Path, executor: Executor, heard: Callable[[Event], None] | None = None
) -> None:
    items = collect([source], reference, target, Settings()).items
    report = run_batch(items, Options(target, Ledger(target / ".streamct")), executor, progress=heard)
    assert report.failed == 0, [result.error for result in report.files if result.error]


def _used(process: int) -> float:
    """MB, of what is shared a part (PSS); 0 of one that is gone."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _is_worker(process: int) -> bool:
    """Whether it is an actor of ours; Ray calls it by its class or by what it does."""
    try:
        title = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False
    return title.startswith(b"ray::") and not title.startswith(b"ray::IDLE")
