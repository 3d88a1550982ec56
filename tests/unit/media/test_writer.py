"""What is written: the same samples, times, colours and shape that were read."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import streams
from faults import little_space
from rewrite import rewrite

from streamct.errors import OutputError
from streamct.media.output import resolve_output
from streamct.media.passthrough import Passthrough
from streamct.media.probe import probe
from streamct.media.reader import Reader
from streamct.media.writer import Writer
from streamct.settings import OutputSettings

LOSSLESS = [
    "yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "yuv420p10le", "yuv422p10le", "yuv444p10le",
    "yuv420p12le", "yuv422p12le", "yuv444p12le", "gbrp10le", "gbrp12le", "yuva420p", "yuva444p", "yuva444p10le",
]  # fmt: skip


def source(path: Path, pix_fmt: str = "yuv420p", size: tuple[int, int] = (33, 17), **more: object) -> Path:
    frames = [streams.random_planes(pix_fmt, *size, seed=n) for n in range(3)]
    return streams.write_planes(path, pix_fmt, frames, size, **{"codec": "rawvideo", **more})  # type: ignore[arg-type]


def samples(path: Path) -> list[list[np.ndarray]]:
    with Reader(probe(path)) as reader:
        return [[plane.copy() for plane in frame.planes] for frame in reader]


def times(path: Path) -> list[Fraction]:
    with Reader(probe(path)) as reader:
        return [frame.pts * frame.time_base for frame in reader]


def smooth(count: int, size: tuple[int, int] = (64, 48)) -> list[list[np.ndarray]]:
    return [streams.moving_planes(n, *size) for n in range(count)]


@pytest.mark.parametrize("pix_fmt", LOSSLESS)
def test_ffv1_gives_back_every_sample_in_its_own_format(tmp_path: Path, pix_fmt: str) -> None:
    path = source(tmp_path / "a.nut", pix_fmt)
    plan, notes = rewrite(path, tmp_path / "b.mkv", codec="ffv1")
    assert plan.pix_fmt == pix_fmt
    assert notes == ()
    for got, wanted in zip(samples(tmp_path / "b.mkv"), samples(path), strict=True):
        for a, b in zip(got, wanted, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "tags", [(1, 1, 1, 1), (5, 5, 6, 1), (6, 6, 6, 2), (9, 9, 16, 1), (9, 9, 18, 1), (1, 1, 13, 2), (2, 2, 2, 0)]
)
@pytest.mark.parametrize(("ending", "codec"), [(".mp4", "h264"), (".mkv", "ffv1"), (".mov", "hevc"), (".mkv", "h264")])
def test_colour_tags_are_written_as_they_were_read(
    tmp_path: Path, ending: str, codec: str, tags: tuple[int, int, int, int]
) -> None:
    path = source(tmp_path / "a.mkv", codec="ffv1", size=(34, 18), tags=tags)
    rewrite(path, tmp_path / f"b{ending}", codec=codec)
    read, written = probe(path), probe(tmp_path / f"b{ending}")
    assert (read.tags.matrix, read.tags.primaries, read.tags.transfer) == tags[:3]
    if codec == "hevc" and tags[3] == 0:  # an HEVC stream that says nothing is read as limited by definition
        assert written.tags.range == 1
    else:
        assert written.tags == read.tags
    assert written.coding == read.coding


def test_untagged_stays_untagged_also_in_hd(tmp_path: Path) -> None:
    path = streams.write_planes(
        tmp_path / "a.mp4", "yuv420p", smooth(2, (64, 720)), (64, 720), codec="libx264", tags=(2, 2, 2, 0)
    )
    rewrite(path, tmp_path / "b.mp4")
    assert probe(tmp_path / "b.mp4").tags == probe(path).tags
    assert probe(path).tags.matrix == 2


@pytest.mark.parametrize("pix_fmt", ["gbrp", "gbrp10le", "rgb24"])
@pytest.mark.parametrize("codec", ["h264", "ffv1", "vp9"])
def test_rgb_that_becomes_luma_and_chroma_is_tagged_as_what_it_became(tmp_path: Path, codec: str, pix_fmt: str) -> None:
    """Twin: green is Y' 0.7152 by BT.709, whatever the tag of the RGB source said."""
    depth = 10 if "10" in pix_fmt else 8
    top = (1 << depth) - 1
    path = tmp_path / "a.nut"
    if pix_fmt == "rgb24":
        streams.write_packed(path, pix_fmt, [np.tile(np.array([0, 255, 0], np.uint8), (48, 64))] * 2, (64, 48))
    else:
        planes = [np.full((48, 64), v, np.uint16 if depth > 8 else np.uint8) for v in (top, 0, 0)]
        streams.write_planes(path, pix_fmt, [planes] * 2, (64, 48), codec="rawvideo", tags=(0, 1, 13, 2))
    plan, _ = rewrite(path, tmp_path / "b.mkv", codec=codec)
    found = probe(tmp_path / "b.mkv")
    with av.open(str(tmp_path / "b.mkv")) as container:
        colour = next(container.decode(video=0)).to_ndarray(format="rgb24")[24, 32]
    np.testing.assert_allclose(colour, (0, 255, 0), atol=4)
    if not av.VideoFormat(plan.pix_fmt).is_rgb:
        assert (found.coding.matrix, found.coding.full_range) == ("bt709", True)
        np.testing.assert_allclose(
            samples(tmp_path / "b.mkv")[0][0] / ((1 << found.format.depth) - 1), 0.7152, atol=0.01
        )


