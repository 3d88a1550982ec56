"""Benchmarks inside one process, in CPU time of one thread: the render kernel and the analysis."""

from __future__ import annotations

import subprocess
import time
from fractions import Fraction
from pathlib import Path
from statistics import median

import numpy as np
from bench_run import ffmpeg, measure, scaled_clip, scratch, show
from numpy.typing import NDArray

from streamct.color.apply import PlaneGrader
from streamct.color.colormap import ColorMap, apply_to_srgb, color_map
from streamct.color.correspondence import correspond
from streamct.color.lut import Lut, LutGrid
from streamct.grade.sample import Sampler
from streamct.grade.track import Grader
from streamct.media.image import read_picture
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.model import Clip, Frame
from streamct.pipeline import picture_palette, reference_palettes
from streamct.settings import Settings

CLIP, REFERENCES = "sam2-01_dog.mp4", ("jr-autumn.jpg", "jr-fallingwater.jpg")
_FRAMES = 60
_CUBE = 33


def film_map(data: Path, picture: Path, reference: int = 0) -> ColorMap:
    """The default map from a picture to a reference."""
    mapping = Settings().mapping
    palettes = picture_palette(picture), reference_palettes(data / "refs" / REFERENCES[reference], Settings()).whole
    return color_map(correspond(*palettes, mapping), mapping)


def write_cube(mapping: ColorMap, path: Path) -> Path:
    """The map as a .cube file of 33 nodes a side, for ffmpeg."""
    axis = np.linspace(0, 1, _CUBE, dtype=np.float32)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    mapped = apply_to_srgb(mapping, np.stack([red, green, blue], axis=-1).reshape(1, -1, 3))[0]
    lines = [f"LUT_3D_SIZE {_CUBE}", *(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in np.clip(mapped, 0, 1))]
    path.write_text("\n".join(lines) + "\n")
    return path


def first_picture(clip: Path, folder: Path) -> Path:
    """The clip's first frame as a picture."""
    measure(ffmpeg("-i", str(clip), "-frames:v", "1", str(folder / "first.png")))
    return folder / "first.png"


def soft_blob(height: int, width: int) -> NDArray[np.uint8]:
    """A mask as a segmenter gives it: an ellipse of a sixth of the picture with an edge some 20 samples wide."""
    y, x = np.mgrid[0:height, 0:width]
    away = np.hypot((y - 0.5 * height) / (0.45 * height), (x - 0.45 * width) / (0.22 * width))
    return np.clip(127 + (1 - away) * 4000, 0, 255).astype(np.uint8)


def _decoded(clip: Clip, count: int) -> list[Frame]:
    frames = []
    with Reader(clip) as reader:
        for frame in reader:
            frames.append(frame)
            if len(frames) == count:
                break
    return frames


def _graded_ms(
    grader: PlaneGrader, frames: list[Frame], luts: tuple[Lut, ...], mask: NDArray[np.uint8] | None
) -> float:
    target = tuple(np.empty_like(plane) for plane in frames[0].planes)
    times = []
    for frame in frames:
        began = time.thread_time()
        grader.apply(frame.planes, target, luts, mask)
        times.append(time.thread_time() - began)
    return 1000 * median(times)


