"""Print how steady the grade is: every temporal mode on real clips, and whether its targets are met.

    python scripts/flicker.py DATA [--full] [--frames N] [--flow N] [--clips NAME ...] [--refs NAME ...] [--doc FILE]

DATA holds clips/ and refs/ (see CONTRIBUTING.md). `off` runs the preset paper frame by frame, the other modes the
preset film. Without --full each clip is scaled to 256 pixels, 8 bits, full chroma, and this is graded and measured:
all of it, or of more than 400 frames so many, in passages of 8 spread over it. With --full frames are sampled, graded
and rendered as in a run, at their own size and in their own pixel format, and 48 are measured. Either way a frame's
grade is that of a run over the whole clip. --doc puts the last table between its marks in a Markdown file. Needs the
extra `evaluate`.

drift: the same frame through its own grade and its predecessor's, over the size of the edit. warp/edit: edit-warp over
the size of the edit, of --flow pairs of frames of each clip at 256 pixels (0: no optical flow). jump: largest step of
the frame mean of the edit. noise: static noise gain on tripod shots. Pairs across cuts and passages are left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import get_args

import numpy as np

from streamct.color.lut import LutGrid
from streamct.color.proxy import box_means, planes_proxy_rgb, proxy_size
from streamct.grade.bake import Baker
from streamct.grade.cuts import Cuts
from streamct.grade.regions import Palettes
from streamct.grade.sample import FrameSample, Sampler
from streamct.grade.shots import Replay, ShotFinder
from streamct.grade.track import Grade, Grader
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.metrics import FlickerMeter, Motion, motion_between
from streamct.metrics.motion import NoiseMeter
from streamct.model import Clip, FloatArray, Frame, PixelFormat
from streamct.pipeline import reference_palettes
from streamct.render import Renderer
from streamct.settings import Settings, TimeSettings, load

REFERENCES = ("jr-autumn.jpg", "jr-ocean_sunset.jpg", "jr-storm.jpg")
MODES: tuple[str, ...] = get_args(TimeSettings.model_fields["mode"].annotation)
TRIPOD = "intel-car-detection.mp4"
EDGE = 256
PASSAGE, FRAMES, FULL_FRAMES, FLOW_PAIRS = 8, 400, 48, 60
_LAYOUTS = {False: PixelFormat("yuv444p", 8, 0, 0), True: PixelFormat("gbrp", 8, 0, 0, rgb=True)}


def settings_of(mode: str) -> Settings:
    """film in this mode; frame by frame only the paper's preset is of interest."""
    return load("paper") if mode == "off" else load("film").updated(time__mode=mode)


@dataclass(frozen=True)
class Footage:
    """A clip, looked at once for all grades.

    clip: its format is that of the frames. frames: those that are measured, by their numbers, in order. begins:
    numbers of those that do not follow the one before. samples: of all frames of the clip, for the preset film; their
    `columns` are those that the next frame needs too, for the drift. cuts: numbers of frames that begin a shot.
    """

    clip: Clip
    frames: dict[int, Frame]
    begins: frozenset[int]
    samples: list[FrameSample]
    cuts: tuple[int, ...]

    @property
    def small(self) -> tuple[int, int]:
        return proxy_size(self.clip.width, self.clip.height, EDGE)

    def rgb(self, frame: Frame, size: tuple[int, int] | None = None) -> FloatArray:
        """R'G'B' of a frame of this format at some size, 256 pixels unless said otherwise."""
        return planes_proxy_rgb(frame.planes, self.clip.format, self.clip.coding, *(size or self.small))


def footage(clip: Clip, full: bool = False, most: int | None = None) -> Footage:
    """Decode a clip once. full: keep its own size and format. most: measure so many frames of it; None: all."""
    wanted = passages(clip.frames or sum(1 for _ in frames_of(clip)), most)
    scaled = clip if full else proxy_clip(clip)
    sampler = Sampler(scaled.format, scaled.coding, settings_of("window").palette, columns=True)
    frames: dict[int, Frame] = {}
    samples: list[FrameSample] = []
    for decoded in frames_of(clip):
        frame = decoded if full else proxy(decoded, clip, scaled)
        samples.append(sampler.sample(frame))
        if frame.index in wanted:
            frames[frame.index] = frame
    verdicts, seen = Cuts(), dict(enumerate(samples))
    cuts = tuple(i for i in range(1, len(samples)) if verdicts.at(i, seen))
    for i in range(len(samples) - 1):
        here, following = samples[i].columns, samples[i + 1].columns
        assert here is not None
        assert following is not None
        samples[i] = replace(samples[i], columns=here | following)
    begins = frozenset(i for i in frames if i - 1 not in frames or i in cuts)
    return Footage(scaled, frames, begins, samples, cuts)


