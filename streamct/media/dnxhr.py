"""What DNxHR pictures say of their matrix, which FFmpeg's encoder does not write and its decoder reads as BT.709."""

from __future__ import annotations

from av.packet import Packet

_VERSION_AT, _DNXHR = 4, 3
_VOLUME_AT, _VOLUME_BITS = 0x2C, 0b110
_BT709, _BT2020, _BT2020_CONSTANT, _ELSEWHERE = 0, 1, 2, 3
_VOLUMES = {1: _BT709, 9: _BT2020, 10: _BT2020_CONSTANT}


def tell_matrix(packet: Packet, matrix: int) -> None:
    """Write a matrix (ITU-T H.273) into the header of an encoded picture, as colour volume (SMPTE ST 2019-1).

    That has a number for three of them; for others and for none it says that the file tells.
    """
    data = bytearray(bytes(packet))
    if len(data) > _VOLUME_AT and data[_VERSION_AT] == _DNXHR:
        data[_VOLUME_AT] = data[_VOLUME_AT] & ~_VOLUME_BITS | _VOLUMES.get(matrix, _ELSEWHERE) << 1
        packet.update(bytes(data))
