"""Preview sheets: some frames of a clip, graded as the render grades them, without rendering the clip.

A frame's grade depends on the frames near it only, so the clip is decoded around the chosen frames and nowhere else.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from streamct.by_map import map_picture
from streamct.color.colormap import apply_to_srgb, color_map, shown_colours
from streamct.color.correspondence import Correspondence, correspond
from streamct.color.histogram import Counter
from streamct.color.lab import coded_to_lab, lab_to_srgb
from streamct.color.lut import LutGrid
from streamct.color.palette import extract, extract_joint
from streamct.color.proxy import planes_proxy_rgb, proxy_size
from streamct.errors import InputError, OutputError, UsageError
from streamct.grade.cuts import LOOK
from streamct.grade.lookfile import MapFile
from streamct.grade.mapped import MapBaker, content, shot_at, shown_palette
from streamct.grade.regions import Colours, Palettes, add_colours
from streamct.grade.sample import Look, Sampler, sample_picture
from streamct.grade.track import Grade, Grader
from streamct.media.excerpts import Excerpt, keyframes
from streamct.media.files import check_target
from streamct.media.image import PICTURE_EXTENSIONS, read_picture, save_png
from streamct.media.probe import probe
from streamct.media.reader import timecode
from streamct.model import Clip, Frame, Palette, Plane, Progress, Report
from streamct.references import Given, References, Wanted, check_single, look, map_for, references, swatches
from streamct.render import Renderer
from streamct.run import Teller, picture_look
from streamct.segment.still import quarter_turns
from streamct.settings import Settings
from streamct.sheet import (
    Heading,
    Match,
    Pair,
    Picture,
    cell_size,
    fit,
    pair_sheet,
    pictures_per_row,
    variant_sheet,
    variants_per_row,
)

USUAL_FRAMES, USUAL_VARIANT_FRAMES = 4, 2
MOST_FRAMES, MOST_VARIANTS = 24, 24
_CANDIDATES = 4
"""Keyframes that are looked at for each frame that is shown."""
_MARGIN = 2
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
_DARK, _FLAT = 0.1, 0.02
_SMALL = 32
"""Long edge of the pictures by which frames are chosen."""
_SHORT, _ENDLESS = 8e8, 1e12
"""Pixels of a clip that is looked through to choose frames: half a minute of 720p."""
_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")

Variant = tuple[str, Settings]
"""What it is called on the sheet, and its settings."""


def write_sheet(
    input: Path | str,
    reference: Given | None,
    output: Path | str | None = None,
    settings: Settings | None = None,
    *,
    map: Path | str | None = None,
    frames: int | None = None,
    at: Sequence[str] = (),
    variants: Sequence[Variant] = (),
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Write a PNG that shows what `grade_video` or `grade_picture` would make of some frames.

    reference, map: see `grade_video`.
    output: None for `<stem>.preview.png` beside the input. frames: how many, spread over what the clip shows; None
    for 4, with variants 2. at: times instead, `[[hh:]mm:]ss[.fff]` after the first frame; shown is the frame that a
    player shows then. variants: show these settings side by side instead of `settings`. The whole picture is graded as
    one region; masks and segmenters are left out. Colours beyond sRGB (HDR, BT.2020) are clipped on the sheet.

    Raises:
        StreamctError: anything wrong with input, reference, times or output; a clip in the mode `shot`.
    """
    settings = settings or Settings()
    input = Path(input)
    asked = None if reference is None and map is not None else references(reference)
    map = Path(map) if map is not None else None
    output = Path(output) if output is not None else input.with_name(f"{input.stem}.preview.png")
    if output.suffix.lower() != ".png":
        raise OutputError(f"{output}: a sheet is written as PNG. Name the file .png.")
    if len(variants) > MOST_VARIANTS:
        raise UsageError(f"{len(variants)} variants are more than a sheet holds ({MOST_VARIANTS}). Leave some out.")
    count = frames or (USUAL_VARIANT_FRAMES if variants else USUAL_FRAMES)
    if not 1 <= count <= MOST_FRAMES or len(at) > MOST_FRAMES:
        raise UsageError(f"{max(count, len(at))} frames: a sheet holds 1 to {MOST_FRAMES}.")
    began = time.monotonic()
    say = Teller(progress)
    others = asked.paths if asked is not None else ()
    check_target(output, (input, *others, *([map] if map is not None else [])), overwrite)
    look_of = _Looks(asked, None if map is None else map_for(map, asked, None, ()), say)
    wanted = look_of.picture(settings)
    chosen = list(variants) or [("", settings)]
    if input.suffix.lower() in PICTURE_EXTENSIONS:
        if at:
            raise UsageError("--at: a picture has no time. Leave it out.")
        if look_of.map is not None and map is not None:
            check_single(look_of.map, map)
        rows, colours = _picture_rows(read_picture(input).rgb, look_of, chosen)
    else:
        if look_of.map is None and any(s.time.mode == "shot" for _, s in chosen):
            raise UsageError(
                "--temporal shot: needs the whole clip, of which a preview sees parts. Give --temporal window or off."
            )
        clip = probe(input)
        if clip.coding.transfer != "srgb":
            say.note("the sheet is sRGB: what is brighter than diffuse white is cut off there, and only there")
        rows, colours = _Previewer(clip, [s for _, s in chosen], say).rows(count, at, look_of, chosen)
    towards = map.name if map is not None else asked.name if asked is not None else ""
    heading = Heading(f"{input.name} → {towards}", _described(settings, bool(variants), map is not None))
    if variants:
        grid = [(row.label, row.source, list(zip([n for n, _ in chosen], row.graded, strict=True))) for row in rows]
        sheet = variant_sheet(heading, grid, wanted)
    else:
        pairs = [Pair(r.source, r.graded[0], r.label) for r in rows]
        sheet = pair_sheet(heading, pairs, wanted, look_of.matches(colours, settings, len(rows)))
    save_png(output, sheet)
    details = {"times": [row.label for row in rows], "width": sheet.shape[1], "height": sheet.shape[0]}
    elapsed = time.monotonic() - began
    said = others[0] if others else map
    assert said is not None
    return say.done(Report(input, said, output, len(rows), elapsed, "none", tuple(say.said), details))


