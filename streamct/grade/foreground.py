"""How much of a clip is foreground, and whether that ever made a difference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from streamct.grade.regions import SPLIT_SHARES, Regions
from streamct.grade.sample import FrameSample


@dataclass(slots=True)
class Foreground:
    """What is counted of a clip's masks. front, whole: pixels times 255, of the frames that have a mask and are not
    black. split: whether foreground and background of any frame were graded apart. between: whether any frame has
    both, by `SPLIT_SHARES`."""

    front: int = 0
    whole: int = 0
    split: bool = False
    between: bool = False

    def count(self, sample: FrameSample) -> None:
        """One more frame."""
        self.add(sample.regions)

    def add(self, regions: Regions) -> None:
        """The same, of its colours."""
        if regions.foreground is not None:
            front, whole = regions.foreground.total, regions.whole.total
            self.front += front
            self.whole += whole
            self.between |= SPLIT_SHARES[0] * whole <= front <= SPLIT_SHARES[1] * whole and whole > 0

    @property
    def share(self) -> float | None:
        """Of the foreground, 0..1; None where nothing was counted."""
        return self.front / self.whole if self.whole else None


def together(parts: Iterable[Foreground | None]) -> Foreground:
    """What was counted in several parts of a clip; nothing where one of them is not known."""
    out = Foreground()
    for part in parts:
        if part is None:
            return Foreground()
        out = Foreground(
            out.front + part.front, out.whole + part.whole, out.split or part.split, out.between or part.between
        )
    return out