def kernel(data: Path, rounds: int, as_json: bool) -> None:
    """CPU milliseconds a 1080p frame: our kernel, and what lut3d adds to decoding, conversions included."""
    rows = []
    with scratch() as folder:
        for depth in (8, 10):
            path = scaled_clip(data / "clips" / CLIP, folder / f"{depth}.mp4", _FRAMES, 1920, 1080, deep=depth > 8)
            picture = first_picture(path, folder)
            maps = [film_map(data, picture, i) for i in (0, 1)]
            cube = write_cube(maps[0], folder / "map.cube")
            clip = probe(path)
            grid, frames = LutGrid(clip.coding, clip.format.depth), _decoded(clip, 12)
            luts = grid.bake(maps[0]), grid.bake(maps[1])
            random = np.random.default_rng(0).integers(0, 256, frames[0].planes[0].shape).astype(np.uint8)
            cases = {
                "one region": (luts[:1], None),
                "two regions, soft blob": (luts, soft_blob(clip.height, clip.width)),
                "two regions, random mask": (luts, random),
            }
            grader = PlaneGrader(clip.format)
            for given in cases.values():
                _graded_ms(grader, frames[:1], *given)
            ours: dict[str, list[float]] = {name: [] for name in cases}
            theirs = []
            decode = ffmpeg("-threads", "1", "-filter_threads", "1", "-i", str(path))
            lut3d = f"lut3d={cube}:interp=tetrahedral,scale=out_color_matrix=bt709,format={clip.format.name}"
            for _ in range(rounds):
                for name, given in cases.items():
                    ours[name].append(_graded_ms(grader, frames, *given))
                with_lut = measure([*decode, "-vf", lut3d, "-f", "null", "-"]).cpu
                theirs.append(1000 * (with_lut - measure([*decode, "-f", "null", "-"]).cpu) / _FRAMES)
            peer = median(theirs)
            rows += [[depth, name, median(found), peer, peer / median(found)] for name, found in ours.items()]
    show("kernel, CPU ms a 1080p frame", ["bits", "case", "streamct", "ffmpeg lut3d", "ratio"], rows, as_json)


def analysis(data: Path, rounds: int, as_json: bool, color_matcher: Path | None = None) -> None:
    """CPU milliseconds a 1080p frame of sampling and grading, and of color-matcher's whole transfer."""
    rows: list[list[object]] = []
    settings = Settings()
    with scratch() as folder:
        reference = reference_palettes(data / "refs" / REFERENCES[0], settings)
        for depth in (8, 10):
            path = scaled_clip(data / "clips" / CLIP, folder / f"{depth}.mp4", _FRAMES, 1920, 1080, deep=depth > 8)
            clip = probe(path)
            frames = _decoded(clip, _FRAMES)
            grid = LutGrid(clip.coding, clip.format.depth)
            found = [_analysed_ms(clip, frames, Grader, reference, grid, settings) for _ in range(rounds + 1)][1:]
            sampled, graded = (median(column) for column in zip(*found, strict=True))
            rows.append([depth, "streamct", sampled, graded, sampled + graded])
        if color_matcher is not None:
            picture = first_picture(folder / "8.mp4", folder)
            reference_picture = data / "refs" / REFERENCES[0]
            whole = median(_color_matcher_ms(color_matcher, picture, reference_picture, folder) for _ in range(rounds))
            rows.append([8, "color-matcher, mkl, its rendering included", "", "", whole])
    show("analysis, CPU ms a 1080p frame", ["bits", "what", "sample", "grade", "both"], rows, as_json)


def _analysed_ms(clip, frames, grader, reference, grid, settings):  # type: ignore[no-untyped-def]
    sampler = Sampler(clip.format, clip.coding, settings.palette, columns=True)
    ticks = Fraction(settings.time.knot_spacing) / (clip.rate * clip.time_base)
    track = grader(reference, grid, settings, ticks)
    sampled = graded = 0.0
    for frame in frames:
        began = time.thread_time()
        sample = sampler.sample(frame)
        between = time.thread_time()
        list(track.push(sample))
        sampled, graded = sampled + between - began, graded + time.thread_time() - between
    began = time.thread_time()
    list(track.finish())
    graded += time.thread_time() - began
    return 1000 * sampled / len(frames), 1000 * graded / len(frames)


_COLOR_MATCHER = """
import sys, time
import numpy as np
from color_matcher import ColorMatcher
source, reference = np.load(sys.argv[1]), np.load(sys.argv[2])
times = []
for _ in range(4):
    began = time.process_time()
    ColorMatcher().transfer(src=source, ref=reference, method="mkl")
    times.append(time.process_time() - began)
print(1000 * min(times))
"""


def _color_matcher_ms(python: Path, picture: Path, reference: Path, folder: Path) -> float:
    """CPU time of one transfer at full size, by an interpreter that has the package (GPL: nothing of it here)."""
    for name, path in (("source", picture), ("reference", reference)):
        np.save(folder / f"{name}.npy", np.rint(np.clip(read_picture(path).rgb, 0, 1) * 255).astype(np.uint8))
    said = subprocess.run(
        [str(python), "-c", _COLOR_MATCHER, str(folder / "source.npy"), str(folder / "reference.npy")],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return float(said.stdout)
