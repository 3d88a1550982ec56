"""Scene cuts from the change between neighbouring proxies.

The rule of PySceneDetect's AdaptiveDetector: a cut stands out from the changes around it, so pans, fades and
noise, which change every frame, are none. Nor is a flash of up to `LOOK` frames, after which the picture is what it
was before; a longer one is a shot of its own, and so is one in which a clip begins or ends: nothing tells it from a
shot that is cut off. Finite support: the verdict on a frame needs `LOOK` frames on either side, and how they differ
from each other and from the frame before them. A list of cuts given by the user replaces all this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

LOOK = 4
BACK = LOOK + 1
"""How far apart the frames before and behind the longest flash are: so far back frames are compared."""
_LEAST, _RATIO, _FLOOR = 15.0, 3.0, 0.5
_ALIKE = 0.3


def is_cut(changes: Sequence[float], at: int, earlier: Sequence[Sequence[float]] = ()) -> bool:
    """Whether a shot begins at frame `at`.

    changes: change of each frame to the one before, in 0..255 codes summed over channels; those within `LOOK`
    of `at` count. A cut changes at least 15 codes, three times the mean of its neighbourhood, and most of
    all in it (ties: the first). earlier: change of each frame to those 2, 3, ... up to `BACK` before: where any
    frame after the cut differs from any before by less than 0.3 of the change at the cut, it was a flash.
    """
    here = changes[at]
    if here < _LEAST:
        return False
    low, high = max(at - LOOK, 0), min(at + LOOK + 1, len(changes))
    others = [changes[i] for i in range(low, high) if i != at]
    if any(changes[i] >= here for i in range(low, at)) or any(changes[i] > here for i in range(at + 1, high)):
        return False
    if here < _RATIO * (sum(others) / max(len(others), 1) + _FLOOR):
        return False
    for after in range(at, min(at + BACK, len(earlier))):
        for before, change in enumerate(earlier[after], 2):
            if after - before < at and change < _ALIKE * here:
                return False
    return True


class Seen(Protocol):
    """What the verdict on a cut needs to know of a frame; see `streamct.grade.sample.FrameSample`."""

    @property
    def pts(self) -> int:
        """Presentation time in ticks."""

    @property
    def change(self) -> float:
        """Change to the frame before."""

    @property
    def earlier(self) -> tuple[float, ...]:
        """Change to the frames 2, 3, ... before."""


@dataclass(frozen=True, slots=True)
class ListedCuts:
    """Cuts that the user lists, by frame number or by time. ticks: pts; a shot begins at the first frame that is
    presented then or later."""

    frames: frozenset[int] = frozenset()
    ticks: frozenset[int] = frozenset()


class Cuts:
    """Where the shots of a clip begin; remembers its verdicts. listed: cuts that replace those that are found."""

    def __init__(self, listed: ListedCuts | None = None) -> None:
        self._listed = listed
        self._known: dict[int, bool] = {}

    def at(self, index: int, seen: Mapping[int, Seen]) -> bool:
        """Whether a shot begins at frame `index`. seen: the frames known, without gaps, up to `LOOK` around it or to
        the end of the clip."""
        if index not in self._known:
            self._known[index] = self._judge(index, seen)
        return self._known[index]

    def forget(self, index: int) -> None:
        """No one will ask for this frame again."""
        self._known.pop(index, None)

    def _judge(self, index: int, seen: Mapping[int, Seen]) -> bool:
        if self._listed is None:
            around = range(index - LOOK, index + LOOK + 1)
            near = [seen[i] for i in around if i in seen]
            low = next(i for i in around if i in seen)
            return is_cut([s.change for s in near], index - low, [s.earlier for s in near])
        if index in self._listed.frames:
            return True
        if index - 1 not in seen:
            return False
        before, here = seen[index - 1].pts, seen[index].pts
        return any(before < tick <= here for tick in self._listed.ticks)
