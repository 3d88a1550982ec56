"""Before and after in one video."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import Result
from clips import decoded, moving_picture, write_clip
from typer.testing import CliRunner

from streamct.cli.app import app
from streamct.color.lut import LutGrid
from streamct.comparison import Comparer, Comparison
from streamct.errors import UsageError
from streamct.grade.track import Grade
from streamct.media.image import save_png
from streamct.media.probe import probe
from streamct.model import Frame
from streamct.pipeline import grade_video
from streamct.settings import Settings

QUICK = Settings().updated(time__radius=3, time__knot_spacing=3, palette__size=4, output__codec="ffv1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("comparison")
    save_png(folder / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    write_clip(folder / "in.mkv", moving_picture(12), codec="ffv1", audio=True)
    grade_video(folder / "in.mkv", folder / "ref.png", folder / "graded.mkv", QUICK)
    return folder


def compared(folder: Path, path: Path, comparison: Comparison) -> list:
    grade_video(folder / "in.mkv", folder / "ref.png", path, QUICK, compare=comparison)
    return decoded(path)


def test_side_by_side_holds_source_and_grade_in_full(folder: Path, tmp_path: Path) -> None:
    found = compared(folder, tmp_path / "o.mkv", Comparison(beside=True))
    for (_, planes), (_, own), (_, graded) in zip(
        found, decoded(folder / "in.mkv"), decoded(folder / "graded.mkv"), strict=True
    ):
        for both, left, right in zip(planes, own, graded, strict=True):
            assert np.array_equal(both, np.concatenate([left, right], axis=1))


def test_a_wipe_has_the_source_left_of_its_line_and_the_grade_right(folder: Path, tmp_path: Path) -> None:
    found = compared(folder, tmp_path / "o.mkv", Comparison(at=0.25))
    for (_, planes), (_, own), (_, graded) in zip(
        found, decoded(folder / "in.mkv"), decoded(folder / "graded.mkv"), strict=True
    ):
        for plane, (both, left, right) in enumerate(zip(planes, own, graded, strict=True)):
            line, thick = (24, 4) if plane == 0 else (12, 2)
            assert np.array_equal(both[:, :line], left[:, :line])
            assert np.array_equal(both[:, line + thick :], right[:, line + thick :])
            assert (both[:, line : line + thick] == (235 if plane == 0 else 128)).all()


@pytest.mark.parametrize(("at", "place"), [(0, 0.05), (1.5, 0.5), (3, 0.95), (4.5, 0.5), (6, 0.05)])
def test_the_line_goes_from_left_to_right_and_back(folder: Path, at: float, place: float) -> None:
    clip = probe(folder / "in.mkv")
    comparer = Comparer(Comparison(), clip, LutGrid(clip.coding, 8), lambda *_: None)
    planes = tuple(np.zeros((64 >> s, 96 >> s), np.uint8) for s in (0, 1, 1))
    frame = Frame(planes, clip.format, 0, round(at * 1000), Fraction(1, 1000))
    target = replace(frame, planes=tuple(plane.copy() for plane in planes))
    comparer.fill(frame, target, Grade((), None))
    (columns,) = np.nonzero(target.planes[0].all(axis=0))
    assert abs(columns[0] - place * 96) <= 2


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("beside", [True, False])
def test_left_is_where_the_viewer_sees_it(folder: Path, turns: int, beside: bool) -> None:
    """The display matrix turns the stored picture; the source (black) stays left of the graded one (grey)."""
    matrix = {1: (0, -1, 1, 0), 2: (-1, 0, 0, -1), 3: (0, 1, -1, 0)}[turns]
    a, b, c, d = (value << 16 for value in matrix)
    clip = replace(probe(folder / "in.mkv"), display_matrix=(a, b, 0, c, d, 0, 0, 0, 1 << 30))

    def grey(source: Frame, target: Frame, grade: Grade) -> None:
        for plane in target.planes:
            plane[...] = 100

    comparison = Comparison(beside=True) if beside else Comparison(at=0.5)
    shape = comparison.shape(clip)
    planes = tuple(np.zeros((64 >> s, 96 >> s), np.uint8) for s in (0, 1, 1))
    frame = Frame(planes, clip.format, 0, 0, clip.time_base)
    sizes = [(shape.height >> s, shape.width >> s) for s in (0, 1, 1)]
    target = replace(frame, planes=tuple(np.full(size, 7, np.uint8) for size in sizes))
    Comparer(comparison, clip, LutGrid(clip.coding, 8), grey).fill(frame, target, Grade((), None))
    shown = np.rot90(target.planes[0], turns)
    middle = shown.shape[1] // 2
    assert (shown[:, : middle - 2] == 0).all()
    assert (shown[:, middle + 4 :] == 100).all()


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_preview_writes_a_comparison_with_its_sound_beside_the_input(folder: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mp4", moving_picture(24), audio=True)
    done = run("preview", clip, folder / "ref.png", "--wipe", "--from", "0.5", "--radius", "3")
    assert done.exit_code == 0, done.output
    assert done.stdout.split() == [str(tmp_path / "in.preview.mp4")]
    with av.open(str(tmp_path / "in.preview.mp4")) as container:
        assert {stream.type for stream in container.streams} == {"video", "audio"}
        assert container.streams.video[0].frames == 12


def test_a_comparison_without_an_end_is_short(folder: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "long.mkv", moving_picture(4) * 10, rate=2, time_base=Fraction(1, 2), codec="ffv1")
    settings = QUICK.updated(time__mode="off", mapping__strength=0.0)
    report = grade_video(clip, folder / "ref.png", tmp_path / "o.mkv", settings, start=2, compare=Comparison())
    assert report.frames == 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--wipe", "--side-by-side"], "one of them"),
        (["--wipe", "--at", "1"], "without --at"),
        (["--wipe-at", "1.5"], r"--wipe-at 1.5: should be 0 (left) to 1 (right)"),
        (["--side-by-side", "--wipe-at", "0.5"], "one of them"),
    ],
)
def test_comparisons_that_make_no_sense_are_refused(folder: Path, arguments: list[str], message: str) -> None:
    done = run("preview", folder / "in.mkv", folder / "ref.png", *arguments)
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
