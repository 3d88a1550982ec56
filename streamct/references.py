"""What the wanted colours come from: pictures, videos and palette files, one or several, by weight.

One picture gives the palette that it always gave, a palette file the palettes that it holds. Of a video, frames at even
distances are looked at, so many that the time is bounded. Several references are brought together before they become a
palette: each one's colours count as much as its weight says, however large it is.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streamct.color.histogram import Counter, Histogram, Points
from streamct.color.lab import lab_to_srgb
from streamct.color.palette import extract_joint
from streamct.errors import InputError, ReferenceError, UsageError
from streamct.grade.lookfile import MapFile, Origin
from streamct.grade.looktext import read_map, read_palette
from streamct.grade.regions import SPLIT_SHARES, Colours, Palettes, Regions, add_colours
from streamct.grade.sample import Sampler, sample_picture
from streamct.media.endings import ANIMATIONS, CLIP_ENDINGS
from streamct.media.image import PICTURE_EXTENSIONS, read_picture
from streamct.media.probe import probe
from streamct.model import Clip, Palette
from streamct.moments import parse_time
from streamct.reference_frames import PLACES, frame_picture, spread_frames
from streamct.run import picture_look
from streamct.segment.matte import read_matte, resized
from streamct.segment.still import picture_mask
from streamct.segment.upright import quarter_turns, stretched
from streamct.settings import Settings

if TYPE_CHECKING:
    from streamct.segment.deeplab import DeepLab

_WEIGHTED = re.compile(r"(.+):(\d+(?:\.\d*)?|\.\d+)")
_SCALE = 1 << 40
"""What the colours of a reference of weight 1 count together: some 65,000 times the pixels of a proxy in 1/255."""
_SWATCH_ROWS, _SWATCH_COLUMNS = 288, 512


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture, a video or a palette file, and how much it counts beside the others."""

    path: Path
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class References:
    """All that the wanted colours come from. start, stop: seconds between which videos among them count."""

    items: tuple[Reference, ...]
    start: Fraction | None = None
    stop: Fraction | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files."""
        return tuple(item.path for item in self.items)

    @property
    def name(self) -> str:
        """For headings: the files' names, with their weights where there are several."""
        if len(self.items) == 1:
            return self.items[0].path.name
        return " + ".join(f"{item.path.name}:{item.weight:g}" for item in self.items)

    @property
    def origins(self) -> list[Origin]:
        """What files say of where a palette comes from."""
        return [Origin(name=item.path.name, weight=item.weight) for item in self.items]


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """What the references look like together.

    palettes: under the settings they were looked at with. share: of the foreground, None without a mask. picture:
    (h, w, 3) float32 sRGB, to look at. segmenter: what the foreground was found by. matte: (mh, mw) foreground weights
    of `picture`.
    """

    palettes: Palettes
    share: float | None
    picture: NDArray[np.float32]
    segmenter: str = "none"
    matte: NDArray[np.uint8] | None = None


Given = Path | str | Sequence[Path | str] | References
"""What callers may give: one file or several, strings perhaps with `:WEIGHT`."""


def parse_reference(text: str) -> Reference:
    """PATH or PATH:WEIGHT; what names an existing file is a path as a whole, whatever colons are in it.

    Raises:
        UsageError: a weight of 0 or beyond all numbers.
    """
    match = _WEIGHTED.fullmatch(text)
    if match is None or os.path.exists(text):
        return Reference(Path(text))
    weight = float(match[2])
    if not 0 < weight < math.inf:
        raise UsageError(f"{text}: a reference's weight should be above 0.")
    return Reference(Path(match[1]), weight)


