"""The encoder follows the source; what the source says of its samples is said again."""

from __future__ import annotations

import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import streams
from rewrite import rewrite

from streamct.errors import SettingsError
from streamct.media.output import OutputPlan, resolve_output
from streamct.media.probe import probe
from streamct.model import MasteringDisplay
from streamct.settings import OutputSettings

SIZE = (256, 128)
LOSSY = ", which is lossy (without loss: --codec ffv1 -o NAME.mkv)"
FOLLOWED = [
    # source encoder, its options, pixel format, ending; encoder, pixel format, profile wanted
    ("libx264", {}, "yuv420p", ".mp4", "libx264", "yuv420p", None),
    ("libx264", {}, "yuv420p10le", ".mkv", "libx264", "yuv420p10le", None),
    ("libx264", {}, "yuv422p10le", ".mov", "libx264", "yuv422p10le", None),
    ("libx265", {"x265-params": "log-level=none:bframes=0"}, "yuv420p10le", ".mp4", "libx265", "yuv420p10le", None),
    ("libx265", {"x265-params": "log-level=none:bframes=0"}, "yuv444p12le", ".mkv", "libx265", "yuv444p12le", None),
    ("prores_ks", {"profile": "proxy"}, "yuv422p10le", ".mov", "prores_ks", "yuv422p10le", "proxy"),
    ("prores_ks", {"profile": "standard"}, "yuv422p10le", ".mov", "prores_ks", "yuv422p10le", "standard"),
    ("prores_ks", {"profile": "hq"}, "yuv422p10le", ".mov", "prores_ks", "yuv422p10le", "hq"),
    ("dnxhd", {"profile": "dnxhr_sq"}, "yuv422p", ".mov", "dnxhd", "yuv422p", "dnxhr_sq"),
    ("dnxhd", {"profile": "dnxhr_hqx"}, "yuv422p10le", ".mov", "dnxhd", "yuv422p10le", "dnxhr_hqx"),
    ("dnxhd", {"profile": "dnxhr_444"}, "yuv444p10le", ".mov", "dnxhd", "yuv444p10le", "dnxhr_444"),
    ("libvpx-vp9", {}, "yuv420p", ".webm", "libvpx-vp9", "yuv420p", None),
    ("libsvtav1", {"preset": "10"}, "yuv420p10le", ".mkv", "libsvtav1", "yuv420p10le", None),
    ("ffv1", {}, "yuv444p10le", ".mkv", "ffv1", "yuv444p10le", None),
    ("mjpeg", {}, "yuvj420p", ".avi", "mjpeg", "yuv420p", None),
]


def made(path: Path, codec: str, pix_fmt: str, count: int = 2, **more: object) -> Path:
    frames = [streams.random_planes(pix_fmt, *SIZE, seed=n) for n in range(count)]
    return streams.write_planes(path, pix_fmt, frames, SIZE, codec=codec, **more)  # type: ignore[arg-type]


def plan(path: Path, output: Path | None = None, **settings: object) -> OutputPlan:
    return resolve_output(probe(path), output, OutputSettings(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(("codec", "options", "pix_fmt", "ending", "encoder", "target", "profile"), FOLLOWED)
def test_the_encoder_follows_the_source(
    tmp_path: Path, codec: str, options: dict[str, str], pix_fmt: str, ending: str, encoder: str, target: str,
    profile: str | None,
) -> None:  # fmt: skip
    path = made(tmp_path / f"a{ending}", codec, pix_fmt, options=options)
    found, _ = rewrite(path)
    assert (found.encoder, found.pix_fmt, found.path.suffix) == (encoder, target, ending)
    assert found.options.get("profile") == profile
    read, written = probe(path), probe(found.path)
    assert (written.codec, written.profile, written.source_format) == (read.codec, read.profile, read.source_format)


def test_prores_4444_stays_4444_with_alpha_and_the_loss_of_two_bits_is_said(tmp_path: Path) -> None:
    path = made(tmp_path / "a.mov", "prores_ks", "yuva444p10le", options={"profile": "4444"})
    for codec in ("auto", "prores"):
        found = plan(path, codec=codec)
        assert (found.encoder, found.options["profile"], found.pix_fmt) == ("prores_ks", "4444", "yuva444p10le")
        assert any("which loses bit depth" in note for note in found.notes)


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "ending", "lossy"),
    [("mpeg2video", "yuv420p", ".ts", ""), ("mpeg4", "yuv420p", ".mp4", ""),
     ("huffyuv", "yuv422p", ".avi", LOSSY), ("utvideo", "yuv422p", ".avi", LOSSY),
     ("v210", "yuv422p10le", ".mov", LOSSY),
     ("cfhd", "yuv422p10le", ".mov", LOSSY)],
)  # fmt: skip
def test_what_has_no_encoder_becomes_h264_and_one_line_says_so(
    tmp_path: Path, codec: str, pix_fmt: str, ending: str, lossy: str
) -> None:
    found = plan(made(tmp_path / f"a{ending}", codec, pix_fmt))
    assert (found.codec, found.pix_fmt) == ("h264", pix_fmt)
    assert [n for n in found.notes if "becomes" in n] == [
        f"{codec} video becomes h264{lossy}: --codec auto writes no {codec}"
    ]