@pytest.mark.parametrize("codec", ["h264", "ffv1"])
@pytest.mark.parametrize("tag", [0, 1, 2])
def test_grey_keeps_its_range(tmp_path: Path, tag: int, codec: str) -> None:
    ramp = [np.tile(np.arange(0, 256, 4, dtype=np.uint8), (48, 1))]
    path = streams.write_planes(tmp_path / "a.nut", "gray", [ramp] * 2, (64, 48), codec="rawvideo", tags=(2, 2, 2, tag))
    rewrite(path, tmp_path / "b.mkv", codec=codec)
    read, written = probe(path), probe(tmp_path / "b.mkv")
    assert written.coding.full_range == read.coding.full_range
    np.testing.assert_allclose(samples(tmp_path / "b.mkv")[0][0].astype(int), samples(path)[0][0], atol=6)


@pytest.mark.parametrize("matrix", [1, 6, 2])
def test_luma_and_chroma_that_become_rgb_keep_their_colour(tmp_path: Path, matrix: int) -> None:
    path = streams.write_planes(
        tmp_path / "a.mkv", "yuv444p", [[np.full((48, 64), v, np.uint8) for v in (120, 100, 160)]], (64, 48),
        tags=(matrix, 2, 2, 1),
    )  # fmt: skip
    rewrite(path, tmp_path / "b.mkv", codec="ffv1", pix_fmt="bgr0")
    green, blue, red = (int(plane[24, 32]) for plane in samples(tmp_path / "b.mkv")[0][:3])
    kr, kb = (0.2126, 0.0722) if matrix == 1 else (0.299, 0.114)
    y, cb, cr = (120 - 16) / 219, (100 - 128) / 224, (160 - 128) / 224
    r, b = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    np.testing.assert_allclose(
        (red, green, blue), np.array([r, (y - kr * r - kb * b) / (1 - kr - kb), b]) * 255, atol=1.5
    )


def test_full_range_yuvj_stays_full_range(tmp_path: Path) -> None:
    path = source(tmp_path / "a.avi", "yuvj420p", codec="mjpeg", size=(34, 18))
    rewrite(path, tmp_path / "b.mkv", codec="ffv1")
    assert probe(tmp_path / "b.mkv").coding.full_range
    for got, wanted in zip(samples(tmp_path / "b.mkv"), samples(path), strict=True):
        np.testing.assert_array_equal(got[0], wanted[0])


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
def test_the_shape_of_pixels_and_the_rotation_are_kept(tmp_path: Path, ending: str) -> None:
    path = streams.write_planes(
        tmp_path / "a.mov", "yuv420p", smooth(3), (64, 48), codec="libx264", aspect=Fraction(4, 3), rotation=90
    )
    rewrite(path, tmp_path / f"b{ending}")
    read, written = probe(path), probe(tmp_path / f"b{ending}")
    assert written.sample_aspect == Fraction(4, 3)
    assert written.display_matrix == read.display_matrix


VARIABLE = [0, 1001, 2002, 5005, 5006, 11011, 30030]


@pytest.mark.parametrize(("ending", "codec"), [(".mp4", "h264"), (".mov", "hevc"), (".mov", "prores")])
def test_variable_frame_times_are_exact_to_the_tick(tmp_path: Path, ending: str, codec: str) -> None:
    path = streams.write_planes(
        tmp_path / "a.mov", "yuv420p", smooth(len(VARIABLE)), (64, 48), codec="libx264", times=VARIABLE,
        time_base=Fraction(1, 30000), rate=Fraction(30000, 1001),
    )  # fmt: skip
    rewrite(path, tmp_path / f"b{ending}", codec=codec)
    assert times(tmp_path / f"b{ending}") == [Fraction(t, 30000) for t in VARIABLE]
    assert probe(tmp_path / f"b{ending}").time_base == Fraction(1, 30000)