class _Looks:
    """What is wanted: the references' palettes under any settings, or a map's grades."""

    def __init__(self, asked: References | None, map: MapFile | None, say: Teller) -> None:
        self._asked = asked
        self._say = say
        self.map = map
        self._seen: dict[str, Wanted] = {}

    def _wanted(self, settings: Settings) -> Wanted:
        assert self._asked is not None
        key = settings.palette.model_dump_json()
        if key not in self._seen:
            self._seen[key] = look(self._asked, settings, warn=self._say.warning)
        return self._seen[key]

    def picture(self, settings: Settings) -> Picture:
        """The reference to look at; of a map alone its palette."""
        if self._asked is not None:
            return self._wanted(settings).picture
        assert self.map is not None
        reference = self.map.wanted()
        return swatches(reference.whole if reference is not None else _sources(self.map))

    def palette(self, settings: Settings) -> Palette:
        """The palette of the references."""
        return self._wanted(settings).palettes.whole

    def baker(self, settings: Settings) -> MapBaker | None:
        """What grades by the map, where there is one; as one region."""
        return None if self.map is None else MapBaker(self.map, settings, split=False)

    def matches(self, colours: list[Colours], settings: Settings, rows: int) -> list[Match]:
        """The palettes of source and reference with what links them; with a map, those of its longest shot."""
        baker = self.baker(settings)
        if baker is None:
            make = extract if rows == 1 else extract_joint
            own = make(add_colours(colours, [1] * len(colours), Counter()), settings.palette)
            reference = self.palette(settings)
            met = correspond(own, reference, settings.mapping)
            return [Match(own, reference, met, color_map(met, settings.mapping)(own.colours))]
        assert self.map is not None
        told = [s for s in self.map.shots if s.region("whole") is not None]
        shot = max(told, key=lambda s: s.stop - s.start if s.stop is not None else math.inf, default=None)
        found = None if shot is None else shot.region("whole")
        if shot is None or found is None:
            return []
        own = shown_palette(found)
        mapping = baker.mapping(shot, "whole")
        assert mapping is not None
        goals = shown_colours(mapping, own.colours)
        reference = baker.wanted.whole if baker.wanted is not None else own
        return [Match(own, reference, Correspondence(own.colours, goals), goals)]


