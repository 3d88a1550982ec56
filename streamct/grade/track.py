"""FrameSamples in, Grades out: a streaming grader with finite support.

The grade of frame t is made from samples t-D..t+D only, D = `delay`: Luts baked at *knots* from histograms of
+-radius frames, averaged over the knots within +-radius, all within t's shot. So it does not matter where
the stream began or who computed it.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from streamct.color.apply import Content
from streamct.color.lut import Blend, Lut, LutGrid, LutSource
from streamct.grade.bake import Baker
from streamct.grade.borders import union
from streamct.grade.cuts import LOOK, Cuts, ListedCuts
from streamct.grade.regions import Palettes
from streamct.grade.sample import FrameSample
from streamct.settings import Settings

_FINEST = 16


@dataclass(frozen=True, slots=True)
class Grade:
    """What is done to one frame. luts: one for the frame, or foreground and background; right in the columns that
    the frame needs. content: the picture
    inside the black border, None for a black frame, which passes untouched. mask: foreground weights 0..255 as
    they were counted, at proxy size, where there are any."""

    luts: tuple[Lut, ...]
    content: Content | None
    mask: NDArray[np.uint8] | None = None


class Grader:
    """Turns a clip's samples, pushed in order, into grades, which come out in order.

    For the modes `window` and `off`; `shot` is graded by `streamct.grade.shots`. knot_ticks: pts between knots, at the
    average rate; None sets knots by frame number. cuts: where the user says shots begin; None: they are found. only:
    numbers of the frames whose grades are wanted; None for all.
    """

    def __init__(
        self,
        reference: Palettes,
        grid: LutGrid,
        settings: Settings,
        knot_ticks: Fraction | None = None,
        cuts: ListedCuts | None = None,
        only: Container[int] | None = None,
    ) -> None:
        steady = settings.time.mode == "window"
        self._baker = Baker(reference, grid, settings)
        self._radius = settings.time.radius if steady else 0
        self._spacing = min(settings.time.knot_spacing, max(self._radius, 1)) if steady else 1
        self._ticks = knot_ticks
        self._only = only
        self.delay = 2 * self._radius + LOOK if steady else 0
        self._samples: dict[int, FrameSample] = {}
        self._cuts = Cuts(cuts)
        self._levels: dict[int, int] = {}
        self._knot_at: dict[int, bool] = {}
        self._knots: dict[int, tuple[LutSource, ...]] = {}
        self._first: int | None = None
        self._pushed = 0
        self._next = 0
        self._ended = False

    def push(self, sample: FrameSample) -> Iterator[Grade]:
        """Take the next frame's sample; yields the grades that are now determined."""
        if self._first is None:
            self._first = self._next = sample.index
        self._samples[sample.index] = sample
        self._pushed = sample.index + 1
        yield from self._ready()

    def finish(self) -> Iterator[Grade]:
        """The clip has ended: yields the remaining grades."""
        self._ended = True
        yield from self._ready()

    def _ready(self) -> Iterator[Grade]:
        while self._next < self._pushed and (self._ended or self._next + self.delay < self._pushed):
            if self._only is None or self._next in self._only:
                yield self._grade(self._next)
            self._next += 1
            self._forget()

    def _forget(self) -> None:
        """Drop what no later frame's grade needs: Luts from beyond its window, samples from beyond theirs."""
        for index in [i for i in self._knots if i < self._next - self._radius]:
            del self._knots[index]
        for index in [i for i in self._samples if i < self._next - self.delay - 1]:
            del self._samples[index]
            self._cuts.forget(index)
            self._levels.pop(index, None)
            self._knot_at.pop(index, None)

    def _grade(self, index: int) -> Grade:
        shot = self._window(index)
        content = union(self._samples[i].content for i in shot)
        knots = [i for i in shot if self._has_knot(i)] or [index]
        weights = [self._radius + 1 - abs(i - index) for i in knots]
        luts = [self._knot(i) for i in knots]
        sides = range(max(len(lut) for lut in luts))
        parts = [Blend([lut[min(side, len(lut) - 1)] for lut in luts], weights) for side in sides]
        return Grade(tuple(part.at(self._samples[index].columns) for part in parts), content)

    def _window(self, index: int) -> range:
        """Frames within the radius that belong to the same shot."""
        low = high = index
        while low > index - self._radius and low > self._first_index() and not self._is_cut(low):
            low -= 1
        while high < index + self._radius and high + 1 < self._pushed and not self._is_cut(high + 1):
            high += 1
        return range(low, high + 1)

    def _first_index(self) -> int:
        return self._first if self._first is not None else 0

    def _is_cut(self, index: int) -> bool:
        return self._cuts.at(index, self._samples)

    def _has_knot(self, index: int) -> bool:
        """Whether a frame within the radius is a knot; by now all that decides on it is known."""
        if index not in self._knot_at:
            self._knot_at[index] = self._is_knot(index)
        return self._knot_at[index]

    def _is_knot(self, index: int) -> bool:
        """Knots lie where the clock passes a multiple of `knot_ticks`. Frames that follow each other so fast that
        no such knot is near have one where they pass the coarsest fraction (1/2, 1/4, ...) of it nearby."""
        if self._spacing == 1 or index == self._first_index() or self._is_cut(index):
            return True
        if self._ticks is None:
            return index % self._spacing == 0
        level, reach = self._level(index), self._spacing // 2
        near = range(max(index - reach, self._first_index() + 1), min(index + reach + 1, self._pushed))
        return level == 0 or all(self._level(i) > level for i in near if i != index)

    def _level(self, index: int) -> int:
        """The least n for which a multiple of knot_ticks / 2^n lies between this frame and the one before."""
        if index not in self._levels:
            ticks = self._ticks or Fraction(1)
            before, here = self._samples[index - 1].pts / ticks, self._samples[index].pts / ticks
            self._levels[index] = next((n for n in range(_FINEST) if before * 2**n // 1 != here * 2**n // 1), _FINEST)
        return self._levels[index]

    def _knot(self, index: int) -> tuple[LutSource, ...]:
        if index not in self._knots:
            self._knots[index] = self._baked(index)
        return self._knots[index]

    def _baked(self, index: int) -> tuple[LutSource, ...]:
        shot = self._window(index)  # all alike: a tent would see half as far, and the Luts' own tent smooths the edges
        return self._baker.luts(self._baker.look([self._samples[i].regions for i in shot], [1] * len(shot)))
