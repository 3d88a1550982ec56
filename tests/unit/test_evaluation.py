"""What `streamct evaluate` promises of files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from clips import moving_picture, write_clip
from typer.testing import CliRunner

import streamct
from streamct.cli.app import app
from streamct.errors import InputError, ReferenceError, UsageError
from streamct.evaluation import STILLS, evaluate
from streamct.media.image import save_png


def clip(path: Path, pictures: list[np.ndarray], pix_fmt: str = "yuv444p") -> Path:
    return write_clip(path, pictures, codec="ffv1", pix_fmt=pix_fmt)


def picture(path: Path, value: np.ndarray) -> Path:
    save_png(path, value)
    return path


@pytest.fixture
def frames() -> list[np.ndarray]:
    return moving_picture(20)


def test_a_video_against_itself_is_unchanged(tmp_path: Path, frames: list[np.ndarray]) -> None:
    source = clip(tmp_path / "in.mkv", frames)
    result = clip(tmp_path / "out.mkv", frames)
    reference = picture(tmp_path / "ref.png", frames[0])
    found = evaluate(source, result, reference)
    assert found.frames == 20
    assert STILLS / 2 <= found.stills <= STILLS
    assert (found.difference.edit, found.difference.delta_e, found.difference.new_clipping) == (0, 0, 0)
    assert found.difference.structure == pytest.approx(1)
    assert found.distance is not None
    assert found.distance.ab_share == 1
    assert found.flicker is not None
    assert (found.flicker.edit_warp, found.flicker.max_jump, found.flicker.pairs) == (0, 0, 19)
    assert found.flicker.drift is None


def test_a_steady_offset_is_found_as_edit_and_not_as_flicker(tmp_path: Path) -> None:
    # 20 of 255 codes on every channel; the coded planes round to half a code.
    source = clip(tmp_path / "in.mkv", [np.full((48, 64, 3), 100, np.uint8)] * 6)
    result = clip(tmp_path / "out.mkv", [np.full((48, 64, 3), 120, np.uint8)] * 6)
    found = evaluate(source, result)
    assert found.difference.edit == pytest.approx(20 / 255, abs=1 / 255)
    assert found.flicker is not None
    assert (found.flicker.edit_warp, found.flicker.max_jump) == pytest.approx((0, 0), abs=1e-12)


def test_the_edit_of_a_video_is_one_number_over_all_its_frames(tmp_path: Path) -> None:
    # Of 40 frames every third is measured as a still; only those after each are changed.
    source = clip(tmp_path / "in.mkv", [np.full((48, 64, 3), 100, np.uint8)] * 40)
    result = clip(tmp_path / "out.mkv", [np.full((48, 64, 3), 100 + 40 * (t % 3 == 1), np.uint8) for t in range(40)])
    found = evaluate(source, result)
    assert found.flicker is not None
    assert found.difference.edit == found.flicker.edit == pytest.approx(13 / 40 * 40 / 255, abs=1 / 255)
    assert found.flicker.edit_warp_share == pytest.approx(found.flicker.edit_warp / found.difference.edit)


def test_shots_of_a_video_may_be_listed(tmp_path: Path, frames: list[np.ndarray]) -> None:
    source = clip(tmp_path / "in.mkv", frames)
    cuts = tmp_path / "cuts.txt"
    cuts.write_text("4\n00:00:00.500\n20\n")  # at 24 frames/s
    found = evaluate(source, source, cuts=cuts)
    assert found.flicker is not None
    assert (found.flicker.cuts, found.flicker.pairs) == ((4, 12), 17)
    assert any("1 of its cuts lie behind the clip's 20 frames" in note for note in found.notes)
    still = picture(tmp_path / "in.png", frames[0])
    with pytest.raises(UsageError, match="a picture has no shots"):
        evaluate(still, still, cuts=cuts)


def test_a_flashing_result_is_found_as_flicker(tmp_path: Path) -> None:
    source = clip(tmp_path / "in.mkv", [np.full((48, 64, 3), 100, np.uint8)] * 6)
    result = clip(tmp_path / "out.mkv", [np.full((48, 64, 3), 100 + 20 * (t % 2), np.uint8) for t in range(6)])
    flicker = evaluate(source, result).flicker
    assert flicker is not None
    assert flicker.max_jump == pytest.approx(20 / 255, abs=1 / 255)
    assert flicker.edit_warp_share == pytest.approx(2, abs=0.01)


def test_formats_of_source_and_result_may_differ(tmp_path: Path) -> None:
    source = clip(tmp_path / "in.mkv", [np.full((48, 64, 3), 100, np.uint8)] * 3, "yuv420p")
    result = clip(tmp_path / "out.mkv", [np.full((48, 64, 3), 100, np.uint8)] * 3, "yuv444p10le")
    assert evaluate(source, result).difference.edit < 1 / 255


def test_a_picture_against_itself_is_unchanged(tmp_path: Path, frames: list[np.ndarray]) -> None:
    source = picture(tmp_path / "in.png", frames[0])
    found = evaluate(source, source, source)
    assert (found.frames, found.stills, found.flicker, found.iqa) == (1, 1, None, None)
    assert found.difference.edit == 0
    assert found.distance is not None
    assert found.distance.ab == 0


def test_large_pictures_are_measured_smaller(tmp_path: Path) -> None:
    wide = np.tile(np.linspace(40, 200, 3000).astype(np.uint8)[None, :, None], (8, 1, 3))
    source, result = picture(tmp_path / "in.png", wide), picture(tmp_path / "out.png", wide + np.uint8(10))
    assert evaluate(source, result).difference.edit == pytest.approx(10 / 255, abs=1e-6)


def test_other_sizes_are_refused_and_both_are_named(tmp_path: Path, frames: list[np.ndarray]) -> None:
    small = [frame[:32] for frame in frames]
    with pytest.raises(InputError, match=r"in.mkv is 96x64 and .*out.mkv is 96x32"):
        evaluate(clip(tmp_path / "in.mkv", frames), clip(tmp_path / "out.mkv", small))
    with pytest.raises(InputError, match=r"in.png is 96x64 and .*out.png is 96x32"):
        evaluate(picture(tmp_path / "in.png", frames[0]), picture(tmp_path / "out.png", small[0]))


def test_other_counts_are_refused_and_both_are_named(tmp_path: Path, frames: list[np.ndarray]) -> None:
    source, result = clip(tmp_path / "in.mkv", frames), clip(tmp_path / "out.mkv", frames[:17])
    with pytest.raises(InputError, match=r"in.mkv has 20 frames and .*out.mkv has 17"):
        evaluate(source, result)
    declared = write_clip(tmp_path / "in.mp4", frames), write_clip(tmp_path / "out.mp4", frames[:17])
    with pytest.raises(InputError, match=r"in.mp4 has 20 frames and .*out.mp4 has 17"):
        evaluate(*declared)


def test_a_picture_is_not_compared_with_a_video(tmp_path: Path, frames: list[np.ndarray]) -> None:
    with pytest.raises(UsageError, match=r"in.png is a picture and .*out.mkv a video"):
        evaluate(picture(tmp_path / "in.png", frames[0]), clip(tmp_path / "out.mkv", frames))


def test_a_reference_that_can_not_be_read_is_named_as_one(tmp_path: Path, frames: list[np.ndarray]) -> None:
    source = picture(tmp_path / "in.png", frames[0])
    with pytest.raises(ReferenceError, match=r"none\.jpg"):
        evaluate(source, source, tmp_path / "none.jpg")


def test_a_video_without_opencv_is_refused_before_decoding(
    tmp_path: Path, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(UsageError, match="opencv-python-headless"):
        evaluate(tmp_path / "missing.mkv", tmp_path / "missing too.mkv")
    source = picture(tmp_path / "in.png", frames[0])
    assert evaluate(source, source).difference.edit == 0


def test_quality_scores_without_pyiqa_say_how_to_get_them(
    tmp_path: Path, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    source = picture(tmp_path / "in.png", frames[0])
    with pytest.raises(UsageError, match="pip install pyiqa"):
        evaluate(source, source, iqa=True)


def test_quality_scores_are_pyiqas_of_source_and_result(
    tmp_path: Path, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def create_metric(name: str, device: object) -> object:
        asked.append(name)
        return lambda tensor: tensor.mean() * len(asked)

    fake = ModuleType("pyiqa")
    fake.create_metric = create_metric  # type: ignore[attr-defined]
    torch = SimpleNamespace(device=lambda name: name, no_grad=_Nothing, from_numpy=lambda array: array)
    monkeypatch.setitem(sys.modules, "pyiqa", fake)
    monkeypatch.setitem(sys.modules, "torch", torch)
    black = picture(tmp_path / "in.png", np.zeros((8, 8, 3), np.uint8))
    white = picture(tmp_path / "out.png", np.full((8, 8, 3), 255, np.uint8))
    found = evaluate(black, white, iqa=True)
    assert asked == ["brisque", "clipiqa+", "cnniqa", "dbcnn", "musiq", "nima"]
    assert found.iqa is not None
    assert found.iqa["nima"] == (0, pytest.approx(6))
    assert found.as_dict()["iqa"]["nima"] == {"source": 0, "result": pytest.approx(6)}


class _Nothing:
    def __enter__(self) -> None: ...
    def __exit__(self, *reason: object) -> None: ...


def test_json_is_one_object_with_every_figure(tmp_path: Path, frames: list[np.ndarray]) -> None:
    source, result = clip(tmp_path / "in.mkv", frames), clip(tmp_path / "out.mkv", [255 - f for f in frames])
    reference = picture(tmp_path / "ref.png", frames[3])
    shown = CliRunner().invoke(app, ["evaluate", str(source), str(result), "--ref", str(reference), "--json", "-q"])
    assert shown.exit_code == 0
    found = json.loads(shown.stdout)
    assert found["frames"] == 20
    assert found["difference"]["structure"] < -0.5
    assert found["flicker"]["edit_warp_share"] > 0
    assert found["distance"]["ab_share"] == found["distance"]["ab"] / found["distance"]["ab_source"]


def test_the_table_names_every_figure(tmp_path: Path, frames: list[np.ndarray]) -> None:
    source, result = clip(tmp_path / "in.mkv", frames), clip(tmp_path / "out.mkv", frames)
    reference = picture(tmp_path / "ref.png", frames[3])
    shown = CliRunner().invoke(app, ["evaluate", str(source), str(result), "--ref", str(reference)])
    assert shown.exit_code == 0
    names = [line.split("  ")[0] for line in shown.stdout.splitlines()[1:]]
    assert names == [
        "edit", "consistency L", "consistency RGB", "fading a", "fading b", "banding", "new clipping", "structure",
        "distance ab", "distance Lab", "drift", "edit-warp", "max jump", "noise gain", "warp error", "pairs of frames",
    ]  # fmt: skip


def test_figures_that_there_are_not_have_a_reason_in_the_table(tmp_path: Path, frames: list[np.ndarray]) -> None:
    still = clip(tmp_path / "in.mkv", frames[:1] * 6)
    shown = CliRunner().invoke(app, ["evaluate", str(still), str(still)])
    assert "no noise" in next(line for line in shown.stdout.splitlines() if line.startswith("noise gain"))
    one, other = picture(tmp_path / "in.png", frames[0]), picture(tmp_path / "out.png", 255 - frames[0])
    shown = CliRunner().invoke(app, ["evaluate", str(one), str(other), "--ref", str(one)])
    line = next(line for line in shown.stdout.splitlines() if line.startswith("distance ab"))
    assert line.endswith("- of the source's 0.00")


def test_numbered_pictures_are_a_video_on_either_side(tmp_path: Path, frames: list[np.ndarray]) -> None:
    video = write_clip(tmp_path / "in.mkv", frames[:5], codec="ffv1", pix_fmt="bgr0")
    for number, frame in enumerate(frames[:5], 1):
        picture(tmp_path / f"g_{number:05d}.png", frame)
    numbered = tmp_path / "g_%05d.png"
    for source, result in ((video, numbered), (numbered, video), (numbered, numbered)):
        found = evaluate(source, result)
        assert (found.source, found.result, found.frames) == (source, result, 5)
        assert found.difference.edit < 1e-9
        assert found.flicker is not None
        assert found.flicker.pairs == 4


def test_what_is_no_video_is_not_called_one(tmp_path: Path, frames: list[np.ndarray]) -> None:
    (tmp_path / "gen.py").write_text("print()")
    with pytest.raises(InputError, match=r"gen\.py: can't be opened as a video"):
        evaluate(tmp_path / "gen.py", picture(tmp_path / "in.png", frames[0]))
    with pytest.raises(UsageError, match="what comes from a pipe"):
        evaluate("-", tmp_path / "in.png")


def test_a_reference_that_is_no_picture_is_told_so(tmp_path: Path, frames: list[np.ndarray]) -> None:
    source = picture(tmp_path / "in.png", frames[0])
    with pytest.raises(ReferenceError, match=r"ref\.mkv: is no picture, and only to a picture"):
        evaluate(source, source, clip(tmp_path / "ref.mkv", frames))


def test_evaluate_is_part_of_the_public_api() -> None:
    assert streamct.evaluate is evaluate