def test_a_named_container_that_can_not_hold_the_sources_codec_gets_h264(tmp_path: Path) -> None:
    path = made(tmp_path / "a.mkv", "ffv1", "yuv420p10le")
    found = plan(path, tmp_path / "b.mp4")
    assert (found.codec, found.pix_fmt, found.container) == ("hevc", "yuv420p10le", "mp4")
    assert found.notes == (f"ffv1 video becomes hevc{LOSSY}: .mp4 files can't hold ffv1 video with exact times",)


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "name", "reason"),
    [("ffv1", "yuv420p", "b.mov", ".mov files can't hold ffv1 video with exact times"),
     ("prores_ks", "yuv422p10le", "b.mp4", ".mp4 files can't hold prores video with exact times")],
)  # fmt: skip
def test_where_the_container_is_the_reason_for_another_codec_that_is_said(
    tmp_path: Path, codec: str, pix_fmt: str, name: str, reason: str
) -> None:
    found = plan(made(tmp_path / f"a{'.mov' if 'prores' in codec else '.mkv'}", codec, pix_fmt), tmp_path / name)
    assert found.notes[0].endswith(f"{LOSSY}: {reason}")


def test_an_encoder_with_too_few_bits_is_the_reason_for_another_codec(tmp_path: Path) -> None:
    clip = replace(probe(made(tmp_path / "a.mkv", "ffv1", "yuv420p10le")), codec="vp9")
    taken = [layout.name for layout in av.codec.Codec("libvpx-vp9", "w").video_formats or []]
    found = resolve_output(clip, tmp_path / "b.mkv", OutputSettings())
    if "yuv420p10le" in taken:
        assert (found.encoder, found.pix_fmt, found.notes) == ("libvpx-vp9", "yuv420p10le", ())
    else:
        assert found.notes == ("vp9 video becomes hevc: libvpx-vp9 takes no more than 8 bits a sample here",)


def test_alpha_that_is_lost_is_said_with_the_ways_to_keep_it(tmp_path: Path) -> None:
    path = made(tmp_path / "a.mov", "png", "rgba")
    assert plan(path).notes[-1] == ("to keep its alpha: --codec prores -o NAME.mov, or --codec ffv1 -o NAME.mkv")
    for name, codec in (("b.mov", "prores"), ("b.mkv", "ffv1")):
        found = plan(path, tmp_path / name, codec=codec)
        assert "a" in found.pix_fmt
        assert not any("alpha" in note for note in found.notes)


def test_dnxhd_of_a_fixed_rate_becomes_dnxhr_and_that_is_said(tmp_path: Path) -> None:
    clip = replace(
        probe(made(tmp_path / "a.mov", "dnxhd", "yuv422p", options={"profile": "dnxhr_hq"})), profile="DNXHD"
    )
    notes = resolve_output(clip, None, OutputSettings()).notes
    assert notes == ("DNxHD becomes DNxHR HQ, which has no fixed data rates",)


