"""One frame and its grade -> the graded frame."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from streamct.color.apply import PlaneGrader
from streamct.grade.track import Grade
from streamct.model import Frame, PixelFormat


class Renderer:
    """Grades frames of one format from any number of threads."""

    def __init__(self, layout: PixelFormat) -> None:
        self._layout = layout
        self._local = threading.local()

    def render(self, source: Frame, target: Frame, grade: Grade, mask: NDArray[np.uint8] | None) -> None:
        """Fill the planes of `target`. mask: (h, w) foreground weights 0..255, or None."""
        if grade.content is None:
            for plane, copy in zip(source.planes, target.planes, strict=True):
                copy[...] = plane
            return
        grader = getattr(self._local, "grader", None)
        if grader is None:
            grader = self._local.grader = PlaneGrader(self._layout)
        grader.apply(source.planes, target.planes, grade.luts, mask, grade.content)
