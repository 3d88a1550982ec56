"""Pictures of H.264 that are missing, though others are made from them, are found, counted and placed; no others."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import av
import pytest
import streams
from av.packet import Packet

from streamct.errors import DamagedInputError
from streamct.media.lost import LostPictures, looks_for_lost
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.media.source import Source
from streamct.media.timeline import passage, timeline_of
from streamct.media.trim import Trim

FRAMES = 40


def clip(path: Path, fields: str | None = None, **options: str) -> Path:
    planes = [streams.moving_planes(n, 64, 48) for n in range(FRAMES)]
    options = {"sc_threshold": "0", **options}
    return streams.write_planes(path, "yuv420p", planes, (64, 48), codec="libx264", fields=fields, options=options)


def without(source: Path, target: Path, gone: set[int]) -> Path:
    """A copy without the packets of these numbers."""
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        stream = after.add_stream_from_template(before.streams.video[0], opaque=True)
        for number, packet in enumerate(p for p in before.demux(video=0) if p.size):
            if number not in gone:
                packet.stream = stream
                after.mux(packet)
    return target


def packets(path: Path) -> list[Packet]:
    with av.open(str(path)) as container:
        return [packet for packet in container.demux(video=0) if packet.size]


def references(path: Path) -> list[bool]:
    """Whether each packet's picture may be made others from, by the two bits of its first slice that say so."""
    found = []
    for packet in packets(path):
        data = bytes(packet)
        at, kinds = 0, []
        while at < len(data):
            kinds.append(data[at + 4])
            at += 4 + int.from_bytes(data[at : at + 4], "big")
        found.append(next(kind & 96 > 0 for kind in kinds if kind & 31 in (1, 5)))
    return found


SHAPES = {
    "plain": {"g": "20", "bf": "2"},
    "pyramid": {"g": "20", "bf": "3", "x264-params": "b-pyramid=normal:b-adapt=0"},
    "slices": {"g": "20", "bf": "2", "x264-params": "slices=3"},
    "open": {"g": "12", "bf": "3", "x264-params": "open-gop=1:b-adapt=0"},
    "refresh": {"g": "12", "bf": "2", "x264-params": "intra-refresh=1"},
    "intra": {"g": "1"},
    "hidden": {"g": "20", "bf": "2", "x264-params": "aud=1:weightp=2:ref=4"},
}


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
@pytest.mark.parametrize("shape", SHAPES)
def test_whole_clips_lack_nothing(tmp_path: Path, name: str, shape: str) -> None:
    path = clip(tmp_path / name, **SHAPES[shape])
    with Reader(probe(path)) as reader:
        assert sum(not frame.corrupt for frame in reader) == FRAMES
    assert reader.warnings == []


@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])
def test_whole_interlaced_clips_lack_nothing(tmp_path: Path, name: str) -> None:
    path = clip(tmp_path / name, fields="tff", flags="+ildct+ilme", **{"x264-params": "tff=1:keyint=16"})
    with Reader(probe(path)) as reader:
        assert sum(not frame.corrupt for frame in reader) == FRAMES


@pytest.mark.parametrize("shape", ["plain", "pyramid", "slices", "hidden"])
def test_every_lost_picture_that_others_are_made_from_is_found_and_no_other(tmp_path: Path, shape: str) -> None:
    path = clip(tmp_path / "a.mp4", **SHAPES[shape])
    wanted = references(path)
    keys = [packet.is_keyframe for packet in packets(path)]
    extradata = extradata_of(path)
    for number in range(1, FRAMES):
        lost = LostPictures(extradata)
        for packet in [packet for n, packet in enumerate(packets(path)) if n != number]:
            lost.look(packet)
        last = number + 1 == FRAMES or keys[number + 1]  # of its group: nothing is made from it
        assert lost.lost == (wanted[number] and not last), number


def extradata_of(path: Path) -> bytes | None:
    with av.open(str(path)) as container:
        return container.streams.video[0].codec_context.extradata


@pytest.mark.parametrize("name", ["b.mp4", "b.mkv", "b.ts"])
def test_a_clip_that_lacks_a_picture_is_refused_with_count_and_place(tmp_path: Path, name: str) -> None:
    source = clip(tmp_path / "a.mp4", g="20", bf="0")
    path = without(source, tmp_path / name, {23, 24, 31})
    # 25..39 are made from 23 and 24; MPEG-TS begins 1.4 s late
    expected = (
        rf"{name}: at least 3 pictures are missing that others are made from, the first before 00:00:0\d\.\d+; "
        rf"14 of {FRAMES - 3} frames are made without\. .*--tolerate-corrupt"
    )
    with Reader(probe(path)) as reader, pytest.raises(DamagedInputError, match=expected):
        list(reader)
    with Reader(probe(path), tolerate=True) as reader:
        marked = [frame.corrupt for frame in reader]
    assert marked == [False] * 23 + [True] * 14
    assert len(reader.warnings) == 1
    if name == "b.mp4":
        assert "the first before 00:00:01.000; 14 of 37 frames are made without" in reader.warnings[0]


