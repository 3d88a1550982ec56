"""Damaged clips: refused by default, and on demand graded as far as they decode, with the damage reported."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pictures
import pytest
import streams
from faults import little_space
from piping import standard_input

from streamct import Settings, transfer_video
from streamct.errors import DamagedInputError, InputError, NoVideoError, OutputError
from streamct.media.pipes import DASH
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.media.source import open_source
from streamct.model import Report

FRAMES = 50
QUICK = Settings().updated(
    palette__size=4, palette__proxy_size=32, time__radius=60, time__knot_spacing=60, mapping__transport_iterations=10,
    output__encoder_preset="ultrafast",
)  # fmt: skip


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return streams.write_rich(
        tmp_path / "a.mp4", frames=FRAMES, size=(128, 96), audios=("aac",), chapters=False, fast_start=True,
        options={"x264-params": "keyint=5:min-keyint=5"},
    )  # fmt: skip


def cut(path: Path, share: float) -> Path:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


def flip(path: Path, count: int, seed: int = 0) -> Path:
    """Spoil bytes inside of packets, headers left out."""
    with av.open(str(path)) as container:
        places = [(p.pos + 16, p.pos + p.size) for p in container.demux(video=0) if p.size > 40]
    rng = np.random.default_rng(seed)
    data = bytearray(path.read_bytes())
    for number in rng.choice(np.arange(5, len(places)), count, replace=False):
        start, end = places[number]
        for place in rng.integers(start, end, 8):
            data[place] ^= 0xFF
    path.write_bytes(bytes(data))
    return path


def grade(path: Path, **more: object) -> Report:
    reference = pictures.save(path.parent / "ref.png", pictures.gradient(20, 20))
    return transfer_video(path, reference, path.with_name("out.mp4"), QUICK, **more)  # type: ignore[arg-type]


def test_a_truncated_clip_is_refused_and_the_message_says_how_to_go_on(clip: Path) -> None:
    expected = (
        rf"a\.mp4: \d+ of {FRAMES} frames could be decoded \(the pictures end at 00:00:0\d\.\d+ of 00:00:02\.000\); "
        r"the file is probably truncated\. .* or grade what is there with --tolerate-corrupt\."
    )
    with pytest.raises(DamagedInputError, match=expected):
        grade(cut(clip, 0.5))
    assert not clip.with_name("out.mp4").exists()


def test_a_truncated_clip_is_graded_as_far_as_it_goes_where_that_is_asked_for(clip: Path) -> None:
    report = grade(cut(clip, 0.5), tolerate_corrupt=True)
    assert 10 < report.frames < FRAMES
    assert any(f"{report.frames} of {FRAMES} frames could be decoded" in line for line in report.warnings)
    with Reader(probe(report.output)) as reader:
        times = [frame.pts * frame.time_base * 25 for frame in reader]
    # The packet that was cut off may belong to a frame shown before the last whole one.
    assert times[:-2] == list(range(report.frames - 2))
    assert times == sorted(set(times))
    assert times[-1] <= report.frames + 2


@pytest.mark.parametrize("seed", range(3))
def test_spoilt_packets_are_refused_or_keep_the_timeline(clip: Path, seed: int) -> None:
    flip(clip, 6, seed)
    with pytest.raises(DamagedInputError, match=r"a\.mp4: (decoding stopped at frame|\d+ of \d+ frames)"):
        grade(clip)
    report = grade(clip, tolerate_corrupt=True)
    assert report.frames > FRAMES // 2
    assert any(str(clip) in line for line in report.warnings)
    with Reader(probe(report.output)) as reader:
        times = [frame.pts * frame.time_base for frame in reader]
    assert len(times) == report.frames
    assert set(times) <= {Fraction(n, 25) for n in range(FRAMES)}
    assert streams.packet_hashes(report.output) == streams.packet_hashes(clip)


def break_packet(path: Path, number: int) -> None:
    """Give the packet of this number a length that can't be; it is one that no other frame is made from."""
    with av.open(str(path)) as container:
        place = [p.pos for p in container.demux(video=0) if p.size][number]
    data = bytearray(path.read_bytes())
    data[place : place + 4] = b"\x7f\xff\xff\xff"
    path.write_bytes(bytes(data))


