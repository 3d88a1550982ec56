"""Faults on Ray with a real clip: `python scripts/soak.py DATA [ROUNDS]`.

Each round kills a worker of `streamct video` at about 30% and compares the decoded frames with those of a run on one
machine; interrupts a run and looks for what is left; and starts several workers at once on an empty compile cache. At
the end the bytes in Ray's object store are printed, clip by clip.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import ray
from bench_run import descendants, scaled_clip

from streamct.execute.ray_pool import RayExecutor
from streamct.prepare import Request
from streamct.settings import Settings
from streamct.spanned import grade_in_spans

CLIP, REFERENCE = "clips/mdn-flower.mp4", "refs/jr-autumn.jpg"
RAY = ("--engine", "ray", "--cpu-workers", "2", "--spans", "4")
_FRAMES, _SIZE = 1500, (960, 540)
"""Of the clip, repeated: long enough that what is at work at 30% is seen."""
_LIMIT = 600
_STOP = 2.0
_PATIENCE = 0.05
_CLIPS = 5
_STORE = 16 << 20
"""Bytes that the store may hold: far less than one second of pictures."""
_MAIN = "from streamct.cli import main; main()"


def command(clip: Path, data: Path, output: Path, *options: str) -> list[str]:
    """A run whose pixels can be compared."""
    files = (str(clip), str(data / REFERENCE), "-o", str(output))
    return [sys.executable, "-c", _MAIN, "video", *files, "--codec", "ffv1", *options]


def frames(path: Path) -> list[tuple[int, str]]:
    """pts and a hash of every frame."""
    with av.open(str(path)) as container:
        return [(f.pts, hashlib.sha256(f.to_ndarray().tobytes()).hexdigest()) for f in container.decode(video=0)]


def until(process: subprocess.Popen[str], share: float) -> None:
    """Wait until so much is done, as its events say."""
    assert process.stdout is not None
    for line in process.stdout:
        told = re.search(r'"total": (\d+), "done": (\d+)', line)
        if told and int(told[2]) >= share * int(told[1]):
            return


def at_work(pid: int) -> list[int]:
    """Workers below a driver that render a span."""
    found = []
    for child in descendants(pid):
        try:
            title = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        if title.startswith(b"ray::") and b" [" in title:
            found.append(child)
    return found


def start(arguments: list[str], **variables: str) -> subprocess.Popen[str]:
    """A run with its events on a pipe."""
    return subprocess.Popen(
        [*arguments, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | variables
    )


def killed_worker(clip: Path, data: Path, folder: Path, wanted: list[tuple[int, str]]) -> str | None:
    """kill -9 of a worker at 30%: exit 0, the same frames, nothing left."""
    process = start(command(clip, data, folder / "out.mkv", *RAY))
    until(process, 0.3)
    while not (victims := at_work(process.pid)):
        if process.poll() is not None:
            return "no worker was found at work"
        time.sleep(_PATIENCE)
    os.kill(random.choice(victims), signal.SIGKILL)
    said = process.communicate(timeout=_LIMIT)[1]
    if process.returncode:
        return f"left with {process.returncode}: {said[-300:]}"
    if frames(folder / "out.mkv") != wanted:
        return "other frames"
    return left(folder, "out.mkv")


def interrupted(clip: Path, data: Path, folder: Path, wanted: list[tuple[int, str]]) -> str | None:
    """Ctrl-C at 30%: exit 130 in two seconds, nothing left."""
    process = start(command(clip, data, folder / "out.mkv", *RAY))
    until(process, 0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=_LIMIT)
    took = time.monotonic() - began
    if process.returncode != 128 + signal.SIGINT or took > _STOP:
        return f"left with {process.returncode} after {took:.1f} s (load {os.getloadavg()[0]:.0f})"
    return left(folder)


def cold_cache(clip: Path, data: Path, folder: Path, wanted: list[tuple[int, str]]) -> str | None:
    """Several workers that compile the kernels at the same time, into one empty folder."""
    process = start(command(clip, data, folder / "out.mkv", *RAY), NUMBA_CACHE_DIR=str(folder / "cache"))
    said = process.communicate(timeout=_LIMIT)[1]
    if process.returncode:
        return f"left with {process.returncode}: {said[-300:]}"
    return None if frames(folder / "out.mkv") == wanted else "other frames"


def object_store(clip: Path, data: Path, folder: Path) -> str | None:
    """What Ray's object store holds while one executor grades one clip after another: recipes, no pictures."""
    used: list[int] = []
    with RayExecutor(cpu_workers=2) as executor:
        for number in range(_CLIPS):
            request = Request(
                clip, data / REFERENCE, folder / f"{number}.mkv", Settings().updated(output__codec="ffv1")
            )
            grade_in_spans(request, executor, lambda event: used.append(_stored()), count=4)
            print(f"object store after {number + 1} clips: {_stored()} bytes, at most {max(used)} so far")
    return f"{max(used)} bytes at most" if max(used) > _STORE else None


def _stored() -> int:
    """Bytes in use on all machines."""
    name = "object_store_memory"
    return int(ray.cluster_resources().get(name, 0) - ray.available_resources().get(name, 0))


def left(folder: Path, *expected: str) -> str | None:
    """What is left in a folder beside what should be there."""
    more = sorted({entry.name for entry in folder.iterdir()} - set(expected))
    return f"left behind: {', '.join(more)}" if more else None


def main() -> None:
    """Run all; leave with 1 if one comes out wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("rounds", type=int, nargs="?", default=3, metavar="ROUNDS")
    asked = parser.parse_args()
    data, rounds = asked.data, asked.rounds
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="streamct-soak-") as scratch:
        clip = scaled_clip(data / CLIP, Path(scratch) / "clip.mp4", _FRAMES, *_SIZE)
        subprocess.run(command(clip, data, Path(scratch) / "whole.mkv", "-q"), check=True, stdout=subprocess.DEVNULL)
        wanted = frames(Path(scratch) / "whole.mkv")
        for number in range(rounds):
            for fault in (killed_worker, interrupted, cold_cache):
                folder = Path(scratch) / f"{fault.__name__}-{number}"
                folder.mkdir()
                began = time.monotonic()
                told = fault(clip, data, folder, wanted)
                wrong += told is not None
                print(f"{fault.__name__} {number + 1}: {told or 'as it should be'} ({time.monotonic() - began:.0f} s)")
                sys.stdout.flush()
        folder = Path(scratch) / "store"
        folder.mkdir()
        told = object_store(clip, data, folder)
        wrong += told is not None
        print(f"object_store: {told or 'as it should be'}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
