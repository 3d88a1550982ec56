"""Still pictures of simple formats: BMP, Targa, PNM, QOI, OpenEXR."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from streamct import transfer_image
from streamct.errors import InputError, ReferenceError
from streamct.media import icc
from streamct.media.image import default_output, list_pictures, read_picture, write_picture

RNG = np.random.default_rng(4)
CODES = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)


def ppm(path: Path, codes: NDArray[np.generic], kind: bytes = b"P6") -> Path:
    top = np.iinfo(codes.dtype).max
    header = kind + f"\n# made by a test\n{codes.shape[1]} {codes.shape[0]}\n{top}\n".encode()
    path.write_bytes(header + codes.astype(codes.dtype.newbyteorder(">")).tobytes())
    return path


def bmp(path: Path, codes: NDArray[np.uint8]) -> Path:
    """Uncompressed, 24 bits, from the lowest row up, rows padded to four bytes."""
    height, width = codes.shape[:2]
    rows = b"".join(row[:, ::-1].tobytes().ljust((3 * width + 3) // 4 * 4, b"\0") for row in codes[::-1])
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(rows), 2835, 2835, 0, 0)
    path.write_bytes(b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + info + rows)
    return path


def tga(path: Path, codes: NDArray[np.uint8]) -> Path:
    """Uncompressed, 24 or 32 bits, from the top down."""
    height, width, bands = codes.shape
    header = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, width, height, 8 * bands, 0x20 | (8 * (bands == 4)))
    order = [2, 1, 0, 3][:bands]
    path.write_bytes(header + np.ascontiguousarray(codes[..., order]).tobytes())
    return path


def encoded(path: Path, codec: str, pix_fmt: str, planes: list[NDArray[np.generic]]) -> Path:
    """By FFmpeg's own encoder."""
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, VideoCodecContext)
    height, width = planes[0].shape[:2]
    context.width, context.height, context.pix_fmt, context.time_base = width, height, pix_fmt, Fraction(1, 1)
    frame = av.VideoFrame(width, height, pix_fmt)
    for plane, samples in zip(frame.planes, planes, strict=True):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        flat = samples.reshape(height, -1)
        rows[:height, : flat.shape[1] * flat.itemsize] = np.ascontiguousarray(flat).view(np.uint8)
    frame.pts = 0
    path.write_bytes(b"".join(bytes(p) for p in [*context.encode(frame), *context.encode(None)]))
    return path


@pytest.mark.parametrize(("name", "write"), [("a.bmp", bmp), ("a.tga", tga), ("a.ppm", ppm)])
def test_codes_of_8_bits_are_read_as_they_are(tmp_path: Path, name: str, write: object) -> None:
    picture = read_picture(write(tmp_path / name, CODES))  # type: ignore[operator]
    np.testing.assert_array_equal(np.rint(picture.rgb * 255), CODES)
    assert (picture.depth, picture.alpha, picture.profile, picture.lost) == (8, None, None, ())
    assert picture.rgb.dtype == np.float32
    assert picture.rgb.flags["C_CONTIGUOUS"]


def test_16_bits_stay_16_bits(tmp_path: Path) -> None:
    codes = RNG.integers(0, 1 << 16, (5, 7, 3)).astype(np.uint16)
    picture = read_picture(ppm(tmp_path / "a.ppm", codes))
    assert picture.depth == 16
    np.testing.assert_array_equal(np.rint(picture.rgb * 65535), codes)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_grey_is_grey(tmp_path: Path, depth: type) -> None:
    codes = RNG.integers(0, np.iinfo(depth).max, (5, 7)).astype(depth)
    picture = read_picture(ppm(tmp_path / "a.pgm", codes, b"P5"))
    np.testing.assert_array_equal(np.rint(picture.rgb * np.iinfo(depth).max), codes[..., None].repeat(3, axis=2))


