"""One frame and its grade -> the graded frame."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from streamct.color.apply import Content, PlaneGrader
from streamct.grade.track import Grade
from streamct.model import Frame, PixelFormat


class Renderer:
    """Grades frames of one format from any number of threads.

    interlaced: the frames are two woven fields. Where chroma is subsampled in height, each of its rows belongs to
    the luma rows of its own field, so the fields are graded one by one.
    """

    def __init__(self, layout: PixelFormat, interlaced: bool = False) -> None:
        self._layout = layout
        self._by_field = interlaced and layout.sub_y == 1
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
        if self._by_field and source.planes[0].shape[0] % 4 == 0:
            for field in (0, 1):
                ours, theirs = (tuple(p[field::2] for p in planes) for planes in (source.planes, target.planes))
                weights = None if mask is None else mask[field::2]
                grader.apply(ours, theirs, grade.luts, weights, _of_field(grade.content, field))
        else:
            grader.apply(source.planes, target.planes, grade.luts, mask, grade.content)


def _of_field(content: Content, field: int) -> Content:
    """The content's rows of one field: of rows field, field + 2, ... those within [top, bottom)."""
    top, bottom = ((edge - field + 1) // 2 for edge in (content.top, content.bottom))
    return Content(top, bottom, content.left, content.right)
