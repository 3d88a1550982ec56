"""Measure streamct on this machine. Figures are printed with the peer that ran beside it; nothing is asserted.

    python scripts/bench.py kernel DATA       CPU time of the render kernel, beside ffmpeg's lut3d
    python scripts/bench.py analysis DATA     CPU time of the analysis, and of color-matcher where it is installed
    python scripts/bench.py video DATA        `streamct video`, a plain transcode and one with lut3d
    python scripts/bench.py timeline DATA     stages inside a run; --picture FILE.svg draws a part of it
    python scripts/bench.py scale DATA        clip length, resolution, cores
    python scripts/bench.py engines DATA      one clip in one piece, in spans, and on Ray with a worker for each core
    python scripts/bench.py startup DATA      help, the second still of 1080p, a video's first frame
    python scripts/bench.py stills DATA       one picture more, beside the minute of the paper's authors
    python scripts/bench.py preview DATA      sheets of six clips towards two references
    python scripts/bench.py memory DATA       peak memory of 1080p, one length and five
    python scripts/bench.py folder DATA       20 short clips as a batch, beside the same one by one
    python scripts/bench.py folder-memory DATA  memory over a batch of 50 clips
    python scripts/bench.py segment           frames/s of the segmentation networks beside their floor (--help)

DATA holds clips/ and refs/ (see CONTRIBUTING.md). --rounds N: rounds that the median is taken of, in each of which
all that is compared runs once. --frames N: length of the clips: 900 of `video`, `timeline`, `scale` and `engines`, 48
of the folders. --engine: local or ray, for the folders. --json: a line of JSON for each row. ffmpeg is the system's
(Debian: apt-get install ffmpeg). --color-matcher PYTHON: an interpreter that has color-matcher, which is under the GPL
and so lives in an environment of its own.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from statistics import median

from bench_batch import folder, folder_memory
from bench_engines import engines
from bench_kernel import analysis, kernel
from bench_run import Run, ffmpeg, first_frame, machine, measure, medians, scaled_clip, scratch, show, streamct
from bench_timeline import timeline
from bench_video import scale, video

from streamct.media.image import read_picture, save_png


def startup(data: Path, rounds: int, as_json: bool) -> None:
    """How long a user waits for help and for a still, everything compiled before."""
    with scratch() as folder:
        picture = _still(data, folder / "still.png", (1920, 1080))
        reference = str(data / "refs" / "jr-autumn.jpg")
        still = streamct("image", str(picture), reference, "-o", str(folder / "out.png"), "-y", "-q")
        jpeg = streamct("image", str(picture), reference, "-o", str(folder / "out.jpg"), "-y", "-q")
        commands = {
            "streamct --help": streamct("--help"),
            "streamct image, 1080p PNG to PNG": still,
            "streamct image, 1080p PNG to JPEG": jpeg,
        }
        measure(still)
        rows = []
        for name, command in commands.items():
            run = medians([measure(command) for _ in range(rounds)])
            rows.append([name, run.wall, run.cpu, run.peak])
        clip = scaled_clip(data / "clips" / "sam2-01_dog.mp4", folder / "clip.mp4", 90, 1920, 1080)
        video = streamct("video", str(clip), reference, "-o", str(folder / "graded.mp4"), "-y")
        first = median(first_frame(video) for _ in range(rounds))
        rows.append(["streamct video, 1080p, until the first frame is encoded", first, "", ""])
    show("start-up, compile cache warm", ["command", "wall s", "CPU s", "peak MB"], rows, as_json)


_PAPER_SECONDS = 60.0
"""For a picture of 300 x 300 pixels Lv & Zhang need one to three minutes."""
_MORE = 20


def stills(data: Path, rounds: int, as_json: bool) -> None:
    """What one more picture costs after start-up: a folder of 21 against a folder of one."""
    reference = str(data / "refs" / "jr-autumn.jpg")
    rows = []
    with scratch() as folder:
        for size in ((300, 300), (1920, 1080)):
            one, many = (folder / f"{size[0]}-{n}" for n in (1, 1 + _MORE))
            for target, count in ((one, 1), (many, 1 + _MORE)):
                target.mkdir()
                for n in range(count):
                    _still(data, target / f"{n:02}.png", size)
            for preset in ("film", "paper"):
                end = (reference, "--preset", preset, "-o", str(folder / "out"), "-y", "-q")
                measure(streamct("image", str(one), *end))
                each = median(
                    (measure(streamct("image", str(many), *end)).wall - measure(streamct("image", str(one), *end)).wall)
                    / _MORE
                    for _ in range(rounds)
                )
                factor: object = _PAPER_SECONDS / each if size == (300, 300) else ""
                rows.append([f"{size[0]}x{size[1]}", preset, 1000 * each, factor])
    show("stills, PNG to PNG", ["size", "preset", "ms each", "times less than a minute"], rows, as_json)


def _still(data: Path, path: Path, size: tuple[int, int]) -> Path:
    import numpy as np

    rgb = read_picture(data / "refs" / "jr-fallingwater.jpg").rgb
    rows = np.linspace(0, rgb.shape[0] - 1, size[1]).astype(int)
    columns = np.linspace(0, rgb.shape[1] - 1, size[0]).astype(int)
    save_png(path, np.rint(np.clip(rgb[rows][:, columns], 0, 1) * 255).astype(np.uint8))
    return path


def memory(data: Path, rounds: int, as_json: bool) -> None:
    """Peak resident memory of `streamct video` at 1080p, no segmentation."""
    with scratch() as folder:
        rows = []
        for frames in (200, 1000):
            clip = scaled_clip(data / "clips" / "sam2-01_dog.mp4", folder / f"{frames}.mp4", frames, 1920, 1080)
            run = _graded(clip, data, folder)
            rows.append([frames, run.peak, frames / run.wall])
        rows.append(["ratio", rows[1][1] / rows[0][1], rows[1][2] / rows[0][2]])
    show("memory, 1080p", ["frames", "peak MB", "frames/s"], rows, as_json)


_SHOWN = ("mdn-flower", "davis-dance-twirl", "cosmos-30s", "ax-portrait_4k60", "intel-car-detection", "sam2-bedroom")


def preview(data: Path, rounds: int, as_json: bool) -> None:
    """What a sheet costs beyond start-up, which is measured beside it: everything imported, nothing shown."""
    start = [sys.executable, "-c", "import streamct.cli.app, streamct.sheets"]
    with scratch() as folder:
        sheet = str(folder / "sheet.png")
        rows = []
        for name in _SHOWN:
            for reference in ("jr-ocean_sunset.jpg", "jr-storm.jpg"):
                clip, wanted = str(data / "clips" / f"{name}.mp4"), str(data / "refs" / reference)
                command = streamct("preview", clip, wanted, "-o", sheet, "-y", "-q")
                if not rows:
                    measure(command)
                runs, starts = [], []
                for _ in range(rounds):
                    starts.append(measure(start))
                    runs.append(measure(command))
                run, before = medians(runs), medians(starts)
                rows.append([name, reference, run.wall - before.wall, run.cpu - before.cpu, run.peak])
    show("preview, a sheet of 4 frames", ["clip", "reference", "wall s", "CPU s", "peak MB"], rows, as_json)


def _graded(clip: Path, data: Path, folder: Path) -> Run:
    reference = str(data / "refs" / "jr-autumn.jpg")
    return measure(streamct("video", str(clip), reference, "-o", str(folder / "graded.mp4"), "-y", "-q"))


_BENCHES = {"kernel": kernel, "startup": startup, "stills": stills, "preview": preview, "memory": memory}
_WITH_FRAMES = {"video": video, "scale": scale, "engines": engines}
_FOLDERS = {"folder": folder, "folder-memory": folder_memory}


_NEED_FFMPEG = ("kernel", "video", "scale")
_LEAST_FRAMES = {"video": 60, "scale": 360, "timeline": 60, "engines": 60}
"""Fewer end before a run is under way."""


def _check(parser: argparse.ArgumentParser, asked: argparse.Namespace) -> None:
    """Say what is wrong before anything is made."""
    for name in ("clips", "refs"):
        if not (asked.data / name).is_dir():
            parser.error(f"{asked.data}: has no folder {name}/ (see CONTRIBUTING.md)")
    if asked.rounds < 1:
        parser.error(f"--rounds {asked.rounds}: at least one is needed")
    least = _LEAST_FRAMES.get(asked.bench, 1)
    if asked.frames is not None and asked.frames < least:
        parser.error(f"--frames {asked.frames}: {asked.bench} needs at least {least}")
    for path, option in (
        (asked.color_matcher, "--color-matcher"),
        (asked.picture and asked.picture.parent, "--picture"),
    ):
        if path is not None and not path.exists():
            parser.error(f"{option}: there is no {path}")
    if asked.bench in _NEED_FFMPEG:
        ffmpeg()


def main() -> None:
    """Run the benchmark that was asked for."""
    if sys.argv[1:2] == ["segment"]:
        import bench_segment  # with options of its own

        bench_segment.main()
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", choices=["analysis", "timeline", *_BENCHES, *_WITH_FRAMES, *_FOLDERS])
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int)
    parser.add_argument("--engine", choices=["local", "ray"], default="local")
    parser.add_argument("--color-matcher", type=Path, metavar="PYTHON")
    parser.add_argument("--picture", type=Path, metavar="SVG")
    parser.add_argument("--json", action="store_true", dest="as_json")
    asked = parser.parse_args()
    _check(parser, asked)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the clips made here are removed
    if not asked.as_json:
        print(machine())
    if asked.bench == "analysis":
        analysis(asked.data, asked.rounds, asked.as_json, asked.color_matcher)
    elif asked.bench == "timeline":
        timeline(asked.data, asked.frames or 900, asked.as_json, asked.picture)
    elif asked.bench in _WITH_FRAMES:
        _WITH_FRAMES[asked.bench](asked.data, asked.rounds, asked.frames or 900, asked.as_json)
    elif asked.bench in _FOLDERS:
        _FOLDERS[asked.bench](asked.data, asked.rounds, asked.frames or 48, asked.as_json, asked.engine)
    else:
        _BENCHES[asked.bench](asked.data, asked.rounds, asked.as_json)


if __name__ == "__main__":
    main()
