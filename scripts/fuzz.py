"""Grade damaged files and see that each ends in a graded file or in an error of streamct's own.

    python scripts/fuzz.py [COUNT] [SEED]

COUNT (500) mutations of small MP4, MKV, PNG and JPEG files, made by code and by a seeded generator: bytes flipped,
ranges zeroed, cut out or doubled, the end cut off. Every mutation is graded in a child process, as source and, for
pictures, also as reference; with and without --tolerate-corrupt in turn. A child that crashes, prints a traceback,
or does not end within a minute is a failure: its file is kept and named, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import queue
import tempfile
import traceback
from collections import Counter
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyvips

from streamct import Settings, StreamctError, transfer_picture, transfer_video

_SECONDS = 300
_BATCH = 25
QUICK = Settings().updated(
    palette__size=4, palette__proxy_size=32, time__radius=60, time__knot_spacing=60, mapping__transport_iterations=5,
    output__encoder_preset="ultrafast",
)  # fmt: skip


def make_video(path: Path) -> Path:
    """Twelve frames with sound."""
    width, height = 64, 48
    y, x = np.mgrid[0:height, 0:width]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, width=width, height=height, options={"g": "6"})
        stream.pix_fmt = "yuv420p"
        sound = container.add_stream("aac", rate=48000, layout="mono")
        for index in range(12):
            picture = np.stack([x * 4, y * 5, (x + y + 8 * index) % 256], axis=-1).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        for start in range(0, 20480, 1024):
            wave = np.sin(np.arange(start, start + 1024) / 20).astype(np.float32)[None] * 0.3
            samples = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave), "fltp", "mono")
            samples.sample_rate, samples.pts, samples.time_base = 48000, start, Fraction(1, 48000)
            container.mux(sound.encode(samples))
        container.mux(stream.encode(None))
        container.mux(sound.encode(None))
    return path


def make_picture(path: Path) -> Path:
    """A small gradient."""
    y, x = np.mgrid[0:40, 0:56]
    codes = np.stack([x * 4, y * 6, 255 - x * 2 - y], axis=-1).astype(np.uint8)
    pyvips.Image.new_from_array(codes).copy(interpretation="srgb").write_to_file(str(path))
    return path


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """One to three kinds of damage."""
    out = bytearray(data)
    for kind in rng.integers(0, 6, rng.integers(1, 4)):
        if len(out) < 16:
            break
        start = int(rng.integers(0, len(out) - 8))
        size = int(rng.integers(1, max(2, len(out) // 8)))
        if kind == 0:
            for place in rng.integers(0, len(out), rng.integers(1, 20)):
                out[place] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            out[start : start + size] = rng.bytes(len(out[start : start + size]))
        elif kind == 2:
            out[start : start + size] = bytes(len(out[start : start + size]))
        elif kind == 3:
            del out[start : start + size]
        elif kind == 4:
            out[start:start] = out[start : start + size]
        else:
            del out[int(len(out) * rng.uniform(0.3, 0.99)) :]
    return bytes(out)


def attempt(path: Path, good: Path, tolerate: bool) -> str:
    """Grade one file; what came of it."""
    target = path.with_name(f"out{path.suffix}")
    target.unlink(missing_ok=True)
    try:
        if path.suffix in (".mp4", ".mkv"):
            transfer_video(path, good, target, QUICK, tolerate_corrupt=tolerate)
        elif tolerate:
            transfer_picture(good, path, target, QUICK)
        else:
            transfer_picture(path, good, target, QUICK)
    except StreamctError as error:
        if target.exists():
            return "FAILED: refused, but an output was left"
        return "refused" if str(path) in str(error) else f"refused without naming the file: {error}"
    return "graded"


def _work(jobs: list[tuple[Path, Path, bool]], results: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    for job in jobs:
        try:
            outcome = attempt(*job)
        except BaseException as error:
            outcome = f"FAILED: {type(error).__name__}: {error}\n{traceback.format_exc()}"
        results.put(outcome)


def run_all(jobs: list[tuple[Path, Path, bool]]) -> list[str]:
    """Outcomes of all jobs, each batch in a process of its own; a crash or a hang costs only its job."""
    context = multiprocessing.get_context("spawn")
    outcomes: list[str] = []
    while len(outcomes) < len(jobs):
        batch = jobs[len(outcomes) : len(outcomes) + _BATCH]
        results = context.Queue()
        process = context.Process(target=_work, args=(batch, results))
        process.start()
        waited = 0
        while len(batch) > 0:
            try:
                outcomes.append(results.get(timeout=1))
                batch, waited = batch[1:], 0
                continue
            except queue.Empty:
                waited += 1
            if not process.is_alive():
                outcomes.append(f"FAILED: crashed, exit code {process.exitcode}")
                break
            if waited >= _SECONDS:
                process.kill()
                outcomes.append(f"FAILED: did not end within {_SECONDS} s")
                break
        process.join()
    return outcomes


def main() -> None:
    """Make, damage, grade, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", metavar="COUNT", type=int, nargs="?", default=500)
    parser.add_argument("seed", metavar="SEED", type=int, nargs="?", default=0)
    asked = parser.parse_args()
    count, seed = asked.count, asked.seed
    rng = np.random.default_rng(seed)
    folder = Path(tempfile.mkdtemp(prefix="streamct-fuzz-"))
    good = make_picture(folder / "good.png")
    originals = [make_video(folder / "a.mp4"), make_video(folder / "a.mkv"), good, make_picture(folder / "a.jpg")]
    jobs = []
    for number in range(count):
        original = originals[number % len(originals)]
        home = folder / str(number)
        home.mkdir()
        path = home / f"in{original.suffix}"
        path.write_bytes(mutate(original.read_bytes(), rng))
        jobs.append((path, good, bool(number // len(originals) % 2)))
    outcomes = run_all(jobs)
    counts: Counter[tuple[str, str]] = Counter()
    failed = 0
    for (path, _, _), outcome in zip(jobs, outcomes, strict=True):
        counts[path.suffix, outcome.split(":")[0]] += 1
        if outcome not in ("graded", "refused"):
            print(f"{path}: {outcome}")
            failed += outcome.startswith("FAILED")
    for (suffix, outcome), number in sorted(counts.items()):
        print(f"{suffix:5} {outcome:40} {number}")
    print(f"{count} mutations, seed {seed}: {failed} failures")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