def passages(total: int, most: int | None) -> set[int]:
    """Numbers of the frames that are measured: all, or passages of 8 evenly spread."""
    if most is None or total <= most:
        return set(range(total))
    count = max(most // PASSAGE, 1)
    starts = (i * (total - PASSAGE) // max(count - 1, 1) for i in range(count))
    return {start + i for start in starts for i in range(PASSAGE)}


def frames_of(clip: Clip) -> Iterator[Frame]:
    with Reader(clip, threads=1) as reader:
        yield from reader


def proxy_clip(clip: Clip) -> Clip:
    width, height = proxy_size(clip.width, clip.height, EDGE)
    return replace(clip, width=width, height=height, format=_LAYOUTS[clip.format.rgb], fields=None)


def proxy(frame: Frame, clip: Clip, scaled: Clip) -> Frame:
    """A frame at 256 pixels, 8 bits, full chroma."""
    scale = 1 << (clip.format.depth - 8)
    means = (box_means(plane, scaled.width, scaled.height) / scale for plane in frame.planes[:3])
    planes = tuple(np.rint(np.clip(plane, 0, 255)).astype(np.uint8) for plane in means)
    return Frame(planes, scaled.format, frame.index, frame.pts, frame.time_base)


class Movement:
    """Optical flow of a clip, found once for all the grades that are measured on it in the same order."""

    def __init__(self) -> None:
        self._known: list[Motion] = []
        self._next = 0

    def __call__(self, before: FloatArray, after: FloatArray) -> Motion:
        if self._next == len(self._known):
            self._known.append(motion_between(before, after))
        self._next += 1
        return self._known[self._next - 1]

    def again(self) -> Movement:
        """From the first pair on."""
        self._next = 0
        return self


def grades(shown: Footage, reference: Path, settings: Settings) -> Iterator[Grade]:
    """The grades of the frames that are measured, as a run over the whole clip makes them."""
    clip = shown.clip
    samples: Iterable[FrameSample] = shown.samples
    if settings.time.mode == "off":
        sampler = Sampler(clip.format, clip.coding, settings.palette)
        samples = (
            replace(sampler.sample(frame), columns=shown.samples[number].columns)
            for number, frame in shown.frames.items()
        )
    yield from grades_of(clip, samples, reference_palettes(reference, settings), settings, shown.frames)


def grades_of(
    clip: Clip, samples: Iterable[FrameSample], palettes: Palettes, settings: Settings, only: Container[int]
) -> Iterator[Grade]:
    """The grades of the frames `only`, from the samples of all, which `shot` goes through twice."""
    ticks = Fraction(settings.time.knot_spacing) / (clip.rate * clip.time_base) if clip.rate else None
    grid = LutGrid(clip.coding, clip.format.depth)
    if settings.time.mode == "shot":
        held = list(samples)
        baker = Baker(palettes, grid, settings)
        finder = ShotFinder(baker)
        for sample in held:
            finder.push(sample)
        replay = Replay(finder.finish(), baker, only=only)
        for sample in held:
            yield from replay.push(sample)
        return
    grader = Grader(palettes, grid, settings, ticks, only=only)
    for sample in samples:
        yield from grader.push(sample)
    yield from grader.finish()


@dataclass(frozen=True)
class Row:
    """What was found of one clip, reference and mode; drift and warp over the size of the edit."""

    clip: str
    reference: str
    mode: str
    edit: float
    drift: float
    warp: float | None
    jump: float
    at: int | None
    noise: float | None
    pairs: int

    def line(self) -> str:
        warp, noise = ("-" if value is None else f"{value:.4f}" for value in (self.warp, self.noise))
        return (
            f"{self.clip:24}{self.reference:22}{self.mode:8}{self.edit:8.4f}{self.drift:9.4f}{warp:>10}{self.jump:9.4f}"
            f"{self.at if self.at is not None else '-':>6}{noise:>9}{self.pairs:7}"
        )


HEAD = (
    f"{'clip':24}{'reference':22}{'mode':8}{'edit':>8}{'drift':>9}{'warp/edit':>10}{'jump':>9}{'at':>6}{'noise':>9}"
    f"{'pairs':>7}"
)


class Whole:
    """Edit, drift, jump and noise of every pixel of full-size frames, of which none is kept."""

    def __init__(self) -> None:
        self.edits: list[float] = []
        self.drifts: list[float] = []
        self.jumps: dict[int, float] = {}
        self.noise = NoiseMeter()
        self._last = np.zeros(3)

    def push(self, number: int, source: FloatArray, result: FloatArray, replayed: FloatArray | None) -> None:
        """replayed: None where the frame does not follow the last one."""
        off = result - source
        mean = off.mean(axis=(0, 1))
        self.edits.append(float(np.abs(off).mean()))
        if replayed is None:
            self.noise.cut()
        else:
            self.drifts.append(float(np.abs(result - replayed).mean()))
            self.jumps[number] = float(np.abs(mean - self._last).max())
        self.noise.push(source, result)
        self._last = mean


def measure(shown: Footage, movement: Movement, flow: int, reference: Path, mode: str, full: bool = False) -> Row:
    """Grade a clip and measure it. flow: about so many pairs are compared along the optical flow."""
    clip = shown.clip
    renderer = Renderer(clip.format, interlaced=clip.fields is not None)
    pairs = len(shown.frames) - len(shown.begins)
    meter = FlickerMeter(movement.again(), max(-(-pairs // flow), 1) if flow else 0)
    whole = Whole() if full else None

    def graded(frame: Frame, grade: Grade) -> Frame:
        planes = tuple(np.empty_like(plane) for plane in frame.planes)
        out = Frame(planes, frame.format, frame.index, frame.pts, frame.time_base)
        renderer.render(frame, out, grade, None)
        return out

    last: Grade | None = None
    for (number, frame), grade in zip(shown.frames.items(), grades(shown, reference, settings_of(mode)), strict=True):
        if number in shown.begins:
            meter.gap()
            last = None
        result, replayed = graded(frame, grade), None if last is None else graded(frame, last)
        meter.push(shown.rgb(frame), shown.rgb(result), None if replayed is None else shown.rgb(replayed))
        if whole is not None:
            size = (clip.width, clip.height)
            before = None if replayed is None else shown.rgb(replayed, size)
            whole.push(number, shown.rgb(frame, size), shown.rgb(result, size), before)
        last = grade
    found = meter.finish()
    warp = found.edit_warp_share if flow else None
    at = None if found.max_jump_frame is None else list(shown.frames)[found.max_jump_frame]
    row = Row(
        clip.path.name, reference.name, mode, found.edit, found.drift_share or 0.0, warp, found.max_jump, at,
        found.noise_gain, found.pairs,
    )  # fmt: skip
    if whole is None:
        return row
    edit = float(np.mean(whole.edits))
    drift = float(np.mean(whole.drifts)) / edit if edit and whole.drifts else 0.0
    at = max(whole.jumps, key=lambda number: whole.jumps[number]) if whole.jumps else None
    return replace(
        row, edit=edit, drift=drift, jump=max(whole.jumps.values(), default=0.0), at=at, noise=whole.noise.gain()
    )


Trio = dict[str, Row]
"""The modes of one clip and reference."""


def over(field: str) -> Callable[[Trio], float | None]:
    """By how much `window` exceeds `shot`."""

    def found(of: Trio) -> float | None:
        steady, window = getattr(of["shot"], field), getattr(of["window"], field)
        return None if steady is None or window is None else window - steady

    return found


def gain_ratio(of: Trio) -> float | None:
    steady, window = of["shot"].noise, of["window"].noise
    return None if of["shot"].clip != TRIPOD or not steady or window is None else window / steady


TARGETS: tuple[tuple[str, float, Callable[[Trio], float | None]], ...] = (
    ("drift of shot: 0", 0.0, lambda of: of["shot"].drift),
    ("drift of window: <= 0.02", 0.02, lambda of: of["window"].drift),
    ("edit-warp over edit: window <= shot + 0.015", 0.015, over("warp")),
    ("max jump: window <= shot + 0.004", 0.004, over("jump")),
    (f"noise gain on {TRIPOD}: window <= 1.05 x shot", 1.05, gain_ratio),
)


def verdicts(trios: list[Trio]) -> list[str]:
    """A line for each target: met or failed, the worst run, and where it failed."""
    lines = []
    for name, limit, value in TARGETS:
        found = [(v, t["shot"]) for t in trios if (v := value(t)) is not None]
        if not found:
            lines.append(f"not measured  {name}")
            continue
        failed = [(v, row) for v, row in found if v > limit]
        worst, row = max(found, key=lambda pair: pair[0])
        lines.append(
            f"{'FAILED' if failed else 'met':8}{name}; worst {worst:.4f} ({row.clip}, {row.reference}), "
            f"mean {np.mean([v for v, _ in found]):.4f}, {len(found)} runs"
        )
        lines += [f"{'':10}failed: {row.clip}, {row.reference}: {v:.4f}" for v, row in failed]
    return lines


def table(trios: list[Trio]) -> list[str]:
    """A Markdown table by clip: the worst of the references."""
    lines = [
        "| clip | drift: window | shot | paper | edit-warp / edit: window | shot | paper | window over shot "
        "| largest jump: window | shot | paper | window over shot |",
        "|---" * 12 + "|",
    ]
    for name in dict.fromkeys(t["shot"].clip for t in trios):
        of = [t for t in trios if t["shot"].clip == name]

        def worst(values: Iterable[float | None], sign: str = "") -> str:
            held = [value for value in values if value is not None]
            return format(max(held), f"{sign}.4f") if held else "-"

        cells = []
        for field, excess in (("drift", False), ("warp", True), ("jump", True)):
            cells += [worst(getattr(t[mode], field) for t in of) for mode in ("window", "shot", "off")]
            if excess:
                cells.append(worst((over(field)(t) for t in of), "+"))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def marks(full: bool) -> tuple[str, str]:
    """Between which the table stands in a document."""
    name = "flicker, full size" if full else "flicker"
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--full", action="store_true", help="full-size frames in their own format")
    parser.add_argument("--frames", type=int, help=f"at most so many of each clip; {FRAMES}, with --full {FULL_FRAMES}")
    parser.add_argument("--flow", type=int, default=FLOW_PAIRS, help="pairs of each clip with optical flow; 0: none")
    parser.add_argument("--clips", nargs="+", help="names in clips/; all by default")
    parser.add_argument("--refs", nargs="+", default=REFERENCES, help="names in refs/")
    parser.add_argument("--doc", type=Path, metavar="FILE", help="put the table between its marks in this file")
    options = parser.parse_args()
    if options.doc is not None and any(options.doc.read_text().count(mark) != 1 for mark in marks(options.full)):
        parser.error(f"{options.doc}: should hold {' and '.join(marks(options.full))} once each")
    names = options.clips or sorted(path.name for path in (options.data / "clips").iterdir())
    most = options.frames or (FULL_FRAMES if options.full else FRAMES)
    trios: list[Trio] = []
    for name in names:
        shown = footage(probe(options.data / "clips" / name), options.full, most)
        size = f"{shown.clip.width} x {shown.clip.height} pixels"
        print(f"{name}: {len(shown.frames)} of {len(shown.samples)} frames, {size}, cuts {shown.cuts}\n{HEAD}")
        movement = Movement()
        for reference in options.refs:
            trio: Trio = {}
            for mode in MODES:
                path = options.data / "refs" / reference
                trio[mode] = measure(shown, movement, options.flow, path, mode, options.full)
                print(trio[mode].line(), flush=True)
            trios.append(trio)
    print("\n".join(verdicts(trios)))
    text = "\n".join(table(trios))
    print(text)
    if options.doc is not None:
        begin, end = marks(options.full)
        head, rest = options.doc.read_text().split(begin)
        options.doc.write_text(f"{head}{begin}\n{text}\n{end}{rest.split(end)[1]}")


if __name__ == "__main__":
    main()
