"""Class maps where a mask is asked for: read as what they mean, and said; faint mattes are not taken for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pictures
import pytest
import pyvips
from clips import decoded, moving_picture, write_clip

from streamct.lut_files import write_luts
from streamct.mapping import write_map
from streamct.media.image import save_png
from streamct.pipeline import grade_picture, grade_video
from streamct.segment.matte import Matte, read_matte
from streamct.settings import Settings
from streamct.sheets import write_sheet

PERSON, CHAIR, BORDER = 15, 9, 255


def voc_colour(number: int) -> tuple[int, int, int]:
    """Pascal VOC's colour of a class, by its published rule: bits 0, 1, 2 of the number go to the top of R, G, B."""
    out = [0, 0, 0]
    for bit in range(7, -1, -1):
        for channel in range(3):
            out[channel] |= (number >> channel & 1) << bit
        number >>= 3
    return out[0], out[1], out[2]


def numbers() -> np.ndarray:
    """A person inside a border, and a chair: (24, 32) class numbers."""
    out = np.zeros((24, 32), np.uint8)
    out[4:20, 4:16] = BORDER
    out[6:18, 6:14] = PERSON
    out[10:22, 20:30] = CHAIR
    return out


def wanted(classes: np.ndarray) -> np.ndarray:
    return np.where(classes == 0, 0, np.where(classes == BORDER, 128, 255)).astype(np.uint8)


def save_indexed(path: Path, classes: np.ndarray) -> Path:
    """A PNG whose palette holds Pascal VOC's colours."""
    rgb = np.array([voc_colour(n) for n in range(256)], np.uint8)[classes]
    pyvips.Image.new_from_array(rgb).copy(interpretation="srgb").pngsave(str(path), palette=True)
    assert pyvips.Image.new_from_file(str(path)).get("palette")
    return path


def save_grey(path: Path, codes: np.ndarray) -> Path:
    return pictures.save(path, codes.astype(np.uint8)[..., None])


def save_deep(path: Path, codes: np.ndarray) -> Path:
    """In 16 bits, as labels are often written."""
    return pictures.save(path, codes.astype(np.uint16)[..., None])


def test_the_border_of_pascal_voc_is_cream() -> None:
    assert voc_colour(PERSON) == (192, 128, 128)
    assert voc_colour(BORDER) == (224, 224, 192)


@pytest.mark.parametrize("save", [save_indexed, save_grey, save_deep])
def test_all_classes_of_a_class_map_are_foreground_and_its_border_counts_half(tmp_path: Path, save: Any) -> None:
    weights, told = read_matte(save(tmp_path / "a.png", numbers()))
    np.testing.assert_array_equal(weights, wanted(numbers()))
    assert told.startswith(f"{tmp_path / 'a.png'}: is a class map (2 classes): all but background is foreground")
    assert "border" in told


def test_a_mask_of_0_and_1_is_read_as_one(tmp_path: Path) -> None:
    weights, told = read_matte(save_grey(tmp_path / "a.png", numbers() == PERSON))
    np.testing.assert_array_equal(weights, 255 * (numbers() == PERSON))
    assert "(1 class)" in told


def test_one_object_in_the_borders_colour_is_an_object(tmp_path: Path) -> None:
    weights = read_matte(save_indexed(tmp_path / "a.png", BORDER * (numbers() == PERSON).astype(np.uint8)))[0]
    np.testing.assert_array_equal(weights, 255 * (numbers() == PERSON))


def ramp() -> np.ndarray:
    return np.tile(np.arange(32, dtype=np.uint8), (24, 1))


@pytest.mark.parametrize(
    "codes",
    [
        255 * (numbers() > 0),  # black and white
        0 * numbers(),
        255 + 0 * numbers(),
        ramp(),  # faint and soft
        np.where(numbers() > 0, 200, 0),  # an even grey
        np.where(numbers() > 0, 254, 1),  # nearly black and white
        np.where(numbers() == PERSON, 255, np.where(numbers() == BORDER, 20, 0)),  # a hard matte with a faint edge
    ],
)
def test_a_matte_is_no_class_map(tmp_path: Path, codes: np.ndarray) -> None:
    weights, told = read_matte(save_grey(tmp_path / "a.png", codes))
    np.testing.assert_array_equal(weights, codes)
    assert told == ""


