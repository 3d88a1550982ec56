"""Standard input and output: the same frames, times and streams as through files."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import pictures
import pytest
import streams
from clips import decoded
from piping import closed_output, input_descriptor, output_descriptor, standard_input, standard_output
from rewrite import rewrite

from streamct import Settings, transfer_video
from streamct.errors import ClosedOutputError, DamagedInputError, InputError, OutputError, UsageError
from streamct.media.demuxer import Demuxer
from streamct.media.ebml import HEAD, declared_bytes, missing_bytes
from streamct.media.movie import ends_with_header
from streamct.media.output import OutputPlan, resolve_output
from streamct.media.pipes import DASH, StandardInput
from streamct.media.probe import probe
from streamct.media.verify import verify_piped
from streamct.model import Report
from streamct.settings import OutputSettings

QUICK = Settings().updated(
    palette__size=4, palette__proxy_size=32, time__radius=60, time__knot_spacing=60, mapping__transport_iterations=10,
    output__codec="ffv1",
)  # fmt: skip
FORMATS = {"matroska": ".mkv", "nut": ".nut", "mpegts": ".ts"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small clip as Matroska, NUT, MPEG-TS, Y4M and MP4, and a reference."""
    folder = tmp_path_factory.mktemp("pipes")
    clip = streams.write_rich(folder / "a.mkv", frames=12, audios=("aac",), subtitle="subrip")
    for ending in (".nut", ".ts", ".mp4"):
        remux(clip, folder / f"a{ending}")
    remux(clip, folder / "fast.mp4", movflags="faststart")
    rewrite(clip, folder / "a.y4m")
    pictures.save(folder / "ref.png", pictures.gradient(20, 20))
    return folder


def remux(source: Path, target: Path, **options: str) -> Path:
    with av.open(str(source)) as before, av.open(str(target), "w", container_options=options) as after:
        copies = {
            s.index: after.add_stream_from_template(s, opaque=True) for s in before.streams if s.type != "subtitle"
        }
        for packet in before.demux():
            if packet.size and packet.stream.index in copies:
                packet.stream = copies[packet.stream.index]
                after.mux(packet)
    return target


def grade(folder: Path, source: Path, target: Path, settings: Settings = QUICK, **more: object) -> Report:
    return transfer_video(source, folder / "ref.png", target, settings, **more)  # type: ignore[arg-type]


def through_pipes(folder: Path, source: Path, settings: Settings, to: Path) -> Report:
    out = bytearray()
    with standard_input(source.read_bytes()), standard_output(out):
        report = grade(folder, DASH, DASH, settings)
    to.write_bytes(out)
    return report


def same_frames(one: Path, other: Path) -> None:
    before, after = decoded(one), decoded(other)
    assert len(before) == len(after) > 0
    for (_, planes), (_, others) in zip(before, after, strict=True):
        assert all((a == b).all() for a, b in zip(planes, others, strict=True))


@pytest.mark.parametrize("name", FORMATS)
def test_through_pipes_frames_times_and_sound_are_those_of_files(folder: Path, tmp_path: Path, name: str) -> None:
    ending = FORMATS[name]
    settings = QUICK.updated(output__pipe_format=name)
    if name == "mpegts":
        settings = settings.updated(output__codec="h264", output__crf=0, output__encoder_preset="ultrafast")
    source, piped = folder / f"a{ending}", tmp_path / f"piped{ending}"
    report = through_pipes(folder, source, settings, piped)
    filed = grade(folder, source, tmp_path / f"filed{ending}", settings)
    assert (report.frames, report.output) == (12, DASH)
    same_frames(piped, filed.output)
    for kind in ("video", "audio"):
        assert streams.packet_times(piped, kind) == streams.packet_times(filed.output, kind)
    assert streams.packet_hashes(piped) == streams.packet_hashes(filed.output) == streams.packet_hashes(source)
    assert streams.packet_hashes(source)


def test_a_pipe_can_become_a_file_with_all_that_a_file_keeps(folder: Path, tmp_path: Path) -> None:
    source = folder / "a.mkv"
    with standard_input(source.read_bytes()):
        grade(folder, DASH, tmp_path / "b.mkv")
    grade(folder, source, tmp_path / "c.mkv")
    same_frames(tmp_path / "b.mkv", tmp_path / "c.mkv")
    assert streams.packet_hashes(tmp_path / "b.mkv") == streams.packet_hashes(source)
    with av.open(str(source)) as before, av.open(str(tmp_path / "b.mkv")) as after:
        assert len(after.chapters()) == len(before.chapters()) == 2
        assert after.metadata["title"] == before.metadata["title"]


