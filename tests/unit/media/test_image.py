"""Still pictures: what is read, and what of it is written back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pictures
import PIL.Image
import pytest
import pyvips

from streamct.errors import OutputError
from streamct.media.image import list_pictures, read_picture, save_png, write_picture

DEEP = (".png", ".tif")
LOSSY = (".jpg", ".webp", ".avif")


def back(source: Path, target: Path, quality: int = 95) -> tuple[str, ...]:
    """Write what was read, unchanged."""
    picture = read_picture(source)
    return write_picture(target, picture.rgb, picture, quality)


def codes(path: Path) -> np.ndarray:
    image = pyvips.Image.new_from_file(str(path))
    return image.numpy().reshape(image.height, image.width, image.bands)


@pytest.mark.parametrize("ending", DEEP)
@pytest.mark.parametrize("top", [255, 65535])
def test_png_and_tiff_keep_every_code_of_8_and_16_bits(tmp_path: Path, ending: str, top: int) -> None:
    source = pictures.gradient(37, 53, top)
    path = pictures.save(tmp_path / f"a{ending}", source)
    picture = read_picture(path)
    assert picture.depth == (8 if top == 255 else 16)
    assert picture.rgb.dtype == np.float32
    np.testing.assert_allclose(picture.rgb, source / top, atol=1e-7)
    assert back(path, tmp_path / f"b{ending}") == ()
    written = codes(tmp_path / f"b{ending}")
    assert written.dtype == source.dtype
    np.testing.assert_array_equal(written, source)


def test_all_65536_codes_survive_reading_and_writing(tmp_path: Path) -> None:
    grey = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    source = np.stack([grey, grey[::-1], grey.T], axis=-1)
    path = pictures.save(tmp_path / "a.png", source)
    back(path, tmp_path / "b.png")
    np.testing.assert_array_equal(codes(tmp_path / "b.png"), source)


@pytest.mark.parametrize("ending", LOSSY)
def test_lossy_formats_come_back_close(tmp_path: Path, ending: str) -> None:
    source = pictures.gradient(48, 64)
    path = pictures.save(tmp_path / f"a{ending}", source, Q=100)
    back(path, tmp_path / f"b{ending}")
    assert np.abs(codes(tmp_path / f"b{ending}").astype(int) - codes(path)).mean() < 1.5


@pytest.mark.parametrize("ending", [".webp", ".avif"])
def test_quality_100_loses_nothing_where_the_format_can(tmp_path: Path, ending: str) -> None:
    source = pictures.gradient(48, 64)
    path = pictures.save(tmp_path / "a.png", source)
    back(path, tmp_path / f"b{ending}", quality=100)
    np.testing.assert_array_equal(codes(tmp_path / f"b{ending}"), source)


def test_16_bits_into_avif_become_12_without_a_shift(tmp_path: Path) -> None:
    source = pictures.gradient(32, 32, 65535)
    back(pictures.save(tmp_path / "a.png", source), tmp_path / "b.avif", quality=100)
    again = read_picture(tmp_path / "b.avif")
    assert again.depth == 16
    np.testing.assert_allclose(again.rgb, source / 65535, atol=0.5 / 4095 + 1e-6)


def test_16_bits_into_jpeg_are_rounded_and_the_user_is_told(tmp_path: Path) -> None:
    path = pictures.save(tmp_path / "a.png", pictures.gradient(16, 16, 65535))
    (note,) = back(path, tmp_path / "b.jpg")
    assert "8 bits" in note
    assert "PNG and TIFF keep" in note


UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("number", UPRIGHT)
@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_orientation_lands_upright_and_is_written_as_1(tmp_path: Path, ending: str, number: int) -> None:
    source = pictures.gradient(5, 9)
    path = pictures.save(tmp_path / f"a{ending}", source, fields=pictures.orientation(number))
    back(path, tmp_path / f"b{ending}")
    np.testing.assert_array_equal(codes(tmp_path / f"b{ending}"), UPRIGHT[number](source))
    with PIL.Image.open(tmp_path / f"b{ending}") as written:
        assert written.getexif().get(274, 1) == 1


@pytest.mark.parametrize("number", [3, 6])
@pytest.mark.parametrize("ending", [".jpg", ".webp", ".png", ".avif"])
def test_exif_other_than_orientation_is_kept(tmp_path: Path, ending: str, number: int) -> None:
    path = pictures.save(tmp_path / "a.jpg", pictures.gradient(16, 24), fields=pictures.orientation(number))
    back(path, tmp_path / f"b{ending}")
    with PIL.Image.open(tmp_path / f"b{ending}") as written:
        exif = written.getexif()
        assert exif[271] == "Testcam"
        assert exif.get(274, 1) == 1
        assert written.size == ((24, 16) if number == 3 else (16, 24))


def test_xmp_is_kept_and_its_orientation_reset(tmp_path: Path) -> None:
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:Description tiff:Orientation='6' dc:title='sea'/></x:xmpmeta>"
    fields = {"xmp-data": (pyvips.GValue.blob_type, xmp), **pictures.orientation(6)}
    path = pictures.save(tmp_path / "a.jpg", pictures.gradient(16, 24), fields=fields)
    back(path, tmp_path / "b.jpg")
    written = pyvips.Image.new_from_file(str(tmp_path / "b.jpg")).get("xmp-data")
    assert bytes(written) == xmp.replace(b"Orientation='6'", b"Orientation='1'")


def test_resolution_is_kept(tmp_path: Path) -> None:
    image = pyvips.Image.new_from_array(pictures.gradient(8, 8)).copy(interpretation="srgb", xres=11.811, yres=5.906)
    image.write_to_file(str(tmp_path / "a.png"))
    back(tmp_path / "a.png", tmp_path / "b.png")
    written = pyvips.Image.new_from_file(str(tmp_path / "b.png"))
    assert (written.xres, written.yres) == pytest.approx((11.811, 5.906), abs=1e-3)


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("top", [255, 65535])
def test_alpha_is_kept_exactly_and_colours_are_not_multiplied_by_it(tmp_path: Path, ending: str, top: int) -> None:
    source = pictures.gradient(12, 20, top, bands=4)
    path = pictures.save(tmp_path / f"a{ending}", source)
    picture = read_picture(path)
    assert picture.alpha is not None
    np.testing.assert_allclose(picture.alpha, source[..., 3] / top, atol=1e-7)
    back(path, tmp_path / f"b{ending}")
    np.testing.assert_array_equal(codes(tmp_path / f"b{ending}"), source)


def test_webp_and_avif_keep_alpha(tmp_path: Path) -> None:
    source = pictures.gradient(12, 20, bands=4)
    path = pictures.save(tmp_path / "a.png", source)
    for ending in (".webp", ".avif"):
        back(path, tmp_path / f"b{ending}", quality=100)
        np.testing.assert_array_equal(codes(tmp_path / f"b{ending}"), source)


def test_jpeg_has_no_alpha_and_says_so_unless_all_is_opaque(tmp_path: Path) -> None:
    source = pictures.gradient(12, 20, bands=4)
    (note,) = back(pictures.save(tmp_path / "a.png", source), tmp_path / "a.jpg")
    assert "JPEG has no transparency" in note
    source[..., 3] = 255
    assert back(pictures.save(tmp_path / "b.png", source), tmp_path / "b.jpg") == ()
    assert codes(tmp_path / "b.jpg").shape == (12, 20, 3)


@pytest.mark.parametrize("top", [255, 65535])
@pytest.mark.parametrize("bands", [1, 2])
def test_grey_is_read_as_equal_channels_with_its_alpha(tmp_path: Path, top: int, bands: int) -> None:
    source = pictures.gradient(9, 7, top, bands=bands)
    picture = read_picture(pictures.save(tmp_path / "a.png", source))
    for channel in range(3):
        np.testing.assert_allclose(picture.rgb[..., channel], source[..., 0] / top, atol=1e-7)
    assert (picture.alpha is not None) == (bands == 2)
    assert picture.depth == (8 if top == 255 else 16)


def test_one_bit_grey_is_black_and_white(tmp_path: Path) -> None:
    PIL.Image.fromarray(np.eye(8, dtype=bool)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").rgb[..., 1], np.eye(8))


def test_palette_png_is_read_by_its_colours_and_transparency(tmp_path: Path) -> None:
    image = PIL.Image.new("P", (2, 2))
    image.putdata([0, 1, 2, 1])
    image.putpalette([255, 0, 0, 0, 128, 0, 10, 20, 30])
    image.save(tmp_path / "a.png", transparency=1)
    picture = read_picture(tmp_path / "a.png")
    expected = np.array([[[255, 0, 0], [0, 128, 0]], [[10, 20, 30], [0, 128, 0]]])
    np.testing.assert_array_equal(np.rint(picture.rgb * 255), expected)
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, [[1, 0], [1, 0]])


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_of_an_animation_the_first_picture_is_used_and_said(tmp_path: Path, ending: str) -> None:
    frames = [PIL.Image.new("RGB", (20, 10), colour) for colour in ("#c02010", "#1020c0")]
    frames[0].save(tmp_path / f"a{ending}", save_all=True, append_images=frames[1:], lossless=True)
    picture = read_picture(tmp_path / f"a{ending}")
    assert picture.rgb.shape == (10, 20, 3)
    np.testing.assert_allclose(picture.rgb[5, 5] * 255, (0xC0, 0x20, 0x10), atol=2)
    assert any("first of its 2 pictures" in line for line in picture.lost)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 70), (70, 1)])
@pytest.mark.parametrize("ending", [".png", ".tif", ".jpg", ".webp", ".avif"])
def test_the_smallest_pictures_are_read_and_written(tmp_path: Path, ending: str, size: tuple[int, int]) -> None:
    path = pictures.save(tmp_path / "a.png", np.full((*size, 3), (200, 90, 30), np.uint8))
    back(path, tmp_path / f"b{ending}", quality=100)
    again = read_picture(tmp_path / f"b{ending}")
    assert again.rgb.shape == (*size, 3)
    np.testing.assert_allclose(again.rgb * 255, np.full((*size, 3), (200, 90, 30)), atol=3)


def test_values_beyond_the_range_are_clipped_when_written(tmp_path: Path) -> None:
    picture = read_picture(pictures.save(tmp_path / "a.png", np.zeros((1, 3, 3), np.uint8)))
    rgb = np.array([[[-0.5, 0.5, 1.5], [0.5 / 255 + 1e-4, 0.4999 / 255, 2.0], [np.float32(0.2), 1, 0]]], np.float32)
    write_picture(tmp_path / "b.png", rgb, picture, 95)
    np.testing.assert_array_equal(codes(tmp_path / "b.png"), [[[0, 128, 255], [1, 0, 255], [51, 255, 0]]])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_floats_that_are_no_numbers_are_black_and_said(tmp_path: Path, value: float) -> None:
    light = np.full((4, 4, 3), 0.5, np.float32)
    light[1, 2, 0] = value
    pyvips.Image.new_from_array(light, interpretation="scrgb").write_to_file(str(tmp_path / "a.tif"))
    picture = read_picture(tmp_path / "a.tif")
    assert np.isfinite(picture.rgb).all()
    assert (picture.rgb[1, 2] == 0).all()
    assert (picture.rgb[0, 0] > 0.5).all()
    assert [line for line in picture.lost if "no numbers" in line] == [
        "1 pixel that holds no numbers (NaN, infinity) counts as black"
    ]


def test_a_tiff_of_linear_floats_is_light_and_comes_back_as_integers(tmp_path: Path) -> None:
    light = np.full((4, 4, 3), 0.5, np.float32)
    pyvips.Image.new_from_array(light).copy(interpretation="scrgb").write_to_file(str(tmp_path / "a.tif"))
    picture = read_picture(tmp_path / "a.tif")
    np.testing.assert_allclose(picture.rgb, 0.735357, atol=1e-5)  # sRGB of linear 0.5 (IEC 61966-2-1)
    assert picture.depth == 16
    assert any("floating point" in line for line in picture.lost)


def test_a_cmyk_jpeg_is_read_in_colour_and_written_as_srgb(tmp_path: Path) -> None:
    image = PIL.Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    image.paste((0, 0, 0, 0), (0, 0, 16, 8))
    image.save(tmp_path / "a.jpg", quality=100)
    picture = read_picture(tmp_path / "a.jpg")
    np.testing.assert_allclose(picture.rgb[:4].mean(axis=(0, 1)), 1, atol=0.01)  # no ink: paper white
    red, green, blue = picture.rgb[-4:].mean(axis=(0, 1))
    assert red > 0.8
    assert max(green, blue) < 0.3
    assert any("CMYK" in line for line in picture.lost)
    back(tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert codes(tmp_path / "b.jpg").shape == (16, 16, 3)


def test_jpeg_at_high_quality_keeps_full_chroma(tmp_path: Path) -> None:
    stripes = np.zeros((16, 16, 3), np.uint8)
    stripes[:, ::2] = (255, 0, 0)
    stripes[:, 1::2] = (0, 0, 255)
    path = pictures.save(tmp_path / "a.png", stripes)
    back(path, tmp_path / "b.jpg", quality=95)
    assert np.abs(codes(tmp_path / "b.jpg").astype(int) - stripes).mean() < 6


def test_what_can_not_be_written_names_what_can(tmp_path: Path) -> None:
    picture = read_picture(pictures.save(tmp_path / "a.png", pictures.gradient(4, 4)))
    for name in ("b.bmp", "b", "b.heic"):
        with pytest.raises(OutputError, match=r"can't be written\. Use one of \.jpg"):
            write_picture(tmp_path / name, picture.rgb, picture, 95)
        assert not (tmp_path / name).exists()


def test_a_picture_too_large_for_a_format_is_refused_with_a_way_out(tmp_path: Path) -> None:
    picture = read_picture(pictures.save(tmp_path / "a.png", np.zeros((1, 17000, 3), np.uint8)))
    with pytest.raises(OutputError, match=r"17000x1 can't be written as \.webp .* Use PNG or TIFF"):
        write_picture(tmp_path / "b.webp", picture.rgb, picture, 95)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png"]


def test_a_folder_lists_its_pictures_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("f10.png", "f9.PNG", "f2.jpg", ".hidden.png", "notes.txt", "a.tiff", "F1.webp"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    assert [p.name for p in list_pictures(tmp_path)] == ["a.tiff", "F1.webp", "f2.jpg", "f9.PNG", "f10.png"]


def test_save_png_writes_the_codes_it_was_given(tmp_path: Path) -> None:
    source = pictures.gradient(6, 5)
    save_png(tmp_path / "a.png", source)
    with PIL.Image.open(tmp_path / "a.png") as written:
        np.testing.assert_array_equal(np.asarray(written), source)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tif", ".avif"])
def test_a_picture_without_exif_gets_none(tmp_path: Path, ending: str) -> None:
    path = pictures.save(tmp_path / f"a{ending}", pictures.gradient(24, 32), keep=0)
    back(path, tmp_path / f"b{ending}")
    assert b"Exif" not in (tmp_path / f"b{ending}").read_bytes()
    assert b"eXIf" not in (tmp_path / f"b{ending}").read_bytes()
    fields = pyvips.Image.new_from_file(str(tmp_path / f"b{ending}")).get_fields()
    assert not [name for name in fields if name.startswith("exif")]
