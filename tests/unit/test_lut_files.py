"""LUT files of pictures and clips, read back by FFmpeg's own filters."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from clips import moving_picture, write_clip
from lut3d import through_haldclut, through_lut3d
from ocio import through_opencolorio

import streamct.lut_files
from streamct.color.cube import nodes, unit_lattice
from streamct.color.cube_text import format_cube, parse_cube
from streamct.color.lab import srgb_to_lab
from streamct.errors import OutputError, UsageError
from streamct.grade.cutlist import read_cuts
from streamct.lut_files import write_luts
from streamct.media.image import read_picture, save_png
from streamct.media.probe import probe
from streamct.metrics.delta_e import delta_e_2000
from streamct.pipeline import transfer_image
from streamct.settings import Settings, load


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture with foreground and background, a reference, masks, and a clip of three shots."""
    folder = tmp_path_factory.mktemp("luts")
    picture = moving_picture(1, 160, 120)[0]
    save_png(folder / "in.png", picture)
    save_png(folder / "ref.png", moving_picture(1, 160, 120, seed=5)[0][..., ::-1])
    mask = np.zeros((120, 160, 3), np.uint8)
    mask[:, :60] = 255
    save_png(folder / "mask.png", mask)
    second, third = [p[..., ::-1] for p in moving_picture(17, seed=3)], [255 - p for p in moving_picture(25)]
    write_clip(folder / "in.mkv", [*moving_picture(20), *second, *third], codec="ffv1", pix_fmt="yuv444p")
    return folder


def codes(path: Path) -> np.ndarray:
    return np.rint(read_picture(path).rgb * 65535).astype(np.uint16)


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """Mean CIEDE2000 of two pictures in 16-bit codes."""
    return float(delta_e_2000(srgb_to_lab(first / 65535), srgb_to_lab(second / 65535)).mean())


@pytest.mark.parametrize("preset", ["film", "draft"])
@pytest.mark.parametrize("interpolation", ["tetrahedral", "trilinear"])
def test_ffmpegs_lut3d_gives_what_our_own_map_gives(
    folder: Path, tmp_path: Path, preset: str, interpolation: str
) -> None:
    settings = load(preset)
    write_luts(folder / "in.png", folder / "ref.png", tmp_path / "look.cube", settings)
    (tmp_path / "identity.cube").write_text(format_cube(unit_lattice(nodes(33)), "identity"))
    source = codes(folder / "in.png")
    own = transfer_image(source, codes(folder / "ref.png"), settings)
    cost = difference(through_lut3d(source, tmp_path / "identity.cube", interpolation), source)
    assert difference(through_lut3d(source, tmp_path / "look.cube", interpolation), own) <= cost + 0.3
    assert difference(source, own) > 3


@pytest.mark.parametrize(("size", "most"), [(17, 0.9), (65, 0.1)])
def test_more_nodes_come_closer(folder: Path, tmp_path: Path, size: int, most: float) -> None:
    write_luts(folder / "in.png", folder / "ref.png", tmp_path / "look.cube", size=size)
    source = codes(folder / "in.png")
    own = transfer_image(source, codes(folder / "ref.png"))
    assert difference(through_lut3d(source, tmp_path / "look.cube"), own) <= most


def test_a_3dl_and_a_hald_picture_say_the_same_as_a_cube_to_ffmpeg(folder: Path, tmp_path: Path) -> None:
    for name in ("look.3dl", "look.png"):
        write_luts(folder / "in.png", folder / "ref.png", tmp_path / name)
    source = codes(folder / "in.png")
    own = transfer_image(source, codes(folder / "ref.png"))
    assert difference(through_lut3d(source, tmp_path / "look.3dl"), own) <= 0.9
    assert difference(through_haldclut(source, codes(tmp_path / "look.png")), own) <= 0.1


def test_the_comments_tell_where_a_cube_comes_from_and_how_it_was_made(folder: Path, tmp_path: Path) -> None:
    write_luts(folder / "in.png", folder / "ref.png", tmp_path / "look.cube", Settings().updated(mapping__strength=0.7))
    text = (tmp_path / "look.cube").read_text()
    head = text[: text.index("LUT_3D_SIZE")]
    assert 'TITLE "look"' in head
    assert "in.png towards ref.png" in head
    assert "Rec.709/sRGB primaries, display-referred" in head
    assert '"strength":0.7' in head
    assert parse_cube(text, "look.cube").title == "look"


