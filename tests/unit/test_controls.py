"""What colourists reach for: chroma, lightness, regions, a LUT before the grade."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from clips import decoded, moving_picture, write_clip

from streamct.color.colormap import color_map
from streamct.color.correspondence import Correspondence
from streamct.color.cube import nodes, unit_lattice
from streamct.color.cube_text import format_cube, parse_cube
from streamct.color.lab import srgb_to_lab
from streamct.errors import LutError, UsageError
from streamct.execute.local import LocalExecutor
from streamct.lut_files import write_luts
from streamct.media.image import read_picture, save_png
from streamct.metrics.delta_e import delta_e_2000
from streamct.pipeline import grade_picture, grade_video
from streamct.prepare import Request
from streamct.references import references
from streamct.settings import MappingSettings, Settings
from streamct.spanned import grade_in_spans

QUICK = Settings().updated(time__radius=3, time__knot_spacing=3, output__codec="ffv1")


def from_log(codes: np.ndarray) -> np.ndarray:
    """Display-referred R'G'B' of a camera log made for these tests: flat, and with its black at 0.1."""
    return np.clip((codes - 0.1) / 0.6, 0, 1) ** (1 / 0.7)


def to_log(rgb: np.ndarray) -> np.ndarray:
    return 0.1 + 0.6 * rgb**0.7


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("controls")
    pictures = moving_picture(8)
    save_png(folder / "in.png", pictures[0])
    save_png(folder / "ref.png", moving_picture(1, seed=5)[0][..., ::-1])
    mask = np.zeros((64, 96, 3), np.uint8)
    mask[:, :48] = 255
    save_png(folder / "mask.png", mask)
    deep = {"codec": "ffv1", "pix_fmt": "yuv444p10le"}
    write_clip(folder / "in.mkv", pictures, **deep)
    logs = [np.rint(to_log(p / 255) * 255).astype(np.uint8) for p in pictures]
    write_clip(folder / "log.mkv", logs, **deep, tags=(6, 6, 2, 1))
    save_png(folder / "log.png", logs[0])
    (folder / "log.cube").write_text(format_cube(unit_lattice(from_log(nodes(65))), "log"))
    return folder


def correspondence() -> Correspondence:
    own = np.array([[30.0, 10, -20], [70.0, -15, 30]])
    return Correspondence(own, own + np.array([[12.0, 20, -8], [-6.0, 4, 16]]))


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_chroma_scales_a_and_b_and_lightness_the_rest(strength: float) -> None:
    met = correspondence()
    shifts = met.targets - met.source
    for chroma, alpha in ((0.0, 0.3), (0.5, 0.0), (2.0, 1.0)):
        settings = MappingSettings(chroma=chroma, alpha=alpha, strength=strength)
        found = color_map(met, settings).shifts
        assert np.allclose(found, strength * shifts * [alpha, chroma, chroma])


def planes_rgb(path: Path) -> list[np.ndarray]:
    """R'G'B' codes of 16 bits of every frame, by FFmpeg's matrix for the stream's tags."""
    with av.open(str(path)) as container:
        return [f.to_ndarray(format="rgb48le").astype(np.float64) / 65535 for f in container.decode(video=0)]


def apart(first: np.ndarray, second: np.ndarray) -> float:
    return float(delta_e_2000(srgb_to_lab(first), srgb_to_lab(second)).mean())


@pytest.mark.parametrize(("regions", "kept", "changed"), [("fg", slice(52, 96), slice(0, 44)),
                                                          ("bg", slice(0, 44), slice(52, 96))])  # fmt: skip
@pytest.mark.parametrize("mode", ["window", "shot"])
@pytest.mark.parametrize("ref_mask", ["mask.png", None])
def test_one_region_alone_is_graded(
    folder: Path, tmp_path: Path, regions: str, kept: slice, changed: slice, mode: str, ref_mask: str | None
) -> None:
    settings = QUICK.updated(mapping__regions=regions, time__mode=mode)
    given = {"mask": folder / "mask.png", "ref_mask": folder / ref_mask if ref_mask else None}
    grade_video(folder / "in.mkv", folder / "ref.png", tmp_path / "out.mkv", settings, **given)
    for (_, before), (_, after) in zip(decoded(folder / "in.mkv"), decoded(tmp_path / "out.mkv"), strict=True):
        assert all(np.array_equal(a[:, kept], b[:, kept]) for a, b in zip(before, after, strict=True))
        assert any(
            np.abs(a[:, changed].astype(int) - b[:, changed]).mean() > 8 for a, b in zip(before, after, strict=True)
        )


@pytest.mark.parametrize(("regions", "kept"), [("fg", slice(52, 96)), ("bg", slice(0, 44))])
def test_one_region_of_a_picture_alone_is_graded(folder: Path, tmp_path: Path, regions: str, kept: slice) -> None:
    settings = Settings().updated(mapping__regions=regions)
    grade_picture(folder / "in.png", folder / "ref.png", tmp_path / "o.png", settings, mask=folder / "mask.png")
    before, after = read_picture(folder / "in.png").rgb, read_picture(tmp_path / "o.png").rgb
    assert np.array_equal(before[:, kept], after[:, kept])
    assert np.abs(before - after).mean() > 0.02


