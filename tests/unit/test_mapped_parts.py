"""Maps and several references in previews, parts of clips and LUTs: what a run over all of a clip makes."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import decoded, moving_picture, write_clip
from networks import RedIsForeground

from streamct import previewer, run, sheets
from streamct.color.cube import nodes, unit_lattice
from streamct.color.cube_text import format_cube, parse_cube
from streamct.comparison import Comparison
from streamct.errors import UsageError
from streamct.grade.looktext import read_map
from streamct.lut_files import write_luts
from streamct.mapping import write_map
from streamct.media.image import read_picture, save_png
from streamct.model import Frame
from streamct.pipeline import grade_picture, grade_video
from streamct.settings import Settings
from streamct.sheets import write_sheet

CUT, FRAMES = 14, 30
LOSSLESS = Settings().updated(output__codec="ffv1", palette__size=6, time__radius=2, time__knot_spacing=2)
TIMES = ("0", "0.5", "0.625", "1.2")
SHOWN = (0, 12, 15, 28)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of two shots, references, masks, and maps of the clip: with regions, and without."""
    folder = tmp_path_factory.mktemp("parts")
    other = [p[..., ::-1] for p in moving_picture(FRAMES - CUT, seed=3)]
    write_clip(folder / "in.mp4", [*moving_picture(CUT), *other], pix_fmt="yuv444p")
    save_png(folder / "in.png", moving_picture(1)[0])
    save_png(folder / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    save_png(folder / "other.png", moving_picture(1, seed=8)[0])
    mask = np.zeros((64, 96, 3), np.uint8)
    mask[:, :40] = 255
    save_png(folder / "mask.png", mask)
    (folder / "masks").mkdir()
    for number in range(FRAMES):
        save_png(folder / "masks" / f"{number:03d}.png", np.roll(mask, number, axis=1))
    write_map(folder / "in.mp4", folder / "ref.png", folder / "whole.json", LOSSLESS)
    masks = {"mask": folder / "masks", "ref_mask": folder / "mask.png"}
    write_map(folder / "in.mp4", folder / "ref.png", folder / "split.json", LOSSLESS, **masks)
    return folder


class RedderThanBlue(RedIsForeground):
    """A network whose masks are whole numbers."""

    name = "deeplabv3-mobilenet"
    precision = "exact"

    def memory(self) -> int:
        return 0

    def segment(self, proxies: Any) -> Any:
        return (proxies[..., 0] > proxies[..., 2]).astype(np.float32)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Settings:
    filled = {"segmenter": RedderThanBlue.name, "size": 64, "every": 2, "device": "cpu"}
    monkeypatch.setattr(run, "resolve", lambda s, note: (s.model_copy(update=filled), None))
    monkeypatch.setattr(run, "load", lambda s: RedderThanBlue(batch=2, size=64))
    return LOSSLESS.updated(segment__segmenter="auto")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[int, np.ndarray]:
    """What previews render, by frame number."""
    found: dict[int, np.ndarray] = {}
    real = previewer.Previewer._rendered

    def rendered(self: Any, frame: Frame, grade: object, mask: object) -> object:
        planes = real(self, frame, grade, mask)
        found[round(frame.pts * self._clip.time_base * 24)] = np.stack(planes)
        return planes

    monkeypatch.setattr(previewer.Previewer, "_rendered", rendered)
    return found


def planes(path: Path) -> np.ndarray:
    return np.array([np.stack(frame) for _, frame in decoded(path)])


@pytest.mark.parametrize(
    ("map", "mask", "regions"),
    [
        ("whole", None, "both"),
        ("split", None, "both"),
        ("split", "mask.png", "both"),
        ("split", "masks", "both"),
        ("split", "masks", "bg"),
        ("whole", "masks", "fg"),
    ],
)
def test_a_preview_by_a_map_shows_the_frames_that_it_renders(
    folder: Path, tmp_path: Path, shown: dict[int, np.ndarray], map: str, mask: str | None, regions: str
) -> None:
    options: dict[str, Any] = {"map": folder / f"{map}.json", "mask": None if mask is None else folder / mask}
    settings = LOSSLESS.updated(mapping__regions=regions)
    write_sheet(folder / "in.mp4", None, tmp_path / "s.png", settings, at=TIMES, **options)
    grade_video(folder / "in.mp4", None, tmp_path / "out.mkv", settings, **options)
    frames = planes(tmp_path / "out.mkv")
    assert tuple(sorted(shown)) == SHOWN
    for number, found in shown.items():
        np.testing.assert_array_equal(found, frames[number])


def test_a_preview_by_a_map_has_the_masks_of_a_network(
    folder: Path, tmp_path: Path, shown: dict[int, np.ndarray], network: Settings
) -> None:
    write_sheet(folder / "in.mp4", None, tmp_path / "s.png", network, at=TIMES, map=folder / "split.json")
    report = grade_video(folder / "in.mp4", None, tmp_path / "out.mkv", network, map=folder / "split.json")
    assert report.segmenter == RedderThanBlue.name
    frames = planes(tmp_path / "out.mkv")
    assert tuple(sorted(shown)) == SHOWN
    for number, found in shown.items():
        np.testing.assert_array_equal(found, frames[number])


def test_no_frame_is_counted_for_a_preview_by_a_map(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    monkeypatch.setattr(previewer.Sampler, "look", lambda self, frame: counted.append(frame.index))
    report = write_sheet(folder / "in.mp4", None, tmp_path / "s.png", map=folder / "whole.json", at=TIMES)
    assert report.frames == 4
    assert counted == []


@pytest.mark.parametrize(("start", "stop", "frames"), [("0.25", "0.5", slice(6, 12)), ("0.5", "1", slice(12, 24))])
@pytest.mark.parametrize("mask", [None, "masks"])
def test_a_part_by_a_map_is_that_of_the_full_run(
    folder: Path, tmp_path: Path, mask: str | None, start: str, stop: str, frames: slice
) -> None:
    options: dict[str, Any] = {"map": folder / "split.json", "mask": None if mask is None else folder / mask}
    grade_video(folder / "in.mp4", None, tmp_path / "all.mkv", LOSSLESS, **options)
    grade_video(folder / "in.mp4", None, tmp_path / "part.mkv", LOSSLESS, start=start, stop=stop, **options)
    np.testing.assert_array_equal(planes(tmp_path / "part.mkv"), planes(tmp_path / "all.mkv")[frames])


def test_a_comparison_by_a_map_has_the_source_on_the_left_and_the_grade_on_the_right(
    folder: Path, tmp_path: Path
) -> None:
    beside = Comparison(beside=True)
    options: dict[str, Any] = {"map": folder / "whole.json", "start": "0.25", "stop": "0.5"}
    grade_video(folder / "in.mp4", None, tmp_path / "two.mkv", LOSSLESS, compare=beside, **options)
    grade_video(folder / "in.mp4", None, tmp_path / "one.mkv", LOSSLESS, **options)
    both = planes(tmp_path / "two.mkv")
    np.testing.assert_array_equal(both[..., :96], planes(folder / "in.mp4")[6:12])
    np.testing.assert_array_equal(both[..., 96:], planes(tmp_path / "one.mkv"))


def test_a_region_that_is_not_to_be_graded_keeps_its_colours_by_a_map_too(folder: Path, tmp_path: Path) -> None:
    settings = LOSSLESS.updated(mapping__regions="fg")
    options: dict[str, Any] = {"map": folder / "split.json", "mask": folder / "mask.png"}
    grade_video(folder / "in.mp4", None, tmp_path / "fg.mkv", settings, **options)
    grade_video(folder / "in.mp4", None, tmp_path / "both.mkv", LOSSLESS, **options)
    found, source, both = (planes(p) for p in (tmp_path / "fg.mkv", folder / "in.mp4", tmp_path / "both.mkv"))
    np.testing.assert_array_equal(found[..., 41:], source[..., 41:])
    np.testing.assert_array_equal(found[..., :39], both[..., :39])


def test_a_region_of_a_picture_keeps_its_colours_by_a_map_too(folder: Path, tmp_path: Path) -> None:
    write_map(folder / "in.png", folder / "ref.png", tmp_path / "map.json")
    settings = Settings().updated(mapping__regions="bg")
    for name, options in (("bg", {"mask": folder / "mask.png"}), ("all", {})):
        own = settings if options else Settings()
        grade_picture(folder / "in.png", None, tmp_path / f"{name}.png", own, map=tmp_path / "map.json", **options)
    found, source, graded = (
        read_picture(p).rgb for p in (tmp_path / "bg.png", folder / "in.png", tmp_path / "all.png")
    )
    np.testing.assert_array_equal(found[:, :39], source[:, :39])
    np.testing.assert_array_equal(found[:, 41:], graded[:, 41:])


def test_one_region_without_a_mask_is_refused_for_a_map_too(folder: Path, tmp_path: Path) -> None:
    settings = LOSSLESS.updated(mapping__regions="bg")
    for write, name in ((grade_video, "out.mkv"), (write_sheet, "out.png")):
        with pytest.raises(UsageError, match="--regions bg: nothing tells where that is"):
            write(folder / "in.mp4", None, tmp_path / name, settings, map=folder / "whole.json")
    assert not list(tmp_path.iterdir())


def test_a_lut_of_a_part_is_of_the_maps_shot_that_is_on_then(folder: Path, tmp_path: Path) -> None:
    write_luts(folder / "in.mp4", None, tmp_path / "all.cube", map=folder / "whole.json", per_shot=True)
    every = sorted(tmp_path.glob("all.shot*.cube"))
    assert len(every) == 2
    for start, stop, path in ((None, "0.5", every[0]), ("0.7", None, every[1])):
        write_luts(
            folder / "in.mp4", None, tmp_path / "one.cube", map=folder / "whole.json", start=start, stop=stop,
            overwrite=True,
        )  # fmt: skip
        one, wanted = (parse_cube(p.read_text(), p.name) for p in (tmp_path / "one.cube", path))
        np.testing.assert_array_equal(one(nodes(9)), wanted(nodes(9)))
    with pytest.raises(UsageError, match="has 2 shots, and one is wanted here"):
        write_luts(folder / "in.mp4", None, tmp_path / "no.cube", map=folder / "whole.json", start="0.4", stop="0.8")


def test_a_map_behind_a_lut_is_of_the_colours_that_the_lut_shows(folder: Path, tmp_path: Path) -> None:
    """A LUT that halves all light: the map made behind it has the palette of the clip that was made darker."""
    (tmp_path / "half.cube").write_text(format_cube(unit_lattice(nodes(5) / 2), "half"))
    settings = LOSSLESS.updated(input__lut=tmp_path / "half.cube")
    write_map(folder / "in.png", folder / "ref.png", tmp_path / "lut.json", settings)
    save_png(tmp_path / "dark.png", np.rint(read_picture(folder / "in.png").rgb * 127.5).astype(np.uint8))
    write_map(tmp_path / "dark.png", folder / "ref.png", tmp_path / "dark.json", LOSSLESS)
    found, wanted = (read_map(tmp_path / f"{name}.json").shots[0].mappings[0].palette for name in ("lut", "dark"))
    assert found is not None
    assert wanted is not None
    np.testing.assert_allclose(found.colours, wanted.colours, atol=0.5)
    map = {"map": tmp_path / "lut.json"}
    write_map(folder / "in.mp4", folder / "ref.png", tmp_path / "lut.json", settings, overwrite=True)
    grade_video(folder / "in.mp4", None, tmp_path / "map.mkv", settings, **map)
    grade_video(folder / "in.mp4", folder / "ref.png", tmp_path / "shot.mkv", settings.updated(time__mode="shot"))
    np.testing.assert_array_equal(planes(tmp_path / "map.mkv"), planes(tmp_path / "shot.mkv"))


@pytest.mark.parametrize("regions", ["both", "bg"])
def test_a_sheet_by_a_map_has_the_palettes_of_its_regions(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, regions: str
) -> None:
    drawn: list[str] = []
    real = sheets.pair_sheet
    monkeypatch.setattr(
        sheets, "pair_sheet", lambda h, p, r, matches: drawn.extend(m.region for m in matches) or real(h, p, r, matches)
    )
    options: dict[str, Any] = {"map": folder / "split.json", "at": ("0",)}
    settings = LOSSLESS.updated(mapping__regions=regions)
    write_sheet(folder / "in.mp4", None, tmp_path / "s.png", settings, mask=folder / "masks", **options)
    assert drawn == (["foreground", "background"] if regions == "both" else ["background"])


@pytest.mark.parametrize("mode", ["window", "shot"])
def test_a_preview_of_several_references_shows_the_frames_that_they_render(
    folder: Path, tmp_path: Path, shown: dict[int, np.ndarray], mode: str
) -> None:
    settings = LOSSLESS.updated(time__mode=mode)
    wanted = [folder / "ref.png", f"{folder / 'other.png'}:0.5"]
    write_sheet(folder / "in.mp4", wanted, tmp_path / "s.png", settings, at=TIMES)
    grade_video(folder / "in.mp4", wanted, tmp_path / "out.mkv", settings)
    frames = planes(tmp_path / "out.mkv")
    assert tuple(sorted(shown)) == SHOWN
    for number, found in shown.items():
        np.testing.assert_array_equal(found, frames[number])


def test_variants_have_the_references_palettes_under_their_own_settings(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    real = sheets.Previewer

    def previewed(clip: Any, chosen: Any, *rest: Any) -> Any:
        seen.extend(len(one.reference.whole) for one in chosen)
        return real(clip, chosen, *rest)

    monkeypatch.setattr(sheets, "Previewer", previewed)
    variants = [(str(size), LOSSLESS.updated(palette__size=size)) for size in (2, 5)]
    wanted = [folder / "ref.png", folder / "other.png"]
    write_sheet(folder / "in.mp4", wanted, tmp_path / "s.png", LOSSLESS, at=("0",), variants=variants)
    assert seen == [2, 5]


def test_a_map_with_seconds_and_frames_of_its_own_begins_its_shots_where_it_says(
    folder: Path, tmp_path: Path, shown: dict[int, np.ndarray]
) -> None:
    """The cut of the map is moved to frame 12, which is 0.5 s."""
    values = json.loads((folder / "whole.json").read_text())
    values["shots"][0]["stop"] = values["shots"][1]["start"] = 12
    values["shots"][1]["seconds"] = float(Fraction(12, 24))
    (tmp_path / "moved.json").write_text(json.dumps(values))
    write_sheet(folder / "in.mp4", None, tmp_path / "s.png", LOSSLESS, at=("0.46", "0.5"), map=tmp_path / "moved.json")
    grade_video(folder / "in.mp4", None, tmp_path / "out.mkv", LOSSLESS, map=tmp_path / "moved.json")
    frames = planes(tmp_path / "out.mkv")
    assert sorted(shown) == [11, 12]
    for number, found in shown.items():
        np.testing.assert_array_equal(found, frames[number])
