"""Print how steady the grade is: every temporal mode on real clips, at proxies of 256 pixels.

    python scripts/flicker.py DATA [--frames N] [--clips NAME ...] [--refs NAME ...]

DATA holds clips/ and refs/ (see CONTRIBUTING.md). `off` runs the preset paper frame by frame, the other modes the
preset film. Figures are printed, nothing is asserted. Needs the extra `evaluate`.

drift: the same frame through its own grade and its predecessor's, over the size of the edit. warp/edit: edit-warp over
the size of the edit. jump: largest step of the frame mean of the edit. noise: static noise gain on tripod shots.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import get_args

import numpy as np

from streamct.color.lut import LutGrid
from streamct.color.proxy import box_means, planes_proxy_rgb, proxy_size
from streamct.grade.bake import Baker
from streamct.grade.regions import Palettes
from streamct.grade.sample import FrameSample, Sampler
from streamct.grade.shots import Replay, ShotFinder
from streamct.grade.track import Grade, Grader
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.metrics import Flicker, FlickerMeter, Motion, motion_between
from streamct.model import Clip, FloatArray, Frame, PixelFormat
from streamct.pipeline import reference_palettes
from streamct.render import Renderer
from streamct.segment import Mask
from streamct.settings import Settings, TimeSettings, load

REFERENCES = ("jr-autumn.jpg", "jr-ocean_sunset.jpg", "jr-storm.jpg")
MODES: tuple[str, ...] = get_args(TimeSettings.model_fields["mode"].annotation)
_LAYOUTS = {False: PixelFormat("yuv444p", 8, 0, 0), True: PixelFormat("gbrp", 8, 0, 0, rgb=True)}


def settings_of(mode: str) -> Settings:
    """film in this mode; frame by frame only the paper's preset is of interest."""
    return load("paper") if mode == "off" else load("film").updated(time__mode=mode)


def proxies(clip: Clip, most: int | None) -> list[Frame]:
    """The clip's frames at 256 pixels, 8 bits, full chroma."""
    width, height = proxy_size(clip.width, clip.height, 256)
    scale = 1 << (clip.format.depth - 8)
    frames = []
    reader = Reader(clip, threads=1)
    with reader:
        for frame in reader:
            means = (box_means(plane, width, height) / scale for plane in frame.planes[:3])
            planes = tuple(np.rint(np.clip(plane, 0, 255)).astype(np.uint8) for plane in means)
            frames.append(Frame(planes, _LAYOUTS[clip.format.rgb], frame.index, frame.pts, frame.time_base))
            if len(frames) == most:
                break
    return frames


class Movement:
    """Optical flow of a clip, found once for all the grades that are measured on it."""

    def __init__(self) -> None:
        self._known: dict[int, Motion] = {}

    def __call__(self, before: FloatArray, after: FloatArray) -> Motion:
        if id(after) not in self._known:
            self._known[id(after)] = motion_between(before, after)
        return self._known[id(after)]


def grades(
    clip: Clip, frames: list[Frame], palettes: Palettes, settings: Settings, masks: list[Mask] | None = None
) -> Iterator[Grade]:
    """The grade of every frame, as a run over the whole clip makes it. masks: of the frames, at their size."""
    ticks = Fraction(settings.time.knot_spacing) / (clip.rate * clip.time_base) if clip.rate else None
    sampler = Sampler(frames[0].format, clip.coding, settings.palette)
    grid = LutGrid(clip.coding, 8)

    def sample(frame: Frame) -> FrameSample:
        return sampler.count(sampler.look(frame), None if masks is None else masks[frame.index])

    if settings.time.mode == "shot":
        baker = Baker(palettes, grid, settings)
        finder = ShotFinder(baker)
        for frame in frames:
            finder.push(sample(frame))
        replay = Replay(finder.finish(), baker)
        for frame in frames:
            yield from replay.push(frame)
        return
    grader = Grader(palettes, grid, settings, ticks)
    for frame in frames:
        yield from grader.push(sample(frame))
    yield from grader.finish()


def measure(
    clip: Clip, frames: list[Frame], colours: list[FloatArray], movement: Movement, reference: Path, mode: str
) -> Flicker:
    renderer = Renderer(frames[0].format)
    meter = FlickerMeter(movement)

    def graded(frame: Frame, grade: Grade) -> FloatArray:
        planes = tuple(np.empty_like(plane) for plane in frame.planes)
        out = Frame(planes, frame.format, frame.index, frame.pts, frame.time_base)
        renderer.render(frame, out, grade, None)
        return planes_proxy_rgb(planes, frame.format, clip.coding, planes[0].shape[1], planes[0].shape[0])

    last: Grade | None = None
    settings = settings_of(mode)
    found = grades(clip, frames, reference_palettes(reference, settings), settings)
    for frame, source, grade in zip(frames, colours, found, strict=True):
        meter.push(source, graded(frame, grade), None if last is None else graded(frame, last))
        last = grade
    return meter.finish()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--frames", type=int, help="at most so many of each clip's first frames")
    parser.add_argument("--clips", nargs="+", help="names in clips/; all by default")
    parser.add_argument("--refs", nargs="+", default=REFERENCES, help="names in refs/")
    options = parser.parse_args()
    names = options.clips or sorted(path.name for path in (options.data / "clips").iterdir())
    print(
        f"{'clip':24}{'reference':22}{'mode':8}{'edit':>8}{'drift':>9}{'warp':>9}{'warp/edit':>11}{'jump':>9}{'at':>6}"
        f"{'noise':>8}{'pairs':>7}  cuts"
    )
    worst: dict[str, list[Flicker]] = {mode: [] for mode in MODES}
    for name in names:
        clip = probe(options.data / "clips" / name)
        frames = proxies(clip, options.frames)
        height, width = frames[0].planes[0].shape
        colours = [planes_proxy_rgb(frame.planes, frame.format, clip.coding, width, height) for frame in frames]
        movement = Movement()
        for reference in options.refs:
            for mode in MODES:
                found = measure(clip, frames, colours, movement, options.data / "refs" / reference, mode)
                worst[mode].append(found)
                gain = "-" if found.noise_gain is None else f"{found.noise_gain:.3f}"
                jump = "-" if found.max_jump_frame is None else str(found.max_jump_frame)
                print(
                    f"{name:24}{reference:22}{mode:8}{found.edit:8.4f}{found.drift_share or 0:9.4f}"
                    f"{found.edit_warp:9.4f}{found.edit_warp_share:11.4f}{found.max_jump:9.4f}{jump:>6}{gain:>8}"
                    f"{found.pairs:7}  {' '.join(map(str, found.cuts))}",
                    flush=True,
                )
    for mode, found in worst.items():
        gains = [f.noise_gain for f in found if f.noise_gain is not None]
        print(
            f"{mode}: drift mean {np.mean([f.drift_share or 0 for f in found]):.4f}, worst "
            f"{max(f.drift_share or 0 for f in found):.4f}; warp/edit mean "
            f"{np.mean([f.edit_warp_share for f in found]):.4f}, worst {max(f.edit_warp_share for f in found):.4f}; "
            f"jump worst {max(f.max_jump for f in found):.4f}; "
            f"noise worst {max(gains, default=float('nan')):.3f}"
        )
    if "shot" in MODES:
        steady, window = worst["shot"], worst["window"]
        over = max(w.edit_warp_share - s.edit_warp_share for w, s in zip(window, steady, strict=True))
        jump = max(w.max_jump - s.max_jump for w, s in zip(window, steady, strict=True))
        print(f"window over shot, worst: warp/edit {over:+.4f}, jump {jump:+.4f}")


if __name__ == "__main__":
    main()