def test_bits_are_black_and_white(tmp_path: Path) -> None:
    (tmp_path / "a.pbm").write_bytes(b"P4\n8 2\n" + bytes([0b10100000, 0b00001111]))
    expected = 1 - np.array([[1, 0, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]])
    np.testing.assert_array_equal(read_picture(tmp_path / "a.pbm").rgb[..., 1], expected)


def test_alpha_is_kept(tmp_path: Path) -> None:
    codes = RNG.integers(0, 256, (5, 7, 4), dtype=np.uint8)
    paths = [tga(tmp_path / "a.tga", codes), encoded(tmp_path / "a.qoi", "qoi", "rgba", [codes])]
    for path in paths:
        picture = read_picture(path)
        np.testing.assert_array_equal(np.rint(picture.rgb * 255), codes[..., :3])
        assert picture.alpha is not None
        np.testing.assert_array_equal(np.rint(picture.alpha * 255), codes[..., 3])


def test_exr_is_linear_light_with_alpha_multiplied_in(tmp_path: Path) -> None:
    light = RNG.uniform(0.0, 1.5, (6, 8, 3)).astype(np.float32)
    alpha = RNG.uniform(0.2, 1.0, (6, 8)).astype(np.float32)
    planes = [light[..., c] * alpha for c in (1, 2, 0)]
    path = encoded(tmp_path / "a.exr", "exr", "gbrapf32le", [*planes, alpha])
    picture = read_picture(path)
    np.testing.assert_allclose(picture.rgb, icc.srgb_encode(light.astype(np.float64)), atol=2e-3)  # it holds halves
    assert picture.alpha is not None
    np.testing.assert_allclose(picture.alpha, alpha, atol=1e-3)
    assert picture.depth == 16
    assert picture.lost == ("floating point is written as integers of the sRGB curve, clipped to 0..1",)


@pytest.mark.parametrize("name", ["a.bmp", "a.tga", "a.ppm", "a.qoi", "a.exr"])
@pytest.mark.parametrize("share", [0.1, 0.6, 0.95])
def test_what_is_cut_is_damaged(tmp_path: Path, name: str, share: float) -> None:
    codes = RNG.integers(0, 256, (40, 56, 3), dtype=np.uint8)
    if name == "a.exr":
        path = encoded(tmp_path / name, "exr", "gbrpf32le", [codes[..., c].astype(np.float32) for c in (1, 2, 0)])
    elif name == "a.qoi":
        path = encoded(tmp_path / name, "qoi", "rgb24", [codes])
    else:
        path = {"a.bmp": bmp, "a.tga": tga, "a.ppm": ppm}[name](tmp_path / name, codes)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(ReferenceError, match=r"the picture is damaged or incomplete \(.+\)\. Copy"):
        read_picture(path, ReferenceError)


def test_they_are_pictures_of_a_folder_and_are_written_as_png(tmp_path: Path) -> None:
    path = bmp(tmp_path / "a.bmp", CODES)
    assert list_pictures(tmp_path) == [path]
    assert default_output(path) == tmp_path / "a.graded.png"
    picture = read_picture(path)
    assert write_picture(tmp_path / "b.png", picture.rgb, picture, 90) == ()
    np.testing.assert_array_equal(read_picture(tmp_path / "b.png").rgb, picture.rgb)
    codes = transfer_image(CODES, CODES)
    assert codes.shape == CODES.shape


def test_numbered_ones_are_a_video(tmp_path: Path) -> None:
    from streamct.media.source import open_source

    for number in range(3):
        bmp(tmp_path / f"f{number}.bmp", CODES)
    with open_source(tmp_path / "f%d.bmp", None) as source, source.reader(tolerate=False) as reader:
        assert [frame.planes[0].shape for frame in reader] == [(5, 7)] * 3


def test_a_text_that_begins_like_a_bitmap_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"BM is what it begins with, and that is all there is of it." * 3)
    with pytest.raises(InputError, match=r"a\.txt: the picture is damaged or incomplete"):
        read_picture(tmp_path / "a.txt")
