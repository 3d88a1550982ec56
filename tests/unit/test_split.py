"""Foreground and background through the whole pipeline, with a segmenter that needs no weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import decoded, write_clip
from networks import RedIsForeground, iou, moving_scene

from streamct import references, run, transcode
from streamct.color.lab import srgb_to_lab
from streamct.errors import OutputError, SegmenterError, SettingsError, UsageError
from streamct.mapping import find_palette
from streamct.media import source
from streamct.media.image import save_png
from streamct.model import Event
from streamct.pipeline import grade_picture, grade_video
from streamct.segment.matte import read_matte
from streamct.settings import Settings

FRAMES = 14
LOSSLESS = {"output__codec": "ffv1", "time__radius": 4}


class Firm(RedIsForeground):
    """Takes what is redder than blue for foreground."""

    precision = "exact"

    def memory(self) -> int:
        return 0

    def segment(self, proxies: Any) -> Any:
        self.batches.append(proxies)
        return (proxies[..., 0] > proxies[..., 2]).astype(np.float32)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Firm:
    """Stands for deeplabv3-mobilenet in the pipeline; the rest is what runs for real."""
    fake = Firm(batch=2, size=64)
    fake.name = "deeplabv3-mobilenet"
    filled = {"segmenter": fake.name, "size": 64, "every": 2, "device": "cpu"}
    monkeypatch.setattr(run, "resolve", lambda s, note: (s.model_copy(update=filled), None))
    monkeypatch.setattr(run, "load", lambda s: fake)
    return fake


@pytest.fixture
def scene(tmp_path: Path) -> tuple[Path, Path, list[Any]]:
    """A clip of a moving thing, a reference with a thing of its own, and the clip's masks."""
    pictures, masks = moving_scene(FRAMES, width=96, height=64)
    clip = write_clip(tmp_path / "in.mkv", pictures, codec="ffv1", pix_fmt="yuv444p")
    reference = np.full((60, 80, 3), (20, 90, 60), np.uint8)
    reference[15:45, 20:60] = (240, 200, 20)
    save_png(tmp_path / "ref.png", reference)
    return clip, tmp_path / "ref.png", masks


def settings(**more: Any) -> Settings:
    return Settings().updated(**LOSSLESS, segment__segmenter="auto", **more)


def test_foreground_and_background_go_to_their_own(network: Firm, scene: Any, tmp_path: Path) -> None:
    clip, reference, masks = scene
    report = grade_video(clip, reference, tmp_path / "out.mkv", settings())
    assert report.segmenter == "deeplabv3-mobilenet"
    assert report.details["network"]["device"] == "cpu"
    assert report.details["network"]["every"] == 2
    assert report.warnings == ()
    graded = decoded(tmp_path / "out.mkv", "gbrp")
    assert len(graded) == FRAMES
    for index, (_, planes) in enumerate(graded):
        rgb = np.stack([planes[2], planes[0], planes[1]], axis=-1).astype(float)
        front, back = rgb[masks[index]].mean(axis=0), rgb[~masks[index]].mean(axis=0)
        assert front[0] > front[2] + 60  # towards yellow
        assert back[1] > back[0] + 20  # towards green


