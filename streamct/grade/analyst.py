"""Looks in, grades with masks out: mattes, samples and grades in one line."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator
from dataclasses import replace

from streamct.grade.mattes import Mattes
from streamct.grade.sample import Look, Sampler
from streamct.grade.track import Grade, Grader
from streamct.segment import Mask


class Analyst:
    """Turns a clip's looks, pushed in order, into grades, which come out in order and at most `delay` later.

    only: as the grader's, the numbers of the frames whose grades are wanted.
    """

    def __init__(self, sampler: Sampler, mattes: Mattes, grader: Grader, only: Container[int] | None = None) -> None:
        self._only = only
        self._sampler = sampler
        self._mattes = mattes
        self._grader = grader
        self._masks: deque[Mask | None] = deque()
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
            if self._only is None or look.index in self._only:
                self._masks.append(mask)
            yield from self._with_masks(self._grader.push(self._sampler.count(look, mask)))

    def _with_masks(self, grades: Iterable[Grade]) -> Iterator[Grade]:
        for grade in grades:
            yield replace(grade, mask=self._masks.popleft())
