"""Frame -> FrameSample: what one frame tells the grader."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamct.color.apply import Content
from streamct.color.cells import srgb_cells
from streamct.color.histogram import Counter
from streamct.color.lab import coded_to_lab
from streamct.color.lut import columns_of
from streamct.color.proxy import picture_proxy_rgb, planes_proxy_rgb, proxy_size
from streamct.color.shown import shown
from streamct.grade.borders import find_content, find_picture_content
from streamct.grade.changes import Changes
from streamct.grade.regions import Regions, count_cells, count_regions
from streamct.model import Coding, FloatArray, Frame, PixelFormat
from streamct.segment.matte import resized
from streamct.settings import PaletteSettings

MaskSource = Callable[[int, int], NDArray[np.uint8]]
"""(width, height) -> (height, width) foreground weights 0..255."""


@dataclass(frozen=True, slots=True)
class FrameSample:
    """What the grade of a clip needs to know of one frame.

    index, pts: the frame's. regions: its colours inside the black border. content: the picture inside the
    border, None for a black frame. change, earlier: difference of the proxy to those before, see `Changes`; `earlier`
    is shorter where the clip begins. columns: those of the Lut that the frame needs; None: all.
    """

    index: int
    pts: int
    regions: Regions
    content: Content | None
    change: float
    earlier: tuple[float, ...] = ()
    columns: NDArray[np.bool_] | None = None


_STILL = Coding("rgb", full_range=True)


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen of one frame before its mask is known.

    index, pts, content, change, earlier, columns: see `FrameSample`. rgb: (h, w, 3) R'G'B' proxy, whose colours are
    counted. size: (width, height) of the frame. small: (h, w, 3) uint8 proxy for a segmenter, None where there is none.
    """

    index: int
    pts: int
    rgb: FloatArray
    size: tuple[int, int]
    content: Content | None
    change: float
    small: NDArray[np.uint8] | None = None
    earlier: tuple[float, ...] = ()
    columns: NDArray[np.bool_] | None = None


class Sampler:
    """Takes the samples of one clip, frame after frame; one thread.

    small: (width, height) of the proxies for a segmenter, or None. columns: find those of the Lut that frames need,
    which only pays where every frame gets a Lut of its own. only: numbers of the frames that get one, None for all.
    """

    def __init__(
        self, layout: PixelFormat, coding: Coding, settings: PaletteSettings, small: tuple[int, int] | None = None,
        columns: bool = False, only: Container[int] | None = None,
    ) -> None:  # fmt: skip
        self._layout = layout
        self._coding = coding
        self._settings = settings
        self._small = small
        self._columns = columns
        self._only = only
        self._counter = Counter(wide=(coding.transfer, coding.primaries) != ("srgb", "bt709"))
        self._changes = Changes()

    def look(self, frame: Frame) -> Look:
        """Look at the next frame."""
        height, width = frame.planes[0].shape
        rgb = planes_proxy_rgb(
            frame.planes, self._layout, self._coding, *proxy_size(width, height, self._settings.proxy_size)
        )
        change, earlier = self._changes.of(rgb)
        content = find_content(frame.planes, self._layout, self._coding)
        columns = None
        if self._columns and (self._only is None or frame.index in self._only):
            columns = columns_of(frame.planes[1], frame.planes[2], self._layout.depth)
        small = None
        if self._small is not None:
            values = shown(planes_proxy_rgb(frame.planes, self._layout, self._coding, *self._small), self._coding)
            small = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
        return Look(frame.index, frame.pts, rgb, (width, height), content, change, small, earlier, columns)

    def count(self, look: Look, mask: NDArray[np.uint8] | None) -> FrameSample:
        """The sample of a frame looked at; mask: foreground weights 0..255 of any size, or None."""
        weights = None if mask is None else resized(mask, look.rgb.shape[1], look.rgb.shape[0])
        regions = _inside(look.rgb, weights, look.content, look.size, self._coding, self._counter, self._settings)
        return FrameSample(look.index, look.pts, regions, look.content, look.change, look.earlier, look.columns)

    def sample(self, frame: Frame, mask: MaskSource | None = None) -> FrameSample:
        """The sample of the next frame, whose mask is known already."""
        look = self.look(frame)
        return self.count(look, None if mask is None else mask(look.rgb.shape[1], look.rgb.shape[0]))


def sample_picture(
    rgb: NDArray[np.float32], mask: MaskSource | None, settings: PaletteSettings, counter: Counter
) -> Regions:
    """Colours of a still (h, w, 3), sampled like a frame; a picture that is black throughout counts whole."""
    height, width = rgb.shape[:2]
    columns, rows = proxy_size(width, height, settings.proxy_size)
    content = find_picture_content(rgb) or Content(0, height, 0, width)
    weights = None if mask is None else mask(columns, rows)
    proxy = picture_proxy_rgb(rgb, columns, rows)
    return _inside(proxy, weights, content, (width, height), _STILL, counter, settings)


def _inside(
    rgb: FloatArray,
    mask: NDArray[np.uint8] | None,
    content: Content | None,
    size: tuple[int, int],
    coding: Coding,
    counter: Counter,
    settings: PaletteSettings,
) -> Regions:
    if content is None:
        area = (slice(0, 0), slice(0, 0))
    else:
        area = _proxy_area(content, size, (rgb.shape[1], rgb.shape[0]))
    pixels = np.ascontiguousarray(rgb[area]).reshape(-1, 3)
    weights = None if mask is None else np.ascontiguousarray(mask[area]).reshape(-1)
    if settings.bins == "unit" and coding.transfer == "srgb" and not counter.wide:
        return count_cells(srgb_cells(pixels, coding.primaries), weights, counter)
    return count_regions(coded_to_lab(pixels, coding), weights, counter, settings)


def _proxy_area(content: Content, size: tuple[int, int], proxy: tuple[int, int]) -> tuple[slice, slice]:
    """Proxy pixels whose boxes lie inside the content; at least one row and column."""

    def inside(low: int, high: int, full: int, small: int) -> slice:
        first = -(-low * small // full)
        last = high * small // full
        return slice(first, last) if last > first else slice(min(first, small - 1), min(first, small - 1) + 1)

    rows = inside(content.top, content.bottom, size[1], proxy[1])
    return rows, inside(content.left, content.right, size[0], proxy[0])
