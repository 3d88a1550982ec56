"""Checksums of FFV1's slices (RFC 9043, 4.9.2): FFmpeg's decoder only logs those that do not match."""

from __future__ import annotations

import zlib

_TRAILER = 8
"""Bytes behind a slice that is protected: its size in three, its error status, its checksum in four."""
_ALL = 0xFFFFFFFF
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_STARTS = (0, int(f"{0x7A8C4079:032b}"[::-1], 2))
"""What checksums begin with: of version 3, and of 4."""


def broken_slices(packet: bytes) -> int | None:
    """How many slices of a packet of FFV1 do not match their checksums; None where it holds no such slices.

    The checksum runs from the highest bit of each byte, that of zlib from the lowest: bits are turned round first.
    """
    slices = _slices(packet)
    if slices is None:
        return None
    turned = packet.translate(_REVERSED)
    parts = [turned[start:stop] for start, stop in slices]
    return min(sum(zlib.crc32(part, start ^ _ALL) ^ _ALL != start for part in parts) for start in _STARTS)


def _slices(packet: bytes) -> list[tuple[int, int]] | None:
    """Where slices begin and end, found from the last one on; None if their sizes don't add up to the packet."""
    found = []
    stop = len(packet)
    while stop >= _TRAILER:
        start = stop - _TRAILER - int.from_bytes(packet[stop - _TRAILER : stop - _TRAILER + 3], "big")
        if start < 0:
            return None
        found.append((start, stop))
        stop = start
    return found if found and stop == 0 else None
