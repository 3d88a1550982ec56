"""LUT files through FFmpeg's own filters, in 16 bits."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

_FORMAT = "gbrp16le"
_PACKED = "rgb48le"  # haldclut swaps the channels of planar pictures


def _buffer(graph: Graph, rgb: NDArray[np.uint16], name: str = _FORMAT) -> av.filter.FilterContext:
    height, width = rgb.shape[:2]
    layout = av.VideoFormat(name, width, height)
    return graph.add_buffer(width=width, height=height, format=layout, time_base=Fraction(1, 25))


def _frame(rgb: NDArray[np.uint16], name: str = _FORMAT) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), name)
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    return frame


def through_lut3d(rgb: NDArray[np.uint16], file: Path, interpolation: str = "tetrahedral") -> NDArray[np.uint16]:
    """rgb (h, w, 3) through the filter `lut3d`."""
    graph = Graph()
    source, sink = _buffer(graph, rgb), graph.add("buffersink")
    lut = graph.add("lut3d", file=str(file), interp=interpolation)
    source.link_to(lut)
    lut.link_to(sink)
    graph.configure()
    graph.push(_frame(rgb))
    return graph.pull().to_ndarray(format=_FORMAT)


def through_haldclut(rgb: NDArray[np.uint16], clut: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """rgb (h, w, 3) through the filter `haldclut` with this picture."""
    graph = Graph()
    source, other, sink = _buffer(graph, rgb, _PACKED), _buffer(graph, clut, _PACKED), graph.add("buffersink")
    lut = graph.add("haldclut")
    source.link_to(lut, 0, 0)
    other.link_to(lut, 0, 1)
    lut.link_to(sink)
    graph.configure()
    source.push(_frame(rgb, _PACKED))
    other.push(_frame(clut, _PACKED))
    source.push(None)
    other.push(None)
    return sink.pull().to_ndarray(format=_PACKED)