def test_y4m_takes_the_pictures_and_says_what_it_has_no_place_for(folder: Path, tmp_path: Path) -> None:
    settings = Settings().updated(
        palette__size=4, palette__proxy_size=32, time__radius=60, output__pipe_format="y4m", mapping__strength=0
    )
    report = through_pipes(folder, folder / "a.mkv", settings, tmp_path / "b.y4m")
    same_frames(tmp_path / "b.y4m", folder / "a.mkv")
    assert "y4m streams hold no times: every frame lasts 1/25 s" in report.warnings
    assert "stream 1 (audio) is left out: y4m streams take no aac streams" in report.warnings
    with av.open(str(tmp_path / "b.y4m")) as written:
        assert written.streams.video[0].average_rate == 25
    again = through_pipes(folder, tmp_path / "b.y4m", settings, tmp_path / "c.y4m")
    assert again.frames == 12
    assert (tmp_path / "c.y4m").read_bytes() == (tmp_path / "b.y4m").read_bytes()


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "yuv422p12le", "yuv444p"])
def test_y4m_keeps_depth_and_chroma(tmp_path: Path, pix_fmt: str) -> None:
    planes = [streams.random_planes(pix_fmt, 32, 16, seed) for seed in range(3)]
    source = streams.write_planes(tmp_path / "a.mkv", pix_fmt, planes, (32, 16))
    rewrite(source, tmp_path / "b.y4m")
    assert probe(tmp_path / "b.y4m").format.name == pix_fmt
    same_frames(tmp_path / "b.y4m", source)


def test_standard_input_that_is_a_file_is_sought_in(folder: Path, tmp_path: Path) -> None:
    with open(folder / "a.mp4", "rb") as file, input_descriptor(file.fileno()):
        grade(folder, DASH, tmp_path / "b.mkv")
    same_frames(tmp_path / "b.mkv", grade(folder, folder / "a.mp4", tmp_path / "c.mkv").output)


def test_an_mp4_comes_through_a_pipe_if_its_index_is_in_front(folder: Path, tmp_path: Path) -> None:
    with standard_input((folder / "fast.mp4").read_bytes()):
        assert grade(folder, DASH, tmp_path / "b.mkv").frames == 12


@pytest.mark.parametrize("data", [b"", b"not a video, only words. " * 100])
def test_what_is_no_video_is_refused_with_what_can_be_piped(folder: Path, tmp_path: Path, data: bytes) -> None:
    with (
        standard_input(data),
        pytest.raises(InputError, match=r"standard input: can't be read as a video .* Pipe Matroska, NUT, Y4M"),
    ):
        grade(folder, DASH, tmp_path / "b.mkv")
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_has_no_name_to_derive_an_output_from(folder: Path) -> None:
    with standard_input((folder / "a.mkv").read_bytes()), pytest.raises(UsageError, match="Add -o NAME, or -o -"):
        transfer_video(DASH, folder / "ref.png", None, QUICK)


def test_a_codec_that_the_stream_can_not_hold_is_refused_with_those_that_can(folder: Path) -> None:
    with pytest.raises(
        OutputError, match=r"standard output: mpegts streams can't hold ffv1 .* --format matroska or nut"
    ):
        grade(folder, folder / "a.mkv", DASH, QUICK.updated(output__pipe_format="mpegts"))


def test_a_terminal_is_neither_read_nor_written_to(folder: Path, tmp_path: Path) -> None:
    master, slave = os.openpty()
    try:
        with input_descriptor(slave), pytest.raises(UsageError, match="standard input is a terminal"):
            grade(folder, DASH, tmp_path / "b.mkv")
        with output_descriptor(slave), pytest.raises(UsageError, match="standard output is a terminal"):
            grade(folder, folder / "a.mkv", DASH)
    finally:
        os.close(master)
        os.close(slave)


def test_a_closed_standard_input_is_said(folder: Path, tmp_path: Path) -> None:
    closed = os.open(os.devnull, os.O_RDONLY)
    os.close(closed)
    with input_descriptor(closed), pytest.raises(UsageError, match="standard input is closed"):
        grade(folder, DASH, tmp_path / "b.mkv")


def test_when_the_reader_has_gone_the_run_ends_though_input_is_still_awaited(folder: Path) -> None:
    settings = QUICK.updated(time__mode="off")
    with standard_input((folder / "a.mkv").read_bytes(), ends=False), closed_output(), pytest.raises(ClosedOutputError):
        grade(folder, DASH, DASH, settings)


class EndOfProgram(BaseException):
    pass


class _Interrupting:
    def poll(self) -> list[tuple[int, int]]:
        raise EndOfProgram


