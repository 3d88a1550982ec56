"""Counted colours -> the palettes of one grade -> its Luts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamct.color.colormap import color_map
from streamct.color.correspondence import correspond
from streamct.color.histogram import Counter
from streamct.color.lut import Blend, LutGrid, LutSource
from streamct.color.palette import extract, extract_joint
from streamct.grade.regions import SPLIT_SHARES, Colours, Palettes, Regions, add_colours
from streamct.model import Palette
from streamct.settings import Settings

_RAMP = 0.02
ONE = 256
"""A split that is complete."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What some frames together look like: all that their grade is made from.

    whole: their palette; None where nothing was counted (black frames) or where `split` is all that counts. sides:
    palettes of foreground and background, None without a split; one side may have no colour. split: 0..256, how far
    the two are graded apart.
    """

    whole: Palette | None
    sides: tuple[Palette | None, Palette | None] | None = None
    split: int = 0


class Baker:
    """Makes Luts towards one reference; one thread."""

    def __init__(self, reference: Palettes, grid: LutGrid, settings: Settings) -> None:
        self._reference = reference
        self._grid = grid
        self._settings = settings
        self._counter = Counter()

    def look(
        self, regions: Sequence[Regions], weights: Sequence[int], whole: bool = False, joint: bool = False
    ) -> Looked:
        """Palettes of the weighted sum of some frames. whole: also where foreground and background are all that
        counts, or where the reference has no split: for grading towards another one. joint: they are of several shots,
        see `extract_joint`."""
        blend = self._split(regions, weights) if whole or self._reference.split is not None else 0
        palette = None
        if whole or blend < ONE:
            palette = self._palette([r.whole for r in regions], weights, joint)
        if blend == 0:
            return Looked(palette)
        parts = ([r.foreground for r in regions], [r.background for r in regions])
        front, back = (self._palette(part, weights, joint) for part in parts)
        return Looked(palette, (front, back), blend)

    def luts(self, looked: Looked) -> tuple[LutSource, ...]:
        """One Lut, or those of foreground and background; a region that is not to be graded keeps its colours.

        They are not baked yet."""
        luts = self._luts(looked)
        regions = self._settings.mapping.regions
        if regions == "both":
            return luts
        return (luts[0], self._grid.identity) if regions == "fg" else (self._grid.identity, luts[-1])

    def _luts(self, looked: Looked) -> tuple[LutSource, ...]:
        blend = looked.split if self._reference.split is not None and looked.sides is not None else 0
        whole = self._lut(looked.whole, self._reference.whole) if blend < ONE else None
        if blend == 0 or looked.sides is None or self._reference.split is None:
            return (whole or self._grid.identity,)
        sides = [self._lut(own, wanted) for own, wanted in zip(looked.sides, self._reference.split, strict=True)]
        return tuple(side if whole is None else Blend([side, whole], [blend, ONE - blend]) for side in sides)

    def _palette(self, colours: Sequence[Colours | None], weights: Sequence[int], joint: bool) -> Palette | None:
        held = [(part, weight) for part, weight in zip(colours, weights, strict=True) if part is not None]
        points = add_colours([part for part, _ in held], [weight for _, weight in held], self._counter)
        make = extract_joint if joint else extract
        return make(points, self._settings.palette) if len(points.lab) else None

    def _lut(self, source: Palette | None, reference: Palette) -> LutSource:
        if source is None:
            return self._grid.identity
        mapping = self._settings.mapping
        return self._grid.baking(color_map(correspond(source, reference, mapping), mapping))

    @staticmethod
    def _split(regions: Sequence[Regions], weights: Sequence[int]) -> int:
        """0..256: how far foreground and background are graded apart; fades at the ends of `SPLIT_SHARES`.

        The share is that of all counted pixels of the frames with a mask, so black frames don't weigh.
        """
        front = whole = 0
        for part, weight in zip(regions, weights, strict=True):
            if part.foreground is not None:
                front += weight * part.foreground.total
                whole += weight * part.whole.total
        share = front / max(whole, 1)
        inside = min(share - SPLIT_SHARES[0], SPLIT_SHARES[1] - share)
        return round(ONE * min(max(inside / _RAMP, 0.0), 1.0))
