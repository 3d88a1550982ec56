"""Looks in, looks with masks out, in order: a streaming source of steady mattes with finite support.

The mask of frame t is made from the network's masks of frames t-D..t+D only, within t's shot. Which frames the
network sees is keyed on pts, so that it does not matter where the stream began.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from fractions import Fraction
from typing import Protocol

import numpy as np

from streamct.grade.cuts import LOOK, Cuts, ListedCuts
from streamct.grade.sample import Look
from streamct.model import Frame
from streamct.segment import GivenMattes, Mask, Probabilities, Segmenter
from streamct.segment.steady import firmed, steadied
from streamct.segment.upsample import upsampled

_LONGEST = 4
"""In units of `every`: how far back the start of a run of frames in one interval of time is looked for."""


class Mattes(Protocol):
    """The masks of one clip.

    support: how many frames on either side a mask depends on. delay: how many frames later than its look a mask
    may come, batches included.
    """

    name: str
    support: int
    delay: int

    def push(self, look: Look) -> Iterator[tuple[Look, Mask | None]]:
        """Take the next look; yields those whose masks are now known. None: no split."""

    def finish(self) -> Iterator[tuple[Look, Mask | None]]:
        """The clip has ended: yields the rest."""

    def full(self, frame: Frame, mask: Mask | None) -> Mask | None:
        """The mask at the frame's full size; `mask` is what came with its look. Called from several threads."""

    def close(self) -> None:
        """Stop working, also where not everything was asked for."""


class Given:
    """Mattes that the user gives, as they are."""

    support = delay = 0

    def __init__(self, mattes: GivenMattes) -> None:
        self.name = mattes.name
        self._mattes = mattes

    def push(self, look: Look) -> Iterator[tuple[Look, Mask | None]]:
        """The look, with its matte at the size of its proxy."""
        height, width = look.rgb.shape[:2]
        yield look, self._mattes.mask(look.index, width, height)

    def finish(self) -> Iterator[tuple[Look, Mask | None]]:
        """Nothing is left."""
        yield from ()

    def full(self, frame: Frame, mask: Mask | None) -> Mask | None:
        """The matte itself."""
        height, width = frame.planes[0].shape
        return self._mattes.mask(frame.index, width, height)

    def close(self) -> None:
        """Let go of the file."""
        self._mattes.close()


class Replayed:
    """Masks of a run before this one, which come with the grades."""

    support = delay = 0

    def __init__(self, name: str) -> None:
        self.name = name

    def push(self, look: Look) -> Iterator[tuple[Look, Mask | None]]:
        """The look, without a mask."""
        yield look, None

    def finish(self) -> Iterator[tuple[Look, Mask | None]]:
        """Nothing is left."""
        yield from ()

    def full(self, frame: Frame, mask: Mask | None) -> Mask | None:
        """The mask at full size, its edges along the frame's."""
        return None if mask is None else upsampled(mask, frame.planes[0], frame.format.depth)

    def close(self) -> None:
        """Nothing to stop."""


