"""Previews: the frames that the render would give, found without rendering."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import decoded, moving_picture, write_clip

from streamct import previewer, sheets
from streamct.color.cube import nodes, unit_lattice
from streamct.color.cube_text import format_cube
from streamct.errors import OutputError, UsageError
from streamct.media.excerpts import Excerpt, keyframes
from streamct.media.image import read_picture, save_png
from streamct.media.probe import probe
from streamct.model import Frame
from streamct.moments import parse_time
from streamct.pipeline import grade_video
from streamct.settings import Settings, load
from streamct.sheets import write_sheet

QUICK = Settings().updated(time__radius=3, time__knot_spacing=2, palette__size=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("preview")
    save_png(folder / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    save_png(folder / "in.png", moving_picture(1)[0])
    other = [p[..., ::-1] for p in moving_picture(30, seed=3)]
    mask = np.zeros((64, 96, 3), np.uint8)
    mask[:, :40] = 255
    save_png(folder / "mask.png", mask)
    (folder / "masks").mkdir()
    for number in range(60):
        save_png(folder / "masks" / f"{number:03d}.png", np.roll(mask, number // 2, axis=1))
    (folder / "log.cube").write_text(format_cube(unit_lattice(nodes(5)), "none"))
    write_clip(folder / "in.mp4", [*moving_picture(30), *other], pix_fmt="yuv444p")
    return folder


@pytest.mark.parametrize("mode", ["window", "shot", "off"])
@pytest.mark.parametrize("mask", [None, "mask.png", "masks"])
def test_a_frame_looks_as_the_render_makes_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, mask: str | None
) -> None:
    shown: dict[int, list[np.ndarray]] = {}
    real = previewer.Previewer._rendered

    def rendered(self: object, frame: Frame, grade: object, mask: object) -> object:
        planes = real(self, frame, grade, mask)
        shown[frame.pts] = [plane.copy() for plane in planes]
        return planes

    monkeypatch.setattr(previewer.Previewer, "_rendered", rendered)
    masks = {} if mask is None else {"mask": folder / mask, "ref_mask": folder / "mask.png"}
    settings = QUICK.updated(time__mode=mode)
    write_sheet(
        folder / "in.mp4", folder / "ref.png", tmp_path / "s.png", settings, at=("0", "0:00.75", "1.25", "2.4"), **masks
    )
    lossless = settings.updated(output__codec="ffv1")
    grade_video(folder / "in.mp4", folder / "ref.png", tmp_path / "out.mkv", lossless, **masks)
    frames = {round(pts * Fraction(24, 1000)): planes for pts, planes in decoded(tmp_path / "out.mkv")}
    ticks = probe(folder / "in.mp4").time_base * 24
    assert sorted(round(pts * ticks) for pts in shown) == [0, 18, 30, 57]
    for pts, planes in shown.items():
        assert all(np.array_equal(a, b) for a, b in zip(planes, frames[round(pts * ticks)], strict=True))


def test_the_frame_at_a_time_is_the_one_that_a_player_shows_then(folder: Path, tmp_path: Path) -> None:
    report = write_sheet(folder / "in.mp4", folder / "ref.png", tmp_path / "s.png", QUICK, at=("0.99", "1.0"))
    assert report.details["times"] == ["00:00:00.958", "00:00:01.000"]


def test_frames_are_spread_over_what_the_clip_shows(folder: Path, tmp_path: Path) -> None:
    report = write_sheet(folder / "in.mp4", folder / "ref.png", tmp_path / "s.png", QUICK, frames=2)
    first, second = (float(label[-6:]) for label in report.details["times"])
    assert first < 30 / 24 <= second
    sheet = read_picture(tmp_path / "s.png").rgb
    assert sheet.shape[1] == 1280


def test_only_what_lies_around_the_frames_is_decoded(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "long.mp4", moving_picture(10) * 60, pix_fmt="yuv420p", codec="mpeg4")
    seen = []
    real = previewer.Sampler.look
    monkeypatch.setattr(previewer.Sampler, "look", lambda self, frame: seen.append(frame.pts) or real(self, frame))
    write_sheet(clip, folder / "ref.png", tmp_path / "s.png", QUICK, at=("3", "20"))
    assert len(seen) <= 2 * (2 * 10 + 5)


def test_keyframes_are_found_by_seeking(folder: Path) -> None:
    with Excerpt(probe(folder / "in.mp4")) as excerpt:
        found = keyframes(excerpt, [Fraction(k, 4) for k in range(10)])
    assert all(frame.key for frame in found)
    assert found[0].pts == excerpt.first
    assert len({frame.pts for frame in found}) == len(found)


def test_a_list_of_cuts_that_changes_nothing_on_a_sheet_is_told(folder: Path, tmp_path: Path) -> None:
    cuts = tmp_path / "cuts.txt"
    cuts.write_text("2\n")
    for mode, told in (("off", True), ("window", False)):
        settings = QUICK.updated(time__mode=mode)
        out = tmp_path / f"{mode}.png"
        report = write_sheet(folder / "in.mp4", folder / "ref.png", out, settings, at=("0",), cuts=cuts)
        assert any("changes nothing" in line for line in report.warnings) == told


def test_variants_stand_side_by_side(folder: Path, tmp_path: Path) -> None:
    variants = [("strength 0", QUICK.updated(mapping__strength=0)), ("paper", load("paper")), ("draft", load("draft"))]
    report = write_sheet(folder / "in.mp4", folder / "ref.png", tmp_path / "s.png", QUICK, at=("1",), variants=variants)
    assert report.details["times"] == ["00:00:01.000"]
    assert read_picture(tmp_path / "s.png").rgb.shape[1] == 1280


def test_a_picture_has_a_sheet_too(folder: Path, tmp_path: Path) -> None:
    report = write_sheet(folder / "in.png", folder / "ref.png", tmp_path / "s.png")
    assert report.frames == 1
    assert (tmp_path / "s.png").exists()


@pytest.mark.parametrize(
    ("text", "seconds"), [("12.5", "25/2"), ("01:12.5", "145/2"), ("1:00:00", "3600"), ("0", "0"), (" 3 ", "3")]
)
def test_times_are_read_exactly(text: str, seconds: str) -> None:
    assert parse_time(text) == Fraction(seconds)


@pytest.mark.parametrize("text", ["", "x", "1:2:3:4", "-1", "12f", "1e3"])
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"--at {text}: should be a time like")):
        parse_time(text)


@pytest.mark.parametrize(
    ("output", "options", "message"),
    [
        ("s.png", {"at": ("9",)}, r"lies behind the clip's end at 00:00:02\.500"),
        ("s.png", {"frames": 25}, "a sheet holds 1 to 24"),
        ("s.jpg", {}, r"Name the file \.png"),
        ("in.mp4", {}, r"Name the file \.png"),
    ],
)
def test_what_can_not_be_shown_is_said(folder: Path, tmp_path: Path, output: str, options: dict, message: str) -> None:
    with pytest.raises((UsageError, OutputError), match=message):
        write_sheet(folder / "in.mp4", folder / "ref.png", tmp_path / output, QUICK, **options)
    assert not list(tmp_path.iterdir())


def test_window_and_shot_may_be_compared(folder: Path, tmp_path: Path) -> None:
    variants = [("window", QUICK), ("shot", QUICK.updated(time__mode="shot"))]
    report = write_sheet(folder / "in.mp4", folder / "ref.png", tmp_path / "s.png", QUICK, variants=variants)
    assert report.frames == 2


def test_a_shot_is_looked_through_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    real = previewer.find_part
    monkeypatch.setattr(previewer, "find_part", lambda *a: found.append(1) or real(*a))
    shots = QUICK.updated(time__mode="shot")
    write_sheet(folder / "in.mp4", folder / "ref.png", tmp_path / "s.png", shots, at=("0.1", "0.9", "1.5", "2.4"))
    assert len(found) == 2


def test_frames_are_chosen_between_two_times(folder: Path, tmp_path: Path) -> None:
    report = write_sheet(
        folder / "in.mp4", folder / "ref.png", tmp_path / "s.png", QUICK, start="0.5", stop="00:00:01:00"
    )
    assert all(0.5 <= float(label[-6:]) < 1 for label in report.details["times"])


def test_regions_have_palettes_of_their_own(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    real = sheets.pair_sheet
    monkeypatch.setattr(
        sheets, "pair_sheet", lambda h, p, r, matches: drawn.extend(m.region for m in matches) or real(h, p, r, matches)
    )
    masks = {"mask": folder / "mask.png", "ref_mask": folder / "mask.png"}
    for regions in ("both", "bg"):
        settings = QUICK.updated(mapping__regions=regions)
        for name in ("in.mp4", "in.png"):
            write_sheet(folder / name, folder / "ref.png", tmp_path / f"{regions}{name}.png", settings, **masks)
    assert drawn == ["foreground", "background"] * 2 + ["background"] * 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mapping__chroma": 0.5}, "chroma 0.5"),
        ({"mapping__alpha": 0.75}, "lightness 0.75"),
        ({"mapping__strength": 0.2}, "strength 0.2"),
        ({"mapping__protect_skin": True}, "skin protected"),
        ({"mapping__regions": "fg"}, "regions fg · masks mask.png"),
        ({"mapping__regions": "both"}, " · one region · window"),
        ({"input__lut": "log.cube"}, "behind log.cube"),
        ({"time__mode": "shot"}, "temporal shot"),
    ],
)
def test_what_was_asked_for_stands_on_the_sheet(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict, said: str
) -> None:
    headings: list[str] = []
    real = sheets.pair_sheet
    monkeypatch.setattr(
        sheets, "pair_sheet", lambda heading, *a: headings.append(heading.settings) or real(heading, *a)
    )
    if "input__lut" in changes:
        changes = {"input__lut": folder / "log.cube"}
    settings = QUICK.updated(**changes)
    mask = folder / "mask.png" if "mapping__regions" in changes else None
    write_sheet(folder / "in.mp4", folder / "ref.png", tmp_path / "s.png", settings, at=("1",), mask=mask)
    assert said in headings[0]


def test_hdr_is_shown_as_srgb(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PQ: 0.5806888 is diffuse white, 203 cd/m2 (BT.2408); 0.44 is 50.5 cd/m2, a quarter of its light."""
    whites = [np.full((64, 96, 3), round(code * 255), np.uint8) for code in (0.5806888, 0.44)]
    shown: list[np.ndarray] = []
    real = previewer.Previewer._proxy

    def proxy(self: object, planes: object, edge: int, graded: bool = False) -> np.ndarray:
        shown.append(real(self, planes, edge, graded))
        return shown[-1]

    clip = write_clip(tmp_path / "in.mkv", whites, codec="ffv1", pix_fmt="yuv444p10le", tags=(9, 9, 16, 1))
    off = QUICK.updated(time__mode="off", mapping__strength=0.0)
    monkeypatch.setattr(previewer.Previewer, "_proxy", proxy)
    report = write_sheet(clip, folder / "ref.png", tmp_path / "s.png", off, at=("0", "0.05"))
    assert any("cut off" in line for line in report.warnings)
    levels = [float(np.median(picture)) for picture in shown]
    assert sorted(levels) == pytest.approx([0.537, 0.537, 1.0, 1.0], abs=0.02)


