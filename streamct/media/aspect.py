"""The shape of pixels: what each container holds of it, and how it comes into those whose muxer is not told.

PyAV gives the encoder a pixel aspect but not the muxer. MP4 and MOV take the encoder's; Matroska, WebM and Y4M say
"unknown" in their headers, which is corrected here. Others hold what the codec's own headers hold.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from streamct.media.ebml import UNKNOWN_SIZE, Element, element, elements

_EXACT = {"mp4", "mov", "3gp", "matroska", "yuv4mpegpipe"}
_TOP = {"h264": 4096, "hevc": 65_535, "mpeg4": 255, "mjpeg": 65_535}
"""The largest number in the pixel aspect that an encoder of each codec writes into its stream."""
_MPEG2_DISPLAYS = (Fraction(4, 3), Fraction(16, 9), Fraction(221, 100))

_SEGMENT, _SEEK_HEAD, _SEEK, _SEEK_ID, _SEEK_POSITION = 0x18538067, 0x114D9B74, 0x4DBB, 0x53AB, 0x53AC
_VOID, _CHECKSUM, _TRACKS, _TRACK, _TYPE, _VIDEO = 0xEC, 0xBF, 0x1654AE6B, 0xAE, 0x83, 0xE0
_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT, _PIXEL_WIDTH, _PIXEL_HEIGHT = 0x54B0, 0x54BA, 0x54B2, 0xB0, 0xBA
_MOST = 1 << 24
"""Bytes in which a header should have come."""
_IS_VIDEO, _PIXELS, _ASPECT = 1, 0, 3


def is_told(container: str) -> bool:
    """Whether pixel aspects have to be written into such a file's header here."""
    return container in ("matroska", "webm", "yuv4mpegpipe")


def held_aspect(aspect: Fraction | None, container: str, codec: str, width: int, height: int) -> Fraction | None:
    """What a file can hold of a pixel aspect; None: nothing, or there is none. width, height: of the picture."""
    if aspect is None or aspect == 1 or container in _EXACT:
        return aspect
    if container == "webm":  # the size of the display, in pixels
        return Fraction(max(1, round(width * aspect)), width)
    if codec == "mpeg2video":
        shapes = [Fraction(1), *(display * height / width for display in _MPEG2_DISPLAYS)]
        return min(shapes, key=lambda shape: abs(shape - aspect))
    top = _TOP.get(codec)
    if top is None:
        return None
    return aspect.limit_denominator(top) if aspect < 1 else 1 / (1 / aspect).limit_denominator(top)


def aspect_notes(aspect: Fraction | None, held: Fraction | None, kind: str, codec: str) -> list[str]:
    """A line that says how a file holds a pixel aspect other than it is. kind: of file, as `.avi files`."""
    if held == aspect or aspect == 1:
        return []
    if held is None:
        return [f"{kind} hold no pixel aspect for {codec} video: players may show pixels of {aspect} square"]
    return [f"{kind} hold the pixel aspect {aspect} of {codec} video as {held}"]


def write_aspects(path: Path, aspects: Sequence[Fraction | None]) -> None:
    """Write the pixel aspect of each video track, in their order, into a finished Matroska or WebM file's header.

    None of a track: unknown. What changes lies before the pictures, which stay where they are; a file without the room
    for it stays as it is.

    Raises:
        OSError: it can't be read or written.
    """
    with open(path, "rb+") as file:
        head = bytearray()
        while len(head) < _MOST and (more := file.read(1 << 16)):
            head += more
            told = with_aspects(bytes(head), aspects, path.suffix == ".webm")
            if told is not None:
                if len(told) == len(head):
                    file.seek(0)
                    file.write(told)
                return


def with_aspects(head: bytes, aspects: Sequence[Fraction | None], webm: bool = False) -> bytes | None:
    """The beginning of a Matroska file with its video tracks' pixel aspects; None: it ends before its tracks do.

    Room is taken from the empty element before the tracks, so that the length stays; where there is none, as in what is
    written into a pipe, it grows.
    """
    try:
        segment = next(e for e in elements(head, 0, len(head)) if e.name == _SEGMENT)
        before: list[Element] = []
        for part in elements(head, segment.data, len(head)):
            before.append(part)
            if part.name == _TRACKS or part.stop > len(head):
                break
        tracks = before[-1]
    except (IndexError, StopIteration):
        return None
    if tracks.name != _TRACKS or tracks.stop > len(head):
        return None
    told = element(_TRACKS, _checked(_retold(head, tracks, list(aspects), webm)), tracks.data - tracks.start - 4)
    growth = len(told) - (tracks.stop - tracks.start)
    void = next((e for e in before if e.name == _VOID and e.stop - e.start - growth >= 2), None)
    index = next((e for e in before if e.name == _SEEK_HEAD), None)
    if growth == 0:
        return head[: tracks.start] + told + head[tracks.stop :]
    if index is None:
        return head[: tracks.start] + told + head[tracks.stop :] if segment.size == UNKNOWN_SIZE else head
    if void is None:
        return head
    left = void.stop - void.start - growth
    empty = _empty(left)
    moved = _reindexed(head, index, segment.data, (void.stop, tracks.start), growth)
    return (
        head[: index.start] + moved + head[index.stop : void.start] + empty + head[void.stop : tracks.start]
        + told + head[tracks.stop :]
    )  # fmt: skip