def test_a_preset_meant_for_another_encoder_is_left_out_and_said_but_a_misspelt_one_is_an_error(tmp_path: Path) -> None:
    path = made(tmp_path / "a.mkv", "ffv1", "yuv420p")
    found = plan(path, encoder_preset="ultrafast", crf=23)
    assert "preset" not in found.options
    assert any("--crf 23 (output.crf) does not apply to ffv1" in note for note in found.notes)
    assert any("--encoder-preset ultrafast (output.encoder_preset) does not apply" in note for note in found.notes)
    with pytest.raises(SettingsError, match="has no such preset"):
        plan(made(tmp_path / "b.mp4", "libx264", "yuv420p"), encoder_preset="ultrafats")


HDR10 = MasteringDisplay(
    ((Fraction(34000, 50000), Fraction(16000, 50000)), (Fraction(13250, 50000), Fraction(34500, 50000)),
     (Fraction(7500, 50000), Fraction(3000, 50000))),
    (Fraction(15635, 50000), Fraction(16450, 50000)),
    (Fraction(1, 10000), Fraction(1000)),
)  # fmt: skip
"""A display with P3 primaries and D65 white, 0.0001 to 1000 cd/m2, as HDR10 films name it."""
X265 = (
    "log-level=none:bframes=0:max-cll=1000,400:"
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
)


def hdr(path: Path) -> Path:
    return made(path, "libx265", "yuv420p10le", options={"x265-params": X265}, tags=(9, 9, 16, 1))


@pytest.mark.parametrize("codec", ["auto", "h264", "av1"])
def test_static_hdr_data_are_carried_over(tmp_path: Path, codec: str) -> None:
    path = hdr(tmp_path / "a.mp4")
    read = probe(path)
    assert (read.mastering, read.light) == (HDR10, (1000, 400))
    _, notes = rewrite(path, tmp_path / "b.mp4", codec=codec)
    written = probe(tmp_path / "b.mp4")
    assert written.light == (1000, 400)
    assert written.mastering is not None
    for got, wanted in zip(written.mastering.primaries, HDR10.primaries, strict=True):
        np.testing.assert_allclose([float(v) for v in got], [float(v) for v in wanted], atol=2e-5)
    np.testing.assert_allclose([float(v) for v in written.mastering.luminance], (0.0001, 1000), rtol=0.3)
    assert notes == ()


@pytest.mark.parametrize(
    ("name", "codec"),
    [("b.mov", "prores"), ("b.mkv", "prores"), ("b.mov", "dnxhr"), ("b.mkv", "ffv1"), ("b.webm", "vp9")],
)
def test_codecs_without_a_place_for_hdr_data_leave_them_to_the_file(tmp_path: Path, name: str, codec: str) -> None:
    path = hdr(tmp_path / "a.mp4")
    _, notes = rewrite(path, tmp_path / name, codec=codec)
    written = probe(tmp_path / name)
    assert (written.mastering, written.light) == (HDR10, (1000, 400))
    assert not [note for note in notes if "mastering" in note]


@pytest.mark.parametrize("name", ["b.mp4", "b.mkv"])
def test_a_file_tells_hdr_data_in_its_own_header_too(tmp_path: Path, name: str) -> None:
    """What a player asks before it decodes: the packets are thrown away, and the header says it all the same."""
    rewrite(hdr(tmp_path / "a.mp4"), tmp_path / name)
    data = (tmp_path / name).read_bytes()
    if name == "b.mp4":
        numbers = (13250, 34500, 7500, 3000, 34000, 16000, 15635, 16450)
        assert data.count(b"mdcv" + struct.pack(">8H2I", *numbers, 10_000_000, 1)) == 1
        assert data.count(b"clli" + struct.pack(">2H", 1000, 400)) == 1
        return
    begin, end = data.index(bytes.fromhex("1654ae6b")), data.index(bytes.fromhex("1f43b675"))
    for name_, value in ((0x55D1, 0.68), (0x55D4, 0.69), (0x55D8, 0.329), (0x55D9, 1000.0), (0x55DA, 0.0001)):
        assert data.count(name_.to_bytes(2, "big") + b"\x88" + struct.pack(">d", value), begin, end) == 1
    assert data.count(bytes.fromhex("55bc8203e8" + "55bd820190"), begin, end) == 1
    with av.open(str(tmp_path / name), options={"err_detect": "crccheck+explode"}) as container:
        assert len(list(container.decode(video=0))) == 2


