"""Colour profiles: published numbers, and codes that come back as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pictures
import PIL.Image
import pytest
import pyvips

from streamct.media import icc
from streamct.media.image import read_picture, write_picture
from streamct.pipeline import grade_picture
from streamct.settings import Settings


def write_back(path: Path, target: Path) -> np.ndarray:
    picture = read_picture(path)
    write_picture(target, picture.rgb, picture, 100)
    image = pyvips.Image.new_from_file(str(target))
    return image.numpy().reshape(image.height, image.width, image.bands)


def embedded(path: Path) -> bytes | None:
    image = pyvips.Image.new_from_file(str(path))
    return bytes(image.get("icc-profile-data")) if "icc-profile-data" in image.get_fields() else None


def many_codes(dtype: type[np.unsignedinteger], seed: int = 0) -> np.ndarray:
    """Random codes, and all corners of the cube."""
    top = np.iinfo(dtype).max
    source = np.random.default_rng(seed).integers(0, top, (64, 64, 3), dtype=dtype, endpoint=True)
    source[0, :8] = np.array(np.meshgrid(*[[0, top]] * 3)).reshape(3, 8).T
    return source


# CSS Color Module Level 4, section 10: the same colours in `display-p3` and in `srgb`.
P3_IN_SRGB = {
    (1, 0, 0): (1.09307, -0.22674, -0.15013),
    (0, 1, 0): (-0.51160, 1.01827, -0.31067),
    (0, 0, 1): (0.0, 0.0, 1.04202),
    (1, 1, 1): (1.0, 1.0, 1.0),
    (0, 0, 0): (0.0, 0.0, 0.0),
}


@pytest.mark.parametrize("colour", P3_IN_SRGB)
def test_display_p3_becomes_extended_srgb_by_the_published_numbers(
    tmp_path: Path, colour: tuple[int, int, int]
) -> None:
    codes = np.full((2, 2, 3), np.array(colour) * 65535, np.uint16)
    path = pictures.save(tmp_path / "a.png", codes, pictures.rgb_profile(pictures.DISPLAY_P3))
    np.testing.assert_allclose(read_picture(path).rgb[0, 0], P3_IN_SRGB[colour], atol=2e-3)


def test_adobe_rgb_green_lies_outside_srgb_by_the_published_matrix(tmp_path: Path) -> None:
    codes = np.full((2, 2, 3), (0, 65535, 0), np.uint16)
    profile = pictures.rgb_profile(pictures.ADOBE_RGB, pictures.ADOBE_GAMMA)
    rgb = read_picture(pictures.save(tmp_path / "a.png", codes, profile)).rgb[0, 0]
    np.testing.assert_allclose(icc.srgb_decode(rgb), (-0.3984, 1.0, -0.0429), atol=1e-3)


@pytest.mark.parametrize(
    ("coded", "linear"), [(0.0, 0.0), (0.04045, 0.0031308), (0.5, 0.2140411), (1.0, 1.0), (-0.5, -0.2140411)]
)
def test_the_srgb_curve_has_its_published_values(coded: float, linear: float) -> None:
    np.testing.assert_allclose(icc.srgb_decode(np.array([coded])), [linear], atol=1e-7)
    np.testing.assert_allclose(icc.srgb_encode(np.array([linear])), [coded], atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", ["DISPLAY_P3", "ADOBE_RGB", "SRGB"])
@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_an_ungraded_picture_gets_the_same_codes_and_profile_back(
    tmp_path: Path, ending: str, name: str, dtype: type[np.unsignedinteger]
) -> None:
    profile = pictures.rgb_profile(getattr(pictures, name), pictures.ADOBE_GAMMA if name == "ADOBE_RGB" else None)
    codes = many_codes(dtype)
    path = pictures.save(tmp_path / f"a{ending}", codes, profile)
    written = write_back(path, tmp_path / f"b{ending}")
    assert written.dtype == dtype
    if name == "ADOBE_RGB" and dtype is np.uint16:
        # Its power curve is so steep at black that some of the lowest 16-bit codes share one float32: as light equal.
        assert np.abs((written / 65535) ** 2.2 - (codes / 65535) ** 2.2).max() < 2e-7
        assert (written == codes).mean() > 0.999
    else:
        np.testing.assert_array_equal(written, codes)
    assert embedded(tmp_path / f"b{ending}") == profile


@pytest.mark.parametrize("ending", [".jpg", ".webp", ".avif"])
def test_lossy_formats_carry_the_profile_too(tmp_path: Path, ending: str) -> None:
    profile = pictures.rgb_profile(pictures.DISPLAY_P3)
    path = pictures.save(tmp_path / "a.png", pictures.gradient(32, 32), profile)
    written = write_back(path, tmp_path / f"b{ending}")
    assert np.abs(written.astype(int) - pictures.gradient(32, 32)).mean() < 1.5
    assert embedded(tmp_path / f"b{ending}") == profile


def test_strength_0_leaves_a_display_p3_picture_as_it_is(tmp_path: Path) -> None:
    codes = pictures.gradient(40, 60)
    path = pictures.save(tmp_path / "a.png", codes, pictures.rgb_profile(pictures.DISPLAY_P3))
    other = pictures.save(tmp_path / "ref.png", pictures.gradient(20, 20)[::-1])
    grade_picture(path, other, tmp_path / "b.png", Settings().updated(mapping__strength=0))
    image = pyvips.Image.new_from_file(str(tmp_path / "b.png"))
    np.testing.assert_array_equal(image.numpy(), codes)


def test_an_srgb_profile_changes_no_code_on_reading(tmp_path: Path) -> None:
    codes = many_codes(np.uint8)
    path = pictures.save(tmp_path / "a.png", codes, pictures.rgb_profile(pictures.SRGB))
    np.testing.assert_allclose(read_picture(path).rgb, codes / 255, atol=1e-7)


def test_a_grey_profile_is_followed_and_the_result_is_srgb(tmp_path: Path) -> None:
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    path = pictures.save(tmp_path / "a.png", codes, pictures.grey_profile(1.8))
    picture = read_picture(path)
    gamma = round(1.8 * 256) / 256
    np.testing.assert_allclose(picture.rgb[..., 0], icc.srgb_encode((codes[..., 0] / 255) ** gamma), atol=1e-6)
    write_back(path, tmp_path / "b.png")
    assert embedded(tmp_path / "b.png") is None


@pytest.mark.parametrize("damage", ["cut", "zeros", "falling curve", "grey on colour"])
def test_a_profile_that_makes_no_sense_is_taken_for_srgb_and_said(tmp_path: Path, damage: str) -> None:
    good = pictures.rgb_profile(pictures.DISPLAY_P3, 2.2)
    profile = {
        "cut": good[:200],
        "zeros": good[:132] + bytes(len(good) - 132),
        "falling curve": good.replace(b"curv\0\0\0\0\0\0\0\1\2\x33", b"curv\0\0\0\0\0\0\0\1\0\0"),
        "grey on colour": pictures.grey_profile(2.2),
    }[damage]
    assert profile != good
    codes = pictures.gradient(8, 8)
    PIL.Image.fromarray(codes).save(tmp_path / "a.tif", icc_profile=profile)
    picture = read_picture(tmp_path / "a.tif")
    np.testing.assert_allclose(picture.rgb, codes / 255, atol=1e-6)
    assert any("taken for sRGB" in line for line in picture.lost)


def test_the_curve_of_a_table_is_interpolated_between_its_entries() -> None:
    profile = pictures.rgb_profile(pictures.SRGB, 1.0)
    parsed = icc.parse(profile)
    assert parsed is not None
    np.testing.assert_allclose(parsed.curves[0], np.linspace(0, 1, 65536), atol=1e-12)
    codes = np.array([0, 1, 32768, 65535], np.uint16)[None, :, None].repeat(3, axis=2)
    np.testing.assert_allclose(parsed.decode(codes)[0], icc.srgb_encode(codes[0] / 65535), atol=2e-4)


def test_a_scanner_profile_is_read_through_its_table_and_the_result_is_srgb(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    PIL.Image.fromarray(np.full((4, 4, 3), 255, np.uint8)).save(path, icc_profile=pictures.scanner_profile())
    picture = read_picture(path)
    np.testing.assert_allclose(picture.rgb, 1, atol=1e-4)  # its white is L* 100
    notes = write_picture(tmp_path / "b.tif", picture.rgb, picture, 95)
    assert any("serves for reading only" in note and "written as sRGB" in note for note in notes)
    assert embedded(tmp_path / "b.tif") is None


def test_encode_is_the_inverse_of_decode_for_every_code() -> None:
    parsed = icc.parse(pictures.rgb_profile(pictures.ADOBE_RGB, pictures.ADOBE_GAMMA))
    assert parsed is not None
    grey = np.arange(65536, dtype=np.uint16)
    codes = np.stack([grey, grey, grey], axis=-1).reshape(256, 256, 3)
    again = np.rint(parsed.encode(parsed.decode(codes)).astype(np.float64) * 65535)
    assert np.abs(again - codes).max() <= 1


LAB_D50 = {  # of the sRGB primaries, white and middle grey, after Bradford adaptation (brucelindbloom.com)
    (1, 1, 1): (100, 0, 0),
    (1, 0, 0): (54.2917, 80.8125, 69.8851),
    (0, 1, 0): (87.8185, -79.2873, 80.9902),
    (0, 0, 1): (29.5676, 68.2986, -112.0294),
    (0.5, 0.5, 0.5): (53.3890, 0, 0),
}


@pytest.mark.parametrize("rgb", LAB_D50)
def test_the_connection_space_has_its_published_values(rgb: tuple[float, float, float]) -> None:
    lab = np.array(LAB_D50[rgb])
    np.testing.assert_allclose(icc.srgb_to_lab(np.array(rgb)), lab, atol=0.02)
    np.testing.assert_allclose(icc.lab_to_srgb(lab.astype(float)), rgb, atol=1e-3)


def test_a_look_up_table_profile_gives_nearly_the_same_codes_back(tmp_path: Path) -> None:
    codes = 96 + pictures.gradient(32, 32) // 4
    path = tmp_path / "a.png"
    PIL.Image.fromarray(codes).save(path, icc_profile=pictures.printer_profile())
    picture = read_picture(path)
    np.testing.assert_allclose(picture.rgb, codes / 255, atol=0.02)
    written = write_back(path, tmp_path / "b.png")
    assert np.abs(written.astype(int) - codes).max() <= 3
    assert embedded(tmp_path / "b.png") == pictures.printer_profile()
