"""A map file -> the grades of a clip: one a shot, as the file says.

A map brings its shots, its palettes and its reference along, so nothing has to be analysed before the first frame is
graded. Within a shot nothing changes, as in the mode `shot`, so nothing can flicker. What is not held is computed from
the map's palettes by the settings of the run; what is held goes to its target.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from streamct.color.apply import Content
from streamct.color.colormap import ColorMap, color_map, constrained, shown_colours
from streamct.color.constraints import Held
from streamct.color.correspondence import Correspondence, correspond
from streamct.color.lut import Lut, LutGrid, mix
from streamct.errors import LookFileError
from streamct.grade.bake import ONE, Looked
from streamct.grade.cuts import ListedCuts
from streamct.grade.lookfile import (
    MapFile,
    MappedColour,
    MappedShot,
    ReferenceColour,
    Region,
    RegionMap,
    RegionReference,
    colour_of,
    listed,
)
from streamct.grade.mattes import Mattes
from streamct.grade.regions import Palettes
from streamct.grade.sample import Look
from streamct.grade.shots import Track
from streamct.grade.track import Grade
from streamct.model import Coding, FloatArray, Palette
from streamct.settings import MappingSettings, Settings

_SRGB = Coding("rgb", full_range=True)
_SIDES: dict[str, Region] = {"fg": "foreground", "bg": "background"}
_ALMOST = Fraction(1, 1000)
"""Seconds by which a written time may lie after its frame."""


def region_map(
    source: Palette | None,
    reference: Palette | None,
    held: Held,
    settings: MappingSettings,
    grid: LutGrid | None = None,
) -> ColorMap:
    """The map of one region. Without a palette on either side nothing moves but what is held.

    grid: of the Lut that the map is baked into, so that held colours come out of it as they should; None: sRGB, taken
    at its word.
    """
    if source is not None and reference is not None:
        base = color_map(correspond(source, reference, settings), settings)
    else:
        still = held.sources if source is None else source.colours
        base = color_map(Correspondence(still, still), settings)
    outcome = None if grid is None or grid.coding.lut is not None else grid.outcome
    return constrained(base, held, settings.strength, grid is None or _in_srgb(grid.coding), outcome)


def _in_srgb(coding: Coding) -> bool:
    return (coding.transfer, coding.primaries) == ("srgb", "bt709")


class MapBaker:
    """Makes the maps and Luts of a map file's shots. split: there are masks, so foreground and background may part."""

    def __init__(self, map: MapFile, settings: Settings, split: bool = True) -> None:
        self.map = map
        self._settings = settings.mapping
        self._split = split
        self.wanted = map.wanted()
        self._alone = settings.mapping.regions if split else "both"

    @property
    def splits(self) -> bool:
        """Whether foreground and background go apart anywhere, or one of them stays as it is."""
        return self._alone != "both" or any(self.apart(shot) for shot in self.map.shots)

    @property
    def cuts(self) -> ListedCuts | None:
        """Where the map's shots begin; None for a map of one, which says nothing of the clip's."""
        begun = frozenset(shot.start for shot in self.map.shots[1:])
        return ListedCuts(begun, frozenset()) if begun else None

    def cuts_from(self, first: int, time_base: Fraction) -> ListedCuts | None:
        """The same by time, for readers that begin anywhere. first: pts of the clip's first frame."""
        begun = [max(Fraction(shot.seconds) - _ALMOST, Fraction(0)) for shot in self.map.shots[1:]]
        return ListedCuts(ticks=frozenset(first + math.ceil(s / time_base) for s in begun)) if begun else None

    def apart(self, shot: MappedShot) -> int:
        """0..256: how far foreground and background of a shot are graded apart."""
        sides = [m for m in shot.mappings if m.region != "whole"]
        if not sides or not self._split or (self.wanted is not None and self.wanted.split is None):
            return 0
        return ONE if shot.apart is None else round(ONE * shot.apart)

    def mapping(self, shot: MappedShot, region: Region, grid: LutGrid | None = None) -> ColorMap | None:
        """The map of one region of a shot; None where the map file has none, for what is left as it is."""
        if region != "whole" and self._alone != "both":
            if region != _SIDES[self._alone]:
                return None
            if not self.apart(shot):
                region = "whole"
        found = shot.region(region)
        return None if found is None else region_map(
            found.palette, _part(self.wanted, region), found.held, self._settings, grid
        )  # fmt: skip

    def graded(self, shot: MappedShot) -> list[Region]:
        """The regions of a shot that have maps of their own: two where most of the way they go apart."""
        if self.apart(shot) < ONE // 2:
            return ["whole"]
        return ["foreground", "background"] if self._alone == "both" else [_SIDES[self._alone]]

    def reference(self, region: Region) -> Palette | None:
        """What a region is wanted to look like; None where the map does not say."""
        return _part(self.wanted, region)

    def luts(self, shot: MappedShot, grid: LutGrid) -> tuple[Lut, ...]:
        """One Lut, or those of foreground and background; a region that is not to be graded keeps its colours."""
        luts = self._luts(shot, grid)
        if self._alone == "both":
            return luts
        return (luts[0], grid.identity) if self._alone == "fg" else (grid.identity, luts[-1])

    def _luts(self, shot: MappedShot, grid: LutGrid) -> tuple[Lut, ...]:
        blend = self.apart(shot)
        whole = self._lut(shot, "whole", grid) if blend < ONE else None
        if blend == 0:
            return (whole or grid.identity,)
        sides = [self._lut(shot, side, grid) for side in ("foreground", "background")]
        return tuple(side if whole is None else mix([side, whole], [blend, ONE - blend]) for side in sides)

    def _lut(self, shot: MappedShot, region: Region, grid: LutGrid) -> Lut:
        mapping = self.mapping(shot, region, grid)
        return grid.identity if mapping is None else grid.bake(mapping)