def test_a_signal_while_input_is_awaited_ends_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = StandardInput.__init__

    def begin_interrupted(self: StandardInput) -> None:
        begin(self)
        self._poll = _Interrupting()  # type: ignore[assignment]

    monkeypatch.setattr(StandardInput, "__init__", begin_interrupted)
    with standard_input(b"", ends=False), pytest.raises(EndOfProgram):
        Demuxer()


def test_a_signal_while_output_is_blocked_ends_the_program(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(descriptor: int, data: memoryview) -> int:
        raise EndOfProgram

    with standard_output(bytearray()):
        monkeypatch.setattr("streamct.media.pipes.os.write", interrupted)
        with pytest.raises(EndOfProgram):
            grade(folder, folder / "a.mkv", DASH, QUICK.updated(output__codec="h264"))
        monkeypatch.undo()


def test_too_much_that_waits_for_the_pictures_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamct.media.demuxer._MOST_WAITING", 100)
    with (
        standard_input((folder / "a.mkv").read_bytes()),
        pytest.raises(InputError, match=r"of its other streams come before the pictures.* Save it as a file"),
    ):
        grade(folder, DASH, tmp_path / "b.mkv")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_cut_matroska_file_is_refused_from_disk_and_from_a_pipe(folder: Path, tmp_path: Path, share: float) -> None:
    whole = (folder / "a.mkv").read_bytes()
    cut = whole[: int(len(whole) * share)]
    (tmp_path / "cut.mkv").write_bytes(cut)
    lacking = rf"it is truncated: {len(whole) - len(cut)} bytes of what its header announces are missing"
    with pytest.raises(DamagedInputError, match=rf"cut\.mkv: {lacking}.*--tolerate-corrupt"):
        grade(folder, tmp_path / "cut.mkv", tmp_path / "b.mkv")
    with standard_input(cut), pytest.raises(DamagedInputError, match=rf"standard input: {lacking}"):
        grade(folder, DASH, tmp_path / "b.mkv")
    with standard_input(cut):
        report = grade(folder, DASH, tmp_path / "b.mkv", tolerate_corrupt=True)
    assert 0 < report.frames <= 12
    assert any("it is truncated" in line for line in report.warnings)


def test_the_announced_size_is_that_of_a_whole_file(folder: Path, tmp_path: Path) -> None:
    data = (folder / "a.mkv").read_bytes()
    assert declared_bytes(data[:HEAD]) == len(data)
    assert missing_bytes(folder / "a.mkv") == 0
    for ending in (".nut", ".ts", ".mp4", ".y4m"):
        assert declared_bytes((folder / f"a{ending}").read_bytes()[:HEAD]) is None
    through_pipes(folder, folder / "a.mkv", QUICK, tmp_path / "live.mkv")  # whose writer could not go back
    assert declared_bytes((tmp_path / "live.mkv").read_bytes()[:HEAD]) is None
    for length in range(60):
        declared_bytes(data[:length])


def piped_plan(folder: Path) -> tuple[OutputPlan, list[Fraction]]:
    plan = resolve_output(probe(folder / "a.mkv"), DASH, OutputSettings())
    return plan, [Fraction(n, 25) for n in range(12)]


def test_a_piped_stream_whose_packets_are_not_its_frames_fails_its_check(folder: Path) -> None:
    clip = probe(folder / "a.mkv")
    plan, times = piped_plan(folder)
    ticks = [int(time / clip.time_base) for time in times]
    verify_piped(clip, plan, ticks, times[::-1])
    with pytest.raises(OutputError, match="the encoder made 11 packets of 12 frames"):
        verify_piped(clip, plan, ticks, times[:-1])
    with pytest.raises(OutputError, match="packets that do not have the frames' times"):
        verify_piped(clip, plan, ticks, [*times[:-1], Fraction(1)])


def test_a_film_whose_header_comes_at_its_end_is_named_as_such(tmp_path: Path) -> None:
    noise = [streams.random_planes("yuv420p", 128, 96, seed) for seed in range(12)]
    path = streams.write_planes(tmp_path / "a.mp4", "yuv420p", noise, (128, 96), codec="libx264")
    assert ends_with_header(path.read_bytes()[:4096])
    assert not ends_with_header(streams.write_rich(tmp_path / "b.mp4", fast_start=True).read_bytes()[:4096])
    assert not ends_with_header(streams.write_rich(tmp_path / "b.mkv").read_bytes()[:4096])
    with (
        standard_input(path.read_bytes()),
        pytest.raises(InputError, match=r"standard input: is MP4 or MOV whose header comes at its end"),
    ):
        Demuxer()
