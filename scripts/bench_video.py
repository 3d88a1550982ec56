"""Benchmarks of whole runs: `streamct video` beside ffmpeg, and how its time grows."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from bench_kernel import CLIP, REFERENCES, film_map, first_picture, write_cube
from bench_run import alternating, ffmpeg, measure, scaled_clip, scratch, show, streamct

_START = 30
"""Frames of the short clip whose time stands for the start: about as many as the first grade waits for."""
_HD = (1920, 1080)
_FLOOR = Path(__file__).with_name("bench_floor.py")
_SIZES = ((854, 480), (1280, 720), _HD, (3840, 2160))


def _ours(clip: Path, data: Path, folder: Path, name: str = "ours.mp4") -> list[str]:
    reference = str(data / "refs" / REFERENCES[0])
    return streamct("video", str(clip), reference, "-o", str(folder / name), "-y", "-q")


def _transcode(clip: Path, folder: Path, *filters: str) -> list[str]:
    """By ffmpeg, with the encoder settings that `streamct video` has by default."""
    encoder = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "16", "-g", "300", "-pix_fmt", "yuv420p")
    return ffmpeg(
        "-i", str(clip), *(("-vf", ",".join(filters)) if filters else ()), *encoder, str(folder / "theirs.mp4")
    )


def video(data: Path, rounds: int, frames: int, as_json: bool) -> None:
    """Frames/s of a 1080p clip: `streamct video`, ffmpeg with a fixed Lut, ffmpeg's plain transcode."""
    with scratch() as folder:
        clip = scaled_clip(data / "clips" / CLIP, folder / "clip.mp4", frames, 1920, 1080)
        short = scaled_clip(data / "clips" / CLIP, folder / "short.mp4", _START, 1920, 1080)
        cube = write_cube(film_map(data, first_picture(clip, folder)), folder / "map.cube")
        lut3d = (f"lut3d={cube}:interp=tetrahedral", "scale=out_color_matrix=bt709", "format=yuv420p")
        names = (
            "streamct video",
            "ffmpeg, lut3d of the same map",
            "ffmpeg, plain transcode",
            "ffmpeg, plain transcode of the graded clip",
            "PyAV, decoding and encoding alone",
        )
        commands = {}
        for path, suffix in ((clip, ""), (short, ", start")):
            graded = f"graded-{path.name}"
            measure(_ours(path, data, folder, graded))
            runs = (
                _ours(path, data, folder),
                _transcode(path, folder, *lut3d),
                _transcode(path, folder),
                _transcode(folder / graded, folder),
                [sys.executable, str(_FLOOR), str(path), str(folder / "theirs.mp4")],
            )
            commands |= {name + suffix: run for name, run in zip(names, runs, strict=True)}
        found = alternating(commands, rounds)
    rows: list[list[Any]] = []
    for name in names:
        run, start = found[name], found[f"{name}, start"]
        fps = (frames - _START) / (run.wall - start.wall)
        cpu = 1000 * (run.cpu - start.cpu) / (frames - _START)
        rows.append([name, frames / run.wall, start.wall, fps, run.cpu, cpu, run.peak])
    head = ["run", "frames/s", f"first {_START} s", "frames/s after", "CPU s", "CPU ms a frame after", "peak MB"]
    show(f"video, 1080p, {frames} frames", head, rows, as_json)
    ratios = [[n, rows[0][3] / row[3], row[5] / rows[0][5]] for n, row in zip(names[1:], rows[1:], strict=True)]
    show("streamct against", ["peer", "frames/s", "CPU"], ratios, as_json)


def scale(data: Path, rounds: int, frames: int, as_json: bool) -> None:
    """How time and memory grow with length, resolution and cores."""
    source = data / "clips" / CLIP

    def clip(count: int, size: tuple[int, int]) -> Path:
        return scaled_clip(source, folder / f"{count}-{size[1]}.mp4", count, *size)

    with scratch() as folder:
        lengths = [frames // 3, frames, 10 * frames // 3]
        clips = {str(n): clip(n, _HD) for n in lengths}
        found = alternating({name: _ours(path, data, folder) for name, path in clips.items()}, rounds)
        rows: list[list[Any]] = []
        for n in lengths:
            run = found[str(n)]
            rows.append([n, run.wall, n / run.wall, 1000 * run.cpu / n, run.peak])
        show("length, 1080p", ["frames", "wall s", "frames/s", "CPU ms a frame", "peak MB"], rows, as_json)

        count = max(frames // 6, 2 * _START)
        commands = {}
        for size in _SIZES:
            for n in (_START, count):
                path = clip(n, size)
                commands[f"{n} {size[1]}"] = _ours(path, data, folder)
                commands[f"{n} {size[1]} plain"] = _transcode(path, folder)
        found = alternating(commands, rounds)
        rows = []
        for width, height in _SIZES:
            each = 1e9 / ((count - _START) * width * height)
            row: list[Any] = [f"{width}x{height}"]
            for kind in ("", " plain"):
                run, start = found[f"{count} {height}{kind}"], found[f"{_START} {height}{kind}"]
                row += [each * (run.wall - start.wall), each * (run.cpu - start.cpu)]
            rows.append([*row, found[f"{count} {height}"].peak])
        head = ["size", "wall ns a pixel", "CPU ns a pixel", "ffmpeg plain: wall", "CPU", "peak MB"]
        show(f"resolution, {count} frames", head, rows, as_json)

        available = len(os.sched_getaffinity(0))
        rows = []
        for cores in (n for n in (1, 2, 4, 8, 16, 32, 64) if n <= available):
            run = alternating({"": _ours(clips[str(lengths[0])], data, folder)}, rounds, cores)[""]
            rows.append([cores, lengths[0] / run.wall, 1000 * run.cpu / lengths[0], run.peak])
        show(f"cores, 1080p, {lengths[0]} frames", ["cores", "frames/s", "CPU ms a frame", "peak MB"], rows, as_json)
