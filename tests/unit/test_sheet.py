"""Lettering, scopes and the layout of sheets."""

from __future__ import annotations

import string

import numpy as np
import pytest

from streamct import sheet
from streamct.color.correspondence import Correspondence
from streamct.lettering import fitted, text_width, write
from streamct.model import Palette
from streamct.scopes import BACK, parade, vectorscope
from streamct.sheet import Heading, Match, Pair, cell_size, fit, outlined, pair_sheet, pictures_per_row, variant_sheet

PRINTED = string.ascii_letters + string.digits + ".,:;-_/\\+=()[]%*'\"#<>!?~→·×±{}&@"


def inked(text: str, height: int = 11) -> np.ndarray:
    canvas = np.zeros((30, 40 + text_width(text, height), 3), np.uint8)
    write(canvas, text, 10, 8, height, (255, 255, 255))
    return canvas[..., 0]


def test_every_character_has_a_shape_of_its_own() -> None:
    shapes = {character: inked(character).tobytes() for character in PRINTED}
    assert all(np.frombuffer(shape, np.uint8).max() > 200 for shape in shapes.values())
    assert len(set(shapes.values())) == len(PRINTED)


def test_accents_are_left_off_and_what_is_unknown_is_a_box() -> None:
    assert np.array_equal(inked("Grün"), inked("Grun"))
    assert np.array_equal(inked("漢"), inked("字"))
    assert inked("漢").max() > 200


def test_text_stays_within_its_width_and_off_the_canvas_nothing_happens() -> None:
    canvas = inked("Wide Mm 0123")
    assert canvas[:, : 10 + text_width("Wide Mm 0123", 11)].any()
    assert not canvas[:, 11 + text_width("Wide Mm 0123", 11) :].any()
    write(np.zeros((10, 10, 3), np.uint8), "outside", -20, 50, 11, (255, 255, 255))


def test_long_names_are_cut_in_the_middle() -> None:
    name = "a_very_long_name_of_a_clip_from_a_camera_0001.mp4"
    short = fitted(name, 11, 200)
    assert text_width(short, 11) <= 200
    assert short.startswith("a_very")
    assert short.endswith("01.mp4")
    assert fitted("short.mp4", 11, 200) == "short.mp4"


def test_a_parade_shows_each_channel_at_its_value() -> None:
    flat = np.full((20, 40, 3), (1.0, 0.5, 0.0), np.float32)
    scope = parade([flat], 200, 106).astype(int)
    bright = [(scope[..., c] > 150) & (scope[..., c] > scope[..., (c + 1) % 3] + 40) for c in range(3)]
    rows = [np.flatnonzero(channel.any(axis=1)) for channel in bright]
    assert rows[0].tolist() == [5]
    assert abs(rows[1][0] - 52) <= 1
    assert rows[2].tolist() == [100]


def test_a_vectorscope_puts_grey_in_the_middle_and_bars_in_their_boxes() -> None:
    empty = vectorscope([], 141).astype(int)
    grey = vectorscope([np.full((4, 4, 3), 0.4, np.float32)], 141).astype(int)
    assert np.argwhere(np.abs(grey - empty).sum(axis=2) > 100).tolist() == [[70, 70]]
    red = vectorscope([np.full((4, 4, 3), (0.75, 0, 0), np.float32)], 141).astype(int)
    (spot,) = np.argwhere(np.abs(red - empty).sum(axis=2) > 100)
    corners = np.argwhere((empty[..., 0] == 150) & (empty[..., 1] == 150))
    assert np.abs(corners - spot).max(axis=1).min() == 3
    assert spot[0] < 40  # red: Cr up
    assert tuple(empty[0, 0]) == BACK


