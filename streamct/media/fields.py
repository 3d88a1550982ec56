"""Which of an interlaced picture's two fields is shown first."""

from __future__ import annotations

from typing import Literal

import av
from av.filter import Graph

_TOP_FIRST, _BOTTOM_FIRST = {2, 4}, {3, 5}
"""Of AVFieldOrder: by the field that is displayed first. TB and BT stand for 9 and 14 in MOV (Apple's TN2162) and in
Matroska (RFC 9559): fields in alternate lines, those of the first line early or late. FFmpeg marks its own files so."""

Field = Literal["top", "bottom"]


def first_field(frame: av.VideoFrame, order: int) -> Field | None:
    """The field that is shown first, None for progressive pictures.

    order: what the file's headers say, as AVFieldOrder; where they say nothing, the frame itself does.
    """
    if order in _BOTTOM_FIRST:
        return "bottom"
    return "top" if order in _TOP_FIRST else field_of(frame)


def field_of(frame: av.VideoFrame) -> Field | None:
    """The field of a decoded frame that is shown first by its own flags, None if it is progressive.

    PyAV tells only whether it is interlaced; FFmpeg's `select` filter passes on the frames of one order.
    """
    if not frame.interlaced_frame:
        return None
    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    chosen, sink = graph.add("select", "eq(interlace_type,BOTTOMFIRST)"), graph.add("buffersink")
    source.link_to(chosen)
    chosen.link_to(sink)
    graph.configure()
    graph.push(frame)
    try:
        graph.pull()
    except (BlockingIOError, EOFError):
        return "top"
    return "bottom"
