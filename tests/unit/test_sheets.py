"""Previews: the frames that the render would give, found without rendering."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import decoded, moving_picture, write_clip

from streamct import sheets
from streamct.errors import OutputError, UsageError
from streamct.media.excerpts import Excerpt, keyframes
from streamct.media.image import read_picture, save_png
from streamct.media.probe import probe
from streamct.model import Frame
from streamct.pipeline import grade_video
from streamct.settings import Settings, load
from streamct.sheets import parse_time, write_sheet

QUICK = Settings().updated(time__radius=3, time__knot_spacing=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("preview")
    save_png(folder / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    save_png(folder / "in.png", moving_picture(1)[0])
    other = [p[..., ::-1] for p in moving_picture(30, seed=3)]
    write_clip(folder / "in.mp4", [*moving_picture(30), *other], pix_fmt="yuv444p")
    return folder


def test_a_frame_looks_as_the_render_makes_it(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[int, list[np.ndarray]] = {}
    real = sheets._Previewer._rendered

    def rendered(self: object, frame: Frame, grade: object) -> object:
        planes = real(self, frame, grade)
        shown[frame.pts] = [plane.copy() for plane in planes]
        return planes

    monkeypatch.setattr(sheets._Previewer, "_rendered", rendered)
    write_sheet(
        folder / "in.mp4", folder / "ref.png", tmp_path / "sheet.png", QUICK, at=("0", "0:00.75", "1.25", "2.4")
    )
    lossless = QUICK.updated(output__codec="ffv1")
    grade_video(folder / "in.mp4", folder / "ref.png", tmp_path / "out.mkv", lossless)
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
    real = sheets.Sampler.look
    monkeypatch.setattr(sheets.Sampler, "look", lambda self, frame: seen.append(frame.pts) or real(self, frame))
    write_sheet(clip, folder / "ref.png", tmp_path / "s.png", QUICK, at=("3", "20"))
    assert len(seen) <= 2 * (2 * 10 + 5)


def test_keyframes_are_found_by_seeking(folder: Path) -> None:
    clip = probe(folder / "in.mp4")
    found = keyframes(clip, [Fraction(k, 4) for k in range(10)])
    assert all(frame.key for frame in found)
    assert found[0].pts == Excerpt(clip).first
    assert len({frame.pts for frame in found}) == len(found)


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


def test_the_mode_that_needs_the_whole_clip_is_refused(folder: Path, tmp_path: Path) -> None:
    shots = QUICK.updated(time__mode="shot")
    for options in ({"settings": shots}, {"settings": QUICK, "variants": [("window", QUICK), ("shot", shots)]}):
        with pytest.raises(UsageError, match="--temporal shot: needs the whole clip"):
            write_sheet(folder / "in.mp4", folder / "ref.png", tmp_path / "s.png", **options)
    assert not list(tmp_path.iterdir())


def test_hdr_is_shown_as_srgb(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PQ: 0.5806888 is diffuse white, 203 cd/m2 (BT.2408); 0.44 is 50.5 cd/m2, a quarter of its light."""
    whites = [np.full((64, 96, 3), round(code * 255), np.uint8) for code in (0.5806888, 0.44)]
    shown: list[np.ndarray] = []
    real = sheets._Previewer._proxy

    def proxy(self: object, planes: object, edge: int) -> np.ndarray:
        shown.append(real(self, planes, edge))
        return shown[-1]

    clip = write_clip(tmp_path / "in.mkv", whites, codec="ffv1", pix_fmt="yuv444p10le", tags=(9, 9, 16, 1))
    off = QUICK.updated(time__mode="off", mapping__strength=0.0)
    monkeypatch.setattr(sheets._Previewer, "_proxy", proxy)
    report = write_sheet(clip, folder / "ref.png", tmp_path / "s.png", off, at=("0", "0.05"))
    assert any("cut off" in line for line in report.warnings)
    levels = [float(np.median(picture)) for picture in shown]
    assert levels[:2] == pytest.approx([1.0, 1.0], abs=0.02)
    assert levels[2:] == pytest.approx([0.537, 0.537], abs=0.02)