def test_fit_keeps_the_aspect_and_the_mean() -> None:
    picture = np.random.default_rng(2).random((90, 160, 3)).astype(np.float32)
    assert fit(picture, 80, 80).shape == (45, 80, 3)
    np.testing.assert_allclose(
        fit(picture, 80, 80).mean((0, 1), np.float64), picture.mean((0, 1), np.float64), atol=1e-6
    )
    assert fit(picture, 320, 400).shape == (180, 320, 3)
    assert fit(np.full((1, 1, 3), 0.5, np.float32), 7, 7).shape == (7, 7, 3)
    np.testing.assert_allclose(fit(picture, 160, 90), picture, atol=1e-6)


def palette(*colours: tuple[float, float, float]) -> Palette:
    return Palette(np.array(colours, np.float64), np.full(len(colours), 1 / len(colours)))


@pytest.mark.parametrize("aspect", [16 / 9, 9 / 16, 4.0])
def test_a_sheet_is_1280_wide_and_shows_pictures_and_palettes(aspect: float) -> None:
    width, height = cell_size(aspect, pictures_per_row(aspect))
    source = np.full((height, width, 3), (1, 0, 0), np.float32)
    graded = np.full((height, width, 3), (0, 1, 0), np.float32)
    own, wanted = palette((50.0, 60, 0), (80.0, 0, 0)), palette((30.0, 0, -60))
    meeting = Correspondence(own.colours, np.array([[30.0, 0, -60], [30, 0, -60]]))
    match = Match(own, wanted, meeting, np.array([[45.0, 0, -60], [60, 0, -60]]))
    reference = np.full((50, 80, 3), (0, 0, 1), np.float32)
    sheet = pair_sheet(Heading("a → b", "settings"), [Pair(source, graded, "00:00:01.000")] * 3, reference, [match])
    assert sheet.shape[1:] == (1280, 3)
    assert sheet.dtype == np.uint8
    for colour, pictures in (((255, 0, 0), 3), ((0, 255, 0), 3)):
        assert (sheet == colour).all(axis=2).sum() == pictures * width * height
    assert (sheet == (0, 0, 255)).all(axis=2).sum() > 200 * 300


def test_a_variant_sheet_has_a_row_for_each_frame() -> None:
    source, graded = (np.full((90, 160, 3), c, np.float32) for c in ((1, 0, 0), (0, 1, 0)))
    rows = [("00:00:01.000", source, [("strength 0.5", graded), ("strength 1", graded), ("strength 2", graded)])] * 2
    sheet = variant_sheet(Heading("a → b", ""), rows, np.full((50, 80, 3), (0, 0, 1), np.float32))
    assert (sheet == (255, 0, 0)).all(axis=2).sum() == 2 * 90 * 160
    assert (sheet == (0, 255, 0)).all(axis=2).sum() == 6 * 90 * 160


def test_settings_and_labels_take_as_many_lines_as_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(sheet, "write", lambda canvas, text, *_: written.append(text))
    grey = np.full((100, 160, 3), 0.5, np.float32)
    parts = [f"setting number {k}" for k in range(12)]
    label = "preset film · strength 0.5 · chroma 0.25"
    variant_sheet(Heading("title", " · ".join(parts)), [("0", grey, [(label, grey)])], grey)
    lines = [text for text in written if "setting" in text]
    assert len(lines) > 1
    assert " · ".join(lines).split(" · ") == parts
    assert [text for text in written if "preset" in text or "chroma" in text] == ["preset film", "chroma 0.25"]
    assert "strength 0.5" in written
    assert not any("..." in text for text in written)


def test_a_line_parts_the_foreground_from_the_rest() -> None:
    picture = np.full((20, 30, 3), 0.5, np.float32)
    matte = np.zeros((20, 30), np.uint8)
    matte[5:, 10:20] = 255
    drawn = outlined(picture, matte)
    assert (drawn[5, 10:20] == 1).all()
    assert (drawn[6:, [10, 19]] == 1).all()
    assert (drawn[4, 10:20] == 0).all()
    assert (drawn[6:, [9, 20]] == 0).all()
    assert (drawn[7:, 12:18] == 0.5).all()  # also where the picture ends
    assert (picture == 0.5).all()
    assert outlined(picture, None) is picture
    assert (outlined(picture, np.zeros_like(matte)) == picture).all()
