"""Real pictures, ordinary and odd: read as an independent reader reads them, graded, and written as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import pyvips

from streamct import StreamctError, transfer_picture
from streamct.color.lab import srgb_to_lab
from streamct.media.image import read_picture, write_picture
from streamct.metrics import delta_e_2000
from streamct.settings import Settings

PLAIN = (
    "jr-ocean_day.jpg", "jr-storm.jpg", "mdn-elephant-660-480.jpg", "mdn-painted-hand-298-332.jpg", "pb-hats.png",
    "pb-sunset.jpg", "ski-coffee.png", "ski-retina.jpg", "ski-rocket.jpg", "still-hisgirlfriday-bw.jpg",
    "still-sintel-orange.jpg", "voc-2011_000006.jpg",
)  # fmt: skip
ODD = {  # depth, whether there is alpha, and a word of what is told about it
    "animated.gif": (8, True, "first of its 4 pictures"),
    "exif_orientation.jpg": (8, False, None),
    "gradient.webp": (8, False, None),
    "gradient_16bit.png": (16, False, None),
    "grayscale.jpg": (8, False, None),
    "rgba.png": (8, True, None),
}


def upright(path: Path) -> np.ndarray:
    with PIL.Image.open(path) as image:
        return np.asarray(PIL.ImageOps.exif_transpose(image).convert("RGB"))


@pytest.mark.parametrize("name", PLAIN)
def test_a_picture_is_read_as_another_reader_reads_it(data: Path, name: str) -> None:
    picture = read_picture(data / "refs" / name)
    expected = upright(data / "refs" / name)
    assert picture.rgb.shape == expected.shape
    if picture.profile is None:
        difference = np.abs(picture.rgb * 255 - expected)
        assert difference.max() <= (0.01 if name.endswith(".png") else 3)  # JPEG decoders round chroma differently


@pytest.mark.parametrize("name", PLAIN)
def test_a_picture_written_unchanged_is_unchanged(data: Path, tmp_path: Path, name: str) -> None:
    picture = read_picture(data / "refs" / name)
    write_picture(tmp_path / "a.png", picture.rgb, picture, 95)
    original = pyvips.Image.new_from_file(str(data / "refs" / name)).autorot().numpy()
    written = pyvips.Image.new_from_file(str(tmp_path / "a.png")).numpy()
    np.testing.assert_array_equal(written, original if original.ndim == 3 else np.stack([original] * 3, axis=-1))


@pytest.mark.parametrize("name", ODD)
def test_an_odd_picture_is_read_as_what_it_is(data: Path, name: str) -> None:
    depth, alpha, told = ODD[name]
    picture = read_picture(data / "odd_refs" / name)
    assert picture.depth == depth
    assert (picture.alpha is not None) == alpha
    assert told is None or any(told in line for line in picture.lost)
    expected = upright(data / "odd_refs" / name)
    assert picture.rgb.shape == expected.shape
    if picture.profile is None:
        assert np.abs(picture.rgb * 255 - expected).max() <= (3 if name.endswith((".jpg", ".webp")) else 1)


def test_a_16_bit_picture_has_levels_between_those_of_8_bits(data: Path) -> None:
    levels = np.unique(read_picture(data / "odd_refs" / "gradient_16bit.png").rgb) * 255
    assert (np.abs(levels - np.rint(levels)) > 0.1).mean() > 0.5


@pytest.mark.parametrize("name", ODD)
def test_an_odd_picture_serves_as_source_and_as_reference(data: Path, tmp_path: Path, name: str) -> None:
    odd, plain = data / "odd_refs" / name, data / "refs" / "jr-ocean_sunset.jpg"
    report = transfer_picture(odd, plain, tmp_path / "source.png")
    source, graded = read_picture(odd), read_picture(report.output)
    assert graded.rgb.shape == source.rgb.shape
    assert graded.depth == source.depth
    if source.alpha is not None:
        assert graded.alpha is not None
        np.testing.assert_array_equal(graded.alpha, source.alpha)
    small = data / "refs" / "mdn-painted-hand-298-332.jpg"
    transfer_picture(small, odd, tmp_path / "other.png")
    assert read_picture(tmp_path / "other.png").rgb.shape == read_picture(small).rgb.shape


def test_a_corrupt_picture_is_refused_as_source_and_as_reference(data: Path, tmp_path: Path) -> None:
    corrupt, plain = data / "odd_refs" / "corrupt.jpg", data / "refs" / "pb-sunset.jpg"
    for source, reference in ((corrupt, plain), (plain, corrupt)):
        with pytest.raises(StreamctError, match=r"corrupt\.jpg: (is not a picture|the picture is damaged)"):
            transfer_picture(source, reference, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["mdn-painted-hand-298-332.jpg", "ski-coffee.png", "still-hisgirlfriday-bw.jpg"])
def test_a_picture_graded_with_itself_stays_itself(data: Path, tmp_path: Path, name: str) -> None:
    path = data / "refs" / name
    transfer_picture(path, path, tmp_path / "a.png")
    before, after = (srgb_to_lab(read_picture(p).rgb.astype(np.float64)) for p in (path, tmp_path / "a.png"))
    assert delta_e_2000(before, after).mean() <= 0.3


def test_strength_0_writes_the_same_codes(data: Path, tmp_path: Path) -> None:
    path = data / "odd_refs" / "gradient_16bit.png"
    settings = Settings().updated(mapping__strength=0)
    transfer_picture(path, data / "refs" / "pb-sunset.jpg", tmp_path / "a.png", settings)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").rgb, read_picture(path).rgb)
