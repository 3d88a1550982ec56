"""Frames come out with their own samples and exact times; damage is found, counted and placed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import streams

from streamct.errors import DamagedInputError
from streamct.media.probe import probe
from streamct.media.reader import Reader, timecode

SIZES = [(32, 24), (33, 17), (35, 36), (16, 1), (1, 16), (1, 1), (70, 3)]
PLANAR = [
    "yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "yuva420p", "yuva444p", "gbrp", "gbrap",
    "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuva444p10le", "gbrp10le",
    "yuv420p12le", "yuv422p12le", "yuv444p12le", "gbrp12le",
]  # fmt: skip


def frames_of(path: Path) -> tuple[list[list[np.ndarray]], list[int], Reader]:
    with Reader(probe(path), threads=1) as reader:
        found = [([plane.copy() for plane in frame.planes], frame.pts) for frame in reader]
    return [planes for planes, _ in found], [pts for _, pts in found], reader


def raw(path: Path, pix_fmt: str, size: tuple[int, int], **more: object) -> tuple[Path, list[list[np.ndarray]]]:
    frames = [streams.random_planes(pix_fmt, *size, seed=n) for n in range(2)]
    streams.write_planes(path, pix_fmt, frames, size, codec="rawvideo", **more)  # type: ignore[arg-type]
    return path, frames


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pix_fmt", PLANAR)
def test_planar_formats_are_read_sample_for_sample(tmp_path: Path, pix_fmt: str, size: tuple[int, int]) -> None:
    path, frames = raw(tmp_path / "a.nut", pix_fmt, size)
    clip = probe(path)
    assert clip.format.name == pix_fmt
    planes, _, _ = frames_of(path)
    assert len(planes) == 2
    for got, wanted in zip(planes, frames, strict=True):
        assert len(got) == len(wanted)
        for a, b in zip(got, wanted, strict=True):
            assert a.dtype == clip.format.dtype
            np.testing.assert_array_equal(a, b)


def test_nv12_is_only_sorted_into_planes(tmp_path: Path) -> None:
    path, frames = raw(tmp_path / "a.nut", "nv12", (33, 17))
    assert probe(path).format.name == "yuv420p"
    planes, _, _ = frames_of(path)
    for (luma, blue, red), (wanted, both) in zip(planes, frames, strict=True):
        np.testing.assert_array_equal(luma, wanted)
        np.testing.assert_array_equal(blue, both[:, ::2])
        np.testing.assert_array_equal(red, both[:, 1::2])


@pytest.mark.parametrize("size", [(32, 24), (34, 17)])
@pytest.mark.parametrize(("pix_fmt", "order"), [("yuyv422", (0, 1, 3)), ("uyvy422", (1, 0, 2))])
def test_packed_422_is_only_sorted_into_planes(
    tmp_path: Path, pix_fmt: str, order: tuple[int, int, int], size: tuple[int, int]
) -> None:
    width, height = size
    packed = [np.random.default_rng(n).integers(0, 256, (height, width * 2)).astype(np.uint8) for n in range(2)]
    streams.write_packed(tmp_path / "a.nut", pix_fmt, packed, size)
    planes, _, _ = frames_of(tmp_path / "a.nut")
    first, blue, red = order
    for (luma, cb, cr), wanted in zip(planes, packed, strict=True):
        np.testing.assert_array_equal(luma, wanted[:, first::2])
        np.testing.assert_array_equal(cb, wanted[:, blue::4])
        np.testing.assert_array_equal(cr, wanted[:, red::4])


@pytest.mark.parametrize("pix_fmt", ["rgb24", "bgr24", "rgba", "bgr0"])
def test_packed_rgb_is_only_sorted_into_planes(tmp_path: Path, pix_fmt: str) -> None:
    bands = len(pix_fmt.rstrip("24"))
    packed = [np.random.default_rng(n).integers(0, 256, (9, 11 * bands)).astype(np.uint8) for n in range(2)]
    streams.write_packed(tmp_path / "a.nut", pix_fmt, packed, (11, 9))
    planes, _, _ = frames_of(tmp_path / "a.nut")
    order = [pix_fmt.index(letter) for letter in ("gbra" if pix_fmt == "rgba" else "gbr")]
    for got, wanted in zip(planes, packed, strict=True):
        assert len(got) == len(order)
        for plane, place in zip(got, order, strict=True):
            np.testing.assert_array_equal(plane, wanted[:, place::bands])


@pytest.mark.parametrize("tag", [0, 1, 2])
@pytest.mark.parametrize(("pix_fmt", "neutral"), [("gray", 128), ("gray10le", 512), ("gray12le", 2048)])
def test_grey_keeps_its_luma_and_gets_neutral_chroma(tmp_path: Path, pix_fmt: str, neutral: int, tag: int) -> None:
    path, frames = raw(tmp_path / "a.nut", pix_fmt, (33, 17), tags=(1, 1, 1, tag))
    planes, _, _ = frames_of(path)
    for (luma, blue, red), (wanted,) in zip(planes, frames, strict=True):
        np.testing.assert_array_equal(luma, wanted)
        assert (blue == neutral).all()
        assert (red == neutral).all()


def test_times_are_the_ticks_of_the_file(tmp_path: Path) -> None:
    times = [0, 3003, 4004, 4005, 9009, 20020]
    frames = [streams.moving_planes(n, 32, 24) for n in range(len(times))]
    streams.write_planes(
        tmp_path / "a.mov", "yuv420p", frames, (32, 24), codec="libx264", times=times,
        time_base=Fraction(1, 30000), rate=Fraction(30000, 1001), options={"bf": "2"},
    )  # fmt: skip
    _, got, reader = frames_of(tmp_path / "a.mov")
    assert got == times
    assert reader.warnings == []


def test_a_start_other_than_zero_is_kept(tmp_path: Path) -> None:
    frames = [streams.moving_planes(n, 32, 24) for n in range(4)]
    times = [500, 540, 580, 620]
    streams.write_planes(tmp_path / "a.mkv", "yuv420p", frames, (32, 24), times=times, time_base=Fraction(1, 1000))
    assert frames_of(tmp_path / "a.mkv")[1] == times


def test_frames_of_b_frame_clips_come_in_presentation_order(tmp_path: Path) -> None:
    path = streams.write_rich(tmp_path / "a.mp4", options={"bf": "3", "b-adapt": "0"})
    with Reader(probe(path)) as reader:
        frames = [(frame.index, frame.pts * frame.time_base) for frame in reader]
    assert frames == [(n, Fraction(n, 25)) for n in range(20)]


def test_a_truncated_file_is_damaged_and_counts_and_times_are_named(tmp_path: Path) -> None:
    path = streams.write_rich(
        tmp_path / "a.mp4", frames=50, audios=(), chapters=False, options={"x264-params": "keyint=5"}, fast_start=True
    )
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    clip = probe(path)
    assert clip.frames == 50
    expected = r"a\.mp4: \d+ of 50 frames could be decoded \(the pictures end at 00:00:0\d\.\d{3} of 00:00:02\.000\)"
    with Reader(clip) as reader, pytest.raises(DamagedInputError, match=expected):
        list(reader)


def test_flipped_bytes_give_an_error_that_says_where(tmp_path: Path) -> None:
    path = streams.write_rich(tmp_path / "a.mp4", frames=50, audios=(), chapters=False, size=(128, 96))
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    rng = np.random.default_rng(3)
    for place in rng.integers(start + 3000, data.index(b"moov") - 4, 40):
        data[place] ^= 0xFF
    path.write_bytes(bytes(data))
    expected = r"a\.mp4: (\d+ of 50 frames are corrupt, the first at|\d+ of 50 frames could|decoding stopped at frame)"
    with Reader(probe(path)) as reader, pytest.raises(DamagedInputError, match=expected):
        list(reader)


def test_times_that_repeat_or_run_backwards_are_repaired_and_said(tmp_path: Path) -> None:
    path = streams.write_planes(
        tmp_path / "a.nut", "yuv420p", [streams.moving_planes(n, 16, 16) for n in range(5)], (16, 16),
        codec="rawvideo", times=[0, 40, 80, 120, 160], time_base=Fraction(1, 1000),
    )  # fmt: skip
    clip = probe(path)
    with Reader(clip) as reader:
        decoded = list(reader._decoded())
        fixed, last = [], None
        for frame, pts in zip(decoded, (0, 40, 40, 20, None), strict=True):
            frame.pts = pts
            last = reader._time(frame, last)
            fixed.append(last)
    assert fixed[:4] == [0, 40, 41, 42]
    assert fixed[4] > 42
    assert len(reader.warnings) == 2
    assert all(str(path) in line for line in reader.warnings)
    moved = "2 frame times that repeat or run backwards were moved forward, the first at 00:00:00.0"
    assert any(moved in line for line in reader.warnings)


def test_a_change_of_size_is_scaled_to_the_first_and_said(tmp_path: Path) -> None:
    parts = []
    for number, size in enumerate([(64, 48), (32, 24)]):
        frames = [streams.moving_planes(n, *size) for n in range(5)]
        path = streams.write_planes(
            tmp_path / f"{number}.h264", "yuv420p", frames, size, codec="libx264", options={"bf": "0"}
        )
        parts.append(path.read_bytes())
    (tmp_path / "a.h264").write_bytes(b"".join(parts))
    with Reader(probe(tmp_path / "a.h264")) as reader:
        shapes = [[plane.shape for plane in frame.planes] for frame in reader]
    assert shapes == [[(48, 64), (24, 32), (24, 32)]] * 10
    assert any("changes from 64x48 to 32x24" in line for line in reader.warnings)


def test_a_change_of_the_pixel_format_is_converted_to_the_first_and_said(tmp_path: Path) -> None:
    parts = []
    for pix_fmt in ("yuv420p", "yuv444p"):
        frames = [streams.random_planes(pix_fmt, 64, 48, seed=n) for n in range(3)]
        path = streams.write_planes(
            tmp_path / f"{pix_fmt}.h264", pix_fmt, frames, (64, 48), codec="libx264", options={"bf": "0"}
        )
        parts.append(path.read_bytes())
    (tmp_path / "a.h264").write_bytes(b"".join(parts))
    with Reader(probe(tmp_path / "a.h264")) as reader:
        shapes = [[plane.shape for plane in frame.planes] for frame in reader]
    assert shapes == [[(48, 64), (24, 32), (24, 32)]] * 6
    changed = "the pixel format changes from yuv420p to yuv444p; all frames are converted to the first one's"
    assert f"{tmp_path / 'a.h264'}: {changed}" in reader.warnings


@pytest.mark.parametrize(("seconds", "text"), [(0, "00:00:00.000"), (4.8667, "00:00:04.867"), (3661.5, "01:01:01.500")])
def test_times_are_written_as_hours_minutes_seconds(seconds: float, text: str) -> None:
    assert timecode(seconds) == text