class Mapped:
    """Gives a clip's grades, frame by frame.

    size: (width, height) of the clip; a map made of a larger or smaller copy fits too. mattes: what makes the masks of
    the clip while it is rendered; None where there are none, or the user gives them. Then `push` takes frame
    numbers, else looks. only: numbers of the frames whose grades are wanted, None for all.
    """

    def __init__(
        self, path: Path, baker: MapBaker, grid: LutGrid, size: tuple[int, int], mattes: Mattes | None,
        only: Container[int] | None = None,
    ) -> None:  # fmt: skip
        self._path = path
        self._baker = baker
        self._grid = grid
        self._size = size
        self._mattes = mattes
        self._only = only
        self._shot = 0
        self._luts: tuple[Lut, ...] | None = None
        self._next = 0

    def push(self, seen: int | Look) -> Iterator[Grade]:
        """Take the next frame; gives the grades that are now known.

        Raises:
            LookFileError: the clip has more frames than the map.
        """
        if self._mattes is None or not isinstance(seen, Look):
            yield from self._grade(seen if isinstance(seen, int) else seen.index, None)
            return
        for look, mask in self._mattes.push(seen):
            yield from self._grade(look.index, mask)

    def finish(self) -> Iterator[Grade]:
        """The clip has ended: gives the rest.

        Raises:
            LookFileError: the clip has fewer frames than the map.
        """
        if self._mattes is not None:
            for look, mask in self._mattes.finish():
                yield from self._grade(look.index, mask)
        stop = self._baker.map.shots[-1].stop
        if self._only is None and stop is not None and self._next < stop:
            raise LookFileError(f"{self._path}: has shots up to frame {stop}, but the clip has {self._next}. {_REMEDY}")

    def _grade(self, index: int, mask: np.ndarray | None) -> Iterator[Grade]:
        shots = self._baker.map.shots
        while (stop := shots[self._shot].stop) is not None and index >= stop:
            if self._shot + 1 == len(shots):
                raise LookFileError(f"{self._path}: has shots up to frame {stop}, but the clip goes on. {_REMEDY}")
            self._shot, self._luts = self._shot + 1, None
        self._next = index + 1
        if self._only is None or index in self._only:
            shot = shots[self._shot]
            if self._luts is None:
                self._luts = self._baker.luts(shot, self._grid)
            yield Grade(self._luts, content(self._baker.map, shot, self._size), mask)


_REMEDY = "Give the clip that it was made of, or make a map with --whole, which fits any clip."