def _sources(map: MapFile) -> Palette:
    """The colours that a map without a reference moves."""
    found = next(m for shot in map.shots for m in shot.mappings)
    return shown_palette(found)


def parse_time(text: str) -> Fraction:
    """Seconds of `[[hh:]mm:]ss[.fff]`.

    Raises:
        UsageError: it is no time.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"--at {text}: should be a time like 12.5, 01:12.5 or 00:01:12.5.")
    hours, minutes, seconds = match.groups()
    return (int(hours or 0) * 60 + int(minutes or 0)) * 60 + Fraction(seconds)


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """One frame of the sheet, before and after, once for each variant."""

    label: str
    source: Picture
    graded: list[Picture]


def _described(settings: Settings, variants: bool, mapped: bool = False) -> str:
    m, t = settings.mapping, settings.time
    steady = f"window ±{t.radius} frames" if t.mode == "window" else f"temporal {t.mode}"
    if mapped:
        steady = "by a map"
    if variants:
        return "variants; what they do not name is as given or by default"
    parts = [
        f"{m.correspondence}, {m.propagation}, {m.assignment}", f"strength {m.strength:g}", f"lightness {m.alpha:g}",
        f"palette {settings.palette.size}", *([f"reach {m.reach:g}"] if m.reach is not None else []), steady,
    ]  # fmt: skip
    return " · ".join(parts)


def _picture_rows(rgb: Picture, wanted: _Looks, chosen: Sequence[Variant]) -> tuple[list[_Row], list[Colours]]:
    """A picture's one row: graded in full, then scaled."""
    size = _size(rgb.shape[1] / rgb.shape[0], len(chosen) > 1)
    graded = []
    for _, settings in chosen:
        baker = wanted.baker(settings)
        if baker is not None:
            graded.append(fit(map_picture(rgb, baker, None), *size))
            continue
        own, other = picture_look(rgb, settings, None)[0].whole, wanted.palette(settings)
        mapping = color_map(correspond(own, other, settings.mapping), settings.mapping)
        graded.append(fit(apply_to_srgb(mapping, rgb), *size))
    colours = sample_picture(rgb, None, chosen[0][1].palette, Counter()).whole
    return [_Row("picture", fit(rgb, *size), graded)], [colours]


def _size(aspect: float, variants: bool) -> tuple[int, int]:
    return cell_size(aspect, variants_per_row(aspect) if variants else pictures_per_row(aspect))


def _reach(settings: Settings) -> int:
    """Frames on each side that a frame's grade depends on."""
    return 2 * settings.time.radius + LOOK if settings.time.mode == "window" else 0


@dataclass(slots=True, eq=False)
class _Part:
    """A run of frames that was decoded: its looks by proxy size, the frames to show, and when each is shown."""

    looks: dict[int, list[Look]]
    shown: dict[Fraction, Frame]


