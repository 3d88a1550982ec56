"""Mastering display and content light level in the header of a finished MP4 or MOV file (`mdcv`, `clli`).

PyAV gives them to encoders but not to the muxer, so a codec without a place for them, as ProRes, would lose them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from streamct.model import MasteringDisplay

_PATH = (b"mdia", b"minf", b"stbl", b"stsd")
_ENTRIES_AT, _VISUAL = 8, 78
"""Bytes of a sample table's own before its entries, and of a visual entry's own before its boxes."""
_FIRST = (b"ftyp", b"wide", b"free", b"skip", b"mdat", b"moov")
_OURS = (b"mdcv", b"clli")
_POINT, _LUMINANCE = Fraction(1, 50_000), Fraction(1, 10_000)


def ends_with_header(head: bytes) -> bool:
    """Whether an MP4 or MOV file, by its first bytes, has its pictures before its header."""
    start = 0
    while head[4:8] in _FIRST and start + 16 <= len(head):
        size, name = struct.unpack(">I4s", head[start : start + 8])
        if name in (b"mdat", b"moov"):
            return bool(name == b"mdat")
        start += max(struct.unpack(">Q", head[start + 8 : start + 16])[0] if size == 1 else size, 8)
    return False


def lacks_index(path: Path) -> bool:
    """Whether an MP4 or MOV file has pictures but no header (`moov`), as one whose recording broke off.

    Raises:
        OSError: it can't be read.
    """
    with open(path, "rb") as file:
        end, start, pictures = file.seek(0, 2), 0, False
        while start + 8 <= end:
            file.seek(start)
            size, name = struct.unpack(">I4s", file.read(8))
            if size == 1:
                size = int.from_bytes(file.read(8), "big")
            if name == b"moov" or (not start and name not in _FIRST):
                return False
            pictures = pictures or name == b"mdat"
            start += max(size or end - start, 8)
    return pictures


def tell_movie(path: Path, track: int, mastering: MasteringDisplay | None, light: tuple[int, int] | None) -> None:
    """Write what is known into the description of a video track, counted from 0 among those.

    The file's header has to be its last box, as FFmpeg writes it, so that nothing moves; else the file stays as it is.

    Raises:
        OSError: it can't be read or written.
    """
    with open(path, "rb+") as file:
        end = file.seek(0, 2)
        start = 0
        while start + 8 <= end:
            file.seek(start)
            size, name = struct.unpack(">I4s", file.read(8))
            if size == 1:
                (size,) = struct.unpack(">Q", file.read(8))
            size = size or end - start
            if name == b"moov" and start + size == end:
                file.seek(start)
                movie = _told(file.read(size), track, _boxes(mastering, light))
                file.seek(start)
                file.write(movie)
                return
            start += max(size, 8)


def _boxes(mastering: MasteringDisplay | None, light: tuple[int, int] | None) -> bytes:
    out = b""
    if mastering is not None:
        red, green, blue = mastering.primaries
        points = [round(number / _POINT) for point in (green, blue, red, mastering.white) for number in point]
        low, high = (round(value / _LUMINANCE) for value in mastering.luminance)
        out += _box(b"mdcv", struct.pack(">8H2I", *points, high, low))
    if light is not None:
        out += _box(b"clli", struct.pack(">2H", *(min(value, 65_535) for value in light)))
    return out


def _told(movie: bytes, track: int, boxes: bytes) -> bytes:
    content = b""
    for name, start, stop in _inside(movie, 8, len(movie)):
        video = name == b"trak" and _is_video(movie, start, stop)
        content += _along(movie, start, stop, _PATH, boxes) if video and track == 0 else movie[start:stop]
        track -= video
    return _box(b"moov", content)


def _is_video(movie: bytes, start: int, stop: int) -> bool:
    media = next(((a, b) for name, a, b in _inside(movie, start + 8, stop) if name == b"mdia"), (0, 0))
    handlers = [movie[a + 16 : a + 20] for name, a, _ in _inside(movie, media[0] + 8, media[1]) if name == b"hdlr"]
    return handlers == [b"vide"]


def _along(data: bytes, start: int, stop: int, path: tuple[bytes, ...], boxes: bytes) -> bytes:
    """The box at data[start:stop], with `boxes` in the first sample entry that lies at the end of the path in it."""
    name = data[start + 4 : start + 8]
    if not path:
        begin, content, first = start + 8 + _ENTRIES_AT, b"", True
        for _, entry, after in _inside(data, begin, stop):
            content += _entry(data, entry, after, boxes) if first else data[entry:after]
            first = False
        return _box(name, data[start + 8 : begin] + content)
    content = b""
    for inner, begin, end in _inside(data, start + 8, stop):
        content += _along(data, begin, end, path[1:], boxes) if inner == path[0] else data[begin:end]
    return _box(name, content)


def _entry(data: bytes, start: int, stop: int, boxes: bytes) -> bytes:
    begin = start + 8 + _VISUAL
    end = max((after for _, _, after in _inside(data, begin, stop)), default=begin)
    kept = b"".join(data[a:b] for name, a, b in _inside(data, begin, stop) if name not in _OURS)
    return _box(data[start + 4 : start + 8], data[start + 8 : begin] + kept + boxes + data[end:stop])


def _inside(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, beginning and end of the boxes that lie side by side in data[start:stop]; what ends them may be zeros."""
    while start + 8 <= stop:
        size = int.from_bytes(data[start : start + 4], "big")
        if size < 8 or start + size > stop:
            return
        yield data[start + 4 : start + 8], start, start + size
        start += size


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content