def test_matroska_rounds_times_to_its_millisecond(tmp_path: Path) -> None:
    ticks = [0, 1001, 2002, 5005, 5105, 11011, 30030]
    path = streams.write_planes(
        tmp_path / "a.mov", "yuv420p", smooth(len(ticks)), (64, 48), codec="libx264", times=ticks,
        time_base=Fraction(1, 30000), rate=Fraction(30000, 1001),
    )  # fmt: skip
    rewrite(path, tmp_path / "b.mkv", codec="ffv1")
    for got, wanted in zip(times(tmp_path / "b.mkv"), ticks, strict=True):
        assert abs(got - Fraction(wanted, 30000)) <= Fraction(1, 2000)


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".mov"])
def test_a_start_other_than_zero_is_kept(tmp_path: Path, ending: str) -> None:
    ticks = [2000 + 40 * n for n in range(10)]
    path = streams.write_planes(
        tmp_path / "a.mkv", "yuv420p", smooth(10), (64, 48), codec="libx264", times=ticks, time_base=Fraction(1, 1000)
    )
    rewrite(path, tmp_path / f"b{ending}")
    assert times(tmp_path / f"b{ending}") == [Fraction(t, 1000) for t in ticks]


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9", "av1", "ffv1", "mjpeg"])
def test_a_single_frame_is_a_clip(tmp_path: Path, codec: str) -> None:
    path = streams.write_planes(tmp_path / "a.mp4", "yuv420p", smooth(1), (64, 48), codec="libx264")
    rewrite(path, tmp_path / "b.mkv", codec=codec)
    assert len(samples(tmp_path / "b.mkv")) == 1


class Torn:
    """A stream whose packets have what lies in memory for decoding times, as x265 gives them for one or two frames."""

    def __init__(self, stream: av.video.stream.VideoStream) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def encode(self, picture: av.VideoFrame | None) -> list[av.Packet]:
        packets = self._stream.encode(picture)
        for packet in packets:
            packet.dts = packet.pts - 8_162_898_880_561_181
        return packets


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_hevc_of_so_few_frames_that_x265_does_not_know_when_to_decode_them(
    tmp_path: Path, count: int, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Writer._add_video
    monkeypatch.setattr(Writer, "_add_video", lambda writer: Torn(add(writer)))
    path = streams.write_planes(tmp_path / "a.mp4", "yuv420p", smooth(count), (64, 48), codec="libx264")
    rewrite(path, tmp_path / f"b{ending}", codec="hevc")
    assert times(tmp_path / f"b{ending}") == pytest.approx([n / 25 for n in range(count)], abs=1e-3)


def test_frames_out_of_an_encoder_with_b_frames_keep_their_times(tmp_path: Path) -> None:
    path = streams.write_planes(tmp_path / "a.mp4", "yuv420p", smooth(30), (64, 48), codec="libx264")
    rewrite(path, tmp_path / "b.mp4", encoder_preset="medium")
    with av.open(str(tmp_path / "b.mp4")) as container:
        order = [packet.pts for packet in container.demux(video=0) if packet.size]
    assert order != sorted(order)
    assert times(tmp_path / "b.mp4") == times(path) == [Fraction(n, 25) for n in range(30)]


def test_600_ticks_a_second_as_the_rate_do_not_trouble_the_encoder(tmp_path: Path) -> None:
    ticks = [0, 20, 41, 60, 80]
    path = streams.write_planes(
        tmp_path / "a.mov", "yuv420p", smooth(5), (64, 48), codec="libx264", times=ticks,
        time_base=Fraction(1, 600), rate=Fraction(600),
    )  # fmt: skip
    rewrite(path, tmp_path / "b.mov")
    assert times(tmp_path / "b.mov") == [Fraction(t, 600) for t in ticks]


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_no_space_is_said_and_the_old_output_is_whole(tmp_path: Path, ending: str) -> None:
    frames = [streams.random_planes("yuv420p", 256, 256, seed=n) for n in range(12)]
    path = streams.write_planes(tmp_path / "a.mkv", "yuv420p", frames, (256, 256))
    folder = tmp_path / "disk"
    folder.mkdir()
    with little_space(folder, 256):
        (folder / f"b{ending}").write_bytes(b"old output")
        with pytest.raises(OutputError, match=r"no space left in .*disk\. Free some, or write elsewhere with -o"):
            rewrite(path, folder / f"b{ending}", crf=1)
        assert [(p.name, p.read_bytes()) for p in folder.iterdir()] == [(f"b{ending}", b"old output")]


def test_an_encoder_that_refuses_the_picture_is_named_before_anything_is_decoded(tmp_path: Path) -> None:
    path = source(tmp_path / "a.nut", size=(1, 1))
    with pytest.raises(OutputError, match=r"a\.nut: the encoder dnxhd refused 1x1 .* Choose another --codec"):
        resolve_output(probe(path), tmp_path / "b.mov", OutputSettings(codec="dnxhd"))


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (33, 17), (65, 65), (3, 70), (70, 3), (64, 48)])
def test_ffv1_takes_every_size(tmp_path: Path, size: tuple[int, int]) -> None:
    path = source(tmp_path / "a.nut", size=size)
    rewrite(path, tmp_path / "b.mkv", codec="ffv1")
    for got, wanted in zip(samples(tmp_path / "b.mkv"), samples(path), strict=True):
        for a, b in zip(got, wanted, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("size", [(16, 16), (34, 18), (40, 40), (34, 64)])
def test_small_pictures_do_not_make_x265_overrun_its_buffers(tmp_path: Path, size: tuple[int, int]) -> None:
    path = source(tmp_path / "a.nut", size=size)
    plan, _ = rewrite(path, tmp_path / "b.mp4", codec="hevc")
    assert "aq-mode=0" in plan.options["x265-params"]
    assert len(samples(tmp_path / "b.mp4")) == 3


@pytest.mark.parametrize("size", [(33, 17), (1, 1)])
def test_h264_takes_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    rewrite(source(tmp_path / "a.nut", size=size), tmp_path / "b.mp4")
    found = probe(tmp_path / "b.mp4")
    assert (found.width, found.height) == size


@pytest.mark.parametrize(
    ("name", "advice"), [("b.mp4", "Name the output .mkv."), ("b.mkv", r"Those of .*a\.nut are probably damaged\.")]
)
def test_streams_that_a_muxer_refuses_are_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, advice: str
) -> None:
    def refuse(*_: object) -> None:
        raise av.error.ArgumentError(22, "Invalid argument")

    monkeypatch.setattr(Passthrough, "advance", refuse)
    with pytest.raises(OutputError, match=rf"files can't take these streams \(Invalid argument\)\. {advice}"):
        rewrite(source(tmp_path / "a.nut"), tmp_path / name)


