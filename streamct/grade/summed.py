"""The colours of whole shots, or of a whole clip, from its frames' samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streamct.color.histogram import Counter, Histogram
from streamct.grade.cuts import LOOK, is_cut
from streamct.grade.regions import Colours, Regions, add_colours
from streamct.grade.sample import FrameSample

_PENDING = 64
"""Histograms that wait before they are added up; and the most frames whose pixels are kept one by one."""


@dataclass(frozen=True, slots=True)
class Shot:
    """Frames [start, stop) that follow each other without a cut, and their colours.

    first: pts of frame `start`; last: pts of frame `stop - 1`. regions: sums over the frames. joined: how many shots
    were taken as one.
    """

    start: int
    stop: int
    first: int
    last: int
    regions: Regions
    joined: int = 1


class ShotSum:
    """Adds up samples, pushed in order, shot by shot. apart: False takes the whole clip as one shot.

    Histograms are added exactly, frame for frame. Where pixels are kept instead (`palette.bins = range`), at most 64
    frames a shot count, at even distances.
    """

    def __init__(self, apart: bool) -> None:
        self._apart = apart
        self._counter = Counter()
        self._samples: list[FrameSample] = []
        self._decided = 0
        self._held: list[FrameSample] = []
        self._step = 1
        self._joined = 1
        self._whole = _Sum(self._counter)
        self._sides = (_Sum(self._counter), _Sum(self._counter))
        self._bounds: tuple[FrameSample, FrameSample] | None = None

    def push(self, sample: FrameSample) -> Iterator[Shot]:
        """Take the next frame's sample; yields the shot that is now known to be complete, if any."""
        self._samples.append(sample)
        if len(self._samples) - self._decided > LOOK:
            yield from self._decide()

    def finish(self) -> Iterator[Shot]:
        """The clip has ended: yields the rest."""
        while self._decided < len(self._samples):
            yield from self._decide()
        if self._bounds is not None:
            yield self._closed()

    def _decide(self) -> Iterator[Shot]:
        sample = self._samples[self._decided]
        if self._bounds is not None:
            near = self._samples[: self._decided + LOOK + 1]
            if is_cut([s.change for s in near], self._decided, [s.earlier for s in near]):
                if self._apart:
                    yield self._closed()
                else:
                    self._joined += 1
        self._take(sample)
        self._decided += 1
        if self._decided > LOOK:
            self._samples.pop(0)
            self._decided -= 1

    def _take(self, sample: FrameSample) -> None:
        self._bounds = (sample if self._bounds is None else self._bounds[0], sample)
        if isinstance(sample.regions.whole, Histogram):
            self._add(sample)
            return
        if (sample.index - self._bounds[0].index) % self._step == 0:
            self._held.append(sample)
        if len(self._held) > _PENDING:
            self._held = self._held[::2]
            self._step *= 2

    def _add(self, sample: FrameSample) -> None:
        self._whole.add(sample.regions.whole)
        for side, part in zip(self._sides, (sample.regions.foreground, sample.regions.background), strict=True):
            if part is not None:
                side.add(part)

    def _closed(self) -> Shot:
        assert self._bounds is not None
        for sample in self._held:
            self._add(sample)
        first, last = self._bounds
        whole = self._whole.taken()
        front, back = (side.taken() for side in self._sides)
        assert whole is not None
        share = 1.0
        if front is not None and back is not None:
            share = front.total / max(front.total + back.total, 1)
        self._held, self._step, self._bounds = [], 1, None
        regions = Regions(whole, front, back, share)
        return Shot(first.index, last.index + 1, first.pts, last.pts, regions, self._joined)


class _Sum:
    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._parts: list[Colours] = []

    def add(self, part: Colours) -> None:
        self._parts.append(part)
        if len(self._parts) > _PENDING and isinstance(part, Histogram):
            self._parts = [self._joined()]

    def taken(self) -> Colours | None:
        if not self._parts:
            return None
        joined = self._joined()
        self._parts = []
        return joined

    def _joined(self) -> Colours:
        histograms = [part for part in self._parts if isinstance(part, Histogram)]
        if histograms:
            return self._counter.add(histograms, [1] * len(histograms))
        return add_colours(self._parts, [1] * len(self._parts), self._counter)
