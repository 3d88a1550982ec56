"""Before and after in one picture: a wipe, or side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from streamct.color.apply import Content
from streamct.color.coding import rgb_to_code
from streamct.color.lut import LutGrid
from streamct.errors import UsageError
from streamct.grade.track import Grade
from streamct.grading import Fill
from streamct.model import Clip, Frame, Plane
from streamct.render import Renderer
from streamct.segment.upright import quarter_turns

USUAL_SECONDS = 10
"""How long a comparison is where no end is given."""
_PERIOD = 6
"""Seconds in which a moving line goes from left to right and back."""
_MARGIN = Fraction(1, 20)
_LINE = 2
"""Columns of the line, times the chroma subsampling."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How source and graded picture share a frame: the source to the left of the graded one.

    beside: in full, side by side; else parted by a line. at: where that line stands, 0 left .. 1 right; None: it moves.

    Raises:
        UsageError: a place outside the picture, or a line where there is none.
    """

    beside: bool = False
    at: float | None = None

    def __post_init__(self) -> None:
        if self.at is not None and not 0 <= self.at <= 1:
            raise UsageError(f"--wipe-at {self.at:g}: should be 0 (left) to 1 (right).")
        if self.at is not None and self.beside:
            raise UsageError("--wipe-at: is for --wipe; side by side there is no line. Leave it out.")

    def shape(self, clip: Clip) -> Clip:
        """The clip as it is written."""
        if not self.beside:
            return clip
        if quarter_turns(clip.display_matrix) % 2:
            return replace(clip, height=2 * clip.height)
        return replace(clip, width=2 * clip.width)


def preview_path(input: Path, ending: str) -> Path:
    """Where a comparison goes that has no name: `<stem>.preview<ending>` beside the input."""
    return input.with_name(f"{input.stem}.preview{ending}")


class Comparer:
    """Makes compared frames of one clip; called from several threads. fill: renders a graded frame."""

    def __init__(self, comparison: Comparison, clip: Clip, grid: LutGrid, fill: Fill) -> None:
        self._comparison = comparison
        self._clip = clip
        self._fill_graded = fill
        self._turns = quarter_turns(clip.display_matrix)
        white = np.full((1, 3), 1.0)
        scale = 1 << (clip.format.depth - 8)
        self._white = np.rint(rgb_to_code(white, clip.coding.written, clip.format.depth)[0] * scale).astype(int)
        everything = Content(0, clip.height, 0, clip.width)
        self._ungraded = None if clip.coding.lut is None else Grade((grid.identity,), everything)
        self._renderer = Renderer(clip.format, interlaced=clip.fields is not None)

    def fill(self, frame: Frame, target: Frame, grade: Grade) -> None:
        """Fill the planes of `target`, of the comparison's shape."""
        if self._comparison.beside:
            self._fill_source(frame, replace(target, planes=self._halves(target.planes, right=False)))
            self._fill_graded(frame, replace(target, planes=self._halves(target.planes, right=True)), grade)
            return
        self._fill_graded(frame, target, grade)
        source = replace(target, planes=tuple(np.empty_like(plane) for plane in target.planes))
        self._fill_source(frame, source)
        step = self._step
        width = np.rot90(target.planes[0], self._turns).shape[1]
        line = round(self._place(target) * width) // step * step
        for number, (own, other) in enumerate(zip(target.planes, source.planes, strict=True)):
            place, thickness = line // self._step_of(number), _LINE * step // self._step_of(number)
            shown = np.rot90(own, self._turns)
            shown[:, :place] = np.rot90(other, self._turns)[:, :place]
            if number < 3:
                shown[:, place : place + thickness] = self._white[number]

    def _fill_source(self, frame: Frame, target: Frame) -> None:
        if self._ungraded is not None:
            self._renderer.render(frame, target, self._ungraded, None)
            return
        for plane, copy in zip(frame.planes, target.planes, strict=True):
            copy[...] = plane

    def _halves(self, planes: tuple[Plane, ...], right: bool) -> tuple[Plane, ...]:
        """The left or the right half of the planes, as they are shown, turned back to how they are stored."""
        out = []
        for plane in planes:
            shown = np.rot90(plane, self._turns)
            middle = shown.shape[1] // 2
            out.append(np.rot90(shown[:, middle:] if right else shown[:, :middle], -self._turns))
        return tuple(out)

    def _place(self, target: Frame) -> Fraction | float:
        if self._comparison.at is not None:
            return self._comparison.at
        turn = target.pts * target.time_base / _PERIOD % 1
        return _MARGIN + (1 - 2 * _MARGIN) * (1 - abs(2 * turn - 1))

    @property
    def _step(self) -> int:
        """Columns of luma, as shown, to one of chroma."""
        return 1 << (self._clip.format.sub_y if self._turns % 2 else self._clip.format.sub_x)

    def _step_of(self, plane: int) -> int:
        return self._step if plane in (1, 2) else 1
