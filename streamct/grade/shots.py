"""FrameSamples in, one grade a shot out: the mode `shot`.

One pass over a clip finds its shots and their palettes (`ShotFinder`); the grades follow from these, a reference and
the settings (`ShotGrades`), and are replayed over the clip in a second pass (`Replay`). Within a shot nothing changes,
so nothing can flicker. What the first pass found may be kept in a file (`streamct.grade.trackfile`).
"""

from __future__ import annotations

import zlib
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from streamct.color.apply import Content
from streamct.color.histogram import Counter, Histogram
from streamct.color.lut import Lut
from streamct.errors import TrackError
from streamct.grade.bake import Baker, Looked
from streamct.grade.borders import union
from streamct.grade.cuts import LOOK, Cuts, ListedCuts
from streamct.grade.foreground import Foreground
from streamct.grade.regions import Colours, Regions
from streamct.grade.sample import FrameSample
from streamct.grade.track import Grade
from streamct.model import Span
from streamct.segment import Mask

_GATHERED = 16


@dataclass(frozen=True, slots=True)
class Shot:
    """Frames [start, stop) of one shot. pts: of its first frame. content: the picture inside the black border, None
    where all of it is black. looked: its palettes."""

    start: int
    stop: int
    pts: int
    content: Content | None
    looked: Looked


@dataclass(frozen=True, slots=True)
class Track:
    """What is known of a clip: its shots, in order and without gaps, and the mask of each frame where a segmenter made
    them (deflated, at proxy size; empty without). foreground: what was counted of them, None of a track that was read.
    """

    shots: tuple[Shot, ...]
    masks: tuple[bytes, ...] = ()
    mask_shape: tuple[int, int] = (0, 0)
    foreground: Foreground | None = field(default=None, compare=False)

    @property
    def frames(self) -> int:
        """How many frames the clip has."""
        return self.shots[-1].stop if self.shots else 0

    def mask(self, index: int) -> Mask | None:
        """Foreground weights (h, w) of one frame, as they were counted."""
        if not self.masks:
            return None
        return np.frombuffer(zlib.decompress(self.masks[index]), np.uint8).reshape(self.mask_shape)


class ShotFinder:
    """Takes a clip's samples, in order, and adds up each shot's colours; memory does not grow with a shot's length.

    keep_masks: whether the track holds the masks. whole: all shots count as one.
    """

    def __init__(
        self, baker: Baker, cuts: ListedCuts | None = None, keep_masks: bool = False, whole: bool = False
    ) -> None:
        self._baker = baker
        self._cuts = Cuts(cuts)
        self._keep_masks = keep_masks
        self._whole = whole
        self._joined = 0
        self._counter = Counter()
        self._samples: dict[int, FrameSample] = {}
        self._next = self._pushed = 0
        self._shots: list[Shot] = []
        self._begin: FrameSample | None = None
        self._waiting: list[FrameSample] = []
        self._sums: dict[bool, Regions] = {}
        self._content: Content | None = None
        self._masks: list[bytes] = []
        self._shape = (0, 0)
        self._foreground = Foreground()

    def push(self, sample: FrameSample, mask: Mask | None = None) -> None:
        """Take the next frame's sample, and the mask it was counted with."""
        self._samples[sample.index] = sample
        self._pushed = sample.index + 1
        self._foreground.count(sample)
        if self._keep_masks and mask is not None:
            self._shape = (mask.shape[0], mask.shape[1])
            self._masks.append(zlib.compress(mask.tobytes(), 1))
        while self._next + LOOK < self._pushed:
            self._advance()

    @property
    def closed(self) -> int:
        """How many frames lie in shots that have ended so far."""
        return self._shots[-1].stop if self._shots else 0

    def finish(self) -> Track:
        """The clip has ended."""
        while self._next < self._pushed:
            self._advance()
        self._close()
        self._foreground.split = any(shot.looked.split for shot in self._shots)
        return Track(tuple(self._shots), tuple(self._masks), self._shape, self._foreground)

    def _advance(self) -> None:
        sample = self._samples[self._next]
        if self._begin is None or (self._next > 0 and self._cuts.at(self._next, self._samples)):
            self._joined += 1
            if self._begin is None or not self._whole:
                self._close()
                self._begin = sample
        self._waiting.append(sample)
        if len(self._waiting) == _GATHERED:
            self._gather()
        self._next += 1
        self._samples.pop(self._next - LOOK - 1, None)
        self._cuts.forget(self._next - 1)

    def _close(self) -> None:
        """The shot ends before frame `_next`."""
        if self._begin is None:
            return
        self._gather()
        sums = list(self._sums.values())
        looked = self._baker.look(sums, [1] * len(sums), whole=True, joint=self._whole and self._joined > 1)
        self._shots.append(Shot(self._begin.index, self._next, self._begin.pts, self._content, looked))
        self._begin, self._content, self._sums = None, None, {}

    def _gather(self) -> None:
        """Add the waiting frames' colours to their shot's: those with a mask and those without by themselves."""
        self._content = union([self._content, *(s.content for s in self._waiting)])
        for masked in (True, False):
            regions = [s.regions for s in self._waiting if (s.regions.foreground is not None) == masked]
            if not regions:
                continue
            if masked in self._sums:
                regions.append(self._sums[masked])
            whole = self._sum([r.whole for r in regions])
            if masked:
                sides = [self._sum([r.foreground for r in regions]), self._sum([r.background for r in regions])]
                self._sums[masked] = Regions(whole, sides[0], sides[1], sides[0].total / max(whole.total, 1))
            else:
                self._sums[masked] = Regions(whole)
        self._waiting = []

    def _sum(self, parts: Iterable[Colours | None]) -> Histogram:
        histograms = [part for part in parts if isinstance(part, Histogram)]
        return self._counter.add(histograms, [1] * len(histograms))


class Replay:
    """Gives the grades of a track's frames one by one; what is pushed does not matter.

    span: the frames that are pushed, None for all. only: numbers of the frames whose grades are wanted, of which the
    last need not be the track's; None for all that are pushed.
    """

    def __init__(
        self, track: Track, baker: Baker, span: Span | None = None, only: Container[int] | None = None
    ) -> None:
        self._only = only
        self._track = track
        self._baker = baker
        self._next = 0 if span is None else span.start
        self._stop = track.frames if span is None else span.stop
        self._at = next((at for at, shot in enumerate(track.shots) if self._next < shot.stop), 0)
        self._luts = self._baked(self._at) if track.shots else ()

    def push(self, _: object) -> Iterator[Grade]:
        """The next frame's grade.

        Raises:
            TrackError: the clip has more frames than the track.
        """
        shots = self._track.shots
        if self._next >= self._track.frames:
            raise TrackError(f"the clip has more frames than its track, {self._track.frames}. Make the track again.")
        if self._next == shots[self._at].stop:
            self._at += 1
            self._luts = self._baked(self._at)
        index, self._next = self._next, self._next + 1
        if self._only is None or index in self._only:
            yield Grade(self._luts, shots[self._at].content, self._track.mask(index))

    def _baked(self, shot: int) -> tuple[Lut, ...]:
        return tuple(lut.at(None) for lut in self._baker.luts(self._track.shots[shot].looked))

    def finish(self) -> Iterator[Grade]:
        """Nothing is left.

        Raises:
            TrackError: the clip has fewer frames than the track.
        """
        if self._only is None and self._next < self._stop:
            raise TrackError(f"the clip has {self._next} frames, its track {self._track.frames}. Make the track again.")
        yield from ()