@pytest.mark.parametrize(("codec", "pix_fmt"), [("prores", "yuv422p10le"), ("dnxhr", "yuv422p10le")])
@pytest.mark.parametrize("source_format", ["yuv422p10le", "gbrp10le", "yuvj422p"])
def test_full_range_is_scaled_into_a_codec_that_has_limited_range_only(
    tmp_path: Path, codec: str, pix_fmt: str, source_format: str
) -> None:
    """Twin: grey of 3/4 in full range, and what it is in limited range: 16 + 219 x 3/4, in 10 bits.

    Within three quarters of a code of 8 bits, which is what swscale keeps to.
    """
    deep = "10" in source_format
    top, dtype = (1023, np.uint16) if deep else (255, np.uint8)
    shapes = streams.plane_shapes(source_format, 256, 128)
    middle = top * 3 / 4 if source_format.startswith("gbr") else (top + 1) / 2
    planes = [
        np.full((rows, columns), round(top * 3 / 4 if n == 0 else middle), dtype)
        for n, (rows, columns, _) in enumerate(shapes)
    ]
    rgb = source_format.startswith("gbr")
    path = streams.write_planes(
        tmp_path / "a.mkv",
        source_format.replace("yuvj", "yuv"),
        [planes] * 2,
        (256, 128),
        tags=(0 if rgb else 1, 1, 1, 2),
    )
    plan, notes = rewrite(path, tmp_path / "b.mov", codec=codec, pix_fmt=pix_fmt)
    assert probe(plan.path).coding.full_range is False
    assert any("limited range" in note for note in notes) == (not rgb)
    luma, *chroma = samples(plan.path)[0]
    np.testing.assert_allclose(luma, 4 * (16 + 219 * float(planes[0][0, 0]) / top), atol=3)
    for plane in chroma:
        np.testing.assert_allclose(plane, 512, atol=1)


@pytest.mark.parametrize("ending", [".ts", ".nut"])
def test_that_all_times_begin_later_is_said_once_and_truly(tmp_path: Path, ending: str) -> None:
    path = streams.write_rich(tmp_path / "a.mkv", audios=(), chapters=False, options={"bf": "2"})
    _, notes = rewrite(path, tmp_path / f"b{ending}")
    (told,) = [note for note in notes if note.startswith("all times are")]
    later = streams.packet_times(tmp_path / f"b{ending}", "video")[0] - streams.packet_times(path, "video")[0]
    assert later > 0
    assert told.startswith(f"all times are {float(later):.3f} s later than in the input: {ending} files")


def test_times_that_stay_are_not_spoken_of(tmp_path: Path) -> None:
    path = streams.write_rich(tmp_path / "a.mkv", audios=(), chapters=False)
    assert not any("all times" in note for note in rewrite(path, tmp_path / "b.nut", codec="ffv1")[1])