class _Previewer:
    """Finds and grades frames of one clip. wanted: all settings that will be asked for."""

    def __init__(self, clip: Clip, wanted: Sequence[Settings], say: Teller) -> None:
        self._clip = clip
        self._say = say
        self._rate = clip.rate or Fraction(25)
        self._grid = LutGrid(clip.coding, clip.format.depth)
        self._renderer = Renderer(clip.format, interlaced=clip.fields is not None)
        self._turns = quarter_turns(clip.display_matrix)
        self._delay = max(_reach(s) for s in wanted)
        self._proxies = {s.palette.proxy_size: s.palette for s in wanted}

    def rows(
        self, count: int, at: Sequence[str], reference: _Looks, chosen: Sequence[Variant]
    ) -> tuple[list[_Row], list[Colours]]:
        """The frames asked for, in order of time, and the colours of all frames that were looked at."""
        with Excerpt(self._clip) as excerpt:
            first = excerpt.first
            times = [self._within(parse_time(text), text) for text in at] or self._spread(count, first)
            self._say.start(len(times))
            parts = [self._decoded(excerpt, run) for run in self._runs(sorted(set(times)))]
            rows: list[_Row] = []
            colours: list[Colours] = []
            for part in parts:
                rows += self._graded(part, first, reference, chosen, colours)
                self._say.progress(len(rows))
        if not rows:
            raise InputError(f"{self._clip.path}: no frame was found at {', '.join(at)}. Give earlier times.")
        return rows, colours

    def _within(self, seconds: Fraction, text: str) -> Fraction:
        if self._clip.duration is not None and seconds >= self._clip.duration:
            end = timecode(float(self._clip.duration))
            raise UsageError(f"--at {text}: lies behind the clip's end at {end}.")
        return seconds

    def _spread(self, count: int, first: int) -> list[Fraction]:
        """Times of frames that look as different as possible.

        Chosen from keyframes, which encoders set at cuts; shown is what lies so far behind them that nothing before
        need be decoded. A short clip with few keyframes is looked through instead.
        """
        clip, length = self._clip, self._clip.duration or Fraction(0)
        places = _CANDIDATES * count
        found = keyframes(clip, [length * k / places for k in range(places)])
        times = [(frame.pts - first) * clip.time_base for frame in found]
        proxies = [self._proxy(frame.planes, _SMALL) for frame in found]
        behind = Fraction(self._delay) / self._rate
        if len(found) < places // 2 and (clip.frames or _ENDLESS) * clip.width * clip.height <= _SHORT:
            times, proxies, behind = *self._looked_through(places, length), Fraction(0)
        told = [i for i, proxy in enumerate(proxies) if _tells(proxy)] or list(range(len(proxies)))
        chosen = [times[told[i]] for i in _most_different([proxies[i] for i in told], count)]
        latest = max(length - 1 / self._rate, Fraction(0))
        return sorted({max(min(moment + behind, latest), moment) for moment in chosen})

    def _looked_through(self, places: int, length: Fraction) -> tuple[list[Fraction], list[Picture]]:
        """Times and small pictures of so many frames, evenly over the clip."""
        times: list[Fraction] = []
        proxies = []
        with Excerpt(self._clip, hurried=True) as excerpt:
            for frame in excerpt.frames(Fraction(0)):
                moment = (frame.pts - excerpt.first) * self._clip.time_base
                if moment >= length * (2 * len(times) + 1) / (2 * places):
                    times.append(moment)
                    proxies.append(self._proxy(frame.planes, _SMALL))
        return times, proxies

    def _runs(self, times: list[Fraction]) -> list[list[Fraction]]:
        """Times whose surroundings overlap or nearly do, together."""
        near = 4 * Fraction(self._delay + _MARGIN) / self._rate
        runs: list[list[Fraction]] = []
        for moment in times:
            if runs and moment - runs[-1][-1] <= near:
                runs[-1].append(moment)
            else:
                runs.append([moment])
        return runs

    def _decoded(self, excerpt: Excerpt, times: list[Fraction]) -> _Part:
        clip = self._clip
        samplers = {size: Sampler(clip.format, clip.coding, palette) for size, palette in self._proxies.items()}
        part = _Part({size: [] for size in samplers}, {})
        start = max(times[0] - Fraction(self._delay + _MARGIN) / self._rate, Fraction(0))
        after = 0
        for frame in excerpt.frames(start):
            moment = (frame.pts - excerpt.first) * clip.time_base
            for wanted in times:
                if moment <= wanted or wanted not in part.shown:
                    part.shown[wanted] = frame
            for size, sampler in samplers.items():
                part.looks[size].append(sampler.look(frame))
            after += moment > times[-1]
            if after > self._delay:
                break
        return part

    def _graded(
        self, part: _Part, first: int, reference: _Looks, chosen: Sequence[Variant], colours: list[Colours]
    ) -> list[_Row]:
        wanted = {frame.index for frame in part.shown.values()}
        by_variant = [self._grades(part, wanted, reference, settings, colours, k == 0) for k, (_, settings) in
                      enumerate(chosen)]  # fmt: skip
        for grades, (_, settings) in zip(by_variant, chosen, strict=True):
            grades.update(self._mapped(part, first, reference.baker(settings)))
        rows = []
        for index in sorted(wanted):
            frame = next(f for f in part.shown.values() if f.index == index)
            label = timecode(float((frame.pts - first) * self._clip.time_base))
            graded = [self._shown(self._rendered(frame, grades[index]), len(chosen) > 1) for grades in by_variant]
            rows.append(_Row(label, self._shown(frame.planes, len(chosen) > 1), graded))
        return rows

    def _mapped(self, part: _Part, first: int, baker: MapBaker | None) -> dict[int, Grade]:
        """The grades of the frames to show by a map; none without one."""
        if baker is None:
            return {}
        clip, grades, luts = self._clip, {}, {}
        for frame in part.shown.values():
            shot = shot_at(baker.map, (frame.pts - first) * clip.time_base)
            if shot.start not in luts:
                luts[shot.start] = baker.luts(shot, self._grid)
            grades[frame.index] = Grade(luts[shot.start], content(baker.map, shot, (clip.width, clip.height)))
        return grades

    def _grades(
        self, part: _Part, wanted: set[int], reference: _Looks, settings: Settings, colours: list[Colours], keep: bool
    ) -> dict[int, Grade]:
        clip = self._clip
        ticks = Fraction(settings.time.knot_spacing) / (clip.rate * clip.time_base) if clip.rate else None
        counter = Sampler(clip.format, clip.coding, settings.palette)
        if reference.map is not None:
            return {}
        grader = Grader(Palettes(reference.palette(settings)), self._grid, settings, ticks, only=wanted)
        grades: list[Grade] = []
        for seen in part.looks[settings.palette.proxy_size]:
            sample = counter.count(seen, None)
            if keep:
                colours.append(sample.regions.whole)
            grades += grader.push(sample)
        grades += grader.finish()
        return dict(zip(sorted(wanted), grades, strict=True))

    def _rendered(self, frame: Frame, grade: Grade) -> tuple[Plane, ...]:
        planes = tuple(np.empty_like(plane) for plane in frame.planes)
        target = Frame(planes, frame.format, frame.index, frame.pts, frame.time_base)
        self._renderer.render(frame, target, grade, None)
        return planes

    def _proxy(self, planes: tuple[Plane, ...], edge: int) -> Picture:
        clip = self._clip
        height, width = planes[0].shape
        squared = max(1, round(width * (clip.sample_aspect or Fraction(1))))
        columns, rows = proxy_size(squared, height, edge)
        rgb = planes_proxy_rgb(planes, clip.format, clip.coding, min(columns, width), min(rows, height))
        if (clip.coding.transfer, clip.coding.primaries) != ("srgb", "bt709"):
            rgb = np.clip(lab_to_srgb(coded_to_lab(rgb, clip.coding)), 0, 1)
        return np.rot90(rgb, self._turns).astype(np.float32)

    def _shown(self, planes: tuple[Plane, ...], variants: bool) -> Picture:
        clip = self._clip
        aspect = float(clip.width * (clip.sample_aspect or Fraction(1)) / clip.height)
        if self._turns % 2:
            aspect = 1 / aspect
        width, height = _size(aspect, variants)
        return fit(self._proxy(planes, max(width, height)), width, height)


def _tells(picture: Picture) -> bool:
    """Whether there is anything to see: no fade to black, no title on black."""
    luma = picture @ _LUMA
    return float(np.quantile(luma, 0.9)) > _DARK and float(luma.std()) > _FLAT


def _most_different(pictures: Sequence[Picture], count: int) -> list[int]:
    """At most `count` of the pictures, ascending: first the middle one, then always the one least like those taken."""
    flat = np.stack([picture.reshape(-1) for picture in pictures])
    taken = [len(pictures) // 2]
    while len(taken) < min(count, len(pictures)):
        nearest = np.min([np.abs(flat - flat[i]).mean(axis=1) for i in taken], axis=0)
        taken.append(int(nearest.argmax()))
    return sorted(taken)
