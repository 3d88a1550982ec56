"""What is said where foreground and background are not graded apart: once, with what is done and what helps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batches import ran
from clips import decoded, moving_picture, write_clip

from streamct import references
from streamct.cli.image import image
from streamct.errors import SegmenterError
from streamct.execute.local import LocalExecutor
from streamct.lut_files import write_luts
from streamct.mapping import write_map
from streamct.media import source
from streamct.media.image import read_picture, save_png
from streamct.model import Event
from streamct.pipeline import grade_picture, grade_video, transfer_image
from streamct.prepare import Request
from streamct.settings import Settings
from streamct.sheets import write_sheet
from streamct.spanned import grade_in_spans

FRAMES, WIDTH, HEIGHT = 24, 96, 64
QUICK = Settings().updated(output__codec="ffv1", palette__size=4, time__radius=2)
AUTO = QUICK.updated(segment__segmenter="auto")


def left(share: float) -> np.ndarray:
    """A mask (h, w, 3) whose foreground is so much of it, on the left."""
    mask = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    mask[:, : round(share * WIDTH)] = 255
    return mask


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undivided")
    write_clip(folder / "in.mkv", moving_picture(FRAMES), codec="ffv1", pix_fmt="yuv444p", gop=4)
    save_png(folder / "in.png", moving_picture(1)[0])
    save_png(folder / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    for name, share in {"half": 0.5, "black": 0, "sliver": 0.011, "white": 1}.items():
        save_png(folder / f"{name}.png", left(share))
    return folder


def warned(call: Callable[..., Any], *arguments: Any, **named: Any) -> list[str]:
    """What a call warns of; the notes are left out."""
    said: list[Event] = []
    call(*arguments, **named, progress=said.append)
    return [event.message for event in said if event.kind == "warning"]


@pytest.mark.parametrize("call", [grade_video, grade_picture, write_luts, write_sheet])
def test_one_region_by_a_network_that_can_not_be_had_is_its_error_before_anything_is_decoded(
    offline: None, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any]
) -> None:
    monkeypatch.setattr(source, "Reader", None)
    monkeypatch.setattr(references, "read_picture", None)
    ending = {grade_video: "mkv", write_luts: "cube"}.get(call, "png")
    given = folder / ("in.png" if call is grade_picture else "in.mkv")
    arguments = (given, folder / "ref.png", tmp_path / f"out.{ending}")
    said: list[Event] = []
    with pytest.raises(SegmenterError) as error:
        call(*arguments, AUTO.updated(mapping__regions="fg"), progress=said.append)
    with pytest.raises(SegmenterError) as named:
        call(*arguments, QUICK.updated(segment__segmenter="deeplabv3-mobilenet"))
    assert str(error.value) == str(named.value)
    assert error.value.exit_code == 1
    assert [event.message for event in said if event.kind == "warning"] == []


def test_so_it_is_for_arrays_folders_and_batches(offline: None, folder: Path, root: Path) -> None:
    settings = AUTO.updated(mapping__regions="bg")
    grey = np.full((8, 8, 3), 128, np.uint8)
    with pytest.raises(SegmenterError, match="--weights"):
        transfer_image(grey, grey, settings)
    with pytest.raises(SegmenterError, match="--weights"):
        image(root / "in" / "sub", [str(root / "ref.png")], root / "out", segmenter="auto", regions="bg")
    heard: list[Event] = []
    with pytest.raises(SegmenterError, match="--weights"):
        ran(root, settings=settings, heard=heard)
    assert [event.message for event in heard if event.kind == "warning"] == []


@pytest.mark.parametrize("call", [grade_video, grade_picture, write_luts, write_sheet, write_map])
def test_masks_without_a_network_for_the_reference_are_one_warning(
    offline: None, folder: Path, tmp_path: Path, call: Callable[..., Any]
) -> None:
    ending = {grade_video: "mkv", write_luts: "cube", write_map: "json"}.get(call, "png")
    given = folder / ("in.png" if call is grade_picture else "in.mkv")
    arguments = (given, folder / "ref.png", tmp_path / f"out.{ending}")
    (line,) = warned(call, *arguments, AUTO, mask=folder / "half.png")
    assert line.startswith(
        "the reference has no foreground of its own, so the whole frame is graded as one region. Give it with "
        "--ref-mask. There is no segmenter that could find it: deeplabv3-"
    )
    (line,) = warned(call, *arguments, QUICK, mask=folder / "half.png", overwrite=True)
    assert line.endswith("Give it with --ref-mask, or add --segmenter, which finds it")
    assert warned(call, *arguments, QUICK, mask=folder / "half.png", ref_mask=folder / "half.png", overwrite=True) == []


def test_masks_without_a_network_for_a_palette_that_is_split_are_no_matter(
    offline: None, folder: Path, tmp_path: Path
) -> None:
    from streamct.mapping import find_palette, write_palette

    seen = find_palette(folder / "ref.png", QUICK, mask=folder / "half.png")
    write_palette(folder / "ref.png", seen, tmp_path / "look.json")
    arguments = (folder / "in.mkv", tmp_path / "look.json", tmp_path / "out.mkv")
    assert warned(grade_video, *arguments, AUTO, mask=folder / "half.png") == []


def test_a_reference_mask_without_a_network_for_the_clip_is_one_warning(
    offline: None, folder: Path, tmp_path: Path
) -> None:
    (line,) = warned(
        grade_video, folder / "in.mkv", folder / "ref.png", tmp_path / "out.mkv", AUTO, ref_mask=folder / "half.png"
    )
    assert line.startswith("the whole frame is graded as one region, and --ref-mask changes nothing, because there is")


CASES = [
    ("fg", "black", "0.0% of the clip are foreground, so with --regions fg nothing is graded"),
    ("fg", "sliver", "1.0% of the clip are foreground, so with --regions fg next to nothing is graded"),
    ("fg", "white", "100.0% of the clip are foreground, so with --regions fg the whole frame is graded"),
    ("bg", "black", "0.0% of the clip are foreground, so with --regions bg the whole frame is graded"),
    ("bg", "sliver", "1.0% of the clip are foreground, so with --regions bg nearly the whole frame is graded"),
    ("bg", "white", "100.0% of the clip are foreground, so with --regions bg nothing is graded"),
]


@pytest.mark.parametrize(("regions", "mask", "line"), CASES)
@pytest.mark.parametrize("mode", ["window", "shot", "off"])
def test_one_region_that_is_all_of_a_clip_or_nothing_is_told(
    folder: Path, tmp_path: Path, regions: str, mask: str, line: str, mode: str
) -> None:
    settings = QUICK.updated(mapping__regions=regions, time__mode=mode)
    given = {"mask": folder / f"{mask}.png", "ref_mask": folder / "half.png"}
    arguments = (folder / "in.mkv", folder / "ref.png", tmp_path / "out.mkv", settings)
    assert warned(grade_video, *arguments, **given) == [line]
    pairs = list(zip(decoded(folder / "in.mkv"), decoded(tmp_path / "out.mkv"), strict=True))
    kept = all(np.array_equal(a, b) for (_, one), (_, two) in pairs for a, b in zip(one, two, strict=True))
    assert kept == ("nothing is graded" in line and "next to" not in line)


@pytest.mark.parametrize(("regions", "mask", "line"), CASES[:3])
def test_so_it_is_of_a_picture(folder: Path, tmp_path: Path, regions: str, mask: str, line: str) -> None:
    settings = QUICK.updated(mapping__regions=regions)
    given = {"mask": folder / f"{mask}.png", "ref_mask": folder / "half.png"}
    arguments = (folder / "in.png", folder / "ref.png", tmp_path / "out.png", settings)
    assert warned(grade_picture, *arguments, **given) == [line.replace("clip", "picture")]
    same = np.array_equal(read_picture(folder / "in.png").rgb, read_picture(tmp_path / "out.png").rgb)
    assert same == ("fg nothing is graded" in line)


def test_one_region_in_spans_is_told_as_in_one_piece(folder: Path, tmp_path: Path) -> None:
    asked = Request(
        folder / "in.mkv", folder / "ref.png", tmp_path / "out.mkv",
        QUICK.updated(mapping__regions="fg", time__radius=1),
        mask=folder / "black.png", ref_mask=folder / "half.png",
    )  # fmt: skip
    with LocalExecutor(1) as executor:
        report = grade_in_spans(asked, executor, count=2)
    assert report.details["spans"] == 2
    assert report.warnings == (CASES[0][2],)


def test_one_region_that_is_there_at_times_is_not_warned_of(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    for n in range(FRAMES):
        save_png(tmp_path / "masks" / f"{n:03d}.png", left(0.2 if n == 5 else 0))  # 0.8% of the clip
    settings = QUICK.updated(mapping__regions="fg")
    arguments = (folder / "in.mkv", folder / "ref.png", tmp_path / "out.mkv", settings)
    assert warned(grade_video, *arguments, mask=tmp_path / "masks", ref_mask=folder / "half.png") == []


@pytest.mark.parametrize("call", [grade_video, grade_picture, write_luts, write_sheet])
def test_one_region_towards_a_reference_without_a_split_is_told(
    folder: Path, tmp_path: Path, call: Callable[..., Any]
) -> None:
    ending = {grade_video: "mkv", write_luts: "cube"}.get(call, "png")
    given = folder / ("in.png" if call is grade_picture else "in.mkv")
    arguments = (given, folder / "ref.png", tmp_path / f"out.{ending}", QUICK.updated(mapping__regions="fg"))
    assert warned(call, *arguments, mask=folder / "half.png", ref_mask=folder / "sliver.png") == [
        "1.0% of the reference are foreground; a split needs 2% to 98%, so the region is drawn towards the whole "
        "reference"
    ]
    assert warned(call, *arguments, mask=folder / "half.png", overwrite=True) == []  # which asks for no more
