"""Clocks that begin again in the middle go on: pictures at the frame rate, sound with them, and a line says where."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
import streams
from piping import standard_input
from rewrite import rewrite

from streamct.media.pipes import DASH
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.media.source import open_source
from streamct.media.timeline import timeline_of

FRAMES = 50
STEP = Fraction(1, 25)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("once")
    return streams.write_rich(
        folder / "a.ts", frames=FRAMES, audios=("aac",), chapters=False, options={"bf": "2", "g": "25"}
    )


@pytest.fixture
def thrice(once: Path, tmp_path: Path) -> Path:
    path = tmp_path / "a.ts"
    path.write_bytes(once.read_bytes() * 3)
    return path


def test_frames_go_on_at_the_frame_rate_and_it_is_said_how_often_and_where(once: Path, thrice: Path) -> None:
    begin = streams.packet_times(once, "video")[0]
    with Reader(probe(thrice)) as reader:
        times = [frame.pts * frame.time_base for frame in reader]
    assert times == [begin + STEP * n for n in range(3 * FRAMES)]
    second = float(begin + STEP * FRAMES)
    (line,) = reader.warnings
    assert f"a.ts: its clock begins again 2 times, first at 00:00:0{second:.3f};" in line


def test_each_sound_packet_keeps_its_distance_from_the_pictures(once: Path, thrice: Path, tmp_path: Path) -> None:
    _, notes = rewrite(thrice, tmp_path / "b.mkv")
    whole = streams.packet_times(once, "audio")
    copied = streams.packet_times(tmp_path / "b.mkv", "audio")
    turns = [STEP * FRAMES * n for n in range(3)]
    wanted = [time + turn for turn in turns for time in whole]
    nearest = [min(wanted, key=lambda time: abs(time - found)) for found in copied]
    assert max(abs(a - b) for a, b in zip(nearest, copied, strict=True)) < Fraction(1, 1000)
    assert nearest == sorted(set(nearest))
    assert len(wanted) - 5 < len(copied) <= len(wanted)
    left_out = len(wanted) - len(copied)
    assert [note for note in notes if "overlap" in note] == (
        [f"stream 1 (audio): {left_out} packets are left out that overlap where the clock begins again"]
        if left_out
        else []
    )


def test_a_pipe_is_no_different(thrice: Path) -> None:
    with Reader(probe(thrice)) as reader:
        wanted = [frame.pts for frame in reader]
    with standard_input(thrice.read_bytes()), open_source(DASH, None) as source:
        piped = source.reader(tolerate=False)
        assert [frame.pts for frame in piped] == wanted
        assert len(piped.warnings) == 1
        assert source.demuxer is not None
        times = []
        while (packet := source.demuxer.other()) is not None:
            times.append(packet.pts)
    assert times == sorted(times)


def test_what_begins_again_is_read_as_a_whole(once: Path, thrice: Path) -> None:
    assert timeline_of(probe(once)) is not None
    assert timeline_of(probe(thrice)) is None


def test_whole_clips_are_left_as_they_are(once: Path, tmp_path: Path) -> None:
    with Reader(probe(once)) as reader:
        assert [frame.pts * frame.time_base for frame in reader] == streams.packet_times(once, "video")
    assert reader.warnings == []
    rewrite(once, tmp_path / "b.ts")
    assert streams.packet_hashes(tmp_path / "b.ts", ("audio",)) == streams.packet_hashes(once, ("audio",))
