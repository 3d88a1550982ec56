"""Palettes and maps on disk: what is written, what may be edited, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamct.color.lab import srgb_to_lab
from streamct.errors import LookFileError
from streamct.grade.bake import Looked
from streamct.grade.lookfile import MapFile, MappedShot, Origin, palette_file
from streamct.grade.looktext import document_text, read_map, read_palette, write_document
from streamct.grade.mapped import mappings_of, reference_of
from streamct.grade.regions import Palettes
from streamct.model import Palette
from streamct.settings import Settings


def palette(seed: int, size: int = 5) -> Palette:
    rng = np.random.default_rng(seed)
    weights = np.sort(rng.random(size))[::-1]
    return Palette(srgb_to_lab(rng.random((size, 3))), weights / weights.sum())


WANTED = Palettes(palette(1), (palette(2), palette(3)))


@pytest.fixture
def look(tmp_path: Path) -> Path:
    write_document(tmp_path / "look.json", palette_file(WANTED, [Origin(name="ref.jpg")], "matte", 0.4))
    return tmp_path / "look.json"


@pytest.fixture(name="map")
def _map(tmp_path: Path) -> Path:
    shots = []
    for start, stop, seed in ((0, 10, 4), (10, None, 6)):
        looked = Looked(palette(seed), (palette(seed + 1), None), 128)
        maps, apart = mappings_of(looked, WANTED, Settings())
        shots.append(MappedShot(start=start, stop=stop, seconds=start / 24, apart=apart, mappings=maps))
    reference = reference_of(WANTED)
    document = MapFile(format="streamct map", version=1, reference=reference, shots=shots)
    write_document(tmp_path / "map.json", document)
    return tmp_path / "map.json"


def edited(path: Path, change: Callable[[Any], object]) -> Path:
    """The file after a change to its JSON."""
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    return path


def first(values: Any) -> Any:
    """The first colour of the first mapping."""
    return values["shots"][0]["mappings"][0]["colours"][0]


def test_a_palette_comes_back_to_the_last_bit(look: Path) -> None:
    back = read_palette(look).read()
    assert back.split is not None
    assert WANTED.split is not None
    for ours, theirs in zip((back.whole, *back.split), (WANTED.whole, *WANTED.split), strict=True):
        np.testing.assert_array_equal(ours.colours, theirs.colours)
        np.testing.assert_array_equal(ours.weights, theirs.weights)


def test_what_is_read_is_written_as_it_was(look: Path, map: Path) -> None:
    assert document_text(read_palette(look)) == look.read_text()
    assert document_text(read_map(map)) == map.read_text()


def test_a_file_is_lines_that_people_can_read(look: Path) -> None:
    lines = look.read_text().splitlines()
    assert lines[1:3] == ['  "format": "streamct palette",', '  "version": 1,']
    assert max(map(len, lines)) <= 140


def test_a_palette_may_be_written_by_hand_with_hex_alone(tmp_path: Path) -> None:
    path = tmp_path / "look.json"
    colours = [{"hex": "#FF8000", "weight": 1}, {"hex": "#004080", "weight": 3}]
    path.write_text(
        json.dumps({"format": "streamct palette", "version": 1, "palettes": [{"region": "whole", "colours": colours}]})
    )
    found = read_palette(path).read().whole
    np.testing.assert_allclose(found.weights, [0.75, 0.25])
    np.testing.assert_allclose(found.colours[1], srgb_to_lab(np.array([255, 128, 0]) / 255))


def test_nothing_is_held_as_long_as_nothing_is_edited(map: Path) -> None:
    assert all(len(mapping.held) == 0 for shot in read_map(map).shots for mapping in shot.mappings)


def test_an_edited_hex_counts_though_lab_stands_beside_it(map: Path) -> None:
    found = read_map(edited(map, lambda v: first(v)["target"].update(hex="#204080"))).shots[0].mappings[0]
    np.testing.assert_allclose(found.held.targets, srgb_to_lab(np.array([[32, 64, 128]]) / 255))
    np.testing.assert_array_equal(found.held.sources[0], palette(4).colours[0])


def test_an_edited_lab_counts_though_hex_stands_beside_it(map: Path) -> None:
    found = read_map(edited(map, lambda v: first(v)["target"].update(lab=[50, 10, -20]))).shots[0].mappings[0]
    np.testing.assert_array_equal(found.held.targets, [[50, 10, -20]])


def test_a_locked_colour_is_held_where_it_is(map: Path) -> None:
    target = read_map(map).shots[0].mappings[0].colours[0].goal
    found = read_map(edited(map, lambda v: first(v).update(locked=True))).shots[0].mappings[0]
    np.testing.assert_array_equal(found.held.targets, [target])


def test_an_added_colour_is_held_and_has_no_say_in_the_palette(map: Path) -> None:
    added = {"source": {"hex": "#336699"}, "target": {"hex": "#996633"}}
    change = lambda v: v["shots"][0]["mappings"][0]["colours"].append(added)  # noqa: E731
    found = read_map(edited(map, change)).shots[0].mappings[0]
    np.testing.assert_allclose(found.held.sources, srgb_to_lab(np.array([[0x33, 0x66, 0x99]]) / 255))
    assert found.palette is not None
    np.testing.assert_array_equal(found.palette.colours, palette(4).colours)


def test_a_forbidden_colour_is_no_part_of_the_reference(map: Path) -> None:
    change = lambda v: v["reference"][0]["colours"][1].update(forbidden=True)  # noqa: E731
    wanted = read_map(edited(map, change)).wanted()
    assert wanted is not None
    np.testing.assert_array_equal(wanted.whole.colours, np.delete(WANTED.whole.colours, 1, axis=0))
    assert wanted.whole.weights.sum() == pytest.approx(1)


def colour(values: Any) -> Any:
    return values["palettes"][0]["colours"][0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: colour(v).update(wieght=1), "palettes[0].colours[0].wieght: is no field of this format; did you"),
        (lambda v: v.update(zzz=1), "zzz: is no field of this format; delete it"),
        (lambda v: colour(v)["lab"].__setitem__(1, float("nan")), "palettes[0].colours[0].lab[1]: is nan"),
        (lambda v: colour(v).update(weight=float("inf")), "palettes[0].colours[0].weight: is inf"),
        (lambda v: colour(v).update(lab=[120, 0, 0]), "palettes[0].colours[0]: L* 120 is out of range, 0..100"),
        (lambda v: colour(v).update(lab=[50, 0, -900]), "b* -900 is out of range"),
        (lambda v: colour(v).update(hex="#ffggff"), "is no colour; write it as #rrggbb"),
        (lambda v: colour(v).update(hex="#123456"), "but hex says #123456: change one of them and delete the other"),
        (lambda v: colour(v).update(weight=0), "weight = 0"),
        (lambda v: colour(v).update(weight="much"), 'weight = "much": input should be a valid number'),
        (lambda v: (colour(v).pop("lab"), colour(v).pop("hex")), "holds no colour: give lab, hex or both"),
        (lambda v: v["palettes"][0]["colours"].append(colour(v)), "colours[5] is the same colour as palettes[0].col"),
        (lambda v: v["palettes"][0].update(colours=[]), "palettes[0].colours = []: list should have at least 1 item"),
        (lambda v: v["palettes"][0].update(region="sky"), "palettes[0].region = \"sky\": input should be 'whole'"),
        (lambda v: v["palettes"].append(v["palettes"][0]), "palettes[3] is the same region as palettes[0]"),
        (lambda v: v["palettes"].pop(0), 'palettes: the region "whole" is missing'),
        (lambda v: v["palettes"].pop(), "foreground and background go together"),
        (lambda v: v.pop("palettes"), "palettes: is missing"),
        (lambda v: v.update(version=2), "is a palette of version 2, this streamct reads version 1"),
        (lambda v: v.update(version=True), "is a palette of version True"),
        (lambda v: v.update(format="streamct map"), 'is no palette: "format" is not "streamct palette" but \'strea'),
    ],
)
def test_a_palette_that_cannot_be_is_refused_with_the_place(look: Path, change: Callable[[Any], object], said: str):
    with pytest.raises(LookFileError) as caught:
        read_palette(edited(look, change))
    assert str(look) in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: first(v).update(loked=True), "loked: is no field of this format; did you mean 'locked'?"),
        (lambda v: first(v).update(locked="yes"), 'locked = "yes": input should be a valid boolean'),
        (lambda v: first(v)["target"].update(lab=[1, 2, float("nan")]), "colours[0].target.lab[2]: is nan"),
        (lambda v: first(v)["target"].update(lab=[50, 0, 0], hex="#ff0000"), "but hex says #ff0000"),
        (lambda v: first(v)["source"].update(hex="#ff0000"), "source: lab is "),
        (lambda v: first(v).pop("target"), "target: is missing"),
        (lambda v: v["shots"][0]["mappings"][0]["colours"].append(first(v)), "has the source colour of colours[0]"),
        (lambda v: v["shots"][1].update(start=12), "shots[1].start is 12, but should be 10"),
        (lambda v: v["shots"][0].update(stop=None), "shots[0].stop is null, which only the last shot's may be"),
        (lambda v: v["shots"][1].update(stop=4), "stop 4 does not lie after start 10"),
        (lambda v: v.update(shots=[]), "shots = []"),
        (lambda v: v["shots"][0].update(start=-1), "shots[0].start = -1"),
        (lambda v: v["shots"][0].update(apart=1.5), "shots[0].apart = 1.5"),
        (lambda v: [c.update(forbidden=True) for c in v["reference"][0]["colours"]], "all its colours are forbidden"),
    ],
)
def test_a_map_that_cannot_be_is_refused_with_the_place(map: Path, change: Callable[[Any], object], said: str) -> None:
    with pytest.raises(LookFileError) as caught:
        read_map(edited(map, change))
    assert str(map) in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty. `streamct palette` writes one."),
        ("   \n", "is empty"),
        ('{"format": "streamct palette",\n "version" 1}', "line 2, column 12: is no JSON"),
        ("[]", "is no palette"),
        ("null", "is no palette"),
        ('{"format": "streamct palette", "version": 1, "version": 1}', "the field 'version' stands twice in one place"),
        ('{"version": ' + "9" * 5000 + "}", "holds a number that is none"),
        ("[" * 100_000, "is nested too deeply"),
    ],
)
def test_what_is_no_json_of_ours_is_said_to_be_none(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "look.json"
    path.write_text(text)
    with pytest.raises(LookFileError) as caught:
        read_palette(path)
    assert said in str(caught.value)


def test_a_file_that_is_missing_or_of_bytes_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(LookFileError, match="no such palette"):
        read_palette(tmp_path / "none.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(LookFileError, match="can't be read as a palette"):
        read_palette(tmp_path / "bytes.json")


def test_many_mistakes_are_told_by_the_first_few(look: Path) -> None:
    change = lambda v: [c.update(weight=-1) for p in v["palettes"] for c in p["colours"]]  # noqa: E731
    with pytest.raises(LookFileError, match="and 10 mistakes more"):
        read_palette(edited(look, change))