def test_files_a_shot_switch_exactly_at_the_cuts(folder: Path, tmp_path: Path) -> None:
    report = write_luts(folder / "in.mkv", folder / "ref.png", tmp_path / "look.cube", per_shot=True, size=17)
    names = [
        "look.shot001.00-00-00-00.cube", "look.shot002.00-00-00-20.cube", "look.shot003.00-00-01-13.cube",
        "look.edl", "look.csv",
    ]  # fmt: skip
    assert [Path(path).name for path in report.details["files"]] == names
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    with (tmp_path / "look.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["start_frame"], row["stop_frame"]) for row in rows] == [("0", "20"), ("20", "37"), ("37", "62")]
    assert [row["files"] for row in rows] == names[:3]
    edl = (tmp_path / "look.edl").read_text()
    assert "FCM: NON-DROP FRAME" in edl
    assert "002  AX       V     C        00:00:00:20 00:00:01:13 00:00:00:20 00:00:01:13\n" in edl
    assert len(re.findall(r"^\* ASC_SOP \(.*\)\(.*\)\(.*\)$", edl, re.MULTILINE)) == 3
    cubes = [(tmp_path / name).read_text().split("LUT_3D_SIZE")[1] for name in names[:3]]
    assert len(set(cubes)) == 3


def test_a_shots_cube_is_that_of_the_shot_alone(folder: Path, tmp_path: Path) -> None:
    pictures = [p[..., ::-1] for p in moving_picture(17, seed=3)]
    write_clip(tmp_path / "second.mkv", pictures, codec="ffv1", pix_fmt="yuv444p")
    write_luts(folder / "in.mkv", folder / "ref.png", tmp_path / "look.cube", per_shot=True, size=17)
    write_luts(tmp_path / "second.mkv", folder / "ref.png", tmp_path / "alone.cube", size=17)
    of_shot = (tmp_path / "look.shot002.00-00-00-20.cube").read_text()
    assert of_shot.split("DOMAIN_MAX")[1] == (tmp_path / "alone.cube").read_text().split("DOMAIN_MAX")[1]


def test_a_missing_folder_is_told_before_anything_is_looked_at(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streamct.lut_files, "look", None)
    with pytest.raises(OutputError, match=r"the folder .*gone does not exist"):
        write_luts(folder / "in.mkv", folder / "ref.png", tmp_path / "gone" / "look.cube", per_shot=True)


def test_with_masks_foreground_and_background_become_two_files(folder: Path, tmp_path: Path) -> None:
    masks = {"mask": folder / "mask.png", "ref_mask": folder / "mask.png"}
    report = write_luts(folder / "in.png", folder / "ref.png", tmp_path / "look.cube", **masks)
    assert [Path(path).name for path in report.details["files"]] == ["look.foreground.cube", "look.background.cube"]
    assert report.segmenter == "matte"
    front, back = (parse_cube(Path(path).read_text(), "x").lattice for path in report.details["files"])
    assert front is not None
    assert back is not None
    assert np.abs(front.table - back.table).max() > 0.05
    assert "# region: background" in Path(report.details["files"][1]).read_text()


def test_a_reference_without_a_split_gives_one_file_and_says_why(folder: Path, tmp_path: Path) -> None:
    report = write_luts(folder / "in.png", folder / "ref.png", tmp_path / "look.cube", mask=folder / "mask.png")
    assert [Path(path).name for path in report.details["files"]] == ["look.cube"]
    assert any("graded as one region" in line for line in report.warnings)


def test_a_hard_map_is_said_to_be_blurred_by_a_lut(folder: Path, tmp_path: Path) -> None:
    report = write_luts(folder / "in.png", folder / "ref.png", tmp_path / "look.cube", load("paper"), size=17)
    assert any("a LUT blurs them" in line for line in report.warnings)


def test_a_cdl_states_by_how_much_it_falls_short(folder: Path, tmp_path: Path) -> None:
    report = write_luts(folder / "in.png", folder / "ref.png", tmp_path / "look.cdl")
    (error,) = report.details["cdl_error"]
    text = (tmp_path / "look.cdl").read_text()
    assert f"mean CIEDE2000 to the whole look {error:.2f}" in text
    assert any(f"{error:.2f}" in line for line in report.warnings)
    assert '<ColorDecisionList xmlns="urn:ASC:CDL:v1.2">' in text


def test_what_exists_is_kept_unless_overwriting_is_asked_for(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "look.csv").write_text("precious")
    with pytest.raises(OutputError, match=r"look\.csv: exists already"):
        write_luts(folder / "in.mkv", folder / "ref.png", tmp_path / "look.cube", per_shot=True, size=17)
    assert [path.name for path in tmp_path.iterdir()] == ["look.csv"]
    write_luts(folder / "in.mkv", folder / "ref.png", tmp_path / "look.cube", per_shot=True, size=17, overwrite=True)
    assert (tmp_path / "look.csv").read_text().startswith("shot,")


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("look.lut", {}, OutputError, r"\.lut is no LUT that can be written"),
        ("look.cube", {"size": 32}, UsageError, r"--size 32: should be 17, 33 or 65"),
        ("look.cdl", {"size": 33}, UsageError, r"a \.cdl file has no nodes"),
        ("look.cube", {"per_shot": True}, UsageError, "a picture has no shots"),
    ],
)
def test_what_can_not_be_is_said(
    folder: Path, tmp_path: Path, name: str, options: dict, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        write_luts(folder / "in.png", folder / "ref.png", tmp_path / name, **options)


@pytest.mark.parametrize(
    ("transfer", "message"), [(16, "is PQ"), (18, "is HLG"), (1, r"has BT\.2020 primaries")], ids=["pq", "hlg", "wide"]
)
def test_hdr_and_wide_gamut_clips_are_refused(folder: Path, tmp_path: Path, transfer: int, message: str) -> None:
    clip = write_clip(
        tmp_path / "in.mkv", moving_picture(2), codec="ffv1", pix_fmt="yuv420p10le", tags=(9, 9, transfer, 1)
    )
    with pytest.raises(UsageError, match=message):
        write_luts(clip, folder / "ref.png", tmp_path / "look.cube")


@pytest.mark.parametrize(
    ("name", "size", "most"), [("look.cube", 33, 0.3), ("look.cube", 65, 0.1), ("look.3dl", 17, 0.9)]
)
def test_opencolorio_reads_what_our_own_map_gives(
    folder: Path, tmp_path: Path, name: str, size: int, most: float
) -> None:
    write_luts(folder / "in.png", folder / "ref.png", tmp_path / name, size=size)
    (tmp_path / "identity.cube").write_text(format_cube(unit_lattice(nodes(33)), "identity"))
    source = codes(folder / "in.png")
    own = transfer_image(source, codes(folder / "ref.png"))

    def through(path: Path) -> np.ndarray:
        return through_opencolorio(source / np.float32(65535), path) * 65535

    cost = difference(through(tmp_path / "identity.cube"), source)
    assert cost < 0.01
    assert difference(through(tmp_path / name), own) <= cost + most
    assert difference(source, own) > 3


def test_opencolorio_reads_the_cdl_that_was_fitted(folder: Path, tmp_path: Path) -> None:
    report = write_luts(folder / "in.png", folder / "ref.png", tmp_path / "look.cdl")
    source = codes(folder / "in.png")
    own = transfer_image(source, codes(folder / "ref.png"))
    found = through_opencolorio(source / np.float32(65535), tmp_path / "look.cdl") * 65535
    assert difference(found, own) == pytest.approx(report.details["cdl_error"][0], abs=0.3)


def test_a_look_may_be_made_from_a_part_of_a_clip(folder: Path, tmp_path: Path) -> None:
    pictures = [p[..., ::-1] for p in moving_picture(17, seed=3)]
    write_clip(tmp_path / "second.mkv", pictures, codec="ffv1", pix_fmt="yuv444p")
    write_luts(tmp_path / "second.mkv", folder / "ref.png", tmp_path / "alone.cube", size=17)
    part = {"start": "00:00:00:20", "stop": "00:00:01:13"}
    report = write_luts(folder / "in.mkv", folder / "ref.png", tmp_path / "look.cube", size=17, **part)
    assert report.frames == 17
    alone = (tmp_path / "alone.cube").read_text().split("DOMAIN_MAX")[1]
    assert (tmp_path / "look.cube").read_text().split("DOMAIN_MAX")[1] == alone
    report = write_luts(folder / "in.mkv", folder / "ref.png", tmp_path / "b.cube", size=17, per_shot=True, **part)
    assert [Path(path).name for path in report.details["files"]] == ["b.shot001.00-00-00-20.cube", "b.edl", "b.csv"]


def test_masks_of_a_part_serve_that_part_as_masks_of_the_clip_do(folder: Path, tmp_path: Path) -> None:
    for name, frames in (("all", range(probe(folder / "in.mkv").frames or 41)), ("part", range(20, 37))):
        (tmp_path / name).mkdir()
        for n in frames:
            mask = np.zeros((64, 96, 3), np.uint8)
            mask[:, : 20 + n] = 255
            save_png(tmp_path / name / f"{n:05d}.png", mask)
        write_luts(
            folder / "in.mkv", folder / "ref.png", tmp_path / f"{name}.cube", size=17, start="00:00:00:20",
            stop="00:00:01:13", mask=tmp_path / name, ref_mask=folder / "mask.png",
        )  # fmt: skip
    for side in ("foreground", "background"):
        part, whole = (
            (tmp_path / f"{name}.{side}.cube").read_text().split("DOMAIN_MAX")[1] for name in ("part", "all")
        )
        assert part == whole


def test_the_list_of_shots_is_one_that_video_takes_as_cuts(folder: Path, tmp_path: Path) -> None:
    write_luts(folder / "in.mkv", folder / "ref.png", tmp_path / "look.cube", per_shot=True, size=17)
    assert read_cuts(tmp_path / "look.edl", probe(folder / "in.mkv")).frames == {0, 20, 37}