def test_a_lost_beginning_of_a_group_is_found(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", g="10", bf="0")
    path = without(source, tmp_path / "b.mp4", {20})
    with Reader(probe(path), tolerate=True) as reader:
        numbers = [frame.pts * frame.time_base * 25 for frame in reader if not frame.corrupt]
    assert numbers == [*range(20), *range(30, 40)]
    assert (
        "at least 1 picture is missing that others are made from, the first before 00:00:00.840" in reader.warnings[0]
    )
    assert not any("truncated" in line for line in reader.warnings)


def test_a_lost_picture_has_a_clip_read_as_a_whole(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", g="10", bf="0")
    assert timeline_of(probe(source)) is not None
    assert timeline_of(probe(without(source, tmp_path / "b.mp4", {23}))) is None


@pytest.mark.parametrize(("start", "stop", "shown"), [(0, 20, 0), (31, 37, 0), (12, 28, 5), (24, 35, 6)])
def test_a_part_is_refused_only_for_what_it_lacks_itself(tmp_path: Path, start: int, stop: int, shown: int) -> None:
    """Frames 23 to 29 show that 22 is gone."""
    path = without(clip(tmp_path / "a.mp4", g="10", bf="0"), tmp_path / "b.mp4", {22})
    film = probe(path)
    trim = Trim(film, Fraction(start, 25), Fraction(stop, 25))
    trim.prepare(2)
    with Source(film, trim=trim).reader(tolerate=False, threads=1) as reader:
        if shown:
            with pytest.raises(DamagedInputError, match=f"{shown} frames between --from and --to are corrupt"):
                list(reader)
        else:
            assert len(list(reader)) >= stop - start


def test_passages_of_whole_clips_lack_nothing(tmp_path: Path) -> None:
    from streamct.media.passage_reader import PassageReader

    film = probe(clip(tmp_path / "a.mp4", g="10", bf="2"))
    timeline = timeline_of(film)
    assert timeline is not None
    with PassageReader(film, passage(timeline, 13, 33)) as reader:
        assert len(list(reader)) == 20


class Bits:
    """Bits of a NAL unit, written one by one."""

    def __init__(self) -> None:
        self.text = ""

    def u(self, value: int, count: int) -> Bits:
        self.text += f"{value:0{count}b}" if count else ""
        return self

    def ue(self, *values: int) -> Bits:
        for value in values:
            code = f"{value + 1:b}"
            self.text += "0" * (len(code) - 1) + code
        return self

    def se(self, *values: int) -> Bits:
        return self.ue(*(2 * value - 1 if value > 0 else -2 * value for value in values))

    def unit(self, head: int) -> bytes:
        text = self.text + "1"
        text += "0" * (-len(text) % 8)
        data, out = bytes(int(text[n : n + 8], 2) for n in range(0, len(text), 8)), bytearray()
        for byte in data:
            if out[-2:] == b"\0\0" and byte < 4:
                out.append(3)  # emulation prevention
            out.append(byte)
        return b"\0\0\0\1" + bytes([head]) + bytes(out)


def sequence(gaps: bool = False, fields: bool = True) -> bytes:
    """Baseline, `frame_num` of 4 bits, order of pictures of type 2."""
    bits = Bits().u(66, 8).u(0, 8).u(30, 8).ue(0, 0, 2, 4).u(gaps, 1).ue(3, 2).u(not fields, 1)
    return bits.unit(0x67)


def picture(weighted: bool = False) -> bytes:
    return Bits().ue(0, 0).u(0, 2).ue(0, 0, 0).u(weighted, 1).u(0, 2).se(0, 0, 0).u(0, 3).unit(0x68)


def written(
    number: int,
    idr: bool = False,
    reference: bool = True,
    bottom: bool | None = None,
    intra: bool = False,
    operations: tuple[int, ...] | None = None,
    weighted: bool = False,
) -> bytes:
    """A P slice of a stream with fields; bottom: of a field; operations: memory management control."""
    bits = Bits().ue(0, 7 if idr or intra else 5, 0).u(number, 4).u(bottom is not None, 1)
    if bottom is not None:
        bits.u(bottom, 1)
    if idr:
        bits.ue(0).u(0, 2)
    else:
        bits.u(1, 1).ue(1)  # two references
        bits.u(1, 1).ue(0, 0, 3)  # in another order
        if weighted:
            bits.ue(5, 5)
            for _ in range(2):
                bits.u(1, 1).se(30, -2).u(1, 1).se(20, 1, -19, 3)
        if reference:
            bits.u(operations is not None, 1)
            if operations is not None:
                bits.ue(*operations, 0)
    return bits.ue(*range(40)).unit((0x60 if reference else 0) | (5 if idr else 1))


def lost(units: list[bytes], **parameters: bool) -> int:
    weighted = parameters.pop("weighted", False)
    looked = LostPictures(sequence(**parameters) + picture(weighted))
    for index, unit in enumerate(units):
        packet = Packet(unit)
        packet.pts, packet.is_keyframe = index, index == 0
        looked.look(packet)
    return looked.lost


def test_numbers_run_over_their_last_bit() -> None:
    assert lost([written(0, idr=True), *(written(n % 16) for n in range(1, 40))]) == 0
    assert lost([written(0, idr=True), *(written(n % 16) for n in range(1, 40) if n != 16)]) == 1


def test_two_fields_are_one_picture_in_one_packet_or_two() -> None:
    pairs = [(written(n % 16, idr=n == 0, bottom=False), written(n % 16, bottom=True)) for n in range(20)]
    assert lost([top + bottom for top, bottom in pairs]) == 0
    assert lost([field for pair in pairs for field in pair]) == 0
    assert lost([top + bottom for n, (top, bottom) in enumerate(pairs) if n != 7]) == 1
    assert lost([field for n, pair in enumerate(pairs) for field in pair if n != 7]) == 1


def test_pictures_that_no_other_is_made_from_share_the_next_number() -> None:
    units = [written(0, idr=True), written(1, reference=False), written(1, reference=False), written(1), written(2)]
    assert lost(units) == 0
    assert lost([units[0], *units[2:]]) == 0
    assert lost([*units[:3], units[4]]) == 1
    assert lost([*units[:3], written(2, reference=False), written(2, reference=False), written(2)]) == 1


def test_gaps_that_the_stream_allows_are_none() -> None:
    units = [written(0, idr=True), written(2), written(4), written(5)]
    assert lost(units, gaps=True) == 0
    assert lost(units) == 2


@pytest.mark.parametrize("weighted", [False, True])
def test_a_picture_may_have_the_numbers_begin_again(weighted: bool) -> None:
    before = [written(0, idr=True), *(written(n, weighted=weighted) for n in range(1, 5))]
    anew = written(5, operations=(1, 0, 3, 0, 0, 5), weighted=weighted)
    usual = written(5, operations=(1, 0, 3, 0, 0, 4, 1), weighted=weighted)
    after = [written(n, weighted=weighted) for n in (1, 2, 3)]
    assert lost([*before, anew, *after], weighted=weighted) == 0
    assert lost([*before, usual, *after], weighted=weighted) == 1
    assert lost([*before, anew, *after[1:]], weighted=weighted) == 1


def test_a_clip_cut_together_at_a_picture_made_from_itself_lacks_only_what_is_shown_before_it() -> None:
    shown = {"closed": [0, 1, 2, 3, 4, 5], "open": [0, 1, 2, 5, 3, 4]}
    found = {}
    for name, times in shown.items():
        units = [written(0, idr=True), written(1), written(2), written(9, intra=True), written(10), written(11)]
        looked = LostPictures(sequence() + picture())
        for index, (time, unit) in enumerate(zip(times, units, strict=True)):
            packet = Packet(unit)
            packet.pts, packet.is_keyframe = time, index in (0, 3)
            looked.look(packet)
        found[name] = looked.lost, looked.first, looked.spoilt
    assert found == {"closed": (0, None, set()), "open": (6, 3, {3, 4})}


def test_what_comes_before_the_first_key_picture_is_not_judged() -> None:
    looked = LostPictures(sequence() + picture())
    for unit in (written(3), written(7), written(12), written(0, idr=True), written(1)):
        looked.look(Packet(unit))
    assert looked.lost == 0


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_spoilt_headers_are_passed_over(tmp_path: Path, codec: str) -> None:
    quiet = {"x265-params": "log-level=none:bframes=2"} if codec == "libx265" else {"bf": "2"}
    planes = [streams.moving_planes(n, 192, 128) for n in range(12)]
    path = streams.write_planes(tmp_path / "a.mp4", "yuv420p", planes, (192, 128), codec=codec, options=quiet)
    extradata, whole = extradata_of(path), packets(path)
    assert extradata is not None
    judged = 0
    for seed in range(60):
        rng = random.Random(seed)
        looked = looks_for_lost("hevc" if codec == "libx265" else "h264", spoil(extradata, rng))
        assert looked is not None
        for packet in whole:
            fresh = Packet(spoil(bytes(packet), rng))
            fresh.pts, fresh.is_keyframe = packet.pts, packet.is_keyframe
            looked.look(fresh)
        judged += looked.lost > 0
    assert judged  # some spoilt numbers look like gaps, and none is an error


def spoil(data: bytes, rng: random.Random) -> bytes:
    """Up to three of the first bytes another, and now and then the end cut off."""
    out = bytearray(data)
    for _ in range(rng.randint(0, 3)):
        out[rng.randrange(min(len(out), 60))] = rng.choice((0, 1, 255, rng.randrange(256)))
    return bytes(out[: rng.randrange(len(out)) if rng.random() < 0.1 else len(out)])