def content(map: MapFile, shot: MappedShot, size: tuple[int, int]) -> Content | None:
    """The picture inside a shot's black borders in a clip of size (width, height); all of it by default."""
    if shot.picture is None:
        return Content(0, size[1], 0, size[0]) if shot.mappings else None
    top, bottom, left, right = shot.picture
    made = (map.input.width, map.input.height) if map.input is not None else size
    if made == size:
        return Content(top, bottom, left, right)
    columns, rows = Fraction(size[0], made[0]), Fraction(size[1], made[1])
    lower, farther = min(_even(bottom * rows), size[1]), min(_even(right * columns), size[0])
    return Content(_even(top * rows), lower, _even(left * columns), farther)


def _even(value: Fraction) -> int:
    """The next even number: chroma samples stand for two."""
    return 2 * round(value / 2)


def shot_at(map: MapFile, seconds: Fraction) -> MappedShot:
    """The shot that is on at a time after the clip's first frame."""
    begun = [shot for shot in map.shots if Fraction(shot.seconds) <= seconds + _ALMOST]
    return begun[-1] if begun else map.shots[0]


def shown_palette(map: RegionMap) -> Palette:
    """All colours of a map, those that a user added too (with the least weight of the others), to be looked at."""
    weights = np.array([c.weight for c in map.colours])
    least = weights[weights > 0].min() if (weights > 0).any() else 1.0
    weights = np.where(weights > 0, weights, least)
    order = np.argsort(-weights, kind="stable")
    return Palette(np.array([map.colours[k].source.value for k in order]), weights[order] / weights.sum())


def reference_of(wanted: Palettes) -> list[RegionReference]:
    """A reference's palettes as a map writes them."""
    parts: list[tuple[Region, Palette]] = [("whole", wanted.whole)]
    if wanted.split is not None:
        parts += [("foreground", wanted.split[0]), ("background", wanted.split[1])]
    return [RegionReference(region=name, colours=listed(p, ReferenceColour)) for name, p in parts]


def shots_of(
    track: Track, wanted: Palettes, settings: Settings, coding: Coding, seconds: Sequence[float], open_end: bool
) -> list[MappedShot]:
    """A track's shots as a map writes them; targets are what comes out at full strength.

    seconds: of each shot's first frame. open_end: the last shot goes on to the end, however long the clip is.
    """
    out = []
    for k, (shot, begin) in enumerate(zip(track.shots, seconds, strict=True)):
        stop = None if open_end and k + 1 == len(track.shots) else shot.stop
        edges = None
        if shot.content is not None:
            edges = (shot.content.top, shot.content.bottom, shot.content.left, shot.content.right)
        maps, apart = mappings_of(shot.looked, wanted, settings, coding)
        out.append(MappedShot(start=shot.start, stop=stop, seconds=begin, picture=edges, apart=apart, mappings=maps))
    return out


def mappings_of(
    looked: Looked, wanted: Palettes, settings: Settings, coding: Coding = _SRGB
) -> tuple[list[RegionMap], float | None]:
    """The maps of what some frames look like, and how far foreground and background are graded apart."""
    sides: tuple[Palette | None, Palette | None] = (None, None)
    if wanted.split is not None and looked.sides is not None:
        sides = looked.sides
    parts: list[tuple[Region, Palette | None]] = [
        ("whole", looked.whole), ("foreground", sides[0]), ("background", sides[1])
    ]  # fmt: skip
    full = settings.mapping.model_copy(update={"strength": 1.0})
    maps = [
        RegionMap(region=name, colours=_mapped(own, _part(wanted, name), full, coding))
        for name, own in parts
        if own is not None
    ]
    return maps, None if len(maps) < 2 else looked.split / ONE


def _mapped(own: Palette, reference: Palette | None, full: MappingSettings, coding: Coding) -> list[MappedColour]:
    mapping = region_map(own, reference, Held(np.empty((0, 3)), np.empty((0, 3))), full)
    targets: FloatArray = shown_colours(mapping, own.colours, _in_srgb(coding))
    out = []
    for source, weight, target in zip(own.colours, own.weights.tolist(), targets, strict=True):
        goal = colour_of(target)
        out.append(
            MappedColour(
                source=colour_of(source), weight=weight, automatic=goal, target=goal.model_dump(), locked=False
            )
        )
    return out


def _part(palettes: Palettes | None, region: Region) -> Palette | None:
    if palettes is None or region == "whole":
        return None if palettes is None else palettes.whole
    return None if palettes.split is None else palettes.split[0 if region == "foreground" else 1]
