"""Frames of a clip, chosen and graded as the render grades them, without rendering the clip.

In the modes `window` and `off` a frame's grade depends on the frames near it only, so the clip is decoded around the
chosen frames and nowhere else; in the mode `shot` on its shot, which is looked through. By a map file it depends on the
frame's time alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streamct.color.lab import coded_to_lab, lab_to_srgb
from streamct.color.lut import Lut, LutGrid
from streamct.color.proxy import planes_proxy_rgb, proxy_size
from streamct.errors import InputError, UsageError
from streamct.grade.bake import Baker
from streamct.grade.cuts import LOOK, ListedCuts
from streamct.grade.mapped import MapBaker, content, shot_at
from streamct.grade.mattes import Given, Mattes, Replayed
from streamct.grade.regions import Palettes, Regions
from streamct.grade.sample import Look, Sampler
from streamct.grade.shots import Shot, Track
from streamct.grade.track import Grade, Grader
from streamct.media.excerpts import Excerpt, keyframes
from streamct.media.reader import timecode
from streamct.media.source import Source
from streamct.media.trim import SLACK, Trim
from streamct.model import Clip, Frame, Plane
from streamct.moments import parse_time
from streamct.part_shots import find_part
from streamct.parts import is_anywhere
from streamct.render import Renderer
from streamct.run import Teller, clip_mattes, telling
from streamct.segment import Mask
from streamct.segment.given import given_mattes
from streamct.segment.matte import resized
from streamct.segment.upright import quarter_turns
from streamct.settings import Settings
from streamct.sheet import Picture, cell_size, fit, pictures_per_row, variants_per_row
from streamct.telling import most_different, tells
from streamct.tracks import small_size

if TYPE_CHECKING:
    from streamct.segment.deeplab import DeepLab

_CANDIDATES = 4
"""Keyframes that are looked at for each frame that is shown."""
_MARGIN = 2
_SMALL = 32
"""Long edge of the pictures by which frames are chosen."""
_SHORT, _ENDLESS = 8e8, 1e12
"""Pixels of a clip that is looked through to choose frames: half a minute of 720p."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One frame of a sheet, before and after, once for each variant. matte: (h, w) of `source`, None without a mask."""

    label: str
    source: Picture
    graded: list[Picture]
    matte: Mask | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """Settings, and what they grade by: the reference's palettes under them, or a map."""

    settings: Settings
    palettes: Palettes | None = None
    baker: MapBaker | None = None

    @property
    def splits(self) -> bool:
        """Whether foreground and background go apart."""
        return (
            self.baker.splits if self.palettes is None and self.baker is not None else self.reference.split is not None
        )

    @property
    def reference(self) -> Palettes:
        """The palettes; where no map stands in for them."""
        assert self.palettes is not None
        return self.palettes


@dataclass(frozen=True, slots=True)
class Masked:
    """What tells foreground from background: a matte that is given goes before a network."""

    path: Path | None = None
    network: DeepLab | None = None

    @property
    def any(self) -> bool:
        """Whether anything does."""
        return self.path is not None or self.network is not None


def picture_size(aspect: float, variants: bool) -> tuple[int, int]:
    """(width, height) of the pictures of a sheet."""
    return cell_size(aspect, variants_per_row(aspect) if variants else pictures_per_row(aspect))


@dataclass(slots=True, eq=False)
class _Part:
    """A run of frames that was decoded: its looks by proxy size, the frames to show, and when each is shown."""

    looks: dict[int, list[Look]]
    shown: dict[Fraction, Frame]


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A shot that was looked through: when it begins and ends, in pts, and its frames' masks by their pts."""

    shot: Shot
    stop: int | None
    track: Track
    numbers: dict[int, int]