def test_a_container_that_can_not_carry_hdr_data_says_so(tmp_path: Path) -> None:
    found = plan(hdr(tmp_path / "a.mp4"), tmp_path / "b.avi", codec="ffv1")
    assert ".avi files carry no data of the mastering display for ffv1 video; they are left out" in found.notes


@pytest.mark.parametrize("codec", ["auto", "h264", "hevc"])
@pytest.mark.parametrize("kind", [0, 1, 2, 3])
def test_the_place_of_chroma_samples_is_carried_over(tmp_path: Path, kind: int, codec: str) -> None:
    options = {"x264-params": f"chromaloc={kind}"}
    path = made(tmp_path / "a.mp4", "libx264", "yuv420p", options=options)
    read = probe(path)
    assert read.chroma_location == (kind + 1 if kind else read.chroma_location)
    rewrite(path, tmp_path / "b.mp4", codec=codec)
    assert probe(tmp_path / "b.mp4").chroma_location == read.chroma_location


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_matroska_tells_the_place_of_chroma_samples_for_codecs_that_do_not(tmp_path: Path, kind: int) -> None:
    path = made(tmp_path / "a.mp4", "libx264", "yuv420p", options={"x264-params": f"chromaloc={kind}"})
    rewrite(path, tmp_path / "b.mkv", codec="ffv1")
    rewrite(tmp_path / "b.mkv", tmp_path / "c.mkv")
    assert probe(tmp_path / "b.mkv").chroma_location == probe(path).chroma_location
    assert probe(tmp_path / "c.mkv").chroma_location == probe(path).chroma_location


def sited(path: Path, pix_fmt: str, location: int) -> Path:
    """FFV1 in Matroska that says where its chroma samples lie."""
    source = probe(made(path.with_name("unsited.mkv"), "ffv1", pix_fmt))
    rewrite(replace(source, chroma_location=location), path)
    return path


@pytest.mark.parametrize("location", [1, 2, 3])
def test_matroska_tells_the_place_of_chroma_samples_of_422_too(tmp_path: Path, location: int) -> None:
    path = sited(tmp_path / "a.mkv", "yuv422p", location)
    assert probe(path).chroma_location == location
    assert rewrite(path, tmp_path / "b.mkv")[1] == ()
    assert probe(tmp_path / "b.mkv").chroma_location == location


@pytest.mark.parametrize(("codec", "ending"), [("mpeg1video", ".mkv"), ("mjpeg", ".avi")])
def test_what_a_codec_prescribes_is_told_by_another_one(tmp_path: Path, codec: str, ending: str) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = made(tmp_path / f"a{ending}", codec, pix_fmt)
    assert probe(path).chroma_location == 2
    for name, encoder in (("b.mp4", "h264"), ("b.mkv", "ffv1")):
        notes = rewrite(path, tmp_path / name, codec=encoder)[1]
        assert not any("chroma samples" in note for note in notes)
        assert probe(tmp_path / name).chroma_location == 2


@pytest.mark.parametrize(
    ("pix_fmt", "location", "name", "codec"),
    [("yuv420p", 2, "b.avi", "ffv1"), ("yuv422p", 2, "b.mkv", "h264"), ("yuv420p", 2, "b.mkv", "av1"),
     ("yuv422p", 1, "b.mov", "prores")],
)  # fmt: skip
def test_where_the_place_of_chroma_samples_can_not_be_told_that_is_said(
    tmp_path: Path, pix_fmt: str, location: int, name: str, codec: str
) -> None:
    path = sited(tmp_path / "a.mkv", pix_fmt, location)
    notes = [note for note in plan(path, tmp_path / name, codec=codec).notes if "chroma samples" in note]
    where = {1: "left", 2: "center"}[location]
    assert len(notes) == 1
    assert notes[0].startswith(f"the place of chroma samples ({where}) is not told any more: {name[1:]} files")


@pytest.mark.parametrize(
    ("location", "tag"), [(0, b"C420jpeg"), (1, b"C420mpeg2"), (2, b"C420jpeg"), (3, b"C420paldv")]
)
def test_y4m_tells_the_place_of_chroma_samples(tmp_path: Path, location: int, tag: bytes) -> None:
    rewrite(sited(tmp_path / "a.mkv", "yuv420p", location), tmp_path / "b.y4m")
    assert tag in (tmp_path / "b.y4m").read_bytes()[:100].split()


