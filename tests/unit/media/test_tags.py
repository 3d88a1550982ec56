"""Colour tags: graded as they say, or the difference is said, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import streams

from streamct.color.coding import rgb_to_code
from streamct.color.lab import rgb_to_xyz
from streamct.errors import InputError
from streamct.media.output import resolve_output
from streamct.media.probe import probe
from streamct.media.tags import coding_of, nearly
from streamct.model import Coding, ColorTags
from streamct.settings import OutputSettings

PATH = Path("my clip.mkv")


def coding(matrix: int = 1, primaries: int = 1, transfer: int = 1, height: int = 1080) -> Coding:
    return coding_of(ColorTags(matrix, primaries, transfer, 1), False, False, height, PATH)


@pytest.mark.parametrize(
    ("number", "name"), [(1, "bt709"), (2, "bt709"), (6, "bt709"), (9, "bt2020"), (11, "dci"), (12, "p3")]
)
def test_primaries_are_graded_as_tagged(number: int, name: str) -> None:
    assert coding(primaries=number).primaries == name


# RGB to XYZ: SMPTE EG 432-1 for P3 with D65, RP 431-2 for DCI's white, to four digits as usually printed.
PUBLISHED = {
    "p3": [[0.4866, 0.2657, 0.1982], [0.2290, 0.6917, 0.0793], [0.0, 0.0451, 1.0439]],
    "dci": [[0.4452, 0.2771, 0.1723], [0.2095, 0.7216, 0.0689], [0.0, 0.0471, 0.9074]],
}


@pytest.mark.parametrize("primaries", sorted(PUBLISHED))
def test_p3_has_its_published_matrices(primaries: str) -> None:
    matrix = np.array(PUBLISHED[primaries])
    np.testing.assert_allclose(rgb_to_xyz(primaries), matrix / matrix.sum(axis=1, keepdims=True), atol=2e-4)


def test_smpte_240m_has_weights_of_its_own() -> None:
    luma = [rgb_to_code(np.eye(3)[c], Coding("smpte240m", full_range=False), 8)[0] for c in range(3)]
    np.testing.assert_allclose((np.array(luma) - 16) / 219, [0.212, 0.701, 0.087])


def test_a_matrix_of_the_primaries_is_that_of_the_standard_with_these_primaries() -> None:
    assert coding(matrix=12, primaries=1).matrix == "bt709"
    assert coding(matrix=12, primaries=9).matrix == "bt2020"


@pytest.mark.parametrize(
    ("matrix", "primaries", "name", "target"),
    [
        (14, 9, "ICtCp", "m=2020_ncl:p=2020"),
        (10, 9, "BT.2020 with constant luminance", "m=2020_ncl:p=2020"),
        (8, 1, "YCgCo", "m=709"),
        (12, 12, "a matrix of its primaries", "m=2020_ncl:p=2020"),
    ],
)
def test_a_matrix_that_can_not_be_graded_is_refused_with_a_way_out(
    matrix: int, primaries: int, name: str, target: str
) -> None:
    expected = rf"{name} \(matrix {matrix}\), which can't be graded\. .*ffmpeg -i 'my clip\.mkv' -vf zscale={target} "
    with pytest.raises(InputError, match=expected):
        coding(matrix=matrix, primaries=primaries)


def test_untagged_matrices_go_by_the_picture_size() -> None:
    assert coding(matrix=2, height=719).matrix == "bt601"
    assert coding(matrix=2, height=720).matrix == "bt709"
    assert coding(matrix=0, height=480).matrix == "bt601"


def test_what_is_only_nearly_right_is_said() -> None:
    assert nearly(ColorTags(1, 1, 1, 1)) == nearly(ColorTags(6, 6, 6, 1)) == nearly(ColorTags()) == []
    assert nearly(ColorTags(1, 8, 8, 1)) == [
        "film primaries are graded as if they were BT.709's; the tag stays",
        "a linear transfer is graded as if it were sRGB's; the tag stays",
    ]


def test_the_plan_says_it_and_keeps_the_tags(tmp_path: Path) -> None:
    frames = [streams.random_planes("yuv420p", 32, 32)]
    path = streams.write_planes(tmp_path / "a.mkv", "yuv420p", frames, (32, 32), codec="libx264", tags=(1, 8, 8, 1))
    plan = resolve_output(probe(path), tmp_path / "b.mkv", OutputSettings())
    assert sum("the tag stays" in note for note in plan.notes) == 2
    assert plan.tags == ColorTags(1, 8, 8, 1)


def test_pictures_of_wide_gamut_say_that_nothing_in_them_tells(tmp_path: Path) -> None:
    frames = [streams.random_planes("yuv420p", 32, 32)]
    path = streams.write_planes(tmp_path / "a.mkv", "yuv420p", frames, (32, 32), codec="libx264", tags=(1, 12, 1, 1))
    plan = resolve_output(probe(path), tmp_path / "f_%03d.png", OutputSettings())
    assert "the pictures hold P3 codes, and nothing in them says so" in plan.notes
