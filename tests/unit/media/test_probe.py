"""What a file declares: colours, shape, time; and the sentence where it can't be used."""

from __future__ import annotations

import os
import struct
from fractions import Fraction
from pathlib import Path

import av
import pictures
import pytest
import pyvips
import streams
from faults import unprivileged
from rewrite import rewrite

from streamct.errors import InputError, NoVideoError
from streamct.media import probe as probing
from streamct.media.probe import probe
from streamct.model import Coding


def clip(path: Path, pix_fmt: str = "yuv420p", size: tuple[int, int] = (32, 24), **more: object) -> Path:
    frames = [streams.random_planes(pix_fmt, *size, seed=n) for n in range(3)]
    return streams.write_planes(path, pix_fmt, frames, size, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("height", [480, 576, 718, 720, 1080])
def test_untagged_is_read_as_bt709_from_720_lines_up_and_bt601_below(tmp_path: Path, height: int) -> None:
    path = clip(tmp_path / "a.mkv", size=(16, height))
    found = probe(path)
    assert found.coding == Coding("bt709" if height >= 720 else "bt601", full_range=False)
    assert (found.tags.matrix, found.tags.primaries, found.tags.transfer) == (2, 2, 2)


@pytest.mark.parametrize(
    ("matrix", "expected"), [(1, "bt709"), (5, "bt601"), (6, "bt601"), (4, "bt601"), (7, "smpte240m"), (9, "bt2020")]
)
def test_a_tagged_matrix_is_followed_whatever_the_size(tmp_path: Path, matrix: int, expected: str) -> None:
    for height in (32, 720):
        found = probe(clip(tmp_path / "a.mkv", size=(32, height), tags=(matrix, 2, 2, 1)))
        assert found.coding.matrix == expected
        assert found.tags.matrix == matrix


@pytest.mark.parametrize(("code", "transfer"), [(1, "srgb"), (13, "srgb"), (16, "pq"), (18, "hlg")])
def test_hdr_transfers_are_told_apart(tmp_path: Path, code: int, transfer: str) -> None:
    found = probe(clip(tmp_path / "a.mkv", "yuv420p10le", tags=(9, 9, code, 1)))
    assert (found.coding.transfer, found.coding.primaries) == (transfer, "bt2020")
    assert (found.tags.primaries, found.tags.transfer) == (9, code)


@pytest.mark.parametrize(("tag", "full"), [(0, False), (1, False), (2, True)])
def test_the_range_tag_is_followed(tmp_path: Path, tag: int, full: bool) -> None:
    found = probe(clip(tmp_path / "a.mkv", tags=(1, 1, 1, tag)))
    assert found.coding.full_range == full


def test_yuvj_is_full_range_and_graded_as_its_twin(tmp_path: Path) -> None:
    found = probe(clip(tmp_path / "a.avi", "yuvj420p", codec="mjpeg"))
    assert found.source_format == "yuvj420p"
    assert found.format.name == "yuv420p"
    assert found.coding.full_range


def test_rgb_is_full_range_without_a_matrix(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.nut", "gbrp", codec="rawvideo")
    assert probe(path).coding == Coding("rgb", full_range=True)


def test_a_pixel_format_that_nothing_converts_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamct.media.probe.is_readable", lambda name: name != "yuv420p")
    with pytest.raises(InputError, match=r"a\.mkv: its pixel format yuv420p can't be read\. Convert it to"):
        probe(clip(tmp_path / "a.mkv"))


def test_the_shape_of_pixels_and_the_rotation_are_read(tmp_path: Path) -> None:
    found = probe(clip(tmp_path / "a.mov", codec="libx264", aspect=Fraction(4, 3), rotation=90))
    assert found.sample_aspect == Fraction(4, 3)
    assert found.display_matrix is not None
    one = 1 << 16
    assert found.display_matrix[:5] in ((0, -one, 0, one, 0), (0, one, 0, -one, 0))
    plain = probe(clip(tmp_path / "b.mov", codec="libx264"))
    assert plain.display_matrix is None


def test_counts_rates_and_ticks_are_exact(tmp_path: Path) -> None:
    path = clip(
        tmp_path / "a.mov", codec="libx264", time_base=Fraction(1, 30000), rate=Fraction(30000, 1001),
        times=[0, 1001, 2002],
    )  # fmt: skip
    found = probe(path)
    assert found.frames == 3
    assert found.rate == Fraction(30000, 1001)
    assert found.time_base == Fraction(1, 30000)
    assert (found.width, found.height) == (32, 24)


def test_a_container_that_counts_no_frames_leaves_the_number_open(tmp_path: Path) -> None:
    assert probe(clip(tmp_path / "a.mkv")).frames is None


def test_a_named_stream_is_chosen_and_a_wrong_number_lists_those_there_are(tmp_path: Path) -> None:
    path = streams.write_rich(tmp_path / "a.mp4")
    assert probe(path).stream == 0
    assert probe(path, 0).stream == 0
    with pytest.raises(InputError, match=r"a\.mp4: stream 1 is not a video stream\. Video streams: 0\."):
        probe(path, 1)


def test_cover_art_is_not_the_video(tmp_path: Path) -> None:
    path = streams.write_with_cover(tmp_path / "a.mp4", video=True)
    assert probe(path).codec == "h264"
    with pytest.raises(NoVideoError, match=r"has no video stream \(found: audio, cover art\)"):
        probe(streams.write_with_cover(tmp_path / "b.mp4", video=False))


def test_sound_alone_is_refused_and_what_was_found_is_named(tmp_path: Path) -> None:
    path = streams.write_sound(tmp_path / "a.m4a")
    with pytest.raises(NoVideoError, match=r"a\.m4a: has no video stream \(found: audio\)\. Give a file"):
        probe(path)


def test_what_is_no_video_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.mp4: no such file\. Check the path"):
        probe(tmp_path / "gone.mp4")
    with pytest.raises(InputError, match=r"is a folder, not a video"):
        probe(tmp_path)
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(InputError, match=r"empty\.mp4: is empty \(0 bytes\)"):
        probe(tmp_path / "empty.mp4")
    (tmp_path / "words.mp4").write_text("words, words, words " * 100)
    with pytest.raises(InputError, match=r"words\.mp4: can't be opened as a video \(.+\)"):
        probe(tmp_path / "words.mp4")


def test_a_file_that_may_not_be_read_says_so() -> None:
    with unprivileged() as folder:
        path = clip(folder / "a.mkv")
        path.chmod(0)
        with pytest.raises(InputError, match=r"a\.mkv: may not be read\. Check its permissions"):
            probe(path)


def test_a_video_whose_first_frame_is_rubbish_has_no_decodable_frame(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mov", codec="libx264")
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    data[start:end] = bytes(end - start)
    path.write_bytes(bytes(data))
    with pytest.raises(NoVideoError, match=r"a\.mov: .*(can be decoded|no decodable frame)"):
        probe(path)


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, None), (2, (-1, 0, 0, 1)), (3, (-1, 0, 0, -1)), (4, (1, 0, 0, -1)),
        (5, (0, 1, 1, 0)), (6, (0, 1, -1, 0)), (7, (0, -1, -1, 0)), (8, (0, -1, 1, 0)),
    ],
)  # fmt: skip
def test_motion_jpeg_with_exif_is_read_and_turned_or_mirrored_as_that_says(
    tmp_path: Path, orientation: int, turn: tuple[int, ...] | None
) -> None:
    image = pyvips.Image.new_from_array(pictures.gradient(32, 48)).copy(interpretation="srgb")
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    jpeg = image.jpegsave_buffer()
    assert b"Exif" in jpeg
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25, width=48, height=32)
        stream.pix_fmt = "yuvj420p"
        for number in range(3):
            packet = av.Packet(jpeg)
            packet.pts = packet.dts = number
            packet.time_base, packet.stream, packet.is_keyframe = Fraction(1, 25), stream, True
            container.mux(packet)
    clip = probe(path)
    if turn is None:
        assert clip.display_matrix is None
    else:
        a, b, c, d = (number << 16 for number in turn)
        assert clip.display_matrix == (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    plan, _ = rewrite(path, tmp_path / "c.mov")
    assert probe(plan.path).display_matrix == clip.display_matrix


def test_a_named_pipe_is_not_called_empty_and_the_way_to_read_it_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "in.mp4")
    with pytest.raises(InputError, match=r"in\.mp4: is no file but a pipe .*streamct video - \.\.\. < .*in\.mp4"):
        probe(tmp_path / "in.mp4")


