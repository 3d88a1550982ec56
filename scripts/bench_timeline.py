"""Where the time of a run goes, stage by stage: a table, and a picture of a part of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from bench_kernel import CLIP, REFERENCES
from bench_run import machine, scaled_clip, scratch, show

import streamct.transcode
from streamct import Settings, transfer_video
from streamct.stream import Stream
from streamct.work import cores

_SHOWN = 0.4
"""Seconds of the picture."""
_TICK = 0.005
_COLOURS = {"decode": "#4c78a8", "sample": "#f2a154", "grade": "#d1495b", "render": "#59a14f", "encode": "#8e6c8a"}
_OTHERS = "#9aa5b1"
_ORDER = ("decode", "analyse", "render", "encode")
"""Names of a stream's threads; renderers have a number too."""
_WIDTH, _MARGIN, _LANE, _GAP = 1000, 150, 34, 12
_DETAIL = {
    "decode": "FFmpeg's decoder",
    "sample": "proxy, cells, border, columns, change",
    "grade": "palette, transport, bake at knots; mix for every frame",
    "render": "the Lut on the frame's planes",
    "encode": "hand-over to x264, its copy of the frame",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """One stage at one frame: thread, wall seconds from start to stop, CPU seconds."""

    stage: str
    thread: str
    start: float
    stop: float
    cpu: float


class Recorder:
    """Stands between a stream and its stages, and samples the CPU time of the whole process."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.clock: list[tuple[float, float]] = []
        self._ended = threading.Event()

    def timed(self, stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any) -> Any:
            start, cpu = time.perf_counter(), time.thread_time()
            try:
                return call(*given)
            finally:
                thread = threading.current_thread().name.removeprefix("streamct-")
                self.pieces.append(Piece(stage, thread, start, time.perf_counter(), time.thread_time() - cpu))

        return run

    def each(self, frames: Iterable[Any]) -> Iterator[Any]:
        following = self.timed("decode", iter(frames).__next__)
        while True:
            try:
                frame = following()
            except StopIteration:
                return
            yield frame

    def stream(self) -> type[Stream]:
        """A `Stream` whose stages are recorded."""
        recorder = self

        class Grading:
            def __init__(self, grader: Any) -> None:
                self.push = recorder.timed("grade", lambda sample: list(grader.push(sample)))
                self.finish = recorder.timed("grade", lambda: list(grader.finish()))

        class Recorded(Stream):
            def __init__(self, frames: Any, sample: Any, grader: Any, render: Any, write: Any, *more: Any) -> None:
                stages = (recorder.timed(n, f) for n, f in (("sample", sample), ("render", render), ("encode", write)))
                sample, render, write = stages
                super().__init__(recorder.each(frames), sample, Grading(grader), render, write, *more)

            def run(self, *given: Any) -> int:
                watch = threading.Thread(target=recorder.watch)
                watch.start()
                try:
                    return super().run(*given)
                finally:
                    recorder._ended.set()
                    watch.join()

        return Recorded

    def watch(self) -> None:
        while not self._ended.wait(_TICK):
            self.clock.append((time.perf_counter(), time.process_time()))


def timeline(data: Path, frames: int, as_json: bool, picture: Path | None) -> None:
    """CPU milliseconds a frame of each stage inside a run over a 1080p clip; picture: an SVG of a part of it."""
    with scratch() as folder:
        clip = scaled_clip(data / "clips" / CLIP, folder / "clip.mp4", frames, 1920, 1080)
        short = scaled_clip(data / "clips" / CLIP, folder / "short.mp4", 60, 1920, 1080)
        reference = data / "refs" / REFERENCES[0]
        transfer_video(short, reference, folder / "warm.mp4", Settings())
        recorder = Recorder()
        plain, streamct.transcode.Stream = streamct.transcode.Stream, recorder.stream()  # type: ignore[misc]
        try:
            transfer_video(clip, reference, folder / "graded.mp4", Settings())
        finally:
            streamct.transcode.Stream = plain  # type: ignore[misc]
    wall, cpu = (last - first for first, last in zip(recorder.clock[0], recorder.clock[-1], strict=True))
    ours = {name: sum(p.cpu for p in recorder.pieces if p.stage == name) for name in _COLOURS}
    rows: list[list[Any]] = [[name, 1000 * spent / frames, _DETAIL[name]] for name, spent in ours.items()]
    rows.append(["other threads", 1000 * (cpu - sum(ours.values())) / frames, "x264's own; queues and hand-over"])
    rows.append(["together", 1000 * cpu / frames, f"{frames / wall:.3g} frames/s, {cpu / wall:.3g} cores at work"])
    show(f"stages of a run, 1080p, {frames} frames", ["stage", "CPU ms a frame", ""], rows, as_json)
    if picture is not None:
        picture.write_text(_drawn(recorder, machine()), "utf-8")


def _drawn(recorder: Recorder, where: str) -> str:
    begin = (recorder.clock[0][0] + recorder.clock[-1][0]) / 2
    end = begin + _SHOWN
    pieces = [p for p in recorder.pieces if p.stop > begin and p.start < end]
    lanes = sorted({p.thread for p in pieces}, key=lambda name: (_ORDER.index(name.partition("_")[0]), name))
    height = (len(lanes) + 1) * (_LANE + _GAP) + 110

    def x(seconds: float) -> float:
        return _MARGIN + (seconds - begin) / _SHOWN * (_WIDTH - _MARGIN - 20)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + 20} {height}" font-family="sans-serif" '
        f'font-size="13">',
        f'<rect width="{_WIDTH + 20}" height="{height}" fill="white"/>',
    ]
    at = float(_MARGIN)
    for name, colour in (*_COLOURS.items(), ("threads of x264 and others", _OTHERS)):
        out.append(f'<rect x="{at:.0f}" y="10" width="14" height="14" fill="{colour}"/>')
        out.append(f'<text x="{at + 19:.0f}" y="22">{name}</text>')
        at += 40 + 7.5 * len(name)
    top = 40
    for lane, thread in enumerate(lanes):
        y = top + lane * (_LANE + _GAP)
        out.append(f'<text x="10" y="{y + _LANE / 2 + 4:.0f}">{escape(thread)}</text>')
        for p in (p for p in pieces if p.thread == thread):
            left, right = x(max(p.start, begin)), x(min(p.stop, end))
            out.append(
                f'<rect x="{left:.1f}" y="{y}" width="{max(right - left, 0.4):.1f}" height="{_LANE}" '
                f'fill="{_COLOURS[p.stage]}" stroke="white" stroke-width="0.4"/>'
            )
    y = top + len(lanes) * (_LANE + _GAP)
    out.append(f'<text x="10" y="{y + _LANE / 2 + 4:.0f}">cores at work, of {cores()}</text>')
    out += _shares(recorder, begin, end, x, y)
    bottom = y + _LANE + 16
    for step in range(int(_SHOWN * 10) + 1):
        here = x(begin + step / 10)
        out.append(f'<line x1="{here:.1f}" y1="{top - 6}" x2="{here:.1f}" y2="{bottom}" stroke="#ccc"/>')
        out.append(f'<text x="{here:.1f}" y="{bottom + 14}" text-anchor="middle">{100 * step} ms</text>')
    out.append(f'<text x="10" y="{height - 8}" fill="#666">1080p; {escape(where)}</text>')
    return "\n".join([*out, "</svg>", ""])


def _shares(recorder: Recorder, begin: float, end: float, x: Callable[[float], float], y: float) -> list[str]:
    """Columns of 20 ms: CPU time of our stages, and on top of it that of all other threads."""
    step, out = 4 * _TICK, []
    ticks = recorder.clock
    most = float(cores())
    start = begin
    while start < end - 1e-6:
        stop = min(start + step, end)
        spent = _process(ticks, stop) - _process(ticks, start)
        known = dict.fromkeys(_COLOURS, 0.0)
        for p in recorder.pieces:
            shared = min(p.stop, stop) - max(p.start, start)
            if shared > 0:
                known[p.stage] += p.cpu * shared / max(p.stop - p.start, 1e-9)
        known["others"] = max(spent - sum(known.values()), 0.0)
        level = y + _LANE
        for name, share in known.items():
            size = share / (stop - start) / most * _LANE
            level -= size
            out.append(
                f'<rect x="{x(start):.1f}" y="{level:.1f}" width="{x(stop) - x(start):.1f}" height="{size:.1f}" '
                f'fill="{_COLOURS.get(name, _OTHERS)}"/>'
            )
        start = stop
    return out


def _process(clock: list[tuple[float, float]], when: float) -> float:
    """CPU seconds of the process at a time, between its samples."""
    for (t0, c0), (t1, c1) in pairwise(clock):
        if t0 <= when <= t1:
            return c0 + (c1 - c0) * (when - t0) / (t1 - t0)
    return clock[-1][1] if when > clock[-1][0] else clock[0][1]