class Segmented:
    """Mattes by a network, in batches, one of which is under way while the next one fills.

    every: the network sees the first frame of each interval of `ticks` pts (None: each `every`-th frame), frames
    at most `every` apart in any case, and the first and last of a shot. radius: frames on each side that steady a
    mask, beyond `every`. turns: quarter turns, anticlockwise, that set the picture upright. cuts: where the user says
    shots begin.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        *,
        radius: int,
        every: int,
        ticks: Fraction | None = None,
        turns: int = 0,
        cuts: ListedCuts | None = None,
    ) -> None:
        self.name = segmenter.name
        self._segmenter = segmenter
        self._every = every
        self._ticks = ticks
        self._turns = turns
        self._reach = radius + every - 1
        self.support = self._reach + LOOK + 1 + (_LONGEST * every if every > 1 else 0)
        self._batch = segmenter.batch  # which may become smaller where memory is short: that is its own affair
        self.delay = self._reach + LOOK + 1 + 2 * self._batch * every
        self._looks: dict[int, Look] = {}
        self._cuts = Cuts(cuts)
        self._masks: dict[int, Mask] = {}
        self._waiting: list[int] = []
        self._flight: tuple[list[int], Future[Probabilities]] | None = None
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="streamct-segment")
        self._context = copy_context()  # of the job, whose share of the cores the network should keep to
        self._first: int | None = None
        self._pushed = self._decided = self._next = 0
        self._ended = False

    def push(self, look: Look) -> Iterator[tuple[Look, Mask | None]]:
        """Take the next look; its `small` proxy is needed."""
        assert look.small is not None
        if self._first is None:
            self._first = self._decided = self._next = look.index
        self._looks[look.index] = look
        self._pushed = look.index + 1
        yield from self._advance()

    def finish(self) -> Iterator[tuple[Look, Mask | None]]:
        """The clip has ended: yields the rest."""
        self._ended = True
        yield from self._advance()
        self.close()

    def full(self, frame: Frame, mask: Mask | None) -> Mask | None:
        """The mask at full size, its edges along the frame's."""
        assert mask is not None
        return upsampled(mask, frame.planes[0], frame.format.depth)

    def close(self) -> None:
        """Wait for the batch under way, if any, and end the thread."""
        self._worker.shutdown(wait=True, cancel_futures=True)

    def _advance(self) -> Iterator[tuple[Look, Mask | None]]:
        while self._decided < self._pushed and (self._ended or self._decided + LOOK + 2 <= self._pushed):
            if self._is_seen(self._decided):
                self._waiting.append(self._decided)
            self._decided += 1
            if len(self._waiting) == self._batch:
                self._send()
        if self._ended:
            if self._waiting:
                self._send()
            self._collect()
        while self._next < self._pushed and (self._ended or self._next + self._reach < self._decided):
            shot = self._window(self._next)
            if self._outstanding() < shot.stop:
                return
            yield self._looks[self._next], self._steady(self._next, shot)
            self._next += 1
            self._forget(self._next - self._reach - LOOK - _LONGEST * self._every - 1)

    def _outstanding(self) -> int:
        """The first frame whose mask is asked for but not here."""
        asked = (self._flight[0] if self._flight else []) + self._waiting
        return asked[0] if asked else self._pushed

    def _send(self) -> None:
        self._collect()
        numbers, self._waiting = self._waiting, []
        proxies = np.stack([np.rot90(self._small(i), self._turns) for i in numbers])
        self._flight = numbers, self._worker.submit(self._context.run, self._segmenter.segment, proxies)

    def _collect(self) -> None:
        if self._flight is None:
            return
        numbers, future = self._flight
        for number, foreground in zip(numbers, future.result(), strict=True):
            mask = np.rint(foreground * np.float32(255)).astype(np.uint8)
            self._masks[number] = np.ascontiguousarray(np.rot90(mask, -self._turns))
        self._flight = None

    def _small(self, index: int) -> Mask:
        small = self._looks[index].small
        assert small is not None
        return small

    def _steady(self, index: int, shot: range) -> Mask:
        seen = [i for i in shot if i in self._masks]
        weights = [self._reach + 1 - abs(i - index) for i in seen]
        proxies = [self._small(i) for i in seen]
        return firmed(steadied(self._small(index), proxies, [self._masks[i] for i in seen], weights))

    def _window(self, index: int) -> range:
        """Frames within reach that belong to the same shot."""
        low = high = index
        while low > index - self._reach and low > self._start() and not self._is_cut(low):
            low -= 1
        while high < index + self._reach and high + 1 < self._pushed and not self._is_cut(high + 1):
            high += 1
        return range(low, high + 1)

    def _start(self) -> int:
        return self._first if self._first is not None else 0

    def _is_cut(self, index: int) -> bool:
        return self._cuts.at(index, self._looks)

    def _is_seen(self, index: int) -> bool:
        """Whether the network looks at a frame."""
        if self._every == 1 or index == self._start() or self._is_cut(index):
            return True
        if index + 1 == self._pushed or self._is_cut(index + 1):
            return True
        if self._ticks is None:
            return index % self._every == 0
        interval, back = self._looks[index].pts // self._ticks, 0
        while back < _LONGEST * self._every:
            before = index - back - 1
            if before < self._start() or self._looks[before].pts // self._ticks != interval:
                return back % self._every == 0
            back += 1
        return True

    def _forget(self, before: int) -> None:
        for index in [i for i in self._looks if i < before]:
            del self._looks[index]
            self._cuts.forget(index)
            self._masks.pop(index, None)
