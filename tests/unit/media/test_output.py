"""Where a graded video goes, in which container, by which encoder; and what is refused before it starts."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import streams
from rewrite import rewrite

from streamct.errors import OutputError, SettingsError
from streamct.media.output import OutputPlan, resolve_output
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.model import Clip
from streamct.settings import OutputSettings


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return probe(streams.write_rich(tmp_path_factory.mktemp("clip") / "a.mp4", frames=3))


def clip_of(path: Path, pix_fmt: str = "yuv420p", size: tuple[int, int] = (32, 32), **more: object) -> Clip:
    frames = [streams.random_planes(pix_fmt, *size)]
    return probe(streams.write_planes(path, pix_fmt, frames, size, **more))  # type: ignore[arg-type]


def plan(clip: Clip, output: Path | None = None, **settings: object) -> OutputPlan:
    return resolve_output(clip, output, OutputSettings(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ending", "container"),
    [(".mp4", "mp4"), (".m4v", "mp4"), (".MOV", "mov"), (".mkv", "matroska"), (".ts", "mpegts"), (".nut", "nut")],
)
def test_the_ending_names_the_container(clip: Clip, tmp_path: Path, ending: str, container: str) -> None:
    found = plan(clip, tmp_path / f"b{ending}")
    assert (found.container, found.path.name) == (container, f"b{ending}")
    assert found.notes == ()


def test_the_default_lies_beside_the_input(clip: Clip) -> None:
    found = plan(clip)
    assert found.path == clip.path.with_name("a.graded.mp4")
    assert (found.encoder, found.pix_fmt, found.container) == ("libx264", "yuv420p", "mp4")


@pytest.mark.parametrize(
    ("name", "codec", "out"),
    [("a.webm", "libvpx-vp9", "h264"), ("a.avi", "mjpeg", "h264"), ("a.mp4", "libx264", "ffv1")],
)
def test_what_the_container_can_not_hold_goes_to_matroska_and_is_said(
    tmp_path: Path, name: str, codec: str, out: str
) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    found = plan(clip_of(tmp_path / name, pix_fmt, codec=codec), codec=out)
    assert found.path == tmp_path / "a.graded.mkv"
    assert found.container == "matroska"
    (note,) = found.notes
    assert f"{Path(name).suffix} files can't hold {out} video with exact times; writing a.graded.mkv" in note


def test_an_output_that_can_not_hold_the_codec_is_refused_and_endings_that_can_are_named(
    clip: Clip, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match=r"b\.webm: \.webm files can't hold h264 video .*Name the output \.mp4"):
        plan(clip, tmp_path / "b.webm")
    with pytest.raises(OutputError, match=r"b\.mp4: \.mp4 files can't hold ffv1 video"):
        plan(clip, tmp_path / "b.mp4", codec="ffv1")
    with pytest.raises(OutputError, match=r"no container is known for '\.xyz'\. Use one of \.mp4"):
        plan(clip, tmp_path / "b.xyz")
    with pytest.raises(OutputError, match="a name without an ending"):
        plan(clip, tmp_path / "b")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (
            {"codec": "prorez"},
            r"--codec prorez \(output\.codec\): no such encoder \(did you mean 'prores'\?\)\. Usual ones: av1,",
        ),
        ({"codec": "nvenc"}, r"no such encoder \(did you mean 'h264_nvenc' or 'hevc_nvenc' or 'av1_nvenc'\?\)"),
        ({"codec": "xyzzy"}, r"--codec xyzzy \(output\.codec\): no such encoder\. Usual ones: av1,"),
        ({"codec": "aac"}, r"--codec aac \(output\.codec\): encodes audio, not video"),
        ({"encoder_preset": "veryfats"}, r"libx264 has no such preset \(did you mean 'veryfast'\?\); it knows ultra"),
        ({"codec": "hevc", "crf": 60}, r"--crf 60 \(output\.crf\): libx265 takes 0 \(best\) to 51"),
        ({"codec": "ffv1", "crf": 10}, r"--crf 10 \(output\.crf\): ffv1 has no constant quality; leave it out"),
        (
            {"pix_fmt": "yuv420"},
            r"--pix-fmt yuv420 \(output\.pix_fmt\): libx264 does not take it \(did you mean 'yuv420p'",
        ),
        (
            {"codec": "rawvideo", "pix_fmt": "yuv420"},
            r"yuv420 \(output\.pix_fmt\): rawvideo does not take it \(did you mean",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(clip: Clip, given: dict[str, object], error: str) -> None:
    with pytest.raises(SettingsError, match=error) as caught:
        plan(clip, **given)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "encoder"),
    [("h264", "libx264"), ("HEVC", "libx265"), ("x265", "libx265"), ("av1", "libsvtav1"), ("vp9", "libvpx-vp9"),
     ("prores", "prores_ks"), ("libx264", "libx264"), ("ffv1", "ffv1"), ("mjpeg", "mjpeg")],
)  # fmt: skip
def test_codecs_have_everyday_names(clip: Clip, tmp_path: Path, name: str, encoder: str) -> None:
    assert plan(clip, tmp_path / ("b.mov" if name == "prores" else "b.mkv"), codec=name).encoder == encoder


@pytest.mark.parametrize(
    ("source", "codec", "target", "lost"),
    [
        ("yuv420p", "ffv1", "yuv420p", None),
        ("yuv422p10le", "h264", "yuv422p10le", None),
        ("yuv444p12le", "hevc", "yuv444p12le", None),
        ("yuv420p12le", "h264", "yuv420p10le", "bit depth"),
        ("yuva444p", "h264", "yuv444p", "alpha"),
        ("yuv422p", "av1", "yuv420p", "chroma resolution"),
        ("yuv420p", "prores", "yuv422p10le", ""),
        ("yuva444p10le", "prores", "yuva444p10le", None),
        ("gbrp10le", "h264", "yuv444p10le", ""),
        ("gbrp10le", "hevc", "gbrp10le", None),
        ("yuv411p", "h264", "yuv422p", ""),
        ("yuv440p", "h264", "yuv444p", ""),
    ],
)
def test_the_pixel_format_is_the_sources_or_the_nearest_and_a_change_is_said(
    tmp_path: Path, source: str, codec: str, target: str, lost: str | None
) -> None:
    ending = ".mov" if codec == "prores" else ".mkv"
    found = plan(clip_of(tmp_path / "a.nut", source, codec="rawvideo"), tmp_path / f"b{ending}", codec=codec)
    assert found.pix_fmt == target
    if lost is None:
        assert found.notes == ()
    else:
        note, *advice = found.notes
        assert [line.split(":")[0] for line in advice] == (["to keep its alpha"] if lost == "alpha" else [])
        assert f"does not take {source}; the output is {target}" in note
        assert (lost in note) if lost else ("loses" not in note)


def test_full_range_goes_to_mjpeg_and_h264_as_full_range(tmp_path: Path) -> None:
    source = clip_of(tmp_path / "a.avi", "yuvj420p", codec="mjpeg")
    assert plan(source, tmp_path / "b.avi", codec="mjpeg").pix_fmt in ("yuvj420p", "yuv420p")
    assert plan(source, tmp_path / "b.mp4").pix_fmt in ("yuvj420p", "yuv420p")


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize(("size", "target"), [((33, 18), "yuv444p"), ((34, 17), "yuv422p"), ((34, 18), "yuv420p")])
def test_sizes_that_chroma_does_not_tile_get_a_format_in_which_it_does(
    tmp_path: Path, size: tuple[int, int], target: str, codec: str
) -> None:
    found = plan(clip_of(tmp_path / "a.mkv", size=size), tmp_path / "b.mp4", codec=codec)
    assert found.pix_fmt == target
    if target != "yuv420p":
        assert f"does not take yuv420p of {size[0]}x{size[1]} pixels; the output is {target}" in found.notes[0]


def test_what_matroska_can_not_hold_either_goes_to_mov(tmp_path: Path) -> None:
    shape = {"codec": "dnxhd", "options": {"profile": "dnxhr_sq"}}
    found = plan(clip_of(tmp_path / "a.mxf", "yuv422p", (256, 128), **shape))
    assert (found.path.name, found.container, found.codec) == ("a.graded.mov", "mov", "dnxhd")
    assert "nothing here writes .mxf files; writing a.graded.mov" in found.notes


def test_what_a_container_refuses_is_the_sources_own_codec(tmp_path: Path) -> None:
    film = clip_of(
        tmp_path / "a.mp4", "yuv420p", (128, 128), codec="libx265", options={"x265-params": "log-level=none"}
    )
    with pytest.raises(OutputError, match=r"\.webm files can't hold hevc video"):
        plan(film, tmp_path / "b.webm")


def test_an_encoder_of_packed_rgb_gets_it_and_the_kind_of_picture_is_said(clip: Clip, tmp_path: Path) -> None:
    found = plan(clip, tmp_path / "b.mkv", codec="libx264rgb", crf=10)
    assert (found.encoder, found.pix_fmt, found.options["crf"]) == ("libx264rgb", "bgr0", "10")
    assert found.notes == ("libx264rgb does not take yuv420p; the output is gbrp",)


def test_an_encoder_that_takes_no_layout_of_ours_is_refused_with_those_that_it_takes(
    clip: Clip, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match=r"the encoder msvideo1 takes none .*, only rgb555le\. Choose"):
        plan(clip, tmp_path / "b.nut", codec="msvideo1")


@pytest.mark.parametrize(("pix_fmt", "bits"), [("bgr0", 8), ("bgra", 8), ("gbrp10le", 10)])
def test_red_green_and_blue_keep_their_bits(tmp_path: Path, pix_fmt: str, bits: int) -> None:
    frames = [streams.random_planes(pix_fmt, 32, 32, seed) for seed in range(2)]
    path = streams.write_planes(tmp_path / "a.mkv", pix_fmt, frames, (32, 32))
    rewrite(path, tmp_path / "b.mkv")
    found = probe(tmp_path / "b.mkv")
    assert (found.format.depth, found.source_format) == (bits, pix_fmt)
    with Reader(probe(path)) as before, Reader(found) as after:
        for ours, theirs in zip(before, after, strict=True):
            for a, b in zip(ours.planes, theirs.planes, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("tag", [0, 2])
def test_grey_keeps_every_code_and_its_full_range_is_said_where_no_tag_did(tmp_path: Path, tag: int) -> None:
    frames = [streams.random_planes("gray10le", 32, 32, seed) for seed in range(2)]
    path = streams.write_planes(tmp_path / "a.mkv", "gray10le", frames, (32, 32), tags=(1, 1, 1, tag))
    found, notes = rewrite(path, tmp_path / "b.mkv")
    assert (found.pix_fmt, found.tags.range) == ("yuv444p10le", 2)
    assert notes == (
        "grey becomes yuv444p10le for its colours"
        + (", tagged full range, as grey without a tag is read" if tag == 0 else ""),
    )
    with Reader(probe(tmp_path / "b.mkv")) as reader:
        for frame, (luma,) in zip(reader, frames, strict=True):
            np.testing.assert_array_equal(frame.planes[0], luma)


def test_an_encoder_that_refuses_says_why_in_its_own_words(clip: Clip, tmp_path: Path) -> None:
    refused = r"the encoder mpeg1video refused 64x48 yuv420p \(MPEG-1/2 does not support 17/1 fps\)\. Choose another"
    with pytest.raises(OutputError, match=refused):
        plan(replace(clip, rate=Fraction(17)), tmp_path / "b.mkv", codec="mpeg1video")


@pytest.mark.parametrize(
    ("pix_fmt", "bits", "becomes"),
    [
        ("yuv420p16le", 16, "yuv420p12le"), ("gbrp16le", 16, "gbrp12le"), ("gbrp14le", 14, "gbrp12le"),
        ("gray16le", 16, "yuv444p12le"), ("rgb48le", 16, "gbrp12le"), ("yuv422p14le", 14, "yuv422p12le"),
    ],
)  # fmt: skip
def test_more_bits_than_are_graded_are_said_before_the_first_frame(
    tmp_path: Path, pix_fmt: str, bits: int, becomes: str
) -> None:
    path = streams.write_planes(tmp_path / "a.mkv", pix_fmt, [streams.random_planes(pix_fmt, 32, 32)], (32, 32))
    clip = probe(path)
    notes = [note for note in plan(clip, tmp_path / "b.mkv").notes if "bits a sample" in note]
    told = f"{bits} bits a sample become 12, the most that is graded: {clip.source_format} is read as {becomes}"
    assert notes == [told]


def test_as_many_bits_as_are_graded_are_not_spoken_of(tmp_path: Path) -> None:
    for pix_fmt in ("yuv420p12le", "gbrp12le", "yuv422p10le", "yuv420p"):
        assert plan(clip_of(tmp_path / f"{pix_fmt}.mkv", pix_fmt), tmp_path / "b.mkv").notes == ()


@pytest.mark.parametrize("ending", [".y4m", ".flv"])
def test_kinds_of_files_that_are_written_only_when_named_are_not_said_to_be_impossible(
    tmp_path: Path, ending: str
) -> None:
    path = clip_of(tmp_path / "a.mkv", codec="libx264").path
    clip = replace(probe(path), path=tmp_path / f"a{ending}")
    found = plan(clip)
    assert f"{ending} files are written only where -o names one; writing a.graded.mkv" in found.notes
    assert plan(clip, tmp_path / f"b{ending}").path.name == f"b{ending}"


def test_a_device_as_the_output_is_called_one(clip: Clip) -> None:
    with pytest.raises(OutputError, match=r"^/dev/null: is a device or a pipe.*-o - > /dev/null$"):
        plan(clip, Path("/dev/null"))


def test_messages_know_raw_video_by_no_name_of_a_library(tmp_path: Path) -> None:
    for pix_fmt in ("gbrp", "yuva444p"):
        clip = clip_of(tmp_path / f"{pix_fmt}.nut", pix_fmt, codec="rawvideo")
        lit = replace(clip, fields="top", light=(1000, 400), sample_aspect=Fraction(1, 77))
        found = plan(lit, tmp_path / "b.y4m", crf=20)
        assert len(found.notes) > 4
        assert not any("wrapped" in note for note in found.notes)
        assert any(note.startswith(f"raw video does not take {pix_fmt}") for note in found.notes)


@pytest.mark.parametrize(
    ("codec", "name"),
    [("mpeg2video", "b.ts"), ("mpeg2video", "b.mkv"), ("mpeg1video", "b.mkv"), ("mpeg4", "b.mp4"), ("mpeg4", "b.mkv")],
)
def test_encoders_that_count_in_frames_keep_the_times_of_fine_clocks(tmp_path: Path, codec: str, name: str) -> None:
    times = [0, 3600, 7200, 12600, 14400]  # one of them late
    path = streams.write_planes(
        tmp_path / "a.mp4", "yuv420p", [streams.random_planes("yuv420p", 64, 48, n) for n in range(5)], (64, 48),
        codec="libx264", times=times, time_base=Fraction(1, 90_000),
    )  # fmt: skip
    clip = replace(probe(path), rate=Fraction(25))
    assert clip.time_base == Fraction(1, 90_000)
    source = [time * 90 for time in streams.packet_times(path, "video")]
    found, _ = rewrite(clip, tmp_path / name, codec=codec)
    written = [time * 90 for time in streams.packet_times(found.path, "video")]
    assert [time - written[0] for time in written] == [time - source[0] for time in source]
