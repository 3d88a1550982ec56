"""Every unusual file comes out right in all respects, or is refused with the reason that fits it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
import streams

from streamct import StreamctError, load_settings, transfer_video
from streamct.errors import DamagedInputError, InputError, NoVideoError
from streamct.media.probe import probe
from streamct.media.reader import Reader

RIGHT = {  # frames, and what the run has to say, if anything
    "ae-SAR-2by3.mp4": (60, None),
    "ae-mov_text.mp4": (40, None),
    "ae-yuv422p.mp4": (60, None),
    "ax-bbb_2500ms.ts": (58, None),
    "ax-bt601.mov": (30, None),
    "ax-hlg10-color-test.mp4": (9, None),
    "ax-sample_empty_track.mp4": (30, r"stream 1 (video) is left out: it is empty"),
    "ax-sample_fragmented.mp4": (30, None),
    "ax-sample_mdat_too_long.mp4": (30, None),
    "ax-sample_missing_stsd.mp4": (30, r"stream 1 (audio) is left out: .mp4 files take no unknown streams"),
    "ax-sample_portrait.mp4": (30, None),
    "ax-sample_rotate_and_reflect.mp4": (30, None),
    "ax-sample_with_ass_subtitles.mkv": (30, None),
    "ax-sample_with_srt.mkv": (30, None),
    "ffnorm-test.mp4": (300, None),
    "imageio-cockatoo.mp4": (280, None),
    "imageio-realshort.mp4": (36, None),
    "psd-delayed_start.mp4": (24, None),
    "psd-fades.mp4": (250, None),
    "tc-av1_video.mkv": (125, None),
    "tc-bt2020_10bit.mp4": (60, None),
    "tc-bt709_full_range.mp4": (30, None),
    "tc-h264_10bits.mp4": (30, None),
    "tc-nasa_13013_hdr.mp4": (325, None),
    "tc-nasa_13013_rotated.mp4": (17, None),
    "tc-test_non_zero_start.mp4": (12, None),
    "tc-testsrc2_odd_height_and_width_444.mp4": (25, None),
}
REFUSED = {
    "ax-sample_audio_only.mp4": (NoVideoError, r"audio_only\.mp4: has no video stream \(found: audio\)\. Give a file"),
    "ax-sample_with_invalid_nalu.mp4": (
        DamagedInputError,
        r"nalu\.mp4: decoding stopped at frame \d+ after 00:00:00\.\d+ \(Invalid data.*\)\. Export or copy it again",
    ),
    "ffnorm-out-48bytes.mp4": (
        InputError,
        r"48bytes\.mp4: its index \(moov\) is missing",
    ),
}


def test_the_tables_name_every_file(data: Path) -> None:
    assert sorted([*RIGHT, *REFUSED]) == sorted(path.name for path in (data / "odd").iterdir())


def times(path: Path) -> list[Fraction]:
    with Reader(probe(path)) as reader:
        return [frame.pts * frame.time_base for frame in reader]


def kinds(path: Path) -> list[str]:
    with av.open(str(path), metadata_errors="replace") as container:
        return [stream.type for stream in container.streams]


@pytest.mark.parametrize("name", RIGHT)
def test_an_odd_file_keeps_frames_times_sound_streams_and_tags(data: Path, tmp_path: Path, name: str) -> None:
    count, said = RIGHT[name]
    source = data / "odd" / name
    ending = source.suffix if source.suffix in (".mp4", ".mov", ".mkv") else ".mkv"
    report = transfer_video(
        source, data / "refs" / "jr-ocean_sunset.jpg", tmp_path / f"b{ending}", load_settings("draft")
    )
    assert report.frames == count

    before, after = times(source), times(report.output)
    assert len(after) == len(before) == count
    exact = ending in (".mp4", ".mov")
    shift = 0 if exact else after[0] - before[0]
    clock = 0 if exact else Fraction(1, 1000)
    assert max(abs(b - a - shift) for a, b in zip(before, after, strict=True)) <= clock

    lost = [line for line in report.warnings if ") is left out:" in line]
    assert lost == ([said] if said else [])
    assert len(kinds(report.output)) == len(kinds(source)) - len(lost)
    if "(audio)" not in (said or ""):
        assert streams.packet_hashes(report.output, ("audio",)) == streams.packet_hashes(source, ("audio",))

    read, written = probe(source), probe(report.output)
    assert written.tags == read.tags
    assert (written.width, written.height) == (read.width, read.height)
    assert (written.sample_aspect or 1) == (read.sample_aspect or 1)
    assert written.display_matrix == read.display_matrix
    assert written.format == read.format


@pytest.mark.parametrize("name", REFUSED)
def test_a_broken_file_is_refused_with_its_name_and_a_reason_and_nothing_is_left(
    data: Path, tmp_path: Path, name: str
) -> None:
    kind, message = REFUSED[name]
    with pytest.raises(StreamctError, match=message) as caught:
        transfer_video(
            data / "odd" / name, data / "refs" / "jr-ocean_sunset.jpg", tmp_path / "b.mp4", load_settings("draft")
        )
    assert isinstance(caught.value, kind)
    assert list(tmp_path.iterdir()) == []
