"""The check before a file gets its name really finds what is wrong with it."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import av
import pytest
import streams
from rewrite import rewrite

from streamct.errors import OutputError
from streamct.media.copied import CopiedStream
from streamct.media.output import OutputPlan, resolve_output
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.media.verify import verify
from streamct.media.writer import Writer
from streamct.model import Clip, MasteringDisplay
from streamct.settings import OutputSettings

TAGS = (1, 1, 1, 1)


@pytest.fixture(params=[".mp4", ".mkv"])
def written(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Clip, OutputPlan, list[int]]:
    """A clip, the plan by which it was written again, and the times that were written."""
    ending = request.param
    frames = [streams.moving_planes(n, 64, 48) for n in range(40)]
    path = streams.write_planes(
        tmp_path / f"a{ending}", "yuv420p", frames, (64, 48), codec="libx264", tags=TAGS, options={"g": "10"},
        time_base=Fraction(1, 1000), times=[40 * n for n in range(40)],
    )  # fmt: skip
    plan, _ = rewrite(path, encoder_preset="ultrafast")
    clip = probe(path)
    with Reader(clip) as reader:
        times = [frame.pts for frame in reader]
    return clip, plan, times


def remux(source: Path, target: Path, keep: object = None, shift: object = None) -> None:
    """Copy the packets for which keep(number) holds, with shift(number) seconds added to their times."""
    with av.open(str(source)) as before, av.open(str(target), "w", format=None) as after:
        stream = after.add_stream_from_template(before.streams.video[0], opaque=True)
        number = 0
        for packet in before.demux(video=0):
            if not packet.size:
                continue
            if keep is None or keep(number):  # type: ignore[operator]
                if shift is not None:
                    ticks = int(shift(number) / packet.time_base)  # type: ignore[operator]
                    packet.pts += ticks
                    packet.dts = packet.pts if packet.dts is None else packet.dts + ticks
                packet.stream = stream
                after.mux(packet)
            number += 1


def test_a_good_file_passes(written: tuple[Clip, OutputPlan, list[int]]) -> None:
    clip, plan, times = written
    verify(clip, plan, plan.path, 0, times)


def test_a_missing_frame_is_found(written: tuple[Clip, OutputPlan, list[int]], tmp_path: Path) -> None:
    clip, plan, times = written
    bad = tmp_path / f"bad{plan.path.suffix}"
    remux(plan.path, bad, keep=lambda number: number != 39)
    with pytest.raises(OutputError, match=r"did not pass its check: 39 instead of 40 frames\. Nothing was replaced"):
        verify(clip, plan, bad, 0, times)


def test_wrong_times_are_found_and_measured(written: tuple[Clip, OutputPlan, list[int]], tmp_path: Path) -> None:
    clip, plan, times = written
    bad = tmp_path / f"bad{plan.path.suffix}"
    remux(plan.path, bad, shift=lambda number: Fraction(1, 100) if number >= 30 else 0)
    with pytest.raises(OutputError, match=r"frame times differ by up to 10\.0 ms"):
        verify(clip, plan, bad, 0, times)


def test_a_constant_shift_against_the_sound_is_found(
    written: tuple[Clip, OutputPlan, list[int]], tmp_path: Path
) -> None:
    clip, plan, times = written
    bad = tmp_path / f"bad{plan.path.suffix}"
    remux(plan.path, bad, shift=lambda number: 1)
    with pytest.raises(OutputError, match=r"frame times differ by up to 1000\.0 ms"):
        verify(clip, plan, bad, 0, times)


@pytest.mark.parametrize("name", ["matrix", "primaries", "transfer"])
def test_a_wrong_colour_tag_is_found(written: tuple[Clip, OutputPlan, list[int]], name: str) -> None:
    clip, plan, times = written
    other = dataclasses.replace(plan, tags=dataclasses.replace(plan.tags, **{name: 9}))
    with pytest.raises(OutputError, match=rf"the colour {name} tag is 1 instead of 9"):
        verify(clip, other, plan.path, 0, times)


@pytest.mark.parametrize("name", ["matrix", "primaries", "transfer"])
def test_a_tag_on_what_was_untagged_is_found(written: tuple[Clip, OutputPlan, list[int]], name: str) -> None:
    clip, plan, times = written
    other = dataclasses.replace(plan, tags=dataclasses.replace(plan.tags, **{name: 2}))
    with pytest.raises(OutputError, match=rf"the colour {name} tag is 1 instead of 2"):
        verify(clip, other, plan.path, 0, times)


def test_a_wrong_range_is_found(written: tuple[Clip, OutputPlan, list[int]]) -> None:
    clip, plan, times = written
    other = dataclasses.replace(plan, tags=dataclasses.replace(plan.tags, range=2))
    with pytest.raises(OutputError, match=r"the colour range tag is 1 instead of 2"):
        verify(clip, other, plan.path, 0, times)


def test_another_size_is_found(written: tuple[Clip, OutputPlan, list[int]]) -> None:
    clip, plan, times = written
    with pytest.raises(OutputError, match=r"64x48 instead of 32x48 pixels"):
        verify(dataclasses.replace(clip, width=32), plan, plan.path, 0, times)


def test_a_lost_pixel_shape_or_rotation_is_found(written: tuple[Clip, OutputPlan, list[int]]) -> None:
    clip, plan, times = written
    with pytest.raises(OutputError, match=r"the pixel aspect is .* instead of 4/3"):
        verify(dataclasses.replace(clip, sample_aspect=Fraction(4, 3)), plan, plan.path, 0, times)
    turned = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    with pytest.raises(OutputError, match=r"the rotation is lost"):
        verify(dataclasses.replace(clip, display_matrix=turned), plan, plan.path, 0, times)


def test_lost_fields_and_hdr_data_are_found(written: tuple[Clip, OutputPlan, list[int]]) -> None:
    clip, plan, times = written
    with pytest.raises(OutputError, match=r"its bottom field does not come first any more"):
        verify(dataclasses.replace(clip, fields="bottom"), plan, plan.path, 0, times)
    with pytest.raises(OutputError, match=r"the content light level is None instead of \(1000, 400\)"):
        verify(dataclasses.replace(clip, light=(1000, 400)), plan, plan.path, 0, times)
    point = (Fraction(1, 3), Fraction(1, 3))
    display = MasteringDisplay((point, point, point), point, (Fraction(0), Fraction(1000)))
    with pytest.raises(OutputError, match=r"the mastering display's data are lost"):
        verify(dataclasses.replace(clip, mastering=display), plan, plan.path, 0, times)


def test_data_of_another_mastering_display_are_found(tmp_path: Path) -> None:
    point = (Fraction(1, 4), Fraction(1, 4))
    display = MasteringDisplay((point, point, point), point, (Fraction(1, 100), Fraction(1000)))
    frames = [streams.random_planes("yuv420p10le", 64, 48)]
    source = streams.write_planes(tmp_path / "a.mkv", "yuv420p10le", frames, (64, 48), tags=(9, 9, 16, 1))
    clip = dataclasses.replace(probe(source), mastering=display)
    plan = resolve_output(clip, tmp_path / "b.mkv", OutputSettings(codec="hevc"))
    with Reader(clip) as reader, Writer(clip, plan, plan.path) as writer:
        for frame in reader:
            writer.write(frame)
        writer.close()
    verify(clip, plan, plan.path, 0, writer.times)
    moved = (Fraction(1, 4), Fraction(13, 50))
    for other in (
        dataclasses.replace(display, luminance=(Fraction(1, 100), Fraction(600))),
        dataclasses.replace(display, luminance=(Fraction(1, 20), Fraction(1000))),
        dataclasses.replace(display, white=moved),
        dataclasses.replace(display, primaries=(point, moved, point)),
    ):
        with pytest.raises(OutputError, match="the mastering display's data are not the same"):
            verify(dataclasses.replace(clip, mastering=other), plan, plan.path, 0, writer.times)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_found(written: tuple[Clip, OutputPlan, list[int]], tmp_path: Path, share: float) -> None:
    clip, plan, times = written
    bad = tmp_path / f"bad{plan.path.suffix}"
    data = plan.path.read_bytes()
    bad.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(
        OutputError,
        match=r"did not pass its check: (it can't be read back|\d+ instead of 40 frames|its video stream is missing)",
    ):
        verify(clip, plan, bad, 0, times)


def test_rubbish_in_the_last_group_of_pictures_is_found(
    written: tuple[Clip, OutputPlan, list[int]], tmp_path: Path
) -> None:
    clip, plan, times = written
    bad = tmp_path / f"bad{plan.path.suffix}"
    with av.open(str(plan.path)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(plan.path.read_bytes())
    start, size = places[-1]
    data[start + 8 : start + size] = bytes(size - 8)
    bad.write_bytes(bytes(data))
    with pytest.raises(OutputError, match=r"did not pass its check"):
        verify(clip, plan, bad, 0, times)


def test_a_stream_that_is_not_there_is_found(written: tuple[Clip, OutputPlan, list[int]]) -> None:
    clip, plan, times = written
    with pytest.raises(OutputError, match=r"its video stream is missing"):
        verify(clip, plan, plan.path, 1, times)


def test_a_copied_stream_that_is_lost_cut_or_moved_is_found(tmp_path: Path) -> None:
    path = streams.write_rich(tmp_path / "a.mkv", audios=("aac", "aac"))
    plan, _ = rewrite(path)
    clip = probe(path)
    with Reader(clip) as reader:
        times = [frame.pts for frame in reader]
    counts = [len(streams.packet_times(path, "audio", n)) for n in range(2)]
    first = streams.packet_times(path, "audio")[0]
    good = [CopiedStream(n + 1, "audio", counts[n], first) for n in range(2)]
    verify(clip, plan, plan.path, 0, times, good)
    bad = tmp_path / "bad.mkv"
    remux(plan.path, bad)
    with pytest.raises(OutputError, match=r"1 instead of 3 streams"):
        verify(clip, plan, bad, 0, times, good)
    for wrong, message in (
        (dataclasses.replace(good[0], packets=counts[0] + 1), f"audio stream 1 has {counts[0]} instead of"),
        (dataclasses.replace(good[0], packets=counts[0] - 1), f"audio stream 1 has {counts[0]} instead of"),
        (dataclasses.replace(good[0], first=first - Fraction(1, 20)), r"audio stream 1 is 50\.0 ms off"),
        (dataclasses.replace(good[0], kind="subtitle"), r"stream 1 is audio instead of subtitle"),
    ):
        with pytest.raises(OutputError, match=message):
            verify(clip, plan, plan.path, 0, times, [wrong, good[1]])


def in_one_packet(source: Path, target: Path) -> Path:
    """A copy of a clip whose sound is a single packet."""
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        copies = {s.index: after.add_stream_from_template(s, opaque=True) for s in before.streams}
        packets = [packet for packet in before.demux() if packet.size]
        sound = [packet for packet in packets if packet.stream.type == "audio"]
        whole = av.Packet(b"".join(bytes(packet) for packet in sound))
        whole.pts = whole.dts = sound[0].pts
        whole.time_base, whole.stream = sound[0].time_base, copies[sound[0].stream.index]
        after.mux(whole)
        for packet in packets:
            if packet.stream.type == "video":
                packet.stream = copies[packet.stream.index]
                after.mux(packet)
    return target


def test_raw_sound_that_is_cut_into_other_packets_passes_and_lost_samples_do_not(tmp_path: Path) -> None:
    path = in_one_packet(streams.write_rich(tmp_path / "a.mkv", audios=("pcm_s16le",)), tmp_path / "one.mkv")
    with av.open(str(path)) as container:
        sizes = [packet.size for packet in container.demux(audio=0) if packet.size]
    plan, _ = rewrite(path, tmp_path / "b.mov")
    assert streams.packet_hashes(plan.path) == streams.packet_hashes(path)
    assert len(streams.packet_times(plan.path, "audio")) != len(sizes)
    clip = probe(path)
    with Reader(clip) as reader:
        times = [frame.pts for frame in reader]
    short = CopiedStream(1, "audio", len(sizes), size=sum(sizes) + 2, recut=True)
    with pytest.raises(OutputError, match=rf"audio stream 1 has {sum(sizes)} instead of {sum(sizes) + 2} bytes"):
        verify(clip, plan, plan.path, 0, times, [short])
