"""References: which file, how much of it, and what several of them make together."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import moving_picture, write_clip
from networks import RedIsForeground

from streamct.color.lab import srgb_to_lab
from streamct.errors import LookFileError, ReferenceError, UsageError
from streamct.grade.lookfile import palette_file
from streamct.grade.looktext import write_document
from streamct.media.image import read_picture, save_png
from streamct.model import Palette
from streamct.pipeline import picture_palette
from streamct.references import Reference, look, parse_reference, references
from streamct.run import picture_look
from streamct.settings import Settings, load

FILM = Settings()
RED, BLUE = (200, 60, 40), (40, 70, 180)


def flat(colour: tuple[int, int, int], height: int = 64, width: int = 96) -> np.ndarray:
    return np.broadcast_to(np.array(colour, np.uint8), (height, width, 3)).copy()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("references")
    save_png(folder / "red.png", flat(RED))
    save_png(folder / "blue.png", flat(BLUE, 200, 300))
    save_png(folder / "many.png", moving_picture(1)[0])
    write_clip(folder / "two.mkv", [flat(RED)] * 36 + [flat(BLUE)] * 36, codec="ffv1", pix_fmt="yuv444p")
    write_clip(folder / "long.mp4", [flat(RED)] * 100 + [flat(BLUE)] * 100)
    return folder


def share(palette: Palette, colour: tuple[int, int, int]) -> float:
    """Weight of the colours within 6 Delta E."""
    near = np.linalg.norm(palette.colours - srgb_to_lab(np.array(colour) / 255), axis=1) < 6
    return float(palette.weights[near].sum())


@pytest.mark.parametrize(
    ("text", "path", "weight"),
    [
        ("a.jpg", "a.jpg", 1.0),
        ("a.jpg:0.5", "a.jpg", 0.5),
        ("a.jpg:.25", "a.jpg", 0.25),
        ("dir/a.jpg:2", "dir/a.jpg", 2.0),
        ("C:\\pictures\\a.jpg", "C:\\pictures\\a.jpg", 1.0),
        ("C:\\pictures\\a.jpg:3", "C:\\pictures\\a.jpg", 3.0),
        ("take:7b.png", "take:7b.png", 1.0),
        ("take:7.png:2", "take:7.png", 2.0),
    ],
)
def test_a_weight_is_what_follows_the_last_colon_if_that_is_a_number(text: str, path: str, weight: float) -> None:
    assert parse_reference(text) == Reference(Path(path), weight)


def test_a_file_of_that_very_name_is_a_path_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shot:12").touch()
    assert parse_reference("shot:12") == Reference(Path("shot:12"), 1.0)
    assert parse_reference("shot:12:0.5") == Reference(Path("shot:12"), 0.5)


@pytest.mark.parametrize(
    ("given", "span", "said"),
    [
        (["a.jpg:0"], {}, "a.jpg:0: a reference's weight should be above 0"),
        ([], {}, "no reference"),
        (None, {}, "no reference"),
        (["a.mp4"], {"start": "soon"}, "--ref-from soon: should be a time"),
        (["a.mp4"], {"start": "10", "stop": "00:05"}, "--ref-to 00:05: should lie after --ref-from 10"),
    ],
)
def test_what_is_no_reference_is_refused(given: list[str] | None, span: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        references(given, **span)
    assert said in str(caught.value)


@pytest.mark.parametrize("preset", ["film", "paper"])
def test_one_picture_gives_the_palette_that_it_always_gave(folder: Path, preset: str) -> None:
    settings = load(preset)
    expected, _ = picture_look(read_picture(folder / "many.png").rgb, settings, None)
    found = look(references(folder / "many.png"), settings).palettes
    np.testing.assert_array_equal(found.whole.colours, expected.whole.colours)
    np.testing.assert_array_equal(found.whole.weights, expected.whole.weights)


def test_a_palette_file_stands_in_for_its_picture_to_the_last_bit(folder: Path, tmp_path: Path) -> None:
    seen = look(references(folder / "many.png"), FILM)
    write_document(tmp_path / "look.json", palette_file(seen.palettes, []))
    found = look(references(tmp_path / "look.json"), FILM).palettes.whole
    np.testing.assert_array_equal(found.colours, picture_palette(folder / "many.png").colours)
    np.testing.assert_array_equal(found.weights, picture_palette(folder / "many.png").weights)


@pytest.mark.parametrize("preset", ["film", "paper"])
def test_references_count_by_their_weights_and_not_by_their_sizes(folder: Path, preset: str) -> None:
    both = references([str(folder / "red.png"), f"{folder / 'blue.png'}:0.5"])
    found = look(both, load(preset)).palettes.whole
    assert share(found, RED) == pytest.approx(2 / 3, abs=1e-6)
    assert share(found, BLUE) == pytest.approx(1 / 3, abs=1e-6)


def test_a_palette_and_a_picture_mix_too(folder: Path, tmp_path: Path) -> None:
    seen = look(references(folder / "blue.png"), FILM)
    write_document(tmp_path / "blue.json", palette_file(seen.palettes, []))
    found = look(references([str(folder / "red.png"), f"{tmp_path / 'blue.json'}:3"]), FILM).palettes.whole
    assert share(found, BLUE) == pytest.approx(3 / 4, abs=1e-6)


def test_a_picture_mixed_with_itself_has_its_own_colours(folder: Path) -> None:
    path = str(folder / "many.png")
    twice = look(references([path, f"{path}:0.25"]), FILM).palettes.whole
    once = picture_palette(folder / "many.png")
    assert len(twice) >= len(once)
    for colour, weight in zip(once.colours, once.weights, strict=True):
        assert np.linalg.norm(twice.colours - colour, axis=1).min() < 12 or weight < 0.01


@pytest.mark.parametrize("name", ["two.mkv", "long.mp4"])
def test_a_video_counts_with_all_its_shots(folder: Path, name: str) -> None:
    warnings: list[str] = []
    found = look(references(folder / name), FILM, warn=warnings.append)
    assert share(found.palettes.whole, RED) == pytest.approx(0.5, abs=0.03)
    assert share(found.palettes.whole, BLUE) == pytest.approx(0.5, abs=0.03)
    assert warnings == []
    assert found.picture.ndim == 3


def test_of_a_video_only_the_span_counts(folder: Path) -> None:
    first = look(references(folder / "two.mkv", stop="1.5"), FILM).palettes.whole
    last = look(references(folder / "two.mkv", start="1.5"), FILM).palettes.whole
    assert share(first, RED) == 1
    assert share(last, BLUE) == 1


def test_what_is_decoded_of_a_long_clip_is_bounded_and_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamct.reference_frames._BUDGET", 96 * 64 * 60.0)
    warnings: list[str] = []
    found = look(references(folder / "long.mp4"), FILM, warn=warnings.append).palettes.whole
    assert len(warnings) == 1
    assert "frames were looked at" in warnings[0]
    assert share(found, RED) > 0


def test_a_span_without_a_video_or_behind_its_end_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="are for a reference video"):
        look(references(folder / "red.png", start="1"), FILM)
    with pytest.raises(UsageError, match=r"--ref-from 100: .*two.mkv ends at 3.000 s"):
        look(references(folder / "two.mkv", start="100"), FILM)


def test_a_black_video_has_no_colour_to_go_by(tmp_path: Path) -> None:
    write_clip(tmp_path / "black.mkv", [flat((0, 0, 0))] * 4, codec="ffv1", pix_fmt="yuv444p")
    with pytest.raises(ReferenceError, match="all of it is black"):
        look(references(tmp_path / "black.mkv"), FILM)


def test_a_mask_belongs_to_one_picture(folder: Path) -> None:
    with pytest.raises(UsageError, match="belongs to one picture"):
        look(references([folder / "red.png", folder / "blue.png"]), FILM, folder / "red.png")
    with pytest.raises(UsageError, match="belongs to one picture"):
        look(references(folder / "two.mkv"), FILM, folder / "red.png")


class Redder(RedIsForeground):
    def segment(self, proxies: Any) -> Any:
        return (proxies[..., 0] > proxies[..., 2]).astype(np.float32)


def test_a_video_has_a_foreground_too(tmp_path: Path) -> None:
    half = flat(RED)
    half[:, 60:] = BLUE
    write_clip(tmp_path / "half.mkv", [half] * 6, codec="ffv1", pix_fmt="yuv444p")
    found = look(references(tmp_path / "half.mkv"), FILM, network=Redder())  # type: ignore[arg-type]
    assert found.share == pytest.approx(60 / 96, abs=0.03)
    assert found.palettes.split is not None
    assert share(found.palettes.split[0], RED) > 0.95
    assert share(found.palettes.split[1], BLUE) > 0.95
    assert found.segmenter == Redder.name
    assert found.matte is not None  # of the frame that is shown
    assert found.matte.mean() == pytest.approx(255 * 60 / 96, abs=8)


def test_several_references_have_a_foreground_and_a_segmenter_together(folder: Path, tmp_path: Path) -> None:
    half = flat(RED)
    half[:, 60:] = BLUE
    save_png(tmp_path / "half.png", half)
    write_clip(tmp_path / "half.mkv", [half] * 3, codec="ffv1", pix_fmt="yuv444p")
    both = references([tmp_path / "half.png", tmp_path / "half.mkv"])
    found = look(both, FILM, network=Redder())  # type: ignore[arg-type]
    assert found.palettes.split is not None
    assert found.segmenter == Redder.name
    assert found.matte is not None  # the mattes lie beside each other, as the pictures do
    assert found.matte.shape == found.picture.shape[:2]
    red = found.picture[..., 0] > found.picture[..., 2]
    assert (red == (found.matte > 127)).mean() > 0.97
    plain = look(both, FILM)
    assert (plain.segmenter, plain.matte) == ("none", None)


def test_files_that_are_no_reference_are_said_to_be(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video at all")
    (tmp_path / "text.txt").write_text("no picture")
    (tmp_path / "empty.json").touch()
    for name, error, said in (
        ("broken.mp4", ReferenceError, "broken.mp4"),
        ("text.txt", ReferenceError, "is not a picture"),
        ("none.mp4", ReferenceError, "no such file"),
        ("empty.json", LookFileError, "is empty"),
    ):
        with pytest.raises(error, match=said):
            look(references(tmp_path / name), FILM)


def test_times_are_read_as_players_write_them() -> None:
    found = references(Path("a.mp4"), start="01:02.5", stop="1:00:00")
    assert (found.start, found.stop) == (Fraction(125, 2), 3600)