class Previewer:
    """Finds and grades frames of one clip. chosen: the variants. cuts: where the user says shots begin.

    start, stop: seconds between which frames are chosen, None for the clip's ends.
    """

    def __init__(
        self,
        clip: Clip,
        chosen: Sequence[Variant],
        say: Teller,
        masked: Masked | None = None,
        cuts: ListedCuts | None = None,
        start: Fraction | None = None,
        stop: Fraction | None = None,
    ) -> None:
        self._clip = clip
        self._chosen = chosen
        self._say = say
        self._masked = masked or Masked()
        self._cuts = cuts
        self._between = (start or Fraction(0), stop)
        self._rate = clip.rate or Fraction(25)
        self._grid = LutGrid(clip.coding, clip.format.depth)
        self._renderer = Renderer(clip.format, interlaced=clip.fields is not None)
        self._turns = quarter_turns(clip.display_matrix)
        split = any(variant.splits for variant in chosen)
        path = self._masked.path if split else None
        self._network = self._masked.network if split and path is None else None
        self._given = telling(given_mattes(path, clip), say)
        self._anywhere = is_anywhere(path, cuts, False)
        near = [v for v in chosen if (v.baker is None and v.settings.time.mode != "shot") or self._follows(v)]
        self._delay = max([_reach(v) + self._mattes(v).support for v in near], default=0)
        self._proxies = {v.settings.palette.proxy_size: v.settings.palette for v in near}
        self._found: dict[str, list[_Found]] = {}
        self._luts: dict[tuple[int, int], tuple[Lut, ...]] = {}
        self._masks: dict[int, Mask] = {}

    def rows(self, count: int, at: Sequence[str]) -> tuple[list[Row], list[Regions]]:
        """The frames asked for, in order of time, and the colours of frames that were looked at for the first variant.

        Raises:
            UsageError: a time that is none, or behind the clip's end. InputError: no frame is found.
        """
        rows: list[Row] = []
        colours: list[Regions] = []
        with Excerpt(self._clip) as excerpt:
            times = [self._within(parse_time(text, "--at", self._clip.rate), text) for text in at]
            times = times or self._spread(count, excerpt)
            self._say.start(len(times))
            for run in self._runs(sorted(set(times))):
                rows += self._graded(excerpt, run, colours)
                self._say.progress(len(rows))
        if not rows:
            raise InputError(f"{self._clip.path}: no frame was found at {', '.join(at)}. Give earlier times.")
        return rows, colours

    def _mattes(self, variant: Variant, first: int = 0) -> Mattes:
        """first: pts of the clip's first frame."""
        cuts = self._cuts if variant.baker is None else variant.baker.cuts_from(first, self._clip.time_base)
        return clip_mattes(self._clip, variant.settings, self._given, self._network, cuts)

    def _follows(self, variant: Variant) -> bool:
        """Whether a map's masks come from a network, which looks at the frames around."""
        return variant.baker is not None and self._network is not None

    def _within(self, seconds: Fraction, text: str) -> Fraction:
        if self._clip.duration is not None and seconds >= self._clip.duration:
            end = timecode(float(self._clip.duration))
            raise UsageError(f"--at {text}: lies behind the clip's end at {end}.")
        return seconds

    def _spread(self, count: int, excerpt: Excerpt) -> list[Fraction]:
        """Times of frames that look as different as possible.

        Chosen from keyframes, which encoders set at cuts; shown is what lies so far behind them that nothing before
        need be decoded. A short clip with few keyframes is looked through instead.
        """
        clip = self._clip
        low, high = self._between
        end = clip.duration or Fraction(0)
        high = end if high is None else min(high, end) if end else high
        places = _CANDIDATES * count
        found = keyframes(excerpt, [low + (high - low) * k / places for k in range(places)])
        moments = [(frame, (frame.pts - excerpt.first) * clip.time_base) for frame in found]
        within = [(frame, moment) for frame, moment in moments if moment >= low]
        times = [moment for _, moment in within]
        proxies = [self._proxy(frame.planes, _SMALL) for frame, _ in within]
        behind = Fraction(self._delay) / self._rate
        pixels = (clip.frames or _ENDLESS) * clip.width * clip.height
        if len(found) < places // 2 and float((high - low) / end if end else 1) * pixels <= _SHORT:
            times, proxies, behind = *self._looked_through(places, low, high), Fraction(0)
        if not times:
            times, proxies = [low], [self._proxy(found[-1].planes, _SMALL)]
        told = [i for i, proxy in enumerate(proxies) if tells(proxy)] or list(range(len(proxies)))
        chosen = [times[told[i]] for i in most_different([proxies[i] for i in told], count)]
        latest = max(high - 1 / self._rate, low)
        return sorted({max(min(moment + behind, latest), moment) for moment in chosen})

    def _looked_through(self, places: int, low: Fraction, high: Fraction) -> tuple[list[Fraction], list[Picture]]:
        """Times and small pictures of so many frames, evenly between two times."""
        times: list[Fraction] = []
        proxies = []
        with Excerpt(self._clip, hurried=True) as excerpt:
            for frame in excerpt.frames(low):
                moment = (frame.pts - excerpt.first) * self._clip.time_base
                if moment >= high > low:
                    break
                if moment >= low + (high - low) * (2 * len(times) + 1) / (2 * places):
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

    def _graded(self, excerpt: Excerpt, times: list[Fraction], colours: list[Regions]) -> list[Row]:
        near = self._proxies or (not self._anywhere and any(v.baker is not None for v in self._chosen))
        part = self._decoded(excerpt, times) if near else _Part({}, self._frames_at(excerpt, times))
        frames = sorted({frame.pts: frame for frame in part.shown.values()}.values(), key=lambda frame: frame.pts)
        variants = len(self._chosen) > 1
        graded: list[list[Picture]] = [[] for _ in frames]
        for k, variant in enumerate(self._chosen):
            told = colours if k == 0 else []
            if variant.baker is not None:
                rendered = self._of_map(part, excerpt.first, frames, variant, variant.baker)
            elif variant.settings.time.mode == "shot":
                rendered = [self._of_shot(excerpt.first, frame, variant, told) for frame in frames]
            else:
                rendered = self._of_window(part, frames, variant, told)
            for pictures, planes in zip(graded, rendered, strict=True):
                pictures.append(self._shown(planes, variants, graded=True))
        return [
            Row(timecode(float((frame.pts - excerpt.first) * self._clip.time_base)),
                source := self._shown(frame.planes, variants), pictures, self._matte(frame.pts, source))
            for frame, pictures in zip(frames, graded, strict=True)
        ]  # fmt: skip

    def _frames_at(self, excerpt: Excerpt, times: list[Fraction]) -> dict[Fraction, Frame]:
        """The frames that a player shows at these times."""
        shown = {}
        for moment in times:
            for frame in excerpt.frames(moment, key=True):
                if moment not in shown or (frame.pts - excerpt.first) * self._clip.time_base <= moment:
                    shown[moment] = frame
                else:
                    break
        return shown

    def _decoded(self, excerpt: Excerpt, times: list[Fraction]) -> _Part:
        clip = self._clip
        small = small_size(clip, self._mattes(self._chosen[0]), self._chosen[0].settings)
        samplers = {
            size: Sampler(clip.format, clip.coding, palette, small, columns=True)
            for size, palette in self._proxies.items()
        }
        part = _Part({size: [] for size in samplers}, {})
        start = max(times[0] - Fraction(self._delay + _MARGIN) / self._rate, Fraction(0))
        after = 0
        for frame in excerpt.frames(start if self._anywhere else Fraction(0)):
            moment = (frame.pts - excerpt.first) * clip.time_base
            if moment < start:
                continue
            for asked in times:
                if moment <= asked or asked not in part.shown:
                    part.shown[asked] = frame
            for size, sampler in samplers.items():
                part.looks[size].append(sampler.look(frame))
            after += moment > times[-1]
            if after > self._delay:
                break
        return part

    def _of_window(
        self, part: _Part, frames: list[Frame], variant: Variant, colours: list[Regions]
    ) -> list[tuple[Plane, ...]]:
        clip, settings = self._clip, variant.settings
        ticks = Fraction(settings.time.knot_spacing) / (clip.rate * clip.time_base) if clip.rate else None
        only = {frame.index for frame in frames}
        grader = Grader(variant.reference, self._grid, settings, ticks, self._cuts, only)
        counter = Sampler(clip.format, clip.coding, settings.palette)
        mattes = self._mattes(variant)
        masks: dict[int, Mask | None] = {}
        grades: list[Grade] = []

        def take(look: Look, mask: Mask | None) -> None:
            sample = counter.count(look, mask)
            colours.append(sample.regions)
            if look.index in only:
                masks[look.index] = mask
            grades.extend(grader.push(sample))

        for look in part.looks[settings.palette.proxy_size]:
            for known in mattes.push(look):
                take(*known)
        for known in mattes.finish():
            take(*known)
        grades += grader.finish()
        return [
            self._rendered(frame, grade, self._full(mattes, frame, grade, masks[frame.index]))
            for frame, grade in zip(frames, grades, strict=True)
        ]

    def _of_map(
        self, part: _Part, first: int, frames: list[Frame], variant: Variant, baker: MapBaker
    ) -> list[tuple[Plane, ...]]:
        clip = self._clip
        mattes = self._mattes(variant, first)
        masks: dict[int, Mask | None] = {}
        if self._follows(variant):
            for look in part.looks[variant.settings.palette.proxy_size]:
                masks |= {known.index: mask for known, mask in mattes.push(look)}
            masks |= {known.index: mask for known, mask in mattes.finish()}
        out = []
        for frame in frames:
            shot = shot_at(baker.map, (frame.pts - first) * clip.time_base)
            key = self._chosen.index(variant), shot.start
            if key not in self._luts:
                self._luts[key] = baker.luts(shot, self._grid)
            grade = Grade(self._luts[key], content(baker.map, shot, (clip.width, clip.height)))
            out.append(self._rendered(frame, grade, self._full(mattes, frame, grade, masks.get(frame.index))))
        return out

    def _of_shot(self, first: int, frame: Frame, variant: Variant, colours: list[Regions]) -> tuple[Plane, ...]:
        clip, settings = self._clip, variant.settings
        found = self._shot(first, frame, variant)
        index = found.numbers[frame.pts]
        frame = replace(frame, index=index)
        mask = found.track.mask(index)
        given = Given(self._given)
        sampler = Sampler(clip.format, clip.coding, settings.palette)
        seen = sampler.look(frame)
        for look, own in given.push(seen):
            colours.append(sampler.count(look, own if mask is None else mask).regions)
        luts = Baker(variant.reference, self._grid, settings).luts(found.shot.looked)
        grade = Grade(tuple(lut.at(seen.columns) for lut in luts), found.shot.content, mask)
        mattes: Mattes = given if mask is None else Replayed("")
        return self._rendered(frame, grade, self._full(mattes, frame, grade, mask))

    def _shot(self, first: int, frame: Frame, variant: Variant) -> _Found:
        """The whole shot that a frame lies in; looked through once."""
        clip, settings = self._clip, variant.settings
        known = self._found.setdefault(settings.palette.model_dump_json(), [])
        for found in known:
            if found.shot.pts <= frame.pts and (found.stop is None or frame.pts < found.stop):
                return found
        moment = (frame.pts - first) * clip.time_base
        trim = Trim(clip, moment, moment + 2 * SLACK)
        mattes = self._mattes(variant)
        times: list[int] = []
        try:
            track = find_part(
                Source(clip, trim=trim), variant.reference, mattes, settings, self._cuts, self._anywhere, True,
                lambda _: None, times,
            )  # fmt: skip
        finally:
            mattes.close()
        assert trim.opened is not None
        numbers = {pts: index for index, pts in enumerate(times)}
        shots = track.shots
        at = next(k for k, shot in enumerate(shots) if shot.start <= trim.opened.index < shot.stop)
        stop = shots[at + 1].pts if at + 1 < len(shots) else None
        known.append(_Found(shots[at], stop, track, numbers))
        return known[-1]

    def _full(self, mattes: Mattes, frame: Frame, grade: Grade, mask: Mask | None) -> Mask | None:
        full = None if mask is None and not isinstance(mattes, Given) else mattes.full(frame, mask)
        if full is not None:
            self._masks.setdefault(frame.pts, full)
        return full if len(grade.luts) > 1 else None

    def _matte(self, pts: int, shown: Picture) -> Mask | None:
        mask = self._masks.get(pts)
        return None if mask is None else resized(np.rot90(mask, self._turns), shown.shape[1], shown.shape[0])

    def _rendered(self, frame: Frame, grade: Grade, mask: NDArray[np.uint8] | None) -> tuple[Plane, ...]:
        planes = tuple(np.empty_like(plane) for plane in frame.planes)
        target = Frame(planes, frame.format, frame.index, frame.pts, frame.time_base)
        self._renderer.render(frame, target, grade, mask)
        return planes

    def _proxy(self, planes: tuple[Plane, ...], edge: int, graded: bool = False) -> Picture:
        clip = self._clip
        coding = clip.coding.written if graded else clip.coding
        height, width = planes[0].shape
        squared = max(1, round(width * (clip.sample_aspect or Fraction(1))))
        columns, rows = proxy_size(squared, height, edge)
        rgb = planes_proxy_rgb(planes, clip.format, coding, min(columns, width), min(rows, height))
        if (coding.transfer, coding.primaries) != ("srgb", "bt709"):
            rgb = np.clip(lab_to_srgb(coded_to_lab(rgb, coding)), 0, 1)
        return np.rot90(rgb, self._turns).astype(np.float32)

    def _shown(self, planes: tuple[Plane, ...], variants: bool, graded: bool = False) -> Picture:
        clip = self._clip
        aspect = float(clip.width * (clip.sample_aspect or Fraction(1)) / clip.height)
        if self._turns % 2:
            aspect = 1 / aspect
        width, height = picture_size(aspect, variants)
        return fit(self._proxy(planes, max(width, height), graded), width, height)


def _reach(variant: Variant) -> int:
    """Frames on each side that a frame's grade depends on, but for its masks."""
    settings = variant.settings
    if variant.baker is not None:
        return 0
    return 2 * settings.time.radius + LOOK if settings.time.mode == "window" else 0
