"""The user's own masks: pictures, folders and videos, at any size, and the sentence where they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pictures
import pytest
import streams
from clips import write_clip

import streamct.segment.matte as matte_module
from streamct.errors import DamagedInputError, MaskError
from streamct.grade.mattes import Given
from streamct.media.image import save_png
from streamct.media.timeline import passage
from streamct.segment.matte import Matte, read_matte, resized


def disc(index: int, width: int = 32, height: int = 24) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.where((x - width / 2 - index) ** 2 + (y - height / 2) ** 2 < 36, 255, 0).astype(np.uint8)


def folder(path: Path, count: int, size: tuple[int, int] = (32, 24)) -> Path:
    path.mkdir()
    for n in range(count):
        pictures.save(path / f"m{n}.png", disc(n, *size)[..., None])
    return path


def video(path: Path, count: int, pix_fmt: str = "gray", **more: object) -> Path:
    neutral = np.full((12, 16), 128, np.uint8)
    frames = [[disc(n)] + ([] if pix_fmt == "gray" else [neutral, neutral]) for n in range(count)]
    return streams.write_planes(path, pix_fmt, frames, (32, 24), **more)  # type: ignore[arg-type]


def test_white_is_255_black_0_and_grey_between(tmp_path: Path) -> None:
    source = np.array([[[255] * 3, [0] * 3, [128] * 3]], np.uint8)
    for ending in (".png", ".tif", ".webp"):
        path = pictures.save(tmp_path / f"a{ending}", source, **({"lossless": True} if ending == ".webp" else {}))
        np.testing.assert_array_equal(read_matte(path)[0], [[255, 0, 128]])
    deep = pictures.save(tmp_path / "b.png", np.array([[[65535], [0], [32896]]], np.uint16))
    np.testing.assert_array_equal(read_matte(deep)[0], [[255, 0, 128]])


def test_one_picture_serves_all_frames(tmp_path: Path) -> None:
    matte = Matte(pictures.save(tmp_path / "a.png", disc(0)[..., None]))
    matte.begin(None, 32, 24)
    for index in (0, 7, 100_000):
        np.testing.assert_array_equal(matte.mask(index, 32, 24), disc(0))
    matte.end(100_001)


def test_a_folder_gives_its_pictures_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    matte = Matte(folder(tmp_path / "masks", 12))
    matte.begin(12, 32, 24)
    for index in range(12):
        np.testing.assert_array_equal(matte.mask(index, 32, 24), disc(index))
    matte.end(12)


@pytest.mark.parametrize(
    ("pix_fmt", "tags", "codec"),
    [("gray", (2, 2, 2, 0), "ffv1"), ("yuv420p", (1, 1, 1, 2), "ffv1"), ("yuvj420p", (2, 2, 2, 2), "mjpeg")],
)
def test_a_full_range_video_gives_its_luma(
    tmp_path: Path, pix_fmt: str, tags: tuple[int, int, int, int], codec: str
) -> None:
    options = {"qscale": "1"} if codec == "mjpeg" else {}
    path = video(
        tmp_path / ("a.avi" if codec == "mjpeg" else "a.mkv"), 5, pix_fmt, tags=tags, codec=codec, options=options
    )
    matte = Matte(path)
    matte.begin(5, 32, 24)
    for index in range(5):
        difference = np.abs(matte.mask(index, 32, 24).astype(int) - disc(index))
        assert difference.mean() <= (4 if codec == "mjpeg" else 0)
    matte.end(5)


def test_a_limited_range_video_is_stretched_to_0_and_255(tmp_path: Path) -> None:
    levels = [16, 235, 0, 255, 126]
    luma = np.repeat(np.array([levels], np.uint8), 4, axis=0)
    path = streams.write_planes(tmp_path / "a.mkv", "yuv444p", [[luma, luma * 0 + 128, luma * 0 + 128]], (5, 4))
    np.testing.assert_array_equal(Matte(path).mask(0, 5, 4)[0], [0, 255, 0, 255, 128])


def test_a_10_bit_video_is_brought_to_8(tmp_path: Path) -> None:
    luma = np.array([[64, 940, 502, 1023]], np.uint16)
    planes = [luma, luma * 0 + 512, luma * 0 + 512]
    path = streams.write_planes(tmp_path / "a.mkv", "yuv444p10le", [planes], (4, 1))
    np.testing.assert_array_equal(Matte(path).mask(0, 4, 1), [[0, 255, 128, 255]])


@pytest.mark.parametrize("kind", ["folder", "video"])
@pytest.mark.parametrize(("masks", "frames"), [(5, 8), (8, 5)])
def test_a_wrong_number_of_masks_names_both_numbers(tmp_path: Path, masks: int, frames: int, kind: str) -> None:
    path = folder(tmp_path / "masks", masks) if kind == "folder" else video(tmp_path / "masks.mkv", masks)
    message = rf"masks.*: holds {masks} masks, but the clip has {frames} frames\. Give one mask a frame, or a single"
    matte = Matte(path)
    if kind == "folder":
        with pytest.raises(MaskError, match=message):
            matte.begin(frames, 32, 24)
    else:
        matte.begin(frames, 32, 24)  # Matroska does not tell its number of frames
    matte.mask(min(masks, frames) - 1, 32, 24)
    with pytest.raises(MaskError, match=message):
        matte.end(frames)


@pytest.mark.parametrize("kind", ["folder", "video"])
def test_a_frame_beyond_the_last_mask_is_an_error_at_once(tmp_path: Path, kind: str) -> None:
    path = folder(tmp_path / "masks", 3) if kind == "folder" else video(tmp_path / "masks.mkv", 3)
    matte = Matte(path)
    matte.begin(None, 32, 24)
    with pytest.raises(MaskError, match=r"holds 3 masks, but the clip has more frames"):
        matte.mask(3, 32, 24)


def test_a_video_that_knows_its_number_is_compared_before_the_start(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mov", 4, "yuv420p", codec="libx264")
    with pytest.raises(MaskError, match=r"holds 4 masks, but the clip has 9 frames"):
        Matte(path).begin(9, 32, 24)


def test_masks_that_can_not_be_read_are_named_as_masks(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match=r"gone\.png: no such mask\. Check the path"):
        Matte(tmp_path / "gone.png")
    (tmp_path / "words.png").write_text("words " * 50)
    with pytest.raises(MaskError, match=r"words\.png: is not a picture"):
        Matte(tmp_path / "words.png")
    (tmp_path / "words.mp4").write_text("words " * 50)
    with pytest.raises(MaskError, match=r"mask .*words\.mp4: can't be opened as a video"):
        Matte(tmp_path / "words.mp4")
    (tmp_path / "none").mkdir()
    with pytest.raises(MaskError, match=r"none: holds no pictures"):
        Matte(tmp_path / "none")


def test_a_broken_picture_in_a_folder_is_named_when_it_is_due(tmp_path: Path) -> None:
    path = folder(tmp_path / "masks", 3)
    (path / "m1.png").write_bytes(b"broken")
    matte = Matte(path)
    matte.mask(0, 32, 24)
    with pytest.raises(MaskError, match=r"m1\.png: is not a picture"):
        matte.mask(1, 32, 24)


@pytest.mark.parametrize("kind", ["folder", "video"])
def test_only_so_many_mattes_are_held_and_older_ones_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(matte_module, "_HELD_BYTES", 32 * 24 * 12)
    count, delay = 60, 30
    path = folder(tmp_path / "masks", count) if kind == "folder" else video(tmp_path / "masks.mkv", count)
    matte = Matte(path)
    matte.begin(None, 32, 24)
    for index in range(count + delay):
        if index < count:
            np.testing.assert_array_equal(matte.mask(index, 32, 24), disc(index))
        if index >= delay:
            np.testing.assert_array_equal(matte.mask(index - delay, 32, 24), disc(index - delay))
        source = matte._source
        held = [source._held] if kind == "folder" else [cursor.held for cursor in source._cursors]
        assert len(held) <= 2
        assert sum(len(one._mattes) for one in held) <= 12
    matte.end(count)


@pytest.mark.parametrize("damaged", [False, True])
def test_a_video_gives_the_same_mattes_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    count, begin = 60, 34
    whites = [np.repeat(disc(n, 64, 48)[..., None], 3, axis=2) for n in range(count)]
    path = write_clip(tmp_path / "a.mp4", whites, gop=10)
    whole = Matte(path)
    wanted = [whole.mask(index, 64, 48) for index in range(count)]
    timeline = Matte(path).timeline()
    assert timeline is not None
    assert timeline.keys.tolist() == [0, 10, 20, 30, 40, 50]
    if damaged:

        def astray(*_: object) -> None:
            raise DamagedInputError("a.mp4: frame 30 did not come where its packet lies.")

        monkeypatch.setattr(matte_module.PassageReader, "__iter__", astray)
    else:
        monkeypatch.setattr(matte_module, "Reader", None)  # which would read it from its beginning
    matte = Matte(path, passage(timeline, begin, 55), threads=1)
    for index in range(begin, 55):
        np.testing.assert_array_equal(matte.mask(index, 64, 48), wanted[index])
    np.testing.assert_array_equal(matte.mask(begin, 64, 48), wanted[begin])


def test_a_video_that_reads_from_nowhere_is_a_mask_that_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "a.mp4", [np.repeat(disc(n)[..., None], 3, axis=2) for n in range(12)], gop=4)
    timeline = Matte(path).timeline()
    assert timeline is not None

    def astray(*_: object) -> None:
        raise DamagedInputError("a.mp4: reading stopped.")

    for reader in (matte_module.PassageReader, matte_module.Reader):
        monkeypatch.setattr(reader, "__iter__", astray)
    with pytest.raises(MaskError, match=r"mask a\.mp4: reading stopped"):
        Matte(path, passage(timeline, 6, 12), threads=1).mask(6, 32, 24)


def test_a_video_that_is_let_go_of_has_no_decoder_left_and_can_be_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, closed = [], []

    class Watched(matte_module.Reader):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            opened.append(self)

        def close(self) -> None:
            closed.append(self)
            super().close()

    monkeypatch.setattr(matte_module, "Reader", Watched)
    matte = Matte(video(tmp_path / "a.mkv", 6))
    mattes = Given(matte)
    for index in (0, 3):
        np.testing.assert_allclose(matte.mask(index, 32, 24), disc(index), atol=4)
    assert closed == []
    mattes.close()
    assert closed == opened
    assert len(opened) == 1
    np.testing.assert_allclose(matte.mask(2, 32, 24), disc(2), atol=4)
    matte.end(6)
    assert set(closed) == set(opened)


def test_pictures_have_no_timeline(tmp_path: Path) -> None:
    assert Matte(folder(tmp_path / "masks", 3)).timeline() is None


def test_the_same_size_is_not_touched() -> None:
    matte = disc(3)
    assert resized(matte, 32, 24) is matte


@pytest.mark.parametrize("size", [(8, 6), (16, 24), (5, 7), (1, 1)])
def test_shrinking_takes_the_means_of_boxes(size: tuple[int, int]) -> None:
    """Twin: each box, whose edges are floor(i * size / new size), in float64."""
    width, height = size
    matte = np.random.default_rng(0).integers(0, 256, (24, 32)).astype(np.uint8)
    ys, xs = ([n * 24 // height for n in range(height + 1)], [n * 32 // width for n in range(width + 1)])
    expected = [[matte[ys[r] : ys[r + 1], xs[c] : xs[c + 1]].mean() for c in range(width)] for r in range(height)]
    np.testing.assert_allclose(resized(matte, width, height), expected, atol=0.501)


@pytest.mark.parametrize("size", [(64, 48), (33, 25), (100, 24), (16, 48)])
def test_growing_keeps_flat_areas_and_the_range(size: tuple[int, int]) -> None:
    for value in (0, 77, 255):
        assert (resized(np.full((24, 32), value, np.uint8), *size) == value).all()
    grown = resized(disc(0), *size)
    assert grown.shape == (size[1], size[0])
    assert grown.dtype == np.uint8
    assert abs(grown.mean() - disc(0).mean()) < 6


@pytest.mark.parametrize("size", [(64, 48), (33, 25), (100, 12), (16, 48), (8, 6), (32, 24)])
def test_at_every_size_rows_are_contiguous_however_the_matte_lay_in_memory(size: tuple[int, int]) -> None:
    """The kernels that grade a frame take nothing else."""
    for matte in (disc(0), np.asfortranarray(disc(0)), np.rot90(np.rot90(disc(0), 1).copy(), -1)):
        assert resized(matte, *size).flags.c_contiguous


def test_growing_twofold_is_bilinear_with_samples_at_their_centres() -> None:
    grown = resized(np.array([[0, 200]], np.uint8), 4, 1)
    np.testing.assert_array_equal(grown, [[0, 50, 150, 200]])


def test_a_numbered_folder_with_a_gap_is_refused(tmp_path: Path) -> None:
    for number in (0, 1, 3, 4):
        save_png(tmp_path / f"{number:05d}.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(MaskError, match="no mask between the numbers 1 and 3"):
        Matte(tmp_path)