def test_a_photograph_goes_by_its_luma(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (24, 32, 3)).astype(np.uint8)
    save_png(tmp_path / "a.png", rgb)
    weights, told = read_matte(tmp_path / "a.png")
    np.testing.assert_allclose(weights, rgb @ np.array([0.2126, 0.7152, 0.0722]), atol=0.51)
    assert told == ""


def test_what_is_transparent_is_background(tmp_path: Path) -> None:
    white = np.full((24, 32, 4), 255, np.uint8)
    white[..., 3] = 255 * (numbers() == PERSON)
    np.testing.assert_array_equal(read_matte(pictures.save(tmp_path / "a.png", white))[0], white[..., 3])


@pytest.mark.parametrize("save", [save_indexed, save_grey, save_deep])
def test_a_folder_of_class_maps_is_one_also_where_nothing_is_seen(tmp_path: Path, save: Any) -> None:
    frames = [numbers(), 0 * numbers(), np.where(numbers() == CHAIR, CHAIR, 0).astype(np.uint8)]
    for index, frame in enumerate(frames):
        save(tmp_path / f"{index}.png", frame)
    matte = Matte(tmp_path)
    assert "0.png: is a class map" in matte.told
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(matte.mask(index, 32, 24), wanted(frame))


@pytest.mark.parametrize(("save", "most"), [(save_grey, 255), (save_deep, 65535)])
def test_a_thing_that_fades_in_is_no_class(tmp_path: Path, save: Any, most: int) -> None:
    shown = (numbers() == PERSON).astype(np.uint16)
    steps = [20, *(k * most // 8 for k in range(1, 8))]
    for index, step in enumerate(steps):
        save(tmp_path / f"{index}.png", shown * step)
    matte = Matte(tmp_path)
    assert matte.told == ""
    for index, step in enumerate(steps):
        np.testing.assert_array_equal(matte.mask(index, 32, 24), shown * round(step * 255 / most))


def test_a_run_says_once_of_each_mask_that_it_is_a_class_map_and_grades_as_with_the_matte_it_means(
    tmp_path: Path,
) -> None:
    frames = moving_picture(3, width=32, height=24)
    clip = write_clip(tmp_path / "in.mkv", frames, codec="ffv1")
    save_png(tmp_path / "ref.png", frames[0][::-1])
    save_indexed(tmp_path / "map.png", numbers())
    save_grey(tmp_path / "matte.png", wanted(numbers()))
    settings = Settings().updated(output__codec="ffv1")
    results = {}
    for name in ("map", "matte"):
        mask = tmp_path / f"{name}.png"
        report = grade_video(clip, tmp_path / "ref.png", tmp_path / f"{name}.mkv", settings, mask=mask, ref_mask=mask)
        said = [line for line in report.warnings if "is a class map" in line]
        assert len(said) == (2 if name == "map" else 0)
        results[name] = decoded(tmp_path / f"{name}.mkv")
    for (_, one), (_, other) in zip(results["map"], results["matte"], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    report = grade_picture(
        tmp_path / "ref.png", tmp_path / "ref.png", tmp_path / "out.png", mask=tmp_path / "map.png",
        ref_mask=tmp_path / "map.png",
    )  # fmt: skip
    assert sum("is a class map" in line for line in report.warnings) == 2


@pytest.mark.parametrize("still", [True, False], ids=["picture", "clip"])
@pytest.mark.parametrize("made", ["map", "lut", "sheet"])
def test_maps_luts_and_previews_say_of_each_mask_that_it_is_a_class_map(tmp_path: Path, made: str, still: bool) -> None:
    frames = moving_picture(3, width=32, height=24)
    save_png(tmp_path / "ref.png", frames[0][::-1])
    mask = save_indexed(tmp_path / "classes.png", numbers())
    path = tmp_path / "ref.png" if still else write_clip(tmp_path / "in.mkv", frames, codec="ffv1")
    commands: dict[str, tuple[Any, str]] = {
        "map": (write_map, ".json"), "lut": (write_luts, ".cube"), "sheet": (write_sheet, ".png"),
    }  # fmt: skip
    write, ending = commands[made]
    report = write(path, tmp_path / "ref.png", tmp_path / f"out{ending}", mask=mask, ref_mask=mask)
    assert sum("is a class map" in line for line in report.warnings) == 2
