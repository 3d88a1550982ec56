"""Sound stays with the pictures to the sample, whatever container it goes to."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import clips
import numpy as np
import pictures
import pytest
import streams
from av.packet import Packet
from piping import standard_input
from rewrite import rewrite

from streamct import Settings, transfer_video
from streamct.media.ebml import with_codec_delay
from streamct.media.priming import SampleClock

QUICK = Settings().updated(palette__size=4, palette__proxy_size=32, mapping__transport_iterations=10)
PRIMING = Fraction(1024, 48000)


def sound(path: Path, number: int = 0) -> tuple[Fraction, np.ndarray]:
    """When the first sample that is heard is due, and all that are."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=number))
    return frames[0].pts * frames[0].time_base, np.concatenate([f.to_ndarray() for f in frames], axis=1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MP4 with two tracks of AAC, whose 1024 samples of priming an edit list skips."""
    return streams.write_rich(tmp_path_factory.mktemp("priming") / "a.mp4", options={"bf": "2"})


def test_the_source_has_priming(clip: Path) -> None:
    assert streams.packet_times(clip, "audio")[0] == -PRIMING
    assert sound(clip)[0] == 0


@pytest.mark.parametrize("number", [0, 1])
def test_from_mp4_to_matroska_nothing_shifts_and_no_priming_is_heard(clip: Path, tmp_path: Path, number: int) -> None:
    rewrite(clip, tmp_path / "b.mkv")
    assert streams.packet_times(tmp_path / "b.mkv", "video") == streams.packet_times(clip, "video")
    start, samples = sound(tmp_path / "b.mkv", number)
    assert start == 0
    np.testing.assert_array_equal(samples, sound(clip, number)[1])
    assert streams.packet_hashes(tmp_path / "b.mkv") == streams.packet_hashes(clip)


def test_priming_that_comes_through_a_pipe_is_told_too(clip: Path, tmp_path: Path) -> None:
    fast = streams.write_rich(tmp_path / "fast.mp4", options={"bf": "2"}, fast_start=True)
    reference = pictures.save(tmp_path / "ref.png", pictures.gradient(20, 20))
    with standard_input(fast.read_bytes()):
        transfer_video("-", reference, tmp_path / "b.mkv", QUICK)
    assert streams.packet_times(tmp_path / "b.mkv", "video")[0] == 0
    start, samples = sound(tmp_path / "b.mkv")
    assert start == 0
    np.testing.assert_array_equal(samples, sound(clip)[1])


def test_there_and_back_all_times_are_the_same_to_the_sample(clip: Path, tmp_path: Path) -> None:
    rewrite(clip, tmp_path / "b.mkv")
    rewrite(tmp_path / "b.mkv", tmp_path / "c.mp4")
    for kind, number in (("video", 0), ("audio", 0), ("audio", 1)):
        assert streams.packet_times(tmp_path / "c.mp4", kind, number) == streams.packet_times(clip, kind, number)
    assert streams.packet_hashes(tmp_path / "c.mp4") == streams.packet_hashes(clip)
    start, samples = sound(tmp_path / "c.mp4")
    assert start == 0
    np.testing.assert_array_equal(samples, sound(clip)[1])


def test_sound_of_matroska_without_priming_is_evenly_spaced_in_mp4(tmp_path: Path) -> None:
    path = streams.write_rich(tmp_path / "a.mkv", audios=("flac",))
    rewrite(path, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        times = [p.pts for p in container.demux(audio=0) if p.size]
    assert len(times) > 3
    assert set(np.diff(times)) == {4608}  # FFmpeg's FLAC encoder's packets


@pytest.mark.parametrize("codec", ["ac3", "aac"])
def test_sound_that_begins_late_in_matroska_begins_as_late_in_mp4(tmp_path: Path, codec: str) -> None:
    """A millisecond is no whole number of samples at 44100 Hz, so the film's own clock has to count both."""
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        video = container.add_stream("libx264", rate=25, width=64, height=48)
        video.pix_fmt = "yuv420p"
        audio = container.add_stream(codec, rate=44100, layout="mono")
        for number in range(20):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 12 * number, np.uint8), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(video.encode(picture))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1536 * 12), np.float32), format="fltp", layout="mono")
        silence.sample_rate, silence.pts, silence.time_base = 44100, 4630, Fraction(1, 44100)
        container.mux(audio.encode(silence))
        container.mux([*video.encode(None), *audio.encode(None)])
    rewrite(tmp_path / "a.mkv", tmp_path / "b.mp4")
    starts = [streams.packet_times(tmp_path / name, "audio")[0] for name in ("a.mkv", "b.mp4")]
    assert starts[0] > Fraction(5, 100)
    assert abs(starts[1] - starts[0]) <= Fraction(1, 44100)


