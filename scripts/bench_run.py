"""What the benchmarks share: test clips, runs measured as whole processes, tables."""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import av


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process: wall and CPU seconds, the largest resident memory of it and its children in MB."""

    wall: float
    cpu: float
    peak: float


def streamct(*arguments: str) -> list[str]:
    """The command line of `streamct` in this environment."""
    return [str(Path(sys.executable).with_name("streamct")), *arguments]


def measure(command: list[str]) -> Run:
    """Run to the end; a failure ends the benchmark with what the command said."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    peak = [0.0]
    watch = threading.Thread(target=_watch, args=(process, peak))
    watch.start()
    said = process.communicate()[1]
    wall = time.perf_counter() - began
    watch.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        sys.exit(f"{' '.join(command)}\nleft with {process.returncode}: {said}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall, cpu, peak[0])


def first_frame(command: list[str]) -> float:
    """Seconds from the start of a `streamct ... --json` until it says that a frame is encoded."""
    began = time.perf_counter()
    process = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "progress" and event["done"] > 0:
                passed = time.perf_counter() - began
                process.communicate()
                return passed
    sys.exit(f"{' '.join(command)}\nencoded no frame")


def _watch(process: subprocess.Popen[str], peak: list[float]) -> None:
    """The kernel's own high-water mark, read until the process is gone."""
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        try:
            for line in status.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    peak[0] = max(peak[0], int(line.split()[1]) / 1024)
        except OSError:
            return
        time.sleep(0.02)


def ffmpeg(*arguments: str) -> list[str]:
    """The command line of the ffmpeg on the path, which overwrites and says nothing but errors."""
    if shutil.which("ffmpeg") is None:
        sys.exit("this benchmark runs ffmpeg beside streamct; install it (Debian: apt-get install ffmpeg)")
    return ["ffmpeg", "-v", "error", "-y", *arguments]


def alternating(commands: dict[str, list[str]], rounds: int, cores: int | None = None) -> dict[str, Run]:
    """Medians of several rounds, in each of which every command runs once. cores: how many they may use."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(measure(command if cores is None else ["taskset", "-c", f"0-{cores - 1}", *command]))
    return {name: medians(found) for name, found in runs.items()}


def medians(runs: list[Run]) -> Run:
    """Each figure's own median."""
    return Run(median(r.wall for r in runs), median(r.cpu for r in runs), median(r.peak for r in runs))


def descendants(process: int) -> list[int]:
    """Its children and all below them."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found, ahead = [], [process]
    while ahead:
        below = parents.get(ahead.pop(), [])
        found += below
        ahead += below
    return found


def cpu_of_all() -> float:
    """CPU seconds so far of this process and of all below it that live."""
    ticks = 0
    for process in (os.getpid(), *descendants(os.getpid())):
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def machine() -> str:
    """One line on what the figures were taken on."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    load = os.getloadavg()[0]
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f} before"


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for the benchmark's own files."""
    with tempfile.TemporaryDirectory(prefix="streamct-bench-") as folder:
        yield Path(folder)


def scaled_clip(source: Path, path: Path, frames: int, width: int, height: int, *, deep: bool = False) -> Path:
    """`source` scaled and repeated to so many frames: H.264, 30 frames/s, BT.709, 8 or 10 bits."""
    pix_fmt = "yuv420p10le" if deep else "yuv420p"
    with av.open(str(path), "w") as out:
        stream = out.add_stream(
            "libx264", rate=30, width=width, height=height, options={"crf": "18", "preset": "veryfast"}
        )
        stream.pix_fmt = pix_fmt
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = context.color_range = 1
        count = 0
        while count < frames:
            with av.open(str(source)) as container:
                for frame in container.decode(video=0):
                    scaled = frame.reformat(width, height, pix_fmt)
                    scaled.pts, scaled.time_base = count, Fraction(1, 30)
                    out.mux(stream.encode(scaled))
                    count += 1
                    if count == frames:
                        break
        out.mux(stream.encode(None))
    return path


def show(title: str, head: list[str], rows: list[list[Any]], as_json: bool) -> None:
    """Print a table, or with --json one object a row."""
    if as_json:
        for row in rows:
            print(json.dumps({"bench": title, **dict(zip(head, row, strict=True))}))
        return
    cells = [head, *[[f"{v:.3g}" if isinstance(v, float) else str(v) for v in row] for row in rows]]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    print(f"\n{title}")
    for line in cells:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