def test_an_unsaid_place_of_chroma_samples_stays_unsaid(tmp_path: Path) -> None:
    path = made(tmp_path / "a.mp4", "libx264", "yuv420p", tags=(2, 2, 2, 0))
    assert probe(path).chroma_location == 0
    rewrite(path, tmp_path / "b.mp4")
    assert probe(tmp_path / "b.mp4").chroma_location == 0


INTERLACED = [
    ("libx264", "yuv420p", ".mkv", {"flags": "+ildct+ilme", "x264-params": "{}=1"}),
    ("libx264", "yuv420p", ".mp4", {"flags": "+ildct+ilme", "x264-params": "{}=1"}),
    ("prores_ks", "yuv422p10le", ".mov", {"flags": "+ildct"}),
    ("ffv1", "yuv420p", ".mkv", {}),
]


@pytest.mark.parametrize(("order", "first"), [("tff", "top"), ("bff", "bottom")])
@pytest.mark.parametrize(("codec", "pix_fmt", "ending", "options"), INTERLACED)
def test_interlaced_pictures_stay_interlaced_with_their_field_order(
    tmp_path: Path, codec: str, pix_fmt: str, ending: str, options: dict[str, str], order: str, first: str
) -> None:
    options = {name: value.format(order) for name, value in options.items()}
    path = made(tmp_path / f"a{ending}", codec, pix_fmt, count=5, options=options, fields=order)
    assert probe(path).fields == first
    found, notes = rewrite(path)
    assert probe(found.path).fields == first
    assert notes == ()


def test_progressive_pictures_have_no_fields(tmp_path: Path) -> None:
    for codec, pix_fmt, ending in (("libx264", "yuv420p", ".mp4"), ("prores_ks", "yuv422p10le", ".mov")):
        path = made(tmp_path / f"a{ending}", codec, pix_fmt)
        assert probe(path).fields is None
        found, _ = rewrite(path)
        assert probe(found.path).fields is None


def test_an_encoder_that_weaves_fields_says_so(tmp_path: Path) -> None:
    path = made(
        tmp_path / "a.mkv", "libx264", "yuv420p", options={"flags": "+ildct+ilme", "x264-params": "tff=1"}, fields="tff"
    )
    assert any("libx265 keeps no fields apart" in note for note in plan(path, codec="hevc").notes)


def test_hevc_in_mp4_and_mov_is_called_what_every_player_takes(tmp_path: Path) -> None:
    path = made(tmp_path / "a.mp4", "libx264", "yuv420p")
    for ending in (".mp4", ".mov"):
        rewrite(path, tmp_path / f"b{ending}", codec="hevc")
        assert streams.codec_tag(tmp_path / f"b{ending}") == "hvc1"


@pytest.mark.parametrize(("order", "number", "first"), [("tff", 9, "top"), ("bff", 14, "bottom")])
def test_woven_fields_of_a_movie_are_shown_in_the_order_that_apple_gives_the_number(
    tmp_path: Path, order: str, number: int, first: str
) -> None:
    path = made(tmp_path / "a.mov", "prores_ks", "yuv422p10le", fields=order, options={"flags": "+ildct"})
    data, plain = path.read_bytes(), b"fiel\x02" + (b"\x01" if order == "tff" else b"\x06")
    assert data.count(plain) == 1
    woven = b"fiel\x02" + bytes([number])
    path.write_bytes(data.replace(plain, woven))
    assert probe(path).fields == first
    found, notes = rewrite(path)
    assert probe(found.path).fields == first
    assert found.path.read_bytes().count(woven) == 1
    assert notes == ()


def test_a_movie_that_says_progressive_says_so_again(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("prores_ks", rate=25, width=64, height=48)
        stream.pix_fmt, stream.codec_context.field_order = "yuv422p10le", 1
        frame = streams.frame_of(streams.random_planes("yuv422p10le", 64, 48), "yuv422p10le", 64, 48)
        frame.pts = 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    found, _ = rewrite(path)
    assert [file.read_bytes().count(b"fiel\x01\x00") for file in (path, found.path)] == [1, 1]
