"""Recordings that begin inside a group of pictures: graded from the first picture that can be, and said."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
import streams
from piping import standard_input
from rewrite import rewrite

from streamct.media.pipes import DASH
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.media.source import open_source

OPEN = {"x264-params": "keyint=10:min-keyint=10:scenecut=0:open-gop=1:bframes=2"}
CLOSED = {"x264-params": "keyint=10:min-keyint=10:scenecut=0:bframes=0"}


def cut_into(tmp_path: Path, ending: str, options: dict[str, str], packets: int) -> Path:
    """A clip with sound that lacks its first packets of video."""
    whole = tmp_path / ("whole.ts" if options is OPEN else "whole.mp4")  # the former has headers at each key frame
    source = streams.write_rich(whole, frames=40, audios=("aac",), chapters=False, options=options)
    target = tmp_path / f"cut{ending}"
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        copies = {s.index: after.add_stream_from_template(s, opaque=True) for s in before.streams}
        seen = 0
        for packet in before.demux():
            if packet.size:
                seen += packet.stream.type == "video"
                if packet.stream.type == "audio" or seen > packets:
                    packet.stream = copies[packet.stream.index]
                    after.mux(packet)
    return target


def times_of_packets(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [packet.pts for packet in container.demux(video=0) if packet.size and packet.pts is not None]


@pytest.mark.parametrize("ending", [".ts", ".mkv", ".mp4"])
@pytest.mark.parametrize("threads", [1, 2])
def test_packets_before_the_first_key_frame_are_counted_and_what_follows_keeps_its_time(
    tmp_path: Path, ending: str, threads: int
) -> None:
    path = cut_into(tmp_path, ending, CLOSED, 4)
    with Reader(probe(path), threads) as reader:
        times = [frame.pts for frame in reader]
    assert times == times_of_packets(path)[6:]
    assert reader.warnings == [
        f"{path}: the first 6 packets can't be decoded and are left out: they need a picture from before the file's "
        "beginning"
    ]


def test_pictures_that_come_behind_the_key_frame_and_are_shown_before_it_are_counted_too(tmp_path: Path) -> None:
    path = cut_into(tmp_path, ".ts", OPEN, 3)
    with Reader(probe(path), 1) as reader:
        count = sum(1 for _ in reader)
    packets = times_of_packets(path)
    lost = len(packets) - count
    with av.open(str(path)) as container:
        key = next(n for n, packet in enumerate(container.demux(video=0)) if packet.is_keyframe)
    assert lost == sum(time < packets[key] for time in packets) > key
    assert f"the first {lost} packets can't be decoded" in reader.warnings[0]


def test_one_packet_is_said_as_one(tmp_path: Path) -> None:
    path = cut_into(tmp_path, ".ts", CLOSED, 9)
    with Reader(probe(path)) as reader:
        assert sum(1 for _ in reader) == 30
    assert reader.warnings == [
        f"{path}: the first packet can't be decoded and is left out: it needs a picture from before the file's "
        "beginning"
    ]


def test_what_comes_before_the_first_headers_is_no_failure(tmp_path: Path) -> None:
    source = streams.write_rich(
        tmp_path / "a.ts", frames=240, audios=(), chapters=False,
        options={"x264-params": "keyint=200:min-keyint=200:scenecut=0:bframes=0", "preset": "ultrafast"},
    )  # fmt: skip
    path = tmp_path / "b.ts"
    with av.open(str(source)) as before, av.open(str(path), "w") as after:
        copy = after.add_stream_from_template(before.streams.video[0], opaque=True)
        copy.codec_context.extradata = None
        for number, packet in enumerate(before.demux(video=0)):
            if packet.size and number >= 10:
                packet.stream = copy
                after.mux(packet)
    with Reader(probe(path), 1) as reader:
        assert sum(1 for _ in reader) == 40
    assert "the first 190 packets can't be decoded" in reader.warnings[0]


def test_of_a_pipe_they_are_counted_likewise(tmp_path: Path) -> None:
    path = cut_into(tmp_path, ".ts", CLOSED, 4)
    with standard_input(path.read_bytes()), open_source(DASH, None) as source, source.reader(False) as reader:
        assert sum(1 for _ in reader) == 30
        assert "the first 6 packets can't be decoded" in reader.warnings[0]


@pytest.mark.parametrize("options", [OPEN, CLOSED])
def test_a_whole_clip_has_none(tmp_path: Path, options: dict[str, str]) -> None:
    path = cut_into(tmp_path, ".ts", options, 0)
    with Reader(probe(path)) as reader:
        assert sum(1 for _ in reader) == 40
    assert reader.warnings == []


@pytest.mark.parametrize("target", ["b.ts", "b.mp4", "b.mkv"])
def test_the_sound_stays_with_its_pictures(tmp_path: Path, target: str) -> None:
    path = cut_into(tmp_path, ".ts", CLOSED, 4)
    plan, _ = rewrite(path, tmp_path / target)
    apart = [
        min(streams.packet_times(file, "video")[skipped:]) - min(streams.packet_times(file, "audio"))
        for file, skipped in ((path, 6), (plan.path, 0))
    ]
    assert abs(apart[0] - apart[1]) <= 1 / 1000
