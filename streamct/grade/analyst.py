"""Looks in, grades with masks out: mattes, samples and grades in one line."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator
from dataclasses import replace

from streamct.grade.foreground import Foreground
from streamct.grade.mattes import Mattes
from streamct.grade.sample import Look, Sampler
from streamct.grade.track import Grade, Grader
from streamct.segment import Mask


class Analyst:
    """Turns a clip's looks, pushed in order, into grades, which come out in order and at most `delay` later.

    only: numbers of the frames whose grades the grader gives; None for all. foreground: what was counted of these.
    """

    def __init__(self, sampler: Sampler, mattes: Mattes, grader: Grader, only: Container[int] | None = None) -> None:
        self._sampler = sampler
        self._mattes = mattes
        self._grader = grader
        self._only = only
        self._masks: deque[Mask | None] = deque()
        self.foreground = Foreground()
        self.delay = mattes.delay + grader.delay

    def push(self, look: Look) -> Iterator[Grade]:
        """Take the next frame's look; yields the grades that are now determined."""
        yield from self._graded(self._mattes.push(look))

    def finish(self) -> Iterator[Grade]:
        """The clip has ended: yields the remaining grades."""
        yield from self._graded(self._mattes.finish())
        yield from self._with_masks(self._grader.finish())

    def _graded(self, matted: Iterable[tuple[Look, Mask | None]]) -> Iterator[Grade]:
        for look, mask in matted:
            sample = self._sampler.count(look, mask)
            if self._only is None or look.index in self._only:
                self._masks.append(mask)
                self.foreground.count(sample)
            yield from self._with_masks(self._grader.push(sample))

    def _with_masks(self, grades: Iterable[Grade]) -> Iterator[Grade]:
        for grade in grades:
            self.foreground.split |= len(grade.luts) > 1
            yield replace(grade, mask=self._masks.popleft())