@pytest.fixture
def intra(tmp_path: Path) -> Path:
    frames = [streams.moving_planes(n, 64, 48) for n in range(30)]
    return streams.write_planes(
        tmp_path / "a.mp4", "yuv420p", frames, (64, 48), codec="libx264", options={"x264-params": "keyint=1:bframes=0"},
        container_options={"movflags": "faststart"},
    )  # fmt: skip


@pytest.mark.parametrize("number", [3, 15, 26, 29])
def test_a_broken_packet_costs_its_own_frame_and_no_other(intra: Path, number: int) -> None:
    break_packet(intra, number)
    with Reader(probe(intra), tolerate=True) as reader:
        times = [frame.pts * frame.time_base for frame in reader]
    assert times == [Fraction(n, 25) for n in range(30) if n != number]
    assert any(f"decoding failed at frame {number}" in line for line in reader.warnings)
    assert any("29 of 30 frames could be decoded" in line for line in reader.warnings)


def test_a_broken_packet_of_a_pipe_costs_its_own_frame_and_no_other(intra: Path) -> None:
    break_packet(intra, 26)
    with standard_input(intra.read_bytes()), open_source(DASH, None, tolerate=True) as source:
        reader = source.reader(tolerate=True)
        times = [frame.pts * frame.time_base for frame in reader]
    assert times == [Fraction(n, 25) for n in range(30) if n != 26]


def test_a_whole_clip_is_the_same_with_and_without_tolerance(clip: Path) -> None:
    with Reader(probe(clip)) as strict:
        wanted = [(frame.pts, frame.planes[0].copy()) for frame in strict]
    with Reader(probe(clip), tolerate=True) as reader:
        for frame, (pts, luma) in zip(reader, wanted, strict=True):
            assert frame.pts == pts
            np.testing.assert_array_equal(frame.planes[0], luma)
    assert reader.warnings == []


def test_a_clip_of_which_nothing_decodes_is_refused_also_with_tolerance(clip: Path) -> None:
    with av.open(str(clip)) as container:
        places = [(p.pos, p.pos + p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(clip.read_bytes())
    for start, end in places:
        data[start:end] = bytes(end - start)
    clip.write_bytes(bytes(data))
    with pytest.raises(NoVideoError, match=r"a\.mp4: .*(no decodable frame|can be decoded)"):
        grade(clip, tolerate_corrupt=True)


def payloads(path: Path, index: int) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(container.streams[index]) if packet.size]


def test_a_chosen_stream_is_graded_and_the_others_are_copied(tmp_path: Path) -> None:
    path = streams.write_two_videos(tmp_path / "a.mkv")
    reference = pictures.save(tmp_path / "ref.png", pictures.gradient(20, 20))
    for chosen, size in ((0, (64, 48)), (1, (32, 24))):
        target = tmp_path / f"b{chosen}.mkv"
        report = transfer_video(path, reference, target, QUICK, stream=chosen)
        assert (report.details["width"], report.details["height"]) == size
        assert payloads(target, 1 - chosen) == payloads(path, 1 - chosen)
        assert payloads(target, chosen) != payloads(path, chosen)
    with pytest.raises(InputError, match=r"stream 5 is not a video stream\. Video streams: 0, 1\."):
        transfer_video(path, reference, tmp_path / "c.mkv", QUICK, stream=5)


def test_a_full_disk_is_said_the_old_output_stays_whole_and_no_litter_is_left(tmp_path: Path) -> None:
    noise = [streams.random_planes("yuv420p", 320, 240, seed) for seed in range(24)]  # 2.7 MB, however coded
    source = streams.write_planes(tmp_path / "a.mkv", "yuv420p", noise, (320, 240))
    small = streams.write_planes(tmp_path / "small.mkv", "yuv420p", noise[:2], (320, 240))
    reference = pictures.save(tmp_path / "ref.png", pictures.gradient(20, 20))
    folder = tmp_path / "disk"
    folder.mkdir()
    with little_space(folder, 2048):
        target = folder / "out.mkv"
        target.write_bytes(b"precious")
        with pytest.raises(OutputError, match=r"out\.mkv: no space left in .*disk\. Free some, or write elsewhere"):
            transfer_video(source, reference, target, QUICK, overwrite=True)
        assert [(entry.name, entry.read_bytes()) for entry in folder.iterdir()] == [("out.mkv", b"precious")]
        assert transfer_video(small, reference, target, QUICK, overwrite=True).frames == 2
