"""Elements of Matroska and WebM files (RFC 8794, RFC 9559).

Among them the size that a file announces, by which a cut one is known: FFmpeg takes its end for that of the video.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HEAD = 4096
"""Bytes at the beginning of a file that hold what is asked for here."""
_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067


def declared_bytes(head: bytes) -> int | None:
    """How long the file should be by its first `HEAD` bytes; None where it is of another kind or does not say."""
    place = 0
    for wanted in (_EBML, _SEGMENT):
        if int.from_bytes(head[place : place + 4], "big") != wanted:
            return None
        place += 4
        length = 9 - head[place].bit_length() if place < len(head) else 9
        number = int.from_bytes(head[place : place + length], "big") & ((1 << 7 * length) - 1)
        if length > 8 or place + length > len(head) or number == (1 << 7 * length) - 1:
            return None
        place += length + number
    return place


def missing_bytes(path: Path) -> int:
    """How many bytes lack at the end of a file; 0 for one that does not announce its size."""
    with open(path, "rb") as file:
        size = declared_bytes(file.read(HEAD))
        return 0 if size is None else max(0, size - file.seek(0, 2))


_TRACKS, _TRACK, _CODEC_DELAY = 0x1654AE6B, 0xAE, 0x56AA


def with_codec_delay(data: bytes, nanoseconds: int) -> bytes:
    """A Matroska file of one track, whose segment does not tell its size, with a CodecDelay in that track.

    Raises:
        ValueError: there is no track.
    """
    added = _CODEC_DELAY.to_bytes(2, "big") + b"\x88" + nanoseconds.to_bytes(8, "big")
    place, end = 0, len(data)
    sizes: list[tuple[int, int, int]] = []
    for wanted in (_SEGMENT, _TRACKS, _TRACK):
        while True:
            if place >= end:
                raise ValueError("there is no track")
            name, width = _number(data, place, marker=True)
            size, length = _number(data, place + width, marker=False)
            if name == wanted:
                break
            place += width + length + size
        if wanted != _SEGMENT:
            sizes.append((place + width, length, size))
            end = place + width + length + size
        place += width + length
    out = bytearray(data[:end] + added + data[end:])
    for where, length, size in sizes:
        out[where : where + length] = (size + len(added) | 1 << 7 * length).to_bytes(length, "big")
    return bytes(out)


def _number(data: bytes, place: int, marker: bool) -> tuple[int, int]:
    """A number of variable length and how many bytes it takes; marker: with the bit that tells them."""
    length = 9 - data[place].bit_length()
    number = int.from_bytes(data[place : place + length], "big")
    return (number if marker else number & ((1 << 7 * length) - 1)), length


UNKNOWN_SIZE = -1


@dataclass(frozen=True, slots=True)
class Element:
    """An element: its name, and where it, its content and what follows it begin. size: of its content."""

    name: int
    start: int
    data: int
    size: int

    @property
    def stop(self) -> int:
        """Where it ends."""
        return self.data + self.size


def elements(data: bytes, start: int, stop: int) -> Iterator[Element]:
    """The elements that lie side by side in data[start:stop], up to one of unknown size, which is the last.

    Raises:
        IndexError: the data end within an element's head.
    """
    while start < stop:
        name, width = _number(data, start, marker=True)
        size, length = _number(data, start + width, marker=False)
        if size == (1 << 7 * length) - 1:
            yield Element(name, start, start + width + length, UNKNOWN_SIZE)
            return
        yield Element(name, start, start + width + length, size)
        start += width + length + size


def element(name: int, content: bytes, width: int = 1) -> bytes:
    """An element as bytes; its size takes `width` bytes, or more if it has to."""
    while len(content) >= (1 << 7 * width) - 1:
        width += 1
    size = (len(content) | 1 << 7 * width).to_bytes(width, "big")
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + size + content