def test_a_look_of_one_region_is_one_file(folder: Path, tmp_path: Path) -> None:
    settings = Settings().updated(mapping__regions="bg")
    report = write_luts(
        folder / "in.png", folder / "ref.png", tmp_path / "look.cube", settings, mask=folder / "mask.png", size=17
    )
    assert [Path(path).name for path in report.details["files"]] == ["look.background.cube"]


@pytest.mark.parametrize("run", [grade_video, write_luts])
def test_a_region_that_nothing_tells_is_refused(folder: Path, tmp_path: Path, run: Callable) -> None:
    with pytest.raises(UsageError, match=r"--regions fg: nothing tells where that is\. Add --mask or --segmenter"):
        run(
            folder / "in.mkv", folder / "ref.png", tmp_path / ("o.cube" if run is write_luts else "o.mkv"),
            Settings().updated(mapping__regions="fg"),
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", ["window", "shot"])
def test_log_footage_behind_its_lut_is_graded_as_the_same_footage_in_rec709(
    folder: Path, tmp_path: Path, mode: str
) -> None:
    """8 bits of log are coarser than 8 bits of video, so the two differ by rounding."""
    settings = QUICK.updated(time__mode=mode)
    grade_video(folder / "in.mkv", folder / "ref.png", tmp_path / "plain.mkv", settings)
    behind = settings.updated(input__lut=folder / "log.cube")
    grade_video(folder / "log.mkv", folder / "ref.png", tmp_path / "out.mkv", behind)
    for plain, found in zip(planes_rgb(tmp_path / "plain.mkv"), planes_rgb(tmp_path / "out.mkv"), strict=True):
        assert apart(plain, found) < 1.0


def test_a_lut_alone_gives_what_its_cube_gives(folder: Path, tmp_path: Path) -> None:
    settings = QUICK.updated(input__lut=folder / "log.cube", mapping__strength=0.0)
    grade_video(folder / "log.mkv", folder / "ref.png", tmp_path / "out.mkv", settings)
    cube = parse_cube((folder / "log.cube").read_text(), "log.cube")
    for source, found in zip(planes_rgb(folder / "log.mkv"), planes_rgb(tmp_path / "out.mkv"), strict=True):
        assert apart(cube(source), found) < 0.3


def test_what_comes_out_behind_a_lut_is_tagged_rec709(folder: Path, tmp_path: Path) -> None:
    """BT.601 log: matrix, primaries and transfer of the output are BT.709's, and its codes are by that matrix."""
    settings = QUICK.updated(input__lut=folder / "log.cube")
    grade_video(folder / "log.mkv", folder / "ref.png", tmp_path / "out.mkv", settings)
    with av.open(str(tmp_path / "out.mkv")) as container:
        context = container.streams.video[0].codec_context
        tags = (context.colorspace, context.color_primaries, context.color_trc)
    assert [int(tag) for tag in tags] == [1, 1, 1]


def test_a_look_for_log_footage_takes_log_and_gives_the_grade(folder: Path, tmp_path: Path) -> None:
    settings = Settings().updated(input__lut=folder / "log.cube")
    write_luts(folder / "log.png", folder / "ref.png", tmp_path / "look.cube", settings, size=65)
    text = (tmp_path / "look.cube").read_text()
    assert "# Input: what log.cube takes, which comes first" in text
    source = read_picture(folder / "log.png").rgb
    grade_picture(folder / "log.png", folder / "ref.png", tmp_path / "o.png", settings)
    found = parse_cube(text, "look.cube")(source)
    assert apart(read_picture(tmp_path / "o.png").rgb.astype(np.float64), found) < 0.5


def test_a_lut_that_is_none_is_said(folder: Path, tmp_path: Path) -> None:
    settings = QUICK.updated(input__lut=folder / "in.png")
    with pytest.raises(LutError, match=r"in\.png: is no \.cube file"):
        grade_video(folder / "log.mkv", folder / "ref.png", tmp_path / "out.mkv", settings)


@pytest.mark.parametrize("changes", ["lut", "regions", "pixels"])
def test_a_clip_in_spans_is_graded_by_the_same_controls(folder: Path, tmp_path: Path, changes: str) -> None:
    settings = {
        "lut": QUICK.updated(input__lut=folder / "log.cube", mapping__chroma=0.5),
        "regions": QUICK.updated(mapping__regions="fg"),
        "pixels": QUICK.updated(input__lut=folder / "log.cube", output__pix_fmt="yuv420p"),
    }[changes]
    mask = folder / "mask.png" if changes == "regions" else None
    clip = write_clip(tmp_path / "in.mkv", moving_picture(40), codec="ffv1", pix_fmt="yuv444p", tags=(6, 6, 2, 1))
    grade_video(clip, folder / "ref.png", tmp_path / "one.mkv", settings, mask=mask)
    asked = Request(clip, references(folder / "ref.png"), tmp_path / "spans.mkv", settings, mask=mask)
    with LocalExecutor(2) as executor:
        report = grade_in_spans(asked, executor, count=3)
    assert report.details["spans"] == 3
    for (_, found), (_, wanted) in zip(decoded(tmp_path / "spans.mkv"), decoded(tmp_path / "one.mkv"), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))