def references(given: Given | None, *, start: str | None = None, stop: str | None = None) -> References:
    """What the caller gives, as `References`. Strings may end in `:WEIGHT`; start, stop: times as `[[hh:]mm:]ss[.fff]`.

    Raises:
        UsageError: none, a weight or a time that is none, an end before the start.
    """
    if isinstance(given, References):
        return given
    if given is None:
        raise UsageError("no reference: give REF, a picture, a video or a palette (.json), or --map.")
    several = [given] if isinstance(given, str | Path) else list(given)
    items = tuple(parse_reference(one) if isinstance(one, str) else Reference(one) for one in several)
    if not items:
        raise UsageError("no reference: give REF, a picture, a video or a palette (.json).")
    begin, end = (None if t is None else parse_time(t, flag) for t, flag in ((start, "--ref-from"), (stop, "--ref-to")))
    if end is not None and end <= (begin or 0):
        raise UsageError(f"--ref-to {stop}: should lie after --ref-from {start or 0}.")
    return References(items, begin, end)


def map_for(
    path: Path, reference: References | None, ref_mask: Path | None, of_shots: tuple[Path | None, ...]
) -> MapFile:
    """Read a map for a run. of_shots: cuts and tracks that are given, none of which goes with a map.

    Raises:
        LookFileError: see `read_map`. UsageError: what is given beside the map contradicts it.
    """
    for given in of_shots:
        if given is not None:
            raise UsageError(f"--map {path}: has shots of its own. Leave {given} out.")
    if ref_mask is not None:
        raise UsageError(f"--ref-mask {ref_mask}: the map {path} has a reference of its own. Leave it out.")
    found = read_map(path)
    if reference is not None:
        made, asked = sorted(o.name for o in found.made_from), sorted(p.name for p in reference.paths)
        if made != asked:
            raise UsageError(
                f"--map {path}: was made for {' + '.join(made) or 'no reference'}, not {' + '.join(asked)}. "
                "Leave the reference out, or make a map for it with `streamct map`."
            )
    return found


def check_single(map: MapFile, path: Path, remedy: str = "Make a map with --whole") -> None:
    """Refuse a map of several shots where there is one picture or file. remedy: what else may be done.

    Raises:
        UsageError: it has several.
    """
    if len(map.shots) > 1:
        raise UsageError(
            f"--map {path}: has {len(map.shots)} shots, and one is wanted here. {remedy}, or keep one of its shots."
        )


