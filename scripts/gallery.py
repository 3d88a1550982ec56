"""Grade every clip of a folder with each reference, check what came out, and make contact sheets to look at.

    python scripts/gallery.py CLIPS REF [REF ...] --out FOLDER [--options "--preset film"]

Runs the command that a user would type, `streamct video CLIP REF -o OUT`, then reads source and output with
PyAV alone and prints, per run: decoded frames in and out, the largest difference of their times, whether every
audio packet is the same, the difference of the durations in frames, and the verdict. FOLDER/<reference>.png
shows, per clip, three frames before and after.
"""

from __future__ import annotations

import argparse
import hashlib
import shlex
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from streamct.media.image import read_picture, save_png

_CELL = (214, 120)
_MOMENTS = (0.1, 0.5, 0.9)


@dataclass
class Content:
    """What a file holds: exact times of its frames, three frames to look at, hashes of its audio packets."""

    times: list[Fraction]
    shown: list[np.ndarray]
    audio: list[str]
    duration: Fraction


def read(path: Path) -> Content:
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        times = [frame.pts * stream.time_base for frame in container.decode(stream)]
    wanted = {round(moment * (len(times) - 1)) for moment in _MOMENTS}
    shown = []
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        for index, frame in enumerate(container.decode(stream)):
            if index in wanted:
                shown.append(cell(frame))
    audio = []
    with av.open(str(path)) as container:
        for sound in container.streams.audio:
            digest = hashlib.sha256()
            for packet in container.demux(sound):
                digest.update(bytes(packet))
            audio.append(digest.hexdigest())
            container.seek(0)
    step = times[-1] - times[-2] if len(times) > 1 else Fraction(0)
    return Content(times, shown, audio, times[-1] - times[0] + step)


def cell(frame: av.VideoFrame) -> np.ndarray:
    """A frame as shown on a sheet: its own matrix, BT.709 for untagged frames of 720 lines and more, else BT.601."""
    matrix = int(frame.colorspace) if int(frame.colorspace) != 2 else (1 if frame.height >= 720 else 6)
    scale = min(_CELL[0] / frame.width, _CELL[1] / frame.height)
    size = max(2, int(frame.width * scale)), max(2, int(frame.height * scale))
    small = frame.reformat(*size, "rgb24", src_colorspace=matrix, dst_colorspace=matrix, interpolation="AREA")
    out = np.full((_CELL[1], _CELL[0], 3), 32, np.uint8)
    out[: size[1], : size[0]] = small.to_ndarray()
    return out


def row(before: Content, after: Content) -> np.ndarray:
    pairs = [np.concatenate(pair, axis=1) for pair in zip(before.shown, after.shown, strict=True)]
    while len(pairs) < len(_MOMENTS):
        pairs.append(np.full_like(pairs[0], 32))
    return np.concatenate([np.pad(p, ((2, 2), (2, 6), (0, 0))) for p in pairs], axis=1)


def banner(reference: Path, width: int) -> np.ndarray:
    rgb = read_picture(reference).rgb
    height = 150
    rows = np.linspace(0, rgb.shape[0] - 1, height).astype(int)
    columns = np.linspace(0, rgb.shape[1] - 1, max(1, rgb.shape[1] * height // rgb.shape[0])).astype(int)
    small = np.rint(np.clip(rgb[rows][:, columns], 0, 1) * 255).astype(np.uint8)[:, :width]
    return np.pad(small, ((4, 4), (0, width - small.shape[1]), (0, 0)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("references", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--options", default="", help="further options of `streamct video`")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    command = [str(Path(sys.executable).with_name("streamct")), "video"]
    print(f"{'clip':28}{'reference':22}{'in':>6}{'out':>6}{'time ms':>9}{'audio':>7}{'dur fr.':>9}  verdict")
    wrong = 0
    for reference in asked.references:
        rows = []
        for clip in sorted(f for f in asked.clips.iterdir() if f.is_file()):
            out = asked.out / f"{clip.stem}.{reference.stem}{'.mkv' if clip.suffix == '.avi' else clip.suffix}"
            options = ["-o", str(out), "-y", "-q", *shlex.split(asked.options)]
            run = subprocess.run([*command, str(clip), str(reference), *options], capture_output=True, text=True)
            if run.returncode:
                wrong += 1
                print(f"{clip.name:28}{reference.name:22}  exit {run.returncode}: {run.stderr.strip()}")
                continue
            before, after = read(clip), read(out)
            shift = [a - b for a, b in zip(after.times, before.times, strict=False)]
            off = max(abs(s) for s in shift)
            sound = before.audio == after.audio
            frame = before.duration / len(before.times)
            longer = float((after.duration - before.duration) / frame) if frame else 0.0
            exact = Fraction(1, 1000) if out.suffix == ".mkv" else Fraction(0)
            fine = len(before.times) == len(after.times) and off <= exact and sound and abs(longer) <= 1
            wrong += not fine
            audible = ("same" if sound else "DIFF") if before.audio else "-"
            print(
                f"{clip.name:28}{reference.name:22}{len(before.times):6}{len(after.times):6}{float(off) * 1000:9.3f}"
                f"{audible:>7}{longer:9.2f}  {'ok' if fine else 'WRONG'}",
                flush=True,
            )
            rows.append(row(before, after))
        if rows:
            sheet = np.concatenate([banner(reference, rows[0].shape[1]), *rows])
            save_png(asked.out / f"{reference.stem}.png", sheet)
            print(f"sheet: {asked.out / f'{reference.stem}.png'}")
    print(f"{wrong} wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