@pytest.mark.parametrize("kind", ["picture", "window", "shot", "variants"])
def test_the_foreground_is_outlined_before_the_grade(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    rows: list[previewer.Row] = []
    real = sheets.outlined if kind == "variants" else sheets.Pair

    def seen(*arguments: object) -> object:
        rows.append(previewer.Row("", arguments[0], [], arguments[-1]))  # type: ignore[arg-type]
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(sheets, "outlined" if kind == "variants" else "Pair", seen)
    settings = QUICK.updated(time__mode="shot" if kind == "shot" else "window")
    given = {"mask": folder / "mask.png", "ref_mask": folder / "mask.png"}
    clip, at = (folder / "in.png", ()) if kind == "picture" else (folder / "in.mp4", ("0.2", "1.5"))
    named = [("a", settings), ("b", settings)] if kind == "variants" else []
    write_sheet(clip, folder / "ref.png", tmp_path / "o.png", settings, at=at, variants=named, **given)
    assert len(rows) == max(len(at), 1)
    for row in rows:
        assert row.matte is not None
        assert row.matte.shape == row.source.shape[:2]
        assert row.matte.mean() / 255 == pytest.approx(40 / 96, abs=0.01)
        assert (row.matte[:, 0] == 255).all()


def test_the_foreground_of_a_turned_clip_is_outlined_as_it_is_shown(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previewer, "quarter_turns", lambda _: 3)
    seen: list[previewer.Row] = []
    real = previewer.Previewer.rows

    def rows(self: previewer.Previewer, *arguments: Any) -> Any:
        found = real(self, *arguments)
        seen.extend(found[0])
        return found

    monkeypatch.setattr(previewer.Previewer, "rows", rows)
    given = {"mask": folder / "mask.png", "ref_mask": folder / "mask.png"}
    write_sheet(folder / "in.mp4", folder / "ref.png", tmp_path / "o.png", QUICK, at=("0.2",), **given)
    (row,) = seen
    assert row.matte is not None
    assert row.matte.shape == row.source.shape[:2]
    assert row.matte.shape[0] > row.matte.shape[1]
    assert ((row.matte[0] == 255).all(), (row.matte[-1] == 0).all()) == (True, True)  # what is stored on the left


@pytest.mark.parametrize("regions", ["both", "fg"])
@pytest.mark.parametrize("name", ["in.mp4", "in.png"])
def test_masks_that_hold_nothing_are_told_on_a_sheet(folder: Path, tmp_path: Path, regions: str, name: str) -> None:
    save_png(tmp_path / "black.png", np.zeros((64, 96, 3), np.uint8))
    at = ("0.2",) if name == "in.mp4" else ()
    report = write_sheet(
        folder / name, folder / "ref.png", tmp_path / "o.png", QUICK.updated(mapping__regions=regions), at=at,
        mask=tmp_path / "black.png", ref_mask=folder / "mask.png",
    )  # fmt: skip
    (line,) = report.warnings
    done = "nothing is graded" if regions == "fg" else "so it is graded as one region"
    assert line.startswith("0.0% of the ")
    assert line.endswith(done)
