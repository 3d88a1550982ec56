"""Units of H.264 and HEVC streams, and the bits in their headers."""

from __future__ import annotations

from collections.abc import Iterator

from av.packet import Packet

_START = b"\0\0\1"


def units(packet: Packet, length: int) -> Iterator[memoryview]:
    """The units of a packet. length: of the numbers before each of them, in bytes; 0: there are start codes."""
    if not length:
        yield from after_start_codes(bytes(packet))
        return
    data, at = memoryview(packet), 0
    while at + length < len(data):
        stop = at + length + int.from_bytes(data[at : at + length], "big")
        if stop > at + length:
            yield data[at + length : stop]
        at = stop


def after_start_codes(data: bytes) -> Iterator[memoryview]:
    """Units of a byte stream (ITU-T H.264 and H.265, Annex B), each with what follows it."""
    at, view = data.find(_START), memoryview(data)
    while 0 <= at < len(data) - 3:
        yield view[at + 3 :]
        at = data.find(_START, at + 3)


class Bits:
    """Reads a unit bit by bit, without its emulation prevention (7.3.1 in both).

    Raises (from all that reads):
        ValueError: there are no more.
    """

    def __init__(self, data: bytes) -> None:
        data = data.replace(b"\0\0\3", b"\0\0")
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError("the unit is too short")
        return (self._value >> self._left) & ((1 << count) - 1)

    def flag(self) -> bool:
        return self.read(1) == 1

    def unsigned(self) -> int:
        """An Exp-Golomb number (9.1)."""
        zeros = self._left - (self._value & ((1 << self._left) - 1)).bit_length()
        self.read(zeros)
        return self.read(zeros + 1) - 1

    def signed(self) -> int:
        """Likewise with a sign (9.1.1)."""
        number = self.unsigned()
        return (number + 1) // 2 if number % 2 else -(number // 2)
