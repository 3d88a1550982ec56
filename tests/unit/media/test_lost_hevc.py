"""Pictures of HEVC that are missing, though others are made from them, are found and placed; no others are."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import streams
from av.packet import Packet

from streamct.errors import DamagedInputError
from streamct.media.lost_hevc import LostInHevc, _nearest, _short_term
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.media.source import Source
from streamct.media.timeline import timeline_of
from streamct.media.trim import Trim
from streamct.media.units import Bits
from streamct.model import Clip

FRAMES, SIZE = 24, (192, 128)
SHAPES = {
    "pyramid": "bframes=4:b-pyramid=1:keyint=12:open-gop=0",
    "open": "bframes=3:keyint=8:min-keyint=8:open-gop=1:scenecut=0",
    "chain": "bframes=0:ref=3:keyint=12",
    "layers": "temporal-layers=2:bframes=3:keyint=12",
    "slices": "slices=2:bframes=2:keyint=12",
    "intra": "keyint=1",
}


def clip(path: Path, shape: str) -> Path:
    planes = [streams.moving_planes(n, *SIZE) for n in range(FRAMES)]
    options = {"preset": "superfast", "x265-params": f"log-level=none:{SHAPES[shape]}"}
    return streams.write_planes(path, "yuv420p", planes, SIZE, codec="libx265", options=options)


def packets(path: Path) -> tuple[bytes | None, list[Packet]]:
    with av.open(str(path)) as container:
        extradata = container.streams.video[0].codec_context.extradata
        return extradata, [packet for packet in container.demux(video=0) if packet.size]


def without_the_sixth(source: Path, target: Path) -> Clip:
    """The same film, but for one packet."""
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        stream = after.add_stream_from_template(before.streams.video[0], opaque=True)
        for number, packet in enumerate(p for p in before.demux(video=0) if p.size):
            if number != 5:
                packet.stream = stream
                after.mux(packet)
    return probe(target)


def looked(extradata: bytes | None, found: list[Packet]) -> LostInHevc:
    lost = LostInHevc(extradata)
    for packet in found:
        lost.look(packet)
    return lost


def shown(extradata: bytes | None, found: list[Packet]) -> dict[int, bytes]:
    """What a decoder makes of packets."""
    context = av.CodecContext.create("hevc", "r")
    context.extradata = extradata
    context.thread_count = 1
    frames = [frame for packet in [*found, None] for frame in context.decode(packet)]
    return {frame.pts: frame.to_ndarray().tobytes() for frame in frames}


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
@pytest.mark.parametrize("shape", SHAPES)
def test_whole_clips_lack_nothing(tmp_path: Path, name: str, shape: str) -> None:
    with Reader(probe(clip(tmp_path / name, shape))) as reader:
        assert [frame.corrupt for frame in reader] == [False] * FRAMES
    assert reader.warnings == []


@pytest.mark.parametrize("shape", ["pyramid", "open", "chain", "layers", "slices"])
def test_every_loss_that_another_picture_shows_is_found_and_those_pictures_are_marked(
    tmp_path: Path, shape: str
) -> None:
    extradata, whole = packets(clip(tmp_path / "a.mp4", shape))
    right = shown(extradata, whole)
    found = 0
    for number in range(1, len(whole)):
        rest = [packet for n, packet in enumerate(whole) if n != number]
        lost = looked(extradata, rest)
        other = {pts for pts, picture in shown(extradata, rest).items() if right[pts] != picture}
        assert other <= lost.spoilt, number
        assert (lost.lost > 0) == bool(lost.spoilt), number
        found += lost.lost > 0
    assert 0 < found < len(whole)


def test_what_comes_before_an_opened_group_and_is_made_from_what_was_not_read_is_not_judged(tmp_path: Path) -> None:
    extradata, whole = packets(clip(tmp_path / "a.mp4", "open"))
    keys = [number for number, packet in enumerate(whole) if packet.is_keyframe]
    assert len(keys) == FRAMES // 8
    for key in keys:
        assert looked(extradata, whole[key:]).lost == 0
    joined = [*whole[: keys[1]], *whole[keys[2] :]]
    assert (looked(extradata, joined).lost > 0) == (whole[keys[2] + 1].pts < whole[keys[2]].pts)


def test_a_clip_that_lacks_a_picture_is_refused_and_read_as_a_whole(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", "chain")
    assert timeline_of(probe(source)) is not None
    film = without_the_sixth(source, tmp_path / "b.mp4")
    assert timeline_of(film) is None
    expected = r"1 picture is missing that others are made from, the first before 00:00:00\.240; \d of 23 frames"
    with Reader(film) as reader, pytest.raises(DamagedInputError, match=expected):
        list(reader)


@pytest.mark.parametrize("bits", [4, 8])
def test_an_order_is_completed_as_the_specification_has_it(bits: int) -> None:
    """Twin: Rec. ITU-T H.265, 8.3.1, Equation 8-1."""
    whole = 1 << bits
    for base in range(-3 * whole, 3 * whole, 3):
        for low in range(whole):
            before, high = base & (whole - 1), base - (base & (whole - 1))
            if low < before and before - low >= whole / 2:
                high += whole
            elif low > before and low - before > whole / 2:
                high -= whole
            assert _nearest(low, base, bits) == high + low


class Writer:
    """Bits, written one by one."""

    def __init__(self) -> None:
        self.text = ""

    def u(self, value: int, count: int = 1) -> Writer:
        self.text += f"{value:0{count}b}" if count else ""
        return self

    def ue(self, *values: int) -> Writer:
        for value in values:
            code = f"{value + 1:b}"
            self.text += "0" * (len(code) - 1) + code
        return self

    def data(self) -> bytes:
        text = self.text + "1"
        text += "0" * (-len(text) % 8)
        out = bytearray()
        for at in range(0, len(text), 8):
            byte = int(text[at : at + 8], 2)
            if out[-2:] == b"\0\0" and byte < 4:
                out.append(3)  # emulation prevention
            out.append(byte)
        return bytes(out)


@pytest.mark.parametrize("seed", range(20))
def test_sets_that_are_told_by_another_are_derived_as_the_specification_has_it(seed: int) -> None:
    """Twin: Rec. ITU-T H.265, 7.4.8, Equations 7-61 and 7-62."""
    rng = random.Random(seed)
    s0 = sorted(rng.sample(range(-8, 0), rng.randint(0, 4)), reverse=True)
    s1 = sorted(rng.sample(range(1, 9), rng.randint(0, 4)))
    other = (*((d, rng.random() < 0.5) for d in s0), *((d, rng.random() < 0.5) for d in s1))
    shift = rng.choice([-3, -2, -1, 1, 2, 3])
    used = [rng.randint(0, 1) for _ in range(len(other) + 1)]
    kept = [1 if now else rng.randint(0, 1) for now in used]
    bits = Writer().u(1).u(shift < 0).ue(abs(shift) - 1)
    for now, stays in zip(used, kept, strict=True):
        bits.u(now)
        if not now:
            bits.u(stays)
    earlier, later, negatives = [], [], len(s0)
    for j in reversed(range(len(s1))):
        if s1[j] + shift < 0 and kept[negatives + j]:
            earlier.append((s1[j] + shift, bool(used[negatives + j])))
    if shift < 0 and kept[-1]:
        earlier.append((shift, bool(used[-1])))
    for j in range(len(s0)):
        if s0[j] + shift < 0 and kept[j]:
            earlier.append((s0[j] + shift, bool(used[j])))
    for j in reversed(range(len(s0))):
        if s0[j] + shift > 0 and kept[j]:
            later.append((s0[j] + shift, bool(used[j])))
    if shift > 0 and kept[-1]:
        later.append((shift, bool(used[-1])))
    for j in range(len(s1)):
        if s1[j] + shift > 0 and kept[negatives + j]:
            later.append((s1[j] + shift, bool(used[negatives + j])))
    assert _short_term(Bits(bits.data()), [other]) == (*earlier, *later)


def unit(kind: int, bits: Writer) -> bytes:
    return b"\0\0\0\1" + bytes([kind << 1, 1]) + bits.data()


PARAMETERS = unit(
    33,
    Writer().u(0, 8).u(0, 96).ue(0, 1, 192, 128).u(0).ue(0, 0, 0).u(1).ue(1, 0, 0, 0, 0, 0, 0, 0, 0)
    .u(0, 4).ue(0).u(1).ue(0),
) + unit(34, Writer().ue(0, 0).u(0, 5))  # fmt: skip
"""Orders of 4 bits, no sets of its own, long-term pictures."""


def written(
    order: int, idr: bool = False, short: tuple[int, ...] = (), long: tuple[tuple[int, int], ...] = ()
) -> bytes:
    """A picture made from those `short` before it, and from others far back: by low bits, and by high bits or -1."""
    bits = Writer().u(1)
    if idr:
        return unit(19, bits.u(0).ue(0, 2))
    bits.ue(0, 1).u(order % 16, 4).u(0).ue(len(short), 0)
    last = 0
    for distance in short:
        bits.ue(distance - last - 1).u(1)
        last = distance
    bits.ue(len(long))
    for low, cycle in long:
        bits.u(low, 4).u(1).u(cycle >= 0)
        if cycle >= 0:
            bits.ue(cycle)
    return unit(1, bits.u(0, 40))


def judged(units: list[bytes]) -> int:
    found = []
    for number, data in enumerate(units):
        packet = Packet(data)
        packet.pts, packet.is_keyframe = number, number == 0
        found.append(packet)
    return looked(PARAMETERS, found).lost


def test_pictures_far_back_are_found_by_the_low_bits_of_their_order_and_by_all() -> None:
    first = written(0, idr=True)
    near = [written(order, short=(1,), long=((0, -1),) if order > 1 else ()) for order in range(1, 16)]
    far = [written(order, short=(1,), long=((0, order // 16),)) for order in range(16, 40)]
    assert judged([first, *near, *far]) == 0
    assert judged([first, *near[:6], *near[7:], *far]) == 1
    forgotten = written(15, short=(1,))
    assert judged([first, *near[:-1], forgotten, *far]) == 1


def test_nothing_is_judged_before_decoding_may_begin() -> None:
    assert judged([written(5, short=(1,)), written(7, short=(1,)), written(0, idr=True), written(1, short=(1,))]) == 0
    assert np.all([judged([written(0, idr=True), written(n, short=(1,))]) == (n > 1) for n in range(1, 8)])


def test_a_part_that_lacks_frames_which_the_decoder_leaves_out_is_refused_or_told(tmp_path: Path) -> None:
    """Of frames 6 to 11 nothing comes, for 5 is gone."""
    source = clip(tmp_path / "a.mp4", "chain")
    film = without_the_sixth(source, tmp_path / "b.mp4")
    line = "5 frames between --from and --to are corrupt, the first at 00:00:00.240"
    for tolerate in (False, True):
        trim = Trim(film, Fraction(2, 25), Fraction(11, 25))
        trim.prepare(2)
        with Source(film, trim=trim).reader(tolerate=tolerate, threads=1) as reader:
            if tolerate:
                assert sum(trim.holds(frame.pts) for frame in reader) == 3
                assert [told for told in reader.warnings if line in told]
            else:
                with pytest.raises(DamagedInputError, match=line):
                    list(reader)
    trim = Trim(film, Fraction(13, 25), Fraction(20, 25))
    trim.prepare(2)
    with Source(film, trim=trim).reader(tolerate=False, threads=1) as reader:
        assert sum(trim.holds(frame.pts) for frame in reader) == 7
