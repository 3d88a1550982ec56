"""Clips and pictures through .cube files."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from clips import decoded, moving_picture, write_clip
from lut3d import through_lut3d

from streamct.color.coding import code_to_rgb, rgb_to_code
from streamct.color.cube import Cube, nodes, unit_lattice
from streamct.color.cube_text import format_cube
from streamct.errors import LutError, OutputError, UsageError
from streamct.lut_apply import apply_lut, read_cube
from streamct.media.image import read_picture, save_png
from streamct.media.probe import probe
from streamct.settings import Settings

LOSSLESS = Settings().updated(output__codec="ffv1")


def warm(rgb: np.ndarray) -> np.ndarray:
    """A look: a curve, a tint and a turn towards its neighbours' channels, within 0..1."""
    curved = rgb**0.8
    return np.clip(curved @ np.array([[0.9, 0.1, 0.0], [0.05, 0.85, 0.1], [0.0, 0.1, 0.8]]).T + [0.05, 0.02, 0.0], 0, 1)


@pytest.fixture
def look(tmp_path: Path) -> Path:
    path = tmp_path / "look.cube"
    path.write_text(format_cube(unit_lattice(warm(nodes(33))), "look"))
    return path


@pytest.mark.parametrize(
    ("pix_fmt", "tags"),
    [("yuv420p", (1, 1, 1, 1)), ("yuv420p10le", (1, 1, 1, 1)), ("yuv444p", (6, 6, 6, 2)), ("yuv422p10le", None)],
)
def test_a_cube_that_changes_nothing_leaves_every_sample(tmp_path: Path, pix_fmt: str, tags: tuple | None) -> None:
    identity = tmp_path / "identity.cube"
    identity.write_text(format_cube(unit_lattice(nodes(33)), "identity"))
    clip = write_clip(tmp_path / "in.mkv", moving_picture(3), codec="ffv1", pix_fmt=pix_fmt, tags=tags)
    apply_lut(clip, identity, tmp_path / "out.mkv", LOSSLESS)
    for (pts, planes), (time, out) in zip(decoded(clip), decoded(tmp_path / "out.mkv"), strict=True):
        assert pts == time
        assert all(np.array_equal(a, b) for a, b in zip(planes, out, strict=True))


@pytest.mark.parametrize(("pix_fmt", "depth"), [("yuv444p", 8), ("yuv444p10le", 10)])
def test_a_clip_comes_out_as_the_cube_says_to_a_code(look: Path, tmp_path: Path, pix_fmt: str, depth: int) -> None:
    clip = write_clip(tmp_path / "in.mkv", moving_picture(2), codec="ffv1", pix_fmt=pix_fmt)
    apply_lut(clip, look, tmp_path / "out.mkv", LOSSLESS)
    coding, cube, unit = probe(clip).coding, read_cube(look), 2 ** (depth - 8)
    for (_, planes), (_, out) in zip(decoded(clip), decoded(tmp_path / "out.mkv"), strict=True):
        rgb = code_to_rgb(np.stack(planes, -1).reshape(-1, 3) / unit, coding, depth)
        expected = rgb_to_code(cube(rgb), coding, depth)
        found = np.stack(out, -1).reshape(-1, 3) / unit
        assert np.abs(found - expected).max() <= 1.5
        assert np.abs(found - expected).mean() <= 0.35


def test_a_picture_comes_out_as_from_ffmpegs_lut3d(look: Path, tmp_path: Path) -> None:
    save_png(tmp_path / "in.png", moving_picture(1)[0])
    apply_lut(tmp_path / "in.png", look, tmp_path / "out.png")
    source = np.rint(read_picture(tmp_path / "in.png").rgb * 65535).astype(np.uint16)
    expected = through_lut3d(source, look) / 65535 * 255
    assert np.abs(np.rint(read_picture(tmp_path / "out.png").rgb * 255) - expected).max() <= 0.51


def test_curves_alone_are_applied_too(tmp_path: Path) -> None:
    (tmp_path / "negative.cube").write_text("LUT_1D_SIZE 2\n1 1 1\n0 0 0\n")
    clip = write_clip(tmp_path / "in.mkv", moving_picture(2), codec="ffv1", pix_fmt="bgr0", tags=None)
    apply_lut(clip, tmp_path / "negative.cube", tmp_path / "out.mkv", LOSSLESS)
    pairs = zip(decoded(clip, "gbrp"), decoded(tmp_path / "out.mkv", "gbrp"), strict=True)
    for (_, planes), (_, out) in pairs:
        assert all(np.abs(255 - a.astype(int) - b).max() <= 1 for a, b in zip(planes, out, strict=True))


def test_sound_times_and_tags_are_kept(look: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mp4", moving_picture(12), audio=True)
    report = apply_lut(clip, look)
    assert report.output == tmp_path / "in.graded.mp4"
    assert report.frames == 12
    assert [pts for pts, _ in decoded(report.output)] == [pts for pts, _ in decoded(clip)]
    with av.open(str(clip)) as before, av.open(str(report.output)) as after:
        assert [s.type for s in after.streams] == [s.type for s in before.streams]
        sounds = [[bytes(p) for p in c.demux(audio=0) if p.size] for c in (before, after)]
    assert sounds[0] == sounds[1]
    assert probe(report.output).tags == probe(clip).tags


def test_a_title_in_any_encoding_is_no_reason_to_fail(tmp_path: Path) -> None:
    text = format_cube(unit_lattice(nodes(2)), "x").replace('"x"', '"Grün"')
    (tmp_path / "a.cube").write_bytes(text.encode("latin-1"))
    (tmp_path / "b.cube").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_cube(tmp_path / "a.cube").title == read_cube(tmp_path / "b.cube").title == "Grün"
    assert isinstance(read_cube(tmp_path / "a.cube"), Cube)


@pytest.mark.parametrize(
    ("name", "message"),
    [("gone.cube", "can't be read"), ("look.3dl", r"is no \.cube file"), ("bad.cube", "bad.cube, line 2")],
)
def test_a_lut_that_can_not_be_used_is_named(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "look.3dl").write_text("0 1023\n")
    (tmp_path / "bad.cube").write_text("LUT_3D_SIZE 2\n0 0 nan\n")
    save_png(tmp_path / "in.png", moving_picture(1)[0])
    with pytest.raises(LutError, match=message):
        apply_lut(tmp_path / "in.png", tmp_path / name, tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


def test_inputs_and_what_exists_are_never_overwritten_unasked(look: Path, tmp_path: Path) -> None:
    save_png(tmp_path / "in.png", moving_picture(1)[0])
    with pytest.raises(OutputError, match="an input is never overwritten"):
        apply_lut(tmp_path / "in.png", look, tmp_path / "in.png", overwrite=True)
    (tmp_path / "in.graded.png").write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        apply_lut(tmp_path / "in.png", look)
    with pytest.raises(UsageError, match="--stream"):
        apply_lut(tmp_path / "in.png", look, tmp_path / "out.png", stream=0)


def test_numbered_pictures_may_come_out(look: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "in.mkv", moving_picture(3), codec="ffv1", pix_fmt="bgr0", tags=None)
    apply_lut(clip, look, tmp_path / "out_%03d.png")
    found = sorted(path.name for path in tmp_path.glob("out_*.png"))
    assert len(found) == 3
    assert apply_lut(clip, look, tmp_path / "out.mkv", LOSSLESS).frames == 3
    for name, (_, (green, blue, red)) in zip(found, decoded(tmp_path / "out.mkv", "gbrp"), strict=True):
        assert np.array_equal(np.rint(read_picture(tmp_path / name).rgb * 255), np.stack([red, green, blue], -1))