def _empty(length: int) -> bytes:
    width = 1 if length - 2 < 127 else 8
    return element(_VOID, bytes(length - 1 - width), width)


def _checked(payload: bytes) -> bytes:
    """The content of an element whose check sum, if it begins with one, is that of what follows it."""
    if payload[:2] != bytes((_CHECKSUM, 0x84)):
        return payload
    return payload[:2] + zlib.crc32(payload[6:]).to_bytes(4, "little") + payload[6:]


def _retold(head: bytes, tracks: Element, aspects: list[Fraction | None], webm: bool) -> bytes:
    out = b""
    for track in elements(head, tracks.data, tracks.stop):
        parts = list(elements(head, track.data, track.stop)) if track.name == _TRACK else []
        kind = next((head[e.data : e.stop] for e in parts if e.name == _TYPE), b"")
        if int.from_bytes(kind, "big") != _IS_VIDEO or not aspects:
            out += head[track.start : track.stop]
            continue
        aspect, content = aspects.pop(0), b""
        for part in parts:
            video = part.name == _VIDEO and aspect is not None
            content += _shaped(head, part, aspect, webm) if video and aspect else head[part.start : part.stop]
        out += element(_TRACK, content, track.data - track.start - 1)
    return out


def _shaped(head: bytes, video: Element, aspect: Fraction, webm: bool) -> bytes:
    """The element of a video's picture with its pixel aspect."""
    parts = list(elements(head, video.data, video.stop))
    sizes = {e.name: int.from_bytes(head[e.data : e.stop], "big") for e in parts}
    display = (_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT)
    kept = b"".join(head[e.start : e.stop] for e in parts if e.name not in display)
    width, height = sizes[_PIXEL_WIDTH], sizes[_PIXEL_HEIGHT]
    if aspect != 1:
        shown = width * aspect
        if shown.denominator == 1 or webm:
            numbers = [(_DISPLAY_WIDTH, max(1, round(shown))), (_DISPLAY_HEIGHT, height)]
        else:  # whole pixels don't tell it, so the shape of the whole picture does
            shape = shown / height
            numbers = [
                (_DISPLAY_WIDTH, shape.numerator),
                (_DISPLAY_HEIGHT, shape.denominator),
                (_DISPLAY_UNIT, _ASPECT),
            ]
        for name, number in numbers:
            kept += element(name, number.to_bytes((number.bit_length() + 7) // 8 or 1, "big"))
    elif not webm:
        kept += element(_DISPLAY_UNIT, bytes([_PIXELS]))
    return element(_VIDEO, kept, video.data - video.start - 1)


def _reindexed(head: bytes, index: Element, base: int, moved: tuple[int, int], growth: int) -> bytes:
    """The list of where elements are, of which those that begin within `moved` now begin `growth` bytes earlier."""
    out = b""
    for seek in elements(head, index.data, index.stop):
        if seek.name != _SEEK:
            out += head[seek.start : seek.stop]
            continue
        content = b""
        for part in elements(head, seek.data, seek.stop):
            data = head[part.data : part.stop]
            if part.name == _SEEK_POSITION and moved[0] <= base + int.from_bytes(data, "big") <= moved[1]:
                data = (int.from_bytes(data, "big") - growth).to_bytes(len(data), "big")
            content += head[part.start : part.data] + data
        out += element(_SEEK, content, seek.data - seek.start - 2)
    return element(_SEEK_HEAD, _checked(out), index.data - index.start - 4)


class Sink(Protocol):
    """What bytes go into."""

    def write(self, data: bytes, /) -> int:
        """Take all of them."""


class AspectPipe:
    """A file for `av.open` that passes on what is written, with pixel aspects in its header.

    container: "matroska" or "yuv4mpegpipe". aspects: of its video tracks, in their order; they may be filled in until
    the first bytes come.
    """

    def __init__(self, sink: Sink, container: str, aspects: list[Fraction | None]) -> None:
        self._sink, self._container, self._aspects = sink, container, aspects
        self._head: bytes | None = b""

    def write(self, data: bytes) -> int:
        """Take all of it."""
        if self._head is None:
            return self._sink.write(data)
        self._head += bytes(data)
        told = self._told(self._head)
        if told is not None or len(self._head) > _MOST:
            self._sink.write(told or self._head)
            self._head = None
        return len(data)

    def finish(self) -> None:
        """Pass on what waits; nothing more comes. A file is closed, standard output stays open."""
        if self._head:
            self._sink.write(self._head)
        self._head = None
        if isinstance(self._sink, io.IOBase):
            self._sink.close()

    def _told(self, head: bytes) -> bytes | None:
        if self._container == "matroska":
            return with_aspects(head, self._aspects)
        line, end, rest = head.partition(b"\n")
        if not end:
            return None
        (aspect,) = self._aspects
        if aspect is not None:
            line = line.replace(b" A0:0", f" A{aspect.numerator}:{aspect.denominator}".encode(), 1)
        return line + end + rest
