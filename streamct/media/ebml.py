"""The size that a Matroska or WebM file announces, by which a cut one is known (RFC 8794, RFC 9559).

FFmpeg takes the end of a cut file for the end of the video.
"""

from __future__ import annotations

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