def test_sound_that_an_edit_list_cuts_keeps_its_length(clip: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    with av.open(str(clip)) as before, av.open(str(cut), "w") as after:
        copies = {s.index: after.add_stream_from_template(s, opaque=True) for s in before.streams if s.type != "data"}
        for packet in before.demux():
            if packet.size and packet.stream.index in copies:
                packet.stream = copies[packet.stream.index]
                after.mux(packet)
    data = bytearray(cut.read_bytes())
    lists = [place for place in range(len(data)) if data[place : place + 4] == b"elst"]
    assert len(lists) == 3
    for place in lists[1:]:  # of the sound, with one entry: version and flags, count, duration, time, rate
        data[place + 12 : place + 16] = (int.from_bytes(data[place + 12 : place + 16], "big") - 10).to_bytes(4, "big")
    cut.write_bytes(bytes(data))
    rewrite(cut, tmp_path / "b.mp4")
    lengths = []
    for path in (clip, cut, tmp_path / "b.mp4"):
        with av.open(str(path)) as container:
            lengths.append([stream.duration for stream in container.streams.audio])
    assert lengths[1] == lengths[2] != lengths[0]


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MP4 with a tone that begins 0.3 s later in its sound: its edit list skips 14 400 samples more."""
    tone = clips.write_clip(tmp_path_factory.mktemp("tone") / "a.mp4", clips.moving_picture(20), audio=True)
    data = bytearray(tone.read_bytes())
    place = [place for place in range(len(data)) if data[place : place + 4] == b"elst"][1]
    for at, more in ((12, -300 * int.from_bytes(data[data.index(b"mvhd") + 16 :][:4], "big") // 1000), (16, 14_400)):
        value = int.from_bytes(data[place + at : place + at + 4], "big") + more
        data[place + at : place + at + 4] = value.to_bytes(4, "big")
    path = tmp_path_factory.mktemp("late") / "late.mp4"
    path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize("ending", [".mkv", ".ts", ".nut"])
def test_sound_that_an_edit_list_hides_does_not_come_along(late: Path, tmp_path: Path, ending: str) -> None:
    assert streams.packet_times(late, "audio")[0] == -Fraction(14_400 + 1024, 48_000)
    _, notes = rewrite(late, tmp_path / f"b{ending}")
    assert "stream 1 (audio): 12 packets are left out at its beginning that an edit list hides" in notes
    video, *_ = streams.packet_times(tmp_path / f"b{ending}", "video")
    begin, *_ = streams.packet_times(tmp_path / f"b{ending}", "audio")
    assert 2 * PRIMING < video - begin < 4 * PRIMING  # what is decoded for the first packet that is heard
    if ending == ".mkv":
        start, samples = sound(tmp_path / "b.mkv")
        assert start == 0
        np.testing.assert_allclose(samples, sound(late)[1], atol=5e-3)


def packet_at(milliseconds: int, duration: int = 21) -> Packet:
    packet = Packet(b"x")
    packet.pts = packet.dts = milliseconds
    packet.duration, packet.time_base = duration, Fraction(1, 1000)
    return packet


def retimed(clock: SampleClock, packets: list[Packet]) -> list[tuple[int, int]]:
    out = []
    for packet in packets:
        clock.retime(packet)
        assert packet.time_base == Fraction(1, clock.rate)
        out.append((packet.pts, packet.duration))
    return out


def test_milliseconds_become_samples_and_gaps_stay() -> None:
    clock = SampleClock(48000, 1024, Fraction(1, 1000))
    told = [0, 21, 43, 64, 85, 500, 521, 543]
    found = retimed(clock, [packet_at(time) for time in told])
    assert found == [(n, 1024) for n in (0, 1024, 2048, 3072, 4096, 24000, 25024, 26048)]
    assert all(abs(pts - 48 * time) <= 48 for (pts, _), time in zip(found, told, strict=True))


def test_a_last_packet_that_is_cut_keeps_its_length() -> None:
    clock = SampleClock(48000, 1024, Fraction(1, 1000))
    assert retimed(clock, [packet_at(0), packet_at(21, 10)]) == [(0, 1024), (1024, 480)]


def test_a_packet_without_a_time_is_left_alone() -> None:
    packet = Packet(b"x")
    SampleClock(48000, 1024, Fraction(1, 1000)).retime(packet)
    assert packet.pts is None


def test_a_delay_needs_a_track() -> None:
    for data in (b"", bytes.fromhex("1A45DFA380"), bytes.fromhex("1A45DFA38018538067 01FFFFFFFFFFFFFF")):
        with pytest.raises(ValueError, match="there is no track"):
            with_codec_delay(data, 1)