def test_a_codec_that_nothing_knows_is_not_called_a_lack_of_video(tmp_path: Path) -> None:
    path = streams.write_rich(tmp_path / "a.mp4", frames=3)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz9"))
    with pytest.raises(NoVideoError, match=r"a\.mp4: its video \(stream 0\) is coded in a way that nothing here knows"):
        probe(path)
    with pytest.raises(NoVideoError, match=r"its video \(stream 0\) is coded"):
        probe(path, 0)


@pytest.mark.parametrize(("place", "number"), [(0, -0.1), (7, 1.5), (8, -1.0), (9, 1e6)])
def test_a_mastering_display_that_can_not_be_is_none(
    monkeypatch: pytest.MonkeyPatch, place: int, number: float
) -> None:
    numbers = [0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329, 0.0001, 1000.0]  # x, y of R, G, B, white; cd/m2

    def told(numbers: list[float]) -> object:
        fractions = [part for n in numbers for part in (round(n * 1000), 1000)]
        monkeypatch.setattr(probing, "_side_data", lambda frame, kind: struct.pack("=22i", *fractions, 1, 1))
        return probing.mastering_display(None)  # type: ignore[arg-type]

    assert told(numbers) is not None
    assert told([number if i == place else n for i, n in enumerate(numbers)]) is None


@pytest.mark.parametrize("ending", [".mp4", ".mov"])
def test_a_film_whose_recording_broke_off_is_said_to_lack_its_index(tmp_path: Path, ending: str) -> None:
    data = streams.write_rich(tmp_path / f"a{ending}").read_bytes()
    path = tmp_path / f"b{ending}"
    path.write_bytes(data[: data.index(b"moov") - 4])
    with pytest.raises(InputError, match=rf"b{ending}: its index \(moov\) is missing"):
        probe(path)
    path.write_bytes(data[: data.index(b"moov") - 400])  # in the middle of the pictures
    with pytest.raises(InputError, match=r"its index \(moov\) is missing"):
        probe(path)


def test_what_is_no_film_is_not_said_to_lack_an_index(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    for data in (b"no film at all, but some text", bytes(100), b"\0\0\0\x10ftypisom\0\0\2\0" + bytes(40)):
        path.write_bytes(data)
        with pytest.raises(InputError, match="can't be opened as a video"):
            probe(path)
