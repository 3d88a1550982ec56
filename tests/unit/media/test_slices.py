"""FFV1's own checksums are looked at: its damage is found and told."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
import streams

from streamct.errors import DamagedInputError
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.media.slices import broken_slices

SIZE = (96, 64)


def checksum(data: bytes, start: int) -> int:
    """RFC 9043, 4.9.2.1, a bit after the other: x^32 + x^26 + ... + 1 from the highest bit of each byte on."""
    value = start
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 1 << 31 else 0)) & 0xFFFFFFFF
    return value


def unwound(value: int) -> int:
    """What four zero bytes turn into `value`."""
    for _ in range(32):
        value = (value ^ 0x04C11DB7) >> 1 | 1 << 31 if value & 1 else value >> 1
    return value


def packed(slices: list[bytes], start: int = 0) -> bytes:
    """A packet of slices with their trailers; the checksum is what brings that of all back to `start`."""
    out = b""
    for body in slices:
        part = body + len(body).to_bytes(3, "big") + b"\0"
        out += part + (checksum(part, start) ^ unwound(start)).to_bytes(4, "big")
    return out


@pytest.mark.parametrize("start", [0, 0x7A8C4079])
def test_each_slice_that_does_not_match_is_counted(start: int) -> None:
    packet = packed([b"the first slice", b"a second one", b"and a third"], start)
    assert broken_slices(packet) == 0
    for places in ([0], [24], [14, 30], [2, 27, 50]):
        spoilt = bytearray(packet)
        for place in places:
            spoilt[place] ^= 4
        assert broken_slices(bytes(spoilt)) == len(places)


@pytest.mark.parametrize("packet", [b"", b"short", bytes(7), bytes(range(200))])
def test_what_holds_no_checksums_is_not_judged(packet: bytes) -> None:
    assert broken_slices(packet) is None


def clip(path: Path, **options: str) -> Path:
    frames = [streams.moving_planes(n, *SIZE) for n in range(6)]
    return streams.write_planes(path, "yuv420p", frames, SIZE, codec="ffv1", options={"slices": "4", **options})


@pytest.mark.parametrize("options", [{"level": "3"}, {"level": "3", "slicecrc": "0"}, {"level": "1", "slices": "1"}])
def test_whole_files_of_every_kind_are_read(tmp_path: Path, options: dict[str, str]) -> None:
    with Reader(probe(clip(tmp_path / "a.mkv", **options))) as reader:
        assert not any(frame.corrupt for frame in reader)
    assert reader.warnings == []


@pytest.mark.parametrize("from_end", [200, 2])  # amid a slice; in the last checksum
def test_a_flipped_bit_is_found_and_told(tmp_path: Path, from_end: int) -> None:
    path = clip(tmp_path / "a.mkv", level="3")
    with av.open(str(path)) as container:
        packet = [p for p in container.demux(video=0) if p.size][3]
        assert packet.pos is not None
        place = path.read_bytes().index(bytes(packet)) + packet.size - from_end
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))
    with (
        Reader(probe(path)) as reader,
        pytest.raises(DamagedInputError, match="1 of 6 frames are corrupt"),
    ):
        list(reader)
    with Reader(probe(path), tolerate=True) as reader:
        assert [frame.corrupt for frame in reader] == [False, False, False, True, False, False]
    assert any("1 of 6 frames are corrupt, the first at 00:00:00.120" in line for line in reader.warnings)
