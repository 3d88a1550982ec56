"""Maps of clips and pictures: written, edited, and given back, measured on what is rendered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import decoded, moving_picture, write_clip
from lut3d import through_lut3d
from networks import RedIsForeground

from streamct import run
from streamct.color.coding import code_to_rgb
from streamct.color.lab import lab_to_srgb, srgb_to_lab
from streamct.errors import LookFileError, UsageError
from streamct.grade.looktext import read_map
from streamct.lut_files import write_luts
from streamct.mapping import write_map
from streamct.media.image import read_picture, save_png
from streamct.model import Coding, Palette
from streamct.pipeline import grade_picture, grade_video
from streamct.settings import Settings
from streamct.sheets import write_sheet

FILM = Settings()
SHOT = FILM.updated(output__codec="ffv1", time__mode="shot")
CUT, FRAMES = 9, 16
CODING = Coding("bt709", full_range=False)
WANTED = "#3068c0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of two shots with black borders, a picture, a reference, masks."""
    folder = tmp_path_factory.mktemp("maps")
    one, other = moving_picture(CUT, seed=1), [p[:, :, ::-1] // 2 for p in moving_picture(FRAMES - CUT, seed=2)]
    clip = [np.pad(p, ((8, 8), (0, 0), (0, 0))) for p in (*one, *other)]
    write_clip(folder / "in.mkv", clip, codec="ffv1", pix_fmt="yuv444p")
    save_png(folder / "in.png", one[0])
    save_png(folder / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    mask = np.zeros((64, 96, 3), np.uint8)
    mask[:, :40] = 255
    save_png(folder / "mask.png", mask)
    tall = np.zeros((80, 96, 3), np.uint8)
    tall[:, :40] = 255
    save_png(folder / "tall.png", tall)
    return folder


def test_listed_cuts_behind_the_end_are_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cuts.txt").write_text(f"4\n{FRAMES}\n")
    found = write_map(folder / "in.mkv", folder / "ref.png", tmp_path / "map.json", FILM, cuts=tmp_path / "cuts.txt")
    assert any(f"lie behind the clip's {FRAMES} frames" in line for line in found.warnings)
    assert [shot.start for shot in read_map(tmp_path / "map.json").shots] == [0, 4]


def planes(path: Path) -> np.ndarray:
    return np.array([np.stack(frame) for _, frame in decoded(path)])


def edited(path: Path, target: Path, change: Callable[[Any], object]) -> Path:
    values = json.loads(path.read_text())
    change(values)
    target.write_text(json.dumps(values))
    return target


def colours(values: Any, shot: int = 0) -> Any:
    return values["shots"][shot]["mappings"][0]["colours"]


def lab_of(text: str) -> np.ndarray:
    return srgb_to_lab(np.array([int(text[k : k + 2], 16) for k in (1, 3, 5)]) / 255)


def test_a_map_given_back_unedited_makes_what_the_mode_shot_makes(folder: Path, tmp_path: Path) -> None:
    write_map(folder / "in.mkv", folder / "ref.png", tmp_path / "map.json")
    grade_video(folder / "in.mkv", folder / "ref.png", tmp_path / "shot.mkv", SHOT)
    report = grade_video(folder / "in.mkv", None, tmp_path / "map.mkv", FILM.updated(output__codec="ffv1"),
                         map=tmp_path / "map.json")  # fmt: skip
    assert report.frames == FRAMES
    np.testing.assert_array_equal(planes(tmp_path / "map.mkv"), planes(tmp_path / "shot.mkv"))


def test_a_map_has_the_clips_shots_and_says_where_and_when(folder: Path, tmp_path: Path) -> None:
    report = write_map(folder / "in.mkv", folder / "ref.png", tmp_path / "map.json")
    found = read_map(tmp_path / "map.json")
    assert [(s.start, s.stop, s.seconds) for s in found.shots] == [(0, CUT, 0.0), (CUT, FRAMES, CUT / 24)]
    assert found.shots[0].picture == (8, 72, 0, 96)
    assert found.input is not None
    assert (found.input.name, found.input.frames) == ("in.mkv", FRAMES)
    assert report.details["shots"] == 2
    assert [o.name for o in found.made_from] == ["ref.png"]


def test_strength_and_other_settings_of_the_run_count(folder: Path, tmp_path: Path) -> None:
    write_map(folder / "in.mkv", folder / "ref.png", tmp_path / "map.json", FILM.updated(mapping__strength=0.3))
    for settings, name in ((SHOT, "one"), (SHOT.updated(mapping__strength=0.5), "half")):
        grade_video(folder / "in.mkv", folder / "ref.png", tmp_path / f"{name}.mkv", settings)
        grade_video(folder / "in.mkv", None, tmp_path / f"{name}-map.mkv", settings, map=tmp_path / "map.json")
        np.testing.assert_array_equal(planes(tmp_path / f"{name}-map.mkv"), planes(tmp_path / f"{name}.mkv"))


def test_a_flat_patch_of_an_edited_colour_comes_out_within_2_of_its_target(folder: Path, tmp_path: Path) -> None:
    """Through the whole of it: JSON, Lut, render, a lossless codec."""
    write_map(folder / "in.mkv", folder / "ref.png", tmp_path / "map.json", whole=True)
    path = edited(tmp_path / "map.json", tmp_path / "edited.json", lambda v: colours(v)[2]["target"].update(hex=WANTED))
    source = read_map(path).shots[0].mappings[0].held.sources[0]
    patch = np.rint(np.clip(lab_to_srgb(source), 0, 1) * 255).astype(np.uint8)
    write_clip(tmp_path / "flat.mkv", [np.broadcast_to(patch, (80, 96, 3)).copy()] * 3, codec="ffv1", pix_fmt="yuv444p")
    grade_video(tmp_path / "flat.mkv", None, tmp_path / "out.mkv", FILM, map=path)
    inside = planes(tmp_path / "out.mkv")[:, :, 10:70]
    assert np.ptp(inside, axis=(0, 2, 3)).max() == 0
    out = srgb_to_lab(code_to_rgb(inside[0, :, 0, 0].astype(float), CODING, 8))
    assert np.linalg.norm(out - lab_of(WANTED)) < 2


def test_an_edit_in_one_shot_leaves_the_others_alone(folder: Path, tmp_path: Path) -> None:
    write_map(folder / "in.mkv", folder / "ref.png", tmp_path / "map.json")
    path = edited(tmp_path / "map.json", tmp_path / "e.json", lambda v: colours(v)[0]["target"].update(hex=WANTED))
    for name, map in (("plain", tmp_path / "map.json"), ("edited", path)):
        grade_video(folder / "in.mkv", None, tmp_path / f"{name}.mkv", SHOT, map=map)
    plain, changed = planes(tmp_path / "plain.mkv"), planes(tmp_path / "edited.mkv")
    np.testing.assert_array_equal(plain[CUT:], changed[CUT:])
    assert np.abs(plain[:CUT].astype(int) - changed[:CUT]).max() > 10


def test_nothing_flickers_within_a_shot(folder: Path, tmp_path: Path) -> None:
    still = moving_picture(1, seed=1)[0]
    write_clip(
        tmp_path / "still.mkv", [np.pad(still, ((8, 8), (0, 0), (0, 0)))] * FRAMES, codec="ffv1", pix_fmt="yuv444p"
    )
    write_map(folder / "in.mkv", folder / "ref.png", tmp_path / "map.json")
    grade_video(tmp_path / "still.mkv", None, tmp_path / "out.mkv", FILM.updated(output__codec="ffv1"),
                map=tmp_path / "map.json")  # fmt: skip
    graded = planes(tmp_path / "out.mkv")
    assert np.ptp(graded[:CUT], axis=0).max() == 0
    assert np.ptp(graded[CUT:], axis=0).max() == 0


def test_nothing_is_drawn_towards_a_forbidden_colour(folder: Path, tmp_path: Path) -> None:
    """As if the reference did not have it."""
    write_map(folder / "in.png", folder / "ref.png", tmp_path / "map.json")
    map = tmp_path / "map.json"
    forbid = edited(map, tmp_path / "f.json", lambda v: v["reference"][0]["colours"][0].update(forbidden=True))
    without = edited(map, tmp_path / "w.json", lambda v: v["reference"][0]["colours"].pop(0))
    for name, path in (("plain", map), ("forbid", forbid), ("without", without)):
        grade_picture(folder / "in.png", None, tmp_path / f"{name}.png", map=path)
    plain, one, other = (read_picture(tmp_path / f"{n}.png").rgb for n in ("plain", "forbid", "without"))
    np.testing.assert_array_equal(one, other)
    assert np.abs(one - plain).max() > 0.02


def test_a_pictures_map_makes_what_image_makes(folder: Path, tmp_path: Path) -> None:
    write_map(folder / "in.png", folder / "ref.png", tmp_path / "map.json")
    grade_picture(folder / "in.png", folder / "ref.png", tmp_path / "a.png")
    grade_picture(folder / "in.png", None, tmp_path / "b.png", map=tmp_path / "map.json")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").rgb, read_picture(tmp_path / "b.png").rgb)


def test_foreground_and_background_have_maps_of_their_own(folder: Path, tmp_path: Path) -> None:
    masks = {"mask": folder / "tall.png", "ref_mask": folder / "mask.png"}
    write_map(folder / "in.mkv", folder / "ref.png", tmp_path / "map.json", **masks)
    found = read_map(tmp_path / "map.json")
    assert [m.region for m in found.shots[0].mappings] == ["whole", "foreground", "background"]
    grade_video(folder / "in.mkv", folder / "ref.png", tmp_path / "shot.mkv", SHOT, **masks)
    grade_video(folder / "in.mkv", None, tmp_path / "map.mkv", SHOT, map=tmp_path / "map.json", mask=masks["mask"])
    np.testing.assert_array_equal(planes(tmp_path / "map.mkv"), planes(tmp_path / "shot.mkv"))
    report = grade_video(folder / "in.mkv", None, tmp_path / "one.mkv", SHOT, map=tmp_path / "map.json")
    assert any("there are no masks" in line for line in report.warnings)


def test_foreground_and_background_of_a_picture_come_back_too(folder: Path, tmp_path: Path) -> None:
    masks = {"mask": folder / "mask.png", "ref_mask": folder / "mask.png"}
    write_map(folder / "in.png", folder / "ref.png", tmp_path / "map.json", **masks)
    grade_picture(folder / "in.png", folder / "ref.png", tmp_path / "a.png", **masks)
    grade_picture(folder / "in.png", None, tmp_path / "b.png", map=tmp_path / "map.json", mask=masks["mask"])
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").rgb, read_picture(tmp_path / "b.png").rgb)


class RedderThanBlue(RedIsForeground):
    """Takes what is redder than blue for foreground."""

    precision = "exact"

    def memory(self) -> int:
        return 0

    def segment(self, proxies: Any) -> Any:
        return (proxies[..., 0] > proxies[..., 2]).astype(np.float32)


def test_a_networks_masks_are_made_again_while_a_map_is_rendered(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = {"segmenter": "deeplabv3-mobilenet", "size": 64, "every": 2, "device": "cpu"}
    monkeypatch.setattr(run, "resolve", lambda s, note: (s.model_copy(update=filled), None))
    monkeypatch.setattr(run, "load", lambda s: RedderThanBlue())
    settings = SHOT.updated(segment__segmenter="auto")
    write_map(folder / "in.mkv", folder / "ref.png", tmp_path / "map.json", settings)
    assert [m.region for m in read_map(tmp_path / "map.json").shots[0].mappings] == [
        "whole",
        "foreground",
        "background",
    ]
    grade_video(folder / "in.mkv", folder / "ref.png", tmp_path / "shot.mkv", settings)
    report = grade_video(folder / "in.mkv", None, tmp_path / "map.mkv", settings, map=tmp_path / "map.json")
    assert report.segmenter == "red"
    np.testing.assert_array_equal(planes(tmp_path / "map.mkv"), planes(tmp_path / "shot.mkv"))


def test_the_map_of_a_whole_clip_fits_any_clip_also_of_another_size(folder: Path, tmp_path: Path) -> None:
    write_map(folder / "in.mkv", folder / "ref.png", tmp_path / "map.json", whole=True)
    found = read_map(tmp_path / "map.json")
    assert [(s.start, s.stop) for s in found.shots] == [(0, None)]
    twice = [np.pad(p, ((16, 16), (0, 0), (0, 0))) for p in moving_picture(5, 192, 128)]
    write_clip(tmp_path / "other.mkv", twice, codec="ffv1", pix_fmt="yuv444p")
    assert grade_video(tmp_path / "other.mkv", None, tmp_path / "out.mkv", SHOT, map=tmp_path / "map.json").frames == 5
    out, source = planes(tmp_path / "out.mkv"), planes(tmp_path / "other.mkv")
    np.testing.assert_array_equal(out[:, :, :16], source[:, :, :16])
    assert (out[:, :, 16:144] != source[:, :, 16:144]).any()


def test_a_map_of_another_clip_is_refused_and_nothing_is_left(folder: Path, tmp_path: Path) -> None:
    write_map(folder / "in.mkv", folder / "ref.png", tmp_path / "map.json")
    for frames in (FRAMES - 3, FRAMES + 3):
        write_clip(tmp_path / "o.mkv", moving_picture(frames), codec="ffv1", pix_fmt="yuv444p")
        with pytest.raises(LookFileError, match=f"has shots up to frame {FRAMES}"):
            grade_video(tmp_path / "o.mkv", None, tmp_path / "out.mkv", SHOT, map=tmp_path / "map.json")
        assert not (tmp_path / "out.mkv").exists()


def test_what_contradicts_a_map_is_refused(folder: Path, tmp_path: Path) -> None:
    map = tmp_path / "map.json"
    write_map(folder / "in.mkv", folder / "ref.png", map)
    (tmp_path / "cuts.txt").write_text("4\n")
    save_png(tmp_path / "other.png", moving_picture(1)[0])
    for options, reference, said in (
        ({"cuts": tmp_path / "cuts.txt"}, None, "has shots of its own"),
        ({"ref_mask": folder / "mask.png"}, None, "has a reference of its own"),
        ({}, tmp_path / "other.png", "was made for ref.png, not other.png"),
    ):
        with pytest.raises(UsageError, match=said):
            grade_video(folder / "in.mkv", reference, tmp_path / "out.mkv", SHOT, map=map, **options)
    with pytest.raises(UsageError, match="has 2 shots, and one is wanted here"):
        grade_picture(folder / "in.png", None, tmp_path / "out.png", map=map)
    with pytest.raises(UsageError, match="tells its regions apart already"):
        write_luts(folder / "in.mkv", None, tmp_path / "out.cube", map=map, mask=folder / "mask.png")
    with pytest.raises(UsageError, match="a picture has no shots"):
        write_map(folder / "in.png", folder / "ref.png", tmp_path / "p.json", whole=True)


def test_the_reference_that_a_map_was_made_for_may_stand_beside_it(folder: Path, tmp_path: Path) -> None:
    write_map(folder / "in.png", folder / "ref.png", tmp_path / "map.json")
    for reference, name in ((None, "a"), (folder / "ref.png", "b")):
        grade_picture(folder / "in.png", reference, tmp_path / f"{name}.png", map=tmp_path / "map.json")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_luts_of_a_map_are_what_the_map_renders(folder: Path, tmp_path: Path) -> None:
    write_map(folder / "in.png", folder / "ref.png", tmp_path / "map.json")
    path = edited(tmp_path / "map.json", tmp_path / "e.json", lambda v: colours(v)[1]["target"].update(hex=WANTED))
    write_luts(folder / "in.png", None, tmp_path / "look.cube", map=path, size=65)
    goal = read_map(path).shots[0].mappings[0].held
    codes = np.rint(np.clip(lab_to_srgb(goal.sources), 0, 1) * 65535).astype(np.uint16)
    out = through_lut3d(np.broadcast_to(codes, (16, 16, 3)).copy(), tmp_path / "look.cube")
    assert np.linalg.norm(srgb_to_lab(out[8, 8] / 65535) - lab_of(WANTED)) < 2


def test_a_map_of_several_shots_becomes_a_lut_for_each(folder: Path, tmp_path: Path) -> None:
    write_map(folder / "in.mkv", folder / "ref.png", tmp_path / "map.json")
    with pytest.raises(UsageError, match="has 2 shots"):
        write_luts(folder / "in.mkv", None, tmp_path / "look.cube", map=tmp_path / "map.json")
    of_map = write_luts(folder / "in.mkv", None, tmp_path / "a.cube", map=tmp_path / "map.json", per_shot=True)
    plain = write_luts(folder / "in.mkv", folder / "ref.png", tmp_path / "b.cube", per_shot=True)
    assert len(of_map.details["files"]) == len(plain.details["files"]) == 4
    for ours, theirs in zip(of_map.details["files"][:2], plain.details["files"][:2], strict=True):
        values = [[line for line in Path(f).read_text().splitlines() if line[:1].isdigit()] for f in (ours, theirs)]
        assert values[0] == values[1]


def test_a_map_without_a_reference_moves_only_what_is_held(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "hand.json"
    held = [
        {"source": {"hex": "#dc3c28"}, "target": {"hex": WANTED}},
        {"source": {"hex": "#20a040"}, "target": {"hex": "#20a040"}},
    ]
    shot = {"start": 0, "stop": None, "mappings": [{"region": "whole", "colours": held}]}
    path.write_text(json.dumps({"format": "streamct map", "version": 1, "shots": [shot]}))
    picture = np.zeros((8, 12, 3), np.uint8)
    picture[:, :4], picture[:, 4:8], picture[:, 8:] = (0xDC, 0x3C, 0x28), (0x20, 0xA0, 0x40), (0x18, 0x90, 0x38)
    save_png(tmp_path / "p.png", picture)
    grade_picture(tmp_path / "p.png", None, tmp_path / "out.png", map=path)
    out = np.rint(read_picture(tmp_path / "out.png").rgb * 255)
    assert np.linalg.norm(srgb_to_lab(out[0, 0] / 255) - lab_of(WANTED)) < 2
    np.testing.assert_allclose(out[:, 4:], picture[:, 4:], atol=1)


def test_a_preview_shows_what_a_map_makes(folder: Path, tmp_path: Path) -> None:
    write_map(folder / "in.mkv", folder / "ref.png", tmp_path / "map.json")
    report = write_sheet(folder / "in.mkv", None, tmp_path / "sheet.png", map=tmp_path / "map.json", at=["0.1", "0.5"])
    assert report.frames == 2
    green = lambda v: colours(v, 1)[0]["target"].update(hex="#00ff00")  # noqa: E731
    edit = edited(tmp_path / "map.json", tmp_path / "e.json", green)
    write_sheet(folder / "in.mkv", None, tmp_path / "edit.png", map=edit, at=["0.1", "0.5"])
    plain, changed = (read_picture(tmp_path / f"{name}.png").rgb[60:, :880] for name in ("sheet", "edit"))
    lines = np.flatnonzero(np.abs(plain - changed).max(axis=(1, 2)) > 0.1)
    assert lines.min() > 400  # the second frame's row, below the first one's


def test_a_clip_of_several_shots_as_one_has_the_colours_of_all(folder: Path, tmp_path: Path) -> None:
    write_map(folder / "in.mkv", folder / "ref.png", tmp_path / "map.json", whole=True)
    write_map(folder / "in.mkv", folder / "ref.png", tmp_path / "shots.json")
    whole = read_map(tmp_path / "map.json").shots[0].mappings[0].palette
    one, other = (shot.mappings[0].palette for shot in read_map(tmp_path / "shots.json").shots)

    def away(own: Palette | None, those: Palette | None) -> float:
        """Mean Delta E of a palette's colours to the nearest of others."""
        assert own is not None
        assert those is not None
        return float(own.weights @ np.linalg.norm(own.colours[:, None] - those.colours, axis=2).min(axis=1))

    assert max(away(one, whole), away(other, whole)) < 0.5 * min(away(one, other), away(other, one))
