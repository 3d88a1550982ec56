"""What a file's own header tells of its pictures, where PyAV's muxers are not told.

Pixel aspect, mastering display, content light level and chroma location reach the encoder, whose stream tells them if
its codec has a place for them. MP4 and MOV take the pixel aspect from there. The rest is written into the header: into
that of a file when it is finished, into that of a stream as it passes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from streamct.media.matroska import MOST, PADDING, Told, tell, with_told
from streamct.media.movie import tell_movie
from streamct.media.siting import LEFT, TOP_LEFT, site_in
from streamct.model import Clip

_MATROSKA, _MOVIES = ("matroska", "webm"), ("mp4", "mov")
_Y4M = "yuv4mpegpipe"
_Y4M_SITES = {LEFT: b" C420mpeg2", TOP_LEFT: b" C420paldv"}
"""What Y4M calls 8-bit 4:2:0 by where its chroma samples lie; the muxer knows only of the middle."""


def holds_hdr(container: str) -> bool:
    """Whether static HDR data of any codec are written into such a file."""
    return container in (*_MATROSKA, *_MOVIES)


def passes_headers(container: str, piped: bool) -> bool:
    """Whether what is written has to go through a `HeaderPipe`."""
    return container == _Y4M or (piped and container in _MATROSKA)


def room(told: Told, container: str) -> dict[str, str]:
    """Options of the muxer that leave room for what is told later."""
    return dict(PADDING) if container in _MATROSKA and told != Told(told.aspect) else {}


def told_of(clip: Clip, pix_fmt: str) -> Told:
    """What is to be told of a clip that is written in a pixel format."""
    return Told(clip.sample_aspect, clip.mastering, clip.light, site_in(clip, pix_fmt))


def tell_header(path: Path, container: str, told: Sequence[Told], track: int) -> None:
    """Write what is to be told of each video track into a finished file. track: the graded one's number among them.

    Raises:
        OSError: it can't be read or written.
    """
    if container in _MATROSKA:
        tell(path, told)
    own = next((one for one in told if one.mastering or one.light), None)
    if container in _MOVIES and own is not None:
        tell_movie(path, track, own.mastering, own.light)


class Sink(Protocol):
    """What bytes go into."""

    def write(self, data: bytes, /) -> int:
        """Take all of them."""


class HeaderPipe:
    """A file for `av.open` that passes on what is written, with what its header should tell.

    container: "matroska" or "yuv4mpegpipe". told: of its video tracks, in their order; it may be filled in until the
    first bytes come.
    """

    def __init__(self, sink: Sink, container: str, told: list[Told]) -> None:
        self._sink, self._container, self._wanted = sink, container, told
        self._head: bytearray | None = bytearray()

    def write(self, data: bytes) -> int:
        """Take all of it."""
        if self._head is None:
            return self._sink.write(data)
        self._head += data
        told = self._told(self._head)
        if told is not None or len(self._head) > MOST:
            self._sink.write(told or bytes(self._head))
            self._head = None
        return len(data)

    def finish(self) -> None:
        """Pass on what waits; nothing more comes. A file is closed, standard output stays open."""
        if self._head:
            self._sink.write(bytes(self._head))
        self._head = None
        if isinstance(self._sink, io.IOBase):
            self._sink.close()

    def _told(self, head: bytearray) -> bytes | None:
        if self._container == "matroska":
            return with_told(head, self._wanted)
        line, end, rest = head.partition(b"\n")
        if not end:
            return None
        aspect = self._wanted[0].aspect
        if aspect is not None:
            line = line.replace(b" A0:0", f" A{aspect.numerator}:{aspect.denominator}".encode(), 1)
        site = _Y4M_SITES.get(self._wanted[0].location)
        if site is not None:
            line = line.replace(b" C420jpeg", site, 1)
        return bytes(line + end + rest)