def look(
    wanted: References,
    settings: Settings,
    mask: Path | None = None,
    network: DeepLab | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> Wanted:
    """Palettes of the references together.

    mask: a picture, white = foreground, of the only reference; it goes before the network.

    Raises:
        ReferenceError, LookFileError, MaskError: a file can't be read, or has no colours.
        UsageError: a mask for what takes none, a span without a video.
    """
    seen = [_Seen(item.path, wanted, settings, mask, network) for item in wanted.items]
    if mask is not None and (len(seen) > 1 or seen[0].kind != "picture"):
        raise UsageError(f"{mask}: a mask belongs to one picture; the references here are {wanted.name}. Leave it out.")
    if (wanted.start is not None or wanted.stop is not None) and all(one.kind != "video" for one in seen):
        raise UsageError(f"--ref-from, --ref-to: are for a reference video; {wanted.name} is none.")
    for one in seen:
        for line in one.warnings:
            warn(line)
    if len(seen) == 1:
        only = seen[0]
        return Wanted(only.palettes(), only.share, only.picture, only.segmenter, only.matte)
    used = dict.fromkeys(one.segmenter for one in seen if one.segmenter != "none")
    return Wanted(
        _together(seen, wanted, settings),
        _least_split(seen),
        _beside([one.picture for one in seen]),
        " + ".join(used) or "none",
        _mattes_beside(seen),
    )


class _Seen:
    """One reference, looked at."""

    def __init__(
        self, path: Path, wanted: References, settings: Settings, mask: Path | None, network: DeepLab | None
    ) -> None:
        self._settings = settings
        self._palettes: Palettes | None = None
        self._parts: tuple[Colours, Colours | None, Colours | None]
        self.share: float | None = None
        self.warnings: list[str] = []
        self.matte: NDArray[np.uint8] | None = None
        self.segmenter = "none" if mask is None and network is None else "matte" if network is None else network.name
        self.kind = "palette" if path.suffix.lower() == ".json" else "picture"
        if self.kind == "palette":
            self._read(path)
            return
        picture = _picture(path)
        if isinstance(picture, Clip):
            self.kind = "video"
            self._watch(picture, wanted, network)
            return
        self.picture = picture
        if mask is not None:
            self.matte, told = read_matte(mask)
            sides = [(line.shape[1], line.shape[0]) for line in (self.matte, picture)]
            self.warnings += [line for line in (told, stretched(mask, sides[0], sides[1:])) if line]
        elif network is not None:
            self.matte = picture_mask(picture, network)
        self._palettes, self.share = picture_look(picture, settings, self.matte)

    def palettes(self) -> Palettes:
        """Its own palettes."""
        assert self._palettes is not None
        return self._palettes

    def colours(self) -> tuple[Points, Points | None, Points | None]:
        """Weighted colours of the whole, the foreground and the background."""
        if self.kind == "palette":
            found = self.palettes()
            front, back = found.split or (None, None)
            sides = [as_points(side) if side is not None else None for side in (front, back)]
            return as_points(found.whole), sides[0], sides[1]
        if self.kind == "picture":
            matte = self.matte
            source = None if matte is None else lambda width, height: resized(matte, width, height)
            regions = sample_picture(self.picture, source, self._settings.palette, Counter())
            self._parts = (regions.whole, regions.foreground, regions.background)
        whole, front_, back_ = (None if p is None else add_colours([p], [1], Counter()) for p in self._parts)
        assert whole is not None
        split = self.palettes().split is not None
        return whole, front_ if split else None, back_ if split else None

    def _read(self, path: Path) -> None:
        document = read_palette(path)
        self._palettes, self.share, self.segmenter = document.read(), document.foreground_share, document.segmenter
        self.picture = swatches(self._palettes.whole)

    def _watch(self, clip: Clip, wanted: References, network: DeepLab | None) -> None:
        counter = Counter(wide=(clip.coding.transfer, clip.coding.primaries) != ("srgb", "bt709"))
        sampler = Sampler(clip.format, clip.coding, self._settings.palette)
        turns = quarter_turns(clip.display_matrix)
        regions: list[Regions] = []
        pictures = []
        decoded: list[int] = []
        for frame in spread_frames(clip, wanted.start, wanted.stop, decoded):
            mask = None
            picture = np.ascontiguousarray(np.rot90(frame_picture(clip, frame), turns))
            matte = None
            if network is not None:
                matte = picture_mask(picture, network)
                mask = np.ascontiguousarray(np.rot90(matte, -turns))
            found = sampler.count(sampler.look(frame), mask).regions
            if found.whole.total:
                regions.append(found)
                pictures.append((frame.pts, picture, matte))
        if not regions:
            raise ReferenceError(f"{clip.path}: has no colour to go by in that span; all of it is black. Give another.")
        if len(decoded) < PLACES:
            self.warnings.append(f"{clip.path}: {len(decoded)} frames were looked at, for its keyframes lie far apart")
        total = _sum([r.whole for r in regions], counter)
        assert total is not None
        sides = (_sum([r.foreground for r in regions], counter), _sum([r.background for r in regions], counter))
        self._parts = (total, *sides)
        whole, front, back = (None if p is None else add_colours([p], [1], counter) for p in self._parts)
        assert whole is not None
        split = None
        if front is not None and back is not None:
            self.share = front.total / max(front.total + back.total, 1)
            if SPLIT_SHARES[0] <= self.share <= SPLIT_SHARES[1]:
                split = (extract_joint(front, self._settings.palette), extract_joint(back, self._settings.palette))
        self._palettes = Palettes(extract_joint(whole, self._settings.palette), split)
        _, self.picture, self.matte = sorted(pictures, key=lambda p: p[0])[len(pictures) // 2]


def _picture(path: Path) -> NDArray[np.float32] | Clip:
    """What a file shows: a picture, or if it is none a clip."""
    ending = path.suffix.lower()
    if ending in CLIP_ENDINGS and ending not in ANIMATIONS and path.is_file():  # not read whole to see what it is
        try:
            return probe(path)
        except InputError as cause:
            raise ReferenceError(str(cause)) from cause
    try:
        return read_picture(path, ReferenceError).rgb
    except ReferenceError:
        if ending in PICTURE_EXTENSIONS or not path.is_file():
            raise
        try:
            return probe(path)
        except InputError:
            pass
        raise


def _sum(parts: Sequence[Colours | None], counter: Counter) -> Colours | None:
    held = [part for part in parts if part is not None]
    if not held:
        return None
    histograms = [part for part in held if isinstance(part, Histogram)]
    if histograms:
        return counter.add(histograms, [1] * len(histograms))
    return add_colours(held, [1] * len(held), counter)


def _together(seen: Sequence[_Seen], wanted: References, settings: Settings) -> Palettes:
    """One palette of all: the sum of their colours, each normalised and times its weight."""
    parts = list(zip(*(one.colours() for one in seen), strict=True))
    total = sum(item.weight for item in wanted.items)
    shares = [item.weight / total for item in wanted.items]

    def palette(points: Sequence[Points | None]) -> Palette | None:
        held = [_scaled(p, share) for p, share in zip(points, shares, strict=True) if p is not None]
        if len(held) < len(points):
            return None
        joined = Points(np.concatenate([p.lab for p in held]), np.concatenate([p.weights for p in held]))
        return extract_joint(joined, settings.palette)

    whole, front, back = (palette(part) for part in parts)
    assert whole is not None
    return Palettes(whole, (front, back) if front is not None and back is not None else None)


def _scaled(points: Points, share: float) -> Points:
    weights = np.rint(points.weights * (share * _SCALE / points.total)).astype(np.int64)
    held = weights > 0
    return Points(points.lab[held], weights[held])


def as_points(palette: Palette) -> Points:
    """A palette's colours, weighted."""
    return Points(palette.colours, np.maximum(np.rint(palette.weights * _SCALE).astype(np.int64), 1))


def _least_split(seen: Sequence[_Seen]) -> float | None:
    """The share that says whether the references have a split: of one without, if there is one."""
    shares = [one.share for one in seen]
    if any(share is None for share in shares):
        return None
    low, high = SPLIT_SHARES
    return min((s for s in shares if s is not None), key=lambda s: min(s - low, high - s))


def swatches(palette: Palette) -> NDArray[np.float32]:
    """A palette as a picture (288, 512, 3) float32 sRGB: upright bars as wide as their weights."""
    edges = np.rint(np.concatenate([[0.0], np.cumsum(palette.weights)]) * _SWATCH_COLUMNS).astype(int)
    colours = np.clip(lab_to_srgb(palette.colours), 0, 1)
    row = np.repeat(colours, np.diff(edges), axis=0).astype(np.float32)
    return np.ascontiguousarray(np.broadcast_to(row[None], (_SWATCH_ROWS, len(row), 3)))


def _mattes_beside(seen: Sequence[_Seen]) -> NDArray[np.uint8] | None:
    """The mattes of pictures that lie side by side; None where one has none."""
    mattes = []
    for one in seen:
        if one.matte is None:
            return None
        height, width = one.picture.shape[:2]
        mattes.append(resized(one.matte, max(1, round(width * _SWATCH_ROWS / height)), _SWATCH_ROWS))
    return np.concatenate(mattes, axis=1)


def _beside(pictures: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Pictures at one height, side by side."""
    out = []
    for picture in pictures:
        width = max(1, round(picture.shape[1] * _SWATCH_ROWS / picture.shape[0]))
        rows = np.minimum((np.arange(_SWATCH_ROWS) + 0.5) * picture.shape[0] / _SWATCH_ROWS, picture.shape[0] - 1)
        columns = np.minimum((np.arange(width) + 0.5) * picture.shape[1] / width, picture.shape[1] - 1)
        out.append(picture[rows.astype(int)][:, columns.astype(int)])
    return np.concatenate(out, axis=1)