def test_what_the_network_met_with_on_the_way_is_in_the_report(
    network: Firm, scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, reference, _ = scene
    line = "cuda:0 has no memory for 8 pictures at once; it goes on with 4"
    monkeypatch.setattr(network, "told", lambda: [line])
    said: list[Event] = []
    report = grade_video(clip, reference, tmp_path / "out.mkv", settings(), progress=said.append)
    assert report.warnings == (line,)
    assert [event.message for event in said if event.kind == "warning"] == [line]


def test_saved_masks_are_those_that_were_used_and_can_be_given_back(network: Firm, scene: Any, tmp_path: Path) -> None:
    clip, reference, masks = scene
    grade_video(clip, reference, tmp_path / "a.mkv", settings(), save_masks=tmp_path / "masks")
    files = sorted((tmp_path / "masks").iterdir())
    assert [f.name for f in files] == [f"{i:05d}.png" for i in range(FRAMES)]
    for file, truth in zip(files, masks, strict=True):
        assert iou(read_matte(file)[0] > 127, truth) > 0.95
    report = grade_video(clip, reference, tmp_path / "b.mkv", settings(), mask=tmp_path / "masks")
    assert report.segmenter == "matte"
    for (_, one), (_, other) in zip(decoded(tmp_path / "a.mkv"), decoded(tmp_path / "b.mkv"), strict=True):
        for plane, again in zip(one, other, strict=True):
            # the counted masks are 96 wide here and 64 there; the blended ones are the same
            assert np.abs(plane.astype(int) - again).mean() < 1


def test_masks_are_saved_also_where_the_reference_has_no_split(network: Firm, scene: Any, tmp_path: Path) -> None:
    clip = scene[0]
    save_png(tmp_path / "flat.png", np.full((40, 40, 3), (30, 60, 120), np.uint8))
    report = grade_video(clip, tmp_path / "flat.png", tmp_path / "out.mkv", settings(), save_masks=tmp_path / "masks")
    assert len(list((tmp_path / "masks").iterdir())) == FRAMES
    assert any("0.0% of the reference are foreground" in line for line in report.warnings)


def test_a_reference_without_a_split_spares_the_clip_the_network(network: Firm, scene: Any, tmp_path: Path) -> None:
    clip = scene[0]
    save_png(tmp_path / "flat.png", np.full((40, 40, 3), (30, 60, 120), np.uint8))
    report = grade_video(clip, tmp_path / "flat.png", tmp_path / "out.mkv", settings())
    assert report.segmenter == "none"
    assert report.details["reference segmenter"] == "deeplabv3-mobilenet"
    assert "every" not in report.details["network"]  # it looked at no frames
    assert len(report.warnings) == 1
    assert len(network.batches) == 1  # the reference's


def test_a_given_matte_goes_before_the_network(network: Firm, scene: Any, tmp_path: Path) -> None:
    clip, reference, _ = scene
    half = np.zeros((64, 96, 3), np.uint8)
    half[:, :48] = 255
    save_png(tmp_path / "half.png", half)
    report = grade_video(clip, reference, tmp_path / "out.mkv", settings(), mask=tmp_path / "half.png")
    assert report.segmenter == "matte"
    assert report.details["reference segmenter"] == "deeplabv3-mobilenet"
    assert len(network.batches) == 1  # the reference's, which has none given


def test_masks_that_a_run_without_any_can_not_save_are_refused(scene: Any, tmp_path: Path) -> None:
    clip, reference, _ = scene
    with pytest.raises(UsageError, match="--save-masks: there are no masks"):
        grade_video(clip, reference, tmp_path / "out.mkv", save_masks=tmp_path / "masks")


def test_a_failed_run_leaves_neither_clip_nor_masks(
    network: Firm, scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, reference, _ = scene

    def fail(*_: object) -> None:
        raise OutputError("the check failed")

    monkeypatch.setattr(transcode, "verify", fail)
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(OutputError, match="the check failed"):
        grade_video(clip, reference, tmp_path / "out.mkv", settings(), save_masks=tmp_path / "masks")
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_offline_auto_warns_once_and_finishes(offline: None, scene: Any, tmp_path: Path) -> None:
    clip, reference, _ = scene
    said: list[Event] = []
    report = grade_video(clip, reference, tmp_path / "out.mkv", settings(), progress=said.append)
    assert report.segmenter == "none"
    warnings = [event.message for event in said if event.kind == "warning"]
    assert len(warnings) == 1
    assert "whole frame is graded as one region" in warnings[0]
    assert "--weights" in warnings[0]
    assert warnings[0] in report.warnings
    plain = grade_video(clip, reference, tmp_path / "plain.mkv", Settings().updated(**LOSSLESS))
    assert plain.warnings == ()
    for (_, one), (_, other) in zip(decoded(tmp_path / "out.mkv"), decoded(tmp_path / "plain.mkv"), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_offline_auto_says_in_its_one_warning_that_no_masks_are_saved(
    offline: None, scene: Any, tmp_path: Path
) -> None:
    clip, reference, _ = scene
    said: list[Event] = []
    masks = tmp_path / "masks"
    report = grade_video(clip, reference, tmp_path / "out.mkv", settings(), save_masks=masks, progress=said.append)
    (line,) = [event.message for event in said if event.kind == "warning"]
    assert line.endswith(f" No masks are saved in {masks}.")
    assert report.warnings == (line,)  # that it looked for the weights was a note for the moment
    assert [event.message for event in said if event.kind == "note" and "fetching the weights" in event.message]
    assert not masks.exists()


def test_offline_a_named_segmenter_fails_before_anything_is_decoded(
    offline: None, scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, reference, _ = scene
    monkeypatch.setattr(source, "Reader", None)
    monkeypatch.setattr(references, "read_picture", None)
    named = Settings().updated(segment__segmenter="deeplabv3-resnet50")
    with pytest.raises(SegmenterError, match="can't be fetched"):
        grade_video(clip, reference, tmp_path / "out.mkv", named)
    assert not (tmp_path / "out.mkv").exists()


def test_an_unknown_segmenter_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="did you mean 'deeplabv3-mobilenet'"):
        Settings().updated(segment__segmenter="deeplabv3-mobile")


def test_a_still_is_split_too(network: Firm, scene: Any, tmp_path: Path) -> None:
    _, reference, _ = scene
    pictures, masks = moving_scene(1, width=96, height=64)
    save_png(tmp_path / "in.png", pictures[0])
    report = grade_picture(tmp_path / "in.png", reference, tmp_path / "out.png", settings())
    assert report.segmenter == report.details["reference segmenter"] == "deeplabv3-mobilenet"
    assert "every" not in report.details["network"]
    from streamct.media.image import read_picture

    rgb = read_picture(tmp_path / "out.png").rgb
    assert rgb[masks[0]].mean(axis=0)[0] > rgb[masks[0]].mean(axis=0)[2] + 0.25
    assert rgb[~masks[0]].mean(axis=0)[1] > rgb[~masks[0]].mean(axis=0)[0] + 0.08


def test_offline_a_folder_of_pictures_warns_once(
    offline: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from streamct.cli.image import image

    (tmp_path / "in").mkdir()
    for index, picture in enumerate(moving_scene(3, width=48, height=32)[0]):
        save_png(tmp_path / "in" / f"{index}.png", picture)
    image(tmp_path / "in", tmp_path / "in" / "0.png", tmp_path / "out", segmenter="auto")
    assert len(list((tmp_path / "out").iterdir())) == 3
    assert capsys.readouterr().err.count("whole frame is graded as one region") == 1


def test_a_thing_that_comes_in_does_not_make_the_grade_jump(network: Firm, scene: Any, tmp_path: Path) -> None:
    reference = scene[1]
    rng = np.random.default_rng(0)
    pictures = []
    for t in range(40):
        picture = np.full((64, 96, 3), (40, 60, 110), np.uint8)
        picture[:, : max(0, t - 4)] = (200, 120, 60)  # a share of 0 at first, of 36% in the end
        pictures.append(np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8))
    clip = write_clip(tmp_path / "enters.mkv", pictures, codec="ffv1", pix_fmt="yuv444p")
    grade_video(
        clip,
        reference,
        tmp_path / "out.mkv",
        settings(mapping__strength=2.0, mapping__transport_blur=10.0, mapping__reach=500.0),
    )
    corner = np.array([planes[0][4:60, 50:90].mean() for _, planes in decoded(tmp_path / "out.mkv", "gbrp")])
    steps = np.abs(np.diff(corner))
    assert np.ptp(corner) > 3  # the ground's grade does change, from the whole's to its own
    assert steps.max() < np.ptp(corner) / 4


def test_the_palette_of_a_split_picture_has_two_parts(
    network: Firm, scene: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from streamct.cli.palette import palette
    from streamct.media.image import read_picture

    _, reference, _ = scene
    looked = find_palette(reference, settings())
    assert looked.share == pytest.approx(0.25, abs=0.02)
    palette(reference, tmp_path / "sheet.png", segmenter="auto")
    told = json.loads(capsys.readouterr().out)
    assert told["segmenter"] == "deeplabv3-mobilenet"
    assert told["foreground_share"] == pytest.approx(0.25, abs=0.02)
    assert [part["region"] for part in told["palettes"]] == ["whole", "foreground", "background"]
    sides = [part["colours"] for part in told["palettes"][1:]]
    for colours, rgb in zip(sides, ((240, 200, 20), (20, 90, 60)), strict=True):
        apart = np.linalg.norm(np.array(colours[0]["lab"]) - srgb_to_lab(np.array(rgb) / 255))
        assert apart <= 0.9  # a colour is known to its cell, one Lab unit wide
    # picture, picture with its background dark, two strips
    sheet = read_picture(tmp_path / "sheet.png").rgb
    assert sheet.shape == (480, 2 * 640 + 3 * 8 + 2 * 160, 3)
    assert sheet[5, 648 + 5].max() < 0.2 * sheet[5, 5].max() + 0.01
    assert np.allclose(sheet[240, -5] * 255, (20, 90, 60), atol=1)


def test_the_reference_s_matte_is_saved_and_taken_back(network: Firm, scene: Any, tmp_path: Path) -> None:
    from streamct.cli.palette import palette

    clip, reference, _ = scene
    saved = tmp_path / "saved.png"
    palette([str(reference)], segmenter="auto", save_mask=saved)
    truth = np.zeros((60, 80), bool)
    truth[15:45, 20:60] = True
    assert iou(read_matte(saved)[0] > 127, truth) > 0.95
    report = grade_video(
        clip, reference, tmp_path / "out.mkv", Settings().updated(**LOSSLESS), mask=saved, ref_mask=saved
    )
    assert (report.segmenter, [line for line in report.warnings if "region" in line]) == ("matte", [])
    with pytest.raises(OutputError, match="exists"):
        palette([str(reference)], segmenter="auto", save_mask=saved)


def test_a_matte_that_nothing_tells_or_that_no_option_takes_is_not_saved(scene: Any, tmp_path: Path) -> None:
    from streamct.cli.palette import palette

    clip, reference, _ = scene
    saved = tmp_path / "saved.png"
    with pytest.raises(UsageError, match="--save-mask: there is no mask to save"):
        palette([str(reference)], save_mask=saved)
    for several in ([str(reference)] * 2, [str(clip)]):
        with pytest.raises(UsageError, match="--save-mask: a mask belongs to one picture"):
            palette(several, segmenter="auto", save_mask=saved)
    with pytest.raises(OutputError, match="is the output too"):
        palette([str(reference)], saved, segmenter="auto", save_mask=saved)


def test_offline_no_matte_is_saved_and_that_is_an_error(offline: None, scene: Any, tmp_path: Path) -> None:
    from streamct.cli.palette import palette

    with pytest.raises(SegmenterError, match="there is no mask to save, because there is no segmenter"):
        palette([str(scene[1])], segmenter="auto", save_mask=tmp_path / "saved.png")
    assert not (tmp_path / "saved.png").exists()
